"""Reception: taking responsibility for a message, or saying in a person's words why not.

    who may come in   connections in all and per client; nobody while the server drains
    MAIL              is there room, is the disk keeping up
    RCPT              our own mailbox | anywhere, for our own networks | no relay for strangers
    end of content    hops, then one commit, then 250 with our id

COMMIT POINT: the spool's callback in `accept`. Before it we owe nothing and the client tries again; after it
we owe delivery or a report to every recipient, and only then is 250 said.

Strangers' mail for unknown mailboxes is refused at RCPT, so that it makes no report to a forged sender. Our
own networks get 250 and a report, because a program's dialogue box loses the whole message; a setting
refuses there too.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from enum import Enum
from typing import Final

from msgspec import Struct

from byreturn.mail import (
    SECOND,
    BodyType,
    Duration,
    IdFactory,
    Instant,
    Mailbox,
    Message,
    Notify,
    NullPath,
    Origin,
    QueueId,
    Recipient,
    Reply,
    id_text,
    read_facts,
    reply,
    rfc5322_date,
    trace_line,
)
from byreturn.policy import IpNetwork, RetrySchedule, address_in
from byreturn.ports import (
    ContentWriter,
    Elsewhere,
    Endpoint,
    Here,
    NewMessage,
    NotHere,
    SpoolFault,
    World,
)
from byreturn.protocol import Mail, Rcpt, RcptParameters
from byreturn.service.dispatch import Dispatcher
from byreturn.service.hearing import Hearing

# A content up to this size stays in memory and in the database; a larger one gets a file of its own.
SMALL_OCTETS: Final = 64 * 1024
_SPOOL_PATIENCE: Final[Duration] = 5 * SECOND
_OK: Final = reply(250, "2.1.0", "OK")
_RCPT_OK: Final = reply(250, "2.1.5", "OK")
_GO_ON: Final = reply(354, "", "Go ahead; end with CRLF.CRLF")
_NO_ROOM: Final = reply(452, "4.3.1", "No room left for mail at the moment; try again later")
_BUSY: Final = reply(451, "4.3.2", "The mail store does not keep up at the moment; try again later")
_FAULT: Final = reply(451, "4.3.0", "The message could not be kept; try again later")
_DRAINING: Final = reply(421, "4.3.2", "The server is stopping; try again later")
_TOO_MANY: Final = reply(421, "4.7.0", "Too many connections; try again later")
_TOO_MANY_OF_YOU: Final = reply(421, "4.7.0", "Too many connections from your address; try again later")
_TOO_MANY_HOPS: Final = reply(
    554, "5.4.6", "The message has gone through too many servers; it is going in a circle"
)
_TOO_MANY_MEMBERS: Final = reply(452, "4.5.3", "Too many recipients; send the rest in another message")


class ReceptionSettings(Struct, frozen=True):
    """Who may come in and how much may be brought."""

    hostname: str
    relay_allow: tuple[IpNetwork, ...] = ()
    refuse_unknown_recipients: bool = False
    recipients: int = 1000
    hops: int = 100


class Door(Struct, frozen=True):
    """A listener's bounds: connections in all, and of one client."""

    name: str = "smtp"
    connections: int = 1000
    connections_per_client: int = 50


class IsDropped(Enum):
    """Whether the spool has a message: after an ambiguous fault nobody knows before the next start."""

    YES = "yes"
    NO = "no"
    UNKNOWN = "unknown"


class RecipientList:
    """The recipients of a transaction: each address once, whatever it was reached through.

    `expanded` holds the ordinal of the first member of each alias whose expansion is to be reported.
    """

    __slots__ = ("all", "expanded")

    def __init__(self) -> None:
        self.all: dict[Mailbox, Recipient] = {}
        self.expanded: list[int] = []

    def add(self, given: Mailbox, members: tuple[Mailbox, ...], parameters: RcptParameters) -> None:
        """Add what a forward path stands for."""
        notify = parameters.notify
        if len(members) > 1 and notify & Notify.SUCCESS:
            # RFC 3461 section 5.2.7.2: one "expanded" report instead of a success for each member. Of
            # failures the sender hears as before, if he asked for that.
            notify = (notify & ~Notify.SUCCESS) or Notify.NEVER
            if members[0] not in self.all:
                self.expanded.append(len(self.all))
        for member in members:
            if member not in self.all:
                self.all[member] = Recipient(
                    len(self.all), member, given, member.destination, notify, parameters.orcpt
                )


class Arrival(Struct, frozen=True, kw_only=True):
    """A whole message at the end of its transaction. `content` is None when it is sealed in a file."""

    id: QueueId
    mail: Mail
    recipients: RecipientList
    origin: Origin
    head: bytes
    octets: int
    is_8bit: bool
    content: bytes | None


class Reception:
    """The desk that accepts messages; one for all listeners."""

    def __init__(
        self,
        settings: ReceptionSettings,
        schedule: RetrySchedule,
        world: World,
        dispatcher: Dispatcher,
        hearing: Hearing,
        ids: IdFactory,
    ) -> None:
        self._hearing = hearing
        self._settings = settings
        self._schedule = schedule
        self._clock = world.clock
        self._spool = world.spool
        self._directory = world.directory
        self.journal = world.journal
        self._dispatcher = dispatcher
        self._ids = ids
        self._per_door: Counter[str] = Counter()
        self._per_client: Counter[tuple[str, str]] = Counter()
        self._is_draining = False
        self._date: tuple[Instant, str] = (0, "")
        self._greeting = Reply(220, None, (f"{settings.hostname} ESMTP ByReturn",))

    # --- Coming and going -----------------------------------------------------------------------------

    def drain(self) -> None:
        """Let nobody in any more."""
        self._is_draining = True

    @property
    def is_draining(self) -> bool:
        """Whether new transactions are put off."""
        return self._is_draining

    def enter(self, client: Endpoint, door: Door) -> Reply:
        """Greet a client, or send it away at once, before any look-up."""
        if self._is_draining:
            return _DRAINING
        if self._per_door[door.name] >= door.connections:
            return _TOO_MANY
        if self._per_client[door.name, client.address] >= door.connections_per_client:
            return _TOO_MANY_OF_YOU
        self._per_door[door.name] += 1
        self._per_client[door.name, client.address] += 1
        return self._greeting

    def leave(self, client: Endpoint, door: Door) -> None:
        """A client that had entered is gone."""
        self._per_door[door.name] -= 1
        key = (door.name, client.address)
        self._per_client[key] -= 1
        if not self._per_client[key]:
            del self._per_client[key]

    def trusts(self, client: Endpoint) -> bool:
        """Whether a client is in one of our own networks."""
        return address_in(client.address, self._settings.relay_allow)

    # --- The envelope ---------------------------------------------------------------------------------

    def mail(self, asked: Mail) -> Reply:
        """Answer MAIL."""
        if self._is_draining:
            return _DRAINING
        if not self._spool.has_room(asked.parameters.size or 0):
            return _NO_ROOM
        if self._spool.pressure() > _SPOOL_PATIENCE:
            return _BUSY
        return _OK

    def rcpt(self, asked: Rcpt, recipients: RecipientList, *, is_trusted: bool) -> Reply:
        """Answer RCPT, and add to the transaction's recipients what it stands for."""
        given = asked.forward_path
        if not given.domain:
            given = Mailbox(given.local, self._directory.primary_domain)
        members: tuple[Mailbox, ...] = (given,)
        match self._directory.find(given):
            case Here(members=members):
                pass
            case NotHere() if not is_trusted or self._settings.refuse_unknown_recipients:
                return reply(
                    550, "5.1.1", "<{address}> No such mailbox here; check the spelling", address=given
                )
            case Elsewhere() if not is_trusted:
                return reply(
                    550,
                    "5.7.1",
                    "<{address}> Relaying denied; mail is taken for our own domains only",
                    address=given,
                )
            case _:
                pass
        if recipients.all and len(recipients.all) + len(members) > self._settings.recipients:
            return _TOO_MANY_MEMBERS
        recipients.add(given, members, asked.parameters)
        return _RCPT_OK

    def refusal_of(self, fault: SpoolFault) -> Reply:
        """What a client hears of a fault of ours: bland on the wire, in full in the journal."""
        self.journal.fault("reception", fault.why)
        return _NO_ROOM if fault.is_full else _FAULT

    @property
    def hostname(self) -> str:
        """What we call ourselves."""
        return self._settings.hostname

    # --- The content ----------------------------------------------------------------------------------

    def begin_content(self, hello: str, client: Endpoint, *, extended: bool) -> tuple[QueueId, bytes, Reply]:
        """Number a message and write its trace line; then 354."""
        now = self._clock.now()
        message_id = self._ids.make(now)
        trace = trace_line(
            hello=hello,
            address=client.address,
            by=self._settings.hostname,
            # RFC 3848
            protocol="ESMTP" if extended else "SMTP",
            ident=id_text(message_id),
            date=self._date_of(now),
        )
        return message_id, trace, _GO_ON

    def _date_of(self, now: Instant) -> str:
        second = now // SECOND
        if self._date[0] != second:
            self._date = (second, rfc5322_date(now))
        return self._date[1]

    def writer(self, message_id: QueueId) -> ContentWriter:
        """Begin a file for a content that has outgrown memory."""
        return self._spool.content_writer(message_id)

    def accept(self, arrival: Arrival, done: Callable[[Reply, IsDropped], None]) -> None:
        """Keep a whole message; `done` gets the reply to the end of content.

        It also hears whether the message is certainly not kept: after an ambiguous fault it may be, and
        its content must stay.
        """
        facts = read_facts(arrival.head)
        # One of them is ours.
        if facts.received_count - 1 > self._settings.hops:
            done(_TOO_MANY_HOPS, IsDropped.YES)
            return
        now = self._clock.now()
        message = Message(
            id=arrival.id,
            reverse_path=arrival.mail.reverse_path,
            accepted_at=now,
            expires_at=now + self._schedule.lifetime(facts.priority),
            octets=arrival.octets,
            recipient_count=len(arrival.recipients.all),
            body=BodyType.EIGHT_BIT if arrival.is_8bit else BodyType.SEVEN_BIT,
            ret=arrival.mail.parameters.ret,
            envid=arrival.mail.parameters.envid,
            priority=facts.priority,
            origin=arrival.origin,
            message_id=facts.message_id,
            subject=facts.subject,
            is_bulk=facts.is_bulk,
        )
        recipients = tuple(arrival.recipients.all.values())
        admitted = self._dispatcher.admit(message, recipients, arrival.content)

        def kept(fault: SpoolFault | None) -> None:
            if fault is not None:
                self._dispatcher.dismiss(admitted)
                done(self.refusal_of(fault), IsDropped.UNKNOWN if fault.is_ambiguous else IsDropped.YES)
                return
            self.journal.accepted(message, message.recipient_count)
            done(reply(250, "2.0.0", "Kept as {id}", id=id_text(message.id)), IsDropped.NO)
            self._dispatcher.begin(admitted)
            self._hearing.hear(message, recipients, arrival.content, head=arrival.head)

        expanded = () if isinstance(message.reverse_path, NullPath) else tuple(arrival.recipients.expanded)
        new = NewMessage(message, admitted.recipients, arrival.content, expanded)
        self._spool.accept(new, kept)
