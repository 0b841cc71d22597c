"""All benchmarks, one after the other, and one table at the end: `make bench`.

Each is run with its own defaults; `python -m bench NAME ...` runs some of them, `python -m bench.NAME --help`
tells what else one can do. A benchmark that fails, or that cannot be run here, is named at the end, and the
others are run all the same.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
import traceback
from dataclasses import asdict
from typing import Final

from bench import backlog, classic, fanout, heavy, large, reports, throughput
from bench.figures import Benchmark, Figure, measured, say, table
from bench.names import Unmeasurable

_ALL: Final = tuple(
    module.BENCHMARK for module in (throughput, classic, heavy, reports, backlog, fanout, large)
)


def defaults(benchmark: Benchmark, *, alone: bool) -> argparse.Namespace:
    """A benchmark's own defaults."""
    parser = argparse.ArgumentParser()
    benchmark.add_options(parser)
    options = parser.parse_args([])
    if alone and hasattr(options, "alone"):
        options.alone = True
    return options


def main() -> int:
    """Run them; return 1 when one of them was not measured."""
    parser = argparse.ArgumentParser(
        prog="python -m bench", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(each.name for each in _ALL))
    parser.add_argument("--alone", action="store_true", help="leave Postfix out everywhere")
    parser.add_argument("--json", action="store_true", help="print figures for programs")
    options = parser.parse_args()
    known = [each.name for each in _ALL]
    if unknown := [name for name in options.names if name not in known]:
        parser.error(f"no benchmark is called {unknown[0]}; there are {', '.join(known)}")
    found: dict[str, list[Figure]] = {}
    failed: dict[str, str] = {}
    for benchmark in _ALL:
        if options.names and benchmark.name not in options.names:
            continue
        began = time.monotonic()
        say(f"--- {benchmark.name} ---")
        try:
            found[benchmark.name] = measured(benchmark, defaults(benchmark, alone=options.alone))
        except Unmeasurable as error:
            failed[benchmark.name] = str(error)
        except Exception as error:  # noqa: BLE001 - the others are to be measured all the same
            traceback.print_exc()
            failed[benchmark.name] = f"it failed: {error}"
        say(f"{benchmark.name} took {time.monotonic() - began:.0f} s")
    if options.json:
        figures = {name: [asdict(figure) for figure in some] for name, some in found.items()}
        print(json.dumps({"figures": figures, "not_measured": failed}, indent=2))
    else:
        print("\n\n".join(f"{name}\n{table(figures)}" for name, figures in found.items()))
        for name, why in failed.items():
            print(f"\n{name}: not measured. {why}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
