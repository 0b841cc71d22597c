"""Reports, in a language that nobody speaks: every word of ours for people was said in it."""

import html
import re

import pytest
from tests.languages.pseudo import PSEUDO, plain_words
from tests.unit.report.samples import composed, facts, forms, judged, line, said

from byreturn.config import load_languages
from byreturn.mail import Cause, Mailbox, Phase, WeFound
from byreturn.report import Action, Audience, Kin, Progress, Standing, Suggestion, compose_cleared

GERMAN = load_languages()[0]["de"]
AT = 1_772_527_300_000

# What stands in a report and was not said by us: names, addresses, times, and words of the protocol.
VALUES = re.compile(
    r"[\w.+-]+@[\w.-]+|[\w-]+(?:\.[\w-]+)*\.example|UTC|Offer for the spring fair|[Qq]z\w*"
    r"|\b(?:RCPT TO|MAIL FROM|EHLO|DATA|STARTTLS|RSET|QUIT)\b|[0-9A-Z]{4}-[0-9A-Z]{4}|0G5XK3Z9T8W2M|TLSv1"
)

STANDINGS = tuple(
    Standing(
        recipient=Mailbox("qz", "other.example"), progress=progress, at=AT, next_try_at=AT + 900_000,
        next_notice_at=notice, gives_up_at=AT + 90_000_000, is_told=is_told,
    )
    for progress in Progress
    for notice, is_told in ((AT + 14_400_000, True), (None, False))
)  # fmt: skip
SUGGESTIONS = tuple(Suggestion(Mailbox("qz", "supplier.example"), kin) for kin in Kin)

DIAGNOSES = [
    *(WeFound(cause, "", "mx.dead.example", "192.0.2.9", Phase.GREETING) for cause in Cause),
    *(WeFound(Cause.SILENT, "Qz", phase=phase) for phase in Phase),
    *(said(550, "5.7.1", "Qz", phase=phase) for phase in Phase),
    *(
        said(code, status, "Qz qzz")
        for code, status in (
            (550, "5.1.1"), (550, "5.1.2"), (552, "5.2.2"), (550, "5.2.1"), (550, "5.7.1"), (554, "5.7.7"),
            (552, "5.3.4"), (530, "5.7.0"), (554, "5.4.6"), (452, "4.5.3"), (451, "4.7.1"), (421, "4.3.2"),
            (550, "5.7.26"), (554, "5.6.0"), (550, ""), (450, ""), (250, "2.0.0"),
        )
    ),
    None,
]  # fmt: skip


def spoken(recipient="qz@customer.example", **more):
    """A recipient about whom no English word was said by a peer."""
    return line(recipient, **{"diagnosis": said(550, "5.1.1", "Qz"), **more})


def english_left(content):
    """The plain words in the form for people, in its text and in its HTML, and in the subject."""
    shown = forms(content)
    text = shown["text/plain"]
    page = re.sub(r"(?s)<(style|head|!--).*?(</\1>|-->)", " ", shown.get("text/html", ""))
    page = html.unescape(re.sub(r"<[^>]*>", " ", page))
    title = str(judged(content)["Subject"])
    return sorted({word for part in (text, page, title) for word in plain_words(VALUES.sub(" ", part))})


@pytest.mark.parametrize("audience", Audience, ids=lambda audience: audience.value)
@pytest.mark.parametrize("action", Action, ids=lambda action: action.value)
def test_every_cause_is_said_in_the_language(action, audience):
    found = {}
    for diagnosis in DIAGNOSES:
        one = line(action=action, diagnosis=diagnosis, attempts=3, found_at=AT, next_try_at=AT + 900_000,
            next_notice_at=AT + 14_400_000, will_retry_until=AT + 90_000_000)  # fmt: skip
        left = english_left(
            composed(one, language=PSEUDO, audience=audience, contact="Qz", resolver="192.0.2.53")
        )
        if left:
            found[str(diagnosis)] = left
    assert found == {}


@pytest.mark.parametrize(
    "more",
    [
        {"expired": True},
        {"expired": True, "attempts": 1},
        {"returned": True, "note": "Qz qzz"},
        {"returned": True},
        {"member": Mailbox("qz", "hidden.example")},
        {"suggestions": SUGGESTIONS[:1], "is_likely": True},
        {"suggestions": SUGGESTIONS[1:2], "is_likely": True},
        {"suggestions": SUGGESTIONS[2:3]},
        {"suggestions": SUGGESTIONS[3:4]},
        {"suggestions": SUGGESTIONS[:2]},
    ],
    ids=str,
)
def test_so_is_all_that_can_be_said_of_one(more):
    several = (spoken(**{"attempts": 7} | more), spoken("qz@other.example", **more))
    assert english_left(composed(several[0], language=PSEUDO)) == []
    assert english_left(composed(*several, language=PSEUDO, recipient_count=30)) == []


def test_so_is_what_is_said_of_the_others():
    more = tuple((progress, n) for progress in Progress for n in (1, 7))
    content = composed(spoken(), language=PSEUDO, others=STANDINGS, more=more, recipient_count=90)
    assert english_left(content) == []


def test_so_are_many_at_once():
    lines = [
        spoken(f"qz{number}@customer.example", action=action) for action in Action for number in range(150)
    ]
    assert english_left(composed(*lines, language=PSEUDO)) == []


def test_so_is_that_it_has_gone_through_after_all():
    for action in (Action.RELAYED, Action.DELIVERED):
        one, other = spoken(action=action), spoken("qz@other.example", action=action)
        for lines in ((one,), (one, other)):
            content = compose_cleared(facts(*lines, language=PSEUDO)).content
            assert english_left(content) == []


def test_a_german_report_reads_like_one():
    content = composed(language=GERMAN, subject="Angebot für die Frühjahrsmesse")
    text = forms(content)["text/plain"]
    assert "Nicht zugestellt" in str(judged(content)["Subject"])
    assert text.startswith("Ihre Nachricht wurde nicht zugestellt.")
    assert "Di, 3. März 2026, 08:41:06 (UTC)" in text
    assert "hat geantwortet, dass es dieses Postfach dort nicht gibt" in " ".join(text.split())
    assert "Fragen? postmaster@here.example; bitte nennen Sie" in " ".join(text.split())
