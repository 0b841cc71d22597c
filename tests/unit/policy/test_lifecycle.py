"""The life of a recipient: every event in every state, and nothing after a final disposition."""

from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from byreturn.mail import Cause, WeFound
from byreturn.policy import (
    FINAL,
    TRANSITIONS,
    Booked,
    Delivered,
    Discarded,
    Event,
    Expired,
    Failed,
    Fence,
    GaveUpOnUs,
    Held,
    IllegalTransition,
    InFlight,
    Interrupted,
    Outcome,
    Parked,
    PutOff,
    RanOutOfTime,
    Refused,
    Relayed,
    Returned,
    State,
    Stored,
    Unbooked,
    Uncertain,
    Waiting,
    WasDiscarded,
    WasHeld,
    WasReleased,
    WasReturned,
    advance,
    attempts_of,
)
from byreturn.policy.lifecycle import Disposition

WHY = WeFound(Cause.SILENT)
DUE = 1_800_000_000_000
STATES = get_args(State)
EVENTS = get_args(Event)


def state_of(kind, attempts):
    if kind is Waiting:
        return Waiting(DUE - 1, attempts)
    return InFlight(Fence(7, attempts)) if kind is InFlight else kind(attempts)


def event_of(kind):
    if kind is Booked:
        return Booked(9)
    if kind in (WasReleased, Unbooked):
        return kind(DUE)
    if kind in (PutOff, Uncertain, Interrupted):
        return kind(WHY, DUE)
    return kind() if kind in (WasHeld, WasDiscarded) else kind(WHY)


# The law once more, as a person would draw it: a row for each state, a column for each event that it knows.
LAW = {
    Waiting: {
        Booked: InFlight,
        RanOutOfTime: Expired,
        WasHeld: Held,
        WasReturned: Returned,
        WasDiscarded: Discarded,
    },
    InFlight: {
        Relayed: Delivered,
        Stored: Delivered,
        Refused: Failed,
        PutOff: Waiting,
        Uncertain: Waiting,
        Unbooked: Waiting,
        Interrupted: Waiting,
        GaveUpOnUs: Parked,
        RanOutOfTime: Expired,
        WasHeld: Held,
        WasReturned: Returned,
        WasDiscarded: Discarded,
    },
    Held: {WasReleased: Waiting, WasReturned: Returned, WasDiscarded: Discarded},
    Parked: {WasReleased: Waiting, WasReturned: Returned, WasDiscarded: Discarded},
    Delivered: {},
    Failed: {},
    Expired: {},
    Returned: {},
    Discarded: {},
}


@pytest.mark.parametrize("event", EVENTS)
@pytest.mark.parametrize("state", STATES)
def test_every_cell_of_states_and_events(state, event):
    before = state_of(state, 3)
    expected = LAW[state].get(event)
    if expected is None:
        with pytest.raises(IllegalTransition, match=f"{event.__name__} in {state.__name__}"):
            advance(before, event_of(event))
        assert (state, event) not in TRANSITIONS
        return
    after = advance(before, event_of(event))
    assert type(after) is expected is TRANSITIONS[state, event]
    attempts = {Booked: 4, Unbooked: 2}.get(event, 3)
    assert attempts_of(after) == attempts
    if expected is Waiting:
        assert after == Waiting(DUE, attempts)
    if expected is InFlight:
        assert after == InFlight(Fence(9, 4))


def test_the_law_names_every_state_and_knows_only_events_that_exist():
    assert set(LAW) == set(STATES)
    assert {event for _, event in TRANSITIONS} == set(EVENTS)
    assert {state for state, _ in TRANSITIONS} == set(STATES) - set(FINAL)


def test_a_final_disposition_is_final():
    assert set(FINAL) == set(get_args(Disposition))
    assert all(not LAW[state] for state in FINAL)


def test_from_every_state_that_is_not_final_there_is_a_way_to_a_disposition():
    reached = set(FINAL)
    while len(more := reached | {state for state in STATES if reached & set(LAW[state].values())}) > len(
        reached
    ):
        reached = more
    assert reached == set(STATES)


def test_what_an_attempt_finds_is_known_in_flight():
    assert all((InFlight, outcome) in TRANSITIONS for outcome in get_args(Outcome))


def test_an_illegal_transition_is_a_bug_and_looks_like_one():
    assert issubclass(IllegalTransition, AssertionError)


@given(st.lists(st.sampled_from(EVENTS), max_size=40))
def test_attempts_are_counted_by_bookings_that_were_used_and_an_end_is_an_end(kinds):
    state = Waiting(0, 0)
    bookings = 0
    ended = False
    for kind in kinds:
        try:
            state = advance(state, event_of(kind))
        except IllegalTransition:
            continue
        assert not ended
        bookings += (kind is Booked) - (kind is Unbooked)
        ended = isinstance(state, FINAL)
        assert attempts_of(state) == bookings
