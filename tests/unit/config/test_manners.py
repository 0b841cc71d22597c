"""Kinds of values for how we speak to people."""

import pytest
from tests.unit.config.samples import SMALLEST, errors, everything, read

from byreturn.config import COPY_CLASSES, manners_of
from byreturn.config.errors import Bad
from byreturn.config.manners import Classes, LanguageTag, LineOfText, Notices, SenderMatch, TimeZone
from byreturn.config.values import Span
from byreturn.mail import DAY, ENGLISH, HOUR, MINUTE, Language, mailbox_from_text

NOTICES = Notices(Span(0, 365 * DAY))
CLASSES = Classes(("loop", "our-fault", "expired"))


def told(kind, value):
    got = kind.read(value)
    assert isinstance(got, Bad), got
    return [(wrong.at, wrong.what, wrong.remedy) for wrong in got.wrongs]


@pytest.mark.parametrize(
    ("kind", "value", "read_as", "written"),
    [
        (LanguageTag(), "DE", "de", '"de"'),
        (LanguageTag(), "pt_br", "pt-BR", '"pt-BR"'),
        (LanguageTag(), "zh-hans-cn", "zh-Hans-CN", '"zh-Hans-CN"'),
        (TimeZone(), "sender", "sender", '"sender"'),
        (TimeZone(), "Europe/Berlin", "Europe/Berlin", '"Europe/Berlin"'),
        (SenderMatch(), "ann@Example.ORG.", "ann@example.org", '"ann@example.org"'),
        (SenderMatch(), "@*.Example.org", "@*.example.org", '"@*.example.org"'),
        (SenderMatch(), "@*", "@*", '"@*"'),
        (LineOfText(), "  help desk 4711 ", "help desk 4711", '"help desk 4711"'),
        (LineOfText(), "", "", '""'),
        (NOTICES, "4h", (4 * HOUR,), '"4h"'),
        (NOTICES, ["4h"], (4 * HOUR,), '"4h"'),
        (NOTICES, ["4h", "24h"], (4 * HOUR, DAY), '["4h", "1d"]'),
        (NOTICES, "0s", (), '"0s"'),
        (NOTICES, [], (), '"0s"'),
        (CLASSES, "all", ("loop", "our-fault", "expired"), '"all"'),
        (CLASSES, ["expired", "our-fault", "loop"], ("expired", "our-fault", "loop"), '"all"'),
        (CLASSES, "none", (), '"none"'),
        (CLASSES, [], (), '"none"'),
        (CLASSES, ["expired"], ("expired",), '["expired"]'),
    ],
)  # fmt: skip
def test_what_is_good(kind, value, read_as, written):
    assert kind.read(value) == read_as
    assert kind.write(read_as) == written


@pytest.mark.parametrize(
    ("kind", "value", "what", "remedy"),
    [
        (LanguageTag(), "german", "not a language tag", 'Write a tag such as "en", "de" or "pt-BR".'),
        (LanguageTag(), "../de", "not a language tag", 'Write a tag such as "en", "de" or "pt-BR".'),
        (TimeZone(), "Europe/Berln", "no such time zone", 'Did you mean "Europe/Berlin"?'),
        (TimeZone(), "../../etc/passwd", "not the name of a time zone", 'Write "sender", or a name such as '
            '"Europe/Berlin" or "UTC".'),
        (TimeZone(), "Nowhere/Atlantis9", "no such time zone", 'Write "sender", or a name such as '
            '"Europe/Berlin" or "UTC".'),
        (TimeZone(), "+01:00", "not the name of a time zone", 'Write "sender", or a name such as '
            '"Europe/Berlin" or "UTC".'),
        (LineOfText(), "a\r\nBcc: b@example.net", "more than a line of text: it holds control characters",
            "Write one line of text in quotation marks, at most 200 letters."),
        (LineOfText(), "x" * 201, "201 letters",
            "Write one line of text in quotation marks, at most 200 letters."),
        (NOTICES, "soon", "not a duration", 'Write a number and a unit, such as "30m" or "1h".'),
        (CLASSES, "loop", "no list", 'Put square brackets around it: ["loop"].'),
        (CLASSES, "everything", "no list", 'Write "all", "none", or a list of classes such as ["loop"].'),
    ],
)  # fmt: skip
def test_what_is_wrong_and_what_to_do(kind, value, what, remedy):
    assert told(kind, value) == [((), what, remedy)]


def test_whose_wishes_they_are_is_an_address_or_a_pattern():
    for wrong in ("example.org", "ann", "@", "@ann@example.org", "*@example.org ", "@*example.org", 4):
        ((_, _, remedy),) = told(SenderMatch(), wrong)
        assert remedy.startswith('Write "ann@example.org" for one sender')


def test_notices_grow():
    grow = 'Write growing durations, such as ["4h", "1d"].'
    assert told(NOTICES, ["1d", "4h"]) == [((1,), "no longer than the one before", grow)]
    assert told(NOTICES, ["4h", "4h"]) == [((1,), "no longer than the one before", grow)]
    assert told(NOTICES, ["0s", "4h"]) == [((0,), "never, in a list", grow)]
    assert told(NOTICES, ["4h", "soon"])[0][:2] == ((1,), "not a duration")
    assert told(NOTICES, ["1m"] * 11) == [((), "11 values", "Write at most 10.")]


def test_each_class_that_is_none_is_told():
    assert told(CLASSES, ["lop", "loop", "loop", 4]) == [
        ((0,), "no such class", 'Did you mean "loop"?'),
        ((2,), "given twice", "Remove one of the two."),
        ((3,), "no such class", "There are: loop, our-fault, expired."),
    ]


@pytest.mark.parametrize("one", COPY_CLASSES)
def test_each_class_can_be_named_alone(one):
    assert read(f'{SMALLEST}[report]\npostmaster_copies = ["{one}"]\n').report.postmaster_copies == (one,)


def test_all_are_all_and_each_stands_once():
    config = read(f'{SMALLEST}[report]\npostmaster_copies = "all"\n')
    assert set(config.report.postmaster_copies) == set(COPY_CLASSES)
    assert len(set(COPY_CLASSES)) == len(COPY_CLASSES)


def test_the_defaults_of_reports():
    report = read(SMALLEST).report
    assert report.postmaster_copies == ("loop", "our-fault", "undeliverable-report", "store-failed")
    assert (report.delay_notice_after, report.early_delay_notice_after) == ((4 * HOUR,), 20 * MINUTE)
    assert (report.language, report.time_zone, report.objective, report.flood) == (
        "en",
        "sender",
        MINUTE,
        600,
    )
    assert (report.html, report.suggestions, report.contact) == (True, True, "")
    assert (report.catalogues, report.templates) == (None, None)


def test_a_language_is_handed_down_unless_it_is_named():
    text = f"""{SMALLEST}
        [[listener]]
        bind = ["127.0.0.1:2526"]
        language = "en"
        [[domain]]
        name = "example.org"
        mailboxes = "*"
        [[domain]]
        name = "example.com"
        mailboxes = "*"
        language = "fr"
        [report]
        language = "de"
        time_zone = "Europe/Berlin"
        [[sender]]
        match = "ann@example.org"
        language = "fr"
        [[sender]]
        match = "@example.com"
        time_zone = "sender"
    """
    config = read(text)
    assert [listener.language for listener in config.listeners] == ["de", "en"]
    assert [domain.language for domain in config.domains] == ["de", "fr"]
    assert [(one.language, one.time_zone) for one in config.senders] == [
        ("fr", "Europe/Berlin"), (None, "sender"),
    ]  # fmt: skip
    languages = {"en": ENGLISH, "de": Language("de"), "fr": Language("fr")}
    manners = manners_of(config, languages)
    ann, bob = mailbox_from_text("ann@example.org"), mailbox_from_text("bob@example.com")
    date = b"Date: Tue, 3 Mar 2026 09:41:06 +0900\r\n"
    assert (manners.language_of(ann, b"").tag, str(manners.zone_of(ann, date))) == ("fr", "Europe/Berlin")
    assert (manners.language_of(bob, b"").tag, str(manners.zone_of(bob, date))) == ("fr", "UTC+09:00")


def test_a_sender_has_one_set_of_wishes():
    (told,) = errors(f'{SMALLEST}[[sender]]\nmatch = "@example.org"\n[[sender]]\nmatch = "@Example.org."\n')
    assert told.startswith('byreturn.toml:6: sender[1].match = "@Example.org.": given twice.')


def test_what_everything_says_is_said():
    config = read(everything())
    assert config.senders[0].language == "de"
    assert config.report.delay_notice_after == (4 * HOUR, DAY)
