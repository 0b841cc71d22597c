"""What every spool promises to those who make reports and read them, tried on each kind of spool.

delay notices       when, how often, and the word that it has gone through after all
kinds               the sender's report, that word, the postmaster's copy: each by itself
others              how it stands with those whom a report is not about
correspondents      whom a sender's mail reached
heard               what others report later
"""

from __future__ import annotations

from typing import Any

import pytest
from tests.contract.spools import (
    ALICE,
    GATHER,
    KEEP_HISTORY,
    NO_SUCH_USER,
    REFUSED,
    RELAYED,
    SILENT,
    STILL_SILENT,
    STORED,
    Box,
    BoxSettings,
    Mail,
    Maker,
    failing,
    put_off,
    recipient,
)

from byreturn.mail import (
    COPY_LISTENER,
    DAY,
    HOUR,
    NULL_PATH,
    SECOND,
    Action,
    Instant,
    Mailbox,
    Notify,
    QueueId,
    Recipient,
    mailbox_from_text,
)
from byreturn.policy import Expired, Failed, Outcome, Waiting
from byreturn.ports import (
    LATER_LIMIT,
    OTHERS_LIMIT,
    Correspondent,
    Ended,
    HeardReport,
    OwedReport,
    ReportKind,
)

BOB, CAROL, DAVE = "bob@away.example", "carol@away.example", "dave@away.example"
EVE = "eve@dead.example"
AWAY, DEAD = "away.example", "dead.example"


def said(owed: OwedReport | None) -> dict[str, Action]:
    """Who is told of, and what."""
    assert owed is not None
    told = {str(line.recipient.address): line.action for line in owed.lines}
    assert len(told) == len(owed.lines), "two lines for one recipient"
    return told


def told_late(box: Box, *to: str) -> Mail:
    """Accept mail that is put off, and tell of the delay of the first; all are booked again then."""
    mail = box.booked(*(to or (BOB,)))
    count = len(mail.keys)
    later = box.now + HOUR
    box.settle(
        mail.outcome(put_off(later), 0, delay_notices=(later,)),
        *(mail.outcome(put_off(later), ordinal) for ordinal in range(1, count)),
    )
    box.clock.run_until(later)
    assert said(box.tell(mail)) == {(to or (BOB,))[0]: Action.DELAYED}
    assert len(box.claimed()) == count
    return mail


# --- Delay notices ------------------------------------------------------------------------------------


def test_a_delay_is_told_as_often_as_is_wished(box: Box) -> None:
    mail = box.booked(BOB)
    notices = (box.now + HOUR, box.now + 4 * HOUR)
    box.settle(mail.outcome(put_off(box.now + 3 * DAY), delay_notices=notices))
    for due_at in notices:
        assert box.owed_due().next_due_at == due_at
        box.clock.run_until(due_at - 1)
        assert box.take_owed(mail.id) is None
        box.clock.run_until(due_at)
        assert said(box.tell(mail)) == {BOB: Action.DELAYED}
    box.clock.advance(2 * DAY)
    assert box.owed_due().messages == ()
    assert box.owed_due().next_due_at is None


def test_what_was_told_counts_when_it_is_put_off_again(box: Box) -> None:
    mail = box.booked(BOB)
    notices = (box.now, box.now + 4 * HOUR)
    box.settle(mail.outcome(put_off(box.now), delay_notices=notices))
    box.tell(mail)
    assert box.claimed() == [BOB]
    settled = box.settle(mail.outcome(put_off(box.now + DAY), attempt=2, delay_notices=notices))
    assert settled.owed == ((mail.id, notices[1]),)


def test_of_notices_that_are_due_together_one_is_told(box: Box) -> None:
    mail = box.booked(BOB)
    notices = tuple(box.now + hours * HOUR for hours in (1, 2, 3))
    box.settle(mail.outcome(put_off(box.now + DAY), delay_notices=notices))
    box.clock.run_until(notices[1])
    owed = box.taken(mail.id)
    assert said(owed) == {BOB: Action.DELAYED}
    assert box.report(owed, box.report_on(mail))
    assert box.take_owed(mail.id) is None
    assert box.owed_due().next_due_at == notices[2]


def test_who_waits_since_acceptance_is_told_as_often(box: Box) -> None:
    box.settle(news=[failing(DEAD, box.now + DAY, since=box.now)])
    notices = (box.now + HOUR, box.now + 2 * HOUR)
    mail = box.waiting(EVE, finding=SILENT, delay_notices=notices)
    for due_at in notices:
        box.clock.run_until(due_at)
        assert said(box.tell(mail)) == {EVE: Action.DELAYED}
    assert box.owed_due().next_due_at is None


@pytest.mark.parametrize("is_known", [True, False])
@pytest.mark.parametrize("is_at_acceptance", [True, False])
def test_of_the_unknown_a_delay_is_told_early(box: Box, is_known: bool, is_at_acceptance: bool) -> None:
    if is_known:
        box.settle(box.booked(BOB).outcome(RELAYED))
    early_at, notices = box.now + HOUR, (box.now + 4 * HOUR, box.now + 8 * HOUR)
    if is_at_acceptance:
        box.settle(news=[failing(AWAY, box.now + DAY, since=box.now)])
        box.waiting(BOB, finding=SILENT, delay_notices=notices, early_notice_at=early_at)
    else:
        mail = box.booked(BOB)
        event = put_off(box.now + DAY)
        box.settle(mail.outcome(event, delay_notices=notices, early_notice_at=early_at))
    dues = []
    while (due_at := box.owed_due().next_due_at) is not None:
        box.clock.run_until(due_at)
        dues.append(due_at)
        for message_id in box.owed_due().messages:
            box.report(box.taken(message_id), None)
    assert dues == [notices[0] if is_known else early_at, notices[1]]


def test_without_notices_there_is_no_early_one(box: Box) -> None:
    mail = box.booked(BOB)
    settled = box.settle(mail.outcome(put_off(box.now + DAY), early_notice_at=box.now))
    assert settled.owed == ()


@pytest.mark.parametrize(
    ("event", "action"), [(RELAYED, Action.RELAYED), (STORED, Action.DELIVERED)], ids=["relayed", "stored"]
)
def test_who_was_told_of_a_delay_is_told_that_it_has_gone_through(
    box: Box, event: Outcome, action: Action
) -> None:
    mail = told_late(box)
    assert box.settle(mail.outcome(event, attempt=2)).owed == ((mail.id, box.now),)
    owed = box.taken(mail.id)
    assert (owed.kind, said(owed), owed.lines[0].at) == (ReportKind.CLEARED, {BOB: action}, box.now)
    assert len(owed.thread) == 1, "it stands in the thread of the notice"
    assert box.content(mail.id) is not None
    box.tell(mail)
    assert box.owed_due().messages == ()


def test_further_notices_are_withdrawn_when_it_has_gone_through(box: Box) -> None:
    mail = box.booked(BOB)
    box.settle(mail.outcome(put_off(box.now), delay_notices=(box.now, box.now + HOUR)))
    box.tell(mail)
    box.claim()
    box.settle(mail.outcome(RELAYED, attempt=2))
    assert box.tell(mail).kind is ReportKind.CLEARED
    box.clock.advance(HOUR)
    assert (box.owed_due().messages, box.owed_due().next_due_at) == ((), None)


def test_of_a_delay_that_nobody_heard_of_nothing_is_cleared(box: Box) -> None:
    untold, silent = box.booked(BOB), box.booked(BOB)
    box.settle(untold.outcome(put_off(box.now), delay_notices=(box.now + HOUR,)))
    box.settle(silent.outcome(put_off(box.now), delay_notices=(box.now,)))
    assert box.report(box.taken(silent.id), None)
    box.claim()
    settled = box.settle(untold.outcome(RELAYED, attempt=2), silent.outcome(RELAYED, attempt=2))
    assert settled.owed == ()
    assert box.owed_due().next_due_at is None


def test_a_report_of_success_clears_a_delay_by_itself(box: Box) -> None:
    mail = box.booked(recipient(0, BOB, notify=Notify.SUCCESS | Notify.DELAY))
    box.settle(mail.outcome(put_off(box.now), delay_notices=(box.now,)))
    box.tell(mail)
    box.claim()
    box.settle(mail.outcome(RELAYED, attempt=2))
    box.clock.advance(DAY)
    owed = box.tell(mail)
    assert (owed.kind, said(owed)) == (ReportKind.REPORT, {BOB: Action.RELAYED})
    assert box.owed_due().messages == ()


def test_a_failure_clears_no_delay(box: Box) -> None:
    mail = told_late(box)
    box.settle(mail.outcome(REFUSED, attempt=2))
    box.clock.advance(DAY)
    assert said(box.tell(mail)) == {BOB: Action.FAILED}
    assert box.owed_due().messages == ()


# --- Kinds --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("notify", [Notify.ABSENT, Notify.NEVER])
def test_the_postmaster_has_a_copy_whether_the_sender_is_told_or_not(box: Box, notify: Notify) -> None:
    mail = box.booked(BOB, notify=notify)
    box.settle(mail.outcome(REFUSED, is_copied=True))
    if notify is Notify.ABSENT:
        assert box.tell(mail).kind is ReportKind.REPORT
    assert box.owed_due().messages == ()
    assert box.owed_due().next_due_at == box.now + GATHER
    box.clock.advance(GATHER)
    owed = box.tell(mail)
    assert (owed.kind, said(owed)) == (ReportKind.COPY, {BOB: Action.FAILED})
    assert owed.lines[0].finding == NO_SUCH_USER
    assert (owed.others, owed.other_count) == ((), 0)
    assert (box.owed_due().messages, box.owed_due().next_due_at) == ((), None)


def test_of_what_is_put_off_there_is_no_copy(box: Box) -> None:
    mail = box.booked(BOB)
    assert box.settle(mail.outcome(put_off(box.now + HOUR), is_copied=True)).owed == ()


def test_who_is_told_first(box: Box) -> None:
    mail = told_late(box, BOB, CAROL)
    box.settle(mail.outcome(RELAYED, 0, attempt=2), mail.outcome(REFUSED, 1, attempt=2, is_copied=True))
    box.clock.advance(DAY)
    seen = []
    while box.owed_due().messages:
        assert box.owed_due().messages == (mail.id,), "it is named again until all is told"
        owed = box.tell(mail)
        seen.append((owed.kind, said(owed)))
    assert seen == [
        (ReportKind.REPORT, {CAROL: Action.FAILED}),
        (ReportKind.CLEARED, {BOB: Action.RELAYED}),
        (ReportKind.COPY, {CAROL: Action.FAILED}),
    ]


def test_a_kind_that_is_not_due_holds_up_no_other(box: Box) -> None:
    mail = told_late(box, BOB, CAROL)
    # The second report of a message waits; the word that it has gone through does not.
    box.settle(mail.outcome(RELAYED, 0, attempt=2), mail.outcome(REFUSED, 1, attempt=2))
    owed = box.tell(mail)
    assert (owed.kind, said(owed)) == (ReportKind.CLEARED, {BOB: Action.RELAYED})
    assert box.owed_due().messages == ()
    box.clock.advance(4 * GATHER)
    assert said(box.taken(mail.id)) == {CAROL: Action.FAILED}


def test_a_report_is_marked_and_its_copy_is_not(box: Box) -> None:
    mail = box.booked(BOB)
    box.settle(mail.outcome(REFUSED, is_copied=True))
    box.clock.advance(GATHER)
    owed = box.taken(mail.id)
    assert box.report(owed, None)
    assert box.report(owed, None) is False
    copy = box.taken(mail.id)
    assert copy.kind is ReportKind.COPY
    assert box.report(copy, box.report_on(mail))
    assert box.report(copy, box.report_on(mail)) is False


def test_copies_of_a_message_are_gathered(box: Box) -> None:
    mail = box.booked(BOB, CAROL)
    box.settle(mail.outcome(REFUSED, 0, is_copied=True))
    box.clock.advance(GATHER // 2)
    box.settle(mail.outcome(REFUSED, 1, is_copied=True))
    assert box.tell(mail).kind is ReportKind.REPORT
    box.clock.advance(GATHER // 2)
    assert said(box.tell(mail)) == {BOB: Action.FAILED, CAROL: Action.FAILED}
    assert box.owed_due().messages == ()


def test_a_copy_is_none_of_the_senders_reports(box: Box) -> None:
    mail = box.booked(recipient(0, BOB, notify=Notify.NEVER), recipient(1, CAROL))
    box.settle(mail.outcome(REFUSED, 0, is_copied=True))
    box.clock.advance(GATHER)
    assert box.tell(mail).kind is ReportKind.COPY
    # So the first report to the sender waits for nothing more, and follows none.
    assert box.settle(mail.outcome(REFUSED, 1)).owed == ((mail.id, box.now),)
    assert box.taken(mail.id).thread == ()


def test_that_it_has_gone_through_makes_no_report_wait(box: Box) -> None:
    mail = told_late(box, BOB, CAROL, DAVE)
    box.settle(mail.outcome(REFUSED, 1, attempt=2))
    box.settle(mail.outcome(RELAYED, 0, attempt=2))
    box.tell(mail)
    # The notice was the first; the second waits four times as long, not sixteen times.
    box.clock.advance(4 * GATHER)
    owed = box.tell(mail)
    assert (said(owed), len(owed.thread)) == ({CAROL: Action.FAILED}, 2)
    assert box.settle(mail.outcome(REFUSED, 2, attempt=2)).owed == ((mail.id, box.now + 16 * GATHER),)


def test_what_is_owed_of_each_kind_survives_a_crash(box: Box) -> None:
    mail = told_late(box, BOB, CAROL)
    box.settle(mail.outcome(RELAYED, 0, attempt=2), mail.outcome(REFUSED, 1, attempt=2, is_copied=True))
    box.crash()
    box.clock.advance(DAY)
    kinds = []
    while box.owed_due().messages:
        owed = box.taken(mail.id)
        kinds.append(owed.kind)
        box.report(owed, None)
    assert kinds == list(ReportKind)


def test_a_message_is_kept_until_its_copy_is_made(box: Box) -> None:
    mail = box.booked(BOB, notify=Notify.NEVER)
    box.settle(mail.outcome(REFUSED, is_copied=True))
    box.clock.advance(2 * KEEP_HISTORY)
    box.purge()
    assert box.content(mail.id) is not None
    box.tell(mail)
    assert box.purge() > 0
    assert box.content(mail.id) is None


# --- Others -------------------------------------------------------------------------------------------


def test_how_it_stands_with_the_others(box: Box) -> None:
    mail = box.booked(BOB, CAROL, DAVE, EVE)
    notice_at, due_at = box.now + 4 * HOUR, box.now + HOUR
    box.settle(
        mail.outcome(REFUSED, 0),
        mail.outcome(RELAYED, 1),
        mail.outcome(put_off(due_at), 2, delay_notices=(notice_at, notice_at + HOUR)),
        mail.outcome(put_off(due_at, SILENT), 3),
        news=[failing(DEAD, due_at + HOUR, finding=STILL_SILENT)],
    )
    owed = box.tell(mail)
    dave, eve, carol = owed.others
    assert owed.other_count == 3
    assert (dave.recipient, dave.state) == (mail.new.recipients[2].recipient, Waiting(due_at, 1))
    assert (dave.next_try_at, dave.notice_at) == (due_at, notice_at)
    assert (dave.changed_at, dave.expires_at) == (box.now, mail.new.message.expires_at)
    # She waits for her destination, whose last finding speaks for all who wait there.
    assert (eve.finding, eve.next_try_at, eve.notice_at) == (STILL_SILENT, due_at + HOUR, None)
    assert (str(carol.recipient.address), carol.finding) == (CAROL, RELAYED.diagnosis)
    assert not any(other.is_told for other in owed.others)


def test_of_whom_it_was_told_is_known(box: Box) -> None:
    mail = box.booked(recipient(0, BOB), recipient(1, CAROL, notify=Notify.NEVER), recipient(2, DAVE))
    box.settle(mail.outcome(REFUSED, 0), mail.outcome(REFUSED, 1), mail.outcome(put_off(box.now), 2))
    box.tell(mail)
    box.claim()
    box.settle(mail.outcome(REFUSED, 2, attempt=2))
    box.clock.advance(DAY)
    others = box.taken(mail.id).others
    assert [(str(one.recipient.address), type(one.state), one.is_told) for one in others] == [
        (BOB, Failed, True),
        (CAROL, Failed, False),
    ]


def test_one_alone_has_no_others(box: Box) -> None:
    mail = box.booked(BOB)
    box.settle(mail.outcome(REFUSED))
    owed = box.taken(mail.id)
    assert (owed.others, owed.other_count) == ((), 0)


def test_of_many_others_those_that_wait_are_named(box: Box) -> None:
    count = OTHERS_LIMIT + 5
    mail = box.booked(*(f"u{n}@away.example" for n in range(count)))
    box.settle(
        *(mail.outcome(RELAYED, ordinal) for ordinal in range(count - 3)),
        mail.outcome(REFUSED, count - 3),
        *(mail.outcome(put_off(box.now + DAY), ordinal) for ordinal in (count - 2, count - 1)),
    )
    owed = box.taken(mail.id)
    ordinals = [other.recipient.ordinal for other in owed.others]
    assert ordinals == [count - 2, count - 1, *range(OTHERS_LIMIT - 2)]
    assert owed.other_count == count - 1


# --- Expiry -------------------------------------------------------------------------------------------


def over_time(box: Box, **how: Any) -> Mail:
    """Let mail run out of time at a failing destination, and say who ended."""
    box.settle(news=[failing(DEAD, box.now + HOUR, since=box.now)])
    mail = box.waiting(EVE, finding=SILENT, lifetime=DAY, **how)
    box.clock.advance(HOUR)
    box.settle(news=[failing(DEAD, box.now + 2 * DAY, failures=2, finding=STILL_SILENT)])
    box.clock.run_until(mail.new.message.expires_at)
    return mail


@pytest.mark.parametrize("is_wanted", [True, False])
@pytest.mark.parametrize("notify", [Notify.ABSENT, Notify.NEVER])
def test_of_what_runs_out_of_time_there_are_copies_if_wished(
    make_box: Maker, is_wanted: bool, notify: Notify
) -> None:
    box = make_box(BoxSettings(copy_expired=is_wanted))
    over_time(box, notify=notify)
    box.expire()
    box.clock.advance(GATHER)
    kinds = []
    while due := box.owed_due().messages:
        owed = box.taken(due[0])
        kinds.append(owed.kind)
        assert (said(owed), type(owed.lines[0].state)) == ({EVE: Action.FAILED}, Expired)
        box.report(owed, None)
    assert kinds == [ReportKind.REPORT] * (notify is Notify.ABSENT) + [ReportKind.COPY] * is_wanted


@pytest.mark.parametrize("is_wanted", [True, False])
def test_of_a_report_that_runs_out_of_time_there_is_a_copy_if_wished(
    make_box: Maker, is_wanted: bool
) -> None:
    box = make_box(BoxSettings(copy_expired=not is_wanted, copy_expired_reports=is_wanted))
    mail = over_time(box, reverse_path=NULL_PATH, about=QueueId(1))
    address = mail.new.recipients[0].recipient.address
    assert box.expire().expired == (Ended(mail.id, address, STILL_SILENT, is_null=True),)
    box.clock.advance(GATHER)
    assert box.owed_due().messages == (mail.id,) * is_wanted


def test_of_a_copy_that_runs_out_of_time_there_is_none(make_box: Maker) -> None:
    box = make_box(BoxSettings(copy_expired=True, copy_expired_reports=True))
    over_time(box, reverse_path=NULL_PATH, about=QueueId(1), listener=COPY_LISTENER)
    assert len(box.expire().expired) == 1
    box.clock.advance(DAY)
    assert box.owed_due().messages == ()


# --- Whom a sender's mail reached ---------------------------------------------------------------------


def test_whom_mail_reached_is_known_the_latest_first(box: Box) -> None:
    first, second, third = box.booked(BOB, CAROL), box.booked(DAVE, BOB), box.booked("zoe@away.example")
    box.settle(first.outcome(RELAYED, 0), first.outcome(REFUSED, 1))
    began_at = box.now
    box.clock.advance(SECOND)
    box.settle(third.outcome(put_off(box.now + HOUR)), second.outcome(RELAYED, 0))
    box.clock.advance(SECOND)
    box.settle(second.outcome(STORED, 1))
    assert box.correspondents(ALICE) == (
        Correspondent(mailbox_from_text(BOB), box.now),
        Correspondent(mailbox_from_text(DAVE), began_at + SECOND),
    )
    assert [str(one.address) for one in box.correspondents(ALICE, 1)] == [BOB]


def test_they_are_known_by_the_name_that_was_written(box: Box) -> None:
    mail = box.booked(recipient(0, BOB, given="team@here.example"))
    box.settle(mail.outcome(RELAYED))
    assert [str(one.address) for one in box.correspondents(ALICE)] == ["team@here.example"]


def test_nobody_learns_of_others_mail(box: Box) -> None:
    mail = box.booked(BOB, reverse_path=Mailbox("mallory", "here.example"))
    bounce = box.booked(CAROL, reverse_path=NULL_PATH)
    box.settle(mail.outcome(RELAYED), bounce.outcome(RELAYED))
    assert box.correspondents(ALICE) == ()


# --- What others report -------------------------------------------------------------------------------

MAILER_ID = QueueId(4711)


def heard(
    at: Instant, to: str | None = BOB, *, text: str = "550 5.1.1 Unknown", path: Mailbox = ALICE, **more: str
) -> HeardReport:
    """Make what somebody reports."""
    whom = None if to is None else mailbox_from_text(to)
    return HeardReport(
        reverse_path=path, report_id=MAILER_ID, at=at, action="failed", text=text, recipient=whom, **more
    )


def sent(box: Box, *to: str | Recipient, **how: Any) -> Mail:
    """Send mail, all of which is taken."""
    mail = box.booked(*to, **how)
    box.settle(*(mail.outcome(RELAYED, ordinal) for ordinal in range(len(to))))
    return mail


def test_a_report_is_known_by_its_envid(box: Box) -> None:
    mail = sent(box, BOB, CAROL, envid="QQ+2B314159")
    assert box.heard(heard(box.now, CAROL, envid="QQ+314159")) == (mail.id,)
    assert box.later(mail.id) == [(1, box.now, MAILER_ID, "failed", "550 5.1.1 Unknown")]


def test_an_envid_may_be_written_in_several_ways(box: Box) -> None:
    sent(box, BOB, envid="ABD")
    mail = sent(box, BOB, envid="A+42C")
    assert box.heard(heard(box.now, envid="ABC"), heard(box.now, envid="A+42C")) == (mail.id, None)


def test_a_report_is_known_by_its_message_id(box: Box) -> None:
    mail = sent(box, BOB, CAROL, message_id="<1@client.example>")
    sent(box, BOB, CAROL)
    assert box.heard(heard(box.now, message_id="<1@client.example>", envid="not ours")) == (mail.id,)
    assert [one[0] for one in box.later(mail.id)] == [0]


def test_only_what_was_sent_from_there_is_meant(box: Box) -> None:
    mail = sent(box, BOB, message_id="<1@client.example>", envid="E1")
    mallory = Mailbox("mallory", "here.example")
    assert box.heard(
        heard(box.now, path=mallory, message_id="<1@client.example>"),
        heard(box.now, path=mallory, envid="E1"),
        heard(box.now, path=mallory),
    ) == (None, None, None)
    assert box.later(mail.id) == []


def test_what_has_a_name_that_is_not_ours_is_no_report_on_our_mail(box: Box) -> None:
    sent(box, BOB, message_id="")
    assert box.heard(
        heard(box.now, message_id="<forged@elsewhere.example>"), heard(box.now, envid="elsewhere")
    ) == (None, None)


@pytest.mark.parametrize("to", [BOB, None])
def test_a_path_made_for_one_recipient_tells_who_is_meant(box: Box, to: str | None) -> None:
    path = Mailbox("list+bob=away.example", "here.example")
    sent(box, BOB, reverse_path=path)
    latest = sent(box, BOB, reverse_path=path)
    sent(box, CAROL)
    assert box.heard(heard(box.now, to, path=path)) == (latest.id,)
    assert [one[0] for one in box.later(latest.id)] == [0]


def test_without_a_name_only_who_can_be_one_is_meant(box: Box) -> None:
    sent(box, BOB)
    latest = sent(box, recipient(0, CAROL, given="team@here.example"), BOB)
    sent(box, recipient(0, DAVE, given="team@here.example"))
    asked = [heard(box.now, to) for to in (None, "team@here.example", "zoe@away.example", BOB)]
    assert box.heard(*asked) == (None, None, None, latest.id)


def test_who_is_meant_is_known_by_every_name(box: Box) -> None:
    mail = sent(
        box,
        recipient(0, BOB, given="Team@here.example"),
        recipient(1, CAROL, orcpt="rfc822;c+2Blist@old.example"),
        recipient(2, DAVE, given="others@here.example"),
        recipient(3, EVE, given="others@here.example"),
        message_id="<1@client.example>",
    )
    names = ("team@HERE.example", "c+list@old.example", BOB, "zoe@away.example", "others@here.example", EVE)
    for number, name in enumerate(names):
        one = heard(box.now + number, name, message_id="<1@client.example>")
        assert box.heard(one) == (mail.id,)
    box.heard(heard(box.now + 6, None, message_id="<1@client.example>"))
    assert {at - box.now: ordinal for ordinal, at, *_ in box.later(mail.id)} == {
        0: 0, 1: 1, 3: None, 5: 3,
    }  # fmt: skip


def test_who_is_alone_need_not_be_named(box: Box) -> None:
    mail = sent(box, BOB, envid="E1")
    assert box.heard(heard(box.now, None, envid="E1")) == (mail.id,)
    assert [one[0] for one in box.later(mail.id)] == [0]


def test_the_same_report_is_kept_once(box: Box) -> None:
    mail = sent(box, BOB, envid="E1")
    one, other = heard(box.now, envid="E1"), heard(box.now, envid="E1", text="552 5.2.2 Full")
    assert box.heard(one, one) == (mail.id, mail.id)
    box.heard(one, other)
    assert [one[4] for one in box.later(mail.id)] == ["550 5.1.1 Unknown", "552 5.2.2 Full"]


def test_so_many_are_kept_for_a_recipient(box: Box) -> None:
    mail = sent(box, BOB, CAROL, envid="E1")
    for to in (BOB, "zoe@away.example", CAROL):
        for number in range(LATER_LIMIT + 2):
            box.heard(heard(box.now, to, envid="E1", text=str(number)))
    ordinals = [one[0] for one in box.later(mail.id)]
    assert ordinals == [0] * LATER_LIMIT + [None] * LATER_LIMIT + [1] * LATER_LIMIT


def test_what_others_report_changes_no_disposition(box: Box) -> None:
    mail = sent(box, BOB, envid="E1")
    before = box.history(mail.id)
    box.heard(heard(box.now, envid="E1"))
    assert box.history(mail.id) == before
    assert (box.owed_due().messages, box.claim().consignments) == ((), ())


def test_what_was_heard_survives_a_crash_and_goes_with_its_message(box: Box) -> None:
    mail = sent(box, BOB, envid="E1")
    box.heard(heard(box.now, envid="E1"))
    box.crash()
    assert len(box.later(mail.id)) == 1
    box.clock.advance(KEEP_HISTORY + DAY)
    box.purge()
    assert box.later(mail.id) == []
    assert box.heard(heard(box.now, envid="E1")) == (None,)


def test_what_was_heard_just_before_a_crash_is_kept_or_not(box: Box) -> None:
    mail = sent(box, BOB, envid="E1")
    answers: list[object] = []
    box.spool.heard((heard(box.now, envid="E1"),), answers.append)
    box.die_at_the_commit(is_kept=False)
    assert (answers, box.later(mail.id)) == ([], [])
    box.spool.heard((heard(box.now, envid="E1"),), answers.append)
    box.die_at_the_commit(is_kept=True)
    assert (answers, len(box.later(mail.id))) == ([], 1)
