"""`byreturn send-test`: send one message and watch what happens to it, until its fate is known.

The message goes the way of every other: over SMTP to the running server. What happens to it is read from the
spool, ten times a second, and each new line of its story is printed once.

    done    delivered, or accepted by the next server          0
    no      refused by the server, or not deliverable          1
    later   the server is not there, or the time is over       75
"""

from __future__ import annotations

import re
import secrets
import time
from collections.abc import Callable, Iterator
from typing import Final

import click

from byreturn.cli.answers import message_shape
from byreturn.cli.check import check_file
from byreturn.cli.sending import Kept, NotKept, Server, Unreachable, content, hand_over, open_server
from byreturn.cli.session import (
    ANSWER_IS_NO,
    DONE,
    TRY_AGAIN,
    Ending,
    Session,
    accepted,
    config_option,
    json_option,
    pass_session,
)
from byreturn.cli.shapes import SendTestShape
from byreturn.cli.story import story
from byreturn.cli.terminal import Terminal
from byreturn.cli.words import address_text, fate, in_time, is_delivered, is_final, span_text
from byreturn.config import Config
from byreturn.config.errors import Bad
from byreturn.config.values import Span
from byreturn.mail import DAY, SECOND, Action, Duration, Instant, QueueId, id_text
from byreturn.spool import Life, SpoolReader, SpoolRefused

_LOOK_EVERY_SECONDS: Final = 0.1
# A report that leaves so soon is worth waiting for: it shows that the sender is told.
_REPORT_PATIENCE: Final[Duration] = 2 * SECOND
# That something is being tried is news only when it takes its time.
_WORTH_TELLING: Final[Duration] = 1 * SECOND
_ADDRESS: Final = re.compile(r"[!-;=?-~]{1,64}@[!-;=?-~]{1,255}")
_HOST_AND_PORT: Final = re.compile(
    r"(?:\[(?P<literal>[0-9a-fA-F:.]+)\]|(?P<host>[^\[\]:\s]+)):(?P<port>[0-9]{1,5})"
)
_LAST_PORT: Final = 65535
_WAIT: Final = Span(0, 30 * DAY)


class _Test:
    """One test message: handed over, watched, judged."""

    def __init__(
        self, terminal: Terminal, config: Config, sender: str, recipient: str, server: Server
    ) -> None:
        self._terminal = terminal
        self._config = config
        self._sender = sender
        self._recipient = recipient
        self._server = server
        self._reply = ""
        self._outcome = "unknown"
        self._id: QueueId | None = None
        self._life: Life | None = None
        self._reader: SpoolReader | None = None

    # --- Sending --------------------------------------------------------------------------------------

    def send(self, *, quiet: bool) -> int:
        """Hand the message over; DONE when there is something to watch."""
        hostname = self._config.hostname
        connection = open_server(self._server, hostname)
        if isinstance(connection, (NotKept, Unreachable)):
            return self._not_sent(connection)
        try:
            # Before the message leaves: one that nobody can watch is not sent.
            self._reader = SpoolReader(self._config.data)
        except SpoolRefused:
            connection.close()
            raise
        token = f"{secrets.token_hex(8)}.send-test"
        text = content(self._sender, self._recipient, self._terminal.now(), token, hostname)
        answer = hand_over(connection, self._sender, self._recipient, text)
        if not isinstance(answer, Kept):
            return self._not_sent(answer)
        self._id, self._reply = answer.id, answer.reply
        if not quiet:
            self._terminal.say(f"Sent to {self._server} as {self._sender}: {self._reply}")
        return DONE

    def _not_sent(self, answer: NotKept | Unreachable) -> int:
        if isinstance(answer, Unreachable):
            raise Ending(
                f"no answer from {self._server}: {answer.why}. The message was not sent, as far as can be "
                "told. Start the server with: byreturn serve. Or name another one with --server.",
                TRY_AGAIN,
            )
        self._reply = answer.reply
        self._outcome = "refused" if answer.is_permanent else "put_off"
        return ANSWER_IS_NO if answer.is_permanent else TRY_AGAIN

    # --- Watching -------------------------------------------------------------------------------------

    def watch(self, wait: Duration, *, quiet: bool, pause: Callable[[float], None] = time.sleep) -> int:
        """Tell what happens until the fate is known, or the time is over."""
        if self._id is None or self._reader is None:
            return TRY_AGAIN
        until = self._terminal.now() + wait
        told: set[tuple[int, str]] = set()
        with self._reader as reader:
            while True:
                now = self._terminal.now()
                self._life = reader.life(self._id)
                if self._life is None:
                    return TRY_AGAIN
                if not quiet:
                    self._tell(self._life, told, now)
                if now >= until or _is_over(self._life, now):
                    return self._judge(self._life)
                pause(_LOOK_EVERY_SECONDS)

    def _tell(self, life: Life, told: set[tuple[int, str]], now: Instant) -> None:
        """Print what is new."""
        if not told:
            self._terminal.say(f"Times are {self._terminal.times.zone_name(now)}.")
        for entry in life.entries:
            whose = f"{address_text(entry.recipient.address)}: " if len(life.entries) > 1 else ""
            for line in story(life, entry, now):
                key = (entry.recipient.ordinal, line.key)
                if line.is_under_way and now - line.at < _WORTH_TELLING:
                    continue
                if not line.is_to_come and key not in told:
                    told.add(key)
                    self._terminal.say(f"{self._terminal.times.clock(line.at)}  {whose}{line.text}")

    def _judge(self, life: Life) -> int:
        if not all(map(is_final, life.entries)):
            self._outcome = "waiting"
            return TRY_AGAIN
        is_good = all(map(is_delivered, life.entries))
        self._outcome = "delivered" if is_good else "failed"
        return DONE if is_good else ANSWER_IS_NO

    # --- The answer -----------------------------------------------------------------------------------

    def verdict(self) -> str:
        """Say how it ended, in one sentence or two."""
        if self._outcome in ("refused", "put_off"):
            how = "refused the message" if self._outcome == "refused" else "does not take the message now"
            return f"{self._server} {how}: {self._reply}"
        if self._id is None:
            return "The server has it, but names no id, so it cannot be watched from here."
        if self._life is None:
            return (
                f"The server has it, but it is not in {self._config.data}. Its fate is not known here. Is "
                f"{self._config.file} the configuration of the server at {self._server}?"
            )
        return "\n".join(self._fates(self._life))

    def _fates(self, life: Life) -> Iterator[str]:
        now = self._terminal.now()
        for entry in life.entries:
            took = entry.changed_at - life.message.accepted_at
            text = f"{address_text(entry.recipient.address)}: {fate(entry)}"
            if is_final(entry):
                yield f"{text}, {span_text(took)} after it was accepted."
                continue
            if entry.next_try_at is not None:
                at = self._terminal.times.brief(entry.next_try_at, now)
                text += f"; next try {in_time(entry.next_try_at, now)} ({at})"
            yield f"{text}; gives up {in_time(entry.expires_at, now)}."
        if self._outcome == "waiting":
            yield f"It is still being tried. Look again with: byreturn show {id_text(life.message.id)}"

    def shape(self) -> SendTestShape:
        """Answer in JSON."""
        life = self._life
        return SendTestShape(
            outcome=self._outcome,
            server=str(self._server),
            reverse_path=self._sender,
            recipient=self._recipient,
            reply=self._reply,
            id=None if self._id is None else id_text(self._id),
            message=None if life is None else message_shape(life, self._terminal.now()),
        )


def _is_over(life: Life, now: Instant) -> bool:
    """Whether nothing more is to be seen soon: every fate is known, and who must hear of it was told."""
    if not all(map(is_final, life.entries)):
        return False
    return not any(
        seen.report_id is None and not seen.is_silent and seen.due_at < now + _REPORT_PATIENCE
        for reports in life.reports.values()
        for seen in reports
        if seen.action is not Action.DELAYED
    )


# --- The command --------------------------------------------------------------------------------------


def _read_wait(_: click.Context, __: click.Parameter, text: str) -> Duration:
    """Read a duration as the configuration has it."""
    read = _WAIT.read(text)
    if isinstance(read, Bad):
        raise click.BadParameter(f"{text!r}: {read.wrongs[0].what}. {read.wrongs[0].remedy}")
    return read


def _read_address(_: click.Context, __: click.Parameter, text: str | None) -> str | None:
    """Read an address that can stand in a command; angle brackets may be around it."""
    if text is None:
        return None
    address = text.strip().removeprefix("<").removesuffix(">")
    if _ADDRESS.fullmatch(address) is None:
        raise click.BadParameter(f"{text!r} is no address: write name@domain, in ASCII.")
    return address


def _read_server(_: click.Context, __: click.Parameter, text: str | None) -> Server | None:
    """Read a host and a port; an IPv6 address stands in brackets."""
    if text is None:
        return None
    found = _HOST_AND_PORT.fullmatch(text)
    if found is None or not 1 <= int(found["port"]) <= _LAST_PORT:
        raise click.BadParameter(f"{text!r}: write a host and a port, such as 127.0.0.1:2525 or [::1]:2525.")
    return Server(found["literal"] or found["host"], int(found["port"]))


def _server_of(config: Config) -> Server:
    """Return the first listener as it is reached from this machine."""
    endpoint = config.listeners[0].bind[0]
    if not endpoint.port:
        raise click.UsageError("The first listener takes any free port: name it with --server HOST:PORT.")
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(endpoint.address, endpoint.address)  # noqa: S104
    return Server(host, endpoint.port)


@click.command("send-test")
@click.argument("address", callback=_read_address)
@click.option(
    "--from",
    "sender",
    metavar="ADDRESS",
    callback=_read_address,
    help="The sender.  [default: the postmaster of the first domain]",
)
@click.option(
    "--server",
    metavar="HOST:PORT",
    callback=_read_server,
    help="The server to hand it to.  [default: the first listener]",
)
@click.option(
    "--wait",
    metavar="TIME",
    callback=_read_wait,
    default="60s",
    help="How long to watch, such as 10s or 5m.  [default: 60s]",
)
@config_option
@json_option
@pass_session
def send_test_command(
    session: Session, address: str, sender: str | None, server: Server | None, wait: Duration, as_json: bool
) -> int:
    """Send a test message and watch what happens to it.

    It is handed to the running server like any other mail. Each thing that happens to it is told until its
    fate is known: status 0 when it was delivered or accepted by the next server, 1 when it could not be
    delivered, 75 when it is still being tried after the time to wait.
    """
    config = accepted(check_file(session.config_path))
    test = _Test(
        session.terminal, config, sender or _postmaster(config), address, server or _server_of(config)
    )
    status = test.send(quiet=as_json)
    if status == DONE:
        status = test.watch(wait, quiet=as_json)
    if as_json:
        session.terminal.json(test.shape())
    else:
        session.terminal.say(test.verdict())
    return status


def _postmaster(config: Config) -> str:
    """Return the postmaster of the first domain; of a pure relay, of the machine itself."""
    return f"postmaster@{config.domains[0].name if config.domains else config.hostname}"
