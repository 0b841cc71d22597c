"""A recipient gets a second copy only where the first one's reply was lost, or a crash fell in between."""

from __future__ import annotations

from typing import TYPE_CHECKING

from byreturn.policy import Uncertain

if TYPE_CHECKING:
    from tests.sim.world import Simulation


def check(simulation: Simulation) -> list[str]:
    """Return what is wrong."""
    doubtful = {
        (settling.message_id, settling.ordinal)
        for settling, _ in simulation.settled()
        if isinstance(settling.event, Uncertain)
    } | simulation.interrupted()
    wrong: list[str] = []
    for new in simulation.accepted():
        mark = simulation.mark_of(new)
        for recipient in new.recipients:
            copies = simulation.copies().get((mark, str(recipient.recipient.address)), 0)
            key = (new.message.id, recipient.recipient.ordinal)
            if mark != "(report)" and copies > 1 and key not in doubtful:
                wrong.append(f"{mark} to {recipient.recipient.address}: {copies} copies without a reason")
    return wrong
