"""The clients: one process that sends mail to a server at given instants, and says when each 250 came.

    paced   messages with an instant each; `sessions` clients take them in turn (an open loop: a server that
            is slow is sent no less). One that finds no free client waits, and `began` tells it. With `reuse`
            a client keeps its connection, else each message has one of its own.
    slow    clients that send contents of `octets` at 1,000 octets a second, again and again

The task: {"port", "start_at", "slow_until", "until", "paced": {...}, "slow": {...}}; a kind may be left out.
Instants are of `time.monotonic`; slow messages are begun before `slow_until`. Said, with tabs in between:

    a kind number due began done code     code: the last reply to the message, 0 if the connection died

Ends by itself when all is sent or at `until`; started by bench.machine.Helper.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import sys
import time
from dataclasses import dataclass
from typing import Any, Final

import uvloop
from bench.machine import raise_file_limit
from bench.sink_process import Teller

_LINE: Final = b"x" * 98 + b"\r\n"
_PORTION: Final = 64 * 1024
_STEP_SECONDS: Final = 300
_SLOW_OCTETS: Final = 1000


@dataclass(frozen=True)
class Letter:
    """One message to send."""

    number: int
    due: float
    sender: str
    recipients: list[str]
    octets: int


class Server:
    """Where the mail goes, when it all began and ends, and who is told."""

    def __init__(self, task: dict[str, Any]) -> None:
        self.port: int = task["port"]
        self.start_at: float = task["start_at"]
        self.slow_until: float = task["slow_until"]
        self.until: float = task["until"]
        self.teller = Teller()

    def tell(self, kind: str, letter: Letter, began: float, code: int) -> None:
        """Say what became of a message."""
        self.teller.say("a", kind, letter.number, letter.due, began, time.monotonic(), code)


class Session:
    """One connection of a client, opened when it is needed."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._reader: asyncio.StreamReader | None = None
        self._writer: asyncio.StreamWriter | None = None

    async def begin(self, letter: Letter) -> tuple[int, asyncio.StreamWriter]:
        """Come as far as the reply to DATA; MAIL, RCPT and DATA go out together."""
        if self._writer is None:
            self._reader, self._writer = await asyncio.open_connection("127.0.0.1", self._port)
            if await self._reply() != 220:
                raise ConnectionError
            self._writer.write(b"EHLO client.example\r\n")
            await self._reply()
        commands = [f"MAIL FROM:<{letter.sender}>", *(f"RCPT TO:<{to}>" for to in letter.recipients), "DATA"]
        self._writer.write("".join(f"{command}\r\n" for command in commands).encode())
        code = 0
        for _ in commands:
            code = await self._reply()
        if code == 354:
            header = f"From: <{letter.sender}>\r\nSubject: number {letter.number}\r\nTo: all:;\r\n\r\n"
            self._writer.write(header.encode())
        return code, self._writer

    async def end(self) -> int:
        """End a content; return the reply."""
        assert self._writer is not None
        self._writer.write(b".\r\n")
        return await self._reply()

    async def _reply(self) -> int:
        assert self._reader is not None
        while True:
            line = await asyncio.wait_for(self._reader.readline(), _STEP_SECONDS)
            if len(line) < 4:
                raise ConnectionError
            if line[3:4] != b"-":
                return int(line[:3])

    def close(self) -> None:
        """Hang up."""
        if self._writer is not None:
            self._writer.close()
            self._writer = None


async def _send(server: Server, kind: str, session: Session, letter: Letter, *, is_slow: bool) -> None:
    """Send one message; say what became of it."""
    began = time.monotonic()
    code = 0
    try:
        code, writer = await session.begin(letter)
        if code == 354:
            left = letter.octets
            while left > 0:
                portion = min(left, _SLOW_OCTETS if is_slow else _PORTION)
                writer.write(_LINE * (portion // len(_LINE) or 1))
                await writer.drain()
                left -= portion
                if is_slow:
                    await asyncio.sleep(1)
            code = await session.end()
    except (OSError, TimeoutError, asyncio.IncompleteReadError, ValueError):
        code = 0
    if code != 250:
        session.close()
    server.tell(kind, letter, began, code)


async def _paced(server: Server, task: dict[str, Any]) -> None:
    queue: asyncio.Queue[Letter | None] = asyncio.Queue()

    async def work() -> None:
        session = Session(server.port)
        while (letter := await queue.get()) is not None:
            await _send(server, "paced", session, letter, is_slow=False)
            if not task["reuse"]:
                session.close()
        session.close()

    workers = [asyncio.create_task(work()) for _ in range(task["sessions"])]
    for number, (after, sender, recipients, octets) in enumerate(task["messages"]):
        due = server.start_at + after
        if (pause := due - time.monotonic()) > 0:
            await asyncio.sleep(pause)
        queue.put_nowait(Letter(number, due, sender, recipients, octets))
    for _ in workers:
        queue.put_nowait(None)
    await asyncio.gather(*workers)


async def _slow(server: Server, task: dict[str, Any]) -> None:
    """Let clients send the same again and again, begun one after the other within a second."""
    numbers = itertools.count()

    async def work(place: int) -> None:
        session = Session(server.port)
        await asyncio.sleep(max(0.0, server.start_at + place / task["clients"] - time.monotonic()))
        while (now := time.monotonic()) < server.slow_until:
            letter = Letter(next(numbers), now, task["sender"], [task["recipient"]], task["octets"])
            await _send(server, "slow", session, letter, is_slow=True)
        session.close()

    await asyncio.gather(*(work(place) for place in range(task["clients"])))


async def _run(task: dict[str, Any]) -> None:
    server = Server(task)
    flushing = asyncio.create_task(server.teller.keep_flushing())
    kinds = {"paced": _paced, "slow": _slow}
    jobs = [asyncio.create_task(work(server, task[kind])) for kind, work in kinds.items() if kind in task]
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(asyncio.gather(*jobs), server.until - time.monotonic())
    flushing.cancel()
    server.teller.flush()


def main() -> int:
    """Do what the line of input says."""
    raise_file_limit()
    task = json.loads(sys.stdin.readline())
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_run(task))
    return 0


if __name__ == "__main__":
    sys.exit(main())
