"""Names and addresses: domains, patterns, mailboxes, aliases, networks, endpoints, hops."""

from ipaddress import ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from byreturn.config.check import toml_value
from byreturn.config.errors import Bad
from byreturn.config.hosts import At, Hop, IpAddressKind, Network
from byreturn.config.names import (
    Address,
    Aliases,
    Delimiter,
    DestinationMatch,
    DomainName,
    Folder,
    Label,
    LocalPart,
    Pattern,
)
from byreturn.mail import Mailbox
from byreturn.policy import NextHop, address_in
from byreturn.ports import Endpoint

LONGEST = ".".join(["a" * 49] * 5) + ".abc"


def fault(kind, value):
    got = kind.read(value)
    assert isinstance(got, Bad), got
    return got.wrongs[0]


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("example.org", "example.org"), ("Mail.Example.ORG.", "mail.example.org"), ("localhost", "localhost"),
        ("3com.example", "3com.example"), ("a-b.c--d.example", "a-b.c--d.example"),
        ("xn--bcher-kva.example", "xn--bcher-kva.example"),
        ("a" * 63 + ".example", "a" * 63 + ".example"), (LONGEST, LONGEST),
    ],
)  # fmt: skip
def test_domains(text, name):
    assert DomainName().read(text) == name


@pytest.mark.parametrize(
    "text",
    [
        "", ".", "..", "a..b", ".a", "a_b.example", "-a.example", "a-.example", "a" * 64 + ".example",
        "bücher.example", "a b", "a\n", "192.0.2.1", "example.123", "[192.0.2.1]", LONGEST + "d", "*.example",
        "example.org..", "１.example", 5, None, ["a"],
    ],
)  # fmt: skip
def test_what_is_no_domain(text):
    assert fault(DomainName(), text).remedy == 'Write a name such as "mail.example.org".'


def test_patterns():
    assert Pattern().read("*") == "*"
    assert Pattern().read("*.Partner.Example.") == "*.partner.example"
    assert Pattern().read("partner.example") == "partner.example"
    for text in ("", "*.", "*..", "**", "*.*.example", "a.*.example", "*partner.example", "*.1", 5):
        fault(Pattern(), text)


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ("*", "*"), ("Partner.Example.", "partner.example"), ("*.Partner.Example", "*.partner.example"),
        ("mx:MX1.Big.Example.", "mx:mx1.big.example"), ("MX:*.big.example", "mx:*.big.example"),
        ("mx.example", "mx.example"),
    ],
)  # fmt: skip
def test_whom_a_rule_is_for(text, match):
    assert DestinationMatch().read(text) == match
    assert DestinationMatch().read(match) == match


@pytest.mark.parametrize(
    "value",
    ["", "*.", "**", "a.*.example", "mx:", "mx:*.", "mx: a.example", "mx:mx:a.example", "mx:192.0.2.1", 5],
)
def test_whom_no_rule_is_for(value):
    assert fault(DestinationMatch(), value).remedy.startswith('Write "example.org" for the domain, ')


def test_all_hosts_are_all_mail():
    wrong = fault(DestinationMatch(), "mx:*")
    assert (wrong.what, wrong.remedy) == ("all hosts there are", 'Write "*" for all mail.')


def test_labels_delimiters_and_folders():
    assert Label().read("inside-2") == "inside-2"
    for text in ("", "in side", "x" * 33, "-a", "a/b", 5):
        fault(Label(), text)
    assert Delimiter().read("") == ""
    assert Delimiter().read("-") == "-"
    for text in ("++", "a", "@", ".", 5):
        fault(Delimiter(), text)
    assert Folder().read("a b/c") == "a b/c"
    for text in ("", "~/mail", "$HOME/mail", "a\0b", 5):
        fault(Folder(), text)


@pytest.mark.parametrize(
    ("text", "network"),
    [
        ("127.0.0.0/8", "127.0.0.0/8"), ("192.0.2.7", "192.0.2.7/32"), ("::1", "::1/128"),
        ("2001:DB8::/32", "2001:db8::/32"),
        ("0.0.0.0/0", "0.0.0.0/0"), ("::/0", "::/0"), ("2001:db8:0:0::/64", "2001:db8::/64"),
    ],
)  # fmt: skip
def test_networks(text, network):
    got = Network().read(text)
    assert got == ip_network(network)
    assert Network().read(toml_value(Network().write(got))) == got


@pytest.mark.parametrize(
    "text",
    [
        "", "localhost", "10.0.0.0/33", "10.0.0.0/-1", "10.0.0.0/255.0.0.0", "10.0.0.0/", "10.0.0/8",
        "010.0.0.0/8", "fe80::1%eth0", "10", 10, "10.0.0.0 /8",
    ],
)  # fmt: skip
def test_what_is_no_network(text):
    assert 'Write a network such as "192.0.2.0/24"' in fault(Network(), text).remedy


def test_host_bits_get_both_right_forms():
    wrong = fault(Network(), "10.1.2.3/8")
    assert wrong.what == "bits are set to the right of the prefix"
    assert wrong.remedy == 'Write "10.0.0.0/8" for the network, or "10.1.2.3" for the one address.'
    assert '"2001:db8::/32"' in fault(Network(), "2001:db8::1/32").remedy


def test_a_network_that_would_match_nobody_is_refused():
    # Why: an IPv4 address inside IPv6 is judged as IPv4.
    assert not address_in("::ffff:192.0.2.1", [ip_network("::ffff:192.0.2.0/120")])
    assert fault(Network(), "::ffff:192.0.2.0/120").remedy == 'Write "192.0.2.0/24".'
    assert fault(Network(), "::ffff:192.0.2.1").remedy == 'Write "192.0.2.1/32".'


def test_addresses_of_machines():
    assert IpAddressKind().read("2001:DB8:0::1") == "2001:db8::1"
    for text in ("", "eth0", "192.0.2.0/24", "[::1]", "fe80::1%eth0", 5):
        fault(IpAddressKind(), text)


@pytest.mark.parametrize(
    ("text", "endpoint"),
    [
        ("127.0.0.1:2525", Endpoint("127.0.0.1", 2525)), ("[::1]:25", Endpoint("::1", 25)),
        ("[2001:DB8:0::1]:65535", Endpoint("2001:db8::1", 65535)), ("0.0.0.0:1", Endpoint("0.0.0.0", 1)),
    ],
)  # fmt: skip
def test_endpoints(text, endpoint):
    assert At().read(text) == endpoint
    assert At().read(toml_value(At().write(endpoint))) == endpoint


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("127.0.0.1", "no port"),
        ("[::1]", "no port"),
        ("::1", "an IPv6 address without brackets"),
        ("::1:25", "an IPv6 address without brackets"),
        ("localhost:25", '"localhost" is not an IP address'),
        ("[127.0.0.1]:25", '"127.0.0.1" is not an IPv6 address'),
        ("127.0.0.1:0", "no such port"),
        ("127.0.0.1:65536", "no such port"),
        ("127.0.0.1:smtp", "not a host and a port"),
        ("127.0.0.1:", "not a host and a port"),
        ("127.0.0.1:25:26", "not a host and a port"),
        ("[::1", "not a host and a port"),
        ("", '"" is not an IP address'),
        (25, "a whole number where an address and port is needed"),
    ],
)
def test_what_is_no_endpoint(text, what):
    assert fault(At(), text).what == what


def test_an_ambiguous_endpoint_gets_both_readings():
    assert fault(At(), "::1:2525").remedy == 'Write "[::1]:2525" or "[::1:2525]:25".'
    assert fault(At(), "2001:db8::beef").remedy == 'Write "[2001:db8::beef]:25".'


def test_ports_that_need_not_be_written():
    assert At(53).read("192.0.2.53") == Endpoint("192.0.2.53", 53)
    assert At(53).read("[2001:db8::53]") == Endpoint("2001:db8::53", 53)
    assert At(least_port=0).read("127.0.0.1:0") == Endpoint("127.0.0.1", 0)


@pytest.mark.parametrize(
    ("text", "hop"),
    [
        ("mx.Partner.example.", NextHop("mx.partner.example", 0)),
        ("mx.partner.example:26", NextHop("mx.partner.example", 26)),
        ("192.0.2.1", NextHop("192.0.2.1", 0)), ("192.0.2.1:2525", NextHop("192.0.2.1", 2525)),
        ("[2001:db8::1]", NextHop("2001:db8::1", 0)), ("[2001:db8::1]:25", NextHop("2001:db8::1", 25)),
    ],
)  # fmt: skip
def test_hops(text, hop):
    assert Hop().read(text) == hop
    assert Hop().read(toml_value(Hop().write(hop))) == hop


@pytest.mark.parametrize(
    "text", ["", ":25", "a b", "192.0.2.999", "mx:0", "[mx.example]:25", "::1", "mx_1.example", "mx:25:26", 5]
)
def test_what_is_no_hop(text):
    fault(Hop(), text)


@pytest.mark.parametrize(
    "text", ["info", "Info", "first.last", "o'neil", "a+b", "x" * 64, "!#$%&'*+-/=?^_`{|}~"]
)
def test_local_parts_stay_as_they_are(text):
    assert LocalPart().read(text) == text
    assert Address().read(f"{text}@Example.ORG") == Mailbox(text, "example.org")


@pytest.mark.parametrize("text", ["", ".a", "a.", "a..b", "a b", '"a b"', "x" * 65, "ü", "a@b", "a,b", "a\n"])
def test_what_is_no_local_part(text):
    fault(LocalPart(), text)
    fault(Address(), f"{text}@example")


@pytest.mark.parametrize(
    "text", ["postmaster", "@example.org", "a@", "a@b_c", "a@[192.0.2.1]", "Me <a@example.org>", 5]
)
def test_what_is_no_address(text):
    fault(Address(), text)


def test_aliases():
    value = {"office": ["info", "a@Example.NET"], "first.last": ["info"]}
    got = Aliases().read(value)
    assert got == (("office", ("info", "a@Example.NET")), ("first.last", ("info",)))
    assert Aliases().write(got) == '{ office = ["info", "a@Example.NET"], "first.last" = ["info"] }'
    assert Aliases().read({}) == ()
    assert Aliases().write(()) == "{}"


def test_every_fault_of_the_aliases_is_told_where_it_is():
    got = Aliases().read(
        {"a b": ["info"], "office": ["info", "x@", 5], "all": "info", "none": [], "first": {"last": ["x"]}}
    )
    assert [wrong.at for wrong in got.wrongs] == [
        ("a b",),
        ("office", 1),
        ("office", 2),
        ("all",),
        ("none",),
        ("first",),
    ]
    assert "quotation marks" in got.wrongs[-1].remedy


atoms = st.text("aZ09!#$%&'*+/=?^_`{|}~-", min_size=1, max_size=9)
names = st.builds(".".join, st.lists(atoms, min_size=1, max_size=3))
targets = names | st.builds("{}@x.example".format, names)


@given(st.dictionaries(names, st.lists(targets, min_size=1, max_size=3)))
def test_aliases_that_are_written_are_read_as_the_same(value):
    got = Aliases().read(value)
    assert Aliases().read(toml_value(Aliases().write(got))) == got


def test_aliases_have_a_limit():
    too_many = {f"alias{number}": ["info"] for number in range(100_001)}
    assert fault(Aliases(), too_many).what == "100001 aliases"
