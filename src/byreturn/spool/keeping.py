"""What is kept after the end, and for how long: contents of failed mail, history, and what was learned.

A purge may hold up nobody's mail, so it looks at a stretch: of contents the oldest, of messages those that
follow the ones that were looked at last. What must stay (a queue that is older than the history) is passed
over a stretch at a time, and so does not hide the rest.

How much is kept is a row of its own, added to and taken from with each content: to add up a million sizes
at each purge took 30 ms and more.
"""

from __future__ import annotations

import sqlite3
from typing import Final

from msgspec import Struct

from byreturn.mail import DAY, Duration, Instant, QueueId, first_id_at
from byreturn.spool.remembering import forget
from byreturn.spool.statements import SQL

# Contents, and messages, that a purge looks at: some 10 ms.
STRETCH: Final = 5_000
_NOTHING: Final = QueueId(0)


class Keeping(Struct, frozen=True):
    """How long settled messages are remembered, and undelivered content kept for sending it again."""

    history: Duration = 30 * DAY
    content: Duration = 3 * DAY
    content_octets: int = 1024**3


class Purged(Struct, frozen=True):
    """How many rows went, which files may go now, and behind which message to go on."""

    rows: int
    files: tuple[QueueId, ...]
    looked_to: QueueId


def purge(
    connection: sqlite3.Connection, now: Instant, limit: int, keeping: Keeping, looked_to: QueueId
) -> Purged:
    """Forget what is past its keeping; see `ports.Spool.purge`. `looked_to`: what the last purge said."""
    gone = _contents_to_drop(connection, now, limit, keeping)
    old, looked_to = _messages_to_forget(connection, first_id_at(now - keeping.history), limit, looked_to)
    rows = sum(old.values()) + len(gone - old.keys())
    files: list[QueueId] = []
    freed = 0
    for message_id in sorted(gone | old.keys()):
        row = connection.execute(SQL["drop_kept_content"], (message_id,)).fetchone()
        if row is not None:
            has_file, size = row
            freed += size
            if has_file:
                files.append(message_id)
    if freed:
        connection.execute(SQL["keep_less"], (freed,))
    for name in ("forget_message", "forget_recipients", "forget_attempts", "forget_owed", "forget_later"):
        connection.executemany(SQL[name], [(message_id,) for message_id in old])
    rows += forget(connection, now, limit, keeping.history)
    return Purged(rows, tuple(files), looked_to)


def _contents_to_drop(
    connection: sqlite3.Connection, now: Instant, limit: int, keeping: Keeping
) -> set[QueueId]:
    """Choose contents past their time, and the oldest of what is too much."""
    gone: dict[QueueId, int] = dict(
        connection.execute(SQL["expired_contents"], (now, STRETCH, limit)).fetchall()
    )
    excess = connection.execute(SQL["kept_octets"]).fetchone()[0] - keeping.content_octets
    if excess > sum(gone.values()):
        for message_id, size in connection.execute(SQL["oldest_kept"], (STRETCH, limit)).fetchall():
            if excess <= 0:
                break
            gone[message_id] = size
            excess -= size
    return set(gone)


def _messages_to_forget(
    connection: sqlite3.Connection, end: QueueId, limit: int, looked_to: QueueId
) -> tuple[dict[QueueId, int], QueueId]:
    """Choose messages, with the number of their recipients; and say behind which to go on."""
    old: dict[QueueId, int] = {}
    rows = looked = 0
    message_id = looked_to
    for message_id, recipients, is_over in connection.execute(SQL["old_messages"], (looked_to, end, STRETCH)):
        looked += 1
        if is_over:
            old[message_id] = recipients
            rows += recipients
            if rows >= limit:
                # There may be more in this stretch.
                return old, looked_to
    return old, message_id if looked == STRETCH else _NOTHING
