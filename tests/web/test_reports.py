"""The HTML of our reports in a browser: wide, narrow, light, dark, by keyboard, and as axe sees it."""

from __future__ import annotations

import email.policy
import re
from email.message import EmailMessage
from email.parser import BytesParser
from itertools import pairwise
from typing import cast

import pytest
from msgspec.structs import replace
from playwright.sync_api import Browser
from tests.unit.report.samples import facts, line, said
from tests.web.looks import is_wider_than_the_window, lowest_contrast, page_of, violations

from byreturn.config import built_in_words
from byreturn.mail import Language, Mailbox
from byreturn.report import Audience, ComposedReport, ReportFacts, compose, compose_cleared
from byreturn.report.gallery import Specimen, specimens

pytestmark = pytest.mark.peer

LANGUAGES = built_in_words().languages
# Where languages and readers differ most.
TELLING = ("mixture", "cleared", "delayed", "expired", "returned", "failed-no-such-mailbox")


def form_of(report: ComposedReport, kind: str) -> str:
    mail = cast(EmailMessage, BytesParser(policy=email.policy.default).parsebytes(report.content))
    body = mail.get_body((kind,))
    assert body is not None
    return cast(str, body.get_content())


def composed(specimen: Specimen) -> ComposedReport:
    return compose_cleared(specimen.facts) if specimen.is_cleared else compose(specimen.facts)


def shown(language: Language, audience: Audience) -> dict[str, str]:
    return {each.name: form_of(composed(each), "html") for each in specimens(language, audience)}


MIXTURE = next(iter(specimens())).facts


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_has_nothing_to_say_about_any_report(browser: Browser, scheme: str) -> None:
    with page_of(browser, scheme=scheme) as page:
        for name, html in shown(LANGUAGES["en"], Audience.INSIDER).items():
            page.set_content(html)
            assert violations(page) == [], name


@pytest.mark.parametrize("tag", LANGUAGES)
@pytest.mark.parametrize("audience", Audience)
def test_nor_in_any_language_for_any_reader(browser: Browser, tag: str, audience: Audience) -> None:
    reports = shown(LANGUAGES[tag], audience)
    with page_of(browser, width=375) as page:
        for name in TELLING:
            page.set_content(reports[name])
            assert violations(page) == [], name
            assert page.get_attribute("html", "lang") == tag


@pytest.mark.parametrize(("scheme", "least"), [("light", 5.8), ("dark", 7.4)])
def test_text_stands_out_as_much_as_the_style_says(browser: Browser, scheme: str, least: float) -> None:
    with page_of(browser, scheme=scheme) as page:
        page.set_content(form_of(compose(MIXTURE), "html"))
        assert lowest_contrast(page) >= least


@pytest.mark.parametrize("width", [320, 375, 1000])
def test_nobody_has_to_scroll_sideways(browser: Browser, width: int) -> None:
    long = Mailbox("a" * 64, f"{'b' * 60}.{'c' * 60}.example")
    words = said(550, "5.1.1", "x" * 400)
    reports = shown(LANGUAGES["de"], Audience.POSTMASTER)
    reports["long"] = form_of(compose(facts(line(str(long), diagnosis=words), subject="y" * 200)), "html")
    with page_of(browser, width=width) as page:
        for name, html in reports.items():
            page.set_content(html)
            assert not is_wider_than_the_window(page), name


def test_nothing_is_fetched_and_nothing_runs(browser: Browser) -> None:
    asked: list[str] = []
    with page_of(browser) as page:
        page.on("request", lambda request: asked.append(request.url))
        for html in shown(LANGUAGES["en"], Audience.POSTMASTER).values():
            page.set_content(html)
            assert page.locator("script, img, iframe, object, embed, link, form, svg").count() == 0
            assert page.locator("a:not([href^='mailto:'])").count() == 0
    assert asked == []


HOSTILE = '<script>document.title="owned"</script><img src=x onerror=alert(1)>"\'&amp;'


def hostile() -> ReportFacts:
    refusal = said(550, "5.1.1", HOSTILE)
    return facts(
        line("bert@customer.example", diagnosis=replace(refusal, host=HOSTILE, tls=HOSTILE)),
        subject=HOSTILE,
        contact=HOSTILE,
        hello=HOSTILE,
    )


def test_a_value_is_text_whatever_stands_in_it(browser: Browser) -> None:
    with page_of(browser) as page:
        page.set_content(form_of(compose(hostile()), "html"))
        assert page.title() != "owned"
        assert page.locator("script, img").count() == 0
        assert page.inner_text("main").count("<script>") >= 3


def words_of(text: str) -> list[str]:
    # Numbers and marks of lists are made by the browser, as ">" and rules are by the plain text.
    return re.findall(r"[\w@.:+]*\w", re.sub(r"(?m)^\s*\d+\. ", "", text))


@pytest.mark.parametrize("tag", LANGUAGES)
def test_it_is_read_aloud_as_the_plain_text_is_read(browser: Browser, tag: str) -> None:
    with page_of(browser) as page:
        for specimen in specimens(LANGUAGES[tag]):
            if specimen.name not in TELLING:
                continue
            report = composed(specimen)
            page.set_content(form_of(report, "html"))
            aloud = "\n".join(page.locator("h1, h2, h3, p, dt, dd, li, pre").evaluate_all(
                "all => all.map(one => [...one.childNodes].filter(n => !['H3', 'P', 'UL', 'PRE'].includes("
                "n.nodeName)).map(n => n.textContent).join(''))"
            ))  # fmt: skip
            text = form_of(report, "plain")
            assert [word.lower() for word in words_of(aloud)] == [word.lower() for word in words_of(text)]


def test_each_link_can_be_reached_by_keyboard_and_shows_it(browser: Browser) -> None:
    with page_of(browser) as page:
        page.set_content(form_of(compose(MIXTURE), "html"))
        count = page.locator("a").count()
        assert count >= 2
        for number in range(count):
            page.keyboard.press("Tab")
            assert (
                page.evaluate("document.activeElement.textContent")
                == page.locator("a").nth(number).inner_text()
            )
            assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid"


def test_headings_are_an_outline(browser: Browser) -> None:
    with page_of(browser) as page:
        page.set_content(form_of(compose(MIXTURE), "html"))
        levels = page.locator("h1, h2, h3").evaluate_all("all => all.map(one => +one.nodeName[1])")
        assert levels[0] == 1
        assert levels.count(1) == 1
        assert all(after - before <= 1 for before, after in pairwise(levels))
