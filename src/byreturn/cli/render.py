"""Tables and timelines for people, laid out for 80 columns and up.

What belongs to one recipient stands together, sender above recipient above reason, so that long addresses
have room and nothing is cut. Strangers' texts are cleaned by `words` before they come here.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from rich.console import RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from byreturn.cli.story import Line, later_line, note, story
from byreturn.cli.words import (
    Times,
    address_text,
    clean,
    fate,
    in_time,
    is_delivered,
    size_text,
    span_text,
    style,
    why,
)
from byreturn.mail import Instant, Message, NullPath, Priority, QueueId, Ret, id_text
from byreturn.spool import Counts, Entry, Life, QueueView
from byreturn.spool.reader import RECIPIENTS_LIMIT

_HEAD: Final = "bold"
_DIM: Final = "dim"
_OUTCOME_WIDTH: Final = 24
# Of recipients that share a life so many are named.
_NAMED_LIMIT: Final = 20
# Of different lives so many are told.
_GROUPS_LIMIT: Final = 100


def _table(*columns: tuple[str, bool]) -> Table:
    """Make a table without lines; True marks the column that takes the room there is."""
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style=_HEAD, expand=True)
    for title, takes_room in columns:
        table.add_column(title, ratio=1 if takes_room else None, overflow="fold", no_wrap=title == "ID")
    return table


# --- The queue ----------------------------------------------------------------------------------------


def queue_page(view: QueueView, times: Times, now: Instant, *, is_selection: bool) -> list[RenderableType]:
    """Show what waits."""
    if not view.counts.total:
        return [
            Text("Nothing in the queue matches." if is_selection else "The queue is empty: nothing waits.")
        ]
    table = _table(("ID", False), ("SENDER, RECIPIENT, REASON", True), ("AGE", False), ("STATE", False))
    for entry in view.entries:
        table.add_row(
            id_text(entry.message.id),
            _who_and_why(entry),
            Text(span_text(now - entry.message.accepted_at), no_wrap=True),
            _state_and_next(entry, times, now),
        )
    return [table, Text(), Text(_totals(view)), Text(f"Times are {times.zone_name(now)}.")]


def _who_and_why(entry: Entry) -> Text:
    text = _from_and_to(entry)
    diagnosis = entry.diagnosis
    if diagnosis is not None:
        reason = why(diagnosis)
        text.append(f"\n{reason[0].upper()}{reason[1:]}" if reason.startswith("we ") else f"\n{reason}", _DIM)
    return text


def _from_and_to(entry: Entry) -> Text:
    text = Text(address_text(entry.message.reverse_path))
    text.append(f"\n-> {_recipient(entry)}")
    return text


def _recipient(entry: Entry) -> str:
    recipient = entry.recipient
    address = address_text(recipient.address)
    return (
        address
        if recipient.given == recipient.address
        else f"{address} (for {address_text(recipient.given)})"
    )


def _state_and_next(entry: Entry, times: Times, now: Instant) -> Text:
    first, colon, rest = fate(entry).partition(": ")
    text = Text(f"{first}{':' if colon else ''}", style(entry))
    if rest:
        # In two short lines, so that the column stays narrow.
        start, _, end = rest.rpartition(" not ")
        text.append(f"\n{start}\nnot {end}" if start else f"\n{rest}")
    next_try_at = entry.next_try_at
    if next_try_at is not None:
        text.append(f"\nnext try {in_time(next_try_at, now)}", "default")
        if next_try_at > now:
            text.append(f"\n({times.brief(next_try_at, now)})", "default")
    return text


def _totals(view: QueueView) -> str:
    counts = view.counts
    total = f"{counts.total:,} recipient{'' if counts.total == 1 else 's'}"
    text = f"{total}: {', '.join(_parts(counts))}."
    if len(view.entries) < counts.total:
        text += f" Shown: the oldest {len(view.entries):,}; --limit shows more."
    return text


def _parts(counts: Counts) -> Iterator[str]:
    if counts.waiting:
        of_them = (
            f" ({counts.unanswered:,} for a destination that does not answer)" if counts.unanswered else ""
        )
        yield f"{counts.waiting:,} waiting{of_them}"
    for count, word in ((counts.in_flight, "being tried"), (counts.held, "held"), (counts.parked, "parked")):
        if count:
            yield f"{count:,} {word}"


# --- A trace ------------------------------------------------------------------------------------------


def trace_page(entries: Sequence[Entry], times: Times, now: Instant, *, is_cut: bool) -> list[RenderableType]:
    """Show who wrote to whom, and what became of it."""
    table = _table(("ACCEPTED", False), ("ID", False), ("SENDER, RECIPIENT", True), ("OUTCOME", False))
    table.columns[-1].max_width = _OUTCOME_WIDTH
    before: QueueId | None = None
    for entry in entries:
        outcome = Text(fate(entry), style(entry))
        if entry.next_try_at is not None:
            outcome.append(f"\nnext try {in_time(entry.next_try_at, now)}", "default")
        if entry.message.id == before:
            # Of one message the sender is named once.
            table.add_row("", "", Text(f"-> {_recipient(entry)}"), outcome)
            continue
        before = entry.message.id
        accepted = Text(times.brief(entry.message.accepted_at, now), no_wrap=True)
        table.add_row(accepted, id_text(before), _from_and_to(entry), outcome)
    told = f"Times are {times.zone_name(now)}. One message in full: byreturn show ID"
    if is_cut:
        told = f"Shown: the newest {len(entries):,}; --limit shows more. {told}"
    return [table, Text(), Text(told)]


def reports_page(
    entries: Sequence[Entry], times: Times, now: Instant, *, is_cut: bool
) -> list[RenderableType]:
    """Show reports that were made, on what, to whom, and what became of them."""
    table = _table(("MADE", False), ("ID", False), ("ABOUT, RECIPIENT, REASON", True), ("OUTCOME", False))
    table.columns[-1].max_width = _OUTCOME_WIDTH
    for entry in entries:
        text = Text(f"{id_text(QueueId(entry.message.about or 0))}\n-> {_recipient(entry)}")
        if entry.diagnosis is not None and not is_delivered(entry):
            text.append(f"\n{why(entry.diagnosis)}", _DIM)
        made = Text(times.brief(entry.message.accepted_at, now), no_wrap=True)
        table.add_row(made, id_text(entry.message.id), text, Text(fate(entry), style(entry)))
    told = f"Times are {times.zone_name(now)}. One in full: byreturn show ID"
    if is_cut:
        told = f"Shown: the newest {len(entries):,}; --limit shows more. {told}"
    return [table, Text(), Text(told)]


# --- One message --------------------------------------------------------------------------------------


def life_page(life: Life, times: Times, now: Instant) -> list[RenderableType]:
    """Show one message's life; recipients that share theirs stand together."""
    page: list[RenderableType] = [
        Text(f"Message {id_text(life.message.id)}", _HEAD),
        _facts(life, times, now),
    ]
    groups = _groups(life, now)
    for entries, lines in groups[:_GROUPS_LIMIT]:
        page += [Text(), _names(entries)]
        told = note(life, entries[0], times, now)
        if told:
            page.append(Padding(Text(told), (0, 0, 0, 2)))
        page.append(_timeline(lines, times))
    if None in life.later:
        page += [Text(), _timeline([later_line(seen) for seen in life.later[None]], times)]
    missing = life.message.recipient_count - sum(len(entries) for entries, _ in groups[:_GROUPS_LIMIT])
    if missing > 0:
        page += [
            Text(),
            Text(f"{missing:,} more recipients are not shown; --json shows up to {RECIPIENTS_LIMIT:,}."),
        ]
    return page


def _facts(life: Life, times: Times, now: Instant) -> Table:
    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for name, value in _fact_lines(life.message, times, now):
        table.add_row(Text(f"  {name}", _DIM), Text(value))
    return table


def _fact_lines(message: Message, times: Times, now: Instant) -> Iterator[tuple[str, str]]:
    yield "From", address_text(message.reverse_path)
    if message.about is not None:
        yield "About", f"{id_text(QueueId(message.about))}: this is a report on it"
    if message.subject:
        yield "Subject", clean(message.subject, 200)
    if message.message_id:
        yield "Message-ID", clean(message.message_id, 200)
    if message.envid is not None:
        yield "ENVID", clean(message.envid, 100)
    yield "Accepted", f"{times.date(message.accepted_at)} {times.clock(message.accepted_at)}"
    yield "Came", _origin(message)
    yield "Size", ", ".join(_size(message))
    yield "Times", times.zone_name(now)


def _origin(message: Message) -> str:
    origin = message.origin
    if not origin.address:
        return "from this server itself"
    hello = f", which called itself {clean(origin.hello, 255)}" if origin.hello else ""
    return f"from {clean(origin.address, 64)}{hello}, at listener {clean(origin.listener, 64)}"


def _size(message: Message) -> Iterator[str]:
    count = message.recipient_count
    yield size_text(message.octets)
    yield f"{count:,} recipient{'' if count == 1 else 's'}"
    if message.priority in (Priority.URGENT, Priority.NON_URGENT):
        yield "urgent" if message.priority is Priority.URGENT else "not urgent"
    if message.is_bulk and not isinstance(message.reverse_path, NullPath):
        yield "sent by a list or a machine"
    if message.ret is Ret.HDRS:
        yield "only its header is to come back in a report"


def _groups(life: Life, now: Instant) -> list[tuple[list[Entry], list[Line]]]:
    """Put recipients together whose lines, states and destinations' notes are the same."""
    groups: dict[object, tuple[list[Entry], list[Line]]] = {}
    for entry in life.entries:
        lines = story(life, entry, now)
        health = entry.recipient.destination if entry.is_unanswered else None
        key = (fate(entry), health, tuple(lines))
        groups.setdefault(key, ([], lines))[0].append(entry)
    found = list(groups.values())
    if len(found) > _GROUPS_LIMIT:
        # Where not all can be shown, those in trouble come first.
        found.sort(key=lambda group: is_delivered(group[0][0]))
    return found


def _names(entries: list[Entry]) -> Text:
    """Name recipients, and how it stands with them."""
    text = Text(style=_HEAD)
    names = [_recipient(entry) for entry in entries[:_NAMED_LIMIT]]
    if len(entries) > _NAMED_LIMIT:
        names.append(f"and {len(entries) - _NAMED_LIMIT:,} more")
    text.append(",\n".join(names))
    text.append(": ")
    text.append(fate(entries[0]), style(entries[0]))
    return text


def _timeline(lines: list[Line], times: Times) -> Padding:
    # One day needs no dates; more than one needs them on every line, or the reader must search upwards.
    is_one_day = all(times.is_same_day(line.at, lines[0].at) for line in lines)
    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for line in lines:
        at = times.clock(line.at) if is_one_day else times.dated(line.at)
        table.add_row(Text(at, _DIM), Text(line.text, _HEAD if line.is_to_come else ""))
    return Padding(table, (0, 0, 0, 2))
