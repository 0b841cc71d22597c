"""`byreturn init`: a first configuration that works, and nothing of anybody's overwritten."""

import os
import shlex

import pytest
from tests.cli.running import is_golden

from byreturn.config import Config, load


@pytest.fixture(autouse=True)
def _no_file(byreturn):
    byreturn.config.unlink()


def test_in_this_folder(byreturn):
    result = byreturn.bare("init")
    assert result.status == 0
    assert is_golden(result.out, "init.txt")
    assert os.listdir(byreturn.folder) == ["byreturn.toml"]
    assert isinstance(load(byreturn.config, machine_hostname="localhost"), Config)


def test_in_another_folder(byreturn):
    result = byreturn.bare("init", "a b/c")
    assert is_golden(result.out, "init-elsewhere.txt")
    assert os.listdir(byreturn.folder / "a b" / "c") == ["byreturn.toml"]


def test_the_commands_that_it_names_work(byreturn):
    lines = byreturn.bare("init", "a b").out.splitlines()
    commands = [shlex.split(line) for line in lines if line.strip().startswith("byreturn")]
    assert [command[3] for command in commands] == ["check", "serve", "send-test"]
    assert byreturn.bare(*commands[0][1:]).status == 0
    # Nothing runs: what matters is that the command is understood.
    assert byreturn.bare(*commands[2][1:]).status == 75


def test_the_environment_names_another_file(byreturn, monkeypatch):
    monkeypatch.setenv("BYRETURN_CONFIG", "/etc/other.toml")
    assert "byreturn --config byreturn.toml check" in byreturn.bare("init").out


def test_nothing_is_overwritten(byreturn):
    byreturn.config.write_text("# mine\n")
    result = byreturn.bare("init")
    assert (result.status, result.out) == (1, "")
    assert result.err == (
        "byreturn: byreturn.toml is there already. It was left as it is. Look at it with: byreturn check. "
        "Or name another folder.\n"
    )
    assert byreturn.config.read_text() == "# mine\n"


def test_nothing_is_written_through_a_link_that_leads_nowhere(byreturn):
    byreturn.config.symlink_to(byreturn.folder / "elsewhere")
    assert byreturn.bare("init").status == 1
    assert not (byreturn.folder / "elsewhere").exists()


def test_a_file_where_the_folder_should_be(byreturn):
    (byreturn.folder / "file").write_text("")
    result = byreturn.bare("init", "file")
    assert (result.status, result.err) == (
        1,
        "byreturn: file is a file. Nothing was written. Name a folder.\n",
    )
    result = byreturn.bare("init", "file/below")
    assert result.status == 1
    assert "cannot write file/below/byreturn.toml: Not a directory. Nothing was written." in result.err
