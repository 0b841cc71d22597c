"""`byreturn reports`: what was told to whom, and what could be told to nobody."""

import json

import pytest
from tests.cli.running import is_golden
from tests.cli.spools import NO_SUCH_USER, NOON, peer

from byreturn.mail import HOUR, MINUTE, Action, Cause, Mailbox, Phase, WeFound, id_text
from byreturn.policy import Refused, Relayed, Stored


@pytest.fixture
def told(byreturn, spool):
    """Three failures: one report arrived, one was refused, one is on its way."""
    byreturn.now = NOON + HOUR
    idents = []
    for number, sender in enumerate(("ann@here.example", "gone@there.example", "eve@there.example")):
        at = NOON + number * MINUTE
        sent = spool.accept("nobody@away.example", sender=Mailbox(*sender.split("@")), at=at)
        spool.settle(sent, Refused(NO_SUCH_USER), at=at + 9, owed=Action.FAILED)
        idents.append((sent, spool.report(sent, at=at + 10)))
    spool.settle(idents[0][1], Stored(WeFound(Cause.STORED)), at=NOON + 20)
    refusal = peer(550, "5.1.1", "No \x1b such user", phase=Phase.RCPT)
    spool.settle(idents[1][1], Refused(refusal), at=NOON + MINUTE + 20)
    return idents


def test_newest_first_with_outcome(byreturn, told):
    result = byreturn("reports")
    assert result.status == 0
    assert is_golden(result.out, "reports.txt")


def test_those_that_could_not_be_delivered(byreturn, told):
    result = byreturn("reports", "--undeliverable")
    assert result.status == 0
    assert is_golden(result.out, "reports-undeliverable.txt")
    assert is_golden(byreturn("reports", "--undeliverable", "--json").out, "reports-undeliverable.json")


def test_one_of_them_in_full(byreturn, told):
    about, ident = told[1]
    shown = json.loads(byreturn("show", id_text(ident), "--json").out)
    assert shown["about"] == id_text(about)
    assert shown["recipients"][0]["reports"] == []


def test_none(byreturn, spool):
    sent = spool.accept("bob@there.example")
    spool.settle(sent, Relayed(peer(250, "2.0.0", "Ok", phase=Phase.END_OF_CONTENT)), at=NOON + 9)
    nothing = byreturn("reports")
    assert (nothing.status, nothing.out) == (1, "No report is known.\n")
    answer = byreturn("reports", "--undeliverable", "--json")
    assert (answer.status, json.loads(answer.out)["reports"]) == (1, [])
    assert "could not be delivered" in byreturn("reports", "--undeliverable").out


def test_a_limit_says_that_it_is_one(byreturn, told):
    out = byreturn("reports", "--limit", "2").out
    assert "Shown: the newest 2; --limit shows more." in out
    assert out.count("->") == 2
