"""The whole thing, as a person meets it: a server in a process of its own, and the commands beside it."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

PROGRAM = [sys.executable, "-m", "byreturn"]
LIMIT_SECONDS = 30
NOT_NOW = b"421 4.3.2 not now"
CONFIG = """\
hostname = "mail.here.example"
data = "data"
[[listener]]
bind = ["127.0.0.1:{port}"]
[relay]
allow = ["127.0.0.0/8"]
[delivery]
allow_private = ["127.0.0.0/8"]
[[domain]]
name = "here.example"
mailboxes = ["info", "ann"]
aliases = {{ office = ["info", "ann"] }}
[[route]]
domain = "there.example"
hosts = ["127.0.0.1:{nobody}"]
[[route]]
domain = "later.example"
hosts = ["127.0.0.1:{later}"]
"""


def free_port() -> int:
    with closing(socket.create_server(("127.0.0.1", 0))) as found:
        return found.getsockname()[1]


class OtherServer:
    """A server that answers each line with the next of its replies, and hangs up after the last."""

    def __init__(self, *replies: bytes) -> None:
        self._replies = replies
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            with client, client.makefile("rb") as lines:
                for reply in self._replies:
                    client.sendall(reply + b"\r\n")
                    if reply.startswith(b"354"):
                        while lines.readline() not in (b".\r\n", b""):
                            pass
                    elif not lines.readline():
                        break

    def close(self) -> None:
        # Closing alone does not wake a thread that waits in accept.
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join(LIMIT_SECONDS)


class World:
    """A server that runs, and its command line."""

    def __init__(self, folder: Path, later: int) -> None:
        self.folder = folder
        self.port = free_port()
        text = CONFIG.format(port=self.port, nobody=free_port(), later=later)
        (folder / "byreturn.toml").write_text(text)
        self.log = folder / "journal"
        self.server: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        with self.log.open("wb") as log:
            self.server = subprocess.Popen([*PROGRAM, "serve"], cwd=self.folder, stderr=log)
        until = time.monotonic() + LIMIT_SECONDS  # noqa: TID251 - the deadline of a test
        while b"listening" not in self.log.read_bytes():
            assert self.server.poll() is None, self.log.read_text()
            assert time.monotonic() < until, "the server does not start"  # noqa: TID251
            time.sleep(0.02)

    def stop(self, number: int = signal.SIGTERM) -> int:
        assert self.server is not None
        self.server.send_signal(number)
        status = self.server.wait(LIMIT_SECONDS)
        self.server = None
        return status

    def __call__(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        environment = os.environ | {"COLUMNS": "80", "TZ": "UTC"}
        how = {"cwd": self.folder, "env": environment, "timeout": LIMIT_SECONDS}
        return subprocess.run([*PROGRAM, *arguments], capture_output=True, text=True, check=False, **how)


def _world(folder: Path) -> Iterator[World]:
    later = OtherServer(NOT_NOW)
    world = World(folder, later.port)
    world.start()
    yield world
    if world.server is not None:
        world.stop(signal.SIGKILL)
    later.close()


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    """A server of one's own, to stop or to count its mail."""
    yield from _world(tmp_path)


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """A server that has mail of other tests too."""
    yield from _world(tmp_path_factory.mktemp("shared"))


def one_line(text: str) -> str:
    return " ".join(text.split())


def test_a_good_and_a_bad_mailbox_then_the_end(world):
    good = world("send-test", "info@here.example")
    assert (good.returncode, good.stderr) == (0, "")
    ident = re.search(r"Kept as (\w{13})\n", good.stdout)[1]
    told = re.sub(r"\d\d:\d\d:\d\d\.\d{3}", "TIME", good.stdout)
    told = re.sub(r"\d+ ms", "N ms", told).replace(ident, "ID").replace(str(world.port), "PORT")
    assert told == (
        "Sent to 127.0.0.1:PORT as postmaster@here.example: 250 2.0.0 Kept as ID\n"
        "Times are UTC.\n"
        "TIME  Accepted here\n"
        "TIME  Delivered: in the mailbox\n"
        "info@here.example: in the mailbox, N ms after it was accepted.\n"
    )
    assert len(list((world.folder / "data").glob("mail/**/info/new/*"))) == 1

    bad = world("send-test", "nobody@here.example", "--from", "ann@here.example")
    assert bad.returncode == 1
    assert "Not deliverable: we found: no such mailbox" in bad.stdout
    assert re.search(r"Reported to ann@here.example in \w{13} \(non-delivery report; ", bad.stdout)
    assert "nobody@here.example: not deliverable, " in bad.stdout
    refused = re.search(r"Kept as (\w{13})\n", bad.stdout)[1]

    assert world("queue").stdout == "The queue is empty: nothing waits.\n"
    shown = world("show", refused.lower())
    assert (shown.returncode, shown.stderr) == (0, "")
    assert "nobody@here.example: not deliverable\n" in shown.stdout
    traced = world("trace", "ann@here.example", "--json")
    assert [(one["recipient"], one["state"]) for one in json.loads(traced.stdout)["recipients"]] == [
        ("ann@here.example", "delivered"),
        ("nobody@here.example", "failed"),
    ]
    running = world("queue", "--json")
    assert json.loads(running.stdout)["server_running"] is True

    assert world.stop() == 0
    after = world("show", ident)
    assert after.returncode == 0
    assert "info@here.example: in the mailbox\n" in after.stdout
    assert one_line(world("queue").stdout) == (
        "The queue is empty: nothing waits. The server does not run: nothing is tried until it is started."
    )
    assert not list((world.folder / "data").glob("*-wal"))


@pytest.mark.parametrize(
    ("recipient", "words"),
    [
        ("bob@there.example", "waiting: destination not answering; next try in"),
        ("bob@later.example", "421 4.3.2 not now"),
    ],
)
def test_a_test_message_that_has_to_wait(world, recipient, words):
    waits = world("send-test", recipient, "--wait", "2s")
    assert waits.returncode == 75
    assert words in waits.stdout
    assert f"{recipient}: waiting" in waits.stdout
    assert "It is still being tried. Look again with: byreturn show " in waits.stdout
    in_json = json.loads(world("send-test", recipient, "--wait", "0s", "--json").stdout)
    assert in_json["version"] == 1
    assert in_json["outcome"] == "waiting"
    assert in_json["message"]["recipients"][0]["state"] in ("waiting", "in_flight")
    queue = json.loads(world("queue", "--json").stdout)
    assert [one["recipient"] for one in queue["recipients"]] == [recipient] * 2


def test_ctrl_c_ends_the_watching(world):
    """What is told comes at once, even through a pipe, and Ctrl-C is no error."""
    with subprocess.Popen(
        [*PROGRAM, "send-test", "bob@there.example"],
        cwd=world.folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    ) as sending:  # fmt: skip
        assert sending.stdout is not None
        assert sending.stderr is not None
        assert any("Tried, put off" in line for line in sending.stdout)
        sending.send_signal(signal.SIGINT)
        assert sending.stderr.read().strip() == ""
        assert sending.wait(LIMIT_SECONDS) == 130


def test_an_alias_is_followed_to_all_its_mailboxes(shared):
    sent = shared("send-test", "<office@here.example>", "--json")
    assert sent.returncode == 0
    answer = json.loads(sent.stdout)
    assert answer["outcome"] == "delivered"
    assert [one["recipient"] for one in answer["message"]["recipients"]] == [
        "info@here.example",
        "ann@here.example",
    ]
    assert {one["given"] for one in answer["message"]["recipients"]} == {"office@here.example"}


def test_a_server_that_crashed_can_be_looked_at(world):
    world("send-test", "bob@there.example", "--wait", "0s")
    world.stop(signal.SIGKILL)
    queue = world("queue")
    assert (queue.returncode, queue.stderr) == (0, "")
    assert "bob@there.example" in queue.stdout
    assert "The server does not run" in queue.stdout


def test_a_server_that_is_not_there(world):
    world.stop()
    sent = world("send-test", "info@here.example")
    assert (sent.returncode, sent.stdout) == (75, "")
    assert f"no answer from 127.0.0.1:{world.port}: Connection refused." in sent.stderr
    assert "Start the server with: byreturn serve." in sent.stderr


def test_a_server_that_refuses(shared):
    sent = shared("send-test", "a..b@here.example")
    assert sent.returncode == 1
    assert f"127.0.0.1:{shared.port} refused the message: 553 5.1.3 " in sent.stdout
    outcome = json.loads(shared("send-test", "a..b@here.example", "--json").stdout)
    assert (outcome["outcome"], outcome["id"], outcome["message"]) == ("refused", None, None)


def test_a_server_that_does_not_take_it_now(shared):
    with closing(OtherServer(NOT_NOW)) as other:
        sent = shared("send-test", "info@here.example", "--server", f"127.0.0.1:{other.port}")
    assert sent.returncode == 75
    assert "does not take the message now: 421 4.3.2 not now" in sent.stdout


def test_another_servers_spool(world, tmp_path):
    """The configuration leads to another folder than the one that the server has."""
    text = (tmp_path / "byreturn.toml").read_text()
    (tmp_path / "other.toml").write_text(text.replace('data = "data"', 'data = "other"'))
    sent = world("send-test", "info@here.example", "--config", "other.toml")
    assert sent.returncode == 78
    assert "there is no queue in" in sent.stderr
    assert list((tmp_path / "data").glob("mail/**/new/*")) == [], "what nobody could watch was not sent"


@pytest.mark.parametrize(
    ("replies", "status", "words"),
    [
        ([b"220 x", b"250 x", b"250 ok", b"250 ok", b"354 go", b"250 queued as 1"], 75, "names no id"),
        (
            [b"220 x", b"250 x", b"250 ok", b"550-5.1.1 No\x1b[1m\r\n550 5.1.1 body"],
            1,
            r"550 5.1.1 No\x1b[1m",
        ),
        (
            [b"220 x", b"250 x", b"250 ok", b"250 ok", b"354 go", b"552 too much"],
            1,
            "refused the message: 552",
        ),
        ([b"220 x", b"250 x", b"250 ok", b"250 ok", b"451 later"], 75, "does not take the message now: 451"),
        ([b"220 x", b"250 x", b"250 ok", b"250 ok", b"354 go"], 75, "no answer from"),
        ([b"554 go away", b"250 x"], 1, "refused the message: 554 go away"),
        ([b"HTTP/1.1 400 Bad Request"], 75, "does not speak SMTP ("),
        ([], 75, "no answer from"),
    ],
)
def test_what_another_server_can_say(shared, replies, status, words):
    with closing(OtherServer(*replies)) as other:
        sent = shared("send-test", "info@here.example", "--server", f"127.0.0.1:{other.port}")
    assert (sent.returncode, "Traceback" in sent.stderr) == (status, False)
    assert words in sent.stdout + sent.stderr


def test_a_spool_that_does_not_know_the_message(shared):
    """Another folder with a queue in it, left by another server."""
    text = (shared.folder / "byreturn.toml").read_text()
    (shared.folder / "other.toml").write_text(text.replace('data = "data"', 'data = "other"'))
    # A copy of a socket is none.
    ignored = shutil.ignore_patterns("operator.sock")
    shutil.copytree(shared.folder / "data", shared.folder / "other", ignore=ignored)
    sent = shared("send-test", "info@here.example", "--config", "other.toml")
    assert sent.returncode == 75
    assert f"The server has it, but it is not in {shared.folder}/other." in sent.stdout
    assert f"Is other.toml the configuration of the server at 127.0.0.1:{shared.port}?" in sent.stdout


def test_two_servers_do_not_share_anything(shared):
    second = shared("serve")
    assert second.returncode == 78
    assert f"cannot listen on 127.0.0.1:{shared.port}: Address already in use." in second.stderr
    text = (shared.folder / "byreturn.toml").read_text()
    (shared.folder / "other.toml").write_text(text.replace(f":{shared.port}", ":0"))
    second = shared("serve", "--config", "other.toml")
    assert second.returncode == 78
    assert "is in use by process" in second.stderr
    unnamed = shared("send-test", "info@here.example", "--config", "other.toml")
    assert unnamed.returncode == 2
    assert "name it with --server HOST:PORT" in one_line(unnamed.stderr)


@pytest.mark.parametrize(
    ("obstacle", "words"),
    [
        ("lock", "data/lock: Is a directory"),
        ("mail", "data/mail: File exists"),
        ("content", "data: File exists"),
    ],
)
def test_what_the_system_refuses_at_the_start_is_a_message(tmp_path, obstacle, words):
    data = tmp_path / "data"
    data.mkdir()
    if obstacle == "lock":
        (data / obstacle).mkdir()
    else:
        (data / obstacle).touch()
    (tmp_path / "byreturn.toml").write_text(CONFIG.format(port=0, nobody=1, later=1))
    done = subprocess.run(
        [*PROGRAM, "serve"], cwd=tmp_path, capture_output=True, text=True, timeout=LIMIT_SECONDS, check=False
    )
    assert done.returncode == 78
    assert "Traceback" not in done.stderr
    assert words in done.stderr
