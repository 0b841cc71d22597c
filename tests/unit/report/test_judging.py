"""What replies mean: real ones, in replies.txt, and what no table can foresee."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.report.samples import said

from byreturn.mail import Cause, EnhancedStatus, PeerSaid, Phase, Reply, WeFound, enhanced_from_text
from byreturn.report import Judgement, Reason
from byreturn.report.clues import LOOKED_AT, plain
from byreturn.report.judging import OURS, judge
from byreturn.report.sentences import SAID

REPLIES = Path(__file__).with_name("replies.txt")


def real_replies():
    for text in REPLIES.read_text(encoding="utf-8").splitlines():
        if text and not text.startswith("#"):
            expected, phase, answered = text.split(maxsplit=2)
            reason = Judgement(Reason(expected.removesuffix("?")), is_guess=expected.endswith("?"))
            yield pytest.param(reason, Phase[phase], answered, id=f"{expected}: {answered[:60]}")


def peer(answered: str, phase: Phase) -> PeerSaid:
    status, text = enhanced_from_text(answered[4:])
    return PeerSaid(Reply(int(answered[:3]), status, (text,)), "mx1.customer.example", "198.51.100.7", phase)


@pytest.mark.parametrize(("expected", "phase", "answered"), list(real_replies()))
def test_a_real_reply_is_judged_right(expected, phase, answered):
    assert judge(peer(answered, phase)) == expected


def test_the_table_of_replies_is_broad():
    reasons = [param.values[0].reason for param in real_replies()]
    assert len(reasons) > 300
    # A peer cannot find our own faults, and says of its store and of hosts behind it only "later".
    assert set(Reason) - set(reasons) <= {Reason.OUR_FAULT, Reason.STORE_FAILED, Reason.HOST_SILENT}


def test_every_cause_of_ours_has_its_reason():
    assert set(OURS) == set(Cause)
    for cause in Cause:
        assert judge(WeFound(cause)) == Judgement(OURS[cause])


@pytest.mark.parametrize(
    ("status", "words", "reason"),
    [
        ("5.7.1", "User unknown", Reason.NO_SUCH_MAILBOX),
        ("5.7.1", "Relay access denied", Reason.RELAYING),
        ("5.7.1", "Message rejected as spam", Reason.SPAM),
        ("5.4.1", "Recipient address rejected: Access denied", Reason.NO_SUCH_MAILBOX),
        ("5.1.1", "Message rejected as spam", Reason.SPAM),
        ("5.1.1", "no", Reason.NO_SUCH_MAILBOX),
        ("5.2.2", "Message too large", Reason.TOO_LARGE),
    ],
)
def test_clear_words_go_before_the_status(status, words, reason):
    assert judge(said(550, status, words)) == Judgement(reason)


@pytest.mark.parametrize(
    ("code", "phase", "reason"),
    [
        (550, Phase.RCPT, Reason.NO_SUCH_MAILBOX),
        (550, Phase.MAIL, Reason.SENDER_REFUSED),
        (550, Phase.END_OF_CONTENT, Reason.POLICY),
        (552, Phase.RCPT, Reason.MAILBOX_FULL),
        (552, Phase.END_OF_CONTENT, Reason.TOO_LARGE),
        (554, Phase.GREETING, Reason.REPUTATION),
        (503, Phase.DATA, Reason.BROKEN_DIALOGUE),
    ],
)
def test_what_only_the_code_suggests_is_a_guess(code, phase, reason):
    assert judge(said(code, "", phase=phase)) == Judgement(reason, is_guess=True)


def test_nothing_that_tells_is_not_classified():
    assert judge(said(554, "5.0.0", "Transaction failed")) == Judgement(Reason.NOT_CLASSIFIED)


def test_a_reply_that_puts_off_is_at_least_that():
    assert judge(said(451, "", "hm")) == Judgement(Reason.TRY_LATER)
    assert judge(said(554, "", "Please try again later")) == Judgement(Reason.TRY_LATER, is_guess=True)


def test_an_address_or_a_link_in_a_reply_says_nothing():
    assert judge(said(554, "", "<spam@virus.example>: no")).reason is Reason.NOT_CLASSIFIED
    assert judge(said(554, "", "see https://x.example/spam/quota-exceeded")).reason is Reason.NOT_CLASSIFIED


def test_words_beyond_what_is_looked_at_say_nothing():
    assert plain("x" * LOOKED_AT + " user unknown") == "x" * LOOKED_AT
    assert judge(said(554, "", *["hm"] * LOOKED_AT, "user unknown")).reason is Reason.NOT_CLASSIFIED


@given(
    st.integers(200, 599),
    st.none()
    | st.builds(EnhancedStatus, st.sampled_from([2, 4, 5]), st.integers(0, 999), st.integers(0, 999)),
    st.lists(st.text(max_size=300), max_size=5).map(tuple),
    st.sampled_from(Phase),
)
def test_any_reply_has_a_reason_that_a_peer_can_have(code, status, lines, phase):
    assert judge(PeerSaid(Reply(code, status, lines), "", "", phase)).reason in SAID


@pytest.mark.parametrize(
    "text", ["a" * 2000, "@" * 2000, "user " * 400, "sender address " * 140, "1." * 1000]
)
def test_no_text_makes_it_slow(text):
    # A hundred times, in less than a second each: what is not linear takes minutes here.
    for _ in range(100):
        judge(said(554, "", text))
