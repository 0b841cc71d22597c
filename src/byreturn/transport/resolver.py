"""The Resolver port over real name servers: every look-up ends in one value, and none of them is a guess.

A verdict of the DNS ends a recipient's life, so only what a server said about the very name that it was
asked for is one. All else - silence, SERVFAIL, nonsense, half an answer - is LookupFailed: try again.

    servers, the one that answered last first, those that were silent lately last:
       usable answer       -> found, or absent by the word of this server; or an alias, to be asked for
       SERVFAIL, REFUSED.. -> the next server, and this one not again in this look-up
       silence             -> the next server, and this one again in the next round
       nobody left         -> LookupFailed, naming each server and what it did

    poll: all servers beside each other, once; each follows the aliases by itself, and is named

Promises: no exception of asyncio, the DNS library or the system comes out. `resolver` in a verdict is the
server that said so; it is empty where the name does not fit into a question, so that it cannot exist.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path
from typing import Any, Final, Literal, TypeAlias

import dns.inet
import dns.rcode
from dns.rdatatype import AAAA, CNAME, MX, SOA, A
from msgspec import Struct

from byreturn.mail import DAY, HOUR, SECOND, Duration, in_words, normal_domain
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
from byreturn.transport.dns_servers import NameServer
from byreturn.transport.dns_wire import Kind, Question, Records, Reply, question_of

# Real chains have one or two aliases, and real answers a few records: what is more is a mistake or an attack.
CNAME_LIMIT: Final = 8
MX_TAKEN_LIMIT: Final = 500
ADDRESSES_TAKEN_LIMIT: Final = 64
SYSTEM_SERVERS_LIMIT: Final = 3  # MAXNS of resolv.conf(5)
# So many names wait for each poll that runs.
_POLLS_WAITING: Final = 10

_Key: TypeAlias = tuple[Literal["MX", "address"], str]
_Absent: TypeAlias = NoSuchName | NoRecords | LookupFailed
_Said: TypeAlias = tuple[Reply, NameServer] | LookupFailed
_Ask: TypeAlias = Callable[[Question], Awaitable[_Said]]


class ResolverSettings(Struct, frozen=True):
    """Whom to ask (empty: the servers of /etc/resolv.conf), how patiently, and what to keep for how long.

    A hundred look-ups for addresses are 200 questions, which fit into the receive buffer of a server that is
    not running just now (277 of them, by Linux's default). Of 400, some were lost in every second run on a
    busy machine, and a lost one costs seconds. A server that runs has read them after `slow_after`, so that
    4,000 look-ups a second can begin however long their answers take.
    """

    servers: tuple[Endpoint, ...] = ()
    answer_limit: Duration = 2 * SECOND
    rounds: int = 3
    lookups_limit: int = 100
    slow_after: Duration = 25
    slow_lookups_limit: int = 2_000
    gives_way_after: Duration = 1 * SECOND
    waiting_limit: int = 10_000
    polls_limit: int = 100
    silent_answer_limit: Duration = 200
    cache_limit: int = 50_000
    ttl_floor: Duration = 0
    ttl_ceiling: Duration = DAY
    negative_ttl_ceiling: Duration = HOUR
    failure_ttl: Duration = 5 * SECOND
    silence_remembered: Duration = 30 * SECOND


class DnsResolver:
    """The Resolver port on an event loop; `close` it before the loop ends."""

    def __init__(
        self, loop: asyncio.AbstractEventLoop, clock: Clock, settings: ResolverSettings | None = None
    ) -> None:
        self._loop = loop
        self._clock = clock
        self._settings = settings = settings or ResolverSettings()
        assert settings.rounds > 0
        # NOT DONE: no second look at /etc/resolv.conf. Where servers move, they are named in our settings.
        self._servers = [
            NameServer(loop, clock, endpoint, settings.silence_remembered)
            for endpoint in settings.servers or system_servers()
        ]
        self._last_to_answer = self._servers[0]
        # Any: the kind in a key decides on the type of answer.
        self._lookups: SharedLookups[_Key, Any] = SharedLookups(
            loop, clock, _lookup_bounds(settings), self._look_up
        )
        self._polls: SharedLookups[str, tuple[Opinion, ...]] = SharedLookups(
            loop, clock, _poll_bounds(settings), self._poll
        )

    def mx(self, domain: str, done: Callable[[MxAnswer], None], *, anew: bool = False) -> None:
        """Find the MX records of a domain, best preference first."""
        self._lookups.find(("MX", normal_domain(domain)), done, _has_records if anew else None)

    def addresses(self, host: str, done: Callable[[AddressAnswer], None]) -> None:
        """Find the addresses of a host; text that looks like an IP address is a name like any other."""
        self._lookups.find(("address", normal_domain(host)), done)

    def poll(self, name: str, done: Callable[[tuple[Opinion, ...]], None]) -> None:
        """Ask every server once, anew and past all that is kept, whether a name exists.

        No server has a word to say when too many names are asked about already, or after `close`.
        """

        def tell(said: tuple[Opinion, ...] | LookupFailed) -> None:
            done(self._no_word() if isinstance(said, LookupFailed) else said)

        # That there are too many is told from inside of `find`.
        self._loop.call_soon(self._polls.find, normal_domain(name), tell)

    @property
    def names(self) -> str:
        """The name servers that are asked, as people read them."""
        return ", ".join(str(server) for server in self._servers)

    async def close(self) -> None:
        """Answer what is unanswered with LookupFailed, and end every task; idempotent."""
        await self._lookups.close()
        await self._polls.close()
        for server in self._servers:
            server.close()

    # --- From records to answers -----------------------------------------------------------------------

    async def _look_up(self, key: _Key) -> Finding[MxAnswer | AddressAnswer]:
        what, name = key
        if not name.isascii():
            # It may well exist, under its A-label. Only a mistake of ours asks so: no final verdict.
            return Finding(LookupFailed(f"{ascii(name)[:255]} is not the ASCII form of a name"), 0)
        return await (self._find_mx if what == "MX" else self._find_addresses)(name)

    async def _find_mx(self, domain: str) -> Finding[MxAnswer | AddressAnswer]:
        found, keep = await self._records(domain, MX, self._ask)
        if not isinstance(found, Records):
            return Finding(found, keep)
        pairs = sorted(found.values)[:MX_TAKEN_LIMIT]
        return Finding(MxFound(tuple(MxRecord(*pair) for pair in pairs)), keep, len(pairs))

    async def _find_addresses(self, host: str) -> Finding[MxAnswer | AddressAnswer]:
        async with asyncio.TaskGroup() as both:
            asking = both.create_task(self._records(host, A, self._ask))
            six, keep_six = await self._records(host, AAAA, self._ask)
        four, keep_four = asking.result()
        answer = _both_families(six, four)
        records = len(answer.addresses) if isinstance(answer, AddressesFound) else 1
        # A family that failed is believed for seconds, and with it the whole.
        return Finding(answer, min(keep_six, keep_four), records)

    async def _records(self, name: str, kind: Kind, ask: _Ask) -> tuple[Records | _Absent, Duration]:
        """Ask for records of one kind, along aliases; say how long the finding may be believed."""
        settings = self._settings
        question, aliases, keep = question_of(name, kind), 0, settings.ttl_ceiling
        if question is None:
            return NoSuchName(""), 0
        while question is not None:
            said = await ask(question)
            if isinstance(said, LookupFailed):
                return said, settings.failure_ttl
            reply, server = said
            chain, found = _follow(reply, question, CNAME_LIMIT - aliases)
            aliases += len(chain)
            if aliases > CNAME_LIMIT:
                break
            for records in (*chain, found) if found else chain:
                keep = min(keep, max(settings.ttl_floor, records.ttl * SECOND))
            if found:
                return found, keep
            if not chain:
                # RFC 2308 section 5: without the word of the zone it is not to be kept at all.
                keep = min(keep, settings.negative_ttl_ceiling, (reply.zone_ttl(question.name) or 0) * SECOND)
                absent = NoSuchName if reply.code == dns.rcode.NXDOMAIN else NoRecords
                return absent(str(server)), keep
            # The last target is asked for by its own name, whatever the code of this answer: a server
            # may leave the rest of the chain to us, and a verdict is passed only on what was asked.
            question = question_of(chain[-1].values[0], kind)
        why = f"{name} leads along more than {CNAME_LIMIT} aliases"
        return LookupFailed(why), settings.failure_ttl

    async def _ask(self, question: Question) -> _Said:
        """Ask server after server, round after round, until one gives a usable answer."""
        now, last, limit = self._clock.now(), self._last_to_answer, self._settings.answer_limit
        left = sorted(self._servers, key=lambda server: (server.silent_until > now, server is not last))
        findings: dict[NameServer, str] = {}
        for _ in range(self._settings.rounds):
            for server in tuple(left):
                said = await server.ask(question, limit)
                if isinstance(said, Reply):
                    self._last_to_answer = server
                    return said, server
                if said:
                    left.remove(server)
                findings[server] = said or f"timed out after {in_words(limit)}"
        return LookupFailed("; ".join(f"{server} {what} for {question}" for server, what in findings.items()))

    # --- Second opinions -------------------------------------------------------------------------------

    async def _poll(self, name: str) -> Finding[tuple[Opinion, ...]]:
        if not name.isascii():
            return Finding(self._no_word(), 0)
        if question_of(name, MX) is None:
            return Finding((Opinion("", Verdict.DENIED),), 0)
        opinions = await asyncio.gather(*(self._opinion(server, name) for server in self._servers))
        return Finding(tuple(opinions), 0)

    def _no_word(self) -> tuple[Opinion, ...]:
        return tuple(Opinion(str(server), Verdict.NO_WORD) for server in self._servers)

    async def _opinion(self, server: NameServer, name: str) -> Opinion:
        limit = self._settings.answer_limit
        if server.silent_until > self._clock.now():
            # It may have come to life; but nobody waits for the dead.
            limit = min(limit, self._settings.silent_answer_limit)
        found: Records | _Absent = LookupFailed("no answer in time")
        with contextlib.suppress(TimeoutError):
            # Longer than one answer may take, so that silence is noticed where it is remembered.
            async with asyncio.timeout(1.25 * limit / SECOND):
                ask = partial(self._ask_for_an_opinion, server, limit)
                found, _ = await self._records(name, MX if name else SOA, ask)
        match found:
            case NoSuchName():
                return Opinion(str(server), Verdict.DENIED)
            case Records():
                return Opinion(str(server), Verdict.EXISTS)
            case NoRecords() if name:
                return Opinion(str(server), Verdict.EXISTS)
            case _:
                return Opinion(str(server), Verdict.NO_WORD)

    async def _ask_for_an_opinion(self, server: NameServer, limit: Duration, question: Question) -> _Said:
        said = await server.ask(question, limit)
        if isinstance(said, str):
            return LookupFailed(said)
        if said.code == dns.rcode.NOERROR and not said.owners and said.zone_ttl(question.name) is None:
            return LookupFailed("neither records nor the SOA of a zone that the name is in")
        return said, server


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


def _has_records(answer: MxAnswer | AddressAnswer) -> bool:
    return isinstance(answer, MxFound)


def _follow(reply: Reply, question: Question, limit: int) -> tuple[list[Records], Records | None]:
    """Walk along the aliases of an answer, one more than `limit` at most, to the records asked for."""
    chain: list[Records] = []
    name = question.name
    while not (found := reply.records.get((name, question.kind))) and len(chain) <= limit:
        alias = reply.records.get((name, CNAME))
        if alias is None:
            break
        chain.append(alias)
        name = alias.values[0]
    return chain, found


def _both_families(six: Records | _Absent, four: Records | _Absent) -> AddressAnswer:
    """Join what was found for IPv6 and IPv4; only two equal verdicts of absence are one."""
    sets = [
        family.values[: ADDRESSES_TAKEN_LIMIT // 2] for family in (six, four) if isinstance(family, Records)
    ]
    if found := [address for addresses in sets for address in addresses]:
        return AddressesFound(tuple(found))
    failed = [family.why for family in (six, four) if isinstance(family, LookupFailed)]
    if failed:
        return LookupFailed("; ".join(failed))
    # Servers are known that say NXDOMAIN to AAAA alone, so one such word against another is not enough.
    absent = four if isinstance(four, NoRecords) else six
    assert not isinstance(absent, Records)
    return absent
