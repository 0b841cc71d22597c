"""Durable memory: the spool on SQLite, and what people may read of it."""

from byreturn.spool.keeping import Keeping
from byreturn.spool.opening import SpoolRefused
from byreturn.spool.sqlite import SpoolSettings, SqliteSpool

__all__ = ["Keeping", "SpoolRefused", "SpoolSettings", "SqliteSpool"]
