"""Claiming what is due: rows become in flight, in one transaction, before anything is dialled.

A claim chooses destinations by their due time, and rows of a destination by priority and due time. A
destination gets no more than its quota, so that the dead and the busy cannot fill the active window; one
that is failing gets a single recipient, its probe.

COMMIT POINT: the booking. A crash after it costs a delay, never a storm: a booked row is due again at its
booked time.
"""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Callable
from typing import Final

from byreturn.mail import MINUTE, Booking, Consignment, Destination, Duration, Instant, Priority, QueueId
from byreturn.ports import Claimed
from byreturn.spool.rows import booking_from_row, message_from_row
from byreturn.spool.statements import SQL

# An interrupted attempt that was not the first is tried again so much later.
_BOOKED_FOR: Final[Duration] = 15 * MINUTE
# A probe that was interrupted is made again so much later.
_PROBE_BOOKED_FOR: Final[Duration] = 30 * MINUTE
# Destinations that a claim looks at: some 20 ms where each gives one probe, four times that from a cold disk.
_DESTINATIONS: Final = 200
_REPORTS_PASSED_OVER: Final = 2_000  # some 4 ms


class _Claim:
    """One claim under way: the room that is left in all, and at each destination."""

    def __init__(
        self,
        connection: sqlite3.Connection,
        epoch: int,
        now: Instant,
        limit: int,
        left: Callable[[Destination], int],
    ) -> None:
        self._connection = connection
        self._epoch = epoch
        self._now = now
        self._left = left
        self._taken: Counter[Destination] = Counter()
        self.room = limit
        self.booked: dict[QueueId, list[Booking]] = {}

    def quota(self, destination: Destination) -> int:
        """How many recipients a destination may still get."""
        return self._left(destination) - self._taken[destination]

    def book_reports(self) -> None:
        """Book reports that are due, wherever they go, as far as the quotas let them."""
        # Those that must wait, for room or for their destination, are not to hide the others. Where there are
        # more of them, reports go first within their destinations only.
        wanted = self.room + _REPORTS_PASSED_OVER
        for message_id, ordinal, destination in self._connection.execute(
            SQL["due_reports"], (self._now, wanted)
        ).fetchall():
            if self.room <= 0:
                break
            if self.quota(destination) > 0:
                self._book(destination, [(message_id, ordinal)])

    def book_at(self, destination: Destination, quota: int) -> bool:
        """Book what is due at a destination; say whether more was due than there was room for."""
        for priority in Priority:
            wanted = min(quota, self.room)
            rows = self._connection.execute(
                SQL["due_recipients"], (destination, priority, self._now, wanted + 1)
            ).fetchall()
            quota -= self._book(destination, rows[:wanted])
            if len(rows) > wanted:
                return True
        return False

    def _book(self, destination: Destination, rows: list[tuple[QueueId, int]]) -> int:
        for message_id, ordinal in rows:
            row = self._connection.execute(
                SQL["book_recipient"],
                (self._epoch, self._now + _BOOKED_FOR, self._now, message_id, ordinal),
            ).fetchone()
            self.booked.setdefault(message_id, []).append(booking_from_row(row))
        self.room -= len(rows)
        self._taken[destination] += len(rows)
        return len(rows)

    def book_probe(self, destination: Destination) -> None:
        """Book one recipient of a failing destination; the next probe is booked with it."""
        before = self.room
        self.book_at(destination, 1)
        if self.room < before:
            due_at = self._now + _PROBE_BOOKED_FOR
            self._connection.execute(SQL["book_probe"], (destination, due_at))
        else:
            self.reset_due(destination, is_failing=True)

    def reset_due(self, destination: Destination, *, is_failing: bool) -> None:
        """Nothing is due there any more: it is due with the next of its rows, or forgotten.

        A failing destination at which nobody waits counts as alive until the opposite is known.
        """
        dues = [
            self._connection.execute(SQL["first_due_at"], (destination, priority)).fetchone()[0]
            for priority in Priority
        ]
        known = [due for due in dues if due is not None]
        if known:
            self._connection.execute(SQL["destination_due_at"], (destination, min(known)))
            return
        if is_failing:
            self._connection.execute(SQL["destination_lives"], (destination, self._now, self._now))
        self._connection.execute(SQL["forget_destination"], (destination,))


def probe(connection: sqlite3.Connection, destination: Destination, now: Instant) -> bool:
    """Let the next probe of a failing destination be due now; see `ports.Spool.probe`."""
    if not connection.execute(SQL["waits_for_probe"], (destination,)).fetchone()[0]:
        return False
    connection.execute(SQL["probe_now"], (destination, now))
    return True


def claim(
    connection: sqlite3.Connection,
    epoch: int,
    now: Instant,
    limit: int,
    quotas: dict[Destination, int],
    *,
    default_quota: int,
) -> Claimed:
    """Book what is due; see `ports.Spool.claim`."""
    under_way = _Claim(connection, epoch, now, limit, lambda name: quotas.get(name, default_quota))
    under_way.book_reports()
    # Those that have enough already are no reason to look at fewer of the others.
    full = sum(quota <= 0 for quota in quotas.values())
    due = connection.execute(SQL["due_destinations"], (now, _DESTINATIONS + full + 1)).fetchall()
    is_cut_short = len(due) > _DESTINATIONS + full
    has_more = is_cut_short
    for name, failures in due[: _DESTINATIONS + full]:
        if under_way.room <= 0:
            has_more = True
            break
        quota = under_way.quota(name)
        if quota <= 0:
            has_more = True
        elif failures:
            under_way.book_probe(name)
        elif under_way.book_at(name, quota):
            has_more = True
        else:
            under_way.reset_due(name, is_failing=False)
    consignments = tuple(
        Consignment(
            message_from_row(connection.execute(SQL["get_message"], (message_id,)).fetchone()),
            tuple(bookings),
        )
        for message_id, bookings in under_way.booked.items()
    )
    # Whoever found nothing among the first of many destinations asks again at once: these are out of the way.
    if is_cut_short and not consignments:
        return Claimed((), has_more, now)
    next_due_at = connection.execute(SQL["next_destination_due"], (now,)).fetchone()[0]
    return Claimed(consignments, has_more, next_due_at)
