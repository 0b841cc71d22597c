"""The resolver against name servers with moods: silent, lying, cut short, circular, late.

The servers are the test's own, on loopback. Nothing waits for a time to pass, except where a server is
silent: then the resolver waits for it, briefly (`play_silence`); everywhere else it would wait for ever.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterator
from typing import Any, Final

import dns.flags
import dns.message
import pytest
import uvloop
from tests.unit.transport.name_servers import (
    FakeServer,
    Mood,
    Sent,
    in_full,
    knows,
    question,
    reply,
    says,
    silent,
)

from byreturn.ports import (
    AddressAnswer,
    AddressesFound,
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
from byreturn.transport.resolver import DnsResolver, ResolverSettings, system_servers

SECOND: Final = 1000
SOON: Final = 200
FOR_EVER: Final = 3600 * SECOND
SOA_60: Final = "example.org 600 IN SOA ns.example.org. root.example.org. 1 2 3 4 60"


class SetClock:
    def __init__(self) -> None:
        self.at = 1_700_000_000_000

    def now(self) -> int:
        return self.at

    def is_trusted(self) -> bool:
        return True

    def call_later(self, delay: int, call: Callable[[], None]) -> Any:
        raise NotImplementedError


MX_1: Final = "example.org 300 IN MX 10 mx1.example.org."
FOUND_1: Final = MxFound((MxRecord(10, "mx1.example.org"),))


class World:
    """A resolver, its servers and its clock."""

    def __init__(self, answer_limit: int) -> None:
        self.answer_limit = answer_limit
        self.loop = asyncio.get_running_loop()
        self.clock = SetClock()
        self.servers: list[FakeServer] = []
        self.resolvers: list[DnsResolver] = []
        self.bugs: list[BaseException] = []
        self.loop.set_exception_handler(lambda _, context: self.bugs.append(context["exception"]))

    async def server(self, mood: Mood, over_tcp: Mood | None = None) -> FakeServer:
        server = FakeServer(mood, over_tcp)
        await server.start()
        self.servers.append(server)
        return server

    def resolver(self, *servers: FakeServer | Endpoint, **settings: Any) -> DnsResolver:
        endpoints = tuple(one.endpoint if isinstance(one, FakeServer) else one for one in servers)
        chosen = ResolverSettings(endpoints, answer_limit=self.answer_limit, **settings)
        self.resolvers.append(DnsResolver(self.loop, self.clock, chosen))
        return self.resolvers[-1]

    async def mx(self, resolver: DnsResolver, domain: str = "example.org") -> MxAnswer:
        answer: asyncio.Future[MxAnswer] = self.loop.create_future()
        resolver.mx(domain, answer.set_result)
        return await answer

    async def addresses(self, resolver: DnsResolver, host: str = "mx.example.org") -> AddressAnswer:
        answer: asyncio.Future[AddressAnswer] = self.loop.create_future()
        resolver.addresses(host, answer.set_result)
        return await answer

    async def end(self) -> None:
        for resolver in self.resolvers:
            await resolver.close()
        for server in self.servers:
            await server.stop()


Scene = Callable[[World], Coroutine[Any, Any, Any]]


async def whole(scene: Scene, answer_limit: int) -> None:
    world = World(answer_limit)
    try:
        await asyncio.wait_for(scene(world), 20)
    finally:
        await world.end()
    assert world.bugs == []


@pytest.fixture(params=[asyncio.new_event_loop, uvloop.new_event_loop], ids=["asyncio", "uvloop"])
def play(request: pytest.FixtureRequest) -> Iterator[Callable[[Scene], None]]:
    with asyncio.Runner(loop_factory=request.param) as runner:
        yield lambda scene: runner.run(whole(scene, FOR_EVER))


@pytest.fixture
def play_silence() -> Iterator[Callable[[Scene], None]]:
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        yield lambda scene: runner.run(whole(scene, SOON))


# --- What servers say ---------------------------------------------------------------------------------


def test_mx_hosts_are_lower_case_without_final_dot_best_first(play):
    async def scene(world: World) -> None:
        server = await world.server(says("example.org 300 IN MX 20 B.Example.ORG.", MX_1))
        assert await world.mx(world.resolver(server), "Example.ORG.") == MxFound(
            (MxRecord(10, "mx1.example.org"), MxRecord(20, "b.example.org"))
        )
        assert server.heard == ["example.org MX"]

    play(scene)


def test_the_root_as_mx_is_the_empty_host(play):
    async def scene(world: World) -> None:
        server = await world.server(says("example.org 300 IN MX 0 ."))
        assert await world.mx(world.resolver(server)) == MxFound((MxRecord(0, ""),))

    play(scene)


def test_a_strange_mx_host_is_asked_for_as_it_was_given(play):
    async def scene(world: World) -> None:
        server = await world.server(says(r"example.org 300 IN MX 0 a\.b\010.example.org."))
        found = await world.mx(world.resolver(server))
        assert found == MxFound((MxRecord(0, r"a\.b\010.example.org"),))
        server.mood = says(r"a\.b\010.example.org 300 IN A 192.0.2.1")
        await world.addresses(world.resolver(server), r"a\.b\010.example.org")
        assert sorted(server.heard[1:]) == [r"a\.b\010.example.org A", r"a\.b\010.example.org AAAA"]

    play(scene)


@pytest.mark.parametrize(("code", "verdict"), [("NXDOMAIN", NoSuchName), ("NOERROR", NoRecords)])
def test_an_absence_names_the_server_that_said_so(play, code, verdict):
    async def scene(world: World) -> None:
        server = await world.server(says(code=code, authority=(SOA_60,)))
        resolver = world.resolver(server)
        assert await world.mx(resolver) == verdict(str(server.endpoint))
        assert await world.addresses(resolver) == verdict(str(server.endpoint))

    play(scene)


def test_a_referral_is_no_verdict(play):
    async def scene(world: World) -> None:
        server = await world.server(says(authority=("org 300 IN NS a.nic.org.",)))
        why = f"{server.endpoint} does not resolve names: it referred us to other servers for example.org MX"
        assert await world.mx(world.resolver(server)) == LookupFailed(why)

    play(scene)


@pytest.mark.parametrize("code", ["NOERROR", "NXDOMAIN"])
def test_an_answer_about_something_else_is_no_verdict(play, code):
    async def scene(world: World) -> None:
        server = await world.server(says("other.example 300 IN MX 1 mx.other.example.", code=code))
        why = f"{server.endpoint} answered something else for example.org MX"
        assert await world.mx(world.resolver(server)) == LookupFailed(why)

    play(scene)


def test_no_more_records_are_taken_than_a_service_could_have(play):
    def crowd(query: dns.message.Message) -> Sent:
        asked = question(query)
        if asked.endswith(" MX"):
            lines = [f"example.org 300 IN MX {n} m{n}." for n in reversed(range(600))]
        elif asked.endswith(" A"):
            lines = [f"mx.example.org 300 IN A 192.0.2.{n}" for n in range(100)]
        else:
            lines = [f"mx.example.org 300 IN AAAA 2001:db8::{n:x}" for n in range(100)]
        return [reply(query, *lines).to_wire(max_size=65535)]

    async def scene(world: World) -> None:
        resolver = world.resolver(await world.server(crowd))
        mx = await world.mx(resolver)
        assert isinstance(mx, MxFound)
        assert [record.preference for record in mx.records] == list(range(500))
        found = await world.addresses(resolver)
        assert isinstance(found, AddressesFound)
        assert [":" in address for address in found.addresses] == [True] * 32 + [False] * 32

    play(scene)


# --- Two families -------------------------------------------------------------------------------------

A_1: Final = ("mx.example.org 300 IN A 192.0.2.1",)
AAAA_1: Final = ("mx.example.org 300 IN AAAA 2001:db8::1",)


def by_family(four: Mood, six: Mood) -> Mood:
    return lambda query: (six if question(query).endswith(" AAAA") else four)(query)


@pytest.mark.parametrize(
    ("four", "six", "expected"),
    [
        (says(*A_1), says(*AAAA_1), AddressesFound(("2001:db8::1", "192.0.2.1"))),
        (says(*A_1), says(), AddressesFound(("192.0.2.1",))),
        (says(), says(*AAAA_1), AddressesFound(("2001:db8::1",))),
        (says(*A_1), says(code="NXDOMAIN"), AddressesFound(("192.0.2.1",))),
        (says(*A_1), says(code="SERVFAIL"), AddressesFound(("192.0.2.1",))),
        (says(), says(), NoRecords("S")),
        (says(), says(code="NXDOMAIN"), NoRecords("S")),
        (says(code="NXDOMAIN"), says(), NoRecords("S")),
        (says(code="NXDOMAIN"), says(code="NXDOMAIN"), NoSuchName("S")),
        (says(), says(code="SERVFAIL"), LookupFailed("S answered SERVFAIL for mx.example.org AAAA")),
        (
            says(code="REFUSED"),
            says(code="SERVFAIL"),
            LookupFailed(
                "S answered SERVFAIL for mx.example.org AAAA; S answered REFUSED for mx.example.org A"
            ),
        ),
    ],
)
def test_the_two_families_make_one_answer(play, four, six, expected):
    async def scene(world: World) -> None:
        server = await world.server(by_family(four, six))
        answer = await world.addresses(world.resolver(server))
        if isinstance(expected, NoRecords | NoSuchName):
            assert answer == type(expected)(str(server.endpoint))
        elif isinstance(expected, LookupFailed):
            assert answer == LookupFailed(expected.why.replace("S ", f"{server.endpoint} "))
        else:
            assert answer == expected

    play(scene)


@pytest.mark.parametrize(
    ("four", "six", "found"),
    [
        (says(*A_1), silent, "192.0.2.1"),
        (silent, says(*AAAA_1), "2001:db8::1"),
        (silent, says(), ""),
        (silent, says(code="NXDOMAIN"), ""),
    ],
)
def test_a_silent_family_is_as_one_that_failed(play_silence, four, six, found):
    async def scene(world: World) -> None:
        server = await world.server(by_family(four, six))
        answer = await world.addresses(world.resolver(server, rounds=1))
        if found:
            assert answer == AddressesFound((found,))
        else:
            assert answer == LookupFailed(f"{server.endpoint} timed out after 200 ms for mx.example.org A")

    play_silence(scene)


def test_an_address_found_beside_a_failure_is_kept_as_briefly_as_the_failure(play):
    async def scene(world: World) -> None:
        server = await world.server(by_family(says(*A_1), says(code="SERVFAIL")))
        resolver = world.resolver(server)
        await world.addresses(resolver)
        world.clock.at += 5 * SECOND - 1
        await world.addresses(resolver)
        assert len(server.heard) == 2
        world.clock.at += 1
        await world.addresses(resolver)
        assert len(server.heard) == 4

    play(scene)


# --- Names --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name", ["a" * 64 + ".example", "a..example", ".example", "..", "a.example..", ("a" * 60 + ".") * 5 + "b"]
)
def test_a_name_that_cannot_be_written_does_not_exist(play, name):
    async def scene(world: World) -> None:
        server = await world.server(says(MX_1))
        resolver = world.resolver(server)
        assert await world.mx(resolver, name) == NoSuchName("")
        assert await world.addresses(resolver, name) == NoSuchName("")
        assert server.heard == []

    play(scene)


def test_a_name_that_is_not_ascii_is_our_mistake_and_no_verdict(play):
    async def scene(world: World) -> None:
        answer = await world.mx(world.resolver(await world.server(silent)), "bücher.example")
        assert answer == LookupFailed(r"'b\xfccher.example' is not the ASCII form of a name")

    play(scene)


@pytest.mark.parametrize("host", ["192.0.2.1", "2001:db8::1"])
def test_text_of_an_address_is_asked_for_as_a_name(play, host):
    async def scene(world: World) -> None:
        server = await world.server(says(code="NXDOMAIN"))
        assert await world.addresses(world.resolver(server), host) == NoSuchName(str(server.endpoint))
        assert sorted(server.heard) == [f"{host} A", f"{host} AAAA"]

    play(scene)


# --- Aliases ------------------------------------------------------------------------------------------


def chain(first: int, last: int) -> tuple[str, ...]:
    return tuple(f"c{n} 300 IN CNAME c{n + 1}." for n in range(first, last))


@pytest.mark.parametrize("length", [1, 8])
def test_a_chain_in_one_answer_is_walked(play, length):
    async def scene(world: World) -> None:
        server = await world.server(says(*chain(0, length), f"c{length} 300 IN MX 1 mx.example."))
        assert await world.mx(world.resolver(server), "c0") == MxFound((MxRecord(1, "mx.example"),))
        assert server.heard == ["c0 MX"]

    play(scene)


def test_a_chain_that_the_server_left_open_is_asked_on(play):
    async def scene(world: World) -> None:
        book = {"c0 MX": chain(0, 2), "c2 MX": chain(2, 8), "c8 MX": ("c8 300 IN MX 1 mx.example.",)}
        server = await world.server(knows(book))
        assert await world.mx(world.resolver(server), "c0") == MxFound((MxRecord(1, "mx.example"),))
        assert server.heard == ["c0 MX", "c2 MX", "c8 MX"]

    play(scene)


@pytest.mark.parametrize(
    "book",
    [
        {"c0 MX": (*chain(0, 9), "c9 300 IN MX 1 mx.example.")},
        {f"c{n} MX": chain(n, n + 1) for n in range(20)},
        {"c0 MX": ("c0 300 IN CNAME c1.", "c1 300 IN CNAME c0.")},
        {"c0 MX": ("c0 300 IN CNAME c0.",)},
        {"c0 MX": ("c0 300 IN CNAME c1.",), "c1 MX": ("c1 300 IN CNAME c0.",)},
    ],
    ids=["nine in one answer", "twenty, one by one", "circle", "itself", "circle, one by one"],
)
def test_too_long_or_circular_chains_are_no_verdict(play, book):
    async def scene(world: World) -> None:
        server = await world.server(knows(book))
        answer = await world.mx(world.resolver(server), "c0")
        assert answer == LookupFailed("c0 leads along more than 8 aliases")
        assert len(server.heard) <= 9

    play(scene)


def test_a_verdict_at_the_end_of_a_chain_is_passed_on_the_last_name_itself(play):
    async def scene(world: World) -> None:
        def mood(query: dns.message.Message) -> Sent:
            if question(query) == "c0 MX":
                return [reply(query, *chain(0, 1), code="NXDOMAIN").to_wire()]
            return [reply(query, "c1 300 IN MX 1 mx.example.").to_wire()]

        assert await world.mx(world.resolver(await world.server(mood)), "c0") == MxFound(
            (MxRecord(1, "mx.example"),)
        )

    play(scene)


def test_the_shortest_ttl_of_a_chain_counts(play):
    async def scene(world: World) -> None:
        lines = ("c0 300 IN CNAME c1.", "c1 7 IN CNAME c2.", "c2 300 IN MX 1 mx.example.")
        server = await world.server(says(*lines))
        await is_kept_for(world, server, 7 * SECOND, "c0")

    play(scene)


# --- Servers in a bad mood ----------------------------------------------------------------------------


@pytest.mark.parametrize("code", ["SERVFAIL", "REFUSED", "FORMERR", "NOTIMP"])
def test_after_an_error_the_next_server_is_asked_and_this_one_not_again(play, code):
    async def scene(world: World) -> None:
        bad = await world.server(says(code=code))
        good = await world.server(says(MX_1))
        assert await world.mx(world.resolver(bad, good)) == FOUND_1
        assert set(bad.heard) == {"example.org MX"}
        assert bad.had_edns == ([True, False] if code in ("FORMERR", "NOTIMP") else [True])

    play(scene)


def test_a_server_too_old_for_edns_is_asked_without(play):
    async def scene(world: World) -> None:
        old = await world.server(
            lambda query: (says(code="FORMERR") if query.edns >= 0 else says(MX_1))(query)
        )
        assert await world.mx(world.resolver(old)) == FOUND_1

    play(scene)


def test_a_code_that_needs_edns_is_named(play):
    async def scene(world: World) -> None:
        server = await world.server(says(code="BADVERS"))
        why = f"{server.endpoint} answered BADVERS for example.org MX"
        assert await world.mx(world.resolver(server)) == LookupFailed(why)
        server.mood = says(code="4000")
        why = f"{server.endpoint} answered 4000 for example.org MX"
        assert await world.mx(world.resolver(server)) == LookupFailed(why)

    play(scene)


def test_when_all_fail_each_is_named_with_what_it_did(play_silence):
    async def scene(world: World) -> None:
        first = await world.server(says(code="SERVFAIL"))
        second = await world.server(silent)
        assert await world.mx(world.resolver(first, second, rounds=2)) == LookupFailed(
            f"{first.endpoint} answered SERVFAIL for example.org MX; "
            f"{second.endpoint} timed out after 200 ms for example.org MX"
        )
        assert (len(first.heard), len(second.heard)) == (1, 2)

    play_silence(scene)


def test_a_dead_first_server_costs_its_time_only_once(play_silence):
    async def scene(world: World) -> None:
        dead = await world.server(silent)
        good = await world.server(says(code="NXDOMAIN"))
        resolver = world.resolver(dead, good)
        for n in range(4):
            assert await world.mx(resolver, f"{n}.example.org") == NoSuchName(str(good.endpoint))
        assert (len(dead.heard), len(good.heard)) == (1, 4)

    play_silence(scene)


def test_a_silent_server_is_asked_last_for_a_while(play_silence):
    async def scene(world: World) -> None:
        # The first is silent, the second refuses: so the first would have its turn first again.
        first, second = await world.server(silent), await world.server(says(code="SERVFAIL"))
        resolver = world.resolver(first, second, rounds=1)
        await world.mx(resolver, "a.example")
        first.mood = second.mood = says(code="NXDOMAIN")
        assert await world.mx(resolver, "b.example") == NoSuchName(str(second.endpoint))
        # Now the second answered last; once it errs and the first is forgiven, the first is the next.
        second.mood = says(code="SERVFAIL")
        assert await world.mx(resolver, "c.example") == NoSuchName(str(first.endpoint))

    play_silence(scene)


def test_silence_is_forgiven_after_a_while(play_silence):
    async def scene(world: World) -> None:
        first, second = await world.server(silent), await world.server(says(code="SERVFAIL"))
        resolver = world.resolver(first, second, rounds=1)
        await world.mx(resolver, "a.example")
        first.mood = second.mood = says(code="NXDOMAIN")
        world.clock.at += 30 * SECOND
        assert await world.mx(resolver, "b.example") == NoSuchName(str(first.endpoint))

    play_silence(scene)


def test_a_server_silent_about_one_name_is_not_dead_when_it_answers_others(play_silence):
    async def scene(world: World) -> None:
        def about_others(query: dns.message.Message) -> Sent:
            return silent(query) if question(query) == "slow.example MX" else says(code="NXDOMAIN")(query)

        first, second = await world.server(about_others), await world.server(says(code="SERVFAIL"))
        resolver = world.resolver(first, second, rounds=1)
        slow = world.loop.create_task(world.mx(resolver, "slow.example"))
        await first.has_heard(1)
        assert await world.mx(resolver, "a.example") == NoSuchName(str(first.endpoint))
        assert isinstance(await slow, LookupFailed)
        second.heard.clear()
        assert await world.mx(resolver, "b.example") == NoSuchName(str(first.endpoint))
        assert second.heard == []

    play_silence(scene)


def test_a_closed_port_is_known_at_once(play):
    async def scene(world: World) -> None:
        gone = await world.server(silent)
        await gone.stop()
        world.servers.clear()
        answer = await world.mx(world.resolver(gone))
        why = f"{gone.endpoint} could not be asked (Connection refused) for example.org MX"
        assert answer == LookupFailed(why)

    play(scene)


# --- Packets ------------------------------------------------------------------------------------------


def cut(query: dns.message.Message) -> Sent:
    said = reply(query)
    said.flags |= dns.flags.TC
    return [said.to_wire()]


def wrong_id(query: dns.message.Message) -> bytes:
    said = reply(query, code="NXDOMAIN")
    said.id ^= 1
    return said.to_wire()


def wrong_question(query: dns.message.Message) -> bytes:
    other = dns.message.make_query("other.example", "MX")
    other.id = query.id
    return reply(other, code="NXDOMAIN").to_wire()


def wrong_cut(query: dns.message.Message) -> bytes:
    said = reply(query)
    said.flags |= dns.flags.TC
    said.id ^= 1
    return said.to_wire()


def test_an_answer_cut_short_is_asked_for_over_tcp(play):
    async def scene(world: World) -> None:
        server = await world.server(cut, over_tcp=says(MX_1))
        assert await world.mx(world.resolver(server)) == FOUND_1
        assert (server.heard, server.heard_over_tcp) == (["example.org MX"], ["example.org MX"])

    play(scene)


@pytest.mark.parametrize(
    ("over_tcp", "what"),
    [
        (cut, "cut its answer short, over TCP too"),
        (silent, "hung up on us over TCP"),
        (lambda query: [b"nonsense"], "answered nonsense over TCP"),
        (lambda query: [b""], "answered nonsense over TCP"),
        (lambda query: [wrong_id(query)], "answered nonsense over TCP"),
        (lambda query: [wrong_question(query)], "answered nonsense over TCP"),
        (None, "could not be asked (Connection refused)"),
    ],
    ids=["cut again", "hangs up", "garbage", "nothing", "another id", "another question", "no TCP"],
)
def test_trouble_over_tcp_is_no_verdict(play, over_tcp, what):
    async def scene(world: World) -> None:
        server = await world.server(cut, over_tcp)
        why = f"{server.endpoint} {what} for example.org MX"
        assert await world.mx(world.resolver(server)) == LookupFailed(why)

    play(scene)


FORGERIES: Final[dict[str, Callable[[dns.message.Message], bytes]]] = {
    "id": wrong_id,
    "question": wrong_question,
    "id, cut short": wrong_cut,
    "empty": lambda query: b"",
    "garbage": lambda query: b"\xff" * 500,
    "half": lambda query: reply(query, code="NXDOMAIN").to_wire()[:-5],
    "echo": lambda query: query.to_wire(),
}


@pytest.mark.parametrize("forge", FORGERIES.values(), ids=FORGERIES)
def test_what_is_no_answer_to_our_question_is_not_heard(play, forge):
    async def scene(world: World) -> None:
        server = await world.server(lambda query: [forge(query), reply(query, MX_1).to_wire()])
        assert await world.mx(world.resolver(server)) == FOUND_1

    play(scene)


def test_nothing_but_forgeries_is_silence(play_silence):
    async def scene(world: World) -> None:
        server = await world.server(lambda query: [forge(query) for forge in FORGERIES.values()])
        answer = await world.mx(world.resolver(server, rounds=1))
        assert answer == LookupFailed(f"{server.endpoint} timed out after 200 ms for example.org MX")

    play_silence(scene)


def test_strangers_are_not_heard(play):
    async def scene(world: World) -> None:
        stranger = await world.server(silent)

        async def with_a_stranger(query: dns.message.Message) -> Sent:
            stranger._udp.sendto(reply(query, code="NXDOMAIN").to_wire(), server.client)
            return [reply(query, MX_1).to_wire()]

        server = await world.server(with_a_stranger)
        assert await world.mx(world.resolver(server)) == FOUND_1

    play(scene)


# --- Second opinions ----------------------------------------------------------------------------------


async def poll(world: World, resolver: DnsResolver, name: str = "example.org") -> tuple[Opinion, ...]:
    answer: asyncio.Future[tuple[Opinion, ...]] = world.loop.create_future()
    resolver.poll(name, answer.set_result)
    return await answer


async def verdict(world: World, mood: Mood, name: str = "example.org") -> Verdict:
    server = await world.server(mood)
    (opinion,) = await poll(world, world.resolver(server), name)
    assert opinion.server == str(server.endpoint)
    return opinion.verdict


OPINIONS: Final[dict[str, tuple[Mood, Verdict]]] = {
    "records": (says(MX_1), Verdict.EXISTS),
    "none, says the zone": (says(authority=(SOA_60,)), Verdict.EXISTS),
    "none, says nobody": (says(), Verdict.NO_WORD),
    "none, says another zone": (
        says(authority=("other.example 60 IN SOA ns. root. 1 2 3 4 60",)),
        Verdict.NO_WORD,
    ),
    "no such name": (says(code="NXDOMAIN", authority=(SOA_60,)), Verdict.DENIED),
    "no such name, says nobody": (says(code="NXDOMAIN"), Verdict.DENIED),
    "trouble": (says(code="SERVFAIL"), Verdict.NO_WORD),
    "refused": (says(code="REFUSED"), Verdict.NO_WORD),
    "something else": (says("other.example 300 IN MX 1 mx.example."), Verdict.NO_WORD),
    "elsewhere": (says(authority=("org 300 IN NS a.nic.org.",)), Verdict.NO_WORD),
    "an alias to itself": (says("example.org 300 IN CNAME example.org."), Verdict.NO_WORD),
    "an alias, with records": (says("example.org 300 IN CNAME a.", "a 300 IN MX 1 mx."), Verdict.EXISTS),
}


@pytest.mark.parametrize(("mood", "expected"), OPINIONS.values(), ids=OPINIONS)
def test_what_a_server_says_makes_an_opinion(play, mood, expected):
    async def scene(world: World) -> None:
        assert await verdict(world, mood) is expected

    play(scene)


def test_an_opinion_is_on_the_end_of_the_aliases(play):
    async def scene(world: World) -> None:
        def mood(query: dns.message.Message) -> Sent:
            if question(query) == "example.org MX":
                return [reply(query, "example.org 300 IN CNAME a.example.", code="NXDOMAIN").to_wire()]
            return [reply(query, code=code, authority=("example 60 IN SOA ns. r. 1 2 3 4 60",)).to_wire()]

        code = "NXDOMAIN"
        assert await verdict(world, mood) is Verdict.DENIED
        code = "NOERROR"
        assert await verdict(world, mood) is Verdict.EXISTS

    play(scene)


@pytest.mark.parametrize(
    ("mood", "expected"),
    [
        (says(" 300 IN SOA a. b. 1 2 3 4 60"), Verdict.EXISTS),
        (says(authority=(" 300 IN SOA a. b. 1 2 3 4 60",)), Verdict.NO_WORD),
        (says(code="NXDOMAIN"), Verdict.DENIED),
        (says(code="REFUSED"), Verdict.NO_WORD),
        (says("org 300 IN SOA a. b. 1 2 3 4 60"), Verdict.NO_WORD),
    ],
)
def test_the_root_exists_by_its_soa_alone(play, mood, expected):
    async def scene(world: World) -> None:
        assert await verdict(world, mood, "") is expected
        assert world.servers[0].heard == [". SOA"]

    play(scene)


def test_a_name_that_cannot_be_asked_for_is_denied_by_nobody(play):
    async def scene(world: World) -> None:
        server = await world.server(says(MX_1))
        resolver = world.resolver(server)
        assert await poll(world, resolver, "a..example") == (Opinion("", Verdict.DENIED),)
        assert await poll(world, resolver, "bücher.example") == (
            Opinion(str(server.endpoint), Verdict.NO_WORD),
        )
        assert server.heard == []

    play(scene)


def test_a_poll_asks_each_server_once_for_all_who_want_to_know(play):
    async def scene(world: World) -> None:
        gate = asyncio.Event()
        servers = [await world.server(gated(gate, says(code="NXDOMAIN"))) for _ in range(3)]
        resolver = world.resolver(*servers)
        asking = [world.loop.create_task(poll(world, resolver)) for _ in range(5)]
        for server in servers:
            await server.has_heard(1)
        gate.set()
        denied = tuple(Opinion(str(server.endpoint), Verdict.DENIED) for server in servers)
        assert await asyncio.gather(*asking) == [denied] * 5
        # What was said is not kept.
        assert await poll(world, resolver) == denied
        assert [server.heard for server in servers] == [["example.org MX"] * 2] * 3

    play(scene)


def test_a_poll_tries_an_old_server_without_edns_and_a_large_answer_over_tcp(play):
    async def scene(world: World) -> None:
        old = await world.server(
            lambda query: (says(code="FORMERR") if query.edns >= 0 else says(MX_1))(query)
        )
        large = await world.server(cut, over_tcp=says(MX_1))
        opinions = await poll(world, world.resolver(old, large))
        assert [opinion.verdict for opinion in opinions] == [Verdict.EXISTS] * 2

    play(scene)


def test_a_server_known_to_be_silent_holds_no_poll_up(play_silence):
    async def scene(world: World) -> None:
        dead, good = await world.server(silent), await world.server(says(MX_1))
        resolver = world.resolver(dead, good, silent_answer_limit=10)
        expected = (
            Opinion(str(dead.endpoint), Verdict.NO_WORD),
            Opinion(str(good.endpoint), Verdict.EXISTS),
        )
        began = world.loop.time()
        assert await poll(world, resolver) == expected
        assert world.loop.time() - began >= 0.19
        world.clock.at += 29 * SECOND
        began = world.loop.time()
        for _ in range(5):
            assert await poll(world, resolver) == expected
        assert world.loop.time() - began < 0.15
        # What is asked so hastily makes the silence no longer: after its time all patience is back.
        world.clock.at += 1 * SECOND
        began = world.loop.time()
        assert await poll(world, resolver) == expected
        assert world.loop.time() - began >= 0.19

    play_silence(scene)


def test_too_many_polls_and_polls_after_the_end_have_no_word(play):
    async def scene(world: World) -> None:
        gate = asyncio.Event()
        server = await world.server(gated(gate, says(MX_1)))
        resolver = world.resolver(server, polls_limit=2)
        no_word = (Opinion(str(server.endpoint), Verdict.NO_WORD),)
        asking = [world.loop.create_task(poll(world, resolver, f"{n}.example")) for n in range(30)]
        await server.has_heard(2)
        done, asking = await asyncio.wait(asking, timeout=0)
        assert [task.result() for task in done] == [no_word] * 8
        assert len(server.heard) == 2
        await resolver.close()
        assert [await task for task in asking] == [no_word] * 22
        assert await poll(world, resolver) == no_word

    play(scene)


# --- Keeping ------------------------------------------------------------------------------------------


async def is_kept_for(
    world: World, server: FakeServer, span: int, name: str = "example.org", **settings: Any
) -> None:
    """Check that an answer is told from inside the call until, and not at, the end of a span."""
    resolver = world.resolver(server, **settings)
    answer = await world.mx(resolver, name)
    asked = len(server.heard)
    if span:
        world.clock.at += span - 1
        told: list[MxAnswer] = []
        resolver.mx(name, told.append)
        assert told == [answer]
        world.clock.at += 1
    await world.mx(resolver, name)
    assert len(server.heard) == 2 * asked


@pytest.mark.parametrize(
    ("mood", "seconds"),
    [
        (says("example.org 300 IN MX 1 mx."), 300),
        (says("example.org 0 IN MX 1 mx."), 0),
        (says(f"example.org {2**31 - 1} IN MX 1 mx."), 86_400),
        (says(code="NXDOMAIN", authority=(SOA_60,)), 60),
        (says(authority=(SOA_60,)), 60),
        (says(authority=("example.org 20 IN SOA ns. root. 1 2 3 4 60",)), 20),
        (says(authority=("org 99999 IN SOA ns. root. 1 2 3 4 99999",)), 3600),
        (says(authority=("other.example 60 IN SOA ns. root. 1 2 3 4 60",)), 0),
        (says(code="NXDOMAIN"), 0),
        (says(code="SERVFAIL"), 5),
    ],
    ids=[
        "found", "ttl 0", "for ever", "no name", "no records", "ttl of the soa", "ceiling", "foreign soa",
        "no soa", "failure",
    ],
)  # fmt: skip
def test_answers_are_kept_as_long_as_they_may_be(play, mood, seconds):
    async def scene(world: World) -> None:
        await is_kept_for(world, await world.server(mood), seconds * SECOND)

    play(scene)


def test_a_floor_keeps_what_should_not_be_kept(play):
    async def scene(world: World) -> None:
        server = await world.server(says("example.org 0 IN MX 1 mx."))
        await is_kept_for(world, server, 10 * SECOND, ttl_floor=10 * SECOND)

    play(scene)


def test_the_name_is_kept_however_it_is_written(play):
    async def scene(world: World) -> None:
        server = await world.server(says(MX_1))
        resolver = world.resolver(server)
        told = [await world.mx(resolver, "example.org")]
        resolver.mx("EXAMPLE.org.", told.append)
        assert told == [FOUND_1, FOUND_1]

    play(scene)


# --- Sharing and bounds -------------------------------------------------------------------------------


def gated(gate: asyncio.Event, mood: Mood) -> Mood:
    async def wait(query: dns.message.Message) -> Sent:
        await gate.wait()
        return await in_full(mood(query))

    return wait


def test_one_question_answers_all_even_when_one_of_them_has_a_bug(play):
    async def scene(world: World) -> None:
        gate = asyncio.Event()
        server = await world.server(gated(gate, says(MX_1)))
        resolver = world.resolver(server)
        told: list[MxAnswer] = []
        bug = ZeroDivisionError("in a callback")

        def broken(answer: MxAnswer) -> None:
            raise bug

        for done in (told.append, broken, told.append):
            resolver.mx("example.org", done)
        asked = world.loop.create_task(world.mx(resolver))
        await server.has_heard(1)
        assert told == []
        gate.set()
        assert await asked == FOUND_1
        assert (told, server.heard) == ([FOUND_1, FOUND_1], ["example.org MX"])
        assert world.bugs == [bug]
        world.bugs.clear()

    play(scene)


def test_look_ups_are_bounded_and_the_rest_waits_its_turn(play):
    async def scene(world: World) -> None:
        gate = asyncio.Event()
        server = await world.server(gated(gate, says(code="NXDOMAIN")))
        resolver = world.resolver(server, lookups_limit=2, waiting_limit=3)
        answers = [world.loop.create_task(world.mx(resolver, f"{n}.example")) for n in range(5)]
        await server.has_heard(2)
        told: list[MxAnswer] = []
        resolver.mx("6.example", told.append)
        assert told == [LookupFailed("too many look-ups are waiting already")]
        # One more may ask what others ask already; but not more of them than may wait in all.
        answers += [world.loop.create_task(world.mx(resolver, "0.example")) for _ in range(2)]
        await asyncio.wait(answers, timeout=0)
        assert len(server.heard) == 2
        resolver.mx("0.example", told.append)
        assert len(told) == 2
        gate.set()
        assert set(await asyncio.gather(*answers)) == {NoSuchName(str(server.endpoint))}
        assert sorted(server.heard) == [f"{n}.example MX" for n in range(5)]
        assert set(server.heard[:2]) == {"0.example MX", "1.example MX"}

    play(scene)


def test_close_answers_what_is_in_flight_and_what_waits(play):
    async def scene(world: World) -> None:
        server = await world.server(silent)
        resolver = world.resolver(server, lookups_limit=2)
        told: list[MxAnswer | AddressAnswer] = []
        resolver.mx("a.example", told.append)
        resolver.addresses("b.example", told.append)
        resolver.mx("c.example", told.append)
        await server.has_heard(3)
        await resolver.close()
        closed = LookupFailed("the resolver is closed")
        assert told == [closed] * 3
        resolver.mx("d.example", told.append)
        assert told == [closed] * 4
        await resolver.close()
        assert len(server.heard) == 3
        assert asyncio.all_tasks() == {asyncio.current_task()} | server._tasks | own_tasks()

    def own_tasks() -> set[asyncio.Task[Any]]:
        # `wait_for` runs the scene in a task beside the one that waits for it.
        return {task for task in asyncio.all_tasks() if "whole" in repr(task.get_coro())}

    play(scene)


# --- The system's servers -----------------------------------------------------------------------------


def test_the_systems_servers(tmp_path):
    file = tmp_path / "resolv.conf"
    file.write_bytes(
        b"# caf\xe9\nsearch example.org\nnameserver 192.0.2.53\nnameserver\nnameserver nonsense\n"
        b"  nameserver 2001:db8::53 # second\nnameserver fe80::1%eth0\nnameserver 192.0.2.54\n"
    )
    assert [str(server) for server in system_servers(file)] == [
        "192.0.2.53:53",
        "[2001:db8::53]:53",
        "[fe80::1%eth0]:53",
    ]


def test_without_a_word_from_the_system_this_machine_is_asked(tmp_path):
    assert system_servers(tmp_path / "missing") == (Endpoint("127.0.0.1", 53),)


def test_without_settings_the_systems_servers_are_used(play):
    async def scene(world: World) -> None:
        resolver = DnsResolver(world.loop, world.clock)
        assert tuple(server.endpoint for server in resolver._servers) == system_servers()
        await resolver.close()

    play(scene)
