"""Kinds of values that name machines: networks, addresses, endpoints, next hops.

Where two readings are possible the value is refused and the remedy writes both out: `::1:25` may be an
address, or an address and a port, and `10.1.2.3/8` may be a network or one host. Nothing here asks the DNS
or the machine. Pure: `ipaddress` only computes.
"""

from __future__ import annotations

import re
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Final

from msgspec import Struct

from byreturn.config.errors import Bad, bad, quoted
from byreturn.config.names import domain_fault
from byreturn.config.values import not_a
from byreturn.mail import normal_domain
from byreturn.policy import IpNetwork, NextHop
from byreturn.ports import Endpoint

_BRACKETED: Final = re.compile(r"\[([^\[\]]*)\](?::(\d{1,5}))?", re.ASCII)
_PLAIN_HOST: Final = re.compile(r"([^:\[\]]*)(?::(\d{1,5}))?", re.ASCII)
_NETWORK: Final = re.compile(r"[0-9A-Fa-f:.]+(/\d{1,3})?", re.ASCII)
_MAPPED: Final = IPv6Network("::ffff:0:0/96")


def _ip(text: str) -> IPv4Address | IPv6Address | None:
    """Read an IP address; one with a zone (`fe80::1%eth0`) means nothing on another machine: None."""
    try:
        return ip_address(text) if "%" not in text else None
    except ValueError:
        return None


class Network(Struct, frozen=True):
    """An IP network, or one address."""

    @property
    def words(self) -> str:
        """The kind in words."""
        return "network"

    def read(self, value: object) -> IpNetwork | Bad:
        """Read a network; a plain address is a network of one."""
        remedy = 'Write a network such as "192.0.2.0/24" or "2001:db8::/32", or one address.'
        if not isinstance(value, str):
            return not_a("a network", value, remedy)
        try:
            loose = ip_network(value, strict=False) if _NETWORK.fullmatch(value) else None
        except ValueError:
            loose = None
        if loose is None:
            return bad("not a network", remedy)
        address = value.partition("/")[0]
        if loose.network_address != ip_address(address):
            choice = f'Write "{loose}" for the network, or "{address}" for the one address.'
            return bad("bits are set to the right of the prefix", choice)
        if isinstance(loose, IPv6Network) and loose.subnet_of(_MAPPED):
            # Addresses of this form are judged as the IPv4 addresses in them, so it would match nobody.
            plain = f"{loose.network_address.ipv4_mapped}/{loose.prefixlen - _MAPPED.prefixlen}"
            return bad("IPv4 in the form of IPv6", f'Write "{plain}".')
        return loose

    def write(self, value: IpNetwork) -> str:
        """Write a network; one of a single address as that address."""
        is_single = value.prefixlen == value.max_prefixlen
        return quoted(str(value.network_address if is_single else value))


class IpAddressKind(Struct, frozen=True):
    """An IP address."""

    @property
    def words(self) -> str:
        """The kind in words."""
        return "IP address"

    def read(self, value: object) -> str | Bad:
        """Read an address; normalised."""
        remedy = 'Write an address such as "192.0.2.25" or "2001:db8::25".'
        if not isinstance(value, str):
            return not_a("an IP address", value, remedy)
        address = _ip(value)
        return bad("not an IP address", remedy) if address is None else str(address)

    def write(self, value: str) -> str:
        """Write an address."""
        return quoted(value)


class At(Struct, frozen=True):
    """An IP address and a TCP port. `default_port` None: it must be written out.

    `least_port` 0 lets the system choose a free one.
    """

    default_port: int | None = None
    least_port: int = 1

    @property
    def words(self) -> str:
        """The kind in words."""
        if self.default_port is None:
            return "address:port"
        return f"address or address:port, port {self.default_port} if none is given"

    def read(self, value: object) -> Endpoint | Bad:
        """Read an endpoint; the address is normalised."""
        port = f":{self.default_port or 25}"
        remedy = f'Write an IP address and a port, such as "127.0.0.1{port}" or "[::1]{port}".'
        if not isinstance(value, str):
            return not_a("an address and port", value, remedy)
        parts = _split(value, remedy, self.least_port)
        if isinstance(parts, Bad):
            return parts
        host, given = parts
        address = _ip(host)
        if address is None:
            return bad(f"{quoted(host[:60])} is not an IP address", remedy)
        if given is None and self.default_port is None:
            return bad("no port", remedy)
        return Endpoint(str(address), self.default_port or 0 if given is None else given)

    def write(self, value: Endpoint) -> str:
        """Write an endpoint with its port."""
        return quoted(str(value))


class Hop(Struct, frozen=True):
    """A host to deliver to, by name or address; port 0 stands for the default."""

    @property
    def words(self) -> str:
        """The kind in words."""
        return "host or host:port"

    def read(self, value: object) -> NextHop | Bad:
        """Read a host and a port; without a port it is 0."""
        remedy = 'Write a host such as "mail.example.org", "192.0.2.25:2525" or "[2001:db8::25]:25".'
        if not isinstance(value, str):
            return not_a("a host", value, remedy)
        parts = _split(value, remedy, 1)
        if isinstance(parts, Bad):
            return parts
        host, port = parts
        address = _ip(host)
        if address is not None:
            return NextHop(str(address), port or 0)
        name = normal_domain(host)
        fault = domain_fault(name)
        return NextHop(name, port or 0) if fault is None else bad(f"not a host ({fault})", remedy)

    def write(self, value: NextHop) -> str:
        """Write a host with its port; IPv6 in brackets."""
        if value.port:
            return quoted(str(value))
        return quoted(f"[{value.host}]" if ":" in value.host else value.host)


def _split(text: str, remedy: str, least_port: int) -> tuple[str, int | None] | Bad:
    """Split host and port; IPv6 needs brackets, or nobody could tell where the address ends."""
    found = _BRACKETED.fullmatch(text) or _PLAIN_HOST.fullmatch(text)
    if found is None:
        return bad("not a host and a port", remedy) if _ip(text) is None else _ambiguous(text)
    host, port = found.groups()
    if text.startswith("[") and not isinstance(_ip(host), IPv6Address):
        return bad(f"{quoted(host[:60])} is not an IPv6 address", remedy)
    if port is None:
        return host, None
    if not least_port <= int(port) <= 65_535:
        return bad("no such port", f"Write a port from {least_port} to 65535.")
    return host, int(port)


def _ambiguous(text: str) -> Bad:
    """Say what an IPv6 address without brackets may have meant."""
    start, _, end = text.rpartition(":")
    is_port_likely = end.isdigit() and int(end) > 0 and _ip(start) is not None
    port = f'"[{start}]:{end}" or ' if is_port_likely else ""
    return bad("an IPv6 address without brackets", f'Write {port}"[{text}]:25".')
