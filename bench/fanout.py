"""Fan-out: one message to 1,000 recipients at 1,000 domains.

    one host     all domains have the same MX host: few transactions are wanted, for it is asked of nobody to
                 send a host the same content a thousand times
    own hosts    each domain has a host and an address of its own: a thousand transactions, and what counts is
                 how many of them go on at once

Measured: from the client's 250 to the last recipient's arrival, transactions and connections. Each message
has domains of its own, so that every name is asked for anew; medians over --count messages. All the hosts are
one process of ours.
"""

from __future__ import annotations

import argparse
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
from bench.names import SENDERS, Net
from bench.sinks import wait_for
from bench.systems import ByReturn, Postfix, System, why_no_postfix

CASES: Final = ("one host", "own hosts")
_LIMIT: Final = 120.0
# In which a recipient that is sent to twice would show.
_AFTERWARDS_SECONDS: Final = 0.5


@dataclass(frozen=True)
class Fan:
    """What one message came to."""

    seconds: float | None
    arrived: int
    transactions: int
    connections: int
    duplicates: int


def compose(net: Net, tag: str, case: str, addresses: list[str], count: int) -> list[str]:
    """Name the domains of one message; return its recipients. Addresses of own hosts are used again."""
    found = []
    for number in range(count):
        name = f"f{number}-{tag}"
        if case == "one host":
            domain = net.domain(name, behaviour="good", host=f"mx.{tag}")
        else:
            domain = net.domain(name, behaviour="good", address=addresses[number])
        found.append(f"info@{domain}")
    return found


def send(net: Net, system: System, recipients: list[str]) -> Fan:
    """Send one message, and watch its recipients' hosts."""
    sinks = net.sinks
    before = len(sinks.taken)
    letter = Letter(0, f"someone@{SENDERS}", tuple(recipients))
    with Load(system.port, paced=[letter], sessions=1) as load:
        load.finish()
        accepted = load.accepted
    if not accepted:
        raise RuntimeError(f"{system.name} did not take the message: {load.paced}")
    is_whole = wait_for(lambda: all(to in sinks.arrivals for to in recipients), _LIMIT)
    time.sleep(_AFTERWARDS_SECONDS)
    taken = sinks.taken[before:]
    times = {to: sinks.arrivals[to] for to in recipients if to in sinks.arrivals}
    return Fan(
        seconds=max(one[0] for one in times.values()) - accepted[0] if is_whole else None,
        arrived=len(times),
        transactions=len(taken),
        connections=len({one.connection for one in taken}),
        duplicates=sum(len(one) > 1 for one in times.values()),
    )


def figures(case: str, system: str, fans: list[Fan]) -> Iterator[Figure]:
    """Medians; the longest time; what is missing."""
    seconds = [fan.seconds for fan in fans if fan.seconds is not None]
    is_whole = len(seconds) == len(fans)
    for word, value in (("median", median(seconds)), ("max", max(seconds))) if seconds else ():
        note = f"(n={len(fans)})" if is_whole else f"> {_LIMIT:.0f} s"
        yield Figure(case, f"250 to last arrival, {word}", system, value if is_whole else None, "s", note)
    yield Figure(case, "recipients reached, least", system, min(fan.arrived for fan in fans))
    yield Figure(case, "recipients reached twice", system, sum(fan.duplicates for fan in fans))
    yield Figure(case, "transactions", system, median(fan.transactions for fan in fans))
    yield Figure(case, "connections", system, median(fan.connections for fan in fans))


def measure(options: argparse.Namespace, folder: Path) -> list[Figure]:
    """Let the systems take turns, message by message."""
    net = Net()
    why_not = "it was left out" if options.alone else why_no_postfix()
    if why_not:
        say(f"Postfix was not measured: {why_not}.")
    names = ["byreturn"] if why_not else ["byreturn", "postfix"]
    addresses = [net.own_address("good") for _ in range(options.recipients)]
    # The first message of a system is a rehearsal: programs are loaded, connections of the spool are opened.
    plan = [
        (case, name, number, compose(net, f"{name}{number}{case[:3]}", case, addresses, options.recipients))
        for number in range(options.count + 1)
        for case in CASES
        for name in names
    ]
    fans: dict[tuple[str, str], list[Fan]] = {}
    with ExitStack() as stack:
        stack.enter_context(net)
        systems: dict[str, System] = {
            "byreturn": stack.enter_context(ByReturn(folder / "byreturn", ground=net.ground))
        }
        if not why_not:
            systems["postfix"] = stack.enter_context(Postfix(folder / "postfix", ground=net.ground))
        for case, name, number, recipients in plan:
            fan = send(net, systems[name], recipients)
            say(f"{case}, {name}{'' if number else ' (rehearsal)'}: {fan}")
            if number:
                fans.setdefault((case, name), []).append(fan)
    return [each for (case, name), found in fans.items() for each in figures(case, name, found)]


def add_options(parser: argparse.ArgumentParser) -> None:
    """Its options."""
    parser.add_argument("--recipients", type=int, default=1000, help="of a message (default: 1000)")
    parser.add_argument("--count", type=int, default=3, help="messages of each kind (default: 3)")
    add_alone(parser)


BENCHMARK: Final = Benchmark("fanout", __doc__ or "", add_options, measure)

if __name__ == "__main__":
    sys.exit(run(BENCHMARK))
