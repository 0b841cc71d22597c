"""Where the mail for a destination goes: the static table, the order of its MX hosts, ourselves among them.

    route table   the closest pattern
    MX            by preference, shuffled inside one; ourselves and everything not better is struck out

Pure: a shuffle is done with numbers from the caller.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final, TypeAlias

from msgspec import Struct

from byreturn.mail import Destination
from byreturn.policy.patterns import PatternTable

# More MX hosts than this are not tried: 500 of them are an attack, not a service.
MX_LIMIT: Final = 20


class NextHop(Struct, frozen=True, order=True):
    """A host (name or IP address) and a port to deliver to."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


class StaticRoute(Struct, frozen=True):
    """A line of the route table: `pattern` -> `hops`, tried in their order."""

    pattern: str
    hops: tuple[NextHop, ...]


class RouteTable:
    """The static routes; an empty table matches nothing."""

    def __init__(self, routes: Sequence[StaticRoute]) -> None:
        self._routes = PatternTable({route.pattern: route for route in routes})

    def match(self, destination: Destination) -> StaticRoute | None:
        """Return the closest route for a destination."""
        return self._routes.closest(destination)


class Ordered(Struct, frozen=True):
    """MX hosts to try: groups of equal preference, best first."""

    groups: tuple[tuple[str, ...], ...]


class NullMx(Struct, frozen=True):
    """The domain says that it takes no mail (RFC 7505)."""


class LoopsBack(Struct, frozen=True):
    """We are the best of the hosts ourselves: there is nobody better to pass the mail to."""


MxPlan: TypeAlias = Ordered | NullMx | LoopsBack


def order_mx(
    records: Sequence[tuple[int, str]], is_own: Callable[[str], bool], lot: Callable[[], float]
) -> MxPlan:
    """Order MX records (preference, host) for trying; `lot()` gives numbers from 0 up to 1."""
    hosts = [(preference, host) for preference, host in records if host]
    if not hosts:
        # RFC 7505 section 3: the root name alone. Beside other records it is ignored, never dialled.
        return NullMx()
    own = [preference for preference, host in hosts if is_own(host)]
    if own:
        # RFC 5321 section 5.1: strike out ourselves and all that is no better than ourselves.
        limit = min(own)
        hosts = [(preference, host) for preference, host in hosts if preference < limit]
        if not hosts:
            return LoopsBack()
    shuffled = sorted((preference, lot(), host) for preference, host in dict.fromkeys(hosts))
    groups: dict[int, list[str]] = {}
    for preference, _, host in shuffled[:MX_LIMIT]:
        groups.setdefault(preference, []).append(host)
    return Ordered(tuple(tuple(group) for group in groups.values()))
