"""The systems under test, each with its own folder, queue and port, and otherwise as its packager left it.

    ByReturn   our server; names from our name server, private addresses allowed because loopback is private
    Postfix    Debian's, without chroots; in a mount namespace of its own, where resolv.conf names our server

Both are told where to find names and whose mail to take, and that one client may have many connections; what
else differs from the defaults is written where it is asked for.
"""

from __future__ import annotations

import contextlib
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import TracebackType
from typing import Final, Protocol

from bench.machine import (
    ROOT,
    adopt_orphans,
    bury,
    free_port,
    is_privileged,
    missing,
    rss_mb,
    tree_of,
    wait_until_greeted,
)
from bench.names import Ground

_START_LIMIT: Final = 120
_DRAIN_LIMIT: Final = 30


class System(Protocol):
    """A system under test."""

    name: str
    port: int

    def pids(self) -> list[int]:
        """Its processes."""
        ...

    def rss_mb(self) -> float:
        """Its resident memory."""
        ...


class ByReturn:
    """Our server with default settings."""

    def __init__(
        self, folder: Path, *, ground: Ground | None = None, extra: str = "", name: str = "byreturn"
    ) -> None:
        self.name = name
        self.folder = folder
        self.port = free_port()
        self.seconds_to_greeting = 0.0
        self._ground = ground
        self._extra = extra

    @property
    def data(self) -> Path:
        """Where its spool is."""
        return self.folder / "data"

    def config(self) -> str:
        """Write the configuration."""
        names = "" if self._ground is None else (
            f'[dns]\nservers = ["{self._ground.name_server}:{self._ground.dns_port}"]\n'
            f'[delivery]\nport = {self._ground.smtp_port}\nallow_private = ["127.0.0.0/8"]\n'
        )  # fmt: skip
        return (
            f'hostname = "bench.example"\ndata = "{self.data}"\n'
            f'[[listener]]\nprotocol = "smtp"\nbind = ["127.0.0.1:{self.port}"]\n'
            "max_connections = 3000\nmax_connections_per_client = 3000\n"
            '[relay]\nallow = ["127.0.0.0/8"]\n'
            '[[domain]]\nname = "bench.example"\nmailboxes = ["postmaster"]\n'
            f"{names}{self._extra}\n"
        )

    def __enter__(self) -> ByReturn:
        self.folder.mkdir(parents=True, exist_ok=True)
        path = self.folder / "byreturn.toml"
        path.write_text(self.config())
        began = time.monotonic()
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "byreturn", "serve", "--config", str(path)],
                stderr=log, stdout=log, cwd=ROOT,
            )  # fmt: skip
        try:
            self.seconds_to_greeting = wait_until_greeted(self.port, _START_LIMIT) - began
        except TimeoutError:
            self.__exit__(None, None, None)
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._process.poll() is not None:
            print(f"{self.name} had ended: {self.last_words()}", file=sys.stderr)
            return
        self._process.send_signal(signal.SIGTERM)
        try:
            self._process.wait(_DRAIN_LIMIT)
        except subprocess.TimeoutExpired:
            print(f"{self.name} did not stop within {_DRAIN_LIMIT} s of SIGTERM", file=sys.stderr)
            self._process.kill()
            self._process.wait()

    def last_words(self) -> str:
        """The end of its log."""
        return (self.folder / "log").read_text("utf-8", "replace")[-2000:]

    def pids(self) -> list[int]:
        """The one process."""
        return [self._process.pid]

    def rss_mb(self) -> float:
        """Its memory."""
        return rss_mb(self.pids())


def why_no_postfix() -> str:
    """Say why Postfix cannot be measured here; empty where it can."""
    if gone := missing("postfix", "unshare"):
        return f"{' and '.join(gone)} missing (Debian packages postfix, util-linux)"
    if not Path("/etc/postfix/master.cf").exists():
        return "there is no /etc/postfix/master.cf"
    return "" if is_privileged() else "it needs root"


class Postfix:
    """A private Postfix with Debian's defaults."""

    def __init__(self, folder: Path, *, ground: Ground | None = None, extra: str = "") -> None:
        self.name = "postfix"
        self.port = free_port()
        self._folder = folder
        self._ground = ground
        self._extra = extra
        self._config = folder / "etc"

    def __enter__(self) -> Postfix:
        adopt_orphans()
        self._config.mkdir(parents=True)
        # Its own users must come through; a temporary folder is closed to others.
        for each in (self._folder, self._folder.parent):
            each.chmod(0o755)
        for name in ("spool", "data"):
            (self._folder / name).mkdir()
        shutil.chown(self._folder / "data", "postfix")
        (self._config / "master.cf").write_text(self._master())
        (self._config / "main.cf").write_text(self._main())
        (self._folder / "resolv.conf").write_text(
            f"nameserver {self._ground.name_server if self._ground else '127.0.0.1'}\n"
        )
        # The daemons inherit the namespace from the shell that starts them.
        start = 'mount --bind "$1" "$(readlink -f /etc/resolv.conf)" && exec postfix -c "$2" start'
        command = ["unshare", "-m", "sh", "-c", start, "sh", str(self._folder / "resolv.conf")]
        done = subprocess.run(
            [*command, str(self._config)], check=False, capture_output=True, timeout=60, text=True
        )
        if done.returncode:
            raise RuntimeError(f"postfix did not start: {done.stdout} {done.stderr}")
        try:
            wait_until_greeted(self.port, _START_LIMIT)
        except TimeoutError:
            self.__exit__(None, None, None)
            raise
        return self

    def _master(self) -> str:
        master = Path("/etc/postfix/master.cf").read_text()
        lines = [line for line in master.splitlines() if line and not line.startswith("#")]
        inet = [line for line in lines if not line.startswith("smtp      inet")]
        inet.insert(0, f"127.0.0.1:{self.port} inet n - n - - smtpd")
        # A chroot would need a copy of half the system; the cost of a message does not change.
        fixed = [
            re.sub(r"^(\S+\s+(?:unix|inet|fifo|pass)\s+\S+\s+\S+\s+)y(\s)", r"\1n\2", line) for line in inet
        ]
        return "\n".join(fixed) + "\n"

    def _main(self) -> str:
        return f"""
compatibility_level = 3.6
queue_directory = {self._folder}/spool
data_directory = {self._folder}/data
mail_owner = postfix
setgid_group = postdrop
myhostname = bench.example
mydestination =
inet_interfaces = 127.0.0.1
mynetworks = 127.0.0.0/8
smtpd_recipient_restrictions = permit_mynetworks, reject
smtpd_client_connection_count_limit = 0
alias_maps =
local_recipient_maps =
maillog_file = {self._folder}/log
maillog_file_prefixes = {self._folder}
{self._extra}
"""

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        pids = self.pids()
        subprocess.run(
            ["postfix", "-c", str(self._config), "stop"], check=False, capture_output=True, timeout=60
        )
        bury(pids)

    def pids(self) -> list[int]:
        """The master and all that it has started."""
        with contextlib.suppress(OSError, ValueError):
            return tree_of(int((self._folder / "spool" / "pid" / "master.pid").read_text()))
        return []

    def rss_mb(self) -> float:
        """The memory of all of them."""
        return rss_mb(self.pids())
