"""Terms: how we deal with a destination, and the rules that say so.

    [[destination]] match = "partner.example" | "*.partner.example"   by the recipient's domain
                    match = "mx:*.big-host.example"                   by the hosts that take its mail
                    match = "*"                                       for all the rest

The closest rule counts, one that names the domain before one that names the hosts. A rule for hosts applies
where *every* host of a destination matches: limits are agreed with whoever runs the hosts, and a single
foreign host among others does not make them his. What a rule leaves out is as for everybody. Pure.
"""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct

from byreturn.mail import Destination
from byreturn.policy.patterns import PatternTable
from byreturn.policy.rate import Rate
from byreturn.policy.retry import RetrySchedule
from byreturn.policy.tls import TlsLevel

HOSTS_PREFIX = "mx:"


class Terms(Struct, frozen=True, kw_only=True):
    """`match`: the rule that they come from; empty for everybody's.

    `connections` at once to the hosts of a destination; `recipients` of one transaction. An empty
    `source_address`: the system chooses; an empty `hello`: the server's own.
    """

    match: str = ""
    connections: int = 20
    messages_per_connection: int = 100
    recipients: int = 100
    message_rate: Rate | None = None
    octet_rate: Rate | None = None
    source_address: str = ""
    hello: str = ""
    tls: TlsLevel = TlsLevel.OPPORTUNISTIC
    schedule: RetrySchedule = RetrySchedule()


class TermsTable:
    """The terms for everybody, and the rules."""

    def __init__(self, everybody: Terms | None = None, rules: Sequence[Terms] = ()) -> None:
        general = everybody or Terms()
        by_domain = {rule.match: rule for rule in rules if not rule.match.startswith(HOSTS_PREFIX)}
        self._everybody = by_domain.pop("*", general)
        self._by_domain = PatternTable(by_domain)
        self._by_host = PatternTable(
            {
                rule.match.removeprefix(HOSTS_PREFIX): rule
                for rule in rules
                if rule.match.startswith(HOSTS_PREFIX)
            }
        )

    def for_domain(self, destination: Destination) -> Terms:
        """What is known before the hosts are."""
        return self._by_domain.closest(destination) or self._everybody

    def for_hosts(self, destination: Destination, hosts: Sequence[str]) -> Terms:
        """The terms for a destination whose mail these hosts take; there is at least one."""
        named = self._by_domain.closest(destination)
        if named is not None:
            return named
        first, *others = {self._by_host.closest(host) for host in hosts}
        return self._everybody if first is None or others else first
