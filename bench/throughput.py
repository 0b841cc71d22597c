"""Throughput beside Postfix: the same load, the same sink, in turns, medians of three.

    smtp-source -s 50 -l 4096 -m N [-d] -> ByReturn | Postfix -> smtp-sink

Run with `make bench` or `python -m bench.throughput --json`. Needs Debian's postfix (smtp-source, smtp-sink)
and, for the comparison, root. Everything talks to loopback and stops by itself.
"""

from __future__ import annotations

import argparse
import json
import shutil
import statistics
import sys
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path

from bench.rig import ByReturn, Postfix, Rig, Sink, cpu_seconds, free_port, run_source

SESSIONS = 50
OCTETS = 4096


@dataclass(frozen=True)
class Run:
    """One run: messages a second accepted and delivered, CPU a message, memory."""

    system: str
    reuse: bool
    accepted_per_second: float
    delivered_per_second: float
    cpu_ms_per_message: float
    rss_mb: float


def one_run(rig: Rig, messages: int, *, reuse: bool) -> Run:
    """Send so many messages through a system into a fresh sink."""
    before = cpu_seconds(rig.pids())
    counted = rig.sink.count()
    began, accepted_at = run_source(rig.port, messages, OCTETS, SESSIONS, reuse=reuse)
    delivered_at = rig.sink.wait_for(counted + messages, limit=300)
    spent = cpu_seconds(rig.pids()) - before
    return Run(
        rig.name,
        reuse,
        messages / (accepted_at - began),
        messages / (delivered_at - began),
        1000 * spent / messages,
        rig.rss_mb(),
    )


def medians(runs: list[Run]) -> dict[str, dict[str, float]]:
    """The medians by system and kind of load."""
    groups: dict[str, list[Run]] = {}
    for run in runs:
        groups.setdefault(f"{run.system} {'-d' if run.reuse else '  '}", []).append(run)
    names = ("accepted_per_second", "delivered_per_second", "cpu_ms_per_message", "rss_mb")
    return {
        key: {name: round(statistics.median(getattr(run, name) for run in same), 3) for name in names}
        for key, same in groups.items()
    }


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--messages", type=int, default=5000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--alone", action="store_true", help="leave Postfix out")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    for program in ("smtp-source", "smtp-sink"):
        if shutil.which(program) is None:
            print(f"{program} is missing: install Debian's postfix. Nothing was measured.", file=sys.stderr)
            return 1
    runs: list[Run] = []
    with (
        tempfile.TemporaryDirectory(prefix="byreturn-bench-") as folder,
        Sink(free_port()) as sink,
        ByReturn(Path(folder) / "byreturn", sink) as ours,
    ):
        if options.alone:
            measure([ours], runs, options)
        else:
            with Postfix(Path(folder) / "postfix", sink) as theirs:
                measure([ours, theirs], runs, options)
    table = medians(runs)
    if options.json:
        print(json.dumps({"runs": [asdict(run) for run in runs], "medians": table}, indent=2))
    else:
        for key, row in table.items():
            words = "  ".join(f"{name} {value:>9}" for name, value in row.items())
            print(f"{key:<12} {words}")
    return 0


def measure(systems: list[Rig], runs: list[Run], options: argparse.Namespace) -> None:
    """Take turns, so that a slow minute of the machine hits everybody."""
    for _ in range(options.rounds):
        for reuse in (True, False):
            for rig in systems:
                run = one_run(rig, options.messages, reuse=reuse)
                runs.append(run)
                print(
                    f"{run.system:<9}{' -d' if reuse else '   '} accepted {run.accepted_per_second:7.0f}/s"
                    f"  delivered {run.delivered_per_second:7.0f}/s  cpu {run.cpu_ms_per_message:6.3f} ms"
                    f"  rss {run.rss_mb:6.1f} MB",
                    file=sys.stderr,
                )


if __name__ == "__main__":
    sys.exit(main())
