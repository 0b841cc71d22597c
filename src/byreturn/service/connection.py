"""One connection to a next hop: the client's session on a stream, with a clock running on every step.

    Attempt --begin(transaction)--> Connection --octets--> Stream
            <--events, all of one read at a time--         (the peer)
            <--lost(finding, phase)--

TLS is a matter between the session, the stream and us; whoever drives the connection hears of it only when it
cannot be had and must be.

What the peer says is handed over as it is read; the replies of a pipelined group when DATA is answered, or
when the peer pauses. What goes wrong with the wire becomes a `Lost`: the finding,
and how far the dialogue had come, which is what decides whether the message may have been taken.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from msgspec import Struct

from byreturn.mail import MINUTE, SECOND, Cause, Duration, Instant, Phase, WeFound
from byreturn.policy import TlsLevel, tls_denied
from byreturn.ports import ContentReader, Stream, Timer, TlsFacts, TlsFailed, TlsSettings
from byreturn.protocol import (
    Broken,
    ClientEvent,
    ClientPhase,
    ClientSession,
    NoTls,
    StartTls,
    Transaction,
)
from byreturn.service.addresses import Visit
from byreturn.service.watch import Wheel

_PIECE = 64 * 1024
_PORTION = 1024 * 1024
# A group's replies are held so long for the one to DATA: longer than any honest peer pauses between them, and
# nothing beside the second in which a report gathers.
_HUSH: Duration = 25
_PHASES = {
    ClientPhase.GREETING: Phase.GREETING,
    ClientPhase.HELLO: Phase.HELLO,
    ClientPhase.TLS: Phase.TLS,
    ClientPhase.READY: Phase.MAIL,
    ClientPhase.MAIL: Phase.MAIL,
    ClientPhase.RCPT: Phase.RCPT,
    ClientPhase.DATA: Phase.DATA,
    ClientPhase.CONTENT: Phase.CONTENT,
    ClientPhase.ENDING: Phase.END_OF_CONTENT,
    ClientPhase.RESETTING: Phase.MAIL,
    ClientPhase.CLOSED: Phase.MAIL,
}


class Timeouts(Struct, frozen=True):
    """How long the peer may take for each step (RFC 5321 section 4.5.3.2), and for a whole transaction.

    `tls` is for the reply to STARTTLS, and once more for the handshake.
    """

    connect: Duration = 30 * SECOND
    greeting: Duration = 5 * MINUTE
    hello: Duration = 5 * MINUTE
    tls: Duration = 1 * MINUTE
    mail: Duration = 5 * MINUTE
    rcpt: Duration = 5 * MINUTE
    data: Duration = 2 * MINUTE
    content: Duration = 3 * MINUTE
    end_of_content: Duration = 10 * MINUTE
    transaction: Duration = 60 * MINUTE

    def of(self, phase: ClientPhase) -> Duration:
        """The limit for what we are waiting for."""
        match phase:
            case ClientPhase.GREETING:
                return self.greeting
            case ClientPhase.HELLO:
                return self.hello
            case ClientPhase.TLS:
                return self.tls
            case ClientPhase.RCPT:
                return self.rcpt
            case ClientPhase.DATA:
                return self.data
            case ClientPhase.CONTENT:
                return self.content
            case ClientPhase.ENDING:
                return self.end_of_content
            case _:
                return self.mail


class Lost(Struct, frozen=True):
    """The connection is of no more use: why, and in which phase it was.

    `may_go_in_clear`: the same host may be dialled again without TLS, which is what failed.
    """

    finding: WeFound
    phase: ClientPhase
    may_go_in_clear: bool = False


class ConnectionUser(Protocol):
    """Who drives a connection at present."""

    def on_events(self, events: Sequence[ClientEvent]) -> None:
        """The peer said something; all that one read brought."""
        ...

    def on_greeted(self) -> None:
        """The peer has said its first word; called before the events that it brought."""
        ...

    def on_lost(self, lost: Lost) -> None:
        """The connection broke; called once, and nothing after it."""
        ...


class Connection:
    """Implements `ports.StreamUser` for a dialled connection."""

    def __init__(
        self,
        stream: Stream,
        host: str,
        visit: Visit,
        *,
        hello: str,
        tls: TlsLevel,
        timeouts: Timeouts,
        wheel: Wheel,
    ) -> None:
        self.host = host
        self.stream = stream
        self.transactions = 0
        self.user: ConnectionUser | None = None
        self._visit = visit
        self._timeouts = timeouts
        self._clock = wheel.clock
        self._tls = tls
        self._session = ClientSession(hello, asks_tls=tls.is_asked_for, needs_tls=tls.is_needed)
        self._reader: ContentReader | None = None
        self._watch = wheel.watch(self._on_silence)
        self._hush: Timer | None = None
        self._transaction_until: Instant | None = None
        self._is_open = True
        stream.use(self)
        self._set_watch()

    @property
    def session(self) -> ClientSession:
        """The dialogue, for its extensions and its phase."""
        return self._session

    @property
    def tls(self) -> str:
        """Version and cipher of its TLS; empty in clear text."""
        return str(self.stream.tls or "")

    @property
    def is_open(self) -> bool:
        """Whether it can still be used."""
        return self._is_open

    @property
    def is_ready(self) -> bool:
        """Whether a transaction may begin: a peer may have said more than it was asked."""
        return self._is_open and self._session.phase is ClientPhase.READY

    # --- Driving --------------------------------------------------------------------------------------

    def begin(self, transaction: Transaction) -> None:
        """Begin a transaction on a session that is ready."""
        self.transactions += 1
        self._transaction_until = self._clock.now() + self._timeouts.transaction
        self._session.begin(transaction)
        self._flush()

    def send(self, reader: ContentReader) -> None:
        """Send a content; the reader is closed when it has been read."""
        self._reader = reader
        self._send_more()

    def rest(self, limit: Duration) -> None:
        """Keep the connection for the next transaction, but not longer than `limit`."""
        self._transaction_until = None
        self._watch.set(limit)
        self._visit.rest(self.quit_resting)

    def wake(self) -> None:
        """It is used again."""
        self._visit.wake()

    def quit(self) -> None:
        """Say goodbye and close."""
        if self._is_open:
            self._session.quit()
            self._stream_write()
            self._end()
            self.stream.close()

    def abort(self) -> None:
        """Close without a word."""
        if self._is_open:
            self._end()
            self.stream.abort()

    def _end(self) -> None:
        self._is_open = False
        self.user = None
        self._visit.leave()
        self._watch.stop()
        if self._hush is not None:
            self._hush.cancel()
        if self._reader is not None:
            self._reader.close()
            self._reader = None

    def _send_more(self) -> None:
        """Send as much of the content as the stream takes; `on_writable` goes on.

        To a peer that reads as fast as we write, a large content goes in portions, with a turn of the loop
        for everybody else in between.
        """
        session = self._session
        portion = _PORTION
        while self._reader is not None:
            if portion <= 0:
                self._clock.call_later(0, self.on_writable)
                break
            portion -= _PIECE
            piece = self._reader.read(_PIECE)
            if piece:
                session.content(piece)
                is_last = self._reader.octets <= _PIECE and len(piece) == self._reader.octets
            else:
                is_last = True
            if is_last:
                # CRASH HERE: from now on the peer may have the message, whatever becomes of its reply.
                session.end_content()
                self._reader.close()
                self._reader = None
            if not self._stream_write() and self._reader is not None:
                break
        self._set_watch()

    def _flush(self) -> None:
        self._stream_write()
        self._set_watch()

    def _stream_write(self) -> bool:
        output = self._session.take_output()
        return self.stream.write(output) if output else True

    def _set_watch(self) -> None:
        if self._transaction_until is None and self._session.phase is ClientPhase.READY:
            return  # At rest, which has a limit of its own.
        limit = self._timeouts.of(self._session.phase)
        if self._transaction_until is not None:
            limit = max(1, min(limit, self._transaction_until - self._clock.now()))
        self._watch.set(limit)

    # --- TLS ------------------------------------------------------------------------------------------

    def _start_tls(self) -> None:
        self._set_watch()
        settings = TlsSettings(self.host, verify=self._tls.checks_certificate)
        self.stream.start_tls(settings, self._on_tls)

    def _on_tls(self, result: TlsFacts | TlsFailed) -> None:
        if not self._is_open:
            return
        if isinstance(result, TlsFailed):
            self._lose(WeFound(Cause.TLS_FAILED, result.why), ClientPhase.TLS)
        else:
            self._session.secured()
            self._flush()

    @property
    def _is_untried(self) -> bool:
        """Whether TLS was begun and the peer has not said a word in it yet.

        A client has done its part of the handshake before the server has looked at it; what the server does
        not like about it shows only then.
        """
        phase = self._session.phase
        return phase is ClientPhase.TLS or (phase is ClientPhase.HELLO and self.stream.tls is not None)

    # --- The stream -----------------------------------------------------------------------------------

    def on_data(self, data: bytes) -> None:
        """Take octets from the peer."""
        if not self._is_open:
            return
        before = self._session.phase
        events = self._session.receive(data)
        if before is ClientPhase.GREETING and self._session.phase is not before:
            self._visit.prove()
            if self.user is not None:
                self.user.on_greeted()
        match events:
            case [StartTls()]:
                self._start_tls()
                return
            case [NoTls(reply=reply)]:
                self._lose(tls_denied(reply), ClientPhase.TLS, is_polite=True)
                return
        if events and not self._tell(events, before):
            return
        if self._session.is_holding and self._hush is None:
            self._hush = self._clock.call_later(_HUSH, self._on_hush)
        if events and isinstance(events[-1], Broken):
            self._break(events[-1], before)
        elif self.is_open:
            self._stream_write()
            if events or self._session.phase is not before:
                # The limit is for a whole reply: an octet now and then buys no time.
                self._set_watch()

    def _tell(self, events: Sequence[ClientEvent], phase: ClientPhase) -> bool:
        """Hand over what the peer said; False if that was the end of us."""
        if self.user is not None:
            try:
                self.user.on_events(events)
            except Exception as bug:  # noqa: BLE001 - a bug of ours puts this mail off, and no other
                self._lose(WeFound(Cause.OUR_BUG, f"bug: {bug!r}"), phase)
                return False
        return True

    def _on_hush(self) -> None:
        """The peer has paused in the middle of a group: what it has said by now is believed."""
        self._hush = None
        if self._is_open and self._session.is_holding:
            self._tell(self._session.release(), self._session.phase)

    def _break(self, broken: Broken, phase: ClientPhase) -> None:
        if self.is_open:
            self._lose(WeFound(Cause.BROKEN_DIALOGUE, broken.why), phase)

    def on_writable(self) -> None:
        """Go on sending."""
        if self._is_open and self._reader is not None:
            self._send_more()

    def on_closed(self, why: str) -> None:
        """The peer hung up, or the wire broke."""
        if self._is_open:
            detail = why or "the peer closed the connection"
            cause = Cause.TLS_FAILED if self._is_untried else Cause.LOST_CONNECTION
            self._lose(WeFound(cause, detail), self._session.phase)

    def _on_silence(self) -> None:
        if self._session.phase is ClientPhase.READY and self._transaction_until is None:
            self.quit_resting()
            return
        cause = Cause.TLS_FAILED if self._is_untried else Cause.SILENT
        self._lose(WeFound(cause, "no answer within the time limit"), self._session.phase)

    def quit_resting(self) -> None:
        """Its rest is over."""
        user = self.user
        self.quit()
        if user is not None:
            user.on_lost(Lost(WeFound(Cause.LOST_CONNECTION, "closed after a rest"), ClientPhase.READY))

    def _lose(self, finding: WeFound, phase: ClientPhase, *, is_polite: bool = False) -> None:
        if self._session.is_holding:
            self._tell(self._session.release(), phase)
        user = self.user
        if is_polite:
            self.quit()
        else:
            self.abort()
        if user is not None:
            where = WeFound(
                finding.cause, finding.detail, self.host, self.stream.peer.address, _PHASES[phase]
            )
            user.on_lost(Lost(where, phase, self._tls.goes_on_in_clear_text(finding)))
