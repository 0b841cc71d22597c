"""When reports to one address become a flood, and what is done about it.

A program that writes to a thousand dead addresses gets a thousand reports. Each of them is owed, and none is
dropped. But beyond so many a minute they shrink, and leave one after the other instead of all at once, so
that the mailbox at the other end can be lived in, and its server does not take us for a nuisance.

    within the limit    whole, at once
    beyond it           the header alone comes back; it leaves when its turn comes, at most MOST_WAIT later

One number for each address tells when its turns are used up (the generic cell rate algorithm, ITU-T I.371).
Pure: the present instant is a parameter.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import Final

from byreturn.mail import MINUTE, Duration, Instant

# Whoever waited longer for his turn would think that he has all of them.
MOST_WAIT: Final[Duration] = 10 * MINUTE
# Who is forgotten starts afresh.
_ADDRESSES: Final = 10_000


class Flood:
    """How many reports each address gets."""

    def __init__(self, per_minute: int) -> None:
        assert per_minute > 0
        self._per_minute = per_minute
        # In milliseconds x per_minute, so that whole numbers do: until when the turns are used up.
        self._used_until: OrderedDict[str, int] = OrderedDict()

    def wait(self, address: str, now: Instant) -> Duration:
        """Take a turn: how long a report to this address waits for it; 0: there is no flood."""
        scale = self._per_minute
        used_until = max(self._used_until.pop(address, 0), now * scale) + MINUTE
        waits = -(-(used_until - (now + MINUTE) * scale) // scale)
        if waits > MOST_WAIT:
            # All that come now leave at the end of the same wait; their turns are not counted further.
            used_until = (now + MINUTE + MOST_WAIT) * scale
        self._used_until[address] = used_until
        if len(self._used_until) > _ADDRESSES:
            self._used_until.popitem(last=False)
        return min(max(0, waits), MOST_WAIT)
