"""The way to a host that will speak with us: candidate after candidate, until one has connected.

    next candidate --endpoint has room--> --the house has room--> dial --connected--> on_connected
         ^  ^             '-- else wait        '-- else wait        '--failed--.
         |  '-- give_way, failed, refused ------------------------------------'
         '-- none left: on_nobody(verdict)

Whoever only waits takes no place. From the dial to the first word of the host this is a lodger of the room,
and may be asked to give way to other mail: then it goes on to the next candidate, or ends.

Promises: after `start`, and after each `failed` or `refused`, exactly one of `on_connected` and `on_nobody`
is called, unless it is stopped. Neither is called after `stop`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from msgspec.structs import replace

from byreturn.mail import SECOND, Cause, Diagnosis, PeerSaid, Phase, WeFound, in_words
from byreturn.policy import TlsLevel
from byreturn.ports import Dial, DialFailed, Stream
from byreturn.service.addresses import Visit
from byreturn.service.candidates import Candidate, Candidates, Verdict
from byreturn.service.connection import Connection
from byreturn.service.room import Place
from byreturn.service.routes import ToHosts

if TYPE_CHECKING:
    from byreturn.service.relay import Relay


class Approach:
    """One attempt's search for a host; implements `room.Guest`."""

    def __init__(
        self,
        relay: Relay,
        way: ToHosts,
        on_connected: Callable[[Connection], None],
        on_nobody: Callable[[Verdict], None],
        *,
        is_report: bool,
    ) -> None:
        self._relay = relay
        self._terms = way.terms
        self.lane = way.key
        self.is_report = is_report
        self._candidates = Candidates(way, relay.routes, relay.addresses)
        self._on_connected = on_connected
        self._on_nobody = on_nobody
        self.place: Place | None = None
        self._candidate: Candidate | None = None
        self._dial: Dial | None = None
        self._visit: Visit | None = None
        self._connection: Connection | None = None
        self._in_clear = False
        # Which search is on: an answer to an earlier one comes too late.
        self._turn = 0

    def start(self) -> None:
        """Begin to search."""
        self._go_on()

    def failed(self, finding: Diagnosis) -> None:
        """The host could not be spoken with: on to the next."""
        self._candidates.failed(finding)
        self._go_on()

    def refused(self, said: PeerSaid) -> None:
        """The host refused us for good: the next may be friendlier."""
        self._candidates.refused(said)
        self._go_on()

    def again_in_clear(self) -> None:
        """TLS with the host failed, and need not be: dial it once more."""
        self.leave()
        self._connection = None
        self._in_clear = True
        self._turn += 1
        self._knock(self._turn)

    def greeted(self) -> None:
        """The host has said its first word."""
        assert self.place is not None
        self.place.prove()

    def leave(self) -> None:
        """Give the place back."""
        place, self.place = self.place, None
        if place is not None:
            place.leave()

    def stop(self) -> None:
        """Search no more, and leave."""
        self._turn += 1
        self._candidate = None
        if self._dial is not None:
            self._dial.cancel()
            self._dial = None
        if self._visit is not None:
            self._visit.leave()
            self._visit = None
        self.leave()

    def give_way(self) -> None:
        """Stop waiting for this host; somebody else can use the place."""
        assert self.place is not None
        assert self._candidate is not None
        waited = self._relay.clock.now() - self.place.since
        said = (
            f"no answer within {in_words(waited // SECOND * SECOND)}, when other mail needed the connection"
        )
        candidate, connection = self._candidate, self._connection
        self.stop()
        if connection is not None:
            self._connection = None
            connection.abort()
        phase = Phase.CONNECT if connection is None else Phase.GREETING
        self.failed(WeFound(Cause.SILENT, said, candidate.host, candidate.endpoint.address, phase))

    # --- Searching ------------------------------------------------------------------------------------

    def _go_on(self) -> None:
        self.leave()
        self._connection = None
        self._candidate = None
        self._in_clear = False
        self._turn += 1
        turn = self._turn
        self._candidates.next(lambda candidate: self._on_candidate(candidate, turn))

    def _on_candidate(self, candidate: Candidate | None, turn: int) -> None:
        if turn != self._turn:
            return
        if candidate is None:
            self._on_nobody(self._candidates.verdict())
            return
        self._candidate = candidate
        self._knock(turn)

    def _knock(self, turn: int) -> None:
        """Dial, if there is room at the endpoint and in the house; else wait for it, and knock again."""
        if turn != self._turn:
            return
        relay, candidate = self._relay, self._candidate
        assert candidate is not None
        silence = relay.addresses.silence(candidate.endpoint)
        if silence is not None:
            self.failed(silence)
        elif relay.addresses.is_full(candidate.endpoint):
            relay.addresses.wait(candidate.endpoint, lambda: self._knock(turn))
        else:
            self.place = relay.room.take(self)
            if self.place is None:
                relay.room.wait(self)
            else:
                self._dial_one(candidate)

    def use_one_place(self) -> None:
        """There may be room in the house now."""
        if self.place is None and self._candidate is not None:
            self._knock(self._turn)

    def _dial_one(self, candidate: Candidate) -> None:
        relay = self._relay
        address = candidate.endpoint.address
        visit = self._visit = relay.addresses.dial(candidate.endpoint)
        terms = replace(self._terms, tls=TlsLevel.NONE) if self._in_clear else self._terms

        def dialled(result: Stream | DialFailed) -> None:
            self._dial = self._visit = None
            if isinstance(result, DialFailed):
                visit.leave()
                cause = Cause.REFUSED_CONNECTION if result.refused else Cause.UNREACHABLE
                finding = WeFound(cause, result.why, candidate.host, address, Phase.CONNECT)
                if result.timed_out:
                    self.fell_silent(finding)
                self.failed(finding)
                return
            self._connection = relay.connect(result, candidate.host, visit, terms)
            self._on_connected(self._connection)

        limit = relay.settings.timeouts.connect
        self._dial = relay.dialer.dial(candidate.endpoint, limit, dialled, source=self._terms.source_address)

    def fell_silent(self, finding: WeFound) -> None:
        """Say to all who would go there that nobody answers."""
        assert self._candidate is not None, "whoever fell silent was a candidate"
        avoided_for = self._terms.schedule.intervals[0] // 2
        self._relay.addresses.fell_silent(self._candidate.endpoint, finding, avoided_for)
