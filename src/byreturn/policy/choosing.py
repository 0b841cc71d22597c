"""In which language a sender is told, and in whose time.

    language   what the sender has chosen > that of the message > that of the sender's domain > the house's
    time       what the sender has chosen > the house's; "the sender's own" is that of the Date field

A message says its language in Content-Language; the first one counts that we have, a regional one for its
parent too (en-GB for en), because a reader of either understands both. Both fields are a stranger's words:
they choose among what is there, and nothing else. Pure.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, timedelta, timezone, tzinfo
from typing import Final

from msgspec import Struct

from byreturn.mail import ENGLISH, Language, Mailbox, language_tag
from byreturn.policy.patterns import PatternTable

_FIELD: Final = rb"(?im)^%s[ \t]*:[ \t]*([^\r\n]{0,998}(?:\r\n[ \t][^\r\n]{0,998}){0,4})"
_CONTENT_LANGUAGE: Final = re.compile(_FIELD % b"content-language")
_DATE: Final = re.compile(_FIELD % b"date")
_TAGS_READ: Final = 20
# RFC 5322 section 3.3: the offset stands at the end; a comment may follow it.
_OFFSET: Final = re.compile(rb"([+-])([0-9]{2})([0-5][0-9])[ \t]*(?:\([^()]{0,60}\)[ \t]*)?\Z")
# No clock on earth is set further from UTC.
_FARTHEST: Final = timedelta(hours=14)


class Wishes(Struct, frozen=True):
    """What a sender has chosen. No `language`: none; no `zone`: the sender's own."""

    language: str = ""
    zone: tzinfo | None = None


class Manners:
    """How a house speaks to whom.

    `wishes` are by address or by `@` and a pattern of domains; the closest counts, and it alone. `domains`
    are the languages of our own ones. `zone` None: the sender's own. A language that is not there is English.
    """

    def __init__(
        self,
        languages: Mapping[str, Language] | None = None,
        *,
        language: str = ENGLISH.tag,
        zone: tzinfo | None = None,
        wishes: Mapping[str, Wishes] | None = None,
        domains: Mapping[str, str] | None = None,
    ) -> None:
        self._languages = {ENGLISH.tag: ENGLISH} if languages is None else languages
        self._language = language
        self._zone = zone
        self._by_address = {match.lower(): wish for match, wish in (wishes or {}).items() if match[0] != "@"}
        self._by_domain = PatternTable(
            {match[1:]: wish for match, wish in (wishes or {}).items() if match[0] == "@"}
        )
        self._domains = domains or {}

    def language_of(self, sender: Mailbox, header_block: bytes) -> Language:
        """Choose the language in which a sender is told of a message with these headers."""
        wished = self._closest(sender)
        if wished is not None and wished.language:
            return self._language_called(wished.language)
        for tag in _tags_of(header_block):
            found = self._languages.get(tag) or self._languages.get(tag.partition("-")[0])
            if found is not None:
                return found
        return self._language_called(self._domains.get(sender.destination, self._language))

    def zone_of(self, sender: Mailbox, header_block: bytes) -> tzinfo:
        """Choose the time zone in which a sender is told of a message with these headers."""
        wished = self._closest(sender)
        zone = self._zone if wished is None else wished.zone
        return _zone_of_date(header_block) if zone is None else zone

    def _closest(self, sender: Mailbox) -> Wishes | None:
        return self._by_address.get(str(sender).lower()) or self._by_domain.closest(sender.destination)

    def _language_called(self, tag: str) -> Language:
        return self._languages.get(tag, ENGLISH)


def _tags_of(header_block: bytes) -> list[str]:
    """Read the tags of Content-Language; what is none is left out."""
    found = _CONTENT_LANGUAGE.search(header_block)
    if found is None:
        return []
    words = found[1].decode("ascii", "replace").split(",")[:_TAGS_READ]
    return [tag for tag in (language_tag(word.strip()) for word in words) if tag]


def _zone_of_date(header_block: bytes) -> tzinfo:
    """Read the offset of the Date field; UTC where there is none that can be."""
    field = _DATE.search(header_block)
    found = None if field is None else _OFFSET.search(field[1].rstrip())
    if found is None:
        return UTC
    sign, hours, minutes = found.groups()
    offset = timedelta(hours=int(hours), minutes=int(minutes))
    # RFC 5322 section 3.3: "-0000" tells nothing about the sender's clock.
    if not offset or offset > _FARTHEST:
        return UTC
    return timezone(offset if sign == b"+" else -offset)
