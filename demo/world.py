"""A small world on loopback: a name server, three mail hosts, one of them dead, and the connector between.

    sender --SMTP--> connector --DNS--> NameServer          (the zone "example")
                       |  |-------> 127.0.0.11  mx1.partner.example    takes mail
                       |  |-------> 127.0.0.12  mx1.customer.example   knows no mailbox unknown...
                       |  '-------> 127.0.0.13  mx1.agency.example     takes the connection, says nothing
                       '--Maildir-> the sender's mailbox, where reports arrive

The connector is a process of its own, as anybody would run it: a configuration file, free ports, SQLite and
Maildir in a temporary folder. What it does is read from its journal (JSON, on its standard error), and what
arrives, from the sender's Maildir; nothing here looks into its memory or its database.

Promises: every name leads to 127.0.0.0/8; every wait has an end; at the end the process is stopped by its
process id, and the folder is gone.
Fails: WorldFault, with what the connector wrote last, when the world cannot be built.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import queue
import shutil
import smtplib
import subprocess
import sys
import tempfile
import threading
import time
from collections import deque
from collections.abc import Mapping
from datetime import datetime
from ipaddress import ip_address, ip_network
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Final

from demo.names import NameServer
from demo.peers import FRIENDLY, Mood, MoodyPeer
from msgspec import Struct

SENDER: Final = "office@example.org"
GOOD: Final = "info@partner.example"
MISSPELLED: Final = "orders@suplier.example"
UNKNOWN: Final = "unknown@customer.example"
DEAD: Final = "press@agency.example"
RECIPIENTS: Final = (GOOD, MISSPELLED, UNKNOWN, DEAD)

LOOPBACK: Final = ip_network("127.0.0.0/8")
ZONES: Final[Mapping[str, str]] = {
    # Of "suplier.example" nothing stands here: so the zone says that there is no such name.
    "example": (
        "partner MX 10 mx1.partner\nmx1.partner A 127.0.0.11\n"
        "customer MX 10 mx1.customer\nmx1.customer A 127.0.0.12\n"
        "agency MX 10 mx1.agency\nmx1.agency A 127.0.0.13\n"
    )
}
# What is five days by default.
LIFETIME_MS: Final = 8_000

_PARTNER: Final = "127.0.0.11"
_CUSTOMER: Final = "127.0.0.12"
_AGENCY: Final = "127.0.0.13"

_PORT_TRIES: Final = 20
# With the story's own limit these stay below the 30 s that the demo promises.
_START_SECONDS: Final = 6.0
_STOP_SECONDS: Final = 3.0
_SUBMIT_SECONDS: Final = 3.0
_LINES_KEPT: Final = 200


class WorldFault(Exception):
    """The world could not be built, or fell apart; the text says what happened and what to do."""


class Pace(Struct, frozen=True):
    """How patient the connector is. The defaults make days pass in seconds; `gather` is the real default."""

    gather: str = "1s"
    answer: str = "1500ms"
    interval: str = "1s"
    lifetime: str = f"{LIFETIME_MS}ms"


class Fact(Struct, frozen=True):
    """A line of the connector's journal: when (milliseconds since 1970), what, and its fields."""

    at: int
    name: str
    fields: Mapping[str, Any]

    def text(self, field: str) -> str:
        """Return a field as text; empty where there is none."""
        return str(self.fields.get(field, ""))


class Connector:
    """The connector as a process, and its journal as a queue of facts."""

    def __init__(self, configuration: Path) -> None:
        self.facts: queue.SimpleQueue[Fact] = queue.SimpleQueue()
        self.lines: deque[str] = deque(maxlen=_LINES_KEPT)
        self.faults: list[str] = []
        self.port = 0
        self._process = subprocess.Popen(
            [sys.executable, "-m", "byreturn", "serve", "--config", str(configuration)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            # Ctrl-C is for the demo, which then stops the connector in order.
            start_new_session=True,
        )
        assert self._process.stderr is not None
        self._reader = threading.Thread(
            target=self._read, args=(self._process.stderr,), name="demo-journal", daemon=True
        )
        self._reader.start()

    def _read(self, stream: IO[bytes]) -> None:
        for line in stream:
            text = line.decode("utf-8", "replace").rstrip()
            self.lines.append(text)
            fact = _fact(text)
            if fact is None:
                # A traceback, or what the interpreter has to say: nothing that a healthy server writes.
                self.faults.append(text)
                continue
            if fact.name == "fault":
                self.faults.append(text)
            self.facts.put(fact)

    def wait_until_it_listens(self) -> None:
        """Wait for the line that names the port."""
        until = time.perf_counter() + _START_SECONDS
        while time.perf_counter() < until:
            fact = self.next_fact(0.05)
            if fact is not None and fact.name == "listening":
                self.port = int(fact.text("on").rpartition(":")[2])
                return
            if self._process.poll() is not None:
                self._reader.join(_STOP_SECONDS)
                raise WorldFault(
                    f"the connector ended with status {self._process.returncode}. It said:\n{self.tail()}"
                )
        raise WorldFault(f"the connector did not start in {_START_SECONDS:.0f} s. It said:\n{self.tail()}")

    def next_fact(self, seconds: float) -> Fact | None:
        """Return the next fact, waiting for it at most so long."""
        try:
            return self.facts.get(timeout=seconds)
        except queue.Empty:
            return None

    def tail(self, count: int = 20) -> str:
        """Return its last lines."""
        return "\n".join(list(self.lines)[-count:]) or "(nothing)"

    @property
    def runs(self) -> bool:
        """Whether the process lives."""
        return self._process.poll() is None

    @property
    def status(self) -> int | None:
        """Its exit status; None while it runs."""
        return self._process.poll()

    def stop(self) -> None:
        """Ask it to stop; after a while, make it."""
        if self._process.poll() is None:
            self._process.terminate()
            try:
                self._process.wait(_STOP_SECONDS)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait(_STOP_SECONDS)
        self._reader.join(_STOP_SECONDS)
        if self._process.stderr is not None:
            self._process.stderr.close()


class World:
    """All of it, as a context manager. `is_agency_dead`: False makes that host a healthy one."""

    def __init__(self, pace: Pace | None = None, *, is_agency_dead: bool = True) -> None:
        self._pace = pace or Pace()
        self._is_agency_dead = is_agency_dead
        self._stack = contextlib.ExitStack()
        self._mailbox_seen: set[str] = set()

    def __enter__(self) -> World:
        with contextlib.ExitStack() as stack:
            self._build(stack)
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    def _build(self, stack: contextlib.ExitStack) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="byreturn-demo-"))
        stack.callback(shutil.rmtree, self.folder, ignore_errors=True)
        self.names = stack.enter_context(NameServer(ZONES))
        self._open_hosts(stack)
        self.configuration = self.folder / "byreturn.toml"
        self.configuration.write_text(self._configuration(), "utf-8")
        self.mailbox = self.folder / "data" / "mail" / "example.org" / "office"
        self.connector = Connector(self.configuration)
        stack.callback(self.connector.stop)
        self.connector.wait_until_it_listens()

    def _open_hosts(self, stack: contextlib.ExitStack) -> None:
        """Open the mail hosts: three addresses, and one port that is free on all of them."""
        for remaining in reversed(range(_PORT_TRIES)):
            with contextlib.ExitStack() as hosts:
                try:
                    self.partner = hosts.enter_context(_host("mx1.partner.example", _PARTNER, 0, FRIENDLY))
                    self.mail_port = self.partner.endpoint[1]
                    self.customer = hosts.enter_context(
                        _host("mx1.customer.example", _CUSTOMER, self.mail_port, FRIENDLY)
                    )
                    mood = Mood(silent_after="connect") if self._is_agency_dead else FRIENDLY
                    self.agency = hosts.enter_context(
                        _host("mx1.agency.example", _AGENCY, self.mail_port, mood)
                    )
                except OSError as error:
                    if not remaining or error.errno != errno.EADDRINUSE:
                        raise WorldFault(
                            f"cannot listen on {_PARTNER}, {_CUSTOMER} and {_AGENCY}: {error.strerror}. The "
                            "demo needs these loopback addresses; Linux has them without being asked."
                        ) from None
                else:
                    stack.enter_context(hosts.pop_all())
                    return

    def _configuration(self) -> str:
        pace = self._pace
        steps = ("connect", "greeting", "hello", "mail", "rcpt", "data", "content", "end_of_content")
        return "\n".join(
            [
                'hostname = "mail.example.org"',
                'data = "data"',
                "[[listener]]",
                'bind = ["127.0.0.1:0"]',
                "[relay]",
                'allow = ["127.0.0.0/8"]',
                "[[domain]]",
                'name = "example.org"',
                'mailboxes = ["office"]',
                "[dns]",
                f'servers = ["{self.names.address}:{self.names.port}"]',
                "[delivery]",
                f"port = {self.mail_port}",
                'allow_private = ["127.0.0.0/8"]',
                "[delivery.timeouts]",
                *(f'{step} = "{pace.answer}"' for step in steps),
                "[retry]",
                f'after_4yz = ["{pace.interval}"]',
                f'intervals = ["{pace.interval}"]',
                f'probe_limit = "{pace.interval}"',
                "[retry.lifetime]",
                f'normal = "{pace.lifetime}"',
                "[report]",
                f'gather = "{pace.gather}"',
                'delay_notice_after = "0s"',
                "[log]",
                'format = "json"',
                "",
            ]
        )

    # --- What one can do in it ------------------------------------------------------------------------

    def submit(self, content: bytes) -> str:
        """Hand a message to the connector, for all recipients; return its reply to the end of content."""
        try:
            # Not as a context manager: that says QUIT whatever happens, and a signal in the middle would be
            # hidden by the confusion of replies.
            smtp = smtplib.SMTP("127.0.0.1", self.connector.port, "desk.example.org", _SUBMIT_SECONDS)
            with contextlib.closing(smtp):
                smtp.ehlo()
                smtp.mail(SENDER)
                for recipient in RECIPIENTS:
                    smtp.rcpt(recipient)
                code, text = smtp.data(content)
                smtp.quit()
        except (OSError, smtplib.SMTPException) as error:
            raise WorldFault(f"the message could not be handed over: {error}") from None
        said = f"{code} {text.decode('utf-8', 'replace')}"
        if code != 250:
            raise WorldFault(f"the connector did not take the message: {said}")
        return said

    def new_mail(self) -> list[bytes]:
        """Return what has arrived in the sender's mailbox since the last look."""
        try:
            names = sorted(os.listdir(self.mailbox / "new"))
        except FileNotFoundError:
            return []
        fresh = [name for name in names if name not in self._mailbox_seen]
        self._mailbox_seen.update(fresh)
        return [(self.mailbox / "new" / name).read_bytes() for name in fresh]

    def strange_addresses(self) -> list[str]:
        """Return the addresses in the DNS of this world that are not on this machine: none."""
        return [address for address in self.names.addresses() if ip_address(address) not in LOOPBACK]


def _host(name: str, address: str, port: int, mood: Mood) -> MoodyPeer:
    peer = MoodyPeer(address, port, mood)
    peer.hostname = name
    return peer


def now() -> int:
    """Return the time of day in milliseconds since 1970, as the journal counts it."""
    return time.time_ns() // 1_000_000


def _fact(line: str) -> Fact | None:
    try:
        fields = json.loads(line)
        at = datetime.fromisoformat(fields["at"])
        return Fact(round(at.timestamp() * 1000), str(fields["fact"]), fields)
    except (ValueError, TypeError, KeyError):
        return None
