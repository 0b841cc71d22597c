"""`byreturn trace`: who wrote to whom, and what became of it."""

import json

import pytest
from tests.cli.running import is_golden
from tests.cli.spools import NO_SUCH_USER, NOON, SILENT, peer

from byreturn.mail import DAY, HOUR, Action, Cause, Mailbox, Phase, WeFound
from byreturn.policy import Refused, Relayed, Stored


@pytest.fixture
def history(byreturn, spool):
    """A day of mail."""
    byreturn.now = NOON + HOUR
    old = spool.accept("ann@here.example", sender=Mailbox("Bob", "There.Example"), at=NOON - DAY)
    spool.settle(old, Stored(WeFound(Cause.STORED)), at=NOON - DAY + 3)
    sent = spool.accept("bob@there.example", "nobody@there.example")
    spool.settle(sent, Relayed(peer(250, "2.0.0", "Ok", phase=Phase.END_OF_CONTENT)), at=NOON + 9)
    spool.settle(sent, Refused(NO_SUCH_USER), at=NOON + 9, ordinal=1, owed=Action.FAILED)
    spool.report(sent, at=NOON + 2000)
    spool.accept("carol@silent.example", at=NOON + HOUR - 5, waits=SILENT, given="office@here.example")
    spool.fails("silent.example", since=NOON + HOUR - 5, due_at=NOON + 2 * HOUR)
    return spool


def test_newest_first_with_outcome(byreturn, history):
    result = byreturn("trace", "ann@here.example")
    assert result.status == 0
    assert is_golden(result.out, "trace.txt")


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("BOB@there.example", ["bob@there.example", "ann@here.example"]),
        ("<bob@THERE.example>", ["bob@there.example", "ann@here.example"]),
        ("office@here.example", ["carol@silent.example"]),
        ("carol@silent.example", ["carol@silent.example"]),
        ("<>", ["ann@here.example"]),
        ("b%@there.example", []),
        ("' OR 1 --", []),
    ],
)
def test_who_is_found(byreturn, history, address, expected):
    result = byreturn("trace", address, "--json")
    assert result.status == (0 if expected else 1)
    assert [one["recipient"] for one in json.loads(result.out)["recipients"]] == expected


def test_nobody(byreturn, history):
    result = byreturn("trace", "x\x1b@nowhere.example")
    assert (result.status, result.out) == (1, "No message from or to x\\x1b@nowhere.example is known.\n")


def test_a_limit_says_that_it_is_one(byreturn, history):
    out = byreturn("trace", "ann@here.example", "--limit", "2").out
    assert "Shown: the newest 2; --limit shows more." in out
    assert out.count("->") == 2


def test_json(byreturn, history):
    assert is_golden(byreturn("trace", "ann@here.example", "--json").out, "trace.json")
