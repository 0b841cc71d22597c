"""The relay: all lanes, and what their attempts work with."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from byreturn.mail import SECOND, Duration, InMemory
from byreturn.policy import HOSTS_PREFIX, Terms
from byreturn.ports import ContentReader, Lesson, SpoolFault, Stream, World
from byreturn.service.addresses import AddressTable, Visit
from byreturn.service.batch import Batch, Carried
from byreturn.service.brake import Brake
from byreturn.service.connection import Connection, Timeouts
from byreturn.service.lanes import Lane
from byreturn.service.room import Room
from byreturn.service.routes import Routes, ToHosts
from byreturn.service.settlement import Settlement
from byreturn.service.watch import Wheel

_LANES_KEPT: Final = 1024
_LESSONS_KEPT: Final = 10_000


class RelaySettings(Struct, frozen=True):
    """How mail is sent: what we call ourselves, and the bounds of connections."""

    hello: str
    timeouts: Timeouts = Timeouts()
    connections: int = 2000
    connections_per_address: int = 50
    idle: Duration = 2 * SECOND


class Relay:
    """All lanes."""

    def __init__(
        self,
        settings: RelaySettings,
        world: World,
        wheel: Wheel,
        routes: Routes,
        settler: Settlement,
        brake: Brake,
    ) -> None:
        self.settings = settings
        self.clock = world.clock
        self.entropy = world.entropy
        self.dialer = world.dialer
        self.journal = world.journal
        self.wheel = wheel
        self.routes = routes
        self.settler = settler
        self.brake = brake
        self.room = Room(settings.connections, wheel)
        self.addresses = AddressTable(world.clock, settings.connections_per_address)
        self._spool = world.spool
        self._lanes: dict[tuple[str, ...], Lane] = {}
        self._lessons: dict[str, dict[str, Lesson]] = {}

    def remember(self, lessons: Iterable[Lesson]) -> None:
        """Take over what was learned before the start."""
        for lesson in lessons:
            self._lessons.setdefault(lesson.hosts, {})[lesson.kind] = lesson

    def send(self, way: ToHosts, batch: Batch) -> None:
        """Send a batch along its way, when its lane has room."""
        lane = self._lanes.get(way.key)
        if lane is None:
            if len(self._lanes) >= _LANES_KEPT:
                self._forget_idle_lanes()
            lane = self._lanes[way.key] = self._lane(way)
        if way.terms.match.startswith(HOSTS_PREFIX):
            batch = _with_lifetime(batch, way.terms)
        for part in batch.split(way.terms.recipients):
            lane.add(way, part)

    def _lane(self, way: ToHosts) -> Lane:
        lane = Lane(self, way)
        now = self.clock.now()
        for lesson in self._lessons.get(lane.hosts, {}).values():
            if lesson.until > now:
                lane.learn(lesson)
        return lane

    def learned(self, lesson: Lesson) -> None:
        """A host's reply has taught us something: it is written down, and told."""
        if len(self._lessons) >= _LESSONS_KEPT:
            now = self.clock.now()
            self._lessons = {
                hosts: known
                for hosts, known in self._lessons.items()
                if any(one.until > now for one in known.values())
            }
        self._lessons.setdefault(lesson.hosts, {})[lesson.kind] = lesson
        self.journal.learned(lesson)
        self._spool.learn(lesson, self._on_learned)

    def _on_learned(self, fault: SpoolFault | None) -> None:
        if fault is not None:
            self.journal.fault("lessons", fault.why)

    def connect(self, stream: Stream, host: str, visit: Visit, terms: Terms) -> Connection:
        """Make a connection out of a stream that was dialled."""
        settings = self.settings
        return Connection(
            stream,
            host,
            visit,
            hello=terms.hello or settings.hello,
            tls=terms.tls,
            timeouts=settings.timeouts,
            wheel=self.wheel,
        )

    def read_content(
        self, carried: Carried, done: Callable[[ContentReader | SpoolFault | None], None]
    ) -> None:
        """Open a content: the one in memory, or the spool's."""
        if carried.fitted:
            done(InMemory(carried.fitted))
        elif carried.content is not None:
            done(InMemory(carried.content))
        else:
            self._spool.content(carried.message.id, done)

    def stop(self) -> None:
        """Hang up everywhere; what is in flight is taken up again at the next start."""
        for lane in self._lanes.values():
            lane.stop()

    def _forget_idle_lanes(self) -> None:
        for key in [key for key, lane in self._lanes.items() if lane.is_idle]:
            del self._lanes[key]


def _with_lifetime(batch: Batch, terms: Terms) -> Batch:
    """Give the recipients the lifetime that a rule for their hosts says: it is known only now."""
    message = batch.carried.message
    expires_at = message.accepted_at + terms.schedule.lifetime(message.priority)
    return Batch(batch.carried, [replace(booking, expires_at=expires_at) for booking in batch.left])
