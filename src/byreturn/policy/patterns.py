"""Domain patterns: which entry of a table is closest to a name.

    exact name  >  "*.name", the one with more labels first  >  "*"

A pattern `*.partner.example` is everything *below* partner.example, by whole labels: it matches neither
partner.example itself nor notpartner.example. Pure.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Generic, TypeVar

T = TypeVar("T")


class PatternTable(Generic[T]):
    """Values by pattern; an empty table matches nothing."""

    def __init__(self, entries: Mapping[str, T]) -> None:
        self._exact = {pattern: value for pattern, value in entries.items() if not pattern.startswith("*")}
        self._below = {pattern[2:]: value for pattern, value in entries.items() if pattern.startswith("*.")}
        self._all = entries.get("*")

    def closest(self, name: str) -> T | None:
        """Return the value of the closest pattern; None where none matches."""
        found = self._exact.get(name)
        if found is not None:
            return found
        while "." in name:
            name = name.partition(".")[2]
            if name in self._below:
                return self._below[name]
        return self._all
