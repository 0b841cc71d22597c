"""Reading the spool from another process: what waits, what became of a message, who wrote to whom.

Looking never hurts. The reader has a connection of its own that cannot write; each question is one short
transaction, and what could take long (a search through the history) is asked a stretch at a time. In WAL
mode it sees the last commit and stops nobody.

    the server runs, or crashed   a log stands beside the database   opened read-only; the log is read too
    it was stopped                no log                             opened as immutable: no file is made

Promises: nothing in the folder is changed; answers are bounded.
Fails: SpoolRefused when the database cannot be read, with what is wrong, what it means and what to do;
SpoolBusy (a SpoolRefused) when the same question may be answered a moment later.
"""

from __future__ import annotations

import os
import sqlite3
from collections import deque
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Literal, TypeVar

import msgspec

from byreturn.mail import Destination, QueueId
from byreturn.ports import Braked, Lesson
from byreturn.spool.faults import LOCKED, code_of
from byreturn.spool.opening import APPLICATION_ID, DATABASE_NAME, SCHEMA_VERSION, SpoolRefused
from byreturn.spool.remembering import braked_from_row
from byreturn.spool.rows import STATE_NUMBERS
from byreturn.spool.statements import READER_SQL
from byreturn.spool.views import (
    AttemptSeen,
    Counts,
    DestinationView,
    Entry,
    LaterSeen,
    Life,
    QueueView,
    ReportSeen,
    Selection,
    attempt_from_row,
    destination_from_row,
    entry_from_row,
    later_from_row,
    report_from_row,
)

_Seen = TypeVar("_Seen", AttemptSeen, ReportSeen, LaterSeen)

RECIPIENTS_LIMIT: Final = 10_000
_ATTEMPTS_LIMIT: Final = 50_000
_REPORTS_LIMIT: Final = 50_000
_LATER_LIMIT: Final = 50_000
OTHERS_LIMIT: Final = 100_000  # beyond it the exact number tells nobody more
_STRETCH: Final = 20_000  # ids; searching so many takes some 10 ms
_DESTINATIONS_LIMIT: Final = 100_000
_COUNTED: Final = 500_000  # recipients that are counted in a transaction; some 50 ms
_NAME_COSTS: Final = 50  # to look for a name takes as long as to count so many
_VIEWS: Final = 500
_BUSY_MS: Final = 2_000
_LAST_NAME: Final = "\U0010ffff"  # sorts after every name of a destination


class SpoolBusy(SpoolRefused):
    """The spool cannot be read at this moment; try again."""


class SpoolReader:
    """Answers questions about the spool in a folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._path = folder / DATABASE_NAME
        self._log = folder / f"{DATABASE_NAME}-wal"
        self._connection: sqlite3.Connection | None = None
        self._is_immutable = False
        with self._reading():
            pass

    def __enter__(self) -> SpoolReader:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the file."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    # --- Questions ------------------------------------------------------------------------------------

    def queue(self, selection: Selection, limit: int) -> QueueView:
        """Tell what waits, oldest first."""
        asked: tuple[Any, ...] = (
            selection.destination or "",
            selection.destination or _LAST_NAME,
            None if selection.state is None else STATE_NUMBERS[selection.state],
            selection.not_due_before,
        )
        # Two transactions: both answers are true, and neither holds the log for long.
        with self._reading() as ask:
            entries = tuple(map(entry_from_row, ask.execute(READER_SQL["queue"], (*asked, limit))))
        with self._reading() as ask:
            rows = ask.execute(READER_SQL["queue_counts"], asked).fetchall()
        by_state = [sum(row[2] for row in rows if row[0] == number) for number in range(4)]
        waiting, in_flight, held, parked = by_state
        unanswered = sum(row[2] for row in rows if row[0] == 0 and row[1])
        return QueueView(entries, Counts(waiting, unanswered, in_flight, held, parked))

    def life(self, message_id: QueueId) -> Life | None:
        """Tell all about a message; None when it is not known (any more)."""
        with self._reading() as ask:
            entries = _entries_of(ask, message_id, RECIPIENTS_LIMIT)
            if not entries:
                return None
            end = entries[-1].recipient.ordinal + 1
            attempts = ask.execute(READER_SQL["attempts"], (message_id, end, _ATTEMPTS_LIMIT)).fetchall()
            reports = ask.execute(READER_SQL["reports"], (message_id, end, _REPORTS_LIMIT)).fetchall()
            later = ask.execute(READER_SQL["later"], (message_id, _LATER_LIMIT)).fetchall()
            sent = {row[4]: _entries_of(ask, row[4], 1) for row in reports if row[4]}
            unanswered = {entry.recipient.destination for entry in entries if entry.is_unanswered}
            others = {
                destination: ask.execute(
                    READER_SQL["others_waiting"], (destination, message_id, OTHERS_LIMIT + 1)
                ).fetchone()[0]
                for destination in sorted(unanswered)
            }
        return Life(
            entries[0].message,
            entries,
            _by_ordinal(map(attempt_from_row, attempts)),
            _by_ordinal(report_from_row(row, sent) for row in reports),
            others,
            _by_ordinal(map(later_from_row, later)),
        )

    def trace(self, address: str, limit: int) -> tuple[Entry, ...]:
        """Find recipients of messages from or to an address, newest first; an empty one is the null path.

        Takes the time to read the whole history where there are few, but never a long transaction.
        """
        return self._search("trace", address, limit)

    def reports(self, limit: int, *, undeliverable: bool, before: QueueId | None = None) -> tuple[Entry, ...]:
        """Tell of reports that we made, newest first: all, or those that could not be delivered.

        `before`: only those with a lower id. It takes as long as `trace`.
        """
        return self._search("reports_made", int(undeliverable), limit, before)

    def _search(
        self,
        which: Literal["trace", "reports_made"],
        what: str | int,
        limit: int,
        before: QueueId | None = None,
    ) -> tuple[Entry, ...]:
        """Look through the history, a stretch at a time."""
        found: list[Entry] = []
        below = (1 << 63) - 1 if before is None else before
        while len(found) < limit:
            with self._reading() as ask:
                start = ask.execute(READER_SQL["stretch"], (below, _STRETCH)).fetchone()[0]
                if start is None:
                    break
                rows = ask.execute(READER_SQL[which], (start, below, what, limit - len(found)))
                found.extend(map(entry_from_row, rows))
            below = start
        return tuple(found)

    def destinations(self, name: str | None, limit: int) -> tuple[DestinationView, ...]:
        """Tell of destinations: those that fail, most waiting first, then the others likewise.

        `name`: one destination, or with `*` in it all that are like it. One is told of also when there is no
        mail for it. Takes the time to count what waits, but never a long transaction.
        """
        if name is not None and "*" not in name:
            with self._reading() as ask:
                is_known = ask.execute(READER_SQL["is_destination"], (name,)).fetchone()[0]
            chosen = [(0, Destination(name))] if is_known and limit > 0 else []
        else:
            # In GLOB "[" and "?" stand for others too; in names they stand for themselves.
            like = name and "".join(f"[{sign}]" if sign in "[?" else sign for sign in name)
            chosen = self._most_waiting(self._names("failing_names", like), limit)
            if len(chosen) < limit:
                others = self._names("living_names", like)
                chosen += self._most_waiting(others, limit - len(chosen))
        return tuple(self._views([destination for _, destination in chosen]))

    def _names(self, which: Literal["failing_names", "living_names"], like: str | None) -> list[Destination]:
        with self._reading() as ask:
            return [row[0] for row in ask.execute(READER_SQL[which], (like, _DESTINATIONS_LIMIT))]

    def _most_waiting(self, names: list[Destination], limit: int) -> list[tuple[int, Destination]]:
        """Choose those for which most wait, and count them; a stretch of names at a time."""
        counted: list[tuple[int, Destination]] = []
        rest = deque(names)
        while rest:
            budget = _COUNTED
            with self._reading() as ask:
                while rest and budget > 0:
                    (count,) = ask.execute(READER_SQL["waiting_at"], (rest[0], OTHERS_LIMIT)).fetchone()
                    counted.append((count, rest.popleft()))
                    budget -= count + _NAME_COSTS
        return sorted(counted, key=lambda one: (-one[0], one[1]))[:limit]

    def _views(self, names: list[Destination]) -> Iterator[DestinationView]:
        for start in range(0, len(names), _VIEWS):
            with self._reading() as ask:
                stretch = [_view_of(ask, name) for name in names[start : start + _VIEWS]]
            yield from stretch

    def lessons(self, limit: int) -> tuple[Lesson, ...]:
        """Tell what hosts taught us, newest first."""
        with self._reading() as ask:
            return tuple(Lesson(*row) for row in ask.execute(READER_SQL["lessons"], (limit,)))

    def brake(self) -> Braked | None:
        """Tell whether the brake is on."""
        with self._reading() as ask:
            row = ask.execute(READER_SQL["brake"]).fetchone()
        return None if row is None else braked_from_row(row)

    def server_is_gone(self) -> bool:
        """Whether the process that last had the spool has ended; False also where that cannot be told.

        The lock itself is left alone: to try it, however shortly, could refuse a server that is starting.
        """
        try:
            text = (self._folder / "lock").read_bytes()[:20].decode("ascii", "replace").strip()
            if text.isdigit():
                os.kill(int(text), 0)
        except ProcessLookupError:
            return True
        except (OSError, OverflowError):
            return False
        return False

    # --- The connection -------------------------------------------------------------------------------

    @contextmanager
    def _reading(self) -> Iterator[sqlite3.Connection]:
        """One transaction; what goes wrong is said in words."""
        try:
            connection = self._connected()
            connection.execute("BEGIN")
            try:
                yield connection
            finally:
                if connection.in_transaction:
                    connection.execute("ROLLBACK")
        except sqlite3.DatabaseError as error:
            self.close()
            raise self._refusal(error) from None
        except msgspec.MsgspecError as error:
            raise SpoolRefused(self._damaged(f"a row that cannot be read: {error}")) from None

    def _connected(self) -> sqlite3.Connection:
        """Return the connection; a new one when a server was started on a spool that had been closed."""
        has_log = self._look()
        if self._connection is not None and not (self._is_immutable and has_log):
            return self._connection
        self.close()
        # Without a log nobody writes, and a reader that does not know that would make one.
        self._is_immutable = not has_log
        how = "mode=ro" if has_log else "mode=ro&immutable=1"
        connection = sqlite3.connect(
            f"{self._path.absolute().as_uri()}?{how}", uri=True, isolation_level=None
        )
        try:
            connection.execute(f"PRAGMA busy_timeout = {_BUSY_MS}")
            connection.execute("PRAGMA query_only = ON")
            self._check(connection)
        except BaseException:
            connection.close()
            raise
        self._connection = connection
        return connection

    def _look(self) -> bool:
        """Whether the database has a log; refuse where there is no database, or none for us."""
        try:
            self._path.stat()
            with suppress(FileNotFoundError):
                self._log.stat()
                return True
        except FileNotFoundError:
            raise SpoolRefused(
                f"there is no queue in {self._folder}. The server has never run with this data folder. Start "
                "it with: byreturn serve. Or name the configuration of the one that runs with --config."
            ) from None
        except OSError as error:
            raise SpoolRefused(self._unreadable(error.strerror or "it cannot be read")) from None
        return False

    def _check(self, connection: sqlite3.Connection) -> None:
        """See that this is a spool, and one that we know."""
        (application,) = connection.execute("PRAGMA application_id").fetchone()
        (version,) = connection.execute("PRAGMA user_version").fetchone()
        if application != APPLICATION_ID:
            if not connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]:
                raise SpoolBusy(
                    f"{self._path} is still empty. The server is just making it. Try again in a moment."
                )
            raise SpoolRefused(
                f"{self._path} is a database of another program. Check data in the configuration."
            )
        if version > SCHEMA_VERSION:
            raise SpoolRefused(
                f"{self._path} was written by a newer ByReturn (schema {version}, this one knows "
                f"{SCHEMA_VERSION}). Nothing was touched. Look with the newer version."
            )
        if version < SCHEMA_VERSION:
            raise SpoolRefused(
                f"{self._path} was written by an older ByReturn (schema {version}, this one needs "
                f"{SCHEMA_VERSION}). Nothing was touched. Start the server: it brings the file up to date."
            )

    def _refusal(self, error: sqlite3.DatabaseError) -> SpoolRefused:
        code = code_of(error)
        if code in LOCKED:
            return SpoolBusy(
                f"{self._path} is busy ({error}). No mail is touched by this. Try again in a moment."
            )
        if code in (sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_PERM):
            return SpoolRefused(self._unreadable(str(error)))
        return SpoolRefused(self._damaged(str(error)))

    def _damaged(self, why: str) -> str:
        return (
            f"{self._path}: {why}. The queue cannot be read like this; nothing was touched. Stop the server, "
            "keep a copy of the folder, and restore the file from a backup."
        )

    def _unreadable(self, why: str) -> str:
        return (
            f"{self._path}: {why}. The queue cannot be shown; the mail in it is not touched. Run this as the "
            "user that runs the server, or as root."
        )


def _view_of(ask: sqlite3.Connection, name: Destination) -> DestinationView:
    row = ask.execute(READER_SQL["destination"], (name,)).fetchone()
    (waiting,) = ask.execute(READER_SQL["waiting_at"], (name, OTHERS_LIMIT)).fetchone()
    (in_flight,) = ask.execute(READER_SQL["in_flight_to"], (name,)).fetchone()
    return destination_from_row(name, row, waiting, in_flight)


def _entries_of(ask: sqlite3.Connection, message_id: QueueId, limit: int) -> tuple[Entry, ...]:
    return tuple(map(entry_from_row, ask.execute(READER_SQL["message"], (message_id, limit))))


def _by_ordinal(seen: Iterable[_Seen]) -> dict[Any, list[_Seen]]:
    """Put what belongs to a recipient together, in the order in which it came."""
    found: dict[int | None, list[_Seen]] = {}
    for one in seen:
        found.setdefault(one.ordinal, []).append(one)
    return found
