"""The rig of the benchmarks: a sink, the systems under test, and what the kernel says they cost."""

from __future__ import annotations

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from types import TracebackType
from typing import Protocol

_TICKS = os.sysconf("SC_CLK_TCK")
_PAGE = os.sysconf("SC_PAGE_SIZE")


def free_port(address: str = "127.0.0.1") -> int:
    """Find a port that nobody has at the moment."""
    with socket.socket() as probe:
        probe.bind((address, 0))
        return int(probe.getsockname()[1])


def wait_until_listening(port: int, limit: float = 20) -> None:
    """Wait until something accepts connections."""
    until = time.monotonic() + limit
    while time.monotonic() < until:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    raise TimeoutError(f"nothing listens on port {port}")


def run_source(port: int, messages: int, octets: int, sessions: int, *, reuse: bool) -> tuple[float, float]:
    """Run smtp-source; return when it began and when the last message was accepted."""
    command = [
        "smtp-source", "-s", str(sessions), "-l", str(octets), "-m", str(messages),
        "-f", "sender@source.example", "-t", "info@sink.example", *(["-d"] if reuse else []),
        f"127.0.0.1:{port}",
    ]  # fmt: skip
    began = time.monotonic()
    subprocess.run(command, check=True, timeout=600, stdout=subprocess.DEVNULL)
    return began, time.monotonic()


def cpu_seconds(pids: list[int]) -> float:
    """CPU time of processes, with that of their children that have ended."""
    total = 0
    for pid in pids:
        try:
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        total += sum(int(fields[at]) for at in (11, 12, 13, 14))
    return total / _TICKS


class Sink:
    """smtp-sink: takes everything, counts it, throws it away."""

    def __init__(self, port: int) -> None:
        self.port = port
        self._output = b""

    def __enter__(self) -> Sink:
        self._process = subprocess.Popen(
            ["smtp-sink", "-c", "-u", "nobody", f"127.0.0.1:{self.port}", "1024"],
            stdout=subprocess.PIPE,
        )
        assert self._process.stdout is not None
        os.set_blocking(self._process.stdout.fileno(), False)
        wait_until_listening(self.port)
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
        until = time.monotonic() + limit
        while time.monotonic() < until:
            if self.count() >= count:
                return time.monotonic()
            time.sleep(0.005)
        raise TimeoutError(f"the sink has {self.count()} of {count} messages")


class Rig(Protocol):
    """A system under test."""

    name: str
    port: int
    sink: Sink

    def pids(self) -> list[int]:
        """Its processes."""
        ...

    def rss_mb(self) -> float:
        """Its resident memory."""
        ...


def tree_of(pid: int) -> list[int]:
    """A process and all below it."""
    found = [pid]
    for parent in found:
        try:
            children = Path(f"/proc/{parent}/task/{parent}/children").read_text()
        except OSError:
            continue
        found.extend(int(child) for child in children.split())
    return found


def rss_mb(pids: list[int]) -> float:
    """Resident memory of processes; pages that they share count for each."""
    total = 0
    for pid in pids:
        try:
            total += int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * _PAGE
        except OSError:
            continue
    return total / 1e6


class ByReturn:
    """Our server with default settings, a route to the sink, and nothing else."""

    name = "byreturn"

    def __init__(self, folder: Path, sink: Sink, extra: str = "") -> None:
        self._folder = folder
        self._extra = extra
        self.sink = sink
        self.port = free_port()

    def __enter__(self) -> ByReturn:
        self._folder.mkdir(parents=True)
        path = self._folder / "byreturn.toml"
        path.write_text(
            f"""
hostname = "bench.example"
data = "data"
[[listener]]
protocol = "smtp"
bind = ["127.0.0.1:{self.port}"]
max_connections_per_client = 1000
[relay]
allow = ["127.0.0.0/8"]
[[domain]]
name = "source.example"
mailboxes = ["sender"]
[[route]]
domain = "sink.example"
hosts = ["127.0.0.1:{self.sink.port}"]
{self._extra}
"""
        )
        log = (self._folder / "log").open("wb")
        self._process = subprocess.Popen(
            [sys.executable, "-m", "byreturn", "serve", "--config", str(path)], stderr=log, stdout=log
        )
        wait_until_listening(self.port)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.send_signal(signal.SIGTERM)
        try:
            self._process.wait(30)
        except subprocess.TimeoutExpired:
            self._process.kill()

    def pids(self) -> list[int]:
        """The one process."""
        return [self._process.pid]

    def rss_mb(self) -> float:
        """Its memory."""
        return rss_mb(self.pids())


class Postfix:
    """A private Postfix with Debian's defaults, relaying to the same sink."""

    name = "postfix"

    def __init__(self, folder: Path, sink: Sink, extra: str = "") -> None:
        self._folder = folder
        self._extra = extra
        self.sink = sink
        self.port = free_port()

    def __enter__(self) -> Postfix:
        config = self._folder / "etc"
        config.mkdir(parents=True)
        self._folder.chmod(0o755)
        self._folder.parent.chmod(0o755)
        spool, data = self._folder / "spool", self._folder / "data"
        spool.mkdir()
        data.mkdir()
        shutil.chown(data, "postfix")
        master = Path("/etc/postfix/master.cf").read_text()
        lines = [line for line in master.splitlines() if line and not line.startswith("#")]
        inet = [line for line in lines if not line.startswith("smtp      inet")]
        inet.insert(0, f"127.0.0.1:{self.port} inet n - n - - smtpd")
        # A chroot would need a copy of half the system; the cost of a message does not change.
        fixed = [
            re.sub(r"^(\S+\s+(?:unix|inet|fifo|pass)\s+\S+\s+\S+\s+)y(\s)", r"\1n\2", line) for line in inet
        ]
        (config / "master.cf").write_text("\n".join(fixed) + "\n")
        (config / "main.cf").write_text(
            f"""
compatibility_level = 3.6
queue_directory = {spool}
data_directory = {data}
mail_owner = postfix
setgid_group = postdrop
myhostname = bench.example
mydestination =
inet_interfaces = 127.0.0.1
mynetworks = 127.0.0.0/8
relayhost = [127.0.0.1]:{self.sink.port}
smtp_host_lookup = native
smtpd_recipient_restrictions = permit_mynetworks, reject
smtpd_client_connection_count_limit = 0
default_process_limit = 100
alias_maps =
local_recipient_maps =
maillog_file = {self._folder}/log
maillog_file_prefixes = {self._folder}
{self._extra}
"""
        )
        self._config = config
        subprocess.run(["postfix", "-c", str(config), "start"], check=True, capture_output=True, timeout=60)
        wait_until_listening(self.port)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        subprocess.run(
            ["postfix", "-c", str(self._config), "stop"], check=False, capture_output=True, timeout=60
        )

    def pids(self) -> list[int]:
        """The master and all that it has started."""
        master = int((self._folder / "spool" / "pid" / "master.pid").read_text())
        return tree_of(master)

    def rss_mb(self) -> float:
        """The memory of all of them."""
        return rss_mb(self.pids())
