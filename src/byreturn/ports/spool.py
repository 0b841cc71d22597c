"""The spool: what the desks may ask of durable memory, and what they may rely on.

Every operation is one transaction, and its callback comes *after* the commit: what `done` hears is on the
disk. Operations are applied in the order in which they were asked, only a composed report goes before what
still waits. A fault means that nothing of the operation is kept (after a commit that failed midway this is
not certain; the fault says so).

    accept   a message and its recipients                          -> the 250 may leave
    settle   what attempts found, with the reports that are owed   -> dispositions are final
    claim    recipients that are due become in flight              -> they may be dialled
    report   the composed report, and the mark that it was sent    -> reported once
"""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum
from typing import Final, Protocol, TypeAlias

from msgspec import Struct

from byreturn.mail import (
    Action,
    Consignment,
    Destination,
    Diagnosis,
    Duration,
    Instant,
    Mailbox,
    Message,
    QueueId,
    Recipient,
)
from byreturn.policy import BrakeCause, Event, Fence, State

KNOWN_LIMIT: Final = 20
OTHERS_LIMIT: Final = 200
LATER_LIMIT: Final = 20
LESSONS_LIMIT: Final = 10_000


class SpoolFault(Struct, frozen=True):
    """The spool could not do it. `is_full`: for want of room. `is_ambiguous`: it may yet be on the disk."""

    why: str
    is_full: bool = False
    is_ambiguous: bool = False


class NewRecipient(Struct, frozen=True):
    """A recipient as it is first stored: InFlight when booked for its first attempt already, else Waiting.

    `finding`: why it was put off without an attempt of its own; that is then its first outcome.
    `delay_notices`, `early_notice_at`: as in `Settling`, for one that waits. `expires_at`: when its own
    lifetime ends; None: with its message's.
    """

    recipient: Recipient
    state: State
    finding: Diagnosis | None = None
    delay_notices: tuple[Instant, ...] = ()
    early_notice_at: Instant | None = None
    expires_at: Instant | None = None


class NewMessage(Struct, frozen=True):
    """A message to store. `content` is None if it was sealed in a file under the message's id.

    `expanded`: the ordinals of recipients whose alias expansion is to be reported (RFC 3461 section
    5.2.7.2).
    """

    message: Message
    recipients: tuple[NewRecipient, ...]
    content: bytes | None
    expanded: tuple[int, ...] = ()


class Settling(Struct, frozen=True):
    """What happened to one recipient. The fence must still be the one that booked it.

    `owed`: the report to the sender that the event makes us owe; `is_copied`: the postmaster is to have a
    copy of it, whether the sender is told or not. `delay_notices`: when to tell of the delay if it lasts
    until then, in ascending order; those that were told before count, and of several that are due together
    one is told. What was noted before stays. `early_notice_at` takes the place of the first of them where the
    destination is not known to have taken mail. A recipient who is delivered to after a delay was told is
    cleared: that is owed too, unless `owed` says it. `recipient_count` is the message's: with one recipient
    there are no siblings to ask about. `expires_at`: when its lifetime ends from now on; None: as before.
    """

    message_id: QueueId
    ordinal: int
    destination: Destination
    recipient_count: int
    fence: Fence
    event: Event
    began_at: Instant
    owed: Action | None = None
    is_copied: bool = False
    delay_notices: tuple[Instant, ...] = ()
    early_notice_at: Instant | None = None
    expires_at: Instant | None = None


class DestinationNews(Struct, frozen=True):
    """The health of a destination: `failures` in a row (0: it is alive), and when to probe it next."""

    destination: Destination
    failures: int
    due_at: Instant
    finding: Diagnosis | None
    failing_since: Instant | None


class Past(Struct, frozen=True):
    """A destination that took mail: when it last did, to the hour, and since when its name is denied.

    `denied_since`: the DNS says that there is no such name, and has said so since; None: it does not.
    """

    took_mail_at: Instant
    denied_since: Instant | None


class Lesson(Struct, frozen=True):
    """A limit that hosts taught us by their replies: one of a kind for each set of hosts."""

    hosts: str
    kind: str
    value: int
    reason: str
    learned_at: Instant
    until: Instant


class Braked(Struct, frozen=True):
    """The brake is on: since when, why, and what put it on. It stays so over a restart."""

    since: Instant
    why: str
    cause: BrakeCause


class Settled(Struct, frozen=True):
    """`lost`: recipients whose fence had moved on. `owed`: messages with a report due, and when."""

    lost: tuple[tuple[QueueId, int], ...]
    owed: tuple[tuple[QueueId, Instant], ...]


class Claimed(Struct, frozen=True):
    """What was booked. `has_more`: more is due than fitted; `next_due_at`: when something else will be."""

    consignments: tuple[Consignment, ...]
    has_more: bool
    next_due_at: Instant | None


class OwedLine(Struct, frozen=True):
    """One recipient in a report. `state` and `finding` are as of now, `at` is when it came to be so.

    `last_attempt_at`: when the last attempt for it began; None where none was made. `notice_at`: when the
    next delay notice for it is due; None: none is.
    """

    recipient: Recipient
    action: Action
    state: State
    finding: Diagnosis | None
    at: Instant
    expires_at: Instant
    next_try_at: Instant | None = None
    last_attempt_at: Instant | None = None
    notice_at: Instant | None = None


class ReportKind(StrEnum):
    """What is owed.

    A report about recipients to the sender; word that mail whose delay was told has gone through after all;
    a copy of a failure to the postmaster.
    """

    REPORT = "report"
    CLEARED = "cleared"
    COPY = "copy"


class OtherRecipient(Struct, frozen=True):
    """A recipient that a report is not about; `state` and `finding` are as of now, and since `changed_at`.

    `notice_at`: when a delay notice is due, None: none is. `is_told`: a report said that it failed.
    """

    recipient: Recipient
    state: State
    finding: Diagnosis | None
    changed_at: Instant
    expires_at: Instant
    next_try_at: Instant | None = None
    notice_at: Instant | None = None
    is_told: bool = False


class OwedReport(Struct, frozen=True):
    """All lines of one kind of a message's reports that are due: of the sender's before the postmaster's.

    `thread`: the id of each automatic report sent to the sender before, oldest first. `named_count`: how many
    recipients the sender named; an alias counts as one, whatever it stands for. `others`: recipients that
    this is not about, those first that are still on their way, at most OTHERS_LIMIT; `other_count` is how
    many there are. A copy names none.
    """

    message: Message
    lines: tuple[OwedLine, ...]
    thread: tuple[str, ...]
    named_count: int
    kind: ReportKind = ReportKind.REPORT
    others: tuple[OtherRecipient, ...] = ()
    other_count: int = 0


class Correspondent(Struct, frozen=True):
    """An address that took mail of a sender, and when it last did."""

    address: Mailbox
    at: Instant


class HeardReport(Struct, frozen=True, kw_only=True):
    """What somebody else's report says of one recipient of a message that we passed on.

    `reverse_path`: to whom that report came; only what was sent from there is meant. `envid` (decoded) and
    `message_id` as far as it has them, else empty; `recipient` None: it does not say. `text`: what it says,
    cleaned and bounded. `report_id`: the id under which we took that report.
    """

    reverse_path: Mailbox
    report_id: QueueId
    at: Instant
    action: str
    text: str
    recipient: Mailbox | None = None
    envid: str = ""
    message_id: str = ""


class OwedDue(Struct, frozen=True):
    """Messages with a report due now, and when the next one will be."""

    messages: tuple[QueueId, ...]
    next_due_at: Instant | None


class Ended(Struct, frozen=True):
    """A recipient whose time ran out, with the last finding. `is_null`: its message has the null path."""

    message_id: QueueId
    address: Mailbox
    finding: Diagnosis
    is_null: bool


class Expiry(Struct, frozen=True):
    """What expired, the reports that it made due, the destinations to probe first, and when to look again."""

    expired: tuple[Ended, ...]
    owed: tuple[tuple[QueueId, Instant], ...]
    probe: tuple[Destination, ...]
    next_at: Instant | None


class ContentReader(Protocol):
    """A content, read from front to back."""

    octets: int

    def read(self, octets: int) -> bytes:
        """Return up to so many octets; empty at the end."""
        ...

    def close(self) -> None:
        """Let go of it."""
        ...


class ContentWriter(Protocol):
    """A large content on its way to a file of its own."""

    def write(self, data: bytes) -> SpoolFault | None:
        """Append; a fault when there is no room."""
        ...

    def seal(self, done: Callable[[SpoolFault | None], None]) -> None:
        """Make it durable under its final name; then the message may be accepted."""
        ...

    def abort(self) -> None:
        """Throw it away."""
        ...


class Opened(Struct, frozen=True):
    """What start found: our epoch, the largest id in use, the destinations that are failing.

    `interrupted`: recipients in flight when the last process ended; they are waiting again. `parked`:
    those among them that were interrupted for the third time. `known`: the destinations that took mail last,
    newest first, at most KNOWN_LIMIT. `lessons`: those that still hold, newest first, at most LESSONS_LIMIT.
    """

    epoch: int
    floor: QueueId
    failing: tuple[DestinationNews, ...]
    interrupted: int
    parked: int
    known: tuple[Destination, ...] = ()
    lessons: tuple[Lesson, ...] = ()
    brake: Braked | None = None


Done: TypeAlias = Callable[[SpoolFault | None], None]


class Spool(Protocol):
    """Durable memory."""

    def accept(self, new: NewMessage, done: Done) -> None:
        """Store a message. COMMIT POINT: from the callback on we owe delivery or a report."""
        ...

    def settle(
        self,
        settlings: tuple[Settling, ...],
        news: tuple[DestinationNews, ...],
        now: Instant,
        done: Callable[[Settled | SpoolFault], None],
    ) -> None:
        """Record what attempts found, together with every report it now owes.

        A settling whose fence has moved on changes nothing and is named in `lost`. A booking that is given
        back (`Unbooked`) is no outcome: it leaves no line in the history, and finding and lifetime as they
        were. A destination that took mail (`Relayed`) is remembered as such, and its name as not denied.
        """
        ...

    def claim(
        self,
        now: Instant,
        limit: int,
        quotas: dict[Destination, int],
        done: Callable[[Claimed | SpoolFault], None],
    ) -> None:
        """Book recipients that are due, at most `limit` of them: reports first, then urgent, then age.

        A destination gets at most `quotas[destination]` recipients (the default quota where it is not
        named); one that is failing gets a single recipient as its probe.
        """
        ...

    def owed_due(self, now: Instant, limit: int, done: Callable[[OwedDue | SpoolFault], None]) -> None:
        """Name messages with a report due."""
        ...

    def take_owed(
        self, message_id: QueueId, now: Instant, done: Callable[[OwedReport | SpoolFault | None], None]
    ) -> None:
        """Read what a report must say; None when nothing is due (any more). Changes nothing."""
        ...

    def report(
        self,
        owed: OwedReport,
        new: NewMessage | None,
        done: Callable[[bool | SpoolFault], None],
    ) -> None:
        """Queue a composed report and mark its lines as reported; None: mark only, nobody is to be told.

        False, and nothing done, when a line was reported or withdrawn in the meantime.
        """
        ...

    def expire(
        self, now: Instant, started_at: Instant, limit: int, done: Callable[[Expiry | SpoolFault], None]
    ) -> None:
        """End the life of recipients whose time is over and whose destination was probed since due.

        At most `limit` of them; and at most so many destinations are named that must be probed first.
        """
        ...

    def content(self, message_id: QueueId, done: Callable[[ContentReader | SpoolFault | None], None]) -> None:
        """Open a message's content; None when it is gone. `done` may be called from inside."""
        ...

    def content_writer(self, message_id: QueueId) -> ContentWriter:
        """Begin a content too large for memory."""
        ...

    def correspondents(
        self, sender: Mailbox, limit: int, done: Callable[[tuple[Correspondent, ...] | SpoolFault], None]
    ) -> None:
        """Name the addresses that took mail of this sender within what history keeps, the latest first.

        Looks at the sender's last messages only. Changes nothing.
        """
        ...

    def heard(
        self,
        reports: tuple[HeardReport, ...],
        done: Callable[[tuple[QueueId | None, ...] | SpoolFault], None],
    ) -> None:
        """Add what others report to the stories of our messages; its disposition stays as it is.

        A message is found by ENVID, or by Message-ID among the last of that reverse path. A report that has
        neither is about the latest one from that reverse path to that recipient, if among those it lately
        sent to there is just one who can be meant (VERP). Answers for each report with the message that it
        is about, None where none was found.
        At most LATER_LIMIT are kept for a recipient; the same report is kept once.
        """
        ...

    def purge(self, now: Instant, limit: int, done: Callable[[int | SpoolFault], None]) -> None:
        """Forget contents, history, destinations and lessons past their keeping; say how many rows went.

        About `limit` of each kind; a message counts as its recipients.
        """
        ...

    def past(self, destination: Destination, done: Callable[[Past | SpoolFault | None], None]) -> None:
        """Tell when a destination last took mail; None: not that we remember. Changes nothing."""
        ...

    def denied(self, destination: Destination, since: Instant | None, done: Done) -> None:
        """Note since when the name of a destination is denied that took mail; None: it is not (any more).

        One that is not known to have taken mail stays unknown.
        """
        ...

    def learn(self, lesson: Lesson, done: Done) -> None:
        """Remember a lesson, in the place of what was known of this kind about these hosts."""
        ...

    def set_brake(self, braked: Braked | None, done: Done) -> None:
        """Put the brake on, or let it off."""
        ...

    def probe(
        self, destination: Destination, now: Instant, done: Callable[[bool | SpoolFault], None]
    ) -> None:
        """Let the next probe of a failing destination be due now; False: nobody waits there for a probe.

        A probe that is under way is the one that was asked for. This is no probe by itself: nobody expires
        on the strength of it.
        """
        ...

    def has_room(self, octets: int) -> bool:
        """Whether a message of this size may be taken without touching the reserve. Cheap."""
        ...

    def pressure(self) -> Duration:
        """How long the oldest unfinished operation has waited."""
        ...
