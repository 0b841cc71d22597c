"""One client's session: the sans-IO protocol on a stream, its content on the way to the spool.

    stream -> ServerSession -> questions -> Reception -> answers -> ServerSession -> stream

While an answer waits for the disk nothing is read from the client, so nobody can make us buffer more than a
command line, a piece of content, and what one read brings. A small content stays in memory and goes into the
database; when it outgrows SMALL_OCTETS it is written to a file as it comes.

Fails: whatever goes wrong in here ends this session with 421 and no other; the message is not accepted.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from msgspec import Struct

from byreturn.mail import HOUR, MINUTE, SECOND, Duration, Origin, QueueId, Reply, reply
from byreturn.mail.headers import HEAD_OCTETS
from byreturn.policy import IpNetwork, address_in
from byreturn.ports import ContentWriter, SpoolFault, Stream
from byreturn.protocol import (
    Closing,
    Content,
    Data,
    EndOfContent,
    Hello,
    Mail,
    Question,
    Rcpt,
    Refused,
    Reset,
    Say,
    ServerSession,
    SessionLimits,
)
from byreturn.service.reception import SMALL_OCTETS, Arrival, Door, IsDropped, Reception, RecipientList
from byreturn.service.watch import Wheel

_LINGER: Final[Duration] = 3 * SECOND
_OK: Final = Reply(250, None, ("OK",))
_TIMEOUT: Final = reply(421, "4.4.2", "Waited too long for you; closing")
_SESSION_OVER: Final = reply(421, "4.4.2", "This session has lasted too long; closing")
_STOPPING: Final = reply(421, "4.3.2", "The server is stopping; try again later")
_BUG: Final = reply(421, "4.3.0", "Something went wrong here; nothing was accepted; try again later")


class ListenerSettings(Struct, frozen=True):
    """One listener: its door, the limits of its sessions, whose line ends it mends, and its language."""

    door: Door = Door()
    limits: SessionLimits = SessionLimits()
    normalize_from: tuple[IpNetwork, ...] = ()
    read: Duration = 5 * MINUTE
    session: Duration = 2 * HOUR
    say: Say | None = None


class _Transaction:
    """What MAIL began."""

    __slots__ = ("chunks", "fault", "id", "is_8bit", "mail", "octets", "recipients", "writer")

    def __init__(self, mail: Mail) -> None:
        self.mail = mail
        self.recipients = RecipientList()
        self.id: QueueId | None = None
        self.chunks: list[bytes] = []
        self.octets = 0
        self.is_8bit = False
        self.writer: ContentWriter | None = None
        self.fault: SpoolFault | None = None


class Inbound:
    """Implements `ports.StreamUser` for an accepted connection."""

    def __init__(
        self,
        stream: Stream,
        reception: Reception,
        listener: ListenerSettings,
        wheel: Wheel,
        on_end: Callable[[Inbound], None],
    ) -> None:
        self._stream = stream
        self._reception = reception
        self._listener = listener
        self._clock = wheel.clock
        self._on_end = on_end
        self._session = ServerSession(
            reception.hostname,
            listener.limits,
            normalizes=address_in(stream.peer.address, listener.normalize_from),
            say=listener.say,
        )
        self._is_trusted = reception.trusts(stream.peer)
        self._began_at = wheel.clock.now()
        self._hello = Hello("", extended=False)
        self._transaction: _Transaction | None = None
        self._is_open = True
        self._has_entered = False
        self._is_running = False
        self._watch = wheel.watch(self._on_silence)
        stream.use(self)
        self._greet()

    def _greet(self) -> None:
        peer = self._stream.peer
        greeting = self._reception.enter(peer, self._listener.door)
        self._session.greet(greeting)
        self._stream.write(self._session.take_output())
        if greeting.is_positive:
            self._has_entered = True
            self._watch.set(self._listener.read)
        else:
            self._reception.journal.client_refused(peer, self._listener.door.name, greeting)
            self._hang_up(linger=False)

    # --- The stream -----------------------------------------------------------------------------------

    def on_data(self, data: bytes) -> None:
        """Take octets from the client."""
        if not self._is_open:
            return
        session = self._session
        session.receive(data)
        if session.is_waiting_for_us:
            self._stream.pause()
            return
        self._watch.set(self._listener.read)
        self._run()

    def on_writable(self) -> None:
        """The client reads its replies again."""
        if self._is_open:
            self._stream.resume()

    def on_closed(self, _why: str) -> None:
        """The connection is gone; an open transaction goes with it."""
        self._is_open = False
        self._watch.stop()
        self._drop_transaction()
        if self._has_entered:
            self._has_entered = False
            self._reception.leave(self._stream.peer, self._listener.door)
        self._on_end(self)

    @property
    def is_open(self) -> bool:
        """Whether the dialogue goes on."""
        return self._is_open

    def stop(self) -> None:
        """The server stops: end the session unless an answer is on its way to it."""
        if self._is_open and not self._session.is_waiting_for_us:
            self._say_and_close(_STOPPING)

    def _on_silence(self) -> None:
        if self._session.is_waiting_for_us:
            self._watch.set(self._listener.read)
        else:
            self._say_and_close(_TIMEOUT)

    # --- The dialogue ---------------------------------------------------------------------------------

    def _run(self) -> None:
        """Answer what can be answered now, then send it all in one write."""
        session = self._session
        self._is_running = True
        try:
            while (event := session.next_event()) is not None:
                self._handle(event)
                if not self._is_open:
                    return
        except Exception as bug:  # noqa: BLE001 - a bug of ours costs one session, never the server
            self._reception.journal.fault("session", f"bug: {bug!r}")
            self._say_and_close(_BUG)
            return
        finally:
            self._is_running = False
        output = session.take_output()
        if output and not self._stream.write(output):
            # The client does not read its replies: nothing more is read from it.
            self._stream.pause()
        if self._clock.now() - self._began_at > self._listener.session and not session.is_waiting_for_us:
            self._say_and_close(_SESSION_OVER)

    def _handle(self, event: Question) -> None:
        match event:
            case Content(octets=octets):
                self._take_content(octets)
            case Rcpt():
                self._rcpt(event)
            case Mail():
                self._mail(event)
            case Data():
                self._data()
            case EndOfContent(fault=None):
                self._end_content()
            case Hello():
                self._drop_transaction()
                self._hello = event
                self._session.answer(_OK)
            case Reset() | EndOfContent():
                self._drop_transaction()
            case Refused(command=command, reply=refusal):
                self._reception.journal.refused(self._stream.peer, command, refusal)
            case Closing(violation=violation):
                self._hang_up(linger=violation)

    def _mail(self, asked: Mail) -> None:
        answer = self._reception.mail(asked)
        if answer.is_positive:
            self._transaction = _Transaction(asked)
        else:
            self._reception.journal.refused(self._stream.peer, f"MAIL FROM:<{asked.reverse_path}>", answer)
        self._session.answer(answer)

    def _rcpt(self, asked: Rcpt) -> None:
        assert self._transaction is not None
        answer = self._reception.rcpt(asked, self._transaction.recipients, is_trusted=self._is_trusted)
        if not answer.is_positive:
            self._reception.journal.refused(self._stream.peer, f"RCPT TO:<{asked.forward_path}>", answer)
        self._session.answer(answer)

    # --- The content ----------------------------------------------------------------------------------

    def _data(self) -> None:
        transaction = self._transaction
        assert transaction is not None
        hello = self._hello
        transaction.id, trace, answer = self._reception.begin_content(
            hello.name, self._stream.peer, extended=hello.extended
        )
        transaction.chunks.append(trace)
        transaction.octets = len(trace)
        self._session.answer(answer)

    def _take_content(self, octets: bytes) -> None:
        transaction = self._transaction
        assert transaction is not None
        transaction.octets += len(octets)
        if not transaction.is_8bit and not octets.isascii():
            transaction.is_8bit = True
        if transaction.writer is None:
            transaction.chunks.append(octets)
            if transaction.octets > SMALL_OCTETS:
                self._open_file(transaction)
        else:
            transaction.fault = transaction.fault or transaction.writer.write(octets)

    def _open_file(self, transaction: _Transaction) -> None:
        assert transaction.id is not None
        transaction.writer = self._reception.writer(transaction.id)
        head = b"".join(transaction.chunks)
        transaction.fault = transaction.writer.write(head)
        transaction.chunks = [head[:HEAD_OCTETS]]

    def _end_content(self) -> None:
        transaction, self._transaction = self._transaction, None
        assert transaction is not None
        if transaction.writer is None:
            self._accept(transaction, b"".join(transaction.chunks))
            return
        writer = transaction.writer

        def sealed(fault: SpoolFault | None) -> None:
            if fault is not None:
                self._answer(self._reception.refusal_of(fault))
            else:
                self._accept(transaction, None)

        if transaction.fault is not None:
            writer.abort()
            self._answer(self._reception.refusal_of(transaction.fault))
        else:
            writer.seal(sealed)

    def _accept(self, transaction: _Transaction, content: bytes | None) -> None:
        assert transaction.id is not None

        def answered(answer: Reply, is_dropped: IsDropped) -> None:
            if is_dropped is IsDropped.YES and transaction.writer is not None:
                transaction.writer.abort()
            if not answer.is_positive:
                self._reception.journal.refused(self._stream.peer, "end of content", answer)
            self._answer(answer)

        self._reception.accept(
            Arrival(
                id=transaction.id,
                mail=transaction.mail,
                recipients=transaction.recipients,
                origin=Origin(self._stream.peer.address, self._hello.name, self._listener.door.name),
                head=transaction.chunks[0] if content is None else content,
                octets=transaction.octets,
                is_8bit=transaction.is_8bit,
                content=content,
            ),
            answered,
        )

    def _answer(self, answer: Reply) -> None:
        """Answer the end of content, perhaps long after it was asked, and read on."""
        if not self._is_open or not self._session.is_waiting_for_us:
            return  # The client has gone; whoever has committed by now keeps its promise all the same.
        self._session.answer(answer)
        self._watch.set(self._listener.read)
        self._stream.resume()
        if self._reception.is_draining:
            self._say_and_close(_STOPPING)
        elif not self._is_running:
            # An answer given at once, inside _run, is followed by _run itself: no nesting, however many
            # messages a client pipelines.
            self._run()

    def _drop_transaction(self) -> None:
        transaction, self._transaction = self._transaction, None
        if transaction is not None and transaction.writer is not None:
            transaction.writer.abort()

    # --- The end --------------------------------------------------------------------------------------

    def _say_and_close(self, farewell: Reply) -> None:
        self._session.close(farewell)
        self._hang_up(linger=False)

    def _hang_up(self, *, linger: bool) -> None:
        """Send what is left and close; after a violation the client may still be in full flow."""
        self._is_open = False
        self._drop_transaction()
        output = self._session.take_output()
        if output:
            self._stream.write(output)
        self._watch.stop()
        if linger:
            self._stream.linger(_LINGER)
        else:
            self._stream.close()
