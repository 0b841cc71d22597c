"""Group commit: what shares a transaction, who is told what, and what a failure spoils."""

import sqlite3
import subprocess
import sys

import pytest
from tests.contract.spools import InlineWorker
from tests.sim.clock import VirtualClock

from byreturn.mail import SECOND
from byreturn.ports import SpoolFault
from byreturn.spool.committer import Committer

LOCKER = """
import sqlite3, sys
connection = sqlite3.connect(sys.argv[1], isolation_level=None)
connection.execute("BEGIN IMMEDIATE")
print("locked", flush=True)
sys.stdin.readline()
connection.execute("COMMIT")
print("released", flush=True)
"""


class HeldWorker:
    """Does the work when it is told to, as a disk that takes its time."""

    def __init__(self, clock):
        self.inline = InlineWorker(clock)
        self.held = []

    def submit(self, work, done):
        self.held.append((work, done))

    def release(self):
        held, self.held = self.held, []
        for work, done in held:
            self.inline.submit(work, done)


class FaultyConnection:
    """A connection that raises instead of executing a statement that was named."""

    def __init__(self, connection):
        self.connection = connection
        self.faults = {}
        self.log = []

    @property
    def in_transaction(self):
        return self.connection.in_transaction

    def execute(self, sql, *values):
        self.log.append(sql)
        for start, faults in self.faults.items():
            if sql.startswith(start) and faults:
                fault = faults.pop(0)
                if fault is not None:
                    raise fault
        return self.connection.execute(sql, *values)

    @property
    def groups(self):
        return self.log.count("BEGIN IMMEDIATE")


def error(code, text="it failed"):
    made = sqlite3.OperationalError(text)
    made.sqlite_errorcode = code
    return made


class Desk:
    """A committer with its clock, a table to write to, and a record of who was told what."""

    def __init__(self, path, worker=InlineWorker):
        self.path = path
        self.clock = VirtualClock()
        self.worker = worker(self.clock)
        connection = sqlite3.connect(path, isolation_level=None, timeout=0)
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("CREATE TABLE done (number INTEGER PRIMARY KEY, length INTEGER)")
        self.connection = FaultyConnection(connection)
        self.broken = []
        self.told = []
        self.after_commits = 0
        self.committer = Committer(
            self.connection, self.worker, self.clock, on_broken=self.broken.append, after_commit=self.count
        )

    def count(self):
        self.after_commits += 1

    def add(self, number, **how):
        """Ask for a row; what `done` hears is recorded with the number."""

        def work(connection):
            connection.execute("INSERT INTO done VALUES (?, 0)", (number,))
            return f"kept {number}"

        self.committer.submit(work, lambda result: self.told.append((number, result)), **how)

    def rows(self):
        other = sqlite3.connect(self.path)
        rows = [row[0] for row in other.execute("SELECT number FROM done ORDER BY number")]
        other.close()
        return rows

    def in_order(self):
        return [number for number, _ in self.told]

    def faults(self):
        return {number: result for number, result in self.told if isinstance(result, SpoolFault)}


@pytest.fixture
def desk(tmp_path):
    return Desk(tmp_path / "x.sqlite3")


@pytest.fixture
def slow(tmp_path):
    return Desk(tmp_path / "x.sqlite3", HeldWorker)


def kept(*numbers):
    return [(number, f"kept {number}") for number in numbers]


# --- A group ------------------------------------------------------------------------------------------


def test_what_was_asked_together_is_one_transaction(desk):
    for number in range(20):
        desk.add(number)
    assert desk.told == []
    desk.clock.run_now()
    assert desk.told == kept(*range(20))
    assert desk.rows() == list(range(20))
    assert desk.connection.groups == 1
    assert desk.after_commits == 1
    assert desk.committer.is_idle


def test_nobody_is_told_before_the_commit(slow):
    slow.add(1)
    slow.clock.advance(SECOND)
    assert (slow.told, slow.rows()) == ([], [])
    slow.worker.release()
    assert slow.rows() == [1]
    assert slow.told == []
    slow.clock.run_now()
    assert slow.told == kept(1)


def test_while_the_disk_is_busy_the_next_group_forms(slow):
    slow.add(0)
    slow.clock.run_now()
    for number in range(1, 30):
        slow.add(number)
        slow.clock.advance(1)
    assert (slow.connection.groups, len(slow.worker.held)) == (1, 1)
    slow.worker.release()
    slow.clock.run_now()
    assert slow.told == kept(0)
    slow.worker.release()
    slow.clock.run_now()
    assert slow.told == kept(*range(30))
    assert slow.connection.groups == 2


@pytest.mark.parametrize(
    ("count", "how", "groups"),
    [
        (500, {}, 1),
        (501, {}, 2),
        (1001, {}, 3),
        (11, {"rows": 100}, 3),
        (4, {"rows": 500}, 4),
        (3, {"rows": 5000}, 3),
        (32, {"octets": 64 * 1024}, 1),
        (33, {"octets": 64 * 1024}, 2),
        (4, {"octets": 2 * 1024 * 1024}, 4),
    ],
)
def test_a_group_is_bounded_by_rows_and_by_octets(desk, count, how, groups):
    for number in range(count):
        desk.add(number, **how)
    desk.clock.run_now()
    assert desk.connection.groups == groups
    assert desk.in_order() == list(range(count))


def test_what_is_asked_by_who_is_told_joins_the_next_group(desk):
    desk.committer.submit(lambda _: None, lambda _: desk.add(1))
    desk.clock.run_now()
    assert desk.told == kept(1)
    assert desk.connection.groups == 2


def test_reports_go_first(slow):
    slow.add(0)
    slow.clock.run_now()
    for number in range(1, 8):
        slow.add(number, rows=250, goes_first=number > 4)
    for _ in range(5):
        slow.worker.release()
        slow.clock.run_now()
    assert slow.in_order() == [0, 5, 6, 7, 1, 2, 3, 4]


def test_reports_do_not_overtake_each_other(desk):
    for number in range(10):
        desk.add(number, goes_first=number % 2 == 0)
    desk.clock.run_now()
    assert desk.in_order() == [0, 2, 4, 6, 8, 1, 3, 5, 7, 9]


# --- One that fails -----------------------------------------------------------------------------------


def fails(failure):
    def work(connection):
        connection.execute("INSERT INTO done VALUES (1000, 0)")
        raise failure

    return work


@pytest.mark.parametrize("at", [0, 3, 6])
@pytest.mark.parametrize(
    "failure",
    [
        sqlite3.IntegrityError("UNIQUE constraint failed"),
        error(sqlite3.SQLITE_IOERR),
        error(sqlite3.SQLITE_FULL),
        sqlite3.ProgrammingError("Cannot bind"),
        OverflowError("Python int too large to convert to SQLite INTEGER"),
        UnicodeEncodeError("utf-8", "\udcff", 0, 1, "surrogates not allowed"),
        AssertionError("IllegalTransition"),
    ],
    ids=lambda failure: type(failure).__name__ + str(getattr(failure, "sqlite_errorcode", "")),
)
def test_one_that_fails_spoils_nobody_elses(desk, failure, at):
    for number in range(7):
        if number == at:
            desk.committer.submit(fails(failure), lambda result: desk.told.append((at, result)))
        else:
            desk.add(number)
    desk.clock.run_now()
    others = [number for number in range(7) if number != at]
    assert desk.in_order() == list(range(7))
    assert desk.faults().keys() == {at}
    assert desk.rows() == others
    assert desk.broken == []
    assert desk.committer.is_idle
    desk.add(7)
    desk.clock.run_now()
    assert desk.told[-1] == (7, "kept 7")


def test_a_fault_says_what_it_is(desk):
    for number, failure in enumerate(
        [
            error(sqlite3.SQLITE_FULL),
            error(sqlite3.SQLITE_IOERR, "disk I/O error"),
            sqlite3.IntegrityError("no"),
        ]
    ):
        desk.committer.submit(fails(failure), lambda result, n=number: desk.told.append((n, result)))
        desk.clock.run_now()
    faults = desk.faults()
    assert [faults[n].is_full for n in range(3)] == [True, False, False]
    assert [faults[n].is_ambiguous for n in range(3)] == [False] * 3
    assert "disk I/O error" in faults[1].why


def test_several_that_fail_fail_alone(desk):
    for number in (1, 2, 2, 3, 3, 3, 4):
        desk.add(number)
    desk.clock.run_now()
    assert [isinstance(result, str) for _, result in desk.told] == [
        True,
        True,
        False,
        True,
        False,
        False,
        True,
    ]
    assert desk.rows() == [1, 2, 3, 4]


def test_those_that_are_done_again_alone_keep_their_place(desk):
    desk.add(1)
    desk.add(1)
    desk.add(2)
    desk.clock.run(1)
    for number in (3, 4):
        desk.add(number)
    desk.clock.run_now()
    assert desk.in_order() == [1, 1, 2, 3, 4]


# --- A full disk --------------------------------------------------------------------------------------


def test_a_full_disk_at_a_statement_ends_the_operation_and_nothing_else(desk):
    # SQLite has rolled the transaction back by itself by then; to do it again is an error.
    connection = desk.connection.connection
    connection.execute("CREATE TABLE large (x)")
    (pages,) = connection.execute("PRAGMA page_count").fetchone()
    connection.execute(f"PRAGMA max_page_count = {pages}")

    def work(writer):
        writer.execute("INSERT INTO large VALUES (zeroblob(100000))")

    desk.add(1)
    desk.committer.submit(work, lambda result: desk.told.append((2, result)))
    desk.add(3)
    desk.clock.run_now()
    assert desk.in_order() == [1, 2, 3]
    assert desk.faults() == {2: SpoolFault("no room left for the database", is_full=True)}
    assert desk.rows() == [1, 3]
    assert desk.committer.is_idle


def test_a_full_disk_at_the_commit_is_a_fault_that_passes(desk):
    desk.connection.faults["COMMIT"] = [error(sqlite3.SQLITE_FULL)]
    desk.add(1)
    desk.add(2)
    desk.clock.run_now()
    for number in (1, 2):
        assert desk.faults()[number].is_full
        assert not desk.faults()[number].is_ambiguous
    assert (desk.rows(), desk.broken) == ([], [])
    desk.add(3)
    desk.clock.run_now()
    assert desk.rows() == [3]


def test_a_full_disk_at_a_commit_that_sqlite_has_rolled_back(desk):
    class RolledBack:
        in_transaction = False

        def __init__(self, connection):
            self.connection = connection

        def execute(self, sql, *values):
            assert sql != "ROLLBACK"
            if sql == "COMMIT":
                self.connection.execute("ROLLBACK")
                raise error(sqlite3.SQLITE_FULL)
            return self.connection.execute(sql, *values)

    desk.committer._connection = RolledBack(desk.connection)
    desk.add(1)
    desk.clock.run_now()
    assert desk.faults()[1].is_full
    assert desk.committer.is_idle


# --- A commit of which nobody knows --------------------------------------------------------------------


@pytest.mark.parametrize(
    "failure",
    [
        error(sqlite3.SQLITE_IOERR),
        error(sqlite3.SQLITE_BUSY),
        error(sqlite3.SQLITE_CORRUPT),
        RuntimeError("closed"),
    ],
    ids=["EIO", "busy", "corrupt", "no thread"],
)
def test_any_other_failure_of_a_commit_is_ambiguous_for_all_now_and_later(slow, failure):
    slow.connection.faults["COMMIT"] = [failure]
    slow.add(1)
    slow.add(2)
    slow.clock.run_now()
    slow.add(3)
    slow.add(4, goes_first=True)
    slow.worker.release()
    assert slow.told == []
    slow.clock.run_now()
    assert sorted(slow.in_order()) == [1, 2, 3, 4]
    assert all(fault.is_ambiguous and not fault.is_full for fault in slow.faults().values())
    assert len(slow.faults()) == 4
    assert len(slow.broken) == 1
    slow.add(5)
    assert 5 not in slow.faults()
    slow.clock.run_now()
    assert slow.faults()[5].is_ambiguous
    assert len(slow.broken) == 1
    assert slow.worker.held == []
    assert slow.committer.is_idle


def test_who_asks_again_when_all_is_lost_is_answered_and_not_for_ever(desk):
    desk.connection.faults["COMMIT"] = [error(sqlite3.SQLITE_IOERR)]

    def again(result):
        desk.told.append((1, result))
        if len(desk.told) < 3:
            desk.committer.submit(lambda _: None, again)

    desk.committer.submit(lambda _: None, again)
    desk.clock.run_now()
    assert [fault.is_ambiguous for _, fault in desk.told] == [True] * 3


# --- A locked database --------------------------------------------------------------------------------


@pytest.fixture
def locker(desk):
    process = subprocess.Popen(
        [sys.executable, "-c", LOCKER, str(desk.path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout.readline() == "locked\n"

    def release():
        process.stdin.write("\n")
        process.stdin.flush()
        assert process.stdout.readline() == "released\n"

    yield release
    process.kill()
    process.communicate()


def test_a_lock_of_another_process_is_waited_for(desk, locker):
    desk.add(1)
    desk.clock.advance(4 * SECOND)
    desk.add(2)
    assert desk.told == []
    assert desk.committer.pressure() == 4 * SECOND
    locker()
    desk.clock.advance(SECOND // 2)
    assert desk.told == kept(1, 2)
    assert desk.committer.pressure() == 0


def test_a_lock_is_not_waited_for_without_end(desk, locker):
    desk.add(1)
    desk.clock.advance(6 * SECOND)
    fault = desk.faults()[1]
    assert "locked" in fault.why
    assert (fault.is_full, fault.is_ambiguous) == (False, False)
    assert desk.broken == []
    # The next one has a patience of its own, and nothing piles up.
    desk.add(2)
    desk.clock.advance(4 * SECOND)
    assert 2 not in desk.in_order()
    locker()
    desk.clock.advance(SECOND)
    assert desk.told[1:] == kept(2)
    assert desk.rows() == [2]


def test_another_failure_to_begin_is_told_at_once(desk):
    desk.connection.faults["BEGIN"] = [error(sqlite3.SQLITE_IOERR, "disk I/O error")]
    desk.add(1)
    desk.add(2)
    desk.clock.run_now()
    assert desk.faults().keys() == {1, 2}
    desk.add(3)
    desk.clock.run_now()
    assert desk.rows() == [3]


# --- Pressure -----------------------------------------------------------------------------------------


def test_pressure_is_the_wait_of_the_oldest_that_is_not_done(slow):
    committer, clock = slow.committer, slow.clock
    assert committer.pressure() == 0
    slow.add(1)
    clock.advance(30)
    assert committer.pressure() == 30
    slow.add(2)
    clock.advance(12)
    assert committer.pressure() == 42
    slow.worker.release()
    clock.run_now()
    # The first one is done; the second has waited for 12 ms and is under way.
    assert slow.told == kept(1)
    assert committer.pressure() == 12
    slow.worker.release()
    clock.run_now()
    assert committer.pressure() == 0
    clock.advance(SECOND)
    assert committer.pressure() == 0


def test_pressure_does_not_remember_those_who_were_given_up(desk, locker):
    desk.add(1, rows=500)
    desk.clock.advance(3 * SECOND)
    desk.add(2)
    desk.clock.advance(3 * SECOND)
    # The first was given up after five seconds; the second has waited for three.
    assert desk.in_order() == [1]
    assert desk.committer.pressure() == 3 * SECOND
