"""Clients that are clumsy, greedy or hostile, on real sockets: what they hear, and what is left of them.

And the end of the server as its clients see it: SIGTERM under load, and a second server on the same folder.
"""

from __future__ import annotations

import smtplib
import socket
import threading
import time
from collections import Counter
from pathlib import Path
from typing import Any, ClassVar

import pytest
from demo.peers import Mood, MoodyPeer
from tests.integration.server import (
    MESSAGE,
    SENDER,
    RawClient,
    RunningServer,
    config_text,
    route,
    stays,
    until,
)

INFO = "info@here.example"
GOOD = "good@partner.example"
ENVELOPE = f"MAIL FROM:<{SENDER}>\r\nRCPT TO:<{INFO}>\r\nDATA\r\n".encode()
STUFFED = MESSAGE.replace(b"\r\n.", b"\r\n..")
BIG_LINE = b"0123456789012345678901234567890123456789012345678901234567890123456789\r\n"
BIG_STUFFED = STUFFED + BIG_LINE * 60_000
BIG = MESSAGE + BIG_LINE * (5 * 1024 * 1024 // len(BIG_LINE)) + b".\r\n..\r\n...end\r\n"


def lf(content: bytes) -> bytes:
    """As it is kept in a Maildir."""
    return content.replace(b"\r\n", b"\n")


def server_with(tmp_path: Path, **sections: Any) -> RunningServer:
    return RunningServer(tmp_path, config_text(sections))


def listener(**settings: int) -> list[dict[str, Any]]:
    return [{"bind": ["127.0.0.1:0"], **settings}]


def strays(server: RunningServer) -> list[str]:
    """What lies in the folder of large contents."""
    return sorted(path.name for path in (server.data / "content").iterdir())


class TestPipelining:
    def test_a_transaction_in_one_write(self, tmp_path: Path) -> None:
        with server_with(tmp_path) as server, RawClient(server) as client:
            assert client.reply().startswith("220")
            assert client.say("EHLO client.example").startswith("250")
            client.send(ENVELOPE)
            assert [client.reply()[:3] for _ in range(3)] == ["250", "250", "354"]
            client.send(STUFFED + b".\r\n" + ENVELOPE)
            assert [client.reply()[:3] for _ in range(4)] == ["250", "250", "250", "354"]
            client.send(STUFFED + b".\r\nQUIT\r\n")
            assert [client.reply()[:3] for _ in range(2)] == ["250", "221"]
            contents = server.wait_for_mail("info", 2)
            assert all(content.endswith(lf(MESSAGE)) for content in contents)

    def test_a_whole_session_in_one_write(self, tmp_path: Path) -> None:
        messages = 20
        with server_with(tmp_path) as server, RawClient(server) as client:
            # Against the rules, but no reason to lose anything: each reply comes, and in order.
            client.send(b"EHLO client.example\r\n" + (ENVELOPE + STUFFED + b".\r\n") * messages + b"QUIT\r\n")
            got = [client.reply()[:3] for _ in range(2 + 4 * messages + 1)]
            assert got == ["220", "250", *["250", "250", "354", "250"] * messages, "221"]
            assert client.is_closed()
            contents = server.wait_for_mail("info", messages)
            assert len(contents) == messages

    def test_octet_by_octet(self, tmp_path: Path) -> None:
        with server_with(tmp_path) as server, RawClient(server) as client:
            client.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            session = b"EHLO client.example\r\n" + ENVELOPE + STUFFED + b".\r\nQUIT\r\n"
            for at in range(len(session)):
                client.send(session[at : at + 1])
            assert [client.reply()[:3] for _ in range(7)] == ["220", "250", "250", "250", "354", "250", "221"]
            assert server.wait_for_mail("info")[0].endswith(lf(MESSAGE))

    def test_data_after_refused_recipients_alone(self, tmp_path: Path) -> None:
        with server_with(tmp_path, relay={"allow": []}) as server, RawClient(server) as client:
            client.reply()
            client.say("EHLO client.example")
            client.send(b"MAIL FROM:<x@example.org>\r\nRCPT TO:<nobody@here.example>\r\nDATA\r\n")
            assert [client.reply()[:9] for _ in range(3)] == ["250 2.1.0", "550 5.1.1", "554 5.5.1"]


class TestSmuggling:
    FORMS: ClassVar = {
        "LF . LF": b"\n.\n",
        "LF . CRLF": b"\n.\r\n",
        "CRLF . LF": b"\r\n.\n",
        "CR . CRLF": b"\r.\r\n",
        "CR . CR": b"\r.\r",
        "CRLF . CR": b"\r\n.\rx",
        "CR CR LF": b"\r\r\n.\r\n",
    }

    @pytest.mark.parametrize("in_one_write", [True, False])
    def test_a_bare_line_end_ends_the_session_and_nothing_is_kept(
        self, tmp_path: Path, *, in_one_write: bool
    ) -> None:
        with server_with(tmp_path) as server:
            for name, form in self.FORMS.items():
                with RawClient(server) as client:
                    assert client.begin(SENDER, INFO).startswith("354")
                    inside = b"Subject: outer\r\n\r\nouter" + form + ENVELOPE + b"Subject: in\r\n\r\n.\r\n"
                    if in_one_write:
                        client.send(inside)
                    else:
                        client.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                        at = inside.index(form)
                        client.send(inside[: at + 1])
                        time.sleep(0.02)
                        client.send(inside[at + 1 :])
                    assert client.reply().startswith("521 5.5.2"), name
                    assert client.is_closed(), name
            assert stays(lambda: server.mailbox("info") == [], 0.2)
            assert server.rows("SELECT count(*) FROM message") == [(0,)]

    def test_a_bare_line_end_in_a_command_does_too(self, tmp_path: Path) -> None:
        with server_with(tmp_path) as server:
            for command in (b"NOOP\nMAIL FROM:<a@b.example>\r\n", b"NOOP\rNOOP\r\n", b"EHLO x\n"):
                with RawClient(server) as client:
                    client.reply()
                    client.send(command)
                    assert client.reply().startswith("521 5.5.2"), command
                    assert client.is_closed()

    def test_nul_is_refused_and_the_session_goes_on(self, tmp_path: Path) -> None:
        with server_with(tmp_path) as server, RawClient(server) as client:
            assert client.begin(SENDER, INFO).startswith("354")
            client.send(b"Subject: x\r\n\r\nN\0L\r\n.\r\n")
            assert client.reply().startswith("554 5.6.0")
            assert client.say("NOOP").startswith("250")
            assert server.rows("SELECT count(*) FROM message") == [(0,)]


class TestConnections:
    def test_too_many_of_one_client(self, tmp_path: Path) -> None:
        with server_with(tmp_path, listener=listener(max_connections_per_client=3)) as server:
            inside = [RawClient(server) for _ in range(3)]
            try:
                assert all(client.reply().startswith("220") for client in inside)
                with RawClient(server) as fourth:
                    assert fourth.reply().startswith("421 4.7.0")
                    assert fourth.is_closed()
                assert inside[0].say("QUIT").startswith("221")
                # The next one may come in as soon as one is gone.
                assert until(lambda: self.comes_in(server))
            finally:
                for client in inside:
                    client.socket.close()

    @staticmethod
    def comes_in(server: RunningServer) -> bool:
        with RawClient(server) as client:
            return client.reply().startswith("220")

    def test_too_many_in_all(self, tmp_path: Path) -> None:
        with server_with(tmp_path, listener=listener(max_connections=2)) as server:
            with RawClient(server) as one, RawClient(server) as two, RawClient(server) as three:
                assert one.reply().startswith("220")
                assert two.reply().startswith("220")
                assert three.reply().startswith("421")
            assert until(lambda: self.comes_in(server))

    def test_many_connections_that_come_and_go_leave_the_door_open(self, tmp_path: Path) -> None:
        with server_with(tmp_path, listener=listener(max_connections_per_client=5)) as server:
            for _ in range(50):
                RawClient(server).socket.close()
            assert until(lambda: self.comes_in(server))
            server.send(SENDER, [INFO])
            assert len(server.wait_for_mail("info")) == 1


class TestSlowness:
    def test_a_silent_client_is_sent_away(self, tmp_path: Path) -> None:
        with server_with(tmp_path, limits={"read": "300ms"}) as server:
            for steps in ((), ("EHLO client.example",), ("EHLO client.example", f"MAIL FROM:<{SENDER}>")):
                with RawClient(server) as client:
                    client.reply()
                    for step in steps:
                        assert client.say(step).startswith("250")
                    assert client.reply().startswith("421 4.4.2")
                    assert client.is_closed()

    def test_a_client_that_falls_silent_in_the_content_leaves_nothing(self, tmp_path: Path) -> None:
        with server_with(tmp_path, limits={"read": "300ms"}) as server, RawClient(server) as client:
            assert client.begin(SENDER, INFO).startswith("354")
            client.send(BIG_STUFFED[: 1024 * 1024])
            assert client.reply().startswith("421 4.4.2")
            assert client.is_closed()
            assert until(lambda: strays(server) == [])
            assert server.rows("SELECT count(*) FROM message") == [(0,)]

    @pytest.mark.parametrize("where", ["between commands", "in the content"])
    def test_a_client_that_drips_is_sent_away_when_the_session_is_over(
        self, tmp_path: Path, where: str
    ) -> None:
        with server_with(tmp_path, limits={"read": "1s", "session": "1s"}) as server:
            with RawClient(server) as client:
                if where == "in the content":
                    assert client.begin(SENDER, INFO).startswith("354")
                assert self.drips_until_closed(client, 8)
            assert server.rows("SELECT count(*) FROM message") == [(0,)]

    @staticmethod
    def drips_until_closed(client: RawClient, seconds: float) -> bool:
        until_then = time.perf_counter() + seconds
        while time.perf_counter() < until_then:
            try:
                client.send(b"x")
            except ConnectionError:
                return True
            if client.is_closed(0.1):
                return True
        return False


class TestSizes:
    def test_a_huge_command_line(self, tmp_path: Path) -> None:
        with server_with(tmp_path) as server, RawClient(server) as client:
            client.reply()
            client.send(b"NOOP " + b"x" * 3_000_000 + b"\r\n")
            assert client.reply().startswith("500 5.5.2")
            assert client.say("EHLO client.example").startswith("250")

    def test_a_huge_line_of_content(self, tmp_path: Path) -> None:
        with server_with(tmp_path) as server, RawClient(server) as client:
            assert client.begin(SENDER, INFO).startswith("354")
            client.send(b"Subject: x\r\n\r\n" + b"x" * 3_000_000 + b"\r\n.\r\n")
            assert client.reply().startswith("554 5.6.0")
            client.send(ENVELOPE)
            assert [client.reply()[:3] for _ in range(3)] == ["250", "250", "354"]
            client.send(STUFFED + b".\r\n")
            assert client.reply().startswith("250")
            assert server.wait_for_mail("info")[0].endswith(lf(MESSAGE))

    def test_a_line_of_998_octets_is_mail(self, tmp_path: Path) -> None:
        content = b"Subject: x\r\n\r\n" + b"x" * 998 + b"\r\n"
        with server_with(tmp_path) as server:
            server.send(SENDER, [INFO], content)
            assert server.wait_for_mail("info")[0].endswith(lf(content))

    def test_a_size_over_the_limit_is_refused_at_mail(self, tmp_path: Path) -> None:
        limits = {"message_octets": "64KiB", "reserve_octets": 0}
        with server_with(tmp_path, limits=limits) as server, RawClient(server) as client:
            client.reply()
            client.send(b"EHLO client.example\r\n")
            lines = [client.line() for _ in range(3)]
            assert "250-SIZE 65536" in lines
            until(lambda: client.line().startswith("250 "))
            assert client.say(f"MAIL FROM:<{SENDER}> SIZE=65537").startswith("552 5.3.4")
            assert client.say(f"MAIL FROM:<{SENDER}> SIZE=65536").startswith("250")

    @pytest.mark.parametrize("octets", [70_000, 120_000, 1_000_000])
    def test_a_content_over_the_limit_is_refused_and_forgotten(self, tmp_path: Path, octets: int) -> None:
        with server_with(tmp_path, limits={"message_octets": "64KiB", "reserve_octets": 0}) as server:
            with RawClient(server) as client:
                assert client.begin(SENDER, INFO).startswith("354")
                client.send(BIG_LINE * (octets // len(BIG_LINE)) + b".\r\n")
                assert client.reply().startswith("552 5.3.4")
            assert until(lambda: strays(server) == [])
            assert server.rows("SELECT count(*) FROM message") == [(0,)]
            server.send(SENDER, [INFO])
            assert len(server.wait_for_mail("info")) == 1

    def test_five_megabytes_go_through_a_file_and_arrive_exactly(self, tmp_path: Path) -> None:
        with MoodyPeer(mood=Mood(greeting="421")) as peer:
            sections = {
                "retry": {"after_4yz": ["500ms"], "intervals": ["500ms"], "probe_limit": "500ms"},
                "route": [route("partner.example", peer.endpoint)],
            }
            with server_with(tmp_path, **sections) as server:
                server.send(SENDER, [INFO, GOOD], BIG)
                assert server.wait_for_mail("info")[0].endswith(lf(BIG))
                (file,) = (server.data / "content").iterdir()
                assert file.read_bytes().endswith(BIG)
                # It survives our end in the middle, and is sent from the disk.
                server.kill()
                peer.mood = Mood()
                server.start()
                assert until(lambda: peer.received, 20)
                assert peer.received[0].content == self.stored(file, peer.received[0].content)
                assert peer.received[0].content.endswith(BIG)
                assert until(lambda: strays(server) == [])

    @staticmethod
    def stored(file: Path, otherwise: bytes) -> bytes:
        try:
            return file.read_bytes()
        except FileNotFoundError:
            return otherwise

    @pytest.mark.parametrize("rude", [True, False])
    def test_a_client_that_vanishes_in_the_content_leaves_nothing(
        self, tmp_path: Path, *, rude: bool
    ) -> None:
        with server_with(tmp_path) as server:
            client = RawClient(server)
            assert client.begin(SENDER, INFO).startswith("354")
            client.send(BIG_STUFFED[: 2 * 1024 * 1024])
            assert until(lambda: strays(server))
            if rude:
                client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
            client.socket.close()
            assert until(lambda: strays(server) == [])
            assert server.rows("SELECT count(*) FROM message") == [(0,)]
            assert server.mailbox("info") == []

    def test_a_client_that_never_reads_its_replies_is_not_served_for_ever(self, tmp_path: Path) -> None:
        with server_with(tmp_path) as server:
            with RawClient(server) as client:
                client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
                assert self.floods_until_closed(client, b"VRFY somebody\r\nRSET\r\n" * 5000, 20)
            server.send(SENDER, [INFO])
            assert len(server.wait_for_mail("info")) == 1

    @staticmethod
    def floods_until_closed(client: RawClient, octets: bytes, seconds: float) -> bool:
        ends_at = time.perf_counter() + seconds
        while time.perf_counter() < ends_at:
            try:
                client.send(octets)
            except OSError:
                return True
        return False


class TestStrangers:
    def test_no_relay_and_no_report_for_strangers(self, tmp_path: Path) -> None:
        with server_with(tmp_path, relay={"allow": []}) as server, RawClient(server) as client:
            client.reply()
            client.say("EHLO client.example")
            assert client.say("MAIL FROM:<x@example.org>").startswith("250")
            assert client.say("RCPT TO:<y@example.net>").startswith("550 5.7.1")
            assert client.say("RCPT TO:<inof@here.example>").startswith("550 5.1.1")
            assert client.say("RCPT TO:<info%example.net@here.example>").startswith("550")
            assert client.say(f"RCPT TO:<{INFO}>").startswith("250")


class TestTheEnd:
    def test_sigterm_under_load_loses_nothing(self, tmp_path: Path) -> None:
        acknowledged: Counter[str] = Counter()
        lock = threading.Lock()
        delays = {"dot": 0.01}
        with MoodyPeer(mood=Mood(delays=delays)) as peer:
            server = server_with(tmp_path, route=[route("partner.example", peer.endpoint)])

            def load(worker: int) -> None:
                try:
                    with server.client() as client:
                        for number in range(500):
                            address = f"w{worker}n{number}@partner.example"
                            client.sendmail(SENDER, [address], MESSAGE)
                            with lock:
                                acknowledged[address] += 1
                except (smtplib.SMTPException, OSError):
                    pass  # The server is stopping: whatever was not acknowledged is the client's.

            with server:
                workers = [threading.Thread(target=load, args=(number,)) for number in range(10)]
                for worker in workers:
                    worker.start()
                assert until(lambda: len(acknowledged) >= 150, 30)
                assert server.stop() == 0
                for worker in workers:
                    worker.join(30)
                assert server.facts("draining")
                assert server.facts("stopped")
                server.start()
                assert until(lambda: self.taken(peer) >= acknowledged.keys(), 30)
                # A clean end is no crash: nothing is sent twice.
                assert until(lambda: server.rows("SELECT count(*) FROM recipient WHERE state < 4") == [(0,)])
                assert max(Counter(r for one in peer.received for r in one.recipients).values()) == 1

    @staticmethod
    def taken(peer: MoodyPeer) -> set[str]:
        return {recipient for one in peer.received for recipient in one.recipients}

    def test_a_dead_host_does_not_keep_the_server_from_stopping(self, tmp_path: Path) -> None:
        with (
            MoodyPeer(mood=Mood(silent_after="connect")) as peer,
            server_with(tmp_path, route=[route("partner.example", peer.endpoint)]) as server,
        ):
            server.send(SENDER, [GOOD])
            assert until(lambda: peer.connections)
            assert server.stop() == 0
            server.start()
            # Nobody had said a word, so nothing was interrupted: it is simply tried again.
            assert server.facts("started")[-1]["interrupted"] == 0
            assert until(lambda: peer.connections == 2)

    def test_an_idle_client_hears_421_when_the_server_stops(self, tmp_path: Path) -> None:
        with server_with(tmp_path) as server, RawClient(server) as client:
            client.reply()
            client.say("EHLO client.example")
            assert server.stop() == 0
            assert client.reply().startswith("421 4.3.2")
            assert client.is_closed()

    def test_a_second_server_on_the_same_folder_is_refused_with_clear_words(self, tmp_path: Path) -> None:
        with server_with(tmp_path) as server:
            assert server.process is not None
            second = server.spawn()
            assert second.wait(20) == 78
            said = "\n".join(server.noise())
            assert f"in use by process {server.process.pid}" in said
            assert "Traceback" not in said
            # The first one does not mind.
            server.send(SENDER, [INFO])
            assert len(server.wait_for_mail("info")) == 1
            server.expects_faults = True

    def test_a_port_that_is_taken_is_refused_with_clear_words(self, tmp_path: Path) -> None:
        with MoodyPeer() as peer:
            address, port = peer.endpoint
            server = server_with(tmp_path, listener=[{"bind": [f"{address}:{port}"]}])
            process = server.spawn()
            assert process.wait(20) == 78
            said = "\n".join(server.noise())
            assert f"cannot listen on {address}:{port}" in said
            assert "Traceback" not in said
