"""The spool as plain dicts: what the port promises, without a database.

The simulator runs the real desks on it, and the contract suite holds SQLite against it. It is written to be
obviously right, not fast: every question is answered by looking at everything that is open.

    Disk         what survives a crash: plain dicts, and a log of what was committed for the checkers
    ModelSpool   one process's hold on it; opening recovers, as a start does

An operation takes effect at its *commit*, a call of the clock, and is then told to `done`. Around the commit
stand two hooks, with the operation's name and its number:

    before(name, number)   raises Crash: the process dies, nothing of it is kept
                           returns a SpoolFault: the operation fails, and nothing is kept; an ambiguous fault
                           does not say so
    after(name, number)    raises Crash: the process dies, it is kept, and nobody was told
                           returns a SpoolFault: it is kept, and the caller hears an ambiguous fault

After an ambiguous fault everything more fails in the same way and `on_broken` is told, once: the process must
open again. A spool that died, or whose disk was opened by another, does nothing any more.

Fails: IllegalTransition and AssertionError are bugs of the caller; nothing of that operation is kept.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from typing import Final, TypeAlias, TypeVar

from msgspec import Struct, field
from msgspec.structs import replace

from byreturn.mail import (
    COPY_LISTENER,
    DAY,
    HOUR,
    MINUTE,
    SECOND,
    Action,
    Booking,
    Cause,
    Consignment,
    Destination,
    Diagnosis,
    Duration,
    Instant,
    Mailbox,
    Message,
    NullPath,
    Priority,
    QueueId,
    Recipient,
    WeFound,
    first_id_at,
)
from byreturn.mail.xtext import xtext_decode
from byreturn.policy import (
    FINAL,
    Booked,
    Delivered,
    Event,
    GaveUpOnUs,
    InFlight,
    Interrupted,
    RanOutOfTime,
    Relayed,
    State,
    Stored,
    Unbooked,
    Waiting,
    advance,
    attempts_of,
    owed_for,
    report_due_at,
)
from byreturn.ports import (
    KNOWN_LIMIT,
    LATER_LIMIT,
    LESSONS_LIMIT,
    OTHERS_LIMIT,
    Braked,
    Claimed,
    Clock,
    ContentReader,
    ContentWriter,
    Correspondent,
    DestinationNews,
    Ended,
    Expiry,
    HeardReport,
    Lesson,
    NewMessage,
    Opened,
    OtherRecipient,
    OwedDue,
    OwedLine,
    OwedReport,
    Past,
    ReportKind,
    Settled,
    Settling,
    SpoolFault,
)

T = TypeVar("T")
Hook: TypeAlias = Callable[[str, int], SpoolFault | None]
Key: TypeAlias = tuple[QueueId, int]
# A line of what is owed: for which recipient, what (a report by its action, else CLEARED or COPY), and of
# delay notices its number.
Owed: TypeAlias = tuple[int, Action | ReportKind, int]

BOOKED_FOR: Final[Duration] = 15 * MINUTE
PROBE_BOOKED_FOR: Final[Duration] = 30 * MINUTE
RESTART_SPREAD: Final[Duration] = 2 * SECOND
INTERRUPTIONS_LIMIT: Final = 3
SENT_LOOKED_AT: Final = 300
NOBODY_TOLD: Final = QueueId(0)
INTERRUPTION: Final = WeFound(Cause.INTERRUPTED, "the server stopped during the attempt")


class Crash(BaseException):
    """The process dies here. No broad except may stop it."""


def no_hook(_name: str, _number: int) -> SpoolFault | None:
    """Let everything succeed."""
    return None


class ModelSettings(Struct, frozen=True):
    """As the real spool's. `reads_inside`: reads are answered from inside the call, as SQLite's are."""

    gather: Duration = 1 * SECOND
    keep_history: Duration = 30 * DAY
    keep_content: Duration = 3 * DAY
    keep_octets: int = 1024**3
    quota: int = 1000
    copy_expired: bool = False
    copy_expired_reports: bool = False
    reads_inside: bool = True


DEFAULTS: Final = ModelSettings()

# --- What is on the disk ------------------------------------------------------------------------------


class Life(Struct):
    """A recipient. `again_at`: when its attempt is due again, should it be interrupted."""

    recipient: Recipient
    state: State
    again_at: Instant
    changed_at: Instant
    heard_at: Instant | None
    finding: Diagnosis | None
    expires_at: Instant
    interruptions: int = 0


class Line(Struct):
    """A report that is owed for a recipient, or was sent in `report_id`."""

    due_at: Instant
    at: Instant
    report_id: QueueId | None = None


class Content(Struct):
    """A content; `keep_until` is None as long as a recipient needs it."""

    data: bytes
    keep_until: Instant | None = None


class Attempt(Struct, frozen=True):
    """One line of a recipient's history."""

    ordinal: int
    number: int
    began_at: Instant
    ended_at: Instant
    event: type[Event]
    finding: Diagnosis | None


class Health(Struct):
    """A destination that is failing: not to be probed before `probe_at`."""

    news: DestinationNews
    probe_at: Instant
    found_at: Instant


class Change(Struct, frozen=True):
    """A recipient's state became another one; `before` is None when it was accepted."""

    at: Instant
    epoch: int
    key: Key
    before: State | None
    after: State


class Committed(Struct, frozen=True):
    """An operation that took effect: what was asked, and what `done` hears if the process lives."""

    number: int
    name: str
    at: Instant
    epoch: int
    asked: tuple[object, ...]
    answer: object


class Disk(Struct):
    """Everything that survives. Checkers may read all of it, and must change nothing."""

    epoch: int = 0
    messages: dict[QueueId, Message] = field(default_factory=dict)
    lives: dict[QueueId, dict[int, Life]] = field(default_factory=dict)
    queue: dict[QueueId, None] = field(default_factory=dict)  # messages with a recipient that is not final
    owed: dict[QueueId, dict[Owed, Line]] = field(default_factory=dict)
    reported: dict[QueueId, dict[Owed, Line]] = field(default_factory=dict)
    reports: dict[QueueId, list[QueueId]] = field(default_factory=dict)  # by the message they are about
    contents: dict[QueueId, Content] = field(default_factory=dict)
    sealed: dict[QueueId, bytes] = field(default_factory=dict)  # large contents not yet accepted
    health: dict[Destination, Health] = field(default_factory=dict)
    history: dict[QueueId, list[Attempt]] = field(default_factory=dict)
    later: dict[QueueId, list[tuple[int | None, HeardReport]]] = field(default_factory=dict)
    known: dict[Destination, Past] = field(default_factory=dict)
    lessons: dict[tuple[str, str], Lesson] = field(default_factory=dict)
    brake: Braked | None = None
    changes: list[Change] = field(default_factory=list)
    log: list[Committed] = field(default_factory=list)

    def waiting(self) -> Iterator[tuple[QueueId, Life, Waiting]]:
        """Every recipient that waits."""
        for message_id in self.queue:
            for life in self.lives[message_id].values():
                if isinstance(life.state, Waiting):
                    yield message_id, life, life.state


def _kind_of(owed: Owed) -> ReportKind:
    return owed[1] if isinstance(owed[1], ReportKind) else ReportKind.REPORT


def _gathers(owed: Owed) -> bool:
    """Whether a line waits for its siblings, and they for it: all of a report but delays."""
    return isinstance(owed[1], Action) and owed[1] is not Action.DELAYED


def _is_known_as(recipient: Recipient, address: Mailbox) -> bool:
    original = xtext_decode((recipient.orcpt or "").partition(";")[2]) or ""
    known = (str(recipient.address), str(recipient.given), original)
    return str(address).casefold() in [one.casefold() for one in known]


# --- Contents -----------------------------------------------------------------------------------------


class ModelReader:
    """A content, read from front to back."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self.octets = len(data)

    def read(self, octets: int) -> bytes:
        """Return the next octets."""
        piece, self._data = self._data[:octets], self._data[octets:]
        return piece

    def close(self) -> None:
        """Nothing to let go of."""


class ModelWriter:
    """A large content on its way; a fault, once met, stays."""

    def __init__(self, spool: ModelSpool, message_id: QueueId) -> None:
        self._spool = spool
        self._message_id = message_id
        self._pieces: list[bytes] = []
        self._fault: SpoolFault | None = None

    def write(self, data: bytes) -> SpoolFault | None:
        """Append."""
        if self._fault is None:
            self._fault = self._spool.fault_at_write()
        if self._fault is None:
            self._pieces.append(bytes(data))
        return self._fault

    def seal(self, done: Callable[[SpoolFault | None], None]) -> None:
        """Make it durable."""
        if self._fault is not None:
            self._spool.answer_later(done, self._fault)
        else:
            self._spool.seal(self._message_id, b"".join(self._pieces), done)

    def abort(self) -> None:
        """Throw it away."""
        self._pieces.clear()
        self._spool.unseal(self._message_id)


# --- The spool ----------------------------------------------------------------------------------------


class ModelSpool:
    """Implements `ports.Spool`. `room`: how many octets a message may have; set it to play a full disk."""

    def __init__(
        self,
        disk: Disk,
        clock: Clock,
        *,
        settings: ModelSettings = DEFAULTS,
        delay: Callable[[str, int], Duration] = lambda _name, _number: 0,
        before: Hook = no_hook,
        after: Hook = no_hook,
        on_broken: Callable[[str], None] = lambda _why: None,
    ) -> None:
        self.disk = disk
        self.settings = settings
        self.room = 1 << 62
        self.before = before
        self.after = after
        self.delay = delay
        self._clock = clock
        self._on_broken = on_broken
        self._is_dead = False
        self._broken: SpoolFault | None = None
        self._number = 0
        self._last_commit_at: Instant = 0
        self._unfinished: dict[int, Instant] = {}
        self.opened = self._open()

    @property
    def epoch(self) -> int:
        """Our own epoch."""
        return self.opened.epoch

    @property
    def is_alive(self) -> bool:
        """Whether this process may still act on the disk."""
        return not self._is_dead and self.disk.epoch == self.epoch

    @property
    def is_idle(self) -> bool:
        """Whether everything asked for is on the disk."""
        return not self._unfinished

    def die(self) -> None:
        """End the process: what was not committed vanishes, and nobody is told anything more."""
        self._is_dead = True

    def reopened(self, clock: Clock) -> ModelSpool:
        """Die, if that has not happened yet, and open the same disk anew; hooks and delays are kept."""
        self.die()
        return ModelSpool(
            self.disk,
            clock,
            settings=self.settings,
            delay=self.delay,
            before=self.before,
            after=self.after,
            on_broken=self._on_broken,
        )

    # --- The port: writing ----------------------------------------------------------------------------

    def accept(self, new: NewMessage, done: Callable[[SpoolFault | None], None]) -> None:
        """Store a message."""
        self._commit("accept", (new,), lambda: self._accept(new), done)

    def settle(
        self,
        settlings: tuple[Settling, ...],
        news: tuple[DestinationNews, ...],
        now: Instant,
        done: Callable[[Settled | SpoolFault], None],
    ) -> None:
        """Record outcomes."""
        self._commit("settle", (settlings, news, now), lambda: self._settle(settlings, news, now), done)

    def claim(
        self,
        now: Instant,
        limit: int,
        quotas: dict[Destination, int],
        done: Callable[[Claimed | SpoolFault], None],
    ) -> None:
        """Book what is due."""
        self._commit("claim", (now, limit, quotas), lambda: self._claim(now, limit, quotas), done)

    def report(
        self, owed: OwedReport, new: NewMessage | None, done: Callable[[bool | SpoolFault], None]
    ) -> None:
        """Queue a report and mark its lines."""
        self._commit("report", (owed, new), lambda: self._report(owed, new), done)

    def expire(
        self, now: Instant, started_at: Instant, limit: int, done: Callable[[Expiry | SpoolFault], None]
    ) -> None:
        """End what is over."""
        self._commit("expire", (now, started_at, limit), lambda: self._expire(now, started_at, limit), done)

    def purge(self, now: Instant, limit: int, done: Callable[[int | SpoolFault], None]) -> None:
        """Forget what is past its keeping."""
        self._commit("purge", (now, limit), lambda: self._purge(now, limit), done)

    def heard(
        self,
        reports: tuple[HeardReport, ...],
        done: Callable[[tuple[QueueId | None, ...] | SpoolFault], None],
    ) -> None:
        """Add what others report to the stories of our messages."""
        self._commit("heard", (reports,), lambda: tuple(self._hear(one) for one in reports), done)

    def denied(
        self, destination: Destination, since: Instant | None, done: Callable[[SpoolFault | None], None]
    ) -> None:
        """Note since when a name is denied."""
        self._commit("denied", (destination, since), lambda: self._denied(destination, since), done)

    def learn(self, lesson: Lesson, done: Callable[[SpoolFault | None], None]) -> None:
        """Remember a lesson."""
        self._commit("learn", (lesson,), lambda: self._learn(lesson), done)

    def set_brake(self, braked: Braked | None, done: Callable[[SpoolFault | None], None]) -> None:
        """Put the brake on, or let it off."""
        self._commit("set_brake", (braked,), lambda: self._set_brake(braked), done)

    def probe(
        self, destination: Destination, now: Instant, done: Callable[[bool | SpoolFault], None]
    ) -> None:
        """Let the next probe of a failing destination be due now."""
        self._commit("probe", (destination, now), lambda: self._probe(destination, now), done)

    # --- The port: reading ----------------------------------------------------------------------------

    def owed_due(self, now: Instant, limit: int, done: Callable[[OwedDue | SpoolFault], None]) -> None:
        """Name messages with a report due."""
        self._read("owed_due", lambda: self._owed_due(now, limit), done)

    def take_owed(
        self, message_id: QueueId, now: Instant, done: Callable[[OwedReport | SpoolFault | None], None]
    ) -> None:
        """Read what a report must say."""
        self._read("take_owed", lambda: self._take_owed(message_id, now), done)

    def correspondents(
        self, sender: Mailbox, limit: int, done: Callable[[tuple[Correspondent, ...] | SpoolFault], None]
    ) -> None:
        """Name the addresses that took mail of this sender."""
        self._read("correspondents", lambda: self._correspondents(sender, limit), done)

    def past(self, destination: Destination, done: Callable[[Past | SpoolFault | None], None]) -> None:
        """Tell when a destination last took mail."""
        self._read("past", lambda: self.disk.known.get(destination), done)

    def content(self, message_id: QueueId, done: Callable[[ContentReader | SpoolFault | None], None]) -> None:
        """Open a content."""
        self._read("content", lambda: self._content(message_id), done)

    def content_writer(self, message_id: QueueId) -> ContentWriter:
        """Begin a large content."""
        return ModelWriter(self, message_id)

    def has_room(self, octets: int) -> bool:
        """Whether a message of this size may be taken."""
        return octets <= self.room

    def pressure(self) -> Duration:
        """How long the oldest unfinished operation has waited."""
        return self._clock.now() - min(self._unfinished.values(), default=self._clock.now())

    # --- Commits and faults ---------------------------------------------------------------------------

    def _commit(
        self,
        name: str,
        asked: tuple[object, ...],
        apply: Callable[[], T | SpoolFault],
        done: Callable[[T | SpoolFault], None],
    ) -> None:
        """Let an operation take effect when the clock comes to it, in the order of asking."""
        number = self._next_number()
        now = self._clock.now()
        self._unfinished[number] = now
        self._last_commit_at = max(self._last_commit_at, now + self.delay(name, number))

        def commit() -> None:
            if not self.is_alive:
                return
            answer: T | SpoolFault
            answer = self._broken if self._broken is not None else self._guarded(name, number, asked, apply)
            del self._unfinished[number]
            done(answer)
            self._tell_if_broken(answer)

        self._clock.call_later(self._last_commit_at - now, commit)

    def _guarded(
        self, name: str, number: int, asked: tuple[object, ...], apply: Callable[[], T | SpoolFault]
    ) -> T | SpoolFault:
        try:
            fault = self.before(name, number)
            if fault is not None:
                return fault
            answer = apply()
            if isinstance(answer, SpoolFault):
                return answer
            # COMMIT POINT: from here the disk has it, whoever dies.
            self.disk.log.append(Committed(number, name, self._clock.now(), self.epoch, asked, answer))
            fault = self.after(name, number)
        except Crash:
            self.die()
            raise
        return answer if fault is None else replace(fault, is_ambiguous=True)

    def _tell_if_broken(self, answer: object) -> None:
        if isinstance(answer, SpoolFault) and answer.is_ambiguous and self._broken is None:
            self._broken = answer
            self._on_broken(answer.why)

    def _read(self, name: str, apply: Callable[[], T], done: Callable[[T | SpoolFault], None]) -> None:
        """Answer from what is committed."""
        number = self._next_number()

        def answer() -> None:
            if not self.is_alive:
                return
            try:
                fault = self.before(name, number)
                result = apply() if fault is None else fault
                fault = self.after(name, number)
            except Crash:
                self.die()
                raise
            done(result if fault is None else fault)

        if self.settings.reads_inside:
            answer()
        else:
            self._clock.call_later(self.delay(name, number), answer)

    def _next_number(self) -> int:
        self._number += 1
        return self._number

    def answer_later(self, done: Callable[[SpoolFault | None], None], fault: SpoolFault) -> None:
        """Tell of a fault, never from inside."""
        self._clock.call_later(0, lambda: done(fault) if self.is_alive else None)

    def fault_at_write(self) -> SpoolFault | None:
        """Ask the hooks whether a write of a large content fails."""
        try:
            return self.before("write", self._next_number())
        except Crash:
            self.die()
            raise

    def seal(self, message_id: QueueId, data: bytes, done: Callable[[SpoolFault | None], None]) -> None:
        """Make a large content durable; one that was begun by a dead process is swept at the next start."""

        def apply() -> SpoolFault | None:
            self.disk.sealed[message_id] = data
            return None

        def finish(fault: SpoolFault | None) -> None:
            if fault is not None:
                self.disk.sealed.pop(message_id, None)
            done(fault and replace(fault, is_ambiguous=False))

        self._commit("seal", (message_id,), apply, finish)

    def unseal(self, message_id: QueueId) -> None:
        """Throw a large content away that was not accepted."""
        if self.is_alive:
            self.disk.sealed.pop(message_id, None)

    # --- Opening --------------------------------------------------------------------------------------

    def _open(self) -> Opened:
        """Take up what the last process left in flight, and begin a new epoch."""
        disk, now = self.disk, self._clock.now()
        disk.epoch += 1
        disk.sealed.clear()
        interrupted = parked = 0
        for message_id in disk.queue:
            for life in disk.lives[message_id].values():
                if not isinstance(life.state, InFlight):
                    continue
                interrupted += 1
                parked += self._interrupt(message_id, life, now)
        failing = tuple(
            replace(health.news, due_at=health.probe_at)
            for health in sorted(disk.health.values(), key=lambda health: health.news.failing_since or 0)
        )
        floor = max(disk.messages, default=QueueId(0))
        known = sorted(disk.known, key=lambda name: (-disk.known[name].took_mail_at, name))
        lessons = sorted(
            (lesson for lesson in disk.lessons.values() if lesson.until > now),
            key=lambda lesson: (-lesson.learned_at, lesson.hosts, lesson.kind),
        )
        return Opened(
            disk.epoch, floor, failing, interrupted, parked, tuple(known[:KNOWN_LIMIT]),
            tuple(lessons[:LESSONS_LIMIT]), disk.brake,
        )  # fmt: skip

    def _interrupt(self, message_id: QueueId, life: Life, now: Instant) -> bool:
        """Let a recipient wait again that was in flight when we died; say whether it is parked instead."""
        ended_at = max(life.changed_at, now)
        self._note(message_id, life, life.changed_at, ended_at, Interrupted, INTERRUPTION)
        life.interruptions += 1
        if life.interruptions >= INTERRUPTIONS_LIMIT:
            life.finding = INTERRUPTION
            self._move(message_id, life, GaveUpOnUs(INTERRUPTION), now)
            return True
        spread = (message_id + life.recipient.ordinal * 97) % RESTART_SPREAD
        due_at = max(life.again_at, now + spread)
        self._move(message_id, life, Interrupted(INTERRUPTION, due_at), now)
        return False

    # --- Accepting ------------------------------------------------------------------------------------

    def _accept(self, new: NewMessage) -> SpoolFault | None:
        disk, message = self.disk, new.message
        if message.id in disk.messages:
            return SpoolFault("a message with this id is here already")
        data = disk.sealed.pop(message.id) if new.content is None else new.content
        disk.messages[message.id] = message
        disk.contents[message.id] = Content(data)
        disk.lives[message.id] = lives = {}
        disk.queue[message.id] = None
        at = message.accepted_at
        if message.about is not None:
            disk.reports.setdefault(message.about, []).append(message.id)
        for one in new.recipients:
            assert isinstance(one.state, (Waiting, InFlight)), "a recipient begins waiting or in flight"
            heard_at = None if one.finding is None else at
            ordinal = one.recipient.ordinal
            expires_at = message.expires_at if one.expires_at is None else one.expires_at
            lives[ordinal] = Life(one.recipient, one.state, at, at, heard_at, one.finding, expires_at)
            disk.changes.append(Change(at, self.epoch, (message.id, ordinal), None, one.state))
            if isinstance(one.state, Waiting):
                self._owe_notices((message.id, one.recipient), one.delay_notices, one.early_notice_at, at)
        for ordinal in new.expanded:
            self._note_owed(message.id, (ordinal, Action.EXPANDED, 0), at, at)
        return None

    # --- Settling -------------------------------------------------------------------------------------

    def _settle(
        self, settlings: tuple[Settling, ...], news: tuple[DestinationNews, ...], now: Instant
    ) -> Settled:
        for settling in settlings:
            advance(InFlight(settling.fence), settling.event)  # an illegal one spoils nothing
        lost: list[Key] = []
        touched: dict[QueueId, None] = {}
        for settling in settlings:
            if self._settle_one(settling, now):
                touched[settling.message_id] = None
            else:
                lost.append((settling.message_id, settling.ordinal))
        for one in news:
            if one.failures:
                self.disk.health[one.destination] = Health(one, one.due_at, now)
            else:
                self.disk.health.pop(one.destination, None)
        return Settled(tuple(lost), self._review(touched, now))

    def _settle_one(self, settling: Settling, now: Instant) -> bool:
        message_id, ordinal = settling.message_id, settling.ordinal
        life = self.disk.lives.get(message_id, {}).get(ordinal)
        if life is None or life.state != InFlight(settling.fence):
            return False
        if settling.expires_at is not None:
            life.expires_at = settling.expires_at
        if isinstance(settling.event, Unbooked):
            self._move(message_id, life, settling.event, now)
            return True
        if isinstance(settling.event, Relayed):
            self._take_mail(settling.destination, now)
        life.finding = settling.event.diagnosis  # type: ignore[union-attr]  # every outcome has one
        self._note(message_id, life, settling.began_at, now, type(settling.event), life.finding)
        self._move(message_id, life, settling.event, now)
        life.heard_at = now if life.heard_at is None else life.heard_at
        if isinstance(life.state, Waiting):
            notices, early_at = settling.delay_notices, settling.early_notice_at
            self._owe_notices((message_id, life.recipient), notices, early_at, now)
            return True
        self._withdraw_delay_notices(message_id, ordinal)
        if settling.owed is not None:
            self._owe(message_id, ordinal, settling.owed, now)
        elif isinstance(life.state, Delivered) and self._was_told(message_id, ordinal, Action.DELAYED):
            self._note_owed(message_id, (ordinal, ReportKind.CLEARED, 0), now, now)
        if settling.is_copied:
            self._note_owed(message_id, (ordinal, ReportKind.COPY, 0), now + self.settings.gather, now)
        return True

    def _move(self, message_id: QueueId, life: Life, event: Event, now: Instant) -> None:
        before, life.state = life.state, advance(life.state, event)
        life.changed_at = now
        key = (message_id, life.recipient.ordinal)
        self.disk.changes.append(Change(now, self.disk.epoch, key, before, life.state))
        if all(isinstance(one.state, FINAL) for one in self.disk.lives[message_id].values()):
            self.disk.queue.pop(message_id, None)

    def _note(
        self,
        message_id: QueueId,
        life: Life,
        began_at: Instant,
        ended_at: Instant,
        event: type[Event],
        finding: Diagnosis | None,
    ) -> None:
        number = attempts_of(life.state) + (event is RanOutOfTime and isinstance(life.state, Waiting))
        attempt = Attempt(life.recipient.ordinal, number, began_at, ended_at, event, finding)
        self.disk.history.setdefault(message_id, []).append(attempt)

    # --- Owing ----------------------------------------------------------------------------------------

    def _owe(self, message_id: QueueId, ordinal: int, action: Action, now: Instant) -> None:
        """Note a report that is owed; it joins one that waits already."""
        pending = [line.due_at for owed, line in self.disk.owed.get(message_id, {}).items() if _gathers(owed)]
        due_at = report_due_at(
            now=now,
            reports_so_far=len(self._told(message_id, ReportKind.REPORT)),
            gather=self.settings.gather,
            somebody_unheard=self._somebody_unheard(message_id),
        )
        self._note_owed(message_id, (ordinal, action, 0), min(pending, default=due_at), now)

    def _note_owed(self, message_id: QueueId, owed: Owed, due_at: Instant, at: Instant) -> None:
        if owed not in self.disk.reported.get(message_id, {}):
            lines = self.disk.owed.setdefault(message_id, {})
            lines.setdefault(owed, Line(due_at, at))

    def _owe_notices(
        self,
        who: tuple[QueueId, Recipient],
        notices: tuple[Instant, ...],
        early_at: Instant | None,
        at: Instant,
    ) -> None:
        message_id, recipient = who
        if notices and early_at is not None and recipient.destination not in self.disk.known:
            notices = (early_at, *notices[1:])
        for number, due_at in enumerate(notices):
            self._note_owed(message_id, (recipient.ordinal, Action.DELAYED, number), due_at, at)

    def _withdraw_delay_notices(self, message_id: QueueId, ordinal: int) -> None:
        lines = self.disk.owed.get(message_id, {})
        for owed in [owed for owed in lines if owed[:2] == (ordinal, Action.DELAYED)]:
            del lines[owed]
        if not lines:
            self.disk.owed.pop(message_id, None)

    def _was_told(self, message_id: QueueId, ordinal: int, action: Action) -> bool:
        return any(
            owed[:2] == (ordinal, action) and line.report_id != NOBODY_TOLD
            for owed, line in self.disk.reported.get(message_id, {}).items()
        )

    def _told(self, message_id: QueueId, *kinds: ReportKind) -> list[QueueId]:
        """Name the reports of these kinds that were made about a message, oldest first."""
        other = {
            line.report_id
            for owed, line in self.disk.reported.get(message_id, {}).items()
            if _kind_of(owed) not in kinds
        }
        return sorted(set(self.disk.reports.get(message_id, ())) - other)

    def _somebody_unheard(self, message_id: QueueId) -> bool:
        return any(life.heard_at is None for life in self.disk.lives[message_id].values())

    def _review(self, touched: dict[QueueId, None], now: Instant) -> tuple[tuple[QueueId, Instant], ...]:
        """After changes: hurry first reports, let go of contents; say which reports are due, and when."""
        dues: list[tuple[QueueId, Instant]] = []
        for message_id in touched:
            lines = self.disk.owed.get(message_id, {})
            told = self._told(message_id, ReportKind.REPORT)
            if not told and not self._somebody_unheard(message_id):
                for owed, line in lines.items():
                    if _gathers(owed):
                        line.due_at = min(line.due_at, now)
            if lines:
                dues.append((message_id, min(line.due_at for line in lines.values())))
            if message_id not in self.disk.queue:
                self._keep_or_drop(message_id, now)
        return tuple(dues)

    def _keep_or_drop(self, message_id: QueueId, now: Instant) -> None:
        states = [life.state for life in self.disk.lives[message_id].values()]
        if message_id not in self.disk.owed and all(isinstance(state, Delivered) for state in states):
            self.disk.contents.pop(message_id, None)
        elif message_id in self.disk.contents:
            self.disk.contents[message_id].keep_until = now + self.settings.keep_content

    # --- Claiming -------------------------------------------------------------------------------------

    def due(self, now: Instant) -> list[tuple[Priority, Instant, QueueId, int]]:
        """Who may be claimed, reports first, then by priority and age; of a failing destination only one."""
        order: list[tuple[Priority, Instant, QueueId, int]] = sorted(
            (self.disk.messages[message_id].priority, state.due_at, message_id, life.recipient.ordinal)
            for message_id, life, state in self.disk.waiting()
            if state.due_at <= now
        )
        probed: set[Destination] = set()
        due: list[tuple[Priority, Instant, QueueId, int]] = []
        for one in order:
            destination = self._life(one).recipient.destination
            health = self.disk.health.get(destination)
            if health is None:
                due.append(one)
            elif health.probe_at <= now and destination not in probed:
                probed.add(destination)
                due.append(one)
        return due

    def _life(self, one: tuple[Priority, Instant, QueueId, int]) -> Life:
        return self.disk.lives[one[2]][one[3]]

    def next_due_at(self, now: Instant) -> Instant | None:
        """When somebody will be due who is not due now."""
        dues: list[Instant] = []
        for _, life, state in self.disk.waiting():
            health = self.disk.health.get(life.recipient.destination)
            dues.append(state.due_at if health is None else max(state.due_at, health.probe_at))
        return min((due_at for due_at in dues if due_at > now), default=None)

    def _claim(self, now: Instant, limit: int, quotas: dict[Destination, int]) -> Claimed:
        taken: Counter[Destination] = Counter()
        keys: list[Key] = []
        due = self.due(now)
        for one in due:
            destination = self._life(one).recipient.destination
            if len(keys) < limit and taken[destination] < quotas.get(destination, self.settings.quota):
                taken[destination] += 1
                keys.append((one[2], one[3]))
        consignments = self.book(keys, now)
        return Claimed(consignments, len(keys) < len(due), self.next_due_at(now))

    def book(self, keys: list[Key], now: Instant) -> tuple[Consignment, ...]:
        """Book these for an attempt."""
        bookings: dict[QueueId, list[Booking]] = {}
        for message_id, ordinal in keys:
            life = self.disk.lives[message_id][ordinal]
            self._move(message_id, life, Booked(self.epoch), now)
            attempt = attempts_of(life.state)
            # Nobody has been told "later" of a first attempt: when interrupted, it is due at once.
            life.again_at = now if attempt == 1 else now + BOOKED_FOR
            health = self.disk.health.get(life.recipient.destination)
            if health is not None:
                health.probe_at = now + PROBE_BOOKED_FOR
            bookings.setdefault(message_id, []).append(Booking(life.recipient, attempt, life.expires_at))
        return tuple(
            Consignment(self.disk.messages[message_id], tuple(booked))
            for message_id, booked in bookings.items()
        )

    # --- Reporting ------------------------------------------------------------------------------------

    def _owed_due(self, now: Instant, limit: int) -> OwedDue:
        firsts = sorted(
            (min(line.due_at for line in lines.values()), message_id)
            for message_id, lines in self.disk.owed.items()
        )
        due = [message_id for due_at, message_id in firsts if due_at <= now]
        later = [
            line.due_at for lines in self.disk.owed.values() for line in lines.values() if line.due_at > now
        ]
        next_due_at = now if len(due) > limit else min(later, default=None)
        return OwedDue(tuple(due[:limit]), next_due_at)

    def _take_owed(self, message_id: QueueId, now: Instant) -> OwedReport | None:
        disk = self.disk
        owed = disk.owed.get(message_id, {})
        due = {_kind_of(one) for one, line in owed.items() if line.due_at <= now}
        if not due:
            return None
        kind = min(due, key=list(ReportKind).index)
        chosen: dict[tuple[int, Action | ReportKind], Line] = {}
        for one in sorted(owed):
            is_due = owed[one].due_at <= now or one[1] is not Action.DELAYED
            if _kind_of(one) is kind and is_due:
                chosen.setdefault(one[:2], owed[one])
        lines = tuple(self._line(message_id, *one, line) for one, line in chosen.items())
        reports = self._told(message_id, ReportKind.REPORT, ReportKind.CLEARED)
        others = self._others(message_id, {ordinal for ordinal, _ in chosen})
        if kind is ReportKind.COPY:
            others = []
        return OwedReport(
            message=disk.messages[message_id],
            lines=lines,
            thread=tuple(disk.messages[report_id].message_id for report_id in reports),
            named_count=len({str(life.recipient.given) for life in disk.lives[message_id].values()}),
            kind=kind,
            others=tuple(others[:OTHERS_LIMIT]),
            other_count=len(others),
        )

    def _others(self, message_id: QueueId, ordinals: set[int]) -> list[OtherRecipient]:
        lives = [life for n, life in self.disk.lives[message_id].items() if n not in ordinals]
        lives.sort(key=lambda life: (isinstance(life.state, FINAL), life.recipient.ordinal))
        return [self._other(message_id, life) for life in lives]

    def _other(self, message_id: QueueId, life: Life) -> OtherRecipient:
        ordinal = life.recipient.ordinal
        next_try_at, finding = self._outlook(life)
        return OtherRecipient(
            recipient=life.recipient,
            state=life.state,
            finding=finding,
            changed_at=life.changed_at,
            expires_at=life.expires_at,
            next_try_at=next_try_at,
            notice_at=min(self._notices(message_id, ordinal), default=None),
            is_told=self._was_told(message_id, ordinal, Action.FAILED),
        )

    def _notices(self, message_id: QueueId, ordinal: int) -> list[Instant]:
        owed = self.disk.owed.get(message_id, {}).items()
        return [line.due_at for (*key, _), line in owed if key == [ordinal, Action.DELAYED]]

    def _outlook(self, life: Life) -> tuple[Instant | None, Diagnosis | None]:
        """Tell when one that waits is tried next, and the last that is known of it."""
        if not isinstance(life.state, Waiting):
            return None, life.finding
        health = self.disk.health.get(life.recipient.destination)
        if health is None:
            return life.state.due_at, life.finding
        # It waits for the destination, whose last probe speaks for all who wait there.
        return max(life.state.due_at, health.probe_at), health.news.finding or life.finding

    def _line(self, message_id: QueueId, ordinal: int, what: Action | ReportKind, line: Line) -> OwedLine:
        life = self.disk.lives[message_id][ordinal]
        next_try_at, finding = self._outlook(life)
        later = [at for at in self._notices(message_id, ordinal) if at > self._clock.now()]
        attempts = [one for one in self.disk.history.get(message_id, ()) if one.ordinal == ordinal]
        match what:
            case Action():
                action = what
            case ReportKind.COPY:
                action = Action.FAILED
            case _:
                action = Action.DELIVERED if attempts[-1].event is Stored else Action.RELAYED
        return OwedLine(
            recipient=life.recipient,
            action=action,
            state=life.state,
            finding=finding,
            at=line.at,
            expires_at=life.expires_at,
            next_try_at=next_try_at,
            last_attempt_at=max((attempt.began_at for attempt in attempts), default=None),
            notice_at=min(later, default=None),
        )

    def _report(self, owed: OwedReport, new: NewMessage | None) -> bool | SpoolFault:
        message_id, now = owed.message.id, self._clock.now()
        lines = self.disk.owed.get(message_id, {})
        meant = [
            (line.recipient.ordinal, line.action if owed.kind is ReportKind.REPORT else owed.kind)
            for line in owed.lines
        ]
        if not {one[:2] for one in lines}.issuperset(meant):
            return False
        if new is not None and (fault := self._accept(new)) is not None:
            return fault
        reported = self.disk.reported.setdefault(message_id, {})
        for one in [one for one in lines if one[:2] in meant]:
            if one[1] is not Action.DELAYED or lines[one].due_at <= now:
                reported[one] = lines.pop(one)
                reported[one].report_id = NOBODY_TOLD if new is None else new.message.id
        if not lines:
            del self.disk.owed[message_id]
        return True

    # --- Ending and forgetting ------------------------------------------------------------------------

    def _expire(self, now: Instant, started_at: Instant, limit: int) -> Expiry:
        disk = self.disk
        over: list[tuple[Instant, QueueId, int]] = sorted(
            (life.expires_at, message_id, life.recipient.ordinal)
            for message_id, life, _ in disk.waiting()
            if life.expires_at <= now and life.recipient.destination in disk.health
        )
        probe: dict[Destination, None] = {}
        touched: dict[QueueId, None] = {}
        expired: list[Ended] = []
        for _, message_id, ordinal in over:
            life = disk.lives[message_id][ordinal]
            assert isinstance(life.state, Waiting)
            destination = life.recipient.destination
            health = disk.health[destination]
            if health.found_at < max(life.state.due_at, started_at):
                if len(probe) < limit:
                    probe[destination] = None
                continue
            if len(expired) == limit:
                break
            expired.append(self._run_out_of_time(message_id, life, health, now))
            touched[message_id] = None
        for destination in probe:
            if not self._is_probing(destination):
                disk.health[destination].probe_at = min(disk.health[destination].probe_at, now)
        owed = self._review(touched, now)
        later = [life.expires_at for _, life, _ in disk.waiting()]
        next_at = now if len(expired) == limit else min((at for at in later if at > now), default=None)
        return Expiry(tuple(expired), owed, tuple(probe), next_at)

    def _probe(self, destination: Destination, now: Instant) -> bool:
        health = self.disk.health.get(destination)
        if health is None:
            return False
        if self._is_probing(destination):
            return True
        if not any(life.recipient.destination == destination for _, life, _ in self.disk.waiting()):
            return False
        health.probe_at = min(health.probe_at, now)
        return True

    def _is_probing(self, destination: Destination) -> bool:
        """Whether an attempt is under way there: its outcome is the probe."""
        return any(
            isinstance(life.state, InFlight) and life.recipient.destination == destination
            for message_id in self.disk.queue
            for life in self.disk.lives[message_id].values()
        )

    def _run_out_of_time(self, message_id: QueueId, life: Life, health: Health, now: Instant) -> Ended:
        finding = health.news.finding or life.finding
        assert finding is not None, "a failing destination has a finding"
        event = RanOutOfTime(finding)
        message, recipient = self.disk.messages[message_id], life.recipient
        self._note(message_id, life, health.found_at, now, RanOutOfTime, finding)
        life.finding = finding
        life.heard_at = now if life.heard_at is None else life.heard_at
        self._move(message_id, life, event, now)
        self._withdraw_delay_notices(message_id, recipient.ordinal)
        action = owed_for(event, message.reverse_path, recipient.notify, passed_on=False)
        if action is not None:
            self._owe(message_id, recipient.ordinal, action, now)
        settings = self.settings
        is_copied = settings.copy_expired if message.about is None else settings.copy_expired_reports
        if is_copied and message.origin.listener != COPY_LISTENER:
            copied_at = now + self.settings.gather
            self._note_owed(message_id, (recipient.ordinal, ReportKind.COPY, 0), copied_at, now)
        is_null = isinstance(message.reverse_path, NullPath)
        return Ended(message_id, recipient.address, finding, is_null)

    def _purge(self, now: Instant, limit: int) -> int:
        disk, settings = self.disk, self.settings
        kept = sorted(
            (content.keep_until, message_id, len(content.data))
            for message_id, content in disk.contents.items()
            if content.keep_until is not None
        )
        excess = sum(size for _, _, size in kept) - settings.keep_octets
        gone: set[QueueId] = set()
        for keep_until, message_id, size in kept:
            if message_id not in disk.owed and len(gone) < limit and (keep_until <= now or excess > 0):
                del disk.contents[message_id]
                excess -= size
                gone.add(message_id)
        old = 0
        for message_id in sorted(disk.messages):
            if message_id >= first_id_at(now - settings.keep_history) or old >= limit:
                break
            if message_id not in disk.queue and message_id not in disk.owed:
                old += disk.messages[message_id].recipient_count
                gone.discard(message_id)
                self._forget(message_id)
        return old + len(gone) + self._forget_remembered(now, limit)

    # --- What is remembered beside the queue ----------------------------------------------------------

    def _take_mail(self, destination: Destination, now: Instant) -> None:
        before = self.disk.known.get(destination)
        every = min(HOUR, self.settings.keep_history)
        if before is None or before.denied_since is not None or now - before.took_mail_at >= every:
            self.disk.known[destination] = Past(now, None)

    def _denied(self, destination: Destination, since: Instant | None) -> None:
        if destination in self.disk.known:
            self.disk.known[destination] = replace(self.disk.known[destination], denied_since=since)

    def _learn(self, lesson: Lesson) -> None:
        self.disk.lessons[lesson.hosts, lesson.kind] = lesson

    def _set_brake(self, braked: Braked | None) -> None:
        self.disk.brake = braked

    def _forget_remembered(self, now: Instant, limit: int) -> int:
        disk, oldest = self.disk, now - self.settings.keep_history
        known = sorted(disk.known, key=lambda name: (disk.known[name].took_mail_at, name))
        gone = [name for name in known if disk.known[name].took_mail_at < oldest][:limit]
        for name in gone:
            del disk.known[name]
        lessons = sorted((lesson.until, key) for key, lesson in disk.lessons.items() if lesson.until <= now)
        for _, key in lessons[:limit]:
            del disk.lessons[key]
        return len(gone) + len(lessons[:limit])

    def _forget(self, message_id: QueueId) -> None:
        disk = self.disk
        about = disk.messages.pop(message_id).about
        if about is not None:
            disk.reports[about].remove(message_id)
        del disk.lives[message_id]
        disk.contents.pop(message_id, None)
        disk.history.pop(message_id, None)
        disk.later.pop(message_id, None)
        disk.reported.pop(message_id, None)

    # --- What a sender's history says -----------------------------------------------------------------

    def _sent_from(self, path: Mailbox) -> list[QueueId]:
        """Name the messages from there, the latest first."""
        found = [one.id for one in self.disk.messages.values() if one.reverse_path == path]
        return sorted(found, reverse=True)

    def _correspondents(self, sender: Mailbox, limit: int) -> tuple[Correspondent, ...]:
        latest: dict[Mailbox, Instant] = {}
        for message_id in self._sent_from(sender)[:SENT_LOOKED_AT]:
            for life in self.disk.lives[message_id].values():
                if isinstance(life.state, Delivered):
                    given = life.recipient.given
                    latest[given] = max(life.changed_at, latest.get(given, life.changed_at))
        ordered = sorted(latest.items(), key=lambda one: (-one[1], str(one[0])))
        return tuple(Correspondent(address, at) for address, at in ordered[:limit])

    def _hear(self, report: HeardReport) -> QueueId | None:
        found = self._heard_of(report)
        if found is None:
            return None
        message_id, ordinal = found
        events = self.disk.later.setdefault(message_id, [])
        known = [(one.report_id, one.action, one.text) for to, one in events if to == ordinal]
        if (report.report_id, report.action, report.text) not in known and len(known) < LATER_LIMIT:
            events.append((ordinal, report))
        return message_id

    def _heard_of(self, report: HeardReport) -> tuple[QueueId, int | None] | None:
        sent = self._sent_from(report.reverse_path)
        messages = [self.disk.messages[message_id] for message_id in sent]
        by_envid = [one.id for one in messages if one.envid and xtext_decode(one.envid) == report.envid]
        by_header = [one.id for one in messages if one.message_id == report.message_id]
        if report.envid or report.message_id:
            named = by_envid * bool(report.envid) + by_header * bool(report.message_id)
            return (named[0], self._ordinal(named[0], report.recipient)) if named else None
        meant = [
            (message_id, life.recipient)
            for message_id in sent[:SENT_LOOKED_AT]
            for life in self.disk.lives[message_id].values()
            if report.recipient is None or _is_known_as(life.recipient, report.recipient)
        ]
        if len({str(recipient.address).casefold() for _, recipient in meant}) != 1:
            return None
        return meant[0][0], meant[0][1].ordinal

    def _ordinal(self, message_id: QueueId, address: Mailbox | None) -> int | None:
        all_of_it = [life.recipient for life in self.disk.lives[message_id].values()]
        if address is not None:
            own = [one for one in all_of_it if str(one.address).casefold() == str(address).casefold()]
            all_of_it = own or [one for one in all_of_it if _is_known_as(one, address)]
        return all_of_it[0].ordinal if len(all_of_it) == 1 else None

    # --- Contents -------------------------------------------------------------------------------------

    def _content(self, message_id: QueueId) -> ContentReader | None:
        content = self.disk.contents.get(message_id)
        return None if content is None else ModelReader(content.data)
