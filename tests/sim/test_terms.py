"""Terms on the real desks: paces that are kept, and what hosts ask of us by their replies."""

from __future__ import annotations

from collections import Counter

import pytest
from tests.sim.peers import Mood
from tests.sim.town import Town

from byreturn.mail import HOUR, MINUTE, SECOND, Instant, Priority
from byreturn.policy import Delivered, PutOff, Rate, Terms, Topic, Unbooked, Waiting
from byreturn.ports import Lesson

PLACE = "127.0.1.1"


def paced(**terms: Rate) -> Town:
    """A town with a rule for its partner."""
    town = Town(rules=(Terms(match="p.example", **terms),))  # type: ignore[arg-type]
    town.partner("p.example", PLACE)
    town.start()
    return town


def taken(town: Town) -> list[Instant]:
    return sorted(copy.at for peer in town.peers.values() for copy in peer.ledger)


def most_within(instants: list[Instant], span: int) -> int:
    """The most that fall into any span of that length."""
    return max(sum(at <= each < at + span for each in instants) for at in instants)


def lessons(town: Town, topic: Topic) -> list[Lesson]:
    learned = [record.what for record in town.records if record.operation == "learn"]
    return [lesson for lesson in learned if lesson.kind == topic]


def attempts_counted(town: Town) -> Counter[int]:
    """Of all outcomes of attempts: which attempts they were."""
    return Counter(
        settling.fence.attempt for settling, _ in town.settled() if not isinstance(settling.event, Unbooked)
    )


# --- Rules --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("rate", [Rate(60, MINUTE), Rate(600, HOUR), Rate(5, SECOND)])
def test_a_pace_is_kept_and_nothing_counts_as_an_attempt(rate: Rate) -> None:
    with paced(message_rate=rate) as town:
        for number in range(300):
            town.send("info@p.example", sender=f"s{number % 7}@here.example")
        town.run(300 * rate.per // rate.amount + MINUTE)
        instants = taken(town)
        assert len(instants) == 300
        for span in (SECOND, MINUTE, 10 * MINUTE):
            # A bucket holds one second's worth, at least one, beside what comes in meanwhile.
            burst = max(1, rate.amount * SECOND // rate.per)
            assert most_within(instants, span) <= rate.amount * span // rate.per + burst + 1
        assert attempts_counted(town) == {1: 300}
        assert town.states() == {Delivered: 300}
        # And it is no slower than it may be.
        assert instants[-1] - instants[0] <= 310 * rate.per // rate.amount


def test_what_does_not_fit_into_a_minute_waits_on_the_disk() -> None:
    with paced(message_rate=Rate(60, MINUTE)) as town:
        for _ in range(900):
            town.send("info@p.example", sender="news@here.example")
        town.run(SECOND)
        assert town.house.dispatcher.active <= 61
        events = [settling.event for settling, _ in town.settled()]
        dues = [event.due_at for event in events if isinstance(event, Unbooked)]
        assert len(dues) >= 900 - 61
        assert len(set(dues)) == len(dues), "they do not all come back together"
        town.run(20 * MINUTE)
        assert town.states() == {Delivered: 900}


def test_under_a_pace_a_letter_waits_for_no_newsletter_and_a_report_for_nobody() -> None:
    with paced(message_rate=Rate(60, MINUTE)) as town:
        for _ in range(3000):
            town.send("info@p.example", sender="news@here.example")
        town.run(10 * SECOND)
        at = town.clock.now()
        letter = town.send("info@p.example", sender="other@here.example")
        report = town.send("info@p.example", sender="", priority=Priority.REPORT)
        town.run(HOUR)
        assert town.taken_at(report)[0] - at <= 2 * SECOND
        assert town.taken_at(letter)[0] - at <= 4 * SECOND
        assert len(taken(town)) == 3002


def test_many_senders_share_a_pace() -> None:
    with paced(message_rate=Rate(60, MINUTE)) as town:
        for _ in range(60):
            town.send("info@p.example", sender="news@here.example")
        letters = [town.send("info@p.example", sender=f"s{number}@here.example") for number in range(30)]
        town.run(MINUTE)
        assert len(taken(town)) in (60, 61)
        assert all(town.taken_at(letter) for letter in letters)
        town.run(MINUTE)
        assert len(taken(town)) == 90


def test_a_crash_in_the_middle_of_a_pace_loses_and_repeats_nothing() -> None:
    with paced(message_rate=Rate(60, MINUTE)) as town:
        for number in range(300):
            town.send("info@p.example", sender=f"s{number % 7}@here.example")
        for _ in range(2):
            town.run(90 * SECOND + 500)
            town.crash()
            town.start()
        town.run(10 * MINUTE)
        assert town.states() == {Delivered: 300}
        assert max(town.copies().values()) == 1
        assert most_within(taken(town), MINUTE) <= 64


def test_octets_have_a_pace_too() -> None:
    with paced(octet_rate=Rate(600_000, MINUTE)) as town:
        for number in range(100):
            town.send("info@p.example", sender=f"s{number}@here.example", octets=20_000)
        big = town.send("info@p.example", octets=900_000)
        town.run(7 * MINUTE)
        assert town.states() == {Delivered: 101}
        assert town.taken_at(big)
        # 30 of them a minute, and those that come in while a large one is paid for wait.
        instants = [at for at in taken(town) if at < town.taken_at(big)[0]]
        assert most_within(instants, MINUTE) <= 33


# --- What hosts say -----------------------------------------------------------------------------------


@pytest.mark.parametrize("greets_after", [0, 500])
def test_too_many_connections_lowers_the_window_and_puts_nobody_off_for_long(greets_after: int) -> None:
    with Town() as town:
        peer = town.partner("p.example", PLACE, mood=Mood(takes=200))
        town.start()
        for number in range(60):
            town.send("info@p.example", sender=f"s{number}@here.example")
        town.run(MINUTE)
        assert town.traffic.most[town.endpoint_of(PLACE)] == 20
        town.traffic.forget_most()
        peer.mood = Mood(takes=200, connections=10, greets_after=greets_after)
        for number in range(60):
            town.send("info@p.example", sender=f"s{number}@here.example")
        town.run(20 * SECOND)
        assert town.states() == {Delivered: 120}
        learned = lessons(town, Topic.CONNECTIONS)
        # Where it is slower to greet than to send away, nobody can know how many it takes.
        assert learned[-1].value in (range(10, 11) if not greets_after else range(5, 11))
        assert "421 4.7.0 too many connections from you" in learned[-1].reason
        assert learned[-1].until - learned[-1].learned_at == HOUR
        # It is kept to, also after a restart, and forgotten after an hour.
        town.crash()
        town.start()
        for later, expected in ((30 * MINUTE, learned[-1].value), (31 * MINUTE, 20)):
            town.run(later)
            peer.mood = Mood(takes=200)
            town.traffic.forget_most()
            for number in range(100):
                town.send("info@p.example", sender=f"s{number}@here.example")
            town.run(20 * SECOND)
            assert town.traffic.most[town.endpoint_of(PLACE)] == expected


def test_a_host_that_takes_one_at_a_time_gets_all() -> None:
    with Town() as town:
        town.partner("p.example", PLACE, mood=Mood(takes=100, connections=1))
        town.start()
        for number in range(200):
            town.send("info@p.example", sender=f"s{number}@here.example")
        town.run(MINUTE)
        assert town.states() == {Delivered: 200}
        assert attempts_counted(town) == {1: 200}
        assert lessons(town, Topic.CONNECTIONS)[-1].value == 1


def test_too_many_messages_on_a_connection_are_fewer_from_then_on() -> None:
    with Town(terms=Terms(connections=1)) as town:
        peer = town.partner("p.example", PLACE, mood=Mood(messages=7))
        town.start()
        for number in range(100):
            town.send("info@p.example", sender=f"s{number}@here.example")
        town.run(MINUTE)
        assert town.states() == {Delivered: 100}
        assert attempts_counted(town) == {1: 100}
        assert lessons(town, Topic.MESSAGES)[-1].value == 7
        assert len(town.dials(PLACE)) == 15
        assert not peer.open


@pytest.mark.parametrize("second", [1, 30, 58])
def test_a_host_with_a_pace_of_its_own_is_sent_half_of_what_was_too_much(second: int) -> None:
    # Whenever in a minute it says so: the first second of one is no measure.
    with Town() as town:
        town.partner("p.example", PLACE, mood=Mood(pace=100))
        town.start()
        town.run(second * SECOND)
        for number in range(600):
            town.at(number * 100, lambda: town.send("info@p.example"))
        town.run(10 * MINUTE)
        first = lessons(town, Topic.PACE)[0]
        assert first.value in range(25, 52)
        town.run(4 * HOUR)
        assert town.states() == {Delivered: 600}


@pytest.mark.parametrize("comes_back", [30 * SECOND, 5 * MINUTE, HOUR])
def test_whoever_says_when_to_come_again_is_heeded(comes_back: int) -> None:
    with Town() as town:
        peer = town.partner("p.example", PLACE, mood=Mood(comes_back=comes_back))
        town.start()
        at = town.clock.now()
        messages = [town.send(f"r{number}@p.example") for number in range(20)]
        town.run(comes_back - SECOND)
        assert town.states() == {Waiting: 20}
        town.run(comes_back // 10 + 10 * SECOND)
        assert town.states() == {Delivered: 20}
        assert peer.came_too_soon == []
        assert all(town.taken_at(message)[0] - at >= comes_back for message in messages)
        puts_off = [settling for settling, _ in town.settled() if isinstance(settling.event, PutOff)]
        assert len(puts_off) == 20
