"""The embedded store: a Maildir for each mailbox, written so that nothing is lost and nothing comes twice.

A delivery has one name for ever, made of the message's id and the recipient's ordinal: no counter, process
id or time of day is in it. So a delivery that is repeated after a crash finds or overwrites itself.

    deliver --> line, at most WAITING_LIMIT --> at most AT_ONCE worker threads --> done, on the loop
                                                   '- root/<domain>/<mailbox>/{tmp,new,cur}

Promises: `done(None)` means that the message survives a power failure; before, nobody can see it. No
address leads out of the root. Folders are 0700, files 0600.
Fails: with a StoreFault for whatever the file system says and when the line is full, with StoreRefused where
there is no such mailbox; nothing is raised. A disk that hangs keeps its threads: the answer comes late, or
never. The root is never created: where it is missing, a disk is probably not mounted.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Final, TypeAlias

from byreturn.mail import HOUR, SECOND, Duration, Instant, Mailbox
from byreturn.ports import Clock, ContentReader, StoreFault, StoreRefused, Worker
from byreturn.store.delivery import Delivery, put_into_mailbox
from byreturn.store.names import file_name, folder_name, host_name, plain_local

AT_ONCE: Final = 8  # A disk that syncs is busy with fewer; more threads only fight for the interpreter.
WAITING_LIMIT: Final = 10_000

_UPKEEP_EVERY: Final = HOUR
_UPKEEP_LIMIT: Final = 10_000  # Mailboxes whose last upkeep is remembered; a forgotten one gets it again.
_FRESH: Final = 5 * SECOND  # Less than it takes another node to take over a message.

Done: TypeAlias = Callable[[StoreRefused | StoreFault | None], None]


class MaildirStore:
    """The Mailboxes port over Maildirs.

    `knows` says whether a mailbox exists. It and the clock are asked on the loop.
    """

    def __init__(
        self, root: Path, worker: Worker, clock: Clock, knows: Callable[[Mailbox], bool], host: str
    ) -> None:
        self._root = root
        self._worker = worker
        self._clock = clock
        self._knows = knows
        self._host = host_name(host)
        self._started_at = clock.now()
        self._waiting: deque[tuple[Delivery, Done]] = deque()
        self._running = 0
        self._under_way: set[tuple[tuple[str, str], str]] = set()  # What waits or runs.
        self._upkeep_at: dict[tuple[str, str], Instant] = {}

    def deliver(
        self,
        address: Mailbox,
        unique: str,
        trace: bytes,
        content: ContentReader,
        done: Done,
    ) -> None:
        """Put `trace` and `content` into a mailbox, durably, then call `done` with None.

        `done` is called from inside where the answer needs no disk. `content` is read in another thread and
        closed by the caller, after `done`.
        """
        local = plain_local(address.local)
        name, accepted_at = file_name(unique, self._host)
        now = self._clock.now()
        delivery = Delivery(
            root=self._root,
            folder=(folder_name(address.destination), folder_name(local)),
            name=name,
            trace=trace,
            content=content,
            age=self._age_if_tried(accepted_at, now),
        )
        is_name = local and address.destination and local.isprintable() and address.domain.isprintable()
        if not is_name or not self._knows(address):
            done(StoreRefused("no such mailbox"))
        elif (delivery.folder, name) in self._under_way:
            # Two threads in one file would mix their octets. An operator can make this happen: hold and
            # release while the first attempt hangs.
            done(StoreFault("an earlier attempt to store this message has not ended yet"))
        elif len(self._waiting) >= WAITING_LIMIT:
            done(StoreFault(f"{WAITING_LIMIT} messages wait for the disk of the mailboxes already"))
        else:
            self._under_way.add((delivery.folder, name))
            self._waiting.append((delivery, done))
            self._start()

    def _age_if_tried(self, accepted_at: Instant, now: Instant) -> Duration | None:
        """Return a message's age if there may have been an attempt before: it takes a restart, or a while.

        A message from the future shows how far the clock was set back.
        """
        is_first = self._started_at < accepted_at <= now < accepted_at + _FRESH
        return None if is_first else abs(now - accepted_at)

    def _start(self) -> None:
        while self._waiting and self._running < AT_ONCE:
            delivery, done = self._waiting.popleft()
            self._running += 1
            now = self._clock.now()
            is_due = now >= self._upkeep_at.get(delivery.folder, now - _UPKEEP_EVERY) + _UPKEEP_EVERY
            self._worker.submit(
                partial(put_into_mailbox, delivery, with_upkeep=is_due),
                partial(self._finish, delivery, now if is_due else None, done),
            )

    def _finish(
        self,
        delivery: Delivery,
        upkeep_at: Instant | None,
        done: Done,
        outcome: StoreFault | Exception | None,
    ) -> None:
        self._running -= 1
        self._under_way.discard((delivery.folder, delivery.name))
        if outcome is not None:
            # A folder may have been made and not synced: the next delivery sees to it.
            self._upkeep_at.pop(delivery.folder, None)
        elif upkeep_at is not None:
            if len(self._upkeep_at) >= _UPKEEP_LIMIT:
                del self._upkeep_at[next(iter(self._upkeep_at))]
            self._upkeep_at[delivery.folder] = upkeep_at
        self._start()
        if isinstance(outcome, Exception):
            # A bug, here or in the reader. It must not cost anybody's mail: it is tried again.
            outcome = StoreFault(f"storing the message failed unexpectedly: {outcome!r}")
        done(outcome)
