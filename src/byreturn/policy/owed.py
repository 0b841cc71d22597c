"""Which reports we owe, and when they leave.

A report is owed from the very transaction that makes its outcome true. It waits for nothing but siblings
whose *first* outcome is still to come, and for those not longer than `gather`; so one message makes one
report if everything is known together, and the first failure is never held by a slow host.

    1st report of a message   when every recipient has had its first outcome, at the latest after gather
    n-th report               gather x 4^(n-1), at most 10 min: a thousand late failures make few mails

Rules on who hears (RFC 3461 sections 4.1 and 5.2): never the null path, never after NOTIFY=NEVER, a failure
unless NOTIFY names other things only, success and delay only where asked (a delay also where NOTIFY is
absent). Pure.
"""

from __future__ import annotations

from typing import Final

from byreturn.mail import MINUTE, Action, Duration, Instant, Notify, NullPath, ReversePath
from byreturn.policy.lifecycle import (
    Event,
    RanOutOfTime,
    Refused,
    Relayed,
    Stored,
    WasReturned,
)

_GATHER_LIMIT: Final[Duration] = 10 * MINUTE


def owed_for(event: Event, reverse_path: ReversePath, notify: Notify, *, passed_on: bool) -> Action | None:
    """Which report an event makes us owe; None for none.

    `passed_on`: the next hop took over the sender's DSN request (RFC 3461 section 5.2.1), so the success
    is for it to report.
    """
    if isinstance(reverse_path, NullPath) or notify & Notify.NEVER:
        # RFC 3461 section 5.2: no DSN to a null return path.
        return None
    match event:
        case Refused() | RanOutOfTime() | WasReturned():
            return Action.FAILED if tells_of_failure(reverse_path, notify) else None
        case Stored() if notify & Notify.SUCCESS:
            # RFC 3461 section 5.2.3: "delivered" only if SUCCESS was asked for.
            return Action.DELIVERED
        case Relayed() if notify & Notify.SUCCESS and not passed_on:
            # RFC 3461 section 5.2.2: the trail ends at a server without DSN, and we say so.
            return Action.RELAYED
        case _:
            return None


def tells_of_failure(reverse_path: ReversePath, notify: Notify) -> bool:
    """Whether a failure is told to the sender.

    RFC 3461 section 5.2.6: if FAILURE is listed or NOTIFY is absent.
    """
    if isinstance(reverse_path, NullPath):
        return False
    return notify == Notify.ABSENT or bool(notify & Notify.FAILURE)


def wants_delay_notice(reverse_path: ReversePath, notify: Notify, *, is_bulk: bool) -> bool:
    """Whether to tell of a delay. RFC 3461 section 5.2.5: never if NOTIFY was given without DELAY."""
    if isinstance(reverse_path, NullPath) or is_bulk:
        return False
    return notify == Notify.ABSENT or bool(notify & Notify.DELAY)


def report_due_at(*, now: Instant, reports_so_far: int, gather: Duration, somebody_unheard: bool) -> Instant:
    """When a report of a message leaves whose first owed line was written now.

    `somebody_unheard`: a recipient of the message still lacks the outcome of its first attempt.
    """
    if reports_so_far == 0:
        return now + gather if somebody_unheard else now
    return now + min(gather << 2 * min(reports_so_far, 10), _GATHER_LIMIT)
