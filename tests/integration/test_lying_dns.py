"""A name server that begins to lie, beside a running server: nothing ends on its word.

The first delivery shows that partner.example exists. From then on the name server denies everything: mail
that comes for it, and for domains that nobody has written to before, waits; the brake is engaged, and stays
so over a restart. When the truth is told again the mail goes. How the brake finds that out by itself, a
minute after, is played in the simulation.
"""

from __future__ import annotations

import contextlib
import socket
import threading
from collections import Counter
from pathlib import Path

import dns.exception
import dns.flags
import dns.message
import dns.rcode
import dns.rdatatype
import dns.rrset
import pytest
from demo.peers import MoodyPeer
from tests.integration.server import SENDER, STATES, RunningServer, config_text, until

KNOWN, OTHER = "partner.example", "other.example"
SOON = {"after_4yz": ["1s"], "intervals": ["1s"], "probe_limit": "1s"}
PLACE = "127.0.0.1"


class LyingDns:
    """A name server of two domains, with one host for both; `lie` says what it does not admit.

    Under "all" it denies every name, under "all but the root" the root exists.
    """

    def __init__(self) -> None:
        self.lie = ""
        self.asked: list[str] = []
        self._is_over = False
        self._thread = threading.Thread(target=self._run, name="lying-dns", daemon=True)

    def __enter__(self) -> LyingDns:
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind((PLACE, 0))
        self._socket.settimeout(0.1)
        self.port = self._socket.getsockname()[1]
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._is_over = True
        self._thread.join(10)
        self._socket.close()

    def _run(self) -> None:
        while not self._is_over:
            with contextlib.suppress(TimeoutError, OSError, dns.exception.DNSException):
                wire, client = self._socket.recvfrom(4096)
                self._socket.sendto(self._answer(dns.message.from_wire(wire)), client)

    def _answer(self, query: dns.message.Message) -> bytes:
        asked = query.question[0]
        name = asked.name.to_text(omit_final_dot=True).lower().strip(".")
        self.asked.append(name)
        said = dns.message.make_response(query)
        said.flags |= dns.flags.RA
        # What is kept of an answer is kept for a second.
        soa = dns.rrset.from_text(".", 1, "IN", "SOA", "ns.example. hostmaster.example. 1 1 1 1 1")
        is_denied = self.lie == "all" or (self.lie == "all but the root" and name)
        records = {
            ("", "SOA"): "ns.example. hostmaster.example. 1 1 1 1 1",
            (KNOWN, "MX"): "10 mx.host.example.",
            (OTHER, "MX"): "10 mx.host.example.",
            ("mx.host.example", "A"): PLACE,
        }
        text = records.get((name, dns.rdatatype.to_text(asked.rdtype)))
        if is_denied or not any(name == known for known, _ in records):
            said.set_rcode(dns.rcode.NXDOMAIN)
            said.authority.append(soa)
        elif text is None:
            said.authority.append(soa)
        else:
            kind = dns.rdatatype.to_text(asked.rdtype)
            said.answer.append(dns.rrset.from_text(asked.name, 1, "IN", kind, text))
        return said.to_wire()


def states(server: RunningServer) -> Counter[str]:
    """How many recipients are in which state."""
    rows = server.rows("SELECT state, count(*) FROM recipient GROUP BY state")
    return Counter({STATES[state]: count for state, count in rows})


@pytest.mark.parametrize("lie", ["all", "all but the root"])
def test_nothing_is_given_up_while_the_name_server_lies(tmp_path: Path, lie: str) -> None:
    with contextlib.ExitStack() as stack:
        names = stack.enter_context(LyingDns())
        peer = stack.enter_context(MoodyPeer(PLACE))
        changes = {
            "dns": {"servers": [f"{PLACE}:{names.port}"]},
            "delivery": {"allow_private": ["127.0.0.0/8"], "port": peer.endpoint[1]},
            "report": {"gather": "100ms"},
            "retry": SOON,
        }
        server = stack.enter_context(RunningServer(tmp_path, config_text(changes)))
        server.send(SENDER, [f"first@{KNOWN}"])
        assert until(lambda: server.state_of(f"first@{KNOWN}") == "delivered")

        names.lie = lie
        # What was kept of the truth is kept for some seconds at most; it is no harm that some of it goes.
        assert until(lambda: _denied(server), 30.0), "the name server is not asked"
        before = states(server)["delivered"]
        for number in range(30):
            server.send(SENDER, [f"r{number}@{KNOWN}", f"r{number}@unknown{number}.example"])
        assert until(lambda: server.facts("brake engaged")), "no brake"
        assert until(lambda: not states(server)["in flight"])
        assert states(server)["failed"] == 0
        assert states(server)["waiting"] >= 60
        assert states(server)["delivered"] == before
        assert server.mailbox("sender") == []

        server.restart()
        server.send(SENDER, [f"late@{OTHER}"])
        assert until(lambda: "put off" in server.attempts_of(f"late@{OTHER}"))
        assert states(server)["failed"] == 0

        names.lie = ""
        # What exists has its mail, whether the brake is off or not; of what does not nothing is said before.
        assert until(lambda: all(server.state_of(f"r{n}@{KNOWN}") == "delivered" for n in range(30)), 30.0)
        assert until(lambda: server.state_of(f"late@{OTHER}") == "delivered", 30.0)
        assert len(peer.received) >= 31
        assert server.mailbox("sender") == []


def _denied(server: RunningServer) -> bool:
    """Send one more to the known domain; whether it was put off for a denial by now."""
    server.send(SENDER, [f"probe@{KNOWN}"])
    return bool(
        until(lambda: server.state_of(f"probe@{KNOWN}") in ("delivered", "waiting"), 5.0)
        and server.state_of(f"probe@{KNOWN}") == "waiting"
    )
