"""One run of the server in the simulation: the real desks on simulated ports, until it is killed.

A process dies whole: its timers and callbacks never run again, its connections break, and of its spool only
what was committed is left. The world's clock, network and peers go on.
"""

from __future__ import annotations

from collections.abc import Callable
from random import Random  # noqa: TID251 - the seed of the world
from typing import Any, Protocol

from tests.sim.clock import VirtualClock
from tests.sim.local import SimJournal, SimMailboxes
from tests.sim.names import SimResolver, Zones
from tests.sim.network import SimDialer, SimNetwork, SimStream
from tests.sim.recording import Record, RecordingSpool
from tests.sim.spools import InlineWorker

from byreturn.config import COPY_CLASSES
from byreturn.mail import Duration, Instant
from byreturn.ports import Clock, Endpoint, Opened, Timer, World
from byreturn.service import House, HouseSettings, ListenerSettings
from byreturn.store import LocalDirectory
from byreturn.telemetry import Meter


class Surroundings(Protocol):
    """What a process finds in its world; it outlives the process."""

    clock: VirtualClock
    random: Random
    story: list[str]
    records: list[Record]
    network: SimNetwork
    zones: Zones
    directory: LocalDirectory
    mailboxes: SimMailboxes
    endpoint: Endpoint
    settings: HouseSettings

    def open_spool(self, clock: Clock) -> tuple[Any, Opened]:
        """Open the spool anew: what was committed is there."""
        ...

    def failpoint(self, operation: str, when: str) -> bool:
        """Whether to die here."""
        ...


class ProcessClock:
    """The world's clock, as long as the process lives."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.is_alive = True

    def now(self) -> Instant:
        return self._clock.now()

    def is_trusted(self) -> bool:
        return self._clock.is_trusted()

    def call_later(self, delay: Duration, call: Callable[[], None]) -> Timer:
        return self._clock.call_later(delay, lambda: call() if self.is_alive else None)


class SimEntropy:
    """The world's dice."""

    def __init__(self, random: Random) -> None:
        self._random = random

    def lot(self) -> float:
        return self._random.random()

    def token(self) -> str:
        return f"{self._random.getrandbits(96):024x}"


class Process:
    """A living server."""

    def __init__(self, simulation: Surroundings) -> None:
        self.clock = ProcessClock(simulation.clock)
        self._streams: list[SimStream] = []
        self._dialer = SimDialer(simulation.network, self.clock, self._streams.append)
        inner, opened = simulation.open_spool(self.clock)
        self.spool: Any = inner
        self.recording = RecordingSpool(inner, simulation.records, self.clock, simulation.failpoint)
        self.journal = SimJournal(simulation.clock, simulation.story)
        self.meter = Meter(COPY_CLASSES)
        world = World(
            clock=self.clock,
            entropy=SimEntropy(simulation.random),
            spool=self.recording,
            epoch=opened.epoch,
            resolver=SimResolver(simulation.zones, self.clock),
            dialer=self._dialer,
            directory=simulation.directory,
            mailboxes=simulation.mailboxes.of(self.clock),
            journal=self.journal,
            meter=self.meter,
            is_own=lambda endpoint: endpoint == simulation.endpoint,
            aside=InlineWorker(),
            read_foreign=lambda _: None,
        )
        self._listener = ListenerSettings()
        self.house = House(simulation.settings, world, opened)

    def start(self) -> None:
        """Begin; the world knows us by now, so we may die in here already."""
        self.house.start()

    def accept(self, near: Endpoint, simulation: Surroundings) -> SimStream:
        """Connect a client; return the client's end."""
        theirs, ours = simulation.network.pair(near, simulation.endpoint)
        self._streams.append(ours)
        self.house.welcome(ours, self._listener)
        return theirs

    def die(self) -> None:
        """Die as by kill -9."""
        self.clock.is_alive = False
        self.recording.bury()
        self._dialer.die()
        for stream in self._streams:
            stream.break_off()
