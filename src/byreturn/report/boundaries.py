"""Boundaries that hold: delimiters that occur in nothing that they separate (RFC 2046 section 5.1.1).

Promises: found in one pass over the parts, whatever an attacker wrote into the message that comes back.
"""

from __future__ import annotations

import re
from typing import Final

BOUNDARY: Final = re.compile(r"[0-9A-Za-z'()+_,\-./:=?]{8,60}")


def free_boundary(wanted: str, *parts: bytes) -> str:
    """Return the boundary wanted, or one derived from it, that does not occur in what it separates.

    An attacker who knows it may have written it into the message, and variations of it too. The numbers
    that are taken are found in one pass, and as they are all of one length none begins another.
    """
    mark = b"--" + wanted.encode("ascii")
    if not any(mark in part for part in parts):
        return wanted
    pattern = re.compile(rb"(?=" + re.escape(mark) + rb"\.([0-9]{6}))")  # looks ahead: they may overlap
    taken = {number for part in parts for number in pattern.findall(part)}
    # To take all the million numbers needs 17 octets each: more than may come back of a message.
    return next(f"{wanted}.{n:06d}" for n in range(1_000_000) if b"%06d" % n not in taken)


def inner_boundary(outer: str, *parts: bytes) -> str:
    """Derive a boundary for a multipart inside another: neither begins with the other, or it would end it."""
    return free_boundary(("+" if outer[0] == "_" else "_") + outer, *parts)
