"""The resolver against a real name server, Knot DNS: what it says arrives as a value of the port."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterator
from typing import Any, TypeVar

import pytest
import uvloop
from tests.integration.dns_server import KNOTD, WHY_NOT, KnotFault, KnotServer, free_port

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
from byreturn.transport.resolver import DnsResolver, ResolverSettings

pytestmark = [pytest.mark.peer, pytest.mark.skipif(KNOTD is None, reason=WHY_NOT)]

T = TypeVar("T")

ZONES = {
    "example.org": (
        "@ MX 20 backup\n@ MX 10 MX1\n"
        "mx1 A 127.0.0.5\nmx1 A 127.0.0.6\nmx1 AAAA ::1\nbackup A 127.0.0.7\nsix AAAA ::2\n"
        'silent TXT "no mail here"\n'
        "alias CNAME @\nalias2 CNAME alias\nnowhere CNAME missing\n"
        "circle CNAME circle2\ncircle2 CNAME circle\n"
        "elsewhere CNAME mail.example.net.\ngone CNAME gone.example.net.\noutside CNAME x.example.invalid.\n"
        "*.wild MX 5 mx1\n"
        "192.0.2.9 A 127.0.0.9\n"
    )
    + "".join(f"many MX {n} a-rather-long-host-name-to-fill-the-packet-{n}\n" for n in range(600))
    + "".join(f"crowd A 10.0.{n // 250}.{n % 250}\ncrowd AAAA fd00::{n + 1:x}\n" for n in range(300))
    + "".join(f"c{n} CNAME c{n + 1}\n" for n in range(12)),
    "example.net": "@ MX 0 .\nmail MX 10 mx1.example.org.\nmail A 127.0.0.8\n",
}


class StoppedClock:
    def now(self) -> int:
        return 1_700_000_000_000

    def is_trusted(self) -> bool:
        return True

    def call_later(self, delay: int, call: Callable[[], None]) -> Any:
        raise NotImplementedError


class Asking:
    """A resolver whose answers are awaited."""

    def __init__(self, *knots: KnotServer) -> None:
        settings = ResolverSettings(servers=tuple(Endpoint(knot.address, knot.port) for knot in knots))
        self.loop = asyncio.get_running_loop()
        self.resolver = DnsResolver(self.loop, StoppedClock(), settings)

    async def mx(self, domain: str) -> MxAnswer:
        answer: asyncio.Future[MxAnswer] = self.loop.create_future()
        self.resolver.mx(domain, answer.set_result)
        return await answer

    async def addresses(self, host: str) -> AddressAnswer:
        answer: asyncio.Future[AddressAnswer] = self.loop.create_future()
        self.resolver.addresses(host, answer.set_result)
        return await answer

    async def poll(self, name: str) -> list[Verdict]:
        answer: asyncio.Future[tuple[Opinion, ...]] = self.loop.create_future()
        self.resolver.poll(name, answer.set_result)
        return [opinion.verdict for opinion in await answer]


@pytest.fixture(scope="module")
def knot() -> Iterator[KnotServer]:
    with KnotServer(ZONES) as server:
        yield server


@pytest.fixture(params=[asyncio.new_event_loop, uvloop.new_event_loop], ids=["asyncio", "uvloop"])
def loop_factory(request: pytest.FixtureRequest) -> Callable[[], asyncio.AbstractEventLoop]:
    return request.param


@pytest.fixture
def ask(
    loop_factory: Callable[[], asyncio.AbstractEventLoop], knot: KnotServer
) -> Iterator[Callable[[Callable[[Asking], Coroutine[Any, Any, T]]], T]]:
    async def whole(scene: Callable[[Asking], Coroutine[Any, Any, T]]) -> T:
        asking = Asking(knot)
        try:
            return await scene(asking)
        finally:
            await asking.resolver.close()

    with asyncio.Runner(loop_factory=loop_factory) as runner:
        yield lambda scene: runner.run(whole(scene))


def test_mx_hosts_come_by_preference_in_lower_case(ask):
    assert ask(lambda dns: dns.mx("Example.ORG.")) == MxFound(
        (MxRecord(10, "mx1.example.org"), MxRecord(20, "backup.example.org"))
    )


def test_ipv6_comes_first(ask):
    found = ask(lambda dns: dns.addresses("mx1.example.org"))
    assert isinstance(found, AddressesFound)
    assert found.addresses[0] == "::1"
    assert sorted(found.addresses[1:]) == ["127.0.0.5", "127.0.0.6"]


@pytest.mark.parametrize(
    ("host", "address"), [("six.example.org", "::2"), ("backup.example.org", "127.0.0.7")]
)
def test_one_family_is_enough(ask, host, address):
    assert ask(lambda dns: dns.addresses(host)) == AddressesFound((address,))


def test_a_null_mx_is_the_empty_host(ask):
    assert ask(lambda dns: dns.mx("example.net")) == MxFound((MxRecord(0, ""),))


@pytest.mark.parametrize("name", ["missing.example.org", "nowhere.example.org", "gone.example.org"])
def test_no_such_name_names_the_server(ask, knot, name):
    server = f"{knot.address}:{knot.port}"
    assert ask(lambda dns: dns.mx(name)) == NoSuchName(server)
    assert ask(lambda dns: dns.addresses(name)) == NoSuchName(server)


def test_a_name_without_records_exists(ask, knot):
    server = f"{knot.address}:{knot.port}"
    assert ask(lambda dns: dns.mx("silent.example.org")) == NoRecords(server)
    assert ask(lambda dns: dns.addresses("silent.example.org")) == NoRecords(server)
    assert ask(lambda dns: dns.mx("wild.example.org")) == NoRecords(server)


@pytest.mark.parametrize("name", ["alias.example.org", "alias2.example.org", "c4.example.org"])
def test_aliases_inside_the_zone(ask, knot, name):
    answer = ask(lambda dns: dns.mx(name))
    if name.startswith("c"):
        # Eight aliases lead to c12, which does not exist.
        assert answer == NoSuchName(f"{knot.address}:{knot.port}")
    else:
        assert isinstance(answer, MxFound)


@pytest.mark.parametrize("name", ["c3.example.org", "c0.example.org", "circle.example.org"])
def test_too_many_aliases_are_no_verdict(ask, name):
    assert ask(lambda dns: dns.mx(name)) == LookupFailed(f"{name} leads along more than 8 aliases")


def test_an_alias_into_another_zone_is_followed_by_a_question_of_its_own(ask):
    assert ask(lambda dns: dns.mx("elsewhere.example.org")) == MxFound((MxRecord(10, "mx1.example.org"),))
    assert ask(lambda dns: dns.addresses("elsewhere.example.org")) == AddressesFound(("127.0.0.8",))


def test_a_refusal_is_no_verdict(ask, knot):
    why = f"{knot.address}:{knot.port} answered REFUSED for x.example.invalid MX"
    assert ask(lambda dns: dns.mx("x.example.invalid")) == LookupFailed(why)
    assert ask(lambda dns: dns.mx("outside.example.org")) == LookupFailed(why)


def test_a_wildcard_answers_for_the_name_asked(ask):
    assert ask(lambda dns: dns.mx("any.wild.example.org")) == MxFound((MxRecord(5, "mx1.example.org"),))


def test_answers_larger_than_a_datagram_come_over_tcp_and_are_cut(ask):
    found = ask(lambda dns: dns.mx("many.example.org"))
    assert isinstance(found, MxFound)
    assert [record.preference for record in found.records] == list(range(500))
    crowd = ask(lambda dns: dns.addresses("crowd.example.org"))
    assert isinstance(crowd, AddressesFound)
    assert [":" in address for address in crowd.addresses] == [True] * 32 + [False] * 32


def test_text_of_an_address_is_a_name_like_any_other(ask):
    assert isinstance(ask(lambda dns: dns.addresses("192.0.2.9")), LookupFailed)
    assert ask(lambda dns: dns.addresses("192.0.2.9.example.org")) == AddressesFound(("127.0.0.9",))


def test_a_thousand_at_once_all_come_back(ask):
    async def scene(dns: Asking) -> list[MxAnswer]:
        return await asyncio.gather(*(dns.mx(f"host{n}.wild.example.org") for n in range(1000)))

    assert set(ask(scene)) == {MxFound((MxRecord(5, "mx1.example.org"),))}


@pytest.mark.parametrize(
    ("name", "verdict"),
    [
        ("example.org", Verdict.EXISTS),
        ("silent.example.org", Verdict.EXISTS),
        ("any.wild.example.org", Verdict.EXISTS),
        ("many.example.org", Verdict.EXISTS),
        ("elsewhere.example.org", Verdict.EXISTS),
        ("missing.example.org", Verdict.DENIED),
        ("nowhere.example.org", Verdict.DENIED),
        ("gone.example.org", Verdict.DENIED),
        ("circle.example.org", Verdict.NO_WORD),
        ("outside.example.org", Verdict.NO_WORD),
        ("x.example.invalid", Verdict.NO_WORD),
        ("", Verdict.NO_WORD),
    ],
)
def test_an_opinion_on_a_name(ask, name, verdict):
    assert ask(lambda dns: dns.poll(name)) == [verdict]


def test_servers_of_two_opinions_are_both_heard(loop_factory, knot):
    async def scene(other: KnotServer) -> None:
        asking = Asking(knot, other)
        assert await asking.poll("example.org") == [Verdict.EXISTS, Verdict.DENIED]
        assert await asking.poll("missing.example.org") == [Verdict.DENIED, Verdict.DENIED]
        assert await asking.poll("elsewhere.test") == [Verdict.NO_WORD, Verdict.EXISTS]
        assert await asking.poll("") == [Verdict.NO_WORD, Verdict.EXISTS]
        await asking.resolver.close()

    # One that has a root of its own, and denies all that is not in it.
    with (
        KnotServer({".": "elsewhere.test A 127.0.0.1\n"}) as other,
        asyncio.Runner(loop_factory=loop_factory) as runner,
    ):
        runner.run(scene(other))


def has_ipv6() -> bool:
    try:
        free_port("::1")
    except OSError:
        return False
    return True


@pytest.mark.skipif(not has_ipv6(), reason="this machine has no ::1")
def test_a_server_may_have_an_ipv6_address(loop_factory):
    async def scene(knot: KnotServer) -> None:
        asking = Asking(knot)
        assert isinstance(await asking.mx("many.example.org"), MxFound)
        assert await asking.mx("missing.example.org") == NoSuchName(f"[::1]:{knot.port}")
        await asking.resolver.close()

    with KnotServer(ZONES, address="::1") as knot, asyncio.Runner(loop_factory=loop_factory) as runner:
        runner.run(scene(knot))


def test_a_server_that_starts_anew_is_asked_again(loop_factory):
    async def scene() -> None:
        with KnotServer({"example.org": "@ MX 1 a\n"}) as first:
            asking = Asking(first)
            assert isinstance(await asking.mx("example.org"), MxFound)
        gone = await asking.mx("b.example.org")
        assert gone == LookupFailed(
            f"127.0.0.1:{first.port} could not be asked (Connection refused) for b.example.org MX"
        )
        with KnotServer({"example.org": "@ MX 1 a\n"}, port=first.port):
            assert await asking.mx("c.example.org") == NoSuchName(f"127.0.0.1:{first.port}")
        await asking.resolver.close()

    with asyncio.Runner(loop_factory=loop_factory) as runner:
        runner.run(scene())


def test_a_zone_that_cannot_be_read_is_told_at_once():
    with pytest.raises(KnotFault, match="invalid number"), KnotServer({"example.org": "@ MX zero a\n"}):
        pass
