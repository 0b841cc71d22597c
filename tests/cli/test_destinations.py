"""`byreturn destinations`: who does not answer, since when, why; and what hosts asked of us."""

import json
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from tests.cli.doors import ScriptedDoor
from tests.cli.running import is_golden
from tests.cli.spools import GREYLISTED, NOON, SILENT, peer

from byreturn.cli.limits import suggestion
from byreturn.cli.ways import Way
from byreturn.config import load_text
from byreturn.mail import DAY, HOUR, MINUTE, Cause, Destination, Phase, WeFound, normal_domain
from byreturn.policy import PutOff, Relayed, Topic
from byreturn.ports import Lesson
from byreturn.spool import reader

TAKEN = Relayed(peer(250, "2.0.0", "Ok: queued as 4711", phase=Phase.END_OF_CONTENT))
TOO_MANY = peer(421, "4.7.0", "Too many concurrent connections", host="mx1.big.example", phase=Phase.GREETING)
TOO_FAST = peer(451, "4.7.1", "You are sending too fast", host="mx2.big.example", phase=Phase.MAIL)
BIG = "mx1.big.example mx2.big.example"
GONE = WeFound(Cause.NO_SUCH_DOMAIN, "old.example does not exist, says the name server 192.0.2.53")


def route(*hosts: str, rule: str = "", why: str = "") -> dict[str, object]:
    return {"answer": "route", "hosts": list(hosts), "rule": rule, "is_here": False, "why": why}


@pytest.fixture
def filled(byreturn, spool):
    """Some that do not answer, some that do, and hosts that asked us to go easy."""
    byreturn.now = NOON + HOUR
    took = spool.accept("x@old.example", "y@there.example", "z@wide.example", at=NOON - DAY)
    for ordinal in range(3):
        spool.settle(took, TAKEN, at=NOON - DAY + 400, ordinal=ordinal)
    for number in range(3):
        spool.accept(f"carol{number}@silent.example", waits=SILENT, at=NOON + number)
    spool.accept("dave@old.example", waits=GONE)
    spool.deny("old.example", since=NOON + 20 * MINUTE)
    grey = spool.accept("bob@there.example")
    spool.settle(grey, PutOff(GREYLISTED, NOON + 2 * HOUR), at=NOON + 130)
    spool.accept("erin@wide.example", at=NOON + HOUR - 900)
    spool.fails("silent.example", since=NOON + 50 * MINUTE, due_at=NOON + 80 * MINUTE)
    spool.fails("old.example", since=NOON + 20 * MINUTE, due_at=NOON + 61 * MINUTE, failures=1, finding=GONE)
    spool.learn(BIG, Topic.CONNECTIONS, 2, TOO_MANY, at=NOON + 30 * MINUTE)
    spool.learn(BIG, Topic.PACE, 30, TOO_FAST, at=NOON + 31 * MINUTE)
    spool.learn("mx.over.example", Topic.MESSAGES, 1, TOO_MANY, at=NOON - 3 * HOUR)
    return spool


# --- Many ---------------------------------------------------------------------------------------------


def test_nothing_to_tell(byreturn, spool):
    assert byreturn("destinations").out == "There is mail for no destination.\n"
    result = byreturn("destinations", "*.example")
    assert (result.status, result.out) == (0, "No destination with mail is like that.\n")


def test_those_that_do_not_answer_come_first(byreturn, filled):
    result = byreturn("destinations")
    assert (result.status, result.err) == (0, "")
    assert is_golden(result.out, "destinations.txt")
    assert is_golden(byreturn("destinations", "--json").out, "destinations.json")


def test_a_selection(byreturn, filled):
    def names(*options: str) -> list[str]:
        answer = json.loads(byreturn("destinations", "--json", *options).out)
        return [one["name"] for one in answer["destinations"]]

    assert names() == ["silent.example", "old.example", "there.example", "wide.example"]
    assert names("--limit", "1") == ["silent.example"]
    assert names("*LD.example.") == ["old.example"]
    assert "Shown: 1; --limit shows more." in byreturn("destinations", "--limit", "1").out


def test_very_many_are_not_counted_to_the_end(byreturn, filled, monkeypatch):
    monkeypatch.setattr(reader, "OTHERS_LIMIT", 2)
    monkeypatch.setattr("byreturn.cli.destinations.OTHERS_LIMIT", 2)
    assert "2+" in byreturn("destinations").out


# --- One ----------------------------------------------------------------------------------------------


def test_one_that_does_not_answer(byreturn, filled):
    with ScriptedDoor(byreturn.data, route("mx.silent.example")) as door:
        result = byreturn("destinations", "Silent.Example.")
    assert (result.status, result.err) == (0, "")
    assert is_golden(result.out, "destination-silent.txt")
    assert door.heard == [{"do": "route", "destination": "silent.example"}]


def test_one_that_the_dns_denies_and_that_took_mail(byreturn, filled):
    why = "old.example does not exist, says the name server 192.0.2.53"
    with ScriptedDoor(byreturn.data, route(why=why)):
        assert is_golden(byreturn("destinations", "old.example").out, "destination-denied.txt")


def test_one_whose_hosts_asked_for_less(byreturn, filled):
    with ScriptedDoor(byreturn.data, route(*BIG.split()), route(*BIG.split())):
        assert is_golden(byreturn("destinations", "wide.example").out, "destination-wide.txt")
        assert is_golden(byreturn("destinations", "wide.example", "--json").out, "destination-wide.json")


def test_the_rule_that_counts(byreturn, filled):
    with byreturn.config.open("a") as file:
        file.write('[[destination]]\nmatch = "*.example"\nconnections = 5\n')
        file.write('[[destination]]\nmatch = "mx:*.big.example"\nconnections = 9\n')
        file.write(
            '[[route]]\ndomain = "routed.example"\nhosts = ["192.0.2.7:25", "relay.other.example:2525"]\n'
        )
    byreturn.width = 120
    with ScriptedDoor(byreturn.data, route(*BIG.split(), rule="*.example")):
        out = byreturn("destinations", "wide.example").out
    assert 'Rule       [[destination]] match = "*.example" (line 9 of byreturn.toml)' in out
    assert (
        '# in the section of line 9, match = "*.example"\n    message_rate = "30/min"\n    connections = 2\n'
        in out
    )
    routed = byreturn("destinations", "routed.example")
    assert routed.status == 1, "nothing is known of it"
    assert "routed.example: nothing is known, and no mail for it waits" in routed.out
    assert "Hosts      192.0.2.7, relay.other.example" in routed.out
    assert "Limits" not in routed.out


def test_one_of_our_own(byreturn, filled):
    out = byreturn("destinations", "here.example").out
    assert "here.example: a domain of this server" in out
    assert "Hosts    this server" in out
    assert "Rule" not in out


def test_without_a_server_the_hosts_are_not_known(byreturn, filled):
    with byreturn.config.open("a") as file:
        file.write('[[destination]]\nmatch = "mx:*.big.example"\nconnections = 9\n')
    with subprocess.Popen([sys.executable, "-c", ""]) as process:
        pass
    (byreturn.data / "lock").write_text(f"{process.pid}\n")
    result = byreturn("destinations", "wide.example")
    assert result.status == 0
    assert is_golden(result.out, "destination-no-server.txt")


@pytest.mark.parametrize("answer", [b"hello\n", b"", {"answer": "done"}, {"answer": "not_now", "why": "x"}])
def test_a_server_that_does_not_say_keeps_nothing_from_us(byreturn, filled, answer):
    with ScriptedDoor(byreturn.data, answer):
        result = byreturn("destinations", "wide.example")
    assert (result.status, result.err) == (0, "")
    assert "not known now: the server does not answer" in result.out
    assert "Too many concurrent connections" in " ".join(result.out.split())


def test_strangers_text_moves_no_cursor(byreturn, spool):
    byreturn.now = NOON + MINUTE
    nasty = "\x1b[2J\x07\u202egnp.exe"
    spool.accept("carol@silent.example", waits=SILENT)
    found = peer(421, "4.0.0", nasty, host=nasty)
    spool.fails("silent.example", since=NOON, due_at=NOON + HOUR, finding=found)
    spool.learn("mx.silent.example", Topic.CONNECTIONS, 2, found, at=NOON)
    for name in ([], ["silent.example"], [nasty], [nasty + "*"]):
        for options in ([], ["--json"]):
            out = byreturn("destinations", *name, *options).out
            assert all(letter.isprintable() or letter == "\n" for letter in out), (name, options)


# --- The lines to keep to a limit ---------------------------------------------------------------------

CONFIG = """\
hostname = "mail.here.example"
data = "data"
[[listener]]
bind = ["127.0.0.1:2525"]
[[domain]]
name = "here.example"
mailboxes = ["ann"]
"""
HERS = normal_domain("wide.example")


def lines(
    hosts: str, kind: Topic, *, more: str = "", name: Destination | None = HERS, rule: str = ""
) -> str | None:
    config = load_text(CONFIG + more, Path("byreturn.toml"), machine_hostname="mail.here.example")
    assert not isinstance(config, list)
    lesson = Lesson(hosts, kind, 7, "", 0, 1)
    return suggestion(config, [lesson], name, None if name is None else Way(tuple(hosts.split()), rule))


@pytest.mark.parametrize(
    ("hosts", "match"),
    [
        ("mx1.big.example", "mx:mx1.big.example"),
        (BIG, "mx:*.big.example"),
        ("a.mx.big.example b.mx.big.example", "mx:*.mx.big.example"),
        ("big.example mx.big.example", "wide.example"),
        ("mx.one.example mx.two.example", "wide.example"),
        ("mx.one.co.uk mx.two.co.uk", "wide.example"),
        ("192.0.2.7", "wide.example"),
        ("2001:db8::7 mx.big.example", "wide.example"),
    ],
)
@pytest.mark.parametrize("kind", Topic)
def test_the_lines_are_a_configuration(hosts, match, kind):
    text = lines(hosts, kind)
    assert text is not None
    (rule,) = tomllib.loads(text)["destination"]
    assert rule.pop("match") == match
    assert (
        rule
        == {
            Topic.CONNECTIONS: {"connections": 7},
            Topic.MESSAGES: {"messages_per_connection": 7},
            Topic.PACE: {"message_rate": "7/min"},
        }[kind]
    )
    config = load_text(f"{CONFIG}{text}\n", Path("x"), machine_hostname="mail.here.example")
    assert not isinstance(config, list), config


def test_where_a_domain_must_be_named_and_none_was_asked_for():
    assert lines("mx.one.example mx.two.example", Topic.CONNECTIONS, name=None) is None


def test_a_section_that_is_there_is_not_written_twice():
    more = '[[destination]]\nmatch = "mx:*.big.example"\nhello = "x.here.example"\n'
    for name in (None, HERS):
        text = lines(BIG, Topic.CONNECTIONS, more=more, name=name)
        assert text == '# in the section of line 9, match = "mx:*.big.example"\nconnections = 7'


def test_what_counts_for_all_is_left_alone():
    more = '[[destination]]\nmatch = "*"\nconnections = 30\n'
    text = lines("mx1.big.example", Topic.CONNECTIONS, more=more, rule="*")
    assert text == '[[destination]]\nmatch = "mx:mx1.big.example"\nconnections = 7'
