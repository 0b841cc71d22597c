"""Facts out: the journal."""

from byreturn.telemetry.journal import Journal

__all__ = ["Journal"]
