"""Discretion: what this reader may be told of what we know.

    postmaster   everything
    insider      everything but the members of an alias
    outsider     neither members, nor hosts inside, nor which name server we ask

The member of an alias is not the sender's business, but a peer speaks of it in its reply, and the name of
its host gives it away. So its words are kept, with the member struck out, and the host is not named.

Promises: what passes here says nothing of a member to anyone but the postmaster.
"""

from __future__ import annotations

from functools import lru_cache
from ipaddress import ip_address, ip_network
from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from byreturn.mail import Cause, Diagnosis, PeerSaid, WeFound
from byreturn.report.audience import Audience
from byreturn.report.facts import ReportFacts, ReportLine
from byreturn.report.struck import STRUCK, struck

# Not `is_private`: that has the addresses for documentation too, and its list changes with the Python.
_INSIDE: Final = tuple(
    ip_network(text)
    for text in (
        "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16",
        "::1/128", "fc00::/7", "fe80::/10",
    )
)  # fmt: skip
# Findings whose detail is about our own machine.
_OUR_MACHINE: Final = frozenset({Cause.STORE_FAILED, Cause.OUR_BUG, Cause.INTERRUPTED, Cause.LOOP})


class Seen(Struct, frozen=True):
    """A diagnosis as this reader may see it; `is_host_hidden`: a host took part that is not named."""

    diagnosis: Diagnosis | None
    is_host_hidden: bool = False


def seen(line: ReportLine, facts: ReportFacts) -> Seen:
    """Take out of a recipient's diagnosis what the reader must not see."""
    said = line.diagnosis
    if said is None or facts.audience is Audience.POSTMASTER:
        return Seen(said)
    is_outside = facts.audience is Audience.OUTSIDER
    is_hidden = line.is_alias or (is_outside and is_inside(said.host, said.address, facts))
    if isinstance(said, WeFound) and is_outside and said.cause in _OUR_MACHINE:
        return Seen(WeFound(said.cause, phase=said.phase), is_host_hidden=is_hidden)
    if not is_hidden:
        return Seen(said)
    names = (said.host, said.address) if is_outside or line.is_alias else ()
    if isinstance(said, PeerSaid):
        lines = tuple(_struck(text, line, names) for text in said.reply.lines)
        return Seen(
            replace(said, reply=replace(said.reply, lines=lines), host="", address=""), is_host_hidden=True
        )
    return Seen(
        replace(said, detail=_struck(said.detail, line, names), host="", address=""), is_host_hidden=True
    )


def is_inside(host: str, address: str, facts: ReportFacts) -> bool:
    """Whether a host is one of ours: by its address, or by its name."""
    if _is_private(address) or _is_private(host):
        return True
    name, ours = host.lower().removesuffix("."), facts.postmaster.domain.lower()
    return bool(name) and (
        name == facts.reporting_mta.lower() or name == ours or name.endswith(f".{ours}") or "." not in name
    )


@lru_cache(maxsize=1024)
def _is_private(text: str) -> bool:
    try:
        address = ip_address(text)
    except ValueError:
        return False
    return any(address in network for network in _INSIDE if network.version == address.version)


def _struck(text: str, line: ReportLine, names: tuple[str, ...]) -> str:
    text = struck(text, line)
    for name in names:
        # A name of one letter would strike the letter out of every word.
        if len(name) > 3:
            text = text.replace(name, STRUCK)
    return text
