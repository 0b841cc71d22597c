"""A spool with known rows, made by the real one: what the command line is to show.

Everything runs at once and in order; instants are given, so that ids and timelines come out the same every
time. States that only an operator's act leads to are written into the rows.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from byreturn.mail import (
    DAY,
    NULL_PATH,
    Action,
    Cause,
    Diagnosis,
    IdFactory,
    Mailbox,
    Message,
    Notify,
    Origin,
    PeerSaid,
    Phase,
    Priority,
    QueueId,
    Recipient,
    WeFound,
    id_text,
    mailbox_from_text,
    normal_domain,
    reply,
)
from byreturn.policy import LESSON_HOLDS, BrakeCause, Fence, InFlight, Topic, Waiting
from byreturn.ports import (
    Braked,
    DestinationNews,
    HeardReport,
    Lesson,
    NewMessage,
    NewRecipient,
    OwedReport,
    Settling,
    SpoolFault,
)
from byreturn.spool import SpoolSettings, SqliteSpool
from byreturn.spool.opening import DATABASE_NAME

NOON = int(datetime(2026, 11, 23, 12, 0, tzinfo=UTC).timestamp() * 1000)
ANN = Mailbox("ann", "here.example")


class _Call:
    def cancel(self) -> None:
        """Too late."""


class _Clock:
    """Stands where it is put; what is to be called later is called by `run`."""

    def __init__(self) -> None:
        self.at = NOON
        self.calls: list[Callable[[], None]] = []

    def now(self) -> int:
        return self.at

    def is_trusted(self) -> bool:
        return True

    def call_later(self, delay: int, call: Callable[[], None]) -> _Call:
        self.calls.append(call)
        return _Call()

    def run(self) -> None:
        while self.calls:
            self.calls.pop(0)()


class _Worker:
    """Works at once."""

    def submit(self, work, done) -> None:
        try:
            result = work()
        except Exception as error:
            result = error
        done(result)


def peer(code: int, status: str, *lines: str, host="mx1.there.example", phase=Phase.RCPT) -> PeerSaid:
    """What a peer said."""
    return PeerSaid(reply(code, status, *lines), host, "192.0.2.25", phase)


SILENT = WeFound(Cause.SILENT, "no greeting within 30 s", "mx.silent.example", "192.0.2.9", Phase.GREETING)
GREYLISTED = peer(451, "4.7.1", "Greylisted, please come back in five minutes")
NO_SUCH_USER = peer(550, "5.1.1", "No such user here")


class Spool:
    """The real spool, driven by hand."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._clock = _Clock()
        self._ids = IdFactory(0, QueueId(0))
        self._messages: dict[QueueId, Message] = {}
        self._spool = SqliteSpool(
            folder, _Worker(), self._clock, settings=SpoolSettings(), on_broken=lambda why: None
        )

    def close(self) -> None:
        """End in order, as the server does."""
        self._spool.close()

    def accept(
        self,
        *recipients: str,
        at: int = NOON,
        sender: Mailbox | None = ANN,
        waits: Diagnosis | None = None,
        notice_at: int | None = None,
        notify: Notify = Notify.ABSENT,
        subject: str = "The offer",
        given: str = "",
        **more,
    ) -> QueueId:
        """Accept a message, booked for its first attempt; `waits`: put off at once with this finding."""
        self._clock.at = at
        ident = self._ids.make(at)
        message = Message(
            id=ident,
            reverse_path=sender or NULL_PATH,
            accepted_at=at,
            expires_at=at + 5 * DAY,
            octets=4123,
            recipient_count=len(recipients),
            origin=more.pop("origin", Origin("127.0.0.1", "client.here.example", "smtp")),
            message_id=f"<{id_text(ident)}@here.example>",
            subject=subject,
            **more,
        )
        self._messages[ident] = message
        news = []
        for ordinal, text in enumerate(recipients):
            address = mailbox_from_text(text)
            original = mailbox_from_text(given) if given else address
            recipient = Recipient(ordinal, address, original, normal_domain(address.domain), notify)
            notices = () if notice_at is None else (notice_at,)
            if waits is None:
                news.append(NewRecipient(recipient, InFlight(Fence(self._spool.epoch, 1))))
            else:
                news.append(NewRecipient(recipient, Waiting(at, 0), waits, notices))
        self._do(self._spool.accept, NewMessage(message, tuple(news), b"Subject: x\r\n\r\ny\r\n"))
        return ident

    def settle(
        self, ident: QueueId, event, *, at: int, began: int | None = None, ordinal: int = 0, **more
    ) -> None:
        """Let the first attempt for a recipient end."""
        self._clock.at = at
        message = self._messages[ident]
        destination = self.ask(
            "SELECT destination FROM recipient WHERE message_id = ? AND ordinal = ?", ident, ordinal
        )
        settling = Settling(
            message_id=ident,
            ordinal=ordinal,
            destination=destination,
            recipient_count=message.recipient_count,
            fence=Fence(self._spool.epoch, more.pop("attempt", 1)),
            event=event,
            began_at=message.accepted_at if began is None else began,
            **more,
        )
        self._do(self._spool.settle, (settling,), (), at)

    def fails(self, destination: str, *, since: int, due_at: int, failures: int = 3, finding=SILENT) -> None:
        """Let a destination be one that does not answer; after what is to wait there was accepted."""
        self._clock.at = since
        news = DestinationNews(normal_domain(destination), failures, due_at, finding, since)
        self._do(self._spool.settle, (), (news,), since)

    def lives(self, destination: str, *, at: int) -> None:
        """Let a destination answer again."""
        self._clock.at = at
        news = DestinationNews(normal_domain(destination), 0, at, None, None)
        self._do(self._spool.settle, (), (news,), at)

    def learn(self, hosts: str, kind: Topic, value: int, reason: PeerSaid, *, at: int) -> None:
        """Let hosts ask for less."""
        self._clock.at = at
        self._do(self._spool.learn, Lesson(hosts, kind, value, str(reason), at, at + LESSON_HOLDS))

    def claim(self, *, at: int) -> None:
        """Book what is due."""
        self._clock.at = at
        self._do(self._spool.claim, at, 100, {})

    def hear(self, about: QueueId, to: Mailbox, text: str, *, report_id: QueueId, at: int) -> None:
        """Let somebody else report a failure."""
        self._clock.at = at
        message = self._messages[about]
        heard = HeardReport(
            reverse_path=message.reverse_path, report_id=report_id, at=at, action="failed", text=text,
            recipient=to, message_id=message.message_id,
        )  # fmt: skip
        assert self._do(self._spool.heard, (heard,)) == (about,)

    def deny(self, destination: str, *, since: int) -> None:
        """Let the DNS deny a destination that took mail."""
        self._do(self._spool.denied, normal_domain(destination), since)

    def brake(self, why: str, cause: BrakeCause, *, since: int) -> None:
        """Put the brake on."""
        self._do(self._spool.set_brake, Braked(since, why, cause))

    def report(self, about: QueueId, *, at: int) -> QueueId:
        """Compose the report that is due."""
        self._clock.at = at
        owed = self._do(self._spool.take_owed, about, at)
        assert isinstance(owed, OwedReport)
        ident = self._ids.make(at)
        to = owed.message.reverse_path
        recipient = Recipient(0, to, to, normal_domain(to.domain), Notify.NEVER)
        message = Message(
            id=ident,
            reverse_path=NULL_PATH,
            accepted_at=at,
            expires_at=at + 5 * DAY,
            octets=2048,
            recipient_count=1,
            priority=Priority.REPORT,
            origin=Origin("", "mail.here.example", "report"),
            about=about,
            subject=f"Report on {id_text(about)}",
            is_bulk=True,
        )
        self._messages[ident] = message
        new = NewMessage(
            message, (NewRecipient(recipient, InFlight(Fence(self._spool.epoch, 1))),), b"report"
        )
        assert self._do(self._spool.report, owed, new) is True
        return ident

    def owe_delay_notice(self, ident: QueueId, *, due_at: int, at: int, ordinal: int = 0) -> None:
        """Owe a delay notice."""
        self.write(
            "INSERT INTO owed (message_id, ordinal, action, due_at, at) VALUES (?, ?, ?, ?, ?)",
            ident, ordinal, Action.DELAYED.value, due_at, at,
        )  # fmt: skip

    # --- Rows -----------------------------------------------------------------------------------------

    def write(self, sql: str, *values) -> None:
        """Write what only an operator's act or a crash leads to."""
        connection = sqlite3.connect(self.folder / DATABASE_NAME, isolation_level=None)
        connection.execute(sql, values)
        connection.close()

    def ask(self, sql: str, *values):
        """Ask for one value."""
        connection = sqlite3.connect(self.folder / DATABASE_NAME, isolation_level=None)
        (value,) = connection.execute(sql, values).fetchone()
        connection.close()
        return value

    def stop(self, ident: QueueId, state: int, *, at: int, ordinal: int = 0) -> None:
        """Hold (2), park (3), return (7) or discard (8)."""
        self.write(
            "UPDATE recipient SET state = ?, due_at = NULL, epoch = NULL, changed_at = ? "
            "WHERE message_id = ? AND ordinal = ?",
            state, at, ident, ordinal,
        )  # fmt: skip

    def _do(self, operation, *values):
        answers = []
        operation(*values, answers.append)
        self._clock.run()
        (answer,) = answers
        assert not isinstance(answer, SpoolFault), answer
        return answer
