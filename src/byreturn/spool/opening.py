"""Opening the spool: one process, a database that keeps its word, a schema that we know, and recovery.

    lock file -> connect -> pragmas, read back -> check -> schema -> recovery -> a new epoch
                                                  '-- of a large one: later, see checking.py

Whatever is not as it must be refuses to start with a `SpoolRefused` that says what is wrong, what it means
for the mail, and what to do. Recovery needs no human: what was in flight waits again, spread over two
seconds; an attempt that was interrupted is written down as such; a third interruption parks the recipient.
"""

from __future__ import annotations

import errno
import fcntl
import os
import sqlite3
from pathlib import Path
from typing import Final, NamedTuple

from byreturn.mail import Cause, Instant, QueueId, WeFound
from byreturn.ports import DestinationNews, Opened
from byreturn.spool.checking import damage, must_check_first, take_mark_away
from byreturn.spool.faults import PASSING, code_of
from byreturn.spool.remembering import brake, known, lessons
from byreturn.spool.rows import finding_from_text, finding_text
from byreturn.spool.statements import MIGRATIONS, SCHEMA, SQL

APPLICATION_ID: Final = 0x42525450  # "BRTP", so that `file` and we can tell whose database this is
SCHEMA_VERSION: Final = 3
DATABASE_NAME: Final = "spool.sqlite3"
CONTENT_FOLDER: Final = "content"
_FAILING_LIMIT: Final = 100_000
_PAGE_OCTETS: Final = 8192


class SpoolRefused(Exception):
    """The spool cannot be opened; the text says what is wrong, what it means and what to do."""


class Lock:
    """The folder's lock: held as long as the process lives, and by nobody else."""

    def __init__(self, folder: Path) -> None:
        path = folder / "lock"
        try:
            self._descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise SpoolRefused(_not_ours(path, error)) from None
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            owner = os.pread(self._descriptor, 20, 0).decode("ascii", "replace").strip()
            os.close(self._descriptor)
            if error.errno not in (errno.EWOULDBLOCK, errno.EACCES):
                raise SpoolRefused(
                    f"{path}: {error.strerror}. Without a lock two servers could send the same mail, so this "
                    "one did not start. Put the data folder on a local file system that has locks."
                ) from None
            by = owner if owner.isdecimal() else "unknown"
            raise SpoolRefused(
                f"{folder} is in use by process {by}. Two servers on one spool would send mail twice, so "
                "this one did not start. Stop the other one, or give this one a data folder of its own."
            ) from None
        os.ftruncate(self._descriptor, 0)
        os.pwrite(self._descriptor, f"{os.getpid()}\n".encode(), 0)

    def release(self) -> None:
        """Let go; the lock would go with the process anyway."""
        os.close(self._descriptor)


class OpenSpool(NamedTuple):
    """An open spool: the writer's connection, what start found, and whether all of it was read."""

    connection: sqlite3.Connection
    opened: Opened
    is_checked: bool


def prepare_folder(folder: Path) -> None:
    """Make the data folder and the folder for contents."""
    try:
        (folder / CONTENT_FOLDER).mkdir(mode=0o700, parents=True, exist_ok=True)
        # Names of new folders must be as durable as what will be in them.
        for each in (folder, folder.parent):
            descriptor = os.open(each, os.O_RDONLY | os.O_DIRECTORY)
            os.fsync(descriptor)
            os.close(descriptor)
    except OSError as error:
        raise SpoolRefused(_not_ours(folder, error)) from None


def _not_ours(path: Path, error: OSError) -> str:
    return (
        f"{path}: {error.strerror}. Without its data folder the server cannot keep mail, so it did not "
        "start. Make the folder, or let the server's user write to it."
    )


def open_spool(folder: Path, now: Instant) -> OpenSpool:
    """Open, check, migrate and recover. The caller holds the lock."""
    path = folder / DATABASE_NAME
    if path.exists() and not os.access(path, os.R_OK | os.W_OK):
        raise SpoolRefused(_not_ours(path, PermissionError(errno.EACCES, os.strerror(errno.EACCES))))
    connection: sqlite3.Connection | None = None
    try:
        connection = connect(path)
        is_checked = _prepare(connection, path)
        opened = _recover(connection, now)
    except (sqlite3.Error, SpoolRefused) as error:
        # Whoever is refused keeps nothing, so that it can be put right and tried again.
        if isinstance(connection, sqlite3.Connection):
            connection.close()
        if isinstance(error, SpoolRefused):
            raise
        raise SpoolRefused(_refusal_of(path, error)) from None
    return OpenSpool(connection, opened, is_checked)


def connect(path: Path, *, read_only: bool = False) -> sqlite3.Connection:
    """Open a connection of our kind; statements may come from another thread, one at a time."""
    connection = sqlite3.connect(
        f"{path.absolute().as_uri()}{'?mode=ro' if read_only else ''}",
        uri=True,
        isolation_level=None,
        check_same_thread=False,
        cached_statements=256,
        timeout=0,
    )
    connection.execute("PRAGMA cache_size = -32768")
    return connection


def _refusal_of(path: Path, error: sqlite3.Error) -> str:
    if code_of(error) in PASSING:
        return (
            f"{path}: {error}. The queue cannot be opened now, so the server did not start; no mail was "
            "touched. Stop other programs that use the file, make room on the disk, and start again."
        )
    return _unusable(path, str(error))


def _unusable(path: Path, why: str) -> str:
    return (
        f"{path}: {why}. The queue cannot be trusted like this, so the server did not start; no mail was "
        "touched. Stop everything that uses the file, keep a copy of the folder, and restore the file from "
        "a backup."
    )


def _prepare(connection: sqlite3.Connection, path: Path) -> bool:
    """Make the schema, or see that it is whole and ours; say whether all of it was read."""
    execute = connection.execute
    is_new = execute("SELECT count(*) FROM sqlite_master").fetchone()[0] == 0
    if is_new:
        execute(f"PRAGMA page_size = {_PAGE_OCTETS}")
        execute("PRAGMA auto_vacuum = INCREMENTAL")
    _demand(connection, "journal_mode", "wal", path)
    # FULL: the log is synced at every commit. Without it a 250 could be forgotten by a power failure.
    _demand(connection, "synchronous", 2, path, setting="FULL")
    # Checkpoints are made by a thread with a connection of its own, never by a commit.
    execute("PRAGMA wal_autocheckpoint = 0")
    if is_new:
        execute("BEGIN IMMEDIATE")
        for statement in SCHEMA.split(";\n"):
            if statement.strip():
                execute(statement)
        execute(f"PRAGMA application_id = {APPLICATION_ID}")
        execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
        execute("COMMIT")
        return True
    if execute("PRAGMA application_id").fetchone()[0] != APPLICATION_ID:
        raise SpoolRefused(_unusable(path, "this is a database of another program"))
    is_old = execute("PRAGMA user_version").fetchone()[0] < SCHEMA_VERSION
    is_checked = is_old or must_check_first(path.parent, connection)
    if is_checked:
        found = damage(connection)
        if found:
            raise SpoolRefused(_unusable(path, f"the database is damaged ({found})"))
        take_mark_away(path.parent)
    _migrate(connection, path)
    return is_checked


def _demand(
    connection: sqlite3.Connection, name: str, value: str | int, path: Path, *, setting: str = ""
) -> None:
    connection.execute(f"PRAGMA {name} = {setting or value}")
    got = connection.execute(f"PRAGMA {name}").fetchone()[0]
    if got != value:
        raise SpoolRefused(_unusable(path, f"{name} should be {value} and is {got}"))


def _migrate(connection: sqlite3.Connection, path: Path) -> None:
    """Bring an older schema up to date, one version at a time, each in a transaction of its own."""
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    if version > SCHEMA_VERSION:
        raise SpoolRefused(
            f"{path} was written by a newer ByReturn (schema {version}, this one knows {SCHEMA_VERSION}). "
            "Nothing was touched. Start the newer version again; going back needs a backup from before."
        )
    for step in range(version, SCHEMA_VERSION):
        if step not in MIGRATIONS:
            raise SpoolRefused(
                f"{path} has schema {version}, from which this ByReturn knows no way to its own, "
                f"{SCHEMA_VERSION}. Nothing was touched. Start a version in between once, then this one."
            )
        connection.execute("BEGIN IMMEDIATE")
        for statement in MIGRATIONS[step].split(";\n"):
            if statement.strip():
                connection.execute(statement)
        connection.execute(f"PRAGMA user_version = {step + 1}")
        connection.execute("COMMIT")


def _recover(connection: sqlite3.Connection, now: Instant) -> Opened:
    """Take up what the last process left in flight, and begin a new epoch: one transaction."""
    execute = connection.execute
    finding = finding_text(WeFound(Cause.INTERRUPTED, "the server stopped during the attempt"))
    execute("BEGIN IMMEDIATE")
    interrupted = execute(SQL["interrupted_attempts"], (now, finding)).rowcount
    parked = execute(SQL["park_interrupted"], (now, finding)).rowcount
    execute(SQL["destinations_of_interrupted"], (now,))
    execute(SQL["release_interrupted"], (now,))
    epoch = execute(SQL["add_epoch"], (now,)).lastrowid
    execute("COMMIT")
    assert epoch is not None
    failing = tuple(
        DestinationNews(name, failures, due_at, finding_from_text(found), since)
        for name, failures, due_at, found, since in execute(SQL["failing_destinations"], (_FAILING_LIMIT,))
    )
    floor = QueueId(execute(SQL["largest_id"]).fetchone()[0])
    return Opened(
        epoch, floor, failing, interrupted, parked, known(connection), lessons(connection, now),
        brake(connection),
    )  # fmt: skip
