"""`byreturn queue`: what waits, why, and what comes next."""

import json
import subprocess
import sys
from zoneinfo import ZoneInfo

import pytest
from tests.cli.running import is_golden
from tests.cli.spools import GREYLISTED, NO_SUCH_USER, NOON, SILENT, peer

from byreturn.mail import DAY, HOUR, MINUTE, SECOND, Cause, Mailbox, WeFound, id_text
from byreturn.policy import PutOff, Refused, Stored


@pytest.fixture
def filled(byreturn, spool):
    """One recipient in every state, and some that are done with."""
    byreturn.now = NOON + HOUR
    done = spool.accept("info@here.example", at=NOON - DAY)
    spool.settle(done, Stored(WeFound(Cause.STORED)), at=NOON - DAY + 5)
    grey = spool.accept("bob@there.example")
    spool.settle(grey, PutOff(GREYLISTED, NOON + 2 * HOUR), at=NOON + 130, delay_notices=(NOON + 4 * HOUR,))
    for number in range(2):
        at = NOON + (10 + number) * MINUTE
        spool.accept(f"carol{number}@silent.example", at=at, waits=SILENT, notice_at=at + 20 * MINUTE)
    spool.fails("silent.example", since=NOON + 50 * MINUTE, due_at=NOON + 80 * MINUTE)
    held = spool.accept("dave@held.example", at=NOON + 30 * MINUTE)
    spool.stop(held, 2, at=NOON + 31 * MINUTE)
    parked = spool.accept("erin@parked.example", at=NOON + 40 * MINUTE)
    spool.stop(parked, 3, at=NOON + 41 * MINUTE)
    spool.accept("frank@there.example", "bad@there.example", at=NOON + HOUR - 700)
    return spool


def test_an_empty_queue_says_so(byreturn, spool):
    spool.close = lambda: None  # closed here, so that it is looked at without a server
    spool._spool.close()
    result = byreturn("queue")
    assert (result.status, result.out) == (0, "The queue is empty: nothing waits.\n")


def test_every_state(byreturn, filled):
    result = byreturn("queue")
    assert result.status == 0
    assert is_golden(result.out, "queue.txt")


def test_a_wide_terminal_and_another_zone(byreturn, filled):
    byreturn.width, byreturn.zone = 140, ZoneInfo("Europe/Berlin")
    assert is_golden(byreturn("queue").out, "queue-wide.txt")


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (["--destination", "SILENT.example."], ["carol0@silent.example", "carol1@silent.example"]),
        (
            ["--destination", "there.example"],
            ["bob@there.example", "frank@there.example", "bad@there.example"],
        ),
        (["--destination", "silent"], []),
        (["--state", "waiting"], ["bob@there.example", "carol0@silent.example", "carol1@silent.example"]),
        (["--state", "trying"], ["frank@there.example", "bad@there.example"]),
        (["--state", "held"], ["dave@held.example"]),
        (["--state", "parked"], ["erin@parked.example"]),
        (["--deferred"], ["bob@there.example", "carol0@silent.example", "carol1@silent.example"]),
        (["--deferred", "--state", "held"], []),
        (["--limit", "2"], ["bob@there.example", "carol0@silent.example"]),
    ],
)
def test_a_selection(byreturn, filled, options, expected):
    answer = json.loads(byreturn("queue", "--json", *options).out)
    assert [recipient["recipient"] for recipient in answer["recipients"]] == expected
    if "--limit" not in options:
        assert answer["totals"]["recipients"] == len(expected)


def test_what_is_due_is_not_deferred(byreturn, filled):
    byreturn.now = NOON + 3 * HOUR
    assert json.loads(byreturn("queue", "--deferred", "--json").out)["recipients"] == []
    assert "Nothing in the queue matches." in byreturn("queue", "--deferred").out


def test_a_limit_says_what_is_left_out(byreturn, filled):
    out = byreturn("queue", "--limit", "1").out
    assert "7 recipients: 3 waiting (2 for a destination that does not answer)" in out
    assert "Shown: the oldest 1; --limit shows more." in " ".join(out.split())


def test_json(byreturn, filled):
    result = byreturn("queue", "--json")
    assert is_golden(result.out, "queue.json")
    answer = json.loads(result.out)
    assert answer["version"] == 1
    assert answer["server_running"] is True
    assert answer["totals"] == {
        "recipients": 7, "waiting": 3, "waiting_for_destination": 2, "in_flight": 2, "held": 1, "parked": 1,
    }  # fmt: skip


def test_a_server_that_is_gone(byreturn, filled):
    with subprocess.Popen([sys.executable, "-c", ""]) as process:
        pass
    (byreturn.data / "lock").write_text(f"{process.pid}\n")
    assert byreturn("queue").out.endswith("The server does not run: nothing is tried until it is started.\n")
    assert json.loads(byreturn("queue", "--json").out)["server_running"] is False


def test_strangers_text_moves_no_cursor(byreturn, spool):
    byreturn.now = NOON + SECOND
    nasty = "\x1b[2J\x07\u202egnp.exe\r\n\x9b31m"
    ident = spool.accept(
        "bob\u202e@there.example", sender=Mailbox("a\x1b]0;owned\x07", "evil.example"), subject=nasty
    )
    spool.settle(ident, PutOff(peer(451, "4.0.0", nasty, host=nasty), NOON + HOUR), at=NOON + 1)
    refused = spool.accept("x@there.example", subject=nasty)
    spool.settle(refused, Refused(NO_SUCH_USER), at=NOON + 1)
    for command in (["queue"], ["show", id_text(ident)], ["trace", "x@there.example"], ["queue", "--json"]):
        out = byreturn(*command).out
        assert all(letter.isprintable() or letter == "\n" for letter in out), command
    assert r"\x1b[2J\x07\u202egnp.exe" in "".join(byreturn("show", id_text(ident)).out.split("\n"))
