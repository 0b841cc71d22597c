"""Reporting: what is owed becomes a report, at the right time and one at a time.

    owed (now, or when its timer rings) -> read the lines -> who is meant? -> draft -> post
         ^                                                                       '-> begin: reports go first
         '---- the spool's table is the timer; at start, and each minute, it is asked for what is due

A report goes the way of every message, with the null reverse path, so that no report about it can arise
(RFC 5321 section 4.5.5). One report of a message is made at a time: lines that become due meanwhile wait for
the next one. How long each took, from the failure that was known to the report on disk and in the sender's
mailbox, is measured.

COMMIT POINT: in `posting`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from byreturn.mail import (
    MINUTE,
    SECOND,
    Action,
    Duration,
    IdFactory,
    Instant,
    QueueId,
    id_text,
)
from byreturn.policy import Flood, RetrySchedule, is_dns_finding
from byreturn.ports import ContentReader, OwedDue, OwedReport, ReportKind, SpoolFault, Timer, World
from byreturn.report import Suggestions
from byreturn.service.batch import Found
from byreturn.service.brake import Brake
from byreturn.service.dispatch import Dispatcher
from byreturn.service.drafting import Drafter, ReportSettings
from byreturn.service.latency import Latency
from byreturn.service.posting import Posting
from byreturn.service.routes import Routes
from byreturn.service.settlement import Settlement
from byreturn.service.suggestions import Suggester, SuggestionSettings

_LOOK_EVERY: Final[Duration] = 1 * MINUTE
_AGAIN: Final[Duration] = 1 * SECOND
_BATCH: Final = 200


class Reporting:
    """The desk; a follower of the settlement desk."""

    def __init__(
        self,
        settings: ReportSettings,
        schedule: RetrySchedule,
        world: World,
        dispatcher: Dispatcher,
        routes: Routes,
        brake: Brake,
        ids: IdFactory,
    ) -> None:
        self._world = world
        self._clock = world.clock
        self._spool = world.spool
        self._drafter = Drafter(settings, world.directory)
        self._suggester = Suggester(world, routes, SuggestionSettings()) if settings.is_suggesting else None
        self._posting = Posting(schedule, settings.return_octets, world, dispatcher)
        self._latency = Latency(settings.objective, world)
        self._flood = Flood(settings.flood)
        self._brake = brake
        brake.follow(lambda _: self._on_release())
        self._ids = ids
        self._at_work: set[QueueId] = set()
        # Messages whose report says what the DNS said, while the brake is on.
        self._held: set[QueueId] = set()
        self._timer: Timer | None = None
        self._timer_at: Instant = 0
        self._is_stopped = False

    def start(self, settlement: Settlement) -> None:
        """Follow the settlement desk, and take up what was owed before."""
        settlement.follow(self)
        self._look()

    def stop(self) -> None:
        """Begin nothing more; what is owed stays owed."""
        self._is_stopped = True
        if self._timer is not None:
            self._timer.cancel()

    @property
    def is_idle(self) -> bool:
        """Whether no report is being made."""
        return not self._at_work

    # --- When -----------------------------------------------------------------------------------------

    def on_settled(
        self,
        found: Sequence[Found],
        *,
        next_due_at: Instant | None,  # noqa: ARG002 - another desk's
    ) -> None:
        """Note which of our reports have arrived."""
        self._latency.settled(found)

    def on_owed(self, message_id: QueueId, due_at: Instant) -> None:
        """Make the report now, or look again when it is due."""
        if due_at <= self._clock.now():
            self._make(message_id)
        else:
            self._look_at(due_at)

    def _look_at(self, at: Instant) -> None:
        if self._is_stopped or (self._timer is not None and self._timer_at <= at):
            return
        if self._timer is not None:
            self._timer.cancel()
        delay = max(0, at - self._clock.now())
        self._timer_at = at
        self._timer = self._clock.call_later(delay, self._look)

    def _on_release(self) -> None:
        self._held.clear()
        self._look_at(self._clock.now())

    def _look(self) -> None:
        self._timer = None
        # Those that are held are to hide no other.
        self._spool.owed_due(self._clock.now(), _BATCH + len(self._held), self._on_due)

    def _on_due(self, due: OwedDue | SpoolFault) -> None:
        now = self._clock.now()
        if isinstance(due, SpoolFault):
            self._world.journal.fault("reporting", due.why)
            self._look_at(now + _AGAIN)
            return
        for message_id in due.messages:
            self._make(message_id)
        later = now + _LOOK_EVERY
        at = later if due.next_due_at is None else min(due.next_due_at, later)
        # A full batch is looked at again when its reports have had a moment to be marked.
        self._look_at(max(at, now + 20))

    # --- What -----------------------------------------------------------------------------------------

    def _make(self, message_id: QueueId) -> None:
        if self._is_stopped or message_id in self._at_work or message_id in self._held:
            return
        self._at_work.add(message_id)
        self._spool.take_owed(message_id, self._clock.now(), lambda owed: self._on_owed(message_id, owed))

    def _on_owed(self, message_id: QueueId, owed: OwedReport | SpoolFault | None) -> None:
        if owed is None or isinstance(owed, SpoolFault):
            self._done(message_id, owed)
            return
        if self._brake.is_on and any(is_dns_finding(line.finding) for line in owed.lines):
            # What was settled just before the brake came on is not said before it is off again.
            self._at_work.discard(message_id)
            self._held.add(message_id)
            return

        address = str(owed.message.reverse_path)
        wait = self._flood.wait(address, self._clock.now()) if owed.kind is ReportKind.REPORT else 0
        if wait and all(line.action is Action.DELAYED for line in owed.lines):
            # Nobody misses what he has a hundred of.
            self._world.meter.delay_notice_dropped()
            self._posting.drop(owed, lambda result: self._on_posted(message_id, result))
            return

        def opened(reader: ContentReader | SpoolFault | None) -> None:
            if isinstance(reader, SpoolFault):
                self._done(message_id, reader)
                return
            content = b""
            if reader is not None:
                wanted = self._drafter.octets_wanted(owed, reader.octets, is_shrunk=wait > 0)
                content = reader.read(wanted)
                reader.close()
            self._suggest(owed, content, wait)

        self._spool.content(message_id, opened)

    def _suggest(self, owed: OwedReport, content: bytes, wait: Duration) -> None:
        """Ask whom the sender may have meant; a flood is not worth the question."""
        if self._suggester is None or wait or owed.kind is not ReportKind.REPORT:
            self._post(owed, content, wait, {})
            return
        is_inside = self._drafter.is_inside(owed.message)
        self._suggester.for_lines(
            owed,
            is_insider=is_inside,
            done=lambda suggestions: self._post(owed, content, wait, suggestions),
        )

    def _post(
        self, owed: OwedReport, content: bytes, wait: Duration, suggestions: Mapping[int, Suggestions]
    ) -> None:
        about, now = owed.message, self._clock.now()
        if self._is_stopped:
            self._at_work.discard(about.id)
            return
        report_id = self._ids.make(now)
        try:
            facts = self._drafter.draft(
                owed,
                content,
                suggestions,
                report_id=report_id,
                boundary=self._world.entropy.token(),
                now=now,
                is_shrunk=wait > 0,
            )
            self._posting.post(
                owed,
                facts,
                report_id,
                wait,
                lambda result: self._on_posted(about.id, result, owed, report_id),
            )
        except Exception as bug:  # noqa: BLE001 - a bug of ours must not stop the reports of others
            # It stays owed, and `_at_work` keeps it from being tried again before the next start.
            self._world.journal.fault("reporting", f"bug in the report on {id_text(about.id)}: {bug!r}")

    def _on_posted(
        self,
        message_id: QueueId,
        result: bool | SpoolFault,  # noqa: FBT001 - the port's shape
        owed: OwedReport | None = None,
        report_id: QueueId | None = None,
    ) -> None:
        if result is True and owed is not None and report_id is not None:
            self._latency.posted(owed, report_id)
        self._done(message_id, result if isinstance(result, SpoolFault) else None)

    def _done(self, message_id: QueueId, fault: SpoolFault | None) -> None:
        """Look again in a moment: lines may have come due meanwhile, or the spool may be well again."""
        self._at_work.discard(message_id)
        if fault is not None:
            self._world.journal.fault("reporting", fault.why)
        self._look_at(self._clock.now() + _AGAIN)
