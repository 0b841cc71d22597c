"""Reporting: what is owed becomes a report, queued and marked in one commit.

    owed (now, or when its timer rings) -> read the lines -> compose -> COMMIT (report queued + lines marked)
         ^                                                                  '-> begin: reports go first
         '---- the spool's table is the timer; at start, and each minute, it is asked for what is due

A report goes the way of every message, with the null reverse path, so that no report about it can arise
(RFC 5321 section 4.5.5). One report of a message is made at a time: lines that become due meanwhile wait for
the next one.

COMMIT POINT: the spool's callback in `_queue`. Before it the report is still owed, and a crash makes it anew;
after it the lines are marked, and it is reported once.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from msgspec import Struct

from byreturn.mail import (
    MINUTE,
    NULL_PATH,
    SECOND,
    Action,
    BodyType,
    Duration,
    IdFactory,
    Instant,
    Mailbox,
    Message,
    Notify,
    NullPath,
    Origin,
    Priority,
    QueueId,
    Recipient,
    Ret,
    header_block,
    id_text,
    rfc5322_date,
)
from byreturn.mail.headers import HEAD_OCTETS
from byreturn.policy import Expired, RetrySchedule, Returned, attempts_of, is_dns_finding
from byreturn.ports import (
    ContentReader,
    Here,
    NewMessage,
    OwedDue,
    OwedLine,
    OwedReport,
    SpoolFault,
    Timer,
    World,
)
from byreturn.report import ComposedReport, ReportFacts, ReportLine, compose
from byreturn.service.batch import Found
from byreturn.service.brake import Brake
from byreturn.service.dispatch import Dispatcher
from byreturn.service.settlement import Settlement

_LOOK_EVERY: Final[Duration] = 1 * MINUTE
_AGAIN: Final[Duration] = 1 * SECOND
_BATCH: Final = 200


class ReportSettings(Struct, frozen=True):
    """Who reports, and how much of the original comes back."""

    hostname: str
    postmaster: Mailbox
    return_octets: int = 50 * 1024


class Reporting:
    """The desk; a follower of the settlement desk."""

    def __init__(
        self,
        settings: ReportSettings,
        schedule: RetrySchedule,
        world: World,
        dispatcher: Dispatcher,
        brake: Brake,
        ids: IdFactory,
    ) -> None:
        self._settings = settings
        self._schedule = schedule
        self._world = world
        self._clock = world.clock
        self._spool = world.spool
        self._dispatcher = dispatcher
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

    def on_settled(self, found: Sequence[Found], *, next_due_at: Instant | None) -> None:
        """Outcomes are another desk's."""

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

        def opened(reader: ContentReader | SpoolFault | None) -> None:
            if isinstance(reader, SpoolFault):
                self._done(message_id, reader)
                return
            content = _read_for_return(reader, owed, self._settings.return_octets)
            self._queue(owed, content)

        self._spool.content(message_id, opened)

    def _queue(self, owed: OwedReport, content: bytes) -> None:
        now = self._clock.now()
        about = owed.message
        assert not isinstance(about.reverse_path, NullPath), "nobody is owed a report on a report"
        report_id = self._ids.make(now)
        message_id = f"<{id_text(report_id)}@{self._settings.hostname}>"
        try:
            composed = self._compose(owed, about.reverse_path, content, message_id, now)
        except Exception as bug:  # noqa: BLE001 - a bug of ours must not stop the reports of others
            # It stays owed, and `_at_work` keeps it from being tried again before the next start.
            self._world.journal.fault("reporting", f"bug in the report on {id_text(about.id)}: {bug!r}")
            return
        content = _trace(self._settings.hostname, report_id, now) + composed.content
        recipients = self._addressed(about.reverse_path)
        message = Message(
            id=report_id,
            reverse_path=NULL_PATH,
            accepted_at=now,
            expires_at=now + self._schedule.lifetime(Priority.REPORT),
            octets=len(content),
            recipient_count=len(recipients),
            body=BodyType.EIGHT_BIT if composed.is_8bit else BodyType.SEVEN_BIT,
            priority=Priority.REPORT,
            origin=Origin("", self._settings.hostname, "report"),
            about=about.id,
            message_id=message_id,
            subject=f"Report on {id_text(about.id)}",
            is_bulk=True,
        )
        admitted = self._dispatcher.admit(message, recipients, content)

        def queued(result: bool | SpoolFault) -> None:  # noqa: FBT001 - the port's shape
            if result is not True:
                self._dispatcher.dismiss(admitted)
                self._done(about.id, result if isinstance(result, SpoolFault) else None)
                return
            actions = tuple(line.action for line in owed.lines)
            self._world.journal.reported(about.id, report_id, actions)
            self._dispatcher.begin(admitted)
            self._done(about.id, None)

        self._spool.report(owed, NewMessage(message, admitted.recipients, content), queued)

    def _done(self, message_id: QueueId, fault: SpoolFault | None) -> None:
        """Look again in a moment: lines may have come due meanwhile, or the spool may be well again."""
        self._at_work.discard(message_id)
        if fault is not None:
            self._world.journal.fault("reporting", fault.why)
        self._look_at(self._clock.now() + _AGAIN)

    def _compose(
        self, owed: OwedReport, reverse_path: Mailbox, content: bytes, message_id: str, now: Instant
    ) -> ComposedReport:
        about = owed.message
        settings = self._settings
        is_whole = len(content) == about.octets
        return compose(
            ReportFacts(
                reporting_mta=settings.hostname,
                postmaster=settings.postmaster,
                message_id=message_id,
                composed_at=now,
                boundary=f"=_{self._world.entropy.token()}",
                reverse_path=reverse_path,
                accepted_at=about.accepted_at,
                queue_id=id_text(about.id),
                lines=_lines(owed),
                header_block=header_block(content[:HEAD_OCTETS]),
                content=content if is_whole else None,
                recipient_count=owed.named_count,
                envid=about.envid,
                ret=about.ret,
                hello=about.origin.hello,
                original_id=about.message_id,
                subject=about.subject,
                thread=owed.thread,
            ),
            return_limit=settings.return_octets,
        )

    def _addressed(self, reverse_path: Mailbox) -> tuple[Recipient, ...]:
        """Address a report to whom the reverse path stands for."""
        found = self._world.directory.find(reverse_path)
        members = found.members if isinstance(found, Here) else (reverse_path,)
        # RFC 3461 section 6.1: a report carries no RET, and of NOTIFY only NEVER.
        return tuple(
            Recipient(ordinal, member, reverse_path, member.destination, Notify.NEVER)
            for ordinal, member in enumerate(members)
        )


def _lines(owed: OwedReport) -> tuple[ReportLine, ...]:
    """Say each thing once to the sender: of an alias he knows the name, not the members."""
    said: dict[tuple[Mailbox, Action], ReportLine] = {}
    for line in owed.lines:
        said.setdefault((line.recipient.given, line.action), _line(line))
    return tuple(said.values())


def _line(line: OwedLine) -> ReportLine:
    recipient = line.recipient
    return ReportLine(
        recipient=recipient.given,
        action=line.action,
        diagnosis=line.finding,
        orcpt=recipient.orcpt,
        member=recipient.address if recipient.given != recipient.address else None,
        found_at=line.at,
        expired=isinstance(line.state, Expired),
        returned=isinstance(line.state, Returned),
        attempts=attempts_of(line.state),
        last_attempt_at=line.last_attempt_at,
        will_retry_until=line.expires_at,
    )


def _read_for_return(reader: ContentReader | None, owed: OwedReport, limit: int) -> bytes:
    """Read as much of the original as the report may return: all of it, or its head."""
    if reader is None:
        return b""
    wants_all = reader.octets <= limit and owed.message.ret is not Ret.HDRS
    data = reader.read(reader.octets if wants_all else HEAD_OCTETS)
    reader.close()
    return data


def _trace(hostname: str, report_id: QueueId, now: Instant) -> bytes:
    """Write the Received line of mail that we made ourselves A loop of them must show."""
    return f"Received: by {hostname} id {id_text(report_id)};\r\n\t{rfc5322_date(now)}\r\n".encode()
