"""Delivery into the local store: each recipient by itself, under a name that no other delivery has."""

from __future__ import annotations

from collections.abc import Sequence

from byreturn.mail import Booking, Cause, InMemory, Mailbox, Message, WeFound, id_text
from byreturn.policy import Outcome, PutOff, Refused, RetrySchedule, Stored, after_4yz
from byreturn.ports import ContentReader, SpoolFault, StoreFault, StoreRefused, World
from byreturn.service.batch import Carried, Found
from byreturn.service.settlement import Settlement


class Local:
    """Hands mail to the store."""

    def __init__(self, schedule: RetrySchedule, world: World, settlement: Settlement) -> None:
        self._schedule = schedule
        self._clock = world.clock
        self._entropy = world.entropy
        self._spool = world.spool
        self._mailboxes = world.mailboxes
        self._journal = world.journal
        self._settlement = settlement

    def deliver(self, carried: Carried, bookings: Sequence[Booking]) -> None:
        """Deliver to each mailbox."""
        for booking in bookings:
            self._deliver_one(carried, booking)

    def _deliver_one(self, carried: Carried, booking: Booking) -> None:
        message, recipient = carried.message, booking.recipient
        began_at = self._clock.now()

        def stored(result: StoreRefused | StoreFault | None, reader: ContentReader | None = None) -> None:
            if reader is not None:
                reader.close()
            outcome = self._outcome(result, booking)
            self._settlement.settle([Found(carried, booking, outcome, began_at)])

        def opened(reader: ContentReader | SpoolFault | None) -> None:
            if reader is None or isinstance(reader, SpoolFault):
                why = "the content is gone from the spool" if reader is None else reader.why
                self._journal.fault("content", why)
                stored(StoreFault(why))
                return
            unique = f"{id_text(message.id)}-{recipient.ordinal}"
            trace = _trace(message, recipient.given)
            self._mailboxes.deliver(
                recipient.address, unique, trace, reader, lambda result: stored(result, reader)
            )

        if carried.content is not None:
            opened(InMemory(carried.content))
        else:
            self._spool.content(message.id, opened)

    def _outcome(self, result: StoreRefused | StoreFault | None, booking: Booking) -> Outcome:
        match result:
            case None:
                return Stored(WeFound(Cause.STORED))
            case StoreRefused(why=why):
                return Refused(WeFound(Cause.NO_SUCH_MAILBOX, why))
            case StoreFault(why=why):
                due_at = after_4yz(
                    self._schedule, booking.attempt, now=self._clock.now(), lot=self._entropy.lot()
                )
                return PutOff(WeFound(Cause.STORE_FAILED, why), due_at)


def _trace(message: Message, given: Mailbox) -> bytes:
    """Write the lines of final delivery (RFC 5321 section 4.4, RFC 9228)."""
    return f"Return-Path: <{message.reverse_path}>\r\nDelivered-To: {given}\r\n".encode()
