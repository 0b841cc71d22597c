"""Figures: what was measured of whom, and the table in which systems stand beside each other.

    Figure("silent host", "report, median", "byreturn", 0.011, "s")

A figure without a value says in `note` what is known instead ("> 35 s", "not measured"). The ratio column is
ours divided by theirs, or what a figure of the system RATIO says.
"""

from __future__ import annotations

import argparse
import json
import math
import signal
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

from bench.machine import raise_file_limit
from bench.names import Unmeasurable

RATIO: Final = "ratio"
_OURS: Final = "byreturn"
_THEIRS: Final = "postfix"


@dataclass(frozen=True)
class Figure:
    """One number; or, where there is none, what is known instead."""

    case: str
    name: str
    system: str
    value: float | None
    unit: str = ""
    note: str = ""

    def __str__(self) -> str:
        if self.value is None:
            return self.note or "-"
        number = f"{self.value:.4g}" if abs(self.value) < 10_000 else f"{self.value:,.0f}"
        return " ".join(part for part in (number, self.unit, self.note) if part)


@dataclass(frozen=True)
class Benchmark:
    """A benchmark: its options, and how it measures. `folder` is a fresh one for everything it writes."""

    name: str
    about: str
    add_options: Callable[[argparse.ArgumentParser], None]
    measure: Callable[[argparse.Namespace, Path], list[Figure]]


def percentile(values: Sequence[float], share: float, total: int) -> float:
    """The value below or at which so large a share of `total` lies; what did not come is later than all.

    Infinity where that many did not come: percentiles of the lucky ones would flatter whoever lost the rest.
    """
    rank = max(1, math.ceil(share * total))
    return sorted(values)[rank - 1] if rank <= len(values) else math.inf


def spread(case: str, name: str, system: str, values: Sequence[float], total: int) -> list[Figure]:
    """Percentiles and the maximum of the seconds that each of `total` took."""
    shares = {"p50": 0.5, "p95": 0.95, "p99": 0.99, "max": 1.0}
    found = {word: percentile(values, share, total) for word, share in shares.items()}
    return [
        Figure(case, f"{name}, {word}", system, value, "s")
        if value < math.inf
        else Figure(case, f"{name}, {word}", system, None, "s", "did not come")
        for word, value in found.items()
    ]


def table(figures: Sequence[Figure]) -> str:
    """Lay figures out: a line for each thing measured, a column for each system."""
    systems = list(dict.fromkeys(figure.system for figure in figures if figure.system != RATIO))
    systems.sort(key=lambda system: (system == _THEIRS, not system.startswith(_OURS)))
    lines: dict[tuple[str, str], dict[str, Figure]] = {}
    for figure in figures:
        lines.setdefault((figure.case, figure.name), {})[figure.system] = figure
    rows = [["", "", *systems, RATIO]]
    for (case, name), cells in lines.items():
        rows.append([case, name, *(str(cells.get(system, "")) for system in systems), _ratio(cells)])
    widths = [max(len(row[at]) for row in rows) for at in range(len(rows[0]))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows
    )


def _ratio(cells: dict[str, Figure]) -> str:
    if RATIO in cells:
        return str(cells[RATIO])
    ours, theirs = cells.get(_OURS), cells.get(_THEIRS)
    if ours is None or theirs is None or not theirs.value or ours.value is None:
        return ""
    return f"{ours.value / theirs.value:.3g}"


def say(text: str) -> None:
    """Tell a person how far it is."""
    print(text, file=sys.stderr, flush=True)


def add_alone(parser: argparse.ArgumentParser) -> None:
    """Offer to leave Postfix out."""
    parser.add_argument("--alone", action="store_true", help="leave Postfix out")


def measured(benchmark: Benchmark, options: argparse.Namespace) -> list[Figure]:
    """Measure in a folder that is removed afterwards. Whoever is told to stop stops what it has started."""
    raise_file_limit()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    with tempfile.TemporaryDirectory(prefix="byreturn-bench-") as folder:
        return benchmark.measure(options, Path(folder))


def run(benchmark: Benchmark) -> int:
    """Be the command line of one benchmark."""
    parser = argparse.ArgumentParser(
        prog=f"python -m bench.{benchmark.name}",
        description=benchmark.about,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    benchmark.add_options(parser)
    parser.add_argument("--json", action="store_true", help="print figures for programs")
    options = parser.parse_args()
    try:
        figures = measured(benchmark, options)
    except Unmeasurable as error:
        say(str(error))
        return 1
    if options.json:
        print(json.dumps({benchmark.name: [asdict(figure) for figure in figures]}, indent=2))
    else:
        print(table(figures))
    return 0
