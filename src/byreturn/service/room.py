"""Room for connections: one number above all lanes, shared so that the dead cannot fill it.

    dialling, no banner yet   at most 60 % of all: whoever has waited longest gives way to a newcomer
    speaking                  as many as there is room for
    at rest                   closed first when room is wanted
    the last 5 %              for reports

Who finds no room stands in line, lane behind lane, and each gets one place a turn; a lane with a report to
send stands in a line that is served first.

Promises: at most `connections` places are taken, at most 60 % of them by hosts that have not said a word.
Somebody who has waited less than PATIENCE is not sent away: two repetitions of a lost first packet fall
within it.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from enum import Enum
from typing import Final, Protocol

from byreturn.mail import SECOND, Duration, Instant
from byreturn.service.watch import Wheel

PATIENCE: Final[Duration] = 4 * SECOND
_UNPROVEN_PERCENT: Final = 60
_REPORTS_PERCENT: Final = 5


class Stage(Enum):
    """How far the connection of a place has come."""

    UNPROVEN = "unproven"
    SPEAKING = "speaking"
    AT_REST = "at rest"
    GONE = "gone"


class Guest(Protocol):
    """Who wants a place, and lodges in it."""

    lane: tuple[str, ...]
    is_report: bool

    def use_one_place(self) -> None:
        """There may be room: take a place, if it is still wanted."""
        ...

    def give_way(self) -> None:
        """Stop waiting for the host, and leave the place."""
        ...


class Place:
    """One place, from the dial to the end of the connection."""

    __slots__ = ("_room", "close", "lodger", "since", "stage")

    def __init__(self, room: Room, lodger: Guest, since: Instant) -> None:
        self._room = room
        self.lodger: Guest | None = lodger
        self.since = since
        self.stage = Stage.UNPROVEN
        self.close: Callable[[], None] | None = None

    @property
    def is_heard(self) -> bool:
        """Whether the host has said anything."""
        return self.stage in (Stage.SPEAKING, Stage.AT_REST)

    def prove(self) -> None:
        """The host has spoken."""
        if self.stage is Stage.UNPROVEN:
            self.lodger = None
            self._room.move(self, Stage.SPEAKING)

    def rest(self, close: Callable[[], None]) -> None:
        """The connection is kept for later; `close` ends it if the room is wanted."""
        self.close = close
        self._room.move(self, Stage.AT_REST)

    def wake(self) -> None:
        """The connection is used again."""
        self.close = None
        self._room.move(self, Stage.SPEAKING)

    def leave(self) -> None:
        """The connection is gone, or was never made; leaving twice is harmless."""
        if self.stage is not Stage.GONE:
            self.lodger = self.close = None
            self._room.move(self, Stage.GONE)


class Room:
    """All places."""

    def __init__(self, connections: int, wheel: Wheel) -> None:
        self._clock = wheel.clock
        self._limit = connections
        self._unproven_limit = max(1, connections * _UNPROVEN_PERCENT // 100)
        self._unreserved = connections - connections * _REPORTS_PERCENT // 100
        self._taken = 0
        # Each in the order in which they came to this stage.
        self._unproven: dict[Place, None] = {}
        self._at_rest: dict[Place, None] = {}
        self._reports = _Turns()
        self._line = _Turns()
        self._is_asking = False
        self._is_serving = False
        self._is_serving_soon = False
        self._patience = wheel.watch(self._serve)

    @property
    def taken(self) -> int:
        """How many connections there are, or are being made."""
        return self._taken

    @property
    def limit(self) -> int:
        """How many there may be."""
        return self._limit

    @property
    def unproven(self) -> int:
        """How many of them have not heard a word yet."""
        return len(self._unproven)

    @property
    def is_short(self) -> bool:
        """Whether somebody waits who could use the place of a connection that is kept."""
        is_full = self._taken >= self._unreserved and len(self._unproven) < self._unproven_limit
        return is_full and bool(self._line or self._reports)

    # --- Taking ---------------------------------------------------------------------------------------

    def take(self, guest: Guest) -> Place | None:
        """Take a place for a host that is to be dialled; None where there is no room now."""
        # While room is being made for somebody, nobody else takes it; and others may have been here before.
        is_behind = self._reports or (self._line and not guest.is_report)
        if self._is_asking or (is_behind and not self._is_serving):
            return None
        if not self._has_room(is_report=guest.is_report):
            return None
        place = Place(self, guest, self._clock.now())
        self._taken += 1
        self._unproven[place] = None
        return place

    def _has_room(self, *, is_report: bool) -> bool:
        limit = self._limit if is_report else self._unreserved
        while self._taken >= limit and self._at_rest:
            self._close_one()
        unproven_limit = self._limit if is_report else self._unproven_limit
        while self._taken >= limit or len(self._unproven) >= unproven_limit:
            if not self._ask_oldest():
                return False
        return True

    def _close_one(self) -> None:
        place = next(iter(self._at_rest))
        close = place.close
        assert close is not None, "whoever rests has said how to end it"
        close()
        assert place.stage is Stage.GONE

    def _ask_oldest(self) -> bool:
        """Ask whoever has waited longest for the first word to give way."""
        oldest = next(iter(self._unproven), None)
        if oldest is None:
            return False
        left = oldest.since + PATIENCE - self._clock.now()
        if left > 0:
            self._patience.set(left)
            return False
        lodger = oldest.lodger
        assert lodger is not None, "whoever waits for a word lodges somewhere"
        self._is_asking = True
        try:
            lodger.give_way()
        finally:
            self._is_asking = False
        assert oldest.stage is Stage.GONE, "whoever gives way leaves"
        return True

    # --- Leaving --------------------------------------------------------------------------------------

    def move(self, place: Place, stage: Stage) -> None:
        """Bring a place to another stage."""
        self._unproven.pop(place, None)
        self._at_rest.pop(place, None)
        place.stage = stage
        match stage:
            case Stage.AT_REST:
                self._at_rest[place] = None
            case Stage.GONE:
                self._taken -= 1
            case _:
                pass
        if self._line or self._reports:
            self._serve_soon()

    # --- Waiting --------------------------------------------------------------------------------------

    def wait(self, guest: Guest) -> None:
        """Stand in line."""
        (self._reports if guest.is_report else self._line).add(guest)
        if self._is_asking:
            self._serve_soon()

    def _serve_soon(self) -> None:
        if not self._is_serving_soon:
            self._is_serving_soon = True
            self._clock.call_later(0, self._serve)

    def _serve(self) -> None:
        """Give a place to each who waits, lane after lane, as long as there is room."""
        self._is_serving_soon = False
        self._is_serving = True
        for line, is_report in ((self._reports, True), (self._line, False)):
            while line and self._has_room(is_report=is_report):
                line.next().use_one_place()
        self._is_serving = False


class _Turns:
    """Who waits, lane after lane, each lane's first in turn."""

    __slots__ = ("_lanes", "_length")

    def __init__(self) -> None:
        self._lanes: dict[tuple[str, ...], deque[Guest]] = {}
        self._length = 0

    def __len__(self) -> int:
        return self._length

    def add(self, guest: Guest) -> None:
        """Stand behind the others of the lane."""
        self._lanes.setdefault(guest.lane, deque()).append(guest)
        self._length += 1

    def next(self) -> Guest:
        """Take the next one; the lane's turn comes again behind the others."""
        lane = next(iter(self._lanes))
        guests = self._lanes.pop(lane)
        guest = guests.popleft()
        if guests:
            self._lanes[lane] = guests
        self._length -= 1
        return guest
