"""Rates: what is agreed goes through, no faster in the long run, and nothing waits for ever."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from byreturn.mail import DAY, HOUR, MINUTE, SECOND
from byreturn.policy import Bucket, Rate

NOW = 1_800_000_000_000
MIB = 1 << 20


def passed(bucket, span, units=1, *, start=NOW):
    """Count what goes through in a span if somebody always wants to go."""
    now, count = start, 0
    while now < start + span:
        wait = bucket.wait(now)
        if wait:
            now += wait
        else:
            bucket.take(units, now)
            count += units
    return count


def test_a_second_s_worth_goes_at_once():
    assert passed(Bucket(Rate(5, SECOND), NOW), 1) == 5
    assert passed(Bucket(Rate(600, MINUTE), NOW), 1) == 10


@pytest.mark.parametrize("rate", [Rate(100, HOUR), Rate(1, DAY), Rate(59, MINUTE)])
def test_of_a_slow_rate_one_goes_at_once(rate):
    assert passed(Bucket(rate, NOW), 1) == 1


@pytest.mark.parametrize(
    ("rate", "wait"),
    [
        (Rate(10, SECOND), 100),
        (Rate(60, MINUTE), SECOND),
        (Rate(10, 15 * MINUTE), 90 * SECOND),
        (Rate(1, DAY), DAY),
    ],
)
def test_the_next_waits_until_its_turn(rate, wait):
    bucket = Bucket(rate, NOW)
    passed(bucket, 1)
    assert bucket.wait(NOW) == wait
    assert bucket.wait(NOW + wait - 1) == 1
    assert bucket.wait(NOW + wait) == 0


@pytest.mark.parametrize("rate", [Rate(100, MINUTE), Rate(5, SECOND), Rate(2000, HOUR), Rate(7, 90 * SECOND)])
def test_in_the_long_run_the_rate_is_used_up_and_kept(rate):
    fair = rate.amount * HOUR // rate.per
    assert fair <= passed(Bucket(rate, NOW), HOUR) <= fair + rate.within(SECOND)


def test_a_message_larger_than_the_bucket_goes_and_is_paid_for_by_those_behind_it():
    bucket = Bucket(Rate(10 * MIB, MINUTE), NOW)
    assert bucket.wait(NOW) == 0
    bucket.take(30 * MIB, NOW)
    # Three minutes' worth, less the second's worth that was there, and for one octet a millisecond.
    assert bucket.wait(NOW) == 179 * SECOND + 1
    assert bucket.wait(NOW + 3 * MINUTE) == 0


def test_a_long_silence_saves_up_no_more_than_the_bucket_holds():
    bucket = Bucket(Rate(5, SECOND), NOW)
    passed(bucket, 1)
    assert passed(bucket, 1, start=NOW + DAY) == 5


def test_a_clock_that_goes_back_neither_fills_nor_drains():
    bucket = Bucket(Rate(1, MINUTE), NOW)
    bucket.take(1, NOW)
    assert bucket.wait(NOW - HOUR) == bucket.wait(NOW) > 0
    assert bucket.wait(NOW + MINUTE) == 0


@pytest.mark.parametrize(
    ("rate", "span", "units"),
    [
        (Rate(100, MINUTE), MINUTE, 100), (Rate(100, MINUTE), 30 * SECOND, 50), (Rate(100, HOUR), MINUTE, 1),
        (Rate(1, DAY), SECOND, 1), (Rate(5, SECOND), HOUR, 18_000), (Rate(100, MINUTE), 0, 1),
    ],
)  # fmt: skip
def test_how_much_fits_into_a_span(rate, span, units):
    assert rate.within(span) == units


@pytest.mark.parametrize("rate", [Rate(0, SECOND), Rate(-1, SECOND), Rate(1, 0)])
def test_a_rate_that_lets_nothing_through_is_our_bug(rate):
    with pytest.raises(AssertionError):
        Bucket(rate, NOW)


rates = st.builds(Rate, st.integers(1, 10**9), st.integers(1, DAY))
steps = st.lists(st.tuples(st.integers(-MINUTE, HOUR), st.integers(0, 10**9)), max_size=30)


@given(rates, steps)
def test_who_waits_as_long_as_told_may_go_and_not_a_moment_sooner(rate, some):
    bucket, now, latest = Bucket(rate, NOW), NOW, NOW
    for step, units in some:
        now += step
        latest = max(latest, now)
        wait = bucket.wait(now)
        assert wait >= 0
        if wait:
            assert bucket.wait(latest + wait - 1) == 1
            assert bucket.wait(latest + wait) == 0
            now = latest = latest + wait
        bucket.take(units, now)


@given(rates, st.lists(st.tuples(st.integers(0, HOUR), st.integers(1, 10**6)), min_size=1, max_size=40))
def test_what_went_before_the_last_one_fits_into_the_rate(rate, some):
    bucket, now, before = Bucket(rate, NOW), NOW, 0
    for step, units in some:
        now += step
        if not bucket.wait(now):
            # Nobody is let through on more than was filled in, and the bucket was full at the start.
            burst = max(rate.per, rate.amount * SECOND)
            assert before * rate.per < burst + (now - NOW) * rate.amount
            bucket.take(units, now)
            before += units
