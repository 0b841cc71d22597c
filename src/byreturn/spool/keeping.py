"""What is kept after the end, and for how long: contents of failed mail, and history."""

from __future__ import annotations

import sqlite3

from msgspec import Struct

from byreturn.mail import DAY, Duration, Instant, QueueId, first_id_at
from byreturn.spool.remembering import forget
from byreturn.spool.statements import SQL


class Keeping(Struct, frozen=True):
    """How long settled messages are remembered, and undelivered content kept for sending it again."""

    history: Duration = 30 * DAY
    content: Duration = 3 * DAY
    content_octets: int = 1024**3


class Purged(Struct, frozen=True):
    """How many rows went, and which files may go now."""

    rows: int
    files: tuple[QueueId, ...]


def purge(connection: sqlite3.Connection, now: Instant, limit: int, keeping: Keeping) -> Purged:
    """Forget what is past its keeping, at most `limit` contents and `limit` messages at a time."""
    gone = dict.fromkeys(row[0] for row in connection.execute(SQL["expired_contents"], (now, limit)))
    excess = connection.execute(SQL["kept_octets"]).fetchone()[0] - keeping.content_octets
    for message_id, size in connection.execute(SQL["oldest_kept"], (limit,)).fetchall():
        if excess <= 0:
            break
        gone[message_id] = None
        excess -= size
    old = connection.execute(SQL["old_messages"], (first_id_at(now - keeping.history), limit)).fetchall()
    gone.update(dict.fromkeys(row[0] for row in old))
    files: list[QueueId] = []
    for message_id in gone:
        row = connection.execute(SQL["drop_content"], (message_id,)).fetchone()
        if row is not None and row[0]:
            files.append(message_id)
    for name in ("forget_message", "forget_recipients", "forget_attempts", "forget_owed"):
        connection.executemany(SQL[name], old)
    remembered = forget(connection, now, limit, keeping.history)
    return Purged(len(gone) + remembered, tuple(files))
