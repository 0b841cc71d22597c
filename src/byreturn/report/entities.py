"""What the linter takes a report apart with: header fields and the parts of a multipart, as octets.

It shares nothing with `parse`, which forgives what a stranger wrote: what is out of shape must show here.
"""

from __future__ import annotations

import re
from binascii import a2b_qp
from typing import Final

from msgspec import Struct

_FIELD: Final = re.compile(rb"([!-9;-~]+):[ \t]*([^\r\n]*(?:\r\n[ \t][^\r\n]*)*)\r\n")
_BOUNDARY: Final = re.compile(rb'boundary="([^"]{1,70})"')


class Entity(Struct, frozen=True):
    """Header fields in their order, the names in small letters; and the octets below them."""

    fields: tuple[tuple[bytes, bytes], ...]
    octets: bytes

    def all(self, name: bytes) -> list[bytes]:
        """Return the values of a field, as they stand there."""
        return [value for known, value in self.fields if known == name]

    def one(self, name: bytes) -> bytes:
        """Return the value of a field; empty where it is missing."""
        return next((value for known, value in self.fields if known == name), b"")

    @property
    def kind(self) -> bytes:
        """The media type."""
        return self.one(b"content-type").partition(b";")[0].strip()

    @property
    def text(self) -> str:
        """The octets as they were before their transfer encoding; they may be wrong."""
        octets = self.octets
        if self.one(b"content-transfer-encoding") == b"quoted-printable":
            octets = a2b_qp(octets)
        return octets.decode("utf-8", "replace")


def fields_in(block: bytes) -> tuple[tuple[bytes, bytes], ...] | None:
    """Read a block of fields; None where anything else stands in it."""
    found, at = [], 0
    while at < len(block):
        field = _FIELD.match(block, at)
        if field is None:
            return None
        found.append((field[1].lower(), field[2]))
        at = field.end()
    return tuple(found)


def entity_of(octets: bytes) -> Entity | None:
    """Read an entity; None where its header is none."""
    end = octets.find(b"\r\n\r\n")
    if end < 0:
        return None
    fields = fields_in(octets[: end + 2])
    return None if fields is None else Entity(fields, octets[end + 4 :])


def parts_of(entity: Entity) -> tuple[Entity, ...] | None:
    """Split a multipart; None where its boundary is not sound or a part has no header."""
    boundary = _BOUNDARY.search(entity.one(b"content-type"))
    if boundary is None:
        return None
    delimiter = b"\r\n--" + boundary[1]
    pieces = (b"\r\n" + entity.octets).split(delimiter)
    # RFC 2046 section 5.1.1: after it a line end, after the last one two hyphens.
    if pieces[0].strip() or not pieces[-1].startswith(b"--"):
        return None
    if any(not piece.startswith(b"\r\n") for piece in pieces[1:-1]) or pieces[-1] not in (b"--", b"--\r\n"):
        return None
    parts = [entity_of(piece[2:]) for piece in pieces[1:-1]]
    whole = tuple(part for part in parts if part is not None)
    return whole if len(whole) == len(parts) else None
