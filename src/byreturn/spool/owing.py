"""Owed reports: which are due, what they must say, and the one commit that queues and marks them.

A report is of one kind. What the sender is to hear of failures and delays goes before the word that mail has
gone through after all, and that before the postmaster's copy; each kind is marked by itself, and the message
stays due until all are. Whose a report was is told by the lines that name it: `thread` holds what went to the
sender, so it leaves out those that lines marked 'copied' name.
"""

from __future__ import annotations

import sqlite3
from itertools import islice
from typing import Final

from byreturn.mail import Instant, QueueId
from byreturn.policy import State, Waiting
from byreturn.ports import (
    OTHERS_LIMIT,
    NewMessage,
    OtherRecipient,
    OwedDue,
    OwedLine,
    OwedReport,
    ReportKind,
)
from byreturn.spool.accepting import accept
from byreturn.spool.notices import CLEARED, COPIED
from byreturn.spool.rows import (
    Row,
    action_of,
    finding_from_text,
    message_from_row,
    recipient_from_row,
    state_from_row,
)
from byreturn.spool.statements import SQL

# `owed.report_id` of lines that were settled without a report, because nobody is to be told.
_NOBODY_TOLD = 0
# How the lines of a kind are named in `owed`; those of a report by their own action.
_ACTIONS: Final = {ReportKind.CLEARED: CLEARED, ReportKind.COPY: COPIED}
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
    is_report, is_cleared = connection.execute(SQL["owed_kind"], (message_id, now)).fetchone()
    if is_report is None:
        return None
    kind = ReportKind.REPORT if is_report else ReportKind.CLEARED if is_cleared else ReportKind.COPY
    rows = connection.execute(SQL["owed_lines"], (message_id, now, _ACTIONS.get(kind))).fetchall()
    message = message_from_row(connection.execute(SQL["get_message"], (message_id,)).fetchone())
    thread = connection.execute(SQL["thread"], (message_id,)).fetchall()
    # Of several delay notices for a recipient the first is told.
    lines = {(row[0], row[6]): row for row in reversed(rows)}
    ordinals = {ordinal for ordinal, _ in lines}
    others: tuple[OtherRecipient, ...] = ()
    other_count = 0
    if kind is not ReportKind.COPY and message.recipient_count > 1:
        others = _others(connection, message_id, ordinals)
        other_count = message.recipient_count - len(ordinals)
    return OwedReport(
        message=message,
        lines=tuple(_line(row) for row in reversed(lines.values())),
        thread=tuple(row[0] for row in thread),
        named_count=connection.execute(SQL["named_count"], (message_id,)).fetchone()[0],
        kind=kind,
        others=others,
        other_count=other_count,
    )


def _others(
    connection: sqlite3.Connection, message_id: QueueId, ordinals: set[int]
) -> tuple[OtherRecipient, ...]:
    """Read the recipients but these."""
    rows = connection.execute(SQL["others"], (message_id, OTHERS_LIMIT + len(ordinals)))
    others = (_other(row) for row in rows if row[0] not in ordinals)
    return tuple(islice(others, OTHERS_LIMIT))


def _other(row: Row) -> OtherRecipient:
    number, due_at, epoch, attempts, finding, changed_at, expires_at = row[6:13]
    destination_due, destination_finding, failures, notice_at, is_told = row[13:]
    state = state_from_row(number, due_at, epoch, attempts)
    next_try_at, finding = _outlook(state, finding, (destination_due, destination_finding, failures))
    return OtherRecipient(
        recipient=recipient_from_row(row[:6]),
        state=state,
        finding=finding_from_text(finding),
        changed_at=changed_at,
        expires_at=expires_at,
        next_try_at=next_try_at,
        notice_at=notice_at,
        is_told=bool(is_told),
    )


def _outlook(
    state: State, finding: str | None, destination: tuple[Instant | None, str | None, int | None]
) -> tuple[Instant | None, str | None]:
    """Tell when one that waits is tried next, and the last that is known of it."""
    due_at, found, failures = destination
    if not isinstance(state, Waiting):
        return None, finding
    if not failures or due_at is None:
        return state.due_at, finding
    # It waits for the destination, whose last probe speaks for all who wait there.
    return max(state.due_at, due_at), found or finding


def _line(row: Row) -> OwedLine:
    name, number, due_at, epoch, attempts, finding, at, expires_at = row[6:14]
    destination_due, destination_finding, failures, last_attempt_at, event, notice_at = row[14:]
    state = state_from_row(number, due_at, epoch, attempts)
    next_try_at, finding = _outlook(state, finding, (destination_due, destination_finding, failures))
    return OwedLine(
        recipient=recipient_from_row(row[:6]),
        action=action_of(name, event),
        state=state,
        finding=finding_from_text(finding),
        at=at,
        expires_at=expires_at,
        next_try_at=next_try_at,
        last_attempt_at=last_attempt_at,
        notice_at=notice_at,
    )


def report(connection: sqlite3.Connection, owed: OwedReport, new: NewMessage | None, now: Instant) -> bool:
    """Queue the report and mark its lines, or do nothing; see `ports.Spool.report`."""
    lines = [
        (owed.message.id, line.recipient.ordinal, _ACTIONS.get(owed.kind) or line.action)
        for line in owed.lines
    ]
    if not all(connection.execute(SQL["is_owed"], line).fetchone()[0] for line in lines):
        return False
    report_id = _NOBODY_TOLD if new is None else new.message.id
    connection.executemany(SQL["mark_reported"], [(report_id, *line, now) for line in lines])
    if new is not None:
        accept(connection, new)
    return True
