"""Name servers of the tests' own, on loopback, in any mood: silent, lying, cut short, late."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable
from typing import Any

import dns.message
import dns.rcode
import dns.rdatatype
import dns.rrset

from byreturn.ports import Endpoint

# What a server sends back to a question: messages one after the other; none is silence.
Sent = list[bytes]
Mood = Callable[[dns.message.Message], Awaitable[Sent] | Sent]

_PORT_TRIES = 20


class FakeServer(asyncio.DatagramProtocol):
    """A name server on a free port, for UDP and TCP, in a mood. `heard` is what it was asked."""

    def __init__(self, mood: Mood, over_tcp: Mood | None = None) -> None:
        self.mood = mood
        self.over_tcp = over_tcp
        self.heard: list[str] = []
        self.heard_over_tcp: list[str] = []
        self.had_edns: list[bool] = []
        self._news = asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()
        self._tcp: asyncio.Server | None = None
        self.client: Any = None

    async def start(self) -> None:
        """Take a port that is free for both: the system draws one for UDP, and TCP must have the same."""
        loop = asyncio.get_running_loop()
        streams = socket.socket()
        for remaining in reversed(range(_PORT_TRIES)):
            self._udp, _ = await loop.create_datagram_endpoint(lambda: self, local_addr=("127.0.0.1", 0))
            try:
                streams.bind(self._udp.get_extra_info("sockname"))
                break
            except OSError:
                # Left open it would not only be in the way: uvloop hangs when it closes with one.
                self._udp.close()
                if not remaining:
                    raise
        host, port = streams.getsockname()
        self.endpoint = Endpoint(host, port)
        if self.over_tcp is None:
            streams.close()
        else:
            self._tcp = await asyncio.start_server(self._on_stream, sock=streams)

    async def stop(self) -> None:
        self._udp.close()
        if self._tcp is not None:
            self._tcp.close()
            await self._tcp.wait_closed()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def has_heard(self, questions: int) -> None:
        while len(self.heard) < questions:
            self._news.clear()
            await self._news.wait()

    def datagram_received(self, data: bytes, addr: Any) -> None:
        self.client = addr
        query = dns.message.from_wire(data)
        self.heard.append(question(query))
        self.had_edns.append(query.edns >= 0)
        self._news.set()
        task = asyncio.get_running_loop().create_task(self._answer(query, addr))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _answer(self, query: dns.message.Message, client: Any) -> None:
        for packet in await in_full(self.mood(query)):
            self._udp.sendto(packet, client)

    async def _on_stream(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        assert self.over_tcp is not None
        size = int.from_bytes(await reader.readexactly(2))
        query = dns.message.from_wire(await reader.readexactly(size))
        self.heard_over_tcp.append(question(query))
        for packet in await in_full(self.over_tcp(query)):
            writer.write(len(packet).to_bytes(2) + packet)
        writer.close()


async def in_full(sent: Awaitable[Sent] | Sent) -> Sent:
    return sent if isinstance(sent, list) else await sent


def question(query: dns.message.Message) -> str:
    asked = query.question[0]
    return f"{asked.name.to_text(omit_final_dot=True)} {dns.rdatatype.to_text(asked.rdtype)}"


def reply(
    query: dns.message.Message, *answer: str, code: str = "NOERROR", authority: tuple[str, ...] = ()
) -> dns.message.Message:
    """Answer a query with records, each `name ttl IN type data`."""
    said = dns.message.make_response(query)
    said.set_rcode(dns.rcode.from_text(code))
    for section, lines in ((said.answer, answer), (said.authority, authority)):
        for line in lines:
            name, ttl, _, kind, data = line.split(" ", 4)
            section.append(dns.rrset.from_text(name + ".", int(ttl), "IN", kind, data))
    return said


def says(*answer: str, code: str = "NOERROR", authority: tuple[str, ...] = ()) -> Mood:
    return lambda query: [reply(query, *answer, code=code, authority=authority).to_wire()]


def knows(book: dict[str, tuple[str, ...]]) -> Mood:
    """A server that answers from a book by question, and NODATA where the book has nothing."""
    return lambda query: [reply(query, *book.get(question(query), ())).to_wire()]


def silent(query: dns.message.Message) -> Sent:
    return []
