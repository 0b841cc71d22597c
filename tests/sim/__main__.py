"""Replay a world and tell its story: `python -m tests.sim SEED [FIRST-LAST ...]`."""

from __future__ import annotations

import sys
import time

from tests.sim.checkers import LAWS
from tests.sim.spools import SqliteMaker
from tests.sim.world import Simulation


def run(seed: int) -> tuple[Simulation, list[str]]:
    """Run one world; return it with everything that is wrong in it."""
    maker = SqliteMaker()
    simulation = Simulation(seed, maker)
    try:
        simulation.run()
        return simulation, [
            f"{law.__name__.rpartition('.')[2]}: {wrong}" for law in LAWS for wrong in law.check(simulation)
        ]
    finally:
        maker.remove()


def main() -> int:
    """Run the seeds that were named; tell the story of a single one."""
    failed = 0
    for word in sys.argv[1:]:
        first, _, last = word.partition("-")
        for seed in range(int(first), int(last or first) + 1):
            began = time.perf_counter()
            simulation, wrong = run(seed)
            if first == word or wrong:
                print(f"--- {seed}: {len(wrong)} wrong, {time.perf_counter() - began:.1f} s")
            if first == word:
                print("\n".join(simulation.story))
            print("\n".join(wrong[:20]), end="\n" if wrong else "")
            failed += bool(wrong)
    print(f"{failed} worlds in which a law was broken")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
