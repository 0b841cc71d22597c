"""A real name server for tests: Knot DNS, with zones given as text.

    with KnotServer({"example.org": "@ MX 10 mx\nmx A 127.0.0.5\n"}) as dns:
        settings = ResolverSettings(servers=(Endpoint(dns.address, dns.port),))

A zone is in the master file format, names relative to the zone, TTL 300 unless it says otherwise; one
without a SOA gets one whose negative answers hold 60 s. Zones not named here are answered with REFUSED.
It is authoritative only: an alias into another zone is left for the resolver to follow.

Promises: answers for every zone when entered; stopped by its process id, and its folder removed, at exit.
Fails: KnotFault with what knotd wrote, when it ends early, reports an error or does not answer in time.
"""

from __future__ import annotations

import contextlib
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import IO, Final

import dns.exception
import dns.message
import dns.query
import dns.rcode

KNOTD: Final = shutil.which("knotd", path="/usr/sbin:/usr/local/sbin:/usr/bin")
WHY_NOT: Final = "knotd (Debian package knot) is not installed"

_HEAD: Final = "$TTL 300\n"
_SOA: Final = "@ SOA ns hostmaster 1 3600 600 86400 60\n@ NS ns\nns A 127.0.0.1\n"
_PATIENCE_TRIES: Final = 100
_TRY_SECONDS: Final = 0.2
_STARTS: Final = 3


class KnotFault(Exception):
    """The name server did not start."""


class KnotServer:
    """Knot DNS on a loopback address, as a context manager. Port 0: any free one."""

    def __init__(self, zones: Mapping[str, str], address: str = "127.0.0.1", port: int = 0) -> None:
        assert zones, "without a zone there is nothing to wait for"
        self.zones = dict(zones)
        self.address = address
        self.port = port
        self._is_port_given = port != 0
        self._process: subprocess.Popen[bytes] | None = None
        self._folder: Path | None = None
        self._log: IO[bytes] | None = None

    def __enter__(self) -> KnotServer:
        self._folder = Path(tempfile.mkdtemp(prefix="knot-"))
        try:
            for remaining in reversed(range(_STARTS)):
                if not self._is_port_given:
                    self.port = free_port(self.address)
                self._start(self._folder)
                if self._answers():
                    return self
                self._stop()
                said = (self._folder / "log").read_text("utf-8", errors="replace")
                # Somebody else may have taken the free port in between; then another one will do.
                if self._is_port_given or not remaining or "cannot bind" not in said:
                    raise KnotFault(said)
        except BaseException:
            self.__exit__(None, None, None)
            raise
        raise AssertionError("unreachable")

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop()
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)
            self._folder = None

    def _start(self, folder: Path) -> None:
        assert KNOTD is not None, WHY_NOT
        lines = [
            "server:",
            f'    rundir: "{folder}"',
            f"    listen: {self.address}@{self.port}",
            "    udp-workers: 1",
            "    tcp-workers: 1",
            "    background-workers: 1",
            "log:",
            "  - target: stderr",
            "    any: info",
            "database:",
            f'    storage: "{folder}"',
            "template:",
            "  - id: default",
            f'    storage: "{folder}"',
            "    zonefile-load: whole",
            "    journal-content: none",
            "zone:",
        ]
        for number, (zone, text) in enumerate(self.zones.items()):
            file = folder / f"{number}.zone"
            file.write_text(_HEAD + ("" if "SOA" in text.upper().split() else _SOA) + text, "ascii")
            lines += [f"  - domain: {zone}", f'    file: "{file}"']
        (folder / "knot.conf").write_text("\n".join(lines) + "\n", "ascii")
        self._log = (folder / "log").open("wb")
        self._process = subprocess.Popen(
            [KNOTD, "-c", str(folder / "knot.conf")],
            stdin=subprocess.DEVNULL,
            stdout=self._log,
            stderr=self._log,
        )

    def _answers(self) -> bool:
        """Wait until every zone is answered for; False when that will not happen."""
        assert self._process is not None
        assert self._log is not None
        missing = list(self.zones)
        for _ in range(_PATIENCE_TRIES):
            with contextlib.suppress(dns.exception.DNSException, OSError):
                while missing:
                    query = dns.message.make_query(missing[-1], "SOA")
                    said = dns.query.udp(query, self.address, _TRY_SECONDS, self.port)
                    if said.rcode() != dns.rcode.NOERROR or not said.answer:
                        break
                    missing.pop()
            if not missing:
                # With the port taken, somebody else may have answered; but then our process has ended.
                return self._process.poll() is None
            if b" error: " in Path(self._log.name).read_bytes():
                return False
            with contextlib.suppress(subprocess.TimeoutExpired):
                # Waiting for its end is the pause between two tries, and notices an early one at once.
                self._process.wait(_TRY_SECONDS / 4)
                return False
        return False

    def _stop(self) -> None:
        if self._process is not None:
            self._process.terminate()
            try:
                self._process.wait(10)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
            self._process = None
        if self._log is not None:
            self._log.close()
            self._log = None


def free_port(address: str) -> int:
    """Return a port that is free for UDP and TCP at this moment."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    for _ in range(100):
        with socket.socket(family, socket.SOCK_DGRAM) as datagrams, socket.socket(family) as streams:
            datagrams.bind((address, 0))
            port: int = datagrams.getsockname()[1]
            with contextlib.suppress(OSError):
                streams.bind((address, port))
                return port
    raise AssertionError(f"no port of {address} is free")
