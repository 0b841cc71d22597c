"""`byreturn show`: the life of one message, who said what, and what comes next."""

import json
from zoneinfo import ZoneInfo

import pytest
from tests.cli.running import is_golden
from tests.cli.spools import GREYLISTED, NO_SUCH_USER, NOON, SILENT, peer

from byreturn.mail import (
    DAY,
    HOUR,
    MINUTE,
    SECOND,
    Action,
    Cause,
    Notify,
    Phase,
    Priority,
    WeFound,
    id_text,
    mailbox_from_text,
)
from byreturn.policy import PutOff, RanOutOfTime, Refused, Relayed, Stored, Uncertain

STORED = Stored(WeFound(Cause.STORED))
TAKEN = Relayed(peer(250, "2.0.0", "Ok: queued as 4711", phase=Phase.END_OF_CONTENT))


def test_one_refused_one_waiting_one_delivered(byreturn, spool):
    """The classic message: one bad address beside a dead host."""
    ident = spool.accept("bob@there.example", "nobody@there.example", "carol@silent.example")
    spool.settle(ident, Refused(NO_SUCH_USER), at=NOON + 360, ordinal=1, owed=Action.FAILED)
    spool.settle(ident, TAKEN, at=NOON + 410, ordinal=0)
    report = spool.report(ident, at=NOON + 1420)
    spool.settle(report, STORED, at=NOON + 1423)
    put_off = PutOff(SILENT, NOON + 15 * MINUTE)
    spool.settle(ident, put_off, at=NOON + 30 * SECOND, ordinal=2)
    spool.owe_delay_notice(ident, due_at=NOON + 4 * HOUR, at=NOON + 30 * SECOND, ordinal=2)
    for number in range(41):
        spool.accept(f"x{number}@silent.example", at=NOON + MINUTE, waits=SILENT)
    spool.fails("silent.example", since=NOON + 30 * SECOND, due_at=NOON + 15 * MINUTE, failures=1)
    byreturn.now = NOON + 3 * MINUTE
    result = byreturn("show", id_text(ident))
    assert result.status == 0
    assert is_golden(result.out, "show-classic.txt")
    assert is_golden(byreturn("show", id_text(ident), "--json").out, "show-classic.json")
    byreturn.zone = ZoneInfo("America/St_Johns")
    assert is_golden(byreturn("show", id_text(ident)).out, "show-classic-st-johns.txt")
    assert is_golden(byreturn("show", id_text(report)).out, "show-report.txt")


def test_ids_in_any_spelling(byreturn, spool):
    ident = id_text(spool.accept("bob@there.example"))
    byreturn.now = NOON
    spellings = (ident.lower(), f"{ident[:4]}-{ident[4:9]}-{ident[9:]}", ident.replace("0", "o"))
    assert {byreturn("show", spelling).out for spelling in spellings} == {byreturn("show", ident).out}


@pytest.mark.parametrize(
    "text", ["", "0SAKR0P00000", "0SAKR0P0000000", "UUUUUUUUUUUUU", "ZZZZZZZZZZZZZ", "no"]
)
def test_what_is_no_id(byreturn, spool, text):
    result = byreturn("show", text)
    assert result.status == 2
    assert "is no id: an id has 13 letters and digits" in " ".join(result.err.split())


def test_an_unknown_message(byreturn, spool):
    result = byreturn("show", "0SAKR0P000009")
    assert (result.status, result.out) == (1, "")
    assert "no message 0SAKR0P000009 in" in result.err


def test_recipients_that_share_a_life_stand_together(byreturn, spool):
    """Only what happened differently is told apart."""
    names = [f"r{number:02}@there.example" for number in range(30)]
    ident = spool.accept(*names, "slow@there.example", given="list@here.example", priority=Priority.URGENT)
    for ordinal in range(30):
        spool.settle(ident, TAKEN, at=NOON + 2 * SECOND, ordinal=ordinal)
    byreturn.now = NOON + 3 * SECOND
    assert is_golden(byreturn("show", id_text(ident)).out, "show-together.txt")


def test_a_long_fight(byreturn, spool):
    """Put off, uncertain, then over: each attempt with its own words, over several days."""
    ident = spool.accept("bob@there.example")
    spool.settle(ident, PutOff(GREYLISTED, NOON + MINUTE), at=NOON + SECOND)
    lost = WeFound(Cause.LOST_CONNECTION, "", "mx1.there.example", "192.0.2.25", Phase.END_OF_CONTENT)
    for number, (event, at) in enumerate(
        [
            (Uncertain(lost, NOON + DAY), NOON + HOUR),
            (PutOff(GREYLISTED, NOON + 2 * DAY), NOON + DAY),
            (RanOutOfTime(GREYLISTED), NOON + 5 * DAY + 100),
        ],
        start=2,
    ):
        spool.write(
            "UPDATE recipient SET state = 1, epoch = 1, attempts = ?, due_at = 0 WHERE message_id = ?",
            number,
            ident,
        )
        owed = Action.FAILED if isinstance(event, RanOutOfTime) else None
        spool.settle(ident, event, at=at, began=at - 42 * SECOND, attempt=number, owed=owed)
    byreturn.now = NOON + 5 * DAY + 200
    assert is_golden(byreturn("show", id_text(ident)).out, "show-expired.txt")
    assert is_golden(byreturn("show", id_text(ident), "--json").out, "show-expired.json")


@pytest.mark.parametrize(
    ("state", "words"),
    [
        (2, ["held", "Held by the postmaster"]),
        (3, ["parked", "Parked: it was interrupted too often; a person must look at it"]),
        (7, ["returned by the postmaster", "Returned by the postmaster", "No report: none is owed"]),
        (8, ["discarded (sender not told)", "Discarded (sender not told)"]),
    ],
)
def test_what_a_person_did(byreturn, spool, state, words):
    ident = spool.accept("bob@there.example")
    spool.stop(ident, state, at=NOON + MINUTE)
    byreturn.now = NOON + HOUR
    out = byreturn("show", id_text(ident)).out
    assert f"bob@there.example: {words[0]}\n" in out
    assert [line.split("  ")[-1] for line in out.splitlines() if "12:01:00.000" in line] == words[1:]
    shown = json.loads(byreturn("show", id_text(ident), "--json").out)["recipients"][0]
    assert shown["disposition"] == (words[0].split()[0] if state > 3 else None)


@pytest.mark.parametrize(
    ("how", "why"),
    [
        ({"sender": None}, "the message has no sender to tell (null reverse path)"),
        ({"notify": Notify.NEVER}, "the sender asked for none (NOTIFY=NEVER)"),
        ({"notify": Notify.SUCCESS}, "the sender asked for others only (NOTIFY=SUCCESS)"),
    ],
)
def test_why_nobody_is_told(byreturn, spool, how, why):
    ident = spool.accept("bob@there.example", **how)
    spool.settle(ident, Refused(WeFound(Cause.NULL_MX)), at=NOON + 5)
    byreturn.now = NOON + HOUR
    out = byreturn("show", id_text(ident)).out
    assert "Not deliverable: we found: a null MX record in the DNS" in out
    assert f"No report: {why}" in out


def test_a_report_to_come(byreturn, spool):
    ident = spool.accept("bob@there.example", "carol@there.example")
    spool.settle(ident, Refused(NO_SUCH_USER), at=NOON + 360, owed=Action.FAILED)
    byreturn.now = NOON + 400
    assert (
        "12:00:01.360  REPORT to ann@here.example now (non-delivery report)"
        in byreturn("show", id_text(ident)).out
    )
    (report,) = json.loads(byreturn("show", id_text(ident), "--json").out)["recipients"][0]["reports"]
    assert report == {
        "action": "failed", "due_at": "2026-11-23T12:00:01.360Z", "owed_at": "2026-11-23T12:00:00.360Z",
        "is_silent": False, "report_id": None, "sent_at": None, "report_state": None, "kind": "report",
    }  # fmt: skip


def test_after_a_crash(byreturn, spool):
    """What recovery writes down for an attempt that the server's end cut short."""
    ident = spool.accept("bob@there.example")
    spool.close()
    again = type(spool)(byreturn.data)
    byreturn.now = NOON + HOUR
    out = byreturn("show", id_text(ident)).out
    assert "Interrupted: our server stopped during the attempt" in out
    assert "NEXT TRY now" in out
    again.close()
    spool.close = lambda: None


def test_more_lives_than_are_told(byreturn, spool):
    names = [f"r{number}@there.example" for number in range(120)]
    ident = spool.accept(*names)
    for ordinal in range(119):
        spool.settle(ident, TAKEN, at=NOON + ordinal, ordinal=ordinal)
    byreturn.now = NOON + HOUR
    out = byreturn("show", id_text(ident)).out
    assert "20 more recipients are not shown; --json shows up to 10,000." in out
    assert "r119@there.example: being tried" in out, "those in trouble come first"
    assert len(json.loads(byreturn("show", id_text(ident), "--json").out)["recipients"]) == 120


# --- Put off without an attempt of its own ------------------------------------------------------------


def told(byreturn, ident) -> str:
    return " ".join(byreturn("show", id_text(ident)).out.split())


def test_the_probe_of_another_message_speaks_for_who_waits(byreturn, spool):
    """What was found, when, and when the next one is; and that this message was not tried itself."""
    first = spool.accept("carol@silent.example")
    spool.settle(first, PutOff(SILENT, NOON + 30 * SECOND), at=NOON + 30 * SECOND)
    spool.fails("silent.example", since=NOON + 30 * SECOND, due_at=NOON + 15 * MINUTE, failures=1)
    later = spool.accept("dave@silent.example", at=NOON + 5 * MINUTE, waits=SILENT)
    byreturn.now = NOON + 6 * MINUTE
    assert is_golden(byreturn("show", id_text(later)).out, "show-not-tried.txt")
    assert "probe" not in told(byreturn, first), "its own attempt was the last one"
    # The next probe was made with the first message, and met the same.
    spool.fails("silent.example", since=NOON + 15 * MINUTE, due_at=NOON + 45 * MINUTE, failures=2)
    spool.write("UPDATE destination SET failing_since = ?", NOON + 30 * SECOND)
    byreturn.now = NOON + 20 * MINUTE
    assert is_golden(byreturn("show", id_text(later)).out, "show-probe-of-another.txt")


def test_a_probe_of_its_own_is_no_probe_of_another(byreturn, spool):
    ident = spool.accept("carol@silent.example")
    spool.fails("silent.example", since=NOON + 30 * SECOND, due_at=NOON + 15 * MINUTE, failures=1)
    spool.settle(ident, PutOff(SILENT, NOON + 30 * SECOND), at=NOON + 30 * SECOND)
    byreturn.now = NOON + MINUTE
    assert "12:00:30.000 Tried, put off: we found: no answer in time" in told(byreturn, ident)
    assert "another" not in told(byreturn, ident)


def test_a_probe_that_was_answered_is_told_no_more(byreturn, spool):
    ident = spool.accept("dave@silent.example", waits=SILENT)
    spool.fails("silent.example", since=NOON + 15 * MINUTE, due_at=NOON + 45 * MINUTE)
    spool.lives("silent.example", at=NOON + 45 * MINUTE)
    byreturn.now = NOON + 45 * MINUTE
    assert "another message" not in told(byreturn, ident)
    assert "NEXT TRY now" in told(byreturn, ident)


def test_the_message_ahead_in_line_speaks_for_those_behind_it(byreturn, spool):
    ident = spool.accept("dave@silent.example")
    put_off = PutOff(SILENT, NOON + 30 * SECOND, by_another=True)
    spool.settle(ident, put_off, at=NOON + 30 * SECOND, began=NOON + 30 * SECOND)
    spool.fails("silent.example", since=NOON + 30 * SECOND, due_at=NOON + 15 * MINUTE, failures=1)
    byreturn.now = NOON + MINUTE
    out = told(byreturn, ident)
    assert (
        "12:00:30.000 Put off by the attempt of a message ahead of it: we found: no answer in time (mx.silent"
        in out
    )
    assert "Tried" not in out
    assert "NEXT TRY in 14 min" in out
    (event,) = json.loads(byreturn("show", id_text(ident), "--json").out)["recipients"][0]["history"]
    assert event["event"] == "put_off_with_another"


def test_what_others_report_later(byreturn, spool):
    byreturn.now = NOON + HOUR
    sent = spool.accept("bob@there.example", "carol@there.example")
    for ordinal in (0, 1):
        spool.settle(sent, TAKEN, at=NOON + 9, ordinal=ordinal)
    brought = spool.accept("ann@here.example", sender=None, at=NOON + MINUTE)
    for to, text in (("bob@there.example", "550 5.2.2 Full\x1b"), ("zoe@third.example", "550 5.1.1 Unknown")):
        spool.hear(sent, mailbox_from_text(to), text, report_id=brought, at=NOON + MINUTE)
    assert is_golden(byreturn("show", id_text(sent)).out, "show-later.txt")
    shown = json.loads(byreturn("show", id_text(sent), "--json").out)
    assert [[one["text"] for one in each["later"]] for each in shown["recipients"]] == [
        ["550 5.2.2 Full\x1b"],
        [],
    ]
    assert shown["later"] == [
        {
            "at": "2026-11-23T12:01:00.000Z",
            "action": "failed",
            "text": "550 5.1.1 Unknown",
            "report_id": id_text(brought),
            "host": "client.here.example",
        }
    ]


def test_word_that_it_has_gone_through_and_a_copy(byreturn, spool):
    byreturn.now = NOON + 6 * HOUR
    sent = spool.accept("bob@there.example", "nobody@there.example")
    spool.settle(sent, PutOff(GREYLISTED, NOON + 5 * HOUR), at=NOON + 9, delay_notices=(NOON + HOUR,))
    spool.settle(sent, Refused(NO_SUCH_USER), at=NOON + 9, ordinal=1, is_copied=True)
    spool.report(sent, at=NOON + 2 * HOUR)
    spool.claim(at=NOON + 5 * HOUR)
    spool.settle(sent, TAKEN, at=NOON + 5 * HOUR, attempt=2)
    out = byreturn("show", id_text(sent)).out
    assert is_golden(out, "show-cleared.txt")
