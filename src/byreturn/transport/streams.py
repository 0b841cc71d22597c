"""Streams on sockets: asyncio's protocol callbacks, passed on without a detour.

    socket -> SocketStream.data_received -> StreamUser.on_data
                                            StreamUser -> write, pause, resume, close, linger, abort -> socket

With TLS there is a layer in between, which is asked before anything is passed on in either direction; limits,
pauses and the end of the connection stay those of the socket.

Bounds: a peer that does not read makes `write` answer False beyond HIGH_WATER; what is buffered then is at
most that and one more write.
"""

from __future__ import annotations

import asyncio
import errno
import os
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Final, cast

from byreturn.mail import Duration
from byreturn.ports import DialFailed, Endpoint, Stream, StreamUser, TlsFacts, TlsFailed, TlsSettings
from byreturn.transport.tls import ClientTls, TlsBroken, TlsLayer

HIGH_WATER: Final = 256 * 1024

_NOBODY: Final = Endpoint("", 0)


class SocketStream(asyncio.Protocol):
    """Implements `ports.Stream`; tells `welcome` when the connection stands.

    `client_tls` is for a connection that we dialled; one that we accepted starts no TLS.
    """

    def __init__(self, welcome: Callable[[Stream], None], client_tls: ClientTls | None = None) -> None:
        self._welcome = welcome
        self._client_tls = client_tls
        self._layer: TlsLayer | None = None
        self._tls_done: Callable[[TlsFacts | TlsFailed], None] | None = None
        self._why = ""
        self._transport: asyncio.Transport | None = None
        self._user: StreamUser | None = None
        self._is_full = False
        self._is_lingering = False
        self._linger_timer: asyncio.TimerHandle | None = None
        self.local = _NOBODY
        self.peer = _NOBODY
        self.tls: TlsFacts | None = None

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
        if self._layer is not None:
            self._receive_tls(self._layer, data)
        elif self._user is not None and not self._is_lingering:
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
        self._transport = self._tls_done = None
        if user is not None:
            user.on_closed(self._why if exc is None else _reason(exc))

    # --- The port -------------------------------------------------------------------------------------

    def use(self, user: StreamUser) -> None:
        """Name who is told."""
        self._user = user

    def write(self, data: bytes) -> bool:
        """Send."""
        if self._transport is None:
            return False
        if self._layer is not None:
            self._write_tls(self._layer, data)
        else:
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
        self._tls_done = None
        if self._transport is not None:
            self._say_goodbye()
            self._transport.close()

    def linger(self, limit: Duration) -> None:
        """Say that no more comes, and read into nothing until the peer closes too."""
        transport = self._transport
        if transport is None:
            return
        self._is_lingering = True
        self.resume()
        self._say_goodbye()
        if transport.can_write_eof():
            transport.write_eof()
        self._linger_timer = asyncio.get_running_loop().call_later(limit / 1000, self.close)

    def abort(self) -> None:
        """Close at once."""
        self._tls_done = None
        if self._transport is not None:
            self._transport.abort()

    # --- TLS ------------------------------------------------------------------------------------------

    def start_tls(self, settings: TlsSettings, done: Callable[[TlsFacts | TlsFailed], None]) -> None:
        """Put a layer between socket and user: from here on no octet passes it by."""
        assert self._client_tls is not None, "TLS is ours to start only where we have dialled"
        assert self._layer is None
        self._tls_done = done
        try:
            self._layer = self._client_tls.layer(settings)
            self._layer.begin()
        except TlsBroken as broken:
            self.pause()
            self._tell_tls_soon(TlsFailed(str(broken)))
            return
        self._flush_tls(self._layer)

    def _tell_tls_soon(self, result: TlsFailed) -> None:
        asyncio.get_running_loop().call_soon(self._tell_tls, result)

    def _tell_tls(self, result: TlsFacts | TlsFailed) -> None:
        done, self._tls_done = self._tls_done, None
        if done is not None:
            done(result)

    def _receive_tls(self, layer: TlsLayer, data: bytes) -> None:
        if self._is_lingering:
            return
        try:
            said = layer.receive(data)
        except TlsBroken as broken:
            # What the layer says last is an alert: the peer may learn from it what we did not like.
            self._flush_tls(layer)
            self._break_tls(str(broken))
            return
        self._flush_tls(layer)
        if self.tls is None and layer.facts is not None:
            self.tls = layer.facts
            self._tell_tls(layer.facts)
        if said and self._user is not None:
            self._user.on_data(said)
        if layer.is_over:
            self.close()

    def _write_tls(self, layer: TlsLayer, data: bytes) -> None:
        try:
            layer.encrypt(data)
        except TlsBroken as broken:
            self._break_tls(str(broken))
        else:
            self._flush_tls(layer)

    def _flush_tls(self, layer: TlsLayer) -> None:
        output = layer.take_output()
        if output and self._transport is not None and not self._transport.is_closing():
            self._transport.write(output)

    def _break_tls(self, why: str) -> None:
        """The layer broke: in the handshake the user hears of it as such, later as the end of the stream."""
        self._why = why
        if self._tls_done is not None:
            # Not at once: the user will abort, and the alert would never leave.
            self._tell_tls_soon(TlsFailed(why))
        if self._transport is not None:
            self._transport.close()

    def _say_goodbye(self) -> None:
        if self._layer is not None and self.tls is not None:
            self._layer.goodbye()
            self._flush_tls(self._layer)


class SocketDialer:
    """Implements `ports.Dialer`. `tls_roots`: a file of certificates believed besides the system's."""

    def __init__(self, loop: asyncio.AbstractEventLoop, tls_roots: Path | None = None) -> None:
        self._loop = loop
        self._tls = ClientTls(tls_roots)
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
                    lambda: SocketStream(done, self._tls),
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
