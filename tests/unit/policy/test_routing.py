"""Where mail goes: the static table by whole labels, MX hosts in order, and never in a circle."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from byreturn.mail import Destination
from byreturn.policy import (
    LoopsBack,
    NextHop,
    NullMx,
    Ordered,
    RouteTable,
    StaticRoute,
    order_mx,
)
from byreturn.policy.routing import MX_LIMIT

HOP = NextHop("relay.here.example", 25)


def table(*patterns):
    return RouteTable([StaticRoute(pattern, (HOP,)) for pattern in patterns])


def matched(routes, destination):
    route = routes.match(Destination(destination))
    return route.pattern if route else None


# --- The static table ---------------------------------------------------------------------------------

TABLE = table("*", "*.example", "*.partner.example", "partner.example", "*.deep.partner.example")


@pytest.mark.parametrize(
    ("destination", "pattern"),
    [
        ("partner.example", "partner.example"),
        ("a.partner.example", "*.partner.example"),
        ("a.b.partner.example", "*.partner.example"),
        ("deep.partner.example", "*.partner.example"),
        ("a.deep.partner.example", "*.deep.partner.example"),
        ("notpartner.example", "*.example"),
        ("example", "*"),
        ("partner.example.org", "*"),
        ("[192.0.2.1]", "*"),
    ],
)
def test_the_most_specific_pattern_wins_by_whole_labels(destination, pattern):
    assert matched(TABLE, destination) == pattern


@pytest.mark.parametrize("destination", ["partner.example", "notpartner.example", "example", "a.example.org"])
def test_below_a_name_is_neither_the_name_nor_what_only_ends_like_it(destination):
    assert matched(table("*.partner.example"), destination) is None


def test_an_empty_table_matches_nothing():
    assert matched(table(), "there.example") is None


names = st.lists(st.sampled_from("ab"), min_size=1, max_size=5).map(".".join)


@given(names, st.lists(names.flatmap(lambda name: st.sampled_from([name, f"*.{name}"])), max_size=8))
def test_a_match_is_what_comparing_every_pattern_finds(destination, patterns):
    below = [one for one in patterns if one[:2] == "*." and destination.endswith(one[1:])]
    expected = destination if destination in patterns else max(below, key=len, default=None)
    assert matched(table(*patterns), destination) == expected
    assert matched(table("*", *patterns), destination) == (expected or "*")


@pytest.mark.parametrize(
    ("hop", "text"),
    [
        (NextHop("mx.there.example", 25), "mx.there.example:25"),
        (NextHop("192.0.2.1", 2525), "192.0.2.1:2525"),
        (NextHop("2001:db8::1", 25), "[2001:db8::1]:25"),
    ],
)
def test_a_next_hop_in_words(hop, text):
    assert str(hop) == text


# --- MX -----------------------------------------------------------------------------------------------


def nobody(_host):
    return False


def groups(*records, is_own=nobody, lot=lambda: 0.5):
    plan = order_mx(records, is_own, lot)
    return plan.groups if isinstance(plan, Ordered) else plan


def test_the_best_preference_comes_first():
    assert groups((20, "c"), (5, "a"), (10, "b")) == (("a",), ("b",), ("c",))


def test_hosts_of_one_preference_are_shuffled():
    lots = iter([0.9, 0.1, 0.5])
    assert groups((10, "a"), (10, "b"), (10, "c"), lot=lambda: next(lots)) == (("b", "c", "a"),)


def test_a_host_named_twice_is_tried_once():
    assert groups((10, "a"), (10, "a"), (20, "b")) == (("a",), ("b",))


def test_the_root_alone_says_that_no_mail_is_taken():
    assert groups((0, "")) == NullMx()
    assert groups((0, ""), (10, "")) == NullMx()


def test_the_root_beside_others_is_ignored():
    assert groups((0, ""), (10, "a")) == (("a",),)


def test_ourselves_and_all_that_is_not_better_are_struck_out():
    records = [(5, "a"), (10, "us"), (10, "b"), (20, "c")]
    assert groups(*records, is_own=lambda host: host == "us") == (("a",),)


def test_the_best_of_our_own_names_counts():
    records = [(1, "a"), (5, "us"), (7, "b"), (10, "us too")]
    assert groups(*records, is_own=lambda host: host.startswith("us")) == (("a",),)


@pytest.mark.parametrize("records", [[(10, "us")], [(10, "us"), (10, "b")], [(10, "us"), (20, "b")]])
def test_if_we_are_the_best_ourselves_the_mail_would_go_in_a_circle(records):
    assert groups(*records, is_own=lambda host: host == "us") == LoopsBack()


def test_five_hundred_hosts_are_an_attack_and_not_a_service():
    ordered = groups(*((number, f"mx{number}") for number in range(500, 0, -1)))
    assert ordered == tuple((f"mx{number}",) for number in range(1, MX_LIMIT + 1))


records = st.lists(
    st.tuples(st.integers(0, 5), st.sampled_from(["", "a", "b", "c", "d", "us"])), min_size=1, max_size=40
)


@given(records, st.lists(st.floats(0, 1, exclude_max=True), min_size=60, max_size=60), st.booleans())
def test_a_plan_names_only_who_is_better_than_we_are(records, lots, we_are_there):
    lots = iter(lots)
    plan = order_mx(records, lambda host: we_are_there and host == "us", lambda: next(lots))
    hosts = {(preference, host) for preference, host in records if host}
    own = [preference for preference, host in hosts if we_are_there and host == "us"]
    wanted = {pair for pair in hosts if not own or pair[0] < min(own)}
    match plan:
        case NullMx():
            assert not hosts
        case LoopsBack():
            assert hosts
            assert not wanted
        case Ordered(groups=ordered):
            by_preference = sorted({preference for preference, _ in wanted})
            found = {(by_preference[at], host) for at, group in enumerate(ordered) for host in group}
            assert found <= wanted
            assert sum(map(len, ordered)) == min(len(wanted), MX_LIMIT)
            assert all(ordered)
