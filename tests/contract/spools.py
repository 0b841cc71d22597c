"""The spools that the contract is tried on, each in a box with a clock, and the mail to try them with.

    Box            a spool, its clock, and questions that wait for their answer
      ModelBox     the dicts of tests/sim/model_spool.py
      SqliteBox    the real one in a folder, with workers that work at once
    Mail           a message that was accepted, and the outcomes that it can have

A box can be restarted in good order or crash with everything that was not committed; time goes on.
"""

from __future__ import annotations

import sqlite3
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path
from typing import Any, Final, TypeAlias, TypeVar, cast

from msgspec import Struct
from msgspec.structs import replace
from tests.sim.clock import VirtualClock
from tests.sim.model_spool import Crash, Disk, ModelSettings, ModelSpool

from byreturn.mail import (
    DAY,
    NULL_PATH,
    SECOND,
    Cause,
    Destination,
    Diagnosis,
    Duration,
    IdFactory,
    Instant,
    Mailbox,
    Message,
    Notify,
    Origin,
    PeerSaid,
    Phase,
    Priority,
    QueueId,
    Recipient,
    ReversePath,
    WeFound,
    mailbox_from_text,
    reply,
)
from byreturn.policy import (
    Event,
    Fence,
    InFlight,
    Outcome,
    PutOff,
    RanOutOfTime,
    Refused,
    Relayed,
    State,
    Stored,
    Unbooked,
    Uncertain,
    Waiting,
    owed_for,
)
from byreturn.ports import (
    Braked,
    Claimed,
    Clock,
    ContentReader,
    Correspondent,
    DestinationNews,
    Expiry,
    HeardReport,
    Lesson,
    NewMessage,
    NewRecipient,
    Opened,
    OwedDue,
    OwedReport,
    Past,
    Settled,
    Settling,
    Spool,
    SpoolFault,
)
from byreturn.spool import Keeping, SpoolSettings, SqliteSpool
from byreturn.spool.opening import DATABASE_NAME, connect
from byreturn.spool.rows import EVENT_NAMES, PUT_OFF_WITH_ANOTHER
from byreturn.spool.statements import SQL

T = TypeVar("T")
# An attempt in the history: ordinal, number, when it began and ended, what it found.
Line: TypeAlias = tuple[int, int, Instant, Instant, type[Event]]
# What others reported: of which recipient, when, in which message, what they call it, and the text.
Later: TypeAlias = tuple[int | None, Instant, QueueId, str, str]

GATHER: Final[Duration] = 1 * SECOND
KEEP_CONTENT: Final[Duration] = 3 * DAY
KEEP_HISTORY: Final[Duration] = 30 * DAY
LIFETIME: Final[Duration] = 5 * DAY
ALICE: Final = Mailbox("alice", "here.example")
NO_LIMIT: Final = 1_000_000


class BoxSettings(Struct, frozen=True):
    """What a spool is set up with."""

    gather: Duration = GATHER
    keep_history: Duration = KEEP_HISTORY
    keep_content: Duration = KEEP_CONTENT
    keep_octets: int = 1024**3
    quota: int = 1000
    reserve_octets: int = 0
    copy_expired: bool = False
    copy_expired_reports: bool = False


DEFAULTS: Final = BoxSettings()


# --- Findings and events ------------------------------------------------------------------------------


def said(code: int, status: str, text: str = "so it is", host: str = "mx.away.example") -> PeerSaid:
    """Make a finding out of a peer's words."""
    return PeerSaid(reply(code, status, text), host, "192.0.2.25", Phase.RCPT)


TAKEN: Final = said(250, "2.1.5", "Kept")
NO_SUCH_USER: Final = said(550, "5.1.1", "No such user, é <b>")
LATER: Final = said(451, "4.7.1", "Greylisted")
SILENT: Final = WeFound(Cause.SILENT, "no answer within 30 seconds", "mx.dead.example", "192.0.2.7")
STILL_SILENT: Final = WeFound(Cause.SILENT, "and again", "mx.dead.example", "192.0.2.7")
LOST: Final = WeFound(Cause.LOST_CONNECTION, "after the final dot", "mx.away.example", "192.0.2.25")

RELAYED: Final = Relayed(TAKEN)
STORED: Final = Stored(WeFound(Cause.STORED))
REFUSED: Final = Refused(NO_SUCH_USER)
OUT_OF_TIME: Final = RanOutOfTime(SILENT)


def failing(
    destination: str, due_at: Instant, *, failures: int = 1, since: Instant = 0, finding: Diagnosis = SILENT
) -> DestinationNews:
    """Say that a destination does not answer."""
    return DestinationNews(Destination(destination), failures, due_at, finding, since)


def alive(destination: str, now: Instant) -> DestinationNews:
    """Say that a destination answers."""
    return DestinationNews(Destination(destination), 0, now, None, None)


# --- Mail ---------------------------------------------------------------------------------------------


def recipient(
    ordinal: int, address: str, *, given: str = "", notify: Notify = Notify.ABSENT, orcpt: str | None = None
) -> Recipient:
    """Make a recipient."""
    mailbox = mailbox_from_text(address)
    return Recipient(
        ordinal, mailbox, mailbox_from_text(given or address), mailbox.destination, notify, orcpt
    )


class Mail(Struct, frozen=True):
    """A message that was made, and the outcomes that it can have."""

    new: NewMessage
    epoch: int

    @property
    def id(self) -> QueueId:
        """Its number."""
        return self.new.message.id

    @property
    def keys(self) -> list[tuple[QueueId, int]]:
        """Its recipients, as the spool names them."""
        return [(self.id, one.recipient.ordinal) for one in self.new.recipients]

    def outcome(
        self,
        event: Outcome | Unbooked,
        ordinal: int = 0,
        *,
        attempt: int = 1,
        epoch: int | None = None,
        delay_notice_at: Instant | None = None,
        delay_notices: tuple[Instant, ...] = (),
        early_notice_at: Instant | None = None,
        is_copied: bool = False,
        began_at: Instant | None = None,
        expires_at: Instant | None = None,
    ) -> Settling:
        """Say what an attempt found for a recipient; what is owed follows by the law."""
        message = self.new.message
        (who,) = (one.recipient for one in self.new.recipients if one.recipient.ordinal == ordinal)
        return Settling(
            message_id=message.id,
            ordinal=ordinal,
            destination=who.destination,
            recipient_count=message.recipient_count,
            fence=Fence(self.epoch if epoch is None else epoch, attempt),
            event=event,
            began_at=message.accepted_at if began_at is None else began_at,
            owed=owed_for(event, message.reverse_path, who.notify, passed_on=False),
            is_copied=is_copied,
            delay_notices=delay_notices or _one(delay_notice_at),
            early_notice_at=early_notice_at,
            expires_at=expires_at,
        )


def _one(at: Instant | None) -> tuple[Instant, ...]:
    return () if at is None else (at,)


# --- The box ------------------------------------------------------------------------------------------


class Box(ABC):
    """A spool with a clock; every question here runs the clock until it is answered."""

    def __init__(self, settings: BoxSettings) -> None:
        self.settings = settings
        self.clock = VirtualClock()
        self.broken: list[str] = []
        self.ids = IdFactory(1, QueueId(0))
        self.started_at = self.clock.now()

    # What the implementations differ in.

    @property
    @abstractmethod
    def spool(self) -> Spool:
        """The port."""

    @property
    @abstractmethod
    def opened(self) -> Opened:
        """What start found."""

    @abstractmethod
    def close(self) -> None:
        """End the process; what is not committed vanishes."""

    @abstractmethod
    def open(self) -> None:
        """Start a process on what the last one left."""

    @abstractmethod
    def history(self, message_id: QueueId) -> list[Line]:
        """Read the attempts of a message, by recipient and number."""

    @abstractmethod
    def later(self, message_id: QueueId) -> list[Later]:
        """Read what others reported of a message, in the order in which it came."""

    @abstractmethod
    def failing(self) -> set[Destination]:
        """Name the destinations that are remembered as failing."""

    @abstractmethod
    def is_idle(self) -> bool:
        """Whether everything asked for is done."""

    @abstractmethod
    def fill(self) -> Callable[[], None]:
        """Let there be no room for what is stored from now on; the answer makes room again."""

    @abstractmethod
    def spoil_next_commit(self, *, is_kept: bool) -> None:
        """Let the next commit fail so that nobody knows whether it is on the disk."""

    @abstractmethod
    def reach_the_commit(self, *, is_kept: bool) -> None:
        """Let what was asked go on until just before its commit, or just after it; `done` is not called."""

    # Life and death.

    @property
    def now(self) -> Instant:
        """The present instant."""
        return self.clock.now()

    @property
    def epoch(self) -> int:
        """The process's epoch."""
        return self.opened.epoch

    def crash(self) -> Opened:
        """Die with everything that was not committed, and start again."""
        self.clock.forget_all()
        self.close()
        self.open()
        self.started_at = self.now
        return self.opened

    def die_at_the_commit(self, *, is_kept: bool) -> Opened:
        """Die just before the commit of what was asked, or just after it; and start again."""
        self.reach_the_commit(is_kept=is_kept)
        return self.crash()

    def restart(self) -> Opened:
        """End when everything is on the disk, and start again."""
        self.clock.run_now()
        assert self.is_idle()
        return self.crash()

    # Questions.

    def ask(self, question: Callable[[Callable[[T], None]], None]) -> T:
        """Ask, and let the clock run within this instant until there is the one answer."""
        answers: list[T] = []
        question(answers.append)
        self.clock.run_now()
        assert len(answers) == 1, f"{len(answers)} answers"
        return answers[0]

    def accept(self, new: NewMessage) -> SpoolFault | None:
        """Store a message."""
        fault: SpoolFault | None = self.ask(partial(self.spool.accept, new))
        return fault

    def settle(self, *settlings: Settling, news: Iterable[DestinationNews] = ()) -> Settled:
        """Record outcomes."""
        answer: Settled | SpoolFault = self.ask(partial(self.spool.settle, settlings, tuple(news), self.now))
        return good(answer)

    def claim(self, limit: int = NO_LIMIT, quotas: dict[str, int] | None = None) -> Claimed:
        """Book what is due."""
        named = cast(dict[Destination, int], quotas or {})
        answer: Claimed | SpoolFault = self.ask(partial(self.spool.claim, self.now, limit, named))
        return good(answer)

    def claimed(self, limit: int = NO_LIMIT, quotas: dict[str, int] | None = None) -> list[str]:
        """Book what is due, and name the addresses, sorted."""
        return sorted(addresses(self.claim(limit, quotas)))

    def owed_due(self, limit: int = 100) -> OwedDue:
        """Name messages with a report due."""
        answer: OwedDue | SpoolFault = self.ask(partial(self.spool.owed_due, self.now, limit))
        return good(answer)

    def take_owed(self, message_id: QueueId) -> OwedReport | None:
        """Read what a report must say."""
        answer: OwedReport | SpoolFault | None = self.ask(partial(self.spool.take_owed, message_id, self.now))
        assert not isinstance(answer, SpoolFault)
        return answer

    def taken(self, message_id: QueueId) -> OwedReport:
        """Read what a report must say, which is something."""
        owed = self.take_owed(message_id)
        assert owed is not None
        return owed

    def report(self, owed: OwedReport, new: NewMessage | None) -> bool:
        """Queue a report and mark its lines."""
        answer: bool | SpoolFault = self.ask(partial(self.spool.report, owed, new))
        return good(answer)

    def probe(self, destination: str) -> bool:
        """Ask for a probe now."""
        answer: bool | SpoolFault = self.ask(partial(self.spool.probe, Destination(destination), self.now))
        return good(answer)

    def expire(self, limit: int = NO_LIMIT) -> Expiry:
        """End what is over."""
        answer: Expiry | SpoolFault = self.ask(partial(self.spool.expire, self.now, self.started_at, limit))
        return good(answer)

    def purge(self, limit: int = NO_LIMIT) -> int:
        """Forget what is past its keeping."""
        answer: int | SpoolFault = self.ask(partial(self.spool.purge, self.now, limit))
        return good(answer)

    def past(self, destination: str) -> Past | None:
        """Tell when a destination last took mail."""
        answer: Past | SpoolFault | None = self.ask(partial(self.spool.past, Destination(destination)))
        assert not isinstance(answer, SpoolFault)
        return answer

    def deny(self, destination: str, since: Instant | None) -> SpoolFault | None:
        """Note since when a name is denied."""
        fault: SpoolFault | None = self.ask(partial(self.spool.denied, Destination(destination), since))
        return fault

    def learn(self, lesson: Lesson) -> SpoolFault | None:
        """Remember a lesson."""
        fault: SpoolFault | None = self.ask(partial(self.spool.learn, lesson))
        return fault

    def set_brake(self, braked: Braked | None) -> SpoolFault | None:
        """Put the brake on, or let it off."""
        fault: SpoolFault | None = self.ask(partial(self.spool.set_brake, braked))
        return fault

    def correspondents(self, sender: Mailbox, limit: int = 100) -> tuple[Correspondent, ...]:
        """Name the addresses that took mail of a sender."""
        answer: tuple[Correspondent, ...] | SpoolFault
        answer = self.ask(partial(self.spool.correspondents, sender, limit))
        return good(answer)

    def heard(self, *reports: HeardReport) -> tuple[QueueId | None, ...]:
        """Add what others report."""
        answer: tuple[QueueId | None, ...] | SpoolFault = self.ask(partial(self.spool.heard, reports))
        return good(answer)

    def reader(self, message_id: QueueId) -> ContentReader | None:
        """Open a content."""
        answer: ContentReader | SpoolFault | None = self.ask(partial(self.spool.content, message_id))
        assert not isinstance(answer, SpoolFault), answer
        return answer

    def content(self, message_id: QueueId) -> bytes | None:
        """Read a content, in odd pieces; None when it is gone."""
        reader = self.reader(message_id)
        if reader is None:
            return None
        pieces = list(iter(lambda: reader.read(7919), b""))
        reader.close()
        data = b"".join(pieces)
        assert len(data) == reader.octets
        return data

    def seal(self, message_id: QueueId, data: bytes) -> SpoolFault | None:
        """Write a large content."""
        writer = self.spool.content_writer(message_id)
        for at in range(0, len(data), 10_000):
            assert writer.write(data[at : at + 10_000]) is None
        return self.ask(writer.seal)

    # Mail.

    def make(
        self,
        *to: str | Recipient,
        state: State | None = None,
        finding: Diagnosis | None = None,
        delay_notice_at: Instant | None = None,
        delay_notices: tuple[Instant, ...] = (),
        early_notice_at: Instant | None = None,
        content: bytes | None = b"Subject: x\r\n\r\nHello\r\n",
        priority: Priority = Priority.NORMAL,
        reverse_path: ReversePath = ALICE,
        notify: Notify = Notify.ABSENT,
        lifetime: Duration = LIFETIME,
        octets: int = 0,
        about: QueueId | None = None,
        listener: str = "mx",
        envid: str | None = None,
        message_id: str | None = None,
        expanded: tuple[int, ...] = (),
    ) -> Mail:
        """Make a message; all its recipients are booked unless a state is given."""
        recipients = tuple(
            one if isinstance(one, Recipient) else recipient(ordinal, one, notify=notify)
            for ordinal, one in enumerate(to)
        )
        number = self.ids.make(self.now)
        message = Message(
            id=number,
            reverse_path=reverse_path,
            accepted_at=self.now,
            expires_at=self.now + lifetime,
            octets=octets if content is None else len(content),
            recipient_count=len(recipients),
            priority=priority,
            origin=Origin("192.0.2.1", "client.example", listener),
            about=about,
            envid=envid,
            message_id=f"<{number}@here.example>" if message_id is None else message_id,
            subject="Zwölf Boxkämpfer",
        )
        first = state or InFlight(Fence(self.epoch, 1))
        notices = delay_notices or _one(delay_notice_at)
        each = tuple(NewRecipient(one, first, finding, notices, early_notice_at) for one in recipients)
        return Mail(NewMessage(message, each, content, expanded), self.epoch)

    def keep(self, mail: Mail) -> Mail:
        """Accept a message."""
        assert self.accept(mail.new) is None
        return mail

    def booked(self, *to: str | Recipient, **how: Any) -> Mail:
        """Accept a message whose recipients are booked for their first attempt."""
        return self.keep(self.make(*to, **how))

    def waiting(self, *to: str | Recipient, due_at: Instant | None = None, **how: Any) -> Mail:
        """Accept a message whose recipients wait, if nothing else is said from now on."""
        state = Waiting(self.now if due_at is None else due_at, 0)
        return self.keep(self.make(*to, state=state, **how))

    def report_on(self, mail: Mail, *to: str, state: State | None = None) -> NewMessage:
        """Make a report about a message; its recipients wait unless a state is given."""
        return self.make(
            *(to or ("alice@here.example",)),
            state=state or Waiting(self.now, 0),
            content=b"Subject: report\r\n\r\n",
            priority=Priority.REPORT,
            reverse_path=NULL_PATH,
            notify=Notify.NEVER,
            about=mail.id,
        ).new

    def tell(self, mail: Mail) -> OwedReport:
        """Make the report that is due about a message."""
        owed = self.taken(mail.id)
        assert self.report(owed, self.report_on(mail, state=InFlight(Fence(self.epoch, 1))))
        return owed


Maker: TypeAlias = Callable[[BoxSettings], Box]


def good(answer: T | SpoolFault) -> T:
    """Demand that an answer is no fault."""
    assert not isinstance(answer, SpoolFault), answer
    return answer


def addresses(claimed: Claimed) -> list[str]:
    """Name whom a claim booked, in the order of the consignments."""
    return [
        str(booking.recipient.address)
        for consignment in claimed.consignments
        for booking in consignment.bookings
    ]


def attempts(claimed: Claimed) -> dict[str, int]:
    """Tell the attempt's number for each address that a claim booked."""
    return {
        str(booking.recipient.address): booking.attempt
        for consignment in claimed.consignments
        for booking in consignment.bookings
    }


# --- The model ----------------------------------------------------------------------------------------


class ModelBox(Box):
    """The dicts."""

    def __init__(self, settings: BoxSettings = DEFAULTS) -> None:
        super().__init__(settings)
        self.disk = Disk()
        self.open()

    @property
    def spool(self) -> ModelSpool:
        return self._spool

    @property
    def opened(self) -> Opened:
        return self._spool.opened

    def close(self) -> None:
        self._spool.die()

    def open(self) -> None:
        settings = self.settings
        self._spool = ModelSpool(
            self.disk,
            self.clock,
            settings=ModelSettings(
                gather=settings.gather,
                keep_history=settings.keep_history,
                keep_content=settings.keep_content,
                keep_octets=settings.keep_octets,
                quota=settings.quota,
                copy_expired=settings.copy_expired,
                copy_expired_reports=settings.copy_expired_reports,
            ),
            on_broken=self.broken.append,
        )

    def history(self, message_id: QueueId) -> list[Line]:
        return sorted(
            (one.ordinal, one.number, one.began_at, one.ended_at, one.event)
            for one in self.disk.history.get(message_id, ())
        )

    def later(self, message_id: QueueId) -> list[Later]:
        return [
            (ordinal, one.at, one.report_id, one.action, one.text)
            for ordinal, one in self.disk.later.get(message_id, ())
        ]

    def failing(self) -> set[Destination]:
        return set(self.disk.health)

    def is_idle(self) -> bool:
        return self._spool.is_idle

    def fill(self) -> Callable[[], None]:
        spool = self._spool
        spool.before = lambda name, _: (
            SpoolFault("no room left", is_full=True) if name in ("accept", "report", "seal") else None
        )
        spool.room = -1

        def make_room() -> None:
            spool.before = lambda _name, _number: None
            spool.room = 1 << 62

        return make_room

    def spoil_next_commit(self, *, is_kept: bool) -> None:
        fault = SpoolFault("the commit failed", is_ambiguous=True)
        if is_kept:
            self._spool.after = lambda _name, _number: fault
        else:
            self._spool.before = lambda _name, _number: fault

    def reach_the_commit(self, *, is_kept: bool) -> None:
        def die(_name: str, _number: int) -> SpoolFault | None:
            raise Crash

        if is_kept:
            self._spool.after = die
        else:
            self._spool.before = die
        try:
            self.clock.run_now()
        except Crash:
            return
        raise AssertionError("nothing was asked")


# --- SQLite -------------------------------------------------------------------------------------------


class InlineWorker:
    """Works at once; what it found is told through the clock, as if a thread had done it."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    def submit(self, work: Callable[[], T], done: Callable[[T | Exception], None]) -> None:
        """Do `work`, and tell `done` later."""
        outcome: T | Exception
        try:
            outcome = work()
        except Exception as error:
            outcome = error
        told = outcome
        self._clock.call_later(0, lambda: done(told))


class SpoiledConnection:
    """A connection whose commits fail in a way that leaves everything open."""

    def __init__(self, connection: sqlite3.Connection, *, is_kept: bool) -> None:
        self._connection = connection
        self._is_kept = is_kept

    @property
    def in_transaction(self) -> bool:
        return self._connection.in_transaction

    def execute(self, sql: str, *values: Any) -> sqlite3.Cursor:
        if sql != "COMMIT":
            return self._connection.execute(sql, *values)
        if self._is_kept:
            self._connection.execute(sql)
        raise sqlite3.OperationalError("disk I/O error")

    def __getattr__(self, name: str) -> Any:
        return getattr(self._connection, name)


class SqliteBox(Box):
    """The real spool."""

    def __init__(self, folder: Path, settings: BoxSettings = DEFAULTS) -> None:
        super().__init__(settings)
        self.folder = folder
        self.open()

    @property
    def spool(self) -> SqliteSpool:
        return self._spool

    @property
    def opened(self) -> Opened:
        return self._spool.opened

    def close(self) -> None:
        self._spool.abandon()

    def open(self) -> None:
        settings = self.settings
        self._spool = SqliteSpool(
            self.folder,
            InlineWorker(self.clock),
            self.clock,
            settings=SpoolSettings(
                gather=settings.gather,
                keeping=Keeping(settings.keep_history, settings.keep_content, settings.keep_octets),
                quota=settings.quota,
                reserve_octets=settings.reserve_octets,
                copy_expired=settings.copy_expired,
                copy_expired_reports=settings.copy_expired_reports,
            ),
            on_broken=self.broken.append,
        )
        self.clock.run_now()

    def query(self, sql: str, *values: Any) -> list[tuple[Any, ...]]:
        """Look into the database."""
        connection = connect(self.folder / DATABASE_NAME, read_only=True)
        rows: list[tuple[Any, ...]] = connection.execute(sql, values).fetchall()
        connection.close()
        return rows

    def history(self, message_id: QueueId) -> list[Line]:
        events = {name: event for event, name in EVENT_NAMES.items()}
        events[PUT_OFF_WITH_ANOTHER] = PutOff
        return sorted(
            (ordinal, number, began_at, ended_at, events[name])
            for ordinal, number, began_at, ended_at, name in self.query(
                "SELECT ordinal, number, began_at, ended_at, event FROM attempt WHERE message_id = ?",
                message_id,
            )
        )

    def later(self, message_id: QueueId) -> list[Later]:
        return self.query(
            "SELECT ordinal, at, report_id, action, text FROM later WHERE message_id = ? ORDER BY rowid",
            message_id,
        )

    def failing(self) -> set[Destination]:
        return {row[0] for row in self.query(SQL["failing_destinations"], NO_LIMIT)}

    def is_idle(self) -> bool:
        return self._spool.is_idle

    def fill(self) -> Callable[[], None]:
        writer = self._spool._writer
        (pages,) = writer.execute("PRAGMA page_count").fetchone()
        writer.execute(f"PRAGMA max_page_count = {pages}")

        def make_room() -> None:
            writer.execute(f"PRAGMA max_page_count = {1 << 30}")

        return make_room

    def spoil_next_commit(self, *, is_kept: bool) -> None:
        spoiled = SpoiledConnection(self._spool._writer, is_kept=is_kept)
        self._spool._committer._connection = cast(sqlite3.Connection, spoiled)

    def reach_the_commit(self, *, is_kept: bool) -> None:
        if is_kept:
            # One call is the group with its statements; the worker has committed it when that returns.
            assert self.clock.run(1) == 1


def put_off(due_at: Instant, finding: Diagnosis = LATER) -> PutOff:
    """Put off until then."""
    return PutOff(finding, due_at)


def uncertain(due_at: Instant) -> Uncertain:
    """The reply to the end of content was lost."""
    return Uncertain(LOST, due_at)


def with_state(new: NewMessage, ordinal: int, state: State) -> NewMessage:
    """Give one recipient of a message another state."""
    recipients = list(new.recipients)
    recipients[ordinal] = replace(recipients[ordinal], state=state)
    return replace(new, recipients=tuple(recipients))
