"""The window: small for the unknown, as large as allowed for the good, and never shut."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from byreturn.policy import Window
from byreturn.policy.window import START


def grown(window, successes=1000):
    for _ in range(successes):
        window.succeeded()
    return window


def test_nobody_knows_the_host_yet():
    assert Window(20).size == START == 2
    assert Window(1).size == 1


def test_each_success_makes_it_one_larger_up_to_the_limit():
    window = Window(20)
    sizes = []
    for _ in range(25):
        window.succeeded()
        sizes.append(window.size)
    assert sizes == [*range(3, 21), *[20] * 7]


def test_a_failure_begins_again():
    window = grown(Window(20))
    window.failed()
    assert window.size == START
    window.succeeded()
    assert window.size == START + 1


def test_a_small_limit_is_kept_by_a_failure_too():
    window = grown(Window(1))
    window.failed()
    assert window.size == window.limit == 1


def test_what_the_hosts_can_take_holds_until_it_is_restored():
    window = grown(Window(20))
    window.lower(5)
    assert (window.size, window.limit) == (5, 5)
    assert grown(window).size == 5
    window.restore()
    assert (window.size, window.limit) == (5, 20)
    assert grown(window).size == 20


def test_lowered_far_it_never_closes_and_a_failure_opens_it_no_wider():
    window = grown(Window(20))
    window.lower(0)
    assert (window.size, window.limit) == (1, 1)
    window.failed()
    assert window.size == 1
    window.lower(-5)
    assert window.size == 1


def test_nobody_s_advice_makes_it_larger_than_we_allow():
    window = Window(3)
    window.lower(50)
    assert window.limit == 3
    assert grown(window).size == 3


def test_lowering_above_the_size_leaves_the_size():
    window = Window(20)
    window.lower(10)
    assert (window.size, window.limit) == (2, 10)


@pytest.mark.parametrize("limit", [0, -1])
def test_a_window_without_room_is_our_bug(limit):
    with pytest.raises(AssertionError):
        Window(limit)


events = st.lists(
    st.sampled_from(["succeeded", "failed", "restore"]) | st.integers(-5, 50).map(lambda n: ("lower", n)),
    max_size=60,
)


@given(st.integers(1, 30), events)
def test_it_stays_within_its_bounds_and_a_good_host_gets_all_of_it(limit, some):
    window = Window(limit)
    for event in some:
        before = window.size
        if isinstance(event, tuple):
            window.lower(event[1])
            assert window.size <= before
        else:
            getattr(window, event)()
            assert window.size <= before + 1
        assert 1 <= window.size <= window.limit <= limit
    window.restore()
    assert grown(window).size == limit
