"""Rates: so many messages, or octets, in so long; and who must wait how long for that.

A bucket fills evenly and holds one second's worth, at least one unit. Whoever comes is let through while
there is a whole unit in it, and may draw it below zero: so a message larger than the bucket goes too, and
those behind it wait until it is paid for. Pure: the present instant is a parameter.
"""

from __future__ import annotations

from msgspec import Struct

from byreturn.mail import SECOND, Duration, Instant


class Rate(Struct, frozen=True):
    """`amount` units in `per` milliseconds."""

    amount: int
    per: Duration

    def within(self, span: Duration) -> int:
        """How many units fit into a span, at least one."""
        return max(1, self.amount * span // self.per)


class Bucket:
    """Who may go now, under one rate."""

    __slots__ = ("_at", "_level", "_rate", "_size")

    def __init__(self, rate: Rate, now: Instant) -> None:
        assert rate.amount > 0
        assert rate.per > 0
        self._rate = rate
        # In units x milliseconds x amount, so that whole numbers do.
        self._size = max(rate.per, rate.amount * SECOND)
        self._level = self._size
        self._at = now

    def wait(self, now: Instant) -> Duration:
        """How long the next one must wait; 0: it may go."""
        self._fill(now)
        missing = self._rate.per - self._level
        # Rounded up: a millisecond early, it would not be there yet.
        return -(-missing // self._rate.amount) if missing > 0 else 0

    def take(self, units: int, now: Instant) -> None:
        """Let so many units through."""
        self._fill(now)
        self._level -= units * self._rate.per

    def _fill(self, now: Instant) -> None:
        if now > self._at:
            self._level = min(self._size, self._level + (now - self._at) * self._rate.amount)
            self._at = now
