"""Streams on sockets: asyncio's protocol callbacks, passed on without a detour.

    socket -> SocketStream.data_received -> StreamUser.on_data
                                            StreamUser -> write, pause, resume, close, linger, abort -> socket

Bounds: a peer that does not read makes `write` answer False beyond HIGH_WATER; what is buffered then is at
most that and one more write.
"""

from __future__ import annotations

import asyncio
import errno
import os
import socket
from collections.abc import Callable
from typing import Final, cast

from byreturn.mail import Duration
from byreturn.ports import DialFailed, Endpoint, Stream, StreamUser

HIGH_WATER: Final = 256 * 1024

_NOBODY: Final = Endpoint("", 0)


class SocketStream(asyncio.Protocol):
    """Implements `ports.Stream`; tells `welcome` when the connection stands."""

    def __init__(self, welcome: Callable[[Stream], None]) -> None:
        self._welcome = welcome
        self._transport: asyncio.Transport | None = None
        self._user: StreamUser | None = None
        self._is_full = False
        self._is_lingering = False
        self._linger_timer: asyncio.TimerHandle | None = None
        self.local = _NOBODY
        self.peer = _NOBODY

    # --- asyncio --------------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take the connection."""
        self._transport = stream = cast(asyncio.Transport, transport)
        stream.set_write_buffer_limits(high=HIGH_WATER)
        self.local = _endpoint(stream.get_extra_info("sockname"))
        self.peer = _endpoint(stream.get_extra_info("peername"))
        self._welcome(self)

    def data_received(self, data: bytes) -> None:
        """Pass octets on."""
        if self._user is not None and not self._is_lingering:
            self._user.on_data(data)

    def pause_writing(self) -> None:
        """The buffer is over its limit."""
        self._is_full = True

    def resume_writing(self) -> None:
        """The buffer has room again."""
        if self._transport is not None and self._transport.is_closing():
            return  # The wire broke and its buffer was thrown away: that is no room to write into.
        self._is_full = False
        if self._user is not None:
            self._user.on_writable()

    def eof_received(self) -> bool:
        """The peer says no more: close, after what is buffered."""
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        """Tell the user, once."""
        if self._linger_timer is not None:
            self._linger_timer.cancel()
        user, self._user = self._user, None
        self._transport = None
        if user is not None:
            user.on_closed("" if exc is None else _reason(exc))

    # --- The port -------------------------------------------------------------------------------------

    def use(self, user: StreamUser) -> None:
        """Name who is told."""
        self._user = user

    def write(self, data: bytes) -> bool:
        """Send."""
        if self._transport is None:
            return False
        self._transport.write(data)
        # A broken wire swallows everything at once, which must not be taken for sent.
        return not self._is_full and not self._transport.is_closing()

    def pause(self) -> None:
        """Stop reading."""
        if self._transport is not None and self._transport.is_reading():
            self._transport.pause_reading()

    def resume(self) -> None:
        """Read on."""
        if self._transport is not None and not self._transport.is_reading():
            self._transport.resume_reading()

    def close(self) -> None:
        """Send what is buffered, then close."""
        if self._transport is not None:
            self._transport.close()

    def linger(self, limit: Duration) -> None:
        """Say that no more comes, and read into nothing until the peer closes too."""
        transport = self._transport
        if transport is None:
            return
        self._is_lingering = True
        self.resume()
        if transport.can_write_eof():
            transport.write_eof()
        self._linger_timer = asyncio.get_running_loop().call_later(limit / 1000, self.close)

    def abort(self) -> None:
        """Close at once."""
        if self._transport is not None:
            self._transport.abort()


class SocketDialer:
    """Implements `ports.Dialer`."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._dials: set[asyncio.Task[None]] = set()

    def dial(
        self,
        endpoint: Endpoint,
        limit: Duration,
        done: Callable[[Stream | DialFailed], None],
        *,
        source: str = "",
    ) -> SocketDial:
        """Connect within `limit`."""
        task = self._loop.create_task(self._dial(endpoint, limit, done, source))
        self._dials.add(task)
        task.add_done_callback(self._dials.discard)
        return SocketDial(task)

    async def _dial(
        self,
        endpoint: Endpoint,
        limit: Duration,
        done: Callable[[Stream | DialFailed], None],
        source: str,
    ) -> None:
        try:
            async with asyncio.timeout(limit / 1000):
                await self._loop.create_connection(
                    lambda: SocketStream(done),
                    endpoint.address,
                    endpoint.port,
                    local_addr=(source, 0) if source else None,
                )
        except TimeoutError:
            done(DialFailed(f"no answer within {limit / 1000:g} s", refused=False, timed_out=True))
        except OSError as error:
            done(DialFailed(_reason(error), refused=error.errno == errno.ECONNREFUSED))


class SocketDial:
    """Implements `ports.Dial`."""

    def __init__(self, task: asyncio.Task[None]) -> None:
        self._task = task

    def cancel(self) -> None:
        """Give up."""
        self._task.cancel()


def listen_socket(endpoint: Endpoint, backlog: int) -> socket.socket:
    """Bind a listening socket; IPv6 sockets take IPv6 only, so that `[::]` and `0.0.0.0` can both be had."""
    family = socket.AF_INET6 if ":" in endpoint.address else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        listener.bind((endpoint.address, endpoint.port))
        listener.listen(backlog)
        listener.setblocking(False)  # noqa: FBT003 - the standard library's own signature
    except OSError:
        listener.close()
        raise
    return listener


def _endpoint(name: object) -> Endpoint:
    if isinstance(name, tuple) and len(name) >= 2:
        # An IPv4 client on an IPv6 socket cannot occur, and a scope id is no part of the address.
        return Endpoint(str(name[0]).partition("%")[0], int(name[1]))
    return _NOBODY


def _reason(error: Exception) -> str:
    if isinstance(error, OSError) and error.errno:
        return os.strerror(error.errno).lower()
    return str(error) or type(error).__name__
