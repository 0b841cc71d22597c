"""Ending recipients whose time is over and whose destination was probed since.

Only recipients at failing destinations are ended: where a destination lives, the last attempt is booked for
the moment of expiry, and its outcome decides. A stretch of those past their time is looked at behind where
the last look ended, so that the many at living destinations do not hide the rest.

As in `settling`, the end and the reports that it makes us owe are one commit.
"""

from __future__ import annotations

import sqlite3
from typing import Final, NamedTuple, TypeAlias

from byreturn.mail import (
    COPY_LISTENER,
    SECOND,
    Destination,
    Diagnosis,
    Duration,
    Instant,
    Notify,
    QueueId,
    mailbox_from_text,
    reverse_path_from_text,
)
from byreturn.policy import RanOutOfTime, owed_for
from byreturn.ports import Ended, Expiry
from byreturn.spool.notices import COPIED, end_notices
from byreturn.spool.rows import finding_from_text, finding_text
from byreturn.spool.settling import owe, review
from byreturn.spool.statements import SQL

# Where a recipient stands in the order of expiry: when, and its key.
Place: TypeAlias = tuple[Instant, QueueId, int]

FIRST_PLACE: Final[Place] = (0, QueueId(0), -1)
# Recipients past their time that are looked at; some 5 ms. Those at living destinations are among them.
EXPIRY_STRETCH: Final = 2_000
_NEXT_STRETCH_IN: Final[Duration] = 1 * SECOND


class Ending(NamedTuple):
    """How to end recipients, and of whose end the postmaster is to have a copy: of mail, of our reports."""

    gather: Duration
    keep_content: Duration
    copies_mail: bool = False
    copies_reports: bool = False


class _Over(NamedTuple):
    """A row of `over_time`."""

    message_id: QueueId
    ordinal: int
    address: str
    destination: Destination
    notify: int
    attempts: int
    due_at: Instant
    own: str | None
    theirs: str | None
    found_at: Instant | None
    reverse_path: str
    recipient_count: int
    about: QueueId | None
    listener: str

    @property
    def finding(self) -> Diagnosis:
        """What is known last: it waited for its destination, so the last probe speaks for it."""
        finding = finding_from_text(self.theirs or self.own)
        assert finding is not None, "a failing destination has a finding"
        return finding


def expire(
    connection: sqlite3.Connection,
    now: Instant,
    started_at: Instant,
    limit: int,
    *,
    how: Ending,
    looked_to: Place = FIRST_PLACE,
) -> tuple[Expiry, Place]:
    """End what is over; where the destination was not probed since, ask for a probe first.

    Where the next stretch begins is returned too.
    """
    touched: dict[QueueId, int] = {}
    probe: dict[Destination, None] = {}
    ended: list[Ended] = []
    stretch = (now, *looked_to)
    end = connection.execute(SQL["over_time_end"], (*stretch, EXPIRY_STRETCH - 1)).fetchone()
    for over in map(_Over._make, connection.execute(SQL["over_time"], (*stretch, EXPIRY_STRETCH)).fetchall()):
        if over.found_at is None or over.found_at < max(over.due_at, started_at):
            if len(probe) < limit:
                probe[over.destination] = None
            continue
        if len(ended) == limit:
            break
        ended.append(_end(connection, over, now, how))
        touched[over.message_id] = over.recipient_count
    for destination in probe:
        connection.execute(SQL["probe_now"], (destination, now))
    owed = [
        (message_id, due)
        for message_id, n in touched.items()
        if (due := review(connection, message_id, now, count=n, keep_content=how.keep_content, files=[]))
        is not None
    ]
    if len(ended) == limit:
        return Expiry(tuple(ended), tuple(owed), tuple(probe), now), looked_to
    next_at = now + _NEXT_STRETCH_IN
    if end is None:
        next_at = connection.execute(SQL["next_expiry"], (now,)).fetchone()[0]
    return Expiry(tuple(ended), tuple(owed), tuple(probe), next_at), end or FIRST_PLACE


def _end(connection: sqlite3.Connection, over: _Over, now: Instant, how: Ending) -> Ended:
    where = (over.message_id, over.ordinal)
    finding = over.finding
    text = finding_text(finding)
    connection.execute(SQL["expire_recipient"], (now, text, *where))
    connection.execute(SQL["add_attempt"], (*where, over.attempts + 1, over.found_at, now, "expired", text))
    end_notices(connection, *where)
    reverse_path = reverse_path_from_text(over.reverse_path)
    action = owed_for(RanOutOfTime(finding), reverse_path, Notify(over.notify), passed_on=False)
    if action is not None:
        owe(connection, *where, action, now, gather=how.gather)
    # Never of a copy: one that cannot be delivered would beget the next.
    is_wanted = how.copies_mail if over.about is None else how.copies_reports
    if is_wanted and over.listener != COPY_LISTENER:
        connection.execute(SQL["owe"], (*where, COPIED, now + how.gather, now))
    return Ended(over.message_id, mailbox_from_text(over.address), finding, is_null=not over.reverse_path)
