"""Look-ups that are shared: bounds, places, and who is told what, when name servers hang."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Coroutine, Iterator
from typing import Any, Final

import pytest
import uvloop

from byreturn.ports import LookupFailed
from byreturn.transport.dns_cache import AnswerCache, Bounds, Finding, SharedLookups

FOR_EVER: Final = 3_600_000


# --- What is kept -------------------------------------------------------------------------------------


def test_the_cache_forgets_the_least_used_first():
    cache: AnswerCache[str, int] = AnswerCache(2)
    cache.put("a", 1, 10)
    cache.put("b", 2, 10)
    assert cache.get("a", 9) == 1
    cache.put("c", 3, 10)
    assert (cache.get("a", 9), cache.get("b", 9), cache.get("c", 9)) == (1, None, 3)
    assert (cache.get("a", 10), len(cache)) == (None, 1)


def test_the_cache_is_bounded_by_records_too():
    cache: AnswerCache[int, int] = AnswerCache(10)
    for n in range(10):
        cache.put(n, n, 10, records=10)
        cache.put(n, n, 10, records=10)
    assert [n for n in range(10) if cache.get(n, 0) is not None] == [6, 7, 8, 9]
    cache.put(11, 11, 10, records=500)
    assert len(cache) == 0


# --- Places -------------------------------------------------------------------------------------------


class StoppedClock:
    def now(self) -> int:
        return 1_700_000_000_000

    def is_trusted(self) -> bool:
        return True

    def call_later(self, delay: int, call: Callable[[], None]) -> Any:
        raise NotImplementedError


MADE: Final[list[Names]] = []


class Names:
    """Look-ups that hang until they are let go, where their name says so; the others are answered at once."""

    def __init__(self, **bounds: int) -> None:
        MADE.append(self)
        self.loop = asyncio.get_running_loop()
        self.bugs: list[Any] = []
        self.loop.set_exception_handler(lambda _, context: self.bugs.append(context.get("exception")))
        self.gate = asyncio.Event()
        self.running: Counter[str] = Counter()
        self.most = 0
        self.told: dict[str, list[str | LookupFailed]] = {}
        few = Bounds(
            **{
                "fresh": 2,
                "patience": FOR_EVER,
                "slow": 100,
                "grace": 0,
                "waiting": 100,
                "kept": 100,
                **bounds,
            }
        )
        self.lookups: SharedLookups[str, str] = SharedLookups(self.loop, StoppedClock(), few, self._look_up)

    async def _look_up(self, key: str) -> Finding[str]:
        self.running[key] += 1
        self.most = max(self.most, self.running.total())
        try:
            if "hang" in key:
                await self.gate.wait()
            if "bug" in key:
                raise ZeroDivisionError("in a look-up")
            return Finding(key.upper(), 1000 if "kept" in key else 0)
        finally:
            self.running[key] -= 1

    def find(self, key: str) -> None:
        self.lookups.find(key, self.told.setdefault(key, []).append)

    async def answer(self, key: str) -> str | LookupFailed:
        told: asyncio.Future[str | LookupFailed] = self.loop.create_future()
        self.lookups.find(key, told.set_result)
        return await told


async def pause(seconds: float) -> None:
    """Let the loop go on for a while."""
    passed = asyncio.Event()
    asyncio.get_running_loop().call_later(seconds, passed.set)
    await passed.wait()


Play = Callable[[Callable[..., Coroutine[Any, Any, Any]]], None]


@pytest.fixture(params=[asyncio.new_event_loop, uvloop.new_event_loop], ids=["asyncio", "uvloop"])
def play(request: pytest.FixtureRequest) -> Iterator[Play]:
    async def whole(scene: Callable[[], Coroutine[Any, Any, Any]]) -> None:
        try:
            await asyncio.wait_for(scene(), 30)
        finally:
            while MADE:
                await MADE.pop().lookups.close()

    with asyncio.Runner(loop_factory=request.param) as runner:
        yield lambda scene: runner.run(whole(scene))


def test_a_bug_in_a_look_up_is_reported_and_no_verdict(play):
    async def scene() -> None:
        names = Names()
        assert await names.answer("bug") == LookupFailed(
            "a mistake of ours: ZeroDivisionError in the look-up"
        )
        assert [type(bug) for bug in names.bugs] == [ZeroDivisionError]

    play(scene)


def test_thousands_that_hang_hold_up_nobody_else(play):
    async def scene() -> None:
        names = Names(fresh=100, patience=10, slow=2_000, grace=100, waiting=10_000)
        for number in range(5_000):
            names.find(f"hang {number}")
            if number % 50 == 0:
                names.find(f"fresh {number}")
        began = names.loop.time()
        await names.answer("the last")
        assert names.loop.time() - began < 5
        # All the others have been told, each once.
        fresh = [key for key in names.told if key.startswith("fresh")]
        assert [names.told[key] for key in fresh] == [[key.upper()] for key in fresh]
        assert names.most <= 2_102
        assert names.running.total() <= 2_101
        hanging = [names.told[key] for key in names.told if key.startswith("hang")]
        gone = [told for told in hanging if told]
        assert 2_800 < len(gone) <= 3_000
        for said in gone:
            assert len(said) == 1
            assert isinstance(said[0], LookupFailed)
            assert said[0].why.startswith("no answer after ")
            assert said[0].why.endswith("; gave way to others")
        # Those that were asked for first went first.
        assert all(names.told[f"hang {number}"] for number in range(2_800))
        names.gate.set()
        await names.answer("after all")
        assert all(len(told) == 1 for told in names.told.values())
        await names.lookups.close()
        assert names.bugs == []

    play(scene)


def test_while_nobody_waits_a_long_look_up_keeps_its_place(play):
    async def scene() -> None:
        names = Names(fresh=2, patience=1, slow=1)
        names.find("hang 1")
        names.find("hang 2")
        await pause(0.05)
        assert (names.told["hang 1"], names.told["hang 2"]) == ([], [])
        names.gate.set()
        await names.answer("next")
        assert (names.told["hang 1"], names.told["hang 2"]) == (["HANG 1"], ["HANG 2"])

    play(scene)


def test_a_slow_look_up_may_still_find_something(play):
    async def scene() -> None:
        names = Names(fresh=1, patience=10)
        names.find("hang")
        assert await names.answer("next") == "NEXT"
        assert names.told["hang"] == []
        names.gate.set()
        assert await names.answer("hang") == "HANG"
        assert names.told["hang"] == ["HANG"]

    play(scene)


def test_within_its_patience_a_look_up_is_waited_for(play):
    async def scene() -> None:
        names = Names(fresh=1)
        names.find("hang")
        names.find("next")
        await pause(0.05)
        assert names.told == {"hang": [], "next": []}
        names.gate.set()
        await names.answer("next")
        assert names.told["hang"] == ["HANG"]

    play(scene)


def test_the_oldest_slow_one_gives_way_and_its_task_ends(play):
    async def scene() -> None:
        names = Names(fresh=1, patience=30, slow=1)
        for key in ("hang 1", "hang 2", "hang 3"):
            names.find(key)
        assert await names.answer("next") == "NEXT"
        for key in ("hang 1", "hang 2"):
            (said,) = names.told[key]
            assert isinstance(said, LookupFailed)
        assert names.told["hang 3"] == []
        await pause(0)
        assert +names.running == {"hang 3": 1}
        # It may be asked for again, and its old look-up has nothing more to say.
        names.find("hang 1")
        names.gate.set()
        await names.answer("end")
        assert (names.told["hang 1"][1:], names.told["hang 3"]) == (["HANG 1"], ["HANG 3"])

    play(scene)


def test_where_all_is_slow_nobody_gives_way_before_its_grace_is_over(play):
    async def scene() -> None:
        names = Names(fresh=1, patience=10, slow=1, grace=FOR_EVER)
        for key in ("hang 1", "hang 2", "hang 3"):
            names.find(key)
        await pause(0.05)
        assert list(names.told.values()) == [[], [], []]
        assert +names.running == {"hang 1": 1, "hang 2": 1}
        names.gate.set()
        await names.answer("end")
        assert list(names.told.values()) == [["HANG 1"], ["HANG 2"], ["HANG 3"]]

    play(scene)


def test_a_place_is_taken_in_time_although_there_seemed_to_be_none_for_long(play):
    async def scene() -> None:
        begun: list[str] = []
        gates = {"first": asyncio.Event(), "second": asyncio.Event()}

        async def hang(key: str) -> Finding[str]:
            begun.append(key)
            await gates[key.split(maxsplit=1)[0]].wait()
            return Finding(key, 0)

        names = Names(fresh=1, patience=20, slow=2, grace=FOR_EVER)
        names.lookups._look_up = hang
        for key in ("first 1", "first 2", "second 3", "second 4", "second 5"):
            names.find(key)
        await pause(0.1)
        # All wait for the grace of the slow ones to be over; but then these end.
        assert begun == ["first 1", "first 2", "second 3"]
        gates["first"].set()
        await pause(0.1)
        assert begun == ["first 1", "first 2", "second 3", "second 4", "second 5"]
        gates["second"].set()
        await names.lookups.close()

    play(scene)


def test_a_timer_that_is_due_at_once_may_be_any_handle(play):
    async def scene() -> None:
        names = Names(fresh=1, patience=FOR_EVER)
        # So does uvloop, where its clock has gone on by a millisecond meanwhile.
        names.lookups._loop = NextTurn(names.loop)
        names.find("hang 1")
        names.find("hang 2")
        names.find("hang 3")
        names.gate.set()
        await names.answer("end")
        assert list(names.told.values()) == [["HANG 1"], ["HANG 2"], ["HANG 3"]]

    class NextTurn:
        def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
            self._loop = loop
            self.call_soon, self.create_task, self.time = loop.call_soon, loop.create_task, loop.time

        def call_at(self, when: float, call: Callable[[], None]) -> asyncio.Handle:
            return self._loop.call_soon(call)

    play(scene)


def test_one_that_gave_way_and_answers_all_the_same_is_kept_and_told_to_nobody(play):
    async def scene() -> None:
        names = Names(fresh=1, patience=30, slow=1)

        async def stubborn(key: str) -> Finding[str]:
            if key == "stubborn":
                try:
                    await names.gate.wait()
                except asyncio.CancelledError:
                    return Finding("at last", 1000)
            elif "hang" in key:
                await names.gate.wait()
            return Finding(key.upper(), 0)

        names.lookups._look_up = stubborn
        names.find("stubborn")
        names.find("hang 1")
        names.find("hang 2")
        assert await names.answer("next") == "NEXT"
        assert len(names.told["stubborn"]) == 1
        assert await names.answer("stubborn") == "at last"
        assert len(names.told["stubborn"]) == 1
        await names.lookups.close()

    play(scene)


def test_close_tells_the_slow_ones_too(play):
    async def scene() -> None:
        names = Names(fresh=1, patience=10)
        for key in ("hang 1", "hang 2", "hang 3"):
            names.find(key)
        await names.answer("next")
        names.find("hang 4")
        names.find("hang 5")
        await names.lookups.close()
        await pause(0)
        closed = [LookupFailed("the resolver is closed")]
        assert list(names.told.values()) == [closed] * 5
        assert names.running.total() == 0

    play(scene)


def test_what_is_not_enough_is_looked_up_anew(play):
    async def scene() -> None:
        names = Names()
        assert await names.answer("kept") == "KEPT"
        told: list[str | LookupFailed] = []
        names.lookups.find("kept", told.append)
        assert told == ["KEPT"]
        names.lookups.find("kept", told.append, lambda answer: answer == "KEPT")
        assert told == ["KEPT"] * 2
        names.lookups.find("kept", told.append, lambda answer: answer != "KEPT")
        assert told == ["KEPT"] * 2
        await names.answer("end")
        assert told == ["KEPT"] * 3

    play(scene)
