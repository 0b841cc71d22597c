"""The classic message: how soon a sender learns of a misspelled address while somebody else's host is dead.

    one message to:  a good address                 whose host takes it
                     a misspelled one               refused with 550, or in a domain that does not exist
                     one at a dead host             refuses connections | never speaks | black hole
                                                    (or nobody: the same message without him)

What counts is the time from the client's 250 to the report arriving at the sender's mail host, which both
systems find by its MX. The report must name the misspelled address as failed. Each message has domains and
hosts of its own, so that nothing that was learned from one of them helps with the next; there are four a
second. The wait is cut off 35 s after the last (for Postfix with --patient: 310 s), and what is not there by
then is told as "> 35 s".
"""

from __future__ import annotations

import argparse
import itertools
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Final

from bench.figures import Benchmark, Figure, add_alone, run, say
from bench.load import Letter, Load
from bench.names import SENDERS, ZONE, Net
from bench.sinks import wait_for
from bench.systems import ByReturn, Postfix, System, why_no_postfix

DEATHS: Final = {
    "nobody": "nobody is dead",
    "refusing": "refuses connections",
    "silent": "accepts, never speaks",
    "blackhole": "black hole",
}
MISSPELT: Final = {"user": "misspelled user", "domain": "misspelled domain"}
_PAUSE: Final = 0.25
_GOOD_SECONDS: Final = 5.0
_LIMIT: Final = 35.0
_PATIENT_LIMIT: Final = 310.0
# After the report: time in which a second one about the same address would come.
_SECOND_REPORT_SECONDS: Final = 1.0


@dataclass(frozen=True)
class Classic:
    """One such message: who sends it, to whom, and whose failure is to be told."""

    case: str
    sender: str
    recipients: tuple[str, ...]
    good: str
    bad: str


def compose(net: Net, tag: str, count: int) -> list[Classic]:
    """Make the domains of so many messages of each kind, and the messages."""
    found = []
    for (death, words), (slip, name), number in itertools.product(
        DEATHS.items(), MISSPELT.items(), range(count)
    ):
        mark = f"{tag}-{death}-{slip}-{number}"
        alive = net.domain(f"alive-{mark}", behaviour="good")
        good = f"info@{alive}"
        bad = f"unknown@{alive}" if slip == "user" else f"somebody@missing-{mark}.{ZONE}"
        to = [good, bad]
        if death != "nobody":
            to.append(f"boss@{net.domain(f'dead-{mark}', behaviour=death)}")
        found.append(Classic(f"{words}, {name}", f"{mark}@{SENDERS}", tuple(to), good, bad))
    return found


def send(net: Net, system: System, messages: list[Classic], limit: float) -> dict[Classic, float | None]:
    """Send messages; return the seconds to each report, None where none came within the limit."""
    letters = [Letter(number * _PAUSE, one.sender, one.recipients) for number, one in enumerate(messages)]
    with Load(system.port, paced=letters, sessions=1) as load:
        load.finish()
        accepted = load.accepted
        if len(accepted) != len(messages):
            raise RuntimeError(f"{system.name} took {len(accepted)} of {len(messages)} messages")
    wait_for(lambda: all(net.sinks.failure_reported_at(one.sender, one.bad) for one in messages), limit)
    # The report may be there before the good address has its mail.
    wait_for(lambda: all(one.good in net.sinks.arrivals for one in messages), _GOOD_SECONDS)
    found: dict[Classic, float | None] = {}
    for number, one in enumerate(messages):
        at = net.sinks.failure_reported_at(one.sender, one.bad)
        found[one] = None if at is None else at - accepted[number]
        if net.sinks.first_arrival(one.good) is None:
            say(f"{system.name}: {one.good} has not got its mail although its host is alive")
    return found


def check_reports(net: Net, system: System, messages: list[Classic]) -> None:
    """Say where a misspelled address was reported more than once."""
    for one in messages:
        count = sum(one.bad in report.actions for report in net.sinks.reports.get(one.sender, ()))
        if count > 1:
            say(f"{system.name}: {count} reports about {one.bad}")


def figures(system: str, seconds: dict[Classic, float | None], limit: float) -> Iterator[Figure]:
    """Median and maximum of each case."""
    cases: dict[str, list[float | None]] = {}
    for one, value in seconds.items():
        cases.setdefault(one.case, []).append(value)
    for case, values in cases.items():
        known = [value for value in values if value is not None]
        # One that did not come is later than all that did.
        whole = sorted(known) + [float("inf")] * (len(values) - len(known))
        for name, value in (("median", median(whole)), ("max", max(whole))):
            is_late = value == float("inf")
            note = f"> {limit:.0f} s" if is_late else f"(n={len(values)})"
            yield Figure(case, f"250 to report, {name}", system, None if is_late else value, "s", note)


def measure(options: argparse.Namespace, folder: Path) -> list[Figure]:
    """Send all of them."""
    net = Net()
    ours = {
        name: (compose(net, f"r{place}", options.count), gather)
        for place, (name, gather) in enumerate((("byreturn", ""), ("byreturn gather 0s", '"0s"')))
    }
    theirs = compose(net, "p", options.postfix_count)
    why_not = "it was left out" if options.alone else why_no_postfix()
    result: list[Figure] = []
    with net, ExitStack() as stack:
        for name, (messages, gather) in ours.items():
            extra = f"[report]\ngather = {gather}" if gather else ""
            system = stack.enter_context(
                ByReturn(folder / name.replace(" ", "-"), ground=net.ground, extra=extra, name=name)
            )
            result += figures(name, send(net, system, messages, _LIMIT), _LIMIT)
            time.sleep(_SECOND_REPORT_SECONDS)
            check_reports(net, system, messages)
            say(f"{name}: {len(messages)} messages done")
        if why_not:
            say(f"Postfix was not measured: {why_not}.")
        else:
            limit = _PATIENT_LIMIT if options.patient else _LIMIT
            postfix = stack.enter_context(Postfix(folder / "postfix", ground=net.ground))
            result += figures("postfix", send(net, postfix, theirs, limit), limit)
    return result


def add_options(parser: argparse.ArgumentParser) -> None:
    """Its options."""
    parser.add_argument("--count", type=int, default=10, help="messages of each kind (default: 10)")
    parser.add_argument("--postfix-count", type=int, default=3, help="the same for Postfix (default: 3)")
    parser.add_argument("--patient", action="store_true", help="wait 310 s for Postfix's reports, not 35 s")
    add_alone(parser)


BENCHMARK: Final = Benchmark("classic", __doc__ or "", add_options, measure)

if __name__ == "__main__":
    sys.exit(run(BENCHMARK))
