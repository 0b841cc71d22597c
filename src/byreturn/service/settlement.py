"""The settlement desk: outcomes become durable, and with them the reports they make us owe.

    found by an attempt -> event by the law (expiry!) -> one spool operation -> journal, reports, room freed

COMMIT POINT: the spool's callback. Before it an outcome may be found again; after it it is final, and its
report is owed by the same commit. A fault of the spool keeps the outcomes here, and they are tried again
each second: the fence makes that harmless, and the active window bounds how many there can be.

The health of destinations is decided here too: one that does not answer fails, for all its mail; one that
answers lives, and what waited for it is due at once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Final, Protocol

from msgspec import Struct
from msgspec.structs import replace

from byreturn.mail import (
    HOUR,
    MINUTE,
    SECOND,
    Destination,
    Duration,
    Instant,
    Message,
    NullPath,
    QueueId,
    Recipient,
)
from byreturn.policy import (
    Fence,
    Outcome,
    PutOff,
    RanOutOfTime,
    Refused,
    TermsTable,
    Unbooked,
    Uncertain,
    after_silence,
    is_dns_finding,
    is_found,
    owed_for,
    wants_delay_notice,
)
from byreturn.ports import DestinationNews, Settled, Settling, SpoolFault, World
from byreturn.service.batch import Found, HostsAnswered, HostsFailed
from byreturn.service.brake import Brake
from byreturn.service.copies import Copies, class_of

_AGAIN: Final[Duration] = 1 * SECOND
# Of failing destinations so many are remembered; mail for one beyond is tried, fails, and waits all the same.
_FAILING_KEPT: Final = 100_000


class Follower(Protocol):
    """Who is told what was settled."""

    def on_settled(self, found: Sequence[Found], *, next_due_at: Instant | None) -> None:
        """These have their outcome; something may be due sooner than was known."""
        ...

    def on_owed(self, message_id: QueueId, due_at: Instant) -> None:
        """A report on a message is owed."""
        ...


class DelayRule(Struct, frozen=True):
    """When a sender hears that mail is late: after each of these, in ascending order; never if there is none.

    `early`: where nobody has ever been seen alive, and a second try failed too; most likely the domain is
    misspelt, and 4 hours are long for that. 0: no sooner than elsewhere.
    """

    after: tuple[Duration, ...] = (4 * HOUR,)
    early: Duration = 20 * MINUTE

    def notices(
        self, message: Message, recipient: Recipient, failures: int
    ) -> tuple[tuple[Instant, ...], Instant | None]:
        """When to tell, if it still waits then; and when instead of the first time, early."""
        if not self.after or not wants_delay_notice(
            message.reverse_path, recipient.notify, is_bulk=message.is_bulk
        ):
            return (), None
        since = message.accepted_at
        early = since + self.early if 0 < self.early < self.after[0] and failures > 1 else None
        return tuple(since + after for after in self.after), early


class Settlement:
    """The desk."""

    def __init__(
        self, terms: TermsTable, delay: DelayRule, copies: Copies, world: World, brake: Brake
    ) -> None:
        self._terms = terms
        self._copies = copies
        self._brake = brake
        self.delay = delay
        self._clock = world.clock
        self._entropy = world.entropy
        self._spool = world.spool
        self._journal = world.journal
        self._meter = world.meter
        self._epoch = world.epoch
        self._followers: list[Follower] = []
        self._failing: dict[Destination, DestinationNews] = {}
        # When each was last found failing: attempts that were under way then learned nothing new.
        self._noted_at: dict[Destination, Instant] = {}
        self._news: dict[Destination, DestinationNews] = {}
        self.unsettled = 0

    def follow(self, follower: Follower) -> None:
        """Tell this one too."""
        self._followers.append(follower)

    def remember(self, failing: Sequence[DestinationNews]) -> None:
        """Take over what the spool knows from before the start."""
        self._failing = {news.destination: news for news in failing}

    # --- Destinations ---------------------------------------------------------------------------------

    def failing(self, destination: Destination) -> DestinationNews | None:
        """What is known about a destination that does not answer; None while it lives."""
        return self._failing.get(destination)

    @property
    def failing_count(self) -> int:
        """How many destinations do not answer."""
        return len(self._failing)

    def hear(self, news: HostsFailed | HostsAnswered) -> None:
        """Note what an attempt learned about destinations; it is kept with the outcomes that follow."""
        now = self._clock.now()
        for destination in news.destinations:
            known = self._failing.get(destination)
            match news:
                case HostsFailed(began_at=began_at):
                    if began_at >= self._noted_at.get(destination, began_at):
                        if known is not None and is_dns_finding(known.finding) and is_found(news.finding):
                            self._brake.found_again(destination)
                        self._fails(destination, known, news, now)
                case HostsAnswered():
                    self._brake.answered(destination)
                    if known is not None:
                        if is_dns_finding(known.finding):
                            self._brake.found_again(destination)
                        self._lives(destination, now)

    def _fails(
        self, destination: Destination, known: DestinationNews | None, failed: HostsFailed, now: Instant
    ) -> None:
        failures = 1 if known is None else known.failures + 1
        schedule = failed.schedule or self._terms.for_domain(destination).schedule
        due_at = after_silence(schedule, failures, now=now, lot=self._entropy.lot())
        if failed.after is not None:
            due_at = now + min(failed.after, schedule.probe_limit)
        since = now if known is None else known.failing_since
        news = DestinationNews(destination, failures, due_at, failed.finding, since)
        if known is not None or len(self._failing) < _FAILING_KEPT:
            self._failing[destination] = news
            self._noted_at[destination] = now
        self._news[destination] = news
        self._journal.destination_failing(destination, failures, due_at - now, failed.finding)

    def gone(self, destinations: Iterable[Destination]) -> None:
        """These are nowhere, for good: whoever else waits for them is to hear it now, not one a probe."""
        now = self._clock.now()
        for destination in destinations:
            if destination in self._failing:
                self._forget(destination, now)

    def try_again(self, destinations: Sequence[Destination]) -> None:
        """Let these be probed at once: what kept their mail from them is over.

        They are not said to live, so that what a resolver has kept of a lie is asked for anew.
        """
        now = self._clock.now()
        for destination in destinations:
            known = self._failing.get(destination)
            if known is not None:
                self._failing[destination] = self._news[destination] = replace(known, due_at=now)
        self.settle(())

    def probe(self, destination: Destination, done: Callable[[bool | SpoolFault], None]) -> None:
        """Try a destination that fails now, by one probe for all; False: nobody waits for one there."""
        now = self._clock.now()

        def asked(is_waited_for: bool | SpoolFault) -> None:  # noqa: FBT001 - the spool's answer
            known = self._failing.get(destination)
            if is_waited_for is True:
                if known is not None:
                    self._failing[destination] = replace(known, due_at=now)
                for follower in self._followers:
                    follower.on_settled((), next_due_at=now)
            elif is_waited_for is False and known is not None:
                # Nobody is there to probe with, so the next mail for it is to find out.
                self._forget(destination, now)
                self.settle(())
            done(is_waited_for)

        self._spool.probe(destination, now, asked)

    def _lives(self, destination: Destination, now: Instant) -> None:
        self._forget(destination, now)
        self._journal.destination_recovered(destination)

    def _forget(self, destination: Destination, now: Instant) -> None:
        """Believe that it lives."""
        del self._failing[destination]
        self._noted_at.pop(destination, None)
        self._news[destination] = DestinationNews(destination, 0, now, None, None)

    # --- Outcomes -------------------------------------------------------------------------------------

    def settle(self, found: Sequence[Found]) -> None:
        """Make outcomes durable, together with the news about their destinations."""
        now = self._clock.now()
        news = tuple(self._news.values())
        self._news.clear()
        self.unsettled += len(found)
        self._submit(tuple(self._settling(one, now) for one in found), news, now, found)

    def _settling(self, found: Found, now: Instant) -> Settling:
        message = found.carried.message
        recipient = found.booking.recipient
        event = self._lawful(found.outcome, found.booking.expires_at, now)
        notices: tuple[Instant, ...] = ()
        early: Instant | None = None
        if isinstance(event, (PutOff, Uncertain)):
            known = self._failing.get(recipient.destination)
            failures = max(found.booking.attempt, known.failures if known else 0)
            notices, early = self.delay.notices(message, recipient, failures)
        return Settling(
            message_id=message.id,
            ordinal=recipient.ordinal,
            destination=recipient.destination,
            recipient_count=message.recipient_count,
            fence=Fence(self._epoch, found.booking.attempt),
            event=event,
            began_at=found.began_at,
            owed=owed_for(event, message.reverse_path, recipient.notify, passed_on=found.passed_on),
            is_copied=self._copies.wants(message, event),
            delay_notices=notices,
            early_notice_at=early,
            expires_at=found.booking.expires_at,
        )

    def _lawful(self, outcome: Outcome | Unbooked, expires_at: Instant, now: Instant) -> Outcome | Unbooked:
        """Bring the lifetime in: the last try is booked for its end, and what it finds is final."""
        match outcome:
            case PutOff(diagnosis=diagnosis, due_at=due_at) | Uncertain(diagnosis=diagnosis, due_at=due_at):
                if now >= expires_at:
                    may_end = self._clock.is_trusted() and not self._brake.is_on
                    return RanOutOfTime(diagnosis) if may_end else outcome
                if due_at > expires_at:
                    return replace(outcome, due_at=max(expires_at, now + _AGAIN))
                return outcome
            case _:
                return outcome

    def _submit(
        self,
        settlings: tuple[Settling, ...],
        news: tuple[DestinationNews, ...],
        now: Instant,
        found: Sequence[Found],
    ) -> None:
        def settled(result: Settled | SpoolFault) -> None:
            if isinstance(result, SpoolFault):
                self._journal.fault("settlement", result.why)
                if not result.is_ambiguous:
                    self._clock.call_later(_AGAIN, lambda: self._submit(settlings, news, now, found))
                return
            self.unsettled -= len(found)
            self._tell(settlings, news, result, found)

        self._spool.settle(settlings, news, now, settled)

    def _tell(
        self,
        settlings: tuple[Settling, ...],
        news: tuple[DestinationNews, ...],
        result: Settled,
        found: Sequence[Found],
    ) -> None:
        lost = frozenset(result.lost)
        dues = [one.due_at for one in news]
        for one, settling in zip(found, settlings, strict=True):
            if lost and (settling.message_id, settling.ordinal) in lost:
                self._journal.lost_fence(settling.message_id, settling.ordinal)
                continue
            self._record(one, settling)
            if isinstance(settling.event, (PutOff, Uncertain, Unbooked)):
                dues.append(settling.event.due_at)
        next_due_at = min(dues, default=None)
        for follower in self._followers:
            follower.on_settled(found, next_due_at=next_due_at)
            for message_id, due_at in result.owed:
                follower.on_owed(message_id, due_at)

    def _record(self, found: Found, settling: Settling) -> None:
        event = settling.event
        if isinstance(event, Unbooked):
            return  # Nothing was tried.
        message, address = found.carried.message, found.booking.recipient.address
        self._journal.settled(message.id, address, event, self._clock.now() - found.began_at)
        if isinstance(message.reverse_path, NullPath) and isinstance(event, (Refused, RanOutOfTime)):
            self._journal.undeliverable_report(message.id, address, event.diagnosis)
            self._meter.report_undeliverable(class_of(message, event))
        if settling.is_copied:
            self._meter.postmaster_copied(class_of(message, event))
