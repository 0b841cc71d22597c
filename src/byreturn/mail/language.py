"""A language: how what we say to people is said in it.

The English sentence is the key of its translation, as in gettext. Sentences have named places for values,
`{address}`, and a translation has the same ones; whoever loads a catalogue sees to that.

    language.say("{host} does not know {address}.", host=..., address=...)
    language.count("one recipient", "{n} recipients", 3)
    N_("a sentence in a table, which is said later")
    pair("one recipient", "{n} recipients")    the same of a sentence that depends on a number

Promises: a sentence that has no translation is said in English. Pure; the catalogues are read elsewhere.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

from msgspec import Struct

_TAG: Final = re.compile(r"([A-Za-z]{2,3})(?:[-_]([A-Za-z]{4}))?(?:[-_]([A-Za-z]{2}|[0-9]{3}))?", re.ASCII)


def _itself(text: str) -> str:
    return text


def _english_plural(one: str, many: str, n: int) -> str:
    return one if n == 1 else many


class Language(Struct, frozen=True):
    """A language by its tag (RFC 5646), and its catalogue: one sentence, and one that depends on a number."""

    tag: str = "en"
    lookup: Callable[[str], str] = _itself
    lookup_plural: Callable[[str, str, int], str] = _english_plural

    def say(self, text: str, /, **values: object) -> str:
        """Say a sentence with these values in its places."""
        said = self.lookup(text)
        return said.format_map(values) if values else said

    def count(self, one: str, many: str, n: int, /, **values: object) -> str:
        """Say a sentence that depends on a number, which stands in it as `{n}`."""
        return self.lookup_plural(one, many, n).format_map({"n": n, **values})


ENGLISH: Final = Language()


def N_(text: str) -> str:  # noqa: N802 - gettext's own name, which every tool for translators knows
    """Mark a sentence in a table for the catalogues; it is said later."""
    return text


def pair(one: str, many: str) -> tuple[str, str]:
    """Mark a sentence in a table that depends on a number; it is counted later."""
    return one, many


def language_tag(text: str) -> str:
    """Read a tag as people write it (`pt_br`), and write it as it should be (`pt-BR`); empty: it is none.

    Language, script and region are known here; whatever else a tag can hold tells no catalogues apart.
    """
    found = _TAG.fullmatch(text)
    if found is None:
        return ""
    language, script, region = found.groups("")
    return "-".join(filter(None, (language.lower(), script.title(), region.upper())))
