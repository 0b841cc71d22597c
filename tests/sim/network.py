"""A network in virtual time: streams that carry octets after a latency, hosts that are up, down or dead.

Every octet travels by the clock, in order; a connection that dies is seen by the other side after the same
latency. Nothing here knows SMTP.

TLS is a mark on every octet: who has it hears only what bears the mark, and clear text breaks it. Whether a
handshake succeeds is for the side that was dialled to say, with `take_tls`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum

from byreturn.mail import Duration, Instant
from byreturn.ports import (
    Clock,
    DialFailed,
    Endpoint,
    Stream,
    StreamUser,
    TlsFacts,
    TlsFailed,
    TlsSettings,
)

LATENCY: Duration = 5


class HostState(Enum):
    """What a connection attempt meets."""

    UP = "up"
    REFUSING = "refusing"
    BLACK_HOLE = "black hole"


class Handshake(Enum):
    """What a handshake meets."""

    WORKS = "works"
    WORKS_FOR_A_STRANGER = "works, and the certificate is nobody's"
    FAILS = "fails"
    NEVER_ENDS = "never ends"


class SimStream:
    """One end of a connection. `piece` cuts what is sent, so that readers see every kind of border."""

    def __init__(self, clock: Clock, local: Endpoint, peer: Endpoint, piece: int) -> None:
        self._clock = clock
        self._piece = piece
        self._user: StreamUser | None = None
        self._other: SimStream | None = None
        self._is_open = True
        self._is_lingering = False
        self._is_paused = False
        self._held: list[bytes] = []
        self._handshake: Handshake | None = None
        self._awaits: Callable[[TlsFacts | TlsFailed], None] | None = None
        self.visit: Visit | None = None
        self.local = local
        self.peer = peer
        self.tls: TlsFacts | None = None

    def join(self, other: SimStream) -> None:
        """Connect two ends."""
        self._other, other._other = other, self

    def use(self, user: StreamUser) -> None:
        self._user = user

    def write(self, data: bytes) -> bool:
        other = self._other
        if not self._is_open or other is None:
            return True
        for at in range(0, len(data), self._piece):
            piece = data[at : at + self._piece]
            self._send(other, piece)
        return True

    def _send(self, other: SimStream, piece: bytes) -> None:
        in_tls = self.tls is not None
        self._clock.call_later(LATENCY, lambda: other.deliver(piece, in_tls=in_tls))

    def deliver(self, data: bytes, *, in_tls: bool) -> None:
        """Octets have arrived here."""
        if not self._is_open or self._is_lingering:
            return
        if self._awaits is not None:
            self._told_of_tls(TlsFailed("clear text in the handshake"))
            return
        if in_tls != (self.tls is not None or self._handshake is not None):
            self.abort()
            return
        if self.visit is not None:
            self.visit.hear()
        if self._is_paused:
            self._held.append(data)
        elif self._user is not None:
            self._user.on_data(data)

    def pause(self) -> None:
        self._is_paused = True

    def resume(self) -> None:
        self._is_paused = False
        while self._held and not self._is_paused and self._is_open:
            self.deliver(self._held.pop(0), in_tls=self.tls is not None)

    # --- TLS ------------------------------------------------------------------------------------------

    def take_tls(self, handshake: Handshake) -> None:
        """What a handshake of the other side will meet here."""
        self._handshake = handshake

    def start_tls(self, settings: TlsSettings, done: Callable[[TlsFacts | TlsFailed], None]) -> None:
        assert self.tls is None
        assert self._awaits is None
        self._awaits = done
        self._clock.call_later(2 * LATENCY, lambda: self._shake_hands(settings))

    def _shake_hands(self, settings: TlsSettings) -> None:
        other = self._other
        if self._awaits is None or other is None or not other.is_open:
            return
        match other.meet(settings):
            case Handshake.WORKS:
                facts = TlsFacts("TLSv1.3", "SIMULATED", settings.verify)
                self.tls = other.tls = facts
                self._told_of_tls(facts)
            case Handshake.FAILS:
                self._told_of_tls(TlsFailed("handshake failure"))
            case Handshake.NEVER_ENDS:
                pass

    @property
    def is_open(self) -> bool:
        return self._is_open

    def meet(self, settings: TlsSettings) -> Handshake:
        """What the other side's handshake meets here."""
        if self._handshake is None:
            return Handshake.FAILS
        if self._handshake is Handshake.WORKS_FOR_A_STRANGER:
            return Handshake.FAILS if settings.verify else Handshake.WORKS
        return self._handshake

    def _told_of_tls(self, result: TlsFacts | TlsFailed) -> None:
        done, self._awaits = self._awaits, None
        if done is not None and self._is_open:
            done(result)

    # --- The end --------------------------------------------------------------------------------------

    def close(self) -> None:
        self._end("")

    def linger(self, limit: Duration) -> None:
        self._is_lingering = True
        self._clock.call_later(limit, self.close)

    def abort(self) -> None:
        self._end("connection reset by peer")

    def _end(self, why: str) -> None:
        if not self._is_open:
            return
        self._shut()
        other = self._other
        if other is not None:
            self._clock.call_later(LATENCY, lambda: other.lose(why))
        self._clock.call_later(0, lambda: self._told(""))

    def lose(self, why: str) -> None:
        """The other end has gone."""
        if self._is_open:
            self._shut()
            self._told(why)

    def _shut(self) -> None:
        self._is_open = False
        self._awaits = None
        if self.visit is not None:
            self.visit.end()

    def break_off(self) -> None:
        """The process at this end died: nobody is told here, the other end sees a reset."""
        self._user = None
        self.abort()

    def _told(self, why: str) -> None:
        user, self._user = self._user, None
        if user is not None:
            user.on_closed(why)


@dataclass
class Host:
    """A host: whether it can be reached, and who answers there."""

    answer: Callable[[SimStream], None]
    state: HostState = HostState.UP


class Traffic:
    """What a server has open, from the dial on, as the network sees it.

    `now`, `most`: connections by endpoint, those that are being made among them; `unproven`: those that have
    brought no octet yet. `dials` tells when each was begun.
    """

    def __init__(self) -> None:
        self.now: Counter[Endpoint] = Counter()
        self.most: Counter[Endpoint] = Counter()
        self.unproven = 0
        self.most_unproven = 0
        self.most_in_all = 0
        self.dials: list[tuple[Instant, Endpoint]] = []

    def begin(self, at: Instant, endpoint: Endpoint) -> Visit:
        self.dials.append((at, endpoint))
        self.now[endpoint] += 1
        self.unproven += 1
        self.most[endpoint] = max(self.most[endpoint], self.now[endpoint])
        self.most_unproven = max(self.most_unproven, self.unproven)
        self.most_in_all = max(self.most_in_all, self.now.total())
        return Visit(self, endpoint)

    def dials_to(self, endpoint: Endpoint, since: Instant = 0) -> list[Instant]:
        """When an endpoint was dialled."""
        return [at for at, there in self.dials if there == endpoint and at >= since]

    def forget_most(self) -> None:
        """Begin anew to see how many there are at once."""
        self.most.clear()
        self.most_unproven = self.most_in_all = 0


class Visit:
    """One connection, from the dial to its end."""

    def __init__(self, traffic: Traffic, endpoint: Endpoint) -> None:
        self._traffic = traffic
        self._endpoint = endpoint
        self._is_heard = False
        self._is_over = False

    def hear(self) -> None:
        if not self._is_heard and not self._is_over:
            self._is_heard = True
            self._traffic.unproven -= 1

    def end(self) -> None:
        if not self._is_over:
            self.hear()
            self._is_over = True
            self._traffic.now[self._endpoint] -= 1


class SimNetwork:
    """All hosts by endpoint. `clock` is the world's: octets under way outlive a process that dies."""

    def __init__(self, clock: Clock, piece: Callable[[], int]) -> None:
        self.clock = clock
        self.hosts: dict[Endpoint, Host] = {}
        self._piece = piece
        self._port = 40_000
        self.traffic = Traffic()

    def pair(self, near: Endpoint, far: Endpoint) -> tuple[SimStream, SimStream]:
        """Make both ends of a connection."""
        one = SimStream(self.clock, near, far, self._piece())
        two = SimStream(self.clock, far, near, self._piece())
        one.join(two)
        return one, two

    def next_port(self) -> int:
        """Return a port for a client."""
        self._port += 1
        return self._port


class SimDial:
    """A connection being made."""

    def __init__(self, visit: Visit) -> None:
        self.visit = visit
        self.is_cancelled = False

    def cancel(self) -> None:
        self.is_cancelled = True
        self.visit.end()


class SimDialer:
    """Implements `ports.Dialer` for one process: `clock` dies with it, the network does not."""

    def __init__(self, network: SimNetwork, clock: Clock, own: Callable[[SimStream], None]) -> None:
        self._network = network
        self._clock = clock
        self._own = own
        self._under_way: set[SimDial] = set()

    def die(self) -> None:
        """The process is dead: nobody waits for these any more."""
        for dial in self._under_way:
            dial.cancel()

    def dial(
        self,
        endpoint: Endpoint,
        limit: Duration,
        done: Callable[[Stream | DialFailed], None],
        *,
        source: str = "",
    ) -> SimDial:
        dial = SimDial(self._network.traffic.begin(self._clock.now(), endpoint))
        self._under_way.add(dial)

        def answer() -> None:
            self._under_way.discard(dial)
            if dial.is_cancelled:
                return
            host = self._network.hosts.get(endpoint)
            if host is None or host.state is HostState.REFUSING:
                dial.visit.end()
                done(DialFailed("connection refused", refused=True))
                return
            near = Endpoint(source or "127.0.0.1", self._network.next_port())
            ours, theirs = self._network.pair(near, endpoint)
            ours.visit = dial.visit
            self._own(ours)
            done(ours)
            host.answer(theirs)

        def silence() -> None:
            self._under_way.discard(dial)
            if not dial.is_cancelled:
                dial.visit.end()
                done(DialFailed("no answer", refused=False, timed_out=True))

        host = self._network.hosts.get(endpoint)
        if host is not None and host.state is HostState.BLACK_HOLE:
            self._clock.call_later(limit, silence)
        else:
            self._clock.call_later(2 * LATENCY, answer)
        return dial
