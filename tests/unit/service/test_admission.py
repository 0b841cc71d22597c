"""The active window: shares of destinations and senders, what is for reports, when to ask the spool again."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from tests.unit.service.mail import message

from byreturn.mail import Destination, Message, Priority
from byreturn.service.admission import ActiveWindow, DispatchSettings, claim_quota, sender_of

HERE, THERE = Destination("here.example"), Destination("there.example")


def window(active: int = 1000, quota: int = 100) -> ActiveWindow:
    return ActiveWindow(DispatchSettings(active_recipients=active, destination_quota=quota))


def fill(of: ActiveWindow, who: Message, count: int, destination: Destination | None = None) -> int:
    """Let as many join as may, at most `count`; each at a destination of its own where none is named."""
    for number in range(count):
        there = destination or Destination(f"d{of.active}.example")
        if not of.has_room(who, there):
            return number
        of.join(who, there)
    return count


def test_one_sender_has_four_fifths_of_a_destination():
    active = window()
    assert fill(active, message(sender="newsletter"), 1000, HERE) == 80
    assert fill(active, message(sender="newsletter"), 10, THERE) == 10
    assert active.has_room(message(sender="clerk"), HERE)


def test_two_senders_share_a_destination():
    active = window()
    fill(active, message(sender="one"), 1000, HERE)
    assert fill(active, message(sender="two"), 1000, HERE) == 20
    assert not active.has_room(message(sender="clerk"), HERE), "the quota is a bound"
    assert active.has_room(message(sender="clerk"), THERE)


def test_one_sender_has_four_fifths_of_the_window():
    active = window()
    assert fill(active, message(sender="newsletter"), 2000) == 760
    assert fill(active, message(sender="clerk"), 2000) == 190


def test_the_last_five_percent_are_for_reports():
    active = window()
    fill(active, message(sender="newsletter"), 2000)
    fill(active, message(sender="clerk"), 2000)
    report = message(priority=Priority.REPORT)
    assert not active.has_room(message(sender="chief"), THERE)
    assert fill(active, report, 2000) == 50
    assert active.active == 1000


def test_reports_obey_the_quota_too():
    active = window()
    report = message(priority=Priority.REPORT)
    assert fill(active, report, 1000, HERE) == 100


def test_bulk_of_one_client_is_one_sender():
    assert sender_of(message(sender="a", is_bulk=True)) == sender_of(message(sender="b", is_bulk=True))
    assert sender_of(message(sender="a", is_bulk=True)) != sender_of(message(sender="a"))
    active = window()
    for number in range(80):
        active.join(message(sender=f"path-{number}", is_bulk=True), HERE)
    assert not active.has_room(message(sender="path-99", is_bulk=True), HERE)
    assert active.has_room(message(sender="clerk"), HERE)


def test_a_destination_gets_a_new_load_when_half_of_the_last_is_done():
    active = window()
    who = message()
    assert active.quotas() == {}
    for _ in range(41):
        active.join(who, HERE)
    assert active.quotas() == {HERE: 0}
    active.came_free()
    active.leave(who, HERE)
    assert active.came_free()
    assert not active.came_free(), "it is said once"
    assert active.quotas() == {HERE: 40}


def test_the_spool_gives_four_fifths_of_the_window():
    active = window()
    assert active.room == 760
    fill(active, message(sender="newsletter"), 2000)
    assert active.room == 0
    fill(active, message(sender="clerk"), 2000)
    assert active.room < 0


@pytest.mark.parametrize("quota", [1, 2, 3, 5])
def test_a_small_quota_still_lets_one_come(quota):
    active = window(quota=quota)
    who = message()
    assert claim_quota(quota) >= 1
    assert active.has_room(who, HERE)
    for _ in range(claim_quota(quota)):
        active.join(who, HERE)
    assert active.quotas() == {HERE: 0}
    for _ in range(claim_quota(quota)):
        active.leave(who, HERE)
    assert active.came_free()
    assert active.quotas() == {}


def test_contents_are_kept_up_to_a_bound():
    active = ActiveWindow(DispatchSettings(content_octets=10))
    assert active.keep(None) is None
    assert active.keep(b"12345678") == b"12345678"
    assert active.keep(b"123") is None
    assert active.keep(b"12") == b"12"
    active.let_go(b"12345678")
    assert active.keep(b"12345678") is not None


class WindowModel(RuleBasedStateMachine):
    """Any order of coming and going, against plain counting. Who may not come leaves nothing behind."""

    def __init__(self) -> None:
        super().__init__()
        self.window = window(active=40, quota=10)
        self.there: list[tuple[Message, Destination]] = []
        self.blocked: set[Destination] = set()

    @rule(
        sender=st.sampled_from("abc"),
        destination=st.sampled_from((HERE, THERE, Destination("third.example"))),
        priority=st.sampled_from((Priority.REPORT, Priority.NORMAL)),
        from_spool=st.booleans(),
        count=st.integers(1, 12),
    )
    def come(
        self, sender: str, destination: Destination, priority: Priority, from_spool: bool, count: int
    ) -> None:
        who = message(sender=sender, priority=priority)
        if from_spool:
            may = min(self.window.room, self.window.quotas().get(destination, claim_quota(10)), count)
        else:
            may = count
        for _ in range(may):
            if from_spool or self.window.has_room(who, destination):
                self.window.join(who, destination)
                self.there.append((who, destination))
        quotas = self.window.quotas()
        self.blocked = {name for name, quota in quotas.items() if quota <= 0}
        self.window.came_free()

    @precondition(lambda self: self.there)
    @rule(data=st.data())
    def go(self, data: st.DataObject) -> None:
        number = data.draw(st.integers(0, len(self.there) - 1))
        who, destination = self.there.pop(number)
        was_full = self.window.room <= 0
        self.window.leave(who, destination)
        quotas = self.window.quotas()
        freed = {name for name in self.blocked if quotas.get(name, 1) > 0}
        said = self.window.came_free()
        if freed:
            assert said, "a destination has room again, and nobody is told"
        self.blocked -= freed
        if was_full and not self.there:
            assert said or self.window.room > 0

    @invariant()
    def the_bounds_hold(self) -> None:
        active = self.window
        assert 0 <= active.active == len(self.there) <= 40
        counted = Counter(destination for _, destination in self.there)
        assert all(count <= 10 for count in counted.values())
        assert +active._by_destination == counted == active._by_destination
        assert active._by_sender == Counter(sender_of(who) for who, _ in self.there)
        assert active._by_both == Counter((there, sender_of(who)) for who, there in self.there)

    def teardown(self) -> None:
        for who, destination in self.there:
            self.window.leave(who, destination)
        assert not self.window.active
        assert not self.window._by_destination
        assert not self.window._by_sender
        assert not self.window._by_both


TestWindowModel = WindowModel.TestCase
TestWindowModel.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
