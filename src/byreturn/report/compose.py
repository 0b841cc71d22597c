"""A non-delivery report, delay notice or success report as bytes, from facts alone.

The same facts give the same bytes: the boundary and the date are the caller's. No mail library takes
part; a report is text with known places.

    multipart/report; report-type=delivery-status        RFC 6522 section 3
      multipart/alternative                              for the person, once as text, once as HTML
        text/plain                                       (human)
        text/html                                        (html)
      message/delivery-status                            for programs (machine)
      message/rfc822 | text/rfc822-headers               the original, or its header (returned)

The note that a delayed message has gone through is no delivery status: nobody asked for one on success. So
it is an ordinary letter in the same thread, with the first of these parts alone.

Promises: what we write is 7-bit, but for what RFC 6533 lets a way back take that asked for it, in lines of
at most 998 octets that end with CRLF; the returned original is exact, byte for byte; no text from outside
can begin a field or a part. The size is bounded by the original's, the return limit and the number of
recipients.
"""

from __future__ import annotations

from binascii import b2a_qp

from msgspec import Struct

from byreturn.mail import rfc5322_date
from byreturn.report.audience import Audience
from byreturn.report.boundaries import BOUNDARY, free_boundary, inner_boundary
from byreturn.report.facts import ReportFacts
from byreturn.report.fields import (
    from_field,
    is_message_id,
    subject_field,
    subject_text,
    thread_fields,
    to_field,
)
from byreturn.report.headlines import cleared_start, subject_start
from byreturn.report.html import html_text
from byreturn.report.human import plain_text
from byreturn.report.machine import machine_part
from byreturn.report.outline import page_of
from byreturn.report.page import Page
from byreturn.report.returned import RETURN_OCTETS, returned_part


class ComposedReport(Struct, frozen=True):
    """A report, ready to be queued.

    `is_8bit`: it needs 8BITMIME; `without_8bit` takes that away. `is_utf8`: its own header needs SMTPUTF8.
    """

    content: bytes
    is_8bit: bool
    is_utf8: bool = False


class _Part(Struct, frozen=True):
    """A part of a multipart: its MIME fields and its octets."""

    fields: bytes
    octets: bytes


def compose(facts: ReportFacts, return_limit: int = RETURN_OCTETS) -> ComposedReport:
    """Compose the report on these recipients of a message."""
    _check(facts)
    returned = returned_part(facts, return_limit)
    human = _human(page_of(facts, returned.told), facts)
    machine = machine_part(facts)
    if machine.is_global:
        fields = b"Content-Type: message/global-delivery-status\r\nContent-Transfer-Encoding: 8bit\r\n"
        status = _Part(fields, machine.text.encode())
    else:
        status = _Part(b"Content-Type: message/delivery-status\r\n", machine.text.encode("ascii"))
    boundary = free_boundary(facts.boundary, human.octets, status.octets, returned.octets)
    is_8bit = machine.is_global or returned.is_8bit
    start = subject_start(facts.lines, facts.recipient_count, facts.language)
    header = _header(facts, start) + (
        "Content-Type: multipart/report; report-type=delivery-status;\r\n"
        f' boundary="{boundary}"\r\n' + ("Content-Transfer-Encoding: 8bit\r\n" if is_8bit else "")
    )
    parts = (human, status, _Part(returned.fields, returned.octets))
    return ComposedReport(header.encode() + _multipart(boundary, *parts), is_8bit, not header.isascii())


def compose_cleared(facts: ReportFacts) -> ComposedReport:
    """Compose the note that these recipients, of whose delay we told, have the message after all."""
    _check(facts)
    part = _human(page_of(facts, is_cleared=True), facts)
    header = _header(facts, cleared_start(facts.lines, facts.language))
    content = header.encode() + part.fields + b"\r\n" + part.octets
    return ComposedReport(content, is_8bit=False, is_utf8=not header.isascii())


def _check(facts: ReportFacts) -> None:
    assert facts.lines, "a report without recipients"
    assert is_message_id(facts.message_id), f"not a Message-ID: {facts.message_id!r}"
    assert BOUNDARY.fullmatch(facts.boundary), f"not a boundary: {facts.boundary!r}"


def _header(facts: ReportFacts, start: str) -> str:
    """Write the report's own header, up to its Content-Type."""
    if facts.audience is Audience.POSTMASTER:
        start = facts.language.say("Copy: {subject}", subject=start)
    return (
        from_field(facts.reporting_mta, facts.postmaster)
        + to_field(facts.reverse_path, takes_utf8=facts.takes_utf8)
        + subject_field(start, subject_text(facts.subject))
        + f"Date: {rfc5322_date(facts.composed_at)}\r\nMessage-ID: {facts.message_id}\r\n"
        + thread_fields(facts.original_id, facts.thread)
        # RFC 3834 section 5.2: a DSN is auto-replied, never auto-generated.
        + "Auto-Submitted: auto-replied\r\nMIME-Version: 1.0\r\n"
    )


# --- The part for people ------------------------------------------------------------------------------


def _human(page: Page, facts: ReportFacts) -> _Part:
    """The text, and the same as HTML; RFC 6522 section 3 lets the first part be a multipart/alternative."""
    language = f"Content-Language: {page.tag}\r\n".encode("ascii")
    text = _text(plain_text(page))
    if facts.is_shrunk or not facts.is_html:
        return _Part(text.fields + language, text.octets)
    html = _quoted("html", html_text(page))
    boundary = inner_boundary(facts.boundary, text.octets, html.octets)
    fields = f'Content-Type: multipart/alternative;\r\n boundary="{boundary}"\r\n'.encode("ascii")
    return _Part(fields + language, _multipart(boundary, text, html))


def _text(text: str) -> _Part:
    """7-bit as it is, or quoted-printable so that it is."""
    if text.isascii():
        return _Part(b"Content-Type: text/plain; charset=us-ascii\r\n", text.encode("ascii"))
    return _quoted("plain", text)


def _quoted(kind: str, text: str) -> _Part:
    fields = f"Content-Type: text/{kind}; charset=utf-8\r\nContent-Transfer-Encoding: quoted-printable\r\n"
    return _Part(fields.encode("ascii"), b2a_qp(text.replace("\r\n", "\n").encode()).replace(b"\n", b"\r\n"))


def _multipart(boundary: str, *parts: _Part) -> bytes:
    delimiter = b"\r\n--" + boundary.encode("ascii")
    pieces = [piece for part in parts for piece in (delimiter, b"\r\n", part.fields, b"\r\n", part.octets)]
    return b"".join([*pieces, delimiter, b"--\r\n"])
