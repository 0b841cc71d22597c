"""What a page shows in a browser, and what axe says about it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page

AXE = Axe()
# WCAG 2.2 to level AA, and what axe holds to be good practice besides.
RULES = {"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]}


@contextmanager
def page_of(
    browser: Browser, *, width: int = 1000, scheme: str = "light", script: bool = True
) -> Iterator[Page]:
    context = browser.new_context(
        viewport={"width": width, "height": 800},
        color_scheme="dark" if scheme == "dark" else "light",
        java_script_enabled=script,
    )
    try:
        yield context.new_page()
    finally:
        context.close()


def violations(page: Page) -> list[str]:
    """What axe finds: the rule, and the first place where it is broken."""
    found = AXE.run(page, options=RULES).response["violations"]
    return [f"{each['id']}: {each['nodes'][0]['html'][:120]}" for each in found]


def lowest_contrast(page: Page) -> float:
    """The lowest contrast of text with what is behind it, as axe measures it; none may escape it."""
    found = AXE.run(page, options={"runOnly": ["color-contrast"]}).response
    assert found["incomplete"] == []
    data = [each["data"] for kind in ("passes", "violations") for one in found[kind]
            for node in one["nodes"] for each in node["any"]]  # fmt: skip
    return float(min(each["contrastRatio"] for each in data if each))


def is_wider_than_the_window(page: Page) -> bool:
    return bool(page.evaluate("document.documentElement.scrollWidth > window.innerWidth"))
