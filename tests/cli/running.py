"""Running the command line inside the test, and comparing what it says with a file.

A golden file that is to change is written anew with REFRESH_GOLDEN=1; then read what changed.
"""

from __future__ import annotations

import os
from datetime import UTC, tzinfo
from pathlib import Path

import pytest
from msgspec import Struct

from byreturn.cli.main import run
from byreturn.cli.terminal import Terminal

GOLDEN = Path(__file__).parent / "golden"

CONFIG = """\
hostname = "mail.here.example"
data = "data"
[[listener]]
bind = ["127.0.0.1:2525"]
[[domain]]
name = "here.example"
mailboxes = ["ann", "info"]
"""


class Result(Struct, frozen=True):
    """What a command wrote, and its status."""

    status: int
    out: str
    err: str


class CommandLine:
    """The command line at a fixed instant, in a folder of its own."""

    def __init__(self, folder: Path, capture: pytest.CaptureFixture[str]) -> None:
        self.folder = folder
        self.data = folder / "data"
        self.now = 0
        self.zone: tzinfo = UTC
        self.width = 80
        self.config = folder / "byreturn.toml"
        self.config.write_text(CONFIG, encoding="utf-8")
        self._capture = capture

    def __call__(self, *arguments: str) -> Result:
        """Run a command with the configuration of the folder."""
        return self.bare(*arguments, "--config", str(self.config))

    def bare(self, *arguments: str) -> Result:
        """Run a command as it stands."""
        self._capture.readouterr()
        terminal = Terminal(now=lambda: self.now, zone=self.zone, width=self.width)
        status = run(arguments, terminal)
        out, err = self._capture.readouterr()
        return Result(status, out, err)


def is_golden(text: str, name: str) -> bool:
    """Whether a text is the one in the file."""
    path = GOLDEN / name
    if os.environ.get("REFRESH_GOLDEN"):
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8")
    expected = path.read_text(encoding="utf-8")
    assert text == expected
    return True
