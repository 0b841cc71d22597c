r"""Plays a transcript against a connection: a session without IO, or a socket.

A transcript is a file that a postmaster can read; README.md says how. The player knows only the words: what
goes to the other side, what must come back. Who is on the other side is a `Line`:

    transcript --play(line, cutting)--> Line --send/receive--> ServerSession | ClientSession | a socket

Where the transcript says something to *our* host (`H:`) or asks what it saw (`K:`, `E:`), the line must know
the host; a line that does not, a socket for instance, leaves those marks out.

Fails: AssertionError with the file, the line and what was said before.
"""

from __future__ import annotations

import re
import socket
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import NamedTuple, Protocol

from byreturn.mail import (
    Destination,
    Mailbox,
    Notify,
    Recipient,
    Reply,
    Ret,
    ReversePath,
    enhanced_from_text,
    reply,
    reverse_path_from_text,
)
from byreturn.protocol import (
    Broken,
    ClientEvent,
    ClientPhase,
    ClientSession,
    Closing,
    Content,
    ContentAnswered,
    Data,
    EndOfContent,
    HangingUp,
    Hello,
    Mail,
    NoTls,
    Question,
    Rcpt,
    Ready,
    RecipientAnswered,
    Reset,
    SendContent,
    ServerSession,
    SessionLimits,
    StartTls,
    Transaction,
    TransactionOver,
    TransactionRefused,
    Unwelcome,
)

FOLDER = Path(__file__).parent
PATIENCE = 10.0  # seconds for a reply that must come
QUIET = 0.02  # seconds in which nothing may come

# --- Reading ------------------------------------------------------------------------------------------


class Mark(NamedTuple):
    """One line of a transcript."""

    number: int
    mark: str
    text: str


class Transcript(NamedTuple):
    """A file of marks."""

    name: str
    marks: tuple[Mark, ...]

    @property
    def is_plain(self) -> bool:
        """Whether any server with the fixed host and the usual limits can play it, over a socket too."""
        return not any(mark.mark in {"L:", "H:"} for mark in self.marks)


_MARK = re.compile(r"([CSKHEL][:!|#+?-]) ?(.*)")
_REPEAT = re.compile(r"\{([^{}]+)\*(\d+)\}")
_ESCAPE = re.compile(r"\\(?:x([0-9A-Fa-f]{2})|(.))")
_ESCAPED = {"r": "\r", "n": "\n", "0": "\0", "t": "\t", "\\": "\\"}


def transcripts(side: str) -> list[Transcript]:
    """Read the transcripts of a folder, `server` or `client`."""
    return [read(path) for path in sorted((FOLDER / side).glob("*.smtp"))]


def read(path: Path) -> Transcript:
    """Read one transcript."""
    marks = []
    for number, line in enumerate(path.read_text("utf-8").splitlines(), 1):
        if not line.strip() or line.startswith("#"):
            continue
        found = _MARK.fullmatch(line)
        assert found, f"{path.name}:{number}: not a line of a transcript: {line!r}"
        marks.append(Mark(number, found[1], found[2]))
    return Transcript(path.stem, tuple(marks))


def repeated(text: str) -> str:
    """Write out `{x*998}`."""
    return _REPEAT.sub(lambda found: found[1] * int(found[2]), text)


def raw(text: str) -> bytes:
    r"""Write out `\r`, `\n`, `\t`, `\0`, `\\` and `\xHH`; everything else is UTF-8."""
    octets, at = b"", 0
    text = repeated(text)
    for found in _ESCAPE.finditer(text):
        octets += text[at : found.start()].encode()
        octets += bytes([int(found[1], 16)]) if found[1] else _ESCAPED[found[2]].encode()
        at = found.end()
    return octets + text[at:].encode()


def sent_by(mark: Mark) -> bytes:
    """The octets of a `C:` or `S:` line as it is sent."""
    return raw(mark.text) if mark.mark[1] == "!" else repeated(mark.text).encode() + b"\r\n"


def says(pattern: str, text: str) -> bool:
    """Whether a text is what was expected: `~` at the end stands for anything."""
    pattern = repeated(pattern)
    return text.startswith(pattern[:-1]) if pattern.endswith("~") else text == pattern


def reply_from_text(text: str) -> Reply:
    """Read `550 5.1.1 No such mailbox`."""
    enhanced, words = enhanced_from_text(text[4:])
    return Reply(int(text[:3]), enhanced, (words,))


# --- Cutting ------------------------------------------------------------------------------------------


def whole(lines: Iterable[bytes]) -> Iterator[bytes]:
    """Send all that the transcript says in one go in one piece."""
    yield b"".join(lines)


def per_line(lines: Iterable[bytes]) -> Iterator[bytes]:
    """Send each line of the transcript in a piece of its own."""
    yield from lines


def octet_by_octet(lines: Iterable[bytes]) -> Iterator[bytes]:
    """Cut everywhere."""
    octets = b"".join(lines)
    yield from (octets[at : at + 1] for at in range(len(octets)))


def by_threes(lines: Iterable[bytes]) -> Iterator[bytes]:
    """Cut CRLF.CRLF in one place and then in another."""
    octets = b"".join(lines)
    yield from (octets[at : at + 3] for at in range(0, len(octets), 3))


def before_line_feeds(lines: Iterable[bytes]) -> Iterator[bytes]:
    """Cut between every CR and its LF."""
    yield from re.split(rb"(?=\n)", b"".join(lines))


def before_dots(lines: Iterable[bytes]) -> Iterator[bytes]:
    """Cut before every dot and after it."""
    yield from (piece for piece in re.split(rb"(?=\.)|(?<=\.)", b"".join(lines)) if piece)


CUTTINGS = (whole, per_line, octet_by_octet, by_threes, before_line_feeds, before_dots)
Cutting = Callable[[Iterable[bytes]], Iterator[bytes]]


# --- Lines --------------------------------------------------------------------------------------------


class Line(Protocol):
    """Who is on the other side."""

    def send(self, octets: bytes) -> None:
        """Say something; harmless when the other side has hung up."""
        ...

    def receive(self, patience: float) -> bytes | None:
        """What the other side says; b"" when it has hung up, None when it says nothing for so long."""
        ...


class SocketLine:
    """The other side of a socket."""

    def __init__(self, wire: socket.socket) -> None:
        self._wire = wire

    def send(self, octets: bytes) -> None:
        """Say something."""
        try:
            self._wire.settimeout(PATIENCE)
            self._wire.sendall(octets)
        except (BrokenPipeError, ConnectionResetError):
            pass  # What it said before it hung up can still be read.

    def receive(self, patience: float) -> bytes | None:
        """What the other side says."""
        self._wire.settimeout(patience)
        try:
            return self._wire.recv(65536)
        except TimeoutError:
            return None
        except ConnectionResetError:
            return b""


class Kept(NamedTuple):
    """A message that the fixed host has accepted."""

    reverse_path: ReversePath
    recipients: tuple[Mailbox, ...]
    content: bytes

    def __str__(self) -> str:
        return f"<{self.reverse_path}> to {','.join(f'<{mailbox}>' for mailbox in self.recipients)}"


class FixedHost:
    """The host of the server's transcripts: takes mail for *@here.example, except nobody@here.example."""

    def __init__(self) -> None:
        self.kept: deque[Kept] = deque()
        self.decisions: dict[str, deque[Reply]] = {}
        self._mail: Mail | None = None
        self._recipients: list[Mailbox] = []
        self._content: list[bytes] = []

    def hear(self, event: Question) -> Reply | None:
        """Answer a question; None where there is nothing to answer."""
        match event:
            case Hello(extended=extended):
                self._forget()
                return self._decided("EHLO" if extended else "HELO", reply(250, "", "OK"))
            case Mail():
                answer = self._decided("MAIL", reply(250, "2.1.0", "OK"))
                if answer.is_positive:
                    self._mail = event
                return answer
            case Rcpt(forward_path=forward_path):
                answer = self._decided("RCPT", self._whereabouts(forward_path))
                if answer.is_positive:
                    self._recipients.append(forward_path)
                return answer
            case Data():
                return self._decided("DATA", reply(354, "", "Go ahead"))
            case Content(octets=octets):
                self._content.append(octets)
            case EndOfContent(fault=None):
                answer = self._decided("END", reply(250, "2.0.0", "Kept"))
                if answer.is_positive:
                    assert self._mail is not None, "content without a sender"
                    self.kept.append(
                        Kept(self._mail.reverse_path, tuple(self._recipients), b"".join(self._content))
                    )
                self._forget()
                return answer
            case EndOfContent() | Reset() | Closing():
                self._forget()
        return None

    def _whereabouts(self, address: Mailbox) -> Reply:
        if address.destination not in ("", "here.example"):
            return reply(550, "5.7.1", "Relaying denied")
        if address.local == "nobody":
            return reply(550, "5.1.1", "No such mailbox here")
        return reply(250, "2.1.5", "OK")

    def _decided(self, what: str, otherwise: Reply) -> Reply:
        decided = self.decisions.get(what)
        return decided.popleft() if decided else otherwise

    def _forget(self) -> None:
        self._mail = None
        self._recipients = []
        self._content = []


class ServerLine:
    """A ServerSession without IO, driven as a host drives it: it hangs up when told to, and only then."""

    def __init__(self, limits: SessionLimits, *, normalizes: bool = False) -> None:
        self.host = FixedHost()
        self.session = ServerSession("mail.here.example", limits, normalizes=normalizes)
        self.events: list[Question] = []
        self._is_open = True
        self._output = b""
        self._has_greeted = False

    def _greet(self) -> None:
        self._has_greeted = True
        decided = self.host.decisions.get("greeting")
        greeting = decided.popleft() if decided else reply(220, "", "mail.here.example ESMTP")
        self.session.greet(greeting)
        self._output += self.session.take_output()
        self._is_open = greeting.is_positive

    def send(self, octets: bytes) -> None:
        """Take octets from the client, and answer what can be answered."""
        if not self._has_greeted:
            self._greet()
        if not self._is_open:
            return
        self.session.receive(octets)
        while self._is_open and (event := self.session.next_event()) is not None:
            self.events.append(event)
            answer = self.host.hear(event)
            if isinstance(event, Closing):
                self._is_open = False
            elif answer is not None:
                self.session.answer(answer)
        self._output += self.session.take_output()

    def receive(self, _patience: float) -> bytes | None:
        """What the session says."""
        if not self._has_greeted:
            self._greet()
        output, self._output = self._output, b""
        return output or (None if self._is_open else b"")

    def decide(self, words: str) -> None:
        """Set the host's answer to the next question of a kind: `MAIL 452 4.3.1 No room`."""
        what, _, answer = words.partition(" ")
        self.host.decisions.setdefault(what, deque()).append(reply_from_text(answer))

    def kept(self) -> Kept | None:
        """The next message that the host has accepted."""
        return self.host.kept.popleft() if self.host.kept else None


class ClientLine:
    """A ClientSession without IO, and a host that does what the transcript says."""

    def __init__(self, *, asks_tls: bool = False, needs_tls: bool = False) -> None:
        self.session = ClientSession("mail.here.example", asks_tls=asks_tls, needs_tls=needs_tls)
        self.events: deque[str] = deque()
        self._mail: dict[str, str] = {}
        self._reverse_path: ReversePath | None = None
        self._recipients: list[Recipient] = []

    def send(self, octets: bytes) -> None:
        """Take octets from the peer."""
        self.events.extend(self._words(event) for event in self.session.receive(octets))

    def receive(self, _patience: float) -> bytes | None:
        """What the session says."""
        closed = self.session.phase is ClientPhase.CLOSED
        return self.session.take_output() or (b"" if closed else None)

    def hang_up(self) -> None:
        """The peer hangs up; a session that held something back tells it now."""
        tell = self.session.release
        self.events.extend(self._words(event) for event in tell())

    def event(self) -> str | None:
        """The next event."""
        return self.events.popleft() if self.events else None

    def decide(self, words: str) -> None:
        """Do what it says: `from <..>`, `to <..>`, `begin`, `content ..`, `end`, `secured`, `quit`."""
        what, _, rest = words.partition(" ")
        match what:
            case "from":
                path, *parameters = rest.split()
                self._reverse_path = reverse_path_from_text(path[1:-1])
                self._mail = dict((*word.split("=", 1), "")[:2] for word in parameters)
                self._recipients = []
            case "to":
                path, *parameters = rest.split()
                self._recipients.append(self._recipient(path[1:-1], parameters))
            case "begin":
                assert self._reverse_path is not None
                mail = self._mail
                self.session.begin(
                    Transaction(
                        reverse_path=self._reverse_path,
                        recipients=tuple(self._recipients),
                        octets=int(mail.get("octets", "100")),
                        is_8bit="8bit" in mail,
                        ret=Ret(mail["RET"]) if "RET" in mail else None,
                        envid=mail.get("ENVID"),
                    )
                )
            case "content":
                self.session.content(raw(rest))
            case "end":
                self.session.end_content()
            case "secured":
                self.session.secured()
            case "quit":
                self.session.quit()
            case _:
                raise AssertionError(f"the host cannot {words!r}")

    def _recipient(self, address: str, parameters: list[str]) -> Recipient:
        asked = dict(word.split("=", 1) for word in parameters)
        local, _, domain = address.rpartition("@")
        mailbox = Mailbox(local, domain)
        notify = Notify.ABSENT
        for word in filter(None, asked.get("NOTIFY", "").split(",")):
            notify |= Notify[word]
        return Recipient(
            len(self._recipients), mailbox, mailbox, Destination(domain), notify, asked.get("ORCPT")
        )

    def _words(self, event: ClientEvent) -> str:
        match event:
            case Ready():
                return f"ready {self._offers()}".rstrip()
            case Unwelcome(phase=phase, reply=said):
                return f"unwelcome {phase}: {said}"
            case StartTls():
                return "start TLS"
            case NoTls(reply=said):
                return "no TLS" if said is None else f"no TLS: {said}"
            case RecipientAnswered(index=index, reply=said):
                return f"recipient {index}: {said}"
            case TransactionRefused(phase=phase, reply=said):
                return f"refused {phase}: {said}"
            case SendContent():
                return "send content"
            case ContentAnswered(reply=said, early=early):
                return f"answered early: {said}" if early else f"answered: {said}"
            case TransactionOver():
                return "over"
            case HangingUp(phase=phase, reply=said):
                return f"hanging up {phase}: {said}"
            case Broken(why=why):
                return f"broken: {why}"

    def _offers(self) -> str:
        offers = self.session.extensions
        size = ("SIZE" if offers.size is None else f"SIZE={offers.size}") if offers.size_offered else ""
        words = (
            "PIPELINING" if offers.pipelining else "",
            "8BITMIME" if offers.eight_bit else "",
            "DSN" if offers.dsn else "",
            "STARTTLS" if offers.starttls else "",
            size,
        )
        return " ".join(filter(None, words))


# --- Playing ------------------------------------------------------------------------------------------


class _Player:
    """One transcript on its way."""

    def __init__(self, transcript: Transcript, line: Line, cutting: Cutting, us: str) -> None:
        self._name = transcript.name
        self._line = line
        self._cutting = cutting
        self._us = us
        self._heard = b""
        self._reply: list[str] = []
        self._story: list[str] = []
        self._is_closed = False
        self._content: bytes | None = None
        self._unheard: str | None = None

    def play(self, marks: Iterable[Mark]) -> None:
        ours: list[bytes] = []
        for mark in marks:
            if mark.mark in (f"{self._us}:", f"{self._us}!"):
                ours.append(sent_by(mark))
                continue
            self._speak(ours)
            self._expect(mark)
        self._speak(ours)
        self._expect_quiet()

    def _speak(self, ours: list[bytes]) -> None:
        if ours:
            self._story.append(f"  we:   {b''.join(ours)!r:.200}")
            for piece in self._cutting(ours):
                self._line.send(piece)
            ours.clear()

    def _expect(self, mark: Mark) -> None:
        said = f"{mark.mark} {mark.text}"
        match mark.mark:
            case "S:" if self._us == "C":
                self._reply = self._next_reply(said)
                self._check(says(mark.text, self._reply[-1]), said, f"they say {self._reply}")
            case "C:" if self._us == "S":
                line = self._next_line(said)
                self._check(says(mark.text, line), said, f"they say {line!r}")
            case "S+":
                found = any(says(mark.text, line[4:]) for line in self._reply)
                self._check(found, said, f"the reply was {self._reply}")
            case "S-":
                found = any(says(mark.text, line[4:]) for line in self._reply)
                self._check(not found, said, f"the reply was {self._reply}")
            case "S#" if self._us == "S":
                self._ask("hang_up")
            case "S#" | "C#":
                self._check(not self._heard and self._listen(PATIENCE) == b"", said, "they go on")
                self._is_closed = True
            case "H:":
                self._ask("decide", mark.text)
            case "E:":
                event, self._unheard = self._unheard or self._ask("event"), None
                if event is not NotImplemented:
                    self._check(says(mark.text, event or "nothing"), said, f"it was {event!r}")
            case "E?":
                event = self._ask("event")
                self._unheard = event if isinstance(event, str) and not says(mark.text, event) else None
            case "K:":
                kept = self._ask("kept")
                if kept is not NotImplemented:
                    self._check(says(mark.text, str(kept)), said, f"it was {kept}")
                    self._content = None if kept is None else kept.content
            case "K|" | "K!":
                self._expect_content(mark, said)
            case "K#":
                kept = self._ask("kept")
                self._check(kept is None or kept is NotImplemented, said, f"it was {kept}")
            case "L:":
                pass  # Read before the session began.
            case _:
                raise AssertionError(f"{self._name}: cannot play {said}")

    def _expect_content(self, mark: Mark, said: str) -> None:
        if not hasattr(self._line, "kept"):
            return
        wanted = raw(mark.text) if mark.mark == "K!" else repeated(mark.text).encode() + b"\r\n"
        self._check(self._content is not None, said, "no message was kept")
        self._check(self._content.startswith(wanted), said, f"the content goes on {self._content[:80]!r}")
        self._content = self._content[len(wanted) :]

    def _expect_quiet(self) -> None:
        said = "the end"
        self._check(not self._heard, said, f"they also say {self._heard!r}")
        if not self._is_closed:
            more = self._listen(QUIET)
            self._check(more is None, said, "they hung up" if more == b"" else f"they also say {more!r}")
        self._check(self._unheard is None, said, f"there was {self._unheard!r}")
        for what in ("event", "kept"):
            left = self._ask(what)
            self._check(left is None or left is NotImplemented, said, f"one more {what}: {left}")

    def _ask(self, what: str, *words: str):
        """Ask the host, if the line knows one."""
        ask = getattr(self._line, what, None)
        return NotImplemented if ask is None else ask(*words)

    def _listen(self, patience: float) -> bytes | None:
        heard = self._line.receive(patience)
        if heard:
            self._story.append(f"  they: {heard!r:.200}")
        return heard

    def _next_line(self, said: str) -> str:
        while b"\n" not in self._heard:
            heard = self._listen(PATIENCE)
            self._check(bool(heard), said, "they hung up" if heard == b"" else "they say nothing")
            self._heard += heard or b""
        line, _, self._heard = self._heard.partition(b"\n")
        self._check(line.endswith(b"\r"), said, f"a line without CRLF: {line!r}")
        return line[:-1].decode("utf-8", "replace")

    def _next_reply(self, said: str) -> list[str]:
        lines = [self._next_line(said)]
        while lines[-1][3:4] == "-":
            lines.append(self._next_line(said))
        self._check(len({line[:3] for line in lines}) == 1, said, f"a reply with several codes: {lines}")
        return lines

    def _check(self, is_so: bool, said: str, instead: str) -> None:
        if not is_so:
            story = "\n".join(self._story[-12:])
            raise AssertionError(f"{self._name}, {self._cutting.__name__}: {said!r}, but {instead}\n{story}")


def play_server(transcript: Transcript, line: Line, cutting: Cutting = whole) -> None:
    """Be the client of a server's transcript."""
    _Player(transcript, line, cutting, us="C").play(transcript.marks)


def play_client(transcript: Transcript, line: Line, cutting: Cutting = whole) -> None:
    """Be the server of a client's transcript."""
    _Player(transcript, line, cutting, us="S").play(transcript.marks)


def client_line(transcript: Transcript) -> ClientLine:
    """A session that wants what a transcript says: `L: asks-tls`, `L: needs-tls`."""
    words = {word for mark in transcript.marks if mark.mark == "L:" for word in mark.text.split()}
    assert words <= {"asks-tls", "needs-tls"}, words
    return ClientLine(asks_tls=bool(words), needs_tls="needs-tls" in words)


def server_line(transcript: Transcript) -> ServerLine:
    """A session with the limits that a transcript asks for: `L: recipients=3 normalizes`."""
    limits: dict[str, int] = {}
    normalizes = False
    for mark in transcript.marks:
        if mark.mark == "L:":
            for word in mark.text.split():
                name, _, number = word.partition("=")
                if name == "normalizes":
                    normalizes = True
                else:
                    limits[name] = int(number)
    return ServerLine(SessionLimits(**limits), normalizes=normalizes)
