"""`byreturn destinations`: how it stands with those whom we send mail to.

    without a name      a table: those that do not answer first, and what hosts asked of us
    with a name         one of them in full: what was found, when it is tried, which rule counts
    with a name and *   the table, of those that are like it

The spool says what is known, the configuration which rule there is. Which hosts take the mail is known to the
server alone, because it asks the DNS; where none runs, that is said.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

import click
from rich.console import RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from byreturn.cli.answers import destinations_shape
from byreturn.cli.limits import line_of, suggestion
from byreturn.cli.operate import NOT_RUNNING
from byreturn.cli.session import (
    ANSWER_IS_NO,
    DONE,
    Session,
    config_option,
    json_option,
    limit_option,
    pass_session,
)
from byreturn.cli.ways import Way, way_to
from byreturn.cli.words import Times, clean, in_time, span_text, why
from byreturn.config import Config
from byreturn.mail import Destination, Instant, normal_domain
from byreturn.policy import HOSTS_PREFIX, Topic
from byreturn.ports import Lesson
from byreturn.spool import DestinationView
from byreturn.spool.reader import OTHERS_LIMIT

_LESSONS_LIMIT: Final = 1000
_LIMITS_SHOWN: Final = 20
_HEAD: Final = "bold"
_DIM: Final = "dim"
_LIMITS: Final = {
    Topic.CONNECTIONS: "at most {} at once",
    Topic.MESSAGES: "at most {} over one connection",
    Topic.PACE: "at most {} a minute",
}
_UNITS: Final = {
    Topic.CONNECTIONS: ("connection", "connections"),
    Topic.MESSAGES: ("message", "messages"),
    Topic.PACE: ("message", "messages"),
}


# --- The command --------------------------------------------------------------------------------------


@click.command("destinations")
@click.argument("name", required=False, metavar="[NAME]")
@limit_option(50, 10_000)
@config_option
@json_option
@pass_session
def destinations_command(session: Session, name: str | None, limit: int, as_json: bool) -> int:
    """Show how it stands with the destinations of mail.

    Those that do not answer come first, most waiting mail first. With the NAME of one it is shown in full:
    what was found, when it is tried, which rule of the configuration counts, and what its hosts asked of us.
    A * in NAME stands for any letters.
    """
    config = session.config()
    chosen = None if name is None else normal_domain(name.strip())
    with session.reader() as reader:
        views = reader.destinations(chosen, limit)
        lessons = reader.lessons(_LESSONS_LIMIT)
        is_gone = reader.server_is_gone()
    terminal = session.terminal
    now = terminal.now()
    lessons = tuple(lesson for lesson in lessons if lesson.until > now)
    status = DONE
    way: Way | None = None
    if chosen is not None and "*" not in chosen:
        status = DONE if views else ANSWER_IS_NO
        way = way_to(config, chosen, is_gone=is_gone)
        lessons = tuple(lesson for lesson in lessons if way.hosts is None or _is_about(lesson, way.hosts))
        views = views or (_unknown(chosen),)
    if as_json:
        terminal.json(destinations_shape(views, lessons, config, way, now, server_running=not is_gone))
        return status
    page = _Page(terminal.times, now, config)
    if way is None:
        terminal.show(
            *page.table(views, lessons, is_cut=len(views) == limit, is_selection=chosen is not None)
        )
    else:
        terminal.show(*page.one(views[0], way, lessons))
    if is_gone:
        terminal.say(f"\n{NOT_RUNNING}")
    return status


def _unknown(name: Destination) -> DestinationView:
    """Nothing is known of it: no mail for it waits, and none was taken."""
    return DestinationView(name, 0, None, None, None, None, 0, 0, None, None)


def _is_about(lesson: Lesson, hosts: tuple[str, ...]) -> bool:
    return set(lesson.hosts.split()) == set(hosts)


# --- The pages ----------------------------------------------------------------------------------------


class _Page:
    """Puts destinations into words."""

    def __init__(self, times: Times, now: Instant, config: Config) -> None:
        self._times = times
        self._now = now
        self._config = config

    def table(
        self,
        views: Sequence[DestinationView],
        lessons: Sequence[Lesson],
        *,
        is_cut: bool,
        is_selection: bool,
    ) -> Iterator[RenderableType]:
        """Show many."""
        if views:
            table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style=_HEAD, expand=True)
            for title, takes_room in (("DESTINATION, REASON", True), ("WAITING", False), ("STATE", False)):
                table.add_column(title, ratio=1 if takes_room else None, overflow="fold")
            for view in views:
                table.add_row(_name_and_reason(view), Text(_waiting_text(view.waiting)), self._state(view))
            yield table
            yield Text()
        elif is_selection:
            yield Text("No destination with mail is like that.")
        else:
            yield Text("There is mail for no destination.")
        if lessons:
            yield from self._limits_in_short(lessons)
            yield Text()
        told = f"Times are {self._times.zone_name(self._now)}. One in full: byreturn destinations NAME"
        if is_cut:
            told = f"Shown: {len(views):,}; --limit shows more. {told}"
        if views or lessons:
            yield Text(told)

    def _state(self, view: DestinationView) -> Text:
        if not view.failures:
            text = Text("answering" if view.took_mail_at is not None else "not known yet")
            return text.append(f"\n{view.in_flight:,} being tried") if view.in_flight else text
        since = (
            ""
            if view.failing_since is None
            else f"\nsince {self._times.brief(view.failing_since, self._now)}"
        )
        text = Text(f"not answering{since}", "yellow")
        if view.in_flight:
            return text.append("\nbeing tried", "default")
        if view.next_probe_at is not None and view.waiting:
            text.append(f"\nnext try {in_time(view.next_probe_at, self._now)}", "default")
        return text

    def _limits_in_short(self, lessons: Sequence[Lesson]) -> Iterator[RenderableType]:
        yield Text("Limits that hosts asked for, now in force", _HEAD)
        for lesson in lessons[:_LIMITS_SHOWN]:
            yield Padding(Text(f"{clean(lesson.hosts, 255)}: {self._limit_text(lesson)}"), (0, 0, 0, 2))
        if len(lessons) > _LIMITS_SHOWN:
            yield Text(f"  and {len(lessons) - _LIMITS_SHOWN:,} more")

    def _limit_text(self, lesson: Lesson) -> str:
        topic = Topic(lesson.kind)
        amount = f"{lesson.value:,} {_UNITS[topic][lesson.value != 1]}"
        return f"{_LIMITS[topic].format(amount)}, until {self._times.brief(lesson.until, self._now)}"

    # One destination.

    def one(self, view: DestinationView, way: Way, lessons: Sequence[Lesson]) -> Iterator[RenderableType]:
        """Show one in full."""
        yield Text(f"{clean(view.name, 255)}: {_state_text(view, way)}", _HEAD)
        table = Table.grid(padding=(0, 2, 0, 0))
        table.add_column(no_wrap=True)
        table.add_column(overflow="fold")
        for name, value in self._facts(view, way):
            table.add_row(Text(f"  {name}", _DIM), Text(value))
        yield table
        if lessons:
            yield from self._limits(view.name, way, lessons)

    def _limits(self, name: Destination, way: Way, lessons: Sequence[Lesson]) -> Iterator[RenderableType]:
        by_hosts: dict[str, list[Lesson]] = {}
        for lesson in lessons[:_LIMITS_SHOWN]:
            by_hosts.setdefault(lesson.hosts, []).append(lesson)
        if way.hosts is None:
            yield Text("\nWhich hosts are its own is not known now, so these limits may be others'.")
        for hosts, some in by_hosts.items():
            whose = "its hosts" if way.hosts is not None else clean(hosts, 255)
            yield Text(f"\nLimits that {whose} asked for, now in force", _HEAD)
            for lesson in some:
                yield from self._limit(lesson)
            lines = suggestion(self._config, some, name, way)
            if lines is not None:
                yield Padding(
                    Text(f"To keep to {'it' if len(some) == 1 else 'them'} for good:"), (0, 0, 0, 2)
                )
                yield Padding(Text(lines), (0, 0, 0, 4))

    def _facts(self, view: DestinationView, way: Way) -> Iterator[tuple[str, str]]:
        times, now = self._times, self._now
        if view.failures:
            tries = "one try" if view.failures == 1 else f"{view.failures:,} tries in a row"
            since = "" if view.failing_since is None else f"{times.brief(view.failing_since, now)}, "
            yield "Since", f"{since}{tries}"
        if view.finding is not None:
            reason = why(view.finding)
            yield "Reason", f"{reason[0].upper()}{reason[1:]}" if reason.startswith("we ") else reason
        if view.failures and view.found_at is not None:
            yield (
                "Last try",
                f"{times.brief(view.found_at, now)} ({span_text(max(0, now - view.found_at))} ago)",
            )
        if view.failures and view.next_probe_at is not None and not view.in_flight:
            at = f" ({times.brief(view.next_probe_at, now)})" if view.next_probe_at > now else ""
            yield "Next try", f"{in_time(view.next_probe_at, now)}{at}, once for all its mail"
        yield "Waiting", self._waiting(view)
        yield from self._past(view, way)
        yield "Hosts", _hosts_text(way)
        if not way.is_here:
            yield "Rule", self._rule_text(way)
        yield "Times", times.zone_name(now)

    def _waiting(self, view: DestinationView) -> str:
        count = _waiting_text(view.waiting)
        text = f"{count} recipient{'' if view.waiting == 1 else 's'}"
        return f"{text}; {view.in_flight:,} being tried" if view.in_flight else text

    def _past(self, view: DestinationView, way: Way) -> Iterator[tuple[str, str]]:
        times, now = self._times, self._now
        if view.took_mail_at is not None:
            yield "Took mail", f"{times.brief(view.took_mail_at, now)} (within the hour that followed)"
        elif not way.is_here:
            yield "Took mail", "not that is remembered"
        if view.denied_since is not None:
            keep = span_text(self._config.brake.keep_trying)
            yield (
                "Denied",
                (
                    f"by the DNS since {times.brief(view.denied_since, now)}. It took mail before, so it is "
                    f"tried on for {keep} all the same"
                ),
            )

    def _rule_text(self, way: Way) -> str:
        if not way.rule:
            text = "none: like everybody"
            if way.hosts is None and any(
                rule.match.startswith(HOSTS_PREFIX) for rule in self._config.destinations
            ):
                text += f', as far as its name says (rules with match = "{HOSTS_PREFIX}..." need its hosts)'
            return text
        line = line_of(self._config, way.rule)
        where = "" if line is None else f" (line {line} of {self._config.file.name})"
        return f'[[destination]] match = "{way.rule}"{where}'

    def _limit(self, lesson: Lesson) -> Iterator[RenderableType]:
        text = self._limit_text(lesson)
        yield Padding(Text(f"{text[0].upper()}{text[1:]}"), (0, 0, 0, 2))
        yield Padding(Text(clean(lesson.reason), _DIM), (0, 0, 0, 4))


def _state_text(view: DestinationView, way: Way) -> str:
    if way.is_here:
        return "a domain of this server"
    if view.failures:
        return "not answering"
    if view.took_mail_at is not None:
        return "answering"
    return "not known yet" if view.waiting or view.in_flight else "nothing is known, and no mail for it waits"


def _waiting_text(count: int) -> str:
    """Write how many wait; they are counted up to a limit."""
    return f"{count:,}+" if count >= OTHERS_LIMIT else f"{count:,}"


def _name_and_reason(view: DestinationView) -> Text:
    text = Text(clean(view.name, 255))
    if view.failures and view.finding is not None:
        reason = why(view.finding)
        text.append(f"\n{reason[0].upper()}{reason[1:]}" if reason.startswith("we ") else f"\n{reason}", _DIM)
    return text


def _hosts_text(way: Way) -> str:
    if way.is_here:
        return "this server"
    if way.hosts is None:
        return f"not known now: {clean(way.why)}"
    return ", ".join(clean(host, 255) for host in way.hosts) or f"none now: {clean(way.why)}"
