"""The page of states says what the law says, because its tables come from it."""

import re
from pathlib import Path

import pytest
from tests.docs.states_page import BEGIN, END, PAGE, generated, refreshed

from byreturn.policy import FINAL, TRANSITIONS
from byreturn.spool.rows import STATE_NUMBERS

SCHEMA = Path(__file__).parents[2] / "src" / "byreturn" / "spool" / "schema.sql"
ON_DISK = "## What is on the disk in each state"


def rows_of(text):
    return [
        [cell.strip() for cell in line.strip("|").split("|")]
        for line in text.splitlines()
        if line.startswith("|") and not re.fullmatch(r"[| -]+", line)
    ]


def test_the_page_is_fresh():
    page = PAGE.read_text("utf-8")
    assert page == refreshed(page), f"{PAGE} is stale: run `python -m tests.docs.states_page`"


def test_what_stands_around_the_generated_part_is_left_alone():
    assert refreshed(f"above\n{BEGIN}stale{END}\nbelow\n").startswith(f"above\n{BEGIN}\n\n```mermaid\n")
    assert refreshed(f"above\n{BEGIN}stale{END}\nbelow\n").endswith(f"\n\n{END}\nbelow\n")


def test_a_page_without_markers_is_not_written():
    with pytest.raises(ValueError, match="needs two lines"):
        refreshed("nothing to see")


def test_every_transition_is_drawn_and_written():
    rows = rows_of(generated())
    for (state, event), after in TRANSITIONS.items():
        assert re.search(
            rf"^    {state.__name__} --> {after.__name__}: .*\b{event.__name__}\b", generated(), re.MULTILINE
        )
        assert [state.__name__, event.__name__, after.__name__] in [row[:3] for row in rows]
    for state in FINAL:
        assert f"    {state.__name__} --> [*]" in generated()


def test_every_state_has_a_row_on_what_is_on_the_disk():
    _, heading, rest = PAGE.read_text("utf-8").partition(ON_DISK)
    assert heading, f"{PAGE} has no section: {ON_DISK}"
    named = [cell for row in rows_of(rest.partition("\n## ")[0])[1:] for cell in row[0].split(", ")]
    assert sorted(set(named)) == sorted(state.__name__ for state in STATE_NUMBERS)


def test_the_tables_of_the_schema_are_all_spoken_of():
    page = PAGE.read_text("utf-8")
    tables = re.findall(r"^CREATE TABLE (\w+)", SCHEMA.read_text("utf-8"), re.MULTILINE)
    assert tables
    assert [table for table in tables if f"`{table}`" not in page] == []
