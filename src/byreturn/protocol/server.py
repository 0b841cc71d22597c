r"""The server's side of a session: questions out, answers in, no IO.

The session knows the order of the dialogue and the grammar; its host knows who is welcome. So whatever the
law alone decides (syntax, sequence, NOOP, RSET, HELP, VRFY) the session answers itself, and the rest comes
out as a question which the host must answer before the next one comes:

    receive(octets) ... next_event() -> Question | None ... answer(reply) ... take_output() -> octets

    GREETED --EHLO/HELO--> READY --MAIL--> SENDER --RCPT--> RECIPIENTS --DATA 354--> CONTENT --end--> READY
       '---- QUIT, a violation, too many errors: CLOSED (say it, then hang up) from everywhere

Replies gather in one buffer, so a pipelined group is answered in one write (RFC 2920 section 3.2).

Promises: how octets are cut changes nothing; at most one command line or `piece` of content is buffered
beyond what the caller feeds. Fails: AssertionError for an answer without a question: our bug.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from enum import IntEnum
from typing import Final

from msgspec import Struct

from byreturn.mail import Reply, reply
from byreturn.protocol.commands import read_mail, read_rcpt
from byreturn.protocol.content import ContentDecoder, ContentFault
from byreturn.protocol.extensions import offer
from byreturn.protocol.grammar import is_hello_name
from byreturn.protocol.questions import (
    Asked,
    Closing,
    Content,
    Data,
    EndOfContent,
    Hello,
    Mail,
    Question,
    Rcpt,
    Refused,
    Reset,
)
from byreturn.protocol.replies import Say, encode, printable, said


class SessionLimits(Struct, frozen=True):
    """The bounds of one session. The counts end it with 421; the octets are answered where they occur."""

    command_octets: int = 2048
    content_octets: int = 50 * 1024 * 1024
    content_line_octets: int = 998
    recipients: int = 1000
    errors: int = 20
    commands_without_effect: int = 100


class Phase(IntEnum):
    """How far the dialogue has come."""

    GREETED = 0
    READY = 1
    SENDER = 2
    RECIPIENTS = 3
    CONTENT = 4
    CLOSED = 5


# --- Replies of the law -------------------------------------------------------------------------------

_OK: Final = reply(250, "2.0.0", "OK")
_HELP: Final = reply(
    214,
    "2.0.0",
    "This server knows {commands}",
    commands="HELO EHLO MAIL RCPT DATA RSET NOOP VRFY HELP QUIT",
)
# RFC 5321 section 3.5.3: 252 is the honest answer of a server that does not tell strangers who is here.
_VRFY: Final = reply(252, "2.5.0", "Cannot tell, but will take mail and try to deliver it")
_UNKNOWN: Final = reply(500, "5.5.1", "Command not known here; HELP lists those that are")
_NOT_IMPLEMENTED: Final = reply(502, "5.5.1", "Command not offered here")
_SEQUENCE: Final = {
    Phase.GREETED: reply(503, "5.5.1", "Say EHLO or HELO first"),
    Phase.READY: reply(503, "5.5.1", "MAIL FROM must come first"),
}
_NOT_ONE_SENDER: Final = reply(503, "5.5.1", "The sender was given already; RSET begins anew")
_NO_RECIPIENT: Final = reply(554, "5.5.1", "No valid recipient was given")
_NO_ARGUMENT: Final = reply(501, "5.5.4", "This command takes no argument")
_HELLO_NAME: Final = reply(501, "5.5.4", "EHLO and HELO need one word: the name of the client")
_NOT_ASCII: Final = reply(500, "5.5.2", "Commands must be in ASCII; SMTPUTF8 is not offered here")
_NUL: Final = reply(500, "5.5.2", "A NUL octet has no place in a command")
_LINE_TOO_LONG: Final = reply(500, "5.5.2", "Line too long")
_TOO_MANY_RECIPIENTS: Final = reply(452, "4.5.3", "Too many recipients; send the rest in another message")
_BARE: Final = reply(
    521, "5.5.2", "A bare CR or LF was sent; lines must end with CR LF. Nothing was accepted; closing"
)
_TOO_MANY_ERRORS: Final = reply(421, "4.7.0", "Too many errors; closing")
_TOO_IDLE: Final = reply(421, "4.7.0", "Too many commands without effect; closing")
_NOT_OURS: Final = reply(554, "5.5.1", "This is not an HTTP server")
_CONTENT_FAULTS: Final = {
    ContentFault.NUL: reply(554, "5.6.0", "The message holds a NUL octet; it was not accepted"),
    ContentFault.LONG_LINE: reply(
        554, "5.6.0", "A line of the message is longer than this server passes on; it was not accepted"
    ),
    ContentFault.TOO_LARGE: reply(552, "5.3.4", "The message is larger than this server takes"),
}
# Of what is thrown away: a client that goes on for so long after its limit is cut off.
_EXCESS: Final = 2
# So much of a refused command is told to the journal.
_SHOWN: Final = 80
_BARE_LF: Final = re.compile(rb"(?<!\r)\n")
# RFC 5321 section 4.2.4: commands of the field that we know of and do not have.
_NOT_OFFERED: Final = frozenset({b"EXPN", b"STARTTLS", b"AUTH", b"BDAT", b"ETRN", b"TURN"})
_HTTP: Final = (b"GET ", b"POST ", b"CONNECT ", b"HEAD ", b"PUT ")


class ServerSession:
    """One client's session."""

    __slots__ = (
        "_asked", "_at", "_buffer", "_closing", "_decoder", "_errors", "_excess", "_hostname", "_idle",
        "_is_skipping", "_limits", "_normalizes", "_output", "_recipients", "_say", "_seam", "phase",
    )  # fmt: skip

    def __init__(
        self, hostname: str, limits: SessionLimits, *, normalizes: bool = False, say: Say | None = None
    ) -> None:
        self._hostname = hostname
        self._limits = limits
        self._say = say
        self._normalizes = normalizes
        self._buffer = b""
        self._at = 0
        self._seam = b""
        self._output: list[bytes] = []
        self._asked: Asked | None = None
        self._decoder: ContentDecoder | None = None
        self._recipients = 0
        self._errors = 0
        self._excess = 0
        self._idle = 0
        self._closing: Closing | None = None
        self._is_skipping = False
        self.phase = Phase.GREETED

    # --- Octets ---------------------------------------------------------------------------------------

    def greet(self, greeting: Reply) -> None:
        """Open the dialogue; a greeting that refuses also ends it."""
        self._put(greeting)
        if not greeting.is_positive:
            self.phase = Phase.CLOSED

    def _put(self, reply: Reply) -> None:
        """Write a reply, in the language of the session."""
        self._output.append(encode(reply if self._say is None else said(reply, self._say)))

    def receive(self, data: bytes) -> None:
        """Take octets from the client; what comes after the end is not kept."""
        if self.phase is Phase.CLOSED:
            return
        if self._normalizes:
            data = self._normalized(data)
        if self._at == len(self._buffer):
            self._buffer = data
        else:
            self._buffer = self._buffer[self._at :] + data
        self._at = 0

    def _normalized(self, data: bytes) -> bytes:
        """Turn every bare LF of a trusted client into CRLF; a CR at a cut waits for what follows."""
        data = self._seam + data
        self._seam = b"\r" if data.endswith(b"\r") else b""
        return _BARE_LF.sub(b"\r\n", data.removesuffix(b"\r") if self._seam else data)

    def take_output(self) -> bytes:
        """Return what must be sent now."""
        output = self._output
        if not output:
            return b""
        data = output[0] if len(output) == 1 else b"".join(output)
        output.clear()
        return data

    def close(self, farewell: Reply) -> None:
        """End the session from our side, with a word (421)."""
        if self.phase is not Phase.CLOSED:
            self._put(farewell)
            self.phase = Phase.CLOSED
        self._asked = None

    @property
    def is_waiting_for_us(self) -> bool:
        """Whether a question is open: then the client is not to blame for the silence."""
        return self._asked is not None

    # --- Questions and answers ------------------------------------------------------------------------

    def next_event(self) -> Question | None:
        """Return the next question or fact; None when more octets, or an answer, must come first."""
        while self._asked is None and self.phase is not Phase.CLOSED:
            if self.phase is Phase.CONTENT:
                return self._next_content()
            line = self._next_line()
            if line is None:
                return None
            event = line if isinstance(line, (Closing, Refused)) else self._command(line)
            if event is not None:
                if isinstance(event, (Hello, Mail, Rcpt, Data)):
                    self._asked = event
                return event
        closing, self._closing = self._closing, None
        return closing

    def answer(self, reply: Reply) -> None:
        """Reply to the open question, and move on accordingly."""
        asked, self._asked = self._asked, None
        assert asked is not None, "answer() without a question"
        if isinstance(asked, Hello) and reply.is_positive:
            # RFC 5321 section 4.1.1.1: the answer begins with our name.
            lines = (
                offer(self._hostname, self._limits.content_octets) if asked.extended else (self._hostname,)
            )
            reply = Reply(250, None, lines)
            self.phase = Phase.READY
        elif reply.is_positive or reply.is_intermediate:
            self._move_on(asked)
        elif isinstance(asked, EndOfContent):
            self.phase = Phase.READY
        self._put(reply)
        if reply.code in (421, 521):
            # RFC 7504 section 3: 521 ends the session; 421 does (RFC 5321 section 3.8).
            self.phase = Phase.CLOSED
            self._closing = Closing(violation=False)
            return
        if not (reply.is_positive or reply.is_intermediate):
            self._blame(reply)
        if self._is_too_much:
            self._put(_TOO_MANY_ERRORS)
            self.phase = Phase.CLOSED
            self._closing = Closing(violation=True)

    def _blame(self, refusal: Reply) -> None:
        """Count a refusal.

        A client may bring more recipients than are taken (RFC 5321 section 4.5.3.1.10): it sends the rest
        in another transaction. Only as many again are misconduct.
        """
        if refusal.code == 452:
            self._excess += 1
        else:
            self._errors += 1

    @property
    def _is_too_much(self) -> bool:
        return self._errors > self._limits.errors or self._excess > self._limits.recipients

    def _move_on(self, asked: Asked) -> None:
        match asked:
            case Mail():
                self.phase = Phase.SENDER
                self._recipients = 0
            case Rcpt():
                self.phase = Phase.RECIPIENTS
                self._recipients += 1
            case Data():
                self.phase = Phase.CONTENT
                self._decoder = ContentDecoder(self._limits.content_octets, self._limits.content_line_octets)
            case _:
                self.phase = Phase.READY
                self._idle = self._excess = 0

    # --- Content --------------------------------------------------------------------------------------

    def _next_content(self) -> Question | None:
        decoder = self._decoder
        assert decoder is not None
        if not decoder.is_done:
            octets, self._at = decoder.take(self._buffer, self._at)
            if decoder.fault is ContentFault.BARE_LINE_END:
                return self._violate(_BARE)
            if decoder.octets > _EXCESS * self._limits.content_octets:
                return self._violate(_CONTENT_FAULTS[ContentFault.TOO_LARGE])
            if octets:
                return Content(octets)
            if not decoder.is_done:
                return None
        self._decoder = None
        fault = decoder.fault
        ended = EndOfContent(fault)
        if fault is None:
            self._asked = ended
        else:
            self.phase = Phase.READY
            self._put(_CONTENT_FAULTS[fault])
            self._errors += 1
        return ended

    # --- Commands -------------------------------------------------------------------------------------

    def _next_line(self) -> bytes | Closing | Refused | None:
        """Take a command line off the buffer."""
        buffer, at = self._buffer, self._at
        end = buffer.find(b"\r\n", at)
        if end < 0:
            return self._unfinished_line()
        self._at = end + 2
        line = buffer[at:end]
        if b"\n" in line or b"\r" in line:
            return self._violate(_BARE)
        if self._is_skipping or len(line) + 2 > self._limits.command_octets:
            self._is_skipping = False
            return self._refuse("(a line that is too long)", _LINE_TOO_LONG)
        return line

    def _unfinished_line(self) -> Closing | None:
        """Look at what has come of a line; a client that ends lines with LF alone waits for us already."""
        buffer, at = self._buffer, self._at
        if buffer.find(b"\n", at) >= 0 or 0 <= buffer.find(b"\r", at) < len(buffer) - 1:
            return self._violate(_BARE)
        end = len(buffer) - (1 if buffer.endswith(b"\r") else 0)
        if self._is_skipping or end - at + 2 > self._limits.command_octets:
            self._is_skipping = True
            self._at = end
        return None

    def _command(self, line: bytes) -> Question | None:
        if b"\0" in line:
            return self._refuse(line[:_SHOWN].decode("utf-8", "replace"), _NUL)
        verb, _, argument = line.partition(b" ")
        handler = _COMMANDS.get(verb.upper())
        if handler is None:
            if verb.upper() in _NOT_OFFERED:
                return self._refuse(verb.decode("ascii"), _NOT_IMPLEMENTED)
            if line.startswith(_HTTP):
                return self._violate(_NOT_OURS)
            return self._refuse(line[:_SHOWN].decode("utf-8", "replace"), _UNKNOWN)
        try:
            text = argument.decode("ascii")
        except UnicodeDecodeError:
            return self._refuse(line[:_SHOWN].decode("utf-8", "replace"), _NOT_ASCII)
        return handler(self, text)

    def _refuse(self, command: str, reply: Reply) -> Refused | Closing:
        self._put(reply)
        self._blame(reply)
        if self._is_too_much:
            return self._violate(_TOO_MANY_ERRORS)
        return Refused(printable(command[:_SHOWN].encode()), reply)

    def _violate(self, reply: Reply) -> Closing:
        self._put(reply)
        self.phase = Phase.CLOSED
        return Closing(violation=True)

    def _idle_command(self, answer: Reply) -> Closing | None:
        self._idle += 1
        if self._idle > self._limits.commands_without_effect:
            return self._violate(_TOO_IDLE)
        self._put(answer)
        return None

    def _hello(self, text: str, *, extended: bool) -> Question:
        name = text.strip()
        if not is_hello_name(name):
            return self._refuse("EHLO", _HELLO_NAME)
        # RFC 5321 section 4.1.4: a second EHLO resets as RSET does; the host resets on Hello.
        return Hello(name, extended)

    def _ehlo(self, text: str) -> Question:
        return self._hello(text, extended=True)

    def _helo(self, text: str) -> Question:
        return self._hello(text, extended=False)

    def _mail(self, text: str) -> Question:
        if self.phase is not Phase.READY:
            wrong = _SEQUENCE[Phase.GREETED] if self.phase is Phase.GREETED else _NOT_ONE_SENDER
            return self._refuse("MAIL", wrong)
        mail = read_mail(text, octets_limit=self._limits.content_octets)
        return self._refuse(f"MAIL {text}", mail) if isinstance(mail, Reply) else mail

    def _rcpt(self, text: str) -> Question:
        if self.phase not in (Phase.SENDER, Phase.RECIPIENTS):
            return self._refuse("RCPT", _SEQUENCE[self.phase])
        rcpt = read_rcpt(text)
        if isinstance(rcpt, Reply):
            return self._refuse(f"RCPT {text}", rcpt)
        if self._recipients >= self._limits.recipients:
            # RFC 5321 section 4.5.3.1.10
            return self._refuse(f"RCPT {text}", _TOO_MANY_RECIPIENTS)
        return rcpt

    def _data(self, text: str) -> Question:
        if text.strip():
            return self._refuse("DATA", _NO_ARGUMENT)
        if self.phase is Phase.SENDER:
            # RFC 2920 section 3.1: pipelined DATA after nothing but refused recipients.
            return self._refuse("DATA", _NO_RECIPIENT)
        if self.phase is not Phase.RECIPIENTS:
            return self._refuse("DATA", _SEQUENCE[self.phase])
        return Data()

    def _rset(self, text: str) -> Question | None:
        if text.strip():
            return self._refuse("RSET", _NO_ARGUMENT)
        self.phase = min(self.phase, Phase.READY)
        return self._idle_command(_OK) or Reset()

    def _noop(self, _text: str) -> Question | None:
        return self._idle_command(_OK)

    def _help(self, _text: str) -> Question | None:
        return self._idle_command(_HELP)

    def _vrfy(self, text: str) -> Question | None:
        if not text.strip():
            return self._refuse("VRFY", reply(501, "5.5.4", "VRFY needs an address"))
        return self._idle_command(_VRFY)

    def _quit(self, _text: str) -> Question:
        self._put(reply(221, "2.0.0", "{host} closing", host=self._hostname))
        self.phase = Phase.CLOSED
        return Closing(violation=False)


_COMMANDS: Final[dict[bytes, Callable[[ServerSession, str], Question | None]]] = {
    b"EHLO": ServerSession._ehlo,
    b"HELO": ServerSession._helo,
    b"MAIL": ServerSession._mail,
    b"RCPT": ServerSession._rcpt,
    b"DATA": ServerSession._data,
    b"RSET": ServerSession._rset,
    b"NOOP": ServerSession._noop,
    b"HELP": ServerSession._help,
    b"VRFY": ServerSession._vrfy,
    b"QUIT": ServerSession._quit,
}
