"""A content in memory, read as every other content is: from front to back, in pieces."""

from __future__ import annotations


class InMemory:
    """A content in memory, as a reader."""

    __slots__ = ("_at", "_data", "octets")

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0
        self.octets = len(data)

    def read(self, octets: int) -> bytes:
        """Return the next octets."""
        at, self._at = self._at, self._at + octets
        return self._data if at == 0 and octets >= self.octets else self._data[at : at + octets]

    def close(self) -> None:
        """Nothing to let go of."""
