"""Work that blocks (an fsync, a hash) is done elsewhere, and its result comes back to the loop."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol, TypeVar

T = TypeVar("T")


class Worker(Protocol):
    """Runs blocking work off the loop."""

    def submit(self, work: Callable[[], T], done: Callable[[T | Exception], None]) -> None:
        """Run `work` in a thread; call `done` on the loop with its result, or with what it raised."""
        ...
