"""The brake's rules: when a word of the DNS ends something, and when it is a lie."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from byreturn import policy
from byreturn.mail import DAY, HOUR, Cause, Destination, PeerSaid, Phase, WeFound, reply
from byreturn.policy import BrakeRules, are_too_many, is_dns_finding, is_found, is_silent, is_tried_on
from byreturn.policy import lie_of as lie
from byreturn.policy.brake import DNS_CAUSES, ROOT

RULES = BrakeRules()
NOW = 1_767_225_600_000
KNOWN, OTHER = "partner.example", "other.example"
SAID = PeerSaid(reply(550, "5.1.1", "no"), "mx.example", "192.0.2.1", Phase.RCPT)

YES, NO, NOTHING = True, False, None


def heard(**servers: dict[str, bool | None]) -> dict[str, tuple[policy.Testimony, ...]]:
    """What servers say, turned round: by name."""
    names = dict.fromkeys(name for said in servers.values() for name in said)
    return {
        name: tuple(policy.Testimony(server, said[name]) for server, said in servers.items() if name in said)
        for name in names
    }


@pytest.mark.parametrize("cause", Cause)
def test_only_what_the_dns_alone_says_rests_on_the_dns(cause):
    finding = WeFound(cause, "")
    assert is_dns_finding(finding) == (cause in DNS_CAUSES)
    # What says nothing about the name is between the two.
    assert is_found(finding) == (cause not in DNS_CAUSES and cause is not Cause.LOOKUP_FAILED)


def test_what_a_peer_says_does_not_rest_on_the_dns():
    assert not is_dns_finding(SAID)
    assert not is_dns_finding(None)
    assert is_found(SAID)


# --- Tried on -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("took_mail", "denied_since", "expected"),
    [
        (HOUR, None, True),
        (RULES.keep, None, True),
        (RULES.keep + 1, None, False),
        (RULES.keep + 1, 0, False),
        (HOUR, 0, True),
        (HOUR, RULES.keep_trying - 1, True),
        (HOUR, RULES.keep_trying, False),
    ],
)
def test_what_took_mail_lately_is_tried_on_for_hours(took_mail, denied_since, expected):
    since = None if denied_since is None else NOW - denied_since
    assert is_tried_on(RULES, NOW - took_mail, since, now=NOW) is expected


@given(took_mail=st.integers(0, 60 * DAY), denied=st.none() | st.integers(0, DAY), later=st.integers(0, DAY))
def test_whoever_is_given_up_stays_given_up(took_mail, denied, later):
    since = None if denied is None else NOW - denied
    if not is_tried_on(RULES, NOW - took_mail, since, now=NOW):
        assert not is_tried_on(RULES, NOW - took_mail, since, now=NOW + later)


# --- Lies ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("said", "vouched_for"),
    [
        ({"ns": {ROOT: NO}}, ()),
        ({"ns": {ROOT: NO, KNOWN: YES}}, ()),
        ({"ns": {ROOT: YES, KNOWN: NO}}, ()),
        ({"ns": {ROOT: YES, KNOWN: NO, OTHER: NO}}, ()),
        ({"ns": {ROOT: YES, KNOWN: NO, OTHER: NOTHING}}, ()),
        ({"ns": {ROOT: YES, KNOWN: NO, OTHER: YES}}, (KNOWN,)),
        ({"good": {ROOT: YES, KNOWN: YES}, "bad": {ROOT: YES, KNOWN: NO}}, ()),
        ({"silent": {ROOT: NOTHING, KNOWN: NOTHING}, "bad": {ROOT: NO, KNOWN: NOTHING}}, ()),
    ],
)
def test_a_server_that_denies_what_certainly_exists_lies(said, vouched_for):
    found = lie(heard(**said), set(vouched_for))
    liar = "bad" if "bad" in said else "ns"
    assert found.startswith(f"the name server {liar} says that ")
    assert found.endswith(" does not exist")


@pytest.mark.parametrize(
    ("said", "vouched_for"),
    [
        ({}, ()),
        ({"ns": {ROOT: YES}}, ()),
        ({"ns": {ROOT: NOTHING, KNOWN: NOTHING}}, ()),
        ({"ns": {ROOT: YES, KNOWN: YES, OTHER: YES}}, (OTHER,)),
        # One that took mail may really have gone.
        ({"ns": {ROOT: YES, KNOWN: NO, OTHER: YES}}, ()),
        ({"ns": {ROOT: NOTHING, KNOWN: NO, OTHER: YES}}, ()),
    ],
)
def test_a_server_that_may_be_right_does_not_lie(said, vouched_for):
    assert lie(heard(**said), set(vouched_for)) == ""


def test_the_lie_is_told_with_the_surest_name():
    said = heard(ns={KNOWN: NO, ROOT: NO})
    assert lie(said, set()) == "the name server ns says that the root of the DNS does not exist"
    assert (
        lie(heard(ns={KNOWN: NO, OTHER: NO}), {OTHER})
        == f"the name server ns says that {OTHER} does not exist"
    )


@given(
    st.dictionaries(st.sampled_from((ROOT, KNOWN, OTHER)), st.sampled_from((YES, NO, NOTHING)), max_size=3)
)
def test_no_server_lies_without_denying_anything(said):
    found = lie(heard(ns=said), {OTHER})
    if NO not in said.values():
        assert not found
    if said.get(ROOT) is NO or said.get(OTHER) is NO:
        assert found


@given(
    st.dictionaries(st.sampled_from((ROOT, KNOWN, OTHER)), st.sampled_from((YES, NO, NOTHING)), max_size=3),
    st.dictionaries(st.sampled_from((ROOT, KNOWN, OTHER)), st.sampled_from((YES, NOTHING)), max_size=3),
)
def test_an_honest_server_takes_no_lie_away(said, honest):
    vouched_for = {OTHER}
    assert bool(lie(heard(ns=said), vouched_for)) == bool(lie(heard(ns=said, honest=honest), vouched_for))


# --- Silence and numbers ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ({"ns": {ROOT: YES}}, False),
        ({"ns": {ROOT: NOTHING}}, False),
        ({"ns": {ROOT: YES, KNOWN: NOTHING}}, True),
        ({"ns": {KNOWN: NOTHING}, "other": {KNOWN: YES}}, False),
        ({"ns": {KNOWN: NOTHING}, "other": {KNOWN: NO}}, False),
        ({"ns": {KNOWN: NOTHING, OTHER: NOTHING}, "other": {KNOWN: NOTHING}}, True),
    ],
)
def test_no_word_on_any_known_name_is_silence(said, expected):
    assert is_silent(heard(**said)) is expected


@pytest.mark.parametrize(
    ("denied", "alive", "expected"),
    [(19, 0, False), (20, 0, True), (20, 19, True), (20, 20, False), (1000, 1000, False), (1001, 1000, True)],
)
def test_too_many_is_a_number_and_more_than_are_there(denied, alive, expected):
    assert are_too_many(RULES, denied=denied, alive=alive) is expected
    assert are_too_many(BrakeRules(denied_destinations=denied + 1), denied=denied, alive=0) is False


def test_a_destination_is_what_the_rules_name():
    assert BrakeRules(known_names=(Destination(OTHER),)).known_names == (OTHER,)
