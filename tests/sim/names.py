"""A DNS in virtual time: zones as a dict, answers after a latency, failures on demand."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from byreturn.mail import Duration
from byreturn.ports import (
    AddressAnswer,
    AddressesFound,
    Clock,
    LookupFailed,
    MxAnswer,
    MxFound,
    MxRecord,
    NoRecords,
    NoSuchName,
)

_LATENCY: Duration = 20


@dataclass
class Zones:
    """What exists. `broken` names get no usable answer; `slow` ones get theirs late."""

    mx: dict[str, tuple[tuple[int, str], ...]] = field(default_factory=dict)
    addresses: dict[str, tuple[str, ...]] = field(default_factory=dict)
    broken: set[str] = field(default_factory=set)
    slow: dict[str, Duration] = field(default_factory=dict)

    def exists(self, name: str) -> bool:
        return name in self.mx or name in self.addresses


class SimResolver:
    """Implements `ports.Resolver` for one process."""

    def __init__(self, zones: Zones, clock: Clock) -> None:
        self._zones = zones
        self._clock = clock

    def mx(self, domain: str, done: Callable[[MxAnswer], None]) -> None:
        self._later(domain, lambda: done(self._mx(domain)))

    def addresses(self, host: str, done: Callable[[AddressAnswer], None]) -> None:
        self._later(host, lambda: done(self._addresses(host)))

    def _later(self, name: str, call: Callable[[], None]) -> None:
        self._clock.call_later(self._zones.slow.get(name, _LATENCY), call)

    def _mx(self, domain: str) -> MxAnswer:
        zones = self._zones
        if domain in zones.broken:
            return LookupFailed(f"ns answered SERVFAIL for {domain}")
        if domain in zones.mx:
            return MxFound(tuple(MxRecord(preference, host) for preference, host in zones.mx[domain]))
        return NoRecords("ns") if zones.exists(domain) else NoSuchName("ns")

    def _addresses(self, host: str) -> AddressAnswer:
        zones = self._zones
        if host in zones.broken:
            return LookupFailed(f"ns answered SERVFAIL for {host}")
        if host in zones.addresses:
            return AddressesFound(zones.addresses[host])
        return NoRecords("ns") if zones.exists(host) else NoSuchName("ns")
