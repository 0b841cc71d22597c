"""Delay notices, and the word that mail has gone through after all.

    put off     a line for each notice that there is to be, numbered; what is written stays as it is
    due         told once, however many have become due: a sender hears of a delay, not of our calendar
    gone well   what was not told is withdrawn, and nobody hears anything
                what was told is cleared: the sender hears that too, if no other report says it

All lines are written at once, because who waits for a destination that does not answer is not looked at again
until somebody is tried for all of them.
"""

from __future__ import annotations

import sqlite3

from byreturn.mail import Action, Destination, Instant, QueueId
from byreturn.policy import Event, Relayed, Stored
from byreturn.spool.statements import SQL

CLEARED = "cleared"
COPIED = "copied"
_OWE_NOTICE = SQL["owe_notice"]
_NOTICES_OF = SQL["notices_of"]


def owe_notices(
    connection: sqlite3.Connection,
    recipient: tuple[QueueId, int, Destination],
    notices: tuple[Instant, ...],
    early_at: Instant | None,
    now: Instant,
) -> None:
    """Note when to tell of a delay; `early_at` for the first where nothing is known of the destination."""
    message_id, ordinal, destination = recipient
    for number, due_at in enumerate(notices):
        is_early = number == 0 and early_at is not None and not _took_mail(connection, destination)
        line = (message_id, ordinal, number, early_at if is_early else due_at, now)
        connection.execute(_OWE_NOTICE, line)


def _took_mail(connection: sqlite3.Connection, destination: Destination) -> bool:
    return connection.execute(SQL["past"], (destination,)).fetchone() is not None


def end_notices(connection: sqlite3.Connection, message_id: QueueId, ordinal: int) -> bool:
    """Withdraw what was not told; say whether the sender was told of a delay."""
    waits, was_told = connection.execute(_NOTICES_OF, (message_id, ordinal)).fetchone()
    if waits:
        connection.execute(SQL["drop_delay_notices"], (message_id, ordinal))
    return bool(was_told)


def has_cleared(event: Event, owed: Action | None) -> bool:
    """Whether an event is word enough to clear a delay, and no report of success will say so anyway."""
    return owed is None and isinstance(event, (Relayed, Stored))
