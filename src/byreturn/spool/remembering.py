"""What is remembered beside the queue: destinations that took mail, lessons from hosts, and the brake.

    took mail   settle writes it; a later "no such domain" is then no reason to give up at once
    lessons     limits that hosts told us; gone when their time is over
    brake       one row, or none

That a destination took mail is true of nearly every settlement, so it is written down once an hour at most.
`Takers` knows without asking the database when that was; whatever it has forgotten costs one look-up.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from typing import Any, Final

from byreturn.mail import HOUR, Destination, Duration, Instant
from byreturn.policy import BrakeCause
from byreturn.ports import KNOWN_LIMIT, LESSONS_LIMIT, Braked, Lesson, Past
from byreturn.spool.statements import SQL

_TAKERS_LIMIT: Final = 20_000
_TOOK_MAIL = SQL["took_mail"]


class Takers:
    """When destinations were last written down as having taken mail; at most so many.

    It must never hide that a name is denied: whoever notes that forgets the destination here, when it is
    written and again when that is committed, because a settlement of the same group may come between.
    """

    def __init__(self, keep: Duration) -> None:
        # A row that was purged must be written again.
        self._every: Final = min(HOUR, keep)
        self._noted_at: dict[Destination, Instant] = {}

    def is_news(self, destination: Destination, now: Instant) -> bool:
        """Whether it is to be written down that it took mail now."""
        noted_at = self._noted_at.get(destination)
        return noted_at is None or now - noted_at >= self._every

    def take_mail(
        self, connection: sqlite3.Connection, destinations: Iterable[Destination], now: Instant
    ) -> dict[Destination, Instant]:
        """Write down that they took mail; return since when each is noted, for `keep` after the commit."""
        noted: dict[Destination, Instant] = {}
        for destination in destinations:
            if connection.execute(_TOOK_MAIL, (destination, now, now - self._every)).rowcount:
                noted[destination] = now
            else:
                noted[destination] = connection.execute(SQL["past"], (destination,)).fetchone()[0]
        return noted

    def keep(self, noted: dict[Destination, Instant]) -> None:
        """Remember what is committed now."""
        if len(self._noted_at) + len(noted) > _TAKERS_LIMIT:
            self._noted_at.clear()
        self._noted_at.update(noted)

    def forget(self, destination: Destination) -> None:
        """Let the next mail that it takes be written down."""
        self._noted_at.pop(destination, None)


def past(connection: sqlite3.Connection, destination: Destination) -> Past | None:
    """Tell when a destination last took mail; see `ports.Spool.past`."""
    row = connection.execute(SQL["past"], (destination,)).fetchone()
    return None if row is None else Past(*row)


def deny(connection: sqlite3.Connection, destination: Destination, since: Instant | None) -> None:
    """Note since when a name is denied; see `ports.Spool.denied`."""
    connection.execute(SQL["deny"], (destination, since))


def learn(connection: sqlite3.Connection, lesson: Lesson) -> None:
    """Remember a lesson; see `ports.Spool.learn`."""
    connection.execute(
        SQL["learn"],
        (lesson.hosts, lesson.kind, lesson.value, lesson.reason, lesson.learned_at, lesson.until),
    )


def set_brake(connection: sqlite3.Connection, braked: Braked | None) -> None:
    """Put the brake on, or let it off; see `ports.Spool.set_brake`."""
    if braked is None:
        connection.execute(SQL["release_brake"])
    else:
        connection.execute(SQL["brake"], (braked.since, braked.why, braked.cause))


def known(connection: sqlite3.Connection) -> tuple[Destination, ...]:
    """Name the destinations that took mail last."""
    return tuple(row[0] for row in connection.execute(SQL["known_destinations"], (KNOWN_LIMIT,)))


def lessons(connection: sqlite3.Connection, now: Instant) -> tuple[Lesson, ...]:
    """Read the lessons that still hold."""
    return tuple(Lesson(*row) for row in connection.execute(SQL["lessons"], (now, LESSONS_LIMIT)))


def brake(connection: sqlite3.Connection) -> Braked | None:
    """Read whether the brake is on."""
    row = connection.execute(SQL["get_brake"]).fetchone()
    return None if row is None else braked_from_row(row)


def braked_from_row(row: tuple[Any, ...]) -> Braked:
    """Read a row of the brake."""
    since, why, cause = row
    return Braked(since, why, BrakeCause(cause))


def forget(connection: sqlite3.Connection, now: Instant, limit: int, keep: Duration) -> int:
    """Forget destinations that took no mail for so long, and lessons that are over; say how many went."""
    destinations = connection.execute(SQL["forget_known"], (now - keep, limit)).rowcount
    return destinations + connection.execute(SQL["forget_lessons"], (now, limit)).rowcount
