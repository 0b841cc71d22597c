"""Group commit: many operations, one transaction, one fsync.

Operations wait in a list on the loop. When the disk is free, all that wait run, one after the other, in one
BEGIN IMMEDIATE on the loop itself, and only COMMIT, which waits for the disk, runs in a thread; meanwhile the
next group forms. (Statements in a writer thread would fight the loop for the interpreter's lock: measured,
186 ms for 20 messages under a busy loop, against 12 ms.)

    submit --> waiting --BEGIN, statements--> group --COMMIT in a thread--> done(result) for each
                  '-- reports first ----------'

A group is bounded: 500 rows or 2 MB, so that one fsync never waits for an avalanche.

Promises: `done` is called after the commit, in the order of submission. If an operation fails, its group is
rolled back and each of the others is done again alone: one bad operation spoils nobody else's mail.
Fails: a full disk and a locked database are faults of the operation. A COMMIT that fails in any other way is
ambiguous: nobody knows what is on the disk. Then every operation gets an ambiguous fault, now and later, and
`on_broken` is told: the process must end and start again from what the disk says.
"""

from __future__ import annotations

import sqlite3
from collections import deque
from collections.abc import Callable
from typing import Any, Final, TypeVar

from byreturn.mail import SECOND, Duration, Instant
from byreturn.ports import Clock, SpoolFault, Worker
from byreturn.spool.faults import FULL, LOCKED, code_of

T = TypeVar("T")

_ROWS_LIMIT: Final = 500
_OCTETS_LIMIT: Final = 2 * 1024 * 1024
_LOCKED_PAUSE: Final[Duration] = 20
_LOCKED_LIMIT: Final[Duration] = 5 * SECOND


class _Operation:
    """One operation: what to do, whom to tell, and how much room it takes in a group."""

    __slots__ = ("done", "octets", "rows", "since", "work")

    def __init__(
        self,
        work: Callable[[sqlite3.Connection], Any],
        done: Callable[[Any], None],
        since: Instant,
        rows: int,
        octets: int,
    ) -> None:
        self.work = work
        self.done = done
        self.since = since
        self.rows = rows
        self.octets = octets


class Committer:
    """The one writer of the database."""

    def __init__(
        self,
        connection: sqlite3.Connection,
        worker: Worker,
        clock: Clock,
        *,
        on_broken: Callable[[str], None],
        after_commit: Callable[[], None],
    ) -> None:
        self._connection = connection
        self._worker = worker
        self._clock = clock
        self._on_broken = on_broken
        self._after_commit = after_commit
        self._first: deque[_Operation] = deque()
        self._waiting: deque[_Operation] = deque()
        self._is_busy = False
        self._busy_since: Instant = 0
        self._locked_since: Instant | None = None
        self._broken = ""

    def submit(
        self,
        work: Callable[[sqlite3.Connection], T],
        done: Callable[[T | SpoolFault], None],
        *,
        rows: int = 1,
        octets: int = 0,
        goes_first: bool = False,
    ) -> None:
        """Do `work` in the next group; `work` may run twice, and must then do the same again."""
        if self._broken:
            fault = SpoolFault(self._broken, is_ambiguous=True)
            self._clock.call_later(0, lambda: done(fault))
            return
        operation = _Operation(work, done, self._clock.now(), rows, octets)
        (self._first if goes_first else self._waiting).append(operation)
        if not self._is_busy:
            self._is_busy = True
            self._busy_since = operation.since
            self._clock.call_later(0, self._flush)

    def pressure(self) -> Duration:
        """How long the oldest unfinished operation has waited."""
        if not self._is_busy:
            return 0
        since = min([self._busy_since, *(line[0].since for line in (self._first, self._waiting) if line)])
        return self._clock.now() - since

    @property
    def is_idle(self) -> bool:
        """Whether nothing is under way or waiting."""
        return not (self._is_busy or self._first or self._waiting)

    # --- A group --------------------------------------------------------------------------------------

    def _flush(self) -> None:
        if self._broken:
            # Given up meanwhile: what waited was told.
            self._is_busy = False
            return
        if not self._begin():
            return
        group = self._take_group()
        self._busy_since = min(operation.since for operation in group)
        connection = self._connection
        try:
            results = [operation.work(connection) for operation in group]
        except Exception as error:  # noqa: BLE001 - whatever it is, it is this operation's fault alone
            self._roll_back()
            if len(group) == 1:
                self._finish(group, [_fault_of(error)])
            else:
                self._again_alone(group)
            return
        self._commit(group, results)

    def _begin(self) -> bool:
        try:
            self._connection.execute("BEGIN IMMEDIATE")
        except sqlite3.Error as error:
            now = self._clock.now()
            self._locked_since = self._locked_since or now
            if code_of(error) in LOCKED and now - self._locked_since < _LOCKED_LIMIT:
                # Another process holds the lock, say a backup. It is asked again without blocking the loop.
                self._clock.call_later(_LOCKED_PAUSE, self._flush)
                return False
            self._locked_since = None
            group = self._take_group()
            self._busy_since = now
            self._finish(group, [_fault_of(error)] * len(group))
            return False
        self._locked_since = None
        return True

    def _take_group(self) -> list[_Operation]:
        group: list[_Operation] = []
        rows = octets = 0
        while rows < _ROWS_LIMIT and octets < _OCTETS_LIMIT:
            line = self._first or self._waiting
            if not line:
                break
            operation = line.popleft()
            group.append(operation)
            rows += operation.rows
            octets += operation.octets
        return group

    def _again_alone(self, group: list[_Operation]) -> None:
        """Put a failed group back so that each operation gets a transaction of its own."""
        for operation in reversed(group):
            operation.rows = _ROWS_LIMIT
            self._first.appendleft(operation)
        self._flush()

    def _commit(self, group: list[_Operation], results: list[Any]) -> None:
        def work() -> None:
            self._connection.execute("COMMIT")

        def done(outcome: Exception | None) -> None:
            if isinstance(outcome, Exception):
                self._commit_failed(group, outcome)
            else:
                self._finish(group, results)

        # COMMIT POINT: what the group holds is promised from here on, and not before.
        self._worker.submit(work, done)

    def _roll_back(self) -> None:
        # On a full disk SQLite has rolled back already.
        if self._connection.in_transaction:
            self._connection.execute("ROLLBACK")

    def _commit_failed(self, group: list[_Operation], error: Exception) -> None:
        if isinstance(error, sqlite3.Error) and code_of(error) in FULL:
            # The log could not grow: its last frame, which makes the commit, was never written.
            self._roll_back()
            self._finish(group, [_fault_of(error)] * len(group))
            return
        self._break(f"the commit failed: {error}", group)

    def give_up(self, why: str) -> None:
        """Do nothing more: the database cannot be trusted. A group that is being committed is still told."""
        if not self._broken:
            self._break(why, [])

    def _break(self, why: str, group: list[_Operation]) -> None:
        is_news = not self._broken
        self._broken = self._broken or why
        fault = SpoolFault(self._broken, is_ambiguous=True)
        rest = [*group, *self._first, *self._waiting]
        self._first.clear()
        self._waiting.clear()
        _tell(rest, [fault] * len(rest))
        if group:
            self._is_busy = False
        if is_news:
            self._on_broken(self._broken)

    def _finish(self, group: list[_Operation], results: list[Any]) -> None:
        """Tell everybody, then go on. What they ask in reply joins the next group."""
        _tell(group, results)
        self._after_commit()
        if self._first or self._waiting:
            self._clock.call_later(0, self._flush)
        else:
            self._is_busy = False


def _tell(group: list[_Operation], results: list[Any]) -> None:
    for operation, result in zip(group, results, strict=True):
        operation.done(result)


def _fault_of(error: Exception) -> SpoolFault:
    if not isinstance(error, sqlite3.Error):
        return SpoolFault(f"bug: {error!r}")
    code = code_of(error)
    if code in FULL:
        return SpoolFault("no room left for the database", is_full=True)
    if code in LOCKED:
        return SpoolFault("another program keeps the database locked")
    return SpoolFault(f"the database failed: {error}")
