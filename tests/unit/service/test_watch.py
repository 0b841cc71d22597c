"""The wheel: a watch rings once, not before its time and at most a grain after it; all share one timer."""

from __future__ import annotations

import itertools
from random import Random  # noqa: TID251 - a fixed seed

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule
from tests.sim.clock import VirtualClock

from byreturn.mail import MINUTE, SECOND
from byreturn.service.watch import GRAIN, Watch, Wheel


class Bell:
    """A watch that writes down when it rang."""

    def __init__(self, wheel: Wheel) -> None:
        self.clock = wheel.clock
        self.rang: list[int] = []
        self.watch: Watch = wheel.watch(lambda: self.rang.append(self.clock.now()))


@pytest.fixture
def clock() -> VirtualClock:
    return VirtualClock(1_000_003)


@pytest.fixture
def wheel(clock) -> Wheel:
    return Wheel(clock)


@pytest.mark.parametrize("limit", [0, 1, 46, 47, 48, GRAIN, GRAIN + 1, SECOND, 61 * MINUTE])
def test_a_watch_rings_once_and_not_before(clock, wheel, limit):
    bell = Bell(wheel)
    due_at = clock.now() + limit
    bell.watch.set(limit)
    clock.advance(limit + 10 * GRAIN)
    assert len(bell.rang) == 1
    assert due_at <= bell.rang[0] <= due_at + GRAIN


def test_a_limit_that_has_passed_already_rings_at_once(clock, wheel):
    bell = Bell(wheel)
    bell.watch.set(-5 * SECOND)
    clock.advance(0)
    assert bell.rang == [clock.now()]


def test_later_is_later(clock, wheel):
    bell = Bell(wheel)
    for _ in range(10):
        bell.watch.set(SECOND)
        clock.advance(900)
    assert bell.rang == []
    due_at = clock.now() + 100
    clock.advance(SECOND)
    assert len(bell.rang) == 1
    assert due_at <= bell.rang[0] <= due_at + GRAIN


def test_earlier_is_earlier(clock, wheel):
    bell = Bell(wheel)
    bell.watch.set(MINUTE)
    bell.watch.set(SECOND)
    due_at = clock.now() + SECOND
    clock.advance(2 * MINUTE)
    assert len(bell.rang) == 1
    assert due_at <= bell.rang[0] <= due_at + GRAIN


def test_a_stopped_watch_is_silent_and_can_be_set_again(clock, wheel):
    bell = Bell(wheel)
    bell.watch.set(SECOND)
    bell.watch.stop()
    bell.watch.stop()
    clock.advance(MINUTE)
    assert bell.rang == []
    bell.watch.set(SECOND)
    clock.advance(2 * SECOND)
    assert len(bell.rang) == 1


def test_a_watch_may_be_set_while_it_rings(clock, wheel):
    rang: list[int] = []

    def ring() -> None:
        rang.append(clock.now())
        if len(rang) < 5:
            watch.set(SECOND)

    watch = wheel.watch(ring)
    watch.set(SECOND)
    clock.advance(MINUTE)
    assert len(rang) == 5
    assert all(SECOND <= later - sooner <= SECOND + GRAIN for sooner, later in itertools.pairwise(rang))


def test_one_that_rings_may_stop_or_move_those_that_ring_with_it(clock, wheel):
    others = [Bell(wheel) for _ in range(3)]

    def ring() -> None:
        others[0].watch.stop()
        others[1].watch.set(SECOND)
        others[2].watch.set(0)

    # A set has no order; so each of the other three may have rung before.
    first = wheel.watch(ring)
    for each in (first, *(other.watch for other in others)):
        each.set(100)
    clock.advance(MINUTE)
    assert len(others[0].rang) <= 1
    assert len(others[1].rang) in (1, 2)
    assert others[1].rang[-1] - others[2].rang[0] >= SECOND
    assert len(others[2].rang) in (1, 2)


def test_ten_thousand_watches_share_a_timer(clock, wheel):
    random = Random(7)
    bells = [Bell(wheel) for _ in range(10_000)]
    dues = []
    for bell in bells:
        bell.watch.set(MINUTE)
        limit = random.randint(0, MINUTE)
        bell.watch.set(limit)
        dues.append(clock.now() + limit)
    calls = clock.advance(2 * MINUTE)
    assert all(len(bell.rang) == 1 for bell in bells)
    assert all(due <= bell.rang[0] <= due + GRAIN for bell, due in zip(bells, dues, strict=True))
    # One call for each grain at most, however many watches there are.
    assert calls <= 2 * MINUTE // GRAIN + 2


class WheelModel(RuleBasedStateMachine):
    """Any order of setting, stopping and waiting, against a dict of deadlines."""

    def __init__(self) -> None:
        super().__init__()
        self.clock = VirtualClock(123_456)
        self.wheel = Wheel(self.clock)
        self.due: dict[int, int] = {}
        self.wrong: list[str] = []
        self.watches = [self.wheel.watch(lambda number=number: self.ring(number)) for number in range(5)]

    def ring(self, number: int) -> None:
        due_at, now = self.due.pop(number, None), self.clock.now()
        if due_at is None or not due_at <= now <= due_at + GRAIN:
            self.wrong.append(f"{number} rang at {now}, due {due_at}")

    @rule(number=st.integers(0, 4), limit=st.integers(0, 1000))
    def set_one(self, number: int, limit: int) -> None:
        self.watches[number].set(limit)
        self.due[number] = self.clock.now() + limit

    @rule(number=st.integers(0, 4))
    def stop_one(self, number: int) -> None:
        self.watches[number].stop()
        self.due.pop(number, None)

    @rule(duration=st.integers(0, 700))
    def wait(self, duration: int) -> None:
        self.clock.advance(duration)

    @invariant()
    def nobody_rang_at_a_wrong_time_or_was_forgotten(self) -> None:
        assert not self.wrong
        assert all(due_at + GRAIN >= self.clock.now() for due_at in self.due.values())


TestWheelModel = WheelModel.TestCase
TestWheelModel.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
