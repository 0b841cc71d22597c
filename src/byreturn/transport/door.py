"""The operator's door: a Unix socket in the data folder, through which one line goes in and one comes out.

    bind -> mode 0600 -> listen -> a visit: one line -> the desk -> one line -> closed

The rights of the file say who may come in: the server's user, and root. The system says who it is. Whoever
holds the folder's lock is alone, so a socket that lies there at the start was left by a dead server.

Bounds: VISITS at once, LINE_LIMIT octets, VISIT_SECONDS from first to last.
Promises: whatever goes wrong in here or at the desk costs one visit, or the door; mail goes on.
"""

from __future__ import annotations

import asyncio
import os
import pwd
import socket
import stat
import struct
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final, Protocol, cast

from byreturn.ports import Journal

DOOR_NAME: Final = "operator.sock"
LINE_LIMIT: Final = 64 * 1024
VISIT_SECONDS: Final = 10
VISITS: Final = 8
# What a sun_path holds, without the zero at its end (unix(7)).
_ADDRESS_OCTETS: Final = 107
_CREDENTIALS: Final = struct.Struct("3i")  # a ucred: process, user, group


class Desk(Protocol):
    """Who answers. Each answer is one whole line."""

    def hear(self, line: bytes, who: str, done: Callable[[bytes], None]) -> None:
        """Do what a line asks."""
        ...

    def not_understood(self, why: str) -> bytes:
        """Answer what is no request."""
        ...

    def not_now(self, why: str) -> bytes:
        """Answer what cannot be done at this moment."""
        ...


@contextmanager
def address_of(folder: Path) -> Iterator[str]:
    """Give the address of a folder's door, to bind or to connect to.

    An address has fewer octets than a path may have; a long one is reached through the open folder.
    """
    path = folder / DOOR_NAME
    if len(os.fsencode(path)) <= _ADDRESS_OCTETS:
        yield str(path)
        return
    descriptor = os.open(folder, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield f"/proc/self/fd/{descriptor}/{DOOR_NAME}"
    finally:
        os.close(descriptor)


class OperatorDoor:
    """The door of one data folder; the caller holds the folder's lock."""

    def __init__(self, loop: asyncio.AbstractEventLoop, folder: Path, journal: Journal, desk: Desk) -> None:
        self.loop = loop
        self.desk = desk
        self.journal = journal
        self.visits: set[_Visit] = set()
        self._path = folder / DOOR_NAME
        self._server: asyncio.AbstractServer | None = None
        # Asked now: to ask for a name can take the time of a directory service.
        self._names = {user: _name_of(user) for user in (0, os.geteuid())}

    async def open(self) -> None:
        """Let operators in; a door that cannot be made is told, and no reason not to serve."""
        try:
            listener = self._bind()
            self._server = await self.loop.create_unix_server(
                lambda: _Visit(self), sock=listener, backlog=VISITS
            )
        except (OSError, ValueError) as error:
            why = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
            self.journal.fault(
                "operator",
                f"{self._path}: {why}. Mail goes on, but byreturn brake and byreturn retry do not reach this "
                "server. See that its user may write to the folder and that nothing else has that name, "
                "then restart it.",
            )
            return
        if len(os.fsencode(self._path)) > _ADDRESS_OCTETS:
            self.journal.note(
                "operator's door",
                at=str(self._path),
                hint="this path is longer than the address of a socket may be: byreturn finds it all the "
                "same, other programs must go through /proc/self/fd",
            )

    def _bind(self) -> socket.socket:
        with suppress(FileNotFoundError):
            if not stat.S_ISSOCK(self._path.lstat().st_mode):
                raise FileExistsError(0, "it is there already, and is no socket")
            self._path.unlink()
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            with address_of(self._path.parent) as address:
                listener.bind(address)
            # Before it listens, so that nobody else can ever have come in.
            self._path.chmod(0o600)
        except OSError:
            listener.close()
            raise
        return listener

    def close(self) -> None:
        """Let nobody in any more, and take the door away; harmless when it is closed already."""
        server, self._server = self._server, None
        if server is None:
            return
        server.close()
        for visit in tuple(self.visits):
            visit.abort()
        with suppress(OSError):
            self._path.unlink()

    def name_of(self, user: int) -> str:
        """Name a user."""
        return self._names.get(user, f"user {user}")


class _Visit(asyncio.Protocol):
    """One connection: a line in, a line out."""

    def __init__(self, door: OperatorDoor) -> None:
        self._door = door
        self._transport: asyncio.Transport | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._buffer = b""
        self._who = ""
        self._is_heard = False
        self._is_answered = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """See who comes, and whether there is room."""
        self._transport = cast(asyncio.Transport, transport)
        self._timer = self._door.loop.call_later(VISIT_SECONDS, self._on_time)
        is_full = len(self._door.visits) >= VISITS
        self._door.visits.add(self)
        if is_full:
            self._answer(self._door.desk.not_now(f"{VISITS} others are being heard. Nothing was done"))
            return
        with self._bugs_told():
            self._who = self._door.name_of(_user_of(self._transport))

    def data_received(self, data: bytes) -> None:
        """Take octets until there is a line."""
        if self._is_heard or self._is_answered:
            return
        self._buffer += data
        line, end, rest = self._buffer.partition(b"\n")
        if len(line) > LINE_LIMIT:
            self._refuse(f"a line has at most {LINE_LIMIT} octets")
        elif rest:
            self._refuse("one line, and nothing behind it")
        elif end:
            self._is_heard = True
            with self._bugs_told():
                self._door.desk.hear(line, self._who, self._answer)

    def eof_received(self) -> bool:
        """Nothing more comes; the answer may still have to go out."""
        if not self._is_heard:
            self._refuse("a line ends with a line feed")
        return True

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio's shape
        """It is over; what was asked for is done all the same."""
        self._transport = None
        self._door.visits.discard(self)
        if self._timer is not None:
            self._timer.cancel()

    def abort(self) -> None:
        """Hang up."""
        if self._transport is not None:
            self._transport.abort()

    def _on_time(self) -> None:
        if self._is_answered:
            self.abort()  # The answer is not read.
        elif self._is_heard:
            self._answer(self._door.desk.not_now("the answer takes too long. It may still be done"))
        else:
            self._refuse(f"no line within {VISIT_SECONDS} s")

    def _refuse(self, why: str) -> None:
        self._answer(self._door.desk.not_understood(f"{why}. Nothing was done."))

    def _answer(self, line: bytes) -> None:
        if self._transport is None or self._is_answered:
            return
        self._is_answered = True
        self._buffer = b""
        self._transport.write(line)
        self._transport.close()

    @contextmanager
    def _bugs_told(self) -> Iterator[None]:
        """A bug of ours costs one visit, never the server."""
        try:
            yield
        except Exception as bug:  # noqa: BLE001 - it is told, and answered
            self._door.journal.fault("operator", f"bug: {bug!r}")
            self._answer(self._door.desk.not_now("something went wrong here. It may be done or not"))


def _user_of(transport: asyncio.Transport) -> int:
    """Ask the system who is at the other end."""
    duplicate = os.dup(transport.get_extra_info("socket").fileno())
    with socket.socket(fileno=duplicate) as other:
        found = other.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
    return int(_CREDENTIALS.unpack(found)[1])


def _name_of(user: int) -> str:
    try:
        return pwd.getpwuid(user).pw_name
    except KeyError:
        return f"user {user}"
