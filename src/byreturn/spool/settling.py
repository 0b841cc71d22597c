"""Recording what happened to recipients, with the reports that are owed for it: one transaction.

Outcome and owed report cannot be told apart by a crash, because they are one commit. A settling whose fence
has moved on (an operator was faster, or a restart took the attempt over) changes nothing at all.
"""

from __future__ import annotations

import sqlite3
from typing import Any, NamedTuple

from byreturn.mail import (
    Action,
    Destination,
    Duration,
    Instant,
    QueueId,
)
from byreturn.policy import (
    InFlight,
    Relayed,
    State,
    Unbooked,
    Waiting,
    advance,
    report_due_at,
)
from byreturn.ports import DestinationNews, Settled, Settling
from byreturn.spool.notices import CLEARED, COPIED, end_notices, has_cleared, owe_notices
from byreturn.spool.remembering import Takers
from byreturn.spool.rows import STATE_NUMBERS, event_name, finding_text
from byreturn.spool.statements import SQL

_UNBOOK = SQL["unbook_recipient"]
_SETTLE = SQL["settle_recipient"]
_ADD_ATTEMPT = SQL["add_attempt"]
_WAIT = SQL["wait_at_destination"]
_OWE = SQL["owe"]
_DROP_CONTENT = SQL["drop_content"]


class Recorded(NamedTuple):
    """What was settled; the files that are needed no more, and who took mail, to be kept after the commit."""

    settled: Settled
    files: list[QueueId]
    noted: dict[Destination, Instant]


def _one(connection: sqlite3.Connection, sql: str, *values: Any) -> Any:
    return connection.execute(sql, values).fetchone()[0]


def settle(
    connection: sqlite3.Connection,
    settlings: tuple[Settling, ...],
    news: tuple[DestinationNews, ...],
    now: Instant,
    *,
    gather: Duration,
    keep_content: Duration,
    takers: Takers,
) -> Recorded:
    """Apply outcomes and the health of destinations; see `ports.Spool.settle`."""
    files: list[QueueId] = []
    lost: list[tuple[QueueId, int]] = []
    touched: dict[QueueId, int] = {}
    took_mail: set[Destination] = set()
    for settling in settlings:
        if not _settle_one(connection, settling, now, gather=gather):
            lost.append((settling.message_id, settling.ordinal))
        else:
            touched[settling.message_id] = settling.recipient_count
            if isinstance(settling.event, Relayed) and takers.is_news(settling.destination, now):
                took_mail.add(settling.destination)
    noted = takers.take_mail(connection, took_mail, now) if took_mail else {}
    for one in news:
        _hear(connection, one, now)
    owed = [
        (message_id, due_at)
        for message_id, count in touched.items()
        if (
            due_at := review(connection, message_id, now, count=count, keep_content=keep_content, files=files)
        )
        is not None
    ]
    return Recorded(Settled(tuple(lost), tuple(owed)), files, noted)


def _settle_one(
    connection: sqlite3.Connection,
    settling: Settling,
    now: Instant,
    *,
    gather: Duration,
) -> bool:
    event, fence = settling.event, settling.fence
    after = advance(InFlight(fence), event)
    if isinstance(event, Unbooked):
        return _give_back(connection, settling, after, now)
    finding = finding_text(event.diagnosis)  # type: ignore[union-attr]
    where = (settling.message_id, settling.ordinal)
    due_at = after.due_at if isinstance(after, Waiting) else None
    execute = connection.execute
    changed = execute(
        _SETTLE,
        (
            STATE_NUMBERS[type(after)],
            due_at,
            now,
            finding,
            *where,
            fence.epoch,
            fence.attempt,
            settling.expires_at,
        ),
    ).rowcount  # fmt: skip
    if not changed:
        return False
    execute(
        _ADD_ATTEMPT,
        (*where, fence.attempt, settling.began_at, now, event_name(event), finding),
    )
    if isinstance(after, Waiting):
        execute(_WAIT, (settling.destination, due_at))
        who = (*where, settling.destination)
        owe_notices(connection, who, settling.delay_notices, settling.early_notice_at, now)
        return True
    if end_notices(connection, *where) and has_cleared(event, settling.owed):
        execute(_OWE, (*where, CLEARED, now, now))
    if settling.owed is not None:
        owe(connection, settling.message_id, settling.ordinal, settling.owed, now, gather=gather)
    if settling.is_copied:
        execute(_OWE, (*where, COPIED, now + gather, now))
    return True


def _give_back(connection: sqlite3.Connection, settling: Settling, after: State, now: Instant) -> bool:
    """Let a recipient wait again whose booking was not used: no attempt, no outcome."""
    assert isinstance(after, Waiting), "a booking that is given back waits"
    fence = settling.fence
    changed = connection.execute(
        _UNBOOK,
        (
            after.due_at, now, after.attempts, settling.message_id, settling.ordinal, fence.epoch,
            fence.attempt, settling.expires_at,
        ),
    ).rowcount  # fmt: skip
    if changed:
        connection.execute(_WAIT, (settling.destination, after.due_at))
    return bool(changed)


def _drop_content(connection: sqlite3.Connection, message_id: QueueId, files: list[QueueId]) -> None:
    row = connection.execute(_DROP_CONTENT, (message_id,)).fetchone()
    if row is not None and row[0]:
        files.append(message_id)


def owe(
    connection: sqlite3.Connection,
    message_id: QueueId,
    ordinal: int,
    action: Action,
    now: Instant,
    *,
    gather: Duration,
) -> None:
    """Note a report that is owed; it joins one that waits already, if there is one."""
    due_at = _one(connection, SQL["pending_report_due"], message_id)
    if due_at is None:
        due_at = report_due_at(
            now=now,
            reports_so_far=_one(connection, SQL["reports_so_far"], message_id),
            gather=gather,
            somebody_unheard=bool(_one(connection, SQL["somebody_unheard"], message_id)),
        )
    connection.execute(_OWE, (message_id, ordinal, action, due_at, now))


def review(
    connection: sqlite3.Connection,
    message_id: QueueId,
    now: Instant,
    *,
    count: int,
    keep_content: Duration,
    files: list[QueueId],
) -> Instant | None:
    """After a change: is the report ready to leave, is the content still needed, what is due when."""
    due_at: Instant | None = _one(connection, SQL["next_report_due"], message_id)
    if (
        count > 1
        and due_at is not None
        and not _one(connection, SQL["somebody_unheard"], message_id)
        and not _one(connection, SQL["reports_so_far"], message_id)
    ):
        # Everybody has been heard: the first report waits for nothing any more.
        connection.execute(SQL["hurry_reports"], (message_id, now))
        due_at = _one(connection, SQL["next_report_due"], message_id)
    is_open, is_any_undelivered = connection.execute(SQL["standing"], (message_id,)).fetchone()
    if is_open:
        return due_at
    if due_at is None and not is_any_undelivered:
        _drop_content(connection, message_id, files)
    else:
        row = connection.execute(SQL["keep_content_until"], (message_id, now + keep_content)).fetchone()
        if row is not None:
            connection.execute(SQL["keep_more"], row)
    return due_at


def _hear(connection: sqlite3.Connection, news: DestinationNews, now: Instant) -> None:
    if news.failures:
        connection.execute(
            SQL["destination_fails"],
            (
                news.destination, news.due_at, news.failures, news.failing_since, now,
                finding_text(news.finding),
            ),
        )  # fmt: skip
    else:
        connection.execute(SQL["destination_lives"], (news.destination, news.due_at, now))
