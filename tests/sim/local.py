"""The local side: a store that keeps what it was given, and a journal that tells a story."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from byreturn.mail import Duration, Instant, Mailbox, Message, QueueId, id_text, iso_date
from byreturn.ports import Clock, ContentReader, Directory, Here, StoreFault, StoreRefused

_LATENCY: Duration = 3


@dataclass(frozen=True)
class Stored:
    """One message in a mailbox."""

    at: Instant
    address: str
    unique: str
    content: bytes


class SimMailboxes:
    """All mailboxes; they outlive every process. A delivery that is repeated overwrites itself."""

    def __init__(self, directory: Directory) -> None:
        self._directory = directory
        self.stored: dict[str, Stored] = {}
        self.deliveries = 0

    def of(self, clock: Clock) -> _Door:
        """The way in for one process."""
        return _Door(self, clock)

    def knows(self, address: Mailbox) -> bool:
        return isinstance(self._directory.find(address), Here)

    def put(self, at: Instant, address: Mailbox, unique: str, content: bytes) -> None:
        self.deliveries += 1
        self.stored.setdefault(unique, Stored(at, str(address), unique, content))


class _Door:
    def __init__(self, mailboxes: SimMailboxes, clock: Clock) -> None:
        self._mailboxes = mailboxes
        self._clock = clock

    def deliver(
        self,
        address: Mailbox,
        unique: str,
        trace: bytes,
        content: ContentReader,
        done: Callable[[StoreRefused | StoreFault | None], None],
    ) -> None:
        if not self._mailboxes.knows(address):
            done(StoreRefused("no such mailbox"))
            return
        data = trace + content.read(content.octets)

        def stored() -> None:
            self._mailboxes.put(self._clock.now(), address, unique, data)
            self._clock.call_later(_LATENCY, lambda: done(None))

        self._clock.call_later(_LATENCY, stored)


class SimJournal:
    """Implements `ports.Journal` as lines of a story that a person can read, in virtual time."""

    def __init__(self, clock: Clock, story: list[str]) -> None:
        self._clock = clock
        self._story = story

    def __getattr__(self, fact: str) -> Callable[..., None]:
        def tell(*values: Any, **named: Any) -> None:
            words = [_shown(value) for value in values] + [f"{key}={value}" for key, value in named.items()]
            self._story.append(f"{iso_date(self._clock.now())} {fact} {' '.join(words)}")

        return tell


def _shown(value: object) -> str:
    if isinstance(value, Message):
        return f"{id_text(value.id)} <{value.reverse_path}> {value.message_id}"
    if isinstance(value, int) and value > 1 << 40:
        return id_text(QueueId(value))
    return str(value)
