"""Mailboxes and reverse paths: the addresses of the envelope.

A reverse path is a mailbox or nothing at all (`<>`), and the two are different types, because "nobody to
tell" must be handled wherever a reverse path is used. The text of an address is kept exactly as it was
given; only its *destination*, the name by which it is routed, is normalised.

Only `protocol.grammar` turns a stranger's text into these; `from_text` trusts what we wrote ourselves.
"""

from __future__ import annotations

from typing import Final, NewType, TypeAlias

from msgspec import Struct

Destination = NewType("Destination", str)


class Mailbox(Struct, frozen=True):
    """A local part and a domain, as given: RFC 5321 section 4.1.2 `Mailbox`."""

    local: str
    domain: str

    @property
    def destination(self) -> Destination:
        """The domain this mailbox is in, normalised: lower case, without a final dot."""
        return normal_domain(self.domain)

    @property
    def is_literal(self) -> bool:
        """Whether the domain is an address literal such as `[192.0.2.1]`."""
        return self.domain.startswith("[")

    def __str__(self) -> str:
        return f"{self.local}@{self.domain}"


class NullPath(Struct, frozen=True):
    """The empty reverse path `<>`: nobody is to be told."""

    def __str__(self) -> str:
        return ""


ReversePath: TypeAlias = Mailbox | NullPath
NULL_PATH: Final = NullPath()


def normal_domain(domain: str) -> Destination:
    """Normalise a domain for comparing and routing."""
    return Destination(domain.lower().removesuffix("."))


def mailbox_from_text(text: str) -> Mailbox:
    """Read back `str(mailbox)`. Only for text that we wrote: the grammar is not checked."""
    local, at, domain = text.rpartition("@")
    assert at, f"not a mailbox that we wrote: {text!r}"
    return Mailbox(local, domain)


def reverse_path_from_text(text: str) -> ReversePath:
    """Read back `str(reverse_path)`; the empty text is the null path."""
    return mailbox_from_text(text) if text else NULL_PATH
