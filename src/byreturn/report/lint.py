"""Reads a composed report against the checklist before it is queued.

Whatever went wrong in words, templates or translations shows in the octets, and only there. So this takes
the octets, knows nothing of how they were made, and names every rule that they break:

    ("status-class: Status 4.1.1 with Action failed",)        empty: it may be queued

    header       who it is from and to, its thread, auto-replied
    structure    the parts, their order, their types, their boundaries
    people       what a person reads (lint_people)
    status       the groups and fields for programs (lint_status)

It is the last look at a report and stands in the way of each, so it scans with a few expressions and takes
no mail library. Promises: never raises; complaints are printable, at most COMPLAINTS of them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import islice
from typing import Final

from byreturn.report.entities import Entity, entity_of, parts_of
from byreturn.report.facts import ReportFacts
from byreturn.report.lint_people import people_complaints
from byreturn.report.lint_status import status_complaints

COMPLAINTS: Final = 20

_LINE_LIMIT: Final = 998
_ONCE: Final = (b"from", b"to", b"subject", b"date", b"message-id", b"auto-submitted", b"mime-version")
_KNOWN: Final = frozenset(
    (*_ONCE, b"in-reply-to", b"references", b"content-type", b"content-transfer-encoding", b"received")
)
_REFERENCE: Final = re.compile(rb"<[!-;=?-~]{1,990}>")
_PATH: Final = re.compile(r"[!-;=?-~]{1,64}@[!-;=?-~]{1,255}")
_DATE: Final = re.compile(rb"[A-Z][a-z]{2}, \d{1,2} [A-Z][a-z]{2} \d{4} \d\d:\d\d:\d\d [+-]\d{4}")
_CONTROL: Final = re.compile(rb"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
_STATUS: Final = frozenset({b"message/delivery-status", b"message/global-delivery-status"})
_WHOLE: Final = frozenset({b"message/rfc822", b"message/global"})
_HEADERS: Final = frozenset({b"text/rfc822-headers", b"message/global-headers"})


def complaints(report: bytes, facts: ReportFacts) -> tuple[str, ...]:
    """Name every rule of the checklist that a composed report breaks."""
    try:
        return tuple(islice(map(_printable, _all(report, facts)), COMPLAINTS))
    except Exception as bug:  # noqa: BLE001 - a fault in here must not lose the report: it takes the plain form
        return (_printable(f"linter: {bug!r}"),)


def cleared_complaints(note: bytes, facts: ReportFacts) -> tuple[str, ...]:
    """Name every rule that a note of having gone through breaks: it has the part for people alone."""
    try:
        return tuple(islice(map(_printable, _all_of_note(note, facts)), COMPLAINTS))
    except Exception as bug:  # noqa: BLE001 - as above
        return (_printable(f"linter: {bug!r}"),)


def _printable(text: str) -> str:
    return "".join(letter if letter.isprintable() else "?" for letter in text[:300])


def _all(report: bytes, facts: ReportFacts) -> Iterator[str]:
    top = entity_of(report)
    if top is None:
        yield "header: not a header followed by an empty line"
        return
    yield from _header(top, facts)
    if top.kind != b"multipart/report":
        yield "structure: not a multipart/report"
        return
    if b"report-type=delivery-status" not in top.one(b"content-type"):
        yield "report-type: not delivery-status"
    parts = parts_of(top)
    if parts is None:
        yield "boundary: the parts cannot be told apart"
        return
    yield from _structure(parts, top, facts)
    if len(parts) == 3:
        people, status, returned = parts
        yield from _octets(report[: len(report) - len(top.octets)], people, status)
        yield from people_complaints(people, facts)
        yield from status_complaints(status, facts)
        yield from _returned(returned, facts)


def _all_of_note(note: bytes, facts: ReportFacts) -> Iterator[str]:
    top = entity_of(note)
    if top is None:
        yield "header: not a header followed by an empty line"
        return
    yield from _header(top, facts)
    if not top.kind.startswith((b"multipart/alternative", b"text/plain")):
        yield "structure: neither text nor text and HTML"
        return
    yield from _octets(note[: len(note) - len(top.octets)], top)
    yield from people_complaints(top, facts)


def _header(top: Entity, facts: ReportFacts) -> Iterator[str]:
    for name in _ONCE:
        if len(top.all(name)) != 1:
            yield f"field-count: {name.decode()} stands {len(top.all(name))} times"
    for name, _ in top.fields:
        if name not in _KNOWN and name != b"content-language":
            yield f"field-unknown: {name.decode()}"
    if top.one(b"auto-submitted") != b"auto-replied":
        yield "auto-submitted: not auto-replied"
    if _DATE.fullmatch(top.one(b"date")) is None:
        yield "date: not a date with a numeric zone"
    if _REFERENCE.fullmatch(top.one(b"message-id")) is None:
        yield "message-id: none, or not valid"
    yield from _addresses(top, facts)
    yield from _thread(top, facts)


def _addresses(top: Entity, facts: ReportFacts) -> Iterator[str]:
    address = str(facts.reverse_path)
    to = top.one(b"to")
    if _PATH.fullmatch(address):
        if to != f"<{address}>".encode():
            yield "to: not the reverse path"
    elif b"@" in to and f"<{address}>".encode("utf-8", "replace") != to and not to.endswith(b">"):
        yield "to: not the reverse path"
    if _PATH.fullmatch(str(facts.postmaster)) and f"<{facts.postmaster}>".encode() not in top.one(b"from"):
        yield "from: not the postmaster"


def _thread(top: Entity, facts: ReportFacts) -> Iterator[str]:
    wanted = [each.encode() for each in (facts.original_id, *facts.thread[-20:]) if each.isascii()]
    ids = [each for each in wanted if _REFERENCE.fullmatch(each)]
    if ids and (top.one(b"in-reply-to").strip() != ids[0] or top.one(b"references").split() != ids):
        yield "thread: In-Reply-To and References do not name the message and the reports before"


def _structure(parts: tuple[Entity, ...], top: Entity, facts: ReportFacts) -> Iterator[str]:
    if len(parts) != 3:
        yield f"structure: {len(parts)} parts instead of three"
        return
    if parts[1].kind not in _STATUS:
        yield "structure: the second part is no delivery status"
    elif parts[1].kind == b"message/global-delivery-status" and not facts.takes_utf8:
        yield "7-bit: UTF-8 for a way back that does not take it"
    if parts[2].kind not in _WHOLE | _HEADERS:
        yield "structure: the third part is not the original or its header"
    is_8bit = any(part.one(b"content-transfer-encoding") == b"8bit" for part in parts)
    if is_8bit != (top.one(b"content-transfer-encoding") == b"8bit"):
        yield "8-bit: the report and its parts do not agree"
    for part in parts:
        if part.one(b"content-transfer-encoding") != b"8bit" and not part.octets.isascii():
            yield f"7-bit: {part.kind.decode('ascii', 'replace')} has other octets"


def _octets(header: bytes, *parts: Entity) -> Iterator[str]:
    """Lines and characters of everything that we wrote ourselves."""
    for octets in (header, *(part.octets for part in parts)):
        line_ends = octets.count(b"\r\n")
        if not line_ends == octets.count(b"\r") == octets.count(b"\n"):
            yield "crlf: a line ends in another way"
        if len(octets) > _LINE_LIMIT and max(map(len, octets.split(b"\r\n"))) > _LINE_LIMIT:
            yield "line-length: over 998 octets"
        if _CONTROL.search(octets):
            yield "control: a control character"


def _returned(returned: Entity, facts: ReportFacts) -> Iterator[str]:
    is_failed = any(line.action.value == "failed" for line in facts.lines)
    if returned.kind in _WHOLE:
        if facts.ret is not None and facts.ret.value == "HDRS":
            yield "ret: the whole message, though RET asks for its header"
        if not is_failed:
            yield "ret: the whole message without a failure"
        if facts.content is None or returned.octets != facts.content:
            yield "returned: not the original, octet for octet"
    elif b"\r\n\r\n" in returned.octets and returned.one(b"content-transfer-encoding") != b"quoted-printable":
        yield "returned: more than the header lines"
