"""One run of the server in the simulation: the real desks on simulated ports, until it is killed.

A process dies whole: its timers and callbacks never run again, its connections break, and of its spool only
what was committed is left. The world's clock, network and peers go on.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from tests.sim.local import SimJournal
from tests.sim.names import SimResolver
from tests.sim.network import SimDialer, SimStream
from tests.sim.recording import RecordingSpool

from byreturn.mail import Duration, Instant
from byreturn.ports import Clock, Endpoint, Timer, World
from byreturn.service import House, ListenerSettings

if TYPE_CHECKING:
    from tests.sim.world import Simulation


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

    def __init__(self, simulation: Simulation) -> None:
        self._random = simulation.random

    def lot(self) -> float:
        return self._random.random()

    def token(self) -> str:
        return f"{self._random.getrandbits(96):024x}"


class Process:
    """A living server."""

    def __init__(self, simulation: Simulation) -> None:
        self.clock = ProcessClock(simulation.clock)
        self._streams: list[SimStream] = []
        inner, opened = simulation.open_spool(self.clock)
        self.spool: Any = inner
        self.recording = RecordingSpool(inner, simulation.records, self.clock, simulation.failpoint)
        self.journal = SimJournal(simulation.clock, simulation.story)
        world = World(
            clock=self.clock,
            entropy=SimEntropy(simulation),
            spool=self.recording,
            epoch=opened.epoch,
            resolver=SimResolver(simulation.zones, self.clock),
            dialer=SimDialer(simulation.network, self.clock, self._streams.append),
            directory=simulation.directory,
            mailboxes=simulation.mailboxes.of(self.clock),
            journal=self.journal,
            is_own=lambda endpoint: endpoint == simulation.endpoint,
        )
        self._listener = ListenerSettings()
        self.house = House(simulation.settings, world, opened)

    def start(self) -> None:
        """Begin; the world knows us by now, so we may die in here already."""
        self.house.start()

    def accept(self, near: Endpoint, simulation: Simulation) -> SimStream:
        """Connect a client; return the client's end."""
        theirs, ours = simulation.network.pair(near, simulation.endpoint)
        self._streams.append(ours)
        self.house.welcome(ours, self._listener)
        return theirs

    def die(self) -> None:
        """Die as by kill -9."""
        self.clock.is_alive = False
        self.recording.bury()
        for stream in self._streams:
            stream.break_off()
