"""TLS towards other hosts, with real handshakes: row R8 of the fault matrix, and the four levels.

What a peer took tells how it came: `Received.tls`. What it heard stands in its ledger, and where mail may not
go in clear text, the ledger must not have so much as a sender in it.
"""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest
from demo.peers import Mood, MoodyPeer
from tests.integration.certificates import OPENSSL, WHY_NOT, Authority, self_signed
from tests.integration.dns_server import KNOTD, KnotServer
from tests.integration.dns_server import WHY_NOT as WHY_NO_KNOT
from tests.integration.server import (
    MESSAGE,
    SENDER,
    Report,
    RunningServer,
    config_text,
    free_port_of,
    route,
    until,
)

pytestmark = pytest.mark.skipif(OPENSSL is None, reason=WHY_NOT)

GOOD = "good@partner.example"
WORKS = Mood(tls="works")
LATER = {"after_4yz": ["1h"], "intervals": ["1h"], "probe_limit": "1h"}
BIG = MESSAGE + b"0123456789012345678901234567890123456789012345678901234567890123456789\r\n" * 100_000


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("certificates")


@pytest.fixture(scope="module")
def anybody(folder: Path) -> ssl.SSLContext:
    return self_signed(folder, "whoever.example")


@pytest.fixture(scope="module")
def authority(folder: Path) -> Authority:
    return Authority(folder)


@contextmanager
def house(
    folder: Path, *peers: MoodyPeer, timeouts: dict[str, str] | None = None, **delivery: Any
) -> Iterator[RunningServer]:
    changes = {
        "report": {"gather": "100ms"},
        "retry": LATER,
        "delivery": delivery,
        "delivery.timeouts": timeouts or {},
        "route": [route("partner.example", *(peer.endpoint for peer in peers))],
    }
    with RunningServer(folder, config_text(changes)) as server:
        yield server


def is_delivered(server: RunningServer) -> bool:
    """Wait for it, and for the journal, which is written a moment later."""
    return bool(until(lambda: server.state_of(GOOD) == "delivered" and server.facts("relayed")))


def was_put_off(server: RunningServer) -> str:
    """Wait until the recipient was put off, and say why."""
    assert until(lambda: server.facts("put off")), server.journal()
    assert server.state_of(GOOD) == "waiting"
    assert server.facts("failed") == []
    return str(server.facts("put off")[0]["why"])


def heard_nothing_in_clear(peer: MoodyPeer) -> bool:
    heard = {one.text.partition(" ")[0] for one in peer.ledger if one.who == "C"}
    return heard <= {"EHLO", "STARTTLS", "QUIT"} and not peer.received


class TestOpportunistic:
    def test_any_certificate_will_do(self, tmp_path: Path, anybody: ssl.SSLContext) -> None:
        with MoodyPeer(mood=WORKS, tls=anybody) as peer, house(tmp_path, peer) as server:
            server.send(SENDER, [GOOD, "unknown@partner.example"])
            assert is_delivered(server)
            (got,) = peer.received
            assert got.tls == "TLSv1.3"
            assert got.content.endswith(MESSAGE)
            # What was learnt in clear text was asked for again.
            assert len(peer.said("C", "EHLO")) == 2
            report = Report(server.wait_for_mail("sender")[0])
            assert "550 5.1.1" in report.field("unknown@partner.example", "Diagnostic-Code")
            (why,) = (entry["why"] for entry in server.facts("relayed"))
            assert "over TLSv1.3 TLS_" in why
            assert server.facts("TLS failed") == []

    def test_a_large_message_and_a_connection_kept(self, tmp_path: Path, anybody: ssl.SSLContext) -> None:
        with MoodyPeer(mood=WORKS, tls=anybody) as peer, house(tmp_path, peer, idle="10s") as server:
            server.send(SENDER, [GOOD], BIG)
            assert until(lambda: len(server.facts("relayed")) == 1, 30)
            for _ in range(3):
                server.send(SENDER, [GOOD])
            assert until(lambda: len(server.facts("relayed")) == 4)
            assert [one.tls for one in peer.received] == ["TLSv1.3"] * 4
            assert peer.received[0].content.endswith(BIG)
            assert peer.connections == 1

    def test_tls_1_2_is_good_enough(self, tmp_path: Path, folder: Path) -> None:
        old = self_signed(folder, "old.example")
        old.maximum_version = ssl.TLSVersion.TLSv1_2
        with MoodyPeer(mood=WORKS, tls=old) as peer, house(tmp_path, peer) as server:
            server.send(SENDER, [GOOD])
            assert is_delivered(server)
            assert peer.received[0].tls == "TLSv1.2"

    @pytest.mark.parametrize(
        "mood",
        [
            Mood(tls="fails"),
            Mood(tls="works", close_after="starttls"),
            Mood(tls="works", silent_after="starttls"),
            Mood(tls="works", answers={"starttls": "close"}),
            Mood(tls="works", answers={"starttls": "421 4.7.0 No TLS, good bye"}),
        ],
        ids=["alert", "hangs up at the handshake", "silent", "hangs up at STARTTLS", "421"],
    )
    def test_a_handshake_that_fails_is_no_reason_to_keep_the_mail(
        self, tmp_path: Path, anybody: ssl.SSLContext, mood: Mood
    ) -> None:
        limits = {"tls": "500ms"}
        with MoodyPeer(mood=mood, tls=anybody) as peer, house(tmp_path, peer, timeouts=limits) as server:
            if mood.silent_after:
                # A mood is looked at anew: silent in the handshake, and friendly when it is dialled again.
                server.send(SENDER, [GOOD])
                assert peer.wait_for(lambda peer: peer.said("S", "220 2.0.0 Ready"))
                peer.mood = Mood()
            else:
                server.send(SENDER, [GOOD])
            assert is_delivered(server)
            assert [one.tls for one in peer.received] == [""]
            assert peer.connections == 2
            (failed,) = server.facts("TLS failed")
            assert "tls-failed" in failed["why"]
            assert server.facts("put off") == []
            assert "over TLS" not in server.facts("relayed")[0]["why"]

    @pytest.mark.parametrize("answer", ["454 4.7.0 TLS not available", "554 5.7.3 No TLS", "501 what"])
    def test_where_starttls_is_refused_the_dialogue_goes_on(self, tmp_path: Path, answer: str) -> None:
        mood = Mood(tls="works", answers={"starttls": answer})
        with MoodyPeer(mood=mood) as peer, house(tmp_path, peer) as server:
            server.send(SENDER, [GOOD])
            assert is_delivered(server)
            assert peer.connections == 1

    def test_what_is_injected_behind_the_220_is_not_believed(
        self, tmp_path: Path, anybody: ssl.SSLContext
    ) -> None:
        evil = "250-evil\r\n250 SIZE 1"
        mood = Mood(tls="works", extra_replies={"starttls": evil})
        with MoodyPeer(mood=mood, tls=anybody) as first, house(tmp_path, first) as server:
            server.send(SENDER, [GOOD])
            assert "clear text behind the answer to STARTTLS" in was_put_off(server)
            assert heard_nothing_in_clear(first)
            assert first.connections == 1

    def test_the_next_host_is_tried_after_an_injection(self, tmp_path: Path, anybody: ssl.SSLContext) -> None:
        mood = Mood(tls="works", extra_replies={"starttls": "554 5.7.1 evil"})
        with (
            MoodyPeer(mood=mood, tls=anybody) as first,
            MoodyPeer(mood=WORKS, tls=anybody) as second,
            house(tmp_path, first, second) as server,
        ):
            server.send(SENDER, [GOOD])
            assert is_delivered(server)
            assert [one.tls for one in second.received] == ["TLSv1.3"]
            assert heard_nothing_in_clear(first)

    def test_none_asks_for_nothing(self, tmp_path: Path, anybody: ssl.SSLContext) -> None:
        with MoodyPeer(mood=WORKS, tls=anybody) as peer, house(tmp_path, peer, tls="none") as server:
            server.send(SENDER, [GOOD])
            assert is_delivered(server)
            assert peer.said("C", "STARTTLS") == []


class TestRequired:
    def test_any_certificate_will_do(self, tmp_path: Path, anybody: ssl.SSLContext) -> None:
        with MoodyPeer(mood=WORKS, tls=anybody) as peer, house(tmp_path, peer, tls="required") as server:
            server.send(SENDER, [GOOD])
            assert is_delivered(server)
            assert peer.received[0].tls == "TLSv1.3"

    @pytest.mark.parametrize(
        ("mood", "why"),
        [
            (Mood(), "tls-not-offered"),
            (Mood(answers={"ehlo": "502 5.5.1 Command unknown"}), "tls-not-offered"),
            (Mood(tls="fails"), "tls-failed"),
            (Mood(tls="works", answers={"starttls": "454 4.7.0 Not now"}), "454 4.7.0 Not now"),
            (Mood(tls="works", answers={"starttls": "554 5.7.3 Never"}), "554 5.7.3 Never"),
            (Mood(tls="works", close_after="starttls"), "tls-failed"),
            (Mood(tls="works", silent_after="starttls"), "no answer within the time limit"),
            (Mood(tls="works", extra_replies={"starttls": "250 evil"}), "clear text behind"),
        ],
        ids=["not offered", "HELO", "alert", "454", "554", "hangs up", "silent", "injected"],
    )
    def test_where_it_cannot_be_had_the_mail_waits(
        self, tmp_path: Path, anybody: ssl.SSLContext, mood: Mood, why: str
    ) -> None:
        limits = {"tls": "500ms"}
        with (
            MoodyPeer(mood=mood, tls=anybody) as peer,
            house(tmp_path, peer, timeouts=limits, tls="required") as server,
        ):
            server.send(SENDER, [GOOD])
            assert why in was_put_off(server)
            assert [entry["destination"] for entry in server.facts("destination failing")] == [
                "partner.example"
            ]
            assert peer.connections == 1
            assert all(one.text.partition(" ")[0] != "MAIL" for one in peer.said("C", ""))
            assert not peer.received
            assert server.mailbox("sender") == []

    def test_the_next_host_may_have_it(self, tmp_path: Path, anybody: ssl.SSLContext) -> None:
        with (
            MoodyPeer() as without,
            MoodyPeer(mood=Mood(tls="fails")) as broken,
            MoodyPeer(mood=WORKS, tls=anybody) as good,
            house(tmp_path, without, broken, good, tls="required") as server,
        ):
            server.send(SENDER, [GOOD])
            assert is_delivered(server)
            assert [one.tls for one in good.received] == ["TLSv1.3"]
            assert heard_nothing_in_clear(without)
            assert heard_nothing_in_clear(broken)


class TestVerified:
    def test_a_static_route_by_address_has_the_address_for_a_name(
        self, tmp_path: Path, authority: Authority
    ) -> None:
        with (
            MoodyPeer(mood=WORKS, tls=authority.certify("127.0.0.1")) as peer,
            house(tmp_path, peer, tls="verified", tls_roots=str(authority.certificate)) as server,
        ):
            server.send(SENDER, [GOOD])
            assert is_delivered(server)
            assert server.facts("relayed")[0]["why"].partition(" in answer")[0].endswith(" verified")

    @pytest.mark.parametrize("whose", ["self-signed", "another name", "not believed"])
    def test_what_is_not_good_is_not_used(
        self, tmp_path: Path, folder: Path, authority: Authority, whose: str
    ) -> None:
        context, why, roots = {
            "self-signed": (
                self_signed(folder, "127.0.0.1"),
                "self-signed certificate",
                {"tls_roots": str(authority.certificate)},
            ),
            "another name": (
                authority.certify("mx1.other.example"),
                "IP address mismatch",
                {"tls_roots": str(authority.certificate)},
            ),
            "not believed": (authority.certify("127.0.0.1"), "unable to get local issuer", {}),
        }[whose]
        with (
            MoodyPeer(mood=WORKS, tls=context) as peer,
            house(tmp_path, peer, tls="verified", **roots) as server,
        ):
            server.send(SENDER, [GOOD])
            assert why in was_put_off(server)
            assert heard_nothing_in_clear(peer)
            assert peer.connections == 1

    @pytest.mark.peer
    @pytest.mark.skipif(KNOTD is None, reason=WHY_NO_KNOT)
    def test_the_name_is_that_of_the_mx(self, tmp_path: Path, authority: Authority) -> None:
        """Not the domain's, and not the address it leads to."""
        right, wrong, by_address = "127.0.0.31", "127.0.0.32", "127.0.0.33"
        zone = (
            f"mx1 A {right}\nmx2 A {wrong}\nmx3 A {by_address}\n"
            "right MX 10 mx1\nwrong MX 10 mx2\naddress MX 10 mx3\nsecond MX 10 mx2\nsecond MX 20 mx1\n"
        )
        port = free_port_of(right, wrong, by_address)
        with ExitStack() as stack:
            knot = stack.enter_context(KnotServer({"example": zone}))
            peers = [
                stack.enter_context(MoodyPeer(address, port, WORKS, authority.certify(name)))
                for address, name in (
                    (right, "mx1.example"), (wrong, "wrong.example"), (by_address, by_address),
                )
            ]  # fmt: skip
            changes = {
                "dns": {"servers": [f"{knot.address}:{knot.port}"]},
                "retry": LATER,
                "delivery": {
                    "port": port,
                    "allow_private": ["127.0.0.0/8"],
                    "tls": "verified",
                    "tls_roots": str(authority.certificate),
                },
            }
            server = stack.enter_context(RunningServer(tmp_path, config_text(changes)))
            for name in ("right", "wrong", "address", "second"):
                server.send(SENDER, [f"info@{name}.example"])
            assert until(lambda: len(server.facts("relayed")) == 2), server.journal()
            assert until(lambda: len(server.facts("put off")) == 2), server.journal()
            assert {entry["to"] for entry in server.facts("relayed")} == {
                "info@right.example", "info@second.example",
            }  # fmt: skip
            assert all("mismatch" in entry["why"] for entry in server.facts("put off"))
            assert sorted(one.recipients[0] for one in peers[0].received) == [
                "info@right.example", "info@second.example",
            ]  # fmt: skip
            assert heard_nothing_in_clear(peers[1])
            assert heard_nothing_in_clear(peers[2])


class TestRoots:
    def test_a_damaged_file_of_roots_stops_the_start(self, tmp_path: Path, authority: Authority) -> None:
        damaged = tmp_path / "roots.pem"
        damaged.write_bytes(authority.certificate.read_bytes()[:-60])
        server = RunningServer(
            tmp_path, config_text({"delivery": {"tls_roots": str(damaged)}}), expects_faults=True
        )
        assert server.spawn().wait(20) != 0
        (line,) = (line for line in server.noise() if "tls_roots" in line)
        assert "no certificates in PEM, or a damaged one. Nothing was started." in line

    def test_remarks_between_the_certificates_may_be_in_any_language(
        self, tmp_path: Path, authority: Authority
    ) -> None:
        roots = tmp_path / "roots.pem"
        roots.write_bytes("# Größte Stelle\n".encode() + authority.certificate.read_bytes())
        with (
            MoodyPeer(mood=WORKS, tls=authority.certify("127.0.0.1")) as peer,
            house(tmp_path, peer, tls="verified", tls_roots="roots.pem") as server,
        ):
            server.send(SENDER, [GOOD])
            assert is_delivered(server)
