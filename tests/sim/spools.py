"""The spools that a world can be run on; each survives its process, as a disk does."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol, TypeVar

from byreturn.mail import Duration, Instant, QueueId
from byreturn.policy import State
from byreturn.ports import Clock, Opened
from byreturn.spool import SpoolSettings, SqliteSpool
from byreturn.spool.opening import connect
from byreturn.spool.rows import state_from_row

T = TypeVar("T")
Key = tuple[QueueId, int]
States = dict[Key, tuple[State, Instant]]


class SpoolMaker(Protocol):
    """A disk, and the spools that are opened on it one after the other."""

    def open(self, clock: Clock, gather: Duration) -> tuple[Any, Opened]:
        """Open what is there; the process before is dead."""
        ...

    def states(self) -> States:
        """Every recipient's state, and since when."""
        ...

    def interrupted(self) -> set[Key]:
        """Whose attempts were cut off."""
        ...


class InlineWorker:
    """Does blocking work at once: in the simulation nothing blocks."""

    def submit(self, work: Callable[[], T], done: Callable[[T | Exception], None]) -> None:
        outcome: T | Exception
        try:
            outcome = work()
        except Exception as error:
            outcome = error
        done(outcome)


class SqliteMaker:
    """The real spool, on a folder in memory where there is one."""

    def __init__(self) -> None:
        shm = Path("/dev/shm")
        self._folder = Path(tempfile.mkdtemp(prefix="byreturn-sim-", dir=shm if shm.is_dir() else None))
        self._open: SqliteSpool | None = None

    def open(self, clock: Clock, gather: Duration) -> tuple[SqliteSpool, Opened]:
        if self._open is not None:
            self._open.abandon()
            self._open = None
        self._open = SqliteSpool(
            self._folder,
            InlineWorker(),
            clock,
            settings=SpoolSettings(gather=gather),
            on_broken=_broken,
        )
        return self._open, self._open.opened

    def states(self) -> States:
        connection = connect(self._folder / "spool.sqlite3", read_only=True)
        rows = connection.execute(
            "SELECT message_id, ordinal, state, due_at, epoch, attempts, changed_at FROM recipient"
        ).fetchall()
        connection.close()
        return {(row[0], row[1]): (state_from_row(*row[2:6]), row[6]) for row in rows}

    def interrupted(self) -> set[Key]:
        connection = connect(self._folder / "spool.sqlite3", read_only=True)
        rows = connection.execute(
            "SELECT message_id, ordinal FROM attempt WHERE event = 'interrupted'"
        ).fetchall()
        connection.close()
        return set(rows)

    def remove(self) -> None:
        """Let go of everything."""
        if self._open is not None:
            self._open.abandon()
        shutil.rmtree(self._folder)


def _broken(why: str) -> None:
    raise AssertionError(why)
