"""What the kernel says: processes, memory, ports, and helpers that end when we do.

    Helper   one of our own processes: a line of JSON in, lines of text out, until its input is closed
    Sampler  memory and number of processes of a system, seen again and again

Memory is told in two ways. *RSS* counts a page for every process that has it, *PSS* shares a page out among
them; the first is what an operator sees for one process, the second is fair to a system of many.

Promises: what is started here is stopped by its process id. A helper whose parent dies finds its input closed
and ends. One clock for everybody: `time.monotonic` is the same in all processes of a Linux system.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import resource
import shutil
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any, Final

ROOT: Final = Path(__file__).parent.parent
_TICKS: Final = os.sysconf("SC_CLK_TCK")
_PAGE: Final = os.sysconf("SC_PAGE_SIZE")
_STOP_SECONDS: Final = 10
_PR_SET_CHILD_SUBREAPER: Final = 36


def is_privileged() -> bool:
    """Whether ports below 1024, other users and namespaces can be had."""
    return os.geteuid() == 0


def missing(*programs: str) -> list[str]:
    """Name the programs that are not installed."""
    path = os.pathsep.join((os.environ.get("PATH", ""), "/usr/sbin", "/usr/local/sbin"))
    return [program for program in programs if shutil.which(program, path=path) is None]


def raise_file_limit() -> None:
    """Let this process and its children have as many sockets as the system allows."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def free_port(address: str = "127.0.0.1") -> int:
    """Find a port that nobody has at the moment."""
    with socket.socket() as probe:
        probe.bind((address, 0))
        return int(probe.getsockname()[1])


def wait_until_greeted(port: int, limit: float) -> float:
    """Wait until a server says 220; return when it did."""
    until = time.monotonic() + limit
    while time.monotonic() < until:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), limit) as probe:
            if probe.recv(3) == b"220":
                return time.monotonic()
        time.sleep(0.01)
    raise TimeoutError(f"nothing greets on port {port} within {limit:.0f} s")


def tree_of(pid: int) -> list[int]:
    """A process and all below it."""
    found = [pid]
    for parent in found:
        with contextlib.suppress(OSError):
            children = Path(f"/proc/{parent}/task/{parent}/children").read_text()
            found.extend(int(child) for child in children.split())
    return found


def cpu_seconds(pids: list[int]) -> float:
    """CPU time of processes, with that of their children that have ended."""
    total = 0
    for pid in pids:
        with contextlib.suppress(OSError):
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
            total += sum(int(fields[at]) for at in (11, 12, 13, 14))
    return total / _TICKS


def rss_mb(pids: list[int]) -> float:
    """Resident memory of processes; pages that they share count for each."""
    total = 0
    for pid in pids:
        with contextlib.suppress(OSError):
            total += int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * _PAGE
    return total / 1e6


def pss_mb(pids: list[int]) -> float:
    """Memory of processes; a page that several share is shared out among them."""
    total = 0
    for pid in pids:
        with contextlib.suppress(OSError):
            for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
                if line.startswith("Pss:"):
                    total += int(line.split()[1]) * 1024
    return total / 1e6


def adopt_orphans() -> None:
    """Become the parent of processes below us that lose theirs, so that their ends can be waited for."""
    ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1)


def bury(pids: list[int], limit: float = _STOP_SECONDS) -> None:
    """Wait for the ends of processes that are our children by now; others are left alone."""
    until = time.monotonic() + limit
    while pids and time.monotonic() < until:
        for pid in tuple(pids):
            try:
                is_over = os.waitpid(pid, os.WNOHANG)[0] == pid
            except ChildProcessError:
                is_over = not Path(f"/proc/{pid}").exists()
            if is_over:
                pids.remove(pid)
        time.sleep(0.01)


class Sampler:
    """Looks at the processes of a system every now and then; a context manager."""

    def __init__(self, pids: Callable[[], list[int]], every: float = 0.5) -> None:
        self._pids = pids
        self._every = every
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self.peak_rss_mb = 0.0
        self.peak_pss_mb = 0.0
        self.peak_processes = 0

    def __enter__(self) -> Sampler:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._is_over.set()
        self._thread.join()

    def _watch(self) -> None:
        while True:
            pids = self._pids()
            self.peak_rss_mb = max(self.peak_rss_mb, rss_mb(pids))
            self.peak_pss_mb = max(self.peak_pss_mb, pss_mb(pids))
            self.peak_processes = max(self.peak_processes, len(pids))
            if self._is_over.wait(self._every):
                return


class Helper:
    """One of our own modules in a process of its own; a context manager.

    `task` is its first line of input, as JSON. Each line that it says is given to `hear`, in a thread, split
    at tabs; the first must be `ready`.
    """

    def __init__(self, module: str, task: dict[str, Any], hear: Callable[[list[str]], None]) -> None:
        self._module = module
        self._task = task
        self._hear = hear
        self._is_ready = threading.Event()

    def __enter__(self) -> Helper:
        self._process = subprocess.Popen(
            [sys.executable, "-m", self._module], stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=ROOT
        )
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(self._task).encode() + b"\n")
        self._process.stdin.flush()
        self._thread = threading.Thread(target=self._listen, daemon=True)
        self._thread.start()
        if not self._is_ready.wait(60) or self._process.poll() is not None:
            self.__exit__(None, None, None)
            raise RuntimeError(f"{self._module} did not start; what it says is above")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._process.stdin is not None
        with contextlib.suppress(OSError):
            self._process.stdin.close()
        try:
            self._process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._thread.join()

    def _listen(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            words = line.decode("utf-8", "replace").rstrip("\n").split("\t")
            if words == ["ready"]:
                self._is_ready.set()
            else:
                self._hear(words)
        self._is_ready.set()

    @property
    def is_running(self) -> bool:
        """Whether it still has something to do."""
        return self._process.poll() is None

    def wait(self, limit: float) -> None:
        """Wait until it has come to its end by itself, and all that it said was heard."""
        self._process.wait(limit)
        self._thread.join()
