"""What an attempt carries: recipients of one message that go the same way.

A recipient leaves its batch the moment its outcome is known; what is left at the end of an attempt is what
still needs one. `Found`s are what the attempt hands to the settlement desk.
"""

from __future__ import annotations

from collections.abc import Iterable

from msgspec import Struct

from byreturn.mail import BodyType, Booking, Destination, Diagnosis, Instant, Message
from byreturn.policy import Outcome
from byreturn.protocol import Transaction


class Carried:
    """A message in memory, shared by all its batches. `content` is None when it must be read anew."""

    __slots__ = ("content", "message", "open")

    def __init__(self, message: Message, content: bytes | None, bookings: int) -> None:
        self.message = message
        self.content = content
        self.open = bookings


class Batch:
    """The recipients of an attempt that have no outcome yet."""

    __slots__ = ("_left", "began_at", "carried")

    def __init__(self, carried: Carried, bookings: Iterable[Booking], began_at: Instant) -> None:
        self.carried = carried
        self.began_at = began_at
        self._left = {booking.recipient.ordinal: booking for booking in bookings}

    @property
    def left(self) -> tuple[Booking, ...]:
        """Who still needs an outcome."""
        return tuple(self._left.values())

    @property
    def destinations(self) -> set[Destination]:
        """The destinations of those who are left."""
        return {booking.recipient.destination for booking in self._left.values()}

    def take(self, booking: Booking) -> bool:
        """Take one out; False if its outcome was known already."""
        return self._left.pop(booking.recipient.ordinal, None) is not None

    def transaction(self, bookings: tuple[Booking, ...]) -> Transaction:
        """Say what is to be sent to some of them."""
        message = self.carried.message
        return Transaction(
            reverse_path=message.reverse_path,
            recipients=tuple(booking.recipient for booking in bookings),
            octets=message.octets,
            is_8bit=message.body is BodyType.EIGHT_BIT,
            ret=message.ret,
            envid=message.envid,
        )


class Found(Struct, frozen=True):
    """What an attempt found for one recipient. `passed_on`: the next hop took over the DSN request."""

    carried: Carried
    booking: Booking
    outcome: Outcome
    began_at: Instant
    passed_on: bool = False


class HostsFailed(Struct, frozen=True):
    """Nobody answered for these destinations: that is news about them, not about this mail alone.

    `began_at`: when the attempt began that found it.
    """

    destinations: tuple[Destination, ...]
    finding: Diagnosis
    began_at: Instant


class HostsAnswered(Struct, frozen=True):
    """Somebody answered for these destinations."""

    destinations: tuple[Destination, ...]
