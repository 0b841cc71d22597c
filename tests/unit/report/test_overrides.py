"""Words of a house in place of ours: which of them win, and that they can do no harm."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.report.samples import SILENT, facts, line, said

from byreturn.mail import Language, Mailbox
from byreturn.report import Action, Audience, Reason
from byreturn.report.overrides import NO_OVERRIDES, PLACES, Override, Overrides, check_override, filled
from byreturn.report.wording import entry

FULL = Reason.MAILBOX_FULL
VALUES = dict.fromkeys(PLACES, "x")


def named(**keys):
    table = {
        "all": (FULL, "", None),
        "de": (FULL, "de", None),
        "outside": (FULL, "", Audience.OUTSIDER),
        "both": (FULL, "de", Audience.OUTSIDER),
    }
    return Overrides({table[name]: Override(cause=name) for name in keys})


@pytest.mark.parametrize(
    ("there", "tag", "audience", "won"),
    [
        ("all de outside both", "de", Audience.OUTSIDER, "both"),
        ("all de outside", "de", Audience.OUTSIDER, "outside"),
        ("all de", "de", Audience.OUTSIDER, "de"),
        ("all", "de", Audience.OUTSIDER, "all"),
        ("all de outside both", "en", Audience.INSIDER, "all"),
        ("all de outside both", "de-AT", Audience.INSIDER, "de"),
        ("outside both", "de", Audience.INSIDER, None),
        ("", "de", Audience.OUTSIDER, None),
    ],
)
def test_the_most_specific_words_win(there, tag, audience, won):
    found = named(**dict.fromkeys(there.split())).find(FULL, tag, audience)
    assert (found.cause if found else None) == won


def test_words_of_another_reason_are_not_found():
    assert named(all=1).find(Reason.SPAM, "en", Audience.INSIDER) is None
    assert NO_OVERRIDES.find(FULL, "en", Audience.INSIDER) is None


@pytest.mark.parametrize(
    "text",
    [
        "Plain words.",
        "{address} {domain} {host} {postmaster} {contact} {subject} {number}",
        "{{ is a brace and }} too",
    ],
)
def test_good_words(text):
    assert check_override(text) is None
    assert filled(text, VALUES) is not None


@pytest.mark.parametrize(
    "text",
    [
        "",
        "  ",
        "{nothing}",
        "{}",
        "{0}",
        "{address.__class__}",
        "{address[0]}",
        "{address!r}",
        "{address:>1000000000}",
        "{address:{domain}}",
        "{address",
        "address}",
        "{",
        "{reply}",
        "two\nlines",
        "an escape \x1b[31m",
        "the other way \u202e round",
    ],
)
def test_bad_words_are_told_with_a_remedy(text):
    complaint = check_override(text)
    assert complaint is not None
    assert ": " in complaint
    assert filled(text, VALUES) is None


@given(st.text(st.sampled_from("{}[]!:.ab address\n\x00"), max_size=40))
def test_no_text_raises(text):
    filled_in = filled(text, VALUES)
    assert (filled_in is None) == (check_override(text) is not None)


def test_what_stands_in_a_place_is_no_template():
    assert filled("{subject}", {"subject": "{host} {0} {"}) == "{host} {0} {"


def full(**more):
    return line(diagnosis=said(552, "5.2.2", "full"), **more)


def with_words(override, **more):
    return entry(full(**more), facts(overrides=Overrides({(FULL, "", None): override})))


def test_the_words_of_a_house_stand_in_place_of_ours():
    told = with_words(Override(cause="{address} is full.", steps=("Call them.",)))
    assert told.cause == "anna@customer.example is full."
    assert told.steps == ("Call them.",)
    assert told.reason is FULL


def test_a_half_leaves_the_other_half_ours():
    ours = entry(full(), facts())
    assert with_words(Override(cause="Full.")).steps == ours.steps
    assert with_words(Override(steps=())).cause == ours.cause
    assert with_words(Override(steps=())).steps == ()


@pytest.mark.parametrize(
    "bad",
    [Override(cause="{oops}", steps=("{oops}",)), Override(cause="Call {contact}.", steps=("{contact}.",))],
)
def test_what_cannot_be_filled_leaves_ours(bad):
    assert with_words(bad) == entry(full(), facts())


def test_a_delay_is_told_in_our_words():
    waiting = line(action=Action.DELAYED, diagnosis=SILENT)
    own = Overrides({(Reason.HOST_SILENT, "", None): Override(cause="Gone.", steps=("Give up.",))})
    assert entry(waiting, facts(overrides=own)) == entry(waiting, facts())


def test_no_words_of_a_house_name_the_host_behind_an_alias():
    told = with_words(Override(cause="{host} is full."), member=Mailbox("hidden", "behind.example"))
    assert "mx1" not in told.cause


def test_words_are_looked_for_in_the_language_of_the_report():
    own = Overrides({(FULL, "de", None): Override(cause="Voll.")})
    assert entry(full(), facts(overrides=own, language=Language("de"))).cause == "Voll."
    assert entry(full(), facts(overrides=own)).cause != "Voll."
