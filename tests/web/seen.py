"""What a page shows to those who read it: the questions of the tests, each as one function of a tab.

Each names what is wrong, so that a test can ask whether the list is empty, and another one whether a page
that was spoilt gives a list that is not.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from itertools import pairwise
from typing import Final

from tests.web.chromium import Tab
from tests.web.gallery import Shown

# What a reader of small print can still read, in pixels where the reader's own size is 16.
_SMALLEST: Final = 13

_SIZES: Final = """
[...document.querySelectorAll('main, main *')]
    .filter(each => [...each.childNodes].some(child => child.nodeType == 3 && child.data.trim()))
    .map(each => [each.tagName, parseFloat(getComputedStyle(each).fontSize), !!each.closest('section')])
"""
_RUNNING: Final = """
[...document.querySelectorAll('*')].flatMap(each => [
    ...(each.matches('script, iframe, object, embed, img, svg, link, form, base') ? [each.tagName] : []),
    ...each.getAttributeNames().filter(name => name.startsWith('on') || name == 'src'),
    ...(each.href && !each.href.startsWith('mailto:') ? [each.href] : []),
])
"""
_HEADINGS: Final = "[...document.querySelectorAll('h1,h2,h3,h4,h5,h6')].map(each => +each.tagName[1])"
_FOCUS: Final = """(() => {
    const style = getComputedStyle(document.activeElement);
    return [document.activeElement.textContent, style.outlineStyle, parseFloat(style.outlineWidth)];
})()"""


def words_of(text: str) -> list[str]:
    """The words in their order, without what only one of the two forms has: numbers, rules, brackets."""
    text = re.sub(r"-{64}|(?m:^ *(\d+\.|>) )", " ", text)
    return re.findall(r"[^\s()]+", text.upper())


def order(tab: Tab, page: Shown) -> list[str]:
    """Where what is read aloud goes another way than the plain text."""
    heard, written = words_of(tab.ask("document.body.innerText")), words_of(page.text)
    if heard == written:
        return []
    at = next((n for n, (a, b) in enumerate(zip(heard, written, strict=False)) if a != b), -1)
    return [f"{' '.join(heard[at : at + 5])!r}, not {' '.join(written[at : at + 5])!r}"]


def width(tab: Tab, page: Shown) -> list[str]:
    """What does not fit into the width that the tab has."""
    wanted, there = tab.ask("[document.documentElement.scrollWidth, innerWidth]")
    return [f"{wanted} pixels wide, in {there}"] if wanted > there else []


def requests(tab: Tab, page: Shown) -> list[str]:
    """What the page asked of others."""
    return tab.asked_for


def programs(tab: Tab, page: Shown) -> list[str]:
    """What would run, be fetched or be sent."""
    return tab.ask(_RUNNING) + tab.dialogues


def sizes(tab: Tab, page: Shown) -> list[str]:
    """Text that is smaller than the reader's own; only what is for technical staff may be, a little."""
    return [
        f"{tag}: {size} pixels"
        for tag, size, is_technical in tab.ask(_SIZES)
        if size < (_SMALLEST if is_technical else 16)
    ]


def language(tab: Tab, page: Shown) -> list[str]:
    """A language other than that of the words."""
    tag = tab.ask("document.documentElement.lang")
    return [] if tag == page.tag else [f"{tag!r} is said, in {page.tag!r} it is written"]


def outline(tab: Tab, page: Shown) -> list[str]:
    """Headings that are no outline: one title, which comes first, and no level left out."""
    levels = tab.ask(_HEADINGS)
    if levels[:1] != [1] or levels.count(1) != 1:
        return [f"titles: {levels}"]
    return [f"from h{a} to h{b}" for a, b in pairwise(levels) if b > a + 1]


def focus(tab: Tab, page: Shown) -> list[str]:
    """Links that the Tab key does not reach in their order, or that do not show that it did."""
    wrong = []
    for text in tab.ask("[...document.links].map(each => each.textContent)"):
        tab.press("Tab")
        reached, style, thickness = tab.ask(_FOCUS)
        if reached != text:
            wrong.append(f"{text!r} is not reached")
        elif style == "none" or thickness < 2:
            wrong.append(f"{text!r} does not show its focus")
    return wrong


QUICK: Final[tuple[Callable[[Tab, Shown], list[str]], ...]] = (
    order,
    width,
    requests,
    programs,
    sizes,
    language,
    outline,
)
