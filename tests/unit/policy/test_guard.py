"""Which addresses may be dialled, and who counts as a client of our own."""

from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from byreturn.policy import address_in, is_dialable

v4 = st.ip_addresses(v=4)
v6 = st.ip_addresses(v=6)


NAT64 = ip_network("64:ff9b::/96")


def inside(prefix, address, shift=0):
    """An IPv6 address that carries an IPv4 address."""
    return str(IPv6Address(int(IPv6Address(prefix)) | int(IPv4Address(address)) << shift))


def mapped(address):
    return inside("::ffff:0:0", address)


def nat64(address):
    return inside("64:ff9b::", address)


def sixtofour(address):
    return inside("2002::1", address, 80)


FORBIDDEN = [
    "127.0.0.1",
    "127.255.255.254",
    "0.0.0.0",
    "0.1.2.3",
    "10.0.0.1",
    "172.16.0.1",
    "172.31.255.255",
    "192.168.1.1",
    "169.254.0.1",
    "169.254.169.254",
    "100.64.0.1",
    "192.0.0.1",
    "192.0.2.1",
    "198.51.100.1",
    "203.0.113.1",
    "198.18.0.1",
    "224.0.0.1",
    "239.255.255.255",
    "240.0.0.1",
    "255.255.255.255",
]
FORBIDDEN_IPV6 = [
    "::",
    "::1",
    "::127.0.0.1",
    "::8.8.8.8",
    "::ffff:0:127.0.0.1",
    "fe80::1",
    "fe80::1%eth0",
    "fc00::1",
    "fd00:ec2::254",
    # Site-local: deprecated, and still routed inside houses.
    "fec0::1",
    "feff::1",
    "ff02::1",
    "ff0e::1",
    "2001:db8::1",
    "2001::1",
    "100::1",
    "64:ff9b:1::10.0.0.1",
    "4000::1",
]
PUBLIC = ["8.8.8.8", "1.1.1.1", "193.99.144.80"]
PUBLIC_IPV6 = ["2001:4860:4860::8888", "2606:4700:4700::1111", "2a02:2e0:3fe::1"]
NOT_ADDRESSES = [
    "",
    "mx.there.example",
    "127.1",
    "0177.0.0.1",
    "2130706433",
    "0x7f.0.0.1",
    "[::1]",
    "1.2.3.4:25",
]


@pytest.mark.parametrize("address", FORBIDDEN + FORBIDDEN_IPV6)
def test_our_own_house_is_not_dialled(address):
    assert not is_dialable(address, ())


@pytest.mark.parametrize("disguise", [mapped, nat64, sixtofour])
@pytest.mark.parametrize("address", FORBIDDEN)
def test_our_own_house_is_not_dialled_in_disguise(address, disguise):
    assert not is_dialable(disguise(address), ())


@pytest.mark.parametrize("address", PUBLIC + PUBLIC_IPV6)
def test_a_public_address_is_dialled(address):
    assert is_dialable(address, ())


@pytest.mark.parametrize("disguise", [mapped, nat64, sixtofour])
@pytest.mark.parametrize("address", PUBLIC)
def test_a_public_address_is_dialled_in_any_form(address, disguise):
    assert is_dialable(disguise(address), ())


@pytest.mark.parametrize("text", NOT_ADDRESSES)
def test_what_is_no_address_is_neither_dialled_nor_ours(text):
    everything = [ip_network("0.0.0.0/0"), ip_network("::/0")]
    assert not is_dialable(text, everything)
    assert not address_in(text, everything)


@given(v4)
def test_a_disguise_never_opens_a_door(address):
    for disguise in (mapped, nat64, sixtofour):
        assert not is_dialable(disguise(address), ()) or is_dialable(str(address), ())


@given(v4 | v6)
def test_what_is_dialled_is_global_unicast(address):
    if is_dialable(str(address), ()):
        assert not address.is_multicast
        assert not address.is_loopback
        assert not address.is_link_local
        assert not address.is_unspecified
        assert not getattr(address, "is_site_local", False)
        assert meant(address).version == 4 or address in ip_network("2000::/3")


def meant(address):
    """Mapped and NAT64 addresses are judged by the IPv4 address that they mean."""
    if getattr(address, "ipv4_mapped", None):
        return address.ipv4_mapped
    return IPv4Address(int(address) & 0xFFFFFFFF) if address in NAT64 else address


@given(v4 | v6, st.integers(0, 32))
def test_what_is_allowed_by_name_is_dialled(address, bits):
    network = ip_network(f"{meant(address)}/{bits}", strict=False)
    assert is_dialable(str(address), [network])


@pytest.mark.parametrize("form", [str, mapped])
def test_an_allowed_network_holds_in_any_form(form):
    assert is_dialable(form("127.0.0.1"), [ip_network("127.0.0.0/8")])
    assert not is_dialable(form("10.0.0.1"), [ip_network("127.0.0.0/8"), ip_network("::1/128")])


# --- Our own clients ----------------------------------------------------------------------------------


@given(v4 | v6, st.integers(0, 32))
def test_an_address_is_in_its_own_network(address, bits):
    text = str(address)
    mapped_form = getattr(address, "ipv4_mapped", None)
    network = ip_network(f"{mapped_form or address}/{bits}", strict=False)
    assert address_in(text, [network])
    assert not address_in(text, [])


@given(v4, st.integers(1, 32))
def test_a_mapped_client_counts_as_ipv4(address, bits):
    network = ip_network(f"{address}/{bits}", strict=False)
    assert address_in(mapped(address), [network])
    stranger = ip_address(int(address) ^ 1 << 32 - bits)
    assert not address_in(mapped(stranger), [network])


def test_a_6to4_network_of_our_own_is_our_own():
    assert address_in("2002:c000:204::1", [ip_network("2002:c000:204::/48")])


def test_a_nat64_network_of_our_own_is_our_own():
    assert address_in("64:ff9b::10.0.0.1", [ip_network("64:ff9b::/96")])


@pytest.mark.parametrize("disguise", [nat64, sixtofour])
@pytest.mark.parametrize("address", ["10.0.0.1", "127.0.0.1", "192.168.1.1"])
def test_nobody_becomes_one_of_us_by_an_address_of_ours_inside_his_own(address, disguise):
    networks = [ip_network("10.0.0.0/8"), ip_network("127.0.0.0/8"), ip_network("192.168.0.0/16")]
    assert address_in(address, networks)
    assert not address_in(disguise(address), networks)


def test_an_ipv4_client_is_in_no_ipv6_network():
    assert not address_in("10.0.0.1", [ip_network("::/0")])
    assert not address_in("2001:db8::1", [ip_network("0.0.0.0/0")])
