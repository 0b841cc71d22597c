"""In which language and in whose time a sender is told."""

from datetime import UTC, datetime, timedelta, timezone
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from byreturn.mail import ENGLISH, Language, mailbox_from_text
from byreturn.policy import Manners, Wishes

ANN = mailbox_from_text("ann@example.org")
LANGUAGES = {tag: Language(tag) for tag in ("en", "de", "fr", "pt-BR")}
BERLIN = ZoneInfo("Europe/Berlin")


def language(headers=b"", sender=ANN, **manners):
    return Manners(LANGUAGES, **manners).language_of(sender, headers).tag


def offset(date, sender=ANN, **manners):
    headers = b"Received: by x.example; Mon, 1 Jan 2024 00:00:00 +0700\r\nDate: %s\r\nSubject: x\r\n" % date
    zone = Manners(LANGUAGES, **manners).zone_of(sender, headers)
    return zone.utcoffset(datetime(2026, 7, 1, tzinfo=UTC))


# --- Language -----------------------------------------------------------------------------------------


def test_what_the_sender_chose_comes_before_all_else():
    everything = {"wishes": {"ann@example.org": Wishes("fr")}, "domains": {"example.org": "de"}}
    header = b"Content-Language: de\r\n"
    assert language(header, **everything) == "fr"
    assert language(header, mailbox_from_text("Ann@Example.ORG"), **everything) == "fr"
    assert language(header, mailbox_from_text("bob@example.org"), **everything) == "de"


def test_then_the_language_of_the_message_then_of_the_domain_then_of_the_house():
    assert language(b"Content-Language: fr\r\n", domains={"example.org": "de"}) == "fr"
    assert language(b"Subject: x\r\n", domains={"example.org": "de"}, language="fr") == "de"
    assert language(b"Subject: x\r\n", domains={"example.net": "de"}, language="fr") == "fr"
    assert language() == "en"


def test_wishes_for_a_time_alone_leave_the_language_open():
    wishes = {"ann@example.org": Wishes(zone=BERLIN), "@example.org": Wishes("fr")}
    assert language(b"Content-Language: de\r\n", wishes=wishes) == "de"


@pytest.mark.parametrize(
    ("match", "sender"),
    [
        ("@example.org", "ann@example.org"),
        ("@*.example.org", "ann@sales.example.org"),
        ("@*", "ann@anywhere.example"),
    ],
)
def test_wishes_of_many(match, sender):
    assert language(wishes={match: Wishes("fr")}, sender=mailbox_from_text(sender)) == "fr"
    assert language(wishes={"@other.example": Wishes("fr")}, sender=mailbox_from_text(sender)) == "en"


@pytest.mark.parametrize(
    ("field", "tag"),
    [
        (b"Content-Language: de", "de"),
        (b"content-language:DE", "de"),
        (b"Content-Language: de-AT", "de"),
        (b"Content-Language: en-GB, de", "en"),
        (b"Content-Language: nl, de", "de"),
        (b"Content-Language:\r\n de", "de"),
        (b"Content-Language: pt-br", "pt-BR"),
        (b"Content-Language: pt", "fr"),
        (b"Content-Language: nl", "fr"),
        (b"Content-Language: ../../etc/passwd", "fr"),
        (b"Content-Language: ,,,", "fr"),
        (b"Content-Language: \xff\xfe", "fr"),
        (b"X-Content-Language: de", "fr"),
        (b"Subject: x\r\n Content-Language: de", "fr"),
    ],
)
def test_the_first_tag_that_we_have(field, tag):
    assert language(b"From: x\r\n" + field + b"\r\nTo: y\r\n", language="fr") == tag


def test_a_language_that_is_not_there_is_english():
    assert Manners().language_of(ANN, b"Content-Language: de\r\n") is ENGLISH
    assert language(language="xx") == "en"


# --- Time ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("date", "hours"),
    [
        (b"Tue, 3 Mar 2026 09:41:06 +0100", 1),
        (b"Tue, 3 Mar 2026 09:41:06 -0330", -3.5),
        (b"Tue, 3 Mar 2026 09:41:06 +1400 (somewhere)", 14),
        (b"Tue, 3 Mar 2026\r\n 09:41:06 +0100", 1),
        (b"Tue, 3 Mar 2026 09:41:06 +1430", 0),
        (b"Tue, 3 Mar 2026 09:41:06 +0160", 0),
        (b"Tue, 3 Mar 2026 09:41:06 +9999", 0),
        (b"Tue, 3 Mar 2026 09:41:06 -0000", 0),
        (b"Tue, 3 Mar 2026 09:41:06 GMT", 0),
        (b"yesterday", 0),
        (b"", 0),
    ],
)
def test_the_senders_own_time_is_that_of_the_date(date, hours):
    assert offset(date) == timedelta(hours=hours)


def test_no_date_is_utc():
    assert Manners().zone_of(ANN, b"Subject: x\r\n") is UTC
    assert Manners().zone_of(ANN, b"") is UTC


def test_a_zone_that_was_chosen_comes_first():
    date = b"Tue, 3 Mar 2026 09:41:06 -0800"
    assert offset(date, zone=BERLIN) == timedelta(hours=2)
    wishes = {"ann@example.org": Wishes(zone=timezone(timedelta(hours=5)))}
    assert offset(date, zone=BERLIN, wishes=wishes) == timedelta(hours=5)
    assert offset(date, zone=BERLIN, wishes={"@*": Wishes()}) == timedelta(hours=-8)


@given(st.binary(max_size=200))
def test_a_strangers_headers_choose_among_what_is_there(octets):
    for name in (b"Date: ", b"Content-Language: "):
        manners = Manners(LANGUAGES)
        assert manners.language_of(ANN, name + octets) in LANGUAGES.values()
        away = manners.zone_of(ANN, name + octets).utcoffset(None)
        assert abs(away) <= timedelta(hours=14)
