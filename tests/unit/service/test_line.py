"""The line before a lane: priority, then sender by sender, and what is of one message goes together."""

from __future__ import annotations

import itertools
from collections import deque

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from tests.unit.service.mail import batch, message, way

from byreturn.mail import Priority
from byreturn.service.batch import Batch
from byreturn.service.line import Line

WAY = way()


def ids(line: Line) -> list[int]:
    return [int(one.carried.message.id) for one in line.take_all()]


def test_priority_goes_before_turns():
    line = Line()
    order = (Priority.NON_URGENT, Priority.NORMAL, Priority.URGENT, Priority.REPORT)
    for number, priority in enumerate(order):
        assert not line.has_report
        line.add(WAY, batch(message(number, priority=priority)))
    assert line.has_report
    assert ids(line) == [3, 2, 1, 0]
    assert (len(line), line.has_report) == (0, False)


def test_senders_take_turns():
    line = Line()
    for number in range(5):
        line.add(WAY, batch(message(number, "newsletter")))
    line.add(WAY, batch(message(10, "clerk")))
    line.add(WAY, batch(message(11, "clerk")))
    line.add(WAY, batch(message(20, "chief")))
    assert ids(line) == [0, 10, 20, 1, 11, 2, 3, 4]


def test_a_sender_that_comes_back_stands_behind():
    line = Line()
    line.add(WAY, batch(message(1, "one")))
    line.add(WAY, batch(message(2, "two")))
    assert line.next()[1].carried.message.id == 1
    line.add(WAY, batch(message(3, "one")))
    assert ids(line) == [2, 3]


def test_bulk_of_one_client_is_one_sender():
    line = Line()
    for number in range(4):
        line.add(WAY, batch(message(number, f"reverse-path-{number}", is_bulk=True)))
    line.add(WAY, batch(message(10, "clerk")))
    line.add(WAY, batch(message(20, "reverse-path-9", is_bulk=True, client="127.0.0.8")))
    assert ids(line) == [0, 10, 20, 1, 2, 3]


def test_recipients_of_one_message_join():
    line = Line()
    one = message(1)
    line.add(WAY, batch(one, 0))
    line.add(WAY, batch(message(2), 0))
    line.add(WAY, batch(one, 1))
    assert len(line) == 2
    _, first = line.next()
    assert [booking.recipient.ordinal for booking in first.left] == [0, 1]


def test_they_join_only_as_far_as_a_transaction_takes_them():
    line = Line()
    few = way(recipients=3)
    one = message(1)
    for ordinal in range(7):
        line.add(few, batch(one, ordinal))
    assert [[booking.recipient.ordinal for booking in each.left] for each in line.take_all()] == [
        [0, 1, 2],
        [3, 4, 5],
        [6],
    ]


def test_whoever_has_left_is_not_joined():
    line = Line()
    one = message(1)
    line.add(WAY, batch(one, 0))
    _, gone = line.next()
    line.add(WAY, batch(one, 1))
    assert [booking.recipient.ordinal for booking in gone.left] == [0]
    assert len(line) == 1


def test_one_that_is_put_back_is_the_next_of_its_sender():
    line = Line()
    for number in range(3):
        line.add(WAY, batch(message(number, "newsletter")))
    line.add(WAY, batch(message(10, "clerk")))
    way_of, first = line.next()
    line.put_back(way_of, first)
    assert len(line) == 4
    assert ids(line) == [10, 0, 1, 2]


def test_one_that_is_put_back_alone_stands_there_again():
    line = Line()
    line.add(WAY, batch(message(1, priority=Priority.REPORT)))
    line.put_back(*line.next())
    assert line.has_report
    assert ids(line) == [1]


class LineModel(RuleBasedStateMachine):
    """Any order of coming and going, against a list for each sender."""

    LIMIT = 4

    def __init__(self) -> None:
        super().__init__()
        self.line = Line()
        self.way = way(recipients=self.LIMIT)
        self.numbers = itertools.count(1)
        self.turns: list[dict[str, deque[Batch]]] = [{} for _ in Priority]
        self.out: list[Batch] = []
        self.came = 0
        self.last: tuple[int, str, Priority, int] | None = None

    def stand(self, priority: Priority, sender: str, one: Batch) -> None:
        self.turns[priority].setdefault(sender, deque()).append(one)

    @rule(sender=st.sampled_from("abc"), priority=st.sampled_from(Priority))
    def come(self, sender: str, priority: Priority) -> None:
        number = next(self.numbers)
        one = batch(message(number, sender, priority=priority), 0)
        ahead = self.line.ahead_of(one)
        self.line.add(self.way, one)
        self.stand(priority, one.carried.sender, one)
        assert self.order().index(one) == ahead
        self.last = (number, sender, priority, 1)
        self.came += 1

    def order(self) -> list[Batch]:
        """In which order they would go."""
        order: list[Batch] = []
        for senders in self.turns:
            turns = deque(deque(each) for each in senders.values())
            while turns:
                order.append(turns[0].popleft())
                turns.rotate(-1)
                if not turns[-1]:
                    turns.pop()
        return order

    @precondition(lambda self: self.last is not None)
    @rule()
    def come_with_more_of_the_last_message(self) -> None:
        assert self.last is not None
        number, sender, priority, ordinal = self.last
        one = batch(message(number, sender, priority=priority), ordinal)
        everybody = [each for turns in self.turns for line in turns.values() for each in line]
        waiting = [each for each in everybody if each.carried.message.id == number and each not in self.out]
        joins = bool(waiting) and len(waiting[-1].left) < self.LIMIT
        self.line.add(self.way, one)
        if not joins:
            self.stand(priority, one.carried.sender, one)
        self.last = (number, sender, priority, ordinal + 1)
        self.came += 1

    @precondition(lambda self: len(self.line))
    @rule(goes_back=st.booleans())
    def go(self, goes_back: bool) -> None:
        senders = next(senders for senders in self.turns if senders)
        sender = next(iter(senders))
        batches = senders.pop(sender)
        expected = batches.popleft()
        if batches:
            senders[sender] = batches
        way_of, one = self.line.next()
        assert one is expected
        if goes_back:
            self.line.put_back(way_of, one)
            senders.setdefault(sender, deque()).appendleft(one)
            self.out.append(one)
        else:
            self.came -= len(one.left)

    @invariant()
    def nobody_is_lost(self) -> None:
        waiting = [each for turns in self.turns for line in turns.values() for each in line]
        assert len(self.line) == len(waiting)
        assert sum(len(each.left) for each in waiting) == self.came
        assert self.line.has_report == bool(self.turns[Priority.REPORT])

    def teardown(self) -> None:
        assert sum(len(one.left) for one in self.line.take_all()) == self.came
        assert not len(self.line)
        assert not self.line._joinable
        assert not any(self.line._turns)


TestLineModel = LineModel.TestCase
TestLineModel.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
