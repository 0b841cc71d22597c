"""The index of the gallery, opened from the disk as whoever ran `byreturn preview-report` opens it."""

from datetime import UTC
from urllib.parse import unquote, urlsplit

import pytest
from tests.web import seen
from tests.web.chromium import NEEDS_CHROMIUM
from tests.web.gallery import Shown, gallery

from byreturn.cli.main import run
from byreturn.cli.terminal import Terminal

pytestmark = NEEDS_CHROMIUM

INDEX = Shown("index", "en", "", "")


@pytest.fixture(scope="module")
def index(tmp_path_factory):
    folder = tmp_path_factory.mktemp("gallery")
    terminal = Terminal(now=lambda: 0, zone=UTC, width=80)
    # No configuration is there, so the gallery is that of the words that come with us.
    arguments = ("preview-report", "--out", str(folder), "--config", str(folder / "none.toml"))
    assert run(arguments, terminal) == 0
    return folder / "index.html"


@pytest.fixture
def own_tab(browser):
    return browser.tab(320)


def hrefs(tab):
    return tab.ask("[...document.links].map(each => each.href)")


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_axe_finds_nothing_in_it(index, own_tab, dark):
    own_tab.light(dark=dark)
    own_tab.open(index)
    assert own_tab.complaints() == []


def test_it_is_readable_on_a_telephone_and_fetches_nothing(index, own_tab):
    own_tab.open(index)
    for question in (seen.width, seen.requests, seen.sizes, seen.language, seen.outline):
        assert question(own_tab, INDEX) == [], question.__name__


def test_subjects_are_in_their_own_language(index, own_tab):
    own_tab.open(index)
    spoken = own_tab.ask(
        "[...document.querySelectorAll('li > [lang]')].map(each => [each.lang, each.textContent])"
    )
    assert len(spoken) == len(gallery())
    assert {tag for tag, text in spoken if "zugestellt:" in text} == {"de"}
    assert {tag for tag, text in spoken if "Not delivered" in text} == {"en"}


def test_its_links_lead_to_a_heading_or_a_file(index, own_tab):
    own_tab.open(index)
    places = own_tab.ask("[...document.querySelectorAll('h2')].map(each => each.id)")
    files = set()
    for href in hrefs(own_tab):
        link = urlsplit(href)
        if link.fragment:
            assert link.fragment in places
        else:
            files.add(unquote(link.path))
    assert files == {str(path) for path in index.parent.rglob("*.*") if path.is_file() and path != index}


def test_the_first_links_go_down_the_page(index, own_tab):
    own_tab.open(index)
    names = own_tab.ask("[...document.links].slice(0, 6).map(each => each.textContent)")
    assert names[0] == "de: to a sender of ours"
    for _ in names:
        own_tab.press("Tab")
    own_tab.press("Enter")
    assert own_tab.ask("location.hash") == "#en-postmaster"
    assert own_tab.ask("scrollY") > 1000


def test_plain_text_is_shown_with_its_letters(index, own_tab):
    own_tab.open(index.parent / "de" / "internal" / "mixture.txt")
    assert "4 Empfänger nicht zugestellt" in own_tab.ask("document.body.innerText")
