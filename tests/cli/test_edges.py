"""What a person, a pipe or a disk can do to a command: a message and a status, never a traceback."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from tests.cli.spools import NOON, SILENT

from byreturn import __version__

PROGRAM = [sys.executable, "-m", "byreturn"]


@pytest.fixture
def long_queue(byreturn, spool):
    """More than fits into a pipe."""
    names = [f"recipient{number}@silent.example" for number in range(900)]
    spool.accept(*names, waits=SILENT)
    spool.fails("silent.example", since=NOON, due_at=NOON + 1000)
    return byreturn


def ask(byreturn, *arguments, **how) -> subprocess.CompletedProcess:
    environment = os.environ | {"COLUMNS": "80", "TZ": "UTC"}
    return subprocess.run(
        [*PROGRAM, *arguments], cwd=byreturn.folder, env=environment, timeout=60, check=False, **how
    )


def test_a_reader_that_goes_away(long_queue):
    with subprocess.Popen(
        [*PROGRAM, "queue", "--limit", "900"],
        cwd=long_queue.folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert process.stdout.readline().startswith(b"ID ")
        process.stdout.close()
        assert process.stderr.read() == b""
        assert process.wait(timeout=60) == 0


def test_a_full_disk(long_queue):
    with Path("/dev/full").open("wb") as full:
        done = ask(long_queue, "queue", stdout=full, stderr=subprocess.PIPE)
    assert done.returncode == 75
    assert done.stderr == b"byreturn: cannot write the answer: No space left on device\n"


def test_no_standard_output_at_all(long_queue):
    done = subprocess.run(
        ["/bin/sh", "-c", 'exec "$@" >&-', "sh", *PROGRAM, "queue"],
        cwd=long_queue.folder, stderr=subprocess.PIPE, timeout=60, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, b"")


def test_a_terminal_with_few_letters(byreturn, spool):
    spool.accept("jürgen@there.example", "ωμέγα@there.example")
    environment = os.environ | {"PYTHONIOENCODING": "iso-8859-1"}
    done = subprocess.run(
        [*PROGRAM, "queue"],
        cwd=byreturn.folder,
        env=environment,
        capture_output=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, b"")
    assert "jürgen@there.example".encode("iso-8859-1") in done.stdout
    assert rb"\u03c9\u03bc\u03ad\u03b3\u03b1@there.example" in done.stdout


def test_colours_are_for_terminals(byreturn, spool):
    spool.accept("bob@there.example")
    done = ask(byreturn, "queue", stdout=subprocess.PIPE)
    assert b"\x1b" not in done.stdout
    # `script` gives the command a terminal of its own.
    leader, follower = os.openpty()
    try:
        ask(byreturn, "queue", stdout=follower)
        assert b"\x1b[" in os.read(leader, 10_000)
    finally:
        os.close(leader)
        os.close(follower)


def test_version(byreturn):
    result = byreturn.bare("--version")
    assert (result.status, result.out) == (0, f"byreturn {__version__}\n")


@pytest.mark.parametrize(
    "arguments",
    [
        ["nosuch"],
        ["queue", "--nosuch"],
        ["queue", "--state", "lost"],
        ["queue", "--limit", "0"],
        ["queue", "--limit", "many"],
        ["show"],
        ["trace"],
        ["init", "a", "b"],
        ["send-test"],
        ["send-test", "nobody"],
        ["send-test", "a\r\nRCPT TO:<b@c.example>@d.example"],
        ["send-test", "jürgen@there.example"],
        ["send-test", "a@b.example", "--wait", "soon"],
        ["send-test", "a@b.example", "--wait", "-1s"],
        ["send-test", "a@b.example", "--server", "host"],
        ["send-test", "a@b.example", "--server", "host:0"],
        ["send-test", "a@b.example", "--server", "::1:25"],
        ["send-test", "a@b.example", "--from", "me"],
    ],
)
def test_a_wrong_command_line(byreturn, arguments):
    result = byreturn.bare(*arguments)
    assert (result.status, result.out) == (2, "")
    assert result.err.startswith("Usage: byreturn ")
    assert "\nError: " in result.err


@pytest.mark.parametrize("command", [["queue"], ["show", "0SAKR0P000000"], ["trace", "x@y.example"]])
def test_a_server_that_never_ran(byreturn, command):
    result = byreturn(*command)
    assert (result.status, result.out) == (78, "")
    assert f"there is no queue in {byreturn.data}" in result.err


@pytest.mark.parametrize("command", [["queue"], ["show", "0SAKR0P000000"], ["trace", "x@y.example"]])
def test_a_damaged_queue(byreturn, spool, command):
    spool._spool.close()
    spool.close = lambda: None
    (byreturn.data / "spool.sqlite3").write_bytes(b"no database " * 1000)
    result = byreturn(*command)
    assert (result.status, result.out) == (78, "")
    assert "file is not a database" in result.err
    assert "nothing was touched" in result.err


@pytest.mark.parametrize(
    "command", [[], *([name] for name in ("init", "serve", "check", "send-test", "queue"))]
)
def test_help_fits_a_terminal(byreturn, command):
    result = byreturn.bare(*command, "--help")
    assert result.status == 0
    assert max(map(len, result.out.splitlines())) <= 80
