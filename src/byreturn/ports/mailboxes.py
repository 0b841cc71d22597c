"""The local side: who is here, and putting mail into a mailbox."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol, TypeAlias

from msgspec import Struct

from byreturn.mail import Mailbox
from byreturn.ports.spool import ContentReader


class Here(Struct, frozen=True):
    """A local address, and the addresses that it stands for (itself, or what its alias names)."""

    members: tuple[Mailbox, ...]
    is_alias: bool


class NotHere(Struct, frozen=True):
    """Our domain, but no such mailbox."""


class Elsewhere(Struct, frozen=True):
    """Not our domain."""


Whereabouts: TypeAlias = Here | NotHere | Elsewhere


class Directory(Protocol):
    """Knows the local domains. In memory: it answers at once."""

    def find(self, address: Mailbox) -> Whereabouts:
        """Tell whether an address is local, and what it stands for."""
        ...

    def is_local(self, domain: str) -> bool:
        """Whether a domain is one of ours."""
        ...

    def near(self, address: Mailbox) -> tuple[Mailbox, ...]:
        """Name a few local addresses of the same domain that are one slip of the fingers away.

        For the eyes of our own people only: to anybody else they would tell who is here.
        """
        ...

    @property
    def primary_domain(self) -> str:
        """The domain of our own postmaster."""
        ...


class StoreRefused(Struct, frozen=True):
    """The store will never take it: there is no such mailbox."""

    why: str


class StoreFault(Struct, frozen=True):
    """The store could not take it now."""

    why: str


class Mailboxes(Protocol):
    """The local store."""

    def deliver(
        self,
        address: Mailbox,
        unique: str,
        trace: bytes,
        content: ContentReader,
        done: Callable[[StoreRefused | StoreFault | None], None],
    ) -> None:
        """Put `trace` and `content` into a mailbox, durably, then call `done` with None.

        `unique` names this delivery and no other, for ever: to deliver it twice leaves one message.
        """
        ...
