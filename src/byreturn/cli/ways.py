"""Where the mail for a destination goes, and which rule counts for it, as far as it can be told from here.

a domain of ours, a [[route]]   the configuration knows
others                          the server knows: it asks the DNS, and has rules for the hosts it finds
"""

from __future__ import annotations

from msgspec import Struct

from byreturn.cli.session import Ending
from byreturn.config import Config
from byreturn.mail import Destination, normal_domain
from byreturn.policy import RouteTable, TermsTable


class Way(Struct, frozen=True):
    """Where its mail goes: `hosts` None where that is not known, none where it goes nowhere; `why` says why.

    `rule`: the `match` of the rule for it; empty: it is dealt with like everybody.
    """

    hosts: tuple[str, ...] | None
    rule: str
    is_here: bool = False
    why: str = ""


def way_to(config: Config, name: Destination, *, is_gone: bool) -> Way:
    """Tell the way to a destination; `is_gone`: no server runs that could be asked."""
    if any(normal_domain(domain.name) == name for domain in config.domains):
        return Way((), "", is_here=True)
    terms = TermsTable(config.terms, config.destinations)
    route = RouteTable(config.routes).match(name)
    if route is not None:
        hosts = tuple(sorted({hop.host for hop in route.hops}))
        return Way(hosts, terms.for_hosts(name, hosts).match)
    by_name = terms.for_domain(name).match
    if is_gone:
        return Way(None, by_name, why="the server does not run")
    # Only those who ask the server need what it is asked with.
    from byreturn.cli.door import ask  # noqa: PLC0415
    from byreturn.service.operator import FindRoute, RouteSeen  # noqa: PLC0415

    try:
        answer = ask(config.data, FindRoute(name))
    except Ending:
        answer = None  # What is known without the server is worth showing.
    if not isinstance(answer, RouteSeen):
        return Way(None, by_name, why="the server does not answer")
    if answer.why:
        return Way((), by_name, why=answer.why)
    return Way(answer.hosts, answer.rule, is_here=answer.is_here)
