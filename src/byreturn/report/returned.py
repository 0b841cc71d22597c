"""The third part of a report: what of the original goes back.

    the whole message     after a failure, unless RET, its size or a flood says otherwise
    its header            else: all the lines up to the first empty one, under a type of their own

Promises: a whole message is exact, octet for octet; a header is 7-bit unless the way back takes UTF-8.
"""

from __future__ import annotations

from binascii import b2a_qp
from typing import Final

from msgspec import Struct

from byreturn.mail import N_, Action, Ret, header_block
from byreturn.report.audience import Audience
from byreturn.report.facts import ReportFacts

# What comes back whole by default: it serves a letter, and keeps a lost attachment from being sent twice.
RETURN_OCTETS: Final = 50 * 1024
# However the limit is set: the search for a free boundary relies on it, and no server wants more.
RETURN_OCTETS_LIMIT: Final = 10 * 1024 * 1024
# A header block may be as long as mail.headers looks at; more is no header but an attack.
HEADER_OCTETS: Final = 64 * 1024
_LINE_LIMIT: Final = 998

_WHOLE: Final = N_("Your message is attached.")
# A server on the way back may take no more than 7 bits (`downgrade`), and nobody knows that yet.
_WHOLE_8BIT: Final = N_("Your message is attached, or its header where it cannot travel back whole.")
_HEADER: Final = N_("The header of your message (its subject, date and addresses) is attached.")
_CUT_HEADER: Final = N_("The first part of the header of your message is attached; the header is very long.")
_NOTHING: Final = N_("Nothing of your message is attached, because it has no header.")


class Returned(Struct, frozen=True):
    """The third part: its MIME fields and its octets, and what to tell people about it."""

    fields: bytes
    octets: bytes
    told: str
    is_8bit: bool = False


def returned_part(facts: ReportFacts, limit: int) -> Returned:
    """Choose what of the original goes back.

    RFC 3461 section 6.2: the whole message only with a failure, and only if RET does not want the header
    alone; over the limit the header stands for it.
    """
    content = facts.content
    if (
        content is not None
        and facts.ret is not Ret.HDRS
        and not facts.is_shrunk
        and facts.audience is not Audience.POSTMASTER
        and len(content) <= min(limit, RETURN_OCTETS_LIMIT)
        and any(line.action is Action.FAILED for line in facts.lines)
    ):
        if content.isascii():
            return Returned(b"Content-Type: message/rfc822\r\n", content, _WHOLE)
        # RFC 6533 section 4: a message whose header is not ASCII is no message/rfc822.
        kind = b"global" if facts.takes_utf8 and _is_utf8_header(header_block(content)) else b"rfc822"
        fields = b"Content-Type: message/%b\r\nContent-Transfer-Encoding: 8bit\r\n" % kind
        return Returned(fields, content, _WHOLE_8BIT, is_8bit=True)
    return _returned_header(facts)


def returned_header(block: bytes) -> Returned:
    """RFC 6522 section 4: all the header lines up to the first empty line, under a type of their own."""
    block, told = _bounded(block)
    if _is_fit_for_7bit(block):
        return Returned(b"Content-Type: text/rfc822-headers\r\n", block, told)
    fields = b"Content-Type: text/rfc822-headers\r\nContent-Transfer-Encoding: quoted-printable\r\n"
    return Returned(fields, b"\r\n".join(_in_quoted_printable(line) for line in block.split(b"\r\n")), told)


def _returned_header(facts: ReportFacts) -> Returned:
    if facts.takes_utf8:
        block, told = _bounded(facts.header_block)
        if _is_utf8_header(block):
            fields = b"Content-Type: message/global-headers\r\nContent-Transfer-Encoding: 8bit\r\n"
            return Returned(fields, block, told, is_8bit=True)
    return returned_header(facts.header_block)


def _bounded(block: bytes) -> tuple[bytes, str]:
    block = header_block(block)
    if len(block) < HEADER_OCTETS:
        return block, _HEADER if block else _NOTHING
    # Exactly as long: whoever read it stopped there, most likely within a line.
    block = block[:HEADER_OCTETS]
    end = block.rfind(b"\r\n")
    return block if end < 0 else block[: end + 2], _CUT_HEADER


def _is_utf8_header(block: bytes) -> bool:
    """Whether a header is beyond ASCII, sound UTF-8, and of lines that may stand in 8-bit mail."""
    if block.isascii() or not _has_sound_lines(block):
        return False
    try:
        block.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


def _is_fit_for_7bit(block: bytes) -> bool:
    return block.isascii() and _has_sound_lines(block)


def _has_sound_lines(block: bytes) -> bool:
    line_ends = block.count(b"\r\n")
    return (
        b"\0" not in block
        and block.count(b"\r") == line_ends == block.count(b"\n")
        and (len(block) <= _LINE_LIMIT or max(map(len, block.split(b"\r\n"))) <= _LINE_LIMIT)
    )


def _in_quoted_printable(line: bytes) -> bytes:
    # Not as text: so that a bare CR or LF inside a line is encoded, and every raw LF is a soft line break.
    return b2a_qp(line, istext=False).replace(b"=\n", b"=\r\n")
