"""The law of delays: nobody hears of one too soon or twice, and whoever heard of one hears of its end.

Word that mail has gone through after all is for those alone to whom a delay was told, and comes once.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from byreturn.mail import MINUTE, Action, Instant, QueueId
from byreturn.policy import Delivered
from byreturn.ports import ReportKind

if TYPE_CHECKING:
    from tests.sim.world import Simulation

_SOONEST = 20 * MINUTE


def check(simulation: Simulation) -> list[str]:
    """Return what is wrong."""
    wrong: list[str] = []
    told: dict[tuple[QueueId, int], Instant] = {}
    success: set[tuple[QueueId, int]] = set()
    for owed, at in simulation.reported():
        for line in owed.lines:
            key = (owed.message.id, line.recipient.ordinal)
            if line.action in (Action.RELAYED, Action.DELIVERED):
                success.add(key)
            if line.action is not Action.DELAYED:
                continue
            if key in told:
                wrong.append(f"{line.recipient.address}: the delay was told twice")
            if at - owed.message.accepted_at < _SOONEST:
                wrong.append(
                    f"{line.recipient.address}: a delay was told after {at - owed.message.accepted_at} ms"
                )
            told[key] = at
    cleared: set[tuple[QueueId, int]] = set()
    for owed, _ in simulation.reported(ReportKind.CLEARED):
        for line in owed.lines:
            key = (owed.message.id, line.recipient.ordinal)
            if key in cleared:
                wrong.append(f"{line.recipient.address}: the end of the delay was told twice")
            if key not in told:
                wrong.append(f"{line.recipient.address}: the end of a delay was told that nobody knew of")
            cleared.add(key)
    states = simulation.final_states()
    for key in told:
        if isinstance(states[key], Delivered) and key not in cleared | success:
            wrong.append(f"{key}: a delay was told, and its end was not")
    return wrong
