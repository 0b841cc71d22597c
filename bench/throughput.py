"""Throughput: the same load through each system to the same sink, in turns, medians of --rounds runs.

    smtp-source -s 50 -l 4096 -m N [-d] -> ByReturn | Postfix -> smtp-sink

With -d ("kept connections") a client uses one connection for all its messages, without it each message has
one of its own. The sink is named by a static route and a relayhost; no names are looked up.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Final

from bench.figures import Benchmark, Figure, add_alone, run, say
from bench.load import run_source
from bench.machine import cpu_seconds, free_port, missing, pss_mb
from bench.names import Unmeasurable
from bench.sinks import CountingSink
from bench.systems import ByReturn, Postfix, System, why_no_postfix

_SESSIONS: Final = 50
_CASES: Final = {True: "kept connections", False: "a connection each"}


@dataclass(frozen=True)
class Turn:
    """One run: messages a second accepted and delivered, CPU a message, memory."""

    accepted: float
    delivered: float
    cpu_ms: float
    rss_mb: float
    pss_mb: float


def one_turn(system: System, sink: CountingSink, messages: int, *, reuse: bool) -> Turn:
    """Send so many messages through a system; wait until the sink has all of them."""
    before, counted = cpu_seconds(system.pids()), sink.count()
    began, accepted_at = run_source(system.port, messages, _SESSIONS, reuse=reuse, to="info@counted.example")
    delivered_at = sink.wait_for(counted + messages, limit=300)
    spent = cpu_seconds(system.pids()) - before
    return Turn(
        messages / (accepted_at - began),
        messages / (delivered_at - began),
        1000 * spent / messages,
        system.rss_mb(),
        pss_mb(system.pids()),
    )


def figures(case: str, system: str, turns: list[Turn]) -> Iterator[Figure]:
    """The medians."""
    yield Figure(case, "accepted", system, median(turn.accepted for turn in turns), "/s")
    yield Figure(case, "delivered", system, median(turn.delivered for turn in turns), "/s")
    yield Figure(case, "CPU a message", system, median(turn.cpu_ms for turn in turns), "ms")
    yield Figure(case, "RSS", system, median(turn.rss_mb for turn in turns), "MB")
    yield Figure(case, "PSS", system, median(turn.pss_mb for turn in turns), "MB")


def measure(options: argparse.Namespace, folder: Path) -> list[Figure]:
    """Take turns, so that a slow minute of the machine hits everybody."""
    if gone := missing("smtp-source", "smtp-sink"):
        raise Unmeasurable(f"{' and '.join(gone)} missing: install Debian's postfix. Nothing was measured.")
    turns: dict[tuple[bool, str], list[Turn]] = {}
    with ExitStack() as stack:
        sink = stack.enter_context(CountingSink(free_port()))
        route = f'[[route]]\ndomain = "counted.example"\nhosts = ["127.0.0.1:{sink.port}"]'
        systems: list[System] = [stack.enter_context(ByReturn(folder / "byreturn", extra=route))]
        why_not = "it was left out" if options.alone else why_no_postfix()
        if why_not:
            say(f"Postfix was not measured: {why_not}.")
        else:
            relay = f"relayhost = [127.0.0.1]:{sink.port}\nsmtp_host_lookup = native"
            systems.append(stack.enter_context(Postfix(folder / "postfix", extra=relay)))
        for _ in range(options.rounds):
            for reuse in _CASES:
                for system in systems:
                    turn = one_turn(system, sink, options.messages, reuse=reuse)
                    turns.setdefault((reuse, system.name), []).append(turn)
                    say(f"{_CASES[reuse]}, {system.name}: {turn.accepted:.0f}/s, {turn.delivered:.0f}/s")
    return [each for (reuse, name), found in turns.items() for each in figures(_CASES[reuse], name, found)]


def add_options(parser: argparse.ArgumentParser) -> None:
    """Its options."""
    parser.add_argument("--messages", type=int, default=5000, help="in a run (default: 5000)")
    parser.add_argument("--rounds", type=int, default=3, help="runs of each kind (default: 3)")
    add_alone(parser)


BENCHMARK: Final = Benchmark("throughput", __doc__ or "", add_options, measure)

if __name__ == "__main__":
    sys.exit(run(BENCHMARK))
