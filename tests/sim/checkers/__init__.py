"""The laws, one file each: `check(simulation)` returns what is wrong."""

from tests.sim.checkers import (
    by_return,
    delays_are_told,
    doubles,
    never_in_clear,
    nothing_is_lost,
    only_these_end,
    queue_empties,
    senders_hear,
)

LAWS = (
    nothing_is_lost,
    by_return,
    senders_hear,
    delays_are_told,
    only_these_end,
    doubles,
    never_in_clear,
    queue_empties,
)
