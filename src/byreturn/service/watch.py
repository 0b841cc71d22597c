"""A deadline that moves all the time and costs nothing to move.

Each step of a dialogue sets a new deadline, some ten a message, and nearly none is ever reached. So setting
one is an assignment; a timer runs only to the earliest deadline there was, and then looks again.
"""

from __future__ import annotations

from collections.abc import Callable

from byreturn.mail import Duration, Instant
from byreturn.ports import Clock, Timer


class Watch:
    """Calls `ring` once when the deadline that was set last has passed."""

    __slots__ = ("_clock", "_due_at", "_ring", "_timer", "_timer_at")

    def __init__(self, clock: Clock, ring: Callable[[], None]) -> None:
        self._clock = clock
        self._ring = ring
        self._due_at: Instant | None = None
        self._timer: Timer | None = None
        self._timer_at: Instant = 0

    def set(self, limit: Duration) -> None:
        """Ring `limit` from now, unless set again or stopped before."""
        due_at = self._due_at = self._clock.now() + limit
        if self._timer is None:
            self._start(limit, due_at)
        elif due_at < self._timer_at:
            self._timer.cancel()
            self._start(limit, due_at)

    def stop(self) -> None:
        """Do not ring, and let go of the timer."""
        self._due_at = None
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _start(self, limit: Duration, due_at: Instant) -> None:
        self._timer = self._clock.call_later(limit, self._look)
        self._timer_at = due_at

    def _look(self) -> None:
        self._timer = None
        due_at = self._due_at
        if due_at is None:
            return
        left = due_at - self._clock.now()
        if left > 0:
            self._start(left, due_at)
        else:
            self._due_at = None
            self._ring()
