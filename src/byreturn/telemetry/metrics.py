"""The meter: the same facts as the journal's, counted, in the form that Prometheus reads.

    ndr_latency_seconds{step="durable"}   from knowing a failure to the commit of its report
    ndr_latency_seconds{step="mailbox"}   ... to the sender's mailbox, or the host that takes mail for it
    ndr_reports_total{action="failed"}    and so on: counts, each by one closed list

The latency is of reports that tell a failure; notices and successes have no "known at" that anybody waits
for, and would flatten the curve. Nothing here looks at the process or the machine: others do that better.

Promises: labels come from closed lists only, so their number is bounded; a stranger cannot make a new one.
Cost: 1 us a fact.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Histogram, disable_created_metrics, generate_latest

from byreturn.mail import SECOND, Action, Duration

# From what the promise is measured in to where a person has long called the help desk.
_BUCKETS: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.3, 1, 3, 10, 30, 60, 120, 300, 600)
OTHER: Final = "other"


class Meter:
    """Implements `ports.Meter`. `classes`: the words that may count something; another one is "other"."""

    def __init__(self, classes: Iterable[str]) -> None:
        # When each number began is the same for all, and doubles the text.
        disable_created_metrics()  # type: ignore[no-untyped-call]
        self._registry = CollectorRegistry()
        self._classes = frozenset(classes)
        latency = Histogram(
            "ndr_latency_seconds",
            "From the moment a failure is known until its report is durable, and until it has arrived.",
            ("step",),
            buckets=_BUCKETS,
            registry=self._registry,
        )
        self._durable = latency.labels("durable")
        self._arrived = latency.labels("mailbox")
        reports = self._counter("ndr_reports", "Recipients reported on, by what was reported.", "action")
        self._reports = {action: reports.labels(action.value) for action in Action}
        self._undeliverable = self._counter(
            "ndr_undeliverable_reports",
            "Failures of reports and of other mail without a reverse path, by the reason.",
            "reason",
        )
        self._copies = self._counter(
            "ndr_postmaster_copies", "Failures of which the postmaster was told, by their class.", "class"
        )
        self._rejected = self._counter(
            "ndr_lint_fallbacks", "Reports that went out in their plain form, being unfit in their own."
        )
        self._dropped = self._counter("ndr_delay_notices_dropped", "Delay notices not sent in a flood.")

    def _counter(self, name: str, doc: str, *labels: str) -> Counter:
        return Counter(name, doc, labels, registry=self._registry)

    def report_durable(self, actions: tuple[Action, ...], took: Duration) -> None:
        """A report was queued."""
        for action in actions:
            self._reports[action].inc()
        if Action.FAILED in actions:
            self._durable.observe(max(0, took) / SECOND)

    def report_arrived(self, took: Duration) -> None:
        """A report of a failure arrived."""
        self._arrived.observe(max(0, took) / SECOND)

    def report_undeliverable(self, reason: str) -> None:
        """A report could not be delivered."""
        self._undeliverable.labels(self._known(reason)).inc()

    def postmaster_copied(self, klass: str) -> None:
        """The postmaster was told."""
        self._copies.labels(self._known(klass)).inc()

    def report_rejected_by_lint(self) -> None:
        """A report went out in its plain form."""
        self._rejected.inc()

    def delay_notice_dropped(self) -> None:
        """A delay notice was not sent."""
        self._dropped.inc()

    def exposition(self) -> str:
        """Write all numbers."""
        return generate_latest(self._registry).decode("utf-8")

    def _known(self, word: str) -> str:
        return word if word in self._classes else OTHER
