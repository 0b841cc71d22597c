"""The address table: what is known about the endpoints behind the names.

Many destinations may share one address and port. When it falls silent, the first attempt that finds out says
so to all: for a minute nobody else waits there for nothing, and what was found is their finding too. And
however many lanes lead to it, it gets no more than so many connections.

    entry: open connections, those at rest among them, who waits for one of them, since when somebody
           waits for a first word, silent until ...

Where all connections to an endpoint are taken, one at rest is closed for whoever comes.

Bounds: an entry lives while it has connections or is silent; at most SILENT_KEPT silent ones are kept.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Final

from msgspec.structs import replace

from byreturn.mail import MINUTE, SECOND, Duration, Instant, WeFound, in_words
from byreturn.ports import Clock, Endpoint

AVOIDED_FOR: Final[Duration] = 1 * MINUTE
SILENT_KEPT: Final = 10_000
# So many wait there for a first word at once: more would tell us nothing more.
_UNPROVEN: Final = 10
# A first word that takes longer than this is waited for, but whoever has another host tries that one first.
SLOW: Final[Duration] = 10 * SECOND


class _Entry:
    __slots__ = ("at_rest", "found", "found_at", "open", "silent_until", "unproven", "waiting")

    def __init__(self) -> None:
        self.open = 0
        # When the dials that still wait for a first word began, oldest first.
        self.unproven: list[Instant] = []
        self.waiting: deque[Callable[[], None]] | None = None
        # How to close those at rest, the one that has rested longest first.
        self.at_rest: dict[Visit, Callable[[], None]] = {}
        self.silent_until: Instant = 0
        self.found: WeFound | None = None
        self.found_at: Instant = 0


class AddressTable:
    """All endpoints that something is known about."""

    def __init__(self, clock: Clock, connections: int) -> None:
        self._clock = clock
        self._limit = connections
        self._entries: dict[Endpoint, _Entry] = {}
        self._silent: dict[Endpoint, None] = {}

    # --- Connections ----------------------------------------------------------------------------------

    def is_full(self, endpoint: Endpoint) -> bool:
        """Whether it has as many connections as it may have, or as may wait there for a first word."""
        entry = self._entries.get(endpoint)
        if entry is None:
            return False
        while entry.at_rest and entry.open >= self._limit:
            visit, close = next(iter(entry.at_rest.items()))
            close()
            assert visit not in entry.at_rest, "whoever is closed leaves"
        return self._is_full(entry)

    def _is_full(self, entry: _Entry) -> bool:
        return entry.open >= self._limit or len(entry.unproven) >= _UNPROVEN

    def wait(self, endpoint: Endpoint, call: Callable[[], None]) -> None:
        """Call when a connection to a full endpoint has ended."""
        entry = self._entries[endpoint]
        if entry.waiting is None:
            entry.waiting = deque()
        entry.waiting.append(call)

    def dial(self, endpoint: Endpoint) -> Visit:
        """Count a connection that is being made."""
        entry = self._entries.get(endpoint)
        if entry is None:
            entry = self._entries[endpoint] = _Entry()
        entry.open += 1
        now = self._clock.now()
        entry.unproven.append(now)
        return Visit(self, endpoint, now)

    def proven(self, visit: Visit) -> None:
        """The host has spoken."""
        entry = self._entries[visit.endpoint]
        entry.unproven.remove(visit.since)
        entry.silent_until = 0
        entry.found = None
        self._silent.pop(visit.endpoint, None)
        if entry.waiting:
            self._serve_soon(visit.endpoint)

    def rests(self, visit: Visit, close: Callable[[], None]) -> None:
        """A connection is kept for later; whoever waits may have it closed."""
        entry = self._entries[visit.endpoint]
        entry.at_rest[visit] = close
        if entry.waiting:
            self._serve_soon(visit.endpoint)

    def wakes(self, visit: Visit) -> None:
        """A connection is used again."""
        self._entries[visit.endpoint].at_rest.pop(visit, None)

    def left(self, visit: Visit, *, was_proven: bool) -> None:
        """A connection is gone."""
        entry = self._entries[visit.endpoint]
        entry.open -= 1
        entry.at_rest.pop(visit, None)
        if not was_proven:
            entry.unproven.remove(visit.since)
        if entry.waiting:
            self._serve_soon(visit.endpoint)
        elif not entry.open and not entry.silent_until:
            del self._entries[visit.endpoint]

    def _serve_soon(self, endpoint: Endpoint) -> None:
        # In a turn of its own: whoever makes room is in the middle of something.
        self._clock.call_later(0, lambda: self._serve(endpoint))

    def _serve(self, endpoint: Endpoint) -> None:
        """Let those who wait knock again: all, where nobody answers, else as far as there is room."""
        entry = self._entries.get(endpoint)
        if entry is None or not entry.waiting:
            return
        for _ in range(len(entry.waiting)):
            if self.is_full(endpoint) and not entry.silent_until:
                return
            entry.waiting.popleft()()
        if not (entry.waiting or entry.open or entry.silent_until) and self._entries.get(endpoint) is entry:
            del self._entries[endpoint]

    # --- Silence --------------------------------------------------------------------------------------

    def fell_silent(self, endpoint: Endpoint, finding: WeFound, avoided_for: Duration) -> None:
        """Nobody answered there; for a while nobody else tries."""
        entry = self._entries.get(endpoint)
        if entry is None:
            entry = self._entries[endpoint] = _Entry()
        now = self._clock.now()
        entry.silent_until = now + min(avoided_for, AVOIDED_FOR)
        entry.found, entry.found_at = finding, now
        self._silent.pop(endpoint, None)
        self._silent[endpoint] = None
        if entry.waiting:
            self._serve_soon(endpoint)
        while len(self._silent) > SILENT_KEPT:
            self._forget_silence(next(iter(self._silent)))

    def silence(self, endpoint: Endpoint) -> WeFound | None:
        """What was found there a moment ago, if it is not worth another try yet."""
        entry = self._entries.get(endpoint)
        if entry is None or entry.found is None:
            return None
        now = self._clock.now()
        if entry.silent_until <= now:
            self._forget_silence(endpoint)
            return None
        ago = in_words(((now - entry.found_at) // SECOND or 1) * SECOND)
        return replace(entry.found, detail=f"{entry.found.detail} (found {ago} ago for other mail)")

    def _forget_silence(self, endpoint: Endpoint) -> None:
        self._silent.pop(endpoint, None)
        entry = self._entries[endpoint]
        entry.silent_until = 0
        entry.found = None
        if not entry.open and not entry.waiting:
            del self._entries[endpoint]

    def is_slow(self, endpoint: Endpoint) -> bool:
        """Whether somebody has waited there for a first word for a good while already."""
        entry = self._entries.get(endpoint)
        if entry is None or not entry.unproven:
            return False
        return self._clock.now() - entry.unproven[0] >= SLOW


class Visit:
    """One connection to an endpoint, from the dial on."""

    __slots__ = ("_is_over", "_table", "_was_proven", "endpoint", "since")

    def __init__(self, table: AddressTable, endpoint: Endpoint, since: Instant) -> None:
        self._table = table
        self.endpoint = endpoint
        self.since = since
        self._was_proven = False
        self._is_over = False

    def prove(self) -> None:
        """The host has spoken."""
        if not self._was_proven and not self._is_over:
            self._was_proven = True
            self._table.proven(self)

    def rest(self, close: Callable[[], None]) -> None:
        """The connection is kept for later; `close` ends it if another one is wanted."""
        self._table.rests(self, close)

    def wake(self) -> None:
        """The connection is used again."""
        self._table.wakes(self)

    def leave(self) -> None:
        """The connection is gone; leaving twice is harmless."""
        if not self._is_over:
            self._is_over = True
            self._table.left(self, was_proven=self._was_proven)
