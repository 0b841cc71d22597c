"""xtext: how ENVID and ORCPT travel inside a command line (RFC 3461 section 4).

A command line is split at spaces and at `=`, so a value that may hold either is written with `+HH` in
their place. Only ASCII can be written so. We keep what a client sent in its xtext form, because that is
what must be relayed, letter for letter; it is decoded only to be shown.

Decoding gives back control characters where somebody wrote them in hex. Whoever puts the result into a
header field or a log line must clean it first.
"""

from __future__ import annotations

import re
from typing import Final

# RFC 3461 section 4: xchar is "!" to "~" without "+" and "=". The possessive forms cannot backtrack, so a
# hostile text costs one pass.
_XTEXT: Final = re.compile(r"(?:[!-*,-<>-~]++|\+[0-7][0-9A-F])*+")
_SPECIAL: Final = re.compile(r"[^!-*,-<>-~]")
_HEXCHAR: Final = re.compile(r"\+([0-7][0-9A-F])")


def xtext_encode(text: str) -> str:
    """Write an ASCII text as xtext."""
    assert text.isascii(), "xtext holds ASCII only"
    return _SPECIAL.sub(lambda found: f"+{ord(found[0]):02X}", text)


def xtext_decode(text: str) -> str | None:
    """Read xtext; None where it is none (the hex digits are upper case, and ASCII is all there is)."""
    if _XTEXT.fullmatch(text) is None:
        return None
    return _HEXCHAR.sub(lambda found: chr(int(found[1], 16)), text)
