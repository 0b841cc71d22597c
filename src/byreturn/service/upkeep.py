"""Upkeep: ending what has run out of time, and forgetting what is past its keeping.

Only mail that waits for a destination that does not answer is ended here, and only after a probe since it
was due and since we started: an hour in which we were switched off is nobody's lifetime. While the clock is
not trusted, and while the brake is on, nothing expires at all.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from byreturn.mail import MINUTE, SECOND, Duration, Instant, QueueId
from byreturn.policy import RanOutOfTime
from byreturn.ports import Expiry, SpoolFault, Timer, World
from byreturn.service.batch import Found
from byreturn.service.brake import Brake
from byreturn.service.dispatch import Dispatcher
from byreturn.service.reporting import Reporting
from byreturn.service.settlement import Settlement

_EXPIRE_ROWS: Final = 200
_PURGE_ROWS: Final = 500
_PURGE_EVERY: Final[Duration] = 1 * MINUTE
_LONGEST_SLEEP: Final[Duration] = 1 * MINUTE
_AGAIN: Final[Duration] = 1 * SECOND


class Upkeep:
    """The desk; a follower of the settlement desk, because a probe that failed may end somebody's wait."""

    def __init__(self, world: World, dispatcher: Dispatcher, reporting: Reporting, brake: Brake) -> None:
        self._clock = world.clock
        self._spool = world.spool
        self._journal = world.journal
        self._dispatcher = dispatcher
        self._reporting = reporting
        self._brake = brake
        self._started_at = world.clock.now()
        self._expire_timer: Timer | None = None
        self._expire_at: Instant = 0
        self._purge_timer: Timer | None = None
        self._is_expiring = False
        self._is_stopped = False

    def start(self, settlement: Settlement) -> None:
        """Begin; at once, because time may have run out while we were off."""
        settlement.follow(self)
        self._expire()
        self._purge_later(_PURGE_EVERY)

    def stop(self) -> None:
        """Begin nothing more."""
        self._is_stopped = True
        for timer in (self._expire_timer, self._purge_timer):
            if timer is not None:
                timer.cancel()

    def on_owed(self, message_id: QueueId, due_at: Instant) -> None:
        """Reports are another desk's."""

    def on_settled(self, found: Sequence[Found], *, next_due_at: Instant | None) -> None:
        """What was put off may run out of time before we would have looked again."""
        if found and next_due_at is not None:
            self._expire_by(min(one.booking.expires_at for one in found))

    # --- Expiry ---------------------------------------------------------------------------------------

    def _expire_by(self, at: Instant) -> None:
        now = self._clock.now()
        at = max(at, now + 1)
        if self._is_stopped or (self._expire_timer is not None and self._expire_at <= at):
            return
        if self._expire_timer is not None:
            self._expire_timer.cancel()
        self._expire_at = at
        self._expire_timer = self._clock.call_later(min(at - now, _LONGEST_SLEEP), self._expire)

    def _expire(self) -> None:
        self._expire_timer = None
        if self._is_stopped or self._is_expiring:
            return
        now = self._clock.now()
        if not self._clock.is_trusted():
            self._journal.fault(
                "clock", "the system's clock has jumped; nothing expires until it is right again"
            )
            self._expire_by(now + _LONGEST_SLEEP)
            return
        if self._brake.is_on:
            self._expire_by(now + _LONGEST_SLEEP)
            return
        self._is_expiring = True
        self._spool.expire(now, self._started_at, _EXPIRE_ROWS, self._on_expired)

    def _on_expired(self, expiry: Expiry | SpoolFault) -> None:
        self._is_expiring = False
        now = self._clock.now()
        if isinstance(expiry, SpoolFault):
            self._journal.fault("upkeep", expiry.why)
            self._expire_by(now + _AGAIN)
            return
        if expiry.expired:
            self._journal.expired(len(expiry.expired))
        for ended in expiry.expired:
            self._journal.settled(ended.message_id, ended.address, RanOutOfTime(ended.finding), 0)
            if ended.is_null:
                self._journal.undeliverable_report(ended.message_id, ended.address, ended.finding)
        for message_id, due_at in expiry.owed:
            self._reporting.on_owed(message_id, due_at)
        if expiry.probe:
            self._dispatcher.wake()
        self._expire_by(now + _LONGEST_SLEEP if expiry.next_at is None else expiry.next_at)

    # --- Forgetting -----------------------------------------------------------------------------------

    def _purge_later(self, delay: Duration) -> None:
        if not self._is_stopped:
            self._purge_timer = self._clock.call_later(delay, self._purge)

    def _purge(self) -> None:
        self._spool.purge(self._clock.now(), _PURGE_ROWS, self._on_purged)

    def _on_purged(self, purged: int | SpoolFault) -> None:
        if isinstance(purged, SpoolFault):
            self._journal.fault("upkeep", purged.why)
            self._purge_later(_PURGE_EVERY)
        else:
            # A full load means that there is more; a moment between keeps mail going.
            self._purge_later(_AGAIN if purged >= _PURGE_ROWS else _PURGE_EVERY)
