"""Carrying questions to one name server: many datagrams on few sockets, and TCP for what is too large.

A socket of its own for each question costs as much as all the rest; one socket for all loses answers when a
thousand come at once, and its port can be learned. So each socket carries a few questions, one after the
other or together, for a short time.

    ask --> the newest socket --taken 16, or 2 s old--> a new one; the old one closes after its last question
              |     '- 100 open --> the one with the fewest open questions
              |--reply to the id and to the question--> told
              |--anything else, anybody else----------> unheard
              |--closed port (ICMP)-------------------> OSError, at once, for all questions of this socket
              '--nothing, in time---------------------> None

Promises: connected sockets, so that strangers are not heard; the system draws each port, and nobody can guess
an id; a question that is cancelled leaves nothing behind. Fails: with OSError alone.
"""

from __future__ import annotations

import asyncio
import os
import socket
from contextlib import suppress
from typing import Any, Final

import dns.inet

from byreturn.mail import SECOND, Duration
from byreturn.ports import Endpoint
from byreturn.transport.dns_wire import Question, Reply, read_reply

QUESTIONS_PER_SOCKET: Final = 16
# Of 4,000 questions that nobody answers, 40 lie on each; a datagram of 1,232 octets takes 2,304 of a buffer.
SOCKETS_LIMIT: Final = 100
_RECEIVE_OCTETS: Final = 256 * 1024
_SOCKET_LIFETIME: Final[Duration] = 2 * SECOND
# A server may send more than we said that we take. One buffer is enough: what is in it is copied at once.
_BUFFER: Final = bytearray(65_535)
_VIEW: Final = memoryview(_BUFFER)
# So many at once; what else there is comes in the loop's next round.
_READS_LIMIT: Final = 64
_RANDOM_OCTETS: Final = 512


class Datagrams:
    """The sockets to one name server."""

    def __init__(self, loop: asyncio.AbstractEventLoop, endpoint: Endpoint) -> None:
        self._loop = loop
        self._family = dns.inet.af_for_address(endpoint.address)
        # With the scope of a link-local address, which the system wants as a number.
        self._address = dns.inet.low_level_address_tuple((endpoint.address, endpoint.port), self._family)
        self._newest: _Socket | None = None
        self._sockets: set[_Socket] = set()
        self._random = b""

    async def ask(self, question: Question, limit: Duration, *, has_edns: bool) -> Reply | None:
        """Send a question and wait for a reply to it; None when none comes in time."""
        reply: asyncio.Future[Reply | None] = self._loop.create_future()
        sock, number = self._send(question, reply, has_edns=has_edns)
        timer = self._loop.call_later(limit / SECOND, _give_up, reply)
        try:
            return await reply
        finally:
            timer.cancel()
            sock.forget(number)

    def close(self) -> None:
        """Close every socket; whoever still waited for a reply was cancelled before."""
        for sock in tuple(self._sockets):
            sock.close()

    def _send(
        self, question: Question, reply: asyncio.Future[Reply | None], *, has_edns: bool
    ) -> tuple[_Socket, int]:
        while True:
            sock = self._socket()
            number = self._number(sock)
            is_first = not sock.asked
            try:
                sock.send(number, question.packed(number, has_edns=has_edns), (question, reply))
            except OSError as fault:
                # It is the news of an earlier question that comes with this one.
                sock.fail(fault)
                if is_first:
                    raise
            else:
                return sock, number

    def _socket(self) -> _Socket:
        newest = self._newest
        if newest is not None:
            if not newest.is_retired and newest.asked < QUESTIONS_PER_SOCKET:
                return newest
            newest.retire()
        if len(self._sockets) >= SOCKETS_LIMIT:
            return min(self._sockets, key=lambda sock: len(sock.open))
        self._newest = _Socket(self._loop, self._family, self._address, self._sockets)
        return self._newest

    def _number(self, sock: _Socket) -> int:
        """Throw an id that is free on a socket; the system's dice are thrown for many at once."""
        while True:
            if not self._random:
                self._random = os.urandom(_RANDOM_OCTETS)
            number = int.from_bytes(self._random[:2])
            self._random = self._random[2:]
            if number not in sock.open:
                return number


def _give_up(reply: asyncio.Future[Reply | None]) -> None:
    if not reply.done():
        reply.set_result(None)


class _Socket:
    """A connected socket and the questions that are open on it, by id."""

    __slots__ = ("_all", "_is_closed", "_loop", "_sock", "_timer", "asked", "is_retired", "open")

    def __init__(
        self, loop: asyncio.AbstractEventLoop, family: int, address: Any, every: set[_Socket]
    ) -> None:
        self.open: dict[int, tuple[Question, asyncio.Future[Reply | None]]] = {}
        self.asked = 0
        self.is_retired = False
        self._is_closed = False
        self._loop = loop
        self._all = every
        self._sock = socket.socket(family, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
        try:
            self._sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _RECEIVE_OCTETS)
            self._sock.connect(address)
        except BaseException:
            self._sock.close()
            raise
        loop.add_reader(self._sock, self._on_readable)
        self._timer = loop.call_later(_SOCKET_LIFETIME / SECOND, self.retire)
        every.add(self)

    def send(
        self, number: int, octets: bytes, waiting: tuple[Question, asyncio.Future[Reply | None]]
    ) -> None:
        """Send a question under an id that is free here."""
        self.asked += 1
        # Where the system has no room for it, it is as if it were lost on the way.
        with suppress(BlockingIOError):
            self._sock.send(octets)
        self.open[number] = waiting

    def forget(self, number: int) -> None:
        """Hear no more of a question."""
        self.open.pop(number, None)
        if self.is_retired and not self.open:
            self.close()

    def retire(self) -> None:
        """Be the newest no more, and close after the last question."""
        self.is_retired = True
        if not self.open:
            self.close()

    def close(self) -> None:
        """Close at once; idempotent."""
        if not self._is_closed:
            self._is_closed = self.is_retired = True
            self._all.discard(self)
            self._timer.cancel()
            self._loop.remove_reader(self._sock)
            self._sock.close()

    def fail(self, fault: OSError) -> None:
        """Tell all who wait here that it is of no use, and carry no more."""
        # Out of the choice for good: the loop may not hear this socket any more.
        self._all.discard(self)
        for _, reply in self.open.values():
            if not reply.done():
                reply.set_exception(fault)
        self.retire()

    def _on_readable(self) -> None:
        for _ in range(_READS_LIMIT):
            try:
                data = bytes(_VIEW[: self._sock.recv_into(_BUFFER)])
            except BlockingIOError:
                return
            except OSError as fault:
                self.fail(fault)
                return
            waiting = self.open.get(int.from_bytes(data[:2]))
            if waiting is None:
                continue
            question, reply = waiting
            if not reply.done() and (said := read_reply(data, question)) is not None:
                reply.set_result(said)


# --- TCP ----------------------------------------------------------------------------------------------


async def ask_over_tcp(endpoint: Endpoint, octets: bytes, question: Question) -> Reply | None:
    """Ask on a connection of its own; None for nonsense. EOFError where the server hangs up."""
    reader, writer = await asyncio.open_connection(endpoint.address, endpoint.port)
    try:
        writer.write(len(octets).to_bytes(2) + octets)
        data = await reader.readexactly(int.from_bytes(await reader.readexactly(2)))
    finally:
        # Nothing that could still come is of use.
        writer.transport.abort()
    return read_reply(data, question) if data[:2] == octets[:2] else None
