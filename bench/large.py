"""Large and slow clients: what they take from those who send small mail meanwhile.

    small    messages of 4 kB at a steady rate, with a connection each: from the instant when one is due to
             its 250, and on to its arrival
    large    50 MB messages, begun at a steady rate as well, each sent as fast as it goes
    slow     1,000 clients who each send 1,000 octets a second, in messages of 20 kB

First the small mail alone, then with the two others, which are sent by a process of their own, on the same
server. Postfix is allowed messages of 50 MB (its default is 10 MB) and is otherwise Debian's, which means 100
processes that take mail; a client that finds none waits, and that is told. ByReturn is allowed 3,000
connections, and as many of one client (its defaults are 1,000 and 50).
"""

from __future__ import annotations

import argparse
import math
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from bench.figures import RATIO, Benchmark, Figure, add_alone, percentile, run, say, spread
from bench.load import Letter, Load, Slow
from bench.machine import Sampler
from bench.names import SENDERS, Net
from bench.sinks import wait_for
from bench.systems import ByReturn, Postfix, System, why_no_postfix

_SENDER: Final = f"someone@{SENDERS}"
_LARGE_OCTETS: Final = 50_000_000
_LARGE_CLIENTS: Final = 4
_SLOW_OCTETS: Final = 20_000
_PATIENCE: Final = 60.0
_CASES: Final = ("small mail alone", "with large and slow clients")


@dataclass(frozen=True)
class Part:
    """What one part showed: seconds of small mail, what was sent, what came, and memory."""

    answers: list[float]
    ways: list[float]
    small: int
    large: tuple[int, int]
    slow: tuple[int, int]
    rss_mb: float
    pss_mb: float


def one_part(net: Net, system: System, options: argparse.Namespace, *, is_loaded: bool) -> Part:
    """Send small mail, alone or not."""
    tag = f"{system.name}{'-loaded' if is_loaded else ''}"
    letters = [
        Letter(number / options.rate, _SENDER, (f"{tag}-{number}@small.example",))
        for number in range(int(options.rate * options.seconds))
    ]
    large = [
        Letter(
            number * options.seconds / options.large,
            _SENDER,
            (f"{tag}-{number}@large.example",),
            _LARGE_OCTETS,
        )
        for number in range(options.large)
    ]
    slow = Slow(options.slow, _SLOW_OCTETS, _SENDER, f"{tag}@slow.example")
    with ExitStack() as stack:
        sampler = stack.enter_context(Sampler(system.pids, 0.2))
        small = stack.enter_context(Load(system.port, paced=letters, reuse=False))
        others = small
        if is_loaded:
            others = stack.enter_context(
                Load(system.port, paced=large, sessions=_LARGE_CLIENTS, slow=slow, seconds=options.seconds)
            )
            others.finish()
        small.finish()
        accepted = small.accepted
        large_sent = list(others.accepted) if is_loaded else []
        slow_sent = sum(one.code == 250 for one in others.slow)
        arrivals = net.sinks.arrivals

        def is_all_there() -> bool:
            return (
                len(arrivals.get(slow.recipient, ())) >= slow_sent
                and all(large[place].recipients[0] in arrivals for place in large_sent)
                and all(letters[place].recipients[0] in arrivals for place in accepted)
            )

        wait_for(is_all_there, _PATIENCE)
    return Part(
        answers=[small.paced[place].done - small.paced[place].due for place in accepted],
        ways=[
            at - done
            for place, done in accepted.items()
            if (at := net.sinks.first_arrival(letters[place].recipients[0])) is not None
        ],
        small=len(letters),
        large=(len(large_sent), sum(large[place].recipients[0] in arrivals for place in large_sent)),
        slow=(slow_sent, len(arrivals.get(slow.recipient, ()))),
        rss_mb=sampler.peak_rss_mb,
        pss_mb=sampler.peak_pss_mb,
    )


def figures(case: str, system: str, part: Part) -> Iterator[Figure]:
    """Tell what was seen."""
    yield from spread(case, "small: due to 250", system, part.answers, part.small)
    yield from spread(case, "small: 250 to arrival", system, part.ways, part.small)
    yield Figure(case, "small: accepted", system, len(part.answers), f"of {part.small}")
    yield Figure(case, "small: arrived", system, len(part.ways), f"of {part.small}")
    if case == _CASES[1]:
        for kind, (sent, came) in (("large", part.large), ("slow", part.slow)):
            yield Figure(case, f"{kind}: accepted", system, sent)
            yield Figure(case, f"{kind}: arrived", system, came)
    yield Figure(case, "RSS, peak", system, part.rss_mb, "MB")
    yield Figure(case, "PSS, peak", system, part.pss_mb, "MB")


def both_parts(options: argparse.Namespace, net: Net, system: System) -> Iterator[Figure]:
    """Measure one system, without and with."""
    with net, system:  # type: ignore[attr-defined]
        parts = [one_part(net, system, options, is_loaded=is_loaded) for is_loaded in (False, True)]
    for case, part in zip(_CASES, parts, strict=True):
        yield from figures(case, system.name, part)
        say(
            f"{system.name}, {case}: {len(part.ways)} of {part.small} small ones arrived, "
            f"large {part.large}, slow {part.slow}, RSS {part.rss_mb:.0f} MB"
        )
    for name, values in (
        ("small: due to 250, p95", [part.answers for part in parts]),
        ("small: 250 to arrival, p95", [part.ways for part in parts]),
    ):
        alone, loaded = (percentile(some, 0.95, part.small) for some, part in zip(values, parts, strict=True))
        if loaded < math.inf:
            where = RATIO if options.alone else system.name
            yield Figure("with them to without", name, where, loaded / alone)


def measure(options: argparse.Namespace, folder: Path) -> list[Figure]:
    """Measure the systems one after the other."""
    net = _net()
    result = list(both_parts(options, net, ByReturn(folder / "byreturn", ground=net.ground)))
    why_not = "it was left out" if options.alone else why_no_postfix()
    if why_not:
        say(f"Postfix was not measured: {why_not}.")
        return result
    net = _net()
    extra = "message_size_limit = 52428800"
    return result + list(
        both_parts(options, net, Postfix(folder / "postfix", ground=net.ground, extra=extra))
    )


def _net() -> Net:
    net = Net()
    for name in ("small", "large", "slow"):
        net.domain(name, behaviour="good")
    return net


def add_options(parser: argparse.ArgumentParser) -> None:
    """Its options."""
    parser.add_argument("--rate", type=float, default=20, help="small messages a second (default: 20)")
    parser.add_argument("--seconds", type=float, default=30, help="of small mail in each part (default: 30)")
    parser.add_argument("--large", type=int, default=20, help="large messages (default: 20)")
    parser.add_argument("--slow", type=int, default=1000, help="slow clients (default: 1000)")
    add_alone(parser)


BENCHMARK: Final = Benchmark("large", __doc__ or "", add_options, measure)

if __name__ == "__main__":
    sys.exit(run(BENCHMARK))
