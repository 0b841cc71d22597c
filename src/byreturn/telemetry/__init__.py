"""Facts out: the journal, and the meter."""

from byreturn.telemetry.journal import Journal
from byreturn.telemetry.metrics import Meter

__all__ = ["Journal", "Meter"]
