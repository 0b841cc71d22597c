"""Lanes: how many attempts go to the same hosts at once, and the connections they share.

A lane is a set of hosts and a port; all destinations with that set share it. It has a window of attempts, a
line of batches that wait for it, and connections at rest which the next batch uses. Above all lanes stands
one number: connections in all. A lane that finds no room waits its turn in a round.

    add(batch) -> line -> attempt (at most `window` at once) -> finished -> next batch on the same connection
                                                                         '-> at rest, `idle` at most

Bounds: the line is bounded by the dispatcher's quota per destination, connections by `window` and in all.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Final

from msgspec import Struct

from byreturn.mail import SECOND, Duration, InMemory, Instant
from byreturn.policy import RetrySchedule
from byreturn.ports import ContentReader, SpoolFault, Stream, World
from byreturn.service.attempt import Attempt
from byreturn.service.batch import Batch, Carried
from byreturn.service.connection import Connection, Lost, Timeouts
from byreturn.service.routes import Routes, ToHosts
from byreturn.service.settlement import Settlement

_LANES_KEPT: Final = 1024


class RelaySettings(Struct, frozen=True):
    """How mail is sent: what we call ourselves, and the bounds of connections."""

    hello: str
    timeouts: Timeouts = Timeouts()
    connections: int = 2000
    window: int = 20
    messages_per_connection: int = 100
    idle: Duration = 2 * SECOND


class Relay:
    """All lanes, and what their attempts work with."""

    def __init__(
        self,
        settings: RelaySettings,
        schedule: RetrySchedule,
        world: World,
        routes: Routes,
        settler: Settlement,
    ) -> None:
        self.settings = settings
        self.schedule = schedule
        self.clock = world.clock
        self.entropy = world.entropy
        self.dialer = world.dialer
        self.journal = world.journal
        self.routes = routes
        self.settler = settler
        self._spool = world.spool
        self.open_connections = 0
        self._lanes: dict[tuple[str, ...], Lane] = {}
        self._no_room: deque[Lane] = deque()

    def send(self, way: ToHosts, batch: Batch) -> None:
        """Send a batch along its way, when its lane has room."""
        lane = self._lanes.get(way.key)
        if lane is None:
            if len(self._lanes) >= _LANES_KEPT:
                self._forget_idle_lanes()
            lane = self._lanes[way.key] = Lane(self)
        lane.add(way, batch)

    def connect(self, stream: Stream, host: str) -> Connection:
        """Make a connection out of a stream that was dialled."""
        return Connection(
            stream, host, hello=self.settings.hello, timeouts=self.settings.timeouts, clock=self.clock
        )

    def read_content(
        self, carried: Carried, done: Callable[[ContentReader | SpoolFault | None], None]
    ) -> None:
        """Open a content: the one in memory, or the spool's."""
        if carried.content is not None:
            done(InMemory(carried.content))
        else:
            self._spool.content(carried.message.id, done)

    def stop(self) -> None:
        """Hang up everywhere; what is in flight is taken up again at the next start."""
        for lane in self._lanes.values():
            lane.stop()

    # --- Room for connections -------------------------------------------------------------------------

    @property
    def has_room(self) -> bool:
        """Whether another connection may be opened."""
        return self.open_connections < self.settings.connections

    def wait_for_room(self, lane: Lane) -> None:
        """Pump a lane again when a connection has been closed somewhere."""
        if lane not in self._no_room:
            self._no_room.append(lane)

    def room_came(self) -> None:
        """A connection was closed: the lane that has waited longest is next."""
        if self._no_room:
            self._no_room.popleft().pump()

    def _forget_idle_lanes(self) -> None:
        for key in [key for key, lane in self._lanes.items() if lane.is_idle]:
            del self._lanes[key]


class Lane:
    """One set of hosts."""

    __slots__ = ("_at_rest", "_attempts", "_completed_at", "_line", "_relay")

    def __init__(self, relay: Relay) -> None:
        self._relay = relay
        self._line: deque[tuple[ToHosts, Batch]] = deque()
        self._attempts: set[Attempt] = set()
        self._at_rest: dict[Connection, _AtRest] = {}
        self._completed_at: Instant = 0

    @property
    def is_idle(self) -> bool:
        """Whether nothing of it is in use."""
        return not (self._line or self._attempts or self._at_rest)

    def add(self, way: ToHosts, batch: Batch) -> None:
        """Queue a batch; reports go to the head of the line."""
        if batch.carried.message.priority == 0:
            self._line.appendleft((way, batch))
        else:
            self._line.append((way, batch))
        self.pump()

    def pump(self) -> None:
        """Start attempts while the window, and the house, have room."""
        relay = self._relay
        while self._line and len(self._attempts) < relay.settings.window:
            connection = self._wake()
            if connection is None and not relay.has_room:
                relay.wait_for_room(self)
                return
            way, batch = self._line.popleft()
            self._start(way, batch, connection)

    def _start(self, way: ToHosts, batch: Batch, connection: Connection | None) -> None:
        attempt = Attempt(self._relay, self, way, batch)
        self._attempts.add(attempt)
        attempt.start(connection)

    def finished(self, attempt: Attempt, connection: Connection | None) -> None:
        """An attempt is over; `connection` is the one it leaves behind, if it is still good."""
        self._attempts.discard(attempt)
        if connection is not None:
            self._completed_at = self._relay.clock.now()
            if not connection.is_open:
                self.connection_closed()
            elif (
                not connection.is_ready
                or connection.transactions >= self._relay.settings.messages_per_connection
            ):
                connection.quit()
                self.connection_closed()
            elif self._line:
                self._start(*self._line.popleft(), connection)
            else:
                self._rest(connection)
        self.pump()

    def completed_since(self, at: Instant) -> bool:
        """Whether another transaction has come to its end since an instant."""
        return self._completed_at > at

    def connection_opened(self) -> None:
        """A connection is being made."""
        self._relay.open_connections += 1

    def connection_closed(self) -> None:
        """A connection is gone, or was never made."""
        self._relay.open_connections -= 1
        self._relay.room_came()

    def stop(self) -> None:
        """Hang up."""
        for attempt in tuple(self._attempts):
            attempt.abandon()
        for connection in tuple(self._at_rest):
            connection.quit()
        self._attempts.clear()
        self._at_rest.clear()
        self._line.clear()

    # --- Connections at rest --------------------------------------------------------------------------

    def _rest(self, connection: Connection) -> None:
        connection.user = self._at_rest[connection] = _AtRest(self, connection)
        connection.rest(self._relay.settings.idle)

    def _wake(self) -> Connection | None:
        while self._at_rest:
            connection, _ = self._at_rest.popitem()
            if connection.is_open:
                return connection
        return None

    def forget(self, connection: Connection) -> None:
        """A connection at rest was closed."""
        if self._at_rest.pop(connection, None) is not None:
            self.connection_closed()


class _AtRest:
    """The user of a connection that nobody uses: it only waits for its end."""

    __slots__ = ("_connection", "_lane")

    def __init__(self, lane: Lane, connection: Connection) -> None:
        self._lane = lane
        self._connection = connection

    def on_events(self, _events: object) -> None:
        """Whatever a peer says unasked, it is not ready for us any more."""
        self._connection.abort()
        self._lane.forget(self._connection)

    def on_lost(self, _lost: Lost) -> None:
        """Its rest is over, or the peer closed it."""
        self._lane.forget(self._connection)
