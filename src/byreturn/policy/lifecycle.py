"""The life of one recipient, from acceptance to its one final disposition.

*Ready* and *deferred* are not states: both are Waiting, seen after or before its due time. Storing either
would let the clock and the record disagree. What an attempt found is an *event*; the state that follows
is law, written once in TRANSITIONS and repeated by the database's checks.

    (accepted) --> Waiting --booked--> InFlight --relayed/stored--> Delivered  (final)
                    ^  ^  |               |------refused----------> Failed     (final)
                    |  |  |               |--put off, uncertain, interrupted, unbooked--> Waiting
                    |  |  |               |--gave up (thrice interrupted)-----> Parked
                    |  |  |               '--ran out of time------------------> Expired (its last try failed)
                    |  |  |--ran out of time--> Expired    (final)
          released--'  |  |--returned---------> Returned   (final; also from Held, Parked, InFlight)
                  Held-'  |--discarded--------> Discarded  (final; likewise)
                    ^-----'--held

Promises: a final disposition never changes. Pure: no clock, no dice.
Fails: IllegalTransition for a pair not in TRANSITIONS. That is our bug, never a peer's.
"""

from __future__ import annotations

from typing import Final, TypeAlias, cast

from msgspec import Struct

from byreturn.mail import Diagnosis, Instant


class IllegalTransition(AssertionError):
    """An event that cannot happen in this state: a bug of ours."""


class Fence(Struct, frozen=True):
    """Who may settle an attempt: the process (epoch) that booked it, and which attempt it is."""

    epoch: int
    attempt: int


# --- States -------------------------------------------------------------------------------------------


class Waiting(Struct, frozen=True):
    """To be tried when due; `attempts` were made."""

    due_at: Instant
    attempts: int


class InFlight(Struct, frozen=True):
    """Booked for an attempt of a living process."""

    fence: Fence


class Held(Struct, frozen=True):
    """Stopped by an operator."""

    attempts: int


class Parked(Struct, frozen=True):
    """Kept for a person: its attempts were interrupted too often."""

    attempts: int


class Delivered(Struct, frozen=True):
    """In the mailbox, or accepted by the next hop; the diagnosis tells which."""

    attempts: int


class Failed(Struct, frozen=True):
    """Refused for good."""

    attempts: int


class Expired(Struct, frozen=True):
    """Its lifetime ended before it could be delivered."""

    attempts: int


class Returned(Struct, frozen=True):
    """Sent back by an operator, with a report."""

    attempts: int


class Discarded(Struct, frozen=True):
    """Thrown away by an operator, without a report."""

    attempts: int


State: TypeAlias = Waiting | InFlight | Held | Parked | Delivered | Failed | Expired | Returned | Discarded
Disposition: TypeAlias = Delivered | Failed | Expired | Returned | Discarded
FINAL: Final = (Delivered, Failed, Expired, Returned, Discarded)


# --- Events -------------------------------------------------------------------------------------------


class Booked(Struct, frozen=True):
    """An attempt begins; committed before anything is dialled."""

    epoch: int


class Relayed(Struct, frozen=True):
    """The next hop answered the end of content with 2yz."""

    diagnosis: Diagnosis


class Stored(Struct, frozen=True):
    """The local store has it, durably."""

    diagnosis: Diagnosis


class Refused(Struct, frozen=True):
    """One of the few findings that end a recipient's life."""

    diagnosis: Diagnosis


class PutOff(Struct, frozen=True):
    """Anything else: try again when due."""

    diagnosis: Diagnosis
    due_at: Instant
    # Other mail was tried, and found it for this too.
    by_another: bool = False


class Uncertain(Struct, frozen=True):
    """The reply to the end of content was lost: the peer may have the message. Try again when due."""

    diagnosis: Diagnosis
    due_at: Instant


class Unbooked(Struct, frozen=True):
    """The booking is given back unused: nothing was tried."""

    due_at: Instant


class Interrupted(Struct, frozen=True):
    """The process that had booked the attempt died during it."""

    diagnosis: Diagnosis
    due_at: Instant


class GaveUpOnUs(Struct, frozen=True):
    """Interrupted for the third time: something in this mail kills us. A person must look."""

    diagnosis: Diagnosis


class RanOutOfTime(Struct, frozen=True):
    """The lifetime is over; the diagnosis is the last finding, the state says that it expired."""

    diagnosis: Diagnosis


class WasHeld(Struct, frozen=True):
    """An operator stopped it."""


class WasReleased(Struct, frozen=True):
    """An operator let it go on."""

    due_at: Instant


class WasReturned(Struct, frozen=True):
    """An operator sent it back."""

    diagnosis: Diagnosis


class WasDiscarded(Struct, frozen=True):
    """An operator threw it away."""


Event: TypeAlias = (
    Booked
    | Relayed
    | Stored
    | Refused
    | PutOff
    | Uncertain
    | Unbooked
    | Interrupted
    | GaveUpOnUs
    | RanOutOfTime
    | WasHeld
    | WasReleased
    | WasReturned
    | WasDiscarded
)
Outcome: TypeAlias = Relayed | Stored | Refused | PutOff | Uncertain | RanOutOfTime


# --- The law ------------------------------------------------------------------------------------------

TRANSITIONS: Final[dict[tuple[type[State], type[Event]], type[State]]] = {
    (Waiting, Booked): InFlight,
    (Waiting, RanOutOfTime): Expired,
    (Waiting, WasHeld): Held,
    (Waiting, WasReturned): Returned,
    (Waiting, WasDiscarded): Discarded,
    (InFlight, Relayed): Delivered,
    (InFlight, Stored): Delivered,
    (InFlight, Refused): Failed,
    (InFlight, PutOff): Waiting,
    (InFlight, Uncertain): Waiting,
    (InFlight, Unbooked): Waiting,
    (InFlight, Interrupted): Waiting,
    (InFlight, GaveUpOnUs): Parked,
    (InFlight, RanOutOfTime): Expired,
    (InFlight, WasHeld): Held,
    (InFlight, WasReturned): Returned,
    (InFlight, WasDiscarded): Discarded,
    (Held, WasReleased): Waiting,
    (Held, WasReturned): Returned,
    (Held, WasDiscarded): Discarded,
    (Parked, WasReleased): Waiting,
    (Parked, WasReturned): Returned,
    (Parked, WasDiscarded): Discarded,
}


def attempts_of(state: State) -> int:
    """Count the attempts made or under way in a state."""
    return state.fence.attempt if isinstance(state, InFlight) else state.attempts


def advance(state: State, event: Event) -> State:
    """Return the state that follows; raise IllegalTransition where none does."""
    after = TRANSITIONS.get((type(state), type(event)))
    if after is None:
        raise IllegalTransition(f"{type(event).__name__} in {type(state).__name__}")
    attempts = attempts_of(state)
    match event:
        case Booked(epoch=epoch):
            return InFlight(Fence(epoch, attempts + 1))
        case PutOff(due_at=due_at) | Uncertain(due_at=due_at):
            return Waiting(due_at, attempts)
        case Interrupted(due_at=due_at) | WasReleased(due_at=due_at):
            return Waiting(due_at, attempts)
        case Unbooked(due_at=due_at):
            return Waiting(due_at, attempts - 1)
        case _:
            assert after is not Waiting, "only an event with a due time leads to Waiting"
            assert after is not InFlight, "only a booking leads to InFlight"
            return cast(type[Held], after)(attempts)
