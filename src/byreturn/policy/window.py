"""The window: how many transactions at once a set of hosts gets, learned from how it takes them.

    unknown host, or one that did not answer   2 at once, until somebody there has spoken
    each transaction that came to its end      one more, up to the limit
    hosts that failed                          back to the start
    "too many connections"                     fewer than there were, for an hour

So a host that is slow or dead holds two of our connections and not twenty, a good one has all it may have
after some twenty messages, and one that comes back after a night is not trampled down by all who waited
for it. Postfix begins with 5 and moves by fractions; a start of 2 costs a good host one round trip. Pure.
"""

from __future__ import annotations

from typing import Final

START: Final = 2


class Window:
    """The size of one lane's window."""

    __slots__ = ("_ceiling", "_limit", "_size")

    def __init__(self, limit: int) -> None:
        assert limit >= 1
        self._limit = limit
        self._ceiling = limit
        self._size = min(START, limit)

    @property
    def size(self) -> int:
        """How many at once."""
        return self._size

    @property
    def limit(self) -> int:
        """How large it may become."""
        return self._ceiling

    def succeeded(self) -> None:
        """A transaction came to its end."""
        if self._size < self._ceiling:
            self._size += 1

    def failed(self) -> None:
        """Nobody answered."""
        self._size = min(START, self._ceiling)

    def lower(self, ceiling: int) -> None:
        """Hold it down to what the hosts can take; it never closes."""
        self._ceiling = max(1, min(ceiling, self._limit))
        self._size = min(self._size, self._ceiling)

    def restore(self) -> None:
        """Let it grow again as far as we allow ourselves."""
        self._ceiling = self._limit
