"""What the other mail hosts received: kept while it comes in, and asked about afterwards.

    Sinks           our own hosts, which tell when each message came and what each report says
    CountingSink    Debian's smtp-sink, where nothing but a count is wanted

Promises: a message is in the books at most 20 ms after the host has answered it; its instant is that of the
host, not of the reading.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Any

from bench.machine import Helper, wait_until_greeted


@dataclass(frozen=True)
class Taken:
    """One message that a host has taken."""

    at: float
    address: str
    connection: int
    reverse_path: str
    recipients: tuple[str, ...]
    octets: int


@dataclass(frozen=True)
class Report:
    """One delivery report that has come back: to whom, and what it says of which recipient."""

    at: float
    to: str
    actions: dict[str, str]


class Sinks:
    """The hosts; a context manager. `arrivals`: each instant at which a recipient's message came."""

    def __init__(self, hosts: Sequence[tuple[str, str]], port: int) -> None:
        self._helper = Helper("bench.sink_process", {"hosts": list(hosts), "port": port}, self._hear)
        self.taken: list[Taken] = []
        self.arrivals: dict[str, list[float]] = {}
        self.reports: dict[str, list[Report]] = {}
        self.calls: list[tuple[float, str]] = []
        self.hanging: Counter[str] = Counter()
        self.hanging_peak = 0
        self._hanging_now = 0

    def __enter__(self) -> Sinks:
        self._helper.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if not self._helper.is_running:
            raise RuntimeError("the sinks ended before the measurement did") from error
        self._helper.__exit__(kind, error, trace)

    def _hear(self, words: list[str]) -> None:
        at = float(words[1])
        if words[0] == "m":
            self._take(at, words)
            return
        if words[0] == "c":
            self.calls.append((at, words[2]))
        change = 1 if words[0] == "c" else -1
        self.hanging[words[2]] += change
        self._hanging_now += change
        self.hanging_peak = max(self.hanging_peak, self._hanging_now)

    def _take(self, at: float, words: list[str]) -> None:
        _, _, address, connection, reverse_path, recipients, octets, actions = words
        to = tuple(recipients.split(","))
        if not reverse_path:
            pairs = (pair.partition(":") for pair in actions.split(",") if pair)
            said = {recipient: action for action, _, recipient in pairs}
            for one in to:
                self.reports.setdefault(one, []).append(Report(at, one, said))
            return
        self.taken.append(Taken(at, address, int(connection), reverse_path, to, int(octets)))
        for one in to:
            self.arrivals.setdefault(one, []).append(at)

    def first_arrival(self, recipient: str) -> float | None:
        """When a recipient's message came first."""
        return min(self.arrivals.get(recipient, ()), default=None)

    def failure_reported_at(self, sender: str, recipient: str) -> float | None:
        """When the first report came to a sender that names this recipient as failed."""
        found = [one.at for one in self.reports.get(sender, ()) if one.actions.get(recipient) == "failed"]
        return min(found, default=None)

    def duplicates(self) -> int:
        """How many recipients got a message more than once, in a load where each gets one."""
        return sum(len(times) > 1 for times in self.arrivals.values())


def wait_for(fact: Callable[[], Any], limit: float) -> bool:
    """Wait until something is so; say whether it came to be so."""
    until = time.monotonic() + limit
    while not fact():
        if time.monotonic() >= until:
            return False
        time.sleep(0.005)
    return True


class CountingSink:
    """smtp-sink: takes everything, counts it, throws it away."""

    def __init__(self, port: int) -> None:
        self.port = port
        self._output = b""

    def __enter__(self) -> CountingSink:
        self._process = subprocess.Popen(
            ["smtp-sink", "-c", "-u", "nobody", f"127.0.0.1:{self.port}", "1024"],
            stdout=subprocess.PIPE,
        )
        assert self._process.stdout is not None
        os.set_blocking(self._process.stdout.fileno(), False)
        wait_until_greeted(self.port, 20)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.send_signal(signal.SIGTERM)
        self._process.wait(10)

    def count(self) -> int:
        """How many messages it has taken."""
        assert self._process.stdout is not None
        while chunk := self._process.stdout.read(1 << 20):
            self._output = (self._output + chunk)[-400:]
        found = re.findall(rb"mesg=(\d+)", self._output)
        return int(found[-1]) if found else 0

    def wait_for(self, count: int, limit: float) -> float:
        """Wait until it has taken so many; return when."""
        if not wait_for(lambda: self.count() >= count, limit):
            raise TimeoutError(f"the sink has {self.count()} of {count} messages")
        return time.monotonic()
