"""A small world for one question: hosts, names and the real desks, built by hand and not from a seed.

    town = Town(); peer = town.partner("partner.example", "127.0.1.1", mood=Mood(takes=SECOND))
    town.start(); town.send("info@partner.example"); town.run(MINUTE)

Mail comes in as the reception brings it, without a client: admitted, stored, begun. `load` stores it as mail
that waits since before the start. The network tells what was dialled and how much is open (`traffic`), the
records what was written, the peers what they have.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from ipaddress import ip_network
from random import Random  # noqa: TID251 - the seed of the world
from typing import Any

from tests.sim.clock import START, VirtualClock
from tests.sim.local import SimMailboxes
from tests.sim.names import Zones
from tests.sim.network import Host, HostState, SimNetwork, Traffic
from tests.sim.peers import Mood, SimPeer
from tests.sim.process import Process
from tests.sim.recording import Record, RecordingSpool
from tests.sim.spools import SqliteMaker

from byreturn.mail import (
    NULL_PATH,
    Destination,
    Duration,
    IdFactory,
    Instant,
    Mailbox,
    Message,
    Origin,
    Priority,
    QueueId,
    Recipient,
)
from byreturn.mail.address import mailbox_from_text
from byreturn.policy import BrakeRules, RetrySchedule, RouteTable, State, Terms, TermsTable, Waiting
from byreturn.ports import Clock, DestinationNews, Endpoint, NewMessage, NewRecipient, Opened, Settling
from byreturn.service import (
    DispatchSettings,
    House,
    HouseSettings,
    ReceptionSettings,
    RelaySettings,
    ReportSettings,
    RouteSettings,
)
from byreturn.store import LocalDirectory, LocalDomain

PORT = 25
_HOSTNAME = "mail.here.example"


class Town:
    """One world. It must be left (`with`), which takes its disk away."""

    def __init__(
        self,
        *,
        terms: Terms | None = None,
        rules: tuple[Terms, ...] = (),
        table: RouteTable | None = None,
        relay: RelaySettings | None = None,
        dispatch: DispatchSettings | None = None,
        brake: BrakeRules | None = None,
    ) -> None:
        self.random = Random(1)
        self.clock = VirtualClock(START)
        self.story: list[str] = []
        self.records: list[Record] = []
        self.network = SimNetwork(self.clock, lambda: 65536)
        self.zones = Zones()
        self.peers: dict[str, SimPeer] = {}
        # Whoever sends has a mailbox for his reports.
        senders = {"sender", "other", "news", *(f"s{number}" for number in range(1000))}
        self.directory = LocalDirectory((LocalDomain(Destination("here.example"), frozenset(senders), {}),))
        self.mailboxes = SimMailboxes(self.directory)
        self.endpoint = Endpoint("127.0.0.1", PORT)
        nets = (ip_network("127.0.0.0/8"),)
        self.settings = HouseSettings(
            reception=ReceptionSettings(_HOSTNAME, nets),
            routes=RouteSettings(_HOSTNAME, PORT, nets),
            relay=relay or RelaySettings(_HOSTNAME),
            terms=TermsTable(terms or Terms(), rules),
            report=ReportSettings(hostname=_HOSTNAME, postmaster=Mailbox("postmaster", "here.example")),
            dispatch=dispatch or DispatchSettings(),
            brake=brake or BrakeRules(),
            table=table or RouteTable(()),
        )
        self._disk = SqliteMaker()
        self._process: Process | None = None
        self._ids = IdFactory(1, QueueId(0))
        # A host may die before or after any call; here nobody does.
        self.failpoint: Callable[[str, str], bool] = lambda operation, when: False

    def __enter__(self) -> Town:
        return self

    def __exit__(self, *_: object) -> None:
        self._disk.remove()

    # --- Who is there ---------------------------------------------------------------------------------

    def host(
        self, name: str, *addresses: str, mood: Mood | None = None, state: HostState = HostState.UP
    ) -> SimPeer:
        """Put up a host at its addresses."""
        peer = self.peers[name] = SimPeer(name, self.clock, self.random, mood or Mood())
        self.zones.addresses[name] = addresses
        for address in addresses:
            self.network.hosts[Endpoint(address, PORT)] = Host(peer.answer, state)
        return peer

    def domain(self, name: str, *hosts: str) -> None:
        """Name the hosts that take a domain's mail, best first."""
        self.zones.mx[name] = tuple((10 * number, host) for number, host in enumerate(hosts, 1))

    def partner(self, name: str, address: str, **how: Any) -> SimPeer:
        """Put up a domain with one host."""
        self.domain(name, f"mx.{name}")
        return self.host(f"mx.{name}", address, **how)

    def set_state(self, address: str, state: HostState) -> None:
        """Change what a dial meets."""
        self.network.hosts[Endpoint(address, PORT)].state = state

    # --- The server -----------------------------------------------------------------------------------

    def start(self) -> None:
        """Start a process on what is on the disk."""
        self._process = Process(self)
        self._process.start()

    def open_spool(self, clock: Clock) -> tuple[Any, Opened]:
        """Open the spool anew."""
        return self._disk.open(clock, 1000)

    @property
    def house(self) -> House:
        """The living process's desks."""
        assert self._process is not None, "nobody lives"
        return self._process.house

    def stop(self) -> None:
        """Stop in good order, as a person does who does not wait for the dead."""
        self.house.stop()
        self.clock.run_now()
        self.crash()

    def crash(self) -> None:
        """Die as by kill -9."""
        assert self._process is not None, "nobody lives"
        self._process.die()
        self._process = None

    def run(self, duration: Duration) -> None:
        """Let time pass."""
        self.clock.advance(duration)

    def at(self, after: Duration, call: Callable[[], Any]) -> None:
        """Do something later."""
        self.clock.call_later(after, call)

    # --- Mail -----------------------------------------------------------------------------------------

    def send(self, *recipients: str, **how: Any) -> Message:
        """Bring a message as the reception does."""
        message, all_recipients, content = self._message(recipients, **how)
        dispatcher = self.house.dispatcher
        admitted = dispatcher.admit(message, all_recipients, content)

        def kept(fault: object) -> None:
            assert fault is None
            dispatcher.begin(admitted)

        self.spool.accept(NewMessage(message, admitted.recipients, content), kept)
        return message

    def load(self, *recipients: str, **how: Any) -> Message:
        """Store a message that waits, and is due."""
        message, all_recipients, content = self._message(recipients, **how)
        waiting = tuple(
            NewRecipient(one, Waiting(message.accepted_at, 0), expires_at=message.expires_at)
            for one in all_recipients
        )
        self.spool.accept(NewMessage(message, waiting, content), lambda _: None)
        return message

    @property
    def spool(self) -> RecordingSpool:
        """The living process's spool."""
        assert self._process is not None, "nobody lives"
        return self._process.recording

    def _message(
        self,
        texts: tuple[str, ...],
        *,
        sender: str = "sender@here.example",
        priority: Priority = Priority.NORMAL,
        octets: int = 0,
        is_bulk: bool = False,
    ) -> tuple[Message, tuple[Recipient, ...], bytes]:
        now = self.clock.now()
        message_id = self._ids.make(now)
        head = f"X-Sim: {message_id}\r\nMessage-ID: <{message_id}@client.example>\r\n\r\n".encode()
        content = head + b"x" * max(0, octets - len(head) - 2) + b"\r\n"
        addresses = [mailbox_from_text(text) for text in texts]
        recipients = tuple(
            Recipient(number, address, address, address.destination)
            for number, address in enumerate(addresses)
        )
        lifetime = RetrySchedule().lifetime(priority)
        message = Message(
            id=message_id,
            reverse_path=mailbox_from_text(sender) if sender else NULL_PATH,
            accepted_at=now,
            expires_at=now + lifetime,
            octets=len(content),
            recipient_count=len(recipients),
            priority=priority,
            origin=Origin("127.0.0.9", "client.example", "in"),
            message_id=f"<{message_id}@client.example>",
            is_bulk=is_bulk,
        )
        return message, recipients, content

    # --- What became of it ----------------------------------------------------------------------------

    @property
    def traffic(self) -> Traffic:
        """What was dialled, and how much is open."""
        return self.network.traffic

    def endpoint_of(self, address: str) -> Endpoint:
        """The endpoint behind an address."""
        return Endpoint(address, PORT)

    def dials(self, address: str, since: Instant = 0) -> list[Instant]:
        """When an address was dialled."""
        return self.traffic.dials_to(self.endpoint_of(address), since)

    def copies(self) -> Counter[tuple[str, str]]:
        """How many copies were taken, by message and recipient."""
        return Counter((one.mark, one.recipient) for peer in self.peers.values() for one in peer.ledger)

    def taken_at(self, message: Message) -> list[Instant]:
        """When peers took copies of a message."""
        mark = str(message.id)
        return sorted(one.at for peer in self.peers.values() for one in peer.ledger if one.mark == mark)

    def settled(self, message: Message | None = None) -> Iterator[tuple[Settling, Instant]]:
        """Outcomes that were kept, of one message or of all."""
        for record in self.records:
            if record.operation == "settle":
                for settling in record.what[0]:
                    if message is None or settling.message_id == message.id:
                        yield settling, record.at

    def news(self) -> Iterator[tuple[DestinationNews, Instant]]:
        """What was written about destinations."""
        for record in self.records:
            if record.operation == "settle":
                for news in record.what[1]:
                    yield news, record.at

    def states(self, message: Message | None = None) -> Counter[type[State]]:
        """How many recipients are in which state on the disk."""
        return Counter(
            type(state)
            for (message_id, _), (state, _) in self._disk.states().items()
            if message is None or message_id == message.id
        )

    def interrupted(self) -> int:
        """How many attempts were written down as interrupted."""
        return len(self._disk.interrupted())
