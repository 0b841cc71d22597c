"""One recipient's life, told line by line: what happened, what comes next, and when it gives up.

    12:58:03.120  Accepted here
    12:58:04.310  Tried, put off: mx1.partner.example [192.0.2.1] answered to RCPT TO: 451 4.7.1 Greylisted
    13:13:33.000  NEXT TRY in 12 min
    28 Nov ...    GIVES UP in 5 d 0 h, and reports it

The lines follow from the rows alone, so a timeline on paper and a test message that is watched live say the
same. Pure: the present instant is given.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from msgspec import Struct

from byreturn.cli.words import POSTMASTER, Times, address_text, clean, fate, in_time, is_final, span_text, why
from byreturn.mail import (
    SECOND,
    Action,
    Instant,
    Notify,
    NullPath,
    PeerSaid,
    id_text,
)
from byreturn.policy import Delivered, Discarded, Held, InFlight, Parked, Waiting
from byreturn.ports import ReportKind
from byreturn.spool import AttemptSeen, Entry, LaterSeen, Life, ReportSeen
from byreturn.spool.reader import OTHERS_LIMIT

REPORTS: Final = {
    Action.FAILED: "non-delivery report",
    Action.DELAYED: "delay notice",
    Action.RELAYED: "delivery report",
    Action.DELIVERED: "delivery report",
    Action.EXPANDED: "report of the alias",
}
# An attempt that took less is not worth its figure.
_SLOW: Final = SECOND


class Line(Struct, frozen=True):
    """Something that happened at an instant, or is to come; `key` is the same as long as it is the same."""

    at: Instant
    rank: int
    text: str
    key: str
    is_to_come: bool = False
    is_under_way: bool = False


def story(life: Life, entry: Entry, now: Instant) -> list[Line]:
    """Tell the life of one recipient, in order."""
    ordinal = entry.recipient.ordinal
    attempts = life.attempts.get(ordinal, [])
    reports = life.reports.get(ordinal, [])
    lines = [
        Line(life.message.accepted_at, 0, "Accepted here", "accepted"),
        *_beginning(entry, attempts),
        *(_attempt_line(seen, entry) for seen in attempts),
        *_probe(entry, attempts),
        *_standing(entry, attempts),
        *_reports(life, entry, reports, now),
        *(later_line(seen) for seen in life.later.get(ordinal, ())),
        *_future(entry, now),
    ]
    return sorted(lines, key=lambda line: (line.is_to_come, line.at, line.rank))


def _beginning(entry: Entry, attempts: list[AttemptSeen]) -> Iterator[Line]:
    """A recipient whose destination was known not to answer was put off without an attempt of its own."""
    accepted_at = entry.message.accepted_at
    if entry.first_outcome_at == accepted_at and not any(seen.ended_at == accepted_at for seen in attempts):
        text = f"Not tried at once: {address_text(entry.recipient.destination)} was known not to answer"
        if entry.probed_at is not None and entry.probed_at <= accepted_at:
            text += f" (probe of another message, {span_text(accepted_at - entry.probed_at)} before)"
        yield Line(accepted_at, 1, text, "put off")


def _probe(entry: Entry, attempts: list[AttemptSeen]) -> Iterator[Line]:
    """While a destination does not answer, one message is tried for all that wait there."""
    at, health = entry.probed_at, entry.health
    if not entry.is_unanswered or at is None or health is None or health.finding is None:
        return
    if at < entry.message.accepted_at or any(seen.ended_at >= at for seen in attempts):
        return
    yield Line(at, 2, f"Put off by the probe of another message: {why(health.finding)}", f"probe {at}")


def _attempt_line(seen: AttemptSeen, entry: Entry) -> Line:
    took = seen.ended_at - seen.began_at
    text = _attempt_text(seen, entry)
    if took >= _SLOW and seen.event != "interrupted":
        text += f" (after {span_text(took)})"
    return Line(seen.ended_at, 2, text, f"attempt {seen.number}")


def _attempt_text(seen: AttemptSeen, entry: Entry) -> str:
    finding = seen.finding
    reason = "" if finding is None else why(finding)
    match seen.event:
        case "stored":
            return "Delivered: in the mailbox"
        case "relayed":
            return f"Accepted by the next server: {reason}"
        case "refused" if isinstance(finding, PeerSaid):
            return f"Refused: {reason}"
        case "refused":
            return f"Not deliverable: {reason}"
        case "put off":
            return f"Tried, put off: {reason}"
        case "put off with another":
            return f"Put off by the attempt of a message ahead of it: {reason}"
        case "uncertain":
            return f"Tried, uncertain: {reason}. It may have been delivered; it is sent again"
        case "interrupted":
            return "Interrupted: our server stopped during the attempt"
        case "expired":
            lived = span_text(seen.ended_at - entry.message.accepted_at)
            return f"Gave up after {lived}. The last that was known: {reason}"
        case "returned":
            return f"Returned by {POSTMASTER}"
        case "discarded":
            return f"Discarded by {POSTMASTER}; the sender was not told"
        case other:
            return f"{other.capitalize()}{': ' if reason else ''}{reason}"


def _standing(entry: Entry, attempts: list[AttemptSeen]) -> Iterator[Line]:
    """What the state itself tells, where no attempt tells it."""
    at = entry.changed_at
    match entry.state:
        case InFlight(fence=fence):
            attempt = fence.attempt
            yield Line(at, 3, f"Being tried (attempt {attempt})", f"trying {attempt}", is_under_way=True)
        case Held():
            yield Line(at, 3, f"Held by {POSTMASTER}", "held")
        case Parked():
            yield Line(at, 3, "Parked: it was interrupted too often; a person must look at it", "parked")
        case Waiting():
            return
        case _ if not any(seen.ended_at == at for seen in attempts):
            text = fate(entry)
            yield Line(at, 3, f"{text[0].upper()}{text[1:]}", "end")
        case _:
            return


# --- Reports ------------------------------------------------------------------------------------------


def _reports(life: Life, entry: Entry, reports: list[ReportSeen], now: Instant) -> Iterator[Line]:
    for seen in reports:
        yield _report_line(seen, address_text(life.message.reverse_path), now)
    is_bad = is_final(entry) and not isinstance(entry.state, (Delivered, Discarded))
    if is_bad and not any(seen.action is Action.FAILED for seen in reports):
        yield Line(entry.changed_at, 4, f"No report: {_why_silent(entry)}", "no report")


def _report_line(seen: ReportSeen, sender: str, now: Instant) -> Line:
    name = report_name(seen)
    key = f"report {seen.kind} {seen.action} {seen.number}"
    sender = POSTMASTER if seen.kind is ReportKind.COPY else sender
    if seen.is_silent:
        return Line(seen.owed_at, 4, f"No {name}: nobody was to be told", key)
    if seen.report_id is not None:
        became = "no longer known" if seen.report is None else fate(seen.report)
        at = seen.due_at if seen.sent_at is None else seen.sent_at
        text = f"Reported to {sender} in {id_text(seen.report_id)} ({name}; {became})"
        return Line(at, 4, text, f"{key} sent")
    if seen.action is Action.DELAYED:
        text = f"DELAY NOTICE to {sender} {in_time(seen.due_at, now)}, if it still waits then"
    else:
        text = f"REPORT to {sender} {in_time(seen.due_at, now)} ({name})"
    return Line(seen.due_at, 4, text, key, is_to_come=True)


def _why_silent(entry: Entry) -> str:
    if isinstance(entry.message.reverse_path, NullPath):
        return "the message has no sender to tell (null reverse path)"
    if entry.recipient.notify & Notify.NEVER:
        return "the sender asked for none (NOTIFY=NEVER)"
    if entry.recipient.notify:
        return f"the sender asked for others only (NOTIFY={entry.recipient.notify})"
    return "none is owed"


def report_name(seen: ReportSeen) -> str:
    """Name a report by what it tells."""
    match seen.kind:
        case ReportKind.CLEARED:
            return "word that it has gone through after all"
        case ReportKind.COPY:
            return "copy of the failure"
        case _:
            return REPORTS[seen.action]


def later_line(seen: LaterSeen) -> Line:
    """Tell what somebody else reported later."""
    whose = f" from {clean(seen.host, 255)}" if seen.host else ""
    text = f"Later: a report{whose} says {clean(seen.action)}: {clean(seen.text)}"
    return Line(seen.at, 5, text, f"later {seen.report_id} {seen.text}")


# --- What comes ---------------------------------------------------------------------------------------


def _future(entry: Entry, now: Instant) -> Iterator[Line]:
    next_try_at = entry.next_try_at
    if next_try_at is None:
        return
    yield Line(next_try_at, 5, f"NEXT TRY {in_time(next_try_at, now)}", "next", is_to_come=True)
    text = f"GIVES UP {in_time(entry.expires_at, now)}, and reports it"
    if isinstance(entry.message.reverse_path, NullPath):
        text = f"GIVES UP {in_time(entry.expires_at, now)}"
    yield Line(entry.expires_at, 6, text, "end", is_to_come=True)


def note(life: Life, entry: Entry, times: Times, now: Instant) -> str:
    """Tell about a destination that does not answer; empty where it does, or nobody waits for it."""
    health = entry.health
    if health is None or not entry.is_unanswered:
        return ""
    destination = entry.recipient.destination
    name = address_text(destination)
    since = "" if health.failing_since is None else f" since {times.brief(health.failing_since, now)}"
    tries = "one try" if health.failures == 1 else f"{health.failures} tries in a row"
    text = f"{name} has not answered{since} ({tries})"
    if health.finding is not None:
        text += f"; {why(health.finding)}"
    return f"{text}. {_others(life.others.get(destination, 0))}"


def _others(count: int) -> str:
    if count == 0:
        return "Nobody else waits for it."
    if count > OTHERS_LIMIT:
        return f"Over {OTHERS_LIMIT:,} others wait for it; one try is made for all."
    return f"{count:,} {'other waits' if count == 1 else 'others wait'} for it; one try is made for all."
