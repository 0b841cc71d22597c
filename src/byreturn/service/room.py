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
# Those who are asked to give way may have another host to try, and keep their place: so many are asked.
_ASKED: Final = 8


class Stage(Enum):
    """How far the connection of a place has come."""

    UNPROVEN = "unproven"
    SPEAKING = "speaking"
    AT_REST = "at rest"
    GONE = "gone"


class Lodger(Protocol):
    """Who waits for the first word of a host."""

    def give_way(self) -> None:
        """Stop waiting for this host: leave the place, or go on with another host in it."""
        ...


class Guest(Protocol):
    """Who waits for a place."""

    def use_one_place(self) -> None:
        """There may be room: take one place, if it is still wanted."""
        ...


class Place:
    """One place, from the first look-up to the end of the connection."""

    __slots__ = ("_room", "close", "lodger", "since", "stage")

    def __init__(self, room: Room, since: Instant) -> None:
        self._room = room
        # Whoever takes a place says at once who lodges there.
        self.lodger: Lodger | None = None
        self.since = since
        self.stage = Stage.UNPROVEN
        self.close: Callable[[], None] | None = None

    @property
    def is_heard(self) -> bool:
        """Whether the host has said anything."""
        return self.stage in (Stage.SPEAKING, Stage.AT_REST)

    def begin_again(self) -> None:
        """Another host is tried in the same place."""
        self._room.move(self, Stage.UNPROVEN)

    def prove(self) -> None:
        """The host has spoken."""
        if self.stage is Stage.UNPROVEN:
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
        self._reports: deque[Guest] = deque()
        self._line: deque[Guest] = deque()
        self._is_asking = False
        self._is_serving_soon = False
        self._patience = wheel.watch(self._serve)

    @property
    def taken(self) -> int:
        """How many connections there are, or are being made."""
        return self._taken

    @property
    def unproven(self) -> int:
        """How many of them have not heard a word yet."""
        return len(self._unproven)

    # --- Taking ---------------------------------------------------------------------------------------

    def take(self, *, is_report: bool) -> Place | None:
        """Take a place for a host that is to be dialled; None where there is no room now."""
        if self._is_asking:
            return None  # Room is being made for somebody else at this moment.
        if not self._has_room(is_report=is_report):
            return None
        place = Place(self, self._clock.now())
        self._taken += 1
        self._unproven[place] = None
        return place

    def _has_room(self, *, is_report: bool) -> bool:
        limit = self._limit if is_report else self._unreserved
        while self._taken >= limit and self._at_rest:
            self._close_one()
        unproven_limit = self._limit if is_report else self._unproven_limit
        asked = 0
        while self._taken >= limit or len(self._unproven) >= unproven_limit:
            if asked == _ASKED or not self._ask_oldest():
                return False
            asked += 1
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
        return True

    # --- Leaving --------------------------------------------------------------------------------------

    def move(self, place: Place, stage: Stage) -> None:
        """Bring a place to another stage."""
        self._unproven.pop(place, None)
        self._at_rest.pop(place, None)
        place.stage = stage
        match stage:
            case Stage.UNPROVEN:
                place.since = self._clock.now()
                self._unproven[place] = None
                return
            case Stage.AT_REST:
                self._at_rest[place] = None
            case Stage.GONE:
                self._taken -= 1
            case Stage.SPEAKING:
                pass
        if (self._line or self._reports) and not self._is_serving_soon:
            self._is_serving_soon = True
            self._clock.call_later(0, self._serve)

    # --- Waiting --------------------------------------------------------------------------------------

    def wait(self, guest: Guest, *, is_report: bool) -> None:
        """Stand in line."""
        line = self._reports if is_report else self._line
        if guest not in line:
            line.append(guest)
        if self._is_asking and not self._is_serving_soon:
            self._is_serving_soon = True
            self._clock.call_later(0, self._serve)

    def _serve(self) -> None:
        """Give one place to each who waits, as long as there is room; who wants more stands behind again."""
        self._is_serving_soon = False
        for line, is_report in ((self._reports, True), (self._line, False)):
            for _ in range(len(line)):
                if not self._has_room(is_report=is_report):
                    break
                line.popleft().use_one_place()
