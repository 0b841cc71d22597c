"""The active window: how many recipients are in memory, and whose they are.

    in all          `active_recipients`; the last 5 % are for reports
    a destination   `destination_quota`
    a sender        of each of these four fifths; the last fifth is for those who have little there
    from the spool  four fifths too, in loads: a destination gets more when half of what it had is done

So neither a dead destination nor a newsletter fills the window, and a letter of somebody who has nothing
under way finds room beside ten thousand of somebody else. Contents are kept in memory up to
`content_octets`; beyond it they are read from the spool again.
"""

from __future__ import annotations

from collections import Counter
from typing import Final, TypeVar

from msgspec import Struct

from byreturn.mail import Destination, Message, Priority
from byreturn.service.batch import sender_of

Key = TypeVar("Key")

_REPORTS_PERCENT: Final = 5
_SENDER_PERCENT: Final = 80


class DispatchSettings(Struct, frozen=True):
    """The active window."""

    active_recipients: int = 10_000
    destination_quota: int = 1000
    content_octets: int = 64 * 1024 * 1024


class ActiveWindow:
    """Counts who is in flight, and says who may join them."""

    def __init__(self, settings: DispatchSettings) -> None:
        self._settings = settings
        self._unreserved = settings.active_recipients * (100 - _REPORTS_PERCENT) // 100
        self._by_destination: Counter[Destination] = Counter()
        self._by_sender: Counter[str] = Counter()
        self._by_both: Counter[tuple[Destination, str]] = Counter()
        self._content_octets = 0
        self._came_free = False
        self.active = 0

    @property
    def room(self) -> int:
        """How many more may come from the spool."""
        return _share(self._unreserved) - self.active

    def quotas(self) -> dict[Destination, int]:
        """How many may come from the spool for each destination that has some already."""
        quota = claim_quota(self._settings.destination_quota)
        return {
            name: quota - count if count <= quota // 2 else 0 for name, count in self._by_destination.items()
        }

    def came_free(self) -> bool:
        """Whether it is worth asking the spool again, if it had more than there was room for."""
        came_free, self._came_free = self._came_free, False
        return came_free

    def has_room(self, message: Message, destination: Destination) -> bool:
        """Whether a recipient of a new message may be tried at once."""
        quota = self._settings.destination_quota
        here = self._by_destination[destination]
        if message.priority is Priority.REPORT:
            return self.active < self._settings.active_recipients and here < quota
        if self.active >= self._unreserved or here >= quota:
            return False
        sender = sender_of(message)
        # Who has most of it already leaves the last fifth to the others.
        if self.active >= _share(self._unreserved) and self._by_sender[sender] * 2 > self.active:
            return False
        return here < _share(quota) or self._by_both[destination, sender] * 2 <= here

    def join(self, message: Message, destination: Destination) -> None:
        """One more is in flight."""
        sender = sender_of(message)
        self.active += 1
        self._by_destination[destination] += 1
        self._by_sender[sender] += 1
        self._by_both[destination, sender] += 1

    def leave(self, message: Message, destination: Destination) -> None:
        """One less is in flight."""
        sender = sender_of(message)
        half = claim_quota(self._settings.destination_quota) // 2
        if self._by_destination[destination] == half + 1 or self.active == self._unreserved // 2:
            self._came_free = True
        self.active -= 1
        _less(self._by_destination, destination)
        _less(self._by_sender, sender)
        _less(self._by_both, (destination, sender))

    def keep(self, content: bytes | None) -> bytes | None:
        """Keep a content in memory, if there is room for it."""
        if content is None or self._content_octets + len(content) > self._settings.content_octets:
            return None
        self._content_octets += len(content)
        return content

    def let_go(self, content: bytes) -> None:
        """A content that was kept is needed no more."""
        self._content_octets -= len(content)


def claim_quota(destination_quota: int) -> int:
    """How many recipients of one destination may come from the spool."""
    return max(1, _share(destination_quota))


def _share(whole: int) -> int:
    return whole * _SENDER_PERCENT // 100


def _less(counter: Counter[Key], key: Key) -> None:
    if counter[key] == 1:
        del counter[key]
    else:
        counter[key] -= 1
