"""A non-delivery report, delay notice or success report as bytes, from facts alone.

The same facts give the same bytes: the boundary and the date are the caller's. No mail library takes
part; a report is text with known places, and building it so takes 36 us instead of 1,200.

    multipart/report; report-type=delivery-status        RFC 6522 section 3
      text/plain                                         for the person (human)
      message/delivery-status                            for programs (machine)
      message/rfc822 | text/rfc822-headers               the original, or its header

Promises: what we write is 7-bit, in lines of at most 998 octets that end with CRLF; the returned original
is exact, byte for byte; no text from outside can begin a field or a part. The size is bounded by the
original's, the return limit and the number of recipients.
"""

from __future__ import annotations

import re
from binascii import b2a_qp
from typing import Final

from msgspec import Struct

from byreturn.mail import Action, Ret, header_block, rfc5322_date
from byreturn.report.facts import ReportFacts
from byreturn.report.fields import (
    from_field,
    is_message_id,
    subject_field,
    subject_text,
    thread_fields,
    to_field,
)
from byreturn.report.human import human_text
from byreturn.report.machine import machine_part
from byreturn.report.wording import SUBJECTS

# What comes back whole by default: it serves a letter, and keeps a lost attachment from being sent twice.
RETURN_OCTETS: Final = 50 * 1024
# However the limit is set: the search for a free boundary relies on it, and no server wants more.
RETURN_OCTETS_LIMIT: Final = 10 * 1024 * 1024
# A header block may be as long as mail.headers looks at; more is no header but an attack.
HEADER_OCTETS: Final = 64 * 1024

_BOUNDARY: Final = re.compile(r"[0-9A-Za-z'()+_,\-./:=?]{8,60}")
_LINE_LIMIT: Final = 998

_WHOLE: Final = "Your message is attached."
_HEADER: Final = "The header of your message (its subject, date and addresses) is attached."
_CUT_HEADER: Final = "The first part of the header of your message is attached; the header is very long."
_NOTHING: Final = "Nothing of your message is attached, because it has no header."


class ComposedReport(Struct, frozen=True):
    """A report, ready to be queued. `is_8bit`: the returned original makes it need 8BITMIME."""

    content: bytes
    is_8bit: bool


class _Returned(Struct, frozen=True):
    """The third part: its MIME fields and its bytes, and what to tell people about it."""

    fields: bytes
    octets: bytes
    told: str
    is_8bit: bool = False


def compose(facts: ReportFacts, return_limit: int = RETURN_OCTETS) -> ComposedReport:
    """Compose the report on these recipients of a message."""
    assert facts.lines, "a report without recipients"
    assert is_message_id(facts.message_id), f"not a Message-ID: {facts.message_id!r}"
    assert _BOUNDARY.fullmatch(facts.boundary), f"not a boundary: {facts.boundary!r}"
    returned = _returned(facts, min(return_limit, RETURN_OCTETS_LIMIT))
    human = _text_part(human_text(facts, returned.told))
    machine = b"Content-Type: message/delivery-status\r\n\r\n" + machine_part(facts).encode("ascii")
    boundary = _free_boundary(facts.boundary, human, machine, returned.octets)
    delimiter = b"\r\n--" + boundary.encode("ascii")
    return ComposedReport(
        b"".join(
            [
                _header(facts, boundary, is_8bit=returned.is_8bit).encode("ascii"),
                delimiter, b"\r\n", human,
                delimiter, b"\r\n", machine,
                delimiter, b"\r\n", returned.fields, b"\r\n", returned.octets,
                delimiter, b"--\r\n",
            ]
        ),
        returned.is_8bit,
    )  # fmt: skip


def _header(facts: ReportFacts, boundary: str, *, is_8bit: bool) -> str:
    """Write the report's own header, up to the empty line."""
    worst = min((line.action for line in facts.lines), key=_ACTIONS.index)
    return (
        from_field(facts.reporting_mta, facts.postmaster)
        + to_field(facts.reverse_path)
        + subject_field(SUBJECTS[worst], subject_text(facts.subject))
        + f"Date: {rfc5322_date(facts.composed_at)}\r\nMessage-ID: {facts.message_id}\r\n"
        + thread_fields(facts.original_id, facts.thread)
        # RFC 3834 section 5.2: a DSN is auto-replied, never auto-generated.
        + "Auto-Submitted: auto-replied\r\n"
        "MIME-Version: 1.0\r\n"
        "Content-Type: multipart/report; report-type=delivery-status;\r\n"
        f' boundary="{boundary}"\r\n' + ("Content-Transfer-Encoding: 8bit\r\n" if is_8bit else "")
    )


_ACTIONS: Final = tuple(Action)


def _text_part(text: str) -> bytes:
    """The part for people: 7-bit as it is, or quoted-printable so that it is."""
    if text.isascii():
        return b"Content-Type: text/plain; charset=us-ascii\r\n\r\n" + text.encode("ascii")
    return (
        b"Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n"
    ) + b2a_qp(text.encode())


# --- The returned original ----------------------------------------------------------------------------


def _returned(facts: ReportFacts, limit: int) -> _Returned:
    """Choose what of the original goes back.

    RFC 3461 section 6.2: the whole message only with a failure, and only if RET does not want the header
    alone; over the limit the header stands for it.
    """
    content = facts.content
    if (
        content is not None
        and facts.ret is not Ret.HDRS
        and len(content) <= limit
        and any(line.action is Action.FAILED for line in facts.lines)
    ):
        if content.isascii():
            return _Returned(b"Content-Type: message/rfc822\r\n", content, _WHOLE)
        fields = b"Content-Type: message/rfc822\r\nContent-Transfer-Encoding: 8bit\r\n"
        return _Returned(fields, content, _WHOLE, is_8bit=True)
    return _returned_header(facts.header_block)


def _returned_header(block: bytes) -> _Returned:
    """RFC 6522 section 4: all the header lines up to the first empty line, under a type of their own."""
    block = header_block(block)
    told = _HEADER if block else _NOTHING
    if len(block) >= HEADER_OCTETS:
        # Exactly as long: whoever read it stopped there, most likely within a line.
        block = block[:HEADER_OCTETS]
        end = block.rfind(b"\r\n")
        block = block if end < 0 else block[: end + 2]
        told = _CUT_HEADER
    if _is_fit_for_7bit(block):
        return _Returned(b"Content-Type: text/rfc822-headers\r\n", block, told)
    fields = b"Content-Type: text/rfc822-headers\r\nContent-Transfer-Encoding: quoted-printable\r\n"
    return _Returned(fields, b"\r\n".join(_in_quoted_printable(line) for line in block.split(b"\r\n")), told)


def _is_fit_for_7bit(block: bytes) -> bool:
    line_ends = block.count(b"\r\n")
    return (
        block.isascii()
        and b"\0" not in block
        and block.count(b"\r") == line_ends == block.count(b"\n")
        and (len(block) <= _LINE_LIMIT or max(map(len, block.split(b"\r\n"))) <= _LINE_LIMIT)
    )


def _in_quoted_printable(line: bytes) -> bytes:
    # Not as text: so that a bare CR or LF inside a line is encoded, and every raw LF is a soft line break.
    return b2a_qp(line, istext=False).replace(b"=\n", b"=\r\n")


def _free_boundary(wanted: str, *parts: bytes) -> str:
    """Return the boundary wanted, or one derived from it, that does not occur in what it separates.

    An attacker who knows it may have written it into the message, and variations of it too. The numbers
    that are taken are found in one pass, and as they are all of one length none begins another.
    """
    mark = b"--" + wanted.encode("ascii")
    if not any(mark in part for part in parts):
        return wanted
    pattern = re.compile(rb"(?=" + re.escape(mark) + rb"\.([0-9]{6}))")  # looks ahead: they may overlap
    taken = {number for part in parts for number in pattern.findall(part)}
    # To take all the million numbers needs 17 octets each: more than RETURN_OCTETS_LIMIT.
    return next(f"{wanted}.{n:06d}" for n in range(1_000_000) if b"%06d" % n not in taken)
