"""Durable memory: the spool on SQLite, and what people may read of it."""

from byreturn.spool.keeping import Keeping
from byreturn.spool.opening import SpoolRefused
from byreturn.spool.reader import SpoolBusy, SpoolReader
from byreturn.spool.sqlite import SpoolSettings, SqliteSpool
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
)

__all__ = [
    "AttemptSeen",
    "Counts",
    "DestinationView",
    "Entry",
    "Keeping",
    "LaterSeen",
    "Life",
    "QueueView",
    "ReportSeen",
    "Selection",
    "SpoolBusy",
    "SpoolReader",
    "SpoolRefused",
    "SpoolSettings",
    "SqliteSpool",
]
