"""The named queries: each is used, each use is one, and the daily round finds its rows by an index."""

import ast
import re
import sqlite3
from pathlib import Path

import pytest

import byreturn
from byreturn.mail import Priority
from byreturn.spool.statements import READER_SQL, SCHEMA, SQL

SOURCE = Path(byreturn.__file__).parent
USERS = sorted(path for path in SOURCE.rglob("*.py") if "SQL" in path.read_text("utf-8"))
TREES = {path: ast.parse(path.read_text("utf-8")) for path in USERS if path.name != "statements.py"}


def used(dictionary):
    """Every name by which a dictionary of queries is asked, anywhere: SQL["name"]."""
    return {
        node.slice.value
        for tree in TREES.values()
        for node in ast.walk(tree)
        if isinstance(node, ast.Subscript)
        and isinstance(node.value, ast.Name)
        and node.value.id == dictionary
        and isinstance(node.slice, ast.Constant)
    }


def words():
    """Every string that is written in a module that uses queries; some are names, asked for in a loop."""
    return {
        node.value
        for tree in TREES.values()
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }


@pytest.mark.parametrize(("dictionary", "queries"), [("SQL", SQL), ("READER_SQL", READER_SQL)])
def test_every_query_is_used_and_every_use_is_a_query(dictionary, queries):
    assert used(dictionary) - queries.keys() == set()
    assert queries.keys() - used(dictionary) - words() == set()


@pytest.mark.parametrize("name", ["queries.sql", "reader.sql"])
def test_no_name_is_given_twice(name):
    text = (SOURCE / "spool" / name).read_text("utf-8")
    names = re.findall(r"^-- name: (.*)$", text, re.MULTILINE)
    assert len(names) == len(set(names))
    assert all(re.fullmatch(r"[a-z][a-z_]*", each) for each in names)
    assert len(names) == len(SQL if name == "queries.sql" else READER_SQL)


@pytest.fixture(scope="module")
def database():
    connection = sqlite3.connect(":memory:", isolation_level=None)
    connection.executescript(SCHEMA)
    yield connection
    connection.close()


def plan(connection, sql):
    places = re.findall(r"\?(\d+)", sql)
    count = max(map(int, places)) if places else sql.count("?")
    return [row[3] for row in connection.execute(f"EXPLAIN QUERY PLAN {sql}", [1] * count)]


@pytest.mark.parametrize("name", [*SQL, *(f"reader: {name}" for name in READER_SQL)])
def test_every_query_is_understood(database, name):
    sql = READER_SQL[name.removeprefix("reader: ")] if name.startswith("reader: ") else SQL[name]
    if not sql.startswith("PRAGMA"):
        assert isinstance(plan(database, sql), list)


# What is asked again and again while a hundred thousand recipients wait, and what it may not do without.
INDEXED = {
    "due_recipients": "recipient_due",
    "due_reports": "recipient_report_due",
    "due_destinations": "destination_due",
    "next_destination_due": "destination_due",
    "owed_due": "owed_due",
    "next_owed": "owed_due",
    "next_expiry": "recipient_expiry",
    "first_due_at": "recipient_due",
    "over_time": "recipient_expiry",
    "failing_destinations": None,
    "expired_contents": "content_keep",
    "oldest_kept": "content_keep",
    "reports_so_far": "message_about",
    "thread": "message_about",
    "owed_kind": None,
    "others": None,
    "notices_of": None,
    "owe_notice": None,
    "correspondents": "message_sender",
    "lately_sent": "message_sender",
    "by_envid": "message_envid",
    "escaped_envids": "message_envid",
    "by_message_id": "message_sender",
    "addressees": None,
    "add_later": "later_message",
    "forget_later": "later_message",
    "somebody_unheard": None,
    "owed_lines": None,
    "pending_report_due": None,
    "next_report_due": None,
    "is_owed": None,
    "hurry_reports": None,
    "settle_recipient": None,
    "book_recipient": None,
    "expire_recipient": None,
    "wait_at_destination": None,
    "probe_now": None,
    "named_count": None,
    "old_messages": None,
    "over_time_end": "recipient_expiry",
    "drop_kept_content": None,
    "has_file": None,
    "took_mail": None,
    "past": None,
    "deny": None,
    "known_destinations": "known_destination_age",
    "forget_known": "known_destination_age",
    "forget_lessons": "lesson_until",
    "interrupted_attempts": "recipient_in_flight",
    "park_interrupted": "recipient_in_flight",
    "destinations_of_interrupted": "recipient_in_flight",
    "release_interrupted": "recipient_in_flight",
    "largest_id": None,
}


@pytest.mark.parametrize("name", INDEXED)
def test_no_query_of_the_daily_round_looks_at_a_whole_table(database, name):
    steps = plan(database, SQL[name])
    index = INDEXED[name]
    if index is not None:
        assert any(f"INDEX {index}" in step for step in steps), steps
    # What a subquery with a limit has found is walked through in its order.
    found = {
        f"SCAN {made[1]}" for step in steps if (made := re.match(r"(?:CO-ROUTINE|MATERIALIZE) (\w+)", step))
    }
    assert not found or "LIMIT" in SQL[name]
    for step in steps:
        if step in found:
            continue
        # A step over a partial index holds only rows of that kind; a step over a table holds all of history.
        assert not re.match(r"SCAN (?!CONSTANT)(?!.*USING (COVERING )?INDEX)", step), steps


def test_the_plans_do_not_change_with_what_is_in_the_tables(database):
    # Without ANALYZE the plans depend on the schema alone; nobody may run it by chance.
    assert database.execute(
        "SELECT count(*) FROM sqlite_master WHERE name LIKE 'sqlite_stat%'"
    ).fetchone() == (0,)
    for path in SOURCE.joinpath("spool").glob("*"):
        if path.suffix in (".py", ".sql"):
            assert not re.search(r"\b(ANALYZE|optimize)\b", path.read_text("utf-8")), path


@pytest.fixture
def count_steps(database):
    """Count what SQLite's machine does for a query, and undo what was put into the tables for it."""

    def count(name, *values):
        steps = 0

        def step():
            nonlocal steps
            steps += 1

        database.set_progress_handler(step, 1)
        database.execute(SQL[name], values).fetchall()
        database.set_progress_handler(None, 0)
        return steps

    database.execute("BEGIN")
    yield count
    database.execute("ROLLBACK")


def test_a_claim_costs_what_it_books_and_not_what_waits(database, count_steps):
    database.executemany(
        "INSERT INTO recipient VALUES (?, 0, 'a@b', NULL, ?, 0, NULL, ?, 0, ?, NULL, 0, 9, 1, NULL, NULL)",
        ((n, f"d{n % 10}.example", n % 4, n % 97) for n in range(20_000)),
    )
    for priority in Priority:
        assert count_steps("due_recipients", "d3.example", priority, 1000, 11) < 500
        assert count_steps("first_due_at", "d3.example", priority) < 100
    assert count_steps("due_reports", 1000, 10) < 1000
    assert count_steps("next_expiry", 5) < 100
    assert count_steps("probe_now", "d3.example", 5) < 100


# One that waits: its message, its priority, when it expires.
WAITING = """INSERT INTO recipient VALUES (
    ?, 0, 'a@b', NULL, 'd.example', 0, NULL, ?, 0, 1, NULL, 0, ?, 1, NULL, NULL
)"""


@pytest.mark.parametrize(
    ("name", "values"), [("waiting_at", ("d3.example", 100)), ("in_flight_to", ("d3.example",))]
)
def test_counting_looks_into_an_index_alone(database, name, values):
    steps = [row[3] for row in database.execute(f"EXPLAIN QUERY PLAN {READER_SQL[name]}", values)]
    assert any("COVERING INDEX" in step for step in steps), steps


def test_an_expiry_costs_its_stretch_and_not_what_is_over(database, count_steps):
    database.executemany(
        WAITING,
        ((n, 2, n // 100) for n in range(20_000)),
    )
    database.execute("INSERT INTO destination (name, due_at) VALUES ('d.example', 1)")
    assert count_steps("over_time", 10_000, 100, 10_000, 0, 50) < 3000
    assert count_steps("over_time_end", 10_000, 100, 10_000, 0, 49) < 1000
    assert count_steps("next_expiry", 150) < 100


def test_a_purge_costs_its_stretch_and_not_what_must_stay(database, count_steps):
    database.executemany(
        "INSERT INTO message VALUES (?, '', 1, 1, 1, 1, '7BIT', NULL, NULL, 2, '', '', '', NULL, '', '', 0)",
        ((n,) for n in range(1, 20_000)),
    )
    database.executemany(
        WAITING,
        ((n, 2, 9) for n in range(1, 20_000)),
    )
    database.executemany(
        "INSERT INTO content (message_id, size, keep_until) VALUES (?, 1, 1)",
        ((n,) for n in range(1, 20_000)),
    )
    database.executemany(
        "INSERT INTO owed VALUES (?, 0, 'failed', 0, 1, 1, NULL)", ((n,) for n in range(1, 20_000))
    )
    assert count_steps("old_messages", 500, 1 << 60, 50) < 3000
    assert count_steps("expired_contents", 5, 50, 10) < 2000
    assert count_steps("oldest_kept", 50, 10) < 2000
    assert count_steps("kept_octets") < 50
    assert count_steps("owed_due", 5, 50) < 500


def test_reports_for_the_dead_cost_a_claim_a_stretch(database, count_steps):
    database.executemany(
        WAITING,
        ((n, 0, 9) for n in range(20_000)),
    )
    database.execute(
        "INSERT INTO destination (name, due_at, failures, failing_since, probe_at)"
        " VALUES ('d.example', 1, 1, 1, 1)"
    )
    assert count_steps("due_reports", 5, 50) < 2500


def test_the_timer_of_reports_costs_what_is_owed_and_not_what_was_sent(database, count_steps):
    database.executemany(
        "INSERT INTO owed VALUES (?, 0, 'failed', 0, 1, 1, ?)",
        ((n, None if n % 4000 == 0 else 7) for n in range(20_000)),
    )
    assert count_steps("owed_due", 5, 100) < 1000
    assert count_steps("next_owed", 0) < 100
