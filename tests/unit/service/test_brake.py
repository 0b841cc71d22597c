"""The brake desk: every way through its diagram, with name servers that lie and a spool that remembers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from typing import Any

import pytest
from tests.sim.clock import VirtualClock

from byreturn.mail import DAY, HOUR, MINUTE, SECOND, Cause, Destination, WeFound
from byreturn.policy import BrakeCause, BrakeRules
from byreturn.policy.brake import ROOT
from byreturn.ports import Braked, Opinion, Past, SpoolFault, Verdict
from byreturn.service.brake import Brake

YES, NO, NOTHING = Verdict.EXISTS, Verdict.DENIED, Verdict.NO_WORD
LATENCY = 20
GONE = WeFound(Cause.NO_SUCH_DOMAIN, "it does not exist")
NULL_MX = WeFound(Cause.NULL_MX, "it takes no mail")
TYPO = Destination("typo.example")


class Servers:
    """Name servers: what each says of every name, and of some names."""

    def __init__(self, clock: VirtualClock) -> None:
        self._clock = clock
        self.default: dict[str, Verdict] = {"ns": NO}
        self.said: dict[tuple[str, str], Verdict] = {("ns", ROOT): YES}
        self.polled: list[str] = []

    def poll(self, name: str, done: Callable[[tuple[Opinion, ...]], None]) -> None:
        self.polled.append(name)
        opinions = tuple(
            Opinion(server, self.said.get((server, name), usual)) for server, usual in self.default.items()
        )
        self._clock.call_later(LATENCY, lambda: done(opinions))

    def know(self, *names: str, server: str = "ns") -> None:
        self.said.update({(server, name): YES for name in names})


class Memory:
    """What the brake asks of the spool."""

    def __init__(self, clock: VirtualClock) -> None:
        self._clock = clock
        self.pasts: dict[Destination, Past] = {}
        self.fault: SpoolFault | None = None
        self.brakes: list[Braked | None] = []
        self.notes: list[tuple[Destination, int | None]] = []

    def past(self, destination: Destination, done: Callable[[Past | SpoolFault | None], None]) -> None:
        result = self.fault or self.pasts.get(destination)
        self._clock.call_later(1, lambda: done(result))

    def denied(self, destination: Destination, since: int | None, done: Callable[[Any], None]) -> None:
        self.notes.append((destination, since))
        if destination in self.pasts and self.fault is None:
            self.pasts[destination] = Past(self.pasts[destination].took_mail_at, since)
        self._clock.call_later(1, lambda: done(self.fault))

    def set_brake(self, braked: Braked | None, done: Callable[[Any], None]) -> None:
        self.brakes.append(braked)
        self._clock.call_later(1, lambda: done(self.fault))


class Facts:
    """A journal."""

    def __init__(self) -> None:
        self.told: list[tuple[Any, ...]] = []

    def __getattr__(self, fact: str) -> Callable[..., None]:
        return lambda *values, **named: self.told.append((fact, *values, named))

    def count(self, fact: str) -> int:
        return sum(one[0] == fact for one in self.told)


class Ways:
    """Which destinations the DNS knows the way to: all but literals and those of a table."""

    def is_by_dns(self, destination: str) -> bool:
        return not destination.startswith("[") and destination != "routed.example"


class Bench:
    """A brake and all around it."""

    def __init__(self, rules: BrakeRules | None = None) -> None:
        self.clock = VirtualClock()
        self.servers = Servers(self.clock)
        self.memory = Memory(self.clock)
        self.facts = Facts()
        self.released: list[tuple[Destination, ...]] = []
        self.rules = rules or BrakeRules()
        self.brake = self.make()
        self.brake.start(None, (), ())

    def make(self) -> Brake:
        world: Any = self
        brake = Brake(self.rules, world, Ways())  # type: ignore[arg-type]
        brake.follow(lambda held: self.released.append(tuple(held)))
        return brake

    # What of a world the brake takes.
    @property
    def spool(self) -> Memory:
        return self.memory

    @property
    def resolver(self) -> Servers:
        return self.servers

    @property
    def journal(self) -> Facts:
        return self.facts

    def took_mail(self, *names: str, ago: int = HOUR) -> None:
        for name in names:
            self.memory.pasts[Destination(name)] = Past(self.clock.now() - ago, None)
            self.brake.answered(Destination(name))

    def judge(self, *names: str, finding: WeFound = GONE) -> set[str]:
        """Judge, and wait for the verdict: who is given up."""
        answers: list[frozenset[Destination]] = []
        self.brake.judge([Destination(name) for name in names], finding, answers.append)
        self.clock.advance(10 * SECOND)
        assert len(answers) == 1, "the verdict comes once"
        return set(answers[0])


@pytest.fixture
def bench() -> Bench:
    return Bench()


def engaged(bench: Bench) -> Bench:
    """Put the brake on by a lie."""
    bench.took_mail("known.example")
    assert bench.judge(TYPO) == set()
    assert bench.brake.is_on
    return bench


# --- Every way through the diagram --------------------------------------------------------------------


def test_what_does_not_exist_is_given_up(bench):
    assert bench.judge(TYPO) == {TYPO}
    assert not bench.brake.is_on
    assert bench.servers.polled == [ROOT, TYPO]


@pytest.mark.parametrize("name", ["[192.0.2.1]", "routed.example"])
def test_where_no_name_server_has_said_anything_none_is_asked(bench, name):
    assert bench.judge(name, finding=WeFound(Cause.LOOP, "ourselves")) == {name}
    assert bench.servers.polled == []


def test_what_took_mail_lately_is_tried_on_for_hours(bench):
    bench.servers.know("other.example")
    bench.took_mail(TYPO, "other.example")
    assert bench.judge(TYPO) == set()
    assert bench.memory.notes == [(TYPO, bench.memory.pasts[TYPO].denied_since)]
    bench.clock.advance(3 * HOUR)
    assert bench.judge(TYPO) == set()
    assert len(bench.memory.notes) == 1, "since when it is denied is written once"
    bench.clock.advance(HOUR)
    assert bench.judge(TYPO) == {TYPO}
    assert not bench.brake.is_on


def test_what_took_mail_long_ago_is_given_up(bench):
    bench.memory.pasts[TYPO] = Past(bench.clock.now() - 31 * DAY, None)
    assert bench.judge(TYPO) == {TYPO}


def test_who_cannot_look_gives_nothing_up(bench):
    bench.memory.fault = SpoolFault("the disk is gone")
    assert bench.judge(TYPO) == set()
    assert not bench.brake.is_on


def test_a_server_that_denies_the_root_puts_the_brake_on(bench):
    bench.servers.said.clear()
    assert bench.judge(TYPO) == set()
    assert bench.brake.braked == Braked(bench.memory.brakes[0].since, bench.brake.braked.why, BrakeCause.LIE)
    assert "root of the DNS" in bench.brake.braked.why
    assert bench.facts.count("brake_engaged") == 1


def test_a_server_that_denies_all_that_took_mail_puts_the_brake_on(bench):
    bench.took_mail("a.example", "b.example")
    assert bench.judge(TYPO) == set()
    assert bench.brake.is_on


def test_one_name_that_is_gone_is_no_lie(bench):
    bench.took_mail("a.example", "b.example")
    bench.servers.know("b.example")
    assert bench.judge(TYPO) == {TYPO}


def test_a_name_that_an_operator_vouches_for_cannot_be_gone():
    bench = Bench(BrakeRules(known_names=(Destination("ours.example"),)))
    bench.took_mail("b.example")
    bench.servers.know("b.example")
    assert bench.judge(TYPO) == set()
    assert "ours.example" in bench.brake.braked.why


def test_no_word_of_the_witnesses_gives_nothing_up_and_engages_nothing(bench):
    bench.took_mail("a.example")
    bench.servers.said["ns", "a.example"] = NOTHING
    assert bench.judge(TYPO) == set()
    assert not bench.brake.is_on
    # It is not believed for the next ten seconds either.
    bench.servers.polled.clear()
    assert bench.judge(TYPO) == set()
    assert ROOT in bench.servers.polled


def test_what_another_server_knows_is_not_given_up(bench):
    bench.servers.default["second"] = YES
    assert bench.judge(TYPO) == set()
    assert not bench.brake.is_on


def test_what_nobody_denies_when_asked_again_is_not_given_up(bench):
    # The look-up may have told what was kept; of the name itself no server has a word now.
    bench.servers.said["ns", TYPO] = NOTHING
    assert bench.judge(TYPO) == set()
    bench.servers.default["second"] = NO
    bench.servers.know(ROOT, server="second")
    bench.clock.advance(10 * SECOND)
    assert bench.judge(TYPO) == {TYPO}, "one that says so is enough, if no other knows it"


def test_two_servers_that_agree_are_believed(bench):
    bench.servers.default["second"] = NO
    bench.servers.know(ROOT, server="second")
    assert bench.judge(TYPO) == {TYPO}


def test_of_two_servers_one_that_lies_is_enough(bench):
    bench.took_mail("a.example")
    bench.servers.know("a.example")
    bench.servers.default["second"] = NO
    assert bench.judge(TYPO) == set()
    assert "second" in bench.brake.braked.why


def test_others_are_asked_only_about_the_name_itself(bench):
    assert bench.judge(TYPO, finding=NULL_MX) == {TYPO}
    assert bench.servers.polled == [ROOT]


def test_mail_hosts_that_another_server_knows_are_not_given_up(bench):
    finding = WeFound(Cause.NO_SUCH_MAIL_HOSTS, "its mail server b does not exist")
    answers: list[frozenset[Destination]] = []
    for _ in range(2):
        bench.brake.judge([TYPO], finding, answers.append, hosts=["a", "b"])
        bench.clock.advance(SECOND)
        bench.servers.know("a")
    assert answers == [{TYPO}, frozenset()]
    assert Counter(bench.servers.polled) == {ROOT: 1, "a": 2, "b": 2}


def test_each_destination_of_a_judgement_is_judged_by_itself(bench):
    bench.servers.know("other.example")
    bench.took_mail("known.example", "other.example")
    assert bench.judge("known.example", TYPO) == {TYPO}


def test_nothing_to_judge_twice(bench):
    assert bench.judge(TYPO, TYPO) == {TYPO}


# --- The witnesses ------------------------------------------------------------------------------------


def test_the_witnesses_are_believed_for_ten_seconds():
    bench = Bench(BrakeRules(denied_destinations=10_000))
    bench.took_mail("a.example")
    bench.servers.know("a.example")
    answers: list[frozenset[Destination]] = []
    for number in range(1000):
        bench.clock.advance(9)
        bench.brake.judge([Destination(f"typo{number}.example")], GONE, answers.append)
    bench.clock.advance(SECOND)
    assert len(answers) == 1000
    assert all(answers)
    assert Counter(bench.servers.polled)["a.example"] == 1
    bench.clock.advance(10 * SECOND)
    bench.judge(TYPO)
    assert Counter(bench.servers.polled)["a.example"] == 2


def test_judgements_at_once_share_a_round_of_questions(bench):
    bench.took_mail("a.example")
    answers: list[frozenset[Destination]] = []
    for number in range(50):
        bench.brake.judge([Destination(f"typo{number}.example")], GONE, answers.append)
    bench.clock.advance(SECOND)
    assert answers == [frozenset()] * 50
    assert Counter(bench.servers.polled) == {ROOT: 1, "a.example": 1}
    assert len(bench.memory.brakes) == 1
    bench.servers.know("a.example")
    bench.clock.advance(2 * MINUTE)
    assert {str(name) for name in bench.released[0]} == {f"typo{number}.example" for number in range(50)}


def test_the_three_that_answered_last_are_asked(bench):
    names = [f"d{number}.example" for number in range(6)]
    bench.took_mail(*names)
    bench.took_mail(names[0])
    bench.servers.know(*names)
    bench.judge(TYPO)
    assert set(bench.servers.polled) == {ROOT, TYPO, names[0], names[5], names[4]}


def test_at_most_a_hundred_are_remembered(bench):
    for number in range(300):
        bench.brake.answered(Destination(f"d{number}.example"))
    assert list(bench.brake._known) == [f"d{number}.example" for number in range(200, 300)]


def test_those_that_are_not_found_by_the_dns_are_no_witnesses(bench):
    bench.brake.answered(Destination("routed.example"))
    bench.brake.answered(Destination("[192.0.2.1]"))
    bench.judge(TYPO)
    assert set(bench.servers.polled) == {ROOT, TYPO}


def test_a_witness_that_is_gone_for_hours_is_none_any_more(bench):
    # The only one that ever took mail has really gone. For four hours that looks like a lie.
    bench.took_mail("a.example")
    assert bench.judge(TYPO) == set()
    bench.clock.advance(4 * HOUR - 2 * MINUTE)
    assert bench.brake.is_on
    bench.clock.advance(4 * MINUTE)
    assert not bench.brake.is_on
    assert bench.judge(TYPO) == {TYPO}
    assert not bench.brake._doubted


def test_a_witness_that_is_there_again_is_not_doubted(bench):
    bench.took_mail("a.example")
    bench.judge(TYPO)
    bench.clock.advance(3 * HOUR)
    bench.servers.know("a.example")
    bench.clock.advance(2 * MINUTE)
    assert not bench.brake.is_on
    bench.servers.said["ns", "a.example"] = NO
    assert bench.judge(TYPO) == set()
    bench.clock.advance(2 * HOUR)
    assert bench.brake.is_on, "its hours began anew"


def test_those_that_are_known_from_before_the_start_are_witnesses_too():
    bench = Bench()
    bench.brake = bench.make()
    bench.brake.start(None, [Destination("newest.example"), Destination("older.example")], ())
    assert list(bench.brake._known) == ["older.example", "newest.example"]
    assert bench.judge(TYPO) == set()
    assert bench.brake.is_on


# --- Too many -----------------------------------------------------------------------------------------


def deny(bench: Bench, numbers: Iterable[int]) -> list[int]:
    """Judge one typo after the other; return those that were given up."""
    return [number for number in numbers if bench.judge(f"typo{number}.example")]


def test_twenty_denied_destinations_are_too_many_where_fewer_answer(bench):
    bench.took_mail(*[f"d{number}.example" for number in range(15)])
    bench.servers.know(*[f"d{number}.example" for number in range(15)])
    assert deny(bench, range(25)) == list(range(19))
    assert "denied 20 destinations within 10 minutes; only 15 others answered" in bench.brake.braked.why


def test_twenty_are_not_too_many_where_as_many_answer(bench):
    bench.took_mail(*[f"d{number}.example" for number in range(25)])
    bench.servers.know(*[f"d{number}.example" for number in range(25)])
    assert len(deny(bench, range(25))) == 25


def test_the_same_destination_counts_once():
    bench = Bench()
    for _ in range(50):
        assert bench.judge(TYPO) == {TYPO}


def test_what_was_denied_long_ago_does_not_count(bench):
    assert len(deny(bench, range(15))) == 15
    bench.clock.advance(11 * MINUTE)
    assert len(deny(bench, range(20, 35))) == 15


def test_that_many_in_one_judgement_are_none_of_them_given_up(bench):
    # It comes on while the last of them are asked about; nothing of it has been said to anybody yet.
    names = [f"typo{number}.example" for number in range(40)]
    assert bench.judge(*names) == set()
    assert bench.brake.is_on
    assert set(bench.brake._held) == set(names)


# --- On -----------------------------------------------------------------------------------------------


def test_while_it_is_on_nobody_is_asked_and_nothing_given_up(bench):
    engaged(bench)
    bench.servers.polled.clear()
    answers: list[frozenset[Destination]] = []
    bench.brake.judge([Destination("x.example")], GONE, answers.append)
    assert answers == [frozenset()]
    assert bench.servers.polled == []


def test_at_most_ten_thousand_are_held(bench):
    engaged(bench)
    bench.brake.hold(Destination(f"d{number}.example") for number in range(20_000))
    assert len(bench.brake._held) == 10_000


def test_it_goes_off_when_the_witnesses_are_well(bench):
    engaged(bench)
    bench.clock.advance(5 * MINUTE)
    assert bench.brake.is_on
    bench.servers.know("known.example")
    bench.clock.advance(2 * MINUTE)
    assert not bench.brake.is_on
    assert bench.released == [(TYPO,)]
    assert bench.memory.brakes[-1] is None
    assert bench.judge(TYPO) == {TYPO}


def test_it_stays_on_while_the_witnesses_have_no_word(bench):
    engaged(bench)
    bench.servers.said["ns", "known.example"] = NOTHING
    bench.clock.advance(30 * MINUTE)
    assert bench.brake.is_on


def test_a_person_may_release_it(bench):
    engaged(bench)
    bench.brake.release("a person says so")
    assert not bench.brake.is_on
    assert bench.released == [(TYPO,)]
    bench.brake.release("again")
    assert bench.facts.count("brake_released") == 1
    # It lies still, and the next word of it engages the brake again.
    assert bench.judge(TYPO) == set()
    assert bench.brake.is_on
    assert bench.facts.count("brake_engaged") == 2


def test_engaging_twice_is_once(bench):
    engaged(bench)
    bench.brake.engage("something else", BrakeCause.LIE)
    assert "known.example" in bench.brake.braked.why
    assert len(bench.memory.brakes) == 1


def test_a_brake_by_number_goes_off_when_what_was_denied_is_there_again(bench):
    deny(bench, range(25))
    bench.servers.know("typo22.example")
    bench.clock.advance(2 * MINUTE)
    assert not bench.brake.is_on
    assert len(bench.released[0]) == 6


def test_that_nobody_has_a_word_on_what_was_denied_does_not_bring_it_back(bench):
    deny(bench, range(25))
    bench.servers.said["ns", "typo22.example"] = NOTHING
    bench.clock.advance(8 * MINUTE)
    assert bench.brake.is_on


def test_a_brake_by_number_goes_off_after_ten_quiet_minutes(bench):
    deny(bench, range(25))
    bench.clock.advance(8 * MINUTE)
    assert bench.brake.is_on
    bench.clock.advance(3 * MINUTE)
    assert not bench.brake.is_on
    # For an hour their number alone engages nothing.
    assert len(deny(bench, range(30, 60))) == 30
    bench.clock.advance(60 * MINUTE)
    assert len(deny(bench, range(60, 90))) == 19


def test_minutes_in_which_a_server_lies_are_not_quiet(bench):
    bench.took_mail("a.example")
    bench.servers.know("a.example")
    deny(bench, range(25))
    bench.clock.advance(8 * MINUTE)
    bench.servers.said["ns", "a.example"] = NO
    bench.clock.advance(MINUTE)
    bench.servers.know("a.example")
    bench.clock.advance(8 * MINUTE)
    assert bench.brake.is_on
    bench.clock.advance(3 * MINUTE)
    assert not bench.brake.is_on


def test_one_look_a_minute(bench):
    engaged(bench)
    bench.servers.polled.clear()
    bench.clock.advance(60 * MINUTE)
    assert Counter(bench.servers.polled)[ROOT] in (59, 60)


# --- Restarts -----------------------------------------------------------------------------------------


def restarted(bench: Bench) -> Bench:
    bench.brake.stop()
    known = list(bench.brake._known)[::-1]
    bench.brake = bench.make()
    bench.brake.start(bench.memory.brakes[-1], known, ())
    return bench


def test_a_restart_does_not_forget_it(bench):
    engaged(bench)
    restarted(bench)
    assert bench.brake.is_on
    assert bench.judge(TYPO) == set()
    bench.servers.know("known.example", TYPO)
    bench.clock.advance(2 * MINUTE)
    assert not bench.brake.is_on


def test_a_restart_makes_no_lie_out_of_a_number(bench):
    # The witnesses never lied: if that were enough, a restart would give up all that the brake held.
    bench.took_mail("a.example")
    bench.servers.know("a.example")
    deny(bench, range(25))
    restarted(bench)
    bench.clock.advance(8 * MINUTE)
    assert bench.brake.is_on
    bench.clock.advance(3 * MINUTE)
    assert not bench.brake.is_on


def test_a_brake_that_is_stopped_looks_no_more(bench):
    engaged(bench)
    bench.brake.stop()
    bench.servers.polled.clear()
    bench.clock.advance(60 * MINUTE)
    assert bench.servers.polled == []


# --- A name that is there again -----------------------------------------------------------------------


def test_the_hours_begin_anew_for_a_name_that_was_there_in_between(bench):
    bench.servers.know("other.example")
    bench.took_mail(TYPO, "other.example")
    assert bench.judge(TYPO) == set()
    bench.clock.advance(MINUTE)
    bench.brake.found_again(TYPO)
    bench.clock.advance(5 * DAY)
    assert bench.judge(TYPO) == set(), "it is denied since now, and not since five days ago"
