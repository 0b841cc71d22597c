"""Laws 2 and 3: a failure is reported when it is known, once, and to its sender.

From the commit of a failure to the commit of its report goes no more than `gather`, or for the n-th report of
a message gather x 4^(n-1), at most ten minutes; a crash in between adds the time that the server was down.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from byreturn.mail import MINUTE, SECOND, Action, Notify, NullPath, PeerSaid, Phase, QueueId, id_text
from byreturn.policy import RanOutOfTime, Refused, Relayed

if TYPE_CHECKING:
    from tests.sim.world import Simulation

_SLACK = 2 * SECOND
_AFTER_CRASH = 10 * SECOND


def check(simulation: Simulation) -> list[str]:
    """Return what is wrong."""
    wrong: list[str] = []
    by_id = {new.message.id: new for new in simulation.accepted()}
    reported: dict[tuple[QueueId, int], list[int]] = {}
    reports_of: Counter[QueueId] = Counter()
    order: dict[tuple[QueueId, int], int] = {}
    for owed, at in simulation.reported():
        number = reports_of[owed.message.id]
        reports_of[owed.message.id] += 1
        for line in owed.lines:
            if line.action is Action.FAILED:
                key = (owed.message.id, line.recipient.ordinal)
                reported.setdefault(key, []).append(at)
                order[key] = number
    failed: dict[tuple[QueueId, int], int] = {}
    for settling, at in simulation.settled():
        if isinstance(settling.event, (Refused, RanOutOfTime)):
            failed[settling.message_id, settling.ordinal] = at
    for key, state_at in simulation.expired_states().items():
        failed.setdefault(key, state_at)
    for key, at in failed.items():
        new = by_id[key[0]]
        recipient = new.recipients[key[1]].recipient
        who = f"{id_text(key[0])} to {recipient.address}"
        is_owed = not isinstance(new.message.reverse_path, NullPath) and (
            recipient.notify in (Notify.ABSENT,) or bool(recipient.notify & Notify.FAILURE)
        )
        times = reported.pop(key, [])
        if not is_owed:
            if times:
                wrong.append(f"{who}: reported although nobody is to be told")
            continue
        if len(times) != 1:
            wrong.append(f"{who}: failed at {at} and was reported {len(times)} times")
            continue
        limit = simulation.gather if not order[key] else min(simulation.gather * 4 ** order[key], 10 * MINUTE)
        down = simulation.time_down_between(at, times[0])
        if times[0] - at > limit + _SLACK + (down + _AFTER_CRASH if down else 0):
            wrong.append(f"{who}: known at {at}, reported {times[0] - at} ms later (limit {limit})")
    wrong += [f"{id_text(key[0])}#{key[1]}: reported, but never failed" for key in reported]
    return wrong + _check_settled_at_once(simulation) + _check_success_reports(simulation)


def _check_settled_at_once(simulation: Simulation) -> list[str]:
    """A refusal is settled when the peer has said it, whatever its transaction still waits for."""
    wrong: list[str] = []
    by_id = {new.message.id: new for new in simulation.accepted()}
    for settling, at in simulation.settled():
        match settling.event:
            case Refused(diagnosis=PeerSaid(phase=Phase.RCPT)):
                recipient = by_id[settling.message_id].recipients[settling.ordinal].recipient
                said = simulation.refused_at(recipient.address)
                if not any(at - _SLACK <= when <= at for when in said):
                    wrong.append(f"{recipient.address}: settled at {at}, long after it was said: {said}")
            case _:
                pass
    return wrong


def _check_success_reports(simulation: Simulation) -> list[str]:
    """A "relayed" report only where SUCCESS was asked for and the trail ends."""
    by_id = {new.message.id: new for new in simulation.accepted()}
    relayed = {
        (settling.message_id, settling.ordinal)
        for settling, _ in simulation.settled()
        if isinstance(settling.event, Relayed)
    }
    wrong: list[str] = []
    for owed, _ in simulation.reported():
        for line in owed.lines:
            if line.action is not Action.RELAYED:
                continue
            recipient = by_id[owed.message.id].recipients[line.recipient.ordinal].recipient
            if not recipient.notify & Notify.SUCCESS:
                wrong.append(f"{recipient.address}: a success report that nobody asked for")
            if (owed.message.id, line.recipient.ordinal) not in relayed:
                wrong.append(f"{recipient.address}: reported as relayed, but was not")
    return wrong
