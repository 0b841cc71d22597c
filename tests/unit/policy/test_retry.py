"""When to try again: soon where somebody is alive, slowly where nobody is, and never later than promised."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from byreturn.mail import DAY, HOUR, MINUTE, Priority
from byreturn.policy import RetrySchedule, after_4yz, after_no_answer, after_silence

USUAL = RetrySchedule()
NOW = 1_800_000_000_000
lots = st.floats(0, 1, exclude_max=True)
waits = st.lists(st.integers(1, DAY), min_size=1, max_size=6).map(lambda some: tuple(sorted(some)))
schedules = st.builds(
    RetrySchedule, after_4yz=waits | st.just(()), intervals=waits, probe_limit=st.integers(1, DAY)
)


def wait(function, count, schedule=USUAL, lot=0.5):
    return function(schedule, count, now=NOW, lot=lot) - NOW


@pytest.mark.parametrize(
    ("attempts", "minutes"),
    [(1, 1), (2, 5), (3, 15), (4, 15), (5, 30), (6, 60), (7, 120), (8, 120), (999, 120)],
)
def test_a_living_host_is_asked_again_soon_then_slowly(attempts, minutes):
    assert wait(after_4yz, attempts) == minutes * MINUTE


@pytest.mark.parametrize(("attempts", "minutes"), [(1, 15), (2, 30), (3, 60), (4, 120), (5, 120), (999, 120)])
def test_where_nobody_answers_the_slow_schedule_holds(attempts, minutes):
    assert wait(after_no_answer, attempts) == minutes * MINUTE


@pytest.mark.parametrize(("failures", "minutes"), [(1, 15), (2, 30), (3, 30), (4, 30), (999, 30)])
def test_a_silent_destination_is_probed_at_least_every_half_hour(failures, minutes):
    assert wait(after_silence, failures) == minutes * MINUTE


@pytest.mark.parametrize("function", [after_4yz, after_no_answer, after_silence])
@given(schedule=schedules, count=st.integers(1, 100), lot=lots)
def test_a_wait_is_spread_by_a_tenth_and_never_nothing(function, schedule, count, lot):
    middle = wait(function, count, schedule)
    spread = wait(function, count, schedule, lot)
    assert spread >= 1
    assert 0.9 * middle - 1 <= spread <= 1.1 * middle + 1
    assert wait(function, count, schedule, 0.0) <= spread <= wait(function, count, schedule, 1.0)


@pytest.mark.parametrize("function", [after_no_answer, after_silence])
@given(schedule=schedules, count=st.integers(1, 100))
def test_waits_grow_with_the_count_and_then_stay(function, schedule, count):
    assert wait(function, count, schedule) <= wait(function, count + 1, schedule)
    assert wait(function, 1000, schedule) == wait(function, 1001, schedule)


@given(schedules, st.integers(1, 100), lots)
def test_a_probe_comes_never_later_than_its_limit(schedule, failures, lot):
    assert wait(after_silence, failures, schedule, lot) <= 1.1 * schedule.probe_limit + 1


@pytest.mark.parametrize("function", [after_4yz, after_no_answer, after_silence])
def test_a_retry_before_the_first_try_is_our_bug(function):
    with pytest.raises(AssertionError):
        wait(function, 0)


@pytest.mark.parametrize(
    ("priority", "days"),
    [(Priority.URGENT, 1), (Priority.NORMAL, 5), (Priority.NON_URGENT, 7), (Priority.REPORT, 5)],
)
def test_a_lifetime_by_priority(priority, days):
    assert USUAL.lifetime(priority) == days * DAY


def test_a_lifetime_may_be_set():
    schedule = RetrySchedule(urgent=HOUR, normal=2 * HOUR, non_urgent=3 * HOUR)
    assert [schedule.lifetime(priority) for priority in Priority] == [2 * HOUR, HOUR, 2 * HOUR, 3 * HOUR]
