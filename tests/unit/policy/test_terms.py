"""Terms: whose rule counts for a destination, before its hosts are known and after."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from byreturn.mail import Destination
from byreturn.policy import Rate, RetrySchedule, Terms, TermsTable

GENERAL = Terms(connections=7)


def table(*matches):
    return TermsTable(GENERAL, [Terms(match=match, connections=1) for match in matches])


def for_hosts(rules, destination, *hosts):
    return rules.for_hosts(Destination(destination), hosts).match


def for_domain(rules, destination):
    return rules.for_domain(Destination(destination)).match


ALL = table("partner.example", "*.partner.example", "mx:mx1.big.example", "mx:*.big.example", "*")


@pytest.mark.parametrize(
    ("destination", "hosts", "match"),
    [
        ("partner.example", ["mx1.big.example"], "partner.example"),
        ("a.partner.example", ["mx1.big.example"], "*.partner.example"),
        ("there.example", ["mx1.big.example"], "mx:mx1.big.example"),
        ("there.example", ["mx2.big.example"], "mx:*.big.example"),
        ("there.example", ["mx2.big.example", "mx3.big.example"], "mx:*.big.example"),
        ("there.example", ["big.example"], "*"),
        ("there.example", ["mx.there.example"], "*"),
        # One foreign host among them, or hosts of two rules: nobody has agreed on limits for all of them.
        ("there.example", ["mx2.big.example", "mx.there.example"], "*"),
        ("there.example", ["mx.there.example", "mx2.big.example"], "*"),
        ("there.example", ["mx1.big.example", "mx2.big.example"], "*"),
    ],
)
def test_the_closest_rule_counts_and_the_domain_before_the_hosts(destination, hosts, match):
    assert for_hosts(ALL, destination, *hosts) == match


@pytest.mark.parametrize(
    ("destination", "match"),
    [
        ("partner.example", "partner.example"),
        ("a.partner.example", "*.partner.example"),
        ("big.example", "*"),
    ],
)
def test_before_the_hosts_are_known(destination, match):
    assert for_domain(ALL, destination) == match
    # A rule for hosts is none for a domain of the same name.
    assert for_domain(table("mx:big.example", "mx:*.big.example"), "mx1.big.example") == ""


def test_without_a_rule_it_is_as_for_everybody():
    rules = table("partner.example", "mx:*.big.example")
    assert rules.for_domain(Destination("there.example")) is GENERAL
    assert rules.for_hosts(Destination("there.example"), ["mx.there.example"]) is GENERAL
    assert rules.for_hosts(Destination("there.example"), ["a.big.example", "b.example"]) is GENERAL


def test_a_rule_for_all_takes_the_place_of_everybodys():
    rules = table("*", "mx:*.big.example")
    assert for_hosts(rules, "there.example", "mx.there.example") == "*"
    assert for_hosts(rules, "there.example", "mx.big.example") == "mx:*.big.example"


def test_an_empty_table_has_terms_too():
    assert TermsTable().for_domain(Destination("there.example")) == Terms()
    assert TermsTable().for_hosts(Destination("there.example"), ["a.example"]) == Terms()


def test_the_usual_terms():
    usual = Terms()
    assert (usual.connections, usual.messages_per_connection, usual.recipients) == (20, 100, 100)
    assert (usual.message_rate, usual.octet_rate) == (None, None)
    assert usual.schedule == RetrySchedule()
    assert Terms(message_rate=Rate(1, 1000)) != usual


names = st.sampled_from(["a.example", "b.example", "mx.a.example", "mx.b.example", "example"])
matches = st.lists(
    st.builds("{}{}".format, st.sampled_from(["", "*.", "mx:", "mx:*."]), names) | st.just("*"),
    max_size=6,
    unique=True,
)


@given(matches, names, st.lists(names, min_size=1, max_size=4))
def test_order_and_repetition_of_hosts_and_rules_do_not_matter(some, destination, hosts):
    found = for_hosts(table(*some), destination, *hosts)
    assert found == for_hosts(table(*reversed(some)), destination, *reversed(hosts), hosts[0])
    assert found in {"", *some}
    if found.startswith("mx:"):
        pattern = found.removeprefix("mx:")
        assert all(host == pattern or host.endswith(pattern.removeprefix("*")) for host in hosts)
        assert for_domain(table(*some), destination) in {"", "*"}
    else:
        assert found in {for_domain(table(*some), destination)}
