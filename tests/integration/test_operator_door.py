"""The operator's door of a real server: what a person asks through it, and what it does to the mail."""

from __future__ import annotations

import contextlib
import getpass
import json
import os
import socket
import stat
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import dns.message
import dns.rcode
import dns.rrset
import pytest
from tests.integration.server import (
    HERE,
    SENDER,
    RunningServer,
    config_text,
    reports_in,
    route,
    stays,
    until,
)

NOBODY = "nobody@gone.example"


class MoodyDns:
    """A name server that knows the root and nothing else; while it `lies`, not even that."""

    def __init__(self) -> None:
        self.lies = False
        self._is_over = False
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(("127.0.0.1", 0))
        self._socket.settimeout(0.1)
        self.address = f"127.0.0.1:{self._socket.getsockname()[1]}"
        self._thread = threading.Thread(target=self._run, name="moody-dns", daemon=True)

    def __enter__(self) -> MoodyDns:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._is_over = True
        self._thread.join(10)
        self._socket.close()

    def _run(self) -> None:
        while not self._is_over:
            with contextlib.suppress(TimeoutError):
                wire, client = self._socket.recvfrom(4096)
                query = dns.message.from_wire(wire)
                answer = dns.message.make_response(query)
                asked = query.question[0]
                if self.lies or asked.name.to_text() != ".":
                    answer.set_rcode(dns.rcode.NXDOMAIN)
                else:
                    answer.answer.append(dns.rrset.from_text(".", 60, "IN", "NS", "a.example."))
                self._socket.sendto(answer.to_wire(), client)


class Line:
    """A visit to the door by hand."""

    def __init__(self, server: RunningServer) -> None:
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(15)
        self.socket.connect(str(server.data / "operator.sock"))

    def __enter__(self) -> Line:
        return self

    def __exit__(self, *_: object) -> None:
        self.socket.close()

    def say(self, data: bytes) -> None:
        with contextlib.suppress(ConnectionError):
            self.socket.sendall(data)

    def hear(self) -> dict[str, object]:
        answer = b""
        with contextlib.suppress(ConnectionError):  # It does not read all of what it refuses.
            while data := self.socket.recv(65536):
                answer += data
        assert answer.count(b"\n") == 1
        return json.loads(answer)


def say(server: RunningServer, line: bytes) -> dict[str, object]:
    with Line(server) as there:
        there.say(line)
        return there.hear()


def byreturn(server: RunningServer, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "byreturn", *arguments, "--config", str(server.config_path)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env=os.environ | {"COLUMNS": "80", "TZ": "UTC"},
    )


@pytest.fixture
def server(tmp_path: Path) -> Iterator[RunningServer]:
    with RunningServer(tmp_path, config_text()) as server:
        yield server


# --- The door -----------------------------------------------------------------------------------------


def test_the_door_opens_with_the_server_and_goes_with_it(server: RunningServer) -> None:
    path = server.data / "operator.sock"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert say(server, b'{"do":"status"}\n')["answer"] == "status"
    shown = byreturn(server, "brake")
    assert (shown.returncode, shown.stderr) == (0, "")
    assert shown.stdout.startswith("The brake is off")
    assert server.stop() == 0
    assert not path.exists()
    gone = byreturn(server, "brake", "release")
    assert (gone.returncode, gone.stdout) == (75, "")
    assert "no server answers at" in gone.stderr
    assert "The server does not run" in byreturn(server, "brake").stdout


def test_the_door_of_a_killed_server_is_replaced(server: RunningServer) -> None:
    server.kill()
    assert (server.data / "operator.sock").exists()
    assert byreturn(server, "brake", "release").returncode == 75
    server.start()
    assert byreturn(server, "brake", "engage", "--why", "a test").returncode == 0


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        (b"EHLO client.example\r\n", "malformed"),
        (b'{"do":"shutdown"}\n', "Invalid value 'shutdown'"),
        (b'{"do":"status"}\n{"do":"status"}\n', "one line, and nothing behind it"),
        (b'{"do":"engage_brake"}\n', "missing required field `why`"),
        (b"[" * 65_000 + b"\n", ""),
        (os.urandom(5000).replace(b"\n", b"") + b"\n", ""),
        (b"x" * 200_000, "at most 65536 octets"),
    ],
)
def test_wrong_input_is_told_and_mail_goes_on(server: RunningServer, line: bytes, complaint: str) -> None:
    answer = say(server, line)
    assert answer["answer"] == "not_understood"
    assert complaint in str(answer["why"])
    server.send(SENDER, [f"info@{HERE}"])
    assert server.wait_for_mail("info")
    assert server.facts("operator", "brake engaged") == []


def test_two_at_once_and_more_than_there_is_room_for(server: RunningServer) -> None:
    with contextlib.ExitStack() as visits:
        open_ones = [visits.enter_context(Line(server)) for _ in range(8)]
        assert until(lambda: say(server, b'{"do":"status"}\n')["answer"] == "not_now")
        for line in open_ones[:2]:
            line.say(b'{"do":"engage_brake","why":"twice"}\n')
        assert [line.hear()["answer"] for line in open_ones[:2]] == ["done", "nothing_to_do"]
        assert byreturn(server, "brake").returncode == 0
    assert len(server.facts("operator")) == 1


def test_a_door_that_cannot_be_made_stops_no_mail(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "operator.sock").write_text("in the way")
    with RunningServer(tmp_path, config_text(), expects_faults=True) as server:
        (fault,) = server.facts("fault")
        assert (fault["where"], "is no socket" in fault["why"]) == ("operator", True)
        server.send(SENDER, [f"info@{HERE}"])
        assert server.wait_for_mail("info")


def test_a_data_folder_with_a_long_path(tmp_path: Path) -> None:
    folder = tmp_path / ("d" * 100)
    folder.mkdir()
    with RunningServer(folder, config_text()) as server:
        assert len(server.facts("operator's door")) == 1
        assert byreturn(server, "brake").stdout.startswith("The brake is off")


# --- The brake ----------------------------------------------------------------------------------------


def test_what_the_brake_held_is_judged_anew_when_a_person_releases_it(tmp_path: Path) -> None:
    with (
        MoodyDns() as names,
        RunningServer(tmp_path, config_text({"dns": {"servers": [names.address]}})) as server,
    ):
        names.lies = True
        server.send(SENDER, [NOBODY])
        assert until(lambda: server.facts("brake engaged"))
        shown = json.loads(byreturn(server, "brake", "--json").stdout)
        assert (shown["on"], shown["cause"], shown["destinations_held"]) == (True, "lie", 1)
        assert "Holds  one destination" in byreturn(server, "brake").stdout
        assert stays(lambda: server.mailbox("sender") == [], 0.5)
        # A restart forgets nothing of it.
        server.restart()
        assert json.loads(byreturn(server, "brake", "--json").stdout)["destinations_held"] == 1
        names.lies = False
        released = byreturn(server, "brake", "release")
        assert (released.returncode, released.stderr) == (0, "")
        assert "The mail for one destination that it held back is judged anew now." in released.stdout
        (report,) = reports_in(server.wait_for_mail("sender"))
        assert report.actions() == {NOBODY: "failed"}
        (act,) = server.facts("operator")
        assert (act["who"], act["did"]) == (getpass.getuser(), "released the brake")
        assert server.facts("brake released")[-1]["why"] == f"{getpass.getuser()} released it"


def test_what_a_person_engaged_holds_over_a_restart(tmp_path: Path) -> None:
    with (
        MoodyDns() as names,
        RunningServer(tmp_path, config_text({"dns": {"servers": [names.address]}})) as server,
    ):
        engaged = byreturn(server, "brake", "engage", "--why", "the resolver moves")
        assert (engaged.returncode, engaged.stderr) == (0, "")
        server.restart()
        server.send(SENDER, [NOBODY])
        assert until(lambda: server.attempts_of(NOBODY))
        assert server.state_of(NOBODY) == "waiting"
        shown = byreturn(server, "brake").stdout
        assert f"Why    {getpass.getuser()}: the resolver moves" in shown
        assert byreturn(server, "brake", "release").returncode == 0
        assert reports_in(server.wait_for_mail("sender"))


# --- A destination ------------------------------------------------------------------------------------


def test_a_destination_is_tried_now_and_all_its_mail_goes(tmp_path: Path) -> None:
    """Its server was down; somebody has mended it, and does not want to wait for the next try."""
    with socket.create_server(("127.0.0.1", 0)) as nobody:
        port = nobody.getsockname()[1]
    target = tmp_path / "target"
    target.mkdir()
    sections = {"route": [route("there.example", ("127.0.0.1", port))]}
    with RunningServer(tmp_path, config_text(sections)) as server:
        server.send(SENDER, ["one@there.example"])
        assert until(lambda: server.facts("destination failing"))
        for name in ("two", "three"):
            server.send(SENDER, [f"{name}@there.example"])
        shown = byreturn(server, "destinations", "there.example").stdout
        assert "there.example: not answering" in shown
        assert "connection refused" in shown
        assert "Waiting    3 recipients" in shown
        assert "Hosts      127.0.0.1" in shown
        queue = json.loads(byreturn(server, "queue", "--json").stdout)["recipients"]
        waits = byreturn(server, "show", queue[-1]["id"]).stdout
        assert "(probe of another message, " in " ".join(waits.split())
        there = config_text(
            {
                "listener": [{"bind": [f"127.0.0.1:{port}"]}],
                "domain": [{"name": "there.example", "mailboxes": "*"}],
            }
        )
        with RunningServer(target, there):
            retried = byreturn(server, "retry", "there.example")
            assert (retried.returncode, retried.stderr) == (0, "")
            for name in ("one", "two", "three"):
                assert until(lambda name=name: server.state_of(f"{name}@there.example") == "delivered"), name
            assert "there.example: answering" in byreturn(server, "destinations", "there.example").stdout
            again = byreturn(server, "retry", "there.example")
            assert again.returncode == 1
            assert "Nothing was done for there.example" in again.stdout


def test_who_stood_in_line_behind_a_dead_host_was_not_tried_itself(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        sections = {
            "route": [route("silent.example", ("127.0.0.1", silent.getsockname()[1]))],
            "delivery": {"connections_per_destination": 1},
            "delivery.timeouts": {"greeting": "700ms"},
        }
        with RunningServer(tmp_path, config_text(sections)) as server:
            server.send(SENDER, ["one@silent.example"])
            server.send(SENDER, ["two@silent.example"])
            assert until(lambda: server.attempts_of("two@silent.example"))
            assert server.attempts_of("one@silent.example") == ["put off"]
            assert server.attempts_of("two@silent.example") == ["put off with another"]
            queue = json.loads(byreturn(server, "queue", "--json").stdout)["recipients"]
            shown = " ".join(byreturn(server, "show", queue[1]["id"]).stdout.split())
            assert "Put off by the attempt of a message ahead of it: we found: no answer in time" in shown
            assert "NEXT TRY in" in shown
