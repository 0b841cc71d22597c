"""The envelope: what was asked for in MAIL and RCPT, and what we keep of it.

Message     one accepted message: its reverse path, its parameters, where it came from
Recipient   one forward path of it, with what RFC 3461 lets the sender ask
Booking     a recipient that this process holds for one attempt
"""

from __future__ import annotations

from enum import IntEnum, IntFlag, StrEnum
from typing import Final

from msgspec import Struct

from byreturn.mail.address import Destination, Mailbox, ReversePath
from byreturn.mail.ids import QueueId
from byreturn.mail.instants import Instant


class Notify(IntFlag):
    """The NOTIFY parameter, RFC 3461 section 4.1. Zero means that none was given."""

    ABSENT = 0
    SUCCESS = 1
    FAILURE = 2
    DELAY = 4
    NEVER = 8

    def __str__(self) -> str:
        return ",".join(flag.name or "" for flag in Notify if flag & self and flag)


class Ret(StrEnum):
    """The RET parameter, RFC 3461 section 4.3."""

    FULL = "FULL"
    HDRS = "HDRS"


class BodyType(StrEnum):
    """The BODY parameter, RFC 6152."""

    SEVEN_BIT = "7BIT"
    EIGHT_BIT = "8BITMIME"


class Priority(IntEnum):
    """Who goes first. Reports go before everything else."""

    REPORT = 0
    URGENT = 1
    NORMAL = 2
    NON_URGENT = 3


class Recipient(Struct, frozen=True):
    """One recipient of a message.

    `ordinal` numbers the recipients of a message from 0. `given` is the address as RCPT gave it; it
    differs from `address` where an alias was expanded. `orcpt` is kept in its xtext form.
    """

    ordinal: int
    address: Mailbox
    given: Mailbox
    destination: Destination
    notify: Notify = Notify.ABSENT
    orcpt: str | None = None


class Booking(Struct, frozen=True):
    """A recipient in flight: `attempt` counts its attempts from 1 and is half of its fence."""

    recipient: Recipient
    attempt: int
    expires_at: Instant


# The listener of a message that we made ourselves: of a report, and of a postmaster's copy of one.
REPORT_LISTENER: Final = "report"
COPY_LISTENER: Final = "copy"


class Origin(Struct, frozen=True):
    """Where a message came from: the client's address, what it called itself, and the listener."""

    address: str = ""
    hello: str = ""
    listener: str = ""


class Message(Struct, frozen=True, kw_only=True):
    """An accepted message without its recipients and its content.

    `about` links a report to the message it is about. `octets` counts the content as we keep it, with
    our Received line. `envid` is kept in its xtext form.
    """

    id: QueueId
    reverse_path: ReversePath
    accepted_at: Instant
    expires_at: Instant
    octets: int
    recipient_count: int
    body: BodyType = BodyType.SEVEN_BIT
    ret: Ret | None = None
    envid: str | None = None
    priority: Priority = Priority.NORMAL
    origin: Origin = Origin()
    about: QueueId | None = None
    message_id: str = ""
    subject: str = ""
    is_bulk: bool = False


class Consignment(Struct, frozen=True):
    """A message and those of its recipients that this process has booked for an attempt."""

    message: Message
    bookings: tuple[Booking, ...]
