"""What every spool promises, tried on each: the dicts of the simulator and SQLite.

The sections follow ports/spool.py. A test here speaks of what the desks can ask for; what is special to an
implementation (files, locks, groups) is tried in tests/unit/spool.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import pytest
from msgspec.structs import replace
from tests.contract.spools import (
    GATHER,
    KEEP_CONTENT,
    KEEP_HISTORY,
    LATER,
    NO_SUCH_USER,
    OUT_OF_TIME,
    REFUSED,
    RELAYED,
    SILENT,
    STILL_SILENT,
    STORED,
    Box,
    BoxSettings,
    Mail,
    Maker,
    ModelBox,
    addresses,
    alive,
    attempts,
    failing,
    put_off,
    recipient,
    uncertain,
    with_state,
)
from tests.sim.clock import VirtualClock
from tests.sim.model_spool import Crash, Disk, ModelReader, ModelSettings, ModelSpool

from byreturn.mail import (
    DAY,
    HOUR,
    MINUTE,
    NULL_PATH,
    SECOND,
    Action,
    BodyType,
    Booking,
    Consignment,
    Destination,
    Instant,
    Mailbox,
    Message,
    Notify,
    Origin,
    Priority,
    QueueId,
    Recipient,
    Ret,
)
from byreturn.policy import (
    BrakeCause,
    Delivered,
    Expired,
    Failed,
    Fence,
    InFlight,
    Interrupted,
    Outcome,
    Parked,
    PutOff,
    RanOutOfTime,
    Relayed,
    Unbooked,
    Uncertain,
    Waiting,
)
from byreturn.ports import (
    KNOWN_LIMIT,
    Braked,
    Claimed,
    Ended,
    Expiry,
    Lesson,
    NewMessage,
    NewRecipient,
    Past,
    Settled,
    SpoolFault,
)

BOB, CAROL, DAVE = "bob@away.example", "carol@away.example", "dave@away.example"
EVE, MALLORY = "eve@dead.example", "mallory@dead.example"
AWAY, DEAD = "away.example", "dead.example"


def kept_together(box: Box, *mails: Mail) -> None:
    """Accept many at once."""
    faults: list[SpoolFault | None] = []
    for mail in mails:
        box.spool.accept(mail.new, faults.append)
    box.clock.run_now()
    assert faults == [None] * len(mails)


def make_failing(
    box: Box, destination: str = DEAD, *, due_in: int = 15 * MINUTE, failures: int = 1
) -> Instant:
    """Let a destination fail; say when it is to be probed."""
    due_at = box.now + due_in
    box.settle(news=[failing(destination, due_at, failures=failures, since=box.now)])
    return due_at


def actions(box: Box, mail: Mail) -> dict[str, Action]:
    """What the report that is due says about whom."""
    owed = box.take_owed(mail.id)
    lines = () if owed is None else owed.lines
    said = {str(line.recipient.address): line.action for line in lines}
    assert len(said) == len(lines), "two lines for one recipient"
    return said


# --- Operations ---------------------------------------------------------------------------------------


def test_done_is_called_after_the_commit_and_never_from_inside_a_write(box: Box) -> None:
    told: list[object] = []
    spool = box.spool
    mail = box.make(BOB)
    spool.accept(mail.new, told.append)
    spool.settle((mail.outcome(REFUSED),), (), box.now, told.append)
    spool.claim(box.now, 10, {}, told.append)
    spool.expire(box.now, box.now, 10, told.append)
    spool.purge(box.now, 10, told.append)
    assert told == []
    assert not box.is_idle()
    box.clock.run_now()
    assert len(told) == 5
    assert box.is_idle()


def test_operations_are_applied_in_the_order_in_which_they_were_asked(box: Box) -> None:
    told: list[object] = []
    mail = box.make(BOB)
    box.spool.settle((mail.outcome(RELAYED),), (), box.now, told.append)
    box.spool.accept(mail.new, told.append)
    box.spool.settle((mail.outcome(RELAYED),), (), box.now, told.append)
    box.clock.run_now()
    assert told == [Settled(lost=((mail.id, 0),), owed=()), None, Settled(lost=(), owed=())]


def test_the_last_word_on_a_destination_is_the_last_that_was_asked(box: Box) -> None:
    # A settling that makes us owe a report may not overtake older news.
    told: list[object] = []
    mail = box.booked(BOB, EVE)
    box.waiting(MALLORY, "more@dead.example")
    box.spool.settle(
        (mail.outcome(put_off(box.now + HOUR), 1),), (failing(DEAD, box.now + HOUR),), box.now, told.append
    )
    box.spool.settle((mail.outcome(REFUSED),), (alive(DEAD, box.now),), box.now, told.append)
    box.clock.run_now()
    assert len(told) == 2
    assert box.failing() == set()
    assert box.claimed() == [MALLORY, "more@dead.example"]


def test_what_was_not_committed_is_gone_after_a_crash_and_nobody_is_told(box: Box) -> None:
    told: list[object] = []
    kept = box.booked(BOB)
    lost = box.make(BOB)
    box.spool.accept(lost.new, told.append)
    box.spool.settle((kept.outcome(REFUSED),), (), box.now, told.append)
    opened = box.crash()
    assert told == []
    assert (opened.interrupted, opened.floor) == (1, kept.id)
    assert box.take_owed(kept.id) is None
    assert box.content(lost.id) is None


def test_pressure_is_the_wait_of_the_oldest_unfinished_operation(box: Box) -> None:
    assert box.spool.pressure() == 0
    told: list[object] = []
    box.spool.accept(box.make(BOB).new, told.append)
    assert box.spool.pressure() == 0
    box.clock.run_now()
    box.clock.advance(HOUR)
    assert box.spool.pressure() == 0


# --- accept -------------------------------------------------------------------------------------------


def test_a_booked_recipient_is_in_flight_and_claimed_by_nobody(box: Box) -> None:
    mail = box.booked(BOB)
    box.clock.advance(HOUR)
    assert box.claim().consignments == ()
    assert box.settle(mail.outcome(RELAYED)).lost == ()


def test_a_waiting_recipient_is_claimed_when_it_is_due(box: Box) -> None:
    mail = box.waiting(BOB, due_at=box.now + MINUTE)
    claimed = box.claim()
    assert (claimed.consignments, claimed.has_more) == ((), False)
    assert claimed.next_due_at == box.now + MINUTE
    box.clock.advance(MINUTE - 1)
    assert box.claim().consignments == ()
    box.clock.advance(1)
    claimed = box.claim()
    assert claimed.consignments == (
        Consignment(
            mail.new.message, (Booking(mail.new.recipients[0].recipient, 1, mail.new.message.expires_at),)
        ),
    )
    assert (claimed.has_more, claimed.next_due_at) == (False, None)


def test_some_may_be_booked_and_others_wait(box: Box) -> None:
    mail = box.make(BOB, CAROL)
    box.keep(replace(mail, new=with_state(mail.new, 1, Waiting(box.now, 0))))
    assert box.claimed() == [CAROL]
    assert box.settle(mail.outcome(RELAYED, 0), mail.outcome(RELAYED, 1)).lost == ()


def test_a_message_is_read_back_as_it_was_given(box: Box) -> None:
    now = box.now
    message = Message(
        id=box.ids.make(now),
        reverse_path=Mailbox('"a@b \'; DROP TABLE message; --"', "xn--bcher-kva.example"),
        accepted_at=now - 1,
        expires_at=now + 7 * DAY,
        octets=4,
        recipient_count=2,
        body=BodyType.EIGHT_BIT,
        ret=Ret.HDRS,
        envid="QQ+2B314159",
        priority=Priority.NON_URGENT,
        origin=Origin("2001:db8::1", "[192.0.2.7]", "submission"),
        about=None,
        message_id="<1@x>",
        subject="Ünïcödé \u2028 \x00 ✉ 'quoted' ; --",
        is_bulk=True,
    )
    first = Recipient(
        0,
        Mailbox("bob", "Away.Example."),
        Mailbox("all", "here.example"),
        Mailbox("", "Away.Example.").destination,
        Notify.SUCCESS | Notify.DELAY,
        "rfc822;bob@away.example",
    )
    second = recipient(1, BOB)
    new = NewMessage(
        message, (NewRecipient(first, Waiting(now, 0)), NewRecipient(second, Waiting(now, 0))), b""
    )
    assert box.accept(new) is None
    assert box.claim().consignments == (
        Consignment(message, (Booking(first, 1, message.expires_at), Booking(second, 1, message.expires_at))),
    )


@pytest.mark.parametrize("data", [b"", b"\r\n", bytes(range(256)) * 300])
def test_a_content_is_read_back_as_it_was_given(box: Box, data: bytes) -> None:
    assert box.content(box.booked(BOB, content=data).id) == data


def test_two_may_read_a_content_at_the_same_time(box: Box) -> None:
    mail = box.booked(BOB, content=b"0123456789")
    one, other = box.reader(mail.id), box.reader(mail.id)
    assert one is not None
    assert other is not None
    assert (one.octets, one.read(4), other.read(1), one.read(100), one.read(1)) == (
        10, b"0123", b"0", b"456789", b"",
    )  # fmt: skip
    one.close()
    assert other.read(99) == b"123456789"
    other.close()


def test_a_large_content_is_sealed_first_and_then_accepted(box: Box) -> None:
    data = b"0123456789abcdef" * 20_000
    mail = box.make(BOB, content=None, octets=len(data))
    assert box.seal(mail.id, data) is None
    assert box.content(mail.id) is None
    assert box.accept(mail.new) is None
    assert box.content(mail.id) == data
    box.restart()
    assert box.content(mail.id) == data


def test_seal_answers_later_too(box: Box) -> None:
    told: list[object] = []
    box.spool.content_writer(QueueId(1)).seal(told.append)
    assert told == []
    box.clock.run_now()
    assert told == [None]


def test_a_large_content_that_was_thrown_away_is_never_seen(box: Box) -> None:
    writer = box.spool.content_writer(QueueId(7))
    assert writer.write(b"x" * 100_000) is None
    writer.abort()
    other = box.spool.content_writer(QueueId(8))
    assert other.write(b"x") is None
    assert box.ask(other.seal) is None
    other.abort()
    box.restart()
    assert box.content(QueueId(7)) is None
    assert box.content(QueueId(8)) is None


def test_a_message_that_is_not_here_has_no_content(box: Box) -> None:
    assert box.content(QueueId(12345)) is None


def test_a_finding_at_acceptance_is_the_first_outcome(box: Box) -> None:
    mail = box.make(BOB, EVE)
    recipients = (
        mail.new.recipients[0],
        replace(mail.new.recipients[1], state=Waiting(box.now, 0), finding=SILENT),
    )
    box.keep(replace(mail, new=replace(mail.new, recipients=recipients)))
    # Everybody has been heard, so the report on the failure waits for nobody.
    assert box.settle(mail.outcome(REFUSED)).owed == ((mail.id, box.now),)


def test_without_a_finding_a_waiting_recipient_is_unheard(box: Box) -> None:
    mail = box.make(BOB, EVE)
    box.keep(replace(mail, new=with_state(mail.new, 1, Waiting(box.now, 0))))
    assert box.settle(mail.outcome(REFUSED)).owed == ((mail.id, box.now + GATHER),)


def test_an_expansion_is_reported_at_once(box: Box) -> None:
    mail = box.booked(
        recipient(0, BOB, given="all@here.example", notify=Notify.SUCCESS),
        recipient(1, CAROL, given="all@here.example", notify=Notify.SUCCESS),
        recipient(2, DAVE, notify=Notify.SUCCESS),
        expanded=(0, 1),
    )
    assert box.owed_due().messages == (mail.id,)
    assert actions(box, mail) == {BOB: Action.EXPANDED, CAROL: Action.EXPANDED}
    owed = box.taken(mail.id)
    assert owed.named_count == 2
    assert [line.at for line in owed.lines] == [box.now] * 2
    assert [line.state for line in owed.lines] == [InFlight(Fence(box.epoch, 1))] * 2


def test_an_id_is_used_only_once_and_the_second_one_spoils_nothing(box: Box) -> None:
    first = box.booked(BOB, content=b"first")
    again = replace(box.make(CAROL, EVE, content=b"again").new.message, id=first.id)
    twin = replace(box.make(CAROL, content=b"twin").new, message=again)
    before, after = box.make(BOB), box.make(BOB)
    told: list[SpoolFault | None] = []
    for new in (before.new, twin, after.new):
        box.spool.accept(new, told.append)
    box.clock.run_now()
    assert told[0] is None
    assert isinstance(told[1], SpoolFault)
    assert (told[1].is_full, told[1].is_ambiguous) == (False, False)
    assert told[2] is None
    assert box.content(first.id) == b"first"
    assert box.settle(first.outcome(RELAYED), before.outcome(RELAYED), after.outcome(RELAYED)).lost == ()


# --- settle: events -----------------------------------------------------------------------------------


@pytest.mark.parametrize("event", [RELAYED, STORED])
def test_delivered_is_final(box: Box, event: Outcome) -> None:
    mail = box.booked(recipient(0, BOB, notify=Notify.SUCCESS))
    assert box.settle(mail.outcome(event)) == Settled((), ((mail.id, box.now),))
    (line,) = box.taken(mail.id).lines
    assert (line.state, line.finding) == (Delivered(1), event.diagnosis)
    assert line.action is (Action.RELAYED if event is RELAYED else Action.DELIVERED)
    assert_final(box, mail)


def test_refused_is_final_and_reported_in_the_words_of_who_said_it(box: Box) -> None:
    mail = box.booked(BOB)
    box.clock.advance(3 * SECOND)
    assert box.settle(mail.outcome(REFUSED, began_at=box.now - SECOND)) == Settled((), ((mail.id, box.now),))
    owed = box.taken(mail.id)
    assert (owed.message, owed.thread, owed.named_count) == (mail.new.message, (), 1)
    (line,) = owed.lines
    assert line.recipient == mail.new.recipients[0].recipient
    assert (line.action, line.state, line.finding) == (Action.FAILED, Failed(1), NO_SUCH_USER)
    assert (line.at, line.expires_at) == (box.now, mail.new.message.expires_at)
    assert (line.next_try_at, line.last_attempt_at) == (None, box.now - SECOND)
    assert_final(box, mail)


def test_the_last_try_may_end_the_life(box: Box) -> None:
    mail = box.booked(BOB)
    assert box.settle(mail.outcome(OUT_OF_TIME)).owed == ((mail.id, box.now),)
    (line,) = box.taken(mail.id).lines
    assert (line.action, line.state, line.finding) == (Action.FAILED, Expired(1), SILENT)
    assert_final(box, mail)


def assert_final(box: Box, mail: Mail) -> None:
    box.clock.advance(10 * DAY)
    for event in (RELAYED, REFUSED, put_off(box.now), OUT_OF_TIME):
        assert box.settle(mail.outcome(event)) == Settled(((mail.id, 0),), ())
    assert box.claim().consignments == ()
    assert box.expire() == Expiry((), (), (), None)


@pytest.mark.parametrize("make_event", [put_off, uncertain])
def test_put_off_and_uncertain_wait_until_they_are_due(
    box: Box, make_event: Callable[[Instant], PutOff | Uncertain]
) -> None:
    mail = box.booked(BOB)
    due_at = box.now + 5 * MINUTE
    assert box.settle(mail.outcome(make_event(due_at))) == Settled((), ())
    assert box.claim().next_due_at == due_at
    box.clock.run_until(due_at - 1)
    assert box.claim().consignments == ()
    box.clock.run_until(due_at)
    assert attempts(box.claim()) == {BOB: 2}
    assert box.take_owed(mail.id) is None


@pytest.mark.parametrize(
    "event", [RELAYED, STORED, REFUSED, OUT_OF_TIME, put_off(0), uncertain(0)], ids=lambda e: type(e).__name__
)
def test_every_attempt_is_written_down(box: Box, event: Outcome) -> None:
    mail = box.booked(BOB)
    box.clock.advance(9 * SECOND)
    box.settle(mail.outcome(event, began_at=box.now - 8 * SECOND))
    assert box.history(mail.id) == [(0, 1, box.now - 8 * SECOND, box.now, type(event))]


def test_one_settle_may_speak_of_many_messages(box: Box) -> None:
    mails = [box.booked(BOB, CAROL) for _ in range(5)]
    settled = box.settle(*(mail.outcome(REFUSED, ordinal) for mail in mails for ordinal in (0, 1)))
    assert settled.lost == ()
    assert sorted(settled.owed) == [(mail.id, box.now) for mail in mails]


def test_an_empty_settle_changes_nothing(box: Box) -> None:
    assert box.settle() == Settled((), ())


# --- settle: the fence --------------------------------------------------------------------------------


def test_a_fence_that_moved_on_changes_nothing_and_is_named(box: Box) -> None:
    mail = box.booked(BOB)
    key = (mail.id, 0)
    strangers = [
        mail.outcome(REFUSED, epoch=box.epoch + 1),
        mail.outcome(REFUSED, epoch=box.epoch - 1),
        mail.outcome(REFUSED, attempt=2),
        mail.outcome(REFUSED, attempt=0),
    ]
    assert box.settle(*strangers) == Settled((key,) * 4, ())
    assert box.take_owed(mail.id) is None
    assert box.history(mail.id) == []
    assert box.settle(mail.outcome(RELAYED)).lost == ()
    assert box.settle(mail.outcome(RELAYED)).lost == (key,)


def test_of_two_outcomes_the_first_counts(box: Box) -> None:
    mail = box.booked(BOB)
    assert box.settle(mail.outcome(RELAYED), mail.outcome(REFUSED)) == Settled(((mail.id, 0),), ())
    assert box.take_owed(mail.id) is None
    assert len(box.history(mail.id)) == 1


def test_a_message_that_nobody_knows_is_lost(box: Box) -> None:
    known = box.booked(BOB)
    unknown = box.make(BOB)
    nobody = replace(known.outcome(RELAYED), ordinal=7)
    settled = box.settle(unknown.outcome(REFUSED), known.outcome(RELAYED), nobody)
    assert settled == Settled(((unknown.id, 0), (known.id, 7)), ())


def test_a_waiting_recipient_has_no_fence(box: Box) -> None:
    mail = box.waiting(BOB)
    assert box.settle(mail.outcome(REFUSED, attempt=0)).lost == ((mail.id, 0),)
    assert box.claimed() == [BOB]


def test_the_first_attempt_cannot_settle_the_second(box: Box) -> None:
    mail = box.booked(BOB)
    box.settle(mail.outcome(put_off(box.now)))
    assert box.claimed() == [BOB]
    assert box.settle(mail.outcome(RELAYED, attempt=1)).lost == ((mail.id, 0),)
    assert box.settle(mail.outcome(RELAYED, attempt=2)).lost == ()


def test_news_counts_although_its_settlings_are_lost(box: Box) -> None:
    mail = box.booked(EVE)
    box.settle(mail.outcome(put_off(box.now), epoch=99), news=[failing(DEAD, box.now + HOUR)])
    assert box.failing() == {DEAD}


# --- settle: a booking that is given back -------------------------------------------------------------


def test_a_booking_that_is_given_back_was_none(box: Box) -> None:
    mail = box.waiting(BOB)
    assert attempts(box.claim()) == {BOB: 1}
    due_at = box.now + HOUR
    assert box.settle(mail.outcome(Unbooked(due_at))) == Settled((), ())
    assert box.history(mail.id) == []
    assert box.claim().next_due_at == due_at
    box.clock.run_until(due_at)
    (consignment,) = box.claim().consignments
    assert [booking.attempt for booking in consignment.bookings] == [1]


def test_what_was_known_before_stays_known(box: Box) -> None:
    mail = box.booked(BOB, CAROL)
    box.settle(mail.outcome(put_off(box.now), 0, delay_notice_at=box.now + HOUR))
    box.settle(mail.outcome(REFUSED, 1))
    box.tell(mail)
    assert attempts(box.claim())[BOB] == 2
    box.settle(mail.outcome(Unbooked(box.now + DAY), 0, attempt=2))
    assert [line[1] for line in box.history(mail.id)] == [1, 1]
    box.clock.advance(HOUR)
    (line,) = box.taken(mail.id).lines
    assert (line.action, line.state, line.finding) == (
        Action.DELAYED, Waiting(box.now - HOUR + DAY, 1), LATER,
    )  # fmt: skip


def test_a_booking_that_is_given_back_is_no_outcome(box: Box) -> None:
    mail = box.booked(BOB, CAROL)
    box.settle(mail.outcome(Unbooked(box.now + HOUR), 0))
    # The report on the other waits for it, as it would if it had never been booked.
    assert box.settle(mail.outcome(REFUSED, 1)).owed == ((mail.id, box.now + GATHER),)


def test_only_the_fence_that_booked_it_gives_a_booking_back(box: Box) -> None:
    mail = box.booked(BOB)
    assert box.settle(mail.outcome(Unbooked(box.now), attempt=2)).lost == ((mail.id, 0),)
    assert box.settle(mail.outcome(Unbooked(box.now), epoch=box.epoch + 1)).lost == ((mail.id, 0),)
    assert box.settle(mail.outcome(Unbooked(box.now))).lost == ()
    assert box.settle(mail.outcome(Unbooked(box.now))).lost == ((mail.id, 0),)


def test_a_booking_that_is_given_back_is_no_interruption(box: Box) -> None:
    mail = box.booked(BOB)
    for _ in range(5):
        box.settle(mail.outcome(Unbooked(box.now), attempt=1))
        assert attempts(box.claim()) == {BOB: 1}
    opened = box.crash()
    assert (opened.interrupted, opened.parked) == (1, 0)
    assert [line[4] for line in box.history(mail.id)] == [Interrupted]


def test_who_gave_a_booking_back_waits_for_the_probe_like_everybody(box: Box) -> None:
    mail = box.booked(EVE)
    probe_at = make_failing(box)
    box.settle(mail.outcome(Unbooked(box.now)))
    assert box.claim() == Claimed((), False, probe_at)
    box.clock.run_until(probe_at)
    assert box.claimed() == [EVE]


# --- A lifetime of one's own ----------------------------------------------------------------------------


def test_a_recipient_expires_with_its_message_unless_it_says_otherwise(box: Box) -> None:
    mail = box.make(BOB, CAROL, state=Waiting(box.now, 0), lifetime=DAY)
    first, second = mail.new.recipients
    ends_at = box.now + HOUR
    box.keep(Mail(replace(mail.new, recipients=(first, replace(second, expires_at=ends_at))), mail.epoch))
    (consignment,) = box.claim().consignments
    assert [booking.expires_at for booking in consignment.bookings] == [
        mail.new.message.expires_at, ends_at,
    ]  # fmt: skip
    assert consignment.message.expires_at == mail.new.message.expires_at


@pytest.mark.parametrize("event", [PutOff(LATER, 0), Uncertain(LATER, 0), Unbooked(0)])
def test_a_settling_may_change_when_the_lifetime_ends(box: Box, event: PutOff | Uncertain | Unbooked) -> None:
    mail = box.booked(BOB, lifetime=DAY)
    event = replace(event, due_at=box.now)
    ends_at = box.now + 2 * HOUR
    box.settle(mail.outcome(event, expires_at=ends_at))
    (consignment,) = box.claim().consignments
    (booking,) = consignment.bookings
    assert booking.expires_at == ends_at
    # And without a word about it, it stays so.
    box.settle(mail.outcome(event, attempt=booking.attempt))
    (consignment,) = box.claim().consignments
    assert [booking.expires_at for booking in consignment.bookings] == [ends_at]


def test_a_settling_that_is_lost_changes_no_lifetime(box: Box) -> None:
    mail = box.booked(BOB, lifetime=DAY)
    box.settle(mail.outcome(put_off(box.now)))
    box.settle(mail.outcome(put_off(box.now), expires_at=box.now + 1))
    (consignment,) = box.claim().consignments
    assert [booking.expires_at for booking in consignment.bookings] == [mail.new.message.expires_at]


def test_who_has_a_lifetime_of_its_own_expires_by_it(box: Box) -> None:
    make_failing(box)
    mail = box.booked(EVE, MALLORY, lifetime=2 * DAY)
    ends_at = box.now + DAY
    box.settle(
        mail.outcome(put_off(box.now, SILENT), 0, expires_at=ends_at),
        mail.outcome(put_off(box.now, SILENT), 1),
    )
    assert box.expire().next_at == ends_at
    box.clock.run_until(ends_at)
    box.settle(news=[failing(DEAD, box.now + DAY)])
    expiry = box.expire()
    assert (len(expiry.expired), expiry.next_at) == (1, mail.new.message.expires_at)
    (line,) = box.taken(mail.id).lines
    assert (str(line.recipient.address), line.expires_at) == (EVE, ends_at)


# --- settle: when reports are due ---------------------------------------------------------------------


def test_a_failure_waits_for_siblings_without_an_outcome_no_longer_than_gather(box: Box) -> None:
    mail = box.booked(BOB, CAROL)
    due_at = box.now + GATHER
    assert box.settle(mail.outcome(REFUSED)).owed == ((mail.id, due_at),)
    assert (box.owed_due().messages, box.owed_due().next_due_at) == ((), due_at)
    box.clock.run_until(due_at - 1)
    assert box.owed_due().messages == ()
    box.clock.run_until(due_at)
    assert (box.owed_due().messages, box.owed_due().next_due_at) == ((mail.id,), None)
    assert actions(box, mail) == {BOB: Action.FAILED}


@pytest.mark.parametrize(
    "event", [RELAYED, STORED, REFUSED, OUT_OF_TIME, put_off(1 << 50), uncertain(1 << 50)]
)
def test_when_everybody_was_heard_the_first_report_leaves(box: Box, event: Outcome) -> None:
    mail = box.booked(BOB, CAROL)
    box.settle(mail.outcome(REFUSED))
    box.clock.advance(GATHER // 2)
    assert box.settle(mail.outcome(event, 1)).owed == ((mail.id, box.now),)
    assert box.owed_due().messages == (mail.id,)
    assert actions(box, mail)[BOB] is Action.FAILED


def test_the_last_to_be_heard_may_be_somewhere_in_the_middle(box: Box) -> None:
    mail = box.booked(BOB, CAROL, DAVE)
    box.settle(mail.outcome(REFUSED, 0), mail.outcome(RELAYED, 2))
    assert box.owed_due().messages == ()
    assert box.settle(mail.outcome(put_off(box.now + HOUR), 1)).owed == ((mail.id, box.now),)


def test_failures_that_are_known_together_share_a_report(box: Box) -> None:
    mail = box.booked(BOB, CAROL, EVE)
    settled = box.settle(mail.outcome(REFUSED, 0), mail.outcome(REFUSED, 1), mail.outcome(OUT_OF_TIME, 2))
    assert settled.owed == ((mail.id, box.now),)
    assert actions(box, mail) == dict.fromkeys((BOB, CAROL, EVE), Action.FAILED)


def test_a_failure_joins_a_report_that_waits(box: Box) -> None:
    mail = box.booked(BOB, CAROL, DAVE)
    due_at = box.now + GATHER
    box.settle(mail.outcome(REFUSED, 0))
    box.clock.advance(GATHER // 2)
    assert box.settle(mail.outcome(REFUSED, 1)).owed == ((mail.id, due_at),)
    box.clock.run_until(due_at)
    assert actions(box, mail) == {BOB: Action.FAILED, CAROL: Action.FAILED}


def test_the_nth_report_of_a_message_waits_four_times_as_long_up_to_ten_minutes(box: Box) -> None:
    count = 8
    mail = box.booked(*(f"user{n}@away.example" for n in range(count)))
    for so_far in range(count):
        last = so_far == count - 1
        box.clock.advance(HOUR)
        wait = min(GATHER * 4**so_far, 10 * MINUTE) if so_far or not last else 0
        assert box.settle(mail.outcome(REFUSED, so_far)).owed == ((mail.id, box.now + wait),)
        # From the second report on nobody hurries it, also when all have been heard.
        assert box.take_owed(mail.id) is None
        box.clock.advance(wait)
        box.tell(mail)


def test_a_second_report_is_not_hurried(box: Box) -> None:
    mail = box.booked(BOB, CAROL, DAVE)
    box.settle(mail.outcome(REFUSED, 0))
    box.clock.advance(GATHER)
    box.tell(mail)
    box.settle(mail.outcome(REFUSED, 1))
    due_at = box.now + 4 * GATHER
    assert box.settle(mail.outcome(RELAYED, 2)).owed == ((mail.id, due_at),)
    assert box.owed_due().messages == ()


def test_a_later_failure_does_not_wait_for_siblings_that_were_heard(box: Box) -> None:
    mail = box.booked(BOB, CAROL)
    box.settle(mail.outcome(put_off(box.now), 0), mail.outcome(put_off(box.now + DAY), 1))
    box.claim()
    assert box.settle(mail.outcome(REFUSED, 0, attempt=2)).owed == ((mail.id, box.now),)


def test_one_message_is_no_business_of_another(box: Box) -> None:
    slow, quick = box.booked(BOB, CAROL), box.booked(BOB)
    settled = box.settle(slow.outcome(REFUSED), quick.outcome(REFUSED))
    assert dict(settled.owed) == {slow.id: box.now + GATHER, quick.id: box.now}


def test_a_delay_notice_is_due_in_its_time(box: Box) -> None:
    mail = box.booked(BOB)
    notice_at = box.now + 4 * HOUR
    settled = box.settle(mail.outcome(put_off(box.now + 6 * HOUR), delay_notice_at=notice_at))
    assert settled.owed == ((mail.id, notice_at),)
    assert box.owed_due().next_due_at == notice_at
    box.clock.run_until(notice_at - 1)
    assert box.take_owed(mail.id) is None
    box.clock.run_until(notice_at)
    assert box.owed_due().messages == (mail.id,)
    (line,) = box.taken(mail.id).lines
    assert (line.action, line.finding) == (Action.DELAYED, LATER)
    assert line.state == Waiting(notice_at + 2 * HOUR, 1)
    assert (line.next_try_at, line.expires_at) == (notice_at + 2 * HOUR, mail.new.message.expires_at)


@pytest.mark.parametrize("event", [RELAYED, STORED, REFUSED, OUT_OF_TIME])
def test_a_delay_notice_is_withdrawn_when_the_wait_is_over(box: Box, event: Outcome) -> None:
    mail = box.booked(BOB)
    box.settle(mail.outcome(put_off(box.now), delay_notice_at=box.now + HOUR))
    box.claim()
    box.settle(mail.outcome(event, attempt=2))
    box.clock.advance(HOUR)
    assert Action.DELAYED not in actions(box, mail).values()


@pytest.mark.parametrize("event", [RELAYED, REFUSED])
@pytest.mark.parametrize("others", [(), (DAVE,)])
def test_it_is_withdrawn_too_when_the_wait_was_before_the_first_attempt(
    box: Box, event: Outcome, others: tuple[str, ...]
) -> None:
    # Accepted for a destination that was failing; then it lives, and the first attempt ends the wait.
    make_failing(box, AWAY)
    mail = box.waiting(BOB, *others, finding=SILENT, delay_notice_at=box.now + 4 * HOUR)
    box.settle(news=[alive(AWAY, box.now)])
    assert attempts(box.claim())[BOB] == 1
    box.settle(*(mail.outcome(event, ordinal) for ordinal in range(1 + len(others))))
    box.clock.advance(4 * HOUR)
    assert Action.DELAYED not in actions(box, mail).values()


def test_a_delay_is_told_once(box: Box) -> None:
    mail = box.booked(BOB)
    box.settle(mail.outcome(put_off(box.now), delay_notice_at=box.now))
    box.tell(mail)
    for attempt in (2, 3):
        assert box.claimed() == [BOB]
        settled = box.settle(mail.outcome(put_off(box.now), attempt=attempt, delay_notice_at=box.now))
        assert settled.owed == ()
    assert box.take_owed(mail.id) is None


def test_the_first_delay_notice_keeps_its_time(box: Box) -> None:
    mail = box.booked(BOB)
    notice_at = box.now + HOUR
    box.settle(mail.outcome(put_off(box.now), delay_notice_at=notice_at))
    box.claim()
    settled = box.settle(mail.outcome(put_off(box.now), attempt=2, delay_notice_at=notice_at + HOUR))
    assert settled.owed == ((mail.id, notice_at),)


def test_a_delay_notice_does_not_hurry_and_is_not_hurried(box: Box) -> None:
    mail = box.booked(BOB, CAROL, DAVE)
    later = mail.outcome(put_off(box.now + DAY), 1, delay_notice_at=box.now + HOUR)
    assert box.settle(later).owed == ((mail.id, box.now + HOUR),)
    assert box.settle(mail.outcome(REFUSED, 0)).owed == ((mail.id, box.now + GATHER),)
    assert box.settle(mail.outcome(RELAYED, 2)).owed == ((mail.id, box.now),)
    assert actions(box, mail) == {BOB: Action.FAILED}


def test_a_report_on_a_delay_takes_failures_along_that_wait(box: Box) -> None:
    mail = box.booked(BOB, CAROL, DAVE)
    box.settle(mail.outcome(put_off(box.now + DAY), 0, delay_notice_at=box.now))
    box.settle(mail.outcome(REFUSED, 1))
    assert actions(box, mail) == {BOB: Action.DELAYED, CAROL: Action.FAILED}


# --- Destinations -------------------------------------------------------------------------------------


def test_nobody_is_claimed_for_a_failing_destination_before_its_probe(box: Box) -> None:
    mail = box.booked(EVE)
    due_at = box.now + 15 * MINUTE
    box.settle(mail.outcome(put_off(box.now, SILENT)), news=[failing(DEAD, due_at)])
    box.waiting(MALLORY, finding=SILENT)
    claimed = box.claim()
    assert (claimed.consignments, claimed.has_more, claimed.next_due_at) == ((), False, due_at)
    box.clock.run_until(due_at - 1)
    assert box.claim().consignments == ()


def test_a_probe_is_one_recipient_the_most_urgent_that_is_due(box: Box) -> None:
    due_at = make_failing(box)
    box.waiting(EVE, "second@dead.example")
    box.waiting("report@dead.example", due_at=due_at + HOUR, priority=Priority.REPORT)
    box.waiting(MALLORY, due_at=box.now + MINUTE, priority=Priority.URGENT)
    box.waiting("third@dead.example")
    box.clock.run_until(due_at)
    claimed = box.claim()
    assert attempts(claimed) == {MALLORY: 1}
    assert claimed.has_more is False
    # While it is under way nobody else is sent after it.
    assert box.claim().consignments == ()
    box.clock.advance(20 * MINUTE)
    assert box.claim().consignments == ()


def test_a_probe_that_fails_puts_the_next_one_off_for_all(box: Box) -> None:
    due_at = make_failing(box)
    mail = box.waiting(EVE, MALLORY)
    box.clock.run_until(due_at)
    assert box.claimed() == [EVE]
    again_at = box.now + 30 * MINUTE
    box.settle(mail.outcome(put_off(box.now, SILENT)), news=[failing(DEAD, again_at, failures=2)])
    assert box.claim().next_due_at == again_at
    box.clock.run_until(again_at - 1)
    assert box.claim().consignments == ()
    box.clock.run_until(again_at)
    # EVE was due again when she was put off, so MALLORY has waited longer.
    assert box.claimed() == [MALLORY]


def test_a_destination_that_answers_gets_everything_at_once(box: Box) -> None:
    due_at = make_failing(box)
    mail = box.waiting(EVE, MALLORY, "third@dead.example")
    box.waiting("later@dead.example", due_at=box.now + DAY)
    box.clock.run_until(due_at)
    assert box.claimed() == [EVE]
    box.settle(mail.outcome(RELAYED), news=[alive(DEAD, box.now)])
    assert box.claimed() == [MALLORY, "third@dead.example"]
    assert box.failing() == set()
    assert box.claim().next_due_at == mail.new.message.accepted_at + DAY


def test_a_recovery_without_anybody_waiting_is_nothing_special(box: Box) -> None:
    box.settle(news=[alive(DEAD, box.now)])
    make_failing(box)
    box.settle(news=[alive(DEAD, box.now)])
    box.waiting(EVE, MALLORY)
    assert box.claimed() == [EVE, MALLORY]


def test_fresh_mail_does_not_bring_the_probe_forward(box: Box) -> None:
    due_at = make_failing(box)
    box.waiting(EVE)
    box.clock.advance(MINUTE)
    mail = box.booked(MALLORY)
    box.settle(mail.outcome(put_off(box.now)))
    assert box.claim().next_due_at == due_at
    assert box.claim().consignments == ()


def test_a_probe_waits_for_somebody_who_is_due(box: Box) -> None:
    due_at = make_failing(box)
    box.waiting(EVE, due_at=due_at + HOUR)
    box.clock.run_until(due_at)
    claimed = box.claim()
    assert (claimed.consignments, claimed.next_due_at) == ((), due_at + HOUR)
    box.clock.run_until(due_at + HOUR)
    assert box.claimed() == [EVE]


def test_who_comes_when_the_probe_is_overdue_is_the_probe(box: Box) -> None:
    # There was nobody to probe with when the probe was due, only somebody due much later. Whoever comes now
    # must not wait for him: a destination is probed at least every 30 minutes while anybody is due.
    due_at = make_failing(box)
    box.waiting(EVE, due_at=due_at + 2 * HOUR)
    box.clock.run_until(due_at)
    assert box.claim().consignments == ()
    box.waiting(MALLORY, "more@dead.example", finding=SILENT)
    assert box.claimed() == [MALLORY]
    assert box.claimed() == []


def test_who_was_interrupted_is_the_probe_when_that_is_overdue(box: Box) -> None:
    # As above, but whoever comes was in flight when the server died.
    due_at = make_failing(box)
    box.waiting(EVE, due_at=due_at + 2 * HOUR)
    box.clock.run_until(due_at)
    assert box.claim().consignments == ()
    box.booked(MALLORY)
    box.crash()
    box.clock.advance(2 * SECOND)
    assert box.claimed() == [MALLORY]


def test_a_failing_destination_holds_up_nobody_else(box: Box) -> None:
    make_failing(box)
    box.waiting(EVE, BOB, MALLORY, CAROL)
    assert box.claimed() == [BOB, CAROL]


def test_a_second_failure_replaces_the_first(box: Box) -> None:
    since = box.now
    make_failing(box)
    again = failing(DEAD, box.now + HOUR, failures=2, since=since, finding=STILL_SILENT)
    box.settle(news=[again])
    assert box.restart().failing == (again,)


def test_failing_destinations_are_remembered_over_a_restart(box: Box) -> None:
    news = [failing(f"dead{n}.example", box.now + n, failures=n + 1, since=n) for n in range(20)]
    box.settle(news=news)
    box.settle(news=[alive("dead3.example", box.now)])
    box.waiting("x@dead5.example", "y@dead5.example")
    del news[3]
    opened = box.restart()
    # Longest first.
    assert opened.failing == tuple(news)
    box.clock.advance(HOUR)
    assert len(addresses(box.claim())) == 1


# --- Destinations that took mail ------------------------------------------------------------------------


def take_mail(box: Box, destination: str) -> Mail:
    """Let a destination take mail."""
    mail = box.booked(f"somebody@{destination}")
    box.settle(mail.outcome(RELAYED))
    return mail


def test_who_took_mail_is_known(box: Box) -> None:
    assert box.past(AWAY) is None
    take_mail(box, AWAY)
    assert box.past(AWAY) == Past(box.now, None)
    assert box.past(DEAD) is None


@pytest.mark.parametrize("event", [STORED, REFUSED, PutOff(LATER, 0), Uncertain(LATER, 0), Unbooked(0)])
def test_only_what_was_relayed_is_taken(box: Box, event: Outcome | Unbooked) -> None:
    box.settle(box.booked(BOB).outcome(event))
    assert box.past(AWAY) is None


def test_an_outcome_that_is_lost_tells_nothing_about_its_destination(box: Box) -> None:
    box.settle(box.booked(BOB).outcome(RELAYED, attempt=7))
    assert box.past(AWAY) is None


def test_when_it_took_mail_is_known_to_the_hour(box: Box) -> None:
    began_at = box.now
    take_mail(box, AWAY)
    box.clock.advance(HOUR - 1)
    take_mail(box, AWAY)
    assert box.past(AWAY) == Past(began_at, None)
    box.clock.advance(1)
    take_mail(box, AWAY)
    assert box.past(AWAY) == Past(box.now, None)


def test_that_it_took_mail_survives_a_crash(box: Box) -> None:
    take_mail(box, AWAY)
    took_mail_at = box.now
    box.clock.advance(MINUTE)
    assert box.crash().known == (AWAY,)
    assert box.past(AWAY) == Past(took_mail_at, None)
    take_mail(box, AWAY)
    assert box.past(AWAY) == Past(took_mail_at, None)


def test_a_name_is_denied_and_not_denied_any_more(box: Box) -> None:
    take_mail(box, AWAY)
    took_mail_at = box.now
    box.clock.advance(MINUTE)
    assert box.deny(AWAY, box.now) is None
    assert box.past(AWAY) == Past(took_mail_at, box.now)
    box.crash()
    assert box.past(AWAY) == Past(took_mail_at, box.now)
    assert box.deny(AWAY, None) is None
    assert box.past(AWAY) == Past(took_mail_at, None)


def test_of_one_that_never_took_mail_nothing_is_denied(box: Box) -> None:
    assert box.deny(AWAY, box.now) is None
    assert box.past(AWAY) is None
    assert box.crash().known == ()


@pytest.mark.parametrize("pause", [0, MINUTE, HOUR])
def test_who_takes_mail_is_not_denied_any_more(box: Box, pause: Instant) -> None:
    take_mail(box, AWAY)
    box.clock.advance(MINUTE)
    box.deny(AWAY, box.now)
    box.clock.advance(pause)
    take_mail(box, AWAY)
    assert box.past(AWAY) == Past(box.now, None)


@pytest.mark.parametrize("order", ["settle deny", "deny settle", "settle deny settle", "deny settle deny"])
def test_of_what_is_asked_at_once_the_last_counts(box: Box, order: str) -> None:
    mails = [box.booked(BOB) for _ in range(4)]
    told: list[object] = []
    for mail, act in zip(mails, order.split(), strict=False):
        if act == "settle":
            box.spool.settle((mail.outcome(RELAYED),), (), box.now, told.append)
        else:
            box.spool.denied(Destination(AWAY), box.now, told.append)
    box.clock.run_now()
    assert len(told) == len(order.split())
    is_denied = order.endswith("deny")
    assert box.past(AWAY) == Past(box.now, box.now if is_denied else None)
    # And what comes next is not hidden by what was noted before.
    box.settle(mails[3].outcome(RELAYED))
    assert box.past(AWAY) == Past(box.now, None)


def test_those_that_took_mail_last_are_named_at_start(box: Box) -> None:
    for n in range(KNOWN_LIMIT + 5):
        take_mail(box, f"x{n}.example")
        box.clock.advance(SECOND)
    newest = [f"x{n}.example" for n in reversed(range(5, KNOWN_LIMIT + 5))]
    assert list(box.restart().known) == newest


def test_who_took_no_mail_for_long_is_forgotten(box: Box) -> None:
    old, young = "old.example", "young.example"
    take_mail(box, old)
    box.clock.advance(DAY)
    take_mail(box, young)
    box.clock.advance(KEEP_HISTORY - DAY)
    box.purge()
    assert box.past(old) is not None
    box.clock.advance(1)
    box.purge()
    assert box.past(old) is None
    assert box.past(young) is not None


def test_with_a_short_memory_it_is_known_all_the_same(make_box: Maker) -> None:
    box = make_box(BoxSettings(keep_history=MINUTE))
    for _ in range(5):
        take_mail(box, AWAY)
        assert box.past(AWAY) == Past(box.now, None)
        box.clock.advance(MINUTE + 1)
        box.purge()
        assert box.past(AWAY) is None


# --- Lessons and the brake ------------------------------------------------------------------------------


def lesson(box: Box, hosts: str = "mx.away.example", kind: str = "recipients", **how: Any) -> Lesson:
    """Make a lesson that holds for a day."""
    facts: dict[str, Any] = {
        "value": 10, "reason": "452 4.5.3 too many é", "learned_at": box.now, "until": box.now + DAY,
    }  # fmt: skip
    return Lesson(hosts=hosts, kind=kind, **{**facts, **how})


def test_a_lesson_is_remembered_until_its_time_is_over(box: Box) -> None:
    learned = lesson(box)
    assert box.learn(learned) is None
    assert box.crash().lessons == (learned,)
    box.clock.run_until(learned.until - 1)
    assert box.restart().lessons == (learned,)
    box.clock.advance(1)
    assert box.restart().lessons == ()
    assert box.purge() == 1
    assert box.purge() == 0


def test_of_a_kind_the_last_lesson_about_hosts_counts(box: Box) -> None:
    first = lesson(box)
    box.learn(first)
    box.clock.advance(MINUTE)
    second, other, elsewhere = (
        lesson(box, value=5),
        lesson(box, kind="octets", learned_at=box.now - 1),
        lesson(box, hosts="mx.dead.example", learned_at=box.now - 2),
    )
    for each in (elsewhere, second, other):
        box.learn(each)
    assert box.restart().lessons == (second, other, elsewhere)


def test_a_lesson_that_came_again_is_not_purged_with_the_old_one(box: Box) -> None:
    box.learn(lesson(box))
    box.clock.advance(DAY)
    again = lesson(box)
    box.learn(again)
    assert box.purge() == 0
    assert box.restart().lessons == (again,)


def test_a_purge_of_lessons_stops_at_its_limit(box: Box) -> None:
    for n in range(5):
        box.learn(lesson(box, hosts=f"mx{n}.example"))
    box.clock.advance(DAY)
    assert [box.purge(2), box.purge(2), box.purge(2), box.purge(2)] == [2, 2, 1, 0]


def test_the_brake_outlives_the_process(box: Box) -> None:
    assert box.opened.brake is None
    braked = Braked(box.now, "too many failures, é", BrakeCause.NUMBER)
    assert box.set_brake(braked) is None
    assert box.crash().brake == braked
    stronger = Braked(box.now + 1, "even more", BrakeCause.PERSON)
    assert box.set_brake(stronger) is None
    assert box.restart().brake == stronger
    assert box.set_brake(None) is None
    assert box.set_brake(None) is None
    assert box.crash().brake is None


# --- claim --------------------------------------------------------------------------------------------


def test_reports_go_first(box: Box) -> None:
    about = box.booked(BOB)
    for n in range(5):
        box.waiting(f"urgent{n}@x{n}.example", priority=Priority.URGENT)
    box.clock.advance(MINUTE)
    box.accept(box.report_on(about, "r0@x0.example", "r1@y.example"))
    assert sorted(addresses(box.claim(2))) == ["r0@x0.example", "r1@y.example"]


def test_within_a_destination_the_urgent_and_then_the_older_go_first(box: Box) -> None:
    order = []
    for priority in Priority:
        for age in range(3):
            address = f"{priority.name.lower()}{age}@away.example"
            box.waiting(address, priority=priority, due_at=box.now - age)
            order.append((priority, -age, address))
    wanted = [address for _, _, address in sorted(order)]
    assert [address for _ in wanted for address in addresses(box.claim(1))] == wanted


def test_age_counts_from_when_it_is_due(box: Box) -> None:
    late = box.waiting(BOB, due_at=box.now + 2 * MINUTE)
    early = box.waiting(CAROL, due_at=box.now + MINUTE)
    assert late.id < early.id
    box.clock.advance(HOUR)
    assert box.claimed(1) == [CAROL]


def test_nobody_is_claimed_twice(box: Box) -> None:
    mails = [box.waiting(BOB, CAROL) for _ in range(10)]
    seen: list[tuple[QueueId, int]] = []
    for _ in range(7):
        for consignment in box.claim(3).consignments:
            seen += [(consignment.message.id, booking.recipient.ordinal) for booking in consignment.bookings]
    assert sorted(seen) == [key for mail in mails for key in mail.keys]


def test_a_limit_is_kept_and_more_is_told(box: Box) -> None:
    box.waiting(*(f"u{n}@away.example" for n in range(5)), *(f"u{n}@b.example" for n in range(5)))
    for left in (10, 7, 4, 1):
        claimed = box.claim(3)
        assert len(addresses(claimed)) == min(3, left)
        assert claimed.has_more or left <= 3
    assert (box.claim(3).consignments, box.claim(3).has_more) == ((), False)


def test_a_limit_holds_for_reports_too(box: Box) -> None:
    about = box.booked(BOB)
    box.accept(box.report_on(about, *(f"r{n}@y.example" for n in range(5))))
    claimed = box.claim(3)
    assert (len(addresses(claimed)), claimed.has_more) == (3, True)
    assert len(addresses(box.claim(3))) == 2


def test_reports_that_must_wait_for_room_do_not_hide_the_others(box: Box) -> None:
    about = box.booked(BOB)
    box.accept(box.report_on(about, *(f"r{n}@full.example" for n in range(4))))
    box.waiting("urgent@b.example", priority=Priority.URGENT)
    box.clock.advance(MINUTE)
    box.accept(box.report_on(about, "r@c.example"))
    assert box.claimed(2, {"full.example": 0}) == ["r@c.example", "urgent@b.example"]
    box.accept(box.report_on(about, "r@c.example"))
    box.waiting("urgent@b.example", priority=Priority.URGENT, due_at=box.now - HOUR)
    assert box.claimed(1, {"full.example": 0}) == ["r@c.example"]


def test_a_limit_of_nothing_books_nothing(box: Box) -> None:
    box.waiting(BOB)
    claimed = box.claim(0)
    assert (claimed.consignments, claimed.has_more) == ((), True)
    assert box.claimed() == [BOB]


def test_a_destination_gets_no_more_than_its_quota(make_box: Maker) -> None:
    box = make_box(BoxSettings(quota=2))
    for destination in ("a.example", "b.example", "c.example", "d.example"):
        box.waiting(*(f"u{n}@{destination}" for n in range(5)))
    claimed = box.claim(quotas={"b.example": 4, "c.example": 0, "d.example": -3})
    taken = [address.partition("@")[2] for address in addresses(claimed)]
    assert sorted(taken) == ["a.example"] * 2 + ["b.example"] * 4
    assert claimed.has_more


def test_a_quota_is_shared_by_all_priorities(make_box: Maker) -> None:
    box = make_box(BoxSettings(quota=3))
    for priority in (Priority.URGENT, Priority.NORMAL, Priority.NON_URGENT):
        box.waiting(*(f"{priority.name}{n}@away.example" for n in range(2)), priority=priority)
    claimed = box.claim()
    assert len(addresses(claimed)) == 3
    assert claimed.has_more


def test_reports_are_counted_in_the_quota(make_box: Maker) -> None:
    # Else a thousand reports to a domain that is silent, and not known to be, fill the active window.
    box = make_box(BoxSettings(quota=3))
    about = box.booked(BOB)
    box.waiting(*(f"u{n}@away.example" for n in range(5)))
    box.accept(box.report_on(about, *(f"r{n}@away.example" for n in range(2))))
    box.accept(box.report_on(about, *(f"r{n}@b.example" for n in range(5))))
    claimed = box.claim(quotas={"b.example": 1})
    taken = sorted(addresses(claimed))
    assert [address for address in taken if address.startswith("r")] == [
        "r0@away.example", "r0@b.example", "r1@away.example",
    ]  # fmt: skip
    assert len(taken) == 4
    assert claimed.has_more


def test_a_quota_that_was_just_enough_leaves_nothing(make_box: Maker) -> None:
    box = make_box(BoxSettings(quota=2))
    box.waiting(BOB, CAROL)
    claimed = box.claim()
    assert (len(addresses(claimed)), claimed.has_more) == (2, False)


def test_a_quota_of_nothing_stops_a_probe_too(box: Box) -> None:
    due_at = make_failing(box)
    box.waiting(EVE)
    box.clock.run_until(due_at)
    claimed = box.claim(quotas={DEAD: 0})
    assert (claimed.consignments, claimed.has_more) == ((), True)
    assert box.claimed() == [EVE]


def test_next_due_at_is_the_first_of_what_is_to_come(box: Box) -> None:
    assert box.claim().next_due_at is None
    box.waiting(BOB, due_at=box.now + 3 * HOUR)
    assert box.claim().next_due_at == box.now + 3 * HOUR
    box.waiting(CAROL, due_at=box.now + HOUR)
    box.waiting("x@b.example", due_at=box.now + 2 * HOUR)
    box.waiting("y@b.example")
    claimed = box.claim()
    assert (addresses(claimed), claimed.next_due_at) == (["y@b.example"], box.now + HOUR)
    first = make_failing(box, due_in=30 * MINUTE)
    box.waiting(EVE)
    assert box.claim().next_due_at == first


@pytest.mark.parametrize("count", [199, 200, 201, 500, 1300])
def test_what_is_due_at_many_destinations_is_claimed_or_told(box: Box, count: int) -> None:
    kept_together(box, *(box.make(f"u@d{n}.example", state=Waiting(box.now, 0)) for n in range(count)))
    # When the limit was just enough, "more" may be a guess; but it may not be told twice for nothing.
    booked = [len(addresses(claimed)) for claimed in claims_until_nothing_is_left(box, 500)]
    assert sum(booked) == count
    assert 0 not in booked[:-1]


def claims_until_nothing_is_left(box: Box, limit: int) -> Iterator[Claimed]:
    """Claim as the desk does: again as long as there is more."""
    while True:
        claimed = box.claim(limit)
        yield claimed
        if not claimed.has_more and (claimed.next_due_at is None or claimed.next_due_at > box.now):
            return


def test_many_destinations_at_which_nobody_is_due_hide_nobody(box: Box) -> None:
    # So many recover, and their mail is due only later; behind them stands one that is due.
    count = 700
    kept_together(box, *(box.make(f"u@d{n}.example", state=Waiting(box.now + DAY, 0)) for n in range(count)))
    box.settle(news=[failing(f"d{n}.example", box.now + HOUR) for n in range(count)])
    box.settle(news=[alive(f"d{n}.example", box.now - 1) for n in range(count)])
    box.waiting(BOB)
    claimed = box.claim()
    while not claimed.consignments:
        assert claimed.next_due_at is not None
        assert claimed.next_due_at <= box.now, "nobody would ask again before the next day"
        claimed = box.claim()
    assert addresses(claimed) == [BOB]


def test_destinations_that_have_enough_hide_nobody(box: Box) -> None:
    count = 700
    kept_together(box, *(box.make(f"u@d{n}.example", state=Waiting(box.now, 0)) for n in range(count)))
    box.clock.advance(MINUTE)
    box.waiting(BOB)
    claimed = box.claim(quotas={f"d{n}.example": 0 for n in range(count)})
    assert addresses(claimed) == [BOB]
    assert claimed.has_more


def test_destinations_that_have_enough_are_no_reason_to_ask_again_at_once(box: Box) -> None:
    # Only an outcome makes room there. Whoever asked again at once would do nothing else until then.
    count = 700
    kept_together(box, *(box.make(f"u@d{n}.example", state=Waiting(box.now, 0)) for n in range(count)))
    claimed = box.claim(quotas={f"d{n}.example": 0 for n in range(count)})
    assert (claimed.consignments, claimed.has_more) == ((), True)
    assert claimed.next_due_at is None or claimed.next_due_at > box.now


def test_claiming_is_written_to_the_disk(box: Box) -> None:
    mail = box.waiting(BOB)
    epoch = box.epoch
    box.claim()
    opened = box.crash()
    assert (opened.interrupted, opened.epoch > epoch) == (1, True)
    assert [(line[1], line[4]) for line in box.history(mail.id)] == [(1, Interrupted)]


# --- owed reports -------------------------------------------------------------------------------------


def test_taking_changes_nothing(box: Box) -> None:
    mail = box.booked(BOB)
    box.settle(mail.outcome(REFUSED))
    assert box.take_owed(mail.id) == box.take_owed(mail.id)
    assert box.owed_due().messages == (mail.id,)


def test_nothing_is_taken_before_it_is_due(box: Box) -> None:
    mail = box.booked(BOB, CAROL)
    box.settle(mail.outcome(REFUSED))
    assert box.take_owed(mail.id) is None
    box.clock.advance(GATHER)
    assert box.take_owed(mail.id) is not None


def test_nothing_is_owed_about_what_nobody_knows(box: Box) -> None:
    assert box.take_owed(QueueId(4711)) is None
    assert box.owed_due().messages == ()
    assert box.owed_due().next_due_at is None


def test_owed_messages_are_named_oldest_first_up_to_the_limit(box: Box) -> None:
    mails = []
    for _ in range(5):
        mails.append(box.booked(BOB))
        box.settle(mails[-1].outcome(REFUSED))
        box.clock.advance(1)
    due = box.owed_due(3)
    assert due.messages == tuple(mail.id for mail in mails[:3])
    assert due.next_due_at is not None
    assert due.next_due_at <= box.now
    assert box.owed_due(6).messages == tuple(mail.id for mail in mails)
    assert box.owed_due(6).next_due_at is None


def test_a_report_is_queued_and_its_lines_are_marked_in_one_act(box: Box) -> None:
    mail = box.booked(BOB)
    box.settle(mail.outcome(REFUSED))
    owed = box.taken(mail.id)
    new = box.report_on(mail)
    assert box.report(owed, new) is True
    assert box.take_owed(mail.id) is None
    assert box.owed_due().messages == ()
    assert box.content(new.message.id) == new.content
    claimed = box.claim()
    assert [consignment.message for consignment in claimed.consignments] == [new.message]


def test_a_report_may_be_booked_already(box: Box) -> None:
    mail = box.booked(BOB)
    box.settle(mail.outcome(REFUSED))
    new = box.report_on(mail, state=InFlight(Fence(box.epoch, 1)))
    assert box.report(box.taken(mail.id), new) is True
    assert box.claim().consignments == ()
    assert box.settle(Mail(new, box.epoch).outcome(RELAYED)) == Settled((), ())


def test_a_line_is_reported_once(box: Box) -> None:
    mail = box.booked(BOB)
    box.settle(mail.outcome(REFUSED))
    owed = box.taken(mail.id)
    first, second = box.report_on(mail), box.report_on(mail)
    assert box.report(owed, first) is True
    assert box.report(owed, second) is False
    assert box.content(second.message.id) is None
    assert box.claimed() == ["alice@here.example"]


def test_two_reports_at_once_are_one(box: Box) -> None:
    mail = box.booked(BOB)
    box.settle(mail.outcome(REFUSED))
    owed = box.taken(mail.id)
    told: list[bool | SpoolFault] = []
    for _ in range(2):
        box.spool.report(owed, box.report_on(mail), told.append)
    box.clock.run_now()
    assert told == [True, False]


def test_lines_that_came_later_are_not_marked(box: Box) -> None:
    mail = box.booked(BOB, CAROL, DAVE)
    box.settle(mail.outcome(REFUSED, 0))
    box.clock.advance(GATHER)
    owed = box.taken(mail.id)
    box.settle(mail.outcome(REFUSED, 1))
    assert box.report(owed, box.report_on(mail)) is True
    assert actions(box, mail) == {CAROL: Action.FAILED}


def test_a_report_of_which_a_line_was_withdrawn_is_not_sent(box: Box) -> None:
    mail = box.booked(BOB, CAROL)
    box.settle(
        mail.outcome(put_off(box.now), 0, delay_notice_at=box.now),
        mail.outcome(put_off(box.now), 1, delay_notice_at=box.now),
    )
    owed = box.taken(mail.id)
    box.claim()
    box.settle(mail.outcome(RELAYED, 0, attempt=2))
    new = box.report_on(mail)
    assert box.report(owed, new) is False
    assert box.content(new.message.id) is None
    # The other line is as it was.
    assert actions(box, mail) == {CAROL: Action.DELAYED}


def test_marking_without_a_report_tells_nobody(box: Box) -> None:
    mail = box.booked(BOB, CAROL)
    box.settle(mail.outcome(REFUSED, 0), mail.outcome(put_off(box.now + HOUR), 1))
    owed = box.taken(mail.id)
    assert box.report(owed, None) is True
    assert box.report(owed, None) is False
    assert box.take_owed(mail.id) is None
    # No report went before, so the next is the first.
    box.clock.advance(HOUR)
    box.claim()
    assert box.settle(mail.outcome(REFUSED, 1, attempt=2)).owed == ((mail.id, box.now),)
    assert box.taken(mail.id).thread == ()


def test_the_thread_names_the_reports_before_oldest_first(box: Box) -> None:
    mail = box.booked(BOB, CAROL, DAVE)
    sent: list[str] = []
    for ordinal in range(3):
        box.settle(mail.outcome(REFUSED, ordinal))
        box.clock.advance(HOUR)
        owed = box.taken(mail.id)
        assert owed.thread == tuple(sent)
        new = box.report_on(mail)
        sent.append(new.message.message_id)
        assert box.report(owed, new)


def test_a_crash_before_the_commit_leaves_the_report_owed(box: Box) -> None:
    mail = box.booked(BOB)
    box.settle(mail.outcome(REFUSED))
    new = box.report_on(mail)
    told: list[bool | SpoolFault] = []
    box.spool.report(box.taken(mail.id), new, told.append)
    box.crash()
    assert told == []
    assert box.owed_due().messages == (mail.id,)
    assert box.content(new.message.id) is None
    assert box.claim().consignments == ()


def test_what_is_owed_survives_a_restart(box: Box) -> None:
    mail = box.booked(BOB, CAROL)
    box.settle(mail.outcome(REFUSED))
    due_at = box.now + GATHER
    box.crash()
    assert box.owed_due().next_due_at == due_at
    box.clock.run_until(due_at)
    assert actions(box, mail) == {BOB: Action.FAILED}


def test_a_line_speaks_of_the_present(box: Box) -> None:
    mail = box.booked(BOB, EVE)
    box.settle(
        mail.outcome(put_off(box.now, LATER), 0, delay_notice_at=box.now),
        mail.outcome(put_off(box.now, SILENT), 1, delay_notice_at=box.now),
    )
    due_at = box.now + 15 * MINUTE
    box.settle(news=[failing(DEAD, due_at, finding=STILL_SILENT)])
    box.claim()
    bob, eve = box.taken(mail.id).lines
    assert (bob.state, bob.finding, bob.next_try_at) == (InFlight(Fence(box.epoch, 2)), LATER, None)
    # She waits for her destination, whose last finding speaks for all who wait there.
    assert (eve.state, eve.finding, eve.next_try_at) == (Waiting(box.now, 1), STILL_SILENT, due_at)
    assert eve.at == box.now


def test_who_is_due_later_than_its_destination_is_tried_later(box: Box) -> None:
    mail = box.booked(EVE)
    due_at = box.now + 2 * HOUR
    box.settle(mail.outcome(put_off(due_at), delay_notice_at=box.now), news=[failing(DEAD, box.now + MINUTE)])
    (line,) = box.taken(mail.id).lines
    assert line.next_try_at == due_at


def test_nobody_was_tried_who_waits_since_acceptance(box: Box) -> None:
    make_failing(box)
    mail = box.waiting(EVE, finding=SILENT, delay_notice_at=box.now)
    (line,) = box.taken(mail.id).lines
    assert (line.state, line.last_attempt_at, line.finding) == (Waiting(box.now, 0), None, SILENT)


def test_the_last_attempt_is_the_latest(box: Box) -> None:
    mail = box.booked(BOB)
    box.settle(mail.outcome(put_off(box.now)))
    box.clock.advance(HOUR)
    box.claim()
    box.settle(mail.outcome(REFUSED, attempt=2, began_at=box.now))
    (line,) = box.taken(mail.id).lines
    assert line.last_attempt_at == box.now


def test_lines_stand_in_the_order_of_the_recipients(box: Box) -> None:
    names = [f"u{n}@away.example" for n in range(12)]
    mail = box.booked(*names)
    for ordinal in reversed(range(12)):
        box.settle(mail.outcome(REFUSED, ordinal))
    assert [str(line.recipient.address) for line in box.taken(mail.id).lines] == names


# --- expire -------------------------------------------------------------------------------------------


def over_time(box: Box, *to: str, **how: Any) -> Mail:
    """Let mail run out of time at a failing destination that was probed since it was due."""
    make_failing(box)
    mail = box.waiting(*(to or (EVE,)), finding=SILENT, lifetime=DAY, **how)
    box.clock.advance(HOUR)
    box.settle(news=[failing(DEAD, box.now + 2 * DAY, failures=2, finding=STILL_SILENT)])
    box.clock.run_until(mail.new.message.expires_at)
    return mail


def test_mail_for_a_dead_destination_expires_in_its_time_and_is_reported(box: Box) -> None:
    mail = over_time(box, EVE, MALLORY)
    ended = tuple(
        Ended(mail.id, one.recipient.address, STILL_SILENT, is_null=False) for one in mail.new.recipients
    )
    assert box.expire() == Expiry(ended, ((mail.id, box.now),), (), None)
    owed = box.taken(mail.id)
    for line in owed.lines:
        assert (line.action, line.state, line.finding) == (Action.FAILED, Expired(0), STILL_SILENT)
        assert (line.at, line.next_try_at) == (box.now, None)
    assert len(owed.lines) == 2
    assert box.expire() == Expiry((), (), (), None)
    assert box.claim().consignments == ()
    assert [line[4] for line in box.history(mail.id)] == [RanOutOfTime] * 2


def test_nothing_expires_before_its_time(box: Box) -> None:
    make_failing(box)
    mail = box.waiting(EVE, finding=SILENT, lifetime=DAY)
    box.clock.advance(DAY - 1)
    box.settle(news=[failing(DEAD, box.now + DAY)])
    assert box.expire() == Expiry((), (), (), mail.new.message.expires_at)
    box.clock.advance(1)
    assert len(box.expire().expired) == 1


def test_nothing_expires_without_a_probe_since_it_was_due(box: Box) -> None:
    make_failing(box, due_in=2 * DAY)
    mail = box.waiting(EVE, due_at=box.now + HOUR, finding=SILENT, lifetime=DAY)
    box.clock.run_until(mail.new.message.expires_at)
    expiry = box.expire()
    assert (len(expiry.expired), expiry.owed, expiry.probe) == (0, (), (DEAD,))
    # The probe may be claimed now, although it was booked for later.
    assert box.claimed() == [EVE]


def test_nothing_expires_without_a_probe_since_the_start(box: Box) -> None:
    mail = over_time(box)
    box.restart()
    assert box.expire().probe == (DEAD,)
    assert box.claimed() == [EVE]
    last = mail.outcome(OUT_OF_TIME, epoch=box.epoch)
    settled = box.settle(last, news=[failing(DEAD, box.now + HOUR, failures=3)])
    assert settled == Settled((), ((mail.id, box.now),))


def test_a_probe_since_is_enough_for_all_who_wait(box: Box) -> None:
    first, second = over_time(box), box.waiting(MALLORY, lifetime=0)
    box.restart()
    assert box.expire().probe == (DEAD,)
    assert box.claimed() == [EVE]
    box.clock.advance(MINUTE)
    outcome = first.outcome(put_off(box.now, SILENT), epoch=box.epoch)
    assert box.settle(outcome, news=[failing(DEAD, box.now + HOUR, failures=3)]).lost == ()
    expiry = box.expire()
    assert len(expiry.expired) == 2
    assert dict(expiry.owed) == {first.id: box.now, second.id: box.now}


def test_a_destination_is_named_once_and_probed_once(box: Box) -> None:
    make_failing(box, due_in=2 * DAY)
    box.waiting(EVE, MALLORY, due_at=box.now + HOUR, lifetime=DAY)
    box.clock.advance(DAY)
    assert box.expire().probe == (DEAD,)
    assert len(box.claimed()) == 1
    # The probe is under way; asking again does not send another one after it.
    box.clock.advance(MINUTE)
    assert len(box.expire().expired) == 0
    assert box.claimed() == []


def test_a_probe_that_a_person_asks_for_is_made_now(box: Box) -> None:
    make_failing(box, due_in=2 * DAY)
    box.waiting(EVE, MALLORY, finding=SILENT)
    assert box.claimed() == []
    assert box.probe(DEAD) is True
    assert len(box.claimed()) == 1
    # It is under way: asking again does not send another one after it.
    assert box.probe(DEAD) is True
    assert box.claimed() == []


def test_a_probe_that_is_asked_for_is_none_that_was_made(box: Box) -> None:
    make_failing(box, due_in=2 * DAY)
    mail = box.waiting(EVE, due_at=box.now + HOUR, finding=SILENT, lifetime=DAY)
    box.clock.run_until(mail.new.message.expires_at)
    assert box.probe(DEAD) is True
    expiry = box.expire()
    assert (len(expiry.expired), expiry.probe) == (0, (DEAD,))


def test_who_lives_or_is_not_waited_for_is_not_probed(box: Box) -> None:
    box.waiting(BOB, due_at=box.now + HOUR)
    make_failing(box, due_in=2 * DAY)
    assert box.probe(AWAY) is False
    assert box.probe(DEAD) is False
    assert box.probe("unknown.example") is False
    assert box.claimed() == []


def test_who_was_put_off_with_another_waits_like_others(box: Box) -> None:
    mail = box.booked(BOB)
    box.settle(mail.outcome(PutOff(SILENT, box.now + HOUR, by_another=True)))
    assert [line[4] for line in box.history(mail.id)] == [PutOff]
    box.clock.advance(HOUR)
    assert box.claimed() == [BOB]


def test_a_living_destination_is_left_alone(box: Box) -> None:
    box.waiting(BOB, due_at=box.now + DAY, lifetime=DAY)
    box.clock.advance(DAY)
    assert box.expire() == Expiry((), (), (), None)
    assert box.claimed() == [BOB]


def test_who_is_in_flight_does_not_expire(box: Box) -> None:
    make_failing(box)
    box.booked(EVE, lifetime=DAY)
    box.clock.advance(DAY)
    box.settle(news=[failing(DEAD, box.now + HOUR)])
    assert box.expire() == Expiry((), (), (), None)


@pytest.mark.parametrize(
    ("how", "is_told"),
    [
        ({}, True),
        ({"notify": Notify.FAILURE | Notify.SUCCESS}, True),
        ({"notify": Notify.NEVER}, False),
        ({"notify": Notify.SUCCESS | Notify.DELAY}, False),
        ({"reverse_path": NULL_PATH}, False),
        ({"reverse_path": NULL_PATH, "notify": Notify.FAILURE}, False),
    ],
)
def test_who_wants_no_report_gets_none(box: Box, how: dict[str, Any], is_told: bool) -> None:
    mail = over_time(box, **how)
    expiry = box.expire()
    assert len(expiry.expired) == 1
    assert expiry.owed == (((mail.id, box.now),) if is_told else ())
    assert (box.take_owed(mail.id) is not None) == is_told


def test_an_expiry_joins_the_rules_of_gathering(box: Box) -> None:
    make_failing(box)
    mail = box.make(EVE, BOB, lifetime=DAY)
    box.keep(replace(mail, new=with_state(mail.new, 0, Waiting(box.now, 0))))
    box.clock.advance(DAY)
    box.settle(news=[failing(DEAD, box.now + HOUR)])
    assert box.expire().owed == ((mail.id, box.now + GATHER),)


def test_a_delay_notice_is_withdrawn_by_an_expiry(box: Box) -> None:
    mail = over_time(box, delay_notice_at=box.now + 4 * HOUR)
    assert actions(box, mail) == {EVE: Action.DELAYED}
    box.expire()
    assert actions(box, mail) == {EVE: Action.FAILED}


def test_expiry_stops_at_its_limit_and_says_so(box: Box) -> None:
    over_time(box, *(f"u{n}@dead.example" for n in range(5)))
    first = box.expire(2)
    assert len(first.expired) == 2
    assert first.next_at is not None
    assert first.next_at <= box.now
    assert [len(box.expire(2).expired) for _ in range(3)] == [2, 1, 0]


def test_next_at_is_when_the_next_runs_out_of_time(box: Box) -> None:
    assert box.expire().next_at is None
    make_failing(box)
    box.waiting(EVE, lifetime=2 * DAY, due_at=box.now + HOUR)
    box.waiting(BOB, lifetime=DAY, due_at=box.now + HOUR)
    assert box.expire().next_at == box.now + DAY


# --- How long contents are kept -----------------------------------------------------------------------


@pytest.mark.parametrize("event", [RELAYED, STORED])
def test_a_content_goes_when_all_have_it_and_nobody_is_to_be_told(box: Box, event: Outcome) -> None:
    lone, pair = box.booked(BOB), box.booked(BOB, CAROL)
    box.settle(lone.outcome(event), pair.outcome(event))
    assert box.content(lone.id) is None
    assert box.content(pair.id) is not None
    box.settle(pair.outcome(event, 1))
    assert box.content(pair.id) is None


def test_a_large_content_goes_in_the_same_way(box: Box) -> None:
    for to in ((BOB,), (BOB, CAROL)):
        mail = box.make(*to, content=None, octets=100_000)
        assert box.seal(mail.id, b"x" * 100_000) is None
        box.keep(mail)
        box.settle(*(mail.outcome(RELAYED, ordinal) for ordinal in range(len(to))))
        assert box.content(mail.id) is None


@pytest.mark.parametrize("event", [put_off(1 << 50), uncertain(1 << 50)])
def test_a_content_stays_while_anybody_needs_it(box: Box, event: Outcome) -> None:
    mail = box.booked(BOB, CAROL)
    box.settle(mail.outcome(RELAYED, 0), mail.outcome(event, 1))
    box.clock.advance(10 * DAY)
    assert box.purge() == 0
    assert box.content(mail.id) is not None


@pytest.mark.parametrize("event", [REFUSED, OUT_OF_TIME])
@pytest.mark.parametrize("others", [(), (CAROL,)])
def test_a_content_that_somebody_did_not_get_is_kept_for_a_while(
    box: Box, event: Outcome, others: tuple[str, ...]
) -> None:
    mail = box.booked(BOB, *others)
    box.settle(mail.outcome(event), *(mail.outcome(RELAYED, 1) for _ in others))
    box.tell(mail)
    box.clock.advance(KEEP_CONTENT - 1)
    assert box.purge() == 0
    assert box.content(mail.id) is not None
    box.clock.advance(1)
    assert box.purge() == 1
    assert box.content(mail.id) is None
    assert box.purge() == 0


def test_a_content_is_kept_as_long_as_a_report_is_owed(box: Box) -> None:
    failed, told = box.booked(BOB), box.booked(recipient(0, BOB, notify=Notify.SUCCESS))
    box.settle(failed.outcome(REFUSED), told.outcome(RELAYED))
    box.clock.advance(10 * KEEP_CONTENT)
    assert box.purge() == 0
    for mail in (failed, told):
        assert box.content(mail.id) is not None
        box.tell(mail)
    assert box.purge() == 2
    assert box.content(failed.id) is None
    assert box.content(told.id) is None


def test_a_content_is_kept_as_long_as_an_expansion_is_to_be_reported(box: Box) -> None:
    mail = box.booked(recipient(0, BOB, given="all@here.example", notify=Notify.SUCCESS), expanded=(0,))
    # The next hop reports the delivery, so this attempt makes us owe nothing.
    settled = box.settle(replace(mail.outcome(RELAYED), owed=None))
    assert settled.owed == ((mail.id, box.now),)
    assert actions(box, mail) == {BOB: Action.EXPANDED}
    assert box.content(mail.id) is not None
    box.tell(mail)
    box.clock.advance(KEEP_CONTENT)
    box.purge()
    assert box.content(mail.id) is None


def test_kept_contents_have_a_budget_and_the_oldest_go_first(make_box: Maker) -> None:
    box = make_box(BoxSettings(keep_octets=25_000))
    mails = []
    for _ in range(5):
        mails.append(box.booked(BOB, content=b"x" * 10_000))
        box.settle(mails[-1].outcome(REFUSED))
        box.tell(mails[-1])
        box.clock.advance(MINUTE)
    assert box.purge() == 3
    assert [box.content(mail.id) is not None for mail in mails] == [False] * 3 + [True] * 2
    assert box.purge() == 0


def test_a_content_past_its_time_is_counted_once_also_over_budget(make_box: Maker) -> None:
    box = make_box(BoxSettings(keep_octets=0))
    mail = box.booked(BOB)
    box.settle(mail.outcome(REFUSED))
    box.tell(mail)
    box.clock.advance(KEEP_CONTENT)
    assert box.purge() == 1


def test_a_budget_takes_no_content_that_is_needed(make_box: Maker) -> None:
    box = make_box(BoxSettings(keep_octets=0))
    waits, owed = box.booked(BOB), box.booked(BOB)
    box.settle(waits.outcome(put_off(box.now + DAY)), owed.outcome(REFUSED))
    assert box.purge() == 0
    assert box.content(waits.id) is not None
    assert box.content(owed.id) is not None


def test_a_reader_keeps_what_it_has_opened(box: Box) -> None:
    mail = box.make(BOB, content=None, octets=100_000)
    assert box.seal(mail.id, b"x" * 100_000) is None
    box.keep(mail)
    reader = box.reader(mail.id)
    assert reader is not None
    assert len(reader.read(10)) == 10
    box.settle(mail.outcome(RELAYED))
    assert box.content(mail.id) is None
    assert reader.read(1 << 20) == b"x" * 99_990
    reader.close()


# --- purge: history -----------------------------------------------------------------------------------


def test_history_is_forgotten_by_age(box: Box) -> None:
    old = box.booked(BOB)
    box.settle(old.outcome(RELAYED))
    box.clock.advance(MINUTE)
    young = box.booked(BOB)
    box.settle(young.outcome(RELAYED))
    box.clock.run_until(old.new.message.accepted_at + KEEP_HISTORY)
    assert box.purge() == 0
    box.clock.advance(1)
    # The message, and that its destination took mail: that is known to the hour.
    assert box.purge() == 2
    assert box.history(old.id) == []
    assert len(box.history(young.id)) == 1
    assert box.restart().floor == young.id


def test_what_is_in_the_queue_is_not_forgotten_however_old(box: Box) -> None:
    waits, flies, owed = box.waiting(BOB), box.booked(CAROL), box.booked(DAVE)
    box.settle(owed.outcome(REFUSED))
    box.clock.advance(2 * KEEP_HISTORY)
    assert box.purge() == 0
    assert box.claimed() == [BOB]
    assert box.settle(waits.outcome(RELAYED), flies.outcome(RELAYED)).lost == ()
    assert actions(box, owed) == {DAVE: Action.FAILED}
    box.tell(owed)
    assert box.purge() >= 3
    assert box.settle(waits.outcome(RELAYED)).lost == ((waits.id, 0),)


def test_a_purge_stops_at_its_limit_and_goes_on_from_there(box: Box) -> None:
    for _ in range(5):
        mail = box.booked(BOB)
        box.settle(mail.outcome(REFUSED))
        box.tell(mail)
    box.clock.advance(KEEP_CONTENT)
    gone = [box.purge(2) for _ in range(4)]
    assert gone == [2, 2, 1, 0]


# --- Restart ------------------------------------------------------------------------------------------


def test_an_empty_spool_has_nothing_to_tell(box: Box) -> None:
    opened = box.opened
    assert (opened.floor, opened.failing, opened.interrupted, opened.parked) == (0, (), 0, 0)


def test_each_start_is_another_epoch(box: Box) -> None:
    epochs = [box.epoch] + [box.restart().epoch for _ in range(5)]
    assert sorted(set(epochs)) == epochs


def test_a_stale_fence_is_lost(box: Box) -> None:
    mail = box.booked(BOB)
    box.crash()
    assert box.settle(mail.outcome(RELAYED)).lost == ((mail.id, 0),)
    box.clock.advance(2 * SECOND)
    assert attempts(box.claim()) == {BOB: 2}
    assert box.settle(mail.outcome(REFUSED, attempt=2)).lost == ((mail.id, 0),)
    assert box.settle(mail.outcome(RELAYED, attempt=2, epoch=box.epoch)).lost == ()


def test_ids_begin_above_everything_in_use(box: Box) -> None:
    ids = [box.booked(BOB).id for _ in range(3)]
    assert box.restart().floor == max(ids)


def test_an_interrupted_first_attempt_is_due_within_two_seconds(box: Box) -> None:
    mail = box.booked(BOB, CAROL)
    box.clock.advance(MINUTE)
    opened = box.crash()
    assert (opened.interrupted, opened.parked) == (2, 0)
    crashed_at = box.now
    box.clock.advance(2 * SECOND - 1)
    assert attempts(box.claim()) == {BOB: 2, CAROL: 2}
    began_at = mail.new.message.accepted_at
    assert box.history(mail.id) == [
        (0, 1, began_at, crashed_at, Interrupted),
        (1, 1, began_at, crashed_at, Interrupted),
    ]


def test_also_a_first_attempt_that_was_claimed_is_due_within_two_seconds(box: Box) -> None:
    # It waited for room in memory, not for a host: nobody has been told "later" of it.
    box.waiting(BOB)
    box.accept(box.report_on(box.booked(CAROL)))
    assert box.claimed() == ["alice@here.example", BOB]
    box.crash()
    box.clock.advance(2 * SECOND - 1)
    assert box.claimed() == ["alice@here.example", BOB, CAROL]


def test_a_second_attempt_that_was_interrupted_is_due_at_its_booked_time(box: Box) -> None:
    mail = box.booked(BOB)
    box.settle(mail.outcome(put_off(box.now)))
    assert attempts(box.claim()) == {BOB: 2}
    claimed_at = box.now
    box.clock.advance(SECOND)
    box.crash()
    box.clock.advance(10 * MINUTE)
    assert box.claim().consignments == ()
    box.clock.run_until(claimed_at + 15 * MINUTE)
    assert attempts(box.claim()) == {BOB: 3}


def test_when_the_booked_time_is_over_it_is_due_within_two_seconds(box: Box) -> None:
    mail = box.booked(BOB)
    box.settle(mail.outcome(put_off(box.now)))
    box.claim()
    box.clock.advance(HOUR)
    box.crash()
    box.clock.advance(2 * SECOND - 1)
    assert attempts(box.claim()) == {BOB: 3}


def test_the_third_interruption_parks_it_for_a_person(box: Box) -> None:
    mail = box.booked(BOB, CAROL)
    box.settle(mail.outcome(RELAYED, 1))
    for interruption in (1, 2):
        assert (box.crash().interrupted, box.opened.parked) == (1, 0)
        box.clock.advance(HOUR)
        assert attempts(box.claim()) == {BOB: interruption + 1}
    assert (box.crash().interrupted, box.opened.parked) == (1, 1)
    box.clock.advance(10 * DAY)
    assert box.claim().consignments == ()
    assert box.expire() == Expiry((), (), (), None)
    assert [line[4] for line in box.history(mail.id)] == [Interrupted] * 3 + [Relayed]
    # It is in the queue as before: its content stays, and nobody is told anything.
    box.purge()
    assert box.content(mail.id) is not None
    assert box.take_owed(mail.id) is None
    assert (box.crash().interrupted, box.opened.parked) == (0, 0)


def test_interruptions_count_also_with_other_outcomes_between(box: Box) -> None:
    mail = box.booked(BOB)
    for attempt in (1, 3):
        box.crash()
        box.clock.advance(HOUR)
        assert attempts(box.claim()) == {BOB: attempt + 1}
        box.settle(mail.outcome(put_off(box.now), attempt=attempt + 1, epoch=box.epoch))
        assert attempts(box.claim()) == {BOB: attempt + 2}
    assert box.crash().parked == 1


def test_an_interruption_is_no_outcome(box: Box) -> None:
    mail = box.booked(BOB, CAROL)
    box.crash()
    box.clock.advance(2 * SECOND)
    box.claim()
    settled = box.settle(mail.outcome(REFUSED, 0, attempt=2, epoch=box.epoch))
    assert settled.owed == ((mail.id, box.now + GATHER),)


def test_what_waited_waits_on(box: Box) -> None:
    due_at = box.now + HOUR
    box.waiting(BOB, due_at=due_at)
    opened = box.crash()
    assert opened.interrupted == 0
    assert box.claim().next_due_at == due_at
    box.clock.run_until(due_at)
    assert attempts(box.claim()) == {BOB: 1}


def test_what_was_in_flight_to_a_failing_destination_waits_for_its_probe(box: Box) -> None:
    box.booked(EVE, MALLORY)
    due_at = make_failing(box)
    box.crash()
    box.clock.run_until(due_at - 1)
    assert box.claim().consignments == ()
    box.clock.run_until(due_at)
    assert len(box.claimed()) == 1


def test_an_interrupted_probe_is_made_again(box: Box) -> None:
    due_at = make_failing(box)
    box.waiting(EVE, MALLORY)
    box.clock.run_until(due_at)
    assert len(box.claimed()) == 1
    box.crash()
    assert len(box.opened.failing) == 1
    box.clock.advance(30 * MINUTE)
    assert len(box.claimed()) == 1


def test_many_restarts_lose_nothing(box: Box) -> None:
    kept: list[Mail] = []
    for n in range(6):
        kept.append(box.waiting(f"u{n}@x{n}.example", content=str(n).encode()))
        if n % 2:
            box.crash()
        else:
            box.restart()
    assert len(box.claimed()) == 6
    assert [box.content(mail.id) for mail in kept] == [b"0", b"1", b"2", b"3", b"4", b"5"]


# --- Dying at the commit ------------------------------------------------------------------------------

KEPT_OR_NOT = pytest.mark.parametrize("is_kept", [False, True], ids=["before", "after"])


@KEPT_OR_NOT
def test_dying_at_an_acceptance(box: Box, is_kept: bool) -> None:
    mail = box.make(BOB)
    told: list[object] = []
    box.spool.accept(mail.new, told.append)
    opened = box.die_at_the_commit(is_kept=is_kept)
    assert told == []
    assert (opened.interrupted, opened.floor) == ((1, mail.id) if is_kept else (0, 0))
    assert box.content(mail.id) == (mail.new.content if is_kept else None)
    box.clock.advance(2 * SECOND)
    assert attempts(box.claim()) == ({BOB: 2} if is_kept else {})


@KEPT_OR_NOT
def test_dying_at_a_settlement(box: Box, is_kept: bool) -> None:
    mail = box.booked(BOB)
    told: list[object] = []
    box.spool.settle((mail.outcome(REFUSED),), (failing(DEAD, box.now),), box.now, told.append)
    opened = box.die_at_the_commit(is_kept=is_kept)
    assert told == []
    # The outcome and the report that it makes us owe, or neither.
    assert opened.interrupted == (0 if is_kept else 1)
    assert actions(box, mail) == ({BOB: Action.FAILED} if is_kept else {})
    assert len(opened.failing) == (1 if is_kept else 0)
    assert box.settle(mail.outcome(REFUSED)).lost == ((mail.id, 0),)


@KEPT_OR_NOT
def test_dying_at_a_claim(box: Box, is_kept: bool) -> None:
    mail = box.waiting(BOB)
    told: list[object] = []
    box.spool.claim(box.now, 10, {}, told.append)
    assert box.die_at_the_commit(is_kept=is_kept).interrupted == (1 if is_kept else 0)
    assert told == []
    assert len(box.history(mail.id)) == (1 if is_kept else 0)


@KEPT_OR_NOT
def test_dying_at_a_report(box: Box, is_kept: bool) -> None:
    mail = box.booked(BOB)
    box.settle(mail.outcome(REFUSED))
    owed, new = box.taken(mail.id), box.report_on(mail)
    told: list[object] = []
    box.spool.report(owed, new, told.append)
    box.die_at_the_commit(is_kept=is_kept)
    assert told == []
    # Queued and marked, or owed as before: never both, never neither.
    assert box.claimed() == (["alice@here.example"] if is_kept else [])
    assert actions(box, mail) == ({} if is_kept else {BOB: Action.FAILED})
    assert box.report(owed, box.report_on(mail)) is not is_kept


@KEPT_OR_NOT
def test_dying_at_an_expiry(box: Box, is_kept: bool) -> None:
    mail = over_time(box)
    told: list[object] = []
    box.spool.expire(box.now, box.started_at, 10, told.append)
    box.die_at_the_commit(is_kept=is_kept)
    assert told == []
    assert actions(box, mail) == ({EVE: Action.FAILED} if is_kept else {})
    expiry = box.expire()
    assert (len(expiry.expired), len(expiry.probe)) == (0, 0 if is_kept else 1)


@KEPT_OR_NOT
def test_dying_at_a_purge(box: Box, is_kept: bool) -> None:
    mail = box.make(BOB, content=None, octets=100_000)
    assert box.seal(mail.id, b"x" * 100_000) is None
    box.keep(mail)
    box.settle(mail.outcome(REFUSED))
    box.tell(mail)
    box.clock.advance(KEEP_CONTENT)
    told: list[object] = []
    box.spool.purge(box.now, 10, told.append)
    box.die_at_the_commit(is_kept=is_kept)
    assert told == []
    assert box.content(mail.id) == (None if is_kept else b"x" * 100_000)
    assert box.purge() == (0 if is_kept else 1)


@KEPT_OR_NOT
def test_dying_while_a_large_content_is_sealed(box: Box, is_kept: bool) -> None:
    mail = box.make(BOB, content=None, octets=3)
    writer = box.spool.content_writer(mail.id)
    assert writer.write(b"abc") is None
    told: list[object] = []
    writer.seal(told.append)
    if isinstance(box, ModelBox):
        box.reach_the_commit(is_kept=is_kept)
    box.crash()
    assert told == []
    assert box.content(mail.id) is None
    # The id is free again: the sender sends the message anew.
    again = box.make(BOB, content=None, octets=5)
    assert box.seal(again.id, b"again") is None
    box.keep(again)
    assert box.content(again.id) == b"again"


@KEPT_OR_NOT
@pytest.mark.parametrize("act", ["give back", "deny", "learn", "brake"])
def test_dying_at_what_is_remembered(box: Box, act: str, is_kept: bool) -> None:
    mail = take_mail(box, AWAY)
    booked = box.booked(BOB)
    learned, braked = lesson(box), Braked(box.now, "why", BrakeCause.LIE)
    told: list[object] = []
    {
        "give back": lambda: box.spool.settle(
            (booked.outcome(Unbooked(box.now + DAY)),), (), box.now, told.append
        ),
        "deny": lambda: box.spool.denied(Destination(AWAY), box.now, told.append),
        "learn": lambda: box.spool.learn(learned, told.append),
        "brake": lambda: box.spool.set_brake(braked, told.append),
    }[act]()
    opened = box.die_at_the_commit(is_kept=is_kept)
    assert told == []
    assert opened.interrupted == (0 if act == "give back" and is_kept else 1)
    assert opened.lessons == ((learned,) if act == "learn" and is_kept else ())
    assert opened.brake == (braked if act == "brake" and is_kept else None)
    is_denied = act == "deny" and is_kept
    assert box.past(AWAY) == Past(mail.new.message.accepted_at, box.now if is_denied else None)


# --- Faults -------------------------------------------------------------------------------------------


def test_a_full_disk_is_a_fault_and_keeps_nothing_and_passes(box: Box) -> None:
    small = box.booked(BOB)
    box.settle(small.outcome(REFUSED))
    owed = box.taken(small.id)
    make_room = box.fill()
    mail = box.make(BOB, content=b"x" * 60_000)
    fault = box.accept(mail.new)
    assert fault is not None
    assert (fault.is_full, fault.is_ambiguous) == (True, False)
    assert box.content(mail.id) is None
    report = replace(box.report_on(small), content=b"x" * 60_000)
    answer: bool | SpoolFault = box.ask(partial(box.spool.report, owed, report))
    assert isinstance(answer, SpoolFault)
    assert answer.is_full
    # Not marked and not queued: the report is owed as before.
    assert box.taken(small.id) == owed
    assert box.broken == []
    make_room()
    assert box.report(owed, report) is True
    assert box.accept(mail.new) is None
    assert box.content(mail.id) == mail.new.content


@pytest.mark.parametrize("is_kept", [False, True])
def test_a_commit_that_failed_midway_is_ambiguous_for_all_that_follow(box: Box, is_kept: bool) -> None:
    before = box.booked(BOB)
    box.spoil_next_commit(is_kept=is_kept)
    mail = box.make(CAROL)
    told: list[object] = []
    box.spool.accept(mail.new, told.append)
    box.clock.run_now()
    box.spool.settle((before.outcome(REFUSED),), (), box.now, told.append)
    box.spool.accept(box.make(DAVE).new, told.append)
    box.spool.claim(box.now, 10, {}, told.append)
    box.spool.denied(Destination(AWAY), box.now, told.append)
    box.spool.learn(lesson(box), told.append)
    box.spool.set_brake(Braked(box.now, "why", BrakeCause.LIE), told.append)
    assert len(told) == 1, "a fault is never told from inside either"
    box.clock.run_now()
    assert [isinstance(fault, SpoolFault) and fault.is_ambiguous for fault in told] == [True] * 7
    assert len(box.broken) == 1
    opened = box.crash()
    # Nothing that came after it was done; of itself nobody can know.
    assert opened.interrupted == (2 if is_kept else 1)
    assert box.content(mail.id) == (mail.new.content if is_kept else None)
    assert box.take_owed(before.id) is None
    assert (opened.lessons, opened.brake) == ((), None)
    assert box.accept(box.make(DAVE).new) is None


def test_there_is_room_or_there_is_not(box: Box) -> None:
    assert box.spool.has_room(1)
    assert not box.spool.has_room(1 << 63)


def test_a_parked_recipient_is_still_told_to_be_late(box: Box) -> None:
    mail = box.booked(BOB)
    box.settle(mail.outcome(put_off(box.now), delay_notice_at=box.now + DAY))
    for _ in range(3):
        box.claim()
        box.crash()
        box.clock.advance(HOUR)
    assert box.opened.parked == 1
    box.clock.advance(DAY)
    (line,) = box.taken(mail.id).lines
    assert (line.action, line.state) == (Action.DELAYED, Parked(4))


# --- The model's hooks, by which a simulation decides who dies and what fails ------------------------------


def model(**how: Any) -> tuple[ModelSpool, VirtualClock, Disk]:
    disk, clock = Disk(), VirtualClock()
    return ModelSpool(disk, clock, **how), clock, disk


def test_a_model_takes_its_time_and_keeps_the_order() -> None:
    delays = [50, 10, 30, 0]
    spool, clock, disk = model(delay=lambda _name, number: delays[number - 1])
    box = ModelBox()
    told: list[tuple[int, Instant]] = []
    for n in range(4):
        spool.accept(box.make(BOB).new, lambda _, n=n: told.append((n, clock.now())))  # type: ignore[misc]
        clock.advance(15)
    clock.advance(SECOND)
    start = disk.log[0].at - 50
    assert [(n, at - start) for n, at in told] == [(0, 50), (1, 50), (2, 60), (3, 60)]
    assert [committed.number for committed in disk.log] == [1, 2, 3, 4]


def test_a_model_may_answer_reads_later_and_as_of_then() -> None:
    spool, clock, _ = model(settings=ModelSettings(reads_inside=False), delay=lambda name, _: 5)
    mail = ModelBox().make(BOB)
    told: list[object] = []
    spool.accept(mail.new, told.append)
    spool.content(mail.id, told.append)
    assert told == []
    clock.advance(5)
    assert told[0] is None
    assert isinstance(told[1], ModelReader)


def test_a_hook_knows_the_operation_by_its_name_and_its_number() -> None:
    heard: list[tuple[str, int]] = []

    def before(name: str, number: int) -> SpoolFault | None:
        heard.append((name, number))
        return SpoolFault("no", is_full=True) if number == 2 else None

    spool, clock, disk = model(before=before)
    box = ModelBox()
    told: list[object] = []
    for _ in range(3):
        spool.accept(box.make(BOB).new, told.append)
    clock.run_now()
    spool.owed_due(clock.now(), 10, told.append)
    assert heard == [("accept", 1), ("accept", 2), ("accept", 3), ("owed_due", 4)]
    assert told[:3] == [None, SpoolFault("no", is_full=True), None]
    assert (len(disk.messages), [one.number for one in disk.log]) == (2, [1, 3])


def test_a_write_of_a_large_content_can_fail_and_stays_failed() -> None:
    spool, clock, disk = model(
        before=lambda name, number: SpoolFault("no") if (name, number) == ("write", 2) else None
    )
    writer = spool.content_writer(QueueId(1))
    assert [writer.write(b"x") for _ in range(3)] == [None, SpoolFault("no"), SpoolFault("no")]
    told: list[object] = []
    writer.seal(told.append)
    clock.run_now()
    assert told == [SpoolFault("no")]
    assert disk.sealed == {}


@pytest.mark.parametrize("name", ["owed_due", "take_owed", "content", "past"])
@pytest.mark.parametrize("when", ["before", "after"])
def test_a_process_can_die_at_a_read(name: str, when: str) -> None:
    spool, clock, _ = model()

    def die(called: str, _number: int) -> SpoolFault | None:
        if called == name:
            raise Crash
        return None

    setattr(spool, when, die)
    told: list[object] = []
    reads: dict[str, Callable[[], None]] = {
        "owed_due": lambda: spool.owed_due(clock.now(), 1, told.append),
        "take_owed": lambda: spool.take_owed(QueueId(1), clock.now(), told.append),
        "content": lambda: spool.content(QueueId(1), told.append),
        "past": lambda: spool.past(Destination(AWAY), told.append),
    }
    with pytest.raises(Crash):
        reads[name]()
    for read in reads.values():
        read()
    spool.accept(ModelBox().make(BOB).new, told.append)
    clock.run_now()
    assert (told, spool.is_alive) == ([], False)


def test_only_the_last_to_open_a_disk_has_it() -> None:
    old, clock, disk = model()
    new = ModelSpool(disk, clock)
    told: list[object] = []
    old.accept(ModelBox().make(BOB).new, told.append)
    clock.run_now()
    assert (told, disk.messages) == ([], {})
    assert (old.is_alive, new.is_alive) == (False, True)


def test_the_log_tells_the_checkers_what_was_asked_and_what_was_answered() -> None:
    box = ModelBox()
    mail = box.booked(BOB)
    outcome = mail.outcome(REFUSED)
    box.settle(outcome)
    accepted, settled = box.disk.log
    assert (accepted.name, accepted.asked, accepted.answer) == ("accept", (mail.new,), None)
    assert (settled.name, settled.asked) == ("settle", ((outcome,), (), box.now))
    assert settled.answer == Settled((), ((mail.id, box.now),))
    assert [(one.key, one.before, one.after) for one in box.disk.changes] == [
        ((mail.id, 0), None, InFlight(Fence(1, 1))),
        ((mail.id, 0), InFlight(Fence(1, 1)), Failed(1)),
    ]
