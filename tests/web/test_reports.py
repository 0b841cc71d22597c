"""Reports in a real browser: in the dark, on a telephone, by keyboard, read aloud, and fetching nothing.

Every report of the gallery is shown on the narrowest telephone. What only depends on the structure is asked
of one report of each: axe, light and dark, and the keyboard. At the end pages are spoilt, one way after the
other, to show that each would have been noticed.
"""

import re

import pytest
from msgspec.structs import replace
from tests.web import seen
from tests.web.chromium import NEEDS_CHROMIUM
from tests.web.gallery import LANGUAGES, MARKUP, endless, gallery, hostile, one, shown, structures

from byreturn.mail import Language
from byreturn.report import Audience
from byreturn.report.gallery import specimens

pytestmark = NEEDS_CHROMIUM

TELEPHONES = (320, 375)
MIXTURE = "en/internal/mixture"


@pytest.fixture(autouse=True)
def as_it_was(tab):
    yield
    tab.light()
    tab.wide(1000)


@pytest.fixture(scope="module")
def on_a_telephone(tab):
    """What is wrong with each report on the narrowest telephone, by question."""
    tab.wide(min(TELEPHONES))
    wrong = {question.__name__: {} for question in seen.QUICK}
    for page in gallery():
        tab.show(page.html)
        for question in seen.QUICK:
            if found := question(tab, page):
                wrong[question.__name__][page.name] = found
    return wrong


def test_the_gallery_has_every_language_and_reader():
    places = {page.name.rpartition("/")[0] for page in gallery()}
    assert places == {f"{tag}/{audience.value}" for tag in LANGUAGES for audience in Audience}
    assert len(gallery()) > 60 * len(places)


@pytest.mark.parametrize("question", [question.__name__ for question in seen.QUICK])
def test_every_report_on_a_telephone(on_a_telephone, question):
    assert on_a_telephone[question] == {}


def test_axe_finds_nothing_light_or_dark(tab):
    wrong = {}
    for page in structures():
        tab.light()
        tab.show(page.html)
        wrong[page.name, "light"] = tab.complaints()
        tab.light(dark=True)
        wrong[page.name, "dark"] = tab.complaints()
    assert len(wrong) > 50
    assert {where: found for where, found in wrong.items() if found} == {}


@pytest.mark.parametrize("width", [375, 1000])
def test_every_structure_fits_any_width(tab, width):
    tab.wide(width)
    wrong = {}
    for page in structures():
        tab.show(page.html)
        wrong[page.name] = seen.width(tab, page)
    assert {name: found for name, found in wrong.items() if found} == {}


@pytest.mark.parametrize(("dark", "least"), [(False, 5.8), (True, 7.4)], ids=["light", "dark"])
def test_text_stands_out_as_much_as_the_style_says(tab, dark, least):
    tab.light(dark=dark)
    tab.show(one(MIXTURE).html)
    assert tab.lowest_contrast() >= least


def test_dark_is_dark(tab):
    page = one(MIXTURE)
    tab.show(page.html)
    light = tab.ask("getComputedStyle(document.body).backgroundColor")
    tab.light(dark=True)
    dark = tab.ask("getComputedStyle(document.body).backgroundColor")
    assert light == "rgb(255, 255, 255)"
    assert max(map(int, re.findall(r"\d+", dark))) < 40


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_links_are_reached_and_show_it(tab, dark):
    tab.light(dark=dark)
    for page in (one(MIXTURE), one("de/postmaster/mixture")):
        tab.show(page.html)
        assert tab.ask("document.links.length") >= 2
        assert seen.focus(tab, page) == []


def test_text_has_the_size_that_its_reader_chose(tab):
    page = one(MIXTURE)
    tab.wide(min(TELEPHONES))
    measure = """['h1', 'h2', 'dd', 'li p', '.said', 'section p']
        .map(name => parseFloat(getComputedStyle(document.querySelector(name)).fontSize))"""
    tab.show(page.html)
    usual = tab.ask(measure)
    tab.show(page.html.replace("<style>", "<style>html{font-size:200%}"))
    assert tab.ask(measure) == [2 * size for size in usual]
    assert seen.width(tab, page) == []


def test_it_reads_as_well_where_the_style_is_dropped(tab):
    page = one(MIXTURE)
    bare = replace(page, html=re.sub(r"<style>.*?</style>", "", page.html, flags=re.DOTALL))
    assert bare.html != page.html
    tab.wide(375)
    tab.show(bare.html)
    assert tab.complaints() == []
    for question in seen.QUICK:
        if question is not seen.sizes:
            assert question(tab, bare) == [], question.__name__


def test_a_language_from_right_to_left_stands_so(tab):
    facts = next(specimens()).facts
    arabic = shown("mixture", replace(facts, language=Language("ar")))
    tab.wide(375)
    tab.show(arabic.html)
    assert tab.ask("getComputedStyle(document.body).direction") == "rtl"
    assert tab.complaints() == []
    assert {q.__name__: found for q in seen.QUICK if (found := q(tab, arabic))} == {}


def test_what_others_wrote_is_shown_and_is_not_html(tab):
    page = hostile()
    assert page.text.count("<script>") == 4
    for width in TELEPHONES:
        tab.wide(width)
        tab.show(page.html)
        assert tab.ask("document.body.innerText").count(MARKUP) == 4
        assert tab.ask("document.querySelector('h3').innerText") == '"<b>&lt;x"@evil.example'
        assert tab.ask("document.links[0].textContent") == '"<i>&"@evil.example'
        assert tab.ask("document.links[0].href") == "mailto:%22%3Ci%3E%26%22@evil.example"
        assert {q.__name__: found for q in seen.QUICK if (found := q(tab, page))} == {}
    assert tab.complaints() == []


def test_the_longest_words_fit_a_telephone(tab):
    page = endless()
    for width in TELEPHONES:
        tab.wide(width)
        tab.show(page.html)
        assert seen.width(tab, page) == []


# --- Each of these would have been noticed --------------------------------------------------------------


def spoilt(pattern, by):
    page = one(MIXTURE)
    html = re.sub(pattern, by, page.html, count=1, flags=re.DOTALL)
    assert html != page.html
    return replace(page, html=html)


@pytest.mark.parametrize(
    ("question", "pattern", "by"),
    [
        (seen.order, "Send it again to those two only, not to everyone.", "Send it again."),
        (seen.order, r"(<dl>.*?</dl>)(.*)</main>", r"\2\1</main>"),
        (seen.order, "</h1>\\s*<p>", "</h1><p hidden>"),
        (seen.width, "sales@suplier", "s" * 60 + '<span style="white-space:nowrap">' + "s" * 60 + "</span>"),
        (seen.width, "overflow-wrap:anywhere", "min-width:30rem"),
        (seen.requests, "<h1>", '<img src="https://x.example/seen.gif" alt=""><h1>'),
        (seen.requests, "main{", "main{background:url(https://x.example/seen.gif);"),
        (seen.programs, "<h1>", "<script></script><h1>"),
        (seen.programs, "<h1>", '<h1 onclick="x()">'),
        (seen.programs, "mailto:", "https://x.example/"),
        (seen.sizes, "p,ul{", "p,ul{font-size:.9rem;"),
        (seen.sizes, r"section\{margin-top:2rem;font-size:\.875rem", "section{font-size:.7rem"),
        (seen.language, '<html lang="en">', '<html lang="de">'),
        (seen.outline, "<h2>(.*?)</h2>", r"<p>\1</p>"),
        (seen.outline, "<h1>(.*?)</h1>", r"<h2>\1</h2>"),
        (seen.focus, r"a:focus-visible\{[^}]*\}", "a:focus-visible{outline:none}"),
        (seen.focus, "<a ", '<a tabindex="-1" '),
    ],
)
def test_a_page_that_is_spoilt_is_noticed(tab, question, pattern, by):
    page = spoilt(pattern, by)
    tab.wide(min(TELEPHONES))
    tab.show(page.html)
    assert question(tab, page) != []


@pytest.mark.parametrize(
    ("dark", "pattern", "by", "rule"),
    [
        (False, r"dt\{color:[^}]*\}", "dt{color:#999}", "color-contrast"),
        (True, r"a\{color:#8ab4f8\}", "a{color:#0b57d0}", "color-contrast"),
        (False, r' lang="en"', "", "html-has-lang"),
        (False, "<title>.*?</title>", "", "document-title"),
        (False, "<main>(.*)</main>", r"\1", "landmark-one-main"),
        (False, "<ol>", "<ol><p>x</p>", "list"),
    ],
)
def test_axe_notices_a_page_that_is_spoilt(tab, dark, pattern, by, rule):
    tab.light(dark=dark)
    tab.show(spoilt(pattern, by).html)
    assert [found for found in tab.complaints() if found.startswith(rule)]
