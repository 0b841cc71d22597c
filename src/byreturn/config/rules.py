"""What no single key can tell: values that contradict, repeat or endanger each other.

Each rule is a function of the blocks that notes what it finds. A rule sees only settings that could be
read; where one is missing it says nothing, because that one has had its complaint.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from ipaddress import IPv4Network, IPv6Network, ip_address
from typing import Final

from byreturn.config.check import Block, Setting, blocks_of
from byreturn.config.errors import NOTHING_STARTED, Bad, Complaints, Wrong
from byreturn.config.lines import KeyPath
from byreturn.config.names import DomainName
from byreturn.policy import IpNetwork
from byreturn.ports import Endpoint

# No organisation has a larger network of its own: address registries hand out /8 and /16 at most. So a
# shorter prefix is a mistake, or the whole internet in two halves.
_SHORTEST_IPV4: Final = 8
_SHORTEST_IPV6: Final = 16
_NAMED_BY: Final = (("domain", "name"), ("route", "domain"), ("destination", "match"), ("sender", "match"))
_PRIVATE_IPV6: Final = (IPv6Network("fc00::/7"), IPv6Network("fe80::/10"))


def check_rules(blocks: Sequence[Block], machine_hostname: str, complaints: Complaints) -> None:
    """Apply every rule."""
    _hostname(blocks, machine_hostname, complaints)
    for rule in _RULES:
        rule(blocks, complaints)


def _hostname(blocks: Sequence[Block], machine_hostname: str, complaints: Complaints) -> None:
    """The machine's name must do for a hostname where the file gives none."""
    setting = blocks[0].find("hostname")
    if setting is not None and setting.value is None:
        got = DomainName().read(machine_hostname)
        if isinstance(got, Bad):
            what = f"not set, and the machine's name {machine_hostname!r} will not do: {got.wrongs[0].what}"
            complaints.about_key(("hostname",), what, 'Add a line such as hostname = "mail.example.org".')


def _line_ends(blocks: Sequence[Block], complaints: Complaints) -> None:
    """Line ends are repaired for named clients only."""
    for block in blocks_of(blocks, "listener"):
        mode, networks = block.find("trusted_line_ends"), block.find("normalize_from")
        if mode is None or networks is None:
            continue
        if mode.value == "normalize" and not networks.value:
            what = '"normalize" without normalize_from'
            meaning = "A bare LF from a stranger can hide a second message, so the clients must be named."
            remedy = 'Add a line such as normalize_from = ["192.0.2.128/25"], or write "refuse".'
            complaints.about_key((*block.at, "trusted_line_ends"), what, remedy, meaning)
        if mode.value == "refuse" and networks.value:
            what = 'networks without trusted_line_ends = "normalize"'
            remedy = 'Add trusted_line_ends = "normalize", or remove this line.'
            complaints.about_key((*block.at, "normalize_from"), what, remedy, "It would have no effect.")


def _binds(blocks: Sequence[Block], complaints: Complaints) -> None:
    """An address and port can be listened on once."""
    taken: dict[Endpoint, KeyPath] = {}
    for block in blocks_of(blocks, "listener"):
        setting = block.find("bind")
        for index, endpoint in enumerate(setting.value if setting else ()):
            other = next((seen for seen in taken if _collide(seen, endpoint)), None)
            if other is not None:
                what = "given twice" if other == endpoint else f'in the way of "{other}"'
                wrong = Wrong(what, "Remove one of the two, or choose another port.", ("bind", index))
                complaints.about(block.at, wrong)
            taken.setdefault(endpoint, block.at)


def _collide(one: Endpoint, other: Endpoint) -> bool:
    """Whether two endpoints cannot both be bound: the same, or one is every address of its family."""
    if one.port != other.port or not one.port:
        return False
    first, second = ip_address(one.address), ip_address(other.address)
    if first.version != second.version:
        return False
    return first == second or first.is_unspecified or second.is_unspecified


def _open_relay(blocks: Sequence[Block], complaints: Complaints) -> None:
    """Nobody trusts the whole internet."""
    for block, setting in _settings(blocks, "relay", "allow"):
        meaning = (
            "Every stranger in it could send mail to the whole world through this machine, and soon others "
            f"would refuse all mail from it. {NOTHING_STARTED}"
        )
        _refuse_huge(block, setting, "an open relay", meaning, complaints)
    for block, setting in _settings(blocks, "listener", "normalize_from"):
        meaning = f"A bare LF from a stranger can hide a second message. {NOTHING_STARTED}"
        _refuse_huge(block, setting, "not a network of clients to trust", meaning, complaints)


def _refuse_huge(block: Block, setting: Setting, what: str, meaning: str, complaints: Complaints) -> None:
    remedy = "Name your own networks only."
    if setting.key.name == "allow":
        remedy += " Mail for your own domains needs no permission."
    for index, network in enumerate(setting.value):
        if _is_huge(network):
            size = "all addresses" if not network.prefixlen else f"a whole /{network.prefixlen}"
            complaints.about(block.at, Wrong(f"{what} ({size})", remedy, (setting.key.name, index), meaning))


def _is_huge(network: IpNetwork) -> bool:
    if isinstance(network, IPv4Network):
        return network.prefixlen < _SHORTEST_IPV4
    if any(private.supernet_of(network) for private in _PRIVATE_IPV6):
        return False
    return network.prefixlen < _SHORTEST_IPV6


def _one_of_each(blocks: Sequence[Block], complaints: Complaints) -> None:
    """A domain is described once, a pattern routed once; destinations have one rule, senders one wish."""
    for section, name in _NAMED_BY:
        first: dict[str, Setting] = {}
        for block, setting in _settings(blocks, section, name):
            seen = first.setdefault(setting.value, setting)
            if seen is not setting:
                remedy = f"Put everything about it into the section of line {seen.line} and remove this one."
                complaints.about(block.at, Wrong("given twice", remedy, (name,)))


def _ourselves(blocks: Sequence[Block], complaints: Complaints) -> None:
    """A route or a rule for a domain that is here would never be used."""
    local = {setting.value: setting for _, setting in _settings(blocks, "domain", "name")}
    for section, name, noun in (("route", "domain", "route"), ("destination", "match", "rule")):
        for block, setting in _settings(blocks, section, name):
            if setting.value in local:
                line = local[setting.value].line
                meaning = f"Its mail stays here (line {line}); the {noun} would do nothing."
                remedy = f"Remove the {noun} or the domain."
                complaints.about(block.at, Wrong("a domain of our own", remedy, (name,), meaning))


def _quota(blocks: Sequence[Block], complaints: Complaints) -> None:
    """One destination may not fill all places."""
    for block in blocks_of(blocks, "delivery"):
        quota, active = block.find("destination_quota"), block.find("active_recipients")
        if quota is None or active is None or quota.value <= active.value:
            continue
        name = "destination_quota" if quota.line is not None else "active_recipients"
        what = f"destination_quota {quota.value} is more than active_recipients {active.value}"
        meaning = "The mail for one dead destination could keep all other mail waiting."
        remedy = f"Set destination_quota to {max(1, active.value // 10)} or so, or active_recipients higher."
        complaints.about_key((*block.at, name), what, remedy, meaning)


def _settings(blocks: Sequence[Block], section: str, name: str) -> Iterator[tuple[Block, Setting]]:
    for block in blocks_of(blocks, section):
        setting = block.find(name)
        if setting is not None:
            yield block, setting


_RULES: Final[tuple[Callable[[Sequence[Block], Complaints], None], ...]] = (
    _line_ends,
    _binds,
    _open_relay,
    _one_of_each,
    _ourselves,
    _quota,
)
