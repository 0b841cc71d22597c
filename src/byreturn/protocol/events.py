"""What a client's session is given and what it tells: the transaction, the phases, the events.

A session is in one phase at a time and tells one event after the other; what they mean for a recipient is
not decided here.
"""

from __future__ import annotations

from enum import Enum
from typing import TypeAlias

from msgspec import Struct

from byreturn.mail import Phase, Recipient, Reply, Ret, ReversePath


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
    TLS = Phase.TLS
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


class StartTls(Struct, frozen=True):
    """The peer waits for the handshake; `secured` tells the session that it went well."""


class NoTls(Struct, frozen=True):
    """TLS cannot be had here, and this dialogue cannot go on without it; the connection is spent.

    `reply`: how STARTTLS was refused; None when it was not even offered.
    """

    reply: Reply | None


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
    | StartTls
    | NoTls
    | RecipientAnswered
    | TransactionRefused
    | SendContent
    | ContentAnswered
    | TransactionOver
    | HangingUp
    | Broken
)
