"""The words for people: complete, plain, kind, and true."""

from __future__ import annotations

import re

import pytest
from tests.unit.report.samples import ACCEPTED_AT, QUEUED, SILENT, UNKNOWN, composed, facts, human, line, said

from byreturn.mail import DAY, HOUR, MINUTE, SECOND, Cause, PeerSaid, Phase, WeFound
from byreturn.report import Action
from byreturn.report.human import human_text, wrap
from byreturn.report.wording import FOUND, SUBJECTS, cause_and_advice, gave_up, headline, roughly

# What is ours alone, and what people do not say.
NOT_FOR_PEOPLE = re.compile(
    r"\b(gather\w*|settl\w*|lanes?|fence\w*|claim\w*|ow(e|ed|es|ing)|bounc\w*|by return|fatal|illegal|"
    r"invalid|reject\w*|your fault|you (have )?failed|wrong)\b",
    re.IGNORECASE,
)
DIAGNOSES = [
    None,
    *[WeFound(cause, "detail") for cause in Cause],
    *[WeFound(cause, "detail", "mx.dead.example", "192.0.2.9", Phase.END_OF_CONTENT) for cause in Cause],
    *[
        said(code, f"{code // 100}.{subject}.{detail}", "their words", phase=phase)
        for code in (421, 450, 452, 550, 551, 552, 554)
        for subject, detail in [(0, 0), (1, 1), (1, 10), (2, 1), (2, 2), (2, 3), (3, 4), (7, 1), (9, 9)]
        for phase in (Phase.MAIL, Phase.RCPT, Phase.END_OF_CONTENT)
    ],
    *[said(code, "", "their words", phase=phase) for code in (450, 550, 552, 554) for phase in Phase],
]  # fmt: skip


def test_every_cause_has_words():
    assert set(FOUND) == set(Cause)
    for words in FOUND.values():
        assert words.cause.endswith(".")
        assert not words.finding.endswith(".")
        assert words.finding
        assert not words.advice or words.advice.endswith(".")
        # "The last time, the mail server ...": the first word can be written small.
        assert words.cause.split()[0] in {"The", "There", "An", "A"}


def test_every_action_has_its_words():
    assert set(SUBJECTS) == set(Action)
    for action in Action:
        for count, total in [(1, 1), (1, 3), (2, 3), (3, 3), (2, 0), (1, 0)]:
            assert headline(action, count, total).endswith(".")


@pytest.mark.parametrize("action", list(Action))
@pytest.mark.parametrize(
    "more", [{}, {"expired": True, "attempts": 3}, {"returned": True}, {"is_alias": True}], ids=str
)
def test_all_that_is_said_is_for_people(action, more):
    for diagnosis in DIAGNOSES:
        text = human_text(facts(line(action=action, diagnosis=diagnosis, **more)), "").replace("\r\n", "\n")
        assert NOT_FOR_PEOPLE.search(text) is None, text
        assert "{" not in text
        assert "None" not in text
        assert "  \n" not in text
        assert max(map(len, text.splitlines())) <= 76


def test_who_said_it_is_told_apart():
    text = human(composed(line(), line("bert@dead.example", diagnosis=SILENT)))
    assert (
        "    mx1.customer.example [198.51.100.7] answered to RCPT TO:\n"
        "      550-5.1.1 The email account that you tried to reach does not exist.\n"
        "      550 5.1.1 Please check it.\n"
    ) in text
    assert (
        "    We found: no answer in time (mx.dead.example [192.0.2.9], no greeting\n      within 5 minutes)\n"
    ) in text


@pytest.mark.parametrize(
    ("diagnosis", "words"),
    [
        (UNKNOWN, "does not know this address. Please check the spelling"),
        (said(550, "", "no"), "most often, this means that there is no such mailbox"),
        (said(550, "", "no", phase=Phase.MAIL), "refused the message. Its own words below"),
        (said(552, "5.2.2", "full"), "says that the mailbox is full"),
        (said(552, "", "full"), "says that the mailbox is full"),
        (said(552, "", "large", phase=Phase.MAIL), "says that the message is too large"),
        (said(552, "5.3.4", "large", phase=Phase.MAIL), "says that the message is too large"),
        (said(550, "5.7.1", "spam"), "does not take this message, by its own rules"),
        (said(550, "5.7.26", "DMARC"), "does not take this message, by its own rules"),
        (said(554, "5.0.0", "no"), "refused the message"),
        (said(550, "5.9.9", "no"), "refused the message"),
    ],
)
def test_a_peers_refusal_in_plain_words(diagnosis, words):
    cause, advice = cause_and_advice(line(diagnosis=diagnosis))
    assert words in f"{cause} {advice}"
    assert cause.startswith("The mail server mx1.customer.example ")


@pytest.mark.parametrize(
    ("diagnosis", "words"),
    [
        (said(450, "4.7.1", "greylisted"), "by its own rules, does not take this message yet"),
        (said(452, "4.2.2", "full"), "says that the mailbox is full"),
        (said(451, "", "later"), "asked us to come back later"),
        (said(451, "4.3.0", "later"), "asked us to come back later"),
    ],
)
def test_a_peers_deferral_in_plain_words(diagnosis, words):
    assert words in cause_and_advice(line(action=Action.DELAYED, diagnosis=diagnosis))[0]


def test_a_delay_asks_for_nothing():
    text = human(composed(line(action=Action.DELAYED, will_retry_until=ACCEPTED_AT + 5 * DAY)))
    text = " ".join(text.split())
    assert "We are still trying: there is nothing that you need to do." in text
    assert "We keep trying until Sun, 8 Mar 2026 08:41 UTC." in text
    assert "Please" not in text


def test_an_expired_recipient_has_the_last_finding():
    end = ACCEPTED_AT + DAY
    gone = line("bert@dead.example", diagnosis=SILENT, expired=True, attempts=1, last_attempt_at=end)
    text = human(composed(gone)).replace("\n    ", " ")
    assert "We gave up after one attempt in 1 day." in text
    assert "The last time, the mail server of the domain dead.example did not answer." in text


def test_an_expired_recipient_without_any_finding():
    text = human(composed(line(diagnosis=None, expired=True), composed_at=ACCEPTED_AT + 5 * DAY))
    assert "We gave up after 5 days.\n" in text


def test_a_returned_message_names_the_postmaster():
    text = human(composed(line(returned=True, diagnosis=SILENT))).replace("\n    ", " ")
    assert "The postmaster of mx.here.example returned the message. The last that we know: The mail" in text
    assert "The postmaster of mx.here.example returned the message.\n" in human(
        composed(line(returned=True, diagnosis=None))
    )


def test_a_lost_answer_is_not_called_a_loss():
    cut = WeFound(Cause.LOST_CONNECTION, "", "mx1.x.example", "192.0.2.1", Phase.END_OF_CONTENT)
    assert cause_and_advice(line(diagnosis=cut))[0].endswith("It may have taken the message all the same.")


def test_of_an_alias_the_address_behind_it_is_judged():
    no_domain = line(
        "sales@here.example",
        diagnosis=WeFound(Cause.NO_SUCH_DOMAIN),
        member=Mailbox("hidden", "behind.example"),
    )
    cause, advice = cause_and_advice(no_domain)
    assert cause == "The domain of the address behind this one does not exist."
    assert "here.example" not in cause + advice
    assert "spelling" not in advice
    assert (
        "does not know the address behind this one"
        in cause_and_advice(line(member=Mailbox("hidden", "behind.example")))[0]
    )


def test_success_promises_no_more_than_is_known():
    relayed = human(composed(line(action=Action.RELAYED, diagnosis=QUEUED)))
    assert "deliver" not in relayed.replace("does not report delivery", "")
    assert "Accepted by mx1.customer.example; that server does not report delivery" in relayed
    assert "250 2.0.0 Ok: queued as 4XyZ" in relayed


def test_a_peer_without_a_name():
    peer = PeerSaid(UNKNOWN.reply, "192.0.2.1", "192.0.2.1", Phase.GREETING)
    assert "    [192.0.2.1] answered at the greeting:\n" in human(composed(line(diagnosis=peer)))
    peer = PeerSaid(UNKNOWN.reply, "", "", Phase.DATA)
    assert "    The other server answered to DATA:\n" in human(composed(line(diagnosis=peer)))


def test_whom_to_ask():
    text = human(composed())
    assert "write to postmaster@here.example and quote\n0G5XK3Z9T8W2M." in text
    assert "Subject:  Offer for the spring fair" in text
    assert "Accepted: Tue, 3 Mar 2026 08:41 UTC" in text


@pytest.mark.parametrize(
    ("count", "total", "words"),
    [
        (1, 1, "Your message could not be delivered. It will not be tried again."),
        (1, 3, "delivered to 1 of its 3 recipients. It will not be tried again for this recipient."),
        (2, 3, "delivered to 2 of its 3 recipients. It will not be tried again for them."),
        (3, 3, "delivered to its 3 recipients. It will not be tried again for them."),
        (2, 0, "delivered to 2 recipients. It will not be tried again for them."),
        (1, 0, "delivered to one recipient. It will not be tried again for this recipient."),
    ],
)
def test_headline(count, total, words):
    assert words in headline(Action.FAILED, count, total)


@pytest.mark.parametrize(
    ("span", "words"),
    [
        (0, "1 second"),
        (-HOUR, "1 second"),
        (9 * SECOND + 120, "9 seconds"),
        (90 * SECOND, "90 seconds"),
        (150 * SECOND, "2 minutes"),
        (90 * MINUTE, "90 minutes"),
        (26 * HOUR + 7, "26 hours"),
        (5 * DAY - MINUTE, "5 days"),
    ],
)
def test_roughly(span, words):
    assert roughly(span) == words


def test_gave_up():
    assert gave_up(0, 2 * DAY) == "We gave up after 2 days."
    assert gave_up(7, 2 * DAY) == "We gave up after 7 attempts in 2 days."


def test_wrap_breaks_at_spaces_only():
    assert wrap("a  b", "  ") == "  a  b"
    assert wrap("word " * 20, "  ", "    ").split("\r\n")[1].startswith("    word")
    assert wrap("x" * 500 + " y") == "x" * 500 + "\r\ny"
    assert max(map(len, wrap("x" * 5000).split("\r\n"))) <= 998
