"""The brake: when "there is no such place" is not believed.

A report by return cannot be taken back, so a wrong word of the DNS would be a wrong word to a sender. Three
questions are asked before such a word ends anything:

    did the destination take mail lately?   then it is tried on for hours, whatever the DNS says
    does the name server lie?               it denies what certainly exists: the root, names that took mail
    are there too many of them?             more destinations denied than found: something of ours is wrong

A name server that lies, or too many denials, put the brake on: nothing is given up for what the DNS says,
until the name servers prove well again or a person has looked. A person can put it on too; then it stays
on until a person lets it off. Pure.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from enum import StrEnum
from typing import Final

from msgspec import Struct

from byreturn.mail import DAY, HOUR, MINUTE, Cause, Destination, Diagnosis, Duration, Instant, WeFound

# What the DNS alone says, and what ends a recipient's life where it is believed.
DNS_CAUSES: Final = frozenset(
    {Cause.NO_SUCH_DOMAIN, Cause.NULL_MX, Cause.NO_MAIL_HOST, Cause.NO_SUCH_MAIL_HOSTS, Cause.LOOP}
)
COUNTED_FOR: Final[Duration] = 10 * MINUTE
ROOT: Final = ""


class BrakeCause(StrEnum):
    """What put the brake on: a name server that lies, the number of denials, or a person."""

    LIE = "lie"
    NUMBER = "number"
    PERSON = "person"


class BrakeRules(Struct, frozen=True):
    """`keep`: how long having taken mail counts; `known_names`: names that an operator vouches for."""

    keep: Duration = 30 * DAY
    keep_trying: Duration = 4 * HOUR
    denied_destinations: int = 20
    known_names: tuple[Destination, ...] = ()


class Testimony(Struct, frozen=True):
    """What one name server says of one name: it exists, it does not, or (None) nothing usable."""

    server: str
    exists: bool | None


def is_dns_finding(finding: Diagnosis | None) -> bool:
    """Whether a finding rests on the DNS alone."""
    return isinstance(finding, WeFound) and finding.cause in DNS_CAUSES


def is_found(finding: Diagnosis) -> bool:
    """Whether a finding about a destination's hosts shows that the DNS knew it."""
    return not isinstance(finding, WeFound) or finding.cause not in {*DNS_CAUSES, Cause.LOOKUP_FAILED}


def is_tried_on(
    rules: BrakeRules, took_mail_at: Instant, denied_since: Instant | None, *, now: Instant
) -> bool:
    """Whether a destination that once took mail is tried on although the DNS denies it now."""
    if now - took_mail_at > rules.keep:
        return False
    return denied_since is None or now - denied_since < rules.keep_trying


def lie_of(testimonies: Mapping[str, Sequence[Testimony]], vouched_for: Set[str]) -> str:
    """Say which name server denies what certainly exists; empty where none does.

    One name that took mail may really have gone. So of those it takes all that were asked about; the root,
    and a name that an operator vouches for, cannot be gone.
    """
    servers = dict.fromkeys(one.server for said in testimonies.values() for one in said)
    for server in servers:
        denied = [name for name, said in testimonies.items() if Testimony(server, exists=False) in said]
        certain = [name for name in denied if name == ROOT or name in vouched_for]
        confirmed = [
            name
            for name, said in testimonies.items()
            if name != ROOT and Testimony(server, exists=True) in said
        ]
        if certain or (denied and not confirmed):
            name = (certain or denied)[0]
            what = "the root of the DNS" if name == ROOT else name
            return f"the name server {server} says that {what} does not exist"
    return ""


def is_silent(testimonies: Mapping[str, Sequence[Testimony]]) -> bool:
    """Whether no server has a word on any of the names that took mail, of which there are some."""
    said = [one for name, some in testimonies.items() if name != ROOT for one in some]
    return bool(said) and all(one.exists is None for one in said)


def are_too_many(rules: BrakeRules, *, denied: int, alive: int) -> bool:
    """Whether so many destinations are denied, beside those that answer, that it must be our own fault."""
    return denied >= rules.denied_destinations and denied > alive
