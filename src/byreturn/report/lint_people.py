"""The part of the linter for what a person reads: the text, and the same as HTML."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from byreturn.report.audience import Audience
from byreturn.report.entities import Entity, parts_of
from byreturn.report.facts import ReportFacts, ReportLine

_WIDTH: Final = 76
# A line may be longer for a single word that is not broken; beside it stands no more than a margin.
_LONG_WORD: Final = 50
_PLACE: Final = re.compile(r"\{[a-z_]{1,20}\}")
_CONTROL: Final = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]")
_TAG: Final = re.compile(r"<(/?)([A-Za-z0-9!]+)((?:[^<>\"]|\"[^\"]*\")*)>")
_ATTRIBUTE: Final = re.compile(r' ([a-z-]+)="([^"]*)"')
_TAGS: Final = frozenset(
    [
        "!doctype",
        "html",
        "head",
        "meta",
        "title",
        "style",
        "body",
        "main",
        "section",
        "h1",
        "h2",
        "h3",
        "p",
        "ol",
        "ul",
        "li",
        "dl",
        "dt",
        "dd",
        "pre",
        "a",
        "bdi",
        "hr",
        "br",
    ]
)
_ATTRIBUTES: Final = frozenset(
    ["lang", "dir", "charset", "name", "content", "value", "start", "href", "class", "id"]
)
_EMPTY: Final = frozenset({"!doctype", "meta", "hr", "br"})
_REMOTE: Final = re.compile(r"url\(|@import|expression\(", re.IGNORECASE)
_STRAY: Final = re.compile(r"&(?!(?:amp|lt|gt|quot|#x27|#39);)")


def people_complaints(people: Entity, facts: ReportFacts) -> Iterator[str]:
    """Name what is wrong with the part for people."""
    if not people.one(b"content-language"):
        yield "language: no Content-Language"
    if people.kind == b"text/plain":
        yield from _text(people, facts)
        return
    parts = parts_of(people) if people.kind == b"multipart/alternative" else None
    if parts is None or [part.kind for part in parts] != [b"text/plain", b"text/html"]:
        yield "structure: the part for people is not text, or text and then HTML"
        return
    yield from _text(parts[0], facts)
    yield from _html(parts[1], facts)


def _text(part: Entity, facts: ReportFacts) -> Iterator[str]:
    text = part.text
    for line in text.splitlines():
        if len(line) > _WIDTH and max(map(len, line.split())) <= _LONG_WORD:
            yield f"width: a line of {len(line)} characters"
            break
    if not text.strip():
        yield "text: empty"
    yield from _words(text, facts)


def _words(text: str, facts: ReportFacts) -> Iterator[str]:
    if _CONTROL.search(text):
        yield "control: a control character in the part for people"
    place = _PLACE.search(text)
    if place is not None and not _is_from_outside(place[0], facts):
        yield f"place: {place[0]} was not filled"
    if facts.audience is Audience.POSTMASTER:
        return
    for line in facts.lines:
        if line.member is not None and names_member(text, line, facts):
            yield "member: the address behind an alias in the part for people"
            return


def names_member(text: str, line: ReportLine, facts: ReportFacts) -> bool:
    """Whether a text has the member of an alias in it that its reader did not name."""
    member = str(line.member).lower()
    return len(member) > 1 and member in text.lower() and not _is_known(member, facts)


def _is_known(member: str, facts: ReportFacts) -> bool:
    known = [facts.reverse_path, facts.postmaster, *(line.recipient for line in facts.lines)]
    known.extend(other.recipient for other in facts.others)
    known.extend(suggestion.address for line in facts.lines for suggestion in line.suggestions)
    return any(member in str(one).lower() for one in known) or member in facts.subject.lower()


def _is_from_outside(place: str, facts: ReportFacts) -> bool:
    """Whether somebody else wrote it: then it is no place of ours. Rare, so it may cost."""
    words = [facts.subject, facts.contact, facts.queue_id, str(facts.postmaster), facts.hello]
    for line in facts.lines:
        words.extend((str(line.recipient), str(line.diagnosis), line.note))
    for other in facts.others:
        words.extend((str(other.recipient), str(other.diagnosis)))
    return any(place in word for word in words)


def _html(part: Entity, facts: ReportFacts) -> Iterator[str]:
    html = part.text
    head, _, body = html.partition("</style>")
    if not head.startswith("<!DOCTYPE html>") or '<html lang="' not in head or "<title>" not in head:
        yield "html: no document type, language or title"
    style = head.partition("<style>")[2]
    if _REMOTE.search(style) or "<" in style:
        yield "html: the style fetches something"
    tags = head.partition("<style>")[0] + "<style></style>" + body
    yield from _tags(tags)
    words = _TAG.sub("", tags)
    if "<" in words or ">" in words or _STRAY.search(words):
        yield "html: a value that was not escaped"
    yield from _words(words, facts)


def _tags(html: str) -> Iterator[str]:
    """Known tags, closed in their order; no attributes that fetch or run anything."""
    open_tags: list[str] = []
    for closing, name, rest in _TAG.findall(html):
        name = name.lower()  # noqa: PLW2901 - the same name
        if name not in _TAGS:
            yield f"html: <{name}>"
            return
        if closing:
            if not open_tags or open_tags.pop() != name:
                yield f"html: </{name}> where nothing of the kind is open"
                return
        elif name not in _EMPTY:
            open_tags.append(name)
        if rest and name != "!doctype":
            yield from _attributes(rest)
    if open_tags:
        yield f"html: <{open_tags[-1]}> is not closed"


def _attributes(text: str) -> Iterator[str]:
    if _ATTRIBUTE.sub("", text).strip():
        yield "html: an attribute that cannot be read"
    for name, value in _ATTRIBUTE.findall(text):
        if name not in _ATTRIBUTES:
            yield f"html: an attribute {name}"
        if name == "href" and not value.startswith("mailto:"):
            yield "html: a link that is not mailto"
