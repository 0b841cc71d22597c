"""Words of a house in place of ours: by reason, and where wanted by language and by reader.

A house may word a cause and its steps in its own way. What it wrote was read from files and checked before it
came here; here it is found, and the places in it are filled. The most specific of those that apply wins, and
the reader is more specific than the language: words for outsiders must not be lost to better German.

    reason, language and reader  >  reason and reader  >  reason and language  >  reason

Promises: a place is a bare name out of a closed list, so no text can reach into a value. Filling never
raises; what cannot be filled gives None, and the caller falls back to our own words. Pure.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from string import Formatter
from typing import Final, TypeAlias

from msgspec import Struct

from byreturn.report.audience import Audience
from byreturn.report.reasons import Reason

PLACES: Final = ("address", "domain", "host", "postmaster", "contact", "subject", "number")
CAUSE_LIMIT: Final = 300
STEP_LIMIT: Final = 200

# A reason, the tag of a language or nothing for every language, and a reader or None for everybody.
OverrideKey: TypeAlias = tuple[Reason, str, Audience | None]

_UNSEEN: Final = re.compile("[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]")


class Override(Struct, frozen=True):
    """Words in place of ours; None leaves ours as they are, and no steps at all are `()`."""

    cause: str | None = None
    steps: tuple[str, ...] | None = None


class Overrides(Struct, frozen=True):
    """All that a house words in its own way."""

    table: Mapping[OverrideKey, Override] = {}

    def find(self, reason: Reason, tag: str, audience: Audience) -> Override | None:
        """Return the most specific words; a tag such as `de-AT` is looked for as `de` as well."""
        tags = [tag.lower()]
        if "-" in tag:
            tags.append(tags[0].partition("-")[0])
        for reader in (audience, None):
            for language in (*tags, ""):
                found = self.table.get((reason, language, reader))
                if found is not None:
                    return found
        return None


NO_OVERRIDES: Final = Overrides()


def check_override(text: str) -> str | None:
    """Say what is wrong with a text and what to do; None where it is good."""
    if not text.strip():
        return "is empty: write a sentence, or leave the key out"
    if _UNSEEN.search(text):
        return "has a line end or a control character in it: write it as one line of plain text"
    try:
        parts = list(Formatter().parse(text))
    except ValueError:
        return "has a single brace in it: write {{ or }} for a brace that is meant as one"
    for _, place, form, conversion in parts:
        if place is None:
            continue
        # A form or a conversion could ask for a text of gigabytes, or for how Python writes the value.
        if form or conversion or place not in PLACES:
            names = " ".join(f"{{{name}}}" for name in PLACES)
            return f"has a place that is not known, {{{place[:40]}}}: use only {names}"
    return None


def filled(text: str, places: Mapping[str, str]) -> str | None:
    """Fill the places of a text; None where one has no value: it would leave a hole."""
    if check_override(text) is not None:
        return None
    names = {name for _, name, _, _ in Formatter().parse(text) if name is not None}
    if not all(places.get(name) for name in names):
        return None
    return text.format_map(places)
