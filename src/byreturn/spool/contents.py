"""Contents: small ones in the database, large ones in files of their own.

A large content is written aside while it comes in, synced, renamed to its final name, and its folder synced,
all before the message's rows are committed:

    <id>.part --fsync--> <id>.part --rename, fsync folder--> <id> --COMMIT--> 250

A crash before the commit leaves a stray file without a row; the sweep at start removes it. A file is removed
only after the commit that removed its row, so a row never lacks its file.
"""

from __future__ import annotations

import contextlib
import errno
import os
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Final

from byreturn.mail import QueueId, id_from_text, id_text
from byreturn.ports import SpoolFault, Worker

_ASIDE: Final = ".part"
_MODE: Final = 0o600
# A file goes to the disk in portions while it comes in: the sync of 50 MB at once would keep every commit
# waiting for a quarter of a second.
_PORTION: Final = 4 * 1024 * 1024


def fault_of(error: OSError, what: str) -> SpoolFault:
    """Say what failed, and whether it was for want of room."""
    return SpoolFault(f"{what}: {error.strerror}", is_full=error.errno in (errno.ENOSPC, errno.EDQUOT))


class FileReader:
    """A content in a file, read by the loop a piece at a time: 64 KiB from the page cache take 20 us."""

    __slots__ = ("_file", "octets")

    def __init__(self, path: Path) -> None:
        self._file = path.open("rb", buffering=0)
        self.octets = os.fstat(self._file.fileno()).st_size

    def read(self, octets: int) -> bytes:
        """Return the next octets."""
        return self._file.read(octets)

    def close(self) -> None:
        """Close the file."""
        self._file.close()


class FileWriter:
    """A large content on its way into its file."""

    def __init__(self, folder: Path, message_id: QueueId, worker: Worker) -> None:
        self._folder = folder
        self._final = folder / id_text(message_id)
        self._aside = self._final.with_suffix(_ASIDE)
        self._worker = worker
        self._fault: SpoolFault | None = None
        self._descriptor = -1
        self._unsynced = 0
        self._is_syncing = False
        self._on_synced: Callable[[], None] | None = None
        try:
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
            self._descriptor = os.open(self._aside, flags, _MODE)
        except OSError as error:
            self._fault = fault_of(error, f"cannot write {self._aside}")

    def write(self, data: bytes) -> SpoolFault | None:
        """Append; after a fault everything more is refused too."""
        if self._fault is None:
            try:
                view = memoryview(data)
                while view:
                    view = view[os.write(self._descriptor, view) :]
                self._unsynced += len(data)
                if self._unsynced >= _PORTION and not self._is_syncing:
                    self._sync_portion()
            except OSError as error:
                self._fault = fault_of(error, f"cannot write {self._aside}")
        return self._fault

    def _sync_portion(self) -> None:
        # A descriptor of its own: the other one may be closed, and its number given away, meanwhile.
        descriptor = os.dup(self._descriptor)
        self._unsynced = 0
        self._is_syncing = True

        def work() -> None:
            try:
                os.fdatasync(descriptor)
            finally:
                os.close(descriptor)

        def finish(outcome: Exception | None) -> None:
            self._is_syncing = False
            # An error is told once: the sync at the end would know nothing of it.
            if isinstance(outcome, OSError):
                self._fault = self._fault or fault_of(outcome, f"cannot write {self._aside}")
            elif outcome is not None:
                raise outcome
            if self._on_synced is not None:
                self._on_synced()

        self._worker.submit(work, finish)

    def seal(self, done: Callable[[SpoolFault | None], None]) -> None:
        """Make the file durable under its final name."""
        if self._is_syncing:
            self._on_synced = lambda: self._seal(done)
        else:
            self._seal(done)

    def _seal(self, done: Callable[[SpoolFault | None], None]) -> None:
        def work() -> None:
            if self._fault is not None:
                return
            os.fsync(self._descriptor)
            self._close()
            self._aside.rename(self._final)
            sync_folder(self._folder)

        def finish(outcome: Exception | None) -> None:
            if isinstance(outcome, OSError):
                self._fault = fault_of(outcome, f"cannot keep {self._final}")
            elif outcome is not None:
                raise outcome
            if self._fault is not None:
                self.abort()
            done(self._fault)

        self._worker.submit(work, finish)

    def abort(self) -> None:
        """Throw it away, under whichever name it has by now."""
        # Where this fails too, what is left is swept at the next start.
        with contextlib.suppress(OSError):
            self._close()
        for path in (self._aside, self._final):
            with contextlib.suppress(OSError):
                path.unlink(missing_ok=True)

    def _close(self) -> None:
        # Forgotten first: Linux closes a descriptor also when it reports an error.
        descriptor, self._descriptor = self._descriptor, -1
        if descriptor >= 0:
            os.close(descriptor)


def sync_folder(folder: Path) -> None:
    """Make the names in a folder durable."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sweep(folder: Path, names: Iterable[str], is_known: Callable[[QueueId], bool]) -> int:
    """Remove, of the files that start found, those that no row names: what a crash left."""
    count = 0
    for name in names:
        number = id_from_text(name.removesuffix(_ASIDE))
        if number is not None and (name.endswith(_ASIDE) or not is_known(number)):
            (folder / name).unlink(missing_ok=True)
            count += 1
    return count
