"""The plain form of a report, and the 7-bit form of an 8-bit one: what goes out when something is wrong."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from msgspec.structs import replace
from tests.unit.report.samples import CONTENT, HEADER, facts, groups, judged, kinds, line, said

from byreturn.mail import Language, Mailbox
from byreturn.report import Action, Audience, compose, compose_plain, parse_report, without_8bit


def test_it_says_who_did_not_get_it():
    content = compose_plain(facts(line("a@x.example"), line("b@x.example"))).content
    assert kinds(content) == ["text/plain", "message/delivery-status", "text/rfc822-headers"]
    text = judged(content).get_payload(0).get_content().replace("\r\n", "\n")
    assert text.startswith("Your message was not delivered to:\n\n  a@x.example\n  b@x.example\n")
    assert [group["final-recipient"] for group in groups(content)[1:]] == [
        "rfc822; a@x.example",
        "rfc822; b@x.example",
    ]


def test_it_needs_no_language():
    def broken(*_: object) -> str:
        raise KeyError("no such sentence")

    about = facts(language=Language("xx", broken, broken))
    with pytest.raises(KeyError):
        compose(about)
    assert parse_report(compose_plain(about).content) is not None


@dataclass
class Odd:
    """A value that is none of those that were promised."""

    text: str = "x\r\nBcc: y@z.example\x00\u2028"

    def __str__(self) -> str:
        return self.text


@pytest.mark.parametrize(
    "odd",
    [
        {"accepted_at": 10**30},
        {"composed_at": -(10**30)},
        {"message_id": "none"},
        {"boundary": ""},
        {"queue_id": Odd()},
        {"envid": Odd()},
        {"reporting_mta": Odd()},
        {"original_id": Odd()},
        {"thread": (Odd(),)},
        {"reverse_path": Odd()},
        {"postmaster": Mailbox("", "")},
        {"header_block": b"\xff\x00\r\n--=_plain_report\r\n\r\n"},
        {"subject": Odd()},
        {"language": None},
    ],
)
def test_no_fact_is_too_odd_for_it(odd):
    report = compose_plain(replace(facts(), **odd))
    read = parse_report(report.content)
    assert read is not None
    assert [each.final_recipient.value for each in read.lines] == ["anna@customer.example"]
    assert report.content.isascii()
    assert b"\r\nBcc:" not in report.content
    assert len(kinds(report.content)) == 3


def test_it_says_nothing_of_a_member():
    member = Mailbox("mia.private", "elsewhere.example")
    about = facts(line("team@here.example", diagnosis=said(550, "5.1.1", "mia.private?"), member=member))
    assert b"mia" not in compose_plain(about).content
    assert b"mia" in compose_plain(replace(about, audience=Audience.POSTMASTER)).content


def test_without_8bit_the_header_comes_back_and_nothing_else_changes():
    before = compose(facts(content=CONTENT + "Grüße\r\n".encode()))
    assert before.is_8bit
    after = without_8bit(b"Received: from here\r\n" + before.content)
    assert after is not None
    assert after.isascii()
    assert kinds(after) == ["multipart/alternative", "message/delivery-status", "text/rfc822-headers"]
    assert judged(after)["Content-Transfer-Encoding"] is None
    read = parse_report(after)
    assert read is not None
    assert read.returned == HEADER


def test_without_8bit_takes_reports_of_ours_alone():
    assert without_8bit(compose(facts()).content) is None
    assert without_8bit(CONTENT) is None
    before = compose(facts(content=CONTENT + "Grüße\r\n".encode())).content
    assert without_8bit(before[:-4]) is None
    assert without_8bit(before.replace(b"Your message was", "Ihre Nächricht".encode(), 1)) is None


def test_a_shrunk_report_is_text_and_header():
    content = compose(facts(is_shrunk=True)).content
    assert kinds(content) == ["text/plain", "message/delivery-status", "text/rfc822-headers"]
    assert len(content) < len(compose(facts()).content) * 2 / 3


def test_what_has_gone_through_is_no_delivery_status():
    from byreturn.report import compose_cleared

    for action, start in ((Action.RELAYED, "Accepted after all"), (Action.DELIVERED, "Delivered after all")):
        note = judged(compose_cleared(facts(line(action=action))).content)
        assert note.get_content_type() == "multipart/alternative"
        assert note["Subject"] == f"{start}: Offer for the spring fair"
        assert note["Auto-Submitted"] == "auto-replied"
        assert note["In-Reply-To"] == "<offer-17@here.example>"
