"""The message that ByReturn was made for, on real sockets, with real names.

One good address, one misspelt domain, one unknown user, and one host that is dead - in every way a host can
be. The sender hears of the two that are known to be bad, by return, and the dead host has no say in it.

Where nobody hangs, the report may wait for nothing at all: `gather` is 30 s here, so that a report that had
waited for it would be unmistakable. Where somebody hangs, `gather` is 200 ms, and the report comes while the
host still hangs. The milliseconds are measured, told and recorded, but never judged: that is for bench/.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, nullcontext
from pathlib import Path
from typing import NamedTuple

import pytest
from demo.peers import BlackHole, Mood, MoodyPeer, RefusingPort
from tests.integration.dns_server import KNOTD, WHY_NOT, KnotServer
from tests.integration.server import (
    MESSAGE,
    SENDER,
    FailingDns,
    Report,
    RunningServer,
    config_text,
    free_port_of,
    reports_in,
    route,
    stays,
    until,
)

needs_knot = [pytest.mark.peer, pytest.mark.skipif(KNOTD is None, reason=WHY_NOT)]

ALIVE = "127.0.0.11"
DEAD = "127.0.0.12"
ZONE = {
    "example": (
        f"partner MX 10 mx.partner\nmx.partner A {ALIVE}\n"
        f"dead MX 10 mx.dead\nmx.dead A {DEAD}\n"
        f"unsolvable MX 10 mx.dead\nunheard MX 10 mx.dead\n"
    )
}
GOOD = "good@partner.example"
UNKNOWN = "unknown.user@partner.example"
MISSPELT = "somebody@prtner.example"
HANGS = "200ms"
NOBODY_HANGS = "30s"


def silent(phase: str) -> Callable[[int], AbstractContextManager[object]]:
    return lambda port: MoodyPeer(DEAD, port, Mood(silent_after=phase))  # type: ignore[arg-type]


def greets(greeting: str) -> Callable[[int], AbstractContextManager[object]]:
    return lambda port: MoodyPeer(DEAD, port, Mood(greeting=greeting))


class Death(NamedTuple):
    """A way of being dead. `dies(port)` is the host; `domain` the one whose mail suffers."""

    name: str
    gather: str
    dies: Callable[[int], AbstractContextManager[object]]
    domain: str = "dead.example"


DEATHS = [
    Death("refuses connections", NOBODY_HANGS, lambda port: RefusingPort(DEAD, port)),
    Death("greets with 421", NOBODY_HANGS, greets("421")),
    Death("hangs up instead of greeting", NOBODY_HANGS, greets("close")),
    Death("hangs up after EHLO", NOBODY_HANGS, lambda port: MoodyPeer(DEAD, port, Mood(close_after="ehlo"))),
    Death("DNS says SERVFAIL", NOBODY_HANGS, lambda _: nullcontext(), "unsolvable.example"),
    Death("DNS says nothing", HANGS, lambda _: nullcontext(), "unheard.example"),
    Death("swallows connections", HANGS, lambda port: BlackHole(DEAD, port)),
    Death("accepts and never greets", HANGS, silent("connect")),
    Death("silent after the greeting", HANGS, silent("greeting")),
    Death("silent after EHLO", HANGS, silent("ehlo")),
    Death("silent after MAIL", HANGS, silent("mail")),
    Death("silent after RCPT", HANGS, silent("rcpt")),
    Death("silent after DATA", HANGS, silent("data")),
    Death("silent after the end of content", HANGS, silent("dot")),
]


@pytest.fixture
def names() -> Iterator[FailingDns]:
    with (
        KnotServer(ZONE) as knot,
        FailingDns(
            (knot.address, knot.port), broken=("unsolvable.example",), silent=("unheard.example",)
        ) as front,
    ):
        yield front


def tell(record_property: Callable[[str, object], None], kind: str, accepted_at: float) -> None:
    milliseconds = round((time.perf_counter() - accepted_at) * 1000, 1)
    record_property("kind", kind)
    record_property("milliseconds_to_report", milliseconds)
    print(f"{kind}: report in the mailbox {milliseconds} ms after the 250")


@pytest.mark.parametrize("death", DEATHS, ids=[death.name for death in DEATHS])
class TestClassicMessage:
    pytestmark = needs_knot

    def test_the_report_does_not_wait_for_the_dead(
        self,
        death: Death,
        tmp_path: Path,
        names: FailingDns,
        record_property: Callable[[str, object], None],
    ) -> None:
        port = free_port_of(ALIVE, DEAD)
        config = config_text(
            {
                "dns": {"servers": [f"{names.address}:{names.port}"], "timeout": "20s"},
                "delivery": {"port": port, "allow_private": ["127.0.0.0/8"]},
                "report": {"gather": death.gather},
            }
        )
        late = f"boss@{death.domain}"
        with ExitStack() as hosts:
            alive = hosts.enter_context(MoodyPeer(ALIVE, port))
            hosts.enter_context(death.dies(port))
            server = hosts.enter_context(RunningServer(tmp_path, config))

            accepted_at = server.send(SENDER, [GOOD, UNKNOWN, MISSPELT, late])
            contents = server.wait_for_mail("sender")
            tell(record_property, death.name, accepted_at)

            report = Report(contents[0])
            assert report.actions() == {UNKNOWN: "failed", MISSPELT: "failed"}
            assert "550 5.1.1 User unknown" in report.field(UNKNOWN, "Diagnostic-Code")
            before, _, after = report.words.partition("STILL TRYING: NOTHING TO DO")
            assert late not in before
            assert late in after
            if death.gather == HANGS:
                # Nothing is known of the dead one: he still hangs.
                assert server.state_of(late) == "in flight"
                assert server.attempts_of(late) == []
            assert until(lambda: alive.received)
            assert [one.recipients for one in alive.received] == [(GOOD,)]
            assert alive.received[0].content.endswith(MESSAGE)
            assert until(lambda: server.state_of(GOOD) == "delivered")
            assert server.state_of(late) in ("waiting", "in flight")
            # One report, and the dead one is in no other.
            assert stays(lambda: len(server.mailbox("sender")) == 1, 0.5)
            assert server.rows("SELECT count(*) FROM message WHERE about IS NOT NULL") == [(1,)]


def gathering(gather: str, peer: MoodyPeer) -> str:
    return config_text({"report": {"gather": gather}, "route": [route("partner.example", peer.endpoint)]})


SILENCES = {
    "silent at the second RCPT": Mood(recipients={"good": "silent"}),
    "silent at the second RCPT, one by one": Mood(recipients={"good": "silent"}, pipelining=False),
    "silent after RCPT": Mood(silent_after="rcpt"),
    "silent after RCPT, one by one": Mood(silent_after="rcpt", pipelining=False),
    "silent after 354": Mood(silent_after="data"),
    "silent after the dot": Mood(silent_after="dot"),
}


@pytest.mark.parametrize("kind", SILENCES)
def test_a_refusal_waits_for_no_slow_step_of_its_own_transaction(
    kind: str, tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    with MoodyPeer(mood=SILENCES[kind]) as peer:
        config = gathering("200ms", peer)
        with RunningServer(tmp_path, config) as server:
            accepted_at = server.send(SENDER, [UNKNOWN, GOOD])
            contents = server.wait_for_mail("sender")
            tell(record_property, kind, accepted_at)
            assert Report(contents[0]).actions() == {UNKNOWN: "failed"}
            assert server.attempts_of(UNKNOWN) == ["refused"]
            assert server.state_of(GOOD) == "in flight"
            assert server.attempts_of(GOOD) == []
            assert peer.connections == 1
            assert stays(lambda: len(server.mailbox("sender")) == 1, 0.3)


def test_everybody_bad_at_once_makes_one_report(tmp_path: Path) -> None:
    """Four recipients, all refused in one transaction: one report, which waits for no gathering."""
    bad = [f"unknown{number}@partner.example" for number in range(4)]
    with MoodyPeer() as peer:
        config = gathering("30s", peer)
        with RunningServer(tmp_path, config) as server:
            server.send(SENDER, bad)
            contents = server.wait_for_mail("sender")
            assert Report(contents[0]).actions() == dict.fromkeys(bad, "failed")
            assert stays(lambda: len(server.mailbox("sender")) == 1, 0.3)


def test_a_local_misspelling_is_told_by_return_too(tmp_path: Path) -> None:
    """Our own networks hear 250 and get a report, so that one misspelling does not stop a message."""
    with MoodyPeer(mood=Mood(silent_after="greeting")) as peer:
        config = gathering("200ms", peer)
        with RunningServer(tmp_path, config) as server:
            server.send(SENDER, ["info@here.example", "inof@here.example", GOOD])
            assert len(server.wait_for_mail("info")) == 1
            contents = server.wait_for_mail("sender")
            assert Report(contents[0]).actions() == {"inof@here.example": "failed"}
            assert server.state_of(GOOD) == "in flight"


def test_two_failures_far_apart_are_two_reports_in_one_thread(tmp_path: Path) -> None:
    """What fails after the first report gets one of its own, and nobody is named twice."""
    with MoodyPeer(mood=Mood(delays={"greeting": 1.5})) as slow, MoodyPeer() as quick:
        config = config_text(
            {
                "report": {"gather": "100ms"},
                "route": [route("slow.example", slow.endpoint), route("quick.example", quick.endpoint)],
            }
        )
        with RunningServer(tmp_path, config) as server:
            server.send(SENDER, ["unknown@quick.example", "unknown@slow.example"])
            reports = reports_in(server.wait_for_mail("sender", 2))
            assert [report.actions() for report in reports] == [
                {"unknown@quick.example": "failed"},
                {"unknown@slow.example": "failed"},
            ]
            assert reports[0].message["Message-ID"] in reports[1].message["References"]
