"""The postmaster's copies: of which failures, class by class.

A class is the reason of a failure as people tell reasons apart (`report.Reason`), or how a life ended:
`expired`, `returned`; and `undeliverable-report` for a report of ours that its sender could not get. Each
failure has exactly one class, so what is not chosen is not sent, and "all" is all of them.

Promises: never a copy about a copy, so they cannot go in a circle. Mail with the null path makes copies too:
nobody else would hear of its end.
"""

from __future__ import annotations

from typing import Final

from msgspec import Struct

from byreturn.mail import COPY_LISTENER, Message
from byreturn.policy import Event, RanOutOfTime, Refused, WasReturned
from byreturn.report import Reason, judge

EXPIRED: Final = "expired"
RETURNED: Final = "returned"
UNDELIVERABLE_REPORT: Final = "undeliverable-report"
CLASSES: Final = (*(reason.value for reason in Reason), EXPIRED, RETURNED, UNDELIVERABLE_REPORT)


def class_of(message: Message, event: Event) -> str:
    """Tell the class of a failure; empty for what is none."""
    if message.about is not None and isinstance(event, (Refused, RanOutOfTime, WasReturned)):
        return UNDELIVERABLE_REPORT
    match event:
        case Refused(diagnosis=diagnosis):
            return judge(diagnosis).reason.value
        case RanOutOfTime():
            return EXPIRED
        case WasReturned():
            return RETURNED
        case _:
            return ""


class Copies(Struct, frozen=True):
    """The chosen classes."""

    classes: frozenset[str] = frozenset()

    def wants(self, message: Message, event: Event) -> bool:
        """Whether the postmaster is to have a copy of this."""
        if not self.classes or message.origin.listener == COPY_LISTENER:
            return False
        return class_of(message, event) in self.classes
