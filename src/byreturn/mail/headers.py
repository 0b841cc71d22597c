"""The header block, as bytes: read for a handful of facts, extended at the top, never rebuilt.

We relay what we were given. So there is no parser here that takes a message apart and puts it together
again; a single pass over the first octets finds the few fields that decide something, and trace lines are
put in front.

Bounds: only the first HEAD_OCTETS are looked at. A trace line stands at the top, so a loop shows there.
"""

from __future__ import annotations

import re
from typing import Final

from msgspec import Struct

from byreturn.mail.envelope import Priority

HEAD_OCTETS: Final = 64 * 1024
_VALUE_LIMIT: Final = 998  # RFC 5322 section 2.1.1: the longest line there can be

_FIELDS: Final = re.compile(
    rb"^(received|message-id|subject|priority|importance|precedence|list-id|auto-submitted)"
    rb"[ \t]*:[ \t]*([^\r\n]*(?:\r\n[ \t][^\r\n]*)*)",
    re.IGNORECASE | re.MULTILINE,
)
_FOLD: Final = re.compile(r"\r\n(?=[ \t])")
_MESSAGE_ID: Final = re.compile(r"<[^<>\s]{1,990}>")


class HeaderFacts(Struct, frozen=True):
    """What the header block says that matters to us."""

    received_count: int = 0
    message_id: str = ""
    subject: str = ""
    priority: Priority = Priority.NORMAL
    is_bulk: bool = False


def header_block(content: bytes) -> bytes:
    """Return the header block with the CRLF of its last line, without the empty line after it."""
    if content.startswith(b"\r\n"):
        return b""
    end = content.find(b"\r\n\r\n")
    return content if end < 0 else content[: end + 2]


_ADDRESS: Final = re.compile(r"[^\s<>()\",;:@\[\]\\]{1,64}@[^\s<>()\",;:@\\]{1,255}")


def named_addresses(block: bytes, fields: tuple[bytes, ...]) -> frozenset[str]:
    """Find the addresses that stand in these fields of a header block, in small letters.

    For a reader who may be shown what he can read himself: an address in an odd form is not found.
    """
    found: set[str] = set()
    for field in re.split(rb"\r\n(?![ \t])", block):
        name, colon, value = field.partition(b":")
        if colon and name.strip(b" \t").lower() in fields:
            found.update(_ADDRESS.findall(value.decode("utf-8", "replace").lower()))
    return frozenset(found)


def read_facts(content: bytes) -> HeaderFacts:
    """Read the facts from the beginning of a content.

    Priority comes from RFC 2156's Priority, or else from Importance. Of a field that may stand only once
    and stands twice, the first counts.
    """
    received = 0
    seen: dict[bytes, str] = {}
    for found in _FIELDS.finditer(header_block(content[:HEAD_OCTETS])):
        name, value = found.groups()
        name = name.lower()
        if name == b"received":
            received += 1
        elif name not in seen:
            # RFC 5322 section 2.2.3: unfolding takes the CRLF away and nothing else.
            seen[name] = _FOLD.sub("", value.decode("utf-8", "replace")).strip()[:_VALUE_LIMIT]
    message_id = _MESSAGE_ID.search(seen.get(b"message-id", ""))
    return HeaderFacts(
        received_count=received,
        message_id=message_id.group() if message_id else "",
        subject=seen.get(b"subject", ""),
        priority=_priority(seen.get(b"priority", ""), seen.get(b"importance", "")),
        is_bulk=_is_bulk(seen),
    )


def _priority(priority: str, importance: str) -> Priority:
    match priority.lower() or importance.lower():
        case "urgent" | "high":
            return Priority.URGENT
        case "non-urgent" | "low":
            return Priority.NON_URGENT
        case _:
            return Priority.NORMAL


def _is_bulk(seen: dict[bytes, str]) -> bool:
    """Whether a list or a machine wrote this: nobody waits for a delay notice about it."""
    if b"list-id" in seen or seen.get(b"precedence", "").lower() in {"bulk", "junk", "list"}:
        return True
    # RFC 3834 section 5: anything but "no" was sent by a machine.
    return seen.get(b"auto-submitted", "no").lower().split(";")[0].strip() != "no"


def trace_line(*, hello: str, address: str, by: str, protocol: str, ident: str, date: str) -> bytes:
    """Write the Received line that every accepted message gets on top (RFC 5321 section 4.4).

    `hello` is the peer's text and has passed the grammar; it holds no control characters.
    """
    literal = f"IPv6:{address}" if ":" in address else address
    return (
        f"Received: from {hello} ([{literal}])\r\n\tby {by} with {protocol} id {ident};\r\n\t{date}\r\n"
    ).encode()
