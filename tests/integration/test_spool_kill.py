"""kill -9 while mail comes in: every message that was acknowledged is there afterwards (G1).

A child process accepts messages as fast as it can, on the real clock and with real threads, and prints the id
of each when its callback comes: what the 250 would have said. It is killed in the middle of this; the next
child goes on in the same folder. Every seventh content is large and has a file of its own.
"""

import os
import secrets
import subprocess
import sys
from pathlib import Path

import pytest
from tests.contract.spools import SqliteBox

from byreturn.mail import QueueId

ROOT = Path(__file__).parents[2]
ROUNDS = 10
AT_ONCE = 8
CHILD = """
import asyncio, sys
from pathlib import Path

from byreturn.mail import IdFactory, Mailbox, Message, QueueId, Recipient, Destination
from byreturn.policy import Fence, InFlight
from byreturn.ports import NewMessage, NewRecipient
from byreturn.spool import SpoolSettings, SqliteSpool
from byreturn.transport.machine import SystemClock
from byreturn.transport.worker import ThreadWorker

AT_ONCE = int(sys.argv[2])


class Client:
    def __init__(self, loop):
        clock = SystemClock(loop)
        self.spool = SqliteSpool(
            Path(sys.argv[1]),
            ThreadWorker(loop, 2, "spool"),
            clock,
            settings=SpoolSettings(),
            on_broken=sys.exit,
        )
        self.clock = clock
        self.ids = IdFactory(1, self.spool.opened.floor)
        self.count = 0

    def send(self):
        self.count += 1
        number = self.ids.make(self.clock.now())
        content = str(number).encode() * (10_000 if self.count % 7 == 0 else 5)
        if self.count % 7:
            self.accept(number, content, len(content))
            return
        writer = self.spool.content_writer(number)
        assert writer.write(content) is None
        writer.seal(lambda fault: self.sealed(number, len(content), fault))

    def sealed(self, number, octets, fault):
        assert fault is None, fault
        self.accept(number, None, octets)

    def accept(self, number, content, octets):
        now = self.clock.now()
        message = Message(
            id=number,
            reverse_path=Mailbox("alice", "here.example"),
            accepted_at=now,
            expires_at=now + 1000,
            octets=octets,
            recipient_count=1,
        )
        bob = Mailbox("bob", "away.example")
        recipient = Recipient(0, bob, bob, bob.destination)
        state = InFlight(Fence(self.spool.epoch, 1))
        new = NewMessage(message, (NewRecipient(recipient, state),), content)
        self.spool.accept(new, lambda fault: self.accepted(number, fault))

    def accepted(self, number, fault):
        assert fault is None, fault
        print(number, flush=True)
        self.send()


loop = asyncio.new_event_loop()
client = Client(loop)
for _ in range(AT_ONCE):
    client.send()
loop.run_forever()
"""


def accept_until_killed(folder, count):
    """Let a child accept messages, kill it after so many; return the ids of all that it acknowledged."""
    paths = os.pathsep.join([str(ROOT / "src"), str(ROOT)])
    process = subprocess.Popen(
        [sys.executable, "-c", CHILD, str(folder), str(AT_ONCE)],
        env={**os.environ, "PYTHONPATH": paths},
        stdout=subprocess.PIPE,
    )
    lines = [process.stdout.readline() for _ in range(count)]
    process.kill()
    # Also what was said between our last look and its death.
    rest, _ = process.communicate()
    lines += rest.splitlines(keepends=True)
    return {QueueId(int(line)) for line in lines if line.endswith(b"\n")}


@pytest.mark.slow
def test_what_was_acknowledged_survives_a_kill(tmp_path):
    folder = tmp_path / "data"
    acknowledged: set[QueueId] = set()
    for number in range(ROUNDS):
        before = len(acknowledged)
        count = 1 + secrets.randbelow(150)
        fresh = accept_until_killed(folder, count)
        assert not fresh & acknowledged, "an id was made twice"
        acknowledged |= fresh
        assert len(acknowledged) >= before + count
        box = SqliteBox(folder)
        kept = {QueueId(row[0]) for row in box.query("SELECT id FROM message")}
        waiting = {
            QueueId(row[0]) for row in box.query("SELECT message_id FROM recipient WHERE state IN (0, 3)")
        }
        print(f"round {number}: killed after {count}, {len(fresh)} acknowledged, {len(kept)} kept in all")
        assert acknowledged <= kept, "acknowledged and lost"
        assert acknowledged <= waiting, "kept, and nobody will try it again"
        for message_id in fresh:
            content = box.content(message_id)
            assert content is not None
            word = str(message_id).encode()
            assert content in (word * 5, word * 10_000)
        box.close()
