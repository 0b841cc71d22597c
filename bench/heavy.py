"""Heavy weather: how soon failures are reported while many hosts are dead and mail for them keeps coming.

    load     `--rate` messages a second for `--seconds`, one recipient each, over `--domains` domains in turn:
             15 % of them accept TCP and never speak, 15 % refuse connections, the rest take their mail;
             each has an address of its own
    probes   100 messages, each to an address that a good host answers with 550, spread over the second half
             of the load, so that they come while the dead have been at work for a while

Measured: from a probe's 250 to its report at the sender's host; from 250 to arrival of good mail; what did
not come within 60 s of the end of the load; memory and processes; how many connections hung at once. With
--paired the same load runs once more with the dead replaced by good hosts, with and without in turn, each
time on a fresh queue: what the dead cost is the ratio of the two. The large case is

    python -m bench.heavy --rate 300 --domains 5000 --paired --alone
"""

from __future__ import annotations

import argparse
import math
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Final

from bench.figures import RATIO, Benchmark, Figure, add_alone, percentile, run, say, spread
from bench.load import Letter, Load, dice
from bench.machine import Sampler
from bench.names import SENDERS, Net
from bench.sinks import wait_for
from bench.systems import ByReturn, Postfix, System, why_no_postfix

PROBES: Final = 100
_SILENT: Final = 0.15
_REFUSING: Final = 0.15
_SENDER: Final = f"someone@{SENDERS}"


@dataclass(frozen=True)
class Weather:
    """One run's domains and letters. `good`, `probes`: places among the letters."""

    letters: list[Letter]
    good: list[int]
    probes: list[int]


def make_weather(net: Net, options: argparse.Namespace, *, has_dead: bool) -> Weather:
    """Name the domains, and write the letters in the order of their time."""
    throw = dice(1)
    kinds = ["silent", "refusing", "good"]
    shares = [_SILENT, _REFUSING, 1 - _SILENT - _REFUSING]
    counts = [round(share * options.domains) for share in shares[:2]]
    plan = [kind for kind, count in zip(kinds, counts, strict=False) for _ in range(count)]
    plan += ["good"] * (options.domains - len(plan))
    throw.shuffle(plan)
    tag = "dead" if has_dead else "alive"
    domains = [
        (net.domain(f"{tag}{number}", behaviour=behaviour, address=net.own_address(behaviour)), kind)
        for number, kind in enumerate(plan)
        for behaviour in (kind if has_dead else "good",)
    ]
    total = int(options.rate * options.seconds)
    items = [
        (Letter(number / options.rate, _SENDER, (f"m{number}@{name}",)), kind == "good" or not has_dead)
        for number in range(total)
        for name, kind in (domains[number % len(domains)],)
    ]
    alive = [name for name, kind in domains if kind == "good"]
    half = options.seconds / 2
    probes = [
        (
            half + number * half / PROBES,
            f"probe{number}@{SENDERS}",
            f"unknown{number}@{alive[number % len(alive)]}",
        )
        for number in range(PROBES)
    ]
    marked = [(letter, is_good, False) for letter, is_good in items]
    marked += [(Letter(after, sender, (to,)), False, True) for after, sender, to in probes]
    marked.sort(key=lambda each: each[0].after)
    return Weather(
        [letter for letter, _, _ in marked],
        [place for place, (_, is_good, _) in enumerate(marked) if is_good],
        [place for place, (_, _, is_probe) in enumerate(marked) if is_probe],
    )


@dataclass(frozen=True)
class Seen:
    """What one run showed. Seconds of what came, and how much there was to come."""

    reports: list[float]
    probes: int
    arrivals: list[float]
    good: int
    duplicates: int
    hanging: int
    lateness: float
    refused: int
    rss_mb: float
    pss_mb: float
    processes: int


def one_run(net: Net, system: System, weather: Weather, patience: float) -> Seen:
    """Send it all, wait for what is owed, and look."""
    sinks = net.sinks
    probes = {place: weather.letters[place] for place in weather.probes}
    with Sampler(system.pids) as sampler, Load(system.port, paced=weather.letters) as load:
        load.finish()
        accepted = load.accepted
        good = [(place, weather.letters[place].recipients[0]) for place in weather.good if place in accepted]

        def is_all_there() -> bool:
            return all(
                sinks.failure_reported_at(one.sender, one.recipients[0])
                for place, one in probes.items()
                if place in accepted
            ) and all(to in sinks.arrivals for _, to in good)

        wait_for(is_all_there, patience)
    reported = {
        place: sinks.failure_reported_at(one.sender, one.recipients[0]) for place, one in probes.items()
    }
    reports = [at - accepted[place] for place, at in reported.items() if at is not None]
    arrived = [(place, sinks.first_arrival(to)) for place, to in good]
    return Seen(
        reports=reports,
        probes=len(probes),
        arrivals=[at - accepted[place] for place, at in arrived if at is not None],
        good=len(weather.good),
        duplicates=sinks.duplicates(),
        hanging=sinks.hanging_peak,
        lateness=load.lateness,
        refused=len(weather.letters) - len(accepted),
        rss_mb=sampler.peak_rss_mb,
        pss_mb=sampler.peak_pss_mb,
        processes=sampler.peak_processes,
    )


def figures(case: str, system: str, seen: Seen) -> Iterator[Figure]:
    """Tell what was seen."""
    yield from spread(case, "250 to report", system, seen.reports, seen.probes)
    yield Figure(case, "probes reported", system, len(seen.reports), f"of {seen.probes}")
    yield from spread(case, "250 to arrival", system, seen.arrivals, seen.good)
    yield Figure(case, "good mail arrived", system, len(seen.arrivals), f"of {seen.good}")
    yield Figure(case, "good mail twice", system, seen.duplicates)
    yield Figure(case, "not accepted", system, seen.refused, "messages")
    yield Figure(case, "a client waited at most", system, seen.lateness, "s")
    yield Figure(case, "connections hanging, peak", system, seen.hanging)
    yield Figure(case, "RSS, peak", system, seen.rss_mb, "MB")
    yield Figure(case, "PSS, peak", system, seen.pss_mb, "MB")
    yield Figure(case, "processes, peak", system, seen.processes)


def alone(
    options: argparse.Namespace, folder: Path, make: Callable[[Path, Net], System], *, has_dead: bool
) -> Seen:
    """Run one system on a fresh queue, beside hosts of its own."""
    net = Net()
    weather = make_weather(net, options, has_dead=has_dead)
    system = make(folder, net)
    with net, system:  # type: ignore[attr-defined]
        seen = one_run(net, system, weather, options.patience)
    words = "with the dead" if has_dead else "without the dead"
    say(f"{system.name} {words}: {len(seen.reports)} of {PROBES} probes reported, "
        f"{len(seen.arrivals)} of {seen.good} arrived")  # fmt: skip
    return seen


def cost(pairs: list[tuple[Seen, Seen]]) -> Iterator[Figure]:
    """What the dead cost: medians of the ratios, with the dead to without."""
    quantities: dict[str, Callable[[Seen], float]] = {
        "250 to report, p99": lambda seen: percentile(seen.reports, 0.99, seen.probes),
        "250 to arrival, p95": lambda seen: percentile(seen.arrivals, 0.95, seen.good),
        "RSS, peak": lambda seen: seen.rss_mb,
    }
    for name, quantity in quantities.items():
        # What did not come at all makes a ratio without end; a pair without a figure below it makes none.
        found = [quantity(dead) / quantity(live) for dead, live in pairs if quantity(live) < math.inf]
        value = median(found) if found else math.inf
        is_known = value < math.inf
        note = f"(pairs={len(found)})" if is_known else "did not come"
        yield Figure("with the dead to without", name, RATIO, value if is_known else None, note=note)


def measure(options: argparse.Namespace, folder: Path) -> list[Figure]:
    """Run the systems one after the other, so that none takes the other's processor time."""
    result: list[Figure] = []
    pairs: list[tuple[Seen, Seen]] = []
    for number in range(options.pairs if options.paired else 1):
        seen = alone(options, folder / f"byreturn-{number}", _byreturn, has_dead=True)
        if number == 0:
            result += figures("with the dead", "byreturn", seen)
        if options.paired:
            calm = alone(options, folder / f"calm-{number}", _byreturn, has_dead=False)
            pairs.append((seen, calm))
            if number == 0:
                result += figures("without the dead", "byreturn", calm)
    why_not = "it was left out" if options.alone else why_no_postfix()
    if why_not:
        say(f"Postfix was not measured: {why_not}.")
    else:
        seen = alone(options, folder / "postfix", _postfix, has_dead=True)
        result += figures("with the dead", "postfix", seen)
    return result + list(cost(pairs) if pairs else ())


def _byreturn(folder: Path, net: Net) -> System:
    return ByReturn(folder, ground=net.ground)


def _postfix(folder: Path, net: Net) -> System:
    return Postfix(folder, ground=net.ground)


def add_options(parser: argparse.ArgumentParser) -> None:
    """Its options."""
    parser.add_argument("--rate", type=float, default=20, help="messages a second (default: 20)")
    parser.add_argument("--seconds", type=float, default=60, help="length of the load (default: 60)")
    parser.add_argument("--domains", type=int, default=500, help="how many, dead or not (default: 500)")
    parser.add_argument("--patience", type=float, default=60, help="wait so long after it (default: 60)")
    parser.add_argument("--paired", action="store_true", help="run without the dead, too")
    parser.add_argument("--pairs", type=int, default=1, help="how many pairs of such runs (default: 1)")
    add_alone(parser)


BENCHMARK: Final = Benchmark("heavy", __doc__ or "", add_options, measure)

if __name__ == "__main__":
    sys.exit(run(BENCHMARK))
