"""One of our own 8-bit reports, made fit for a server without 8BITMIME.

A report is 8-bit because the message that it brings back is, or because the way back takes UTF-8. The next
server may take neither, and a report must not be lost for that. So the original's header goes back in place
of the whole, in quoted-printable, and nothing else changes:

    Content-Type: message/rfc822               Content-Type: text/rfc822-headers
    Content-Transfer-Encoding: 8bit       ->   Content-Transfer-Encoding: quoted-printable

Promises: never raises; None for anything that is not a report in the shape that `compose` gives it, or that
has 8-bit octets elsewhere. What comes back is 7-bit.
"""

from __future__ import annotations

import re
from binascii import b2a_qp
from typing import Final

from byreturn.report.returned import returned_header

_HEAD: Final = re.compile(
    rb"Content-Type: multipart/report; report-type=delivery-status;\r\n"
    rb' boundary="([0-9A-Za-z\'()+_,\-./:=?]{8,70})"\r\n'
    rb"Content-Transfer-Encoding: 8bit\r\n\Z"
)
_RETURNED: Final = re.compile(
    rb"Content-Type: message/(?:rfc822|global|global-headers)\r\nContent-Transfer-Encoding: 8bit\r\n\r\n"
)
_GLOBAL: Final = b"Content-Type: message/global-delivery-status\r\n"
_QUOTED: Final = b"Content-Transfer-Encoding: quoted-printable\r\n"
_ENCODING: Final = b"Content-Transfer-Encoding: 8bit\r\n"


def without_8bit(report: bytes) -> bytes | None:
    """Return a report of ours in 7 bits; None if it is none, or if that cannot be done."""
    end = report.find(b"\r\n\r\n")
    header = report[: end + 2]
    found = _HEAD.search(header)
    if end < 0 or found is None:
        return None
    delimiter = b"\r\n--" + found[1] + b"\r\n"
    last = b"\r\n--" + found[1] + b"--\r\n"
    # The boundary occurs in none of the parts, so whoever splits there has the parts.
    pieces = report[end + 2 :].removesuffix(last).split(delimiter)
    if len(pieces) != 4 or not report.endswith(last):
        return None
    start = header[: -len(_ENCODING)] + pieces[0]
    written = delimiter.join([start, pieces[1], _status(pieces[2]), _returned(pieces[3])]) + last
    return written if written.isascii() else None


def _status(part: bytes) -> bytes:
    """RFC 6533 section 4.1: this type, unlike message/delivery-status, may be encoded."""
    start = _GLOBAL + _ENCODING + b"\r\n"
    if not part.startswith(start):
        return part
    lines = b2a_qp(part[len(start) :].replace(b"\r\n", b"\n")).replace(b"\n", b"\r\n")
    return _GLOBAL + _QUOTED + b"\r\n" + lines


def _returned(part: bytes) -> bytes:
    fields = _RETURNED.match(part)
    if fields is None:
        return part
    returned = returned_header(part[fields.end() :])
    return returned.fields + b"\r\n" + returned.octets
