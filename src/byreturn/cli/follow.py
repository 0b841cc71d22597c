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
from collections.abc import Callable
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
from byreturn.spool import Life, SpoolReader

_LOOK_EVERY_SECONDS: Final = 0.1
# A report that leaves so soon is worth waiting for: it shows that the sender is told.
_REPORT_PATIENCE: Final[Duration] = 2 * SECOND
_ADDRESS: Final = re.compile(r"[!-~]{1,64}@[!-~]{1,255}")
_WAIT: Final = Span(0, 30 * DAY)


class _Wait(click.ParamType[Duration]):
    name = "TIME"

    def convert(
        self, value: str | Duration, param: click.Parameter | None, ctx: click.Context | None
    ) -> Duration:
        """Read a duration as the configuration has it."""
        read = _WAIT.read(value)
        if isinstance(read, Bad):
            self.fail(f"{value!r}: {read.wrongs[0].what}. {read.wrongs[0].remedy}", param, ctx)
        return read


class _Address(click.ParamType[str]):
    name = "ADDRESS"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Read an address that can stand in a command; angle brackets may be there."""
        address = value.strip().removeprefix("<").removesuffix(">")
        if _ADDRESS.fullmatch(address) is None or "<" in address or ">" in address:
            self.fail(f"{value!r} is no address: write name@domain, in ASCII.", param, ctx)
        return address


class _HostPort(click.ParamType[Server]):
    name = "HOST:PORT"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> Server:
        """Read a host and a port; an IPv6 address stands in brackets."""
        host, colon, port = value.rpartition(":")
        is_bare_ipv6 = ":" in host and not (host.startswith("[") and host.endswith("]"))
        if not colon or not host or is_bare_ipv6 or not port.isascii() or not port.isdigit():
            self.fail(f"{value!r}: write a host and a port, such as 127.0.0.1:2525 or [::1]:2525.", param, ctx)
        if not 1 <= int(port) <= 65535:
            self.fail(f"{value!r}: a port is a number from 1 to 65535.", param, ctx)
        return Server(host.removeprefix("[").removesuffix("]"), int(port))


@click.command("send-test")
@click.argument("address", type=_Address())
@click.option(
    "--from", "sender", type=_Address(), help="The sender.  [default: postmaster of the first domain]"
)
@click.option("--server", type=_HostPort(), help="The server.  [default: the first listener]")
@click.option("--wait", type=_Wait(), default="60s", help="How long to watch.  [default: 60s]")
@config_option
@json_option
@pass_session
def send_test_command(
    session: Session, address: str, sender: str | None, server: Server | None, wait: Duration, as_json: bool
) -> int:
    """Send a test message to ADDRESS and watch what happens to it.

    It is handed to the running server like any other mail. Each thing that happens to it is told until its
    fate is known: status 0 when it was delivered or accepted by the next server, 1 when it could not be
    delivered, 75 when it is still being tried after the time to wait.
    """
    config = accepted(check_file(session.config_path))
    test = _Test(session.terminal, config, sender or _postmaster(config), address, server or _server_of(config))
    status = test.send()
    if status == DONE:
        status = test.watch(wait, quiet=as_json)
    if as_json:
        session.terminal.json(test.shape())
    else:
        session.terminal.say(test.verdict())
    return status
