"""New code on an old spool: the mail that was in it goes on, and what it says is brought up to date.

`schema_1.sql` is what the last release with that schema wrote, with something in every state, and so on for
each version after it; so a spool of every release can be opened for good.
"""

import sqlite3
import sys
import time
from pathlib import Path

import pytest
from msgspec.structs import replace
from tests.contract.spools import (
    RELAYED,
    SILENT,
    STILL_SILENT,
    SqliteBox,
    addresses,
    attempts,
    put_off,
)

from byreturn.mail import DAY, HOUR, MINUTE, Action, Mailbox, id_text
from byreturn.policy import Delivered, Expired, Failed, Fence, InFlight, Waiting
from byreturn.ports import HeardReport, Past, ReportKind, Settling
from byreturn.spool import Selection, SpoolReader, SpoolRefused, opening
from byreturn.spool.opening import CONTENT_FOLDER, DATABASE_NAME, SCHEMA_VERSION
from byreturn.spool.rows import state_from_row
from byreturn.spool.statements import MIGRATIONS, SCHEMA

HERE = Path(__file__).parent
# When that spool's server died.
DIED_AT = 1_767_229_382_000
LARGE = 794370064252993536
LARGE_2 = 794357724610625538


def old_spool(folder, version=1, *, large=LARGE):
    """Lay an old spool into a folder."""
    (folder / CONTENT_FOLDER).mkdir(parents=True)
    connection = sqlite3.connect(folder / DATABASE_NAME)
    connection.executescript((HERE / f"schema_{version}.sql").read_text("utf-8"))
    connection.execute("PRAGMA journal_mode = WAL")
    assert connection.execute("PRAGMA auto_vacuum").fetchone() == (2,)
    connection.close()
    (folder / CONTENT_FOLDER / id_text(large)).write_bytes(b"x" * 100_000)
    return folder


class OldBox(SqliteBox):
    """A server of today on a spool of then, a minute after that died."""

    def __init__(self, folder):
        self.is_later = False
        super().__init__(folder)

    def open(self):
        if not self.is_later:
            self.clock.run_until(DIED_AT + MINUTE)
            self.is_later = True
        super().open()


@pytest.fixture
def folder(tmp_path):
    return old_spool(tmp_path / "data")


@pytest.fixture
def box(folder):
    box = OldBox(folder)
    yield box
    box.close()


def schema_of(path):
    """All that makes the schema: tables, columns with their checks, indexes, triggers."""
    connection = sqlite3.connect(path)
    rows = connection.execute("SELECT type, name, tbl_name, sql FROM sqlite_master").fetchall()
    connection.close()
    return {(kind, name, table, " ".join((sql or "").split())) for kind, name, table, sql in rows}


def test_there_is_a_way_and_a_spool_for_every_version_before():
    assert set(MIGRATIONS) == set(range(1, SCHEMA_VERSION))
    assert {path.name for path in HERE.glob("*.sql")} == {f"schema_{n}.sql" for n in MIGRATIONS}


@pytest.mark.parametrize("version", MIGRATIONS)
def test_an_old_spool_becomes_what_a_new_one_is(tmp_path, version):
    OldBox(old_spool(tmp_path / "old", version)).close()
    SqliteBox(tmp_path / "new").close()
    assert schema_of(tmp_path / "old" / DATABASE_NAME) == schema_of(tmp_path / "new" / DATABASE_NAME)


def test_it_is_quick(folder):
    began_at = time.perf_counter()
    OldBox(folder).close()
    assert time.perf_counter() - began_at < 1


def test_everybody_is_where_they_were_and_who_was_in_flight_waits(box):
    assert (box.opened.interrupted, box.opened.parked) == (3, 0)
    rows = box.query("SELECT address, state, due_at, epoch, attempts FROM recipient")
    states = {(row[0], type(state_from_row(*row[1:]))) for row in rows}
    assert states == {
        ("cut@away.example", Delivered),
        ("a@first.example", Delivered),
        ("b@second.example", Delivered),
        ("c@first.example", Delivered),
        ("ann@here.example", Delivered),
        ("nobody@away.example", Failed),
        ("over@gone.example", Expired),
        ("late@slow.example", Waiting),
        ("eve@dead.example", Waiting),
        ("mallory@dead.example", Waiting),
        ("alice@here.example", Waiting),
        ("big@slow.example", Waiting),
        ("flying@away.example", Waiting),
    }
    assert box.query("SELECT count(*) FROM recipient") == [(14,)]


def test_what_waited_is_tried_with_its_content(box):
    box.clock.advance(MINUTE)
    claimed = box.claim()
    assert attempts(claimed) == {"alice@here.example": 2, "big@slow.example": 2, "flying@away.example": 2}
    assert addresses(claimed)[0] == "alice@here.example", "the report goes first"
    assert box.content(LARGE) == b"x" * 100_000
    contents = {box.content(consignment.message.id) for consignment in claimed.consignments}
    assert "Subject: ünterwegs\r\n\r\n".encode() in contents
    for consignment in claimed.consignments:
        assert {one.expires_at for one in consignment.bookings} == {consignment.message.expires_at}
    box.clock.advance(HOUR)
    # One of those at the destination that does not answer, as its probe.
    assert attempts(box.claim()) == {"late@slow.example": 2, "eve@dead.example": 1}


def test_destinations_keep_their_health(box):
    by_name = {news.destination: news for news in box.opened.failing}
    assert {name: (news.failures, news.finding) for name, news in by_name.items()} == {
        "dead.example": (2, SILENT),
        "gone.example": (5, STILL_SILENT),
    }


def test_every_report_that_was_owed_is_made(box):
    due = box.owed_due()
    said = {
        (str(line.recipient.address), line.action)
        for message_id in due.messages
        for line in box.taken(message_id).lines
    }
    assert said == {
        ("nobody@away.example", Action.FAILED),
        ("c@first.example", Action.RELAYED),
        ("over@gone.example", Action.FAILED),
    }
    assert due.next_due_at is not None, "a delay notice"


def test_who_took_mail_is_known_from_the_history(box):
    (began_at,) = box.query("SELECT min(started_at) FROM epoch")[0]
    assert box.past("second.example") == Past(began_at + 62_000, None)
    assert box.past("first.example") == Past(began_at + 62_000 + HOUR, None)
    assert box.past("away.example") == Past(began_at + 62_000, None)
    for name in ("here.example", "slow.example", "dead.example"):
        assert box.past(name) is None, name
    assert box.opened.known == ("first.example", "away.example", "second.example")
    assert (box.opened.lessons, box.opened.brake) == ((), None)


def test_what_is_kept_is_counted(box):
    ((counted, summed),) = box.query(
        "SELECT (SELECT octets FROM kept), sum(size) FROM content WHERE keep_until IS NOT NULL"
    )
    assert counted == summed > 0
    for message_id in box.owed_due().messages:
        box.report(box.taken(message_id), None)
    # At the fourth day nothing is kept any more, but the one that waits with it.
    box.clock.advance(4 * DAY)
    box.purge()
    assert box.query("SELECT octets FROM kept") == [(0,)]


def test_it_is_migrated_once_and_works_like_any_other(box):
    mail = box.booked("new@first.example")
    box.settle(mail.outcome(RELAYED))
    opened = box.restart()
    assert opened.floor == mail.id
    assert opened.known[0] == "first.example"
    assert box.query("PRAGMA user_version") == [(SCHEMA_VERSION,)]
    for _ in range(3):
        box.clock.advance(DAY)
        box.claim()
        box.purge()
    box.clock.advance(60 * DAY)
    assert box.purge() > 0


def test_looking_at_an_old_spool_says_what_to_do_and_changes_nothing(folder):
    before = (folder / DATABASE_NAME).read_bytes()
    with pytest.raises(SpoolRefused, match=r"written by an older ByReturn .*Start the server") as refused:
        SpoolReader(folder)
    assert "Nothing was touched" in str(refused.value)
    assert (folder / DATABASE_NAME).read_bytes() == before
    OldBox(folder).close()
    with SpoolReader(folder) as looking:
        assert looking.queue(Selection(state=InFlight), 10).counts.total == 0
        assert looking.queue(Selection(), 10).counts.waiting == 6


def test_an_old_spool_is_checked_before_it_is_changed_however_large(folder, monkeypatch):
    monkeypatch.setattr("byreturn.spool.checking.FIRST_OCTETS", 0)
    connection = sqlite3.connect(folder / DATABASE_NAME)
    (page,) = connection.execute("SELECT rootpage FROM sqlite_master WHERE name = 'owed'").fetchone()
    connection.close()
    with (folder / DATABASE_NAME).open("r+b") as file:
        file.seek((page - 1) * 8192)
        file.write(b"\xff" * 8192)
    before = (folder / DATABASE_NAME).read_bytes()
    with pytest.raises(SpoolRefused, match="restore the file from a backup"):
        OldBox(folder)
    assert (folder / DATABASE_NAME).read_bytes() == before


def test_a_schema_is_made_of_statements_that_can_be_run_one_by_one():
    for text in (SCHEMA, *MIGRATIONS.values()):
        for statement in text.split(";\n"):
            assert not statement.strip() or sqlite3.complete_statement(statement + ";"), statement
    assert opening.SCHEMA_VERSION == SCHEMA_VERSION


# --- From version 2 -----------------------------------------------------------------------------------

# What was in the spool of schema 2: when its server died, and some of its mail.
DIED_AT_2 = 1_767_226_440_000
DELIVERED, PLAIN, TOLD, UNTOLD = (
    794354453053505536,
    794354453053505537,
    794354453053505538,
    794357221294145537,
)
ALICE = Mailbox("alice", "here.example")


@pytest.fixture
def second(tmp_path, monkeypatch):
    monkeypatch.setattr(sys.modules[__name__], "DIED_AT", DIED_AT_2)
    box = OldBox(old_spool(tmp_path / "data", 2, large=LARGE_2))
    yield box
    box.close()


def test_every_report_that_schema_2_owed_is_made(second):
    due = second.owed_due()
    said = {
        (str(line.recipient.address), line.action)
        for message_id in due.messages
        for line in second.taken(message_id).lines
    }
    assert said == {
        ("c@first.example", Action.RELAYED),
        ("nobody@away.example", Action.FAILED),
        ("over@gone.example", Action.FAILED),
        ("dora@here.example", Action.EXPANDED),
    }
    rows = second.query("SELECT ordinal, due_at FROM owed WHERE message_id = ? AND number = 0", UNTOLD)
    assert rows == [(0, DIED_AT_2 - 2 * MINUTE + 4 * HOUR)]


def test_a_delay_that_was_told_under_schema_2_is_not_told_again_and_is_cleared(second):
    assert len(second.query("SELECT 1 FROM owed WHERE message_id = ? AND report_id > 0", TOLD)) == 2
    second.clock.advance(HOUR)
    consignment = next(one for one in second.claim().consignments if one.message.id == TOLD)
    (booking,) = consignment.bookings
    settling = Settling(
        message_id=TOLD,
        ordinal=0,
        destination=booking.recipient.destination,
        recipient_count=2,
        fence=Fence(second.epoch, booking.attempt),
        event=put_off(second.now),
        began_at=second.now,
        delay_notices=(DIED_AT_2 - HOUR, second.now + HOUR),
    )
    assert second.settle(settling).owed == ((TOLD, second.now + HOUR),), "the second notice"
    second.claim()
    fence = Fence(second.epoch, booking.attempt + 1)
    second.settle(replace(settling, fence=fence, event=RELAYED, delay_notices=()))
    owed = second.taken(TOLD)
    assert (owed.kind, len(owed.thread)) == (ReportKind.CLEARED, 2)


def test_what_was_sent_under_schema_2_is_found_by_what_others_report(second):
    correspondents = [str(one.address) for one in second.correspondents(ALICE)]
    assert {"a@first.example", "b@second.example", "Bob@third.example"} <= set(correspondents)
    one = HeardReport(
        reverse_path=ALICE, report_id=7, at=second.now, action="failed", text="550 5.1.1 Unknown",
        recipient=Mailbox("b", "second.example"), envid="QQ+314159",
    )  # fmt: skip
    other = replace(one, recipient=None, envid="", message_id="<given.by.alice@client.example>")
    assert second.heard(one, other, replace(other, message_id="", envid="list-42")) == (
        DELIVERED, PLAIN, PLAIN,
    )  # fmt: skip
    assert [row[0] for row in second.later(DELIVERED)] == [1]


def test_reports_that_could_not_be_delivered_under_schema_2_are_shown(second):
    with SpoolReader(second.folder) as looking:
        (entry,) = looking.reports(10, undeliverable=True)
        assert (entry.message.about, type(entry.state)) == (TOLD, Failed)
        assert len(looking.reports(10, undeliverable=False)) == 2
        assert [seen.number for seen in looking.life(TOLD).reports[0]] == [0]


@pytest.mark.parametrize(
    "row",
    [
        "(1, 0, 'repealed', 0, 1, 1, NULL)",
        "(1, 0, 'failed', 1, 1, 1, NULL)",
        "(1, 0, 'delayed', -1, 1, 1, NULL)",
    ],
)
def test_what_has_no_meaning_cannot_be_owed(second, row):
    with pytest.raises(sqlite3.IntegrityError, match="CHECK"):
        second.spool._writer.execute(f"INSERT INTO owed VALUES {row}")
