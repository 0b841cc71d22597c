"""A small internet on loopback: an address block, mail hosts that live or die, and their names in a real DNS.

    ground = Ground()                          127.B.0.0/16, port 25 and port 53 of it where that may be had
    net = Net(ground)
    net.domain("d1", host="h1", behaviour="good")
    with net: ...                              the names are answered, the hosts listen

Behaviours: `good`, `silent` and `hangup` are done by bench.sink_process; `refusing` is an address where
nobody listens; `blackhole` one where a connection is neither taken nor refused. Hosts that behave in the same
way share an address unless they are given one of their own; each has a name of its own in any case, so that
nothing that is known of one host is believed of another.

Fails: Unmeasurable when there is no name server program.
"""

from __future__ import annotations

import contextlib
import socket
from dataclasses import dataclass, field
from types import TracebackType
from typing import Final

from bench.machine import free_port, is_privileged
from bench.sinks import Sinks
from demo.peers import BlackHole
from tests.integration.dns_server import KNOTD, KnotServer

ZONE: Final = "example"
SENDERS: Final = f"senders.{ZONE}"
_PER_NET: Final = 250
_FIRST_BLOCK: Final = 64
_LAST_BLOCK: Final = 250
_MARK_PORT: Final = 20025


class Unmeasurable(Exception):
    """Something that a benchmark needs is not here; the text says what, and what was not measured."""


class Ground:
    """A block of loopback addresses that nobody else uses now, and the ports to use there."""

    def __init__(self) -> None:
        self.dns_port = 53 if is_privileged() else free_port()
        self.smtp_port = 25 if is_privileged() else free_port()
        self._mark = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._block = next(block for block in range(_FIRST_BLOCK, _LAST_BLOCK) if self._take(block))
        self._given = 0

    def _take(self, block: int) -> bool:
        """Mark a block as ours, for as long as we live, by having a port of its last address."""
        try:
            self._mark.bind((f"127.{block}.255.254", _MARK_PORT))
        except OSError:
            return False
        return True

    @property
    def name_server(self) -> str:
        """The address of the name server."""
        return f"127.{self._block}.0.1"

    def address(self) -> str:
        """Give out the next address."""
        number, self._given = self._given, self._given + 1
        return f"127.{self._block}.{1 + number // _PER_NET}.{1 + number % _PER_NET}"


@dataclass
class Net:
    """Domains, hosts and their names; a context manager. `sinks` tells what came."""

    ground: Ground = field(default_factory=Ground)
    sinks: Sinks = field(init=False)

    def __post_init__(self) -> None:
        if KNOTD is None:
            raise Unmeasurable("knotd is missing: install Debian's knot. Nothing was measured.")
        self._records: list[str] = []
        self._hosts: set[str] = set()
        self._shared: dict[str, str] = {}
        self._listening: list[tuple[str, str]] = []
        self._holes: list[str] = []
        self._open = contextlib.ExitStack()
        self.domain("senders", behaviour="good")

    def domain(self, name: str, *, behaviour: str, host: str = "", address: str = "") -> str:
        """Add a domain with one mail host; return its full name. Without a host's name it has its own."""
        host = host or f"mx.{name}"
        if host not in self._hosts:
            self._hosts.add(host)
            self._records.append(f"{host} A {address or self.address_of(behaviour)}")
        self._records.append(f"{name} MX 10 {host}")
        return f"{name}.{ZONE}"

    def address_of(self, behaviour: str) -> str:
        """Tell the address that the hosts of a behaviour share."""
        if behaviour not in self._shared:
            self._shared[behaviour] = self.own_address(behaviour)
        return self._shared[behaviour]

    def own_address(self, behaviour: str) -> str:
        """Give out an address with a host that behaves so."""
        address = self.ground.address()
        if behaviour == "blackhole":
            self._holes.append(address)
        elif behaviour != "refusing":
            self._listening.append((address, behaviour))
        return address

    def __enter__(self) -> Net:
        port = self.ground.smtp_port
        with contextlib.ExitStack() as stack:
            self.sinks = stack.enter_context(Sinks(self._listening, port))
            for address in self._holes:
                stack.enter_context(BlackHole(address, port))
            zone = "\n".join(self._records) + "\n"
            stack.enter_context(KnotServer({ZONE: zone}, self.ground.name_server, self.ground.dns_port))
            self._open = stack.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._open.close()
