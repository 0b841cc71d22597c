"""Instants and durations, as whole milliseconds.

An aware `datetime` and a `timedelta` cost 0.4 us and 0.2 us each to make, an `int` nothing, and the
spool stores milliseconds anyway. So time is a number everywhere, and its unit stands in the name of its
type. Only text for people and for header fields turns an instant into a calendar date.

    Instant   milliseconds since 1970-01-01T00:00Z, UTC, no leap seconds
    Duration  milliseconds

Pure: nothing here reads a clock.
"""

from __future__ import annotations

from datetime import UTC, datetime, tzinfo
from typing import Final, TypeAlias

Instant: TypeAlias = int
Duration: TypeAlias = int

SECOND: Final[Duration] = 1_000
MINUTE: Final[Duration] = 60 * SECOND
HOUR: Final[Duration] = 60 * MINUTE
DAY: Final[Duration] = 24 * HOUR

_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def rfc5322_date(at: Instant, zone: tzinfo = UTC) -> str:
    """Write an instant as RFC 5322 section 3.3 wants it, with a numeric time zone."""
    then = datetime.fromtimestamp(at / SECOND, zone)
    return (
        f"{_DAYS[then.weekday()]}, {then.day} {_MONTHS[then.month - 1]} {then.year} "
        f"{then.hour:02d}:{then.minute:02d}:{then.second:02d} {then.strftime('%z')}"
    )


def iso_date(at: Instant) -> str:
    """Write an instant as ISO 8601 in UTC with milliseconds: `2026-03-03T08:41:06.982Z`."""
    return datetime.fromtimestamp(at / SECOND, UTC).strftime("%Y-%m-%dT%H:%M:%S.") + f"{at % SECOND:03d}Z"


def in_words(span: Duration) -> str:
    """Say a duration in its largest sensible unit: `2 days`, `1 hour`, `90 seconds`, `250 ms`."""
    for unit, name in ((DAY, "day"), (HOUR, "hour"), (MINUTE, "minute"), (SECOND, "second")):
        if span >= unit and span % unit == 0:
            count = span // unit
            return f"{count} {name}" if count == 1 else f"{count} {name}s"
    if span < 10 * SECOND:
        return f"{span} ms"
    return f"{round(span / SECOND)} seconds"
