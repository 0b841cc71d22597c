"""A name server for one machine: a few zones, told over UDP and TCP on one loopback port.

    question -> zone that holds the name --records----> answer
                     |                   --no such kind-> nothing, and the SOA
                     |                   --no such name-> NXDOMAIN, and the SOA
                     '- no zone                        -> REFUSED

Zones are texts as in a zone file, by name; SOA and NS are added. Whoever is to believe that a name does not
exist must hear it from a zone, so the name above a misspelled one has to be here as well.

Promises: listens on loopback only; both ports are the same; ends with the context. A question that is no
DNS message gets no answer.
Fails: with the library's exception for a zone that cannot be read, with OSError where no port is free.
"""

from __future__ import annotations

import contextlib
import struct
import threading
from collections.abc import Mapping, Sequence
from socketserver import BaseRequestHandler, BaseServer, ThreadingTCPServer, UDPServer
from types import TracebackType
from typing import Any, Final

import dns.exception
import dns.flags
import dns.message
import dns.opcode
import dns.rcode
import dns.rdatatype
import dns.zone
from dns.message import Message
from dns.zone import Zone

_SOA: Final = "$TTL 60\n@ SOA ns hostmaster 1 3600 600 86400 60\n@ NS ns\nns A 127.0.0.1\n"
# RFC 1035 section 4.2.1: more fits into a datagram only where the question says so (RFC 6891).
_DATAGRAM_OCTETS: Final = 512
_STREAM_OCTETS: Final = 65_535
_PATIENCE_SECONDS: Final = 2.0
_POLL_SECONDS: Final = 0.02
_PORT_TRIES: Final = 20


class NameServer:
    """The server, as a context manager; `port` is known inside."""

    def __init__(self, zones: Mapping[str, str], address: str = "127.0.0.1") -> None:
        self.address = address
        self.port = 0
        self._zones = [
            dns.zone.from_text(_SOA + text, origin=f"{name}.", relativize=False)
            for name, text in zones.items()
        ]
        self._servers: list[BaseServer] = []
        self._threads: list[threading.Thread] = []

    def __enter__(self) -> NameServer:
        self._bind()
        for server in self._servers:
            thread = threading.Thread(
                target=server.serve_forever, args=(_POLL_SECONDS,), name="demo-names", daemon=True
            )
            thread.start()
            self._threads.append(thread)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        for server in self._servers:
            server.shutdown()
            server.server_close()
        for thread in self._threads:
            thread.join(_PATIENCE_SECONDS)

    def addresses(self) -> list[str]:
        """Return every address that any name of any zone leads to."""
        return [
            record.to_text()
            for zone in self._zones
            for kind in (dns.rdatatype.A, dns.rdatatype.AAAA)
            for _, rdataset in zone.iterate_rdatasets(kind)
            for record in rdataset
        ]

    def _bind(self) -> None:
        """Take a port that is free for both: the system draws one for UDP, and TCP must have the same."""
        for remaining in reversed(range(_PORT_TRIES)):
            datagrams = _Datagrams((self.address, 0), self._zones)
            port: int = datagrams.server_address[1]
            try:
                streams = _Streams((self.address, port), self._zones)
            except OSError:
                datagrams.server_close()
                if not remaining:
                    raise
            else:
                self.port = port
                self._servers = [datagrams, streams]
                return


def answer(zones: Sequence[Zone], query: Message) -> Message:
    """Say what the zones know."""
    reply = dns.message.make_response(query)
    if query.opcode() != dns.opcode.QUERY or len(query.question) != 1:
        reply.set_rcode(dns.rcode.NOTIMP)
        return reply
    (asked,) = query.question
    zone = next((zone for zone in zones if zone.origin and asked.name.is_subdomain(zone.origin)), None)
    if zone is None:
        reply.set_rcode(dns.rcode.REFUSED)
        return reply
    assert zone.origin is not None
    reply.flags |= dns.flags.AA
    # NOT DONE: no aliases and no wildcards. Nobody in this small world has one.
    found = zone.get_rrset(asked.name, asked.rdtype)
    if found is not None:
        reply.answer.append(found)
        return reply
    reply.authority.append(zone.find_rrset(zone.origin, dns.rdatatype.SOA))
    # RFC 8020 section 2: a name below which there are others does exist.
    if not any(name.is_subdomain(asked.name) for name in zone.nodes):
        reply.set_rcode(dns.rcode.NXDOMAIN)
    return reply


def _answer_wire(zones: Sequence[Zone], data: bytes, limit: int) -> bytes:
    """Answer octets with octets; none for what is no question."""
    try:
        query = dns.message.from_wire(data)
    except dns.exception.DNSException:
        return b""
    if query.flags & dns.flags.QR:
        return b""
    reply = answer(zones, query)
    try:
        return reply.to_wire(max_size=max(limit, query.payload))
    except dns.exception.TooBig:
        # RFC 2181 section 9: cut short, and asked again over TCP.
        cut = dns.message.make_response(query)
        cut.flags |= dns.flags.TC
        return cut.to_wire()


class _Datagrams(UDPServer):
    """Answers datagrams, one after the other."""

    def __init__(self, at: tuple[str, int], zones: Sequence[Zone]) -> None:
        self._zones = zones
        super().__init__(at, BaseRequestHandler)

    def finish_request(self, request: Any, client_address: Any) -> None:
        """Answer one."""
        data, sock = request
        reply = _answer_wire(self._zones, data, _DATAGRAM_OCTETS)
        if reply:
            with contextlib.suppress(OSError):
                sock.sendto(reply, client_address)


class _Streams(ThreadingTCPServer):
    """Answers questions over TCP, each with two octets of length before it."""

    daemon_threads = True

    def __init__(self, at: tuple[str, int], zones: Sequence[Zone]) -> None:
        self._zones = zones
        super().__init__(at, BaseRequestHandler)

    def finish_request(self, request: Any, client_address: Any) -> None:  # noqa: ARG002 - the library's shape
        """Answer until the other side has no more questions, or is silent."""
        request.settimeout(_PATIENCE_SECONDS)
        with contextlib.suppress(OSError), request.makefile("rb") as questions:
            while len(head := questions.read(2)) == 2:
                reply = _answer_wire(
                    self._zones, questions.read(struct.unpack("!H", head)[0]), _STREAM_OCTETS
                )
                if not reply:
                    return
                request.sendall(struct.pack("!H", len(reply)) + reply)
