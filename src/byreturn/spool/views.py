"""What people may see of the spool: values that cannot change, read from rows.

    Entry   one recipient of a message, as it stands: a line of the queue or of a trace
    Life    a message with all its recipients, what was tried, and the reports that were owed

When a recipient is tried next and what is known about it follow from its own row and its destination's;
both questions are answered here, once.
"""

from __future__ import annotations

from typing import Final

from msgspec import Struct

from byreturn.mail import Action, Destination, Diagnosis, Instant, Message, QueueId, Recipient
from byreturn.policy import State, Waiting
from byreturn.ports import DestinationNews, ReportKind
from byreturn.spool.notices import CLEARED, COPIED
from byreturn.spool.rows import (
    Row,
    action_of,
    finding_from_text,
    message_from_row,
    recipient_from_row,
    state_from_row,
)

_KINDS: Final = {CLEARED: ReportKind.CLEARED, COPIED: ReportKind.COPY}


class Entry(Struct, frozen=True):
    """One recipient of a message, as it stands.

    `finding` is its own last diagnosis; `health` that of its destination, None while that answers, and
    `probed_at` when the last try there ended that found so.
    """

    message: Message
    recipient: Recipient
    state: State
    changed_at: Instant
    expires_at: Instant
    finding: Diagnosis | None
    first_outcome_at: Instant | None
    health: DestinationNews | None
    probed_at: Instant | None = None

    @property
    def is_unanswered(self) -> bool:
        """Whether it waits because its destination does not answer."""
        return isinstance(self.state, Waiting) and self.health is not None

    @property
    def next_try_at(self) -> Instant | None:
        """When it is tried again; while its destination fails, not before the next probe."""
        if not isinstance(self.state, Waiting):
            return None
        return self.state.due_at if self.health is None else max(self.state.due_at, self.health.due_at)

    @property
    def diagnosis(self) -> Diagnosis | None:
        """The last that is known: where it waits for its destination, the last probe speaks for it."""
        if isinstance(self.state, Waiting) and self.health is not None:
            return self.health.finding or self.finding
        return self.finding


class Selection(Struct, frozen=True):
    """Which part of the queue; None for all. `not_due_before`: only what is tried later than that."""

    destination: Destination | None = None
    state: type[State] | None = None
    not_due_before: Instant | None = None


class Counts(Struct, frozen=True):
    """How many recipients there are, by state; `unanswered` wait because their destination fails."""

    waiting: int
    unanswered: int
    in_flight: int
    held: int
    parked: int

    @property
    def total(self) -> int:
        """All of them."""
        return self.waiting + self.in_flight + self.held + self.parked


class QueueView(Struct, frozen=True):
    """The oldest of what was selected, and how much was."""

    entries: tuple[Entry, ...]
    counts: Counts


class DestinationView(Struct, frozen=True):
    """A destination for which there is mail, or which was asked for by its name.

    `failures` 0: it answers; then there is no `next_probe_at`. `finding` is that of the last probe, which
    ended at `found_at`. `waiting` is counted up to 100,000. `took_mail_at` None: not that we remember.
    """

    name: Destination
    failures: int
    failing_since: Instant | None
    next_probe_at: Instant | None
    found_at: Instant | None
    finding: Diagnosis | None
    waiting: int
    in_flight: int
    took_mail_at: Instant | None
    denied_since: Instant | None


class AttemptSeen(Struct, frozen=True):
    """What an attempt found; `event` is its name in the history."""

    ordinal: int
    number: int
    began_at: Instant
    ended_at: Instant
    event: str
    finding: Diagnosis | None


class ReportSeen(Struct, frozen=True):
    """A report on a recipient. `report` is its first recipient as it stands; None: not made, or forgotten.

    `report_id` None: still owed, and due at `due_at`. `is_silent`: nobody was to be told. `number`: of delay
    notices, how many went before.
    """

    ordinal: int
    action: Action
    due_at: Instant
    owed_at: Instant
    report_id: QueueId | None
    sent_at: Instant | None
    is_silent: bool
    report: Entry | None
    kind: ReportKind = ReportKind.REPORT
    number: int = 0


class LaterSeen(Struct, frozen=True):
    """What somebody else's report said of a recipient later; `ordinal` None: it names none of ours.

    `report_id`: the message that brought it, from `host`; empty where that is forgotten. `action` and `text`
    are a stranger's words.
    """

    ordinal: int | None
    at: Instant
    report_id: QueueId
    action: str
    text: str
    host: str


class Life(Struct, frozen=True):
    """All that is known of one message.

    Attempts, reports and what others reported later by the ordinal of their recipient. `others`: how many
    more wait for each of its destinations that fail.
    """

    message: Message
    entries: tuple[Entry, ...]
    attempts: dict[int, list[AttemptSeen]]
    reports: dict[int, list[ReportSeen]]
    others: dict[Destination, int]
    later: dict[int | None, list[LaterSeen]]


# --- Rows ---------------------------------------------------------------------------------------------


def entry_from_row(row: Row) -> Entry:
    """Read a row of the statements that show recipients."""
    message = message_from_row(row[:17])
    recipient = recipient_from_row(row[17:23])
    number, due_at, epoch, attempts, changed_at, expires_at, finding, first_outcome_at = row[23:31]
    failures, probe_at, found, since, probed_at = row[31:]
    health = None
    if failures:
        health = DestinationNews(recipient.destination, failures, probe_at, finding_from_text(found), since)
    return Entry(
        message=message,
        recipient=recipient,
        state=state_from_row(number, due_at, epoch, attempts),
        changed_at=changed_at,
        expires_at=expires_at,
        finding=finding_from_text(finding),
        first_outcome_at=first_outcome_at,
        health=health,
        probed_at=probed_at if failures else None,
    )


def destination_from_row(name: Destination, row: Row, waiting: int, in_flight: int) -> DestinationView:
    """Read a row of `destination`."""
    failures, failing_since, probe_at, found_at, finding, took_mail_at, denied_since = row
    return DestinationView(
        name=name,
        failures=failures or 0,
        failing_since=failing_since,
        next_probe_at=probe_at,
        found_at=found_at,
        finding=finding_from_text(finding),
        waiting=waiting,
        in_flight=in_flight,
        took_mail_at=took_mail_at,
        denied_since=denied_since,
    )


def report_from_row(row: Row, sent: dict[QueueId, tuple[Entry, ...]]) -> ReportSeen:
    """Read a row of `reports`; `sent` holds the recipients of the reports, by id."""
    ordinal, name, due_at, owed_at, report_id, sent_at, number, event = row
    entries = sent.get(report_id, ())
    return ReportSeen(
        ordinal=ordinal,
        action=action_of(name, event),
        due_at=due_at,
        owed_at=owed_at,
        report_id=report_id or None,
        sent_at=sent_at,
        is_silent=report_id == 0,
        report=entries[0] if entries else None,
        kind=_KINDS.get(name, ReportKind.REPORT),
        number=number,
    )


def attempt_from_row(row: Row) -> AttemptSeen:
    """Read a row of `attempts`."""
    ordinal, number, began_at, ended_at, event, finding = row
    return AttemptSeen(ordinal, number, began_at, ended_at, event, finding_from_text(finding))


def later_from_row(row: Row) -> LaterSeen:
    """Read a row of `later`."""
    ordinal, at, report_id, action, text, host = row
    return LaterSeen(ordinal, at, report_id, action, text, host or "")
