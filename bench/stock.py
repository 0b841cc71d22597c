"""Spools that are full before the server starts, written through the spool's own operations.

    build(folder, Stock(recipients=1_000_000, destinations=20_000, ...))

Each message has one recipient, which waits with a finding and a delay notice that is owed, as mail has that
was put off. With `probe_after` every second destination is failing.

Promises: what `build` has returned from is on the disk; nothing here knows the schema.
"""

from __future__ import annotations

import asyncio
import os
import sqlite3
from collections import Counter
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import uvloop

from byreturn.mail import (
    DAY,
    HOUR,
    Cause,
    Destination,
    IdFactory,
    Instant,
    Mailbox,
    Message,
    QueueId,
    Recipient,
    WeFound,
)
from byreturn.policy import Waiting
from byreturn.ports import DestinationNews, NewMessage, NewRecipient
from byreturn.spool import SpoolSettings, SqliteSpool
from byreturn.transport import SystemClock, ThreadWorker

CONTENT_OCTETS: Final = 1024
_PORTION: Final = 2000
_SENDER: Final = Mailbox("someone", "senders.example")
_CONTENT: Final = (
    b"From: <someone@senders.example>\r\nSubject: waiting\r\nMessage-ID: <w@senders.example>\r\n\r\n"
).ljust(CONTENT_OCTETS - 2, b"x") + b"\r\n"


@dataclass(frozen=True)
class Stock:
    """What waits: how many, at how many destinations (`pattern` with a number), and from when on it is due.

    `probe_after`: when the next probe of those destinations is due that are failing; None: none is failing.
    """

    recipients: int
    destinations: int
    pattern: str
    due_after: int
    probe_after: int | None = None


class _Builder:
    """A spool that is being filled."""

    def __init__(self, folder: Path, stock: Stock) -> None:
        loop = asyncio.get_running_loop()
        self._stock = stock
        self._clock = SystemClock(loop)
        self._worker = ThreadWorker(loop, 4, "stock")
        self._spool = SqliteSpool(
            folder, self._worker, self._clock, settings=SpoolSettings(), on_broken=self._on_broken
        )
        self._now = self._clock.now()
        self._ids = IdFactory(0, QueueId(0))
        self._pending = 0
        self._is_done = asyncio.Event()

    def _on_broken(self, why: str) -> None:
        raise RuntimeError(why)

    def _heard(self, fault: object) -> None:
        if fault is not None and not hasattr(fault, "lost"):
            raise RuntimeError(f"the spool did not take it: {fault}")
        self._pending -= 1
        if not self._pending:
            self._is_done.set()

    async def _portion(self, submits: list[Callable[[Callable[[Any], None]], None]]) -> None:
        self._is_done.clear()
        self._pending = len(submits)
        for submit in submits:
            submit(self._heard)
        await self._is_done.wait()

    def _destination(self, number: int) -> Destination:
        return Destination(self._stock.pattern.format(number % self._stock.destinations))

    def _message(self, number: int) -> NewMessage:
        destination = self._destination(number)
        # Older mail first: everything came in during the last hour.
        accepted_at: Instant = self._now - HOUR + number * HOUR // self._stock.recipients
        address = Mailbox(f"w{number}", destination)
        message = Message(
            id=self._ids.make(accepted_at),
            reverse_path=_SENDER,
            accepted_at=accepted_at,
            expires_at=accepted_at + 5 * DAY,
            octets=CONTENT_OCTETS,
            recipient_count=1,
            message_id="<w@senders.example>",
            subject="waiting",
        )
        due_at = self._now + self._stock.due_after + number % HOUR if self._stock.due_after else accepted_at
        recipient = NewRecipient(
            Recipient(0, address, address, destination),
            Waiting(due_at, 1),
            _finding(destination),
            (accepted_at + 4 * HOUR + DAY,),
        )
        return NewMessage(message, (recipient,), _CONTENT)

    async def fill(self) -> None:
        """Accept the mail, then hear that destinations are failing."""
        for begin in range(0, self._stock.recipients, _PORTION):
            numbers = range(begin, min(begin + _PORTION, self._stock.recipients))
            messages = [self._message(number) for number in numbers]
            await self._portion(
                [lambda done, new=new: self._spool.accept(new, done) for new in messages]  # type: ignore[misc]
            )
        if self._stock.probe_after is not None:
            due_at = self._now + self._stock.probe_after
            failing = [self._destination(number) for number in range(0, self._stock.destinations, 2)]
            news = tuple(
                DestinationNews(name, 3, due_at, _finding(name), self._now - HOUR) for name in failing
            )
            for batch in _cut(news, 200):
                await self._portion(
                    [lambda done, some=batch: self._spool.settle((), some, self._now, done)]  # type: ignore[misc]
                )
        while not self._spool.is_idle:  # noqa: ASYNC110 - the spool has a question for this, no callback
            await asyncio.sleep(0.01)
        self._spool.close()
        self._worker.close()


def _cut(news: tuple[DestinationNews, ...], size: int) -> list[tuple[DestinationNews, ...]]:
    return [news[at : at + size] for at in range(0, len(news), size)]


def _finding(destination: Destination) -> WeFound:
    return WeFound(Cause.REFUSED_CONNECTION, "connection refused", f"mx.{destination}", "127.0.0.9")


def build(folder: Path, stock: Stock) -> None:
    """Fill a spool."""

    async def work() -> None:
        await _Builder(folder, stock).fill()

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(work())


def forget_cached(folder: Path) -> None:
    """Let the system forget what it has of these files in memory, so that the next start reads the disk."""
    for path in folder.rglob("*"):
        if path.is_file():
            descriptor = os.open(path, os.O_RDONLY)
            os.fsync(descriptor)
            os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
            os.close(descriptor)


class Snapshot:
    """Every row of every table at one instant, whatever the tables are."""

    def __init__(self, folder: Path) -> None:
        (path,) = folder.glob("*.sqlite3")
        self._rows: Counter[tuple[str, int]] = Counter()
        with closing(sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)) as connection:
            connection.execute("BEGIN")
            tables = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
            for (name,) in tables:
                for row in connection.execute(f'SELECT * FROM "{name}"'):
                    self._rows[name, hash(row)] += 1

    def written_since(self, before: Snapshot) -> Counter[str]:
        """How many rows of each table are new or different."""
        found: Counter[str] = Counter()
        for (name, _), count in (self._rows - before._rows).items():
            found[name] += count
        return found
