"""Time that passes only when it is told to.

Calls lie in a heap, ordered by their due time and, where that is the same, by the order in which they were
asked for. So one seed gives one world: nothing here looks at a real clock, and nothing runs beside anything.

    call_later --> heap of (due, number, call) --run_until/advance/run--> call()

Promises: `now()` never steps back, and is the due time of a call while it runs; calls run in order of due
time, then of asking; none runs from inside `call_later`. What raises passes through to whoever runs the
clock, and the calls behind it stay in the heap.
Fails: AssertionError if time stands still: more than STANDSTILL calls within one millisecond.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable
from typing import Final

from byreturn.mail import Duration, Instant

# 2026-01-01T00:00Z, a Thursday.
START: Final[Instant] = 1_767_225_600_000
STANDSTILL: Final = 1_000_000


class VirtualTimer:
    """A call that is due later."""

    __slots__ = ("call", "due_at")

    def __init__(self, due_at: Instant, call: Callable[[], None]) -> None:
        self.due_at = due_at
        self.call: Callable[[], None] | None = call

    def cancel(self) -> None:
        """Take the call back; harmless when it was made already."""
        self.call = None


class VirtualClock:
    """Implements `ports.Clock`. Set `trusted` to False to play a jump of the system's clock."""

    def __init__(self, start: Instant = START) -> None:
        self.trusted = True
        self._now = start
        self._number = 0
        self._heap: list[tuple[Instant, int, VirtualTimer]] = []
        self._calls_in_this_instant = 0

    # --- The port -------------------------------------------------------------------------------------

    def now(self) -> Instant:
        """Return the present instant."""
        return self._now

    def is_trusted(self) -> bool:
        """Whether the system's clock agrees; as it was set."""
        return self.trusted

    def call_later(self, delay: Duration, call: Callable[[], None]) -> VirtualTimer:
        """Call once, `delay` from now; a delay below zero is none, as for a real loop."""
        timer = VirtualTimer(self._now + max(0, delay), call)
        self._number += 1
        heapq.heappush(self._heap, (timer.due_at, self._number, timer))
        return timer

    # --- Letting time pass ----------------------------------------------------------------------------

    def next_due_at(self) -> Instant | None:
        """When the next call is due; None when nothing waits."""
        while self._heap and self._heap[0][2].call is None:
            heapq.heappop(self._heap)
        return self._heap[0][0] if self._heap else None

    def run_until(self, instant: Instant) -> int:
        """Make every call that is due by then, also those asked for meanwhile; say how many."""
        count = 0
        while (due_at := self.next_due_at()) is not None and due_at <= instant:
            self._step()
            count += 1
        self._move(max(instant, self._now))
        return count

    def run_now(self) -> int:
        """Make every call that is due without letting time pass."""
        return self.run_until(self._now)

    def advance(self, duration: Duration) -> int:
        """Let so much time pass."""
        return self.run_until(self._now + duration)

    def run(self, max_events: int) -> int:
        """Make at most so many calls, however far in the future; say how many there were."""
        count = 0
        while count < max_events and self.next_due_at() is not None:
            self._step()
            count += 1
        return count

    def forget_all(self) -> None:
        """Drop every call: the process that asked for them is dead. Time stays what it is."""
        self._heap.clear()

    def _step(self) -> None:
        due_at, _, timer = heapq.heappop(self._heap)
        self._move(due_at)
        call, timer.call = timer.call, None
        assert call is not None, "next_due_at has thrown the cancelled ones away"
        self._calls_in_this_instant += 1
        assert self._calls_in_this_instant <= STANDSTILL, f"time stands still at {self._now}: {call!r}"
        call()

    def _move(self, instant: Instant) -> None:
        if instant > self._now:
            self._now = instant
            self._calls_in_this_instant = 0
