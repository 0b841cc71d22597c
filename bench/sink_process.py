"""The other mail hosts: one process that listens on many loopback addresses and says what came when.

The task names the addresses, each with what is done there:

    good     an SMTP server; takes everything but RCPT for unknown*, which it answers with 550
    silent   takes connections and never says a word
    hangup   takes connections and closes them at once

Said, with tabs in between; t is `time.monotonic` of the instant just before our reply is written:

    m t address connection reverse-path recipients octets action:recipient,...    a message taken
    c t address    x t address                     a connection to a silent host or one that hangs up; its end

A message with the null reverse path is read for what it reports. Of every other content only the size is
kept, so that a large one costs nothing here. Started by bench.machine.Helper; ends with its input.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import sys
import time
import traceback
from functools import partial
from typing import Any, Final, cast

import uvloop
from bench.machine import raise_file_limit

_KEPT: Final = 256 * 1024
_FLUSH_SECONDS: Final = 0.01
_END: Final = b"\r\n.\r\n"
_EHLO: Final = b"250-sink.example\r\n250-PIPELINING\r\n250-SIZE 100000000\r\n250-8BITMIME\r\n250 DSN\r\n"
_RECIPIENT_BLOCK: Final = re.compile(
    rb"^Final-Recipient:\s*rfc822;\s*<?([^\s<>]+)>?\s*$(?:.*\n)*?^Action:\s*(\w+)", re.I | re.M
)


class Teller:
    """Collects lines and writes them out in portions."""

    def __init__(self) -> None:
        self._lines: list[str] = []

    def say(self, *words: object) -> None:
        """Add a line."""
        self._lines.append("\t".join(str(word) for word in words))

    def flush(self) -> None:
        """Write out what there is."""
        if self._lines:
            sys.stdout.write("\n".join(self._lines) + "\n")
            sys.stdout.flush()
            self._lines.clear()

    async def keep_flushing(self) -> None:
        """Write out in portions until cancelled."""
        while True:
            self.flush()
            await asyncio.sleep(_FLUSH_SECONDS)


class SinkSession(asyncio.Protocol):
    """One connection to a good host."""

    _count = 0

    def __init__(self, teller: Teller, address: str) -> None:
        self._teller = teller
        self._address = address
        self._buffer = bytearray()
        self._in_content = False
        self._octets = 0
        self._head = b""
        self._reverse_path = ""
        self._recipients: list[str] = []
        SinkSession._count += 1
        self._number = SinkSession._count

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Greet."""
        # Those of uvloop say what they can do without being of asyncio's class.
        self._transport = cast(asyncio.Transport, transport)
        self._transport.write(b"220 sink.example ESMTP\r\n")

    def data_received(self, data: bytes) -> None:
        """Take commands and contents as far as they have come; answer them in one write."""
        self._buffer += data
        replies: list[bytes] = []
        while True:
            if self._in_content:
                if not self._take_content(replies):
                    break
            else:
                end = self._buffer.find(b"\n")
                if end < 0:
                    break
                line = bytes(self._buffer[:end]).rstrip(b"\r")
                del self._buffer[: end + 1]
                replies.append(self._answer(line))
        if replies and not self._transport.is_closing():
            self._transport.write(b"".join(replies))
            if replies[-1].startswith(b"221"):
                self._transport.close()

    def _answer(self, line: bytes) -> bytes:
        verb = line[:4].upper()
        match verb:
            case b"EHLO":
                return _EHLO
            case b"MAIL":
                self._reverse_path, self._recipients = _path(line), []
                return b"250 2.1.0 OK\r\n"
            case b"RCPT":
                address = _path(line)
                if address.startswith("unknown"):
                    return b"550 5.1.1 User unknown\r\n"
                self._recipients.append(address)
                return b"250 2.1.5 OK\r\n"
            case b"DATA":
                if not self._recipients:
                    return b"554 5.5.1 No valid recipients\r\n"
                self._in_content, self._octets, self._head = True, 0, b""
                # What follows belongs to a line of its own already.
                self._buffer[:0] = b"\r\n"
                return b"354 Go ahead\r\n"
            case b"QUIT":
                return b"221 2.0.0 Bye\r\n"
            case b"HELO" | b"RSET" | b"NOOP":
                return b"250 2.0.0 OK\r\n"
            case _:
                return b"500 5.5.1 Command unknown\r\n"

    def _take_content(self, replies: list[bytes]) -> bool:
        """Take what is there of a content; say whether it is complete."""
        end = self._buffer.find(_END)
        taken = end if end >= 0 else max(0, len(self._buffer) - len(_END))
        if len(self._head) < _KEPT:
            self._head += bytes(self._buffer[: min(taken, _KEPT)])
        self._octets += taken
        if end < 0:
            del self._buffer[:taken]
            return False
        del self._buffer[: end + len(_END)]
        self._in_content = False
        actions = "" if self._reverse_path else _actions(self._head)
        self._teller.say(
            "m", time.monotonic(), self._address, self._number, self._reverse_path,
            ",".join(self._recipients), max(0, self._octets - 2), actions,
        )  # fmt: skip
        replies.append(b"250 2.0.0 Taken\r\n")
        return True


class DeadSession(asyncio.Protocol):
    """One connection to a host that says nothing."""

    def __init__(self, teller: Teller, address: str, *, hangs_up: bool) -> None:
        self._teller = teller
        self._address = address
        self._hangs_up = hangs_up

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Note it."""
        self._teller.say("c", time.monotonic(), self._address)
        if self._hangs_up:
            transport.close()

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio's own signature
        """Note its end."""
        self._teller.say("x", time.monotonic(), self._address)


def _path(line: bytes) -> str:
    return line[line.find(b"<") + 1 : line.find(b">")].decode("ascii", "replace")


def _actions(content: bytes) -> str:
    """Read a delivery report: what became of whom."""
    found = _RECIPIENT_BLOCK.findall(content.replace(b"\r\n", b"\n"))
    return ",".join(f"{action.decode().lower()}:{recipient.decode()}" for recipient, action in found)


def _session(teller: Teller, address: str, behaviour: str) -> asyncio.Protocol:
    if behaviour == "good":
        return SinkSession(teller, address)
    return DeadSession(teller, address, hangs_up=behaviour == "hangup")


def _end_at_once(_loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """A sink with a bug would be taken for a slow server: it ends, and whoever measures fails."""
    traceback.print_exception(context.get("exception"))
    os._exit(1)


async def _serve(task: dict[str, Any]) -> None:
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(_end_at_once)
    teller = Teller()
    for address, behaviour in task["hosts"]:
        await loop.create_server(
            partial(_session, teller, address, behaviour),
            address, task["port"], backlog=1024,
        )  # fmt: skip
    teller.say("ready")
    flushing = asyncio.create_task(teller.keep_flushing())
    await loop.run_in_executor(None, sys.stdin.read)
    flushing.cancel()
    teller.flush()


def main() -> int:
    """Do what the first line of the input says until the input ends."""
    raise_file_limit()
    task = json.loads(sys.stdin.readline())
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_serve(task))
    return 0


if __name__ == "__main__":
    sys.exit(main())
