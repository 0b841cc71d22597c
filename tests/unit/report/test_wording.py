"""The words for people: complete, plain, kind, and true."""

from __future__ import annotations

import re
import string

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.report.samples import ACCEPTED_AT, QUEUED, SILENT, UNKNOWN, composed, facts, line, said

from byreturn.mail import (
    DAY,
    HOUR,
    MINUTE,
    SECOND,
    Cause,
    Language,
    Mailbox,
    PeerSaid,
    Phase,
    Reply,
    WeFound,
)
from byreturn.report import Action, Audience, Kin, Mender, Reason, Suggestion
from byreturn.report.remedies import ABOUT_THE_MESSAGE, BEHIND_HELP, HELP, STEPS_LIMIT
from byreturn.report.sentences import BEHIND, FOUND, SAID
from byreturn.report.struck import STRUCK, struck
from byreturn.report.wording import (
    entry,
    finding,
    gave_up,
    headline,
    roughly,
)

HIDDEN = Mailbox("hidden", "behind.example")
# What is ours alone, and what people do not say.
NOT_FOR_PEOPLE = re.compile(
    r"\b(gather\w*|settl\w*|lanes?|fence\w*|claim\w*|ow(e|ed|es|ing)|bounc\w*|by return|fatal|illegal|"
    r"invalid|reject\w*|your fault|you (have )?failed|wrong|unfortunately|sorry|please|fail(ed|ure))\b",
    re.IGNORECASE,
)
# One reply for each reason that a reply can have, and for some a reply that only suggests it.
REPLIES = {
    Reason.NO_SUCH_MAILBOX: (said(550, "5.1.1", "no"), said(550, "", "no")),
    Reason.MAILBOX_CLOSED: (said(550, "5.2.1", "no"),),
    Reason.MAILBOX_FULL: (said(552, "5.2.2", "no"), said(552, "", "no")),
    Reason.NO_SUCH_DOMAIN: (said(550, "5.1.2", "no"),),
    Reason.NO_MAIL_THERE: (said(556, "5.1.10", "no"), said(521, "", "no")),
    Reason.BROKEN_DOMAIN: (said(550, "5.4.4", "no"),),
    Reason.LOOKUP_FAILED: (said(550, "5.4.3", "no"),),
    Reason.HOST_DOWN: (said(451, "4.4.1", "no"),),
    Reason.BROKEN_DIALOGUE: (said(503, "5.5.1", "no"), said(503, "", "no")),
    Reason.TRY_LATER: (said(451, "4.3.0", "no"), said(554, "", "try later")),
    Reason.TOO_MUCH_MAIL: (said(450, "4.7.28", "no"),),
    Reason.POLICY: (said(550, "5.7.0", "no"), said(550, "", "access denied")),
    Reason.SPAM: (said(554, "", "looks like spam"), said(554, "", "spam")),
    Reason.REPUTATION: (said(554, "", "blocked using x"), said(554, "", "no", phase=Phase.GREETING)),
    Reason.SENDER_REFUSED: (said(550, "5.1.8", "no"), said(550, "", "no", phase=Phase.MAIL)),
    Reason.NOT_AUTHENTICATED: (said(550, "5.7.26", "no"),),
    Reason.RELAYING: (said(554, "5.7.1", "relay access denied"), said(530, "", "no")),
    Reason.TOO_LARGE: (said(552, "5.3.4", "no"), said(552, "", "no", phase=Phase.MAIL)),
    Reason.TOO_MANY_RECIPIENTS: (said(452, "4.5.3", "no"),),
    Reason.CONTENT: (said(554, "5.6.1", "no"),),
    Reason.NEEDS_8BIT: (said(554, "5.6.3", "no"),),
    Reason.TLS_DEMANDED: (said(530, "5.7.10", "no"),),
    Reason.TLS_FAILED: (said(454, "4.7.5", "no"),),
    Reason.LOOP: (said(554, "5.4.6", "no"),),
    Reason.NOT_CLASSIFIED: (said(554, "5.0.0", "no"), said(554, "")),
}
DIAGNOSES = [
    None,
    *[WeFound(cause, "detail", "mx.dead.example", "192.0.2.9") for cause in Cause],
    *[WeFound(cause, "detail", "mx.dead.example", "192.0.2.9", Phase.END_OF_CONTENT) for cause in Cause],
    *[reply for replies in REPLIES.values() for reply in replies],
]
WAYS = {
    "plain": {},
    "expired": {"expired": True, "attempts": 3},
    "returned": {"returned": True, "note": "Sent by mistake."},
    "alias": {"member": HIDDEN},
}


def told(audience=Audience.INSIDER, language=None, contact="", **more):
    given_facts = {"audience": audience, "contact": contact}
    if language is not None:
        given_facts["language"] = language
    return entry(line(**more), facts(**given_facts))


def everything(said_of):
    return [said_of.cause, *said_of.steps, *filter(None, (said_of.question, said_of.grounds))]


# --- Complete -----------------------------------------------------------------------------------------


def test_every_cause_and_every_reason_has_its_words():
    assert set(FOUND) == set(Cause)
    assert set(SAID) == set(HELP) == set(Reason)
    for words in FOUND.values():
        assert not words.finding.endswith(".")
        assert words.finding


@pytest.mark.parametrize("reason", list(REPLIES))
def test_a_reply_is_worded_by_its_reason(reason):
    sure, *guesses = REPLIES[reason]
    entries = [told(diagnosis=sure), *[told(diagnosis=guess) for guess in guesses]]
    assert {one.reason for one in entries} == {reason}
    assert not entries[0].is_guess
    if guesses and reason is not Reason.NOT_CLASSIFIED:
        assert entries[1].is_guess
        assert "most likely" in entries[1].cause
        assert "most likely" not in entries[0].cause


def test_what_we_found_ourselves_has_the_other_reasons():
    ours = {told(diagnosis=WeFound(cause)).reason for cause in Cause}
    assert ours | set(REPLIES) == set(Reason)


@pytest.mark.parametrize("audience", list(Audience))
@pytest.mark.parametrize("action", list(Action))
@pytest.mark.parametrize("way", list(WAYS))
def test_all_that_is_said_is_for_people(action, audience, way):
    for diagnosis in DIAGNOSES:
        for contact in ("", "telephone 4711"):
            one = told(audience, contact=contact, action=action, diagnosis=diagnosis, **WAYS[way])
            assert len(one.steps) <= STEPS_LIMIT
            assert one.cause
            for sentence in everything(one):
                assert sentence[0].isupper(), sentence
                assert sentence.endswith((".", "?", '."', '"')), sentence
                assert NOT_FOR_PEOPLE.search(sentence) is None, sentence
                assert "{" not in sentence
                assert "None" not in sentence
                assert "  " not in sentence
                assert "hidden" not in sentence
            if way == "alias":
                assert "customer.example answered" not in one.cause
                assert "mx1" not in one.cause


@pytest.mark.parametrize("audience", list(Audience))
def test_while_we_are_trying_nothing_is_asked_for(audience):
    for diagnosis in DIAGNOSES:
        one = told(audience, action=Action.DELAYED, diagnosis=diagnosis)
        assert one.steps == ()
        assert one.mender in (Mender.NOBODY, Mender.POSTMASTER)
        assert "refused the message and" not in one.cause


def test_every_failure_offers_something():
    for diagnosis in DIAGNOSES:
        assert told(diagnosis=diagnosis).steps


def test_every_sentence_is_said_in_the_readers_language():
    asked = []
    places = []

    def lookup(text):
        asked.append(text)
        places.append({place for _, place, _, _ in string.Formatter().parse(text) if place})
        return "<" + text + ">"

    strange = Language("xx", lookup, lambda one, many, n: lookup(one if n == 1 else many))
    for way in WAYS.values():
        for action in Action:
            for diagnosis in DIAGNOSES:
                one = told(language=strange, action=action, diagnosis=diagnosis, **way)
                for sentence in everything(one):
                    assert sentence[0] == "<"
                    assert sentence[-1] == ">"
    assert 'Check the spelling before the "@".' in asked
    assert set().union(*places) <= {"address", "domain", "postmaster", "reply", "note", "cause", "span", "n"}


# --- True and kind ------------------------------------------------------------------------------------


def test_the_example_of_a_misspelled_domain():
    meant = Suggestion(Mailbox("sales", "supplier.example"), Kin.SAME_DOMAIN)
    one = told(
        recipient="sales@suplier.example",
        diagnosis=WeFound(Cause.NO_SUCH_DOMAIN),
        suggestions=(meant,),
        is_likely=True,
    )
    assert one.cause == 'The domain "suplier.example" does not exist.'
    assert one.question == "Did you mean sales@supplier.example?"
    assert one.grounds == "You have sent mail to supplier.example before."
    assert one.steps == ("Check the address, then send again to this recipient.",)
    assert one.mender is Mender.SENDER


def test_the_example_of_an_unknown_mailbox():
    one = told(diagnosis=UNKNOWN)
    assert one.cause == "The mail server for customer.example answered that it has no such mailbox."
    assert one.steps == (
        'Check the spelling before the "@".',
        "If it is right, reach the recipient another way.",
    )


def test_a_silent_host_is_waited_for():
    waiting = told(recipient="bert@dead.example", action=Action.DELAYED, diagnosis=SILENT)
    assert waiting.cause == "We are waiting for the mail server for dead.example to answer."


def test_what_is_not_classified_is_quoted():
    one = told(diagnosis=said(554, "5.0.0", 'Transaction "A" failed.', "See\tthe \x1b[1mlist"))
    assert one.cause == (
        "The mail server for customer.example refused the message and answered "
        "\"Transaction 'A' failed. See the [1mlist\"."
    )
    assert len(told(diagnosis=said(554, "5.0.0", "hm " * 500)).cause) < 300
    assert told(diagnosis=said(554, "")).cause.endswith("without saying why.")


def test_an_expired_recipient_has_the_last_finding():
    one = told(
        recipient="bert@dead.example",
        diagnosis=SILENT,
        expired=True,
        attempts=40,
        last_attempt_at=ACCEPTED_AT + 5 * DAY,
    )
    assert one.cause == (
        "We tried for 5 days, 40 times, and have stopped. "
        "What was last found: The mail server for dead.example did not answer."
    )
    assert told(diagnosis=None, expired=True).cause == "We stopped trying after 2 minutes."


def test_a_returned_message_has_the_postmasters_note():
    one = told(diagnosis=SILENT, returned=True, note='Not "yours"\nhidden@behind.example', member=HIDDEN)
    assert one.cause.startswith(
        f"Our postmaster returned the message. The postmaster says: \"Not 'yours' {STRUCK}\" What was"
    )
    assert told(diagnosis=None, returned=True).cause == "Our postmaster returned the message."
    assert one.mender is Mender.POSTMASTER


def test_a_lost_answer_is_not_called_a_loss():
    cut = WeFound(Cause.LOST_CONNECTION, "", "mx1.x.example", "192.0.2.1", Phase.END_OF_CONTENT)
    one = told(diagnosis=cut)
    assert one.cause.endswith("it may have taken it even so.")
    assert one.steps[0] == "Ask the recipient whether the message has arrived."


def test_success_promises_no_more_than_is_known():
    relayed = told(action=Action.RELAYED, diagnosis=QUEUED)
    assert relayed.cause == (
        "The mail server for customer.example accepted the message. "
        "We cannot see what happens to it after that."
    )
    assert relayed.reason is None
    assert "deliver" not in relayed.cause
    assert told(action=Action.DELIVERED).cause == "The message is in the mailbox."


# --- An alias -----------------------------------------------------------------------------------------


def test_of_an_alias_the_address_behind_it_is_judged():
    one = told(recipient="sales@here.example", diagnosis=UNKNOWN, member=HIDDEN)
    assert one.cause == "This address passes mail on to another one, and that one does not exist."
    assert one.mender is Mender.POSTMASTER
    assert not any("spelling" in step for step in one.steps)


def test_of_an_alias_the_sender_may_still_change_the_message():
    large = told(diagnosis=said(552, "5.3.4", "no"), member=HIDDEN)
    assert large.steps == HELP[Reason.TOO_LARGE].steps
    assert set(BEHIND) >= ABOUT_THE_MESSAGE


def test_of_an_alias_no_guess_is_told_and_nothing_asked_for_because_of_it():
    guess = told(diagnosis=said(552, "", "no", phase=Phase.MAIL), member=HIDDEN)
    assert guess.is_guess
    assert "large" not in " ".join(everything(guess))
    assert guess.mender is BEHIND_HELP.mender is Mender.POSTMASTER


def test_an_answer_without_words_is_not_to_be_read():
    assert not any("Read the answer" in step for step in told(diagnosis=said(554, "")).steps)
    assert any("Read the answer" in step for step in told(diagnosis=said(554, "", "no")).steps)


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("<hidden@behind.example>: User unknown", "<***>: User unknown"),
        ("HIDDEN@Behind.Example unknown", "*** unknown"),
        ("No such user hidden.", "No such user ***."),
        ("bounces+hidden=behind.example@x.example", "bounces+***@x.example"),
        ("hidden%behind.example@gate.example", "***@gate.example"),
        ('unknown user: "hidden"', 'unknown user: "***"'),
        ("something hiddenly said at mx.behind.example", "something hiddenly said at mx.behind.example"),
        ("hidden.address@behind.example", "hidden.address@behind.example"),
    ],
)
def test_the_member_is_struck_out(text, left):
    assert struck(text, line(member=HIDDEN)) == left
    assert struck(text, line()) == text


def test_a_member_in_other_spellings_is_struck_out():
    quoted = line(member=Mailbox('"john doe"', "behind.example"))
    assert struck('"john doe"@behind.example and john doe@behind.example', quoted) == "*** and ***"
    umlaut = line(member=Mailbox("anna", "bücher.example"))
    assert struck("anna@xn--bcher-kva.example, anna@bücher.example", umlaut) == "***, ***"
    assert struck("words", line(member=Mailbox("", ""))) == "words"


def test_no_part_of_a_report_names_the_member():
    peer = said(550, "5.1.1", "<hidden@behind.example>: no such user hidden")
    found = WeFound(Cause.STORE_FAILED, "hidden@behind.example: disk full")
    for diagnosis in (peer, found):
        content = composed(line(member=HIDDEN, diagnosis=diagnosis)).decode()
        assert STRUCK in content
        assert "hidden" not in content


# --- For whom -----------------------------------------------------------------------------------------


def test_a_stranger_is_not_told_how_to_call_our_house():
    ours = {"diagnosis": WeFound(Cause.OUR_BUG), "contact": "telephone 4711"}
    assert "4711" in " ".join(told(Audience.INSIDER, **ours).steps)
    assert "4711" not in " ".join(told(Audience.OUTSIDER, **ours).steps)
    assert "postmaster@here.example" in " ".join(told(Audience.OUTSIDER, **ours).steps)


def test_the_postmaster_is_told_what_a_postmaster_can_do():
    blocked = said(554, "", "blocked using x")
    assert told(Audience.POSTMASTER, diagnosis=blocked).steps == HELP[Reason.REPUTATION].postmaster
    assert told(Audience.INSIDER, diagnosis=blocked).steps[0].startswith("Forward this report to postmaster@")


def suggested(*kins, audience=Audience.INSIDER, likely=False):
    meant = tuple(Suggestion(Mailbox(f"anna{n}", "c.example"), kin) for n, kin in enumerate(kins))
    return told(audience, suggestions=meant, is_likely=likely)


def test_did_you_mean():
    assert suggested(Kin.COMMON, likely=True).question == "Did you mean anna0@c.example?"
    assert suggested(Kin.COMMON).question == "Could you have meant anna0@c.example?"
    assert suggested(Kin.COMMON, Kin.COMMON).question == "Did you mean anna0@c.example or anna1@c.example?"
    assert suggested().question == ""
    assert all(suggested(kin).grounds for kin in Kin)


def test_of_our_people_strangers_are_told_nothing():
    assert suggested(Kin.COLLEAGUE, audience=Audience.OUTSIDER).question == ""
    assert suggested(Kin.COLLEAGUE, Kin.COMMON, audience=Audience.OUTSIDER).question == (
        "Could you have meant anna1@c.example?"
    )
    assert suggested(Kin.CORRESPONDENT, audience=Audience.POSTMASTER).grounds == ""


# --- The evidence and the head ------------------------------------------------------------------------


def test_finding():
    where = "mx.dead.example [192.0.2.9], no greeting within 5 minutes"
    assert finding(SILENT, 500) == f"We found: no answer in time ({where})"
    assert finding(WeFound(Cause.LOOP, "a mail loop"), 500) == "We found: a mail loop"


@pytest.mark.parametrize(
    ("count", "total", "words"),
    [
        (1, 1, "Your message was not delivered."),
        (1, 3, "Your message was not delivered to one of its 3 recipients."),
        (2, 3, "Your message was not delivered to 2 of its 3 recipients."),
        (3, 3, "Your message was not delivered to any of its 3 recipients."),
        (2, 0, "Your message was not delivered to 2 recipients."),
        (1, 0, "Your message was not delivered to one recipient."),
    ],
)
def test_headline(count, total, words):
    assert headline(Action.FAILED, count, total) == words


def test_every_action_has_its_words():
    for action in Action:
        for count, total in [(1, 1), (1, 3), (2, 3), (3, 3), (2, 0), (1, 0)]:
            sentence = headline(action, count, total)
            assert sentence.endswith(".")
            assert "{" not in sentence


@pytest.mark.parametrize(
    ("span", "words"),
    [
        (0, "1 second"),
        (-HOUR, "1 second"),
        (9 * SECOND + 120, "9 seconds"),
        (90 * SECOND, "90 seconds"),
        (150 * SECOND, "2 minutes"),
        (90 * MINUTE, "90 minutes"),
        (DAY, "1 day"),
        (HOUR, "1 hour"),
        (26 * HOUR + 7, "26 hours"),
        (5 * DAY - MINUTE, "5 days"),
    ],
)
def test_roughly(span, words):
    assert roughly(span) == words


def test_gave_up():
    assert gave_up(0, 2 * DAY) == "We stopped trying after 2 days."
    assert gave_up(1, 2 * DAY) == "We tried for 2 days, once, and have stopped."
    assert gave_up(7, 2 * DAY) == "We tried for 2 days, 7 times, and have stopped."


# --- Whatever comes in --------------------------------------------------------------------------------

anything = st.text(max_size=60)
mailboxes = st.builds(Mailbox, anything, anything)
replies = st.builds(
    PeerSaid,
    st.builds(Reply, st.integers(200, 599), st.none(), st.lists(anything, max_size=3).map(tuple)),
    anything,
    anything,
    st.sampled_from(Phase),
)
findings = st.builds(WeFound, st.sampled_from(Cause), anything, anything, anything, st.sampled_from(Phase))


@given(
    recipient=mailboxes,
    action=st.sampled_from(Action),
    diagnosis=st.none() | replies | findings,
    member=st.none() | mailboxes,
    note=anything,
    returned=st.booleans(),
    suggestions=st.lists(st.builds(Suggestion, mailboxes, st.sampled_from(Kin)), max_size=2).map(tuple),
    contact=anything,
)
def test_nothing_that_comes_in_gets_out_as_it_is(recipient, contact, **more):
    about = line("a@b.example", **more)
    about = type(about)(
        **{name: getattr(about, name) for name in about.__struct_fields__} | {"recipient": recipient}
    )
    one = entry(about, facts(contact=contact, subject=contact))
    for sentence in everything(one):
        assert re.search("[\x00-\x1f\x7f-\x9f\u202a-\u202e\u2028\u2029]", sentence) is None
        assert len(sentence) < 3000
