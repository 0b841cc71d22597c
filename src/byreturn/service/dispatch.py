"""Dispatch: who is tried now, on which way, and who must wait.

A message comes in booked already for its first attempt, as far as there is room, and goes to its attempt
straight from memory: the spool is not read. What found no room, what was put off, and what waits for a
destination that does not answer, is claimed from the spool when it is due.

    admit (before the commit) -> begin (after it) -> ways -> batches -> store | relay -> settlement
                                   ^                                                        |
    claim <- timer <- due ---------'--------------- room, next due -------------------------'

Nobody waits for the dead: mail for a destination that is known not to answer is put off at once, with that
destination's last finding as its own, and this counts as its first outcome. Its siblings go on.

Bounds: the active window (`admission`). Everything else is on the disk.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Final

from msgspec import Struct

from byreturn.mail import (
    Booking,
    Consignment,
    Destination,
    Duration,
    Instant,
    Message,
    QueueId,
    Recipient,
    WeFound,
)
from byreturn.policy import Fence, InFlight, PutOff, Refused, Waiting
from byreturn.ports import Claimed, DestinationNews, NewRecipient, SpoolFault, Timer, World
from byreturn.service.admission import ActiveWindow, DispatchSettings
from byreturn.service.batch import Batch, Carried, Found, HostsFailed
from byreturn.service.brake import Brake
from byreturn.service.local import Local
from byreturn.service.relay import Relay
from byreturn.service.routes import NoWay, Routes, ToHosts, ToStore, Way
from byreturn.service.settlement import Settlement

_GATHER_WAYS: Final[Duration] = 20
_CLAIM_AGAIN: Final[Duration] = 1000
_CLAIM_ROWS: Final = 500
# Between two claims of a long queue, so that what comes in meanwhile is not kept waiting by it.
_CLAIM_PAUSE: Final[Duration] = 20
_LONGEST_SLEEP: Final[Duration] = 60_000


class Admitted(Struct, frozen=True):
    """What was decided for a new message: who is booked, who waits, what is kept in memory.

    `wake_at`: when the first of those who wait can be tried; None where nobody waits.
    """

    message: Message
    recipients: tuple[NewRecipient, ...]
    bookings: tuple[Booking, ...]
    content: bytes | None
    wake_at: Instant | None


class Dispatcher:
    """Decides what is in flight; a follower of the settlement desk."""

    def __init__(
        self,
        settings: DispatchSettings,
        world: World,
        settlement: Settlement,
        routes: Routes,
        relay: Relay,
        local: Local,
        brake: Brake,
    ) -> None:
        self._clock = world.clock
        self._spool = world.spool
        self._journal = world.journal
        self._epoch = world.epoch
        self._settlement = settlement
        self._routes = routes
        self._relay = relay
        self._local = local
        self._brake = brake
        self._window = ActiveWindow(settings)
        self._timer: Timer | None = None
        self._timer_at: Instant = 0
        self._is_claiming = False
        self._has_more = False
        self._is_stopped = False
        settlement.follow(self)

    @property
    def active(self) -> int:
        """How many recipients are in flight."""
        return self._window.active

    def start(self) -> None:
        """Take up what is due."""
        self._claim()

    def stop(self) -> None:
        """Begin nothing more; hang up. Bookings in flight are taken up at the next start."""
        self._is_stopped = True
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._relay.stop()

    # --- New mail -------------------------------------------------------------------------------------

    def admit(self, message: Message, recipients: Sequence[Recipient], content: bytes | None) -> Admitted:
        """Decide, before a new message is stored, who of it is booked already; reserve the room."""
        bookings: list[Booking] = []
        states: list[NewRecipient] = []
        dues: list[Instant] = []
        for recipient in recipients:
            destination = recipient.destination
            failing = self._settlement.failing(destination)
            expires_at = self._expires_at(message, destination)
            if failing is None and not self._is_stopped and self._window.has_room(message, destination):
                self._window.join(message, destination)
                bookings.append(Booking(recipient, 1, expires_at))
                state = InFlight(Fence(self._epoch, 1))
                states.append(NewRecipient(recipient, state, expires_at=expires_at))
            else:
                dues.append(message.accepted_at if failing is None else failing.due_at)
                states.append(self._waiting(message, recipient, failing, expires_at))
        kept = self._window.keep(content) if bookings else None
        return Admitted(message, tuple(states), tuple(bookings), kept, min(dues, default=None))

    def _expires_at(self, message: Message, destination: Destination) -> Instant:
        schedule = self._routes.terms.for_domain(destination).schedule
        return message.accepted_at + schedule.lifetime(message.priority)

    def _waiting(
        self, message: Message, recipient: Recipient, failing: DestinationNews | None, expires_at: Instant
    ) -> NewRecipient:
        """Let a recipient wait: for room, or for its destination; the latter is its first outcome."""
        state = Waiting(message.accepted_at, 0)
        if failing is None:
            return NewRecipient(recipient, state, expires_at=expires_at)
        notices = self._settlement.delay.notices(message, recipient)
        return NewRecipient(recipient, state, failing.finding, notices, expires_at=expires_at)

    def dismiss(self, admitted: Admitted) -> None:
        """The message could not be stored: give the room back."""
        for booking in admitted.bookings:
            self._window.leave(admitted.message, booking.recipient.destination)
        if admitted.content is not None:
            self._window.let_go(admitted.content)

    def begin(self, admitted: Admitted) -> None:
        """The message is stored: send it."""
        if admitted.wake_at is not None:
            self._wake_at(admitted.wake_at)
        if admitted.bookings:
            carried = Carried(admitted.message, admitted.content, len(admitted.bookings))
            self._carry(carried, admitted.bookings)

    # --- Ways -----------------------------------------------------------------------------------------

    def _carry(self, carried: Carried, bookings: Sequence[Booking]) -> None:
        """Find the ways, gather those that go the same one, and send."""
        if len(bookings) == 1:
            (booking,) = bookings
            self.find(booking.recipient.destination, lambda way: self.go(way, carried, bookings))
            return
        _Gathering(self, carried, bookings).start()

    def find(self, destination: Destination, done: Callable[[Way], None]) -> None:
        """Find the way to a destination."""
        is_failing = self._settlement.failing(destination) is not None
        self._routes.find(destination, done, anew=is_failing)

    def call_soon(self, call: Callable[[], None]) -> None:
        """Call when the ways that can be known soon are known."""
        self._clock.call_later(_GATHER_WAYS, call)

    def go(self, way: Way, carried: Carried, bookings: Sequence[Booking]) -> None:
        """Send bookings along their way."""
        if self._is_stopped:
            return
        match way:
            case ToHosts():
                self._relay.send(way, Batch(carried, bookings))
            case ToStore():
                self._local.deliver(carried, bookings)
            case NoWay(finding=finding, is_final=True):
                self._brake.judge(
                    {booking.recipient.destination for booking in bookings},
                    finding,
                    lambda final: self._on_verdict(final, finding, carried, bookings),
                )
            case NoWay(finding=finding):
                self._on_verdict(frozenset(), finding, carried, bookings)

    def _on_verdict(
        self,
        final: frozenset[Destination],
        finding: WeFound,
        carried: Carried,
        bookings: Sequence[Booking],
    ) -> None:
        """There is no way to these: for good to those that are named final, to the others for now."""
        if self._is_stopped:
            return
        now = self._clock.now()
        found = []
        later: dict[Destination, None] = {}
        for booking in bookings:
            if booking.recipient.destination in final:
                found.append(Found(carried, booking, Refused(finding), now))
            else:
                later[booking.recipient.destination] = None
                found.append(Found(carried, booking, PutOff(finding, now), now))
        self._settlement.gone(final)
        if later:
            self._settlement.hear(HostsFailed(tuple(later), finding, now))
        self._settlement.settle(found)

    # --- What was settled -----------------------------------------------------------------------------

    def on_settled(self, found: Sequence[Found], *, next_due_at: Instant | None) -> None:
        """Free the room, and claim again if more waits for it."""
        for one in found:
            carried = one.carried
            self._window.leave(carried.message, one.booking.recipient.destination)
            carried.open -= 1
            if not carried.open and carried.content is not None:
                self._window.let_go(carried.content)
                carried.content = None
        if next_due_at is not None:
            self._wake_at(next_due_at)
        # While a claim is under way nobody knows whether there is more; then it is asked when that is known.
        if self._has_more and self._window.came_free():
            self._wake_at(self._clock.now())

    def on_owed(self, message_id: QueueId, due_at: Instant) -> None:
        """Reports are another desk's."""

    # --- Claiming -------------------------------------------------------------------------------------

    def wake(self) -> None:
        """Something may be due that was not before."""
        self._wake_at(self._clock.now())

    def _wake_at(self, at: Instant) -> None:
        if self._is_stopped or (self._timer is not None and self._timer_at <= at):
            return
        if self._timer is not None:
            self._timer.cancel()
        now = self._clock.now()
        self._timer_at = max(at, now)
        self._timer = self._clock.call_later(min(self._timer_at - now, _LONGEST_SLEEP), self._on_timer)

    def _on_timer(self) -> None:
        self._timer = None
        self._claim()

    def _claim(self) -> None:
        if self._is_stopped or self._is_claiming:
            return
        room = min(self._window.room, _CLAIM_ROWS)
        if room <= 0:
            self._has_more = True
            return
        self._is_claiming = True
        self._has_more = False
        self._window.came_free()
        self._spool.claim(self._clock.now(), room, self._window.quotas(), self._on_claimed)

    def _on_claimed(self, claimed: Claimed | SpoolFault) -> None:
        self._is_claiming = False
        if isinstance(claimed, SpoolFault):
            self._journal.fault("dispatch", claimed.why)
            self._wake_at(self._clock.now() + _CLAIM_AGAIN)
            return
        for consignment in claimed.consignments:
            for booking in consignment.bookings:
                self._window.join(consignment.message, booking.recipient.destination)
        if claimed.has_more:
            self._has_more = True
            if claimed.consignments or self._window.came_free():
                self._wake_at(self._clock.now() + _CLAIM_PAUSE)
        if claimed.next_due_at is not None:
            self._wake_at(claimed.next_due_at)
        for consignment in claimed.consignments:
            self._take_up(consignment)

    def _take_up(self, consignment: Consignment) -> None:
        carried = Carried(consignment.message, None, len(consignment.bookings))
        self._carry(carried, consignment.bookings)


class _Gathering:
    """Recipients of one message whose ways are being found.

    Those whose ways become known within 20 ms of each other go together where they go the same way: at first
    all that are known at once, then again and again what has come in meanwhile. So a thousand domains on one
    host make a few transactions, and one slow name server holds up nobody else.
    """

    def __init__(self, dispatcher: Dispatcher, carried: Carried, bookings: Sequence[Booking]) -> None:
        self._dispatcher = dispatcher
        self._carried = carried
        self._by_destination: dict[Destination, list[Booking]] = {}
        for booking in bookings:
            self._by_destination.setdefault(booking.recipient.destination, []).append(booking)
        self._known: dict[object, tuple[Way, list[Booking]]] = {}
        self._unknown = len(self._by_destination)
        self._is_waiting = False

    def start(self) -> None:
        """Find all ways."""
        for destination, bookings in tuple(self._by_destination.items()):
            self._dispatcher.find(destination, partial(self._on_way, bookings))

    def _on_way(self, bookings: list[Booking], way: Way) -> None:
        self._unknown -= 1
        key = way.key if isinstance(way, ToHosts) else way
        self._known.setdefault(key, (way, []))[1].extend(bookings)
        if not self._unknown:
            self._send()
        elif not self._is_waiting:
            self._is_waiting = True
            self._dispatcher.call_soon(self._send)

    def _send(self) -> None:
        self._is_waiting = False
        known, self._known = self._known, {}
        for way, bookings in known.values():
            self._dispatcher.go(way, self._carried, bookings)
