"""What is done a stretch at a time comes to everything in the end; what must stay hides nothing."""

import sqlite3

import pytest
from tests.contract.spools import (
    REFUSED,
    RELAYED,
    SILENT,
    BoxSettings,
    SqliteBox,
    failing,
)

from byreturn.mail import DAY, HOUR, MINUTE, SECOND, Priority
from byreturn.ports import SpoolFault
from byreturn.spool import claiming, expiring, keeping, owing, sqlite


@pytest.fixture
def box(tmp_path):
    box = SqliteBox(tmp_path / "data", BoxSettings(keep_content=DAY, keep_history=10 * DAY))
    yield box
    box.close()


# --- Expiry -------------------------------------------------------------------------------------------


@pytest.fixture
def small_expiry(monkeypatch):
    monkeypatch.setattr(expiring, "EXPIRY_STRETCH", 3)


def let_expire(box):
    """Look again whenever that is asked for, as upkeep does; say how many expired."""
    expired = 0
    for _ in range(100):
        expiry = box.expire(2)
        expired += len(expiry.expired)
        if expiry.next_at is None or expiry.next_at > box.now + MINUTE:
            return expired
        box.clock.run_until(max(expiry.next_at, box.now + 1))
    raise AssertionError("it never came to an end")


def test_what_is_over_at_a_living_destination_hides_nobody(box, small_expiry):
    for n in range(20):
        box.waiting(f"u{n}@slow.example", lifetime=HOUR, due_at=box.now + 1)
    box.clock.advance(MINUTE)
    for n in range(7):
        box.waiting(f"u{n}@dead.example", lifetime=HOUR, finding=SILENT)
    box.clock.advance(2 * HOUR)
    box.settle(news=[failing("dead.example", box.now + DAY)])
    box.started_at = 0
    assert let_expire(box) == 7
    # And those that come later are found in the next round.
    box.waiting("late@dead.example", lifetime=0, finding=SILENT)
    box.settle(news=[failing("dead.example", box.now + DAY)])
    assert let_expire(box) == 1


def test_who_waits_for_a_probe_hides_nobody(box, small_expiry):
    for n in range(9):
        box.waiting(f"u@unprobed{n}.example", lifetime=HOUR, finding=SILENT)
        box.settle(news=[failing(f"unprobed{n}.example", box.now + DAY)])
    box.clock.advance(SECOND)
    for n in range(5):
        box.waiting(f"u{n}@dead.example", lifetime=HOUR, finding=SILENT)
    box.clock.advance(2 * HOUR)
    box.started_at = box.now
    box.settle(news=[failing("dead.example", box.now + DAY)])
    assert let_expire(box) == 5


def test_in_a_stretch_nobody_is_passed_over(box, monkeypatch):
    monkeypatch.setattr(expiring, "EXPIRY_STRETCH", 4)
    box.settle(news=[failing("dead.example", box.now + DAY)])
    for n in range(30):
        place = "dead" if n % 3 else "slow"
        box.waiting(f"u{n}@{place}.example", lifetime=HOUR + n % 2, finding=SILENT)
    box.clock.advance(2 * HOUR)
    box.settle(news=[failing("dead.example", box.now + DAY)])
    # One round, in which those that are left move up in the order.
    expired = 0
    for _ in range(20):
        expiry = box.expire(100)
        expired += len(expiry.expired)
        if expiry.next_at is None:
            break
    assert expired == 20


def test_a_fault_moves_nothing_on(box, small_expiry):
    for n in range(5):
        box.waiting(f"u{n}@slow.example", lifetime=0)
    box.expire()
    reached = box.spool._expired_to
    assert reached[0] > 0
    told = []
    box.spoil_next_commit(is_kept=False)
    box.spool.expire(box.now, box.now, 10, told.append)
    box.clock.run_now()
    assert isinstance(told[0], SpoolFault)
    assert box.spool._expired_to == reached


# --- Purge --------------------------------------------------------------------------------------------


@pytest.fixture
def small_purge(monkeypatch):
    monkeypatch.setattr(keeping, "STRETCH", 3)


def test_an_old_queue_hides_no_history(box, small_purge):
    for n in range(10):
        box.waiting(f"u{n}@slow.example", due_at=box.now + 30 * DAY)
    done = [box.booked(f"u{n}@away.example") for n in range(5)]
    box.settle(*(mail.outcome(RELAYED) for mail in done))
    box.clock.advance(20 * DAY)
    gone = sum(box.purge() for _ in range(6))
    assert gone == 5 + 1, "and that the destination took mail"
    assert box.query("SELECT count(*) FROM message") == [(10,)]


def test_history_that_is_over_later_is_found_in_the_next_round(box, small_purge):
    mails = [box.booked(f"u{n}@away.example") for n in range(10)]
    box.settle(*(mail.outcome(REFUSED) for mail in mails[5:]))
    for mail in mails[5:]:
        box.tell(mail)
    box.clock.advance(20 * DAY)
    for _ in range(10):
        box.purge()
    assert box.query("SELECT count(*) FROM message WHERE about IS NULL") == [(5,)]
    box.settle(*(mail.outcome(RELAYED) for mail in mails[:5]))
    for _ in range(10):
        box.purge()
    assert box.query("SELECT count(*) FROM message WHERE about IS NULL") == [(0,)]


def test_a_message_of_many_counts_as_many(box):
    mails = [box.booked(*(f"u{n}@away.example" for n in range(10))) for _ in range(5)]
    for mail in mails:
        box.settle(*(mail.outcome(RELAYED, n) for n in range(10)))
    box.clock.advance(20 * DAY)
    purged = [box.purge(15) for _ in range(4)]
    assert purged == [20 + 1, 20, 10, 0]


def test_what_a_report_needs_hides_no_content_that_may_go(box, monkeypatch):
    monkeypatch.setattr(keeping, "STRETCH", 3)
    owing_mails = [box.booked("nobody@away.example") for _ in range(2)]
    box.settle(*(mail.outcome(REFUSED) for mail in owing_mails))
    box.clock.advance(SECOND)
    told = [box.booked("nobody@away.example") for _ in range(4)]
    box.settle(*(mail.outcome(REFUSED) for mail in told))
    for mail in told:
        assert box.report(box.taken(mail.id), None)
    box.clock.advance(2 * DAY)
    # One at a time, because two of each stretch must stay.
    assert [box.purge() for _ in range(5)] == [1, 1, 1, 1, 0]
    assert box.query("SELECT octets FROM kept")[0][0] == sum(len(mail.new.content) for mail in owing_mails)


def test_pages_go_back_to_the_disk(box, monkeypatch):
    mails = [box.booked("nobody@away.example", content=b"x" * 60_000) for _ in range(40)]
    box.settle(*(mail.outcome(REFUSED) for mail in mails))
    for mail in mails:
        assert box.report(box.taken(mail.id), None)
    ((before,),) = box.query("PRAGMA page_count")
    monkeypatch.setattr(sqlite, "_PAGES_GIVEN_BACK", 100)
    box.clock.advance(2 * DAY)
    assert box.purge() == 40
    box.clock.run_now()
    ((after,),) = box.query("PRAGMA page_count")
    assert 100 <= before - after <= 110
    monkeypatch.undo()
    mail = box.booked("somebody@away.example")
    box.settle(mail.outcome(REFUSED))
    assert box.report(box.taken(mail.id), None)
    box.clock.advance(2 * DAY)
    box.purge()
    box.clock.run_now()
    assert box.query("PRAGMA freelist_count") == [(0,)]


# --- Reports ------------------------------------------------------------------------------------------


def test_a_message_with_many_owed_lines_hides_no_other(box, monkeypatch):
    monkeypatch.setattr(owing, "_STRETCH", 4)
    many = box.booked(*(f"u{n}@away.example" for n in range(10)))
    box.settle(*(many.outcome(REFUSED, n) for n in range(10)))
    box.clock.advance(1)
    one = box.booked("nobody@away.example")
    box.settle(one.outcome(REFUSED))
    due = box.owed_due()
    assert due.messages == (many.id,)
    assert due.next_due_at == box.now, "there may be more"
    box.report(box.taken(many.id), None)
    due = box.owed_due()
    assert (due.messages, due.next_due_at) == ((one.id,), None)


def test_reports_for_the_dead_beyond_what_is_looked_at_hide_none_for_long(box, monkeypatch):
    monkeypatch.setattr(claiming, "_REPORTS_PASSED_OVER", 3)
    box.settle(news=[failing("dead.example", box.now + DAY)])
    about = box.booked("nobody@away.example")
    for n in range(20):
        assert box.accept(box.report_on(about, f"u{n}@dead.example")) is None
    box.clock.advance(1)
    assert box.accept(box.report_on(about, "alice@here.example")) is None
    box.waiting("urgent@here.example", priority=Priority.URGENT)
    assert box.claimed(1) == ["alice@here.example"], "at its destination it is the first"


def test_a_question_to_a_database_that_cannot_be_read_is_a_fault(box):
    box.spool._reader.close()
    told = []
    box.spool.past("away.example", told.append)
    (fault,) = told
    assert isinstance(fault, SpoolFault)
    assert "cannot be read" in fault.why
    box.spool._reader = sqlite3.connect(":memory:")


@pytest.mark.parametrize("act", ["denied", "learn", "set_brake"])
def test_what_cannot_be_remembered_is_a_fault_and_spoils_nothing(box, act, monkeypatch):
    statement = {"denied": "deny", "learn": "learn", "set_brake": "release_brake"}[act]
    from byreturn.spool import remembering

    monkeypatch.setitem(remembering.SQL, statement, "INSERT INTO nowhere VALUES (1)")
    told, kept = [], []
    mail = box.make("bob@away.example")
    box.spool.accept(mail.new, kept.append)
    match act:
        case "denied":
            box.spool.denied("away.example", None, told.append)
        case "learn":
            from byreturn.ports import Lesson

            box.spool.learn(Lesson("mx", "octets", 1, "", 0, 1), told.append)
        case _:
            box.spool.set_brake(None, told.append)
    box.clock.run_now()
    (fault,) = told
    assert isinstance(fault, SpoolFault)
    assert not fault.is_ambiguous
    assert kept == [None]
    assert box.content(mail.id) is not None
