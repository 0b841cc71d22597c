"""The client's side of a session: one connection, one transaction after the other, no IO.

    GREETING -> HELLO -> READY --begin--> ENVELOPE --354--> CONTENT --end--> ENDING --reply--> READY
                           ^                 '-- nobody accepted, or refused: RSET --'

Where the peer offers PIPELINING, MAIL, every RCPT and DATA go out in one write. Which command a reply
answers is known from a queue of expectations. A peer that says one reply too many, or swallows one, shifts
all that follow, and the refusal of one recipient would be credited to another; what the reply to DATA is
tells. So the replies of a pipelined group are held until DATA is answered, but not longer than the host of
this session likes to wait: a peer that has refused somebody and then falls silent is believed. Without
PIPELINING there is nothing to shift.

    receive(octets) -> events ... begin(transaction) ... content(piece)* end_content() ... take_output()
    release() -> the events that are held

Fails: a dialogue that makes no sense gives one Broken event, after which nothing the peer says is believed.
"""

from __future__ import annotations

from collections import deque
from enum import Enum
from typing import Final, TypeAlias

from msgspec import Struct

from byreturn.mail import Phase, Recipient, Reply, Ret, ReversePath
from byreturn.protocol.content import ContentEncoder
from byreturn.protocol.extensions import NO_EXTENSIONS, Extensions, read_extensions
from byreturn.protocol.replies import BrokenReply, ReplyReader


class Transaction(Struct, frozen=True):
    """What is to be sent: `octets` and `is_8bit` describe the content."""

    reverse_path: ReversePath
    recipients: tuple[Recipient, ...]
    octets: int
    is_8bit: bool
    ret: Ret | None = None
    envid: str | None = None


class ClientPhase(Enum):
    """How far the dialogue has come; each has its own time limit."""

    GREETING = Phase.GREETING
    HELLO = Phase.HELLO
    READY = "ready"
    MAIL = Phase.MAIL
    RCPT = Phase.RCPT
    DATA = Phase.DATA
    CONTENT = Phase.CONTENT
    ENDING = Phase.END_OF_CONTENT
    RESETTING = "reset"
    CLOSED = "closed"


# --- Events -------------------------------------------------------------------------------------------


class Ready(Struct, frozen=True):
    """The peer has said who it is; a transaction may begin."""


class Unwelcome(Struct, frozen=True):
    """The peer refused the greeting or both EHLO and HELO."""

    phase: Phase
    reply: Reply


class RecipientAnswered(Struct, frozen=True):
    """The reply to one RCPT; `index` counts the transaction's recipients."""

    index: int
    reply: Reply


class TransactionRefused(Struct, frozen=True):
    """MAIL or DATA was refused: this is the reply for every recipient that has none of its own."""

    phase: Phase
    reply: Reply


class SendContent(Struct, frozen=True):
    """The peer waits for the content."""


class ContentAnswered(Struct, frozen=True):
    """The reply to the end of content. `early`: it came before we had ended; the connection is spent."""

    reply: Reply
    early: bool


class TransactionOver(Struct, frozen=True):
    """The connection is ready for the next transaction."""


class HangingUp(Struct, frozen=True):
    """421: the peer is about to close."""

    phase: Phase
    reply: Reply


class Broken(Struct, frozen=True):
    """The dialogue makes no sense; close."""

    why: str


ClientEvent: TypeAlias = (
    Ready
    | Unwelcome
    | RecipientAnswered
    | TransactionRefused
    | SendContent
    | ContentAnswered
    | TransactionOver
    | HangingUp
    | Broken
)


class _Expected(Enum):
    GREETING = Phase.GREETING
    EHLO = Phase.HELLO
    HELO = "HELO"
    MAIL = Phase.MAIL
    RCPT = Phase.RCPT
    DATA = Phase.DATA
    END = Phase.END_OF_CONTENT
    VOID = "the end of an empty content"
    RSET = "RSET"


_PHASES: Final = {
    _Expected.GREETING: Phase.GREETING,
    _Expected.EHLO: Phase.HELLO,
    _Expected.HELO: Phase.HELLO,
    _Expected.MAIL: Phase.MAIL,
    _Expected.RCPT: Phase.RCPT,
    _Expected.DATA: Phase.DATA,
    _Expected.END: Phase.END_OF_CONTENT,
    _Expected.VOID: Phase.DATA,
    _Expected.RSET: Phase.MAIL,
}
_CLIENT_PHASES: Final = {
    _Expected.GREETING: ClientPhase.GREETING,
    _Expected.EHLO: ClientPhase.HELLO,
    _Expected.HELO: ClientPhase.HELLO,
    _Expected.MAIL: ClientPhase.MAIL,
    _Expected.RCPT: ClientPhase.RCPT,
    _Expected.DATA: ClientPhase.DATA,
    _Expected.END: ClientPhase.ENDING,
    _Expected.VOID: ClientPhase.RESETTING,
    _Expected.RSET: ClientPhase.RESETTING,
}


class ClientSession:
    """One connection to a next hop."""

    __slots__ = (
        "_accepted",
        "_encoder",
        "_expected",
        "_held",
        "_hello",
        "_is_broken",
        "_is_sending",
        "_mail_refused",
        "_next_rcpt",
        "_output",
        "_reader",
        "_transaction",
        "extensions",
        "rcpt_index",
    )  # fmt: skip

    def __init__(self, hello: str) -> None:
        self._hello = hello
        self._reader = ReplyReader()
        self._output: list[bytes] = []
        self._expected: deque[_Expected] = deque((_Expected.GREETING,))
        self._transaction: Transaction | None = None
        self._encoder = ContentEncoder()
        self._held: list[ClientEvent] = []
        self._accepted = 0
        self._next_rcpt = 0
        self._mail_refused = False
        self._is_sending = False
        self._is_broken = False
        self.rcpt_index = 0
        self.extensions: Extensions = NO_EXTENSIONS

    @property
    def phase(self) -> ClientPhase:
        """What we are waiting for."""
        if self._is_broken:
            return ClientPhase.CLOSED
        if self._expected:
            return _CLIENT_PHASES[self._expected[0]]
        return ClientPhase.CONTENT if self._is_sending else ClientPhase.READY

    def take_output(self) -> bytes:
        """Return what must be sent now."""
        output = self._output
        if not output:
            return b""
        data = output[0] if len(output) == 1 else b"".join(output)
        output.clear()
        return data

    # --- Sending --------------------------------------------------------------------------------------

    def begin(self, transaction: Transaction) -> None:
        """Begin a transaction; the session must be ready."""
        assert self.phase is ClientPhase.READY
        assert transaction.recipients
        self._transaction = transaction
        self._accepted = self._next_rcpt = self.rcpt_index = 0
        self._mail_refused = False
        self._encoder = ContentEncoder()
        self._output.append(self._mail_command(transaction))
        self._expected.append(_Expected.MAIL)
        if self.extensions.pipelining:
            # RFC 2920 section 3.1: DATA may only be the last of a group.
            while self._next_rcpt < len(transaction.recipients):
                self._send_rcpt()
            self._send_data()

    def content(self, piece: bytes) -> None:
        """Send a piece of the content."""
        assert self._is_sending
        self._output.append(self._encoder.encode(piece))

    def end_content(self) -> None:
        """End the content; from here on the peer may have the message."""
        assert self._is_sending
        self._is_sending = False
        self._output.append(self._encoder.end())
        self._expected.append(_Expected.END)

    def quit(self) -> None:
        """Say goodbye; nothing is expected of the answer."""
        self._output.append(b"QUIT\r\n")
        self._is_broken = True

    def _send_rcpt(self) -> None:
        assert self._transaction is not None
        recipient = self._transaction.recipients[self._next_rcpt]
        self._next_rcpt += 1
        words = f"RCPT TO:<{recipient.address}>"
        if self.extensions.dsn:
            # RFC 3461 section 5.2.1: passed on as they came, and none added.
            if recipient.notify:
                words += f" NOTIFY={recipient.notify}"
            if recipient.orcpt is not None:
                words += f" ORCPT={recipient.orcpt}"
        self._output.append(f"{words}\r\n".encode("ascii"))
        self._expected.append(_Expected.RCPT)

    def _send_data(self) -> None:
        self._output.append(b"DATA\r\n")
        self._expected.append(_Expected.DATA)

    def _mail_command(self, transaction: Transaction) -> bytes:
        words = f"MAIL FROM:<{transaction.reverse_path}>"
        offers = self.extensions
        if offers.size_offered:
            words += f" SIZE={transaction.octets}"
        if offers.eight_bit and transaction.is_8bit:
            words += " BODY=8BITMIME"
        if offers.dsn:
            if transaction.ret is not None:
                words += f" RET={transaction.ret}"
            if transaction.envid is not None:
                words += f" ENVID={transaction.envid}"
        return f"{words}\r\n".encode("ascii")

    # --- Receiving ------------------------------------------------------------------------------------

    def receive(self, data: bytes) -> list[ClientEvent]:
        """Take octets from the peer; return what they mean."""
        if self._is_broken:
            return []
        events: list[ClientEvent] = []
        try:
            for reply in self._reader.receive(data):
                self._read(reply, events)
                if self.phase is ClientPhase.CLOSED:
                    return events
            self._reader.raise_if_broken()
        except BrokenReply as broken:
            events.append(self._break(str(broken)))
        return events

    @property
    def is_holding(self) -> bool:
        """Whether replies are held until DATA is answered."""
        return bool(self._held)

    def release(self) -> list[ClientEvent]:
        """Believe what was said, though the group has not come to its end."""
        held, self._held = self._held, []
        return held

    def _credit(self, event: ClientEvent, events: list[ClientEvent]) -> None:
        (self._held if self.extensions.pipelining else events).append(event)

    def _break(self, why: str) -> Broken:
        self._is_broken = True
        self._held.clear()
        return Broken(why)

    def _read(self, reply: Reply, events: list[ClientEvent]) -> None:
        if not self._expected:
            self._read_unexpected(reply, events)
            return
        expected = self._expected.popleft()
        if reply.is_intermediate and expected is not _Expected.DATA:
            events.append(self._break(f"a reply that wants more, where there is no more: {reply}"))
            return
        if reply.code == 421 and expected is not _Expected.END and expected is not _Expected.RCPT:
            self._is_broken = True
            events.extend(self.release())
            events.append(HangingUp(_PHASES[expected], reply))
            return
        match expected:
            case _Expected.GREETING:
                self._read_greeting(reply, events)
            case _Expected.EHLO | _Expected.HELO:
                self._read_hello(reply, events, is_ehlo=expected is _Expected.EHLO)
            case _Expected.MAIL:
                self._read_mail(reply, events)
            case _Expected.RCPT:
                self._read_rcpt(reply, events)
            case _Expected.DATA:
                self._read_data(reply, events)
            case _Expected.END:
                events.append(ContentAnswered(reply, early=False))
                self._end_transaction(reply, events)
            case _Expected.VOID:
                self._reset()
            case _:
                self._read_reset(reply, events)

    def _read_unexpected(self, reply: Reply, events: list[ClientEvent]) -> None:
        self._is_broken = True
        if reply.code == 421:
            events.append(HangingUp(Phase.CONTENT if self._is_sending else Phase.MAIL, reply))
        elif self._is_sending and reply.code >= 400:
            # There is no place for it in the dialogue, yet servers do refuse in the middle.
            events.append(ContentAnswered(reply, early=True))
        else:
            events.append(Broken(f"a reply that answers nothing: {reply}"))

    def _read_greeting(self, reply: Reply, events: list[ClientEvent]) -> None:
        if reply.code != 220:
            self._is_broken = True
            events.append(Unwelcome(Phase.GREETING, reply))
            return
        self._output.append(f"EHLO {self._hello}\r\n".encode("ascii"))
        self._expected.append(_Expected.EHLO)

    def _read_hello(self, reply: Reply, events: list[ClientEvent], *, is_ehlo: bool) -> None:
        if reply.is_positive:
            self.extensions = read_extensions(reply.lines) if is_ehlo else NO_EXTENSIONS
            self._rest(Ready(), events)
        elif is_ehlo and reply.is_permanent:
            # RFC 5321 section 3.2: a server that does not know EHLO is asked with HELO.
            self._output.append(f"HELO {self._hello}\r\n".encode("ascii"))
            self._expected.append(_Expected.HELO)
        else:
            self._is_broken = True
            events.append(Unwelcome(Phase.HELLO, reply))

    def _read_mail(self, reply: Reply, events: list[ClientEvent]) -> None:
        if not reply.is_positive:
            self._mail_refused = True
            self._credit(TransactionRefused(Phase.MAIL, reply), events)
            if not self.extensions.pipelining:
                self._reset()
        elif not self.extensions.pipelining:
            self._send_rcpt()

    def _read_rcpt(self, reply: Reply, events: list[ClientEvent]) -> None:
        assert self._transaction is not None
        index, self.rcpt_index = self.rcpt_index, self.rcpt_index + 1
        if not self._mail_refused:
            self._credit(RecipientAnswered(index, reply), events)
        if reply.code == 421:
            self._is_broken = True
            events.extend(self.release())
            events.append(HangingUp(Phase.RCPT, reply))
            return
        if reply.is_positive:
            self._accepted += 1
        if self.extensions.pipelining:
            return
        if self._next_rcpt < len(self._transaction.recipients):
            self._send_rcpt()
        elif self._accepted:
            self._send_data()
        else:
            self._reset()

    def _read_data(self, reply: Reply, events: list[ClientEvent]) -> None:
        if reply.is_positive:
            events.append(self._break(f"a reply to DATA that is neither 354 nor a refusal: {reply}"))
        elif reply.is_intermediate:
            events.extend(self.release())
            if self._accepted and not self._mail_refused:
                self._is_sending = True
                events.append(SendContent())
            else:
                # RFC 2920 section 3.1: 354 with nobody accepted is answered with an empty content.
                self._output.append(b".\r\n")
                self._expected.append(_Expected.VOID)
        else:
            if self._accepted and not self._mail_refused:
                # Somebody was accepted and DATA is refused all the same: that may be a shifted reply to RCPT.
                # What RSET is answered tells.
                self._credit(TransactionRefused(Phase.DATA, reply), events)
            else:
                events.extend(self.release())
            self._reset()

    def _read_reset(self, reply: Reply, events: list[ClientEvent]) -> None:
        if not reply.is_positive:
            events.append(self._break(f"a reply to RSET that is no 250: {reply}"))
            return
        self._transaction = None
        events.extend(self.release())
        self._rest(TransactionOver(), events)

    def _reset(self) -> None:
        self._output.append(b"RSET\r\n")
        self._expected.append(_Expected.RSET)

    def _end_transaction(self, reply: Reply, events: list[ClientEvent]) -> None:
        self._transaction = None
        if reply.code == 421:
            self._is_broken = True
            events.append(HangingUp(Phase.END_OF_CONTENT, reply))
        else:
            self._rest(TransactionOver(), events)

    def _rest(self, event: Ready | TransactionOver, events: list[ClientEvent]) -> None:
        """Be ready for a transaction, unless the peer has begun to say more than it was asked."""
        events.append(event if self._reader.is_clean else self._break("more was said than was asked"))
