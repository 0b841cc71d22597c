"""Which addresses may be dialled: a stranger's DNS must not steer us into our own house.

The check is made on the address that is really dialled, after every look-up, so that no second answer can
slip past it. An IPv6 address that carries an IPv4 address inside (mapped, NAT64, 6to4) is judged by both.

Pure: `ipaddress` only computes.
"""

from __future__ import annotations

from collections.abc import Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Final, TypeAlias

IpAddress: TypeAlias = IPv4Address | IPv6Address
IpNetwork: TypeAlias = IPv4Network | IPv6Network

_NAT64: Final = ip_network("64:ff9b::/96")
_FIRST_32_BITS: Final = (1 << 32) - 1


def address_in(address: str, networks: Sequence[IpNetwork]) -> bool:
    """Whether an address lies in one of the networks; a mapped IPv4 address counts as IPv4."""
    found = _parse(address)
    if found is None:
        return False
    return any(form in network for form in _forms(found)[:1] for network in networks)


def is_dialable(address: str, allowed: Sequence[IpNetwork]) -> bool:
    """Whether a target found in the DNS may be dialled: global unicast, or allowed by name."""
    found = _parse(address)
    if found is None:
        return False
    forms = _forms(found)
    if any(form in network for form in forms for network in allowed):
        return True
    return all(form.is_global and not form.is_multicast and not form.is_reserved for form in forms)


def _parse(address: str) -> IpAddress | None:
    try:
        return ip_address(address)
    except ValueError:
        return None


def _forms(address: IpAddress) -> tuple[IpAddress, ...]:
    """All that an address means: the IPv4 address inside an IPv6 one first."""
    if isinstance(address, IPv4Address):
        return (address,)
    if address.ipv4_mapped is not None:
        return (address.ipv4_mapped,)
    if address in _NAT64:
        # The prefix is no unicast address of its own; what matters is where it leads.
        return (IPv4Address(int(address) & _FIRST_32_BITS),)
    if address.sixtofour is not None:
        return (address.sixtofour, address)
    return (address,)
