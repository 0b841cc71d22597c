"""The files with which a house words its reports: what they say, and what is wrong with them."""

from __future__ import annotations

import pytest

from byreturn.config.templates import read_overrides
from byreturn.report import Audience, Reason
from byreturn.report.overrides import NO_OVERRIDES, Override


def read(folder, **files):
    for name, text in files.items():
        (folder / name.replace("__", ".").replace("_", "-")).write_text(text, encoding="utf-8")
    return read_overrides(folder)


def test_no_folder_and_an_empty_one_have_no_words(tmp_path):
    assert read_overrides(tmp_path / "none") == (NO_OVERRIDES, ())
    assert read_overrides(tmp_path) == (NO_OVERRIDES, ())


def test_a_file_is_for_what_its_name_says(tmp_path):
    overrides, complaints = read(
        tmp_path,
        mailbox_full__toml='cause = "a"',
        mailbox_full__de__toml='cause = "b"',
        mailbox_full__external__toml='cause = "c"',
        mailbox_full__de_AT__external__toml='cause = "d"\nsteps = ["e {postmaster}", "f"]',
        spam__toml="steps = []",
    )
    assert complaints == ()
    assert overrides.table == {
        (Reason.MAILBOX_FULL, "", None): Override("a"),
        (Reason.MAILBOX_FULL, "de", None): Override("b"),
        (Reason.MAILBOX_FULL, "", Audience.OUTSIDER): Override("c"),
        (Reason.MAILBOX_FULL, "de-at", Audience.OUTSIDER): Override("d", ("e {postmaster}", "f")),
        (Reason.SPAM, "", None): Override(None, ()),
    }


@pytest.mark.parametrize("tag", ["de-AT", "de-at"])
def test_a_language_is_found_whichever_way_it_is_written(tmp_path, tag):
    overrides, _ = read(tmp_path, mailbox_full__de_AT__toml='cause = "a"')
    found = overrides.find(Reason.MAILBOX_FULL, tag, Audience.INSIDER)
    assert found == Override("a")


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("nonsense.toml", 'cause = "a"', '"nonsense" is no reason that a report has'),
        ("spam.txt", 'cause = "a"', "not a .toml file"),
        ("spam.german language.toml", 'cause = "a"', "neither a language nor a reader"),
        ("spam.external.de.toml", 'cause = "a"', "neither a language nor a reader"),
        ("spam.toml", "cause = ", "not TOML"),
        ("spam.toml", "", "neither a cause nor steps"),
        ("spam.toml", "cause = 1", "spam.toml:1: cause: not a text"),
        ("spam.toml", 'steps = "a"', "steps: not a list"),
        ("spam.toml", "steps = [1]", "steps[0]: not a text"),
        ("spam.toml", 'cause = "a"\n\ntone = "kind"', "spam.toml:3: tone: not a key"),
        ("spam.toml", 'steps = ["a", "b", "c", "d"]', "more than 3 steps"),
        ("spam.toml", f'cause = "{"a" * 301}"', "longer than 300 characters"),
        ("spam.toml", f'steps = ["{"a" * 201}"]', "longer than 200 characters"),
        ("spam.toml", 'cause = "{sender}"', "has a place that is not known, {sender}. Reports"),
        ("spam.toml", 'cause = "{address.local}"', "has a place that is not known"),
        ("spam.toml", 'steps = ["a",\n"{"]', "spam.toml:2: steps[1]: has a single brace"),
        ("spam.toml", 'cause = ""', "is empty. Reports"),
    ],
)
def test_what_is_wrong_is_told_and_left_out(tmp_path, name, text, words):
    (tmp_path / name).write_text(text, encoding="utf-8")
    overrides, complaints = read_overrides(tmp_path)
    assert overrides == NO_OVERRIDES
    assert [words in str(complaint) for complaint in complaints] == [True], [str(one) for one in complaints]
    assert "Reports are sent with the built-in words." in str(complaints[0])
    assert str(complaints[0]).endswith(".")


def test_one_bad_file_leaves_the_others(tmp_path):
    overrides, complaints = read(tmp_path, spam__toml="x", policy__toml='cause = "a"')
    assert len(complaints) == 1
    assert list(overrides.table) == [(Reason.POLICY, "", None)]


def test_a_file_that_is_none(tmp_path):
    (tmp_path / "spam.toml").mkdir()
    (tmp_path / "policy.toml").write_bytes(b'cause = "\xff"')
    (tmp_path / "loop.toml").write_bytes(b"#" * 70_000)
    overrides, complaints = read_overrides(tmp_path)
    assert overrides == NO_OVERRIDES
    assert len(complaints) == 3
    (tmp_path / "file").write_text("")
    assert len(read_overrides(tmp_path / "file")[1]) == 1
