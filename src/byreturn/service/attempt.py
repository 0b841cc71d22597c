"""One attempt: a batch, its candidate hosts, and what each recipient's fate turns out to be.

    candidates: host after host, address after address, until one takes part in a transaction
    transaction: a refusal is settled when it is known, not when the transaction ends
    452 after n recipients: the rest goes in another transaction on the same connection
    the wire breaks: before any recipient was answered -> the next candidate
                     before the end of content         -> put off
                     after it                          -> uncertain: twice is better than never

The bookings were committed before this began, so a crash anywhere in here costs a delay. Everything that is
found goes to the settlement desk as it becomes known; one attempt may settle several times, each recipient
once.

Promises: every recipient of the batch is settled exactly once; `lane.finished` is called exactly once.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from byreturn.mail import (
    Booking,
    Cause,
    Diagnosis,
    PeerSaid,
    Phase,
    Reply,
    WeFound,
)
from byreturn.policy import (
    Fate,
    NextHop,
    Outcome,
    PutOff,
    Refused,
    Relayed,
    Uncertain,
    after_4yz,
    after_no_answer,
    fate_of,
    fate_of_recipient,
)
from byreturn.ports import (
    AddressAnswer,
    AddressesFound,
    ContentReader,
    Dial,
    DialFailed,
    Endpoint,
    LookupFailed,
    NoSuchName,
    SpoolFault,
    Stream,
)
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
from byreturn.service.batch import Batch, Found, HostsAnswered, HostsFailed
from byreturn.service.connection import Connection, Lost
from byreturn.service.routes import ToHosts

if TYPE_CHECKING:
    from byreturn.service.lanes import Lane, Relay

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
        self._began_at = relay.clock.now()
        self._hops: list[NextHop] = list(way.hops)
        self._endpoints: list[tuple[str, Endpoint]] = []
        self._dial: Dial | None = None
        self._connection: Connection | None = None
        self._is_reused = False
        self._current: tuple[Booking, ...] = ()
        self._accepted: list[Booking] = []
        self._next: list[Booking] = []
        self._was_answered = False
        self._found: list[Found] = []
        self._refusals: list[PeerSaid] = []
        self._findings: list[Diagnosis] = []
        self._missing_names = 0
        self._is_done = False

    # --- Candidates -----------------------------------------------------------------------------------

    def start(self, connection: Connection | None) -> None:
        """Begin: on a connection that is ready, or by dialling."""
        if connection is None:
            self._try_next()
            return
        self._connection = connection
        self._is_reused = True
        connection.user = self
        self._begin()

    def _try_next(self) -> None:
        """Go on to the next address, or the next host, or give up for this time."""
        while self._endpoints:
            host, endpoint = self._endpoints.pop(0)
            if not self._way.is_static and self._relay.routes.is_own(endpoint):
                # RFC 5321 section 5.1: ourselves, and everything after it, is no way forward.
                self._endpoints.clear()
                self._hops.clear()
                if not self._findings:
                    detail = f"the best mail server for it, {host}, is this one"
                    self._conclude(WeFound(Cause.LOOP, detail, host, endpoint.address))
                    return
                break
            if not self._relay.routes.may_dial(endpoint, is_static=self._way.is_static):
                self._findings.append(
                    WeFound(
                        Cause.FORBIDDEN_ADDRESS,
                        "not a public address, and not allowed by delivery.allow_private",
                        host,
                        endpoint.address,
                    )
                )
                continue
            self._dial_one(host, endpoint)
            return
        if self._hops:
            hop = self._hops.pop(0)
            self._relay.routes.addresses(hop, lambda answer: self._on_addresses(hop, answer))
        else:
            self._exhausted()

    def _on_addresses(self, hop: NextHop, answer: AddressAnswer) -> None:
        match answer:
            case AddressesFound(addresses=addresses):
                self._endpoints = [(hop.host, Endpoint(address, hop.port)) for address in addresses]
            case NoSuchName(resolver=resolver):
                self._missing_names += 1
                detail = f"its mail server {hop.host} does not exist, says the name server {resolver}"
                self._findings.append(WeFound(Cause.NO_SUCH_MAIL_HOSTS, detail))
            case LookupFailed(why=why):
                self._findings.append(WeFound(Cause.LOOKUP_FAILED, why))
            case _:
                detail = f"its mail server {hop.host} has no address"
                self._findings.append(WeFound(Cause.LOOKUP_FAILED, detail))
        self._try_next()

    def _dial_one(self, host: str, endpoint: Endpoint) -> None:
        def dialled(result: Stream | DialFailed) -> None:
            self._dial = None
            if isinstance(result, DialFailed):
                self._lane.connection_closed()
                cause = Cause.REFUSED_CONNECTION if result.refused else Cause.UNREACHABLE
                self._findings.append(WeFound(cause, result.why, host, endpoint.address, Phase.CONNECT))
                self._try_next()
                return
            self._connection = self._relay.connect(result, host)
            self._connection.user = self

        self._lane.connection_opened()
        self._dial = self._relay.dialer.dial(endpoint, self._relay.settings.timeouts.connect, dialled)

    def _exhausted(self) -> None:
        """No candidate took part. If each of them refused for good, that is the peer's word; else later."""
        if self._refusals and not self._findings:
            self._conclude(self._refusals[0])
        elif self._all_names_missing():
            self._conclude(self._findings[-1])
        else:
            finding = self._findings[-1] if self._findings else self._refusals[-1]
            self._relay.settler.hear(HostsFailed(tuple(self.batch.destinations), finding, self._began_at))
            self._put_off_for_destination(finding)
            self._finish()

    def _all_names_missing(self) -> bool:
        """Whether every MX names a host that does not exist; a route of ours may only be misspelt."""
        only_names = 0 < self._missing_names == len(self._findings) and not self._refusals
        return only_names and not self._way.is_static

    def _conclude(self, finding: Diagnosis) -> None:
        """One of the few findings that end a recipient's life."""
        for booking in self.batch.left:
            self._find(booking, Refused(finding))
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
        return PeerSaid(reply, connection.host, connection.stream.peer.address, phase)

    def _begin(self) -> None:
        """The peer is ready: send to all that are left, if the message fits there at all."""
        connection = self._connection
        assert connection is not None
        offers = connection.session.extensions
        current = self.batch.left
        transaction = self.batch.transaction(current)
        unfit: WeFound | None = None
        where = (connection.host, connection.stream.peer.address, Phase.HELLO)
        if offers.size is not None and transaction.octets > offers.size:
            # RFC 1870 section 6: known before anything is sent.
            detail = f"the message has {transaction.octets} octets, the server takes {offers.size}"
            unfit = WeFound(Cause.TOO_LARGE, detail, *where)
        elif transaction.is_8bit and not offers.eight_bit:
            # RFC 6152 section 3: 8-bit content may not be sent there, and we do not rewrite mail.
            unfit = WeFound(Cause.NEEDS_8BIT, "the message has 8-bit octets, the server takes 7-bit", *where)
        if unfit is not None:
            self._answered()
            for booking in current:
                self._find(booking, Refused(unfit))
            self._finish()
            return
        self._current = current
        self._accepted = []
        self._next = []
        connection.begin(transaction)

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
            self._refusals.append(said)
        else:
            self._findings.append(said)
        self._drop_connection()
        self._try_next()

    def _on_hanging_up(self, phase: Phase, reply: Reply) -> None:
        said = self._said(reply, phase)
        self._drop_connection()
        if not self._was_answered:
            if self._is_reused:
                # The peer had enough of this connection, not of us.
                self._is_reused = False
            else:
                self._findings.append(said)
            self._try_next()
            return
        for booking in self.batch.left:
            self._put_off(booking, said)
        self._finish()

    # --- The wire -------------------------------------------------------------------------------------

    def on_lost(self, lost: Lost) -> None:
        """The connection broke, or the peer fell silent."""
        self._connection = None
        self._lane.connection_closed()
        if self._is_done:
            return
        if lost.phase is ClientPhase.ENDING and self._accepted:
            # CRASH HERE: the peer may hold the message although we record `uncertain`; it is sent again.
            for booking in self._accepted:
                due_at = self._after_no_answer(booking)
                self._find(booking, Uncertain(lost.finding, due_at))
            self._accepted = []
        if not self._was_answered:
            if self._is_reused and lost.phase in _BEFORE_TRANSACTION:
                self._is_reused = False
            else:
                self._findings.append(lost.finding)
            self._try_next()
        elif self.batch.left:
            self._lost_midway(lost.finding)
        else:
            self._finish()
        self._flush()

    def _lost_midway(self, finding: WeFound) -> None:
        """Some have their answer, the rest has none: a dead host, or only a broken connection."""
        if finding.cause is Cause.SILENT and not self._lane.completed_since(self._began_at):
            self._relay.settler.hear(HostsFailed(tuple(self.batch.destinations), finding, self._began_at))
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
                Found(self.batch.carried, booking, outcome, self._began_at, passed_on=passed_on)
            )

    def _put_off(self, booking: Booking, finding: Diagnosis) -> None:
        """A living host said "later"."""
        relay = self._relay
        due_at = after_4yz(relay.schedule, booking.attempt, now=relay.clock.now(), lot=relay.entropy.lot())
        self._find(booking, PutOff(finding, due_at))

    def _put_off_for_destination(self, finding: Diagnosis) -> None:
        """Nobody answered: these wait for their destination, which is probed for all of them."""
        now = self._relay.clock.now()
        for booking in self.batch.left:
            self._find(booking, PutOff(finding, now))

    def _after_no_answer(self, booking: Booking) -> int:
        relay = self._relay
        return after_no_answer(
            relay.schedule, booking.attempt, now=relay.clock.now(), lot=relay.entropy.lot()
        )

    def _flush(self) -> None:
        if self._found:
            found, self._found = self._found, []
            self._relay.settler.settle(found)

    def _drop_connection(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.quit()
            self._lane.connection_closed()

    def _finish(self) -> None:
        assert not self._is_done
        assert not self.batch.left
        self._is_done = True
        self._flush()
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.user = None
        self._lane.finished(self, connection)

    def abandon(self) -> None:
        """The server stops: hang up; the bookings are taken up again at the next start."""
        self._is_done = True
        if self._dial is not None:
            self._dial.cancel()
        if self._connection is not None:
            self._connection.abort()
