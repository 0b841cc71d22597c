"""Reports under load: how soon a failure is in a durable report, at rest and with 200 failures a second.

    load    `--rate` messages a second for `--seconds`, each from one of 200 senders to an address that a
            good host answers with 550, and so each with a report of its own
    idle    the same, one message at a time, with nothing else to do

Measured: from the failure that was settled to the report that was committed (what the spool wrote beside what
the log wrote), and from 250 to the report at the sender's host. With Postfix beside it for the second; of the
first it has no figure.
"""

from __future__ import annotations

import argparse
import json
import sqlite3
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing
from datetime import datetime
from pathlib import Path
from typing import Final

from bench.figures import Benchmark, Figure, add_alone, run, say, spread
from bench.load import Letter, Load
from bench.names import SENDERS, Net
from bench.sinks import wait_for
from bench.systems import ByReturn, Postfix, System, why_no_postfix

from byreturn.mail import QueueId, id_text

_HOSTS: Final = 20
_SENDERS: Final = 200
_LOG: Final = '[log]\nformat = "json"\n'


def letters_of(net: Net, tag: str, count: int, rate: float) -> list[Letter]:
    """Write the letters, each to an address that does not exist."""
    hosts = [net.domain(f"{tag}{number}", behaviour="good") for number in range(_HOSTS)]
    return [
        Letter(
            number / rate,
            f"someone{number % _SENDERS}@{SENDERS}",
            (f"unknown-{tag}-{number}@{hosts[number % _HOSTS]}",),
        )
        for number in range(count)
    ]


def send(net: Net, system: System, letters: list[Letter], patience: float) -> list[float]:
    """Send them; seconds from 250 to the report of each that came."""
    with Load(system.port, paced=letters) as load:
        load.finish()
        accepted = load.accepted

        def reported_at(place: int) -> float | None:
            return net.sinks.failure_reported_at(letters[place].sender, letters[place].recipients[0])

        wait_for(lambda: all(reported_at(place) for place in accepted), patience)
        return [at - since for place, since in accepted.items() if (at := reported_at(place)) is not None]


def durable(system: ByReturn, letters: list[Letter]) -> list[float]:
    """Seconds from the failure that was settled to the report that was committed."""
    committed: dict[str, float] = {}
    for line in (system.folder / "log").read_text("utf-8", "replace").splitlines():
        if '"reported"' in line:
            said = json.loads(line)
            committed[said["id"]] = datetime.fromisoformat(said["at"]).timestamp()
    wanted = {letter.recipients[0] for letter in letters}
    with closing(sqlite3.connect(f"file:{system.data}/spool.sqlite3?mode=ro", uri=True)) as database:
        known = database.execute(
            "SELECT r.address, o.at, o.message_id FROM owed AS o"
            " JOIN recipient AS r USING (message_id, ordinal) WHERE o.action = 'failed'"
        ).fetchall()
    return [
        committed[id_text(QueueId(message_id))] - at / 1000
        for address, at, message_id in known
        if address in wanted and id_text(QueueId(message_id)) in committed
    ]


def measure(options: argparse.Namespace, folder: Path) -> list[Figure]:
    """Run each system alone, so that none takes the other's processor time."""
    result: list[Figure] = []
    why_not = "it was left out" if options.alone else why_no_postfix()
    if why_not:
        say(f"Postfix was not measured: {why_not}.")
    for name in ["byreturn"] if why_not else ["byreturn", "postfix"]:
        result += _one(name, options, folder / name)
    return result


def _one(name: str, options: argparse.Namespace, folder: Path) -> Iterator[Figure]:
    net = Net()
    count = int(options.rate * options.seconds)
    load = letters_of(net, "load", count, options.rate)
    idle = letters_of(net, "idle", options.count, 4.0)
    with ExitStack() as stack:
        stack.enter_context(net)
        ours = ByReturn(folder, ground=net.ground, extra=_LOG)
        system: System = (
            stack.enter_context(ours)
            if name == "byreturn"
            else stack.enter_context(Postfix(folder, ground=net.ground))
        )
        send(net, system, letters_again(idle[:1]), options.patience)
        for case, letters in (("idle", idle), (f"{options.rate:g}/s", load)):
            seconds = send(net, system, letters, options.patience)
            say(f"{case}, {name}: {len(seconds)} of {len(letters)} reported")
            yield from spread(case, "250 to report", name, seconds, len(letters))
            yield Figure(case, "reported", name, len(seconds), f"of {len(letters)}")
            if name == "byreturn":
                time.sleep(1)  # the log is written by a thread
                yield from spread(case, "known to durable", name, durable(ours, letters), len(letters))


def letters_again(letters: list[Letter]) -> list[Letter]:
    """A rehearsal: the same letters to other addresses."""
    return [
        Letter(letter.after, letter.sender, tuple(f"rehearsal-{to}" for to in letter.recipients))
        for letter in letters
    ]


def add_options(parser: argparse.ArgumentParser) -> None:
    """Its options."""
    parser.add_argument("--rate", type=float, default=200, help="failing messages a second (default: 200)")
    parser.add_argument("--seconds", type=float, default=30, help="of that (default: 30)")
    parser.add_argument("--count", type=int, default=40, help="messages at rest (default: 40)")
    parser.add_argument("--patience", type=float, default=60, help="seconds to wait at the end (default: 60)")
    add_alone(parser)


BENCHMARK: Final = Benchmark("reports", __doc__ or "", add_options, measure)

if __name__ == "__main__":
    sys.exit(run(BENCHMARK))
