"""Look-ups that are shared, and answers that are kept for as long as they may be believed.

Many ask the same at the same time: a thousand messages for one domain need one question. So an answer
is kept whole, as the caller will get it, and those who come while it is being looked up wait for it
together.

    find --kept?--> told at once, from inside the call
      |---asked already?--> waits with the others
      '---> waiting, first come first served ---> looked up ---> kept, and told to all who wait
              '--> too many: LookupFailed           '--> a bug of ours: LookupFailed, and the bug reported

    kept: [ least recently used .... most recently used ]   while now < its end
             '--> forgotten, when there are too many answers or too many records in them

Promises: everybody who asks is told exactly once, and an exception in one who is told stops none of the
others; no answer is given at or after its end; everything has a bound. Fails: LookupFailed at once when
too many wait, or after `close`.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict, deque
from collections.abc import Callable, Coroutine
from functools import partial
from typing import Any, Final, Generic, TypeVar

from msgspec import Struct

from byreturn.mail import Duration, Instant
from byreturn.ports import Clock, LookupFailed

Key = TypeVar("Key")
Answer = TypeVar("Answer")

# Most domains have one to five MX hosts. An answer may hold 500 records, but not every answer may.
RECORDS_PER_ANSWER: Final = 4

_CLOSED: Final = LookupFailed("the resolver is closed")
_TOO_MANY: Final = LookupFailed("too many look-ups are waiting already")


class Bounds(Struct, frozen=True):
    """How many look-ups run, how many (and how many who ask for the same) wait, how many answers are kept."""

    running: int
    waiting: int
    kept: int


class Finding(Struct, Generic[Answer], frozen=True):
    """What a look-up found, how long it may be believed (0: it is not kept), and how many records it has."""

    answer: Answer
    keep: Duration
    records: int = 1


class AnswerCache(Generic[Key, Answer]):
    """Answers with an end, at most `limit` of them and four times as many records."""

    __slots__ = ("_entries", "_limit", "_records")

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._entries: OrderedDict[Key, tuple[Instant, Answer, int]] = OrderedDict()
        self._records = 0

    def __len__(self) -> int:
        return len(self._entries)

    def get(self, key: Key, now: Instant) -> Answer | None:
        """Return what is known about a key, if it may still be believed."""
        entry = self._entries.get(key)
        if entry is None:
            return None
        if entry[0] <= now:
            self._forget(key)
            return None
        self._entries.move_to_end(key)
        return entry[1]

    def put(self, key: Key, answer: Answer, until: Instant, records: int = 1) -> None:
        """Believe an answer up to, not including, an instant."""
        if key in self._entries:
            self._forget(key)
        self._entries[key] = (until, answer, records)
        self._records += records
        while len(self._entries) > self._limit or self._records > self._limit * RECORDS_PER_ANSWER:
            self._forget(next(iter(self._entries)))

    def _forget(self, key: Key) -> None:
        self._records -= self._entries.pop(key)[2]


class SharedLookups(Generic[Key, Answer]):
    """Runs one look-up for all who ask for the same key."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        clock: Clock,
        bounds: Bounds,
        look_up: Callable[[Key], Coroutine[Any, Any, Finding[Answer]]],
    ) -> None:
        assert min(bounds.running, bounds.waiting, bounds.kept) > 0
        self._loop = loop
        self._clock = clock
        self._bounds = bounds
        self._look_up = look_up
        self._cache: AnswerCache[Key, Answer] = AnswerCache(bounds.kept)
        self._told: dict[Key, list[Callable[[Answer | LookupFailed], None]]] = {}
        self._waiting: deque[Key] = deque()
        self._running: set[asyncio.Task[Finding[Answer]]] = set()
        self._is_closed = False

    def find(
        self,
        key: Key,
        done: Callable[[Answer | LookupFailed], None],
        is_enough: Callable[[Answer], bool] | None = None,
    ) -> None:
        """Tell what is known, from inside this call, or else look it up and tell it later.

        What is known and not enough is looked up anew.
        """
        answer = self._cache.get(key, self._clock.now())
        if answer is not None and (is_enough is None or is_enough(answer)):
            done(answer)
            return
        refused = self._join(key, done)
        if refused is not None:
            done(refused)

    async def close(self) -> None:
        """Tell all who wait that it is over, and end every task; idempotent."""
        self._is_closed = True
        while self._waiting:
            self._tell(self._waiting.popleft(), _CLOSED)
        while self._running:
            for task in self._running:
                task.cancel()
            # `asyncio.wait_for` of Python 3.11, which the DNS library uses, can swallow a cancellation
            # that comes together with an answer: so cancel again until nothing is left.
            await asyncio.wait(self._running, timeout=1)

    def _join(self, key: Key, done: Callable[[Answer | LookupFailed], None]) -> LookupFailed | None:
        """Wait for an answer with all who asked before, or return why not."""
        if self._is_closed:
            return _CLOSED
        told = self._told.get(key)
        if told is None:
            if len(self._waiting) >= self._bounds.waiting:
                return _TOO_MANY
            told = self._told[key] = []
            self._waiting.append(key)
            self._begin()
        if len(told) >= self._bounds.waiting:
            return _TOO_MANY
        told.append(done)
        return None

    def _begin(self) -> None:
        while self._waiting and len(self._running) < self._bounds.running:
            key = self._waiting.popleft()
            task = self._loop.create_task(self._look_up(key))
            self._running.add(task)
            task.add_done_callback(partial(self._ended, key))

    def _ended(self, key: Key, task: asyncio.Task[Finding[Answer]]) -> None:
        self._running.discard(task)
        if task.cancelled():
            self._tell(key, _CLOSED)
        elif (bug := task.exception()) is not None:
            self._loop.call_exception_handler({"message": f"bug in a look-up of {key!r}", "exception": bug})
            self._tell(key, LookupFailed(f"a mistake of ours: {type(bug).__name__} in the look-up"))
        else:
            found = task.result()
            if found.keep > 0:
                self._cache.put(key, found.answer, self._clock.now() + found.keep, found.records)
            self._tell(key, found.answer)
        if not self._is_closed:
            self._begin()

    def _tell(self, key: Key, answer: Answer | LookupFailed) -> None:
        for done in self._told.pop(key):
            # A call of the loop's own for each: an exception ends there, and is reported by the loop.
            self._loop.call_soon(done, answer)
