"""Name servers that lie, on the real desks: what is not said to a sender, and what is said again later."""

from __future__ import annotations

from typing import Any

import pytest
from tests.sim.names import Lie
from tests.sim.network import HostState
from tests.sim.peers import Mood
from tests.sim.town import Town

from byreturn.mail import DAY, HOUR, MINUTE, SECOND, Action, Message
from byreturn.policy import BrakeCause, Delivered, Failed, Waiting

LIES = [Lie.DENIES_ALL, Lie.DENIES_ALL_BUT_THE_ROOT]


def reports(town: Town, message: Message | None = None) -> int:
    """How many reports of a failure were queued, in all or on one message."""
    owed = [one.what[0] for one in town.records if one.operation == "report" and one.result is True]
    failed = [one for one in owed if any(line.action is Action.FAILED for line in one.lines)]
    return sum(message is None or one.message.id == message.id for one in failed)


def is_braked(town: Town) -> bool:
    return town.house.brake.is_on


def known_town(*, servers: tuple[str, ...] = ("ns",)) -> Town:
    """A town that has sent mail to a partner already."""
    town = Town()
    town.zones.servers = servers
    town.partner("p.example", "127.0.1.1")
    town.partner("q.example", "127.0.1.2")
    town.start()
    town.send("info@p.example")
    town.run(SECOND)
    assert town.states() == {Delivered: 1}
    return town


@pytest.mark.parametrize("lie", LIES)
@pytest.mark.parametrize("servers", [("ns",), ("ns", "second"), ("second", "ns")])
def test_nothing_is_given_up_while_a_server_lies(lie: Lie, servers: tuple[str, ...]) -> None:
    with known_town(servers=servers) as town:
        # What the witnesses said before is believed for some seconds more.
        town.run(11 * SECOND)
        town.zones.lies["ns"] = lie
        for number in range(30):
            town.send("info@p.example", "info@q.example", sender=f"s{number}@here.example")
            town.send("info@typo.example", f"info@typo{number}.example")
            town.run(SECOND)
        town.run(3 * HOUR)
        assert town.states()[Failed] == 0
        assert reports(town) == 0
        assert is_braked(town)
        town.zones.lies.clear()
        town.run(3 * MINUTE)
        assert not is_braked(town)
        town.run(40 * MINUTE)
        # All that exists has its mail now, and of the rest its senders have heard.
        assert town.states()[Delivered] == 61 + reports(town)
        assert town.states()[Failed] >= 30
        assert town.states()[Waiting] == 0


def test_mail_goes_on_while_the_second_server_lies() -> None:
    with known_town(servers=("ns", "second")) as town:
        town.run(11 * SECOND)
        town.zones.lies["second"] = Lie.DENIES_ALL
        message = town.send("info@p.example", "info@typo.example")
        town.run(SECOND)
        assert town.states(message) == {Delivered: 1, Waiting: 1}
        assert is_braked(town)


def test_a_name_that_took_mail_has_its_hours_each_time_that_it_is_denied() -> None:
    with known_town() as town:
        town.send("info@q.example")
        town.run(MINUTE)
        # A minute's trouble in which p.example alone is denied, and after it only refusals.
        mx = town.zones.mx.pop("p.example")
        unlucky = town.send("unknown@p.example")
        town.run(MINUTE)
        assert town.states(unlucky) == {Waiting: 1}
        town.zones.mx["p.example"] = mx
        town.run(HOUR)
        assert town.states(unlucky) == {Failed: 1}
        town.run(2 * DAY)
        town.zones.mx.pop("p.example")
        message = town.send("info@p.example")
        town.run(3 * HOUR)
        assert town.states(message) == {Waiting: 1}, "it was there for two days"
        town.zones.mx["p.example"] = mx
        town.run(HOUR)
        assert town.states(message) == {Delivered: 1}


def test_a_name_that_is_there_again_though_nobody_answers_has_its_hours_too() -> None:
    with known_town() as town:
        town.send("info@q.example")
        town.run(MINUTE)
        mx = town.zones.mx.pop("p.example")
        town.set_state("127.0.1.1", HostState.REFUSING)
        message = town.send("info@p.example")
        town.run(MINUTE)
        town.zones.mx["p.example"] = mx
        town.run(6 * HOUR)
        town.zones.mx.pop("p.example")
        town.run(2 * HOUR)
        assert town.states(message) == {Waiting: 1}
        # After that it is denied for more than four hours.
        town.run(4 * HOUR)
        assert town.states(message) == {Failed: 1}


def test_a_name_that_is_gone_is_given_up_after_hours() -> None:
    with known_town() as town:
        town.send("info@q.example")
        town.run(MINUTE)
        town.zones.mx.pop("p.example")
        message = town.send("info@p.example")
        town.run(3 * HOUR + 50 * MINUTE)
        assert town.states(message) == {Waiting: 1}
        town.run(50 * MINUTE)
        assert town.states(message) == {Failed: 1}
        assert reports(town, message) == 1


def test_reports_that_are_held_hide_no_others_and_cost_nothing() -> None:
    with known_town() as town:
        town.partner("mute.example", "127.0.1.3", mood=Mood(silent_after="connect"))
        # Each has a refusal that waits a second for its sibling, and then the brake comes on.
        for number in range(250):
            town.send("info@typo.example", "info@mute.example", sender=f"s{number}@here.example")
        town.run(500)
        assert town.states()[Failed] == 250
        town.house.brake.engage("a test", BrakeCause.LIE)
        taken: list[Any] = []
        take_owed = town.spool.take_owed

        def count(*asked: Any) -> None:
            taken.append(asked[0])
            take_owed(*asked)

        town.spool.take_owed = count  # type: ignore[method-assign, assignment]
        message = town.send("unknown@p.example", "info@mute.example")
        town.run(10 * SECOND)
        assert reports(town, message) == 1, "what a peer said is said on"
        assert reports(town) == 1
        assert len(taken) <= 300
        town.house.brake.release("a person says so")
        town.run(10 * SECOND)
        assert reports(town) == 251


def test_a_restart_in_the_middle_gives_nothing_up() -> None:
    with known_town() as town:
        town.run(11 * SECOND)
        town.zones.lies["ns"] = Lie.DENIES_ALL_BUT_THE_ROOT
        for number in range(30):
            town.send(f"info@typo{number}.example", "info@q.example", sender=f"s{number}@here.example")
        town.run(MINUTE)
        town.crash()
        town.start()
        assert is_braked(town)
        town.run(HOUR)
        assert town.states()[Failed] == 0
        town.zones.lies.clear()
        town.run(HOUR)
        assert town.states()[Delivered] >= 31
        assert town.states()[Failed] == 30


def test_nothing_expires_while_the_brake_is_on() -> None:
    with known_town() as town:
        town.run(11 * SECOND)
        town.zones.lies["ns"] = Lie.DENIES_ALL
        message = town.send("info@p.example")
        town.run(6 * DAY)
        assert town.states(message) == {Waiting: 1}
        town.zones.lies.clear()
        town.run(HOUR)
        assert town.states(message) == {Delivered: 1}


@pytest.mark.parametrize("what", ["the domain", "its mail host"])
def test_what_a_resolver_keeps_of_a_lie_is_not_believed(what: str) -> None:
    # The lie is over, and what was denied is kept as absent for a while.
    with known_town() as town:
        town.zones.absence_kept = 10 * MINUTE
        town.run(11 * SECOND)
        mx, there = town.zones.mx["q.example"], town.zones.addresses["mx.q.example"]
        town.send("info@other.example")
        town.run(SECOND)
        if what == "the domain":
            del town.zones.mx["q.example"]
        else:
            del town.zones.addresses["mx.q.example"]
        town.house.brake.engage("a test", BrakeCause.LIE)
        message = town.send("info@q.example")
        town.run(30 * SECOND)
        town.zones.mx["q.example"], town.zones.addresses["mx.q.example"] = mx, there
        town.house.brake.release("a person says so")
        if what == "the domain":
            # It is looked up anew, and its mail goes at once.
            town.run(SECOND)
            assert town.states(message) == {Delivered: 1}
        town.run(2 * MINUTE)
        fresh = town.send("sales@q.example")
        town.run(HOUR)
        assert town.states(message) == town.states(fresh) == {Delivered: 1}


def test_all_who_wait_for_a_name_that_has_gone_hear_it_at_once() -> None:
    with known_town() as town:
        town.zones.broken.add("gone.example")
        for number in range(30):
            town.send("info@gone.example", sender=f"s{number}@here.example")
            town.run(SECOND)
        assert town.states()[Waiting] == 30
        town.zones.broken.clear()
        town.run(20 * MINUTE)
        assert town.states()[Failed] == 30
        assert reports(town) == 30


# --- What is known is said at once --------------------------------------------------------------------


@pytest.mark.parametrize("what", ["no such domain", "no such mail hosts", "not welcome"])
def test_after_a_verdict_nobody_waits_for_a_destination_that_had_failed(what: str) -> None:
    with known_town() as town:
        town.zones.broken.add("q.example")
        first = town.send("info@q.example")
        town.run(MINUTE)
        assert town.states(first) == {Waiting: 1}
        town.zones.broken.clear()
        match what:
            case "no such domain":
                del town.zones.mx["q.example"]
            case "no such mail hosts":
                del town.zones.addresses["mx.q.example"]
            case _:
                town.peers["mx.q.example"].mood = Mood(greeting="554 5.7.1 go away")
        town.run(20 * MINUTE)
        assert town.states(first) == {Failed: 1}
        for _ in range(3):
            town.run(10 * MINUTE)
            message = town.send("info@q.example")
            town.run(SECOND)
            assert town.states(message) == {Failed: 1}
            assert reports(town, message) == 1
