r"""Reads a delivery status notification: the inverse of compose, for our own and for others' reports.

What arrives claims to be a report and may be anything. So this reads what it finds and judges nothing: a
text that is no multipart/report with a status part in it is None, and everything else is a ParsedReport
with empty places where something was missing.

Promises: never raises, whatever the bytes; looks at no more than PARSE_OCTETS of them, in time that grows
with their number. The texts are a stranger's; who shows them must clean them.
"""

from __future__ import annotations

import re
from binascii import Error as NotBase64
from binascii import a2b_base64, a2b_qp
from collections.abc import Sequence
from typing import Final, TypeAlias

from msgspec import Struct

from byreturn.mail import EnhancedStatus, enhanced_from_text

# Our own largest report, with a returned original and as much again.
PARSE_OCTETS: Final = 4 * 1024 * 1024
PARSED_RECIPIENTS: Final = 10_000
_PARTS_LIMIT: Final = 10
_FIELDS_LIMIT: Final = 200
_TYPE_LIMIT: Final = 4096

_EMPTY_LINE: Final = re.compile(rb"\r?\n\r?\n")
_LINE_END: Final = re.compile(r"\r?\n")
_PARAMETER: Final = re.compile(r';\s*([A-Za-z-]{1,40})\s*=\s*(?:"([^"]{0,998})"|([^\s;"]{1,998}))')
_REPLY_START: Final = re.compile(r"\d{3}(?=[ -]|\Z)")
_ESCAPED: Final = re.compile(r"\\x\{([0-9A-Fa-f]{1,6})\}")

# Of each field the physical lines of its value: the folds of a Diagnostic-Code mean something.
_Fields: TypeAlias = dict[str, list[str]]


class Typed(Struct, frozen=True):
    """A value with its type, such as `rfc822; anna@customer.example`; both empty where it was missing."""

    kind: str = ""
    value: str = ""


class ParsedLine(Struct, frozen=True, kw_only=True):
    """What a report says of one recipient. Dates are text, as they stand there.

    `diagnostic` holds a reply line by line; for a type other than smtp, what stands there as one line.
    """

    final_recipient: Typed
    action: str
    status: EnhancedStatus | None
    original_recipient: Typed = Typed()
    remote_mta: Typed = Typed()
    diagnostic_kind: str = ""
    diagnostic: tuple[str, ...] = ()
    last_attempt_date: str = ""
    will_retry_until: str = ""


class ParsedReport(Struct, frozen=True, kw_only=True):
    """What a report says of a message.

    `text` is the part for people, `returned` what came of the original (None: nothing), `is_whole`
    whether that is all of it. `envelope_id` is None where there was none.
    """

    reporting_mta: Typed
    lines: tuple[ParsedLine, ...]
    envelope_id: str | None = None
    received_from_mta: Typed = Typed()
    arrival_date: str = ""
    text: str = ""
    returned: bytes | None = None
    is_whole: bool = False


class _Part(Struct, frozen=True):
    kind: str
    octets: bytes
    boundary: str = ""


def parse_report(content: bytes) -> ParsedReport | None:
    """Read a report; None if it is none."""
    fields, rest = _split(content[:PARSE_OCTETS])
    kind, parameters = _content_type(fields)
    boundary = parameters.get("boundary", "")
    if kind != "multipart/report" or not boundary:
        return None
    parts = _leaves(_parts(rest, boundary))
    status = next((part for part in parts if part.kind in _STATUS_KINDS), None)
    if status is None:
        return None
    groups = _groups(status.octets)
    if not groups:
        return None
    return _report(groups, parts)


_STATUS_KINDS: Final = frozenset({"message/delivery-status", "message/global-delivery-status"})
_WHOLE_KINDS: Final = frozenset({"message/rfc822", "message/global"})
_HEADER_KINDS: Final = frozenset({"text/rfc822-headers", "message/global-headers"})


def _report(groups: Sequence[_Fields], parts: Sequence[_Part]) -> ParsedReport:
    about = groups[0]
    text = next((part.octets for part in parts if part.kind == "text/plain"), b"")
    returned = next((part for part in parts if part.kind in _WHOLE_KINDS | _HEADER_KINDS), None)
    return ParsedReport(
        reporting_mta=_typed(about, "reporting-mta"),
        lines=tuple(_line(group) for group in groups[1:] if "final-recipient" in group),
        envelope_id=_text(about, "original-envelope-id") if "original-envelope-id" in about else None,
        received_from_mta=_typed(about, "received-from-mta"),
        arrival_date=_text(about, "arrival-date"),
        text=text.decode("utf-8", "replace"),
        returned=returned.octets if returned else None,
        is_whole=returned is not None and returned.kind in _WHOLE_KINDS,
    )


def _line(group: _Fields) -> ParsedLine:
    kind, lines = _diagnostic(group.get("diagnostic-code", []))
    return ParsedLine(
        final_recipient=_typed(group, "final-recipient"),
        action=_text(group, "action").lower(),
        status=enhanced_from_text(_text(group, "status"))[0],
        original_recipient=_typed(group, "original-recipient"),
        remote_mta=_typed(group, "remote-mta"),
        diagnostic_kind=kind,
        diagnostic=lines,
        last_attempt_date=_text(group, "last-attempt-date"),
        will_retry_until=_text(group, "will-retry-until"),
    )


def _diagnostic(value: Sequence[str]) -> tuple[str, tuple[str, ...]]:
    """Take a Diagnostic-Code apart: its type, and the lines of the reply (RFC 3461 section 9.2)."""
    if not value:
        return "", ()
    kind, _, first = value[0].partition(";")
    lines = [first.lstrip(" \t")]
    for physical in value[1:]:
        if _REPLY_START.match(physical, 1):
            lines.append(physical[1:])
        else:
            lines[-1] += physical
    return kind.strip().lower(), tuple(lines)


def _typed(fields: _Fields, name: str) -> Typed:
    kind, _, value = _text(fields, name).partition(";")
    kind = kind.strip().lower()
    value = value.strip(" \t")
    return Typed(kind, _ESCAPED.sub(_unescape, value) if kind == "utf-8" else value)


def _unescape(found: re.Match[str]) -> str:
    number = int(found[1], 16)
    return chr(number) if number < 0x110000 else found[0]


def _text(fields: _Fields, name: str) -> str:
    # RFC 5322 section 2.2.3: unfolding takes the line ends away and nothing else.
    return "".join(fields.get(name, [])).strip(" \t")


# --- MIME, as much of it as a report has --------------------------------------------------------------


def _split(entity: bytes) -> tuple[_Fields, bytes]:
    """Split an entity into its fields and its body."""
    if entity.startswith((b"\r\n", b"\n")):
        return {}, entity[entity.index(b"\n") + 1 :]
    end = _EMPTY_LINE.search(entity)
    head, body = (entity, b"") if end is None else (entity[: end.start()], entity[end.end() :])
    return _fields(head.decode("utf-8", "replace")), body


def _fields(block: str) -> _Fields:
    """Read fields; of those that stand twice, the first counts."""
    fields: _Fields = {}
    current: list[str] = []
    for line in _LINE_END.split(block):
        if line[:1] in {" ", "\t"}:
            current.append(line)
            continue
        name, colon, value = line.partition(":")
        current = [value.lstrip(" \t")]
        if colon and len(fields) < _FIELDS_LIMIT:
            fields.setdefault(name.strip(" \t").lower(), current)
    return fields


def _content_type(fields: _Fields) -> tuple[str, dict[str, str]]:
    text = _text(fields, "content-type")[:_TYPE_LIMIT]
    parameters = {name.lower(): quoted or plain for name, quoted, plain in _PARAMETER.findall(text)}
    return text.partition(";")[0].strip().lower(), parameters


def _parts(body: bytes, boundary: str) -> list[_Part]:
    """Split a multipart body (RFC 2046 section 5.1.1); the line end before a delimiter belongs to it."""
    mark = re.escape(boundary.encode("utf-8", "replace"))
    delimiter = re.compile(rb"(?:\A|\r?\n)--" + mark + rb"(--)?[ \t]*(?=\r?\n|\Z)")
    parts: list[_Part] = []
    start = -1
    for found in delimiter.finditer(body):
        if start >= 0:
            parts.append(_part(body[start : found.start()]))
        start = found.end()
        if found[1] or len(parts) == _PARTS_LIMIT:
            return parts
    if start >= 0:
        parts.append(_part(body[start:]))
    return parts


def _leaves(parts: Sequence[_Part]) -> list[_Part]:
    """Put the forms of the part for people in its place (RFC 6522 section 3); one level is enough."""
    leaves: list[_Part] = []
    for part in parts:
        if part.boundary and part.kind == "multipart/alternative":
            leaves.extend(_parts(part.octets, part.boundary))
        else:
            leaves.append(part)
    return leaves


def _part(entity: bytes) -> _Part:
    fields, body = _split(entity[entity.find(b"\n") + 1 :])
    kind, parameters = _content_type(fields)
    try:
        match _text(fields, "content-transfer-encoding").lower():
            case "quoted-printable":
                body = a2b_qp(body)
            case "base64":
                body = a2b_base64(body)
    except NotBase64:
        body = b""
    return _Part(kind or "text/plain", body, parameters.get("boundary", ""))


def _groups(octets: bytes) -> list[_Fields]:
    blocks = _EMPTY_LINE.split(octets, maxsplit=PARSED_RECIPIENTS + 1)[: PARSED_RECIPIENTS + 1]
    groups = [_fields(block.decode("utf-8", "replace")) for block in blocks]
    return [group for group in groups if group]
