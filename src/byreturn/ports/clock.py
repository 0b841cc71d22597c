"""Time and chance, as the core may ask for them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from byreturn.mail import Duration, Instant


class Timer(Protocol):
    """A call that is due later."""

    def cancel(self) -> None:
        """Take the call back; harmless when it was made already."""
        ...


class Clock(Protocol):
    """What time it is, and being called when it is later.

    Instants rise with the monotonic clock: a step of the system's clock moves none of them. When the two
    have come apart by more than an hour, `is_trusted` turns False, and nothing expires any more.
    """

    def now(self) -> Instant:
        """Return the present instant."""
        ...

    def is_trusted(self) -> bool:
        """Whether the system's clock agrees with the time that has passed since start."""
        ...

    def call_later(self, delay: Duration, call: Callable[[], None]) -> Timer:
        """Call once, `delay` from now; never from inside this function."""
        ...


class Entropy(Protocol):
    """Dice, so that a simulation can load them."""

    def lot(self) -> float:
        """Return a number from 0 up to, not including, 1."""
        ...

    def token(self) -> str:
        """Return 20 or more letters and digits that nobody can guess."""
        ...
