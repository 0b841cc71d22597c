"""Facts, counted: what a machine watches while nobody reads the journal.

A fact that has a number worth a curve is told here besides; the journal says which message it was about,
the meter how many and how long. Both are told at the same place, so neither can be forgotten alone.
"""

from __future__ import annotations

from typing import Protocol

from byreturn.mail import Action, Duration


class Meter(Protocol):
    """Counts reports, and how long they took."""

    def report_durable(self, actions: tuple[Action, ...], took: Duration) -> None:
        """A report was queued, so long after the first failure in it was known."""
        ...

    def report_arrived(self, took: Duration) -> None:
        """A report of a failure is in a mailbox, or with the next host, so long after that was known."""
        ...

    def report_undeliverable(self, reason: str) -> None:
        """A report, or other mail without a reverse path, failed: nobody can be told. `reason`: a class."""
        ...

    def postmaster_copied(self, klass: str) -> None:
        """The postmaster was told of a failure, by its class."""
        ...

    def report_rejected_by_lint(self) -> None:
        """A report was not fit to be sent, and went out in its plain form."""
        ...

    def delay_notice_dropped(self) -> None:
        """In a flood a delay notice was not sent."""
        ...

    def exposition(self) -> str:
        """All numbers, in the text form that Prometheus reads."""
        ...
