"""The part of the linter for message/delivery-status (RFC 3464): groups and fields."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from byreturn.report.audience import Audience
from byreturn.report.entities import Entity, fields_in
from byreturn.report.facts import ReportFacts, ReportLine
from byreturn.report.lint_people import names_member

_ABOUT: Final = frozenset({b"original-envelope-id", b"reporting-mta", b"received-from-mta", b"arrival-date"})
_OF_RECIPIENT: Final = frozenset(
    {
        b"original-recipient", b"final-recipient", b"action", b"status", b"remote-mta", b"diagnostic-code",
        b"last-attempt-date", b"will-retry-until", b"localized-diagnostic",
    }
)  # fmt: skip
_CLASS: Final = {b"failed": b"5", b"delayed": b"4", b"relayed": b"2", b"delivered": b"2", b"expanded": b"2"}
_STATUS: Final = re.compile(rb"[245]\.(0|[1-9]\d{0,2})\.(0|[1-9]\d{0,2})")
_TYPED: Final = re.compile(rb"[A-Za-z0-9-]+; ?[^\r\n]*", re.DOTALL)
_DIAGNOSTIC: Final = re.compile(rb"(?:smtp; \d{3}|x-byreturn; )")
_DATE: Final = re.compile(rb"[A-Z][a-z]{2}, \d{1,2} [A-Z][a-z]{2} \d{4} \d\d:\d\d:\d\d [+-]\d{4}")
_Group = tuple[tuple[bytes, bytes], ...]


def status_complaints(status: Entity, facts: ReportFacts) -> Iterator[str]:
    """Name what is wrong with the part for programs."""
    octets = status.octets
    if status.one(b"content-transfer-encoding") == b"quoted-printable":
        octets = status.text.encode()
    groups = [
        fields_in(block.removesuffix(b"\r\n") + b"\r\n") for block in octets.split(b"\r\n\r\n") if block
    ]
    if None in groups or not groups:
        yield "groups: something that is no field"
        return
    about, *recipients = [group for group in groups if group is not None]
    yield from _about(about, facts)
    if len(recipients) != len(facts.lines):
        yield f"groups: {len(recipients)} for {len(facts.lines)} recipients"
        return
    for group, line in zip(recipients, facts.lines, strict=True):
        yield from _recipient(group, line, facts)


def _about(group: _Group, facts: ReportFacts) -> Iterator[str]:
    values = dict(group)
    yield from _names(group, _ABOUT)
    if not _TYPED.fullmatch(values.get(b"reporting-mta", b"")):
        yield "reporting-mta: none, or without its type"
    if (b"original-envelope-id" in values) != (facts.envid is not None):
        yield "envelope-id: stands exactly where ENVID was given, and only there"
    if b"arrival-date" in values and not _DATE.fullmatch(values[b"arrival-date"]):
        yield "date: Arrival-Date without a numeric zone"
    if b"received-from-mta" in values and facts.audience is Audience.OUTSIDER:
        yield "received-from: an outsider is not told of our clients"


def _names(group: _Group, known: frozenset[bytes]) -> Iterator[str]:
    names = [name for name, _ in group]
    if len(set(names)) != len(names):
        yield "groups: a field stands twice in one group"
    for name in names:
        if name not in known:
            yield f"groups: {name.decode()} in the wrong place"


def _recipient(group: _Group, line: ReportLine, facts: ReportFacts) -> Iterator[str]:
    values = dict(group)
    yield from _names(group, _OF_RECIPIENT)
    if not _TYPED.fullmatch(values.get(b"final-recipient", b"")):
        yield "final-recipient: none, or without its type"
    action, status = values.get(b"action", b""), values.get(b"status", b"")
    if action != line.action.value.encode():
        yield f"action: {action.decode('ascii', 'replace')} for {line.action.value}"
    if not _STATUS.fullmatch(status):
        yield "status: not three plain numbers"
    elif _CLASS.get(action) != status[:1]:
        yield f"status-class: Status {status.decode()} with Action {action.decode('ascii', 'replace')}"
    if (b"original-recipient" in values) != (line.orcpt is not None):
        yield "original-recipient: stands exactly where ORCPT was given, and only there"
    for name in (b"last-attempt-date", b"will-retry-until"):
        if name in values and not _DATE.fullmatch(values[name]):
            yield f"date: {name.decode()} without a numeric zone"
    if b"will-retry-until" in values and action != b"delayed":
        yield "will-retry-until: not a delay"
    yield from _evidence(values, line, facts)


def _evidence(values: dict[bytes, bytes], line: ReportLine, facts: ReportFacts) -> Iterator[str]:
    diagnostic = values.get(b"diagnostic-code", b"")
    if diagnostic and not _DIAGNOSTIC.match(diagnostic):
        yield "diagnostic-code: without a type that says whose words it holds"
    if b"localized-diagnostic" in values and not facts.takes_utf8:
        yield "localized-diagnostic: in a form of 7 bits"
    if line.member is not None and facts.audience is not Audience.POSTMASTER:
        if b"remote-mta" in values:
            yield "member: the host behind an alias"
        if names_member(diagnostic.decode("utf-8", "replace"), line, facts):
            yield "member: the address behind an alias in the words for programs"
