"""One Chromium for the tests, and what they ask of a page in it.

    with chromium() as browser:      one program, ended for certain
        tab = browser.tab()          a tab of it
        tab.show(html)               as a mail program shows a part: nothing is fetched
        tab.complaints()             what axe says, light or dark as the tab is

The asynchronous interface, on a loop of its own: the synchronous one leaves a loop running in the thread,
and every later test with a loop would fail. Promises: a page reaches nothing; what it asked for is told.
"""

from __future__ import annotations

import asyncio
import os
import shutil
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, TypeVar

import pytest
from axe_playwright_python.base import AXE_SCRIPT
from playwright.async_api import Browser, Page, Playwright, Route, async_playwright

PROGRAM: Final = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
NEEDS_CHROMIUM: Final = [
    pytest.mark.peer,
    pytest.mark.skipif(PROGRAM is None, reason="chromium (Debian package chromium) is not installed"),
]
# The rules of WCAG 2.2 A and AA, and what axe's makers find good practice beyond them.
_RULES: Final = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
_ADDRESS: Final = "http://report.example/"
_PATIENCE: Final = 20_000

Answer = TypeVar("Answer")


class Tab:
    """One tab. `asked_for` has the address of everything that a page wanted beside itself."""

    def __init__(self, page: Page, loop: asyncio.AbstractEventLoop) -> None:
        self.asked_for: list[str] = []
        self.dialogues: list[str] = []
        self._page = page
        self._loop = loop
        self._do(self._prepare())

    def show(self, html: str) -> None:
        """Load a page as if a mail program had it."""
        if not self._page.url.startswith(_ADDRESS):
            self._do(self._page.goto(_ADDRESS))
        self.asked_for, self.dialogues = [], []
        self._do(self._page.set_content(html))

    def open(self, path: Path) -> None:
        """Open a file of this machine, as a person does."""
        self.asked_for = []
        self._do(self._page.goto(path.as_uri()))

    def ask(self, expression: str) -> Any:
        """Evaluate an expression in the page."""
        return self._do(self._page.evaluate(expression))

    def light(self, *, dark: bool = False) -> None:
        """Take the colours of a reader who has it light, or dark."""
        self._do(self._page.emulate_media(color_scheme="dark" if dark else "light"))

    def wide(self, width: int) -> None:
        """Take this width, in pixels of CSS."""
        self._do(self._page.set_viewport_size({"width": width, "height": 700}))

    def press(self, key: str) -> None:
        """Press a key."""
        self._do(self._page.keyboard.press(key))

    def picture(self, path: Path, *, height: int) -> None:
        """Write what is seen of the page, from its top down to a height."""
        clip = {"x": 0, "y": 0, "width": self.ask("innerWidth"), "height": height}
        self._do(self._page.screenshot(path=path, full_page=True, clip=clip))

    def complaints(self, rules: list[str] = _RULES) -> list[str]:
        """Name what axe finds wrong, and what it cannot decide."""
        if not self.ask("'axe' in window"):
            self._do(self._page.evaluate(AXE_SCRIPT))
        found = self.ask(f"axe.run({{resultTypes: ['violations', 'incomplete'], runOnly: {rules}}})")
        assert found["passes"], "axe has looked at nothing"
        return [
            f"{each['id']}: {node['html'][:100]}"
            for each in (*found["violations"], *found["incomplete"])
            for node in each["nodes"][:3]
        ]

    def lowest_contrast(self) -> float:
        """The lowest contrast of a text with its ground, as axe measures it; none may escape it."""
        self.complaints(["color-contrast"])
        found = self.ask("axe.run({runOnly: ['color-contrast']})")
        assert found["incomplete"] == []
        checks = [check for kind in ("passes", "violations") for rule in found[kind]
                  for node in rule["nodes"] for check in node["any"] if check["data"]]  # fmt: skip
        return min(float(check["data"]["contrastRatio"]) for check in checks)

    async def _prepare(self) -> None:
        self._page.set_default_timeout(_PATIENCE)
        self._page.on("dialog", self._close)
        await self._page.route("**/*", self._answer)

    async def _answer(self, route: Route) -> None:
        if route.request.url == _ADDRESS:
            await route.fulfill(body="", content_type="text/html; charset=utf-8")
        elif route.request.is_navigation_request() and route.request.url.startswith("file:"):
            await route.continue_()
        else:
            self.asked_for.append(route.request.url)
            await route.abort()

    async def _close(self, dialogue: Any) -> None:
        self.dialogues.append(dialogue.message)
        await dialogue.dismiss()

    def _do(self, work: Coroutine[Any, Any, Answer]) -> Answer:
        return self._loop.run_until_complete(asyncio.wait_for(work, _PATIENCE / 1000))


class Chromium:
    """The browser that runs."""

    def __init__(self, browser: Browser, loop: asyncio.AbstractEventLoop) -> None:
        self._browser = browser
        self._loop = loop

    def tab(self, width: int = 1000) -> Tab:
        """Open a tab with a history, cookies and settings of its own."""
        page = self._loop.run_until_complete(
            self._browser.new_page(viewport={"width": width, "height": 700}, color_scheme="light")
        )
        return Tab(page, self._loop)


async def _driver() -> Playwright:
    # It looks for the loop that runs when it is made, so it is made in one.
    return await async_playwright().start()


@contextmanager
def chromium() -> Iterator[Chromium]:
    """Start the browser; end it, whatever happens."""
    # It refuses its sandbox to root, which is who runs the tests in a container.
    options = ["--no-sandbox"] if os.geteuid() == 0 else []
    loop = asyncio.new_event_loop()
    try:
        driver = loop.run_until_complete(_driver())
        try:
            browser = loop.run_until_complete(
                driver.chromium.launch(executable_path=PROGRAM, args=options, timeout=_PATIENCE)
            )
            yield Chromium(browser, loop)
            loop.run_until_complete(browser.close())
        finally:
            # The driver ends every browser that it started, also one that was not closed.
            loop.run_until_complete(driver.stop())
            loop.run_until_complete(loop.shutdown_asyncgens())
    finally:
        loop.close()
