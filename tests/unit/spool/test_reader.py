"""The reader: true whether the server runs, stopped or crashed; harmless; clear where it cannot read."""

import os
import shutil
import sqlite3
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from tests.cli.spools import ANN, GREYLISTED, NO_SUCH_USER, NOON, SILENT, Spool

from byreturn.mail import DAY, HOUR, MINUTE, Action, Cause, Destination, QueueId, WeFound
from byreturn.policy import Failed, Held, InFlight, Parked, PutOff, Refused, Stored, Waiting
from byreturn.spool import Counts, Selection, SpoolBusy, SpoolReader, SpoolRefused, reader
from byreturn.spool.opening import DATABASE_NAME
from byreturn.spool.statements import READER_SQL

ALL = Selection()


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return tmp_path / "data"


@pytest.fixture
def spool(data):
    spool = Spool(data)
    yield spool
    spool.close()


@pytest.fixture
def stopped(data):
    """A spool that was closed in order, with one recipient waiting."""
    spool = Spool(data)
    ident = spool.accept("bob@there.example")
    spool.settle(ident, PutOff(GREYLISTED, NOON + HOUR), at=NOON + 1)
    spool.close()
    return data


def addresses(view) -> list[str]:
    return [str(entry.recipient.address) for entry in view.entries]


# --- Wherever the server is ---------------------------------------------------------------------------


def test_it_sees_what_was_committed_while_it_looks(data, spool):
    with SpoolReader(data) as looking:
        assert looking.queue(ALL, 10).entries == ()
        ident = spool.accept("bob@there.example")
        assert addresses(looking.queue(ALL, 10)) == ["bob@there.example"]
        spool.settle(ident, Stored(WeFound(Cause.STORED)), at=NOON + 1)
        assert looking.queue(ALL, 10).entries == ()


def test_a_stopped_server_leaves_no_log_and_looking_makes_none(stopped):
    before = sorted(os.listdir(stopped))
    assert f"{DATABASE_NAME}-wal" not in before
    with SpoolReader(stopped) as looking:
        assert addresses(looking.queue(ALL, 10)) == ["bob@there.example"]
        assert sorted(os.listdir(stopped)) == before
    assert sorted(os.listdir(stopped)) == before


def test_a_server_that_starts_while_it_looks(stopped):
    with SpoolReader(stopped) as looking:
        assert len(looking.queue(ALL, 10).entries) == 1
        spool = Spool(stopped)
        spool.accept("carol@there.example", at=NOON + MINUTE)
        assert addresses(looking.queue(ALL, 10)) == ["bob@there.example", "carol@there.example"]
        spool.close()
        assert len(looking.queue(ALL, 10).entries) == 2


def test_a_crashed_server(data, spool, tmp_path):
    """The log alone is left: what was committed is in it, and the index beside it is gone."""
    spool.accept("bob@there.example")
    crashed = tmp_path / "crashed"
    crashed.mkdir()
    for name in (DATABASE_NAME, f"{DATABASE_NAME}-wal"):
        shutil.copy(data / name, crashed / name)
    with SpoolReader(crashed) as looking:
        assert addresses(looking.queue(ALL, 10)) == ["bob@there.example"]


@pytest.mark.parametrize("name", ["a b", "100%", "what?", "#1", "ü", "a&immutable=0"])
def test_a_folder_of_any_name(tmp_path, stopped, name):
    shutil.copytree(stopped, tmp_path / name)
    with SpoolReader(tmp_path / name) as looking:
        assert len(looking.queue(ALL, 10).entries) == 1


@pytest.mark.skipif(os.getuid() != 0, reason="only root can become somebody else")
@pytest.mark.parametrize("is_readable", [True, False])
def test_somebody_else_looks(stopped, is_readable):
    """Who may read the file of a stopped server can look, without a right to write; who may not is told."""
    with TemporaryDirectory() as public:
        Path(public).chmod(0o755)
        data = Path(public) / "data"
        shutil.copytree(stopped, data)
        data.chmod(0o755)
        (data / DATABASE_NAME).chmod(0o644 if is_readable else 0o600)
        code = (
            "import os, sys; from pathlib import Path; from byreturn.spool import SpoolReader, Selection\n"
            "os.setgid(65534); os.setuid(65534)\n"
            "try: print(len(SpoolReader(Path(sys.argv[1])).queue(Selection(), 10).entries))\n"
            "except Exception as error: print(type(error).__name__, error)"
        )
        command = [sys.executable, "-c", code, str(data)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    if is_readable:
        assert (done.stdout, done.stderr) == ("1\n", "")
    else:
        assert done.stdout.startswith(f"SpoolRefused {data / DATABASE_NAME}: ")
        assert "Run this as the user that runs the server, or as root." in done.stdout


def test_it_cannot_write(data, spool):
    with SpoolReader(data) as looking:
        looking.queue(ALL, 1)
        with pytest.raises(SpoolRefused, match="readonly"), looking._reading() as ask:
            ask.execute("DELETE FROM recipient")


def test_it_stops_nobody(data, spool):
    """A write goes on in the middle of a question, and the answer stays that of its beginning."""
    spool.accept("bob@there.example")
    with SpoolReader(data) as looking, looking._reading() as ask:
        assert ask.execute("SELECT count(*) FROM message").fetchone() == (1,)
        spool.accept("carol@there.example")
        assert ask.execute("SELECT count(*) FROM message").fetchone() == (1,)


# --- What cannot be read ------------------------------------------------------------------------------


def test_no_spool_at_all(tmp_path):
    with pytest.raises(SpoolRefused, match=r"there is no queue in .*The server has never run"):
        SpoolReader(tmp_path / "nowhere")
    assert not (tmp_path / "nowhere").exists()


def test_a_file_where_the_folder_should_be(tmp_path):
    (tmp_path / "data").write_text("")
    with pytest.raises(SpoolRefused, match="Not a directory"):
        SpoolReader(tmp_path / "data")


def test_a_file_that_is_no_database(stopped):
    (stopped / DATABASE_NAME).write_bytes(b"something else " * 1000)
    with pytest.raises(SpoolRefused, match=r"file is not a database.*nothing was touched.*from a backup"):
        SpoolReader(stopped)


def test_a_damaged_page(stopped):
    """The header is good, so it opens; the damage is met on the way."""
    with (stopped / DATABASE_NAME).open("r+b") as file:
        file.seek(8192)
        file.write(os.urandom(100_000))
    with pytest.raises(SpoolRefused, match="malformed"), SpoolReader(stopped) as looking:
        looking.queue(ALL, 10)


def test_a_row_that_cannot_be_read(data, spool):
    ident = spool.accept("bob@there.example")
    spool.write('UPDATE recipient SET finding = \'{"type": "peer"}\'')
    with SpoolReader(data) as looking, pytest.raises(SpoolRefused, match="a row that cannot be read"):
        looking.life(ident)


def test_another_programs_database(stopped):
    with sqlite3.connect(stopped / DATABASE_NAME) as connection:
        connection.execute("PRAGMA application_id = 7")
    connection.close()
    with pytest.raises(SpoolRefused, match="is a database of another program"):
        SpoolReader(stopped)


@pytest.mark.parametrize(
    ("version", "words"), [(99, "a newer ByReturn .*Look with the newer"), (0, "an older")]
)
def test_another_schema(stopped, version, words):
    with sqlite3.connect(stopped / DATABASE_NAME) as connection:
        connection.execute(f"PRAGMA user_version = {version}")
    connection.close()
    with pytest.raises(SpoolRefused, match=words):
        SpoolReader(stopped)


def test_a_database_that_is_just_being_made(tmp_path):
    (tmp_path / DATABASE_NAME).touch()
    with pytest.raises(SpoolBusy, match="Try again in a moment"):
        SpoolReader(tmp_path)


def test_a_database_that_is_locked(data, spool, monkeypatch):
    """Say by a backup that allows nobody beside it; in WAL mode nobody else locks readers out."""
    monkeypatch.setattr(reader, "_BUSY_MS", 10)
    spool.close()
    greedy = sqlite3.connect(data / DATABASE_NAME, isolation_level=None)
    greedy.execute("PRAGMA locking_mode = EXCLUSIVE")
    greedy.execute("BEGIN EXCLUSIVE")
    greedy.execute("UPDATE recipient SET attempts = attempts")
    try:
        (data / f"{DATABASE_NAME}-wal").touch()
        with pytest.raises(SpoolBusy, match="is busy"):
            SpoolReader(data)
    finally:
        greedy.close()
        spool.close = lambda: None


# --- Answers ------------------------------------------------------------------------------------------


def test_the_queue_by_state_and_destination(data, spool):
    waiting = spool.accept("a@there.example", at=NOON)
    spool.settle(waiting, PutOff(GREYLISTED, NOON + HOUR), at=NOON + 1)
    spool.accept("b@silent.example", at=NOON + 1, waits=SILENT)
    spool.fails("silent.example", since=NOON + 1, due_at=NOON + 2 * HOUR)
    spool.accept("c@there.example", at=NOON + 2)
    for number, state in enumerate((2, 3)):
        ident = spool.accept(f"d{state}@there.example", at=NOON + 3 + number)
        spool.stop(ident, state, at=NOON + 9)
    over = spool.accept("e@there.example", at=NOON + 5)
    spool.settle(over, Refused(NO_SUCH_USER), at=NOON + 9, owed=Action.FAILED)
    with SpoolReader(data) as looking:
        view = looking.queue(ALL, 100)
        assert [type(entry.state) for entry in view.entries] == [Waiting, Waiting, InFlight, Held, Parked]
        assert view.counts == Counts(waiting=2, unanswered=1, in_flight=1, held=1, parked=1)
        assert view.counts.total == 5
        there = looking.queue(Selection(destination=Destination("there.example")), 2)
        assert addresses(there) == ["a@there.example", "c@there.example"]
        assert there.counts == Counts(waiting=1, unanswered=0, in_flight=1, held=1, parked=1)
        for kind, count in ((Waiting, 2), (InFlight, 1), (Held, 1), (Parked, 1)):
            assert looking.queue(Selection(state=kind), 100).counts.total == count
        late = looking.queue(Selection(not_due_before=NOON + 90 * MINUTE), 100)
        assert addresses(late) == ["b@silent.example"]


def test_when_and_why_at_a_failing_destination(data, spool):
    """The last probe speaks for all who wait, and nobody is tried before the next."""
    ident = spool.accept("b@silent.example", waits=GREYLISTED)
    spool.fails("silent.example", since=NOON, due_at=NOON + 2 * HOUR)
    with SpoolReader(data) as looking:
        (entry,) = looking.queue(ALL, 1).entries
        assert entry.is_unanswered
        assert entry.next_try_at == NOON + 2 * HOUR
        assert (entry.diagnosis, entry.finding) == (SILENT, GREYLISTED)
        life = looking.life(ident)
        assert life is not None
        assert life.others == {"silent.example": 0}


def test_a_life(data, spool):
    ident = spool.accept("bob@there.example", "bad@there.example")
    spool.settle(ident, Refused(NO_SUCH_USER), at=NOON + 7, ordinal=1, owed=Action.FAILED)
    report = spool.report(ident, at=NOON + 2000)
    with SpoolReader(data) as looking:
        life = looking.life(ident)
        assert life is not None
        assert life.message.reverse_path == ANN
        assert [type(entry.state) for entry in life.entries] == [InFlight, Failed]
        ((attempt,),) = life.attempts.values()
        assert (attempt.ordinal, attempt.number, attempt.event, attempt.finding) == (
            1,
            1,
            "refused",
            NO_SUCH_USER,
        )
        ((seen,),) = life.reports.values()
        assert (seen.ordinal, seen.action, seen.report_id, seen.sent_at) == (
            1,
            Action.FAILED,
            report,
            NOON + 2000,
        )
        assert seen.report is not None
        assert isinstance(seen.report.state, InFlight)
        assert looking.life(QueueId(1)) is None
        about = looking.life(report)
        assert about is not None
        assert about.message.about == ident


def test_a_trace_goes_through_the_whole_history_a_stretch_at_a_time(data, spool, monkeypatch):
    monkeypatch.setattr(reader, "_STRETCH", 3)
    for number in range(10):
        spool.accept(f"r{number}@there.example", "common@there.example", at=NOON - DAY + number)
    with SpoolReader(data) as looking:
        found = [str(entry.recipient.address) for entry in looking.trace("ann@here.example", 100)]
        wanted = [name for n in range(9, -1, -1) for name in (f"r{n}@there.example", "common@there.example")]
        assert found == wanted
        assert len(looking.trace("COMMON@there.example", 100)) == 10
        assert len(looking.trace("ann@here.example", 7)) == 7
        assert [str(entry.recipient.address) for entry in looking.trace("r0@there.example", 5)] == [
            "r0@there.example"
        ]
        assert looking.trace("nobody@there.example", 5) == ()


@pytest.mark.parametrize("name", ["queue", "queue_counts", "others_waiting"])
def test_questions_go_by_an_index(data, spool, name):
    """The waiting and those in flight are found without reading the history."""
    values = {
        "queue": ("", "z", None, None, 9),
        "queue_counts": ("", "z", None, None),
        "others_waiting": ("x", 1, 9),
    }
    connection = sqlite3.connect(data / DATABASE_NAME)
    plan = [row[3] for row in connection.execute(f"EXPLAIN QUERY PLAN {READER_SQL[name]}", values[name])]
    connection.close()
    assert any("INDEX recipient_due" in step for step in plan)
    assert sum(step in ("SCAN r", "SCAN recipient") for step in plan) <= (name != "others_waiting")


def test_whether_the_server_is_there(data, spool):
    with SpoolReader(data) as looking:
        assert not looking.server_is_gone()
        with subprocess.Popen([sys.executable, "-c", ""]) as process:
            pass
        (data / "lock").write_text(f"{process.pid}\n")
        assert looking.server_is_gone()
        for unclear in ("", "no number", "9" * 19):
            (data / "lock").write_text(unclear)
            assert not looking.server_is_gone()
        (data / "lock").unlink()
        assert not looking.server_is_gone()
