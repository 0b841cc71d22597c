"""Candidates: which endpoint is dialled next, and what it comes to when none of them took the mail."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from tests.sim.clock import VirtualClock
from tests.unit.service.mail import way

from byreturn.mail import MINUTE, Cause, PeerSaid, Phase, WeFound, reply
from byreturn.policy import NextHop
from byreturn.ports import AddressAnswer, AddressesFound, Endpoint, LookupFailed, NoRecords, NoSuchName
from byreturn.service.addresses import SLOW, AddressTable
from byreturn.service.candidates import Candidate, Candidates, NobodyAnswered, NobodyTook
from byreturn.service.routes import ToHosts

OURSELVES = "192.0.2.99"
FORBIDDEN = "10.0.0.1"
SAID = PeerSaid(reply(554, "5.7.1", "go away"), "a", "192.0.2.1", Phase.GREETING)
REFUSED = WeFound(Cause.REFUSED_CONNECTION, "refused", "a", "192.0.2.1", Phase.CONNECT)


class Ways:
    """The addresses of hosts, told when `tell` is called where `is_late`."""

    def __init__(self, addresses: dict[str, AddressAnswer | tuple[str, ...]]) -> None:
        self._addresses = addresses
        self.asked: list[str] = []
        self.is_late = False
        self.tell: Callable[[], None] = lambda: None

    def addresses(self, hop: NextHop, done: Callable[[AddressAnswer], None]) -> None:
        self.asked.append(hop.host)
        found = self._addresses.get(hop.host, NoSuchName("ns"))
        answer = AddressesFound(found) if isinstance(found, tuple) else found
        if self.is_late:
            self.tell = lambda: done(answer)
        else:
            done(answer)

    def is_own(self, endpoint: Endpoint) -> bool:
        return endpoint.address == OURSELVES

    def may_dial(self, endpoint: Endpoint, *, is_static: bool) -> bool:
        return is_static or endpoint.address != FORBIDDEN


class Search:
    """An attempt's search, host after host."""

    def __init__(self, to: ToHosts, **hosts: AddressAnswer | tuple[str, ...]) -> None:
        self.clock = VirtualClock()
        self.table = AddressTable(self.clock, 2)
        self.ways = Ways(hosts)
        routes: Any = self.ways
        self.candidates = Candidates(to, routes, self.table)

    def next(self) -> str | None:
        told: list[Candidate | None] = []
        self.candidates.next(told.append)
        assert len(told) == 1
        return told[0] and told[0].endpoint.address

    def all(self) -> list[str]:
        """Try all, and note that each refused the connection."""
        found = []
        while (address := self.next()) is not None:
            found.append(address)
            self.candidates.failed(REFUSED)
        return found


def silent(search: Search, address: str) -> None:
    search.table.fell_silent(Endpoint(address, 25), WeFound(Cause.SILENT, "no answer", "a", address), MINUTE)


def slow(search: Search, address: str) -> None:
    search.table.dial(Endpoint(address, 25))
    search.clock.advance(SLOW)


def test_host_after_host_address_after_address():
    search = Search(way("a", "b"), a=("192.0.2.1", "192.0.2.2"), b=("192.0.2.3",))
    assert search.next() == "192.0.2.1"
    assert search.ways.asked == ["a"], "a host is looked up when it is about to be dialled"
    assert search.candidates.has_more
    assert search.all() == ["192.0.2.2", "192.0.2.3"]
    assert not search.candidates.has_more
    assert search.candidates.verdict() == NobodyAnswered(REFUSED)


def test_an_answer_that_comes_late_is_told_late():
    search = Search(way("a"), a=("192.0.2.1",))
    search.ways.is_late = True
    told: list[Candidate | None] = []
    search.candidates.next(told.append)
    assert told == []
    search.ways.tell()
    assert told == [Candidate("a", Endpoint("192.0.2.1", 25))]


# --- Ourselves ----------------------------------------------------------------------------------------


def test_where_the_best_is_this_one_it_is_a_loop():
    search = Search(way("a", "b"), a=(OURSELVES, "192.0.2.1"), b=("192.0.2.2",))
    assert search.all() == []
    verdict = search.candidates.verdict()
    assert isinstance(verdict, NobodyTook)
    assert verdict.is_dns
    assert isinstance(verdict.diagnosis, WeFound)
    assert (verdict.diagnosis.cause, verdict.diagnosis.host, verdict.diagnosis.address) == (
        Cause.LOOP,
        "a",
        OURSELVES,
    )


def test_what_stands_behind_ourselves_is_no_way_forward():
    search = Search(way("a", "b", "c"), a=("192.0.2.1",), b=(OURSELVES,), c=("192.0.2.2",))
    assert search.all() == ["192.0.2.1"]
    # A better one exists, that could not be spoken to now.
    assert search.candidates.verdict() == NobodyAnswered(REFUSED)


def test_a_slow_one_before_ourselves_is_tried_and_it_is_no_loop():
    search = Search(way("a", "b"), a=("192.0.2.1",), b=(OURSELVES,))
    slow(search, "192.0.2.1")
    assert search.all() == ["192.0.2.1"]
    assert search.candidates.verdict() == NobodyAnswered(REFUSED)


def test_an_operators_route_may_lead_to_ourselves_and_to_private_addresses():
    search = Search(way("a", is_static=True), a=(OURSELVES, FORBIDDEN))
    assert search.all() == [OURSELVES, FORBIDDEN]


# --- Forbidden, silent, slow --------------------------------------------------------------------------


def test_a_forbidden_address_is_a_finding_and_not_dialled():
    search = Search(way("a"), a=(FORBIDDEN,))
    assert search.all() == []
    verdict = search.candidates.verdict()
    assert isinstance(verdict, NobodyAnswered)
    assert isinstance(verdict.finding, WeFound)
    assert verdict.finding.cause is Cause.FORBIDDEN_ADDRESS


def test_one_that_fell_silent_a_moment_ago_is_passed_over_with_that_finding():
    search = Search(way("a", "b"), a=("192.0.2.1",), b=("192.0.2.2",))
    silent(search, "192.0.2.1")
    assert search.next() == "192.0.2.2"
    silent(search, "192.0.2.2")
    assert search.next() is None
    verdict = search.candidates.verdict()
    assert isinstance(verdict, NobodyAnswered)
    assert "for other mail" in str(verdict.finding)
    search.clock.advance(MINUTE)
    fresh = Candidates(way("a"), search.ways, search.table)  # type: ignore[arg-type]
    told: list[Candidate | None] = []
    fresh.next(told.append)
    assert told[0] is not None


def test_a_slow_one_comes_behind_all_the_rest():
    search = Search(way("a", "b"), a=("192.0.2.1", "192.0.2.2"), b=("192.0.2.3",))
    slow(search, "192.0.2.1")
    assert search.all() == ["192.0.2.2", "192.0.2.3", "192.0.2.1"]


def test_of_slow_ones_the_last_is_tried_first_and_none_is_left_out():
    search = Search(way("a", "b"), a=("192.0.2.1", "192.0.2.2"), b=("192.0.2.3",))
    for address in ("192.0.2.1", "192.0.2.2", "192.0.2.3"):
        slow(search, address)
    assert search.all() == ["192.0.2.3", "192.0.2.1", "192.0.2.2"]


def test_one_that_falls_silent_while_it_stands_behind_is_passed_over():
    search = Search(way("a", "b"), a=("192.0.2.1",), b=("192.0.2.2",))
    slow(search, "192.0.2.1")
    assert search.next() == "192.0.2.2"
    assert search.candidates.has_more
    silent(search, "192.0.2.1")
    assert search.next() is None


# --- Names that are missing ---------------------------------------------------------------------------


def test_where_no_name_exists_it_is_the_dns_that_says_so():
    search = Search(way("a", "b"))
    assert search.all() == []
    verdict = search.candidates.verdict()
    assert isinstance(verdict, NobodyTook)
    assert verdict.is_dns
    assert isinstance(verdict.diagnosis, WeFound)
    assert verdict.diagnosis.cause is Cause.NO_SUCH_MAIL_HOSTS
    assert "b does not exist" in verdict.diagnosis.detail


@pytest.mark.parametrize("other", [LookupFailed("SERVFAIL"), NoRecords("ns"), ("192.0.2.1",), (FORBIDDEN,)])
def test_one_host_of_which_the_dns_says_something_else_is_enough_to_try_on(other):
    search = Search(way("a", "b"), b=other)
    search.all()
    assert isinstance(search.candidates.verdict(), NobodyAnswered)


def test_a_route_of_ours_to_a_name_that_does_not_exist_may_only_be_misspelt():
    search = Search(way("a", is_static=True))
    assert search.all() == []
    assert isinstance(search.candidates.verdict(), NobodyAnswered)


# --- Refusals -----------------------------------------------------------------------------------------


def test_where_each_refused_for_good_it_is_the_first_ones_word():
    search = Search(way("a", "b"), a=("192.0.2.1",), b=("192.0.2.2",))
    second = PeerSaid(reply(550, "5.7.1", "nor I"), "b", "192.0.2.2", Phase.GREETING)
    for said in (SAID, second):
        assert search.next() is not None
        search.candidates.refused(said)
    assert search.next() is None
    assert search.candidates.verdict() == NobodyTook(SAID)


def test_where_one_could_not_be_spoken_to_a_refusal_is_not_the_last_word():
    search = Search(way("a", "b"), a=("192.0.2.1",), b=("192.0.2.2",))
    search.next()
    search.candidates.refused(SAID)
    search.next()
    search.candidates.failed(REFUSED)
    assert search.next() is None
    assert search.candidates.verdict() == NobodyAnswered(REFUSED)


def test_a_missing_name_beside_a_refusal_ends_nothing():
    search = Search(way("a", "gone"), a=("192.0.2.1",))
    search.next()
    search.candidates.refused(SAID)
    assert search.next() is None
    assert isinstance(search.candidates.verdict(), NobodyAnswered)
