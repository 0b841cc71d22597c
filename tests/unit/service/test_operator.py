"""The operator's desk, on simulated ports: what it answers, what it does, and to whom it tells it."""

from __future__ import annotations

import json
from ipaddress import ip_network

import pytest
from tests.sim.clock import VirtualClock
from tests.sim.local import SimJournal, SimMailboxes
from tests.sim.model_spool import Disk, ModelSpool
from tests.sim.names import Lie, SimResolver, Zones
from tests.sim.network import SimDialer, SimNetwork
from tests.sim.spools import InlineWorker

from byreturn.config import COPY_CLASSES
from byreturn.mail import (
    DAY,
    HOUR,
    MINUTE,
    SECOND,
    IdFactory,
    Mailbox,
    Message,
    Notify,
    Origin,
    QueueId,
    Recipient,
    mailbox_from_text,
    normal_domain,
)
from byreturn.policy import BrakeCause, BrakeRules, Failed, Waiting
from byreturn.ports import NewMessage, SpoolFault, World
from byreturn.service import (
    House,
    HouseSettings,
    ReceptionSettings,
    RelaySettings,
    ReportSettings,
    RouteSettings,
)
from byreturn.service.operator import NAME_LIMIT, WHY_LIMIT, NotUnderstood, read_request
from byreturn.store import LocalDirectory, LocalDomain
from byreturn.telemetry import Meter

HERE = "here.example"
POSTMASTER = Mailbox("postmaster", HERE)
NOBODY = "nobody@gone.example"
CAROL = "carol@silent.example"


class Entropy:
    """No chance."""

    def lot(self) -> float:
        return 0.5

    def token(self) -> str:
        return "token"


class Server:
    """A house with nobody outside: names are looked up, and nothing is ever delivered."""

    def __init__(self, disk: Disk | None = None, clock: VirtualClock | None = None) -> None:
        self.clock = clock or VirtualClock()
        self.zones = Zones(broken={"silent.example"})
        self.disk = disk or Disk()
        self.story: list[str] = []
        self.spool = ModelSpool(self.disk, self.clock)
        directory = LocalDirectory((LocalDomain(normal_domain(HERE), frozenset({"ann", "postmaster"}), {}),))
        world = World(
            clock=self.clock,
            entropy=Entropy(),
            spool=self.spool,
            epoch=self.spool.epoch,
            resolver=SimResolver(self.zones, self.clock),
            dialer=SimDialer(SimNetwork(self.clock, lambda: 65536), self.clock, lambda _: None),
            directory=directory,
            mailboxes=SimMailboxes(directory).of(self.clock),
            journal=SimJournal(self.clock, self.story),
            meter=Meter(COPY_CLASSES),
            is_own=lambda _: False,
            aside=InlineWorker(),
            read_foreign=lambda _: None,
        )
        settings = HouseSettings(
            reception=ReceptionSettings(f"mail.{HERE}", (ip_network("127.0.0.0/8"),)),
            routes=RouteSettings(f"mail.{HERE}"),
            relay=RelaySettings(f"mail.{HERE}", connections=70),
            report=ReportSettings(hostname=f"mail.{HERE}", postmaster=POSTMASTER),
            brake=BrakeRules(denied_destinations=1000),
        )
        self.house = House(settings, world, self.spool.opened)
        self.ids = IdFactory(0, self.spool.opened.floor)
        self.house.start()
        self.clock.run_now()

    def again(self) -> Server:
        """Kill it, and start another one on the same disk."""
        self.spool.die()
        self.clock.forget_all()
        return Server(self.disk, self.clock)

    def send(self, *to: str) -> QueueId:
        """Let a message come in."""
        now = self.clock.now()
        message = Message(
            id=self.ids.make(now),
            reverse_path=Mailbox("ann", HERE),
            accepted_at=now,
            expires_at=now + 5 * DAY,
            octets=4,
            recipient_count=len(to),
            origin=Origin("127.0.0.1", "client.example", "smtp"),
            message_id="<1@here.example>",
            subject="",
        )
        addresses = [mailbox_from_text(one) for one in to]
        recipients = [
            Recipient(ordinal, one, one, normal_domain(one.domain), Notify.ABSENT)
            for ordinal, one in enumerate(addresses)
        ]
        admitted = self.house.dispatcher.admit(message, recipients, b"x\r\n\r\n")
        new = NewMessage(message, admitted.recipients, b"x\r\n\r\n")

        def accepted(fault: SpoolFault | None) -> None:
            assert fault is None
            self.house.dispatcher.begin(admitted)

        self.spool.accept(new, accepted)
        self.clock.advance(SECOND)
        return message.id

    def state(self, message_id: QueueId) -> object:
        return self.disk.lives[message_id][0].state

    def ask(self, line: bytes | str | dict[str, str], who: str = "ann") -> dict[str, object]:
        """Ask the desk, and wait for its commit, but not for the time to pass."""
        if isinstance(line, dict):
            line = json.dumps(line)
        answers: list[bytes] = []
        self.house.operator.hear(line.encode() if isinstance(line, str) else line, who, answers.append)
        self.clock.run_now()
        (answer,) = answers
        assert answer.endswith(b"\n")
        assert answer.count(b"\n") == 1
        return json.loads(answer)

    def told(self, fact: str) -> list[str]:
        """What the journal heard of a fact."""
        return [line.partition(f" {fact} ")[2] for line in self.story if f" {fact} " in line]

    def lie(self) -> None:
        self.zones.lies = {"ns": Lie.DENIES_ALL}

    def tell_the_truth(self) -> None:
        self.zones.lies = {}


@pytest.fixture
def server() -> Server:
    return Server()


# --- What is understood -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        (b"", "truncated"),
        (b"brake", "malformed"),
        (b"[]", "Expected `object`"),
        (b"{}", "missing required field `do`"),
        (b'{"do":"dance"}', "Invalid value 'dance' - at `$.do`"),
        (b'{"do":"status","verbose":true}', "unknown field `verbose`"),
        (b'{"do":"engage_brake"}', "missing required field `why`"),
        (b'{"do":"engage_brake","why":""}', "length >= 1 - at `$.why`"),
        (b'{"do":"engage_brake","why":"  "}', "why must be printable text"),
        (b'{"do":"engage_brake","why":"a\\u001bb"}', "why must be printable text"),
        (b'{"do":"engage_brake","why":"' + b"x" * (WHY_LIMIT + 1) + b'"}', f"length <= {WHY_LIMIT}"),
        (b'{"do":"engage_brake","why":7}', "Expected `str`, got `int`"),
        (b'{"do":"retry","destination":"' + b"x" * (NAME_LIMIT + 1) + b'"}', f"length <= {NAME_LIMIT}"),
        (b'{"do":"retry","destination":"a\\nb"}', "destination must be printable text"),
        (b'{"do":"retry","destination":"\xff"}', ""),
        (b'{"do":"' + b"\xc3\xa9" * 20_000 + b'"}', "..."),
        (b"[" * 60_000, ""),
    ],
)
def test_what_is_not_understood_is_told_and_changes_nothing(server, line, complaint):
    answer = server.ask(line)
    assert answer["answer"] == "not_understood"
    assert complaint in answer["why"]
    assert answer["why"].endswith("Nothing was done.")
    assert len(answer["why"]) < 400
    assert server.told("operator_acted") == []


def test_a_request_may_stand_in_any_order_and_with_spaces():
    assert not isinstance(read_request(b' { "why" : "x" , "do" : "engage_brake" } '), NotUnderstood)


# --- Looking ------------------------------------------------------------------------------------------


def test_a_quiet_server(server):
    assert server.ask({"do": "status"}) == {
        "answer": "status", "brake": None, "connections": 0, "connections_unproven": 0,
        "connections_limit": 70, "active_recipients": 0, "failing_destinations": 0,
    }  # fmt: skip
    assert server.told("operator_acted") == [], "looking is no act"


def test_its_numbers(server):
    answer = server.ask({"do": "metrics"})
    assert answer["answer"] == "metrics"
    assert 'ndr_latency_seconds_count{step="durable"} 0.0\n' in answer["text"]


def test_a_server_in_trouble(server):
    server.send(CAROL)
    server.lie()
    server.send(NOBODY)
    since = server.clock.now()
    status = server.ask({"do": "status"})
    assert status["failing_destinations"] == 2
    assert status["brake"]["cause"] == "lie"
    assert status["brake"]["held"] == 1
    assert since - SECOND <= status["brake"]["since"] <= since
    assert "the root of the DNS does not exist" in status["brake"]["why"]


# --- The brake ----------------------------------------------------------------------------------------


def test_what_was_held_is_judged_anew_when_a_person_releases_the_brake(server):
    server.lie()
    held = server.send(NOBODY)
    assert isinstance(server.state(held), Waiting)
    server.tell_the_truth()
    assert server.ask({"do": "release_brake"}, who="bob") == {"answer": "done", "destinations": 1, "but": ""}
    assert server.disk.brake is None
    server.clock.advance(SECOND)
    assert isinstance(server.state(held), Failed)
    assert server.told("operator_acted") == ["bob released the brake "]
    assert server.told("brake_released") == ["bob released it 1"]


def test_the_same_after_a_restart(server):
    server.lie()
    held = server.send(NOBODY)
    server = server.again()
    assert server.ask({"do": "status"})["brake"]["held"] == 1
    assert server.ask({"do": "release_brake"})["destinations"] == 1
    server.clock.advance(SECOND)
    assert isinstance(server.state(held), Failed)


def test_a_lie_that_goes_on_puts_the_brake_on_again(server):
    server.lie()
    held = server.send(NOBODY)
    server.ask({"do": "release_brake"})
    server.clock.advance(SECOND)
    assert isinstance(server.state(held), Waiting)
    assert server.ask({"do": "status"})["brake"]["cause"] == "lie"


def test_a_brake_that_is_off_cannot_be_released(server):
    assert server.ask({"do": "release_brake"}) == {"answer": "nothing_to_do", "why": "the brake is off"}
    assert server.told("operator_acted") == []


def test_what_a_person_engaged_only_a_person_releases(server):
    assert server.ask({"do": "engage_brake", "why": " our resolver moves "})["answer"] == "done"
    assert server.disk.brake.cause is BrakeCause.PERSON
    assert server.disk.brake.why == "ann: our resolver moves"
    assert server.told("operator_acted") == ["ann engaged the brake our resolver moves"]
    held = server.send(NOBODY)
    server.clock.advance(2 * HOUR)
    server = server.again()
    server.clock.advance(2 * HOUR)
    assert isinstance(server.state(held), Waiting)
    assert server.ask({"do": "status"})["brake"]["cause"] == "person"
    again = server.ask({"do": "engage_brake", "why": "twice"})
    assert again == {
        "answer": "nothing_to_do",
        "why": "the brake is on already (ann: our resolver moves)",
    }
    assert server.ask({"do": "release_brake"})["destinations"] == 1
    server.clock.advance(SECOND)
    assert isinstance(server.state(held), Failed)


def test_a_person_can_take_over_a_brake_that_is_on(server):
    server.lie()
    server.send(NOBODY)
    since = server.ask({"do": "status"})["brake"]["since"]
    assert server.ask({"do": "engage_brake", "why": "I look into it"})["destinations"] == 1
    server.tell_the_truth()
    server.clock.advance(HOUR)
    brake = server.ask({"do": "status"})["brake"]
    assert (brake["since"], brake["cause"]) == (since, "person")


def test_a_lie_ends_by_itself(server):
    """So that a person need not get up at night."""
    server.lie()
    held = server.send(NOBODY)
    server.tell_the_truth()
    server.clock.advance(2 * MINUTE)
    assert server.ask({"do": "status"})["brake"] is None
    assert isinstance(server.state(held), Failed)


def test_what_cannot_be_written_down_is_done_and_said(server):
    server.spool.before = lambda name, _: SpoolFault("no room left") if name == "set_brake" else None
    answer = server.ask({"do": "engage_brake", "why": "x"})
    assert answer["answer"] == "done"
    assert answer["but"] == "it is not written down, and a restart forgets it: no room left"
    assert server.house.brake.is_on
    assert server.told("fault") == ["brake no room left"]


# --- A destination ------------------------------------------------------------------------------------


def tries(server: Server, message_id: QueueId) -> int:
    return len(server.disk.history[message_id])


def test_a_destination_that_does_not_answer_is_tried_now_once_for_all(server):
    first = server.send(CAROL)
    others = [server.send("dave@silent.example") for _ in range(3)]
    server.clock.advance(MINUTE)
    before = tries(server, first)
    assert server.ask({"do": "retry", "destination": "Silent.Example."}) == {
        "answer": "done", "destinations": 1, "but": "",
    }  # fmt: skip
    server.clock.advance(SECOND)
    assert sum(len(server.disk.history.get(one, ())) for one in (first, *others)) == before + 1
    assert server.told("operator_acted") == ["ann had a destination tried now silent.example"]
    assert server.told("destination_recovered") == [], "to be asked for is no recovery"
    assert server.ask({"do": "status"})["failing_destinations"] == 1


@pytest.mark.parametrize("destination", ["unknown.example", "here.example", "[192.0.2.1]"])
def test_who_is_not_waited_for_is_not_tried(server, destination):
    assert server.ask({"do": "retry", "destination": destination}) == {
        "answer": "nothing_to_do", "why": "no mail waits for it because it does not answer",
    }  # fmt: skip
    assert server.told("operator_acted") == []


def test_what_nobody_waits_for_any_more_is_believed_to_live(server):
    """The next mail for it is tried, and finds out."""
    server.send(CAROL)
    for lives in server.disk.lives.values():
        assert isinstance(lives[0].state, Waiting)
    server.disk.queue.clear()
    assert server.ask({"do": "retry", "destination": "silent.example"})["answer"] == "nothing_to_do"
    assert server.ask({"do": "status"})["failing_destinations"] == 0
    assert server.disk.health == {}


def test_a_spool_that_does_not_do_it(server):
    server.send(CAROL)
    server.spool.before = lambda name, _: SpoolFault("no room left") if name == "probe" else None
    assert server.ask({"do": "retry", "destination": "silent.example"}) == {
        "answer": "not_now", "why": "no room left",
    }  # fmt: skip
    assert server.told("operator_acted") == []
