"""The load: what is to be sent when, and what the clients heard.

    with Load(port, paced=letters(...), slow=..., seconds=60) as load:
        ...                                the clients are sending
        load.finish()
    load.accepted                          number -> instant of the 250

Promises: instants are those at which the client has read the reply, told by the clients themselves.
"""

from __future__ import annotations

import random
import subprocess
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from types import TracebackType
from typing import Any, Final

from bench.machine import Helper

OCTETS: Final = 4096
_HEAD_START: Final = 0.5
_END_SECONDS: Final = 30.0


@dataclass(frozen=True)
class Letter:
    """A message: when (seconds from the start), from whom, to whom, how large."""

    after: float
    sender: str
    recipients: tuple[str, ...]
    octets: int = OCTETS


@dataclass(frozen=True)
class Slow:
    """Clients that send the same again and again, 1,000 octets a second."""

    clients: int
    octets: int
    sender: str
    recipient: str


@dataclass(frozen=True)
class Answered:
    """What a client heard, and when it was to begin, began and was done."""

    due: float
    began: float
    done: float
    code: int


class Load:
    """The clients; a context manager. They end when all is sent, or `grace` seconds after `seconds`.

    `sessions`: so many messages are on their way to the server at once. `reuse`: a client keeps its
    connection for the next message.
    """

    def __init__(
        self,
        port: int,
        *,
        paced: Sequence[Letter] = (),
        sessions: int = 20,
        reuse: bool = True,
        slow: Slow | None = None,
        seconds: float = 0.0,
        grace: float = _END_SECONDS,
    ) -> None:
        self.start_at = time.monotonic() + _HEAD_START
        self._length = max(seconds, max((letter.after for letter in paced), default=0.0))
        self._until = self.start_at + self._length + grace
        self.paced: dict[int, Answered] = {}
        self.slow: list[Answered] = []
        task: dict[str, Any] = {
            "port": port,
            "start_at": self.start_at,
            "slow_until": self.start_at + self._length,
            "until": self._until,
        }
        if paced:
            messages = [(one.after, one.sender, one.recipients, one.octets) for one in paced]
            task["paced"] = {"sessions": sessions, "reuse": reuse, "messages": messages}
        if slow is not None:
            task["slow"] = asdict(slow)
        self._helper = Helper("bench.load_process", task, self._hear)

    def __enter__(self) -> Load:
        self._helper.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._helper.__exit__(kind, error, trace)

    def _hear(self, words: list[str]) -> None:
        _, kind, number, due, began, done, code = words
        answered = Answered(float(due), float(began), float(done), int(code))
        if kind == "paced":
            self.paced[int(number)] = answered
        else:
            self.slow.append(answered)

    @property
    def accepted(self) -> dict[int, float]:
        """The instants of all 250s so far, by the place of the message in what was to be sent."""
        return {number: one.done for number, one in tuple(self.paced.items()) if one.code == 250}

    @property
    def lateness(self) -> float:
        """How late the latest message was begun, in seconds: above all when the server made clients wait."""
        return max((one.began - one.due for one in self.paced.values()), default=0.0)

    def finish(self) -> None:
        """Wait until all is sent."""
        self._helper.wait(max(1.0, self._until - time.monotonic() + _END_SECONDS))


def run_source(port: int, messages: int, sessions: int, *, reuse: bool, to: str) -> tuple[float, float]:
    """Run smtp-source as fast as it goes; return when it began and when the last was accepted."""
    command = [
        "smtp-source", "-s", str(sessions), "-l", str(OCTETS), "-m", str(messages),
        "-f", "sender@senders.example", "-t", to, *(["-d"] if reuse else []), f"127.0.0.1:{port}",
    ]  # fmt: skip
    began = time.monotonic()
    subprocess.run(command, check=True, timeout=600, stdout=subprocess.DEVNULL)
    return began, time.monotonic()


def dice(seed: int) -> random.Random:
    """Make a source of numbers that gives the same load each time."""
    return random.Random(seed)
