"""Service extensions: what a peer offers in its answer to EHLO, and what we offer in ours."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from msgspec import Struct

# The lines of our own EHLO reply after SIZE; all of these hold on every listener.
OFFERED: Final = ("8BITMIME", "DSN", "ENHANCEDSTATUSCODES", "HELP", "VRFY")


class Extensions(Struct, frozen=True):
    """What a peer offers. `size`: the most octets it takes; None when it names no limit."""

    pipelining: bool = False
    eight_bit: bool = False
    dsn: bool = False
    starttls: bool = False
    size_offered: bool = False
    size: int | None = None


NO_EXTENSIONS: Final = Extensions()


def read_extensions(lines: Sequence[str]) -> Extensions:
    """Read the lines of a 250 to EHLO; the first is a greeting. Unknown keywords are skipped."""
    offered: dict[str, str] = {}
    for line in lines[1:]:
        keyword, _, value = line.strip().partition(" ")
        offered.setdefault(keyword.upper(), value.strip())
    size = offered.get("SIZE", "")
    # RFC 1870 section 4: zero, or no value, means that no limit is named.
    limit = int(size) if size.isascii() and size.isdigit() and len(size) <= 20 else 0
    return Extensions(
        pipelining="PIPELINING" in offered,
        eight_bit="8BITMIME" in offered,
        dsn="DSN" in offered,
        starttls="STARTTLS" in offered,
        size_offered="SIZE" in offered,
        size=limit or None,
    )


def offer(hostname: str, octets_limit: int) -> tuple[str, ...]:
    """Return the lines of our answer to EHLO."""
    return (hostname, "PIPELINING", f"SIZE {octets_limit}", *OFFERED)
