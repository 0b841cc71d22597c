"""Law 3 as the sender sees it: the reports in his mailbox name each failed recipient once, and nobody else.

Reports are read back with the product's reader, and checked against what really failed.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from byreturn.mail import Action, Notify
from byreturn.policy import Expired, Failed
from byreturn.report import parse_report

if TYPE_CHECKING:
    from tests.sim.world import Simulation


def check(simulation: Simulation) -> list[str]:
    """Return what is wrong."""
    heard: Counter[tuple[str, str]] = Counter()
    wrong: list[str] = []
    for stored in simulation.mailboxes.stored.values():
        if b"\r\nAuto-Submitted: auto-replied\r\n" not in stored.content:
            continue
        if b"\r\nContent-Type: multipart/report" not in stored.content:
            continue  # Word that a delay is over: no report.
        parsed = parse_report(stored.content)
        if parsed is None:
            wrong.append(f"a report in {stored.address} cannot be read")
            continue
        mark = simulation.mark_in(stored.content)
        for line in parsed.lines:
            if line.action == Action.FAILED:
                heard[mark, line.final_recipient.value] += 1
    states = simulation.final_states()
    expected: Counter[tuple[str, str]] = Counter()
    for new in simulation.accepted():
        if str(new.message.reverse_path) != simulation.sender:
            continue
        for recipient in new.recipients:
            one = recipient.recipient
            wants = one.notify == Notify.ABSENT or bool(one.notify & Notify.FAILURE)
            if wants and isinstance(states[new.message.id, one.ordinal], (Failed, Expired)):
                expected[simulation.mark_of(new), str(one.given)] += 1
    for key in expected - heard:
        wrong.append(f"{key[0]} to {key[1]}: failed, and the sender was not told")
    for key in heard - expected:
        wrong.append(f"{key[0]} to {key[1]}: the sender was told too often, or wrongly")
    return wrong
