"""Mail hosts that misbehave on demand: for the tests, and for showing what ByReturn does about them.

    MoodyPeer      an SMTP server that does what its mood says, and writes down all that was said
    BlackHole      a port where a connection is never answered: not taken, not refused
    RefusingPort   a port that nobody listens on, and that nobody else can get meanwhile

Nothing of ByReturn is used in here: what judges a program must not share its mistakes. A peer runs in a
thread of its own, so that a test or a demo may wait for it, and read `received` and `ledger` at any time.

    with MoodyPeer(mood=Mood(silent_after="rcpt")) as peer:
        ...
        assert peer.wait_for(lambda peer: peer.received, timeout=10)

Promises: a port stands when entered and is closed at exit; whatever a client sends ends its own connection at
worst. The mood is looked at anew before every reply, so that it can change in the middle of a session.
Fails: OSError from entering, when the address or the port cannot be had.
"""

from __future__ import annotations

import asyncio
import contextlib
import select
import socket
import ssl
import struct
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import TracebackType
from typing import Final, Literal, TypeAlias

Phase: TypeAlias = Literal["connect", "greeting", "ehlo", "starttls", "mail", "rcpt", "data", "dot"]
Endpoint: TypeAlias = tuple[str, int]

SILENT: Final = "silent"
CLOSE: Final = "close"
RESET: Final = "reset"

_ORDER: Final[Mapping[str, int]] = {
    phase: number
    for number, phase in enumerate(("connect", "greeting", "ehlo", "starttls", "mail", "rcpt", "data", "dot"))
}
_LEDGER_LIMIT: Final = 500_000
_LINE_LIMIT: Final = 64 * 1024
_END: Final = b"\r\n.\r\n"
_PATIENCE: Final = 10.0
_EARLY_PAUSE: Final = 0.3
# A fatal alert in the form of TLS 1.2: handshake failure.
_HANDSHAKE_FAILURE: Final = bytes((21, 3, 3, 0, 2, 2, 40))


@dataclass(frozen=True, slots=True, kw_only=True)
class Mood:
    """How a peer behaves, phase by phase; the default is a friendly server.

    Wherever a reply is written, these words stand for what is no reply: "silent" says nothing more on this
    connection, "close" hangs up, "reset" hangs up rudely (RST). A reply that begins with 421 is followed by
    hanging up. Replies may have several lines, with CRLF between them; octets that are no UTF-8 are written
    with the error handler `surrogateescape`.
    """

    # "220", "421", "554", "silent", "close", or a text of one's own.
    greeting: str = "220"
    # Answers up to this phase and nothing after it. "connect": not even a greeting; "data": 354, then
    # nothing is read any more; "dot": the whole message is taken, and the reply never comes.
    silent_after: Phase | None = None
    # Hangs up right after the reply of this phase; "connect": before the greeting.
    close_after: Phase | None = None
    # Local part -> reply. Without an entry: unknown* is 550, full* is 452, greylist* is 451 the first time.
    recipients: Mapping[str, str] = field(default_factory=dict)
    # 452 4.5.3 after so many recipients in one transaction.
    too_many_after: int | None = None
    # "ehlo", "helo", "starttls", "mail", "rcpt", "data", "dot", "rset" -> reply.
    answers: Mapping[str, str] = field(default_factory=dict)
    # Phase -> what is said unasked, in the same write as that phase's reply.
    extra_replies: Mapping[str, str] = field(default_factory=dict)
    # What EHLO offers. `size` None: SIZE is not offered.
    pipelining: bool = True
    eight_bit: bool = True
    dsn: bool = True
    # "": no STARTTLS. "works": with the peer's certificate. "fails": 220, and an alert as the handshake.
    # The reply itself is one of `answers`.
    tls: Literal["", "works", "fails"] = ""
    size: int | None = 50 * 1024 * 1024
    # Takes the message, and closes without a reply, or with a reply that ends in the middle of a line.
    drop_reply_after_dot: bool = False
    half_reply: str = ""
    # Said in the middle of the content, when `early_after` octets of it have come; "silent" stops reading.
    early_reply: str = ""
    early_after: int = 1
    # Seconds between two octets of a reply: 0 sends a reply in one write.
    slow: float = 0.0
    # Phase -> seconds before its reply.
    delays: Mapping[str, float] = field(default_factory=dict)


FRIENDLY: Final = Mood()


@dataclass(frozen=True, slots=True)
class Received:
    """A message that was taken. `acknowledged`: we said so, too.

    `parameters` are those of MAIL, `recipient_parameters` those of each RCPT, as they came.
    """

    reverse_path: str
    recipients: tuple[str, ...]
    content: bytes
    hello: str
    parameters: tuple[str, ...] = ()
    recipient_parameters: tuple[tuple[str, ...], ...] = ()
    acknowledged: bool = True
    # Version of TLS; empty in clear text.
    tls: str = ""
    connection: int = 0
    at: float = 0.0


@dataclass(frozen=True, slots=True)
class Said:
    """A line of the ledger: C, the client; S, the peer; -, what happened. `at` is of time.perf_counter()."""

    at: float
    connection: int
    who: Literal["C", "S", "-"]
    text: str

    def __str__(self) -> str:
        return f"{self.at:.3f} #{self.connection} {self.who}: {self.text}"


class _Silence(Exception):
    """Say nothing more."""


class _HangUp(Exception):
    """Close; `rude`: with a reset."""

    def __init__(self, *, rude: bool = False) -> None:
        super().__init__()
        self.rude = rude


class _Gone(Exception):
    """The client hung up."""


@dataclass(slots=True)
class _Transaction:
    """What MAIL began."""

    reverse_path: str
    parameters: tuple[str, ...]
    recipients: list[str] = field(default_factory=list)
    recipient_parameters: list[tuple[str, ...]] = field(default_factory=list)


class _Wire:
    """A client's connection: lines and contents in, octets out."""

    def __init__(self, number: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.number = number
        self.hello = ""
        self.tls = ""
        self.progress = 0
        self.transaction: _Transaction | None = None
        self._reader = reader
        self._writer = writer
        self._buffer = bytearray()
        self._output = bytearray()

    async def more(self) -> None:
        """Wait for octets."""
        await self.flush()
        data = await self._reader.read(256 * 1024)
        if not data:
            raise _Gone
        self._buffer += data

    async def line(self) -> str:
        """Take a line."""
        while (end := self._buffer.find(b"\n")) < 0:
            if len(self._buffer) > _LINE_LIMIT:
                raise _HangUp
            await self.more()
        line = bytes(self._buffer[:end]).removesuffix(b"\r")
        del self._buffer[: end + 1]
        return line.decode("utf-8", "surrogateescape")

    async def content(self, early: Callable[[int], str]) -> bytes:
        """Take a content to its end, and its dots away; `early` says what to say in the middle of it."""
        buffer = self._buffer
        looked = 0
        while True:
            if buffer.startswith(b".\r\n"):
                del buffer[:3]
                return b""
            # Only what is new is looked through, and what the end may have begun in.
            end = buffer.find(_END, max(0, looked - len(_END)))
            said = early(len(buffer))
            if said in (CLOSE, RESET):
                raise _HangUp(rude=said == RESET)
            if said == SILENT:
                raise _Silence
            if said:
                await self.send(_octets(said), 0)
                # Nothing is read meanwhile, so that a large content is still on its way when this is heard.
                await self.wait(_EARLY_PAUSE)
                while True:
                    buffer.clear()
                    await self.more()
            if end >= 0:
                content = bytes(buffer[: end + 2])
                del buffer[: end + len(_END)]
                return content[1 if content.startswith(b".") else 0 :].replace(b"\r\n.", b"\r\n")
            looked = len(buffer)
            await self.more()

    async def send(self, octets: bytes, slow: float) -> None:
        """Write: octet by octet, or at once, when all commands that were sent together are answered."""
        if not slow:
            # RFC 2920 section 3.2: the replies to a group of commands go out together.
            self._output += octets
            return
        await self.flush()
        for at in range(len(octets)):
            self._writer.write(octets[at : at + 1])
            await self._writer.drain()
            await asyncio.sleep(slow)  # noqa: TID251 - a real peer on a real socket

    async def wait(self, seconds: float) -> None:
        """Let the client wait for the next reply; what was said before it has by then."""
        await self.flush()
        await asyncio.sleep(seconds)  # noqa: TID251 - a real peer on a real socket

    async def flush(self) -> None:
        """Let the client hear what was said."""
        if self._output:
            self._writer.write(bytes(self._output))
            self._output.clear()
            await self._writer.drain()

    async def start_tls(self, context: ssl.SSLContext) -> None:
        """Do the server's side of a handshake; what was sent too early is lost."""
        await self.flush()
        self._buffer.clear()
        await self._writer.start_tls(context)
        self.tls = self._writer.get_extra_info("ssl_object").version()

    async def stare(self) -> None:
        """Read into nothing until the client has had enough."""
        while await self._reader.read(64 * 1024):
            pass

    def close(self, *, rude: bool) -> None:
        """Hang up."""
        if rude:
            sock: socket.socket = self._writer.get_extra_info("socket")
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self._writer.transport.abort()
        else:
            self._writer.close()


class MoodyPeer:
    """An SMTP server that does what its mood says; a context manager.

    `tls` has the certificate for a mood in which TLS works.
    """

    def __init__(
        self,
        address: str = "127.0.0.1",
        port: int = 0,
        mood: Mood = FRIENDLY,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self.mood = mood
        self._tls = tls
        self.endpoint: Endpoint = (address, port)
        self.hostname = "peer.example"
        self._changed = threading.Condition()
        self._received: list[Received] = []
        self._ledger: deque[Said] = deque(maxlen=_LEDGER_LIMIT)
        self._greylisted: set[tuple[str, str]] = set()
        self._connections = 0
        self._open: dict[asyncio.Task[None], asyncio.StreamWriter] = {}
        self._thread: threading.Thread | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stop: asyncio.Event | None = None
        self._is_ready = threading.Event()

    def __enter__(self) -> MoodyPeer:
        # The protocol is named because asyncio turns off Nagle's algorithm only where it is; two replies in
        # two writes would otherwise be 40 ms apart, and a program would be blamed for it.
        listener = socket.socket(_family(self.endpoint[0]), socket.SOCK_STREAM, socket.IPPROTO_TCP)
        try:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind(self.endpoint)
            listener.listen(1024)
        except OSError:
            listener.close()
            raise
        self.endpoint = listener.getsockname()[:2]
        self._thread = threading.Thread(
            target=lambda: asyncio.run(self._serve(listener)), name="moody-peer", daemon=True
        )
        self._thread.start()
        self._is_ready.wait(_PATIENCE)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._loop is not None
        assert self._stop is not None
        assert self._thread is not None
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(_PATIENCE)

    # --- What happened --------------------------------------------------------------------------------

    @property
    def received(self) -> list[Received]:
        """The messages that were taken, in their order."""
        with self._changed:
            return list(self._received)

    @property
    def ledger(self) -> list[Said]:
        """Everything that was said, in its order; of contents only the size."""
        with self._changed:
            return list(self._ledger)

    @property
    def connections(self) -> int:
        """How many connections there were."""
        with self._changed:
            return self._connections

    def said(self, who: Literal["C", "S", "-"], start: str) -> list[Said]:
        """Return the lines of the ledger that begin so; upper and lower case are the same."""
        start = start.upper()
        return [one for one in self.ledger if one.who == who and one.text.upper().startswith(start)]

    def wait_for(self, predicate: Callable[[MoodyPeer], object], timeout: float = _PATIENCE) -> bool:
        """Wait until something is so, or time is up; return whether it is so."""
        until = time.perf_counter() + timeout
        while True:
            with self._changed:
                seen = self._mark()
            # Asked without the lock, because it may ask everything of us.
            if predicate(self):
                return True
            with self._changed:
                left = until - time.perf_counter()
                if left <= 0:
                    return False
                if self._mark() == seen:
                    self._changed.wait(min(left, 0.25))

    def _mark(self) -> tuple[int, object]:
        return len(self._received), self._ledger[-1] if self._ledger else None

    def _note(self, connection: int, who: Literal["C", "S", "-"], text: str) -> None:
        with self._changed:
            self._ledger.append(Said(time.perf_counter(), connection, who, text))
            self._changed.notify_all()

    # --- The server -----------------------------------------------------------------------------------

    async def _serve(self, listener: socket.socket) -> None:
        self._loop = asyncio.get_running_loop()
        self._stop = asyncio.Event()
        server = await asyncio.start_server(self._welcome, sock=listener, backlog=1024)
        self._is_ready.set()
        await self._stop.wait()
        server.close()
        for task, writer in tuple(self._open.items()):
            writer.transport.abort()
            task.cancel()
        await asyncio.gather(*self._open, return_exceptions=True)
        await server.wait_closed()

    async def _welcome(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._open[task] = writer
        with self._changed:
            self._connections += 1
            number = self._connections
        wire = _Wire(number, reader, writer)
        self._note(number, "-", "connected")
        # Stopping cancels; then there is nothing more to say, and asyncio would complain of the task.
        with contextlib.suppress(asyncio.CancelledError):
            await self._attend(wire)
        self._note(number, "-", "over")
        del self._open[task]

    async def _attend(self, wire: _Wire) -> None:
        rude = False
        try:
            try:
                await self._session(wire)
            finally:
                await wire.flush()
        except _Silence:
            self._note(wire.number, "-", "silent")
            if wire.progress == _ORDER["data"]:
                # A host that hangs takes no more than what the kernel takes for it.
                await asyncio.Event().wait()
            with contextlib.suppress(OSError):
                await wire.stare()
        except _HangUp as end:
            rude = end.rude
        except (_Gone, OSError):
            self._note(wire.number, "-", "the client hung up")
        wire.close(rude=rude)

    async def _session(self, wire: _Wire) -> None:
        await self._greet(wire)
        while True:
            line = await wire.line()
            self._note(wire.number, "C", line)
            verb, _, rest = line.partition(" ")
            match verb.upper():
                case "EHLO" | "HELO":
                    await self._hello(wire, verb.lower(), rest)
                case "STARTTLS" if self.mood.tls:
                    await self._starttls(wire)
                case "MAIL":
                    await self._mail(wire, rest)
                case "RCPT":
                    await self._rcpt(wire, rest)
                case "DATA":
                    await self._data(wire)
                case "QUIT":
                    self._be_silent_from(wire.progress, wire)
                    await self._say(wire, "221 2.0.0 Bye")
                    raise _HangUp
                case "RSET" | "NOOP":
                    self._be_silent_from(wire.progress, wire)
                    if verb.upper() == "RSET":
                        wire.transaction = None
                    await self._say(wire, self.mood.answers.get(verb.lower(), "250 2.0.0 OK"))
                case _:
                    await self._say(wire, "500 5.5.1 Command unknown")

    # --- Phases ---------------------------------------------------------------------------------------

    async def _greet(self, wire: _Wire) -> None:
        mood = self.mood
        if mood.close_after == "connect":
            raise _HangUp
        texts = {
            "220": f"220 {self.hostname} ESMTP",
            "421": f"421 4.3.2 {self.hostname} Service not available",
            "554": f"554 5.3.2 {self.hostname} No mail service here",
        }
        await self._reply(wire, "greeting", texts.get(mood.greeting, mood.greeting))

    async def _hello(self, wire: _Wire, verb: str, name: str) -> None:
        mood = self.mood
        wire.hello, wire.transaction = name.strip(), None
        lines = [f"{self.hostname} greets you"]
        if verb == "ehlo":
            lines += ["PIPELINING"] * mood.pipelining
            lines += [] if mood.size is None else [f"SIZE {mood.size}"]
            lines += ["8BITMIME"] * mood.eight_bit + ["DSN"] * mood.dsn + ["ENHANCEDSTATUSCODES"]
            lines += ["STARTTLS"] * (bool(mood.tls) and not wire.tls)
        text = "".join(f"250-{line}\r\n" for line in lines[:-1]) + f"250 {lines[-1]}"
        await self._reply(wire, "ehlo", mood.answers.get(verb, text))

    async def _starttls(self, wire: _Wire) -> None:
        mood = self.mood
        text = mood.answers.get("starttls", "220 2.0.0 Ready to start TLS")
        await self._reply(wire, "starttls", text)
        if not text.startswith("220"):
            return
        if mood.silent_after == "starttls":
            raise _Silence
        if mood.tls == "fails":
            # Not before the client has begun: it would be an answer too many.
            await wire.more()
            await wire.send(_HANDSHAKE_FAILURE, 0)
            raise _HangUp
        assert self._tls is not None, "TLS without a certificate"
        try:
            await wire.start_tls(self._tls)
        except (OSError, EOFError) as error:
            self._note(wire.number, "-", f"no handshake: {error}")
            raise _HangUp from None
        self._note(wire.number, "-", f"secured: {wire.tls}")

    async def _mail(self, wire: _Wire, rest: str) -> None:
        path, parameters = _path(rest)
        text = self.mood.answers.get("mail", "250 2.1.0 OK")
        if text.startswith("2"):
            wire.transaction = _Transaction(path, parameters)
        await self._reply(wire, "mail", text)

    async def _rcpt(self, wire: _Wire, rest: str) -> None:
        address, parameters = _path(rest)
        transaction = wire.transaction
        if transaction is None:
            text = "503 5.5.1 MAIL first"
        else:
            text = self._answer_to(transaction, address)
            if text.startswith("2"):
                transaction.recipients.append(address)
                transaction.recipient_parameters.append(parameters)
        await self._reply(wire, "rcpt", text)

    def _answer_to(self, transaction: _Transaction, address: str) -> str:
        mood = self.mood
        local = address.partition("@")[0]
        if mood.too_many_after is not None and len(transaction.recipients) >= mood.too_many_after:
            return "452 4.5.3 Too many recipients"
        for table, key in ((mood.recipients, local), (mood.answers, "rcpt")):
            if key in table:
                return table[key]
        if local.startswith("unknown"):
            return "550 5.1.1 User unknown"
        if local.startswith("full"):
            return "452 4.2.2 Mailbox full"
        pair = (transaction.reverse_path, address)
        if local.startswith("greylist") and pair not in self._greylisted:
            self._greylisted.add(pair)
            return "451 4.7.1 Greylisted, please try again later"
        return "250 2.1.5 OK"

    async def _data(self, wire: _Wire) -> None:
        mood, transaction = self.mood, wire.transaction
        has_recipients = transaction is not None and bool(transaction.recipients)
        text = "354 Go ahead" if has_recipients else "554 5.5.1 No valid recipients"
        text = mood.answers.get("data", text)
        await self._reply(wire, "data", text)
        if not text.startswith("3"):
            return
        if mood.silent_after == "data":
            raise _Silence
        content = await wire.content(self._early_reply)
        self._note(wire.number, "C", f"({len(content)} octets of content)")
        await self._end_content(wire, content)

    def _early_reply(self, octets: int) -> str:
        mood = self.mood
        return mood.early_reply if octets >= mood.early_after else ""

    async def _end_content(self, wire: _Wire, content: bytes) -> None:
        mood = self.mood
        transaction, wire.transaction = wire.transaction, None
        if transaction is None or not transaction.recipients:
            await self._reply(wire, "dot", "554 5.5.1 No valid recipients")
            return
        text = mood.answers.get("dot", "250 2.0.0 Taken")
        is_silent = mood.silent_after == "dot" or text in (SILENT, CLOSE, RESET) or mood.drop_reply_after_dot
        if not is_silent and not text.startswith("2"):
            await self._reply(wire, "dot", text)
            return
        if (delay := mood.delays.get("dot", 0)) > 0:
            await wire.wait(delay)
        taken = Received(
            reverse_path=transaction.reverse_path,
            recipients=tuple(transaction.recipients),
            content=content,
            hello=wire.hello,
            parameters=transaction.parameters,
            recipient_parameters=tuple(transaction.recipient_parameters),
            acknowledged=not is_silent,
            tls=wire.tls,
            connection=wire.number,
            at=time.perf_counter(),
        )
        # First written down, then said: what a client was told is always in here.
        with self._changed:
            self._received.append(taken)
            self._changed.notify_all()
        if mood.drop_reply_after_dot:
            await wire.send(mood.half_reply.encode(), 0)
            raise _HangUp
        if mood.silent_after == "dot":
            raise _Silence
        await self._reply(wire, "dot", text, is_delayed=True)

    # --- Replies --------------------------------------------------------------------------------------

    def _be_silent_from(self, progress: int, wire: _Wire) -> None:
        """Fall silent, if the mood is so and the session has come so far."""
        after = self.mood.silent_after
        if after is not None and progress >= _ORDER[after]:
            wire.progress = min(wire.progress, _ORDER["rcpt"])
            raise _Silence

    async def _reply(self, wire: _Wire, phase: Phase, text: str, *, is_delayed: bool = False) -> None:
        mood = self.mood
        if not is_delayed and (delay := mood.delays.get(phase, 0)) > 0:
            await wire.wait(delay)
        self._be_silent_from(_ORDER[phase] - 1, wire)
        wire.progress = _ORDER[phase]
        await self._say(wire, text, mood.extra_replies.get(phase, ""))
        if mood.close_after == phase:
            raise _HangUp

    async def _say(self, wire: _Wire, text: str, extra: str = "") -> None:
        match text:
            case "silent":
                # Not in the middle of a content: whoever is silent here still reads.
                wire.progress = min(wire.progress, _ORDER["rcpt"])
                raise _Silence
            case "close":
                raise _HangUp
            case "reset":
                raise _HangUp(rude=True)
        self._note(wire.number, "S", text)
        octets = _octets(text)
        if extra:
            self._note(wire.number, "S", extra)
            octets += _octets(extra)
        await wire.send(octets, self.mood.slow)
        if text.startswith("421"):
            raise _HangUp


def _octets(text: str) -> bytes:
    octets = text.encode("utf-8", "surrogateescape")
    return octets if octets.endswith(b"\n") else octets + b"\r\n"


def _path(rest: str) -> tuple[str, tuple[str, ...]]:
    """Take `FROM:<a@b> X=1 Y` apart."""
    begin, end = rest.find("<"), rest.find(">")
    if begin < 0 or end < begin:
        return rest.partition(":")[2].strip(), ()
    return rest[begin + 1 : end], tuple(rest[end + 1 :].split())


def _family(address: str) -> socket.AddressFamily:
    return socket.AF_INET6 if ":" in address else socket.AF_INET


class BlackHole:
    """A port where dialling hangs: its queue of connections is full, and nobody ever takes one out of it.

    Linux drops the SYN of whoever comes to a full queue, as a firewall without manners does. So the peer is
    neither there nor not there, and only a time limit ends the wait.
    """

    def __init__(self, address: str = "127.0.0.1", port: int = 0) -> None:
        self.endpoint: Endpoint = (address, port)
        self._sockets: list[socket.socket] = []

    def __enter__(self) -> BlackHole:
        listener = self._socket()
        try:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind(self.endpoint)
            listener.listen(0)
            self.endpoint = listener.getsockname()[:2]
            for _ in range(8):
                if not self._fill():
                    return self
        except OSError:
            self.__exit__(None, None, None)
            raise
        self.__exit__(None, None, None)
        raise OSError("the queue of this system's listening sockets does not become full")

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        for one in self._sockets:
            one.close()
        self._sockets.clear()

    def _socket(self) -> socket.socket:
        one = socket.socket(_family(self.endpoint[0]), socket.SOCK_STREAM)
        self._sockets.append(one)
        return one

    def _fill(self) -> bool:
        """Connect once more; return whether there was room."""
        one = self._socket()
        one.setblocking(False)  # noqa: FBT003 - the standard library's own signature
        one.connect_ex(self.endpoint)
        return bool(select.select((), (one,), (), 0.2)[1])


class RefusingPort:
    """A port that refuses connections: bound, so that nobody else gets it, and not listened on."""

    def __init__(self, address: str = "127.0.0.1", port: int = 0) -> None:
        self.endpoint: Endpoint = (address, port)
        self._socket: socket.socket | None = None

    def __enter__(self) -> RefusingPort:
        self._socket = socket.socket(_family(self.endpoint[0]), socket.SOCK_STREAM)
        try:
            self._socket.bind(self.endpoint)
        except OSError:
            self._socket.close()
            raise
        self.endpoint = self._socket.getsockname()[:2]
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._socket is not None
        self._socket.close()
