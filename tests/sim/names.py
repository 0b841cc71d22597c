"""A DNS in virtual time: zones as a dict, answers after a latency, failures and lies on demand.

    look-up --kept absence?--> told, late as ever
       '---> the first server that is not silent --> truth, or what its lie makes of it
    poll ---> every server, each for itself

A server that is silent costs a poll its whole limit, and for a while after that only a short one; look-ups
go past it without a delay, and fail late when all are silent.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum
from typing import Final, TypeVar

from byreturn.mail import SECOND, Duration, Instant, normal_domain
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
    Opinion,
    Verdict,
)

_LATENCY: Final[Duration] = 20
# As ResolverSettings has them.
_ANSWER_LIMIT: Final[Duration] = 2 * SECOND
_SILENT_ANSWER_LIMIT: Final[Duration] = 200
_SILENCE_REMEMBERED: Final[Duration] = 30 * SECOND
_ROUNDS: Final = 3

Answer = TypeVar("Answer", MxAnswer, AddressAnswer)


class Lie(Enum):
    """What may be wrong with a name server: it denies every name, with or without the root; it is silent."""

    DENIES_ALL = "denies all"
    DENIES_ALL_BUT_THE_ROOT = "denies all but the root"
    SILENT = "silent"


@dataclass
class Zones:
    """What exists, and who tells it.

    `broken` names get no usable answer; `slow` ones get theirs late. `lies` says of servers what is wrong
    with them; the others tell the truth. Absences are kept for `absence_kept` and told again.
    """

    mx: dict[str, tuple[tuple[int, str], ...]] = field(default_factory=dict)
    addresses: dict[str, tuple[str, ...]] = field(default_factory=dict)
    broken: set[str] = field(default_factory=set)
    slow: dict[str, Duration] = field(default_factory=dict)
    servers: tuple[str, ...] = ("ns",)
    lies: dict[str, Lie] = field(default_factory=dict)
    absence_kept: Duration = 0

    def exists(self, name: str) -> bool:
        return not name or name in self.mx or name in self.addresses

    def speaker(self) -> str | None:
        """Name the server that answers look-ups; None when all are silent."""
        return next((one for one in self.servers if self.lies.get(one) is not Lie.SILENT), None)

    def denies(self, server: str, name: str) -> bool:
        match self.lies.get(server):
            case Lie.DENIES_ALL:
                return True
            case Lie.DENIES_ALL_BUT_THE_ROOT:
                return bool(name) or not self.exists(name)
            case _:
                return not self.exists(name)


class SimResolver:
    """Implements `ports.Resolver` for one process."""

    def __init__(self, zones: Zones, clock: Clock) -> None:
        self._zones = zones
        self._clock = clock
        self._absent: dict[str, tuple[Instant, NoSuchName | NoRecords]] = {}
        self._silent_until: dict[str, Instant] = {}

    # --- The port -------------------------------------------------------------------------------------

    def mx(self, domain: str, done: Callable[[MxAnswer], None], *, anew: bool = False) -> None:
        domain = normal_domain(domain)

        def tell() -> None:
            kept = None if anew else self._kept(f"{domain} MX")
            done(kept or self._keep(f"{domain} MX", self._mx(domain)))

        self._later(domain, tell)

    def addresses(self, host: str, done: Callable[[AddressAnswer], None]) -> None:
        host = normal_domain(host)

        def tell() -> None:
            done(self._kept(f"{host} A") or self._keep(f"{host} A", self._addresses(host)))

        self._later(host, tell)

    def poll(self, name: str, done: Callable[[tuple[Opinion, ...]], None]) -> None:
        zones, now = self._zones, self._clock.now()
        name = normal_domain(name)
        latency = zones.slow.get(name, _LATENCY)
        opinions: list[Opinion] = []
        longest = 0
        for server in zones.servers:
            limit = _SILENT_ANSWER_LIMIT if self._silent_until.get(server, 0) > now else _ANSWER_LIMIT
            verdict, takes = self._opinion(server, name), latency
            if zones.lies.get(server) is Lie.SILENT or latency > limit:
                verdict, takes = Verdict.NO_WORD, limit
                if limit == _ANSWER_LIMIT:
                    self._silent_until[server] = now + limit + _SILENCE_REMEMBERED
            else:
                self._silent_until.pop(server, None)
            opinions.append(Opinion(server, verdict))
            longest = max(longest, takes)
        self._clock.call_later(longest, lambda: done(tuple(opinions)))

    # --- What the servers say -------------------------------------------------------------------------

    def _opinion(self, server: str, name: str) -> Verdict:
        if name in self._zones.broken and server not in self._zones.lies:
            return Verdict.NO_WORD
        return Verdict.DENIED if self._zones.denies(server, name) else Verdict.EXISTS

    def _later(self, name: str, call: Callable[[], None]) -> None:
        patience = _ROUNDS * _ANSWER_LIMIT * len(self._zones.servers)
        latency = self._zones.slow.get(name, _LATENCY) if self._zones.speaker() else patience
        self._clock.call_later(latency, call)

    def _mx(self, domain: str) -> MxAnswer:
        absent = self._absence(domain)
        if absent is not None:
            return absent
        if domain in self._zones.mx:
            return MxFound(tuple(MxRecord(number, host) for number, host in self._zones.mx[domain]))
        return NoRecords(self._zones.speaker() or "")

    def _addresses(self, host: str) -> AddressAnswer:
        absent = self._absence(host)
        if absent is not None:
            return absent
        if host in self._zones.addresses:
            return AddressesFound(self._zones.addresses[host])
        return NoRecords(self._zones.speaker() or "")

    def _absence(self, name: str) -> NoSuchName | LookupFailed | None:
        server = self._zones.speaker()
        if server is None:
            silent = (f"{one} timed out for {name}" for one in self._zones.servers)
            return LookupFailed("; ".join(silent))
        if name in self._zones.broken and server not in self._zones.lies:
            return LookupFailed(f"{server} answered SERVFAIL for {name}")
        return NoSuchName(server) if self._zones.denies(server, name) else None

    # --- Absences that are kept -----------------------------------------------------------------------

    def _kept(self, question: str) -> NoSuchName | NoRecords | None:
        until, absent = self._absent.get(question, (0, None))
        return absent if until > self._clock.now() else None

    def _keep(self, question: str, answer: Answer) -> Answer:
        self._absent.pop(question, None)
        if isinstance(answer, NoSuchName | NoRecords) and self._zones.absence_kept:
            self._absent[question] = (self._clock.now() + self._zones.absence_kept, answer)
        return answer
