"""ByReturn: an internet mail connector that answers for every recipient, by return."""

__version__ = "0.1.0"
