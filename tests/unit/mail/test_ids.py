"""Identifiers: in order of time, never twice, and safe to read out over the telephone."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from byreturn.mail import IdFactory, QueueId, first_id_at, id_from_text, id_instant, id_text

EPOCH = 1_577_836_800_000
NOW = EPOCH + 200_000_000_000
numbers = st.integers(0, (1 << 63) - 1).map(QueueId)
instants = st.integers(EPOCH, EPOCH + (1 << 41) - 1)
nodes = st.integers(0, 63)


def node_of(number):
    return number >> 16 & 63


# --- Text ---------------------------------------------------------------------------------------------


@given(numbers)
def test_an_id_is_read_back_as_it_was_written(number):
    assert id_from_text(id_text(number)) == number
    assert len(id_text(number)) == 13


@given(numbers, numbers)
def test_letters_sort_as_the_numbers_do(one, other):
    assert (id_text(one) < id_text(other)) == (one < other)


@given(numbers, st.integers(0, 13))
def test_an_id_survives_the_telephone(number, at):
    text = id_text(number)
    spoken = text.replace("0", "o").replace("1", "l").lower()
    assert id_from_text(f"{spoken[:at]}-{spoken[at:]}") == number
    assert id_from_text(f" {text.replace('1', 'i')[:at]} {text[at:]}") == number


@pytest.mark.parametrize(
    "text",
    [
        "",
        "0",
        "000000000000",
        "00000000000000",
        "000000000000U",
        "000000000000!",
        "8000000000000",
        "../../../etc/p",
    ],
)
def test_what_is_no_id_is_none(text):
    assert id_from_text(text) is None


def test_the_largest_id_is_the_last_one():
    assert id_from_text("7ZZZZZZZZZZZZ") == (1 << 63) - 1


@given(st.text(max_size=20))
def test_any_text_is_an_id_or_none(text):
    number = id_from_text(text)
    assert number is None or id_from_text(id_text(number)) == number


# --- Time ---------------------------------------------------------------------------------------------


@given(instants, nodes)
def test_an_id_tells_when_it_was_made(now, node):
    assert id_instant(IdFactory(node, QueueId(0)).make(now)) == now


@given(instants, instants, nodes)
def test_the_first_id_of_an_instant_divides_before_from_after(now, border, node):
    number = IdFactory(node, QueueId(0)).make(now)
    assert (number >= first_id_at(border)) == (now >= border)
    assert id_instant(first_id_at(border)) == border


@given(st.integers(-EPOCH, EPOCH))
def test_before_the_epoch_there_is_no_id(at):
    assert first_id_at(at) == 0


# --- The factory --------------------------------------------------------------------------------------


@given(st.lists(st.integers(0, EPOCH + (1 << 40)), max_size=50), nodes)
def test_ids_rise_whatever_the_clock_does(clock, node):
    factory = IdFactory(node, QueueId(0))
    made = [factory.make(now) for now in clock]
    assert all(before < after for before, after in pairwise(made))


@given(st.lists(instants, min_size=1, max_size=50), nodes)
def test_the_node_bits_stay_ours_when_the_clock_steps_back(clock, node):
    factory = IdFactory(node, QueueId(0))
    assert {node_of(factory.make(now)) for now in clock} == {node}


@given(st.integers(0, EPOCH), nodes)
def test_the_node_bits_are_ours_from_the_first_id_on_with_a_clock_in_1970(now, node):
    factory = IdFactory(node, QueueId(0))
    assert {node_of(factory.make(now)) for _ in range(3)} == {node}


@given(nodes, nodes, st.integers(0, 65_535))
def test_the_node_bits_are_ours_after_another_node_left_the_floor(node, other, sequence):
    floor = QueueId(first_id_at(NOW) | other << 16 | sequence)
    factory = IdFactory(node, floor)
    # The clock is behind what the other node has written.
    made = [factory.make(NOW - 5) for _ in range(3)]
    assert {node_of(number) for number in made} == {node}
    assert min(made) > floor


@pytest.mark.parametrize("node", [0, 5, 63])
def test_more_than_65536_in_a_millisecond_borrow_the_next_one(node):
    factory = IdFactory(node, QueueId(0))
    made = [factory.make(NOW) for _ in range(65_536 * 2 + 10)]
    assert len(set(made)) == len(made)
    assert made == sorted(made)
    assert {node_of(number) for number in made} == {node}
    assert id_instant(made[65_535]) == NOW
    assert id_instant(made[65_536]) == NOW + 1
    assert id_instant(made[-1]) == NOW + 2
    # The clock has to catch up before it is believed again.
    assert factory.make(NOW + 1) == made[-1] + 1
    assert id_instant(factory.make(NOW + 50)) == NOW + 50


@given(instants, nodes)
def test_after_a_restart_ids_go_on_above_the_floor(now, node):
    floor = IdFactory(node, QueueId(0)).make(now)
    assert IdFactory(node, floor).make(now - 60_000) > floor


@given(instants, st.integers(0, 62))
def test_two_nodes_never_make_the_same_id(now, node):
    one, other = IdFactory(node, QueueId(0)), IdFactory(node + 1, QueueId(0))
    made = [factory.make(now) for factory in (one, other, other, one)]
    assert len(set(made)) == 4


@pytest.mark.parametrize("node", [-1, 64])
def test_a_node_that_does_not_exist_is_our_bug(node):
    with pytest.raises(AssertionError):
        IdFactory(node, QueueId(0))
