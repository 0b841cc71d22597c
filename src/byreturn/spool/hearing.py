"""What a sender's own history says: whom their mail reached, and what others report of it later.

A report of somebody else is a stranger's word. It changes no disposition; it is added to the story of the
message that it is about, if that can be found among what was sent from the path that it came to:

    ENVID        the sender gave it; the same text may be written in several ways of xtext
    Message-ID   the header field of one of the last 10,000 messages from there
    neither      the last message from that path to that recipient, where only one of those whom it lately
                 sent to can be meant. A path that is made for each recipient (VERP) has only one

A report with an ENVID or a Message-ID that nothing of ours has is about no mail of ours: somebody else used
the sender's address.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from typing import Final

from byreturn.mail import Instant, Mailbox, QueueId, mailbox_from_text
from byreturn.mail.xtext import xtext_decode, xtext_encode
from byreturn.ports import LATER_LIMIT, Correspondent, HeardReport
from byreturn.spool.rows import Row
from byreturn.spool.statements import SQL

# Of a sender's history so much is looked at: messages, and recipients of them; measured: at most 6 ms.
MESSAGES_LOOKED_AT: Final = 300
_RECIPIENTS_LOOKED_AT: Final = 3_000
# Message-IDs of a sender that are looked through, the latest first, and ENVIDs where none is written as we
# would write it; measured: at most 1.3 ms.
_NAMES_LOOKED_AT: Final = 10_000


def correspondents(connection: sqlite3.Connection, sender: Mailbox, limit: int) -> tuple[Correspondent, ...]:
    """Name the addresses that took mail of a sender; see `ports.Spool.correspondents`."""
    latest: dict[str, Instant] = {}
    asked = (str(sender), MESSAGES_LOOKED_AT, _RECIPIENTS_LOOKED_AT)
    for address, at in connection.execute(SQL["correspondents"], asked):
        latest[address] = max(at, latest.get(address, at))
    ordered = sorted(latest.items(), key=lambda one: (-one[1], one[0]))
    return tuple(Correspondent(mailbox_from_text(address), at) for address, at in ordered[:limit])


# --- What others report -------------------------------------------------------------------------------


def heard(connection: sqlite3.Connection, reports: tuple[HeardReport, ...]) -> tuple[QueueId | None, ...]:
    """Add what others report to the stories of our messages; see `ports.Spool.heard`."""
    return tuple(_hear(connection, report) for report in reports)


def _hear(connection: sqlite3.Connection, report: HeardReport) -> QueueId | None:
    if report.envid or report.message_id:
        message_id = _by_envid(connection, report) or _by_message_id(connection, report)
        rows = [] if message_id is None else connection.execute(SQL["addressees"], (message_id,)).fetchall()
        ordinal = _ordinal(rows, report.recipient)
    else:
        message_id, ordinal = _by_verp(connection, report)
    if message_id is not None:
        connection.execute(
            SQL["add_later"],
            (
                message_id, ordinal, report.at, report.report_id, report.action, report.text, LATER_LIMIT,
            ),
        )  # fmt: skip
    return message_id


def _by_envid(connection: sqlite3.Connection, report: HeardReport) -> QueueId | None:
    if not report.envid or not report.envid.isascii():
        return None
    path = str(report.reverse_path)
    row = connection.execute(SQL["by_envid"], (path, xtext_encode(report.envid))).fetchone()
    if row is not None:
        return QueueId(row[0])
    for message_id, envid in connection.execute(SQL["escaped_envids"], (path, _NAMES_LOOKED_AT, "+")):
        if xtext_decode(envid) == report.envid:
            return QueueId(message_id)
    return None


def _by_message_id(connection: sqlite3.Connection, report: HeardReport) -> QueueId | None:
    asked = (str(report.reverse_path), report.message_id, _NAMES_LOOKED_AT)
    row = connection.execute(SQL["by_message_id"], asked).fetchone() if report.message_id else None
    return None if row is None else QueueId(row[0])


def _by_verp(connection: sqlite3.Connection, report: HeardReport) -> tuple[QueueId | None, int | None]:
    asked = (str(report.reverse_path), MESSAGES_LOOKED_AT, _RECIPIENTS_LOOKED_AT)
    rows = connection.execute(SQL["lately_sent"], asked).fetchall()
    if report.recipient is not None:
        rows = [row for row in rows if _is_meant(row, report.recipient)]
    if len({_folded(row[2]) for row in rows}) != 1:
        return None, None
    return QueueId(rows[0][0]), rows[0][1]


def _ordinal(rows: Iterable[Row], recipient: Mailbox | None) -> int | None:
    """Find who is meant: by their own address first, because others may share an alias with them."""
    rows = list(rows)
    if recipient is None:
        return rows[0][1] if len(rows) == 1 else None
    own = [row for row in rows if _folded(row[2]) == _folded(str(recipient))]
    found = own or [row for row in rows if _is_meant(row, recipient)]
    return found[0][1] if len(found) == 1 else None


def _is_meant(row: Row, recipient: Mailbox) -> bool:
    """Whether a recipient is known by this address: its own, the one that was given, or the original one."""
    address, given, orcpt = row[2:5]
    known = [address, given or address]
    if orcpt is not None:
        known.append(xtext_decode(orcpt.partition(";")[2]) or "")
    return _folded(str(recipient)) in map(_folded, known)


def _folded(address: str) -> str:
    # Local parts may differ by case, but those who report do not keep to it.
    return address.casefold()
