"""The Resolver port over real name servers: every look-up ends in one value, and none of them is a guess.

A verdict of the DNS ends a recipient's life, so only what a server said about the very name that it was
asked for is one. All else - silence, SERVFAIL, nonsense, half an answer - is LookupFailed: try again.

    servers, the one that answered last first, those that were silent lately last:
       usable answer       -> found, or absent by the word of this server; or an alias, to be asked for
       SERVFAIL, REFUSED.. -> the next server, and this one not again in this look-up
       silence             -> the next server, and this one again in the next round
       nobody left         -> LookupFailed, naming each server and what it did

Each question has a socket of its own, connected, on a port that the system draws: a closed port is known
at once, strangers are not heard, and answers are not lost in a burst as they are on one shared socket.

Promises: no exception of asyncio, the DNS library or the system comes out. `resolver` in a verdict is the
server that said so; it is empty where the name does not fit into a question, so that it cannot exist.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path
from socket import SOCK_DGRAM
from typing import Any, Final, Literal, TypeAlias

import dns.asyncbackend
import dns.asyncquery
import dns.exception
import dns.flags
import dns.inet
import dns.name
import dns.rcode
from dns.message import Message, make_query
from dns.name import Name
from dns.rdataclass import IN
from dns.rdatatype import AAAA, CNAME, MX, NS, SOA, A, RdataType
from dns.rrset import RRset
from msgspec import Struct

from byreturn.mail import DAY, HOUR, SECOND, Duration, Instant, in_words, normal_domain
from byreturn.ports import (
    AddressAnswer,
    AddressesFound,
    Clock,
    Endpoint,
    LookupFailed,
    MxAnswer,
    MxFound,
    MxRecord,
    NoRecords,
    NoSuchName,
    Opinion,
    Verdict,
)
from byreturn.transport.dns_cache import Bounds, Finding, SharedLookups

# Real chains have one or two aliases, and real answers a few records: what is more is a mistake or an attack.
CNAME_LIMIT: Final = 8
MX_TAKEN_LIMIT: Final = 500
ADDRESSES_TAKEN_LIMIT: Final = 64
SYSTEM_SERVERS_LIMIT: Final = 3  # MAXNS of resolv.conf(5)
# So many names wait for each poll that runs.
_POLLS_WAITING: Final = 10

_Key: TypeAlias = tuple[Literal["MX", "address"], str]
_Absent: TypeAlias = NoSuchName | NoRecords | LookupFailed
_Said: TypeAlias = "tuple[Message, Endpoint] | LookupFailed"
_Ask: TypeAlias = Callable[[Name, RdataType], Awaitable[_Said]]


class ResolverSettings(Struct, frozen=True):
    """Whom to ask (empty: the servers of /etc/resolv.conf), how patiently, and what to keep for how long."""

    servers: tuple[Endpoint, ...] = ()
    answer_limit: Duration = 2 * SECOND
    rounds: int = 3
    lookups_limit: int = 200
    slow_after: Duration = 100
    slow_lookups_limit: int = 2_000
    gives_way_after: Duration = 1 * SECOND
    polls_limit: int = 100
    silent_answer_limit: Duration = 200
    waiting_limit: int = 10_000
    cache_limit: int = 50_000
    ttl_floor: Duration = 0
    ttl_ceiling: Duration = DAY
    negative_ttl_ceiling: Duration = HOUR
    failure_ttl: Duration = 5 * SECOND
    silence_remembered: Duration = 30 * SECOND


class _Server(Struct, eq=False):
    """A name server, how many questions it has answered, and until when it is asked last."""

    endpoint: Endpoint
    family: int
    answers: int = 0
    silent_until: Instant = 0


class DnsResolver:
    """The Resolver port on an event loop; `close` it before the loop ends."""

    def __init__(
        self, loop: asyncio.AbstractEventLoop, clock: Clock, settings: ResolverSettings | None = None
    ) -> None:
        self._clock = clock
        self._settings = settings = settings or ResolverSettings()
        assert settings.rounds > 0
        # NOT DONE: no second look at /etc/resolv.conf. Where servers move, they are named in our settings.
        servers = settings.servers or system_servers()
        self._servers = [_Server(one, dns.inet.af_for_address(one.address)) for one in servers]
        self._last_to_answer = self._servers[0]
        # Any: the methods of a backend have no types, and the kind in a key decides on the type of answer.
        self._backend: Any = dns.asyncbackend.get_backend("asyncio")
        self._lookups: SharedLookups[_Key, Any] = SharedLookups(
            loop, clock, _lookup_bounds(settings), self._look_up
        )
        self._polls: SharedLookups[str, tuple[Opinion, ...]] = SharedLookups(
            loop, clock, _poll_bounds(settings), self._poll
        )
        self._loop = loop

    def mx(self, domain: str, done: Callable[[MxAnswer], None], *, anew: bool = False) -> None:
        """Find the MX records of a domain, best preference first."""
        self._lookups.find(("MX", normal_domain(domain)), done, _has_records if anew else None)

    def addresses(self, host: str, done: Callable[[AddressAnswer], None]) -> None:
        """Find the addresses of a host; text that looks like an IP address is a name like any other."""
        self._lookups.find(("address", normal_domain(host)), done)

    def poll(self, name: str, done: Callable[[tuple[Opinion, ...]], None]) -> None:
        """Ask every server once, anew and past all that is kept, whether a name exists."""

        def tell(said: tuple[Opinion, ...] | LookupFailed) -> None:
            done(self._no_word() if isinstance(said, LookupFailed) else said)

        # Too many, or closed, would be told from inside of `find`.
        self._loop.call_soon(self._polls.find, normal_domain(name), tell)

    async def close(self) -> None:
        """Answer what is unanswered with LookupFailed, and end every task; idempotent."""
        await self._lookups.close()
        await self._polls.close()

    # --- From records to answers -----------------------------------------------------------------------

    async def _look_up(self, key: _Key) -> Finding[MxAnswer | AddressAnswer]:
        kind, text = key
        if not text.isascii():
            # It may well exist, under its A-label. Only a mistake of ours asks so: no final verdict.
            return Finding(LookupFailed(f"{ascii(text)[:255]} is not the ASCII form of a name"), 0)
        try:
            # With its final dot it is absolute, so that no search list is ever tried.
            name = dns.name.from_text(f"{text}.")
        except dns.exception.DNSException:
            return Finding(NoSuchName(""), 0)
        return await (self._find_mx if kind == "MX" else self._find_addresses)(name)

    async def _find_mx(self, domain: Name) -> Finding[MxAnswer | AddressAnswer]:
        found, keep = await self._records(domain, MX, self._ask)
        if not isinstance(found, RRset):
            return Finding(found, keep)
        pairs = sorted((mx.preference, normal_domain(mx.exchange.to_text())) for mx in found)[:MX_TAKEN_LIMIT]
        return Finding(MxFound(tuple(MxRecord(*pair) for pair in pairs)), keep, len(pairs))

    async def _find_addresses(self, host: Name) -> Finding[MxAnswer | AddressAnswer]:
        async with asyncio.TaskGroup() as both:
            asking = both.create_task(self._records(host, A, self._ask))
            six, keep_six = await self._records(host, AAAA, self._ask)
        four, keep_four = asking.result()
        answer = _both_families(six, four)
        records = len(answer.addresses) if isinstance(answer, AddressesFound) else 1
        # A family that failed is believed for seconds, and with it the whole.
        return Finding(answer, min(keep_six, keep_four), records)

    async def _records(self, asked: Name, kind: RdataType, ask: _Ask) -> tuple[RRset | _Absent, Duration]:
        """Ask for records of one kind, along aliases; say how long the finding may be believed."""
        settings = self._settings
        name, aliases, keep = asked, 0, settings.ttl_ceiling
        while True:
            said = await ask(name, kind)
            if isinstance(said, LookupFailed):
                return said, settings.failure_ttl
            message, server = said
            chain, found = _follow(message, name, kind, CNAME_LIMIT - aliases)
            aliases += len(chain)
            if aliases > CNAME_LIMIT:
                break
            for rrset in (*chain, found) if found else chain:
                keep = min(keep, max(settings.ttl_floor, rrset.ttl * SECOND))
            if found:
                return found, keep
            if not chain:
                keep = min(keep, settings.negative_ttl_ceiling, _negative_ttl(message, name))
                absent = NoSuchName if message.rcode() == dns.rcode.NXDOMAIN else NoRecords
                return absent(str(server)), keep
            # The last target is asked for by its own name, whatever the code of this answer: a server
            # may leave the rest of the chain to us, and a verdict is passed only on what was asked.
            name = chain[-1][0].target
        why = f"{asked.to_text(omit_final_dot=True)} leads along more than {CNAME_LIMIT} aliases"
        return LookupFailed(why), settings.failure_ttl

    # --- Second opinions ------------------------------------------------------------------------------

    async def _poll(self, text: str) -> Finding[tuple[Opinion, ...]]:
        if not text.isascii():
            return Finding(self._no_word(), 0)
        try:
            name = dns.name.from_text(f"{text}.")
        except dns.exception.DNSException:
            return Finding((Opinion("", Verdict.DENIED),), 0)
        opinions = await asyncio.gather(*(self._opinion(server, name) for server in self._servers))
        return Finding(tuple(opinions), 0)

    def _no_word(self) -> tuple[Opinion, ...]:
        return tuple(Opinion(str(server.endpoint), Verdict.NO_WORD) for server in self._servers)

    async def _opinion(self, server: _Server, name: Name) -> Opinion:
        limit = self._settings.answer_limit
        if server.silent_until > self._clock.now():
            limit = min(limit, self._settings.silent_answer_limit)
        kind = SOA if name == dns.name.root else MX
        verdict = Verdict.NO_WORD
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(limit / SECOND):
                found, _ = await self._records(name, kind, partial(self._ask_for_an_opinion, server))
                if isinstance(found, RRset) or (isinstance(found, NoRecords) and kind == MX):
                    verdict = Verdict.EXISTS
                elif isinstance(found, NoSuchName):
                    verdict = Verdict.DENIED
        return Opinion(str(server.endpoint), verdict)

    async def _ask_for_an_opinion(self, server: _Server, name: Name, kind: RdataType) -> _Said:
        said = await self._ask_one(server, name, kind)
        if not isinstance(said, Message):
            return LookupFailed(said)
        if said.rcode() == dns.rcode.NOERROR and not said.answer and not _zone_of(said, name):
            return LookupFailed("neither records nor the SOA of a zone")
        return said, server.endpoint

    # --- From servers to a usable message --------------------------------------------------------------

    async def _ask(self, name: Name, kind: RdataType) -> _Said:
        """Ask server after server, round after round, until one gives a usable answer."""
        now, last = self._clock.now(), self._last_to_answer
        left = sorted(self._servers, key=lambda server: (server.silent_until > now, server is not last))
        findings: dict[Endpoint, str] = {}
        for _ in range(self._settings.rounds):
            for server in tuple(left):
                said = await self._ask_one(server, name, kind)
                if isinstance(said, Message):
                    return said, server.endpoint
                if said:
                    left.remove(server)
                findings[server.endpoint] = said or f"timed out after {in_words(self._settings.answer_limit)}"
        asked = f"{name.to_text(omit_final_dot=True)} {kind.name}"
        return LookupFailed("; ".join(f"{server} {what} for {asked}" for server, what in findings.items()))

    async def _ask_one(self, server: _Server, name: Name, kind: RdataType) -> Message | str:
        """Return a usable message, or what the server did instead; empty text for silence."""
        before = server.answers
        said = await self._exchange(server, make_query(name, kind, use_edns=0))
        if isinstance(said, Message) and said.rcode() in (dns.rcode.FORMERR, dns.rcode.NOTIMP):
            # RFC 6891 section 7: a server may be too old for EDNS; then it is asked without.
            said = await self._exchange(server, make_query(name, kind))
        if isinstance(said, Message):
            server.answers += 1
            server.silent_until = 0
            complaint = _complaint(said)
            if not complaint:
                self._last_to_answer = server
            return complaint or said
        # As long as it answers other questions it is not dead: nobody knows the answer to this one.
        if server.answers == before:
            server.silent_until = self._clock.now() + self._settings.silence_remembered
        return said

    async def _exchange(self, server: _Server, query: Message) -> Message | str:
        """Send one question, over TCP too when the answer does not fit into a datagram."""
        limit = self._settings.answer_limit / SECOND
        where, port = server.endpoint.address, server.endpoint.port
        try:
            # The library's own limits run by the system's clock, which may be set; this one does not.
            async with asyncio.timeout(2 * limit + 1):
                opening = self._backend.make_socket(server.family, SOCK_DGRAM, 0, None, (where, port))
                async with await opening as sock:
                    message, _ = await dns.asyncquery.udp_with_fallback(
                        query, where, limit, port, ignore_unexpected=True, ignore_errors=True,
                        udp_sock=sock, backend=self._backend,
                    )  # fmt: skip
        except (dns.exception.Timeout, TimeoutError):
            return ""
        except (dns.exception.DNSException, EOFError) as nonsense:
            return f"answered nonsense ({type(nonsense).__name__})"
        except OSError as fault:
            return f"could not be asked ({os.strerror(fault.errno) if fault.errno else type(fault).__name__})"
        return message


def _lookup_bounds(settings: ResolverSettings) -> Bounds:
    return Bounds(
        fresh=settings.lookups_limit,
        patience=settings.slow_after,
        slow=settings.slow_lookups_limit,
        grace=settings.gives_way_after,
        waiting=settings.waiting_limit,
        kept=settings.cache_limit,
    )


def _poll_bounds(settings: ResolverSettings) -> Bounds:
    """A poll ends within the time for one answer: none of them is slow."""
    return Bounds(
        fresh=settings.polls_limit,
        patience=2 * settings.answer_limit,
        slow=settings.polls_limit,
        grace=2 * settings.answer_limit,
        waiting=_POLLS_WAITING * settings.polls_limit,
        kept=1,
    )


def system_servers(path: Path = Path("/etc/resolv.conf")) -> tuple[Endpoint, ...]:
    """Read which name servers the system uses: this machine if it names none (resolv.conf(5))."""
    try:
        lines = path.read_text("utf-8", errors="replace").splitlines()
    except OSError:
        lines = []
    named = [words[1] for words in map(str.split, lines) if words[:1] == ["nameserver"] and words[1:]]
    usable = [Endpoint(address, 53) for address in named if dns.inet.is_address(address)]
    return tuple(usable[:SYSTEM_SERVERS_LIMIT]) or (Endpoint("127.0.0.1", 53),)


def _complaint(message: Message) -> str:
    """Say what makes a message unusable; empty text if nothing does."""
    code = message.rcode()
    if code not in (dns.rcode.NOERROR, dns.rcode.NXDOMAIN):
        return f"answered {dns.rcode.to_text(code)}"
    if message.flags & dns.flags.TC:
        return "cut its answer short, over TCP too"
    if message.answer and message.question[0].name not in {rrset.name for rrset in message.answer}:
        return "answered something else"
    kinds = {rrset.rdtype for rrset in message.authority}
    if code == dns.rcode.NOERROR and not message.answer and NS in kinds and SOA not in kinds:
        # RFC 2308 section 2.2: name servers without a SOA refer us elsewhere; nothing is said to be absent.
        return "does not resolve names: it referred us to other servers"
    return ""


def _follow(message: Message, name: Name, kind: RdataType, limit: int) -> tuple[list[RRset], RRset | None]:
    """Walk along the aliases of an answer, one more than `limit` at most, to the records asked for."""
    chain: list[RRset] = []
    while not (found := message.get_rrset(message.answer, name, IN, kind)) and len(chain) <= limit:
        alias = message.get_rrset(message.answer, name, IN, CNAME)
        if alias is None:
            break
        chain.append(alias)
        name = alias[0].target
    return chain, found


def _negative_ttl(message: Message, name: Name) -> Duration:
    """Say how long an absence holds; 0 where the answer does not tell."""
    # RFC 2308 section 5: the smaller of the SOA's own TTL and its MINIMUM field; without a SOA it is
    # not to be kept at all.
    zone = _zone_of(message, name)
    return int(min(zone[0].minimum, zone.ttl)) * SECOND if zone else 0


def _zone_of(message: Message, name: Name) -> RRset | None:
    """Return the SOA beside an absence; that of another place tells nothing about this name."""
    for rrset in message.authority:
        if rrset.rdtype == SOA and name.is_subdomain(rrset.name):
            return rrset
    return None


def _has_records(answer: MxAnswer) -> bool:
    return isinstance(answer, MxFound)


def _both_families(six: RRset | _Absent, four: RRset | _Absent) -> AddressAnswer:
    """Join what was found for IPv6 and IPv4; only two equal verdicts of absence are one."""
    sets = [family[: ADDRESSES_TAKEN_LIMIT // 2] for family in (six, four) if isinstance(family, RRset)]
    if found := [record.address for records in sets for record in records]:
        return AddressesFound(tuple(found))
    failed = [family.why for family in (six, four) if isinstance(family, LookupFailed)]
    if failed:
        return LookupFailed("; ".join(failed))
    # Servers are known that say NXDOMAIN to AAAA alone, so one such word against another is not enough.
    absent = four if isinstance(four, NoRecords) else six
    assert not isinstance(absent, RRset)
    return absent
