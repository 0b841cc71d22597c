"""What the story looks like: in a terminal, as lines, or not at all.

    terminal   a table of recipients that changes while one looks; reports in a frame above it
    lines      each event a line, with the milliseconds since the message was accepted
    silent     nothing, for --json

All three are told the same. Promises: what comes from outside is shown as text, never as markup.
"""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from typing import Final, Protocol

from demo.story import News, Report, Story
from demo.world import SENDER
from rich import box
from rich.console import Console
from rich.live import Live
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

_FRAME_MS: Final = 100
_WIDTH_LIMIT: Final = 100


class Screen(Protocol):
    """Shows a story."""

    def say(self, lines: Sequence[str]) -> None:
        """Say something outside the story, each line on its own."""
        ...

    def follow(self, story: Story, news: News | None) -> None:
        """Show what happened, or just that time goes on."""
        ...

    def end(self, story: Story) -> None:
        """Show how it stands in the end."""
        ...


def screen_for(*, is_silent: bool) -> Screen:
    """Choose by what standard output is."""
    if is_silent:
        return Silent()
    console = Console(highlight=False, markup=False, emoji=False)
    if console.is_terminal and not console.is_dumb_terminal:
        return Terminal(console)
    return Lines()


class Silent:
    """Shows nothing."""

    def say(self, lines: Sequence[str]) -> None:
        """Say nothing."""

    def follow(self, story: Story, news: News | None) -> None:
        """Show nothing."""

    def end(self, story: Story) -> None:
        """Show nothing."""


class Lines:
    """Appends lines."""

    def say(self, lines: Sequence[str]) -> None:
        """Print them."""
        print(*lines, sep="\n", flush=True)

    def follow(self, story: Story, news: News | None) -> None:  # noqa: ARG002 - another screen's
        """Print what happened."""
        if news is None:
            return
        print(f"{news.at:>7,} ms  {news.who:<25} {news.words}", flush=True)
        if news.report is not None:
            text = "\n".join(_as_mail_program(news.report))
            print(textwrap.indent(text, "            | ", lambda _: True), flush=True)

    def end(self, story: Story) -> None:
        """Nothing is left to show."""


class Terminal:
    """A table that lives."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._live: Live | None = None
        self._drawn_at = -_FRAME_MS

    def say(self, lines: Sequence[str]) -> None:
        """Print them, broken at spaces."""
        for line in lines:
            start = len(line) - len(line.lstrip(" -"))
            width = max(20, min(self._console.width, _WIDTH_LIMIT))
            wrapped = textwrap.wrap(line, width, subsequent_indent=" " * start, break_on_hyphens=False)
            self._console.print(Text("\n".join(wrapped)))

    def follow(self, story: Story, news: News | None) -> None:
        """Draw the table anew, ten times a second and whenever something happens."""
        if self._live is None:
            self._live = Live(console=self._console, auto_refresh=False, vertical_overflow="visible")
            self._live.start()
        if news is not None and news.report is not None:
            self._console.print(self._letter(news.report, story))
        if news is not None or story.elapsed() - self._drawn_at >= _FRAME_MS:
            self._drawn_at = story.elapsed()
            self._live.update(self._table(story), refresh=True)

    def end(self, story: Story) -> None:
        """Leave the table as it stands."""
        if self._live is not None:
            self._live.update(self._table(story, is_over=True), refresh=True)
            self._live.stop()
            self._live = None

    @property
    def _width(self) -> int:
        return min(self._console.width, _WIDTH_LIMIT)

    def _table(self, story: Story, *, is_over: bool = False) -> Table:
        table = Table(
            box=box.SIMPLE_HEAD,
            width=self._width,
            padding=(0, 1),
            pad_edge=False,
            show_edge=False,
            show_footer=True,
        )
        table.add_column("Recipient", SENDER, no_wrap=True, footer_style="not bold")
        table.add_column("What became of it", _mailbox(story), ratio=1, footer_style="not bold")
        table.add_column("After", _ms(_mailbox_at(story)), justify="right", no_wrap=True, footer_style="bold")
        for fate in story.fates.values():
            at = fate.at if fate.is_final else None if is_over else story.elapsed()
            style = "" if fate.is_final else "dim"
            table.add_row(fate.address, Text(fate.words, _style(fate.words)), Text(_ms(at), style))
        return table

    def _letter(self, report: Report, story: Story) -> Panel:
        number = len(story.reports)
        is_same = number > 1 and story.reports[0].message_id in report.references.split()
        thread = ", in the same thread" if is_same else ""
        return Panel(
            Text("\n".join(_as_mail_program(report))),
            title=f"Non-delivery report {number}{thread}, in the mailbox after {_ms(report.at)}",
            box=box.ROUNDED,
            width=min(self._width, 80),
            padding=(0, 1),
        )


def _as_mail_program(report: Report) -> list[str]:
    head = [f"From:    {report.sender}", f"To:      {report.to}", f"Subject: {report.subject}"]
    return [*head, "", *report.text.strip().splitlines()]


def _mailbox(story: Story) -> str:
    """Say what the sender has."""
    count = len(story.reports)
    if not count:
        return "no report yet" if story.first_failure_at is None else "a report is on its way"
    if count == 1 and story.ended_at is not None:
        return "1 report; another follows in seconds"
    return "1 report in the mailbox" if count == 1 else f"{count} reports in the mailbox"


def _mailbox_at(story: Story) -> int | None:
    return story.reports[-1].at if story.reports else None


def _ms(at: int | None) -> str:
    return "" if at is None else f"{at:,} ms"


def _style(words: str) -> str:
    if words.startswith("accepted"):
        return "green"
    return "red" if words.startswith(("refused", "not deliverable", "gave up")) else "yellow"
