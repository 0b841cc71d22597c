"""Broken configurations, each in a file, with every error that is expected of it.

A new one: write `bad/NN-name.toml`, run the test, read what it prints, and if that is what a person needs
to be told, put it into `bad/NN-name.expected`.
"""

from pathlib import Path

import pytest

from byreturn.config import load

BAD = Path(__file__).parent / "bad"
FILES = sorted(BAD.glob("*.toml"))


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_every_error_is_told(path):
    got = load(path, machine_hostname="machine.example.org")
    assert isinstance(got, list), "no error was found"
    told = "".join(f"{error}\n" for error in got).replace(f"{BAD}/", "")
    assert told == path.with_suffix(".expected").read_text(encoding="utf-8"), told


def test_each_has_its_errors_and_a_number_of_its_own():
    assert {path.stem for path in FILES} == {path.stem for path in BAD.glob("*.expected")}
    assert [path.name[:2] for path in FILES] == [f"{number:02}" for number in range(1, len(FILES) + 1)]
