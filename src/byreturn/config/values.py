"""Kinds of values: each reads itself out of TOML and writes itself back.

A kind is all that is known about a value: what it may be, how it is said in words, what to answer when it
is something else. The checker, the reference page and `byreturn check` ask it and nothing else.

    read    what TOML gave -> the value, or Bad with every fault in it
    write   the value -> TOML text; read(write(value)) == value
    words   for the reference page: "duration, 10ms to 365d"

Here: flags, numbers, choices, durations, sizes, lists. Names and addresses are in `names`. Pure.
"""

from __future__ import annotations

import re
from datetime import date, time
from fractions import Fraction
from typing import Any, Final, Literal, Protocol, TypeVar

from msgspec import Struct

from byreturn.config.errors import Bad, Wrong, bad, quoted
from byreturn.mail import DAY, HOUR, MINUTE, SECOND, Duration

T = TypeVar("T")


class Kind(Protocol[T]):
    """What a value may be."""

    @property
    def words(self) -> str:
        """The kind in words, for the reference page; begins with its name."""
        ...

    def read(self, value: object) -> T | Bad:
        """Read what TOML gave."""
        ...

    def write(self, value: T) -> str:
        """Write a value as TOML."""
        ...


def not_a(noun: str, value: object, remedy: str) -> Bad:
    """Say that a value is of another type than the one needed."""
    return bad(f"{_type_in_words(value)} where {noun} is needed", remedy)


def _type_in_words(value: object) -> str:
    match value:
        case bool():
            return "true or false"
        case int():
            return "a whole number"
        case float():
            return "a number with a fraction"
        case str():
            return "a text"
        case list():
            return "a list"
        case dict():
            return "a table"
        case date() | time():
            return "a date or time"
        case _:
            return "something else"


class Flag(Struct, frozen=True):
    """True or false."""

    @property
    def words(self) -> str:
        """The kind in words."""
        return "true or false"

    def read(self, value: object) -> bool | Bad:
        """Read a flag."""
        if isinstance(value, bool):
            return value
        return not_a("true or false", value, "Write true or false, without quotation marks.")

    def write(self, value: bool) -> str:  # noqa: FBT001 - a flag is what this kind is about
        """Write a flag."""
        return "true" if value else "false"


class Whole(Struct, frozen=True):
    """A whole number within bounds."""

    least: int
    most: int

    @property
    def words(self) -> str:
        """The kind in words."""
        return f"whole number, {self.least} to {self.most}"

    def read(self, value: object) -> int | Bad:
        """Read a number."""
        remedy = f"Write a number from {self.least} to {self.most}"
        if not isinstance(value, int) or isinstance(value, bool):
            return not_a("a whole number", value, f"{remedy}, without quotation marks.")
        return value if self.least <= value <= self.most else bad("out of bounds", f"{remedy}.")

    def write(self, value: int) -> str:
        """Write a number."""
        return str(value)


class Choice(Struct, frozen=True):
    """One of a few words."""

    options: tuple[str, ...]

    @property
    def words(self) -> str:
        """The kind in words."""
        return " or ".join(f'`"{option}"`' for option in self.options)

    def read(self, value: object) -> str | Bad:
        """Read a word."""
        remedy = f"Write {' or '.join(quoted(option) for option in self.options)}."
        if not isinstance(value, str):
            return not_a("a word", value, remedy)
        return value if value in self.options else bad("no such choice", remedy)

    def write(self, value: str) -> str:
        """Write a word."""
        return quoted(value)


# --- Durations ----------------------------------------------------------------------------------------

_SPAN_UNITS: Final = {"d": DAY, "h": HOUR, "m": MINUTE, "s": SECOND, "ms": 1}
_SPAN: Final = re.compile(r"(\d{1,15}(?:\.\d{1,6})?)(ms|s|m|h|d)", re.ASCII)


def duration_text(span: Duration) -> str:
    """Write a duration in the largest unit that needs no fraction: `15m`, `0s`."""
    if not span:
        return "0s"
    return next(f"{span // size}{unit}" for unit, size in _SPAN_UNITS.items() if span % size == 0)


class Span(Struct, frozen=True):
    """A duration within bounds: a number and a unit."""

    least: Duration
    most: Duration

    @property
    def words(self) -> str:
        """The kind in words."""
        return f"duration, {duration_text(self.least)} to {duration_text(self.most)}"

    def read(self, value: object) -> Duration | Bad:
        """Read a duration."""
        remedy = 'Write a number and a unit, such as "30m" or "1h".'
        if not isinstance(value, str):
            return not_a("a duration", value, remedy)
        found = _SPAN.fullmatch(value)
        if found is None:
            return bad("not a duration", remedy)
        span = Fraction(found[1]) * _SPAN_UNITS[found[2]]
        if span.denominator != 1:
            return bad("finer than a millisecond", remedy)
        if not self.least <= span <= self.most:
            bounds = f"{duration_text(self.least)} to {duration_text(self.most)}"
            return bad("out of bounds", f"Write a duration from {bounds}.")
        return int(span)

    def write(self, value: Duration) -> str:
        """Write a duration."""
        return quoted(duration_text(value))


# --- Sizes --------------------------------------------------------------------------------------------

_SIZE_UNITS: Final = {
    "TiB": 1 << 40, "TB": 10**12, "GiB": 1 << 30, "GB": 10**9,
    "MiB": 1 << 20, "MB": 10**6, "KiB": 1 << 10, "kB": 10**3,
}  # fmt: skip
_SIZE_REMEDY: Final = (
    'Write a number and a unit (kB, MB, GB, TB, KiB, MiB, GiB, TiB), such as "50MiB", or a number of octets '
    "without quotation marks."
)
_SIZE: Final = re.compile(r"(\d{1,15}(?:\.\d{1,6})?)([A-Za-z]+)", re.ASCII)


def size_text(octets: int) -> str:
    """Write a size in the largest unit that needs no fraction: `50MiB`; octets have no unit."""
    for unit, size in _SIZE_UNITS.items():
        if octets and octets % size == 0:
            return f"{octets // size}{unit}"
    return str(octets)


class Octets(Struct, frozen=True):
    """A size within bounds: a whole number of octets, or a number and a unit."""

    least: int
    most: int

    @property
    def words(self) -> str:
        """The kind in words."""
        return f"size, {size_text(self.least)} to {size_text(self.most)}"

    def read(self, value: object) -> int | Bad:
        """Read a size."""
        if isinstance(value, bool) or not isinstance(value, int | str):
            return not_a("a size", value, _SIZE_REMEDY)
        octets = value if isinstance(value, int) else _octets(value)
        if isinstance(octets, Bad) or self.least <= octets <= self.most:
            return octets
        bounds = f"{size_text(self.least)} to {size_text(self.most)}"
        return bad("out of bounds", f"Write a size from {bounds}; a number without a unit counts octets.")

    def write(self, value: int) -> str:
        """Write a size."""
        text = size_text(value)
        return text if text.isdigit() else quoted(text)


def _octets(text: str) -> int | Bad:
    found = _SIZE.fullmatch(text)
    if found is None or found[2] not in _SIZE_UNITS:
        return bad("not a size", _SIZE_REMEDY)
    octets = Fraction(found[1]) * _SIZE_UNITS[found[2]]
    return int(octets) if octets.denominator == 1 else bad("not a whole number of octets", _SIZE_REMEDY)


# --- Lists --------------------------------------------------------------------------------------------


class ListOf(Struct, frozen=True):
    """A list of values of one kind; `is_set`: none of them may stand in it twice."""

    kind: Kind[Any]
    most: int = 1_000
    may_be_empty: bool = True
    is_set: bool = False

    @property
    def words(self) -> str:
        """The kind in words."""
        return f"list{'' if self.may_be_empty else ', not empty'}; each: {self.kind.words}"

    def read(self, value: object) -> tuple[object, ...] | Bad:
        """Read a list; every fault of every element is told."""
        if isinstance(value, str):
            return not_a("a list", value, f"Put square brackets around it: [{quoted(value[:60])}].")
        if not isinstance(value, list):
            return not_a("a list", value, "Write the values in square brackets, with commas between them.")
        if not value and not self.may_be_empty:
            return bad("an empty list", "Write at least one value in the brackets.")
        if len(value) > self.most:
            return bad(f"{len(value)} values", f"Write at most {self.most}.")
        read: list[object] = []
        wrongs: list[Wrong] = []
        for index, element in enumerate(value):
            got = self.kind.read(element)
            if isinstance(got, Bad):
                wrongs += [
                    Wrong(wrong.what, wrong.remedy, (index, *wrong.at), wrong.meaning) for wrong in got.wrongs
                ]
            else:
                read.append(got)
        if not wrongs and self.is_set:
            wrongs = _repeated(read)
        return Bad(tuple(wrongs)) if wrongs else tuple(read)

    def write(self, value: tuple[object, ...]) -> str:
        """Write a list on one line."""
        return f"[{', '.join(self.kind.write(element) for element in value)}]"


def _repeated(values: list[object]) -> list[Wrong]:
    first: dict[object, int] = {}
    return [
        Wrong("given twice", "Remove one of the two.", (index,))
        for index, value in enumerate(values)
        if first.setdefault(value, index) != index
    ]


class AllOr(Struct, frozen=True):
    """A list, or `"*"` for everything there can be."""

    listed: ListOf

    @property
    def words(self) -> str:
        """The kind in words."""
        return f'`"*"`, or {self.listed.words}'

    def read(self, value: object) -> tuple[object, ...] | Literal["*"] | Bad:
        """Read a list or the star."""
        if value == "*":
            return "*"
        got = self.listed.read(value)
        if isinstance(got, Bad) and not isinstance(value, list):
            wrong = got.wrongs[0]
            return bad(wrong.what, f'{wrong.remedy} Or write "*" for every one.')
        return got

    def write(self, value: tuple[object, ...] | Literal["*"]) -> str:
        """Write a list or the star."""
        return quoted("*") if value == "*" else self.listed.write(value)
