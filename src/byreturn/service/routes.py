"""Finding the way: from a destination to the hosts that take its mail, or to the reason why none does.

    local domain                    -> the store
    static route                    -> its hosts, dialled as they stand
    address literal                 -> that address
    MX (RFC 5321 section 5.1)       -> hosts by preference; none: the domain itself, if it has an address
    null MX, no such name, a loop   -> nowhere, for good

Hosts are looked up only when they are about to be dialled, so that one slow name server of a second MX holds
up nothing. What an answer of the DNS may lead to is guarded at the address that is dialled.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

from msgspec import Struct

from byreturn.mail import Cause, Destination, WeFound
from byreturn.policy import (
    IpNetwork,
    LoopsBack,
    NextHop,
    NullMx,
    Ordered,
    RouteTable,
    Terms,
    TermsTable,
    is_dialable,
    order_mx,
)
from byreturn.ports import (
    AddressAnswer,
    AddressesFound,
    Endpoint,
    LookupFailed,
    MxAnswer,
    MxFound,
    NoRecords,
    NoSuchName,
    World,
)
from byreturn.protocol import literal_address


class RouteSettings(Struct, frozen=True):
    """`allow_private`: networks that may be dialled although they are not public."""

    hostname: str
    port: int = 25
    allow_private: tuple[IpNetwork, ...] = ()


class ToStore(Struct, frozen=True):
    """The local store takes it."""


class ToHosts(Struct, frozen=True):
    """Hosts take it: in order, each group shuffled already. `is_static`: an operator named them.

    Two destinations with the same hosts, ports and terms, both named by an operator or both by the DNS, share
    a lane; `key` says which.
    """

    hops: tuple[NextHop, ...]
    is_static: bool
    terms: Terms
    key: tuple[str, ...]


class NoWay(Struct, frozen=True):
    """Nobody takes it: for good, or as far as we know now."""

    finding: WeFound
    is_final: bool


Way: TypeAlias = ToStore | ToHosts | NoWay


class Routes:
    """Answers where the mail for a destination goes."""

    def __init__(self, settings: RouteSettings, table: RouteTable, terms: TermsTable, world: World) -> None:
        self._settings = settings
        self._table = table
        self.terms = terms
        self._directory = world.directory
        self._resolver = world.resolver
        self._entropy = world.entropy
        self.is_own = world.is_own

    def is_by_dns(self, destination: Destination) -> bool:
        """Whether it is the DNS that knows the way."""
        return not (
            destination.startswith("[")
            or self._directory.is_local(destination)
            or self._table.match(destination) is not None
        )

    def find(self, destination: Destination, done: Callable[[Way], None], *, anew: bool = False) -> None:
        """Find the way; `done` is called from inside when it is known already.

        `anew`: do not take an earlier "no" of the DNS for an answer.
        """
        if self._directory.is_local(destination):
            done(ToStore())
            return
        route = self._table.match(destination)
        if route is not None:
            done(self._to_hosts(destination, route.hops, is_static=True))
        elif destination.startswith("["):
            done(self._to_literal(destination))
        else:
            self._resolver.mx(destination, lambda answer: self._by_mx(destination, answer, done), anew=anew)

    def _to_literal(self, destination: Destination) -> Way:
        address = literal_address(destination)
        if address is None:
            return NoWay(WeFound(Cause.NO_SUCH_DOMAIN, "not an address literal"), is_final=True)
        return self._to_hosts(destination, (NextHop(address, self._settings.port),))

    def _to_hosts(
        self, destination: Destination, hops: tuple[NextHop, ...], *, is_static: bool = False
    ) -> ToHosts:
        terms = self.terms.for_hosts(destination, [hop.host for hop in hops])
        # What an operator's route may dial, a name server may not lead to: not over a kept connection either.
        whose = "route" if is_static else "dns"
        return ToHosts(hops, is_static, terms, (*sorted(map(str, hops)), terms.match, whose))

    def _by_mx(self, destination: Destination, answer: MxAnswer, done: Callable[[Way], None]) -> None:
        match answer:
            case MxFound(records=records):
                plan = order_mx(
                    [(record.preference, record.host) for record in records],
                    lambda host: host == self._settings.hostname,
                    self._entropy.lot,
                )
                done(self._planned(destination, plan))
            case NoSuchName(resolver=resolver):
                detail = f"{destination} does not exist, says the name server {resolver}"
                done(NoWay(WeFound(Cause.NO_SUCH_DOMAIN, detail), is_final=True))
            case LookupFailed(why=why):
                done(NoWay(WeFound(Cause.LOOKUP_FAILED, why), is_final=False))
            case NoRecords():
                # RFC 5321 section 5.1: without an MX the domain itself is the host, if it has an address.
                self._resolver.addresses(
                    destination, lambda found: done(self._by_address(destination, found))
                )

    def _planned(self, destination: Destination, plan: Ordered | NullMx | LoopsBack) -> Way:
        match plan:
            case NullMx():
                # RFC 7505 section 4.1
                finding = WeFound(Cause.NULL_MX, "its MX record says that it takes no mail")
                return NoWay(finding, is_final=True)
            case LoopsBack():
                detail = f"the best mail server for it is this one, {self._settings.hostname}"
                return NoWay(WeFound(Cause.LOOP, detail), is_final=True)
            case Ordered(groups=groups):
                hops = tuple(NextHop(host, self._settings.port) for group in groups for host in group)
                return self._to_hosts(destination, hops)

    def _by_address(self, destination: Destination, answer: AddressAnswer) -> Way:
        match answer:
            case AddressesFound():
                return self._to_hosts(destination, (NextHop(destination, self._settings.port),))
            case NoSuchName(resolver=resolver):
                detail = f"{destination} does not exist, says the name server {resolver}"
                return NoWay(WeFound(Cause.NO_SUCH_DOMAIN, detail), is_final=True)
            case NoRecords(resolver=resolver):
                detail = f"{destination} has no mail server and no address, says the name server {resolver}"
                return NoWay(WeFound(Cause.NO_MAIL_HOST, detail), is_final=True)
            case LookupFailed(why=why):
                return NoWay(WeFound(Cause.LOOKUP_FAILED, why), is_final=False)

    # --- Addresses, just before they are dialled ------------------------------------------------------

    def addresses(self, hop: NextHop, done: Callable[[AddressAnswer], None]) -> None:
        """Find the addresses of a host; a host that is an address stands for itself."""
        if is_address(hop.host):
            done(AddressesFound((hop.host,)))
        else:
            self._resolver.addresses(hop.host, done)

    def may_dial(self, endpoint: Endpoint, *, is_static: bool) -> bool:
        """Whether an endpoint may be dialled: what an operator's route names, always."""
        return is_static or is_dialable(endpoint.address, self._settings.allow_private)


def is_address(host: str) -> bool:
    """Whether a host is an IP address: no host name ends in a digit-only label or holds a colon."""
    return ":" in host or host.rpartition(".")[2].isdigit()
