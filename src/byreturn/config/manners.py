"""Kinds of values for how we speak to people: in which language, of whose time, how often, and with copies.

    language    the tag of a catalogue, "de" or "pt-BR"; whether there is one is asked of the files
    time zone   "sender" for the clock of whoever is told, or a name of the IANA's collection
    notices     one duration or several, each longer than the one before; 0s is never
    classes     some of a closed list; all and none have words of their own

Pure, but for the collection of time zones, which comes with Python or with tzdata.
"""

from __future__ import annotations

import re
import zoneinfo
from collections.abc import Sequence
from difflib import get_close_matches
from itertools import pairwise
from typing import Final

from msgspec import Struct

from byreturn.config.errors import Bad, Wrong, bad, quoted
from byreturn.config.names import Address, Pattern
from byreturn.config.values import Span, not_a
from byreturn.mail import Duration, language_tag

SENDERS_CLOCK: Final = "sender"
ALL: Final = "all"
NONE: Final = "none"
_ZONE: Final = re.compile(r"[A-Za-z][A-Za-z0-9_+-]*(?:/[A-Za-z0-9_+-]+){0,3}", re.ASCII)
_TEXT_LIMIT: Final = 200


class LanguageTag(Struct, frozen=True):
    """A language by its tag; written as RFC 5646 likes it: `de`, `pt-BR`."""

    @property
    def words(self) -> str:
        """The kind in words."""
        return "language tag"

    def read(self, value: object) -> str | Bad:
        """Read a tag."""
        remedy = 'Write a tag such as "en", "de" or "pt-BR".'
        if not isinstance(value, str):
            return not_a("a language tag", value, remedy)
        return language_tag(value) or bad("not a language tag", remedy)

    def write(self, value: str) -> str:
        """Write a tag."""
        return quoted(value)


class TimeZone(Struct, frozen=True):
    """A time zone by name, or the sender's own."""

    @property
    def words(self) -> str:
        """The kind in words."""
        return f'`"{SENDERS_CLOCK}"`, or the name of a time zone'

    def read(self, value: object) -> str | Bad:
        """Read a time zone; it must be in the collection."""
        remedy = f'Write "{SENDERS_CLOCK}", or a name such as "Europe/Berlin" or "UTC".'
        if not isinstance(value, str):
            return not_a("the name of a time zone", value, remedy)
        if value == SENDERS_CLOCK:
            return value
        if not _ZONE.fullmatch(value):
            return bad("not the name of a time zone", remedy)
        try:
            zoneinfo.ZoneInfo(value)
        except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
            close = get_close_matches(value, zoneinfo.available_timezones(), n=1, cutoff=0.75)
            return bad("no such time zone", f"Did you mean {quoted(close[0])}?" if close else remedy)
        return value

    def write(self, value: str) -> str:
        """Write a time zone."""
        return quoted(value)


class SenderMatch(Struct, frozen=True):
    """Whose wishes these are: an address, or `@` and a pattern of domains."""

    @property
    def words(self) -> str:
        """The kind in words."""
        return f'mail address; or `"@"` and {Pattern().words}'

    def read(self, value: object) -> str | Bad:
        """Read whose wishes these are; domains are normalised."""
        remedy = (
            'Write "ann@example.org" for one sender, "@example.org" for all of a domain, "@*.example.org" '
            'for all below it, or "@*" for everybody.'
        )
        if not isinstance(value, str):
            return not_a("a mail address or a pattern", value, remedy)
        if not value.startswith("@"):
            address = Address().read(value)
            return bad(address.wrongs[0].what, remedy) if isinstance(address, Bad) else str(address)
        pattern = Pattern().read(value[1:])
        return bad(pattern.wrongs[0].what, remedy) if isinstance(pattern, Bad) else f"@{pattern}"

    def write(self, value: str) -> str:
        """Write whose wishes these are."""
        return quoted(value)


class LineOfText(Struct, frozen=True):
    """A text of one line; it may be empty."""

    @property
    def words(self) -> str:
        """The kind in words."""
        return f"text of one line, at most {_TEXT_LIMIT} letters"

    def read(self, value: object) -> str | Bad:
        """Read a text; blanks around it are dropped."""
        remedy = f"Write one line of text in quotation marks, at most {_TEXT_LIMIT} letters."
        if not isinstance(value, str):
            return not_a("a text", value, remedy)
        text = value.strip()
        if not text.isprintable():
            return bad("more than a line of text: it holds control characters", remedy)
        return text if len(text) <= _TEXT_LIMIT else bad(f"{len(text)} letters", remedy)

    def write(self, value: str) -> str:
        """Write a text."""
        return quoted(value)


class Notices(Struct, frozen=True):
    """When to tell, and to tell again: one duration, or a list of growing ones; none of them is never."""

    span: Span
    most: int = 10

    @property
    def words(self) -> str:
        """The kind in words."""
        return f"{self.span.words}, or a list of such, each longer than the one before"

    def read(self, value: object) -> tuple[Duration, ...] | Bad:
        """Read one duration or several."""
        if not isinstance(value, list):
            one = self.span.read(value)
            if isinstance(one, Bad) or one:
                return one if isinstance(one, Bad) else (one,)
            return ()
        if len(value) > self.most:
            return bad(f"{len(value)} values", f"Write at most {self.most}.")
        spans: list[Duration] = []
        for index, element in enumerate(value):
            got = self.span.read(element)
            if isinstance(got, Bad):
                return Bad(tuple(Wrong(wrong.what, wrong.remedy, (index,)) for wrong in got.wrongs))
            spans.append(got)
        for index, (before, after) in enumerate(pairwise((0, *spans))):
            if after <= before:
                what = "no longer than the one before" if index else "never, in a list"
                return Bad((Wrong(what, 'Write growing durations, such as ["4h", "1d"].', (index,)),))
        return tuple(spans)

    def write(self, value: Sequence[Duration]) -> str:
        """Write one as itself, several as a list."""
        if len(value) <= 1:
            return self.span.write(value[0] if value else 0)
        return f"[{', '.join(map(self.span.write, value))}]"


class Classes(Struct, frozen=True):
    """Some words of a closed list, or all of them, or none."""

    options: tuple[str, ...]

    @property
    def words(self) -> str:
        """The kind in words."""
        named = ", ".join(f"`{option}`" for option in self.options)
        return f'`"{ALL}"`, `"{NONE}"`, or a list of some of: {named}'

    def read(self, value: object) -> tuple[str, ...] | Bad:
        """Read the list, or a word for all or none of it."""
        remedy = f'Write "{ALL}", "{NONE}", or a list of classes such as ["{self.options[0]}"].'
        if value in (ALL, NONE):
            return self.options if value == ALL else ()
        if isinstance(value, str):
            close = f"[{quoted(value)}]" if value in self.options else ""
            return bad("no list", f"Put square brackets around it: {close}." if close else remedy)
        if not isinstance(value, list):
            return not_a("a list", value, remedy)
        wrongs = [
            Wrong(what, remedy, (index,))
            for index, element in enumerate(value)
            if (what := self._fault(element, value[:index])) is not None
            for remedy in [self._remedy(element)]
        ]
        return Bad(tuple(wrongs)) if wrongs else tuple(value)

    def _fault(self, element: object, before: list[object]) -> str | None:
        if element not in self.options:
            return "no such class"
        return "given twice" if element in before else None

    def _remedy(self, element: object) -> str:
        if element in self.options:
            return "Remove one of the two."
        close = get_close_matches(str(element)[:40], self.options, n=1)
        return f"Did you mean {quoted(close[0])}?" if close else f"There are: {', '.join(self.options)}."

    def write(self, value: Sequence[str]) -> str:
        """Write the list, or the word for all of it or none."""
        if not value:
            return quoted(NONE)
        if set(value) == set(self.options):
            return quoted(ALL)
        return f"[{', '.join(map(quoted, value))}]"
