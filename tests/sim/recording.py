"""A spool that is watched: what was committed, in order; and a place to die before or after any call.

The record is the world's memory of what the disk holds, whatever the process managed to do with the news. A
crash *before* means that the operation never reached the disk; *after* means that it is on the disk and
nobody was told. What was committed in the same group is recorded too, although its callers hear nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from byreturn.mail import Destination, Duration, Instant, Mailbox, QueueId
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
    Spool,
    SpoolFault,
)


@dataclass(frozen=True)
class Record:
    """One committed operation."""

    at: Instant
    operation: str
    what: Any
    result: Any


Failpoint = Callable[[str, str], bool]


class RecordingSpool:
    """Implements `ports.Spool` on another one; `failpoint(operation, when)` is True where we die.

    `commit_takes`: so long after the commit the caller hears of it, as from a slow disk.
    """

    def __init__(self, spool: Spool, records: list[Record], clock: Clock, failpoint: Failpoint) -> None:
        self._spool = spool
        self._records = records
        self._clock = clock
        self._failpoint = failpoint
        self._is_dead = False
        self.commit_takes: Duration = 0

    def _watch(self, operation: str, what: Any, done: Callable[[Any], None]) -> Callable[[Any], None] | None:
        """Return the callback for the real spool; None when we died before the call."""
        self._is_dead = self._is_dead or self._failpoint(operation, "before")
        if self._is_dead:
            return None

        def committed(result: Any) -> None:
            if not isinstance(result, SpoolFault):
                self._records.append(Record(self._clock.now(), operation, what, result))
            self._is_dead = self._is_dead or self._failpoint(operation, "after")
            if self._is_dead:
                return
            if self.commit_takes:
                self._clock.call_later(self.commit_takes, lambda: done(result))
            else:
                done(result)

        return committed

    def bury(self) -> None:
        """The process is dead: what it still asks for is asked of nobody."""
        self._is_dead = True

    def accept(self, new: NewMessage, done: Callable[[SpoolFault | None], None]) -> None:
        if watched := self._watch("accept", new, done):
            self._spool.accept(new, watched)

    def settle(
        self,
        settlings: tuple[Settling, ...],
        news: tuple[DestinationNews, ...],
        now: Instant,
        done: Callable[[Settled | SpoolFault], None],
    ) -> None:
        if watched := self._watch("settle", (settlings, news), done):
            self._spool.settle(settlings, news, now, watched)

    def claim(
        self,
        now: Instant,
        limit: int,
        quotas: dict[Destination, int],
        done: Callable[[Claimed | SpoolFault], None],
    ) -> None:
        if watched := self._watch("claim", (limit, dict(quotas)), done):
            self._spool.claim(now, limit, quotas, watched)

    def owed_due(self, now: Instant, limit: int, done: Callable[[OwedDue | SpoolFault], None]) -> None:
        self._spool.owed_due(now, limit, done)

    def take_owed(
        self, message_id: QueueId, now: Instant, done: Callable[[OwedReport | SpoolFault | None], None]
    ) -> None:
        self._spool.take_owed(message_id, now, done)

    def report(
        self, owed: OwedReport, new: NewMessage | None, done: Callable[[bool | SpoolFault], None]
    ) -> None:
        if watched := self._watch("report", (owed, new), done):
            self._spool.report(owed, new, watched)

    def expire(
        self, now: Instant, started_at: Instant, limit: int, done: Callable[[Expiry | SpoolFault], None]
    ) -> None:
        if watched := self._watch("expire", (now, started_at), done):
            self._spool.expire(now, started_at, limit, watched)

    def content(self, message_id: QueueId, done: Callable[[ContentReader | SpoolFault | None], None]) -> None:
        self._spool.content(message_id, done)

    def content_writer(self, message_id: QueueId) -> ContentWriter:
        return self._spool.content_writer(message_id)

    def purge(self, now: Instant, limit: int, done: Callable[[int | SpoolFault], None]) -> None:
        if watched := self._watch("purge", now, done):
            self._spool.purge(now, limit, watched)

    def past(self, destination: Destination, done: Callable[[Past | SpoolFault | None], None]) -> None:
        self._spool.past(destination, done)

    def correspondents(
        self, sender: Mailbox, limit: int, done: Callable[[tuple[Correspondent, ...] | SpoolFault], None]
    ) -> None:
        self._spool.correspondents(sender, limit, done)

    def heard(
        self,
        reports: tuple[HeardReport, ...],
        done: Callable[[tuple[QueueId | None, ...] | SpoolFault], None],
    ) -> None:
        if watched := self._watch("heard", reports, done):
            self._spool.heard(reports, watched)

    def denied(
        self, destination: Destination, since: Instant | None, done: Callable[[SpoolFault | None], None]
    ) -> None:
        if watched := self._watch("denied", (destination, since), done):
            self._spool.denied(destination, since, watched)

    def learn(self, lesson: Lesson, done: Callable[[SpoolFault | None], None]) -> None:
        if watched := self._watch("learn", lesson, done):
            self._spool.learn(lesson, watched)

    def set_brake(self, braked: Braked | None, done: Callable[[SpoolFault | None], None]) -> None:
        if watched := self._watch("set_brake", braked, done):
            self._spool.set_brake(braked, watched)

    def probe(
        self, destination: Destination, now: Instant, done: Callable[[bool | SpoolFault], None]
    ) -> None:
        if watched := self._watch("probe", destination, done):
            self._spool.probe(destination, now, watched)

    def has_room(self, octets: int) -> bool:
        return self._spool.has_room(octets)

    def pressure(self) -> Instant:
        return self._spool.pressure()
