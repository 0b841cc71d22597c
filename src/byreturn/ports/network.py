"""Wires and names: connections as callbacks, look-ups as values.

A stream is bytes in and bytes out. Nobody awaits anything: a task for each phase of each dialogue would
cost more than the dialogue (4.5 us a task, 2.8 us a future), and callbacks run under a simulated network
without a line of difference.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum
from typing import Protocol, TypeAlias

from msgspec import Struct

from byreturn.mail import Duration


class Endpoint(Struct, frozen=True, order=True):
    """An IP address in text and a TCP port."""

    address: str
    port: int

    def __str__(self) -> str:
        return f"[{self.address}]:{self.port}" if ":" in self.address else f"{self.address}:{self.port}"


class TlsSettings(Struct, frozen=True):
    """What a client asks of TLS. `host`: the name, or the address, that we meant to reach.

    `verify`: the certificate must be valid and be that host's; otherwise any will do.
    """

    host: str
    verify: bool


class TlsFacts(Struct, frozen=True):
    """The TLS that a stream has. `is_verified`: the certificate was checked, and is good."""

    version: str
    cipher: str
    is_verified: bool

    def __str__(self) -> str:
        return f"{self.version} {self.cipher}{' verified' if self.is_verified else ''}"


class TlsFailed(Struct, frozen=True):
    """The handshake failed; the stream is of no more use."""

    why: str


class StreamUser(Protocol):
    """Who is told what happens on a stream."""

    def on_data(self, data: bytes) -> None:
        """Some octets came."""
        ...

    def on_writable(self) -> None:
        """The stream's buffer, over its limit before, has room again."""
        ...

    def on_closed(self, why: str) -> None:
        """The stream ended; called exactly once, and nothing after it. Empty `why`: an orderly end."""
        ...


class Stream(Protocol):
    """A connection. `tls`: what encrypts it; None in clear text."""

    local: Endpoint
    peer: Endpoint
    tls: TlsFacts | None

    def use(self, user: StreamUser) -> None:
        """Name who is told from now on."""
        ...

    def write(self, data: bytes) -> bool:
        """Send; False when the buffer is over its limit: then wait for `on_writable`."""
        ...

    def start_tls(self, settings: TlsSettings, done: Callable[[TlsFacts | TlsFailed], None]) -> None:
        """Do the client's side of a handshake; whatever arrives from now on belongs to it.

        `done` is never called from inside this function, and not at all if the stream ends before: then
        `on_closed` tells. Nothing may be written until it is called. How long it may take is for the user to
        say, who aborts the stream.
        """
        ...

    def pause(self) -> None:
        """Stop reading: the peer will feel it."""
        ...

    def resume(self) -> None:
        """Read on."""
        ...

    def close(self) -> None:
        """Send what is buffered, then close."""
        ...

    def linger(self, limit: Duration) -> None:
        """Send what is buffered and say that no more comes; close when the peer does, or after `limit`.

        What the peer still sends is read and thrown away, so that its system does not throw our last
        words away unread.
        """
        ...

    def abort(self) -> None:
        """Close at once."""
        ...


class DialFailed(Struct, frozen=True):
    """Nobody answered at an endpoint. `refused`: it said no at once; `timed_out`: it said nothing at all."""

    why: str
    refused: bool
    timed_out: bool = False


class Dial(Protocol):
    """A connection that is being made."""

    def cancel(self) -> None:
        """Give up; the callback will not be called."""
        ...


class Dialer(Protocol):
    """Makes connections."""

    def dial(
        self,
        endpoint: Endpoint,
        limit: Duration,
        done: Callable[[Stream | DialFailed], None],
        *,
        source: str = "",
    ) -> Dial:
        """Connect within `limit`; `done` is never called from inside this function.

        `source`: the local address to connect from; empty: the system chooses.
        """
        ...


# --- Names --------------------------------------------------------------------------------------------


class MxRecord(Struct, frozen=True):
    """One MX record; `host` is normalised, and empty for the root name of a null MX."""

    preference: int
    host: str


class MxFound(Struct, frozen=True):
    """The MX records of a domain, at least one."""

    records: tuple[MxRecord, ...]


class AddressesFound(Struct, frozen=True):
    """The addresses of a host, at least one, IPv6 first where both exist."""

    addresses: tuple[str, ...]


class NoSuchName(Struct, frozen=True):
    """NXDOMAIN: the name does not exist, says the resolver named."""

    resolver: str


class NoRecords(Struct, frozen=True):
    """The name exists but has no record of the kind asked for."""

    resolver: str


class LookupFailed(Struct, frozen=True):
    """No usable answer: SERVFAIL, time-out, nonsense. It means nothing about the name."""

    why: str


MxAnswer: TypeAlias = MxFound | NoSuchName | NoRecords | LookupFailed
AddressAnswer: TypeAlias = AddressesFound | NoSuchName | NoRecords | LookupFailed


class Verdict(Enum):
    """What one server says of a name: it is there, it is not, or nothing that could be relied upon."""

    EXISTS = "exists"
    DENIED = "denied"
    NO_WORD = "no word"


class Opinion(Struct, frozen=True):
    """What one server says of a name. `server` is empty where the name cannot be asked for at all."""

    server: str
    verdict: Verdict


class Resolver(Protocol):
    """Asks the DNS. `done` of a look-up may be called from inside the function when the answer is known."""

    def mx(self, domain: str, done: Callable[[MxAnswer], None], *, anew: bool = False) -> None:
        """Find the MX records of a domain; names are absolute, CNAMEs are followed.

        With `anew` nothing is told that was found earlier, unless it is records: absences and failures are
        looked up again.
        """
        ...

    def addresses(self, host: str, done: Callable[[AddressAnswer], None]) -> None:
        """Find the A and AAAA records of a host."""
        ...

    def poll(self, name: str, done: Callable[[tuple[Opinion, ...]], None]) -> None:
        """Ask every server once, anew and past all that is kept, whether a name exists.

        The question is for MX; for the empty name, the root, it is for SOA. A name exists by an answer
        without error for exactly that name or the last of its aliases, even one without records; the root
        only by its SOA record. There is one opinion for each server, at least one in all, and `done` is
        never called from inside this function. A name that no question can hold is denied, by nobody.
        """
        ...
