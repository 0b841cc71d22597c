"""Claiming what is due: rows become in flight, in one transaction, before anything is dialled.

A claim chooses destinations by their due time, and rows of a destination by priority and due time. A
destination gets no more than its quota, so that the dead and the busy cannot fill the active window; one
that is failing gets a single recipient, its probe.

COMMIT POINT: the booking. A crash after it costs a delay, never a storm: a booked row is due again at its
booked time.
"""

from __future__ import annotations

import sqlite3
from typing import Final

from byreturn.mail import MINUTE, Booking, Consignment, Destination, Duration, Instant, Priority, QueueId
from byreturn.ports import Claimed
from byreturn.spool.rows import booking_from_row, message_from_row
from byreturn.spool.statements import SQL

# An interrupted attempt that was not the first is tried again so much later.
_BOOKED_FOR: Final[Duration] = 15 * MINUTE
# A probe that was interrupted is made again so much later.
_PROBE_BOOKED_FOR: Final[Duration] = 30 * MINUTE
_DESTINATIONS: Final = 500


class _Claim:
    """One claim under way."""

    def __init__(self, connection: sqlite3.Connection, epoch: int, now: Instant, limit: int) -> None:
        self._connection = connection
        self._epoch = epoch
        self._now = now
        self.room = limit
        self.booked: dict[QueueId, list[Booking]] = {}

    def book(self, rows: list[tuple[QueueId, int]]) -> int:
        """Book rows; return how many."""
        count = 0
        for message_id, ordinal in rows:
            row = self._connection.execute(
                SQL["book_recipient"],
                (self._epoch, self._now + _BOOKED_FOR, self._now, message_id, ordinal),
            ).fetchone()
            if row is not None:
                self.booked.setdefault(message_id, []).append(booking_from_row(row))
                count += 1
        self.room -= count
        return count

    def book_at(self, destination: str, quota: int) -> bool:
        """Book what is due at a destination; say whether more was due than the quota allowed."""
        for priority in Priority:
            wanted = min(quota, self.room)
            rows = self._connection.execute(
                SQL["due_recipients"], (destination, priority, self._now, wanted + 1)
            ).fetchall()
            quota -= self.book(rows[:wanted])
            if len(rows) > wanted:
                return True
        return False

    def reset_due(self, destination: str, failures: int) -> None:
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
        if failures:
            self._connection.execute(SQL["destination_lives"], (destination, self._now, self._now))
        self._connection.execute(SQL["forget_destination"], (destination,))


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
    under_way = _Claim(connection, epoch, now, limit)
    under_way.book(connection.execute(SQL["due_reports"], (now, limit)).fetchall())
    has_more = False
    for name, failures in connection.execute(SQL["due_destinations"], (now, _DESTINATIONS)).fetchall():
        if under_way.room <= 0:
            has_more = True
            break
        quota = quotas.get(name, default_quota)
        if quota <= 0:
            has_more = True
        elif failures:
            _book_probe(connection, under_way, name, now)
        elif under_way.book_at(name, quota):
            has_more = True
        else:
            under_way.reset_due(name, failures)
    consignments = tuple(
        Consignment(
            message_from_row(connection.execute(SQL["get_message"], (message_id,)).fetchone()),
            tuple(bookings),
        )
        for message_id, bookings in under_way.booked.items()
    )
    next_due_at = connection.execute(SQL["next_destination_due"], (now,)).fetchone()[0]
    return Claimed(consignments, has_more, next_due_at)


def _book_probe(connection: sqlite3.Connection, under_way: _Claim, name: str, now: Instant) -> None:
    before = under_way.room
    under_way.book_at(name, 1)
    if under_way.room < before:
        connection.execute(SQL["destination_due_at"], (name, now + _PROBE_BOOKED_FOR))
    else:
        under_way.reset_due(name, 1)
