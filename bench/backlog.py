"""A full queue: what a million deferred recipients cost at start, in memory, and in the way of fresh mail.

    start    seconds from exec to the 220, with the spool's files in the system's memory and without; RSS
    fresh    messages a second through smtp-source and smtp-sink, and 250 to arrival at a steady rate: the
             full server and an empty one in turns, so that a slow minute of the machine hits both
    dead     100,000 messages for one destination whose host hangs up, or never speaks: how many connections
             are made before that is understood, how many at each probe later, how many rows are written

The spool is built by ByReturn's own spool code, with everything due two hours from now. The probes of `dead`
come every 10 s, so that several can be seen; --interval says otherwise. NOT DONE: the same with Postfix. Its
queue of a million files would take longer to make than all the rest takes to run.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Final

from bench.figures import RATIO, Benchmark, Figure, percentile, run, say
from bench.load import Letter, Load, run_source
from bench.machine import cpu_seconds, free_port, missing
from bench.names import SENDERS, Net, Unmeasurable
from bench.sinks import CountingSink, wait_for
from bench.stock import Snapshot, Stock, build, forget_cached
from bench.systems import ByReturn

from byreturn.mail import HOUR

_SOURCE_SESSIONS: Final = 50
_SETTLED_SECONDS: Final = 5.0
_SILENT_PATIENCE: Final = 2
_PROBES_SEEN: Final = 3
_DISCOVERY_LIMIT: Final = 180.0
_DEAD_HOSTS: Final = {"hangup": "host hangs up", "silent": "host never speaks"}


@dataclass(frozen=True)
class Fresh:
    """One turn of fresh mail: messages a second, CPU milliseconds a message, 95th percentile of the way."""

    accepted: float
    delivered: float
    cpu_ms: float
    p95: float


def _stock(options: argparse.Namespace) -> Stock:
    return Stock(options.recipients, options.destinations, "b{}.backlog.example", 2 * HOUR, 2 * HOUR)


def starts(server: ByReturn, case: str) -> Iterator[Figure]:
    """Start a server twice: from the disk, and from what the system remembers of it."""
    if server.data.exists():
        forget_cached(server.data)
    for words in ("files on disk only", "files in memory"):
        with server:
            time.sleep(_SETTLED_SECONDS)
            yield Figure("start", f"exec to 220, {words}", case, server.seconds_to_greeting, "s")
            yield Figure("start", f"RSS 5 s later, {words}", case, server.rss_mb(), "MB")


def fresh_turn(
    net: Net, server: ByReturn, sink: CountingSink, options: argparse.Namespace, tag: str
) -> Fresh:
    """Send fresh mail as fast as it goes, then at a steady rate."""
    before, cpu_before = sink.count(), cpu_seconds(server.pids())
    began, accepted_at = run_source(
        server.port, options.messages, _SOURCE_SESSIONS, reuse=True, to="info@counted.example"
    )
    delivered_at = sink.wait_for(before + options.messages, 120)
    cpu = cpu_seconds(server.pids()) - cpu_before
    letters = [
        Letter(number / options.rate, f"someone@{SENDERS}", (f"{tag}-{number}@fresh.example",))
        for number in range(int(options.rate * options.seconds))
    ]
    with Load(server.port, paced=letters) as load:
        load.finish()
        accepted = load.accepted
    if not wait_for(lambda: all(one.recipients[0] in net.sinks.arrivals for one in letters), 60):
        raise RuntimeError(f"fresh mail did not arrive: {server.name}, {tag}")
    ways = [net.sinks.arrivals[one.recipients[0]][0] - accepted[at] for at, one in enumerate(letters)]
    return Fresh(
        options.messages / (accepted_at - began),
        options.messages / (delivered_at - began),
        1000 * cpu / options.messages,
        percentile(ways, 0.95, len(letters)),
    )


def fresh(
    net: Net, full: ByReturn, empty: ByReturn, sink: CountingSink, options: argparse.Namespace
) -> Iterator[Figure]:
    """Let the two take turns; the order changes from pair to pair."""
    turns: dict[str, list[Fresh]] = {full.name: [], empty.name: []}
    # The first mail of a process makes what all others find made.
    for server in (full, empty):
        fresh_turn(net, server, sink, options, f"warm-{server.port}")
    for number in range(options.pairs):
        for server in (full, empty) if number % 2 else (empty, full):
            turn = fresh_turn(net, server, sink, options, f"{server.port}-{number}")
            turns[server.name].append(turn)
            say(f"{server.name}: accepted {turn.accepted:.0f}/s, delivered {turn.delivered:.0f}/s, "
                f"p95 {turn.p95 * 1000:.2f} ms")  # fmt: skip
    quantities: tuple[tuple[str, str, Callable[[Fresh], float]], ...] = (
        ("accepted", "/s", lambda turn: turn.accepted),
        ("delivered", "/s", lambda turn: turn.delivered),
        ("CPU a message", "ms", lambda turn: turn.cpu_ms),
        ("250 to arrival, p95", "s", lambda turn: turn.p95),
    )
    for words, unit, quantity in quantities:
        for name, found in turns.items():
            yield Figure("fresh mail", words, name, median(map(quantity, found)), unit)
        pairs = zip(turns[full.name], turns[empty.name], strict=True)
        ratio = median(quantity(ours) / quantity(theirs) for ours, theirs in pairs)
        yield Figure("fresh mail, full to empty", words, RATIO, ratio, note=f"(pairs={options.pairs})")
    for server in (full, empty):
        yield Figure("fresh mail", "RSS afterwards", server.name, server.rss_mb(), "MB")


def dead(net: Net, folder: Path, behaviour: str, options: argparse.Namespace) -> Iterator[Figure]:
    """Let a server find out that one destination is dead, and probe it."""
    case = f"{options.dead:,} for one dead, {_DEAD_HOSTS[behaviour]}"
    interval: int = options.interval
    server = ByReturn(
        folder / behaviour,
        ground=net.ground,
        extra=f'[delivery.timeouts]\ngreeting = "{_SILENT_PATIENCE}s"\n'
        f'[retry]\nintervals = ["{interval}s"]\nprobe_limit = "{interval}s"\n',
    )
    server.data.mkdir(parents=True)
    build(server.data, Stock(options.dead, 1, f"{behaviour}.example", 0))
    calls, address = net.sinks.calls, net.address_of(behaviour)
    # Long enough for a round of connections to a silent host to end and the next one to begin.
    quiet = max(interval / 3, 1.5 * _SILENT_PATIENCE)

    def made() -> list[float]:
        return [at for at, to in tuple(calls) if to == address]

    before = Snapshot(server.data)
    with server:
        wait_for(lambda: made() and time.monotonic() - made()[-1] > quiet, _DISCOVERY_LIMIT)
        found = made()
        # No probe comes in the middle of an interval, and what was found is written by then.
        after = Snapshot(server.data)
        yield Figure(case, "connections until it counts as dead", "byreturn", len(found))
        yield Figure(case, "rows written until then", "byreturn", after.written_since(before).total())
        probes, rows = [], []
        for _ in range(_PROBES_SEEN):
            count = len(made())
            wait_for(
                lambda count=count: len(made()) > count and time.monotonic() - made()[-1] > quiet,  # type: ignore[misc]
                4 * interval,
            )
            latest = Snapshot(server.data)
            probes.append(len(made()) - count)
            written = latest.written_since(after)
            rows.append(written.total())
            say(f"{case}: {probes[-1]} connections, rows {dict(written)}")
            after = latest
        yield Figure(case, "connections at a probe, max of 3", "byreturn", max(probes))
        yield Figure(case, "rows written at a probe, max of 3", "byreturn", max(rows))
        yield Figure(case, "RSS afterwards", "byreturn", server.rss_mb(), "MB")


def measure(options: argparse.Namespace, folder: Path) -> list[Figure]:
    """Build, start, compare, probe."""
    if gone := missing("smtp-source", "smtp-sink"):
        raise Unmeasurable(f"{' and '.join(gone)} missing: install Debian's postfix. Nothing was measured.")
    net = Net()
    net.domain("fresh", behaviour="good")
    for behaviour in _DEAD_HOSTS:
        net.domain(behaviour, behaviour=behaviour)
    result: list[Figure] = []
    with ExitStack() as stack:
        stack.enter_context(net)
        sink = stack.enter_context(CountingSink(free_port()))
        extra = f'[[route]]\ndomain = "counted.example"\nhosts = ["127.0.0.1:{sink.port}"]'
        full = ByReturn(folder / "full", ground=net.ground, extra=extra, name="byreturn")
        empty = ByReturn(folder / "empty", ground=net.ground, extra=extra, name="byreturn, empty")
        full.data.mkdir(parents=True)
        began = time.monotonic()
        build(full.data, _stock(options))
        octets = sum(path.stat().st_size for path in full.data.rglob("*") if path.is_file())
        seconds = time.monotonic() - began
        say(f"{options.recipients:,} recipients: {octets / 1e6:.0f} MB, built in {seconds:.0f} s")
        result += starts(full, full.name)
        result += starts(empty, empty.name)
        with full, empty:
            result += fresh(net, full, empty, sink, options)
        for behaviour in _DEAD_HOSTS:
            result += dead(net, folder, behaviour, options)
    return result


def add_options(parser: argparse.ArgumentParser) -> None:
    """Its options."""
    parser.add_argument("--recipients", type=int, default=1_000_000, help="that wait (default: 1,000,000)")
    parser.add_argument("--destinations", type=int, default=20_000, help="of theirs (default: 20,000)")
    parser.add_argument("--dead", type=int, default=100_000, help="for one dead host (default: 100,000)")
    parser.add_argument(
        "--interval", type=int, default=10, help="seconds between its probes, 6 or more (default: 10)"
    )
    parser.add_argument("--messages", type=int, default=5000, help="fresh ones in a turn (default: 5000)")
    parser.add_argument("--rate", type=float, default=200, help="of steady mail, a second (default: 200)")
    parser.add_argument("--seconds", type=float, default=10, help="of steady mail in a turn (default: 10)")
    parser.add_argument("--pairs", type=int, default=3, help="turns of each server (default: 3)")


BENCHMARK: Final = Benchmark("backlog", __doc__ or "", add_options, measure)

if __name__ == "__main__":
    sys.exit(run(BENCHMARK))
