"""The operator's door: one line in, one out; and what it does with visitors who do something else."""

from __future__ import annotations

import asyncio
import contextlib
import getpass
import os
import socket
import stat
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
import uvloop

from byreturn.transport import door as door_module
from byreturn.transport.door import DOOR_NAME, LINE_LIMIT, VISITS, OperatorDoor, address_of


class Facts:
    """A journal that remembers."""

    def __init__(self) -> None:
        self.told: list[tuple[str, tuple[Any, ...]]] = []

    def __getattr__(self, fact: str) -> Callable[..., None]:
        return lambda *values, **named: self.told.append((fact, values + tuple(named.values())))

    def of(self, fact: str) -> list[tuple[Any, ...]]:
        return [values for name, values in self.told if name == fact]


class Desk:
    """Says back what it heard, when it is told to."""

    def __init__(self) -> None:
        self.heard: list[tuple[bytes, str]] = []
        self.waiting: list[Callable[[bytes], None]] = []
        self.is_slow = False

    def hear(self, line: bytes, who: str, done: Callable[[bytes], None]) -> None:
        self.heard.append((line, who))
        if line == b"bug":
            raise RuntimeError("never thought of")
        if self.is_slow:
            self.waiting.append(done)
        else:
            done(b"heard " + line + b"\n")

    def not_understood(self, why: str) -> bytes:
        return b"what? " + why.encode() + b"\n"

    def not_now(self, why: str) -> bytes:
        return b"not now: " + why.encode() + b"\n"


class House:
    """A door in a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.path = folder / DOOR_NAME
        self.desk = Desk()
        self.facts = Facts()
        self.door = OperatorDoor(asyncio.get_running_loop(), folder, self.facts, self.desk)  # type: ignore[arg-type]

    async def connect(self) -> socket.socket:
        visitor = socket.socket(socket.AF_UNIX)
        visitor.setblocking(False)
        with address_of(self.folder) as address:
            await asyncio.get_running_loop().sock_connect(visitor, address)
        return visitor

    async def ask(self, *pieces: bytes, ends: bool = False) -> bytes:
        """Send octets, piece by piece; return all that comes until the door hangs up."""
        loop = asyncio.get_running_loop()
        answer = b""
        with await self.connect() as visitor:
            with contextlib.suppress(ConnectionError):  # It may have heard enough.
                for piece in pieces:
                    await loop.sock_sendall(visitor, piece)
                    await asyncio.sleep(0.01)  # noqa: TID251 - on the wire
                if ends:
                    visitor.shutdown(socket.SHUT_WR)
            with contextlib.suppress(ConnectionError):
                while data := await loop.sock_recv(visitor, 65536):
                    answer += data
        return answer

    async def has_heard(self, visitors: int) -> None:
        async with asyncio.timeout(10):
            while len(self.desk.heard) < visitors:  # noqa: ASYNC110 - a desk that is no task
                await asyncio.sleep(0.01)  # noqa: TID251 - on the wire


@contextlib.asynccontextmanager
async def opened(folder: Path) -> AsyncIterator[House]:
    house = House(folder)
    await house.door.open()
    try:
        yield house
    finally:
        house.door.close()


def run(test: Callable[[], Any]) -> None:
    """Run on the loop that the server has; what goes wrong in a callback is an error."""
    wrong: list[dict[str, Any]] = []
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.get_loop().set_exception_handler(lambda _, context: wrong.append(context))
        runner.run(asyncio.wait_for(test(), 20))
    assert wrong == []


def test_one_line_in_and_one_out(tmp_path):
    async def test() -> None:
        async with opened(tmp_path) as house:
            assert await house.ask(b"hello\n") == b"heard hello\n"
            assert await house.ask(b"x" * LINE_LIMIT + b"\n") == b"heard " + b"x" * LINE_LIMIT + b"\n"
            assert await house.ask(b"bye\n", ends=True) == b"heard bye\n"
            assert house.desk.heard[0] == (b"hello", getpass.getuser())
            assert house.facts.told == []

    run(test)


def test_a_line_may_come_in_pieces(tmp_path):
    async def test() -> None:
        async with opened(tmp_path) as house:
            assert await house.ask(b"he", b"llo", b"\n") == b"heard hello\n"

    run(test)


@pytest.mark.parametrize(
    ("data", "answer"),
    [
        (b"x" * (LINE_LIMIT + 1), b"what? a line has at most 65536 octets. Nothing was done.\n"),
        (b"x" * 1_000_000 + b"\n", b"what? a line has at most 65536 octets. Nothing was done.\n"),
        (b"one\ntwo\n", b"what? one line, and nothing behind it. Nothing was done.\n"),
        (b"no end", b"what? a line ends with a line feed. Nothing was done.\n"),
        (b"", b"what? a line ends with a line feed. Nothing was done.\n"),
    ],
)
def test_what_is_no_line_is_told_so(tmp_path, data, answer):
    async def test() -> None:
        async with opened(tmp_path) as house:
            assert await house.ask(data, ends=True) == answer
            assert house.desk.heard == []

    run(test)


def test_a_visitor_has_so_much_time(tmp_path, monkeypatch):
    monkeypatch.setattr(door_module, "VISIT_SECONDS", 0.1)

    async def test() -> None:
        async with opened(tmp_path) as house:
            assert await house.ask(b"slow") == b"what? no line within 0.1 s. Nothing was done.\n"
            house.desk.is_slow = True
            answer = await house.ask(b"act\n")
            assert answer == b"not now: the answer takes too long. It may still be done\n"
            # The late answer finds nobody, and harms nobody.
            house.desk.waiting[0](b"late\n")
            house.desk.is_slow = False
            assert await house.ask(b"hello\n") == b"heard hello\n"

    run(test)


def test_so_many_at_once_and_no_more(tmp_path):
    async def test() -> None:
        async with opened(tmp_path) as house:
            house.desk.is_slow = True
            visits = [asyncio.create_task(house.ask(b"%d\n" % number)) for number in range(VISITS)]
            await house.has_heard(VISITS)
            assert await house.ask(b"me too\n") == (
                f"not now: {VISITS} others are being heard. Nothing was done\n".encode()
            )
            for number, done in enumerate(house.desk.waiting):
                done(b"%d\n" % number)
            assert await asyncio.gather(*visits) == [b"%d\n" % number for number in range(VISITS)]
            house.desk.is_slow = False
            assert await house.ask(b"now\n") == b"heard now\n"
            assert len(house.desk.heard) == VISITS + 1

    run(test)


def test_a_bug_of_ours_costs_one_visit(tmp_path):
    async def test() -> None:
        async with opened(tmp_path) as house:
            answer = await house.ask(b"bug\n")
            assert answer == b"not now: something went wrong here. It may be done or not\n"
            assert house.facts.of("fault") == [("operator", "bug: RuntimeError('never thought of')")]
            assert await house.ask(b"hello\n") == b"heard hello\n"

    run(test)


def test_who_goes_away_before_the_answer_is_done_with(tmp_path):
    async def test() -> None:
        async with opened(tmp_path) as house:
            house.desk.is_slow = True
            with await house.connect() as visitor:
                visitor.send(b"act\n")
                await house.has_heard(1)
            await asyncio.sleep(0.05)  # noqa: TID251 - on the wire
            house.desk.waiting[0](b"done\n")

    run(test)


# --- The file -----------------------------------------------------------------------------------------


def test_only_its_owner_may_come_in_and_it_goes_with_its_server(tmp_path):
    async def test() -> None:
        before = os.umask(0)
        try:
            async with opened(tmp_path) as house:
                mode = house.path.stat().st_mode
                assert stat.S_ISSOCK(mode)
                assert stat.S_IMODE(mode) == 0o600
                house.door.close()
                assert not house.path.exists()
        finally:
            os.umask(before)

    run(test)


def test_the_door_of_a_dead_server_is_replaced(tmp_path):
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(tmp_path / DOOR_NAME))

    async def test() -> None:
        async with opened(tmp_path) as house:
            assert await house.ask(b"hello\n") == b"heard hello\n"

    run(test)


def test_what_is_no_door_is_left_alone(tmp_path):
    (tmp_path / DOOR_NAME).write_text("mine")

    async def test() -> None:
        async with opened(tmp_path) as house:
            ((where, why),) = house.facts.of("fault")
            assert where == "operator"
            assert "is no socket. Mail goes on" in why
        assert (tmp_path / DOOR_NAME).read_text() == "mine"

    run(test)


def test_a_folder_that_cannot_have_one(tmp_path):
    async def test() -> None:
        async with opened(tmp_path / "nothing") as house:
            ((_, why),) = house.facts.of("fault")
            assert "No such file or directory. Mail goes on" in why

    run(test)


def test_a_path_may_be_longer_than_an_address(tmp_path):
    folder = tmp_path / ("d" * 120)
    folder.mkdir()

    async def test() -> None:
        async with opened(folder) as house:
            assert stat.S_IMODE(house.path.stat().st_mode) == 0o600
            assert await house.ask(b"hello\n") == b"heard hello\n"
            ((what, at, hint),) = house.facts.of("note")
            assert (what, at) == ("operator's door", str(house.path))
            assert "longer than the address of a socket" in hint
            before = len(os.listdir("/proc/self/fd"))
            for _ in range(3):
                await house.ask(b"hello\n")
            assert len(os.listdir("/proc/self/fd")) <= before + 1, "the folder is not kept open"
        assert not house.path.exists()

    run(test)
