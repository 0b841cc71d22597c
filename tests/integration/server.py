"""ByReturn itself, as a process of its own, and what tests need around it.

    with RunningServer(tmp_path, config_text({"report": {"gather": "30s"}})) as server:
        server.send("info@here.example", ["somebody@partner.example"], MESSAGE)
        report = server.wait_for_mail("info")[0]

The server listens on a free loopback port, which it tells in its journal. `kill` and leaving the block use
SIGKILL: a server that is told to stop waits for the dead hosts of a test. `stop` is SIGTERM, and waits.

Promises: the process has ended when the block is left; every wait is bounded. At the end of a block that went
well it is an error if the journal tells of a fault, or if something else than the journal was written to
standard error, unless the test says that it expects so.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import smtplib
import socket
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from email.message import Message
from email.parser import BytesParser
from pathlib import Path
from types import TracebackType
from typing import Any, Final

import dns.exception
import dns.flags
import dns.message
import dns.rcode

HERE: Final = "here.example"
HOSTNAME: Final = "mail.here.example"
SENDER: Final = f"sender@{HERE}"
MESSAGE: Final = (
    b"From: <sender@here.example>\r\nTo: undisclosed-recipients:;\r\nSubject: A question\r\n"
    b"Message-ID: <question@here.example>\r\nDate: Mon, 2 Mar 2026 10:00:00 +0000\r\n"
    b"\r\nDo you read me?\r\n.\r\n..two dots\r\nThe end.\r\n"
)
_START_SECONDS: Final = 20.0
_STOP_SECONDS: Final = 25.0
_POLL: Final = 0.002

# As in src/byreturn/spool/rows.py.
STATES: Final = (
    "waiting", "in flight", "held", "parked", "delivered", "failed", "expired", "returned", "discarded",
)  # fmt: skip

Entry = dict[str, Any]
Sections = Mapping[str, Any]


class ServerFault(Exception):
    """The server did not do what every test takes for granted: start, stop, keep quiet."""


def until(predicate: Callable[[], Any], timeout: float = 10.0) -> Any:
    """Wait until something is true; return it, or what it was when time was up."""
    ends_at = time.perf_counter() + timeout
    while not (value := predicate()) and time.perf_counter() < ends_at:
        time.sleep(_POLL)
    return value


def stays(predicate: Callable[[], Any], seconds: float) -> bool:
    """Whether something is true for so long."""
    ends_at = time.perf_counter() + seconds
    while time.perf_counter() < ends_at:
        if not predicate():
            return False
        time.sleep(_POLL * 5)
    return bool(predicate())


def free_port_of(*addresses: str) -> int:
    """Return a port that is free on several loopback addresses at once."""
    for _ in range(200):
        with contextlib.ExitStack() as sockets:
            port = 0
            try:
                for address in addresses:
                    one = sockets.enter_context(socket.socket())
                    one.bind((address, port))
                    port = port or one.getsockname()[1]
            except OSError:
                continue
            return port
    raise AssertionError(f"no port is free on {addresses}")


# --- The configuration --------------------------------------------------------------------------------


def config_text(changes: Sections | None = None) -> str:
    """Write a configuration: the tests' usual one, changed section by section.

    A section that is a list is written as `[[section]]` for each.
    """
    sections: dict[str, Any] = {
        "": {"hostname": HOSTNAME, "data": "data"},
        "listener": [{"bind": ["127.0.0.1:0"]}],
        "relay": {"allow": ["127.0.0.0/8"]},
        "domain": [{"name": HERE, "mailboxes": ["sender", "info", "sales"]}],
        # Port 1 is nobody's: a test that needs names brings a name server.
        "dns": {"servers": ["127.0.0.1:1"]},
        "delivery": {"allow_private": ["127.0.0.0/8"]},
        "limits": {"reserve_octets": 0},
        "log": {"format": "json"},
    }
    for name, values in (changes or {}).items():
        known = sections.get(name)
        sections[name] = {**known, **values} if isinstance(known, dict) else values
    lines: list[str] = []
    for name, values in sections.items():
        for block in values if isinstance(values, list) else [values]:
            if name:
                lines.append(f"[[{name}]]" if isinstance(values, list) else f"[{name}]")
            lines += [f"{key} = {_toml(value)}" for key, value in block.items()]
    return "\n".join(lines) + "\n"


def _toml(value: Any) -> str:
    if isinstance(value, Mapping):
        return "{ " + ", ".join(f"{key} = {_toml(one)}" for key, one in value.items()) + " }"
    # What JSON and TOML have in common is enough.
    return json.dumps(value)


def route(domain: str, *endpoints: tuple[str, int]) -> dict[str, Any]:
    """Write a static route."""
    return {"domain": domain, "hosts": [f"{address}:{port}" for address, port in endpoints]}


# --- The server ---------------------------------------------------------------------------------------


class RunningServer:
    """A ByReturn process; a context manager."""

    def __init__(self, folder: Path, config: str, *, expects_faults: bool = False) -> None:
        self.folder = folder
        self.data = folder / "data"
        self.config_path = folder / "byreturn.toml"
        self.journal_path = folder / "journal"
        self.config_path.write_text(config, "utf-8")
        self.expects_faults = expects_faults
        self.address = "127.0.0.1"
        self.port = 0
        self.process: subprocess.Popen[bytes] | None = None
        self._read_to = 0
        self._journal: list[Entry] = []
        self._noise: list[str] = []

    # --- Start and end --------------------------------------------------------------------------------

    def __enter__(self) -> RunningServer:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.kill()
        if kind is None and not self.expects_faults:
            self.check_quiet()

    def start(self) -> None:
        """Start, and wait until it listens."""
        assert self.process is None, "it runs already"
        starts = len(self.facts("listening"))
        self.process = self.spawn()
        if not until(lambda: self._has_started(starts), _START_SECONDS):
            self.kill()
        if self.process is None or self.process.poll() is not None:
            status = None if self.process is None else self.process.returncode
            self.process = None
            raise ServerFault(f"no start (exit status {status}):\n{self._tail()}")
        where = self.facts("listening")[-1]["on"]
        self.address, _, port = where.rpartition(":")
        self.port = int(port)

    def spawn(self) -> subprocess.Popen[bytes]:
        """Start another process on the same configuration, and do not wait for it."""
        with self.journal_path.open("ab") as journal:
            return subprocess.Popen(
                [sys.executable, "-m", "byreturn", "serve", "--config", str(self.config_path)],
                stdin=subprocess.DEVNULL,
                stdout=journal,
                stderr=journal,
                cwd=self.folder,
            )

    def _has_started(self, starts: int) -> bool:
        assert self.process is not None
        return len(self.facts("listening")) > starts or self.process.poll() is not None

    def stop(self, timeout: float = _STOP_SECONDS) -> int:
        """Ask it to stop (SIGTERM); return its exit status."""
        assert self.process is not None
        self.process.send_signal(signal.SIGTERM)
        return self.wait(timeout)

    def wait(self, timeout: float = _STOP_SECONDS) -> int:
        """Wait for its end; return its exit status."""
        assert self.process is not None
        try:
            status = self.process.wait(timeout)
        except subprocess.TimeoutExpired:
            self.kill()
            raise ServerFault(f"no end within {timeout:g} s:\n{self._tail()}") from None
        self.process = None
        return status

    def kill(self) -> None:
        """End it in the middle of whatever it does (SIGKILL)."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None

    def restart(self) -> None:
        """Kill it and start it again; the port is another one."""
        self.kill()
        self.start()

    # --- What it tells --------------------------------------------------------------------------------

    def journal(self) -> list[Entry]:
        """Return the journal, entry by entry, over all its starts."""
        self._read_journal()
        return list(self._journal)

    def facts(self, *facts: str) -> list[Entry]:
        """Return the entries on some facts."""
        self._read_journal()
        return [entry for entry in self._journal if entry["fact"] in facts]

    def noise(self) -> list[str]:
        """Return what was written to standard error and is no journal."""
        self._read_journal()
        return list(self._noise)

    def _read_journal(self) -> None:
        if not self.journal_path.exists():
            return
        with self.journal_path.open("rb") as file:
            file.seek(self._read_to)
            data = file.read()
        whole = data[: data.rfind(b"\n") + 1]
        self._read_to += len(whole)
        for line in whole.splitlines():
            try:
                entry = json.loads(line)
                self._journal.append(entry if isinstance(entry, dict) and "fact" in entry else 1 / 0)
            except (ValueError, ZeroDivisionError):
                self._noise.append(line.decode("utf-8", "replace"))

    def check_quiet(self) -> None:
        """Raise if something went wrong that no test asked for."""
        wrong = [*self.noise(), *map(str, self.facts("fault", "too late"))]
        if wrong:
            raise ServerFault("\n".join(wrong[:60]))

    def _tail(self) -> str:
        if not self.journal_path.exists():
            return "(nothing written)"
        return self.journal_path.read_bytes()[-6000:].decode("utf-8", "replace")

    # --- Mail -----------------------------------------------------------------------------------------

    def client(self, timeout: float = 20.0) -> smtplib.SMTP:
        """Connect, as a mail program does."""
        return smtplib.SMTP(self.address, self.port, "client.example", timeout)

    def send(self, sender: str, recipients: Sequence[str], content: bytes = MESSAGE) -> float:
        """Send a message to all; return when the 250 to its end was read (time.perf_counter)."""
        client = self.client()
        try:
            refused = client.sendmail(sender, list(recipients), content)
            accepted_at = time.perf_counter()
            assert not refused, f"refused in the session: {refused}"
        finally:
            # QUIT's answer comes after what is measured; whoever waits for it waits for nothing else.
            with contextlib.suppress(smtplib.SMTPException, OSError):
                client.close()
        return accepted_at

    def mailbox(self, name: str) -> list[bytes]:
        """Return the messages in a mailbox (`info`, or `info@other.example`), the oldest first."""
        local, _, domain = name.partition("@")
        folder = self.data / "mail" / (domain or HERE) / local
        found: list[tuple[str, bytes]] = []
        for part in ("new", "cur"):
            with contextlib.suppress(FileNotFoundError):
                found += [(path.name, path.read_bytes()) for path in (folder / part).iterdir()]
        return [content for _, content in sorted(found)]

    def wait_for_mail(self, name: str, count: int = 1, timeout: float = 10.0) -> list[bytes]:
        """Wait until a mailbox holds so many messages; fail if they do not come."""
        got = until(lambda: len(found := self.mailbox(name)) >= count and found, timeout)
        if not got:
            raise AssertionError(f"{len(self.mailbox(name))} of {count} messages for {name}:\n{self._tail()}")
        return got

    # --- The spool, read-only -------------------------------------------------------------------------

    def rows(self, sql: str, *values: Any) -> list[tuple[Any, ...]]:
        """Read from the database; the server is not disturbed."""
        path = self.data / "spool.sqlite3"
        with contextlib.closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=5)) as database:
            return database.execute(sql, values).fetchall()

    def state_of(self, address: str) -> str:
        """Say in which state a recipient is; of several the newest."""
        rows = self.rows(
            "SELECT state FROM recipient WHERE address = ? ORDER BY message_id DESC LIMIT 1", address
        )
        return STATES[rows[0][0]] if rows else "unknown"

    def attempts_of(self, address: str) -> list[str]:
        """Say what each attempt for a recipient found."""
        return [
            row[0]
            for row in self.rows(
                "SELECT a.event FROM attempt AS a JOIN recipient AS r USING (message_id, ordinal)"
                " WHERE r.address = ? ORDER BY a.message_id, a.number",
                address,
            )
        ]


# --- Reports ------------------------------------------------------------------------------------------


class Report:
    """A report, read as a mail program reads it."""

    def __init__(self, content: bytes) -> None:
        self.content = content
        self.message = BytesParser().parsebytes(content)
        assert self.message.get_content_type() == "multipart/report", content[:500]
        people, self.status, *self.original = self.message.get_payload()
        self.text = next(part for part in people.walk() if part.get_content_type() == "text/plain")
        self.blocks: list[Message] = self.status.get_payload()

    @property
    def recipients(self) -> dict[str, Message]:
        """The fields on each recipient, by its address."""
        return {block["Final-Recipient"].partition(";")[2].strip(): block for block in self.blocks[1:]}

    def actions(self) -> dict[str, str]:
        """What happened to each recipient."""
        return {address: block["Action"] for address, block in self.recipients.items()}

    def field(self, address: str, name: str) -> str:
        """Return a field on a recipient, unfolded."""
        return " ".join((self.recipients[address][name] or "").split())

    @property
    def words(self) -> str:
        """The part for people."""
        return self.text.get_payload(decode=True).decode(self.text.get_content_charset("ascii"))


def reports_in(contents: Iterable[bytes]) -> list[Report]:
    """Read the reports among messages."""
    return [Report(content) for content in contents if b"multipart/report" in content]


# --- A client that keeps to nothing ---------------------------------------------------------------------


class RawClient:
    """A socket with a line reader: says what it is told, in as many writes as it is told."""

    def __init__(self, server: RunningServer, timeout: float = 20.0) -> None:
        self.socket = socket.create_connection((server.address, server.port), timeout)
        self._buffer = b""

    def __enter__(self) -> RawClient:
        return self

    def __exit__(self, *_: object) -> None:
        self.socket.close()

    def send(self, octets: bytes) -> None:
        """Send."""
        self.socket.sendall(octets)

    def line(self) -> str:
        """Read a line; empty when the server has closed."""
        while b"\n" not in self._buffer:
            try:
                data = self.socket.recv(65536)
            except ConnectionError:
                data = b""
            if not data:
                rest, self._buffer = self._buffer, b""
                return rest.decode("ascii", "replace")
            self._buffer += data
        line, _, self._buffer = self._buffer.partition(b"\n")
        return line.rstrip(b"\r").decode("ascii", "replace")

    def reply(self) -> str:
        """Read a reply; return its last line."""
        line = self.line()
        while line[3:4] == "-":
            line = self.line()
        return line

    def say(self, command: str) -> str:
        """Send a command and read its reply."""
        self.send(command.encode() + b"\r\n")
        return self.reply()

    def begin(self, sender: str, *recipients: str) -> str:
        """Come as far as the 354."""
        assert self.reply().startswith("220")
        assert self.say("EHLO client.example").startswith("250")
        assert self.say(f"MAIL FROM:<{sender}>").startswith("250")
        for recipient in recipients:
            assert self.say(f"RCPT TO:<{recipient}>").startswith("250")
        return self.say("DATA")

    def is_closed(self, timeout: float = 10.0) -> bool:
        """Whether the server closes within a time; what it says until then is read."""
        ends_at = time.perf_counter() + timeout
        while (left := ends_at - time.perf_counter()) > 0:
            if not select.select((self.socket,), (), (), left)[0]:
                return False
            try:
                data = self.socket.recv(65536)
            except ConnectionError:
                return True
            if not data:
                return True
            self._buffer += data
        return False


# --- A name server that fails on purpose ----------------------------------------------------------------


class FailingDns:
    """Stands before a real name server: passes questions on, but not those on some domains.

    Of a domain in `broken` everything is answered with SERVFAIL, of one in `silent` nothing. UDP alone, which
    is enough for the small answers of a test.
    """

    def __init__(
        self,
        upstream: tuple[str, int],
        *,
        broken: Iterable[str] = (),
        silent: Iterable[str] = (),
    ) -> None:
        self._upstream = upstream
        self.broken = frozenset(broken)
        self.silent = frozenset(silent)
        self.questions: list[str] = []
        self.address = "127.0.0.1"
        self.port = 0
        self._is_over = False
        self._thread = threading.Thread(target=self._run, name="failing-dns", daemon=True)

    def __enter__(self) -> FailingDns:
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind((self.address, 0))
        self._socket.settimeout(0.1)
        self.port = self._socket.getsockname()[1]
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._is_over = True
        self._thread.join(10)
        self._socket.close()

    def _run(self) -> None:
        while not self._is_over:
            with contextlib.suppress(TimeoutError, OSError, dns.exception.DNSException):
                wire, client = self._socket.recvfrom(4096)
                self._answer(wire, client)

    def _answer(self, wire: bytes, client: tuple[str, int]) -> None:
        query = dns.message.from_wire(wire)
        name = query.question[0].name.to_text(omit_final_dot=True).lower()
        self.questions.append(name)
        above = {name[at:] for at in range(len(name)) if at == 0 or name[at - 1] == "."}
        if above & self.silent:
            return
        if above & self.broken:
            answer = dns.message.make_response(query)
            answer.set_rcode(dns.rcode.SERVFAIL)
            self._socket.sendto(answer.to_wire(), client)
            return
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as onward:
            onward.settimeout(2)
            onward.sendto(wire, self._upstream)
            self._socket.sendto(onward.recv(65536), client)


def is_running(pid: int) -> bool:
    """Whether a process is there."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True
