"""What the reader tells of destinations, lessons and the brake."""

import pytest
from tests.contract.spools import (
    RELAYED,
    SILENT,
    STILL_SILENT,
    SqliteBox,
    alive,
    failing,
)

from byreturn.mail import DAY, HOUR
from byreturn.policy import BrakeCause
from byreturn.ports import Braked, Lesson
from byreturn.spool import DestinationView, SpoolReader, reader


@pytest.fixture
def box(tmp_path):
    box = SqliteBox(tmp_path / "data")
    yield box
    box.close()


@pytest.fixture
def looking(box):
    with SpoolReader(box.folder) as looking:
        yield looking


def fill(box, destination, count, **how):
    return box.waiting(*(f"u{n}@{destination}" for n in range(count)), **how)


def names(views):
    return [view.name for view in views]


def test_nothing_is_told_of_an_empty_spool(looking):
    assert looking.destinations(None, 10) == ()
    assert looking.destinations("nowhere.example", 10) == ()
    assert looking.destinations("*", 10) == ()
    assert (looking.lessons(10), looking.brake()) == ((), None)


def test_all_is_told_of_a_destination(box, looking):
    since, probe_at = box.now - DAY, box.now + HOUR
    box.settle(box.booked("a@dead.example").outcome(RELAYED))
    took_mail_at = box.now
    fill(box, "dead.example", 3)
    box.booked("b@dead.example")
    box.clock.advance(HOUR)
    box.settle(
        news=[failing("dead.example", probe_at, failures=4, since=since, finding=STILL_SILENT)],
    )
    box.deny("dead.example", box.now)
    expected = DestinationView(
        name="dead.example",
        failures=4,
        failing_since=since,
        next_probe_at=probe_at,
        found_at=box.now,
        finding=STILL_SILENT,
        waiting=3,
        in_flight=1,
        took_mail_at=took_mail_at,
        denied_since=box.now,
    )
    for name in (None, "dead.example", "*", "de*.example"):
        assert looking.destinations(name, 10) == (expected,), name
    box.settle(news=[alive("dead.example", box.now)])
    (view,) = looking.destinations(None, 10)
    assert (view.failures, view.failing_since, view.next_probe_at, view.finding) == (0, None, None, None)
    assert (view.waiting, view.in_flight) == (3, 1)


def test_failing_ones_come_first_and_of_each_kind_those_with_most_waiting(box, looking):
    for place, count in (("a", 1), ("b", 5), ("c", 3), ("d", 2), ("e", 9), ("f", 2)):
        fill(box, f"{place}.example", count)
    box.booked("x@g.example")
    box.settle(news=[failing(f"{place}.example", box.now + DAY, finding=SILENT) for place in "acdf"])
    order = ["c.example", "d.example", "f.example", "a.example", "e.example", "b.example", "g.example"]
    assert names(looking.destinations(None, 100)) == order
    for limit in range(len(order) + 1):
        assert names(looking.destinations(None, limit)) == order[:limit]


def test_one_is_told_of_also_without_mail_for_it(box, looking):
    box.settle(box.booked("a@away.example").outcome(RELAYED))
    assert looking.destinations(None, 10) == ()
    (view,) = looking.destinations("away.example", 10)
    assert (view.waiting, view.in_flight, view.failures, view.took_mail_at) == (0, 0, 0, box.now)
    assert looking.destinations("away.example", 0) == ()


def test_only_a_star_stands_for_others(box, looking):
    for name in ("[192.0.2.1]", "192.0.2.1", "a.example", "b.example", "b.sub.example"):
        fill(box, name, 1)
    assert names(looking.destinations("[192.0.2.1]", 10)) == ["[192.0.2.1]"]
    assert names(looking.destinations("[192*", 10)) == ["[192.0.2.1]"]
    assert names(looking.destinations("b.*", 10)) == ["b.example", "b.sub.example"]
    assert names(looking.destinations("?.*", 10)) == []
    assert names(looking.destinations("*.sub.*", 10)) == ["b.sub.example"]


def test_however_many_there_are_no_transaction_is_long(box, looking, monkeypatch):
    for n in range(40):
        fill(box, f"x{n:02}.example", n % 7 + 1)
    whole = looking.destinations(None, 100)
    assert len(whole) == 40
    transactions = []
    real = SpoolReader._reading

    def counted(self):
        transactions.append(1)
        return real(self)

    monkeypatch.setattr(SpoolReader, "_reading", counted)
    monkeypatch.setattr(reader, "_COUNTED", 4 * (reader._NAME_COSTS + 4))
    monkeypatch.setattr(reader, "_VIEWS", 8)
    assert looking.destinations(None, 100) == whole
    # Two for the names, five or fewer names in each that counts, and eight in each that shows.
    assert len(transactions) >= 2 + 8 + 5


def test_what_waits_is_counted_up_to_a_limit(box, looking, monkeypatch):
    fill(box, "a.example", 9)
    monkeypatch.setattr(reader, "OTHERS_LIMIT", 5)
    (view,) = looking.destinations(None, 10)
    assert view.waiting == 5


def test_a_destination_that_goes_meanwhile_is_told_of_without_its_health(box, looking, monkeypatch):
    fill(box, "a.example", 1)
    box.settle(news=[failing("a.example", box.now + DAY)])
    real = SpoolReader._most_waiting

    def late(self, names, limit):
        chosen = real(self, names, limit)
        box.settle(news=[alive("a.example", box.now)])
        return chosen

    monkeypatch.setattr(SpoolReader, "_most_waiting", late)
    (view,) = looking.destinations(None, 1)
    assert (view.name, view.failures) == ("a.example", 0)


def test_lessons_newest_first_and_the_brake(box, looking):
    lessons = [
        Lesson(f"mx{n}.example", "recipients", n, "452 too many", box.now + n, box.now + DAY)
        for n in range(5)
    ]
    for lesson in lessons:
        box.learn(lesson)
    assert looking.lessons(100) == tuple(reversed(lessons))
    assert looking.lessons(2) == (lessons[4], lessons[3])
    braked = Braked(box.now, "too many failures", BrakeCause.NUMBER)
    box.set_brake(braked)
    assert looking.brake() == braked
    box.set_brake(None)
    assert looking.brake() is None
