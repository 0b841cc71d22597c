"""What an attempt carries: recipients of one message that go the same way.

A recipient leaves its batch the moment its outcome is known; what is left at the end of an attempt is what
still needs one. `Found`s are what the attempt hands to the settlement desk.
"""

from __future__ import annotations

from collections.abc import Iterable

from msgspec import Struct

from byreturn.mail import BodyType, Booking, Destination, Diagnosis, Duration, Instant, Message
from byreturn.policy import Outcome, RetrySchedule, Unbooked
from byreturn.protocol import Transaction


def sender_of(message: Message) -> str:
    """Say who counts as one sender when room and turns are shared.

    Bulk mail writes from a thousand reverse paths, so all that one client brings of it is one sender.
    """
    return f"{message.origin.address} bulk" if message.is_bulk else str(message.reverse_path)


class Carried:
    """A message in memory, shared by all its batches. `content` is None when it must be read anew.

    `fitted`: of a report, the smaller form that goes to a host which does not take the whole; empty: there is
    none.
    """

    __slots__ = ("content", "fitted", "message", "open", "sender")

    def __init__(self, message: Message, content: bytes | None, bookings: int) -> None:
        self.message = message
        self.content = content
        self.fitted: bytes | None = None
        self.open = bookings
        self.sender = sender_of(message)


class Batch:
    """The recipients of an attempt that have no outcome yet."""

    __slots__ = ("_left", "carried")

    def __init__(self, carried: Carried, bookings: Iterable[Booking]) -> None:
        self.carried = carried
        self._left = {booking.recipient.ordinal: booking for booking in bookings}

    @property
    def left(self) -> tuple[Booking, ...]:
        """Who still needs an outcome."""
        return tuple(self._left.values())

    @property
    def destinations(self) -> set[Destination]:
        """The destinations of those who are left."""
        return {booking.recipient.destination for booking in self._left.values()}

    def join(self, other: Batch, limit: int) -> bool:
        """Take over the recipients of another batch of the message, if there are not too many of them."""
        if len(self._left) + len(other._left) > limit:
            return False
        self._left.update(other._left)
        return True

    def split(self, limit: int) -> list[Batch]:
        """Split into batches of at most so many recipients."""
        left = self.left
        if len(left) <= limit:
            return [self]
        return [Batch(self.carried, left[at : at + limit]) for at in range(0, len(left), limit)]

    def take(self, booking: Booking) -> bool:
        """Take one out; False if its outcome was known already."""
        return self._left.pop(booking.recipient.ordinal, None) is not None

    def transaction(self, bookings: tuple[Booking, ...]) -> Transaction:
        """Say what is to be sent to some of them."""
        message, fitted = self.carried.message, self.carried.fitted
        return Transaction(
            reverse_path=message.reverse_path,
            recipients=tuple(booking.recipient for booking in bookings),
            octets=len(fitted) if fitted else message.octets,
            is_8bit=message.body is BodyType.EIGHT_BIT and not fitted,
            ret=message.ret,
            envid=message.envid,
        )


class Found(Struct, frozen=True):
    """What an attempt found for one recipient. `passed_on`: the next hop took over the DSN request."""

    carried: Carried
    booking: Booking
    outcome: Outcome | Unbooked
    began_at: Instant
    passed_on: bool = False


class HostsFailed(Struct, frozen=True):
    """Nobody answered for these destinations: that is news about them, not about this mail alone.

    `began_at`: when the attempt began that found it. `schedule`: when they are to be probed; None: as the
    terms of each say. `after`: when the host itself asked to be tried again.
    """

    destinations: tuple[Destination, ...]
    finding: Diagnosis
    began_at: Instant
    schedule: RetrySchedule | None = None
    after: Duration | None = None


class HostsAnswered(Struct, frozen=True):
    """Somebody answered for these destinations."""

    destinations: tuple[Destination, ...]
