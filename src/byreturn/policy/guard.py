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
    """Whether an address lies in one of the networks; a mapped IPv4 address counts as IPv4.

    An IPv4 address that is only *carried* (NAT64, 6to4) does not count: anybody can write one of ours
    into an address of his own.
    """
    found = _parse(address)
    if found is None:
        return False
    form = getattr(found, "ipv4_mapped", None) or found
    return any(form in network for network in networks)


def is_dialable(address: str, allowed: Sequence[IpNetwork]) -> bool:
    """Whether a target found in the DNS may be dialled: global unicast, or allowed by name."""
    found = _parse(address)
    if found is None:
        return False
    forms = _forms(found)
    if any(form in network for form in (found, *forms) for network in allowed):
        return True
    return all(_is_public(form) for form in forms)


def _is_public(address: IpAddress) -> bool:
    if isinstance(address, IPv6Address) and address.is_site_local:
        # Deprecated by RFC 3879, global to Python, and still somebody's own house.
        return False
    return address.is_global and not address.is_multicast and not address.is_reserved


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
        # Likewise; and whether 2002::/16 itself counts as public differs from one Python 3.11 to the next.
        return (address.sixtofour,)
    return (address,)
