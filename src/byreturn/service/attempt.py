"""One attempt: a batch, the host that it is given to, and what each recipient's fate turns out to be.

    approach: host after host, address after address, until one takes part in a transaction
    TLS fails where it need not be: the same address once more, in clear text
    transaction: a refusal is settled when it is known, not when the transaction ends
    452 after n recipients: the rest goes in another transaction on the same connection
    the wire breaks: before any recipient was answered -> the next candidate
                     before the end of content         -> put off
                     after it                          -> uncertain: twice is better than never

The bookings were committed before this began, so a crash anywhere in here costs a delay. Everything that is
found goes to the settlement desk as it becomes known; one attempt may settle several times, each recipient
once.

Promises: every recipient of the batch is settled exactly once, or the whole batch is given back to the lane;
`lane.finished` is called exactly once.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from byreturn.mail import (
    Booking,
    Cause,
    Destination,
    Diagnosis,
    PeerSaid,
    Phase,
    Priority,
    Reply,
    WeFound,
)
from byreturn.policy import (
    Fate,
    Outcome,
    PutOff,
    Refused,
    Relayed,
    Topic,
    Uncertain,
    advice_of,
    after_4yz,
    after_no_answer,
    fate_of,
    fate_of_recipient,
)
from byreturn.ports import ContentReader, SpoolFault
from byreturn.protocol import (
    ClientEvent,
    ClientPhase,
    ContentAnswered,
    HangingUp,
    Ready,
    RecipientAnswered,
    SendContent,
    TransactionOver,
    TransactionRefused,
    Unwelcome,
)
from byreturn.service.approach import Approach
from byreturn.service.batch import Batch, Found, HostsAnswered
from byreturn.service.candidates import NobodyAnswered, NobodyTook, Verdict
from byreturn.service.connection import Connection, Lost
from byreturn.service.fitting import may_shrink, shrink, unfit
from byreturn.service.room import Place
from byreturn.service.routes import ToHosts

if TYPE_CHECKING:
    from byreturn.service.lanes import Lane
    from byreturn.service.relay import Relay

_BEFORE_TRANSACTION = frozenset(
    {ClientPhase.GREETING, ClientPhase.HELLO, ClientPhase.READY, ClientPhase.MAIL}
)


class Attempt:
    """Carries one batch; implements `ConnectionUser`."""

    def __init__(self, relay: Relay, lane: Lane, way: ToHosts, batch: Batch) -> None:
        self._relay = relay
        self._lane = lane
        self._way = way
        self.batch = batch
        self.began_at = relay.clock.now()
        is_report = batch.carried.message.priority is Priority.REPORT
        self._approach = Approach(relay, way, self._on_connected, self._on_nobody, is_report=is_report)
        self._connection: Connection | None = None
        self._is_reused = False
        self._current: tuple[Booking, ...] = ()
        self._accepted: list[Booking] = []
        self._next: list[Booking] = []
        self._was_answered = False
        self._found: list[Found] = []
        self._is_done = False

    # --- Finding a host -------------------------------------------------------------------------------

    def start(self, kept: tuple[Connection, Place] | None) -> None:
        """Begin: on a connection that was kept and is ready, or by looking for a host."""
        if kept is None:
            self._approach.start()
            return
        self._connection, self._approach.place = kept
        self._is_reused = True
        self._connection.user = self
        self._begin()

    @property
    def is_heard(self) -> bool:
        """Whether its host has said anything yet."""
        place = self._approach.place
        return place is not None and place.is_heard

    @property
    def has_alternatives(self) -> bool:
        """Whether it waits for a host's first word, and there are other hosts for its mail."""
        return not self.is_heard and len(self._way.hops) > 1

    def _on_connected(self, connection: Connection) -> None:
        self._connection = connection
        connection.user = self

    def on_greeted(self) -> None:
        """The host has said its first word."""
        self._approach.greeted()

    def _search(self) -> None:
        """The connection that was kept is of no more use: look for a host."""
        self._is_reused = False
        self._approach.start()

    def _on_nobody(self, verdict: Verdict) -> None:
        """No candidate took part."""
        match verdict:
            case NobodyTook(diagnosis=WeFound() as finding, is_dns=True):
                found = finding
                # The DNS may be wrong, and what is said to a sender cannot be taken back.
                self._relay.brake.judge(
                    self.batch.destinations,
                    finding,
                    lambda final: self._judged(final, found),
                    hosts=[hop.host for hop in self._way.hops],
                )
            case NobodyTook(diagnosis=diagnosis):
                self._answered()
                self._conclude(self.batch.left, diagnosis)
                self._finish()
            case NobodyAnswered(finding=finding):
                self._nobody_answered(finding)

    def _judged(self, final: frozenset[Destination], finding: WeFound) -> None:
        if self._is_done:
            return
        self._relay.settler.gone(final)
        self._conclude(
            [booking for booking in self.batch.left if booking.recipient.destination in final], finding
        )
        if self.batch.left:
            self._nobody_answered(finding)
        else:
            self._finish()

    def _conclude(self, bookings: Sequence[Booking], diagnosis: Diagnosis) -> None:
        """One of the few findings that end a recipient's life."""
        for booking in bookings:
            self._find(booking, Refused(diagnosis))

    def _nobody_answered(self, finding: Diagnosis) -> None:
        """All that wait for these hosts wait for their next probe; unless others have just got through."""
        if self._lane.completed_since(self.began_at):
            for booking in self.batch.left:
                self._find(booking, PutOff(finding, self._after_no_answer(booking)))
        else:
            after = advice_of(finding.reply).after if isinstance(finding, PeerSaid) else None
            self._lane.failed(self.batch.destinations, finding, self.began_at, after)
            # These wait for their destination, which is probed for all of them.
            now = self._relay.clock.now()
            for booking in self.batch.left:
                self._find(booking, PutOff(finding, now))
        self._finish()

    # --- What the peer says ---------------------------------------------------------------------------

    def on_events(self, events: Sequence[ClientEvent]) -> None:
        """Judge what one read brought, then settle it in one go."""
        for event in events:
            match event:
                case RecipientAnswered(index=index, reply=reply):
                    self._on_recipient(self._current[index], reply)
                case SendContent():
                    self._send_content()
                case ContentAnswered():
                    self._on_content_answered(event)
                case TransactionOver():
                    self._on_over()
                case Ready():
                    self._begin()
                case TransactionRefused(phase=phase, reply=reply):
                    self._on_refused(phase, reply)
                case HangingUp(phase=phase, reply=reply):
                    self._on_hanging_up(phase, reply)
                case Unwelcome(phase=phase, reply=reply):
                    self._on_unwelcome(phase, reply)
                case _:
                    pass  # Broken: the connection reports itself lost.
            if self._is_done:
                break
        self._flush()

    def _said(self, reply: Reply, phase: Phase) -> PeerSaid:
        connection = self._connection
        assert connection is not None
        return PeerSaid(reply, connection.host, connection.stream.peer.address, phase, connection.tls)

    def _begin(self) -> None:
        """The peer is ready: send to all that are left, if the message fits there at all."""
        connection = self._connection
        assert connection is not None
        offers = connection.session.extensions
        current = self.batch.left
        transaction = self.batch.transaction(current)
        finding = unfit(offers, transaction, connection.host, connection.stream.peer.address)
        if finding is not None:
            if may_shrink(self.batch.carried):
                shrink(self._relay, self.batch.carried, lambda: self._begin_smaller(connection))
                return
            self._answered()
            for booking in current:
                self._find(booking, Refused(finding))
            self._finish()
            return
        self._current = current
        self._accepted = []
        self._next = []
        connection.begin(transaction)

    def _begin_smaller(self, connection: Connection) -> None:
        """Try again with what is left of a report; unless the connection was lost while it was read."""
        if self._connection is connection and connection.is_open:
            self._begin()
            self._flush()

    def _answered(self) -> None:
        """The host lives: this is no longer a matter of finding one that does."""
        if not self._was_answered:
            self._was_answered = True
            self._relay.settler.hear(HostsAnswered(tuple(self.batch.destinations)))

    def _on_recipient(self, booking: Booking, reply: Reply) -> None:
        self._answered()
        match fate_of_recipient(reply, accepted_before=len(self._accepted)):
            case Fate.ACCEPTED:
                self._accepted.append(booking)
            case Fate.NEVER:
                self._find(booking, Refused(self._said(reply, Phase.RCPT)))
            case Fate.LATER:
                self._put_off(booking, self._said(reply, Phase.RCPT))
            case Fate.NEXT_TRANSACTION:
                self._next.append(booking)
            case Fate.HANGING_UP:
                pass  # HangingUp follows and speaks for all who are left.

    def _on_refused(self, phase: Phase, reply: Reply) -> None:
        """MAIL or DATA was refused; that is the answer to everybody who has none of his own."""
        self._answered()
        said = self._said(reply, phase)
        concerned = self._accepted if phase is Phase.DATA else self._current
        for booking in concerned:
            if fate_of(reply) is Fate.NEVER:
                self._find(booking, Refused(said))
            else:
                self._put_off(booking, said)
        self._accepted = []

    def _on_content_answered(self, event: ContentAnswered) -> None:
        connection = self._connection
        assert connection is not None
        said = self._said(event.reply, Phase.CONTENT if event.early else Phase.END_OF_CONTENT)
        passed_on = connection.session.extensions.dsn
        for booking in self._accepted:
            match fate_of(event.reply):
                case Fate.ACCEPTED:
                    self._find(booking, Relayed(said), passed_on=passed_on)
                case Fate.NEVER:
                    self._find(booking, Refused(said))
                case _:
                    self._put_off(booking, said)
        self._accepted = []
        if event.early:
            self._drop_connection()
            for booking in self.batch.left:
                self._put_off(booking, said)
            self._finish()

    def _on_over(self) -> None:
        """The transaction is over: send the rest in another one, or give the connection back."""
        connection = self._connection
        assert connection is not None
        self._lane.completed()
        if self._next:
            if connection.is_ready:
                self._begin()
            # Otherwise more was said in the same breath; that event follows, and speaks for the rest.
        else:
            assert not self.batch.left, "a transaction ended without an answer for everybody"
            self._finish()

    def _on_unwelcome(self, phase: Phase, reply: Reply) -> None:
        """The greeting or EHLO was refused: the next candidate may be friendlier."""
        said = self._said(reply, phase)
        if fate_of(reply) is Fate.NEVER:
            self._drop_connection()
            self._approach.refused(said)
        else:
            self._sent_away(said)

    def _on_hanging_up(self, phase: Phase, reply: Reply) -> None:
        said = self._said(reply, phase)
        if not self._was_answered:
            if self._is_reused:
                # The peer had enough of this connection, not of us.
                self._lane.heed(said, self._connection)
                self._drop_connection()
                self._search()
            else:
                self._sent_away(said)
            return
        self._drop_connection()
        for booking in self.batch.left:
            self._put_off(booking, said)
        self._finish()

    def _sent_away(self, said: PeerSaid) -> None:
        """Not now. Where we have connections enough there already, this mail waits for one of those."""
        advice = self._lane.heed(said, self._connection)
        self._drop_connection()
        if advice.topic is Topic.CONNECTIONS and self._lane.is_heard_by_others(self):
            self._is_done = True
            self._lane.give_back(self, self._way, self.batch)
            self._approach.leave()
            self._lane.finished(self)
        else:
            self._approach.failed(said)

    # --- The wire -------------------------------------------------------------------------------------

    def on_lost(self, lost: Lost) -> None:
        """The connection broke, or the peer fell silent."""
        self._connection = None
        if self._is_done:
            return
        if lost.may_go_in_clear:
            self._relay.journal.tls_failed(lost.finding)
            self._approach.again_in_clear()
            return
        if lost.phase is ClientPhase.ENDING and self._accepted:
            # CRASH HERE: the peer may hold the message although we record `uncertain`; it is sent again.
            for booking in self._accepted:
                due_at = self._after_no_answer(booking)
                self._find(booking, Uncertain(lost.finding, due_at))
            self._accepted = []
        if not self._was_answered:
            if self._is_reused and lost.phase in _BEFORE_TRANSACTION:
                self._search()
            else:
                if lost.phase is ClientPhase.GREETING and lost.finding.cause is Cause.SILENT:
                    self._approach.fell_silent(lost.finding)
                self._approach.failed(lost.finding)
        elif self.batch.left:
            self._lost_midway(lost.finding)
        else:
            self._finish()
        self._flush()

    def _lost_midway(self, finding: WeFound) -> None:
        """Some have their answer, the rest has none: a dead host, or only a broken connection."""
        if finding.cause is Cause.SILENT and not self._lane.completed_since(self.began_at):
            self._lane.failed(self.batch.destinations, finding, self.began_at, None)
        for booking in self.batch.left:
            self._find(booking, PutOff(finding, self._after_no_answer(booking)))
        self._finish()

    # --- The content ----------------------------------------------------------------------------------

    def _send_content(self) -> None:
        connection = self._connection
        assert connection is not None

        def opened(reader: ContentReader | SpoolFault | None) -> None:
            if self._connection is not connection or not connection.is_open:
                if reader is not None and not isinstance(reader, SpoolFault):
                    reader.close()
                return
            if reader is None or isinstance(reader, SpoolFault):
                why = "the content is gone from the spool" if reader is None else reader.why
                self._relay.journal.fault("content", why)
                finding = WeFound(Cause.OUR_BUG, why)
                self._drop_connection()
                for booking in self.batch.left:
                    self._put_off(booking, finding)
                self._finish()
                self._flush()
                return
            connection.send(reader)

        self._relay.read_content(self.batch.carried, opened)

    # --- Outcomes -------------------------------------------------------------------------------------

    def _find(self, booking: Booking, outcome: Outcome, *, passed_on: bool = False) -> None:
        if self.batch.take(booking):
            self._found.append(
                Found(self.batch.carried, booking, outcome, self.began_at, passed_on=passed_on)
            )

    def _put_off(self, booking: Booking, finding: Diagnosis) -> None:
        """A living host said "later", and perhaps when."""
        relay = self._relay
        now, lot = relay.clock.now(), relay.entropy.lot()
        due_at = after_4yz(self._way.terms.schedule, booking.attempt, now=now, lot=lot)
        if isinstance(finding, PeerSaid):
            after = self._lane.heed(finding, self._connection).after
            if after is not None:
                # Never sooner than it asked, and not all at the same moment.
                due_at = now + after + round(after * lot / 10)
        self._find(booking, PutOff(finding, due_at))

    def _after_no_answer(self, booking: Booking) -> int:
        relay = self._relay
        return after_no_answer(
            self._way.terms.schedule, booking.attempt, now=relay.clock.now(), lot=relay.entropy.lot()
        )

    def _flush(self) -> None:
        if self._found:
            found, self._found = self._found, []
            self._relay.settler.settle(found)

    def _drop_connection(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.quit()

    def _finish(self) -> None:
        assert not self._is_done
        assert not self.batch.left
        self._is_done = True
        self._flush()
        connection, self._connection = self._connection, None
        place = self._approach.place
        if connection is not None and connection.is_open and place is not None:
            connection.user = self._approach.place = None
            self._lane.keep(connection, place)
        self._approach.leave()
        self._lane.finished(self)

    def abandon(self) -> None:
        """The server stops: hang up; what becomes of the bookings is the lane's to say."""
        self._is_done = True
        self._approach.stop()
        if self._connection is not None:
            self._connection.abort()
