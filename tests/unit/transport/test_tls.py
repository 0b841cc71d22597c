"""TLS under a stream: the layer in memory against OpenSSL's server side, and the stream on a real socket.

The certificates are those that the integration tests make, too.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import ssl
from collections.abc import Coroutine
from typing import Any

import pytest
import uvloop
from tests.integration.certificates import OPENSSL, WHY_NOT, Authority, self_signed

from byreturn.ports import Endpoint, TlsFacts, TlsFailed, TlsSettings
from byreturn.transport import SocketDialer
from byreturn.transport.tls import ClientTls, TlsBroken

pytestmark = pytest.mark.skipif(OPENSSL is None, reason=WHY_NOT)

ANY = TlsSettings("mx.there.example", verify=False)
VERIFY = TlsSettings("mx.there.example", verify=True)
SECOND = 1000


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("certificates")


@pytest.fixture(scope="module")
def nobody(folder):
    return self_signed(folder, "nobody.example")


@pytest.fixture(scope="module")
def authority(folder):
    return Authority(folder)


# --- The layer ----------------------------------------------------------------------------------------


class Server:
    """OpenSSL's server side in memory."""

    def __init__(self, context: ssl.SSLContext) -> None:
        self.names: list[str | None] = []
        context.sni_callback = lambda _session, name, _context: self.names.append(name)
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.session = context.wrap_bio(self._incoming, self._outgoing, server_side=True)

    def receive(self, octets: bytes) -> bytes:
        self._incoming.write(octets)
        with contextlib.suppress(ssl.SSLWantReadError):
            self.session.do_handshake()
        with contextlib.suppress(ssl.SSLWantReadError):
            return self.session.read(1 << 20)
        return b""

    def take_output(self) -> bytes:
        return self._outgoing.read()


def shake_hands(layer, server):
    layer.begin()
    for _ in range(4):
        server.receive(layer.take_output())
        layer.receive(server.take_output())
        if layer.facts is not None:
            server.receive(layer.take_output())
            return
    raise AssertionError("no handshake")


def test_any_certificate_will_do_where_none_is_checked(nobody):
    layer, server = ClientTls().layer(ANY), Server(nobody)
    shake_hands(layer, server)
    assert layer.facts == TlsFacts("TLSv1.3", layer.facts.cipher, is_verified=False)
    assert str(layer.facts) == f"TLSv1.3 {layer.facts.cipher}"
    assert server.names == ["mx.there.example"]


def test_octets_pass_in_both_directions_however_they_are_cut(nobody):
    layer, server = ClientTls().layer(ANY), Server(nobody)
    shake_hands(layer, server)
    layer.encrypt(b"x" * 300_000)
    assert server.receive(layer.take_output()) + server.receive(b"") != b""
    server.session.write(b"250 first\r\n" * 3_000)
    server.session.write(b"250 second\r\n")
    octets = server.take_output()
    heard = b"".join(layer.receive(octets[at : at + 1000]) for at in range(0, len(octets), 1000))
    assert heard == b"250 first\r\n" * 3_000 + b"250 second\r\n"


def test_an_address_is_checked_and_not_told(folder, authority):
    layer = ClientTls(authority.certificate).layer(TlsSettings("192.0.2.7", verify=True))
    server = Server(authority.certify("192.0.2.7"))
    shake_hands(layer, server)
    assert layer.facts.is_verified
    assert str(layer.facts).endswith(" verified")
    assert server.names == [None]


@pytest.mark.parametrize(
    ("name", "believes", "why"),
    [
        ("other.example", True, "Hostname mismatch"),
        ("mx.there.example", False, "unable to get local issuer certificate"),
    ],
)
def test_a_certificate_that_is_not_good_ends_the_handshake(authority, name, believes, why):
    layer = ClientTls(authority.certificate if believes else None).layer(VERIFY)
    with pytest.raises(TlsBroken, match=why):
        shake_hands(layer, Server(authority.certify(name)))
    # The alert is there to be sent.
    assert layer.take_output()
    assert layer.facts is None


def test_tls_1_1_is_not_spoken(folder):
    old = self_signed(folder, "very-old.example")
    # OpenSSL itself would not: its own level of security is lowered for the test.
    old.set_ciphers("DEFAULT:@SECLEVEL=0")
    with pytest.warns(DeprecationWarning, match="TLSv1"):
        old.minimum_version = ssl.TLSVersion.TLSv1
    with pytest.warns(DeprecationWarning, match="TLSv1"):
        old.maximum_version = ssl.TLSVersion.TLSv1_1
    layer, server = ClientTls().layer(ANY), Server(old)
    layer.begin()
    with pytest.raises(ssl.SSLError):
        server.receive(layer.take_output())
    with pytest.raises(TlsBroken, match="TLS: "):
        layer.receive(server.take_output())


@pytest.mark.parametrize("verify", [False, True])
@pytest.mark.parametrize("host", ["", ".example", "a..example", "x" * 64 + ".example", "a\0b.example"])
def test_a_name_that_can_be_in_no_certificate_is_no_bug(host, verify):
    with pytest.raises(TlsBroken):
        ClientTls().layer(TlsSettings(host, verify))


def test_roots_that_are_gone_are_no_bug(tmp_path):
    shared = ClientTls(tmp_path / "gone.pem")
    with pytest.raises(TlsBroken):
        shared.layer(VERIFY)
    shared.layer(ANY)


@pytest.mark.parametrize("octets", [b"220 go\r\n", b"\0" * 100, bytes((21, 3, 3, 0, 2, 2, 40))])
def test_what_is_no_handshake_breaks_it(octets):
    layer = ClientTls().layer(ANY)
    layer.begin()
    with pytest.raises(TlsBroken):
        layer.receive(octets)


def test_clear_text_after_the_handshake_breaks_it(nobody):
    layer, server = ClientTls().layer(ANY), Server(nobody)
    shake_hands(layer, server)
    with pytest.raises(TlsBroken):
        layer.receive(b"250 OK\r\n" * 10)


def test_a_goodbye_is_heard_after_what_came_before_it(nobody):
    layer, server = ClientTls().layer(ANY), Server(nobody)
    shake_hands(layer, server)
    server.session.write(b"221 Bye\r\n")
    with pytest.raises(ssl.SSLWantReadError):
        server.session.unwrap()
    assert layer.receive(server.take_output()) == b"221 Bye\r\n"
    assert layer.is_over
    layer.goodbye()
    assert layer.take_output()


# --- The stream ---------------------------------------------------------------------------------------


class User:
    """Writes down what it is told."""

    def __init__(self) -> None:
        self.heard = b""
        self.closed: list[str] = []
        self.results: list[TlsFacts | TlsFailed] = []
        self.room = 0
        self._changed = asyncio.Event()

    def on_data(self, data):
        self.heard += data
        self._changed.set()

    def on_writable(self):
        self.room += 1
        self._changed.set()

    def on_closed(self, why):
        self.closed.append(why)
        self._changed.set()

    def on_tls(self, result):
        self.results.append(result)
        self._changed.set()

    async def until(self, is_so):
        async with asyncio.timeout(10):
            while not is_so():
                self._changed.clear()
                await self._changed.wait()


def on_loop(scene: Coroutine[Any, Any, None]) -> None:
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        loop = runner.get_loop()
        bugs: list[dict[str, Any]] = []
        loop.set_exception_handler(lambda _loop, context: bugs.append(context))
        runner.run(scene)
        assert bugs == []


@contextlib.asynccontextmanager
async def connected(serve):
    """A server on a real socket, a stream that was dialled to it, and its user."""

    async def attend(reader, writer):
        with contextlib.suppress(ConnectionError, ssl.SSLError, asyncio.IncompleteReadError):
            await serve(reader, writer)
        writer.close()

    server = await asyncio.start_server(attend, "127.0.0.1", 0)
    dialled = asyncio.get_running_loop().create_future()
    endpoint = Endpoint(*server.sockets[0].getsockname()[:2])
    SocketDialer(asyncio.get_running_loop()).dial(endpoint, 5 * SECOND, dialled.set_result)
    stream, user = await dialled, User()
    stream.use(user)
    try:
        yield stream, user
    finally:
        stream.abort()
        server.close()


async def start(stream, user, settings=ANY):
    stream.start_tls(settings, user.on_tls)
    assert user.results == [], "never from inside"
    await user.until(lambda: user.results or user.closed)


def test_a_stream_is_encrypted_and_stays_the_same_stream(nobody):
    may_read = asyncio.Event()

    async def serve(reader, writer):
        await writer.start_tls(nobody)
        await may_read.wait()
        heard = hashlib.sha256()
        while not (octets := await reader.read(1 << 20)).endswith(b"END"):
            heard.update(octets)
        heard.update(octets)
        # More than one read of ours, and more than one record.
        writer.write(heard.digest() * 10_000)
        await writer.drain()
        await reader.read()

    async def scene():
        async with connected(serve) as (stream, user):
            assert stream.tls is None
            peer = stream.peer
            await start(stream, user)
            assert stream.tls == user.results[0]
            assert stream.peer == peer
            said = hashlib.sha256()
            piece = bytes(range(250)) * 400
            # The limit of what is buffered is that of the socket, as it is without TLS.
            for _ in range(1_000):
                said.update(piece)
                if not stream.write(piece):
                    break
            else:
                raise AssertionError("the stream takes everything")
            may_read.set()
            await user.until(lambda: user.room)
            said.update(b"END")
            stream.write(b"END")
            await user.until(lambda: len(user.heard) == 320_000)
            assert user.heard == said.digest() * 10_000
            stream.close()
            await user.until(lambda: user.closed)
            assert user.closed == [""]
            assert not stream.write(b"more")

    on_loop(scene())


def test_a_stream_that_pauses_hears_nothing_until_it_goes_on(nobody):
    async def serve(reader, writer):
        await writer.start_tls(nobody)
        await reader.readexactly(1)
        writer.write(b"later")
        await writer.drain()
        await reader.read()

    async def scene():
        async with connected(serve) as (stream, user):
            await start(stream, user)
            stream.pause()
            stream.write(b"?")
            await asyncio.sleep(0.05)  # noqa: TID251
            assert user.heard == b""
            stream.resume()
            await user.until(lambda: user.heard == b"later")

    on_loop(scene())


def test_a_handshake_that_fails_is_told_once_and_closes(nobody):
    async def serve(reader, writer):
        await writer.start_tls(nobody)

    async def scene():
        async with connected(serve) as (stream, user):
            await start(stream, user, VERIFY)
            await user.until(lambda: user.closed)
            (failed,) = user.results
            assert isinstance(failed, TlsFailed)
            assert "the certificate is not good: " in failed.why
            assert len(user.closed) == 1
            assert stream.tls is None

    on_loop(scene())


def test_a_name_that_cannot_be_is_told_later_and_lets_nothing_through():
    async def serve(reader, writer):
        writer.write(b"clear text")
        await reader.read()

    async def scene():
        async with connected(serve) as (stream, user):
            await start(stream, user, TlsSettings("a..b", verify=False))
            assert isinstance(user.results[0], TlsFailed)
            assert user.heard == b""

    on_loop(scene())


@pytest.mark.parametrize("how", ["close", "abort"])
def test_a_stream_that_is_ended_in_the_handshake_calls_nobody_back(how):
    async def serve(reader, writer):
        await reader.read(1000)
        await reader.read()

    async def scene():
        async with connected(serve) as (stream, user):
            stream.start_tls(ANY, user.on_tls)
            await asyncio.sleep(0.02)  # noqa: TID251
            getattr(stream, how)()
            await user.until(lambda: user.closed)
            assert user.results == []
            assert user.closed == [""]

    on_loop(scene())


def test_a_peer_that_hangs_up_in_the_handshake_is_an_end():
    async def serve(reader, writer):
        await reader.read(1000)

    async def scene():
        async with connected(serve) as (stream, user):
            await start(stream, user)
            assert user.results == []
            assert user.closed == [""]

    on_loop(scene())


def test_clear_text_in_the_middle_ends_the_stream_and_says_why(nobody):
    async def serve(reader, writer):
        raw = writer.transport
        await writer.start_tls(nobody)
        await reader.readexactly(1)
        raw.write(b"250 in clear text\r\n")
        await reader.read()

    async def scene():
        async with connected(serve) as (stream, user):
            await start(stream, user)
            stream.write(b"?")
            await user.until(lambda: user.closed)
            assert user.closed[0].startswith("TLS: ")
            assert user.heard == b""

    on_loop(scene())


def test_a_lingering_stream_says_goodbye_and_hears_nothing_more(nobody):
    async def serve(reader, writer):
        await writer.start_tls(nobody)
        await reader.read()
        writer.write(b"unheard")

    async def scene():
        async with connected(serve) as (stream, user):
            await start(stream, user)
            stream.linger(200)
            await user.until(lambda: user.closed)
            assert user.heard == b""

    on_loop(scene())
