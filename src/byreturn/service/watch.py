"""Deadlines that move all the time and cost nothing to move: one wheel, one timer, all who wait.

Each step of a dialogue sets a new deadline, some ten a message, and nearly none is ever reached. So setting a
later one is an assignment. The wheel has a list for each twentieth of a second in which somebody's deadline
once lay; when that time comes, whoever has moved on is put where he belongs now, and the others ring.

    Watch.set --earlier--> moved to its list at once
        '------later-----> stays; when its list comes up, it moves to the list of its deadline
    Wheel: { tick: watches } + one timer to the earliest tick

Promises: a watch rings once, at its deadline or up to GRAIN after it, never before; a stopped one never.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable
from typing import Final

from byreturn.mail import Duration, Instant
from byreturn.ports import Clock, Timer

GRAIN: Final[Duration] = 50


class Wheel:
    """All deadlines of one house."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self._lists: dict[int, set[Watch]] = {}
        self._ticks: list[int] = []
        self._timer: Timer | None = None
        self._timer_tick = 0

    def watch(self, ring: Callable[[], None]) -> Watch:
        """Make a watch; it is not set yet."""
        return Watch(self, ring)

    def _place(self, watch: Watch, due_at: Instant) -> None:
        tick = -(-due_at // GRAIN)
        watch.tick = tick
        there = self._lists.get(tick)
        if there is None:
            self._lists[tick] = {watch}
            heapq.heappush(self._ticks, tick)
            if self._timer is None or tick < self._timer_tick:
                self._wind()
        else:
            there.add(watch)

    def _remove(self, watch: Watch) -> None:
        # An empty list stays until its time comes: it is what keeps heap and lists in step.
        self._lists[watch.tick].discard(watch)
        watch.tick = 0

    def _wind(self) -> None:
        """Set the one timer to the earliest list."""
        if self._timer is not None:
            self._timer.cancel()
        self._timer_tick = self._ticks[0]
        self._timer = self.clock.call_later(
            max(0, self._timer_tick * GRAIN - self.clock.now()), self._on_timer
        )

    def _on_timer(self) -> None:
        self._timer = None
        now = self.clock.now()
        ringing: list[Watch] = []
        while self._ticks and self._ticks[0] * GRAIN <= now:
            for watch in self._lists.pop(heapq.heappop(self._ticks)):
                watch.tick = 0
                if watch.due_at is None:
                    continue
                if watch.due_at > now:
                    self._place(watch, watch.due_at)
                else:
                    ringing.append(watch)
        if self._ticks and self._timer is None:
            self._wind()
        for watch in ringing:
            # One that rang before may have stopped or set this one.
            if watch.due_at is not None and watch.due_at <= now:
                watch.due_at = None
                watch.ring()


class Watch:
    """Calls `ring` once when the deadline that was set last has passed."""

    __slots__ = ("_wheel", "due_at", "ring", "tick")

    def __init__(self, wheel: Wheel, ring: Callable[[], None]) -> None:
        self._wheel = wheel
        self.ring = ring
        self.due_at: Instant | None = None
        self.tick = 0

    def set(self, limit: Duration) -> None:
        """Ring `limit` from now, unless set again or stopped before."""
        wheel = self._wheel
        due_at = self.due_at = wheel.clock.now() + limit
        if not self.tick:
            wheel._place(self, due_at)
        elif due_at <= (self.tick - 1) * GRAIN:
            wheel._remove(self)
            wheel._place(self, due_at)

    def stop(self) -> None:
        """Do not ring."""
        self.due_at = None
        if self.tick:
            self._wheel._remove(self)
