"""The page on the command line names every command and option, and shows what is really printed."""

import re
from pathlib import Path

import click
import pytest

from byreturn.app import EXIT_BUG, EXIT_SPOOL_BROKEN
from byreturn.cli import session
from byreturn.cli.main import byreturn

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "reference" / "command-line.md").read_text(encoding="utf-8")
GOLDEN = ROOT / "tests" / "cli" / "golden"
SECTIONS = dict(re.findall(r"^## (.+?)\n(.*?)(?=^## |\Z)", PAGE, re.MULTILINE | re.DOTALL))
SHARED = SECTIONS["Every command"]


def options(command: click.Command) -> list[click.Option]:
    with click.Context(command) as context:
        return [one for one in command.get_params(context) if isinstance(one, click.Option)]


def test_every_command_has_a_section_and_every_section_a_command():
    assert [name.strip("`") for name in SECTIONS if name.startswith("`")] == list(byreturn.commands)
    for name in byreturn.commands:
        assert f"| [`{name}`](#{name}) |" in PAGE


@pytest.mark.parametrize("name", byreturn.commands)
def test_a_section_says_how_to_write_the_command(name):
    command = byreturn.commands[name]
    synopsis = re.search(rf"^    byreturn {name}\b.*$", SECTIONS[f"`{name}`"], re.MULTILINE)
    assert synopsis is not None
    own = {option.opts[0] for option in options(command)} - {"--config", "--help", "-h"}
    assert set(re.findall(r"--[a-z-]+", synopsis[0])) == own
    for argument in command.params:
        if isinstance(argument, click.Argument):
            assert argument.make_metavar(click.Context(command)) in synopsis[0]


@pytest.mark.parametrize("name", [*byreturn.commands, ""])
def test_every_option_is_described(name):
    command = byreturn.commands.get(name, byreturn)
    text = SECTIONS.get(f"`{name}`", "") + SHARED
    for option in options(command):
        metavar = "" if option.is_flag else f" {option.metavar or 'STATE'}"
        for spelling in option.opts:
            assert f"`{spelling}{metavar}`" in text or f"`{spelling}`" in text, (name, spelling)
    states = next((one.type.choices for one in options(command) if isinstance(one.type, click.Choice)), ())
    assert all(f"`{state}`" in text for state in states)


def test_every_status_is_in_the_table():
    statuses = {
        session.DONE, session.ANSWER_IS_NO, session.USAGE, session.TRY_AGAIN, session.REFUSED,
        session.INTERRUPTED, EXIT_BUG, EXIT_SPOOL_BROKEN,
    }  # fmt: skip
    assert {int(number) for number in re.findall(r"^\| (\d+) \|", SHARED, re.MULTILINE)} == statuses


@pytest.mark.parametrize(
    "name",
    [
        "init",
        "check-wrong",
        "queue",
        "show-classic",
        "trace",
        "destinations",
        "destination-wide",
        "brake-lie",
    ],
)
def test_the_examples_are_what_is_printed(name):
    """They are the golden files of tests/cli."""
    assert f"```text\n{(GOLDEN / f'{name}.txt').read_text(encoding='utf-8')}```\n" in PAGE
