"""The room: who gets a place, who gives way to whom, and that nobody stands in line while there is room."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from tests.sim.clock import VirtualClock

from byreturn.mail import MINUTE, SECOND
from byreturn.service.room import PATIENCE, Place, Room, Stage
from byreturn.service.watch import GRAIN, Wheel


class Dialler:
    """A lodger: leaves when it is asked to, or goes on to its next host."""

    def __init__(self, room: Room, *, other_hosts: int = 0, is_report: bool = False) -> None:
        self.asked = 0
        self._other_hosts = other_hosts
        place = room.take(is_report=is_report)
        assert place is not None, "there is no room"
        self.place = place
        place.lodger = self

    def give_way(self) -> None:
        self.asked += 1
        if self._other_hosts:
            self._other_hosts -= 1
            self.place.begin_again()
        else:
            self.place.leave()


class Lane:
    """A guest that wants so many places."""

    def __init__(
        self, room: Room, wants: int, *, is_report: bool = False, log: list[Lane] | None = None
    ) -> None:
        self.room = room
        self.wants = wants
        self.is_report = is_report
        self.places: list[Place] = []
        self._log = log

    def pump(self) -> None:
        while self.wants and self._take():
            pass
        if self.wants:
            self.room.wait(self, is_report=self.is_report)

    def use_one_place(self) -> None:
        if self.wants and self._take() and self.wants:
            self.room.wait(self, is_report=self.is_report)

    def _take(self) -> bool:
        place = self.room.take(is_report=self.is_report)
        if place is None:
            return False
        place.lodger = self
        self.wants -= 1
        self.places.append(place)
        if self._log is not None:
            self._log.append(self)
        return True

    def give_way(self) -> None:
        self.places.pop(0).leave()


def fill(room: Room, count: int, **how: int) -> list[Dialler]:
    return [Dialler(room, **how) for _ in range(count)]


def speaking(room: Room, count: int, *, is_report: bool = False) -> list[Place]:
    places = []
    for _ in range(count):
        place = room.take(is_report=is_report)
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


def test_of_hosts_that_have_not_said_a_word_there_are_at_most_sixty_percent(clock, room):
    fill(room, 60)
    assert room.take(is_report=False) is None
    speaking_one = room.take(is_report=True)
    assert speaking_one is not None, "reports are not bound by it"


def test_the_last_five_percent_are_for_reports(room):
    speaking(room, 95)
    assert room.take(is_report=False) is None
    speaking(room, 5, is_report=True)
    assert room.take(is_report=True) is None
    assert room.taken == 100


@pytest.mark.parametrize("connections", [1, 2, 3, 19, 20, 21])
def test_a_small_room_lets_somebody_in(clock, connections):
    room = Room(connections, Wheel(clock))
    place = room.take(is_report=False)
    assert place is not None
    place.prove()
    place.leave()
    assert room.take(is_report=True) is not None


def test_leaving_twice_counts_once(room):
    place = room.take(is_report=False)
    other = room.take(is_report=False)
    place.leave()
    place.leave()
    assert room.taken == 1
    place.prove()
    assert (place.stage, place.is_heard) == (Stage.GONE, False)
    assert other.stage is Stage.UNPROVEN


# --- Giving way ---------------------------------------------------------------------------------------


def test_the_oldest_gives_way_when_its_patience_is_over_and_not_before(clock, room):
    first = Dialler(room)
    clock.advance(SECOND)
    rest = fill(room, 59)
    lane = Lane(room, 1)
    clock.advance(PATIENCE - SECOND - 1)
    lane.pump()
    clock.run_now()
    assert (first.asked, lane.places) == (0, [])
    clock.advance(1 + GRAIN)
    assert first.asked == 1
    assert len(lane.places) == 1
    assert not any(one.asked for one in rest)


def test_nobody_gives_way_where_there_is_room(clock, room):
    diallers = fill(room, 59)
    clock.advance(MINUTE)
    assert room.take(is_report=False) is not None
    assert not any(one.asked for one in diallers)


def test_who_has_heard_a_word_need_not_give_way(clock, room):
    diallers = fill(room, 60)
    for one in diallers[:30]:
        one.place.prove()
    clock.advance(MINUTE)
    fill(room, 30)
    assert Dialler(room)
    assert [one.asked for one in diallers] == [0] * 30 + [1] + [0] * 29


def test_one_that_begins_again_is_the_youngest(clock, room):
    diallers = fill(room, 60, other_hosts=1)
    clock.advance(PATIENCE)
    fill(room, 0)
    # Eight are asked, and each goes on with its next host in the place that it has.
    assert room.take(is_report=False) is None
    assert [one.asked for one in diallers] == [1] * 8 + [0] * 52
    clock.advance(SECOND)
    assert diallers[0].place.since == clock.now() - SECOND


def test_those_with_other_hosts_hold_up_a_newcomer_only_for_a_moment(clock, room):
    fill(room, 50, other_hosts=1)
    fill(room, 10)
    clock.advance(PATIENCE)
    lane = Lane(room, 1)
    lane.pump()
    clock.advance(SECOND)
    assert len(lane.places) == 1, "ten were there that had no other host"


def test_where_all_have_other_hosts_a_newcomer_waits_for_one_more_patience(clock, room):
    fill(room, 60, other_hosts=1)
    clock.advance(PATIENCE)
    lane = Lane(room, 1)
    lane.pump()
    clock.advance(2 * PATIENCE)
    assert len(lane.places) == 1


def test_nobody_takes_a_place_while_room_is_being_made_for_another(clock, room):
    taken: list[Place | None] = []
    greedy = Lane(room, 1)

    class Lodger(Dialler):
        def give_way(self) -> None:
            super().give_way()
            taken.append(room.take(is_report=True))
            greedy.pump()

    Lodger(room)
    fill(room, 59)
    clock.advance(PATIENCE)
    assert room.take(is_report=False) is not None
    assert taken == [None]
    # It stands in line now, and is served when the next one's patience is over: at once.
    clock.run_now()
    assert len(greedy.places) == 1


# --- At rest ------------------------------------------------------------------------------------------


def test_those_at_rest_are_closed_first_the_oldest_before_the_others(clock, room):
    closed: list[Place] = []
    places = speaking(room, 95)
    for place in places[:3]:
        place.rest(closing(place, closed))
    places[0].wake()
    assert room.take(is_report=False) is not None
    assert closed == [places[1]]
    assert (places[0].stage, places[0].close) == (Stage.SPEAKING, None)
    assert places[0].is_heard
    assert places[2].is_heard


def test_a_connection_that_comes_to_rest_serves_those_who_wait(clock, room):
    places = speaking(room, 95)
    lane = Lane(room, 2)
    lane.pump()
    places[0].rest(closing(places[0]))
    clock.run_now()
    assert len(lane.places) == 1
    assert places[0].stage is Stage.GONE


# --- The line -----------------------------------------------------------------------------------------


def test_each_who_waits_gets_one_place_a_turn(clock, room):
    places = speaking(room, 95)
    log: list[Lane] = []
    lanes = [Lane(room, 3, log=log) for _ in range(3)]
    for lane in lanes:
        lane.pump()
    for place in places[:9]:
        place.leave()
    clock.advance(SECOND)
    assert log == lanes * 3


def test_reports_go_before_all_others(clock, room):
    places = speaking(room, 95)
    rest = speaking(room, 5, is_report=True)
    log: list[Lane] = []
    mail, report = Lane(room, 1, log=log), Lane(room, 1, is_report=True, log=log)
    mail.pump()
    report.pump()
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
    first, second = Lane(room, 1), Lane(room, 1)
    first.pump()
    places[0].leave()
    # In the same turn, before the line is served: the lane whose connection just ended wants another one.
    second.pump()
    clock.run_now()
    assert (len(first.places), len(second.places)) == (1, 0)


def test_all_who_wait_are_served_as_long_as_there_is_room(clock, room):
    diallers = fill(room, 60)
    lane = Lane(room, 20)
    lane.pump()
    for one in diallers:
        one.place.leave()
    clock.run_now()
    assert len(lane.places) == 20


def test_one_that_wants_nothing_any_more_passes_its_turn_on(clock, room):
    places = speaking(room, 95)
    first, second = Lane(room, 1), Lane(room, 1)
    first.pump()
    second.pump()
    first.wants = 0
    places[0].leave()
    clock.run_now()
    assert len(second.places) == 1


class RoomModel(RuleBasedStateMachine):
    """Any order of taking, speaking, resting and leaving, with lodgers that give way in two manners."""

    SIZE = 20
    UNPROVEN = 12
    UNRESERVED = 19

    def __init__(self) -> None:
        super().__init__()
        self.clock = VirtualClock()
        self.room = Room(self.SIZE, Wheel(self.clock))
        self.places: dict[Place, bool] = {}
        self.lanes: list[ModelLane] = []

    def drop(self, place: Place) -> None:
        self.places.pop(place, None)

    @rule(wants=st.integers(1, 6), hosts=st.integers(0, 2), is_report=st.booleans())
    def come(self, wants: int, hosts: int, is_report: bool) -> None:
        lane = ModelLane(self, wants, hosts, is_report)
        self.lanes.append(lane)
        lane.pump()
        self.clock.run_now()

    def some(self, data: st.DataObject, *stages: Stage) -> list[Place]:
        fitting = [place for place in self.places if place.stage in stages]
        return list(data.draw(st.sets(st.sampled_from(fitting)))) if fitting else []

    @precondition(lambda self: self.places)
    @rule(data=st.data())
    def speak(self, data: st.DataObject) -> None:
        for place in self.some(data, Stage.UNPROVEN):
            place.prove()
        self.clock.run_now()

    @precondition(lambda self: self.places)
    @rule(data=st.data())
    def rest(self, data: st.DataObject) -> None:
        for place in self.some(data, Stage.SPEAKING):

            def close(place: Place = place) -> None:
                place.leave()
                self.drop(place)

            place.rest(close)
        self.clock.run_now()

    @precondition(lambda self: self.places)
    @rule(data=st.data())
    def wake(self, data: st.DataObject) -> None:
        for place in self.some(data, Stage.AT_REST):
            place.wake()
        self.clock.run_now()

    @precondition(lambda self: self.places)
    @rule(data=st.data())
    def leave(self, data: st.DataObject) -> None:
        for place in self.some(data, Stage.UNPROVEN, Stage.SPEAKING, Stage.AT_REST):
            place.leave()
            place.leave()
            self.drop(place)
        self.clock.run_now()

    @rule(duration=st.integers(0, 2 * PATIENCE))
    def wait(self, duration: int) -> None:
        self.clock.advance(duration)

    @invariant()
    def the_numbers_are_true_and_bounded(self) -> None:
        unproven = [place for place in self.places if place.stage is Stage.UNPROVEN]
        assert self.room.taken == len(self.places) <= self.SIZE
        assert self.room.unproven == len(unproven)
        mail = [place for place in unproven if not place.lodger.is_report]  # type: ignore[union-attr]
        assert len(mail) <= self.UNPROVEN

    @invariant()
    def nobody_waits_while_there_is_room(self) -> None:
        resting = sum(place.stage is Stage.AT_REST for place in self.places)
        for lane in self.lanes:
            if not lane.wants:
                continue
            if lane.is_report:
                assert self.room.taken == self.SIZE
            else:
                assert self.room.taken >= self.UNRESERVED or self.room.unproven >= self.UNPROVEN
            assert not resting or self.room.unproven >= self.UNPROVEN or self.room.taken < self.SIZE

    def teardown(self) -> None:
        for _ in range(200):
            if not self.places and not any(lane.wants for lane in self.lanes):
                break
            for place in tuple(self.places):
                place.leave()
                self.drop(place)
            self.clock.advance(PATIENCE)
        assert not any(lane.wants for lane in self.lanes), "somebody was forgotten"
        assert self.room.taken == self.room.unproven == 0


class ModelLane:
    """A lane of the model: never asked before its time, and after that it goes on or leaves."""

    def __init__(self, model: RoomModel, wants: int, hosts: int, is_report: bool) -> None:
        self.model = model
        self.wants = wants
        self.hosts = hosts
        self.is_report = is_report

    def pump(self) -> None:
        while self.wants:
            if not self._take():
                self.model.room.wait(self, is_report=self.is_report)
                return

    def use_one_place(self) -> None:
        if self.wants and self._take() and self.wants:
            self.model.room.wait(self, is_report=self.is_report)

    def _take(self) -> bool:
        room = self.model.room
        place = room.take(is_report=self.is_report)
        if place is None:
            return False
        self.wants -= 1
        place.lodger = ModelLodger(self, place)
        self.model.places[place] = True
        return True


class ModelLodger:
    def __init__(self, lane: ModelLane, place: Place) -> None:
        self.is_report = lane.is_report
        self._model = lane.model
        self._hosts = lane.hosts
        self._place = place

    def give_way(self) -> None:
        assert self._model.clock.now() - self._place.since >= PATIENCE
        assert self._place.stage is Stage.UNPROVEN
        if self._hosts:
            self._hosts -= 1
            self._place.begin_again()
        else:
            self._place.leave()
            self._model.drop(self._place)


TestRoomModel = RoomModel.TestCase
TestRoomModel.settings = settings(max_examples=80, stateful_step_count=30, deadline=None)
