"""Every `ports.Resolver` that the contract is checked on, with servers that lie or are silent.

A stage has one truthful zone, `example.org`: its domain has an MX, `bare.example.org` an address alone. What
is wrong with a server is one of the simulation's lies; None is a server that tells the truth, the root's too.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, Protocol, TypeVar

import dns.message
from tests.sim.clock import VirtualClock
from tests.sim.names import Lie, SimResolver, Zones
from tests.unit.transport.name_servers import FakeServer, Mood, Sent, question, reply, silent

from byreturn.mail import SECOND
from byreturn.ports import Resolver
from byreturn.transport import DnsResolver, ResolverSettings, SystemClock

T = TypeVar("T")

ANSWER_LIMIT = 300
_SOA = "example.org 600 IN SOA ns.example.org. root.example.org. 1 2 3 4 60"
_ROOT_SOA = " 600 IN SOA a.root. b.root. 1 2 3 4 60"


class Stage(Protocol):
    """A resolver and its servers."""

    names: tuple[str, ...]
    resolver: Resolver

    def ask(self, question: Callable[[Callable[[T], None]], None]) -> T:
        """Ask, and wait for what is told."""
        ...

    def tell(self, number: int, lie: Lie | None) -> None:
        """Let a server lie from now on, or tell the truth again."""
        ...

    def close(self) -> None: ...


class SimStage:
    """The simulated one."""

    def __init__(self, *lies: Lie | None) -> None:
        self.names = tuple(f"ns{number}" for number in range(len(lies)))
        self._clock = VirtualClock()
        self._zones = Zones(
            mx={"example.org": ((10, "mx.example.org"),)},
            addresses={"mx.example.org": ("192.0.2.1",), "bare.example.org": ("192.0.2.2",)},
            servers=self.names,
            absence_kept=60 * SECOND,
        )
        self.resolver: Resolver = SimResolver(self._zones, self._clock)
        for number, lie in enumerate(lies):
            self.tell(number, lie)

    def ask(self, question: Callable[[Callable[[T], None]], None]) -> T:
        told: list[T] = []
        question(told.append)
        self._clock.run(10)
        assert len(told) == 1
        return told[0]

    def tell(self, number: int, lie: Lie | None) -> None:
        if lie is None:
            self._zones.lies.pop(self.names[number], None)
        else:
            self._zones.lies[self.names[number]] = lie

    def close(self) -> None:
        pass


class SocketStage:
    """The real one, on servers of the tests' own."""

    def __init__(self, *lies: Lie | None) -> None:
        self._runner = asyncio.Runner()
        self._servers = [FakeServer(_mood(lie)) for lie in lies]
        for server in self._servers:
            self._run(server.start())
        self.names = tuple(str(server.endpoint) for server in self._servers)
        loop = self._runner.get_loop()
        endpoints = tuple(server.endpoint for server in self._servers)
        settings = ResolverSettings(endpoints, answer_limit=ANSWER_LIMIT, silent_answer_limit=50, rounds=1)
        self._resolver = DnsResolver(loop, SystemClock(loop), settings)
        self.resolver: Resolver = self._resolver

    def ask(self, question: Callable[[Callable[[T], None]], None]) -> T:
        async def asking() -> T:
            told: asyncio.Future[T] = asyncio.get_running_loop().create_future()
            question(told.set_result)
            return await asyncio.wait_for(told, 10)

        return self._run(asking())

    def tell(self, number: int, lie: Lie | None) -> None:
        self._servers[number].mood = _mood(lie)

    def close(self) -> None:
        self._run(self._resolver.close())
        for server in self._servers:
            self._run(server.stop())
        self._runner.close()

    def _run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        return self._runner.run(coroutine)


def _mood(lie: Lie | None) -> Mood:
    match lie:
        case Lie.SILENT:
            return silent
        case Lie.DENIES_ALL:
            return lambda query: [reply(query, code="NXDOMAIN", authority=(_SOA,)).to_wire()]
        case Lie.DENIES_ALL_BUT_THE_ROOT:
            return lambda query: _truth(query, "never.example")
        case None:
            return lambda query: _truth(query, "example.org")


def _truth(query: dns.message.Message, zone: str) -> Sent:
    match question(query).split(" "):
        case [".", "SOA"]:
            return [reply(query, _ROOT_SOA).to_wire()]
        case [name, "MX"] if name == zone:
            said = reply(query, f"{zone} 300 IN MX 10 mx.{zone}.", authority=(_SOA,))
        case [name, _] if name in (zone, f"mx.{zone}", f"bare.{zone}"):
            said = reply(query, authority=(_SOA,))
        case _:
            said = reply(query, code="NXDOMAIN", authority=(_SOA,))
    return [said.to_wire()]


STAGES: dict[str, Callable[..., Stage]] = {"simulated": SimStage, "sockets": SocketStage}
