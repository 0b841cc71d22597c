"""Peers that do what they should not: rows R1 to R7 and R9 of the fault matrix, on real sockets.

Each test is about one thing that a peer does, and what must become of the recipients: delivered, refused
with the peer's words, or tried again; never a guess. Where it is done in many ways, each way is a peer of its
own in a `Town` that one server serves. Waits are bounded; nothing is judged by speed. (R8, STARTTLS, is in
test_tls.py.)
"""

from __future__ import annotations

import string
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, ClassVar

import pytest
from demo.peers import Mood, MoodyPeer
from tests.integration.server import (
    MESSAGE,
    SENDER,
    RawClient,
    Report,
    RunningServer,
    config_text,
    reports_in,
    route,
    stays,
    until,
)

GOOD = "good@partner.example"
UNKNOWN = "unknown@partner.example"
SOON = {"after_4yz": ["1s"], "intervals": ["1s"], "probe_limit": "1s"}
LATER = {"after_4yz": ["1h"], "intervals": ["1h"], "probe_limit": "1h"}
MEGABYTE = 1024 * 1024
# More than the buffers of both kernels hold together, so that whoever sends it is in the middle of it.
BIG = MESSAGE + b"0123456789012345678901234567890123456789012345678901234567890123456789\r\n" * 300_000
KINDS_OF_NONSENSE = {
    "25 ok": "25 ok",
    "999": "999 what now",
    "no number": "everything is fine",
    "empty line": "\r\n",
    "two codes in one reply": "250-good\r\n550 bad",
}
PHASES = ("greeting", "ehlo", "mail", "rcpt", "data", "dot")


@contextmanager
def house(
    folder: Path, *peers: MoodyPeer, retry: dict[str, Any] = LATER, **sections: Any
) -> Iterator[RunningServer]:
    """A server that sends partner.example to these peers, in this order."""
    changes = {
        "report": {"gather": "100ms"},
        "retry": retry,
        "route": [route("partner.example", *(peer.endpoint for peer in peers))],
    }
    with RunningServer(folder, config_text({**changes, **sections})) as server:
        yield server


class Town:
    """A server, and peers that each have a domain of their own; `person` lives there."""

    def __init__(self, folder: Path, moods: Mapping[str, Mood], **sections: Any) -> None:
        self.peers = {name: MoodyPeer(mood=mood) for name, mood in moods.items()}
        self._domains = {name: f"d{number}.example" for number, name in enumerate(moods)}
        self._names = {domain: name for name, domain in self._domains.items()}
        self._folder = folder
        self._sections = sections
        self._stack = ExitStack()

    def __enter__(self) -> Town:
        with ExitStack() as stack:
            for peer in self.peers.values():
                stack.enter_context(peer)
            changes = {
                "report": {"gather": "100ms"},
                "retry": LATER,
                "route": [route(self._domains[name], peer.endpoint) for name, peer in self.peers.items()],
                **self._sections,
            }
            self.server = stack.enter_context(RunningServer(self._folder, config_text(changes)))
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *details: Any) -> None:
        self._stack.__exit__(*details)

    def address(self, name: str, person: str = "good") -> str:
        """Say who lives at a peer."""
        return f"{person}@{self._domains[name]}"

    def send_to_each(self, *people: str, content: bytes = MESSAGE) -> None:
        """Send a message of its own to each peer's people."""
        for name in self.peers:
            self.server.send(SENDER, [self.address(name, person) for person in people or ("good",)], content)

    def by_peer(self, fact: str, person: str = "good") -> dict[str, str]:
        """Say why, for each peer where the journal has this fact on a person there."""
        return {
            self._names[entry["to"].partition("@")[2]]: entry.get("why", "")
            for entry in self.server.facts(fact)
            if entry["to"].startswith(f"{person}@")
        }

    def all_are(self, fact: str, timeout: float = 10.0) -> dict[str, str]:
        """Wait until the journal has this fact on everybody, and say why."""
        until(lambda: self.by_peer(fact).keys() == self.peers.keys(), timeout)
        found = self.by_peer(fact)
        assert found.keys() == self.peers.keys(), f"not {fact}: {self.peers.keys() - found.keys()}"
        return found

    def cheer_up(self) -> None:
        """Let all peers be friendly from now on."""
        for peer in self.peers.values():
            peer.mood = Mood()

    def reported(self) -> Counter[str]:
        """How often each address was reported to the sender."""
        return Counter(
            address for report in reports_in(self.server.mailbox("sender")) for address in report.recipients
        )


def limits(**limits: str) -> dict[str, Any]:
    return {"delivery.timeouts": limits}


def was_put_off(server: RunningServer, address: str = GOOD) -> str:
    """Wait until a recipient was put off, and say why."""
    found = until(lambda: [e for e in server.facts("put off") if e["to"] == address])
    assert found, server.journal()
    assert server.state_of(address) == "waiting"
    assert server.mailbox("sender") == []
    return found[0]["why"]


def is_delivered(server: RunningServer, address: str = GOOD) -> bool:
    return bool(until(lambda: server.state_of(address) == "delivered"))


def the_report(server: RunningServer) -> Report:
    report = Report(server.wait_for_mail("sender")[0])
    assert stays(lambda: len(server.mailbox("sender")) == 1, 0.2)
    return report


class TestR1Banners:
    def test_odd_but_lawful_banners_are_welcome(self, tmp_path: Path) -> None:
        banners = ("220 h\udce9llo \udcff", "220\r\n", "220-one\r\n220-two\r\n220 three", "220 \N{SNOWMAN}")
        with Town(tmp_path, {banner: Mood(greeting=banner) for banner in banners}) as town:
            town.send_to_each()
            town.all_are("relayed")
            assert all(peer.received[0].content.endswith(MESSAGE) for peer in town.peers.values())

    def test_endless_and_senseless_banners_are_put_off(self, tmp_path: Path) -> None:
        banners = {
            "reply line of more than": "220-" + "x" * MEGABYTE,
            "reply of more than": "220-hello\r\n" * (MEGABYTE // 11),
            "no reply": "x" * 100,
        }
        with Town(tmp_path, {why: Mood(greeting=text) for why, text in banners.items()}) as town:
            town.send_to_each()
            assert all(expected in why for expected, why in town.all_are("put off").items())
            assert town.reported() == {}

    def test_no_banner_is_put_off_when_the_time_is_up(self, tmp_path: Path) -> None:
        with (
            MoodyPeer(mood=Mood(silent_after="connect")) as peer,
            house(tmp_path, peer, **limits(greeting="300ms")) as server,
        ):
            server.send(SENDER, [GOOD])
            assert "time limit" in was_put_off(server)

    def test_the_limit_is_for_the_reply_and_not_for_each_octet_of_it(self, tmp_path: Path) -> None:
        banner = "220 " + "slowly " * 200
        with (
            MoodyPeer(mood=Mood(greeting=banner, slow=0.1)) as peer,
            house(tmp_path, peer, **limits(greeting="500ms")) as server,
        ):
            server.send(SENDER, [GOOD])
            assert "time limit" in was_put_off(server)

    def test_the_next_host_is_tried(self, tmp_path: Path) -> None:
        greetings = ("421", "554", "close", "silent", "450 not now", "25 ok")
        with ExitStack() as peers:
            second = peers.enter_context(MoodyPeer())
            firsts = [peers.enter_context(MoodyPeer(mood=Mood(greeting=text))) for text in greetings]
            sections = {
                "route": [
                    route(f"d{number}.example", first.endpoint, second.endpoint)
                    for number, first in enumerate(firsts)
                ],
                **limits(greeting="300ms"),
            }
            server = peers.enter_context(RunningServer(tmp_path, config_text(sections)))
            everybody = [f"good@d{number}.example" for number in range(len(greetings))]
            for one in everybody:
                server.send(SENDER, [one])
            assert until(lambda: len(server.facts("relayed")) == len(everybody))
            assert sorted(r for one in second.received for r in one.recipients) == everybody
            assert server.facts("put off", "failed", "destination failing") == []

    def test_where_every_host_says_554_it_is_the_last_word(self, tmp_path: Path) -> None:
        with MoodyPeer(mood=Mood(greeting="554")) as peer, house(tmp_path, peer) as server:
            server.send(SENDER, [GOOD])
            assert "554 5.3.2" in the_report(server).field(GOOD, "Diagnostic-Code")

    def test_helo_where_ehlo_is_not_known(self, tmp_path: Path) -> None:
        mood = Mood(answers={"ehlo": "502 5.5.1 Command unknown"})
        with MoodyPeer(mood=mood) as peer, house(tmp_path, peer) as server:
            server.send(SENDER, [GOOD])
            assert is_delivered(server)
            assert peer.received[0].parameters == ()

    def test_an_ehlo_bomb_is_put_off(self, tmp_path: Path) -> None:
        bombs = ("250-BOMB\r\n" * 20_000 + "250 END", "250-" + "x" * (2 * MEGABYTE))
        moods = {str(number): Mood(answers={"ehlo": bomb}) for number, bomb in enumerate(bombs)}
        with Town(tmp_path, moods) as town:
            town.send_to_each()
            assert all("more than" in why for why in town.all_are("put off").values())

    def test_nonsense_is_no_verdict(self, tmp_path: Path) -> None:
        moods = {
            f"{nonsense} at {phase}": in_phase(phase, text)
            for phase in PHASES
            for nonsense, text in KINDS_OF_NONSENSE.items()
        }
        with Town(tmp_path, moods) as town:
            town.send_to_each()
            # What was said at the end of content was no "no" either: the peer may have the message.
            uncertain = {name for name in moods if name.endswith(" at dot")}
            assert until(lambda: len(town.by_peer("put off")) + len(town.by_peer("uncertain")) == len(moods))
            assert town.by_peer("uncertain").keys() == uncertain
            assert {town.server.state_of(town.address(name)) for name in moods} == {"waiting"}
            assert town.reported() == {}


def in_phase(phase: str, text: str) -> Mood:
    return Mood(greeting=text) if phase == "greeting" else Mood(answers={phase: text})


class TestR2HangingUp:
    def test_hanging_up_at_any_step_is_no_verdict(self, tmp_path: Path) -> None:
        moods = {
            f"{how[:5]} at {phase}": in_phase(phase, how)
            for phase in PHASES
            for how in ("421 4.3.2 Going down", "close", "reset")
        }
        with Town(tmp_path, moods, retry=SOON) as town:
            town.send_to_each()
            # After the content, without a reply: it may have been taken.
            doubtful = {"close at dot", "reset at dot"}
            assert until(lambda: town.by_peer("put off").keys() >= moods.keys() - doubtful)
            assert until(lambda: town.by_peer("uncertain").keys() == doubtful)
            town.cheer_up()
            town.all_are("relayed", 20)
            assert town.reported() == {}

    def test_hanging_up_after_any_step_is_no_verdict(self, tmp_path: Path) -> None:
        moods = {phase: Mood(close_after=phase) for phase in ("connect", *PHASES)}  # type: ignore[arg-type]
        with Town(tmp_path, moods, retry=SOON) as town:
            town.send_to_each()
            # Behind 354 the content may be on its way as a whole already: then nobody knows.
            assert until(
                lambda: (town.by_peer("put off") | town.by_peer("uncertain")).keys() == moods.keys() - {"dot"}
            )
            town.cheer_up()
            town.all_are("relayed", 20)
            assert {name: len(peer.received) for name, peer in town.peers.items()} == dict.fromkeys(moods, 1)
            assert town.reported() == {}

    @pytest.mark.parametrize("how", ["421 4.3.2 Going down", "close"])
    def test_before_anybody_was_answered_the_next_host_is_tried(self, tmp_path: Path, how: str) -> None:
        with (
            MoodyPeer(mood=Mood(answers={"ehlo": how})) as first,
            MoodyPeer(mood=Mood(answers={"mail": how})) as second,
            MoodyPeer() as third,
            house(tmp_path, first, second, third) as server,
        ):
            server.send(SENDER, [GOOD])
            assert is_delivered(server)
            assert (first.connections, second.connections, len(third.received)) == (1, 1, 1)

    def test_slow_peers_are_only_slow(self, tmp_path: Path) -> None:
        moods = {
            "tarpit": Mood(delays=dict.fromkeys(PHASES, 0.3)),
            "octet by octet": Mood(slow=0.002),
            "tarpit without pipelining": Mood(delays=dict.fromkeys(PHASES, 0.2), pipelining=False),
        }
        with Town(tmp_path, moods) as town:
            town.send_to_each("good", "unknown")
            town.all_are("relayed")
            bad = {town.address(name, "unknown"): 1 for name in moods}
            assert until(lambda: town.reported() == bad)
            whys = town.by_peer("failed", "unknown")
            assert all("550 5.1.1 User unknown" in why for why in whys.values())

    def test_a_transaction_has_a_limit_as_a_whole(self, tmp_path: Path) -> None:
        with (
            MoodyPeer(mood=Mood(delays=dict.fromkeys(("mail", "rcpt", "data", "dot"), 0.5))) as peer,
            house(tmp_path, peer, **limits(transaction="1s")) as server,
        ):
            server.send(SENDER, [GOOD])
            was_put_off(server)


class TestR3Recipients:
    def test_the_rest_after_452_goes_at_once(self, tmp_path: Path) -> None:
        everybody = [f"person{number}@partner.example" for number in range(10)]
        with MoodyPeer(mood=Mood(too_many_after=3)) as peer, house(tmp_path, peer) as server:
            server.send(SENDER, everybody)
            assert until(lambda: len(peer.received) == 4)
            assert [len(one.recipients) for one in peer.received] == [3, 3, 3, 1]
            assert [r for one in peer.received for r in one.recipients] == everybody
            # On the same connection, and with nobody put off.
            assert peer.connections == 1
            assert until(lambda: len(server.facts("relayed")) == 10)
            assert server.facts("put off") == []

    @pytest.mark.parametrize("pipelining", [True, False])
    def test_452_in_the_middle_and_a_refusal_after_it(self, tmp_path: Path, *, pipelining: bool) -> None:
        everybody = ["a@partner.example", "b@partner.example", "c@partner.example", UNKNOWN]
        mood = Mood(too_many_after=2, pipelining=pipelining)
        with MoodyPeer(mood=mood) as peer, house(tmp_path, peer) as server:
            server.send(SENDER, everybody)
            assert the_report(server).actions() == {UNKNOWN: "failed"}
            assert until(lambda: len(server.facts("relayed")) == 3)
            assert sorted(r for one in peer.received for r in one.recipients) == everybody[:3]

    def test_552_without_a_status_means_too_many_and_with_5_2_2_a_full_mailbox(self, tmp_path: Path) -> None:
        mood = Mood(recipients={"many": "552 Too many recipients", "fat": "552 5.2.2 Mailbox full"})
        with MoodyPeer(mood=mood) as peer, house(tmp_path, peer) as server:
            server.send(SENDER, [GOOD, "many@partner.example", "fat@partner.example"])
            report = the_report(server)
            # In a transaction of his own `many` is refused for good: then it is about him.
            assert until(lambda: server.state_of("many@partner.example") == "failed")
            assert report.actions()["fat@partner.example"] == "failed"
            rcpts = [said.text for said in peer.said("C", "RCPT TO:<many@")]
            assert len(rcpts) == 2

    def test_252_is_a_yes(self, tmp_path: Path) -> None:
        mood = Mood(recipients={"good": "252 2.5.2 Cannot say, will try"})
        with MoodyPeer(mood=mood) as peer, house(tmp_path, peer) as server:
            server.send(SENDER, [GOOD])
            assert is_delivered(server)

    def test_all_put_off_are_tried_again(self, tmp_path: Path) -> None:
        everybody = [f"greylist{number}@partner.example" for number in range(3)]
        with MoodyPeer() as peer, house(tmp_path, peer, retry=SOON) as server:
            server.send(SENDER, everybody)
            assert until(lambda: len(server.facts("put off")) == 3)
            assert until(lambda: len(server.facts("relayed")) == 3)
            assert server.mailbox("sender") == []

    @pytest.mark.parametrize("code", ["550 5.1.1 Unknown", "450 4.2.1 Busy"])
    def test_354_although_nobody_was_accepted_gets_an_empty_content(self, tmp_path: Path, code: str) -> None:
        mood = Mood(recipients={"unknown": code}, answers={"data": "354 Go ahead, whoever it is for"})
        with MoodyPeer(mood=mood) as peer, house(tmp_path, peer) as server:
            server.send(SENDER, [UNKNOWN])
            assert until(lambda: server.facts("failed", "put off"))
            assert until(lambda: peer.said("C", "RSET"))
            assert [said.text for said in peer.said("C", "(")] == ["(0 octets of content)"]
            assert peer.received == []
            # The connection is in order, and serves the next message.
            server.send(SENDER, [GOOD])
            assert is_delivered(server)
            assert len(peer.received) == 1

    def test_a_refused_command_is_the_answer_for_all(self, tmp_path: Path) -> None:
        words = {"failed": "550 5.7.1 Not you", "put off": "451 4.7.1 Later"}
        moods = {
            f"{fact} {phase} {pipelining}": Mood(answers={phase: text}, pipelining=pipelining)
            for fact, text in words.items()
            for phase in ("mail", "data")
            for pipelining in (True, False)
        }
        with Town(tmp_path, moods) as town:
            town.send_to_each("good", "other")
            assert until(lambda: len(town.server.facts("failed", "put off")) == 2 * len(moods))
            for fact, text in words.items():
                for person in ("good", "other"):
                    told = town.by_peer(fact, person)
                    assert told.keys() == {name for name in moods if name.startswith(fact)}
                    assert all(text in why for why in told.values())


class TestR4MidContent:
    @pytest.mark.parametrize("how", ["close", "reset"])
    def test_a_connection_dropped_in_the_content_is_tried_again(self, tmp_path: Path, how: str) -> None:
        with MoodyPeer(mood=Mood(early_reply=how)) as peer, house(tmp_path, peer, retry=SOON) as server:
            server.send(SENDER, [GOOD], BIG)
            assert until(lambda: server.facts("put off"))
            assert server.facts("uncertain") == []
            peer.mood = Mood()
            assert until(lambda: peer.received, 20)
            assert peer.received[0].content.endswith(BIG)
            assert server.mailbox("sender") == []

    def test_a_stall_in_the_content_is_put_off(self, tmp_path: Path) -> None:
        with (
            MoodyPeer(mood=Mood(early_reply="silent")) as peer,
            house(tmp_path, peer, **limits(content="500ms")) as server,
        ):
            server.send(SENDER, [GOOD], BIG)
            assert "time limit" in was_put_off(server)

    @pytest.mark.parametrize("content", [MESSAGE, BIG], ids=["small", "5 MB"])
    def test_550_in_the_middle_is_final_for_all(self, tmp_path: Path, content: bytes) -> None:
        mood = Mood(early_reply="550 5.7.1 I have seen enough")
        with MoodyPeer(mood=mood) as peer, house(tmp_path, peer) as server:
            server.send(SENDER, [GOOD, "other@partner.example"], content)
            report = the_report(server)
            assert report.actions() == {GOOD: "failed", "other@partner.example": "failed"}
            assert "550 5.7.1 I have seen enough" in report.field(GOOD, "Diagnostic-Code")

    def test_451_in_the_middle_is_put_off(self, tmp_path: Path) -> None:
        with MoodyPeer(mood=Mood(early_reply="451 4.3.0 Hiccup")) as peer, house(tmp_path, peer) as server:
            server.send(SENDER, [GOOD], BIG)
            assert "451 4.3.0 Hiccup" in was_put_off(server)


class TestR5LostReply:
    LOSSES: ClassVar = {
        "closed": Mood(drop_reply_after_dot=True),
        "half a line": Mood(drop_reply_after_dot=True, half_reply="250 2.0"),
        "half a reply": Mood(drop_reply_after_dot=True, half_reply="250-2.0.0 Taken\r\n"),
        "reset": Mood(answers={"dot": "reset"}),
        "silence": Mood(silent_after="dot"),
    }

    def test_it_is_sent_again_and_never_reported_as_failed(self, tmp_path: Path) -> None:
        with Town(tmp_path, self.LOSSES, retry=SOON, **limits(end_of_content="500ms")) as town:
            town.send_to_each("good", "unknown")
            town.all_are("uncertain")
            town.cheer_up()
            town.all_are("relayed", 20)
            for name, peer in town.peers.items():
                taken = peer.received
                assert [one.acknowledged for one in taken][-2:] == [False, True], name
                assert len({one.content for one in taken}) == 1, name
                attempts = town.server.attempts_of(town.address(name))
                assert (set(attempts[:-1]), attempts[-1]) == ({"uncertain"}, "relayed"), name
            # Of the refused ones the sender hears, once; of the uncertain ones nothing.
            bad = {town.address(name, "unknown"): 1 for name in self.LOSSES}
            assert until(lambda: town.reported() == bad)


class TestR6OutOfStep:
    def test_an_extra_reply_delivers_nothing(self, tmp_path: Path) -> None:
        moods = {
            phase: Mood(extra_replies={phase: "250 2.0.0 by the way"})
            for phase in ("greeting", "ehlo", "mail", "rcpt")
        }
        with Town(tmp_path, moods, retry=SOON) as town:
            town.send_to_each()
            town.all_are("put off")
            assert all(peer.received == [] for peer in town.peers.values())
            town.cheer_up()
            town.all_are("relayed", 20)
            assert town.reported() == {}

    def test_a_refusal_that_slipped_behind_data_is_credited_to_nobody(self, tmp_path: Path) -> None:
        """The replies: to MAIL, by the way, to good, to unknown, 354. One too many, and 550 meets DATA."""
        mood = Mood(extra_replies={"mail": "250 2.0.0 by the way"})
        with MoodyPeer(mood=mood) as peer, house(tmp_path, peer, retry=SOON) as server:
            server.send(SENDER, [GOOD, UNKNOWN])
            assert until(lambda: server.facts("put off", "failed"))
            peer.mood = Mood()
            assert is_delivered(server)
            assert the_report(server).actions() == {UNKNOWN: "failed"}

    def test_a_swallowed_reply_is_put_off(self, tmp_path: Path) -> None:
        with (
            MoodyPeer(mood=Mood(recipients={"good": ""})) as peer,
            house(tmp_path, peer, retry=SOON, **limits(data="300ms", rcpt="300ms")) as server,
        ):
            server.send(SENDER, [GOOD])
            assert until(lambda: server.facts("put off"))
            assert peer.received == []

    @pytest.mark.parametrize("stray", ["250 2.0.0 by the way", "421 4.7.0 enough now", "25", "\r\n"])
    @pytest.mark.parametrize("window", [1, 20])
    def test_a_stray_reply_after_the_end_costs_the_connection_and_no_mail(
        self, tmp_path: Path, stray: str, window: int
    ) -> None:
        mood = Mood(extra_replies={"dot": stray})
        everybody = [f"person{number}@partner.example" for number in range(8)]
        delivery = {"allow_private": ["127.0.0.0/8"], "connections_per_destination": window}
        with MoodyPeer(mood=mood) as peer, house(tmp_path, peer, delivery=delivery) as server:
            for each in everybody:
                server.send(SENDER, [each])
            assert until(lambda: len(server.facts("relayed")) == 8), Counter(
                entry["fact"] for entry in server.journal()
            )
            # What was acknowledged is acknowledged, whatever was said behind it: nothing comes twice.
            assert sorted(r for one in peer.received for r in one.recipients) == everybody

    def test_nonsense_in_a_group_credits_nobody(self, tmp_path: Path) -> None:
        """A refusal of one, then an empty line, in one write. Whose it was is not certain any more."""
        mood = Mood(recipients={"unknown": "550 5.1.1 User unknown\r\n\r\n"})
        with MoodyPeer(mood=mood) as peer, house(tmp_path, peer) as server:
            server.send(SENDER, [UNKNOWN, GOOD])
            assert "no reply" in was_put_off(server)
            assert peer.received == []

    def test_an_early_250_is_no_delivery(self, tmp_path: Path) -> None:
        mood = Mood(early_reply="250 2.0.0 Taken already")
        with MoodyPeer(mood=mood) as peer, house(tmp_path, peer) as server:
            server.send(SENDER, [GOOD], BIG)
            assert "answers nothing" in was_put_off(server)
            assert peer.received == []


class TestR7Extensions:
    def test_a_message_over_the_announced_size_comes_back(self, tmp_path: Path) -> None:
        with MoodyPeer(mood=Mood(size=1000)) as peer, house(tmp_path, peer) as server:
            server.send(SENDER, [GOOD], MESSAGE + b"more\r\n" * 1000)
            report = the_report(server)
            assert report.field(GOOD, "Status") == "5.3.4"
            assert "takes 1000" in report.field(GOOD, "Diagnostic-Code")
            assert peer.said("C", "MAIL") == []
            # A small one goes, over the same connection.
            server.send(SENDER, ["small@partner.example"])
            assert is_delivered(server, "small@partner.example")

    def test_8bit_content_for_a_7bit_peer_comes_back(self, tmp_path: Path) -> None:
        with MoodyPeer(mood=Mood(eight_bit=False)) as peer, house(tmp_path, peer) as server:
            server.send(SENDER, [GOOD], MESSAGE + "Grüße\r\n".encode())
            assert the_report(server).field(GOOD, "Status") == "5.6.3"
            assert peer.received == []

    def test_8bit_content_arrives_as_it_was(self, tmp_path: Path) -> None:
        content = MESSAGE + "Grüße".encode("latin-1") + b"\r\n" + "Grüße ☃\r\n".encode()
        with MoodyPeer() as peer, house(tmp_path, peer) as server:
            server.send(SENDER, [GOOD], content)
            assert is_delivered(server)
            assert peer.received[0].content.endswith(content)
            assert "BODY=8BITMIME" in peer.received[0].parameters

    def send_with_success_wanted(self, server: RunningServer) -> None:
        with server.client() as client:
            client.ehlo()
            client.mail(SENDER, ["RET=HDRS", "ENVID=QQ314159"])
            client.rcpt(GOOD, ["NOTIFY=SUCCESS,FAILURE", f"ORCPT=rfc822;{GOOD}"])
            assert client.data(MESSAGE)[0] == 250

    def test_success_is_told_by_us_where_the_peer_knows_no_dsn(self, tmp_path: Path) -> None:
        with MoodyPeer(mood=Mood(dsn=False)) as peer, house(tmp_path, peer) as server:
            self.send_with_success_wanted(server)
            report = the_report(server)
            assert report.actions() == {GOOD: "relayed"}
            assert report.blocks[0]["Original-Envelope-Id"] == "QQ314159"
            assert peer.received[0].recipient_parameters == ((),)

    def test_and_by_the_peer_where_it_does(self, tmp_path: Path) -> None:
        with MoodyPeer() as peer, house(tmp_path, peer) as server:
            self.send_with_success_wanted(server)
            assert is_delivered(server)
            assert {"RET=HDRS", "ENVID=QQ314159"} <= set(peer.received[0].parameters)
            assert set(peer.received[0].recipient_parameters[0]) == {
                "NOTIFY=SUCCESS,FAILURE",
                f"ORCPT=rfc822;{GOOD}",
            }
            assert stays(lambda: server.mailbox("sender") == [], 0.3)


class TestR9Words:
    TEXTS: ClassVar = {
        "html": "550 5.7.1 <script>alert('x')</script> <b>no</b>",
        "escape": "550 5.7.1 \x1b[31mred\x1b[0m \x07 bell \x00 nul \x7f",
        "carriage return": "550 5.7.1 one\rBcc: everybody@example.org",
        "latin-1": "550 5.7.1 Empf\udce4nger unbekannt",
        "utf-8": "550 5.7.1 Получатель ☃ \u202e backwards",
        "64 kB in lines": "".join(f"550-5.7.1 {'x' * 500} {n}\r\n" for n in range(120)) + "550 5.7.1 end",
        "a status and no text": "550 5.7.1",
        "a code and no text": "550",
    }

    def test_a_peers_words_are_printable_in_the_report(self, tmp_path: Path) -> None:
        moods = {name: Mood(recipients={"good": text}) for name, text in self.TEXTS.items()}
        with Town(tmp_path, moods) as town:
            town.send_to_each()
            whys = town.all_are("failed")
            assert all("550" in why for why in whys.values()), whys
            expected = {town.address(name): 1 for name in moods}
            assert until(lambda: town.reported() == expected)
            for report in reports_in(town.server.mailbox("sender")):
                self.check(report)

    @staticmethod
    def check(report: Report) -> None:
        (address,) = report.recipients
        assert "550" in report.field(address, "Diagnostic-Code")
        allowed = {ord(c) for c in string.printable} - {0x0B, 0x0C, 0x0D}
        assert set(report.content) <= allowed, set(report.content) - allowed
        assert max(map(len, report.content.split(b"\n"))) <= 998
        assert len(report.content) < 64 * 1024
        assert report.message["Bcc"] is None
        readable = report.words
        assert all(c.isprintable() or c == "\n" for c in readable.replace("\r\n", "\n")), repr(readable)


class TestConnections:
    def test_a_hundred_messages_share_few_connections(self, tmp_path: Path) -> None:
        delivery = {"allow_private": ["127.0.0.0/8"], "connections_per_destination": 3}
        with MoodyPeer() as peer, house(tmp_path, peer, delivery=delivery) as server:
            with server.client() as client:
                for number in range(100):
                    client.sendmail(SENDER, [f"person{number}@partner.example"], MESSAGE)
            assert until(lambda: len(peer.received) == 100)
            assert until(lambda: len(server.facts("relayed")) == 100)
            assert peer.connections <= 3

    def test_a_connection_serves_so_many_and_no_more(self, tmp_path: Path) -> None:
        delivery = {
            "allow_private": ["127.0.0.0/8"], "connections_per_destination": 2, "messages_per_connection": 10,
        }  # fmt: skip
        with MoodyPeer() as peer, house(tmp_path, peer, delivery=delivery) as server:
            with server.client() as client:
                for number in range(60):
                    client.sendmail(SENDER, [f"person{number}@partner.example"], MESSAGE)
            assert until(lambda: len(peer.received) == 60)
            per_connection = Counter(one.connection for one in peer.received)
            assert max(per_connection.values()) <= 10

    @pytest.mark.parametrize("idle", ["300ms", "0s"])
    def test_a_connection_without_work_is_closed_when_its_rest_is_over(
        self, tmp_path: Path, idle: str
    ) -> None:
        delivery = {"allow_private": ["127.0.0.0/8"], "idle": idle}
        with MoodyPeer() as peer, house(tmp_path, peer, delivery=delivery) as server:
            server.send(SENDER, [GOOD])
            assert is_delivered(server)
            assert until(lambda: peer.said("C", "QUIT"))
            assert until(lambda: peer.said("-", "over"))

    def test_connections_at_rest_keep_no_other_host_waiting(self, tmp_path: Path) -> None:
        """Two connections in all, and six hosts: who has no work gives way."""
        delivery = {"allow_private": ["127.0.0.0/8"], "connections": 2, "idle": "200ms"}
        with Town(tmp_path, {str(number): Mood() for number in range(6)}, delivery=delivery) as town:
            town.send_to_each()
            town.all_are("relayed")

    def test_a_peer_that_hangs_up_after_every_message_gets_them_all(self, tmp_path: Path) -> None:
        """Being tired of a connection is nothing against the mail that would have used it next."""
        delivery = {"allow_private": ["127.0.0.0/8"], "connections_per_destination": 1}
        mood = Mood(close_after="dot")
        with MoodyPeer(mood=mood) as peer, house(tmp_path, peer, delivery=delivery) as server:
            with server.client() as client:
                for number in range(30):
                    client.sendmail(SENDER, [f"person{number}@partner.example"], MESSAGE)
            assert until(lambda: len(server.facts("relayed")) == 30)
            assert server.facts("put off", "uncertain") == []
            assert len(peer.received) == 30

    def test_421_on_a_kept_connection_is_against_the_connection(self, tmp_path: Path) -> None:
        delivery = {"allow_private": ["127.0.0.0/8"], "connections_per_destination": 1}
        with MoodyPeer() as peer, house(tmp_path, peer, delivery=delivery) as server:
            server.send(SENDER, [GOOD])
            assert is_delivered(server)
            peer.mood = Mood(answers={"mail": "421 4.7.0 Only one message per connection"})
            server.send(SENDER, ["second@partner.example"])
            # Once on the kept connection, then on a new one, which says so too: only now it is put off.
            assert "421" in was_put_off(server, "second@partner.example")
            assert peer.connections == 2

    def test_mail_without_a_sender_makes_no_report(self, tmp_path: Path) -> None:
        with MoodyPeer() as peer, house(tmp_path, peer) as server, RawClient(server) as client:
            assert client.begin("", UNKNOWN).startswith("354")
            client.send(MESSAGE.replace(b"\r\n.", b"\r\n..") + b".\r\n")
            assert client.reply().startswith("250")
            assert until(lambda: server.facts("report undeliverable"))
            assert server.rows("SELECT count(*) FROM owed") == [(0,)]
            assert reports_in(server.mailbox("sender")) == []
