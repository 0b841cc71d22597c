"""Suggestions: what is asked and of whom, that nobody waits for long, and who is told nothing."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from tests.sim.clock import VirtualClock
from tests.unit.service.mail import message, way

from byreturn.mail import (
    DAY,
    MINUTE,
    Action,
    Cause,
    Destination,
    Diagnosis,
    Mailbox,
    PeerSaid,
    Phase,
    Priority,
    Recipient,
    WeFound,
    reply,
)
from byreturn.mail.address import mailbox_from_text
from byreturn.policy import Failed, Returned
from byreturn.ports import Correspondent, OwedLine, OwedReport, SpoolFault
from byreturn.report import Kin, Suggestions
from byreturn.service.routes import NoWay
from byreturn.service.suggestions import Suggester, SuggestionSettings, Wrong, blamed
from byreturn.store import LocalDirectory, LocalDomain

NO_DOMAIN = WeFound(Cause.NO_SUCH_DOMAIN)
NO_MAILBOX = PeerSaid(reply(550, "5.1.1", "No such user"), "mx.partner.example", "192.0.2.1", Phase.RCPT)


def box(text: str) -> Mailbox:
    return mailbox_from_text(text)


def owed_line(
    text: str, finding: Diagnosis | None, ordinal: int = 0, *, member: str = "", **more: Any
) -> OwedLine:
    given = box(text)
    address = box(member) if member else given
    recipient = Recipient(ordinal, address, given, address.destination)
    facts = {"action": Action.FAILED, "state": Failed(1), **more}
    return OwedLine(recipient=recipient, finding=finding, at=0, expires_at=0, **facts)


def owed(*lines: OwedLine, sender: str = "sender") -> OwedReport:
    return OwedReport(message(sender=sender), lines, (), len(lines))


class FakeSpool:
    def __init__(self) -> None:
        self.known: list[Correspondent] = []
        self.asked: list[Mailbox] = []
        self.is_silent = False
        self.fault: SpoolFault | None = None

    def correspondents(self, sender: Mailbox, limit: int, done: Any) -> None:
        self.asked.append(sender)
        if not self.is_silent:
            done(self.fault or tuple(self.known[:limit]))


class FakeRoutes:
    """Every domain in `alive` has hosts; one in `silent` is answered when `answer` is called."""

    def __init__(self) -> None:
        self.alive = {"gmail.com", "hotmail.com", "supplier.example"}
        self.silent: set[str] = set()
        self.asked: list[str] = []
        self._waiting: list[Any] = []

    def find(self, destination: Destination, done: Any) -> None:
        self.asked.append(destination)
        if destination in self.silent:
            self._waiting.append(done)
        else:
            done(way() if destination in self.alive else NoWay(NO_DOMAIN, is_final=True))

    def answer(self) -> None:
        for done in self._waiting:
            done(way())


class Bench:
    def __init__(self, **settings: Any) -> None:
        self.clock = VirtualClock()
        self.spool = FakeSpool()
        self.routes = FakeRoutes()
        here = LocalDomain(Destination("here.example"), frozenset({"bernhard", "elisabeth"}))
        world: Any = SimpleNamespace(clock=self.clock, spool=self.spool, directory=LocalDirectory([here]))
        self.suggester = Suggester(world, self.routes, SuggestionSettings(**settings))  # type: ignore[arg-type]
        self.answers: list[dict[int, Suggestions]] = []

    def knows(self, text: str, ago: int = 0) -> None:
        self.spool.known.append(Correspondent(box(text), self.clock.now() - ago))

    def ask(self, report: OwedReport, *, is_insider: bool = True) -> None:
        self.suggester.for_lines(
            report, is_insider=is_insider, done=lambda found: self.answers.append(dict(found))
        )

    def addresses(self) -> dict[int, list[str]]:
        (answer,) = self.answers
        return {ordinal: [str(one.address) for one in found.candidates] for ordinal, found in answer.items()}


def test_a_report_about_something_else_asks_nothing_and_waits_for_nothing():
    bench = Bench()
    bench.ask(owed(owed_line("anna@gmial.com", WeFound(Cause.SILENT)), owed_line("bert@gmial.com", None, 1)))
    assert bench.answers == [{}]
    assert bench.spool.asked == bench.routes.asked == []


def test_a_common_domain_that_takes_mail_is_offered():
    bench = Bench()
    bench.ask(owed(owed_line("anna@gmial.com", NO_DOMAIN, 3)))
    assert bench.addresses() == {3: ["anna@gmail.com"]}
    assert bench.answers[0][3].is_likely


def test_a_domain_that_takes_no_mail_is_not_offered():
    bench = Bench()
    bench.routes.alive.clear()
    bench.ask(owed(owed_line("anna@gmial.com", NO_DOMAIN)))
    assert bench.answers == [{}]


def test_what_was_one_of_two_is_not_made_likely_by_the_other_s_death():
    bench = Bench()
    bench.routes.alive = {"email.com"}
    bench.ask(owed(owed_line("anna@zmail.com", NO_DOMAIN)))
    assert all(not found.is_likely for found in bench.answers[0].values())


def test_a_correspondent_of_today_is_not_looked_up():
    bench = Bench()
    bench.knows("bert@supplier.example", ago=DAY - 1)
    bench.ask(owed(owed_line("anna@suplier.example", NO_DOMAIN)))
    assert bench.addresses() == {0: ["anna@supplier.example"]}
    assert bench.routes.asked == []


def test_a_correspondent_of_last_week_is_looked_up_once_a_day():
    bench = Bench()
    bench.knows("bert@supplier.example", ago=7 * DAY)
    for wait in (0, MINUTE, DAY):
        bench.clock.advance(wait)
        bench.ask(owed(owed_line("anna@suplier.example", NO_DOMAIN)))
    assert bench.routes.asked == ["supplier.example"] * 2
    assert len(bench.answers) == 3
    assert all(answer[0].is_likely for answer in bench.answers)


def test_correspondents_are_asked_for_once_a_minute():
    bench = Bench()
    for wait in (0, MINUTE - 1, 1):
        bench.clock.advance(wait)
        bench.ask(owed(owed_line("anna@gmial.com", NO_DOMAIN)))
    assert len(bench.spool.asked) == 2


def test_what_is_kept_has_a_limit():
    bench = Bench(kept=2)
    for sender in ("a", "b", "c", "c", "a"):
        bench.ask(owed(owed_line("anna@gmial.com", NO_DOMAIN), sender=sender))
    assert [address.local for address in bench.spool.asked] == ["a", "b", "c", "a"]


def test_without_an_answer_of_the_dns_there_is_none():
    bench = Bench()
    bench.knows("bert@supplier.example")
    bench.routes.silent = {"gmail.com"}
    bench.ask(owed(owed_line("anna@gmial.com", NO_DOMAIN), owed_line("anna@suplier.example", NO_DOMAIN, 1)))
    bench.clock.advance(149)
    assert bench.answers == []
    bench.clock.advance(1)
    assert bench.addresses() == {1: ["anna@supplier.example"]}
    bench.routes.answer()
    assert len(bench.answers) == 1


def test_an_answer_that_came_too_late_serves_the_next_report():
    bench = Bench()
    bench.routes.silent = {"gmail.com"}
    bench.ask(owed(owed_line("anna@gmial.com", NO_DOMAIN)))
    bench.clock.advance(150)
    bench.routes.answer()
    bench.ask(owed(owed_line("anna@gmial.com", NO_DOMAIN)))
    assert [sorted(answer) for answer in bench.answers] == [[], [0]]


def test_a_spool_that_is_slow_holds_up_no_report():
    bench = Bench()
    bench.spool.is_silent = True
    bench.ask(owed(owed_line("anna@gmial.com", NO_DOMAIN)))
    bench.clock.advance(150)
    assert bench.answers == [{}]


def test_a_fault_of_the_spool_leaves_the_common_domains():
    bench = Bench()
    bench.spool.fault = SpoolFault("no")
    bench.ask(owed(owed_line("anna@gmial.com", NO_DOMAIN)))
    assert bench.addresses() == {0: ["anna@gmail.com"]}


def test_a_colleague_is_named_to_an_insider_only():
    for is_insider, expected in ((True, {0: ["bernhard@here.example"]}), (False, {})):
        bench = Bench()
        bench.ask(
            owed(owed_line("berhnard@here.example", WeFound(Cause.NO_SUCH_MAILBOX))), is_insider=is_insider
        )
        assert bench.addresses() == expected
        assert not bench.answers[0] or bench.answers[0][0].candidates[0].kin is Kin.COLLEAGUE


def test_an_outsider_hears_of_no_mailbox_of_ours_even_if_he_wrote_to_it():
    for is_insider in (True, False):
        bench = Bench()
        bench.knows("hidden.member@here.example")
        lines = (
            owed_line("hiden.member@here.example", NO_MAILBOX),
            owed_line("x@heere.example", NO_DOMAIN, 1),
        )
        bench.ask(owed(*lines), is_insider=is_insider)
        assert sorted(bench.answers[0]) == ([0, 1] if is_insider else [])


def test_the_null_path_asks_nothing():
    bench = Bench()
    about = message(priority=Priority.REPORT)
    bench.ask(OwedReport(about, (owed_line("anna@gmial.com", NO_DOMAIN),), (), 1))
    assert (bench.answers, bench.spool.asked) == ([{}], [])


@pytest.mark.parametrize(
    "line",
    [
        owed_line("anna@gmial.com", NO_DOMAIN, member="hidden@gmial.com"),
        owed_line("anna@gmial.com", NO_DOMAIN, state=Returned(1)),
        owed_line("anna@gmial.com", NO_DOMAIN, action=Action.DELAYED),
    ],
    ids=["an alias", "returned", "delayed"],
)
def test_nothing_is_suggested_for_what_the_sender_did_not_mistype(line: OwedLine):
    bench = Bench()
    bench.ask(owed(line))
    assert bench.answers == [{}]


def test_a_domain_that_exists_and_takes_no_mail_makes_nothing_likely():
    bench = Bench()
    bench.ask(owed(owed_line("anna@gmial.com", WeFound(Cause.NULL_MX))))
    assert bench.addresses() == {0: ["anna@gmail.com"]}
    assert not bench.answers[0][0].is_likely


def test_of_a_report_with_very_many_lines_only_some_are_looked_at():
    bench = Bench()
    bench.ask(owed(*(owed_line("anna@gmial.com", NO_DOMAIN, ordinal) for ordinal in range(500))))
    assert sorted(bench.answers[0]) == list(range(SuggestionSettings().lines))


@pytest.mark.parametrize(
    ("diagnosis", "wrong"),
    [
        (NO_DOMAIN, Wrong.DOMAIN),
        (NO_MAILBOX, Wrong.MAILBOX),
        (WeFound(Cause.NO_SUCH_MAILBOX), Wrong.MAILBOX),
        (WeFound(Cause.NO_MAIL_HOST), Wrong.DOMAIN_PERHAPS),
        (PeerSaid(reply(550, "5.1.2", "Bad domain"), "mx", "192.0.2.1", Phase.RCPT), Wrong.DOMAIN_PERHAPS),
        (PeerSaid(reply(552, "5.2.2", "Full"), "mx", "192.0.2.1", Phase.RCPT), None),
        (PeerSaid(reply(550, "5.1.8", "Bad sender"), "mx", "192.0.2.1", Phase.RCPT), None),
        (WeFound(Cause.SILENT), None),
        (None, None),
    ],
)
def test_which_part_of_the_address_a_diagnosis_blames(diagnosis: Diagnosis | None, wrong: Wrong | None):
    assert blamed(diagnosis) is wrong
