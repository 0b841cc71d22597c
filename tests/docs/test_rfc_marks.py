"""The marks in the code and the rows of docs/rfc.md: every one of them has the other, and a test."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
from tests.unit.report import test_checklist

ROOT = Path(__file__).parents[2]
SOURCE = ROOT / "src" / "byreturn"
PAGE = ROOT / "docs" / "rfc.md"

NUMBER = r"\d+(?:\.\d+)*"
MARK = re.compile(rf"RFC (\d+) sections? ({NUMBER}(?:(?:, | and ){NUMBER})*)")
# A mark may be broken over two lines of a comment or a docstring.
LINE_BREAK = re.compile(r"\n[ \t]*(?:#|--)?[ \t]*")
ROW = re.compile(rf"^\| (RFC \d+ section {NUMBER}) \| ([^|]+) \| ([^|]+) \| ([^|]+) \|$", re.MULTILINE)
NUMBERED = re.compile(r"^\| (\d+) \| ([^|]+) \|([^|]*)\|$", re.MULTILINE)
SPAN = re.compile(r"`([^`]+)`")
CHECKLIST = range(1, 51)


class Row(NamedTuple):
    mark: str
    asks: str
    files: tuple[str, ...]
    tests: tuple[str, ...]


def marks_in(text: str) -> Iterator[str]:
    for number, sections in MARK.findall(LINE_BREAK.sub(" ", text)):
        for section in re.findall(NUMBER, sections):
            yield f"RFC {number} section {section}"


def marks() -> set[tuple[str, str]]:
    return {
        (mark, str(path.relative_to(SOURCE)))
        for path in SOURCE.rglob("*")
        if path.suffix in {".py", ".sql"}
        for mark in marks_in(path.read_text("utf-8"))
    }


def rows() -> list[Row]:
    return [
        Row(mark, asks.strip(), tuple(SPAN.findall(where)), tuple(SPAN.findall(tests)))
        for mark, asks, where, tests in ROW.findall(PAGE.read_text("utf-8"))
    ]


def checklist() -> dict[int, tuple[str, tuple[str, ...]]]:
    """Read what each number demands, and its tests."""
    _, _, section = PAGE.read_text("utf-8").partition("\n## DSN checklist\n")
    return {
        int(number): (demand, tuple(SPAN.findall(tests)))
        for number, demand, tests in NUMBERED.findall(section.partition("\n## ")[0])
    }


def is_there(test: str) -> bool:
    """Whether a test exists: a file below tests, perhaps with `::` and the name of a function in it."""
    path, _, name = test.partition("::")
    file = ROOT / "tests" / path
    return file.is_file() and (not name or f"def {name}(" in file.read_text("utf-8"))


def test_marks_are_found_however_they_are_written():
    text = (
        '# RFC 3461 sections 4.1 and 5.2: so\n"""a (RFC 3461 section\n    5.2.7.2)."""\n-- RFC 1 section 2.'
    )
    assert list(marks_in(text)) == [
        "RFC 3461 section 4.1", "RFC 3461 section 5.2", "RFC 3461 section 5.2.7.2", "RFC 1 section 2",
    ]  # fmt: skip
    assert len(marks()) > 100


def test_every_mark_has_its_row():
    known = {(row.mark, file) for row in rows() for file in row.files}
    assert sorted(marks() - known) == []


def test_every_row_has_its_mark():
    known = {(row.mark, file) for row in rows() for file in row.files}
    assert sorted(known - marks()) == []


def test_a_mark_has_one_row():
    all_marks = [row.mark for row in rows()]
    assert sorted({mark for mark in all_marks if all_marks.count(mark) > 1}) == []


@pytest.mark.parametrize("row", rows(), ids=lambda row: row.mark)
def test_a_row_says_what_is_asked_and_names_tests_that_exist(row):
    assert row.asks
    assert row.tests, "no test is named"
    assert [test for test in row.tests if not is_there(test)] == []


def test_every_line_that_looks_like_a_row_is_one():
    lines = [line for line in PAGE.read_text("utf-8").splitlines() if line.startswith("| RFC ")]
    assert [line for line in lines if not ROW.match(line)] == []


# --- The DSN checklist --------------------------------------------------------------------------------


def test_every_number_of_the_checklist_has_its_row():
    assert list(checklist()) == list(CHECKLIST)


def test_a_number_of_the_checklist_names_tests_that_exist():
    named = {test for _, tests in checklist().values() for test in tests}
    assert sorted(test for test in named if not is_there(test)) == []
    # Without a test only what is not offered.
    assert [
        number for number, (demand, tests) in checklist().items() if not tests and "Not offered" not in demand
    ] == []


def test_every_test_of_the_checklist_is_named_at_its_number():
    named = checklist()
    for name in vars(test_checklist):
        if found := re.match(r"test_(\d\d)_", name):
            assert f"unit/report/test_checklist.py::{name}" in named[int(found[1])][1], name


def test_what_is_not_claimed_is_not_offered():
    from byreturn.protocol.extensions import offer

    page = PAGE.read_text("utf-8").partition("\n## Not claimed\n")[2]
    refused = re.findall(r"^\| ([A-Z0-9]+) \|", page, re.MULTILINE)
    assert {"SMTPUTF8", "REQUIRETLS", "DELIVERBY", "STARTTLS", "AUTH", "CHUNKING"} <= set(refused)
    offered = {line.split()[0] for line in offer("mail.here.example", 1)[1:]}
    assert offered & set(refused) == set()
    table = PAGE.read_text("utf-8").partition("\n## Offered\n")[2].partition("\n## ")[0]
    assert set(re.findall(r"^\| ([A-Z0-9]+) \|", table, re.MULTILINE)) == offered
