"""Posting: facts become a report that is checked, queued and marked, in one commit.

    facts -> compose -> lint -> COMMIT (report queued + lines marked) -> begin: reports go first
                '--------'-> the plain form, when a template or the linter objects

A fault in words must not cost anybody his report: whatever fails while a report is composed, and whatever the
linter finds in it, the built-in plain form is queued in its place, and the journal hears of it.

COMMIT POINT: the spool's callback in `post`. Before it the report is still owed, and a crash makes it anew;
after it the lines are marked, and it is reported once.
"""

from __future__ import annotations

from collections.abc import Callable

from byreturn.mail import (
    COPY_LISTENER,
    NULL_PATH,
    REPORT_LISTENER,
    BodyType,
    Duration,
    Instant,
    Mailbox,
    Message,
    Notify,
    Origin,
    Priority,
    QueueId,
    Recipient,
    id_text,
    rfc5322_date,
)
from byreturn.policy import RetrySchedule
from byreturn.ports import Here, NewMessage, OwedReport, ReportKind, SpoolFault, World
from byreturn.report import (
    ComposedReport,
    ReportFacts,
    cleared_complaints,
    complaints,
    compose,
    compose_cleared,
    compose_plain,
)
from byreturn.service.dispatch import Dispatcher


class Posting:
    """Composes reports and puts them into the queue."""

    def __init__(
        self, schedule: RetrySchedule, return_octets: int, world: World, dispatcher: Dispatcher
    ) -> None:
        self._schedule = schedule
        self._return_octets = return_octets
        self._world = world
        self._dispatcher = dispatcher

    def post(
        self,
        owed: OwedReport,
        facts: ReportFacts,
        report_id: QueueId,
        wait: Duration,
        done: Callable[[bool | SpoolFault], None],
    ) -> None:
        """Queue a report, to leave after a wait; False: somebody else was faster."""
        now = facts.composed_at
        composed = self._compose(owed, facts)
        content = _trace(facts.reporting_mta, report_id, now) + composed.content
        recipients = self._addressed(facts.reverse_path)
        listener = COPY_LISTENER if owed.kind is ReportKind.COPY else REPORT_LISTENER
        message = Message(
            id=report_id,
            reverse_path=NULL_PATH,
            accepted_at=now,
            expires_at=now + self._schedule.lifetime(Priority.REPORT),
            octets=len(content),
            recipient_count=len(recipients),
            body=BodyType.EIGHT_BIT if composed.is_8bit else BodyType.SEVEN_BIT,
            priority=Priority.REPORT,
            origin=Origin("", facts.reporting_mta, listener),
            about=owed.message.id,
            message_id=facts.message_id,
            subject=f"Report on {facts.queue_id}",
            is_bulk=True,
        )
        admitted = self._dispatcher.admit(message, recipients, content, wait=wait)

        def queued(result: bool | SpoolFault) -> None:  # noqa: FBT001 - the port's shape
            if result is not True:
                self._dispatcher.dismiss(admitted)
            else:
                actions = tuple(line.action for line in owed.lines)
                self._world.journal.reported(owed.message.id, report_id, actions)
                self._dispatcher.begin(admitted)
            done(result)

        self._world.spool.report(owed, NewMessage(message, admitted.recipients, content), queued)

    def drop(self, owed: OwedReport, done: Callable[[bool | SpoolFault], None]) -> None:
        """Mark as told what nobody is to be told."""
        self._world.spool.report(owed, None, done)

    def _compose(self, owed: OwedReport, facts: ReportFacts) -> ComposedReport:
        try:
            if owed.kind is ReportKind.CLEARED:
                composed = compose_cleared(facts)
                objections = cleared_complaints(composed.content, facts)
            else:
                composed = compose(facts, self._return_octets)
                objections = complaints(composed.content, facts)
        except Exception as bug:  # noqa: BLE001 - no error in words may lose a report
            objections = (f"it could not be composed: {bug!r}",)
        else:
            if not objections:
                return composed
        self._world.journal.report_rejected_by_lint(owed.message.id, objections)
        self._world.meter.report_rejected_by_lint()
        return compose_plain(facts)

    def _addressed(self, reader: Mailbox) -> tuple[Recipient, ...]:
        """Address a report to whom the reverse path stands for."""
        found = self._world.directory.find(reader)
        members = found.members if isinstance(found, Here) else (reader,)
        # RFC 3461 section 6.1: a report carries no RET, and of NOTIFY only NEVER.
        return tuple(
            Recipient(ordinal, member, reader, member.destination, Notify.NEVER)
            for ordinal, member in enumerate(members)
        )


def _trace(hostname: str, report_id: QueueId, now: Instant) -> bytes:
    """Write the Received line of mail that we made ourselves. A loop of them must show."""
    return f"Received: by {hostname} id {id_text(report_id)};\r\n\t{rfc5322_date(now)}\r\n".encode()
