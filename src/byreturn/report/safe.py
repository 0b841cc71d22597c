r"""Strangers' text, made fit to stand in a report.

A report repeats what others wrote: addresses, subjects, a peer's words, names out of the DNS. Any of them
may hold a line end that would begin a header field of its own, an escape sequence, or a mark that turns
the direction of writing. There are few places for text, and one function for each:

    readable   in the part for people: Unicode stays, what cannot be seen becomes `?`
    one_line   in a header field for people: what cannot be seen becomes a space, spaces become one
    in_ascii   in the part for machines: what is not printable ASCII becomes `\x{HEX}`, and loses nothing
    in_utf8    there too, where UTF-8 may stand: only what cannot be seen becomes `\x{HEX}`

Promises: the result has no CR, LF, NUL or ESC, and is not longer than the limit.
"""

from __future__ import annotations

import re
from typing import Final

CUT: Final = "..."

# Controls (C0, DEL, C1), line and paragraph separators, marks of direction and other characters without a
# shape, and lone surrogates, which no encoding takes. The two joiners U+200C and U+200D are left: Persian
# and emoji need them.
_UNSEEN: Final = re.compile(
    "[\x00-\x1f\x7f-\x9f\u00ad\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb"
    "\ud800-\udfff]"
)
_TAG: Final = re.compile(r"[A-Za-z]{2,8}(?:-[A-Za-z0-9]{1,8}){0,4}")
_NOT_ASCII: Final = re.compile(r"[^ -~]")
# RFC 6533 section 3: QCHAR leaves out these, so that the escapes stay unambiguous.
# The same where UTF-8 may stand: only these and what cannot be seen are escaped.
_NOT_QUCHAR: Final = re.compile(r"[\x00-\x20+=\\\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")
_NOT_QCHAR: Final = re.compile(r"[^!-*,-<>-\[\]-~]")


def shortened(text: str, limit: int) -> str:
    """Cut a text to a limit, and show that it was cut."""
    return text if len(text) <= limit else text[: max(0, limit - len(CUT))] + CUT


def readable(text: str, limit: int) -> str:
    """Clean a text for people; its spaces stay as they are."""
    text = shortened(text, limit)
    if text.isascii() and text.isprintable():
        return text
    return _UNSEEN.sub("?", text)


def one_line(text: str, limit: int) -> str:
    """Clean a text for a header field: one line, single spaces."""
    return shortened(" ".join(_UNSEEN.sub(" ", text[: 2 * limit]).split()), limit)


def in_ascii(text: str, limit: int) -> str:
    r"""Clean a text for a machine: printable ASCII, with `\x{HEX}` for everything else."""
    if not (text.isascii() and text.isprintable()):
        text = _NOT_ASCII.sub(_escape, text[:limit])
    return shortened(text, limit)


def in_qchars(text: str, limit: int) -> str:
    """Write an address that is not ASCII in the 7-bit form of RFC 6533 section 3."""
    return shortened(_NOT_QCHAR.sub(_escape, text[:limit]), limit)


def in_utf8(text: str, limit: int) -> str:
    r"""Clean a text for a machine that reads UTF-8: `\x{HEX}` for what cannot be seen."""
    if not (text.isascii() and text.isprintable()):
        text = _UNSEEN.sub(_escape, text[:limit])
    return shortened(text, limit)


def in_quchars(text: str, limit: int) -> str:
    """Write an address in the UTF-8 form of RFC 6533 section 3."""
    return shortened(_NOT_QUCHAR.sub(_escape, text[:limit]), limit)


def language_tag(tag: str) -> str:
    """Return the tag of a language if it is one (RFC 5646 in outline), else that of English."""
    return tag if _TAG.fullmatch(tag) else "en"


def _escape(found: re.Match[str]) -> str:
    return f"\\x{{{ord(found[0]):02X}}}"
