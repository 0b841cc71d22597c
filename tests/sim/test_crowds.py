"""Many and few, the living and the dead, on the real desks: nobody waits for what is not his."""

from __future__ import annotations

import itertools
from collections import Counter

import pytest
from tests.sim.network import HostState
from tests.sim.peers import Mood
from tests.sim.town import Town

from byreturn.mail import MINUTE, SECOND, Cause, Priority, WeFound
from byreturn.policy import (
    Delivered,
    Interrupted,
    NextHop,
    PutOff,
    RouteTable,
    StaticRoute,
    Terms,
    Unbooked,
    Waiting,
)
from byreturn.service import DispatchSettings, RelaySettings

HOSTNAME = "mail.here.example"
HOLE, MUTE = HostState.BLACK_HOLE, Mood(silent_after="connect")


def delivered(town: Town) -> int:
    """How many recipients of others' mail have it; word that a delay is over is our own."""
    notes = sum(
        len(record.what[1].recipients)
        for record in town.records
        if record.operation == "report" and record.what[1] is not None
    )
    return town.states()[Delivered] - notes


def failing(town: Town) -> set[str]:
    return {news.destination for news, _ in town.news() if news.failures}


# --- The dead -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("how", ["a black hole", "no greeting"])
def test_a_silent_host_holds_two_connections_whatever_comes(how: str) -> None:
    with Town() as town:
        if how == "a black hole":
            town.partner("p.example", "127.0.1.1", state=HOLE)
        else:
            town.partner("p.example", "127.0.1.1", mood=MUTE)
        town.start()
        for number in range(300):
            town.at(number * 80, lambda: town.send("info@p.example"))
        town.run(5 * MINUTE)
        assert town.traffic.most == {town.endpoint_of("127.0.1.1"): 2}
        assert len(town.dials("127.0.1.1")) <= 4


def test_all_who_stand_in_line_are_put_off_with_the_finding_of_the_first() -> None:
    with Town() as town:
        town.partner("p.example", "127.0.1.1", state=HOLE)
        town.start()
        began_at = town.clock.now()
        messages = [town.send("info@p.example", sender=f"s{number}@here.example") for number in range(50)]
        town.run(31 * SECOND)
        for message in messages:
            ((settling, at),) = town.settled(message)
            assert isinstance(settling.event, PutOff)
            assert "no answer" in str(settling.event.diagnosis)
            assert at - began_at <= 30 * SECOND + 100
        # One row says so for all of them, and later mail is put off at once.
        assert len({news.failing_since for news, _ in town.news()}) == 1
        late = town.send("info@p.example")
        town.run(SECOND)
        assert town.states(late) == {Waiting: 1}
        assert len(town.dials("127.0.1.1")) == 2


def test_five_thousand_that_wait_for_a_dead_destination_cost_one_dial_a_probe() -> None:
    with Town() as town:
        town.partner("p.example", "127.0.1.1", state=HOLE)
        town.start()
        for number in range(5000):
            town.load(f"r{number}@p.example")
        town.house.dispatcher.wake()
        # Two were under way before anybody knew.
        town.run(MINUTE)
        assert len(town.dials("127.0.1.1")) == 2
        since, before = town.clock.now(), len(town.records)
        town.run(3 * 60 * MINUTE)
        probes = town.dials("127.0.1.1", since)
        assert len(probes) in range(5, 9)
        assert all(later - sooner <= 34 * MINUTE for sooner, later in itertools.pairwise(probes))
        settles = [record for record in town.records[before:] if record.operation == "settle"]
        assert len(settles) <= 2 * len(probes), "a put-off is one row, whoever waits"
        assert sum(len(record.what[1]) for record in settles) == len(probes)
        # And when it is back, all goes, and never more at once than it may have.
        town.traffic.forget_most()
        town.set_state("127.0.1.1", HostState.UP)
        town.run(35 * MINUTE)
        assert delivered(town) == 5000
        assert town.traffic.most[town.endpoint_of("127.0.1.1")] <= 20


def test_a_host_that_comes_back_is_not_trampled_down() -> None:
    with Town() as town:
        town.partner("p.example", "127.0.1.1", state=HOLE, mood=Mood(takes=SECOND))
        town.start()
        for number in range(1500):
            town.load(f"r{number}@p.example")
        town.house.dispatcher.wake()
        town.run(2 * MINUTE)
        town.set_state("127.0.1.1", HostState.UP)
        since = town.clock.now()
        while not town.dials("127.0.1.1", since):
            town.run(SECOND)
        there, steps = town.endpoint_of("127.0.1.1"), []
        for _ in range(80):
            steps.append(town.traffic.now[there])
            town.run(500)
        assert steps[0] == 1, "the probe"
        # A window grows by one for each message that it takes: at most twofold in the second that one takes.
        assert all(later <= max(3, 2 * sooner) for sooner, later in zip(steps, steps[2:], strict=False))
        assert max(steps) == 20
        town.run(3 * MINUTE)
        assert delivered(town) == 1500


@pytest.mark.parametrize("how", ["a black hole", "no greeting"])
def test_a_second_host_is_used_soon_where_the_first_is_silent(how: str) -> None:
    with Town() as town:
        if how == "a black hole":
            town.host("one", "127.0.1.1", state=HOLE)
        else:
            town.host("one", "127.0.1.1", mood=MUTE)
        town.host("two", "127.0.1.2")
        town.domain("p.example", "one", "two")
        town.start()
        began_at = town.clock.now()
        messages = [town.send("info@p.example", sender=f"s{number}@here.example") for number in range(100)]
        town.run(12 * SECOND)
        # All but the two that hang there.
        assert delivered(town) == 98
        assert len(town.dials("127.0.1.1")) == 2
        town.run(5 * MINUTE)
        assert delivered(town) == 100
        first = town.taken_at(messages[0])[0] - began_at
        limit = 30 * SECOND if how == "a black hole" else 5 * MINUTE
        assert limit <= first <= limit + 2 * SECOND
        assert not failing(town)


def test_where_both_hosts_are_silent_they_hold_a_few_connections_and_no_more() -> None:
    with Town() as town:
        town.host("one", "127.0.1.1", mood=MUTE)
        town.host("two", "127.0.1.2", mood=MUTE)
        town.domain("p.example", "one", "two")
        town.start()
        for number in range(100):
            town.send("info@p.example", sender=f"s{number}@here.example")
        town.run(4 * MINUTE)
        assert town.traffic.most_in_all == 4


@pytest.mark.parametrize("lanes", ["one", "many"])
def test_a_thousand_domains_on_a_silent_address_find_out_together(lanes: str) -> None:
    with Town() as town:
        town.host("mx", "127.0.1.1", state=HOLE)
        for number in range(1000):
            town.domain(f"d{number}.example", "mx" if lanes == "one" else f"mx{number}")
            town.zones.addresses[f"mx{number}"] = ("127.0.1.1",)
        town.start()
        for number in range(1000):
            town.send(f"info@d{number}.example")
        town.run(MINUTE)
        assert town.states() == {Waiting: 1000}
        assert len(failing(town)) == 1000
        assert len(town.dials("127.0.1.1")) <= 50


def test_a_busy_address_is_not_a_silent_one() -> None:
    # A host of a thousand and more domains takes fifty connections and works slowly; nobody is put off.
    with Town() as town:
        town.host("mx", "127.0.1.1", mood=Mood(takes=2 * SECOND))
        for number in range(1500):
            town.domain(f"d{number}.example", f"mx{number}")
            town.zones.addresses[f"mx{number}"] = ("127.0.1.1",)
        town.start()
        for number in range(1500):
            town.send(f"info@d{number}.example")
        town.run(2 * MINUTE)
        assert delivered(town) == 1500
        assert not failing(town)
        assert town.traffic.most[town.endpoint_of("127.0.1.1")] == 50


# --- A full room --------------------------------------------------------------------------------------


def hang(town: Town, count: int, mood: Mood | None = None, *, hosts: int = 1) -> None:
    """Let so many connections hang at hosts that say nothing."""
    for number in range(-(-count // 2)):
        names = [f"dead{number}-{host}" for host in range(hosts)]
        for host, name in enumerate(names):
            address = f"127.{10 + host}.{number // 250}.{number % 250 + 1}"
            if mood is None:
                town.host(name, address, state=HOLE)
            else:
                town.host(name, address, mood=mood)
        town.domain(f"dead{number}.example", *names)
    for number in range(count):
        town.send(f"info@dead{number // 2}.example", sender=f"s{number}@here.example")


def test_fresh_mail_passes_while_fifteen_hundred_hang() -> None:
    with Town() as town:
        town.partner("p.example", "127.0.1.1")
        town.start()
        hang(town, 1500, MUTE)
        town.run(SECOND)
        assert town.traffic.unproven == 1200
        at = town.clock.now()
        letter = town.send("info@p.example")
        town.run(10 * SECOND)
        assert town.taken_at(letter)[0] - at <= 5 * SECOND


def test_fresh_mail_passes_where_all_that_hang_have_another_host() -> None:
    with Town() as town:
        town.partner("p.example", "127.0.1.1")
        town.start()
        hang(town, 1200, MUTE, hosts=2)
        town.run(5 * SECOND)
        at = town.clock.now()
        letter = town.send("info@p.example")
        town.run(20 * SECOND)
        assert town.taken_at(letter)[0] - at <= 9 * SECOND


def test_reports_pass_at_once_while_all_hangs() -> None:
    with Town() as town:
        town.partner("p.example", "127.0.1.1")
        town.start()
        hang(town, 2500, MUTE)
        town.run(SECOND)
        at = town.clock.now()
        report = town.send("info@p.example", sender="", priority=Priority.REPORT)
        town.run(SECOND)
        assert town.taken_at(report)[0] - at <= 200


def test_the_unproven_are_never_more_than_they_may_be() -> None:
    with Town(relay=RelaySettings(HOSTNAME, connections=100)) as town:
        town.partner("p.example", "127.0.1.1")
        town.start()
        hang(town, 200, None)
        for number in range(200):
            town.send("info@p.example", sender=f"t{number}@here.example")
        town.run(5 * MINUTE)
        assert town.traffic.most_unproven == 60
        assert town.traffic.most_in_all <= 100
        assert delivered(town) == 200


def test_a_newcomer_is_not_kept_out_by_lanes_that_have_much_to_send() -> None:
    with Town(relay=RelaySettings(HOSTNAME, connections=20), terms=Terms(connections=10)) as town:
        for number in range(3):
            town.partner(f"p{number}.example", f"127.0.1.{number + 1}", mood=Mood(takes=SECOND))
        town.partner("q.example", "127.0.2.1")
        town.start()
        for number in range(600):
            town.send(f"info@p{number % 3}.example", sender=f"s{number}@here.example")
        town.run(20 * SECOND)
        at = town.clock.now()
        letter = town.send("info@q.example")
        town.run(2 * MINUTE)
        assert town.taken_at(letter)[0] - at <= 2 * SECOND
        assert delivered(town) == 601


# --- Senders ------------------------------------------------------------------------------------------


def test_one_letter_beside_a_newsletter() -> None:
    with Town() as town:
        town.partner("p.example", "127.0.1.1", mood=Mood(takes=500))
        town.partner("q.example", "127.0.1.2")
        town.start()
        for number in range(5000):
            town.send(f"r{number}@p.example", sender="news@here.example")
        town.run(5 * SECOND)
        at = town.clock.now()
        there = town.send("info@p.example", sender="other@here.example")
        elsewhere = town.send("info@q.example", sender="other@here.example")
        own = town.send("info@q.example", sender="news@here.example")
        town.run(10 * MINUTE)
        assert town.taken_at(there)[0] - at <= 1500
        assert town.taken_at(elsewhere)[0] - at <= 300
        assert town.taken_at(own)[0] - at <= 300
        assert delivered(town) == 5003


def test_bulk_from_a_thousand_reverse_paths_is_one_sender() -> None:
    with Town() as town:
        town.partner("p.example", "127.0.1.1", mood=Mood(takes=500))
        town.start()
        for number in range(2000):
            town.send(f"r{number}@p.example", sender=f"list+{number}@here.example", is_bulk=True)
        town.run(5 * SECOND)
        at = town.clock.now()
        letter = town.send("info@p.example", sender="other@here.example")
        town.run(5 * MINUTE)
        assert town.taken_at(letter)[0] - at <= 1500
        assert delivered(town) == 2001


def test_a_message_with_a_thousand_recipients_makes_few_transactions() -> None:
    with Town() as town:
        town.partner("p.example", "127.0.1.1")
        town.start()
        message = town.send(*[f"r{number}@p.example" for number in range(1000)])
        town.run(5 * SECOND)
        taken = town.taken_at(message)
        assert len(taken) == 1000
        assert len(set(taken)) <= 10


def test_a_thousand_domains_on_one_host_are_gathered_while_their_names_are_looked_up() -> None:
    with Town() as town:
        town.host("mx", "127.0.1.1")
        for number in range(1000):
            town.domain(f"d{number}.example", "mx")
            town.zones.slow[f"d{number}.example"] = number * 4 // 10
        town.start()
        message = town.send(*[f"info@d{number}.example" for number in range(1000)])
        at = town.clock.now()
        town.run(5 * SECOND)
        taken = town.taken_at(message)
        assert len(taken) == 1000
        # They come in at 50 in each 20 ms; the host takes its time for a transaction, and the rest joins.
        assert len(set(taken)) <= 25
        assert taken[-1] - at <= SECOND


def test_a_name_that_is_slow_to_look_up_holds_up_nobody_else() -> None:
    with Town() as town:
        town.partner("p.example", "127.0.1.1")
        town.partner("slow.example", "127.0.1.2")
        town.zones.slow["slow.example"] = 5 * SECOND
        town.start()
        at = town.clock.now()
        both = town.send("info@slow.example", "info@p.example")
        other = town.send("sales@p.example")
        town.run(10 * SECOND)
        assert town.taken_at(other)[0] - at <= 200
        assert town.taken_at(both)[0] - at <= 300
        assert town.taken_at(both)[1] - at >= 5 * SECOND


# --- Claims, stops, crashes ---------------------------------------------------------------------------


@pytest.mark.parametrize("commit_takes", [0, 50, 500, 1000])
def test_a_slow_disk_leaves_nobody_waiting_for_ever(commit_takes: int) -> None:
    # What came free while a claim was under way, which did not know of it yet, must be asked for again.
    small = DispatchSettings(active_recipients=100, destination_quota=10)
    with Town(dispatch=small, terms=Terms(connections=3)) as town:
        for number in range(3):
            town.partner(f"p{number}.example", f"127.0.1.{number + 1}", mood=Mood(takes=100))
        town.start()
        for number in range(100):
            town.load(f"r{number}@p{number % 3}.example")
        town.spool.commit_takes = commit_takes
        town.run(5 * SECOND)
        town.house.dispatcher.wake()
        town.run(10 * MINUTE)
        assert delivered(town) == 100
        assert not town.house.dispatcher.active


def test_a_stop_counts_as_nobodys_attempt() -> None:
    # Three restarts in a bad hour must not park the mail for a host that says nothing.
    with Town() as town:
        town.partner("p.example", "127.0.1.1", mood=MUTE)
        town.start()
        for number in range(30):
            town.send("info@p.example", sender=f"s{number}@here.example")
        for _ in range(4):
            town.run(10 * SECOND)
            town.stop()
            town.start()
        assert town.interrupted() == 0
        assert len([1 for settling, _ in town.settled() if isinstance(settling.event, Unbooked)]) == 4 * 30
        town.run(10 * SECOND)
        town.peers["mx.p.example"].mood = Mood()
        town.run(10 * MINUTE)
        town.run(30 * MINUTE)
        assert delivered(town) == 30


def test_a_crash_counts_and_loses_nothing() -> None:
    with Town() as town:
        town.partner("p.example", "127.0.1.1", mood=Mood(takes=SECOND))
        town.start()
        for number in range(100):
            town.send("info@p.example", sender=f"s{number}@here.example")
        town.run(3 * SECOND)
        town.crash()
        town.start()
        town.run(5 * MINUTE)
        assert delivered(town) == 100
        doubles = sum(count - 1 for count in town.copies().values())
        # Those whose reply was under way.
        assert doubles <= 20
        assert town.interrupted() > 0
        assert not any(isinstance(settling.event, Interrupted) for settling, _ in town.settled())


def test_nothing_is_left_in_memory_when_all_has_gone() -> None:
    with Town() as town:
        town.partner("p.example", "127.0.1.1")
        town.host("mx", "127.0.1.2", mood=Mood(connections=3, takes=200))
        for number in range(100):
            town.domain(f"d{number}.example", f"mx{number}")
            town.zones.addresses[f"mx{number}"] = ("127.0.1.2",)
        town.start()
        for number in range(300):
            town.send("info@p.example", f"info@d{number % 100}.example", sender=f"s{number}@here.example")
        town.run(60 * MINUTE)
        assert delivered(town) == 600
        relay, dispatcher = town.house.relay, town.house.dispatcher
        assert (relay.room.taken, relay.room.unproven) == (0, 0)
        assert not relay.addresses._entries
        assert not dispatcher._window.active
        assert not dispatcher._window._by_destination
        assert not dispatcher._window._content_octets
        assert all(lane.is_idle for lane in relay._lanes.values())
        assert town.traffic.now.total() == 0
        assert Counter(town.copies().values()) == {1: 600}


def test_what_we_say_of_a_host_that_was_not_dialled_is_true() -> None:
    # All its connections are in use by other mail of ours, and there is another host, which refuses.
    with Town(relay=RelaySettings(HOSTNAME, connections=100, connections_per_address=1)) as town:
        town.host("busy", "127.0.1.1", mood=Mood(takes=60 * SECOND))
        town.host("other", "127.0.1.2", state=HostState.REFUSING)
        town.domain("first.example", "busy")
        town.domain("p.example", "busy", "other")
        town.start()
        town.send("info@first.example")
        town.run(SECOND)
        hang(town, 59, None)
        town.send("info@p.example")
        town.run(SECOND)
        hang(town, 400, None)
        town.run(20 * SECOND)
        for settling, _ in town.settled():
            if settling.destination == "p.example":
                assert isinstance(settling.event, PutOff)
                finding = settling.event.diagnosis
                assert isinstance(finding, WeFound)
                assert finding.cause is not Cause.SILENT


def test_a_server_that_has_stopped_dials_nobody() -> None:
    with Town(relay=RelaySettings(HOSTNAME, connections=20)) as town:
        town.start()
        hang(town, 100, MUTE, hosts=2)
        town.run(3 * SECOND)
        town.house.stop()
        dialled = len(town.traffic.dials)
        town.run(MINUTE)
        assert len(town.traffic.dials) == dialled
        assert town.states() == {Waiting: 100}
        assert town.traffic.now.total() == 0


# --- Whose way it is ----------------------------------------------------------------------------------


def test_the_dns_does_not_lead_into_a_connection_of_an_operators_route() -> None:
    # The route may dial a private address; whoever names the same host in his MX may not.
    table = RouteTable((StaticRoute("branch.example", (NextHop("relay.inside", 25),)),))
    with Town(table=table) as town:
        town.host("relay.inside", "10.1.2.3")
        town.domain("stranger.example", "relay.inside")
        town.start()
        ours = town.send("info@branch.example")
        town.run(500)
        assert town.states(ours) == {Delivered: 1}
        assert town.traffic.now.total() == 1, "the connection is kept for a moment"
        strange = town.send("info@stranger.example")
        both = town.send("info@branch.example", "sales@stranger.example")
        town.run(MINUTE)
        assert town.states(strange) == {Waiting: 1}
        assert town.states(both) == {Delivered: 1, Waiting: 1}
