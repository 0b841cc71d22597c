"""One name server: asking it until it has said something usable, and remembering whether it is alive.

    question --EDNS, a datagram--> FORMERR, NOTIMP -> once more, without EDNS
                  |                cut short       -> once more, over TCP
                  |--usable--> Reply
                  |--not-----> what it did instead, in words
                  '--silence-> "", and asked last for a while, unless it answered somebody else meanwhile

Promises: nothing of asyncio, of the DNS library or of the system comes out.
"""

from __future__ import annotations

import asyncio
import os
from typing import Final

import dns.rcode

from byreturn.mail import SECOND, Duration, Instant
from byreturn.ports import Clock, Endpoint
from byreturn.transport.dns_sockets import Datagrams, ask_over_tcp
from byreturn.transport.dns_wire import Question, Reply

# Answers that need it are rare, and a connection costs a descriptor.
_STREAMS_LIMIT: Final = 50


class NameServer:
    """A name server. `silent_until`: it said nothing lately, and others are asked before it."""

    def __init__(
        self, loop: asyncio.AbstractEventLoop, clock: Clock, endpoint: Endpoint, silence_remembered: Duration
    ) -> None:
        self.endpoint = endpoint
        self.silent_until: Instant = 0
        self._clock = clock
        self._silence_remembered = silence_remembered
        self._datagrams = Datagrams(loop, endpoint)
        self._streams = asyncio.Semaphore(_STREAMS_LIMIT)
        self._answers = 0

    def __str__(self) -> str:
        return str(self.endpoint)

    async def ask(self, question: Question, limit: Duration) -> Reply | str:
        """Return a usable reply, or what the server did instead; empty text for silence.

        Each step has the whole `limit` for itself.
        """
        before = self._answers
        said = await self._exchange(question, limit, has_edns=True)
        if isinstance(said, Reply) and said.code in (dns.rcode.FORMERR, dns.rcode.NOTIMP):
            # RFC 6891 section 7: a server may be too old for EDNS; then it is asked without.
            said = await self._exchange(question, limit, has_edns=False)
        if isinstance(said, Reply):
            self._answers += 1
            self.silent_until = 0
            return _complaint(said, question) or said
        # As long as it answers other questions it is not dead: nobody knows the answer to this one. And a
        # silence that is known becomes no longer by asking: one day it is asked again with all patience.
        if self._answers == before and self.silent_until <= (now := self._clock.now()):
            self.silent_until = now + self._silence_remembered
        return said

    def close(self) -> None:
        """Let go of its sockets."""
        self._datagrams.close()

    async def _exchange(self, question: Question, limit: Duration, *, has_edns: bool) -> Reply | str:
        """Send one question, over TCP too when the answer does not fit into a datagram."""
        try:
            said = await self._datagrams.ask(question, limit, has_edns=has_edns)
            if said is not None and said.is_cut:
                async with asyncio.timeout(limit / SECOND), self._streams:
                    octets = question.packed(int.from_bytes(os.urandom(2)), has_edns=has_edns)
                    said = await ask_over_tcp(self.endpoint, octets, question)
                return said or "answered nonsense over TCP"
        except TimeoutError:
            return ""
        except EOFError:
            return "hung up on us over TCP"
        except OSError as fault:
            return f"could not be asked ({os.strerror(fault.errno) if fault.errno else type(fault).__name__})"
        return said or ""


def _complaint(reply: Reply, question: Question) -> str:
    """Say what makes a reply unusable; empty text if nothing does."""
    if reply.code not in (dns.rcode.NOERROR, dns.rcode.NXDOMAIN):
        return f"answered {dns.rcode.to_text(dns.rcode.Rcode(reply.code))}"
    if reply.is_cut:
        return "cut its answer short, over TCP too"
    if reply.owners and question.name not in reply.owners:
        return "answered something else"
    if reply.code == dns.rcode.NOERROR and not reply.owners and reply.has_servers and not reply.zones:
        # RFC 2308 section 2.2: name servers without a SOA refer us elsewhere; nothing is said to be absent.
        return "does not resolve names: it referred us to other servers"
    return ""
