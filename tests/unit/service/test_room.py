"""The room: who gets a place, who gives way to whom, and that nobody stands in line while there is room."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule
from tests.sim.clock import VirtualClock

from byreturn.mail import MINUTE, SECOND
from byreturn.service.room import PATIENCE, Place, Room, Stage
from byreturn.service.watch import GRAIN, Wheel


class Caller:
    """Wants one place, of one lane."""

    def __init__(
        self, room: Room, lane: str = "", *, is_report: bool = False, log: list[Caller] | None = None
    ) -> None:
        self.room = room
        self.lane = (lane,)
        self.is_report = is_report
        self.place: Place | None = None
        self.is_wanting = True
        self.asked = 0
        self._log = log

    def knock(self) -> Caller:
        """Take a place, or stand in line for one."""
        if not self._take():
            self.room.wait(self)
        return self

    def use_one_place(self) -> None:
        if self.is_wanting:
            assert self._take(), "it was said that there is room"

    def _take(self) -> bool:
        self.place = self.room.take(self)
        if self.place is not None:
            self.is_wanting = False
            if self._log is not None:
                self._log.append(self)
        return self.place is not None

    def give_way(self) -> None:
        self.asked += 1
        assert self.place is not None
        self.place.leave()


def callers(room: Room, count: int, lane: str = "") -> list[Caller]:
    return [Caller(room, lane).knock() for _ in range(count)]


def place_in(room: Room, *, is_report: bool = False) -> Place | None:
    return Caller(room, is_report=is_report).knock().place


def speaking(room: Room, count: int, *, is_report: bool = False) -> list[Place]:
    places = []
    for _ in range(count):
        place = place_in(room, is_report=is_report)
        assert place is not None
        place.prove()
        places.append(place)
    return places


def closing(place: Place, log: list[Place] | None = None) -> Callable[[], None]:
    def close() -> None:
        place.leave()
        if log is not None:
            log.append(place)

    return close


@pytest.fixture
def clock() -> VirtualClock:
    return VirtualClock()


@pytest.fixture
def room(clock) -> Room:
    return Room(100, Wheel(clock))


# --- The bounds ---------------------------------------------------------------------------------------


def test_of_hosts_that_have_not_said_a_word_there_are_at_most_sixty_percent(room):
    callers(room, 60)
    assert room.take(Caller(room)) is None
    assert room.take(Caller(room, is_report=True)) is not None, "reports are not bound by it"


def test_the_last_five_percent_are_for_reports(room):
    speaking(room, 95)
    assert room.take(Caller(room)) is None
    speaking(room, 5, is_report=True)
    assert room.take(Caller(room, is_report=True)) is None
    assert room.taken == 100


@pytest.mark.parametrize("connections", [1, 2, 3, 19, 20, 21])
def test_a_small_room_lets_somebody_in(clock, connections):
    room = Room(connections, Wheel(clock))
    place = place_in(room)
    assert place is not None
    place.prove()
    place.leave()
    assert place_in(room, is_report=True) is not None


def test_leaving_twice_counts_once(room):
    place, other = place_in(room), place_in(room)
    place.leave()
    place.leave()
    assert room.taken == 1
    place.prove()
    assert (place.stage, place.is_heard) == (Stage.GONE, False)
    assert other.stage is Stage.UNPROVEN


# --- Giving way ---------------------------------------------------------------------------------------


def test_the_oldest_gives_way_when_its_patience_is_over_and_not_before(clock, room):
    first = Caller(room).knock()
    clock.advance(SECOND)
    rest = callers(room, 59)
    clock.advance(PATIENCE - SECOND - 1)
    late = Caller(room).knock()
    clock.run_now()
    assert (first.asked, late.place) == (0, None)
    clock.advance(1 + GRAIN)
    assert first.asked == 1
    assert late.place is not None
    assert not any(one.asked for one in rest)


def test_nobody_gives_way_where_there_is_room(clock, room):
    there = callers(room, 59)
    clock.advance(MINUTE)
    assert place_in(room) is not None
    assert not any(one.asked for one in there)


def test_who_has_heard_a_word_need_not_give_way(clock, room):
    there = callers(room, 60)
    for one in there[:30]:
        one.place.prove()
    clock.advance(MINUTE)
    callers(room, 31)
    assert [one.asked for one in there] == [0] * 30 + [1] + [0] * 29


def test_nobody_takes_a_place_while_room_is_being_made_for_another(clock, room):
    taken: list[Place | None] = []
    greedy = Caller(room, "greedy")

    class Lodger(Caller):
        def give_way(self) -> None:
            super().give_way()
            taken.append(room.take(Caller(room, is_report=True)))
            greedy.knock()

    Lodger(room).knock()
    callers(room, 59)
    clock.advance(PATIENCE)
    assert room.take(Caller(room)) is not None
    assert taken == [None]
    # It stands in line now, and is served when the next one's patience is over: at once.
    clock.run_now()
    assert greedy.place is not None


# --- At rest ------------------------------------------------------------------------------------------


def test_those_at_rest_are_closed_first_the_oldest_before_the_others(room):
    closed: list[Place] = []
    places = speaking(room, 95)
    for place in places[:3]:
        place.rest(closing(place, closed))
    places[0].wake()
    assert place_in(room) is not None
    assert closed == [places[1]]
    assert (places[0].stage, places[0].close) == (Stage.SPEAKING, None)
    assert places[0].is_heard
    assert places[2].is_heard


def test_a_connection_that_comes_to_rest_serves_those_who_wait(clock, room):
    places = speaking(room, 95)
    first, second = Caller(room).knock(), Caller(room).knock()
    places[0].rest(closing(places[0]))
    clock.run_now()
    assert (first.place is not None, second.place) == (True, None)
    assert places[0].stage is Stage.GONE


def test_room_is_short_when_somebody_waits_who_could_use_a_place(room):
    speaking(room, 95)
    assert not room.is_short
    Caller(room).knock()
    assert room.is_short


# --- The line -----------------------------------------------------------------------------------------


def test_who_waits_is_served_lane_after_lane(clock, room):
    places = speaking(room, 95)
    log: list[Caller] = []
    waiting = [Caller(room, lane, log=log).knock() for lane in "aaabbbc"]
    for place in places[:7]:
        place.leave()
    clock.run_now()
    assert [one.lane[0] for one in log] == ["a", "b", "c", "a", "b", "a", "b"]
    assert set(log) == set(waiting)


def test_reports_go_before_all_others(clock, room):
    places = speaking(room, 95)
    rest = speaking(room, 5, is_report=True)
    log: list[Caller] = []
    mail = Caller(room, log=log).knock()
    report = Caller(room, is_report=True, log=log).knock()
    rest[0].leave()
    clock.run_now()
    assert log == [report]
    for place in places[:5]:
        place.leave()
    clock.run_now()
    assert log == [report], "the last five are not for mail"
    places[5].leave()
    clock.run_now()
    assert log == [report, mail]


def test_who_comes_later_does_not_go_before_those_who_stand_in_line(clock, room):
    places = speaking(room, 95)
    first = Caller(room, "first").knock()
    places[0].leave()
    # In the same turn, before the line is served: the lane whose connection just ended wants another one.
    second = Caller(room, "second").knock()
    clock.run_now()
    assert (first.place is not None, second.place) == (True, None)


def test_all_who_wait_are_served_as_long_as_there_is_room(clock, room):
    there = callers(room, 60)
    waiting = callers(room, 20)
    for one in there:
        one.place.leave()
    clock.run_now()
    assert all(one.place for one in waiting)


def test_one_that_wants_nothing_any_more_passes_its_turn_on(clock, room):
    places = speaking(room, 95)
    first, second = Caller(room).knock(), Caller(room).knock()
    first.is_wanting = False
    places[0].leave()
    clock.run_now()
    assert (first.place, second.place is not None) == (None, True)


class RoomModel(RuleBasedStateMachine):
    """Any order of taking, speaking, resting and leaving."""

    SIZE = 20
    UNPROVEN = 12
    UNRESERVED = 19

    def __init__(self) -> None:
        super().__init__()
        self.clock = VirtualClock()
        self.room = Room(self.SIZE, Wheel(self.clock))
        self.all: list[ModelCaller] = []

    @rule(count=st.integers(1, 6), lane=st.sampled_from("abc"), is_report=st.booleans())
    def come(self, count: int, lane: str, is_report: bool) -> None:
        for _ in range(count):
            caller = ModelCaller(self, lane, is_report=is_report)
            self.all.append(caller)
            caller.knock()
        self.clock.run_now()

    def there(self, *stages: Stage) -> list[ModelCaller]:
        return [one for one in self.all if one.place is not None and one.place.stage in stages]

    def some(self, data: st.DataObject, *stages: Stage) -> list[Place]:
        fitting = self.there(*stages)
        chosen = data.draw(st.sets(st.sampled_from(range(len(fitting))))) if fitting else set()
        return [place for number in sorted(chosen) if (place := fitting[number].place) is not None]

    @rule(data=st.data())
    def speak(self, data: st.DataObject) -> None:
        for place in self.some(data, Stage.UNPROVEN):
            place.prove()
        self.clock.run_now()

    @rule(data=st.data())
    def rest(self, data: st.DataObject) -> None:
        for place in self.some(data, Stage.SPEAKING):
            place.rest(place.leave)
        self.clock.run_now()

    @rule(data=st.data())
    def wake(self, data: st.DataObject) -> None:
        for place in self.some(data, Stage.AT_REST):
            place.wake()
        self.clock.run_now()

    @rule(data=st.data())
    def leave(self, data: st.DataObject) -> None:
        for place in self.some(data, Stage.UNPROVEN, Stage.SPEAKING, Stage.AT_REST):
            place.leave()
            place.leave()
        self.clock.run_now()

    @rule(duration=st.integers(0, 2 * PATIENCE))
    def wait(self, duration: int) -> None:
        self.clock.advance(duration)

    @invariant()
    def the_numbers_are_true_and_bounded(self) -> None:
        unproven = self.there(Stage.UNPROVEN)
        everybody = self.there(Stage.UNPROVEN, Stage.SPEAKING, Stage.AT_REST)
        assert self.room.taken == len(everybody) <= self.SIZE
        assert self.room.unproven == len(unproven)
        assert sum(not one.is_report for one in unproven) <= self.UNPROVEN

    @invariant()
    def nobody_waits_while_there_is_room(self) -> None:
        resting = self.there(Stage.AT_REST)
        for one in self.all:
            if not one.is_wanting:
                continue
            if one.is_report:
                assert self.room.taken == self.SIZE
            else:
                assert self.room.taken >= self.UNRESERVED or self.room.unproven >= self.UNPROVEN
            assert not resting or self.room.unproven >= self.UNPROVEN or self.room.taken < self.SIZE

    def teardown(self) -> None:
        for _ in range(200):
            there = self.there(Stage.UNPROVEN, Stage.SPEAKING, Stage.AT_REST)
            if not there and not any(one.is_wanting for one in self.all):
                break
            for one in there:
                assert one.place is not None
                one.place.leave()
            self.clock.advance(PATIENCE)
        assert not any(one.is_wanting for one in self.all), "somebody was forgotten"
        assert self.room.taken == self.room.unproven == 0


class ModelCaller(Caller):
    """Is never asked before its time."""

    def __init__(self, model: RoomModel, lane: str, *, is_report: bool) -> None:
        super().__init__(model.room, lane, is_report=is_report)
        self._clock = model.clock

    def give_way(self) -> None:
        assert self.place is not None
        assert self._clock.now() - self.place.since >= PATIENCE
        assert self.place.stage is Stage.UNPROVEN
        super().give_way()


TestRoomModel = RoomModel.TestCase
TestRoomModel.settings = settings(max_examples=80, stateful_step_count=30, deadline=None)
