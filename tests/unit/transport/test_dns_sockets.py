"""Questions on their way: how many share a socket, what is heard on it, and that nothing of them is left."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Coroutine, Iterator
from types import NoneType
from typing import Any, Final

import dns.message
import pytest
import uvloop
from dns.rdatatype import MX
from tests.unit.transport.name_servers import FakeServer, Mood, Sent, in_full, question, reply, says, silent

from byreturn.transport import dns_sockets
from byreturn.transport.dns_sockets import QUESTIONS_PER_SOCKET, Datagrams
from byreturn.transport.dns_wire import Question, Reply, question_of

FOR_EVER: Final = 3_600_000
SOON: Final = 200


class Road(FakeServer):
    """A server and the sockets to it. `ports` are where the questions came from, `ids` what they had."""

    def __init__(self, mood: Mood) -> None:
        super().__init__(mood)
        self.ports: Counter[int] = Counter()
        self.ids: list[int] = []

    async def start(self) -> None:
        await super().start()
        self.datagrams = Datagrams(asyncio.get_running_loop(), self.endpoint)

    def datagram_received(self, data: bytes, addr: Any) -> None:
        self.ports[addr[1]] += 1
        self.ids.append(int.from_bytes(data[:2]))
        super().datagram_received(data, addr)

    async def ask(self, name: str, limit: int = FOR_EVER) -> Reply | None:
        return await self.datagrams.ask(asked(name), limit, has_edns=True)


def asked(name: str) -> Question:
    found = question_of(name, MX)
    assert found is not None
    return found


Play = Callable[[Callable[[Road], Coroutine[Any, Any, Any]], Mood], None]


@pytest.fixture(params=[asyncio.new_event_loop, uvloop.new_event_loop], ids=["asyncio", "uvloop"])
def play(request: pytest.FixtureRequest) -> Iterator[Play]:
    async def whole(scene: Callable[[Road], Coroutine[Any, Any, Any]], mood: Mood) -> None:
        road = Road(mood)
        await road.start()
        try:
            await asyncio.wait_for(scene(road), 20)
        finally:
            road.datagrams.close()
            await road.stop()

    with asyncio.Runner(loop_factory=request.param) as runner:
        yield lambda scene, mood: runner.run(whole(scene, mood))


denied = says(code="NXDOMAIN")


def test_many_questions_share_few_sockets_and_each_socket_carries_few(play):
    async def scene(road: Road) -> None:
        replies = await asyncio.gather(*(road.ask(f"{n}.example") for n in range(100)))
        assert {said.code for said in replies if said} == {3}
        assert sorted(road.ports.values()) == [4] + 6 * [QUESTIONS_PER_SOCKET]
        # Those with all their answers are closed; the newest takes more.
        assert len(road.datagrams._sockets) == 1

    play(scene, denied)


def test_one_after_the_other_they_change_sockets_too(play):
    async def scene(road: Road) -> None:
        for number in range(3 * QUESTIONS_PER_SOCKET):
            await road.ask(f"{number}.example")
        assert list(road.ports.values()) == 3 * [QUESTIONS_PER_SOCKET]

    play(scene, denied)


def test_ids_are_not_to_be_guessed(play):
    async def scene(road: Road) -> None:
        for _ in range(6):
            await asyncio.gather(*(road.ask(f"{n}.example") for n in range(100)))
        # Of 600 ids out of 65,536 a few are the same by chance; 30 are not.
        assert len(set(road.ids)) > 570
        steps = {after - before for before, after in zip(road.ids, road.ids[1:], strict=False)}
        assert len(steps) > 500

    play(scene, denied)


def test_a_socket_is_not_kept_for_long(play, monkeypatch):
    monkeypatch.setattr(dns_sockets, "_SOCKET_LIFETIME", 20)

    async def scene(road: Road) -> None:
        await road.ask("a.example")
        assert len(road.datagrams._sockets) == 1
        while road.datagrams._sockets:
            await turn(0.01)
        await road.ask("b.example")
        assert len(road.ports) == 2

    play(scene, denied)


def test_a_socket_that_is_too_old_still_hears_its_last_answer(play, monkeypatch):
    monkeypatch.setattr(dns_sockets, "_SOCKET_LIFETIME", 1)
    gate = asyncio.Event()

    async def late(query: dns.message.Message) -> Sent:
        await gate.wait()
        return await in_full(denied(query))

    async def scene(road: Road) -> None:
        asking = asyncio.ensure_future(road.ask("a.example"))
        await road.has_heard(1)
        await turn(0.05)
        gate.set()
        assert await asking == Reply(3)
        assert road.datagrams._sockets == set()

    play(scene, late)


def test_when_all_sockets_are_open_the_emptiest_carries_more(play, monkeypatch):
    monkeypatch.setattr(dns_sockets, "SOCKETS_LIMIT", 2)
    gate = asyncio.Event()

    async def late(query: dns.message.Message) -> Sent:
        await gate.wait()
        return await in_full(denied(query))

    async def scene(road: Road) -> None:
        asking = [asyncio.ensure_future(road.ask(f"{n}.example")) for n in range(100)]
        await road.has_heard(100)
        assert sorted(road.ports.values()) == [50, 50]
        gate.set()
        assert {said.code for said in await asyncio.gather(*asking)} == {3}
        assert road.datagrams._sockets == set()

    play(scene, late)


def test_a_question_that_is_cancelled_leaves_nothing_behind(play):
    async def scene(road: Road) -> None:
        asking = [asyncio.ensure_future(road.ask(f"{n}.example")) for n in range(20)]
        await road.has_heard(20)
        for task in asking:
            task.cancel()
        await asyncio.wait(asking)
        (newest,) = road.datagrams._sockets
        assert newest.open == {}

    play(scene, silent)


def test_silence_is_known_when_its_time_is_over(play):
    async def scene(road: Road) -> None:
        assert await road.ask("a.example", 20) is None

    play(scene, silent)


def test_an_answer_that_comes_too_late_is_taken_for_no_other(play):
    gates = {"a.example MX": asyncio.Event(), "b.example MX": asyncio.Event()}

    async def late(query: dns.message.Message) -> Sent:
        await gates[question(query)].wait()
        return await in_full(says(code="NXDOMAIN" if question(query)[0] == "a" else "NOERROR")(query))

    async def scene(road: Road) -> None:
        assert await road.ask("a.example", 20) is None
        asking = asyncio.ensure_future(road.ask("b.example"))
        await road.has_heard(2)
        gates["a.example MX"].set()
        await turn(0.02)
        assert not asking.done()
        gates["b.example MX"].set()
        assert await asking == Reply(0)
        assert len(road.ports) == 1

    play(scene, late)


def test_the_answer_to_another_question_on_the_same_socket_is_not_heard(play):
    queries: list[dns.message.Message] = []

    def swapped(query: dns.message.Message) -> Sent:
        queries.append(query)
        if len(queries) < 2:
            return []
        first, second = queries
        first.id, second.id = second.id, first.id
        wrong = [reply(one, code="SERVFAIL").to_wire() for one in queries]
        first.id, second.id = second.id, first.id
        return wrong + [reply(one, code="NXDOMAIN").to_wire() for one in queries]

    async def scene(road: Road) -> None:
        assert await asyncio.gather(road.ask("a.example"), road.ask("b.example")) == [Reply(3), Reply(3)]
        assert len(road.ports) == 1

    play(scene, swapped)


def test_an_answer_told_twice_is_heard_once(play):
    def twice(query: dns.message.Message) -> Sent:
        return 3 * [reply(query, code="NXDOMAIN").to_wire()]

    async def scene(road: Road) -> None:
        for number in range(40):
            assert await road.ask(f"{number}.example") == Reply(3)

    play(scene, twice)


def test_the_name_may_come_back_in_other_letters(play):
    async def scene(road: Road) -> None:
        assert await road.ask("a.example") == Reply(3)

    def shouting(query: dns.message.Message) -> Sent:
        wire = bytearray(reply(query, code="NXDOMAIN").to_wire())
        wire[12:23] = wire[12:23].upper()
        return [bytes(wire)]

    play(scene, shouting)


def test_a_closed_port_is_told_to_all_who_asked_there(play):
    async def scene(road: Road) -> None:
        await road.stop()
        rounds = []
        for _ in range(20):
            told = await asyncio.gather(
                *(road.ask(f"{n}.example", SOON) for n in range(40)), return_exceptions=True
            )
            rounds.append({type(one) for one in told})
        # The system sends only so many of these messages, so some sockets may hear nothing: but none lies.
        assert {ConnectionRefusedError} in rounds
        assert set().union(*rounds) <= {ConnectionRefusedError, NoneType}
        assert road.datagrams._sockets == set()

    play(scene, silent)


def test_a_server_that_cannot_be_reached_is_a_fault_and_no_loop(play, monkeypatch):
    monkeypatch.setattr(dns_sockets, "SOCKETS_LIMIT", 1)

    async def scene(road: Road) -> None:
        datagrams = Datagrams(asyncio.get_running_loop(), road.endpoint)
        datagrams._address = ("255.255.255.255", 53)  # Broadcasting is not allowed to us.
        with pytest.raises(PermissionError):
            await datagrams.ask(asked("a.example"), SOON, has_edns=True)
        assert datagrams._sockets == set()

    play(scene, silent)


async def turn(seconds: float) -> None:
    """Let the loop go on for a while."""
    passed = asyncio.Event()
    asyncio.get_running_loop().call_later(seconds, passed.set)
    await passed.wait()
