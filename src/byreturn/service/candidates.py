"""The hosts that an attempt may try, one after the other, and what is to be made of it when none answered.

    hops by preference -> their addresses -> not ourselves, not forbidden, not silent a moment ago -> dial
                                               '--- one at which others wait already: behind all the rest

Every candidate that led to nothing leaves a finding or a refusal here; the sum of them is the verdict.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

from msgspec import Struct

from byreturn.mail import Cause, Diagnosis, PeerSaid, WeFound
from byreturn.policy import NextHop
from byreturn.ports import AddressAnswer, AddressesFound, Endpoint, LookupFailed, NoSuchName
from byreturn.service.addresses import AddressTable
from byreturn.service.routes import Routes, ToHosts


class Candidate(Struct, frozen=True):
    """A host and the endpoint to dial."""

    host: str
    endpoint: Endpoint


class NobodyTook(Struct, frozen=True):
    """The peer's word, or ours, that ends it: `is_dns`, when it is the DNS that says so."""

    diagnosis: Diagnosis
    is_dns: bool = False


class NobodyAnswered(Struct, frozen=True):
    """No host could be spoken to now."""

    finding: Diagnosis


Verdict: TypeAlias = NobodyTook | NobodyAnswered


class Candidates:
    """What is left to try for one attempt."""

    __slots__ = (
        "_behind", "_endpoints", "_findings", "_hops", "_loop", "_missing_names", "_refusals", "_routes",
        "_table", "_way",
    )  # fmt: skip

    def __init__(self, way: ToHosts, routes: Routes, table: AddressTable) -> None:
        self._way = way
        self._routes = routes
        self._table = table
        self._hops = list(way.hops)
        self._endpoints: list[Candidate] = []
        self._behind: list[Candidate] = []
        self._findings: list[Diagnosis] = []
        self._refusals: list[PeerSaid] = []
        self._missing_names = 0
        self._loop: WeFound | None = None

    def next(self, done: Callable[[Candidate | None], None]) -> None:
        """Find the next one to dial; None when there is none left. `done` may be called from inside."""
        while self._endpoints:
            candidate = self._endpoints.pop(0)
            if self._is_ourselves(candidate):
                break
            if self._is_usable(candidate):
                if self._has_others and self._table.is_slow(candidate.endpoint):
                    self._behind.append(candidate)
                    continue
                done(candidate)
                return
        if self._hops:
            hop = self._hops.pop(0)
            self._routes.addresses(hop, lambda answer: self._on_addresses(hop, answer, done))
        else:
            while self._behind:
                candidate = self._behind.pop(0)
                if self._is_usable(candidate):
                    done(candidate)
                    return
            done(None)

    @property
    def _has_others(self) -> bool:
        return bool(self._endpoints or self._hops)

    @property
    def has_more(self) -> bool:
        """Whether there is another one to try."""
        return bool(self._endpoints or self._hops or self._behind)

    def _is_ourselves(self, candidate: Candidate) -> bool:
        if self._way.is_static or not self._routes.is_own(candidate.endpoint):
            return False
        # RFC 5321 section 5.1: ourselves, and everything after it, is no way forward.
        self._endpoints.clear()
        self._hops.clear()
        if not self._findings and not self._behind:
            host, address = candidate.host, candidate.endpoint.address
            detail = f"the best mail server for it, {host}, is this one"
            self._loop = WeFound(Cause.LOOP, detail, host, address)
        return True

    def _is_usable(self, candidate: Candidate) -> bool:
        host, address = candidate.host, candidate.endpoint.address
        if not self._routes.may_dial(candidate.endpoint, is_static=self._way.is_static):
            detail = "not a public address, and not allowed by delivery.allow_private"
            self._findings.append(WeFound(Cause.FORBIDDEN_ADDRESS, detail, host, address))
            return False
        silence = self._table.silence(candidate.endpoint)
        if silence is not None:
            self._findings.append(silence)
            return False
        return True

    def _on_addresses(
        self, hop: NextHop, answer: AddressAnswer, done: Callable[[Candidate | None], None]
    ) -> None:
        match answer:
            case AddressesFound(addresses=addresses):
                self._endpoints = [Candidate(hop.host, Endpoint(address, hop.port)) for address in addresses]
            case NoSuchName(resolver=resolver):
                self._missing_names += 1
                detail = f"its mail server {hop.host} does not exist, says the name server {resolver}"
                self._findings.append(WeFound(Cause.NO_SUCH_MAIL_HOSTS, detail))
            case LookupFailed(why=why):
                self._findings.append(WeFound(Cause.LOOKUP_FAILED, why))
            case _:
                detail = f"its mail server {hop.host} has no address"
                self._findings.append(WeFound(Cause.LOOKUP_FAILED, detail))
        self.next(done)

    # --- What came of them ----------------------------------------------------------------------------

    def failed(self, finding: Diagnosis) -> None:
        """Note that one could not be spoken to."""
        self._findings.append(finding)

    def refused(self, said: PeerSaid) -> None:
        """Note that one refused us for good before any mail was named."""
        self._refusals.append(said)

    def verdict(self) -> Verdict:
        """Say what it comes to. If each of them refused for good, that is the peers' word; else later."""
        if self._loop is not None:
            return NobodyTook(self._loop, is_dns=True)
        if self._refusals and not self._findings:
            return NobodyTook(self._refusals[0])
        if self._all_names_missing():
            return NobodyTook(self._findings[-1], is_dns=True)
        return NobodyAnswered(self._findings[-1] if self._findings else self._refusals[-1])

    def _all_names_missing(self) -> bool:
        """Whether every MX names a host that does not exist; a route of ours may only be misspelt."""
        only_names = 0 < self._missing_names == len(self._findings) and not self._refusals
        return only_names and not self._way.is_static
