"""What the tests of the command line share."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.cli.running import CommandLine
from tests.cli.spools import Spool


@pytest.fixture
def byreturn(tmp_path: Path, capsys, monkeypatch) -> CommandLine:
    """The command line, in a folder of its own."""
    monkeypatch.delenv("BYRETURN_CONFIG", raising=False)
    monkeypatch.chdir(tmp_path)
    return CommandLine(tmp_path, capsys)


@pytest.fixture
def spool(byreturn: CommandLine) -> Iterator[Spool]:
    """The spool that the command line looks at."""
    spool = Spool(byreturn.data)
    yield spool
    spool.close()
