"""Kinds of values that limit how much goes to somebody in a time: `"100/min"`, `"10MiB/min"`.

    amount / time     the time is a unit, or a number and a unit: s, m or min, h, d

The two are kept as they were given: `60/min` lets pass as much as `1/s`, but they need not be the same in the
words of a person. Pure.
"""

from __future__ import annotations

import re
from typing import Final

from msgspec import Struct

from byreturn.config.errors import Bad, bad, quoted
from byreturn.config.values import Octets, Whole, duration_text, not_a, size_text
from byreturn.mail import DAY, MINUTE, SECOND, Duration
from byreturn.policy import Rate

_RATE: Final = re.compile(r"([0-9A-Za-z.]{1,24})/(\d{0,5})(s|min|m|h|d)", re.ASCII)
_UNITS: Final = {"s": SECOND, "min": MINUTE, "m": MINUTE, "h": 60 * MINUTE, "d": DAY}
_MESSAGES: Final = Whole(1, 1_000_000)
# Below a KiB no message would ever be paid for.
_OCTETS: Final = Octets(1 << 10, 1 << 40)


class MessageRate(Struct, frozen=True):
    """So many messages in a time."""

    @property
    def words(self) -> str:
        """The kind in words."""
        return f"rate, {_MESSAGES.least} to {_MESSAGES.most} in a time of 1s to 1d"

    def read(self, value: object) -> Rate | Bad:
        """Read a rate."""
        bounds = f"from {_MESSAGES.least} to {_MESSAGES.most}"
        remedy = f'Write a number {bounds} and a time, such as "100/min", "5/s" or "10/15m".'
        parts = _split(value, remedy)
        if isinstance(parts, Bad):
            return parts
        text, per = parts
        if not text.isdigit():
            return bad("not a rate", remedy)
        amount = _MESSAGES.read(int(text))
        return bad(amount.wrongs[0].what, remedy) if isinstance(amount, Bad) else Rate(amount, per)

    def write(self, value: Rate) -> str:
        """Write a rate."""
        return quoted(f"{value.amount}/{_time_text(value.per)}")


class OctetRate(Struct, frozen=True):
    """So many octets in a time."""

    @property
    def words(self) -> str:
        """The kind in words."""
        return (
            f"rate of octets, {size_text(_OCTETS.least)} to {size_text(_OCTETS.most)} in a time of 1s to 1d"
        )

    def read(self, value: object) -> Rate | Bad:
        """Read a rate; an amount without a unit counts octets."""
        bounds = f"from {size_text(_OCTETS.least)} to {size_text(_OCTETS.most)}"
        remedy = f'Write a size {bounds} and a time, such as "10MiB/min" or "500kB/s".'
        parts = _split(value, remedy)
        if isinstance(parts, Bad):
            return parts
        text, per = parts
        amount = _OCTETS.read(int(text) if text.isdigit() else text)
        return bad(amount.wrongs[0].what, remedy) if isinstance(amount, Bad) else Rate(amount, per)

    def write(self, value: Rate) -> str:
        """Write a rate."""
        return quoted(f"{size_text(value.amount)}/{_time_text(value.per)}")


def _split(value: object, remedy: str) -> tuple[str, Duration] | Bad:
    if not isinstance(value, str):
        return not_a("a rate", value, remedy)
    found = _RATE.fullmatch(value)
    if found is None:
        return bad("not a rate", remedy)
    amount, number, unit = found.groups()
    per = int(number or 1) * _UNITS[unit]
    return (amount, per) if SECOND <= per <= DAY else bad("out of bounds", "Write a time from 1s to 1d.")


def _time_text(per: Duration) -> str:
    if per == MINUTE:
        return "min"
    text = duration_text(per)
    return text[1:] if text in {"1s", "1h", "1d"} else text
