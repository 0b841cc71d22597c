"""The spool on SQLite: the embedded default.

Writes go through the committer, in groups. What only reads uses a connection of its own and answers at
once: in WAL mode a reader sees the last commit and stops nobody. The log is carried over into the database
by a thread with a third connection, so that no commit ever pays for it.

Fails: see `committer`. After an ambiguous commit the process must end; `on_broken` is told.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path
from typing import Any, Final

from msgspec import Struct

from byreturn.mail import SECOND, Destination, Duration, InMemory, Instant, Mailbox, QueueId, id_text
from byreturn.ports import (
    Braked,
    Claimed,
    Clock,
    ContentReader,
    ContentWriter,
    Correspondent,
    DestinationNews,
    Expiry,
    HeardReport,
    Lesson,
    NewMessage,
    OwedDue,
    OwedReport,
    Past,
    Settled,
    Settling,
    SpoolFault,
    Worker,
)
from byreturn.spool.accepting import accept
from byreturn.spool.checking import LateCheck
from byreturn.spool.claiming import claim, probe
from byreturn.spool.committer import Committer
from byreturn.spool.contents import FileReader, FileWriter, sweep
from byreturn.spool.expiring import FIRST_PLACE, Ending, Place, expire
from byreturn.spool.hearing import correspondents, heard
from byreturn.spool.keeping import Keeping, Purged, purge
from byreturn.spool.opening import (
    CONTENT_FOLDER,
    DATABASE_NAME,
    Lock,
    connect,
    open_spool,
    prepare_folder,
)
from byreturn.spool.owing import owed_due, report, take_owed
from byreturn.spool.remembering import Takers, deny, learn, past, set_brake
from byreturn.spool.settling import Recorded, settle
from byreturn.spool.statements import SQL

# Carry the log over when it has grown by so much; hold the writer for it only beyond the second figure.
_CHECKPOINT_OCTETS: Final = 8 * 1024 * 1024
_LOG_LIMIT: Final = 256 * 1024 * 1024
_ROOM_CHECK_EVERY: Final[Duration] = 1 * SECOND
_CHECK_EVERY: Final = 64
_PAGES_GIVEN_BACK: Final = 500  # some 3 ms


class SpoolSettings(Struct, frozen=True):
    """`quota`: recipients of one destination in flight; `reserve_octets`: disk that new mail may not take.

    `copy_expired`: the postmaster is to have a copy when mail runs out of time; `copy_expired_reports`: when
    a report of ours does.
    """

    gather: Duration = 1 * SECOND
    keeping: Keeping = Keeping()
    quota: int = 1000
    reserve_octets: int = 0
    copy_expired: bool = False
    copy_expired_reports: bool = False


class SqliteSpool:
    """Implements `ports.Spool`."""

    def __init__(
        self,
        folder: Path,
        worker: Worker,
        clock: Clock,
        *,
        settings: SpoolSettings,
        on_broken: Callable[[str], None],
    ) -> None:
        prepare_folder(folder)
        self._folder = folder
        self._worker = worker
        self._clock = clock
        self._gather = settings.gather
        self._keeping = settings.keeping
        self._ending = Ending(
            settings.gather, settings.keeping.content, settings.copy_expired, settings.copy_expired_reports
        )
        self._quota = settings.quota
        # Up to where the last expiry and the last purge have looked.
        self._expired_to = FIRST_PLACE
        self._looked_to = QueueId(0)
        self._takers = Takers(settings.keeping.history)
        self._reserve = settings.reserve_octets
        self._lock = Lock(folder)
        try:
            self._writer, self.opened, is_checked = open_spool(folder, clock.now())
        except BaseException:
            self._lock.release()
            raise
        self._reader = connect(folder / DATABASE_NAME)
        self._reader.execute("PRAGMA query_only = ON")
        self._carrier = connect(folder / DATABASE_NAME)
        self._is_carrying = False
        self._log_path = folder / f"{DATABASE_NAME}-wal"
        self._room = 0
        self._room_seen_at: Instant | None = None
        self._committer = Committer(
            self._writer, worker, clock, on_broken=on_broken, after_commit=self._after_commit
        )
        self._commits = 0
        self._sweep()
        self._check: LateCheck | None = None
        if not is_checked:
            reader = connect(folder / DATABASE_NAME, read_only=True)
            self._check = LateCheck(folder, reader, worker, self._committer.give_up)

    @property
    def epoch(self) -> int:
        """Our own epoch."""
        return self.opened.epoch

    # --- Writing --------------------------------------------------------------------------------------

    def accept(self, new: NewMessage, done: Callable[[SpoolFault | None], None]) -> None:
        """Store a message."""
        octets = 0 if new.content is None else len(new.content)
        self._committer.submit(
            lambda connection: accept(connection, new), done, rows=2 + len(new.recipients), octets=octets
        )

    def settle(
        self,
        settlings: tuple[Settling, ...],
        news: tuple[DestinationNews, ...],
        now: Instant,
        done: Callable[[Settled | SpoolFault], None],
    ) -> None:
        """Record outcomes."""
        gather, keep, takers = self._gather, self._keeping.content, self._takers

        def finish(result: Recorded | SpoolFault) -> None:
            if isinstance(result, SpoolFault):
                done(result)
                return
            takers.keep(result.noted)
            if result.files:
                self._unlink(result.files)
            done(result.settled)

        self._committer.submit(
            lambda connection: settle(
                connection, settlings, news, now, gather=gather, keep_content=keep, takers=takers
            ),
            finish,
            rows=2 * len(settlings) + len(news),
        )

    def claim(
        self,
        now: Instant,
        limit: int,
        quotas: dict[Destination, int],
        done: Callable[[Claimed | SpoolFault], None],
    ) -> None:
        """Book what is due."""
        self._committer.submit(
            lambda connection: claim(connection, self.epoch, now, limit, quotas, default_quota=self._quota),
            done,
            rows=limit,
        )

    def report(
        self, owed: OwedReport, new: NewMessage | None, done: Callable[[bool | SpoolFault], None]
    ) -> None:
        """Queue a report and mark its lines."""
        now = self._clock.now()
        self._committer.submit(
            lambda connection: report(connection, owed, new, now),
            done,
            rows=3 + len(owed.lines),
            goes_first=True,
        )

    def expire(
        self, now: Instant, started_at: Instant, limit: int, done: Callable[[Expiry | SpoolFault], None]
    ) -> None:
        """End what is over."""

        def work(connection: sqlite3.Connection) -> tuple[Expiry, Place]:
            return expire(
                connection, now, started_at, limit,
                how=self._ending, looked_to=self._expired_to,
            )  # fmt: skip

        def finish(result: tuple[Expiry, Place] | SpoolFault) -> None:
            if isinstance(result, SpoolFault):
                done(result)
                return
            expiry, self._expired_to = result
            done(expiry)

        self._committer.submit(work, finish, rows=limit)

    def purge(self, now: Instant, limit: int, done: Callable[[int | SpoolFault], None]) -> None:
        """Forget what is past its keeping, and give pages back to the disk."""

        def work(connection: sqlite3.Connection) -> Purged:
            return purge(connection, now, limit, self._keeping, self._looked_to)

        def finish(result: Purged | SpoolFault) -> None:
            if isinstance(result, SpoolFault):
                done(result)
                return
            self._looked_to = result.looked_to
            self._unlink(result.files)
            if result.rows:
                self._committer.submit(_shrink, lambda _: None)
            done(result.rows)

        self._committer.submit(work, finish, rows=2 * limit)

    def heard(
        self,
        reports: tuple[HeardReport, ...],
        done: Callable[[tuple[QueueId | None, ...] | SpoolFault], None],
    ) -> None:
        """Add what others report to the stories of our messages."""
        self._committer.submit(lambda connection: heard(connection, reports), done, rows=len(reports))

    def denied(
        self, destination: Destination, since: Instant | None, done: Callable[[SpoolFault | None], None]
    ) -> None:
        """Note since when a name is denied."""

        def work(connection: sqlite3.Connection) -> None:
            self._takers.forget(destination)
            deny(connection, destination, since)

        def finish(fault: SpoolFault | None) -> None:
            self._takers.forget(destination)
            done(fault)

        self._committer.submit(work, finish)

    def learn(self, lesson: Lesson, done: Callable[[SpoolFault | None], None]) -> None:
        """Remember a lesson."""
        self._committer.submit(lambda connection: learn(connection, lesson), done)

    def set_brake(self, braked: Braked | None, done: Callable[[SpoolFault | None], None]) -> None:
        """Put the brake on, or let it off."""
        self._committer.submit(lambda connection: set_brake(connection, braked), done)

    # --- Reading --------------------------------------------------------------------------------------

    def probe(
        self, destination: Destination, now: Instant, done: Callable[[bool | SpoolFault], None]
    ) -> None:
        """Let the next probe of a failing destination be due now."""
        self._committer.submit(lambda connection: probe(connection, destination, now), done)

    def owed_due(self, now: Instant, limit: int, done: Callable[[OwedDue | SpoolFault], None]) -> None:
        """Name messages with a report due."""
        done(self._read(partial(owed_due, now=now, limit=limit)))

    def take_owed(
        self, message_id: QueueId, now: Instant, done: Callable[[OwedReport | SpoolFault | None], None]
    ) -> None:
        """Read what a report must say."""
        done(self._read(partial(take_owed, message_id=message_id, now=now)))

    def correspondents(
        self, sender: Mailbox, limit: int, done: Callable[[tuple[Correspondent, ...] | SpoolFault], None]
    ) -> None:
        """Name the addresses that took mail of this sender."""
        done(self._read(partial(correspondents, sender=sender, limit=limit)))

    def past(self, destination: Destination, done: Callable[[Past | SpoolFault | None], None]) -> None:
        """Tell when a destination last took mail."""
        done(self._read(partial(past, destination=destination)))

    def content(self, message_id: QueueId, done: Callable[[ContentReader | SpoolFault | None], None]) -> None:
        """Open a content."""
        row = self._read(lambda reader: reader.execute(SQL["get_content"], (message_id,)).fetchone())
        if isinstance(row, SpoolFault) or row is None:
            done(row)
            return
        if row[0] is not None:
            done(InMemory(row[0]))
            return
        try:
            done(FileReader(self._content_path(message_id)))
        except FileNotFoundError:
            done(None)
        except OSError as error:
            done(SpoolFault(f"cannot read {self._content_path(message_id)}: {error.strerror}"))

    def content_writer(self, message_id: QueueId) -> ContentWriter:
        """Begin a large content."""
        return FileWriter(self._folder / CONTENT_FOLDER, message_id, self._worker)

    def has_room(self, octets: int) -> bool:
        """Whether the disk has room above the reserve; asked of the system once a second at most."""
        now = self._clock.now()
        if self._room_seen_at is None or now - self._room_seen_at >= _ROOM_CHECK_EVERY:
            disk = os.statvfs(self._folder)
            self._room = disk.f_bavail * disk.f_frsize - self._reserve
            self._room_seen_at = now
        return self._room >= octets

    def pressure(self) -> Duration:
        """How long the oldest unfinished operation has waited."""
        return self._committer.pressure()

    @property
    def is_idle(self) -> bool:
        """Whether everything asked for is on the disk."""
        return self._committer.is_idle

    def stop(self) -> None:
        """Break off what is done beside the mail, so that no thread is waited for."""
        if self._check is not None:
            self._check.stop()
            self._check = None

    def close(self) -> None:
        """Close the files and let go of the lock; the caller has waited until `is_idle`."""
        self._carrier.execute("PRAGMA wal_checkpoint(PASSIVE)")
        self.abandon()

    def abandon(self) -> None:
        """Let go of the files as they are; what was not committed is gone."""
        self.stop()
        for connection in (self._reader, self._carrier, self._writer):
            connection.close()
        self._lock.release()

    # --- Inside ---------------------------------------------------------------------------------------

    def _read(self, work: Callable[[sqlite3.Connection], Any]) -> Any:
        try:
            return work(self._reader)
        except sqlite3.Error as error:
            return SpoolFault(f"the database cannot be read: {error}")

    def _content_path(self, message_id: QueueId) -> Path:
        return self._folder / CONTENT_FOLDER / id_text(message_id)

    def _unlink(self, files: Iterable[QueueId]) -> None:
        """Remove files whose rows are gone. A crash before it leaves strays; the next start sweeps them."""
        paths = [self._content_path(message_id) for message_id in files]

        def work() -> None:
            for path in paths:
                path.unlink(missing_ok=True)

        self._worker.submit(work, lambda _: None)

    def _sweep(self) -> None:
        """Remove large contents that nobody owns. What comes in from now on is not among these names."""
        folder = self._folder / CONTENT_FOLDER
        names = os.listdir(folder)
        if not names:
            return

        def work() -> int:
            return sweep(folder, names, self._has_file)

        self._worker.submit(work, lambda _: None)

    def _has_file(self, message_id: QueueId) -> bool:
        row = self._carrier.execute(SQL["has_file"], (message_id,)).fetchone()
        return row is not None and bool(row[0])

    def _after_commit(self) -> None:
        """Carry the log over into the database now and then, off the loop."""
        self._commits += 1
        if self._is_carrying or self._commits % _CHECK_EVERY:
            return
        log_octets = self._log_path.stat().st_size
        if log_octets < _CHECKPOINT_OCTETS:
            return
        self._is_carrying = True
        # PASSIVE takes what it can without making anybody wait. RESTART waits for a moment without a
        # writer, so that the log starts anew; only a log that has grown very long is worth that.
        how = "RESTART" if log_octets > _LOG_LIMIT else "PASSIVE"

        def done(_: object) -> None:
            self._is_carrying = False

        self._worker.submit(lambda: self._carrier.execute(f"PRAGMA wal_checkpoint({how})").fetchone(), done)


def _shrink(connection: sqlite3.Connection) -> None:
    (free,) = connection.execute(SQL["free_pages"]).fetchone()
    for _ in range(min(free, _PAGES_GIVEN_BACK)):
        # The driver takes one step of such a statement, and a step gives back one page.
        connection.execute(SQL["give_back_page"])
