"""Whether the database is whole: looked at before anything else, or right after the start.

To read a large queue takes longer than a sender waits for a greeting (measured: 15 s for 2 GB that are not
in memory). So only a small database is read before the start. A large one is read beside the mail, by a
thread with a connection of its own that cannot write. When that finds damage, the process has to end, and a
mark tells the next start to read everything first, whatever the size:

    small, marked, or to be migrated   read --whole--> mark removed, start
                                          '--damaged-> refused
    large                              start, read beside it --damaged--> mark, end

Fails: what says nothing about the file (it is locked, memory is short) is no damage.
"""

from __future__ import annotations

import contextlib
import sqlite3
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Final

from byreturn.ports import Worker
from byreturn.spool.contents import sync_folder
from byreturn.spool.faults import DAMAGE, code_of

CHECK_FIRST: Final = "check-first"
# Takes half a second, from a disk that reads 150 MB in a second.
FIRST_OCTETS: Final = 64 * 1024 * 1024
_ENDS_WITHIN: Final = 0.01  # seconds; measured: 0.0002


def damage(connection: sqlite3.Connection) -> str:
    """Read the whole database; say what is wrong with it, or nothing."""
    found: str = connection.execute("PRAGMA quick_check(3)").fetchone()[0]
    return "" if found == "ok" else found


def must_check_first(folder: Path, connection: sqlite3.Connection) -> bool:
    """Whether nothing may be done with the database before it was read."""
    (pages,) = connection.execute("PRAGMA page_count").fetchone()
    (page_octets,) = connection.execute("PRAGMA page_size").fetchone()
    return pages * page_octets <= FIRST_OCTETS or (folder / CHECK_FIRST).exists()


def take_mark_away(folder: Path) -> None:
    """The next start need not check first."""
    (folder / CHECK_FIRST).unlink(missing_ok=True)


class LateCheck:
    """Reads the database in a thread; `on_damage` hears what is wrong with it, on the loop."""

    def __init__(
        self,
        folder: Path,
        connection: sqlite3.Connection,
        worker: Worker,
        on_damage: Callable[[str], None],
    ) -> None:
        self._folder = folder
        self._connection = connection
        self._on_damage = on_damage
        self._is_stopped = False
        self._is_reading = False
        self._ended = threading.Event()
        # Each page is read once.
        connection.execute("PRAGMA cache_size = -4096")
        worker.submit(self._check, self._tell)

    def stop(self) -> None:
        """Break it off; nobody is told anything more."""
        self._is_stopped = True
        # Asked until it hears: an interruption just before the statement begins would be lost.
        while self._is_reading and not self._ended.wait(_ENDS_WITHIN):
            self._connection.interrupt()
        self._connection.close()

    def _check(self) -> str:
        self._is_reading = True
        try:
            found = "" if self._is_stopped else damage(self._connection)
        except sqlite3.Error as error:
            found = str(error) if code_of(error) in DAMAGE else ""
        finally:
            self._ended.set()
        if found:
            # Durable before anybody ends the process. Where that fails, the next start finds it in this way.
            with contextlib.suppress(OSError):
                (self._folder / CHECK_FIRST).touch(mode=0o600)
                sync_folder(self._folder)
        return found

    def _tell(self, found: str | Exception) -> None:
        if self._is_stopped:
            return
        self._connection.close()
        if found:
            self._on_damage(f"the database is damaged ({found})")
