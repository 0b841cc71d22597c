"""Whether the database is whole: a small one before the start, a large one beside the mail."""

import sqlite3
import threading
import time

import pytest
from tests.contract.spools import REFUSED, InlineWorker, SqliteBox
from tests.sim.clock import VirtualClock

from byreturn.ports import SpoolFault
from byreturn.spool import SpoolRefused, SpoolSettings, SqliteSpool, checking
from byreturn.spool.checking import CHECK_FIRST, LateCheck
from byreturn.spool.opening import DATABASE_NAME, connect

PAGE = 8192


@pytest.fixture
def folder(tmp_path):
    """A spool with a little mail, closed in order."""
    box = SqliteBox(tmp_path / "data")
    for n in range(50):
        box.booked(f"u{n}@away.example", content=b"x" * 3000)
    box.settle(box.booked("nobody@away.example").outcome(REFUSED))
    box.spool.close()
    return box.folder


@pytest.fixture
def large(monkeypatch):
    """Let every spool count as large."""
    monkeypatch.setattr(checking, "FIRST_OCTETS", 0)


class Bench:
    """A server on a folder: its worker works when told to."""

    def __init__(self, folder):
        self.clock = VirtualClock()
        self.broken = []
        self.works = []
        self.spool = SqliteSpool(
            folder, self, self.clock, settings=SpoolSettings(), on_broken=self.broken.append
        )

    def submit(self, work, done):
        self.works.append((work, done))

    def work(self):
        while self.works:
            InlineWorker(self.clock).submit(*self.works.pop(0))
            self.clock.run_now()


def spoil(folder, table="content"):
    """Overwrite a page in the middle of a table."""
    connection = sqlite3.connect(folder / DATABASE_NAME)
    (root,) = connection.execute("SELECT rootpage FROM sqlite_master WHERE name = ?", (table,)).fetchone()
    connection.close()
    with (folder / DATABASE_NAME).open("r+b") as file:
        file.seek((root - 1) * PAGE)
        file.write(b"\xff" * PAGE)


def refusal(folder):
    with pytest.raises(SpoolRefused) as caught:
        Bench(folder)
    return str(caught.value)


def quick_checks(monkeypatch):
    """Count how often a database is read whole."""
    counted = []
    real = checking.damage

    def damage(connection):
        counted.append(threading.current_thread())
        return real(connection)

    monkeypatch.setattr(checking, "damage", damage)
    monkeypatch.setattr("byreturn.spool.opening.damage", damage)
    return counted


def test_a_small_one_is_read_before_the_start_and_not_again(folder, monkeypatch):
    counted = quick_checks(monkeypatch)
    bench = Bench(folder)
    assert (len(counted), bench.works) == (1, [])
    bench.spool.close()


def test_a_new_one_is_not_read_at_all(tmp_path, large, monkeypatch):
    counted = quick_checks(monkeypatch)
    bench = Bench(tmp_path / "data")
    assert (counted, bench.works) == ([], [])
    bench.spool.close()


def test_a_large_one_is_read_beside_the_mail(folder, large, monkeypatch):
    counted = quick_checks(monkeypatch)
    bench = Bench(folder)
    assert (counted, len(bench.works)) == ([], 1)
    bench.work()
    assert (len(counted), bench.broken) == (1, [])
    assert not (folder / CHECK_FIRST).exists()
    bench.spool.close()


def test_damage_ends_the_process_like_a_commit_that_failed(folder, large):
    spoil(folder)
    bench = Bench(folder)
    bench.work()
    (why,) = bench.broken
    assert "the database is damaged" in why
    told = []
    bench.spool.purge(bench.clock.now(), 10, told.append)
    bench.spool.set_brake(None, told.append)
    bench.clock.run_now()
    assert told == [SpoolFault(why, is_ambiguous=True)] * 2
    assert bench.spool.is_idle
    bench.spool.abandon()


def test_after_damage_was_found_a_start_reads_first_and_refuses(folder, large, monkeypatch):
    spoil(folder)
    bench = Bench(folder)
    bench.work()
    bench.spool.abandon()
    assert (folder / CHECK_FIRST).exists()
    before = (folder / DATABASE_NAME).read_bytes()
    for _ in range(2):
        text = refusal(folder)
        assert "damaged" in text or "malformed" in text
        assert "the server did not start" in text
        assert "restore the file from a backup" in text
        assert (folder / CHECK_FIRST).exists(), "as long as nothing has changed"
    assert (folder / DATABASE_NAME).read_bytes() == before


def test_the_mark_goes_when_the_file_was_restored(folder, large, monkeypatch):
    good = (folder / DATABASE_NAME).read_bytes()
    spoil(folder)
    bench = Bench(folder)
    bench.work()
    bench.spool.abandon()
    for name in (f"{DATABASE_NAME}-wal", f"{DATABASE_NAME}-shm"):
        (folder / name).unlink(missing_ok=True)
    (folder / DATABASE_NAME).write_bytes(good)
    counted = quick_checks(monkeypatch)
    bench = Bench(folder)
    assert (len(counted), bench.works) == (1, []), "first, and not again"
    assert not (folder / CHECK_FIRST).exists()
    bench.spool.close()
    bench = Bench(folder)
    assert len(bench.works) == 1
    bench.spool.close()


def test_what_was_under_way_when_damage_was_found_is_told(folder, large):
    """A group whose commit is in a thread is on the disk; what waited behind it is not."""
    spoil(folder, "known_destination")
    bench = Bench(folder)
    (check,), bench.works = bench.works, []
    told = []
    bench.spool.set_brake(None, told.append)
    bench.clock.run_now()
    (commit,), bench.works = bench.works, []
    bench.spool.set_brake(None, told.append)
    for work, done in (check, commit):
        InlineWorker(bench.clock).submit(work, done)
    bench.clock.run_now()
    assert [one and one.is_ambiguous for one in told] == [True, None]
    assert len(bench.broken) == 1
    bench.spool.abandon()


def test_it_is_told_once_when_the_commit_fails_too(folder, large):
    spoil(folder)
    bench = Bench(folder)
    (check,), bench.works = bench.works, []
    bench.spool.set_brake(None, lambda _: None)
    bench.clock.run_now()
    (commit,), bench.works = bench.works, []
    InlineWorker(bench.clock).submit(*check)
    bench.clock.run_now()
    commit[1](sqlite3.OperationalError("disk I/O error"))
    bench.clock.run_now()
    assert len(bench.broken) == 1
    bench.spool.abandon()


def test_a_check_that_could_not_be_made_is_no_damage(folder, large, monkeypatch):
    def damage(_):
        error = sqlite3.OperationalError("out of memory")
        error.sqlite_errorcode = sqlite3.SQLITE_NOMEM
        raise error

    monkeypatch.setattr(checking, "damage", damage)
    bench = Bench(folder)
    bench.work()
    assert bench.broken == []
    assert not (folder / CHECK_FIRST).exists()
    bench.spool.close()


def test_a_disk_that_cannot_be_read_is_damage(folder, large, monkeypatch):
    def damage(_):
        error = sqlite3.OperationalError("disk I/O error")
        error.sqlite_errorcode = sqlite3.SQLITE_IOERR_READ
        raise error

    monkeypatch.setattr(checking, "damage", damage)
    bench = Bench(folder)
    bench.work()
    assert bench.broken == ["the database is damaged (disk I/O error)"]
    bench.spool.abandon()


def test_where_the_mark_cannot_be_made_the_process_ends_all_the_same(folder, large, monkeypatch):
    spoil(folder)
    bench = Bench(folder)
    (folder / CHECK_FIRST).mkdir()
    monkeypatch.setattr(checking, "sync_folder", lambda _: (_ for _ in ()).throw(OSError("no room")))
    bench.work()
    assert len(bench.broken) == 1
    bench.spool.abandon()


def test_an_end_in_order_does_not_wait_for_it(folder, large):
    bench = Bench(folder)
    ((work, done),), bench.works = bench.works, []
    bench.spool.stop()
    bench.spool.close()
    # The thread comes to it when all is closed.
    done(work())
    assert bench.broken == []


def test_it_is_broken_off_while_it_reads(folder):
    """Whenever the end comes, the thread is out of it at once."""
    connection = connect(folder / DATABASE_NAME, read_only=True)
    answers, threads = [], []
    # Something that would take hours takes the place of a large file.
    endless = "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n"

    class Threads:
        def submit(self, work, _done):
            threads.append(threading.Thread(target=lambda: answers.append(work())))
            threads[0].start()

    class Slow:
        def execute(self, sql):
            return connection.execute(endless if "quick_check" in sql else sql)

        def __getattr__(self, name):
            return getattr(connection, name)

    check = LateCheck(folder, Slow(), Threads(), answers.append)
    time.sleep(0.02)
    began_at = time.perf_counter()
    check.stop()
    threads[0].join(10)
    assert time.perf_counter() - began_at < 5
    assert answers == [""]
    assert not (folder / CHECK_FIRST).exists()
