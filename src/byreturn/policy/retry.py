"""When to try again, and when to give up.

Two questions with two schedules. A peer that is alive and says "not now" (4yz) is often greylisting: it is
asked again soon, three times, before the slow schedule. A destination that does not answer gets the slow
schedule, and it is one schedule for all the mail that waits there.

    4yz from a live host    1, 5, 15 min, then as below
    no answer               15 min, 30 min, 1 h, then every 2 h      (the last value repeats)
    probe of a destination  as "no answer", but never further apart than 30 min (33 with jitter)

Each wait is shortened or lengthened by up to a tenth, so that what failed together does not come back
together. Pure: the dice are thrown by the caller, `lot` is from 0 up to 1.
"""

from __future__ import annotations

from typing import Final

from msgspec import Struct

from byreturn.mail import DAY, HOUR, MINUTE, Duration, Instant, Priority

_JITTER: Final = 0.1


class RetrySchedule(Struct, frozen=True):
    """The waits between attempts, and how long a message lives, by priority."""

    after_4yz: tuple[Duration, ...] = (1 * MINUTE, 5 * MINUTE, 15 * MINUTE)
    intervals: tuple[Duration, ...] = (15 * MINUTE, 30 * MINUTE, 1 * HOUR, 2 * HOUR)
    probe_limit: Duration = 30 * MINUTE
    urgent: Duration = 1 * DAY
    normal: Duration = 5 * DAY
    non_urgent: Duration = 7 * DAY

    def lifetime(self, priority: Priority) -> Duration:
        """How long a message of this priority is tried. Reports live as long as normal mail."""
        match priority:
            case Priority.URGENT:
                return self.urgent
            case Priority.NON_URGENT:
                return self.non_urgent
            case _:
                return self.normal


def after_4yz(schedule: RetrySchedule, attempts: int, *, now: Instant, lot: float) -> Instant:
    """When to try again a recipient that a live host put off at its `attempts`-th attempt."""
    assert attempts >= 1
    waits = schedule.after_4yz + schedule.intervals
    return now + _spread(waits[min(attempts, len(waits)) - 1], lot)


def after_silence(schedule: RetrySchedule, failures: int, *, now: Instant, lot: float) -> Instant:
    """When to probe a destination that has failed `failures` times in a row."""
    assert failures >= 1
    wait = schedule.intervals[min(failures, len(schedule.intervals)) - 1]
    return now + _spread(min(wait, schedule.probe_limit), lot)


def after_no_answer(schedule: RetrySchedule, attempts: int, *, now: Instant, lot: float) -> Instant:
    """When to try again a recipient whose `attempts`-th attempt ended without an answer."""
    assert attempts >= 1
    return now + _spread(schedule.intervals[min(attempts, len(schedule.intervals)) - 1], lot)


def _spread(wait: Duration, lot: float) -> Duration:
    return max(1, round(wait * (1 - _JITTER + 2 * _JITTER * lot)))
