"""Liveness: some time after the last fault, nobody waits any more."""

from __future__ import annotations

from typing import TYPE_CHECKING

from byreturn.mail import id_text
from byreturn.policy import FINAL, Parked

if TYPE_CHECKING:
    from tests.sim.world import Simulation


def check(simulation: Simulation) -> list[str]:
    """Return what is wrong."""
    return [
        f"{id_text(message_id)}#{ordinal}: still {state}"
        for (message_id, ordinal), state in simulation.final_states().items()
        if not isinstance(state, (*FINAL, Parked))
    ]
