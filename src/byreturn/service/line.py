"""The line before a lane: who is next.

    priority (reports, urgent, normal, non-urgent)
      '- sender after sender, one batch each in turn
           '- of one sender, the oldest first

So a newsletter of ten thousand does not keep one letter of somebody else waiting. Recipients of one message
that come later join its batch as long as it waits: they go in one transaction.

Bounds: the dispatcher's quota for a destination bounds how many wait here.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator

from byreturn.mail import Priority, QueueId
from byreturn.service.batch import Batch
from byreturn.service.routes import ToHosts


class Line:
    """Batches that wait, with the ways that they were given."""

    __slots__ = ("_joinable", "_length", "_turns")

    def __init__(self) -> None:
        self._turns: list[dict[str, deque[tuple[ToHosts, Batch]]]] = [{} for _ in Priority]
        self._joinable: dict[QueueId, Batch] = {}
        self._length = 0

    def __len__(self) -> int:
        return self._length

    @property
    def has_report(self) -> bool:
        """Whether a report waits: then it is next."""
        return bool(self._turns[Priority.REPORT])

    def add(self, way: ToHosts, batch: Batch) -> None:
        """Let a batch join one of its own message, or stand in line."""
        message = batch.carried.message
        waiting = self._joinable.get(message.id)
        if waiting is not None and waiting.join(batch, way.terms.recipients):
            return
        self._turns[message.priority].setdefault(batch.carried.sender, deque()).append((way, batch))
        self._joinable[message.id] = batch
        self._length += 1

    def ahead_of(self, batch: Batch) -> int:
        """How many would have their turn before this one, if it stood in line now and nobody came later."""
        priority, sender = batch.carried.message.priority, batch.carried.sender
        ahead = sum(len(waiting) for turns in self._turns[:priority] for waiting in turns.values())
        turns = self._turns[priority]
        own = len(turns.get(sender, ()))
        # Of others one for each of its own that stands there; those whose turn is before its own, one more.
        turn = own + 1
        for one, waiting in turns.items():
            if one == sender:
                turn = own
            ahead += min(len(waiting), turn)
        return ahead

    def put_back(self, way: ToHosts, batch: Batch) -> None:
        """Let a batch that had its turn for nothing be the next of its sender."""
        self._turns[batch.carried.message.priority].setdefault(batch.carried.sender, deque()).appendleft(
            (way, batch)
        )
        self._length += 1

    def next(self) -> tuple[ToHosts, Batch]:
        """Take the next one; its sender's turn comes again behind the others."""
        senders = next(senders for senders in self._turns if senders)
        sender = next(iter(senders))
        batches = senders.pop(sender)
        way, batch = batches.popleft()
        if batches:
            senders[sender] = batches
        self._length -= 1
        if self._joinable.get(batch.carried.message.id) is batch:
            del self._joinable[batch.carried.message.id]
        return way, batch

    def take_all(self) -> Iterator[Batch]:
        """Take everybody out."""
        while self._length:
            yield self.next()[1]
