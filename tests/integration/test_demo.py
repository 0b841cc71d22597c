"""The demo shows what it says, and fails where that is not so: a demo that cannot fail proves nothing."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import dns.flags
import dns.message
import dns.query
import dns.rcode
import pytest
from demo.names import NameServer
from demo.story import Story
from demo.world import Pace, World

ROOT = Path(__file__).resolve().parents[2]
LINUX_ONLY = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="needs 127.0.0.11 and /proc")

pytestmark = LINUX_ONLY


def command(*options: str) -> list[str]:
    return [sys.executable, "-m", "demo", *options]


def environment(folder: Path) -> dict[str, str]:
    return {**os.environ, "TMPDIR": str(folder), "PYTHONWARNINGS": "error"}


def run(folder: Path, *options: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command(*options),
        cwd=ROOT,
        env=environment(folder),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def processes_that_name(folder: Path) -> Iterator[int]:
    for entry in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = entry.read_bytes()
        except OSError:
            continue
        if os.fsencode(folder) in words:
            yield int(entry.parent.name)


def false_checks(story: Story) -> set[str]:
    return {check.name for check in story.checks() if not check.is_true}


@pytest.mark.slow
def test_everything_that_the_demo_claims_is_so(tmp_path):
    began = time.perf_counter()
    done = run(tmp_path, "--json")
    took = time.perf_counter() - began
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stderr == ""
    said = json.loads(done.stdout)
    assert said["ok"] is True
    assert len(said["checks"]) == 15
    assert [check for check in said["checks"] if not check["ok"]] == []
    times = said["times_ms"]
    assert times["domain_does_not_exist"] <= times["first_report"]
    assert times["refused"] <= times["first_report"] < times["gave_up"] < times["second_report"]
    assert len(said["reports"]) == 2
    assert took < 30
    assert list(tmp_path.iterdir()) == [], "the folder is removed"
    assert list(processes_that_name(tmp_path)) == [], "the connector is stopped"


@pytest.mark.slow
def test_with_the_dead_host_alive_the_demo_fails_and_says_what_was_not_shown(tmp_path):
    done = run(tmp_path, "--json", "--healthy")
    assert done.returncode == 1, done.stdout + done.stderr
    said = json.loads(done.stdout)
    assert said["ok"] is False
    assert {check["name"] for check in said["checks"] if not check["ok"]} == {
        "it did not wait for the dead host, which was tried again after it",
        "the dead host was tried until the lifetime was over, then given up",
        "it got its own report",
        "it says that the dead recipient is still being tried, and that there is nothing to do",
        "both reports are in the thread of the message",
        "everybody met one end, and every failure was reported once",
    }
    assert any('"relayed"' in line and "press@agency.example" in line for line in said["log"])


@pytest.mark.slow
def test_a_report_that_waits_for_the_dead_host_is_noticed():
    """The fault of old, made by configuration: the report is held until the dead host has had its time."""
    with World(Pace(gather="1m", answer="3s")) as world:
        story = Story(world)
        for _ in story.play(5_000):
            pass
        late = "the first report was in the sender's mailbox within 2,000 ms of the first failure"
        assert late in false_checks(story)
        assert story.times()["first_report"] >= 3_000


def test_a_connector_that_dies_is_noticed():
    with World() as world:
        story = Story(world)
        for news in story.play(10_000):
            if news is not None:
                world.connector.stop()
        assert not world.connector.runs
        assert "the first report was in the sender's mailbox within 2,000 ms of the first failure" in (
            false_checks(story)
        )


def test_a_demo_that_is_ended_early_leaves_nothing_behind(tmp_path):
    with subprocess.Popen(
        command("--json"), cwd=ROOT, env=environment(tmp_path), stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as demo:
        try:
            until = time.perf_counter() + 10
            while not list(tmp_path.glob("byreturn-demo-*/data/*")) and time.perf_counter() < until:
                time.sleep(0.02)
            assert list(processes_that_name(tmp_path))
        finally:
            demo.send_signal(signal.SIGTERM)
        said = demo.communicate(timeout=10)
    assert demo.returncode == 128 + signal.SIGTERM, said
    assert list(tmp_path.iterdir()) == []
    assert list(processes_that_name(tmp_path)) == []


# --- The name server of the demo ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "kind", "code", "records"),
    [
        ("partner.example", "MX", dns.rcode.NOERROR, 1),
        ("mx1.partner.example", "A", dns.rcode.NOERROR, 1),
        ("mx1.partner.example", "AAAA", dns.rcode.NOERROR, 0),
        ("between.partner.example", "MX", dns.rcode.NOERROR, 0),
        ("suplier.example", "MX", dns.rcode.NXDOMAIN, 0),
        ("partner.invalid", "MX", dns.rcode.REFUSED, 0),
        ("many.example", "MX", dns.rcode.NOERROR, 300),
    ],
)
def test_the_name_server_tells_absence_from_refusal(name, kind, code, records):
    many = "".join(f"many MX {number} a-rather-long-host-name-{number}\n" for number in range(300))
    zone = f"partner MX 10 mx1.partner\nmx1.partner A 127.0.0.11\nx.between.partner A 127.0.0.9\n{many}"
    with NameServer({"example": zone}) as server:
        query = dns.message.make_query(name, kind, use_edns=0)
        reply, over_tcp = dns.query.udp_with_fallback(query, server.address, 2, server.port)
    assert reply.rcode() == code
    assert sum(len(rrset) for rrset in reply.answer) == records
    assert over_tcp == (records > 100)
    assert bool(reply.authority) == (code != dns.rcode.REFUSED and not records)
