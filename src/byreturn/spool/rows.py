"""Rows and values: how a state, a message and a recipient are written, and read back.

The numbers of the states stand in the schema's CHECKs and must never change their meaning.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, TypeAlias

import msgspec

from byreturn.mail import (
    Action,
    BodyType,
    Booking,
    Destination,
    Diagnosis,
    Mailbox,
    Message,
    Notify,
    Origin,
    PeerSaid,
    Priority,
    QueueId,
    Recipient,
    Ret,
    WeFound,
    mailbox_from_text,
    reverse_path_from_text,
)
from byreturn.policy import (
    Delivered,
    Discarded,
    Event,
    Expired,
    Failed,
    Fence,
    GaveUpOnUs,
    Held,
    InFlight,
    Interrupted,
    Parked,
    PutOff,
    RanOutOfTime,
    Refused,
    Relayed,
    Returned,
    State,
    Stored,
    Unbooked,
    Uncertain,
    Waiting,
    WasDiscarded,
    WasHeld,
    WasReleased,
    WasReturned,
)
from byreturn.policy.lifecycle import Booked
from byreturn.ports.spool import NewRecipient

Row: TypeAlias = tuple[Any, ...]

STATE_NUMBERS: Final[dict[type[State], int]] = {
    Waiting: 0,
    InFlight: 1,
    Held: 2,
    Parked: 3,
    Delivered: 4,
    Failed: 5,
    Expired: 6,
    Returned: 7,
    Discarded: 8,
}
STATE_NAMES: Final = (
    "waiting", "in flight", "held", "parked", "delivered", "failed", "expired", "returned", "discarded",
)  # fmt: skip
_COUNTED: Final[dict[int, Callable[[int], State]]] = {
    2: Held,
    3: Parked,
    4: Delivered,
    5: Failed,
    6: Expired,
    7: Returned,
    8: Discarded,
}
FIRST_FINAL: Final = 4

EVENT_NAMES: Final[dict[type[Event], str]] = {
    Booked: "booked",
    Relayed: "relayed",
    Stored: "stored",
    Refused: "refused",
    PutOff: "put off",
    Uncertain: "uncertain",
    Unbooked: "given back",  # never in the history: nothing was tried
    Interrupted: "interrupted",
    GaveUpOnUs: "parked",
    RanOutOfTime: "expired",
    WasHeld: "held",
    WasReleased: "released",
    WasReturned: "returned",
    WasDiscarded: "discarded",
}
PUT_OFF_WITH_ANOTHER: Final = "put off with another"

_encode: Final = msgspec.json.Encoder().encode
_decode: Final = msgspec.json.Decoder(PeerSaid | WeFound).decode


def event_name(event: Event) -> str:
    """Name an event as the history does."""
    if isinstance(event, PutOff) and event.by_another:
        return PUT_OFF_WITH_ANOTHER
    return EVENT_NAMES[type(event)]


def finding_text(finding: Diagnosis | None) -> str | None:
    """Write a diagnosis."""
    return None if finding is None else _encode(finding).decode()


def finding_from_text(text: str | None) -> Diagnosis | None:
    """Read a diagnosis back."""
    return None if text is None else _decode(text)


def message_row(message: Message) -> Row:
    """Write a message, in the order of `add_message`."""
    origin = message.origin
    return (
        message.id, str(message.reverse_path), message.accepted_at, message.expires_at, message.octets,
        message.recipient_count, message.body.value, message.ret and message.ret.value, message.envid,
        int(message.priority), origin.address, origin.hello, origin.listener, message.about,
        message.message_id, message.subject, int(message.is_bulk),
    )  # fmt: skip


def message_from_row(row: Row) -> Message:
    """Read a message, in the order of `get_message`."""
    return Message(
        id=QueueId(row[0]),
        reverse_path=reverse_path_from_text(row[1]),
        accepted_at=row[2],
        expires_at=row[3],
        octets=row[4],
        recipient_count=row[5],
        body=BodyType(row[6]),
        ret=None if row[7] is None else Ret(row[7]),
        envid=row[8],
        priority=Priority(row[9]),
        origin=Origin(row[10], row[11], row[12]),
        about=row[13],
        message_id=row[14],
        subject=row[15],
        is_bulk=bool(row[16]),
    )


def recipient_row(message: Message, new: NewRecipient) -> Row:
    """Write a new recipient, in the order of `add_recipient`."""
    recipient = new.recipient
    address = str(recipient.address)
    given = None if recipient.given == recipient.address else str(recipient.given)
    state = new.state
    if isinstance(state, InFlight):
        # When interrupted it is due at once: nobody has been told "later" yet.
        epoch: int | None = state.fence.epoch
        number, due_at, attempts = 1, message.accepted_at, state.fence.attempt
    else:
        assert isinstance(state, Waiting), "a recipient begins waiting or in flight"
        number, due_at, epoch, attempts = 0, state.due_at, None, state.attempts
    return (
        message.id, recipient.ordinal, address, given, recipient.destination, int(recipient.notify),
        recipient.orcpt, int(message.priority), number, due_at, epoch, attempts,
        message.expires_at if new.expires_at is None else new.expires_at,
        message.accepted_at, None if new.finding is None else message.accepted_at,
        finding_text(new.finding),
    )  # fmt: skip


def recipient_from_row(row: Row) -> Recipient:
    """Read a recipient: ordinal, address, given, destination, notify, orcpt."""
    address = mailbox_from_text(row[1])
    given: Mailbox = address if row[2] is None else mailbox_from_text(row[2])
    return Recipient(row[0], address, given, Destination(row[3]), Notify(row[4]), row[5])


def action_of(name: str, event: str | None) -> Action:
    """Read the action of an owed line; of mail that has gone through, `event` is how."""
    match name:
        case "cleared":
            return Action.DELIVERED if event == EVENT_NAMES[Stored] else Action.RELAYED
        case "copied":
            return Action.FAILED
        case _:
            return Action(name)


def booking_from_row(row: Row) -> Booking:
    """Read what `book_recipient` returns, behind the message's id."""
    return Booking(recipient_from_row(row[1:7]), row[7], row[8])


def state_from_row(number: int, due_at: int | None, epoch: int | None, attempts: int) -> State:
    """Read a state."""
    if number == 0:
        assert due_at is not None
        return Waiting(due_at, attempts)
    if number == 1:
        assert epoch is not None
        return InFlight(Fence(epoch, attempts))
    return _COUNTED[number](attempts)
