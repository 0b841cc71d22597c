"""Owed reports: which are due, what they must say, and the one commit that queues and marks them."""

from __future__ import annotations

import sqlite3

from byreturn.mail import Action, Instant, QueueId
from byreturn.policy import Waiting
from byreturn.ports import NewMessage, OwedDue, OwedLine, OwedReport
from byreturn.spool.accepting import accept
from byreturn.spool.rows import (
    Row,
    finding_from_text,
    message_from_row,
    recipient_from_row,
    state_from_row,
)
from byreturn.spool.statements import SQL

# `owed.report_id` of lines that were settled without a report, because nobody is to be told.
_NOBODY_TOLD = 0
# Lines that are looked at for messages with a report due; some 2 ms.
_STRETCH = 5_000


def owed_due(connection: sqlite3.Connection, now: Instant, limit: int) -> OwedDue:
    """Name messages with a report due; see `ports.Spool.owed_due`."""
    due: dict[QueueId, None] = {}
    looked = 0
    for (message_id,) in connection.execute(SQL["owed_due"], (now, _STRETCH)):
        looked += 1
        due[message_id] = None
        if len(due) == limit:
            break
    has_more = len(due) == limit or looked == _STRETCH
    next_due_at = now if has_more else connection.execute(SQL["next_owed"], (now,)).fetchone()[0]
    return OwedDue(tuple(due), next_due_at)


def take_owed(connection: sqlite3.Connection, message_id: QueueId, now: Instant) -> OwedReport | None:
    """Read what a report must say; see `ports.Spool.take_owed`."""
    due_at = connection.execute(SQL["next_report_due"], (message_id,)).fetchone()[0]
    if due_at is None or due_at > now:
        return None
    rows = connection.execute(SQL["owed_lines"], (message_id, now)).fetchall()
    message = connection.execute(SQL["get_message"], (message_id,)).fetchone()
    thread = connection.execute(SQL["thread"], (message_id,)).fetchall()
    return OwedReport(
        message_from_row(message),
        tuple(_line(row) for row in rows),
        tuple(row[0] for row in thread),
        connection.execute(SQL["named_count"], (message_id,)).fetchone()[0],
    )


def _line(row: Row) -> OwedLine:
    number, due_at, epoch, attempts, finding = row[7:12]
    at, expires_at, destination_due, destination_finding, failures, last_attempt_at = row[12:]
    state = state_from_row(number, due_at, epoch, attempts)
    next_try_at: Instant | None = None
    if isinstance(state, Waiting):
        next_try_at = state.due_at
        if failures:
            # It waits for the destination, whose last probe speaks for all who wait there.
            next_try_at = max(state.due_at, destination_due)
            finding = destination_finding or finding
    return OwedLine(
        recipient=recipient_from_row(row[:6]),
        action=Action(row[6]),
        state=state,
        finding=finding_from_text(finding),
        at=at,
        expires_at=expires_at,
        next_try_at=next_try_at,
        last_attempt_at=last_attempt_at,
    )


def report(connection: sqlite3.Connection, owed: OwedReport, new: NewMessage | None) -> bool:
    """Queue the report and mark its lines, or do nothing; see `ports.Spool.report`."""
    lines = [(owed.message.id, line.recipient.ordinal, line.action) for line in owed.lines]
    if not all(connection.execute(SQL["is_owed"], line).fetchone()[0] for line in lines):
        return False
    report_id = _NOBODY_TOLD if new is None else new.message.id
    connection.executemany(SQL["mark_reported"], [(report_id, *line) for line in lines])
    if new is not None:
        accept(connection, new)
    return True
