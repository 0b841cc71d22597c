"""`byreturn brake` and `byreturn retry`: what is asked of the server, and what is said when none is there."""

import json
import os
import socket

import pytest
from tests.cli.doors import ScriptedDoor, done, status
from tests.cli.running import is_golden
from tests.cli.spools import NOON

from byreturn.mail import MINUTE
from byreturn.policy import BrakeCause

LIE = "the name server 192.0.2.53:53 says that the root of the DNS does not exist"


def braked(cause: str, held: int, why: str = LIE) -> dict[str, object]:
    return {"since": NOON, "why": why, "cause": cause, "held": held}


@pytest.fixture
def door(byreturn, spool):
    """A door that is opened with the answers of its server."""
    byreturn.now = NOON + 30 * MINUTE
    return lambda *answers: ScriptedDoor(byreturn.data, *answers)


# --- Looking ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "brake"),
    [
        ("off", None),
        ("lie", braked("lie", 1200)),
        ("number", braked("number", 1, "the DNS denied 23 destinations within 10 minutes")),
        ("person", braked("person", 0, "ann: our resolver moves\x1b[2J")),
    ],
)
def test_the_brake_is_shown(byreturn, door, name, brake):
    with door(status(brake), status(brake)) as there:
        result = byreturn("brake")
        in_json = byreturn("brake", "--json")
    assert (result.status, result.err) == (0, "")
    assert is_golden(result.out, f"brake-{name}.txt")
    assert is_golden(in_json.out, f"brake-{name}.json")
    assert there.heard == [{"do": "status"}] * 2


def test_without_a_server_the_queue_tells(byreturn, spool):
    byreturn.now = NOON + 30 * MINUTE
    out = byreturn("brake").out
    assert out == (
        "The brake is off: what the DNS denies is believed.\n"
        "The server does not run: nothing is tried until it is started.\n"
    )
    spool.brake(LIE, BrakeCause.LIE, since=NOON)
    assert is_golden(byreturn("brake").out, "brake-no-server.txt")
    shown = json.loads(byreturn("brake", "--json").out)
    assert shown == {
        "version": 1, "at": "2026-11-23T12:30:00.000Z", "server_running": False, "on": True,
        "since": "2026-11-23T12:00:00.000Z", "why": LIE, "cause": "lie", "destinations_held": None,
        "server": None,
    }  # fmt: skip


# --- Acting -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (done(0), "The brake is off. It held nothing back.\n"),
        (done(1), "The brake is off. The mail for one destination that it held back is judged anew now.\n"),
        (
            done(1200),
            "The brake is off. The mail for 1,200 destinations that it held back is judged anew now.\n",
        ),
        (
            done(0, "it is not written down, and a restart forgets it: no room left"),
            "The brake is off. It held nothing back.\n"
            "But: it is not written down, and a restart forgets it: no room left.\n",
        ),
        ({"answer": "nothing_to_do", "why": "the brake is off"}, "Nothing to do: the brake is off.\n"),
    ],
)
def test_release(byreturn, door, answer, said):
    with door(answer) as there:
        result = byreturn("brake", "release")
    assert (result.status, result.out, result.err) == (0, said, "")
    assert there.heard == [{"do": "release_brake"}]


def test_engage(byreturn, door):
    with door(done(0), done(2), done(0)) as there:
        first = byreturn("brake", "engage", "--why", " the resolver moves, é ")
        second = byreturn("brake", "engage", "--why", "again")
        third = json.loads(byreturn("brake", "engage", "--why", "x", "--json").out)
    assert first.out == "The brake is on, until somebody types: byreturn brake release\n"
    assert second.out.endswith("\nIt holds back mail for 2 destinations.\n")
    assert third == {
        "version": 1, "at": "2026-11-23T12:30:00.000Z", "act": "engage_brake", "done": True,
        "destinations": 0, "note": None,
    }  # fmt: skip
    assert there.heard[0] == {"do": "engage_brake", "why": "the resolver moves, é"}


def test_retry(byreturn, door):
    nothing = {"answer": "nothing_to_do", "why": "no mail waits for it because it does not answer"}
    with door(done(1), nothing, nothing) as there:
        asked = byreturn("retry", "silent.example")
        nobody = byreturn("retry", "there.example")
        in_json = byreturn("retry", "there.example", "--json")
    assert (asked.status, asked.out) == (
        0,
        "silent.example is tried now, once for all its mail. See what comes of it: byreturn destinations "
        "silent.example\n",
    )
    assert (nobody.status, in_json.status) == (1, 1)
    assert "Nothing was done for there.example: no mail waits for it" in nobody.out
    assert json.loads(in_json.out)["done"] is False
    assert there.heard[0] == {"do": "retry", "destination": "silent.example"}


@pytest.mark.parametrize(
    "arguments",
    [
        ["brake", "engage"],
        ["brake", "--why", "x"],
        ["brake", "release", "--why", "x"],
        ["brake", "dance"],
        ["brake", "engage", "--why", " "],
        ["brake", "engage", "--why", "two\nlines"],
        ["brake", "engage", "--why", "x" * 501],
        ["retry"],
        ["retry", ""],
        ["retry", "x" * 256],
        ["retry", "\x1b[2J"],
    ],
)
def test_what_is_written_wrongly_is_not_asked(byreturn, spool, arguments):
    result = byreturn(*arguments)
    assert (result.status, result.out) == (2, "")
    assert result.err.startswith("Usage: byreturn ")
    assert "\x1b" not in result.err


# --- A server that is not there, or strange -----------------------------------------------------------

ACTS = [["brake", "release"], ["brake", "engage", "--why", "x"], ["retry", "silent.example"]]


@pytest.mark.parametrize("act", ACTS)
def test_an_act_needs_a_server(byreturn, spool, act):
    result = byreturn(*act)
    assert (result.status, result.out) == (75, "")
    assert f"no server answers at {byreturn.data}/operator.sock. Nothing was done." in result.err
    assert "byreturn serve" in result.err


@pytest.mark.parametrize("act", ACTS)
def test_a_door_that_a_dead_server_left(byreturn, spool, act):
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(byreturn.data / "operator.sock"))
    assert byreturn(*act).status == 75
    assert "The server does not run" in byreturn("brake").out


@pytest.mark.parametrize(
    ("answer", "status", "words"),
    [
        (b"", 75, "it hung up without an answer"),
        (b'{"answer":"done"', 75, "it hung up without an answer"),
        (b"hello\n", 78, "its answer is not understood"),
        (b'{"answer":"danced"}\n', 78, "its answer is not understood"),
        (b'{"answer":"done","destinations":"many"}\n', 78, "its answer is not understood"),
        (b"x" * 2_000_000 + b"\n", 78, "its answer is not understood"),
        ({"answer": "not_understood", "why": "unknown \x1b[2J. Nothing was done."}, 78, r"unknown \x1b[2J."),
        (
            {"answer": "not_now", "why": "8 others are being heard. Nothing was done"},
            75,
            "8 others are being",
        ),
    ],
)
@pytest.mark.parametrize("act", [*ACTS, ["brake"]])
def test_what_a_server_may_answer(byreturn, door, answer, status, words, act):
    with door(answer):
        result = byreturn(*act)
    assert (result.status, result.out) == (status, "")
    assert words in " ".join(result.err.split())
    assert "Traceback" not in result.err


def test_who_may_not_ask_is_told_so(byreturn, door, monkeypatch):
    def refuse(*_: object) -> None:
        raise PermissionError(13, os.strerror(13))

    # Who runs the tests as root may ask everybody.
    monkeypatch.setattr(socket.socket, "connect", refuse)
    result = byreturn("brake", "release")
    assert (result.status, result.out) == (78, "")
    assert "Permission denied. The server was not asked; nothing was done." in result.err
    assert "as root" in result.err


def test_a_long_path_is_no_obstacle(byreturn):
    folder = byreturn.folder / ("d" * 100) / ("e" * 100)
    folder.mkdir(parents=True)
    byreturn.config.write_text(byreturn.config.read_text().replace('"data"', f'"{folder}"'))
    with ScriptedDoor(folder, done(0)):
        assert byreturn("brake", "release").status == 0


@pytest.mark.parametrize("command", ["brake", "retry", "destinations"])
def test_help_fits_a_terminal(byreturn, command):
    result = byreturn.bare(command, "--help")
    assert result.status == 0
    assert max(map(len, result.out.splitlines())) <= 80
