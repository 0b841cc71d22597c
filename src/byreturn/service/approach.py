"""The way to a host that will speak with us: candidate after candidate, in one place.

    next candidate --address has room--> dial --connected--> on_connected
         ^  ^             '-- else wait      '--failed--.
         |  '-- give_way, failed, refused --------------'
         '-- none left: on_nobody(verdict)

While nobody has said a word this is a lodger of the room, and may be asked to give way to other mail: then it
goes on to the next candidate, or ends.

Promises: after `start`, and after each `failed` or `refused`, exactly one of `on_connected` and `on_nobody`
is called, unless it is stopped. Neither is called after `stop`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from byreturn.mail import SECOND, Cause, Diagnosis, PeerSaid, Phase, WeFound, in_words
from byreturn.ports import Dial, DialFailed, Stream
from byreturn.service.addresses import Visit
from byreturn.service.candidates import Candidate, Candidates, Verdict
from byreturn.service.connection import Connection
from byreturn.service.room import Place
from byreturn.service.routes import ToHosts

if TYPE_CHECKING:
    from byreturn.service.relay import Relay


class Approach:
    """One attempt's search for a host; implements `room.Lodger`."""

    def __init__(
        self,
        relay: Relay,
        way: ToHosts,
        on_connected: Callable[[Connection], None],
        on_nobody: Callable[[Verdict], None],
    ) -> None:
        self._relay = relay
        self._terms = way.terms
        self._candidates = Candidates(way, relay.routes, relay.addresses)
        self._on_connected = on_connected
        self._on_nobody = on_nobody
        self._place: Place | None = None
        self._candidate: Candidate | None = None
        self._dial: Dial | None = None
        self._visit: Visit | None = None
        self._connection: Connection | None = None
        # Which search is on: an answer to an earlier one comes too late.
        self._turn = 0

    def start(self, place: Place) -> None:
        """Begin to search, in a place that was taken for it."""
        self._place = place
        self._go_on()

    def failed(self, finding: Diagnosis) -> None:
        """The host could not be spoken with: on to the next."""
        self._candidates.failed(finding)
        self._go_on()

    def refused(self, said: PeerSaid) -> None:
        """The host refused us for good: the next may be friendlier."""
        self._candidates.refused(said)
        self._go_on()

    def greeted(self) -> None:
        """The host has said its first word."""
        assert self._place is not None
        self._place.prove()

    def stop(self) -> None:
        """Search no more."""
        self._turn += 1
        if self._dial is not None:
            self._dial.cancel()
            self._dial = None
        if self._visit is not None:
            self._visit.leave()
            self._visit = None

    def give_way(self) -> None:
        """Stop waiting for this host; somebody else can use the place."""
        assert self._place is not None
        waited = self._relay.clock.now() - self._place.since
        said = (
            f"no answer within {in_words(waited // SECOND * SECOND)}, when other mail needed the connection"
        )
        candidate, connection = self._candidate, self._connection
        self.stop()
        if connection is not None:
            self._connection = None
            connection.abort()
        if candidate is None:
            finding = WeFound(Cause.LOOKUP_FAILED, said)
        else:
            phase = Phase.CONNECT if connection is None else Phase.GREETING
            finding = WeFound(Cause.SILENT, said, candidate.host, candidate.endpoint.address, phase)
        self.failed(finding)

    # --- Searching ------------------------------------------------------------------------------------

    def _go_on(self) -> None:
        self._connection = None
        self._candidate = None
        self._turn += 1
        turn = self._turn
        assert self._place is not None
        self._place.begin_again()
        self._candidates.next(lambda candidate: self._on_candidate(candidate, turn))

    def _on_candidate(self, candidate: Candidate | None, turn: int) -> None:
        if turn != self._turn:
            return
        if candidate is None:
            self._on_nobody(self._candidates.verdict())
            return
        self._candidate = candidate
        if self._relay.addresses.is_full(candidate.endpoint):
            self._relay.addresses.wait(candidate.endpoint, lambda: self._dial_one(candidate, turn))
        else:
            self._dial_one(candidate, turn)

    def _dial_one(self, candidate: Candidate, turn: int) -> None:
        if turn != self._turn:
            return
        relay = self._relay
        address = candidate.endpoint.address
        visit = self._visit = relay.addresses.dial(candidate.endpoint)

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
            self._connection = relay.connect(result, candidate.host, visit, self._terms)
            self._on_connected(self._connection)

        limit = relay.settings.timeouts.connect
        self._dial = relay.dialer.dial(candidate.endpoint, limit, dialled, source=self._terms.source_address)

    def fell_silent(self, finding: WeFound) -> None:
        """Say to all who would go there that nobody answers."""
        assert self._candidate is not None, "whoever fell silent was a candidate"
        avoided_for = self._terms.schedule.intervals[0] // 2
        self._relay.addresses.fell_silent(self._candidate.endpoint, finding, avoided_for)
