"""The page on reports names, for each demand of the standards, the tests that look after it."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "reference" / "reports.md").read_text(encoding="utf-8")
# How many demands of RFC 3461, 3464, 3463, 3834, 5321, 6522, 6533, 7505 and their neighbours are kept apart.
DEMANDS = 50
ROWS = re.findall(r"^\| (\d+) \| (RFC [^|]+) \| ([^|]+) \| ([^|]+) \|$", PAGE, re.MULTILINE)
NUMBERED = re.compile(r"test_(\d\d)_\w+")


def numbered_tests() -> Iterator[str]:
    folders = (ROOT / "tests" / "checklist", ROOT / "tests" / "unit" / "report")
    for path in sorted(path for folder in folders for path in folder.glob("test_*.py")):
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and NUMBERED.fullmatch(node.name):
                yield node.name


def test_each_demand_has_its_row():
    assert [int(number) for number, *_ in ROWS] == list(range(1, DEMANDS + 1))


def test_each_test_stands_at_its_number_and_each_named_test_exists():
    named = [name for *_, names in ROWS for name in re.findall(r"`(\w+)`", names)]
    assert sorted(named) == sorted(numbered_tests())
    for number, *_, names in ROWS:
        numbers = {int(found[1]) for found in NUMBERED.finditer(names)}
        assert numbers == {int(number)}
