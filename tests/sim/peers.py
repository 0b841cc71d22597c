"""Peers with moods: small SMTP servers in virtual time, written apart from the product's own.

What a peer said and kept stands in its ledger, which is the truth that the product's claims are held
against: a copy is entered when the peer has taken it, whether or not its reply gets through.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from random import Random  # noqa: TID251 - the seed of the world

from tests.sim.network import Handshake, SimStream

from byreturn.mail import MINUTE, SECOND, Duration, Instant
from byreturn.ports import Clock

_MARK = re.compile(rb"^X-Sim: (\S+)\r\n", re.MULTILINE)


@dataclass(frozen=True)
class Mood:
    """How a peer behaves; chances are drawn for each occasion.

    `connections` are as many as it takes at once; to one more it says 421, and so it does after `messages` of
    one connection. `pace`: messages a minute. `takes`: how long it works on a content, `greets_after` on its
    greeting. `comes_back`: whoever is new is told to come again after so long, and if he comes sooner he is
    refused again.
    """

    greeting: str = "220 peer ESMTP"
    silent_after: str = ""
    close_after: str = ""
    pipelining: bool = True
    takes_8bit: bool = True
    dsn: bool = False
    too_many_after: int = 0
    greylists: bool = False
    reply_to_mail: str = ""
    reply_to_end: str = ""
    loses_reply: float = 0.0
    keeps_lost: bool = True
    # What STARTTLS is answered; empty: it is not offered. "inject": 220, and clear text behind it.
    starttls: str = ""
    handshake: Handshake = Handshake.WORKS
    connections: int = 0
    messages: int = 0
    pace: int = 0
    takes: Duration = 0
    greets_after: Duration = 0
    comes_back: Duration = 0


@dataclass
class Copy:
    """One copy that a peer took for one recipient."""

    mark: str
    recipient: str
    at: Instant
    was_answered: bool
    in_tls: bool = False


@dataclass
class SimPeer:
    """One host's SMTP server; `refuses` names local parts that it answers with 550."""

    name: str
    clock: Clock
    random: Random
    mood: Mood = Mood()
    ledger: list[Copy] = field(default_factory=list)
    refused_at: dict[str, list[Instant]] = field(default_factory=dict)
    greylisted: set[tuple[str, str]] = field(default_factory=set)
    told_to_come_at: dict[tuple[str, str], Instant] = field(default_factory=dict)
    came_too_soon: list[str] = field(default_factory=list)
    open: int = 0
    begun: list[Instant] = field(default_factory=list)
    # MAIL and RCPT as they came.
    heard: list[str] = field(default_factory=list)

    def answer(self, stream: SimStream) -> None:
        """Take a connection."""
        _PeerSession(self, stream)


class _PeerSession:
    def __init__(self, peer: SimPeer, stream: SimStream) -> None:
        self._peer = peer
        self._mood = peer.mood
        self._stream = stream
        self._buffer = b""
        self._recipients: list[str] = []
        self._sender = ""
        self._content: bytes | None = None
        self._messages = 0
        self._is_silent = self._mood.silent_after == "connect"
        peer.open += 1
        self._is_counted = True
        stream.use(self)
        if self._mood.connections and peer.open > self._mood.connections:
            self._say("421 4.7.0 too many connections from you", "greeting")
        elif self._mood.greets_after:
            peer.clock.call_later(self._mood.greets_after, lambda: self._say(self._mood.greeting, "greeting"))
        else:
            self._say(self._mood.greeting, "greeting")

    def on_data(self, data: bytes) -> None:
        self._buffer += data
        while True:
            if self._content is not None:
                end = self._buffer.find(b"\r\n.\r\n")
                if self._buffer.startswith(b".\r\n"):
                    content, self._buffer = b"", self._buffer[3:]
                elif end >= 0:
                    content, self._buffer = self._buffer[: end + 2], self._buffer[end + 5 :]
                else:
                    return
                self._content = None
                self._end(content)
                continue
            end = self._buffer.find(b"\r\n")
            if end < 0:
                return
            line, self._buffer = self._buffer[:end], self._buffer[end + 2 :]
            self._command(line.decode("ascii"))

    def on_writable(self) -> None:
        pass

    def on_closed(self, why: str) -> None:
        self._is_silent = True
        self._uncount()

    def _close(self) -> None:
        self._stream.close()
        self._is_silent = True
        self._uncount()

    def _uncount(self) -> None:
        if self._is_counted:
            self._is_counted = False
            self._peer.open -= 1

    def _say(self, text: str, phase: str) -> None:
        if self._is_silent:
            return
        self._stream.write("".join(f"{line}\r\n" for line in text.split("\n")).encode())
        if text.startswith(("421", "554")) and phase in ("greeting", "mail"):
            self._close()
        if self._mood.silent_after == phase:
            self._is_silent = True
        if self._mood.close_after == phase:
            self._close()

    def _command(self, line: str) -> None:
        mood = self._mood
        verb = line[:4].upper()
        if verb == "EHLO":
            offers = ["250-peer"]
            if mood.pipelining:
                offers.append("250-PIPELINING")
            if mood.takes_8bit:
                offers.append("250-8BITMIME")
            if mood.dsn:
                offers.append("250-DSN")
            if mood.starttls and self._stream.tls is None:
                offers.append("250-STARTTLS")
            self._say("\n".join([*offers, "250 HELP"]), "ehlo")
        elif verb == "HELO":
            self._say("250 peer", "ehlo")
        elif line == "STARTTLS":
            self._starttls()
        elif verb == "MAIL":
            self._recipients = []
            self._sender = line
            self._peer.heard.append(line)
            self._say(self._mail(), "mail")
        elif verb == "RCPT":
            self._peer.heard.append(line)
            self._say(self._rcpt(line), "rcpt")
        elif verb == "DATA":
            if self._recipients:
                self._content = b""
                self._say("354 go on", "data")
            else:
                self._say("554 5.5.1 no valid recipients", "data")
        elif verb == "RSET":
            self._recipients = []
            self._say("250 2.0.0 OK", "rset")
        elif verb == "QUIT":
            self._say("221 2.0.0 bye", "quit")
            self._close()
        else:
            self._say("500 5.5.1 what", "other")

    def _starttls(self) -> None:
        mood = self._mood
        if mood.starttls.startswith("220") or mood.starttls == "inject":
            self._stream.take_tls(mood.handshake)
        if mood.starttls == "inject":
            self._say("220 2.0.0 go\n250-peer\n250 DSN", "starttls")
        else:
            self._say(mood.starttls, "starttls")

    def _mail(self) -> str:
        mood, peer = self._mood, self._peer
        self._messages += 1
        if mood.messages and self._messages > mood.messages:
            return "421 4.7.0 too many messages in this connection"
        if mood.pace:
            now = peer.clock.now()
            peer.begun = [at for at in peer.begun if now - at < MINUTE]
            if len(peer.begun) >= mood.pace:
                return "450 4.7.1 rate limit exceeded"
            peer.begun.append(now)
        return mood.reply_to_mail or "250 2.1.0 OK"

    def _rcpt(self, line: str) -> str:
        address = line[line.index("<") + 1 : line.index(">")]
        local = address.partition("@")[0]
        mood, peer = self._mood, self._peer
        if mood.too_many_after and len(self._recipients) >= mood.too_many_after:
            return "452 4.5.3 too many recipients"
        if local.startswith("unknown"):
            peer.refused_at.setdefault(address, []).append(peer.clock.now())
            return f"550 5.1.1 <{address}>: User unknown"
        if local.startswith("full"):
            return "452 4.2.2 mailbox full"
        if mood.greylists and (self._sender, address) not in peer.greylisted:
            peer.greylisted.add((self._sender, address))
            return "451 4.7.1 come back later"
        if mood.comes_back:
            known = peer.told_to_come_at.get((self._sender, address))
            if known is None or peer.clock.now() < known:
                if known is None:
                    known = peer.clock.now() + mood.comes_back
                    peer.told_to_come_at[self._sender, address] = known
                else:
                    peer.came_too_soon.append(address)
                return f"450 4.2.0 greylisted, try again in {mood.comes_back // SECOND} seconds"
        self._recipients.append(address)
        return "250 2.1.5 OK"

    def _end(self, content: bytes) -> None:
        mood, peer = self._mood, self._peer
        if mood.reply_to_end:
            self._say(mood.reply_to_end, "dot")
            return
        found = _MARK.search(content)
        mark = found.group(1).decode() if found else "(report)"
        is_lost = peer.random.random() < mood.loses_reply or mood.silent_after == "dot?"
        if not is_lost or mood.keeps_lost:
            for recipient in self._recipients:
                in_tls = self._stream.tls is not None
                peer.ledger.append(Copy(mark, recipient, peer.clock.now(), not is_lost, in_tls))
        self._recipients = []
        if is_lost:
            self._close()
        elif mood.takes:
            peer.clock.call_later(mood.takes, lambda: self._say("250 2.0.0 taken", "dot"))
        else:
            self._say("250 2.0.0 taken", "dot")
