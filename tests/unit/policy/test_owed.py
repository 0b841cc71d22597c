"""Which reports are owed, to whom, and when they leave."""

from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from byreturn.mail import MINUTE, NULL_PATH, SECOND, Action, Cause, Mailbox, Notify, WeFound
from byreturn.policy import (
    Booked,
    GaveUpOnUs,
    Interrupted,
    PutOff,
    RanOutOfTime,
    Refused,
    Relayed,
    Stored,
    Uncertain,
    WasDiscarded,
    WasHeld,
    WasReleased,
    WasReturned,
    owed_for,
    report_due_at,
    wants_delay_notice,
)

WHY = WeFound(Cause.SILENT)
SENDER = Mailbox("a", "there.example")
FAILURES = [Refused(WHY), RanOutOfTime(WHY), WasReturned(WHY)]
SUCCESSES = [Stored(WHY), Relayed(WHY)]
SILENT = [
    Booked(1),
    PutOff(WHY, 0),
    Uncertain(WHY, 0),
    Interrupted(WHY, 0),
    GaveUpOnUs(WHY),
    WasHeld(),
    WasReleased(0),
    WasDiscarded(),
]
S, F, D = Notify.SUCCESS, Notify.FAILURE, Notify.DELAY
EVERY_NOTIFY = [Notify.ABSENT, S, F, D, S | F, S | D, F | D, S | F | D, Notify.NEVER]


def owed(event, notify, *, passed_on=False, path=SENDER):
    return owed_for(event, path, notify, passed_on=passed_on)


@pytest.mark.parametrize("notify", EVERY_NOTIFY, ids=str)
@pytest.mark.parametrize("event", FAILURES, ids=lambda event: type(event).__name__)
def test_a_failure_is_reported_unless_notify_names_other_things_only(event, notify):
    hears = notify in (Notify.ABSENT, F, S | F, F | D, S | F | D)
    for passed_on in (False, True):
        assert owed(event, notify, passed_on=passed_on) == (Action.FAILED if hears else None)


@pytest.mark.parametrize("notify", EVERY_NOTIFY, ids=str)
def test_a_success_is_reported_only_where_it_was_asked_for(notify):
    hears = notify in (S, S | F, S | D, S | F | D)
    assert owed(Stored(WHY), notify) == (Action.DELIVERED if hears else None)
    assert owed(Relayed(WHY), notify) == (Action.RELAYED if hears else None)


@pytest.mark.parametrize("notify", EVERY_NOTIFY, ids=str)
def test_a_next_hop_that_took_over_the_request_reports_the_success_itself(notify):
    assert owed(Relayed(WHY), notify, passed_on=True) is None


@pytest.mark.parametrize("notify", EVERY_NOTIFY, ids=str)
@pytest.mark.parametrize("event", SILENT, ids=lambda event: type(event).__name__)
def test_what_ends_nothing_is_not_reported_and_what_was_discarded_neither(event, notify):
    assert owed(event, notify) is None


@pytest.mark.parametrize(("event", "notify"), list(product([*FAILURES, *SUCCESSES, *SILENT], EVERY_NOTIFY)))
def test_the_null_path_hears_of_nothing(event, notify):
    assert owed(event, notify, path=NULL_PATH) is None
    assert not wants_delay_notice(NULL_PATH, notify, is_bulk=False)


@given(st.sampled_from([*FAILURES, *SUCCESSES, *SILENT]), st.sampled_from(EVERY_NOTIFY), st.booleans())
def test_never_means_never(event, notify, passed_on):
    assert owed(event, notify | Notify.NEVER, passed_on=passed_on) is None


@pytest.mark.parametrize("notify", EVERY_NOTIFY, ids=str)
def test_a_delay_is_told_where_it_was_asked_for_or_nothing_was_said(notify):
    hears = notify in (Notify.ABSENT, D, S | D, F | D, S | F | D)
    assert wants_delay_notice(SENDER, notify, is_bulk=False) is hears
    assert not wants_delay_notice(SENDER, notify, is_bulk=True)


# --- When ---------------------------------------------------------------------------------------------

NOW = 1_800_000_000_000
gathers = st.integers(0, 10 * MINUTE)


def due(reports_so_far, gather, *, somebody_unheard=False):
    return (
        report_due_at(
            now=NOW, reports_so_far=reports_so_far, gather=gather, somebody_unheard=somebody_unheard
        )
        - NOW
    )


def test_the_first_report_leaves_at_once_when_everybody_was_heard():
    assert due(0, 30 * SECOND) == 0


def test_the_first_report_waits_for_siblings_but_not_for_long():
    assert due(0, 30 * SECOND, somebody_unheard=True) == 30 * SECOND


@pytest.mark.parametrize(
    ("reports_so_far", "wait"),
    [(1, 2 * MINUTE), (2, 8 * MINUTE), (3, 10 * MINUTE), (4, 10 * MINUTE), (1_000_000, 10 * MINUTE)],
)
def test_further_reports_leave_further_apart_up_to_ten_minutes(reports_so_far, wait):
    assert due(reports_so_far, 30 * SECOND) == wait
    assert due(reports_so_far, 30 * SECOND, somebody_unheard=True) == wait


@given(st.integers(0, 1000), gathers, st.booleans())
def test_no_report_waits_longer_than_ten_minutes_nor_shorter_than_the_one_before(count, gather, unheard):
    wait = due(count, gather, somebody_unheard=unheard)
    assert 0 <= wait <= 10 * MINUTE
    assert wait <= due(count + 1, gather, somebody_unheard=unheard)
