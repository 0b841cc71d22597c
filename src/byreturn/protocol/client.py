"""The client's side of a session: one connection, one transaction after the other, no IO.

    GREETING -> HELLO -> READY --begin--> ENVELOPE --354--> CONTENT --end--> ENDING --reply--> READY
                | ^        ^                 '-- nobody accepted, or refused: RSET --'
                v |
                TLS   if it is offered and we ask for it

Where the peer offers PIPELINING, MAIL, every RCPT and DATA go out in one write. Which command a reply
answers is known from a queue of expectations. A peer that says one reply too many, or swallows one, shifts
all that follow, and the refusal of one recipient would be credited to another; what the reply to DATA is
tells. So the replies of a pipelined group are held until DATA is answered, but not longer than the host of
this session likes to wait: a peer that has refused somebody and then falls silent is believed. Without
PIPELINING there is nothing to shift.

TLS is begun by the host of this session: StartTls says when, `secured` that it has been. What was said in
clear text counts for nothing afterwards, and what comes behind the 220 in clear text breaks the dialogue: it
would otherwise be read as if it had come encrypted.

    receive(octets) -> events ... begin(transaction) ... content(piece)* end_content() ... take_output()
    release() -> the events that are held
    secured() after StartTls

Fails: a dialogue that makes no sense gives one Broken event, after which nothing the peer says is believed.
"""

from __future__ import annotations

from collections import deque
from enum import Enum
from typing import Final

from byreturn.mail import Phase, Reply
from byreturn.protocol.content import ContentEncoder
from byreturn.protocol.events import (
    Broken,
    ClientEvent,
    ClientPhase,
    ContentAnswered,
    HangingUp,
    NoTls,
    Ready,
    RecipientAnswered,
    SendContent,
    StartTls,
    Transaction,
    TransactionOver,
    TransactionRefused,
    Unwelcome,
)
from byreturn.protocol.extensions import NO_EXTENSIONS, Extensions, read_extensions
from byreturn.protocol.replies import BrokenReply, ReplyReader


class _Expected(Enum):
    GREETING = Phase.GREETING
    EHLO = Phase.HELLO
    HELO = "HELO"
    TLS = Phase.TLS
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
    _Expected.TLS: Phase.TLS,
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
    _Expected.TLS: ClientPhase.TLS,
    _Expected.MAIL: ClientPhase.MAIL,
    _Expected.RCPT: ClientPhase.RCPT,
    _Expected.DATA: ClientPhase.DATA,
    _Expected.END: ClientPhase.ENDING,
    _Expected.VOID: ClientPhase.RESETTING,
    _Expected.RSET: ClientPhase.RESETTING,
}
_CLEAR_TEXT: Final = "clear text behind the answer to STARTTLS"
# 421 says more there than that the peer hangs up.
_TELL_421_THEMSELVES: Final = frozenset({_Expected.END, _Expected.RCPT, _Expected.TLS})


class ClientSession:
    """One connection to a next hop.

    `asks_tls`: STARTTLS is sent where it is offered; `needs_tls`: nothing goes on without it.
    """

    __slots__ = (
        "_accepted",
        "_asks_tls",
        "_encoder",
        "_expected",
        "_held",
        "_hello",
        "_is_broken",
        "_is_securing",
        "_is_sending",
        "_mail_refused",
        "_needs_tls",
        "_next_rcpt",
        "_output",
        "_reader",
        "_transaction",
        "extensions",
        "rcpt_index",
    )  # fmt: skip

    def __init__(self, hello: str, *, asks_tls: bool = False, needs_tls: bool = False) -> None:
        assert asks_tls or not needs_tls
        self._hello = hello
        self._asks_tls = asks_tls
        self._needs_tls = needs_tls
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
        self._is_securing = False
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
        if self._is_securing:
            return ClientPhase.TLS
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

    def secured(self) -> None:
        """The handshake went well: begin anew."""
        assert self._is_securing
        self._is_securing = False
        # RFC 3207 section 4.2: what was learnt before counts no more, and EHLO is said again; nor is TLS
        # begun within TLS.
        self._asks_tls = self._needs_tls = False
        self._reader = ReplyReader()
        self.extensions = NO_EXTENSIONS
        self._say_ehlo()

    def quit(self) -> None:
        """Say goodbye; nothing is expected of the answer."""
        self._output.append(b"QUIT\r\n")
        self._is_broken = True

    def _say_ehlo(self) -> None:
        self._output.append(f"EHLO {self._hello}\r\n".encode("ascii"))
        self._expected.append(_Expected.EHLO)

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
        if self._is_securing:
            return [self._break(_CLEAR_TEXT)]
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
        if reply.code == 421 and expected not in _TELL_421_THEMSELVES:
            self._is_broken = True
            events.extend(self.release())
            events.append(HangingUp(_PHASES[expected], reply))
            return
        match expected:
            case _Expected.GREETING:
                self._read_greeting(reply, events)
            case _Expected.EHLO | _Expected.HELO:
                self._read_hello(reply, events, is_ehlo=expected is _Expected.EHLO)
            case _Expected.TLS:
                self._read_starttls(reply, events)
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
        if self._is_securing:
            # The handshake, which was to begin, may not.
            events[:] = [Broken(_CLEAR_TEXT)]
        elif reply.code == 421:
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
        self._say_ehlo()

    def _read_hello(self, reply: Reply, events: list[ClientEvent], *, is_ehlo: bool) -> None:
        if reply.is_positive:
            self.extensions = read_extensions(reply.lines) if is_ehlo else NO_EXTENSIONS
            self._greeted(events)
        elif is_ehlo and reply.is_permanent:
            # RFC 5321 section 3.2: a server that does not know EHLO is asked with HELO.
            self._output.append(f"HELO {self._hello}\r\n".encode("ascii"))
            self._expected.append(_Expected.HELO)
        else:
            self._is_broken = True
            events.append(Unwelcome(Phase.HELLO, reply))

    def _greeted(self, events: list[ClientEvent]) -> None:
        """We know each other: what remains is TLS, if it is to be."""
        if self._asks_tls and self.extensions.starttls:
            self._output.append(b"STARTTLS\r\n")
            self._expected.append(_Expected.TLS)
        elif self._needs_tls:
            self._is_broken = True
            events.append(NoTls(None))
        else:
            self._rest(Ready(), events)

    def _read_starttls(self, reply: Reply, events: list[ClientEvent]) -> None:
        if self._output:
            events.append(self._break(f"STARTTLS was answered before it was said: {reply}"))
        elif reply.is_positive:
            self._is_securing = True
            events.append(StartTls() if self._reader.is_clean else self._break(_CLEAR_TEXT))
        elif self._needs_tls or reply.code == 421:
            self._is_broken = True
            events.append(NoTls(reply))
        else:
            # RFC 3207 section 4: the client decides whether to go on without.
            self._rest(Ready(), events)

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
