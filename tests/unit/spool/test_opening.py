"""Opening the spool: what must be so; and what is refused, saying what it means and what to do."""

import errno
import fcntl
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from tests.contract.spools import InlineWorker, SqliteBox
from tests.sim.clock import VirtualClock

from byreturn.spool import SpoolRefused, SpoolSettings, SqliteSpool, opening
from byreturn.spool.opening import APPLICATION_ID, CONTENT_FOLDER, DATABASE_NAME, SCHEMA_VERSION

ROOT = Path(__file__).parents[3]
PRELUDE = """
import os, signal, sys
from pathlib import Path
from byreturn.spool import SpoolSettings, SqliteSpool, opening
from tests.contract.spools import InlineWorker
from tests.sim.clock import VirtualClock
clock = VirtualClock()

def open_it():
    return SqliteSpool(
        Path(sys.argv[1]), InlineWorker(clock), clock, settings=SpoolSettings(), on_broken=print
    )
"""


def open_it(folder):
    clock = VirtualClock()
    return SqliteSpool(folder, InlineWorker(clock), clock, settings=SpoolSettings(), on_broken=print)


def refusal(folder):
    """Open what cannot be opened, and return the text for the person who has to help."""
    with pytest.raises(SpoolRefused) as caught:
        open_it(folder)
    return str(caught.value)


def child(script, folder, **how):
    paths = os.pathsep.join([str(ROOT / "src"), str(ROOT)])
    return subprocess.Popen(
        [sys.executable, "-c", PRELUDE + script, str(folder)],
        env={**os.environ, "PYTHONPATH": paths},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        **how,
    )


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "data"


@pytest.fixture
def used(folder):
    """A folder with a spool in which a message waits; nobody has it open."""
    box = SqliteBox(folder)
    box.waiting("bob@away.example")
    box.close()
    return folder


def database(folder):
    return sqlite3.connect(folder / DATABASE_NAME, isolation_level=None)


def pragma(folder, name):
    connection = database(folder)
    (value,) = connection.execute(f"PRAGMA {name}").fetchone()
    connection.close()
    return value


# --- What must be so ----------------------------------------------------------------------------------


def test_a_new_spool_keeps_its_word(folder):
    spool = open_it(folder)
    for connection in (spool._writer, spool._carrier):
        # FULL: each commit is synced; a checkpoint too, or the log were reused before the database is safe.
        assert connection.execute("PRAGMA synchronous").fetchone() == (2,)
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    assert spool._writer.execute("PRAGMA wal_autocheckpoint").fetchone() == (0,)
    spool.close()
    assert pragma(folder, "journal_mode") == "wal"
    assert pragma(folder, "auto_vacuum") == 2
    assert pragma(folder, "application_id") == APPLICATION_ID
    assert pragma(folder, "user_version") == SCHEMA_VERSION
    assert pragma(folder, "quick_check") == "ok"


def test_only_its_owner_may_look_into_it(folder):
    open_it(folder).close()
    assert (folder / CONTENT_FOLDER).stat().st_mode & 0o777 == 0o700
    assert (folder / "lock").stat().st_mode & 0o777 == 0o600


def test_the_reader_cannot_write(used):
    spool = open_it(used)
    with pytest.raises(sqlite3.OperationalError, match="readonly"):
        spool._reader.execute("DELETE FROM message")
    spool.close()


@pytest.mark.parametrize(
    ("what", "lie"), [("journal_mode", ("delete",)), ("synchronous", (1,)), ("synchronous", (0,))]
)
@pytest.mark.parametrize("is_new", [True, False])
def test_a_database_that_does_not_keep_its_word_is_refused(used, folder, monkeypatch, what, lie, is_new):
    if is_new:
        shutil.rmtree(folder)

    class Liar:
        def __init__(self, connection):
            self.connection = connection

        def execute(self, sql, *values):
            if sql.startswith(f"PRAGMA {what} ="):
                return None
            if sql == f"PRAGMA {what}":
                return self.connection.execute("SELECT ?", lie)
            return self.connection.execute(sql, *values)

    real = opening.connect
    monkeypatch.setattr(opening, "connect", lambda path, **how: Liar(real(path, **how)))
    text = refusal(folder)
    assert f"{what} should be" in text
    assert "did not start" in text


# --- One process --------------------------------------------------------------------------------------


def test_a_second_process_is_refused_and_told_by_whom(folder):
    process = child("open_it(); print('open', flush=True); sys.stdin.readline()", folder)
    try:
        assert process.stdout.readline() == "open\n"
        text = refusal(folder)
        assert f"{folder} is in use by process {process.pid}." in text
        assert "send mail twice" in text
        assert "did not start" in text
        assert "Stop the other one" in text
        # Refused once is not locked for ever: the other one dies, and we may start.
        process.kill()
        process.wait()
        open_it(folder).close()
    finally:
        process.kill()
        process.communicate()


def test_the_lock_goes_with_the_spool(folder):
    open_it(folder).close()
    spool = open_it(folder)
    assert (folder / "lock").read_text() == f"{os.getpid()}\n"
    assert "in use" in refusal(folder)
    spool.abandon()
    open_it(folder).close()


def test_a_file_system_without_locks_is_not_another_server(folder, monkeypatch):
    def flock(*_):
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "flock", flock)
    text = refusal(folder)
    assert "No locks available" in text
    assert "in use by process" not in text


@pytest.mark.parametrize("spoil", [b"", b"not a number", b"\xff" * 100])
def test_a_lock_file_with_nonsense_is_no_obstacle(used, spoil):
    (used / "lock").write_bytes(spoil)
    open_it(used).close()


def test_what_was_refused_can_be_put_right_without_a_new_process(used):
    # The one who was refused holds neither the lock nor the database.
    connection = database(used)
    connection.execute("PRAGMA application_id = 1")
    refusal(used)
    connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
    connection.close()
    open_it(used).close()


# --- What is no spool of ours -------------------------------------------------------------------------


def has_three_parts(text, what):
    """What happened, what it means for the mail, what to do."""
    assert what in text
    assert "did not start" in text
    assert any(
        act in text for act in ("Stop everything", "Make the folder", "Start the newer", "let the server")
    )


def test_a_database_of_another_program_is_refused_and_not_touched(folder):
    folder.mkdir()
    connection = database(folder)
    connection.execute("CREATE TABLE bookmarks (url TEXT)")
    connection.close()
    text = refusal(folder)
    has_three_parts(text, "a database of another program")
    assert str(folder / DATABASE_NAME) in text
    assert database(folder).execute("SELECT name FROM sqlite_master").fetchall() == [("bookmarks",)]


@pytest.mark.parametrize(
    "data", [b"Dear Sir, this is no database.\n" * 100, b"\0" * 8192, bytes(range(256)) * 80]
)
def test_a_file_that_is_no_database_is_refused_and_not_touched(folder, data):
    folder.mkdir()
    (folder / DATABASE_NAME).write_bytes(data)
    has_three_parts(refusal(folder), str(folder / DATABASE_NAME))
    assert (folder / DATABASE_NAME).read_bytes() == data


@pytest.mark.parametrize("table", ["message", "recipient", "destination", "owed", "content"])
def test_a_damaged_page_is_found_at_start(used, table):
    connection = database(used)
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    (page_size,) = connection.execute("PRAGMA page_size").fetchone()
    (page,) = connection.execute("SELECT rootpage FROM sqlite_master WHERE name = ?", (table,)).fetchone()
    connection.close()
    with (used / DATABASE_NAME).open("r+b") as file:
        file.seek((page - 1) * page_size)
        file.write(b"\xff" * page_size)
    before = (used / DATABASE_NAME).read_bytes()
    text = refusal(used)
    has_three_parts(text, str(used / DATABASE_NAME))
    assert "damaged" in text or "malformed" in text
    assert "from a backup" in text
    assert "keep a copy" in text
    assert (used / DATABASE_NAME).read_bytes() == before


@pytest.mark.parametrize("octets", [100, 8192, 20_000])
def test_a_database_that_was_cut_short_is_refused(used, octets):
    connection = database(used)
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.close()
    os.truncate(used / DATABASE_NAME, octets)
    has_three_parts(refusal(used), str(used / DATABASE_NAME))


def test_a_newer_schema_is_refused_and_not_touched(used):
    connection = database(used)
    connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION + 1}")
    connection.close()
    text = refusal(used)
    assert f"written by a newer ByReturn (schema {SCHEMA_VERSION + 1}" in text
    assert "Nothing was touched" in text
    assert "Start the newer version again" in text
    assert pragma(used, "user_version") == SCHEMA_VERSION + 1


def test_an_older_schema_that_nobody_can_migrate_is_refused(used, monkeypatch):
    monkeypatch.setattr(opening, "SCHEMA_VERSION", SCHEMA_VERSION + 1)
    monkeypatch.setattr(opening, "MIGRATIONS", {})
    assert str(used / DATABASE_NAME) in refusal(used)


# --- Folders ------------------------------------------------------------------------------------------


def test_a_folder_that_is_a_file_is_refused(tmp_path):
    path = tmp_path / "file"
    path.write_text("hello")
    has_three_parts(refusal(path), f"{path}: Not a directory")
    assert path.read_text() == "hello"


def test_a_folder_for_contents_that_is_a_file_is_refused(folder):
    folder.mkdir()
    (folder / CONTENT_FOLDER).write_text("hello")
    has_three_parts(refusal(folder), str(folder))


@pytest.fixture
def public():
    """A folder that everybody can enter, for tests that are somebody else for a moment."""
    path = Path(tempfile.mkdtemp(prefix="byreturn-"))
    path.chmod(0o755)
    yield path
    for each in path.rglob("*"):
        each.chmod(0o700)
    shutil.rmtree(path)


def refusal_of_nobody(folder):
    """Open as a user without rights; permissions stop nobody who is root."""
    if os.geteuid() != 0:
        return refusal(folder)
    reading, writing = os.pipe()
    process = os.fork()
    if process == 0:
        text = "it was opened"
        try:
            os.setgid(65534)
            os.setuid(65534)
            open_it(folder)
        except SpoolRefused as refused:
            text = str(refused)
        except BaseException as error:
            text = f"not a refusal but {error!r}"
        os.write(writing, text.encode())
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading) as file:
        text = file.read()
    os.waitpid(process, 0)
    return text


def test_a_folder_in_which_it_may_not_make_one_is_refused(public):
    public.chmod(0o555)
    text = refusal_of_nobody(public / "data")
    has_three_parts(text, f"{public / 'data'}: Permission denied")
    assert "let the server's user write to it" in text


def test_a_read_only_folder_is_refused(public):
    folder = public / "data"
    (folder / CONTENT_FOLDER).mkdir(parents=True)
    folder.chmod(0o555)
    text = refusal_of_nobody(folder)
    has_three_parts(text, f"{folder}")
    assert "Permission denied" in text


def test_a_folder_of_another_user_is_refused(public):
    folder = public / "data"
    open_it(folder).close()
    folder.chmod(0o777)
    (folder / CONTENT_FOLDER).chmod(0o777)
    if os.geteuid() != 0:
        (folder / "lock").chmod(0)
    text = refusal_of_nobody(folder)
    has_three_parts(text, str(folder))
    assert "Permission denied" in text


def test_a_database_that_it_may_not_write_is_refused_and_nobody_is_sent_to_repair_it(public):
    folder = public / "data"
    open_it(folder).close()
    for path, mode in ((folder, 0o777), (folder / CONTENT_FOLDER, 0o777), (folder / "lock", 0o666)):
        path.chmod(mode)
    (folder / DATABASE_NAME).chmod(0o444)
    text = refusal_of_nobody(folder)
    assert str(folder / DATABASE_NAME) in text
    assert "did not start" in text
    assert "user" in text, "it is the rights that are wrong"
    assert "from a backup" not in text


def test_a_folder_is_made_with_all_above_it(tmp_path):
    folder = tmp_path / "var" / "spool" / "byreturn"
    open_it(folder).close()
    assert (folder / DATABASE_NAME).exists()


# --- Migration ----------------------------------------------------------------------------------------

TO_2 = "ALTER TABLE message ADD COLUMN colour TEXT;\nUPDATE message SET colour = 'blue';\n"
TO_3 = "CREATE TABLE paint (colour TEXT) STRICT;\nINSERT INTO paint SELECT colour FROM message;\n"


def set_migrations(monkeypatch, *steps):
    monkeypatch.setattr(opening, "SCHEMA_VERSION", SCHEMA_VERSION + len(steps))
    monkeypatch.setattr(opening, "MIGRATIONS", {SCHEMA_VERSION + n: step for n, step in enumerate(steps)})


def test_an_older_schema_is_migrated_step_by_step(used, monkeypatch):
    set_migrations(monkeypatch, TO_2, TO_3)
    spool = open_it(used)
    assert spool._writer.execute("SELECT colour FROM paint").fetchall() == [("blue",)]
    spool.close()
    assert pragma(used, "user_version") == SCHEMA_VERSION + 2
    # And only once.
    open_it(used).close()
    assert database(used).execute("SELECT count(*) FROM paint").fetchone() == (1,)


def test_a_new_spool_has_the_newest_schema_and_nothing_to_migrate(folder, monkeypatch):
    set_migrations(monkeypatch, "THIS IS NOT SQL;\n")
    open_it(folder).close()
    assert pragma(folder, "user_version") == SCHEMA_VERSION + 1


@pytest.mark.parametrize("first", [(), (TO_2,)])
def test_a_migration_that_fails_leaves_the_version_before(used, monkeypatch, first):
    set_migrations(monkeypatch, *first, "CREATE TABLE half (x);\nINSERT INTO nowhere VALUES (1);\n")
    text = refusal(used)
    assert "nowhere" in text
    assert "did not start" in text
    assert pragma(used, "user_version") == SCHEMA_VERSION + len(first)
    assert database(used).execute("SELECT 1 FROM sqlite_master WHERE name = 'half'").fetchall() == []


@pytest.mark.parametrize("first", [[], [TO_2]])
def test_a_kill_in_the_middle_of_a_migration_leaves_the_version_before(used, monkeypatch, first):
    script = f"""
real = opening.connect

def connect(path, **how):
    connection = real(path, **how)
    connection.create_function("die", 0, lambda: os.kill(os.getpid(), signal.SIGKILL))
    return connection

steps = {first!r} + ["CREATE TABLE half (x);\\nINSERT INTO half VALUES (1);\\nSELECT die();\\n"]
opening.connect = connect
opening.MIGRATIONS = {{opening.SCHEMA_VERSION + n: step for n, step in enumerate(steps)}}
opening.SCHEMA_VERSION += len(steps)
open_it()
"""
    process = child(script, used)
    process.communicate()
    assert process.returncode == -signal.SIGKILL
    assert pragma(used, "user_version") == SCHEMA_VERSION + len(first)
    assert database(used).execute("SELECT 1 FROM sqlite_master WHERE name = 'half'").fetchall() == []
    # The same version opens it again, and the mail is there.
    set_migrations(monkeypatch, *first)
    spool = open_it(used)
    assert spool._writer.execute("SELECT count(*) FROM recipient WHERE state = 0").fetchone() == (1,)
    spool.close()


def test_a_kill_while_the_schema_is_made_leaves_a_folder_that_can_be_opened(folder):
    script = """
from byreturn.spool import opening as module
real = module.connect

def connect(path, **how):
    connection = real(path, **how)
    connection.create_function("die", 0, lambda: os.kill(os.getpid(), signal.SIGKILL))
    return connection

module.connect = connect
module.SCHEMA += ";\\nSELECT die();\\n"
open_it()
"""
    process = child(script, folder)
    process.communicate()
    assert process.returncode == -signal.SIGKILL
    open_it(folder).close()
    assert pragma(folder, "user_version") == SCHEMA_VERSION


# --- Recovery -----------------------------------------------------------------------------------------


def test_recovery_is_one_transaction(folder, monkeypatch):
    box = SqliteBox(folder)
    mail = box.booked("bob@away.example")
    box.close()
    monkeypatch.setitem(opening.SQL, "add_epoch", "INSERT INTO nowhere VALUES (?)")
    with pytest.raises(SpoolRefused):
        opening.open_spool(folder, box.now)
    monkeypatch.undo()
    connection = database(folder)
    assert connection.execute("SELECT state, epoch FROM recipient").fetchall() == [(1, 1)]
    assert connection.execute("SELECT count(*) FROM attempt").fetchone() == (0,)
    connection.close()
    box.open()
    assert box.opened.interrupted == 1
    assert len(box.history(mail.id)) == 1
    box.close()
