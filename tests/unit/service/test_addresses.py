"""The address table: so many connections to an endpoint and no more, and a silence that is told to all."""

from __future__ import annotations

from collections import Counter, deque

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from tests.sim.clock import VirtualClock

import byreturn.service.addresses as module
from byreturn.mail import MINUTE, SECOND, Cause, WeFound
from byreturn.ports import Endpoint
from byreturn.service.addresses import AVOIDED_FOR, SLOW, AddressTable, Visit

HERE, THERE = Endpoint("192.0.2.1", 25), Endpoint("192.0.2.2", 25)
FINDING = WeFound(Cause.SILENT, "no answer", "mx.example", HERE.address)


@pytest.fixture
def clock() -> VirtualClock:
    return VirtualClock()


@pytest.fixture
def table(clock) -> AddressTable:
    return AddressTable(clock, 2)


def test_whoever_waits_for_a_full_endpoint_is_called_when_one_leaves(clock, table):
    first, second = table.dial(HERE), table.dial(HERE)
    assert table.is_full(HERE)
    assert not table.is_full(THERE)
    called: list[Visit] = []
    for _ in range(2):
        table.wait(HERE, lambda: called.append(table.dial(HERE)))
    first.leave()
    assert not called, "whoever leaves is in the middle of something"
    clock.run_now()
    assert len(called) == 1
    assert table.is_full(HERE)
    second.leave()
    clock.run_now()
    assert len(called) == 2


def test_one_that_has_given_up_waiting_passes_its_turn_on(clock, table):
    first = [table.dial(HERE), table.dial(HERE)]
    called: list[Visit] = []
    table.wait(HERE, lambda: None)
    table.wait(HERE, lambda: called.append(table.dial(HERE)))
    first[0].leave()
    clock.run_now()
    assert len(called) == 1


def test_leaving_twice_counts_once(clock, table):
    visits = [table.dial(HERE), table.dial(HERE)]
    visits[0].leave()
    visits[0].leave()
    table.dial(HERE)
    assert table.is_full(HERE)


def test_who_has_left_proves_nothing(clock, table):
    visit, other = table.dial(HERE), table.dial(HERE)
    visit.leave()
    visit.prove()
    other.prove()
    other.prove()
    other.leave()
    assert not table._entries


def test_a_silence_is_everybodys_finding_for_a_while(clock, table):
    table.dial(HERE).leave()
    table.fell_silent(HERE, FINDING, 5 * MINUTE)
    clock.advance(20 * SECOND)
    said = table.silence(HERE)
    assert said is not None
    assert said.detail == "no answer (found 20 seconds ago for other mail)"
    assert said.cause is Cause.SILENT
    clock.advance(AVOIDED_FOR - 20 * SECOND - 1)
    assert table.silence(HERE) is not None
    clock.advance(1)
    assert table.silence(HERE) is None
    assert not table._entries
    assert not table._silent


def test_a_silence_is_not_longer_than_the_schedule_lets_it_be(clock, table):
    table.fell_silent(HERE, FINDING, 10 * SECOND)
    clock.advance(10 * SECOND)
    assert table.silence(HERE) is None


def test_a_word_ends_the_silence(clock, table):
    visit = table.dial(HERE)
    table.fell_silent(HERE, FINDING, MINUTE)
    visit.prove()
    assert table.silence(HERE) is None
    visit.leave()
    assert not table._entries
    assert not table._silent


def test_the_oldest_silence_is_forgotten_where_there_are_too_many(clock, table, monkeypatch):
    monkeypatch.setattr(module, "SILENT_KEPT", 3)
    endpoints = [Endpoint(f"192.0.2.{number}", 25) for number in range(5)]
    still_there = table.dial(endpoints[0])
    for endpoint in endpoints:
        table.fell_silent(endpoint, FINDING, MINUTE)
    assert [table.silence(one) is not None for one in endpoints] == [False, False, True, True, True]
    still_there.leave()
    assert set(table._entries) == set(endpoints[2:])


def test_slow_is_one_at_which_somebody_has_waited_long(clock, table):
    assert not table.is_slow(HERE)
    first = table.dial(HERE)
    clock.advance(SLOW - 1)
    second = table.dial(HERE)
    assert not table.is_slow(HERE)
    clock.advance(1)
    assert table.is_slow(HERE)
    first.leave()
    assert not table.is_slow(HERE)
    second.prove()
    clock.advance(MINUTE)
    assert not table.is_slow(HERE), "it has spoken"


def test_nothing_is_left_of_an_endpoint_for_which_the_last_had_given_up_waiting(clock, table):
    visits = [table.dial(HERE), table.dial(HERE)]
    table.wait(HERE, lambda: None)
    for visit in visits:
        visit.leave()
    clock.run_now()
    assert not table._entries


class TableModel(RuleBasedStateMachine):
    """Any order of dialling, waiting, speaking, falling silent and leaving, against lists."""

    LIMIT = 3

    def __init__(self) -> None:
        super().__init__()
        self.clock = VirtualClock()
        self.table = AddressTable(self.clock, self.LIMIT)
        self.open: dict[Visit, Endpoint] = {}
        self.proven: set[Visit] = set()
        self.waiting: dict[Endpoint, deque[bool]] = {HERE: deque(), THERE: deque()}
        self.silent_until: dict[Endpoint, int] = {}

    def count(self, endpoint: Endpoint) -> int:
        return Counter(self.open.values())[endpoint]

    @rule(endpoint=st.sampled_from((HERE, THERE)), gives_up=st.booleans())
    def come(self, endpoint: Endpoint, gives_up: bool) -> None:
        assert self.table.is_full(endpoint) == (self.count(endpoint) >= self.LIMIT)
        if not self.table.is_full(endpoint):
            self.open[self.table.dial(endpoint)] = endpoint
            return
        self.waiting[endpoint].append(gives_up)

        def called() -> None:
            self.waiting[endpoint].popleft()
            if not gives_up:
                assert self.count(endpoint) < self.LIMIT
                self.open[self.table.dial(endpoint)] = endpoint

        self.table.wait(endpoint, called)

    @precondition(lambda self: self.open)
    @rule(data=st.data())
    def speak(self, data: st.DataObject) -> None:
        visit = data.draw(st.sampled_from(list(self.open)))
        if visit not in self.proven:
            self.silent_until.pop(visit.endpoint, None)
            self.proven.add(visit)
        visit.prove()

    @precondition(lambda self: self.open)
    @rule(data=st.data())
    def leave(self, data: st.DataObject) -> None:
        # Several in one turn: of a host that dies all connections end together.
        for visit in data.draw(st.sets(st.sampled_from(list(self.open)), min_size=1)):
            visit.leave()
            del self.open[visit]
        self.clock.run_now()

    @rule(endpoint=st.sampled_from((HERE, THERE)), limit=st.integers(1, 2 * MINUTE))
    def fall_silent(self, endpoint: Endpoint, limit: int) -> None:
        self.table.fell_silent(endpoint, FINDING, limit)
        self.silent_until[endpoint] = self.clock.now() + min(limit, AVOIDED_FOR)

    @rule(duration=st.integers(0, MINUTE))
    def wait(self, duration: int) -> None:
        self.clock.advance(duration)

    @invariant()
    def it_says_what_is_true(self) -> None:
        now = self.clock.now()
        for endpoint in (HERE, THERE):
            is_silent = self.silent_until.get(endpoint, 0) > now
            assert (self.table.silence(endpoint) is not None) == is_silent
            dials = [visit.since for visit, there in self.open.items()
                     if there == endpoint and visit not in self.proven]  # fmt: skip
            assert self.table.is_slow(endpoint) == any(now - since >= SLOW for since in dials)
            if self.waiting[endpoint]:
                assert self.count(endpoint) == self.LIMIT, "there is room, and somebody waits"
            is_known = self.count(endpoint) or is_silent
            assert (endpoint in self.table._entries) == bool(is_known)


TestTableModel = TableModel.TestCase
TestTableModel.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
