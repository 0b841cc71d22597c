"""How long a report takes: from the failure that was known to the report on disk, and to its arrival.

A failure is known when its outcome is settled. A report is durable with the commit that queues it, and has
arrived when the sender's mailbox has it, or the sender's own mail server has accepted it. Both times are told
to the journal, which counts them; one beyond the objective is told as an event of its own.

Bounds: so many reports under way are remembered. Those that a restart finds queued are not measured.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from typing import Final

from byreturn.mail import Action, Duration, Instant, QueueId
from byreturn.policy import Relayed, Stored
from byreturn.ports import OwedReport, ReportKind, World
from byreturn.service.batch import Found

_UNDER_WAY: Final = 20_000


class Latency:
    """Measures the reports on failures."""

    def __init__(self, objective: Duration, world: World) -> None:
        self._objective = objective
        self._clock = world.clock
        self._journal = world.journal
        self._meter = world.meter
        # Since when it was known what the report says.
        self._known: OrderedDict[QueueId, tuple[QueueId, Instant]] = OrderedDict()

    def posted(self, owed: OwedReport, report_id: QueueId) -> None:
        """A report is on the disk."""
        if owed.kind is not ReportKind.REPORT:
            return
        since = min(line.at for line in owed.lines)
        actions = tuple(line.action for line in owed.lines)
        self._meter.report_durable(actions, self._clock.now() - since)
        if Action.FAILED not in actions:
            return
        self._known[report_id] = (owed.message.id, since)
        if len(self._known) > _UNDER_WAY:
            self._known.popitem(last=False)

    def settled(self, found: Sequence[Found]) -> None:
        """Outcomes: reports of ours may be among them."""
        for one in found:
            message = one.carried.message
            if message.about is None or not isinstance(one.outcome, (Relayed, Stored)):
                continue
            about, since = self._known.pop(message.id, (None, 0))
            if about is None:
                continue
            latency = self._clock.now() - since
            self._meter.report_arrived(latency)
            if self._objective and latency > self._objective:
                self._journal.report_late(about, message.id, latency)
