"""kill -9 in the middle of 200 deliveries at once, again and again: the words of Jepsen, and nothing softer.

    lost         acknowledged by us, and neither delivered nor reported as failed
    unexpected   delivered, and never sent by any client
    duplicated   delivered twice; lawful only where an attempt was interrupted or its reply was lost
    recovered    not acknowledged, yet delivered: the client's connection died between our commit and our 250

Every message has one good recipient and one that its host refuses. What the peer wrote down is the truth
about the first, the sender's mailbox about the second. Rounds: 3, or as BYRETURN_KILL_ROUNDS says.
"""

from __future__ import annotations

import os
import smtplib
import threading
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
from demo.peers import Mood, MoodyPeer
from tests.integration.server import SENDER, RunningServer, config_text, reports_in, route, until

ROUNDS = int(os.environ.get("BYRETURN_KILL_ROUNDS", "3"))
MESSAGES = 200
WORKERS = 20
# When, by the number of messages acknowledged so far, each round's end comes.
MOMENTS = (100, 30, 170, 1, 199, 60, 140, 10, 80, 120)
PATIENCE = 60.0


def content(token: str) -> bytes:
    return f"From: <{SENDER}>\r\nSubject: {token}\r\n\r\nThis is {token}.\r\n".encode()


class Clients:
    """Workers that send one round's messages, and remember what they were told."""

    def __init__(self, server: RunningServer, round_number: int) -> None:
        self._server = server
        self._tokens = iter([f"r{round_number}m{number}" for number in range(MESSAGES)])
        self._lock = threading.Lock()
        self.sent: set[str] = set()
        self.acknowledged: set[str] = set()
        self._threads = [threading.Thread(target=self._work) for _ in range(WORKERS)]

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def join(self) -> None:
        for thread in self._threads:
            thread.join(PATIENCE)
            assert not thread.is_alive()

    def _work(self) -> None:
        try:
            with smtplib.SMTP(self._server.address, self._server.port, "client.example", 20) as client:
                while (token := self._next()) is not None:
                    recipients = [f"good-{token}@partner.example", f"unknown-{token}@partner.example"]
                    client.sendmail(SENDER, recipients, content(token))
                    with self._lock:
                        self.acknowledged.add(token)
        except (smtplib.SMTPException, OSError):
            pass  # The server was killed, which is the point.

    def _next(self) -> str | None:
        with self._lock:
            token = next(self._tokens, None)
            if token is not None:
                self.sent.add(token)
            return token


def reported(server: RunningServer) -> Counter[str]:
    """How often each refused recipient was reported."""
    return Counter(
        address.removeprefix("unknown-").partition("@")[0]
        for report in reports_in(server.mailbox("sender"))
        for address in report.recipients
    )


def open_recipients(server: RunningServer) -> int:
    count: int = server.rows("SELECT count(*) FROM recipient WHERE state < 4")[0][0]
    return count


@pytest.mark.slow
def test_kill_in_the_middle_of_two_hundred_deliveries(
    tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    sent: set[str] = set()
    acknowledged: set[str] = set()
    with MoodyPeer(mood=Mood(delays={"dot": 0.02, "mail": 0.005})) as peer:
        config = config_text(
            {
                "report": {"gather": "100ms"},
                "retry": {"after_4yz": ["1s"], "intervals": ["1s"], "probe_limit": "1s"},
                "route": [route("partner.example", peer.endpoint)],
            }
        )
        with RunningServer(tmp_path, config) as server:
            for number in range(ROUNDS):
                moment = MOMENTS[number % len(MOMENTS)]
                clients = Clients(server, number)
                clients.start()
                assert until(lambda: len(clients.acknowledged) >= moment, PATIENCE)  # noqa: B023 - called here
                server.kill()
                clients.join()
                sent |= clients.sent
                acknowledged |= clients.acknowledged
                began_at = time.perf_counter()
                server.start()
                interrupted = server.facts("started")[-1]["interrupted"]
                # Taken up by itself and soon: nobody else touches this server now.
                assert until(lambda: open_recipients(server) == 0, PATIENCE), server.rows(
                    "SELECT state, count(*), min(due_at) - max(changed_at) FROM recipient GROUP BY 1"
                )
                took = time.perf_counter() - began_at
                print(
                    f"round {number}: killed after {len(clients.acknowledged)} of {len(clients.sent)} were "
                    f"acknowledged; {interrupted} attempts interrupted; all done {took:.2f} s after the start"
                )
            check(server, peer, sent, acknowledged, record_property)
            # What was committed without a reader may be reported as interrupted, but never as a fault.
            assert server.stop() == 0


def check(
    server: RunningServer,
    peer: MoodyPeer,
    sent: set[str],
    acknowledged: set[str],
    record_property: Callable[[str, object], None],
) -> None:
    assert until(lambda: set(reported(server)) >= acknowledged, PATIENCE)
    delivered = Counter(
        recipient.removeprefix("good-").partition("@")[0]
        for one in peer.received
        for recipient in one.recipients
    )
    reports = reported(server)
    lost = acknowledged - set(delivered)
    unexpected = set(delivered) - sent
    recovered = (set(delivered) | set(reports)) - acknowledged
    duplicated = {token: count for token, count in delivered.items() if count > 1}
    for name, count in (
        ("lost", len(lost)), ("unexpected", len(unexpected)), ("duplicated", len(duplicated)),
        ("recovered", len(recovered)), ("acknowledged", len(acknowledged)),
    ):  # fmt: skip
        record_property(name, count)
        print(f"{name}: {count}")
    assert not lost
    assert not unexpected
    # By return, and once: each refused recipient is in one report, and only refused ones are.
    assert {token: count for token, count in reports.items() if count != 1} == {}
    assert set(reports) >= acknowledged
    # Who was delivered was also reported on, acknowledged or not: the message is one.
    assert set(reports) == set(delivered)
    # Twice only where we could not know: and not more often than it was so.
    for token, count in duplicated.items():
        attempts = server.attempts_of(f"good-{token}@partner.example")
        doubts = sum(event in ("interrupted", "uncertain") for event in attempts)
        assert count <= 1 + doubts, (token, attempts)
    # Each copy is the message, whole.
    for one in peer.received:
        token = one.recipients[0].removeprefix("good-").partition("@")[0]
        assert one.content.endswith(content(token))
        assert one.recipients == (f"good-{token}@partner.example",)
    assert {row[0] for row in server.rows("SELECT DISTINCT state FROM recipient")} <= {4, 5}
