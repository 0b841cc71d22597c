"""Law 1: what was acknowledged is in the queue, or has exactly one disposition; and the disposition is true.

The dispositions are counted from the commits themselves, not from what the server says of them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from byreturn.mail import PeerSaid, QueueId, id_text
from byreturn.policy import RanOutOfTime, Refused, Relayed, Stored

if TYPE_CHECKING:
    from tests.sim.world import Simulation


def check(simulation: Simulation) -> list[str]:
    """Return what is wrong."""
    wrong: list[str] = []
    kept = simulation.messages_by_mark()
    for promise in simulation.promises:
        if promise.kept_at is not None and promise.mark not in kept:
            wrong.append(f"{promise.mark} was answered 250 and is not in the spool")
    states = simulation.final_states()
    for new in simulation.accepted():
        for recipient in new.recipients:
            key = (new.message.id, recipient.recipient.ordinal)
            who = f"{id_text(key[0])} to {recipient.recipient.address}"
            if key not in states:
                wrong.append(f"{who}: no row")
    finals: dict[tuple[QueueId, int], list[str]] = {}
    for settling, at in simulation.settled():
        if isinstance(settling.event, (Relayed, Stored, Refused, RanOutOfTime)):
            name = type(settling.event).__name__
            finals.setdefault((settling.message_id, settling.ordinal), []).append(f"{name} at {at}")
    for key, events in finals.items():
        if len(events) > 1:
            wrong.append(f"{id_text(key[0])}#{key[1]}: more than one final outcome: {events}")
    wrong += _check_truth(simulation)
    return wrong


def _check_truth(simulation: Simulation) -> list[str]:
    """A delivery that we claim must stand in the ledger of whoever is said to have taken it."""
    wrong: list[str] = []
    by_id = {new.message.id: new for new in simulation.accepted()}
    copies = simulation.copies()
    for settling, _ in simulation.settled():
        new = by_id[settling.message_id]
        recipient = new.recipients[settling.ordinal].recipient
        mark = simulation.mark_of(new)
        if not isinstance(settling.event, Relayed):
            continue
        said = settling.event.diagnosis
        if not isinstance(said, PeerSaid) or not said.reply.is_positive:
            wrong.append(f"{mark} to {recipient.address}: said to be relayed, though nobody said 2yz: {said}")
        if not copies.get((mark, str(recipient.address))):
            wrong.append(f"{mark} to {recipient.address}: said to be relayed, but no peer has it")
    return wrong
