"""What SQLite's errors mean: which are passing, which say that the file is damaged."""

from __future__ import annotations

import sqlite3
from typing import Final

FULL: Final = frozenset({sqlite3.SQLITE_FULL})
LOCKED: Final = frozenset({sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED})
# What says nothing about the file: another program has it, or the disk is full.
PASSING: Final = FULL | LOCKED
DAMAGE: Final = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_IOERR})


def code_of(error: sqlite3.Error) -> int:
    """Return SQLite's primary code; 0 where the error is the driver's own."""
    return (getattr(error, "sqlite_errorcode", None) or 0) & 0xFF
