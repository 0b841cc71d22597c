"""The house, built from a configuration and run on this machine: start, drain, stop.

    Config -> spool, store, resolver, journal (adapters) -> World -> House -> listeners

Start is in an order in which nothing is promised too early: the ports are bound, the spool is opened and
recovered, the desks take up what was left, and only then is the first client greeted. What cannot be had ends
the start with a clear message.

SIGTERM and SIGINT drain: nobody is let in, what is in flight may finish for DRAIN_LIMIT, the rest is taken up
at the next start. A spool that failed in the middle of a commit ends the process with EXIT_SPOOL_BROKEN;
whoever started it should start it again, and it goes on from what the disk says.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import os
import resource
import signal
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import uvloop
from msgspec import Struct

from byreturn.config import COPY_CLASSES, Config, report_words
from byreturn.mail import SECOND, Duration
from byreturn.ports import Endpoint, Stream, World
from byreturn.service import (
    House,
    ListenerSettings,
)
from byreturn.settings import (
    house_settings,
    listener_settings,
    local_domains,
    resolver_settings,
    spool_settings,
)
from byreturn.spool import SqliteSpool
from byreturn.store import AT_ONCE, LocalDirectory, MaildirStore
from byreturn.telemetry import Journal, Meter
from byreturn.transport import (
    DnsResolver,
    OperatorDoor,
    OwnEndpoints,
    SocketDialer,
    SocketStream,
    SystemClock,
    SystemEntropy,
    ThreadWorker,
    listen_socket,
    read_foreign,
)

EXIT_SPOOL_BROKEN: Final = 75  # EX_TEMPFAIL of sysexits.h: start me again
EXIT_BUG: Final = 70  # EX_SOFTWARE: likewise, and tell us
DRAIN_LIMIT: Final[Duration] = 10 * SECOND
_BACKLOG: Final = 1024
_SPOOL_THREADS: Final = 4
_READING_THREADS: Final = 2
# A thread that comes back from fsync waits for the interpreter at most so long; 5 ms, the default, would be
# added to every commit under load.
_SWITCH_SECONDS: Final = 0.0005
MAIL_FOLDER: Final = "mail"


class StartRefused(Exception):
    """The server cannot start; the text says what is wrong, what it means and what to do."""


class Running(Struct, frozen=True):
    """A server that runs. `endpoints`: where it listens, by listener."""

    house: House
    endpoints: tuple[tuple[str, Endpoint], ...]
    stop: Callable[[], None]


def serve(config: Config, *, on_started: Callable[[Running], None] = lambda _: None) -> int:
    """Run until a signal or a failure; return the exit status."""
    sys.setswitchinterval(_SWITCH_SECONDS)
    _raise_file_limit()
    os.umask(0o077)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(_serve(config, on_started))


async def _serve(config: Config, on_started: Callable[[Running], None]) -> int:
    loop = asyncio.get_running_loop()
    server = _Server(config, loop)
    loop.set_exception_handler(server.on_bug)
    try:
        await server.open_doors()
    except BaseException:
        await server.close()
        raise
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, server.ask_to_stop)
    loop.add_signal_handler(signal.SIGHUP, server.explain_hangup)
    # What lives as long as the process need not be looked at by every collection.
    gc.collect()
    gc.freeze()
    on_started(Running(server.house, server.endpoints, server.ask_to_stop))
    return await server.run()


class _Server:
    """The adapters, the house on top of them, and the doors."""

    def __init__(self, config: Config, loop: asyncio.AbstractEventLoop) -> None:
        self._config = config
        self._loop = loop
        self._clock = SystemClock(loop)
        self._stopping = asyncio.Event()
        self._broken = ""
        self._exit_status = 0
        self._sockets = {
            endpoint: _bind(endpoint) for listener in config.listeners for endpoint in listener.bind
        }
        self._bound = {
            endpoint: Endpoint(*bound.getsockname()[:2]) for endpoint, bound in self._sockets.items()
        }
        self._journal = Journal(self._clock, config.log.format)
        self._words = report_words(config)
        self._spool_worker = ThreadWorker(loop, _SPOOL_THREADS, "spool")
        self._store_worker = ThreadWorker(loop, AT_ONCE, "store")
        self._reading_worker = ThreadWorker(loop, _READING_THREADS, "reading")
        self._spool = SqliteSpool(
            config.data,
            self._spool_worker,
            self._clock,
            settings=spool_settings(config),
            on_broken=self._on_broken,
        )
        self._resolver = DnsResolver(loop, self._clock, resolver_settings(config))
        self._servers: list[asyncio.Server] = []
        self.house = House(
            house_settings(config, self._words, self._resolver.names), self._world(), self._spool.opened
        )
        self._door = OperatorDoor(loop, config.data, self._journal, self.house.operator)

    def _world(self) -> World:
        config = self._config
        directory = LocalDirectory(local_domains(config))
        root = config.data / MAIL_FOLDER
        _make_folder(root)
        own = OwnEndpoints(self._bound.values())
        return World(
            clock=self._clock,
            entropy=SystemEntropy(),
            spool=self._spool,
            epoch=self._spool.epoch,
            resolver=self._resolver,
            dialer=SocketDialer(self._loop, config.delivery.tls_roots),
            directory=directory,
            mailboxes=MaildirStore(
                root, self._store_worker, self._clock, directory.has_mailbox, config.hostname
            ),
            journal=self._journal,
            meter=Meter(COPY_CLASSES),
            aside=self._reading_worker,
            read_foreign=read_foreign,
            is_own=own.__contains__,
        )

    @property
    def endpoints(self) -> tuple[tuple[str, Endpoint], ...]:
        """Where we listen, with the ports that the system chose where 0 was asked for."""
        return tuple(
            (listener.name, self._bound[endpoint])
            for listener in self._config.listeners
            for endpoint in listener.bind
        )

    async def open_doors(self) -> None:
        """Take up what was left, then let clients in."""
        opened = self._spool.opened
        self._journal.note(
            "started", epoch=opened.epoch, interrupted=opened.interrupted, parked=opened.parked
        )
        for complaint in self._words.complaints:
            self._journal.fault("words", str(complaint))
        self.house.start()
        await self._door.open()
        for listener in self._config.listeners:
            settings = listener_settings(self._config, listener, self._words)
            for endpoint in listener.bind:
                await self._open(endpoint, settings)

    async def _open(self, endpoint: Endpoint, settings: ListenerSettings) -> None:
        def welcome(stream: Stream) -> None:
            self.house.welcome(stream, settings)

        server = await self._loop.create_server(
            lambda: SocketStream(welcome), sock=self._sockets[endpoint], backlog=_BACKLOG
        )
        self._servers.append(server)
        self._journal.note("listening", on=str(self._bound[endpoint]), listener=settings.door.name)

    def ask_to_stop(self) -> None:
        """Stop; asked twice, at once."""
        if self._stopping.is_set():
            self.house.stop()
        self._stopping.set()

    def explain_hangup(self) -> None:
        """Go on: a closed terminal is no reason to stop, and there is nothing to reload."""
        self._journal.note("SIGHUP ignored", hint="the configuration is read at start; restart to change it")

    def on_bug(self, _loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        """Stop: what no desk has caught may have left any of them in any state; the disk is right."""
        bug = context.get("exception")
        if isinstance(bug, OSError) and ("transport" in context or "protocol" in context):
            return  # A connection that broke while asyncio closed it.
        self._broken = f"bug: {context.get('message')} {bug!r}"
        self._exit_status = EXIT_BUG
        where = "".join(traceback.format_exception(bug)) if bug is not None else ""
        self._journal.fault("server", f"{self._broken}; stopping, to go on from the disk. {where}")
        self._stopping.set()

    def _on_broken(self, why: str) -> None:
        self._broken = why
        self._exit_status = EXIT_SPOOL_BROKEN
        self._journal.fault("spool", f"{why}; stopping, so that the next start goes on from the disk")
        self._stopping.set()

    async def run(self) -> int:
        """Wait for the end, and come to it in order."""
        await self._stopping.wait()
        for server in self._servers:
            server.close()
        self._door.close()
        if not self._broken:
            self._journal.note("draining", in_flight=self.house.dispatcher.active)
            self.house.drain()
            await self._until(lambda: self.house.is_quiet, DRAIN_LIMIT)
        self.house.stop()
        await self._until(lambda: self._spool.is_idle or bool(self._broken), DRAIN_LIMIT)
        self._journal.note("stopped", left_in_flight=self.house.dispatcher.active)
        await self.close()
        return self._exit_status

    async def _until(self, is_so: Callable[[], bool], limit: Duration) -> None:
        until = self._clock.now() + limit
        while not is_so() and self._clock.now() < until:  # noqa: ASYNC110 - asked 50 times a second, once
            await asyncio.sleep(0.02)  # noqa: TID251 - the end of the process is nobody's to simulate

    async def close(self) -> None:
        """Let go of everything."""
        self._door.close()
        await self._resolver.close()
        self._spool.stop()
        self._store_worker.close()
        self._reading_worker.close()
        self._spool_worker.close()
        if self._broken:
            self._spool.abandon()
        else:
            self._spool.close()
        self._journal.close()


def _bind(endpoint: Endpoint):  # type: ignore[no-untyped-def]  # noqa: ANN202
    try:
        return listen_socket(endpoint, _BACKLOG)
    except OSError as error:
        raise StartRefused(
            f"cannot listen on {endpoint}: {error.strerror}. Nothing was started. Stop the program that has "
            "the port, choose another one under [[listener]] bind, or run as a user that may use it."
        ) from None


def _raise_file_limit() -> None:
    """Ask for as many open files as the system lets us have: each connection is one."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def _make_folder(path: Path) -> None:
    try:
        path.mkdir(mode=0o700, exist_ok=True)
    except OSError as error:
        raise StartRefused(
            f"{path}: {error.strerror}. Without it there are no mailboxes, so nothing was started. Make it a "
            "folder that the server's user may write to."
        ) from None
