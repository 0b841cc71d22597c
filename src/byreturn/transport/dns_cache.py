"""Look-ups that are shared, and answers that are kept for as long as they may be believed.

Many ask the same at the same time: a thousand messages for one domain need one question. So an answer
is kept whole, as the caller will get it, and those who come while it is being looked up wait for it
together. And most names are answered at once, but some never: a look-up that takes long is slow, and gives
its place to the next, so that the names of the dead hold up no others.

    find --kept?--> told at once, from inside the call
      |---asked already?--> waits with the others
      '---> waiting, first come first served --place--> fresh --patience over, others wait--> slow
              '--> too many: LookupFailed                 |                                    | |
                                                          '--> kept, and told to all who wait <' |
                         too many are slow: the oldest gives way, LookupFailed, its task ends  <-'
                              a bug of ours: LookupFailed, and the bug reported

    kept: [ least recently used .... most recently used ]   while now < its end
             '--> forgotten, when there are too many answers or too many records in them

Promises: everybody who asks is told exactly once, and an exception in one who is told stops none of the
others; no answer is given at or after its end; nobody waits for a slow one but those who asked for it;
everything has a bound. Fails: LookupFailed at once when too many wait, or after `close`.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict, deque
from collections.abc import Callable, Coroutine
from functools import partial
from typing import Any, Final, Generic, TypeVar

from msgspec import Struct

from byreturn.mail import SECOND, Duration, Instant, in_words
from byreturn.ports import Clock, LookupFailed

Key = TypeVar("Key")
Answer = TypeVar("Answer")

# Most domains have one to five MX hosts. An answer may hold 500 records, but not every answer may.
RECORDS_PER_ANSWER: Final = 4

_CLOSED: Final = LookupFailed("the resolver is closed")
_TOO_MANY: Final = LookupFailed("too many look-ups are waiting already")


class Bounds(Struct, frozen=True):
    """How many look-ups are fresh, how many slow, how many wait, and how many answers are kept.

    A look-up is fresh for as long as `patience`, unless nobody needs its place, and is not asked to give way
    before it has run for `grace`. As many as may wait may also ask for the same.
    """

    fresh: int
    patience: Duration
    slow: int
    grace: Duration
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


class _LookUp(Generic[Key, Answer]):
    """A look-up, who is to be told, and when it began by the loop's time."""

    __slots__ = ("began", "key", "task", "told")

    def __init__(self, key: Key) -> None:
        self.key = key
        self.told: list[Callable[[Answer | LookupFailed], None]] = []
        self.began = 0.0
        self.task: asyncio.Task[Finding[Answer]] | None = None


class SharedLookups(Generic[Key, Answer]):
    """Runs one look-up for all who ask for the same key."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        clock: Clock,
        bounds: Bounds,
        look_up: Callable[[Key], Coroutine[Any, Any, Finding[Answer]]],
    ) -> None:
        assert min(bounds.fresh, bounds.slow, bounds.waiting, bounds.kept) > 0
        self._loop = loop
        self._clock = clock
        self._bounds = bounds
        self._look_up = look_up
        self._cache: AnswerCache[Key, Answer] = AnswerCache(bounds.kept)
        self._untold: dict[Key, _LookUp[Key, Answer]] = {}
        self._waiting: deque[_LookUp[Key, Answer]] = deque()
        # Both with the oldest first. (The first of a plain dict is dear to find when many before it went.)
        self._fresh: OrderedDict[_LookUp[Key, Answer], None] = OrderedDict()
        self._slow: OrderedDict[_LookUp[Key, Answer], None] = OrderedDict()
        self._tasks: set[asyncio.Task[Finding[Answer]]] = set()
        self._timer: asyncio.Handle | None = None
        self._back_at = 0.0
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
        if self._timer is not None:
            self._timer.cancel()
        while self._waiting:
            self._tell(self._waiting.popleft(), _CLOSED)
        while self._tasks:
            for task in self._tasks:
                task.cancel()
            # Something may catch a cancellation that comes together with an answer: so cancel again until
            # nothing is left.
            await asyncio.wait(self._tasks, timeout=1)

    def _join(self, key: Key, done: Callable[[Answer | LookupFailed], None]) -> LookupFailed | None:
        """Wait for an answer with all who asked before, or return why not."""
        if self._is_closed:
            return _CLOSED
        lookup = self._untold.get(key)
        if lookup is None:
            if len(self._waiting) >= self._bounds.waiting:
                return _TOO_MANY
            lookup = self._untold[key] = _LookUp(key)
            self._waiting.append(lookup)
            self._begin()
        if len(lookup.told) >= self._bounds.waiting:
            return _TOO_MANY
        lookup.told.append(done)
        return None

    # --- Places ---------------------------------------------------------------------------------------

    def _begin(self) -> None:
        """Begin what waits, as long as there are places; make places where patience is over."""
        while self._waiting:
            if len(self._fresh) >= self._bounds.fresh and not self._makes_place():
                return
            lookup = self._waiting.popleft()
            lookup.began = self._loop.time()
            lookup.task = task = self._loop.create_task(self._look_up(lookup.key))
            self._fresh[lookup] = None
            self._tasks.add(task)
            task.add_done_callback(partial(self._ended, lookup))

    def _makes_place(self) -> bool:
        """Take the place of the oldest fresh look-up, if it has had it for long enough; else come back."""
        fresh, slow = next(iter(self._fresh)), next(iter(self._slow), None)
        if self._is_left(fresh, self._bounds.patience):
            return False
        if slow is not None and len(self._slow) >= self._bounds.slow:
            # Where everything is slow, the server needs time, and more questions would not help it.
            if self._is_left(slow, self._bounds.grace):
                return False
            self._give_way(slow)
        del self._fresh[fresh]
        self._slow[fresh] = None
        return True

    def _is_left(self, lookup: _LookUp[Key, Answer], span: Duration) -> bool:
        """Whether a look-up has time left; then things are looked at again when it has not."""
        until = lookup.began + span / SECOND
        # Loops count in milliseconds, and call a little early.
        if until - self._loop.time() <= 0.001:
            return False
        if self._timer is None or until < self._back_at:
            if self._timer is not None:
                self._timer.cancel()
            # It cannot be asked when it is due: what uvloop calls next is no timer for it.
            self._timer = self._loop.call_at(until, self._come_back)
            self._back_at = until
        return True

    def _come_back(self) -> None:
        self._timer = None
        self._begin()

    def _give_way(self, lookup: _LookUp[Key, Answer]) -> None:
        del self._slow[lookup]
        tenths = round((self._loop.time() - lookup.began) * 10)
        why = f"no answer after {in_words(tenths * SECOND // 10)}; gave way to others"
        self._tell(lookup, LookupFailed(why))
        assert lookup.task is not None
        lookup.task.cancel()

    # --- Ends -----------------------------------------------------------------------------------------

    def _ended(self, lookup: _LookUp[Key, Answer], task: asyncio.Task[Finding[Answer]]) -> None:
        self._tasks.discard(task)
        self._fresh.pop(lookup, None)
        self._slow.pop(lookup, None)
        if task.cancelled():
            self._tell(lookup, _CLOSED)
        elif (bug := task.exception()) is not None:
            what = f"bug in a look-up of {lookup.key!r}"
            self._loop.call_exception_handler({"message": what, "exception": bug})
            why = f"a mistake of ours: {type(bug).__name__} in the look-up"
            self._tell(lookup, LookupFailed(why))
        else:
            found = task.result()
            if found.keep > 0:
                self._cache.put(lookup.key, found.answer, self._clock.now() + found.keep, found.records)
            self._tell(lookup, found.answer)
        if not self._is_closed:
            self._begin()

    def _tell(self, lookup: _LookUp[Key, Answer], answer: Answer | LookupFailed) -> None:
        """Tell all who wait; nobody joins them any more. Told again, there is nobody left."""
        if self._untold.get(lookup.key) is lookup:
            del self._untold[lookup.key]
        told, lookup.told = lookup.told, []
        for done in told:
            # A call of the loop's own for each: an exception ends there, and is reported by the loop.
            self._loop.call_soon(done, answer)
