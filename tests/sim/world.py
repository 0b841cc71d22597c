"""A world in virtual time, made from one number: hosts, names, clients, crashes, and the real server in it.

    seed -> who exists, what moods they have, when mail comes, when hosts die and return, when we crash
         -> run to the end of the faults, then on until everybody's time is over
         -> checkers: one file a law

Everything random comes from the seed, and everything happens in one thread by one clock; so a seed is a
world, and a failure is replayed by running it again: `python -m tests.sim SEED`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from ipaddress import ip_network
from random import Random  # noqa: TID251 - the seed of the world
from typing import Any

from tests.sim.client import Promise, SimClient
from tests.sim.clock import START, VirtualClock
from tests.sim.local import SimMailboxes
from tests.sim.names import Zones
from tests.sim.network import Handshake, Host, HostState, SimNetwork
from tests.sim.peers import Mood, SimPeer
from tests.sim.process import Process
from tests.sim.recording import Record
from tests.sim.spools import Key, SpoolMaker

from byreturn.mail import (
    DAY,
    HOUR,
    MINUTE,
    SECOND,
    Destination,
    Instant,
    Mailbox,
    QueueId,
    iso_date,
)
from byreturn.policy import Expired, State, Terms, TermsTable, TlsLevel
from byreturn.ports import Clock, Endpoint, NewMessage, Opened, OwedReport, ReportKind, Settling
from byreturn.service import (
    HouseSettings,
    ReceptionSettings,
    RelaySettings,
    ReportSettings,
    RouteSettings,
)
from byreturn.store import LocalDirectory, LocalDomain

PORT = 25
# A world of this size needs 30,000 to 150,000 events; one that goes round in circles needs more.
EVENTS_LIMIT = 250_000
SENDER = "sender@here.example"
_MOODS: dict[str, Mood] = {
    "plain": Mood(),
    "old": Mood(pipelining=False, takes_8bit=False),
    "modern": Mood(dsn=True),
    "grey": Mood(greylists=True),
    "few": Mood(too_many_after=2),
    "lossy": Mood(loses_reply=0.3),
    "forgetful": Mood(loses_reply=0.3, keeps_lost=False),
    "policy": Mood(reply_to_end="554 5.7.1 not wanted here"),
    "strict": Mood(reply_to_mail="550 5.7.1 go away"),
    "busy": Mood(greeting="421 4.3.2 too busy"),
    "mute": Mood(silent_after="connect"),
    "mute-greeting": Mood(silent_after="greeting"),
    "mute-rcpt": Mood(silent_after="rcpt"),
    "mute-data": Mood(silent_after="data"),
    "quitter": Mood(close_after="rcpt"),
}
# Beside the moods, and drawn apart, so that a seed's world is the same one with TLS in it.
_TLS_MOODS: dict[str, dict[str, Any]] = {
    "none": {},
    "works": {"starttls": "220 2.0.0 go"},
    "nobody's": {"starttls": "220 2.0.0 go", "handshake": Handshake.WORKS_FOR_A_STRANGER},
    "fails": {"starttls": "220 2.0.0 go", "handshake": Handshake.FAILS},
    "never-ends": {"starttls": "220 2.0.0 go", "handshake": Handshake.NEVER_ENDS},
    "not-now": {"starttls": "454 4.7.0 TLS not available"},
    "never": {"starttls": "554 5.7.3 no TLS today"},
    "leaves": {"starttls": "421 4.7.0 no TLS, and no mail either", "close_after": "starttls"},
    "hangs-up": {"starttls": "220 2.0.0 go", "close_after": "starttls"},
    "injected": {"starttls": "inject"},
}
# In turns, so that a few worlds see all of them.
_TLS_LEVELS = (*TlsLevel, TlsLevel.OPPORTUNISTIC, TlsLevel.OPPORTUNISTIC)
_PERMANENT = frozenset({"policy", "strict"})
_LOCAL_PARTS = ("info", "sales", "office", "unknown", "unknown.too", "full")


class Simulation:
    """One world."""

    def __init__(self, seed: int, make_spool: SpoolMaker, *, messages: int = 15, crashes: int = 3) -> None:
        self.seed = seed
        self.random = Random(seed)
        self._tls_random = Random(f"TLS in world {seed}")
        self.tls = _TLS_LEVELS[seed % len(_TLS_LEVELS)]
        self.clock = VirtualClock(START)
        self.story: list[str] = []
        self.records: list[Record] = []
        self.promises: list[Promise] = []
        self.endpoint = Endpoint("127.0.0.1", PORT)
        self.sender = SENDER
        self.gather = self.random.choice((0, SECOND, SECOND, 5 * SECOND))
        self._make_spool = make_spool
        self.network = SimNetwork(self.clock, lambda: self.random.choice((1, 7, 200, 65536, 65536, 65536)))
        self.zones = Zones()
        self.peers: dict[str, SimPeer] = {}
        self.moods: dict[str, str] = {}
        self.directory = LocalDirectory(
            (
                LocalDomain(
                    Destination("here.example"),
                    frozenset({"sender", "info", "sales"}),
                    {"office": ("info", "sales"), "outside": ("info@d0.example",)},
                ),
            )
        )
        self.mailboxes = SimMailboxes(self.directory)
        self.settings = HouseSettings(
            reception=ReceptionSettings("mail.here.example", (ip_network("127.0.0.0/8"),)),
            routes=RouteSettings("mail.here.example", PORT, (ip_network("127.0.0.0/8"),)),
            relay=RelaySettings("mail.here.example"),
            terms=TermsTable(Terms(connections=self.random.choice((1, 3, 20)), tls=self.tls)),
            report=ReportSettings(
                hostname="mail.here.example", postmaster=Mailbox("postmaster", "here.example")
            ),
        )
        self.process: Process | None = None
        self._crashes_left = crashes
        self._crash_chance = 0.0 if not crashes else self.random.choice((0.002, 0.01, 0.03))
        self._down: list[tuple[Instant, Instant]] = []
        self._faults_end = START + 12 * HOUR
        self._make_hosts()
        self._plan_mail(messages)

    # --- Making it ------------------------------------------------------------------------------------

    def _make_hosts(self) -> None:
        random = self.random
        for number in range(random.randint(4, 9)):
            domain, host = f"d{number}.example", f"mx{number}.example"
            address = f"127.0.1.{number + 1}"
            mood = random.choice(sorted(_MOODS))
            tls_mood = self._tls_random.choice((*_TLS_MOODS, "works", "works", "nobody's", "nobody's"))
            peer = SimPeer(host, self.clock, random, replace(_MOODS[mood], **_TLS_MOODS[tls_mood]))
            self.peers[domain] = peer
            self.moods[domain] = mood
            records = [(10, host)]
            if random.random() < 0.3:
                records.insert(0, (5, "backup-of-nothing.example"))
            self.zones.mx[domain] = tuple(records)
            self.zones.addresses[host] = (address,)
            there = self.network.hosts[Endpoint(address, PORT)] = Host(peer.answer)
            if random.random() < 0.4:
                self._plan_outages(there)
            if random.random() < 0.2:
                self._plan_dns_trouble(domain)
        self.zones.mx["null.example"] = ((0, ""),)
        self.zones.mx["loop.example"] = ((10, "mail.here.example"),)
        self.zones.mx["gone-hosts.example"] = ((10, "gone.example"), (20, "gone-too.example"))
        self.zones.addresses["bare.example"] = ("127.0.1.1",)
        self.zones.addresses["private.example"] = ("10.1.2.3",)

    def _plan_outages(self, host: Host) -> None:
        at = START
        while True:
            at += self.random.randint(MINUTE, 4 * HOUR)
            if at >= self._faults_end:
                break
            state = self.random.choice((HostState.REFUSING, HostState.BLACK_HOLE))
            self._at(at, lambda state=state: setattr(host, "state", state))  # type: ignore[misc]
            at += self.random.randint(MINUTE, 6 * HOUR)
            self._at(at, lambda: setattr(host, "state", HostState.UP))

    def _plan_dns_trouble(self, domain: str) -> None:
        begin = START + self.random.randint(0, 4 * HOUR)
        self._at(begin, lambda: self.zones.broken.add(domain))
        self._at(begin + self.random.randint(MINUTE, 4 * HOUR), lambda: self.zones.broken.discard(domain))

    def _plan_mail(self, messages: int) -> None:
        domains = [
            *self.peers, *self.peers, "here.example", "here.example", "typo.example", "null.example",
            "loop.example", "gone-hosts.example", "bare.example",
        ]  # fmt: skip
        for number in range(messages):
            recipients = tuple(
                dict.fromkeys(
                    f"{self.random.choice(_LOCAL_PARTS)}@{self.random.choice(domains)}"
                    for _ in range(self.random.choice((1, 1, 2, 3, 4, 8)))
                )
            )
            notify = self.random.choice(("", "", "", "NEVER", "SUCCESS,FAILURE", "FAILURE", "SUCCESS"))
            sender = self.random.choice((SENDER, SENDER, SENDER, ""))
            promise = Promise(f"m{number}", sender, recipients, notify)
            self._at(START + self.random.randint(0, 8 * HOUR), lambda promise=promise: self._send(promise))  # type: ignore[misc]

    def _at(self, at: Instant, call: Callable[[], Any]) -> None:
        self.clock.call_later(at - self.clock.now(), call)

    def _send(self, promise: Promise) -> None:
        if self.process is None:
            self.clock.call_later(MINUTE, lambda: self._send(promise))
            return
        self.promises.append(promise)
        near = Endpoint("127.0.0.9", self.network.next_port())
        stream = self.process.accept(near, self)
        SimClient(stream, promise, self.clock, pipelines=self.random.random() < 0.5, done=lambda _: None)

    # --- Running --------------------------------------------------------------------------------------

    def run(self) -> None:
        """Run until everybody's lifetime is over."""
        self._start()
        end = self._faults_end + 8 * DAY
        done = 0
        while self.clock.now() < end:
            done += self.clock.run_until(min(end, self.clock.now() + HOUR))
            assert done < EVENTS_LIMIT, "the world does not come to rest: something is done over and over"

    def _start(self) -> None:
        self.process = Process(self)
        self.process.start()

    def failpoint(self, operation: str, when: str) -> bool:
        """Whether to die here; then it has happened already when this returns."""
        if not self._crashes_left or self.clock.now() > self._faults_end:
            return False
        if self.random.random() >= self._crash_chance:
            return False
        self._crashes_left -= 1
        now = self.clock.now()
        pause = self.random.choice((10, SECOND, MINUTE, HOUR))
        self.story.append(f"{iso_date(now)} CRASH {when} {operation}; down for {pause} ms")
        assert self.process is not None, "only a living process reaches a failpoint"
        self.process.die()
        self.process = None
        self._down.append((now, now + pause))
        self.clock.call_later(pause, self._start)
        return True

    def open_spool(self, clock: Clock) -> tuple[Any, Opened]:
        """Open the spool anew: what was committed is there."""
        return self._make_spool.open(clock, self.gather)

    # --- What the checkers ask ------------------------------------------------------------------------

    def accepted(self) -> Iterator[NewMessage]:
        """Every stored message, reports included."""
        for record in self.records:
            if record.operation == "accept":
                yield record.what
            elif record.operation == "report" and record.result is True and record.what[1] is not None:
                yield record.what[1]

    def settled(self) -> Iterator[tuple[Settling, Instant]]:
        """Every outcome that was kept, and when."""
        for record in self.records:
            if record.operation == "settle":
                lost = set(record.result.lost)
                for settling in record.what[0]:
                    if (settling.message_id, settling.ordinal) not in lost:
                        yield settling, record.at

    def reported(self, kind: ReportKind = ReportKind.REPORT) -> Iterator[tuple[OwedReport, Instant]]:
        """Every report of a kind that was queued, and when."""
        for record in self.records:
            if record.operation == "report" and record.result is True and record.what[1] is not None:
                owed: OwedReport = record.what[0]
                if owed.kind is kind:
                    yield owed, record.at

    def final_states(self) -> dict[Key, State]:
        """The state of every recipient as the spool has it now."""
        return {key: state for key, (state, _) in self._make_spool.states().items()}

    def expired_states(self) -> dict[Key, Instant]:
        """Who expired, and when."""
        return {
            key: at for key, (state, at) in self._make_spool.states().items() if isinstance(state, Expired)
        }

    def interrupted(self) -> set[Key]:
        """Whose attempts a crash cut off."""
        return self._make_spool.interrupted()

    def mark_of(self, new: NewMessage) -> str:
        """The mark of a message, by its Message-ID."""
        found = new.message.message_id
        return found[1:].partition("@")[0] if found.endswith("@client.example>") else "(report)"

    def mark_in(self, content: bytes) -> str:
        """The mark of the message that a report is about."""
        at = content.find(b"In-Reply-To: <") + len(b"In-Reply-To: <")
        return content[at : content.index(b"@", at)].decode()

    def messages_by_mark(self) -> dict[str, QueueId]:
        """Stored messages by their marks."""
        return {self.mark_of(new): new.message.id for new in self.accepted()}

    def copies(self) -> Counter[tuple[str, str]]:
        """How many copies of each message the peers took for each recipient."""
        counted: Counter[tuple[str, str]] = Counter()
        for peer in self.peers.values():
            for copy in peer.ledger:
                counted[copy.mark, copy.recipient] += 1
        return counted

    def refused_at(self, address: Mailbox) -> list[Instant]:
        """When a peer answered 550 to an address."""
        return [at for peer in self.peers.values() for at in peer.refused_at.get(str(address), ())]

    def refuses(self, destination: str) -> bool:
        """Whether a destination's host refuses everything."""
        return self.moods.get(destination) in _PERMANENT or destination == "bare.example"

    def time_down_between(self, begin: Instant, end: Instant) -> int:
        """How long the server was down in a span; at least 1 if it crashed in it."""
        return sum(
            max(1, min(end, up) - max(begin, down)) for down, up in self._down if down < end and up > begin
        )
