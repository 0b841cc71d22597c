"""The demo: one message, four recipients, and what a sender hears of it, when. `make demo` runs it.

    python -m demo             show it
    python -m demo --json      say in one object whether it was so
    python -m demo --stay      show it, and leave the world running to be tried by hand
    python -m demo --healthy   the same with the dead host alive: then the demo must fail

Exit status: 0, everything that is claimed was seen; 1, something was not, and it is said which; 2, the world
could not be built; 130, Ctrl-C.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import shlex
import signal
import sys
import time
from pathlib import Path
from typing import NoReturn

from demo.screen import Screen, screen_for
from demo.story import LIMIT_MS, Check, Story
from demo.world import DEAD, LIFETIME_MS, SENDER, UNKNOWN, World, WorldFault

_INTRODUCTION = (
    "ByReturn: one message, four recipients, one of them at a host that is dead.",
    "It takes about 15 seconds, at most 30. Nothing in it can reach the internet:",
    "name server, mail hosts and connector all live on 127.0.0.0/8, without root.",
    "",
)
_TWO_DAYS = (
    "- In the connector that this one re-creates, the first report would have waited for the last host: "
    "two days."
)


def main() -> int:
    """Run the demo; return the exit status."""
    options = _options()
    signal.signal(signal.SIGTERM, _end)
    signal.signal(signal.SIGHUP, _end)
    screen = screen_for(is_silent=options.json)
    try:
        return _show(options, screen)
    except WorldFault as fault:
        if options.json:
            print(json.dumps({"ok": False, "fault": str(fault)}))
        else:
            print(f"The demo could not be shown: {fault}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        # Nobody reads on. What is left in the buffer would only fail again at the end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser("python -m demo", description="Show what ByReturn does.")
    how = parser.add_mutually_exclusive_group()
    how.add_argument("--json", action="store_true", help="print one object for programs, nothing else")
    how.add_argument("--stay", action="store_true", help="leave the world running until Ctrl-C")
    parser.add_argument("--healthy", action="store_true", help="let the dead host answer: must fail")
    return parser.parse_args()


def _end(number: int, _frame: object) -> NoReturn:
    """Leave in order: the connector is stopped and the folder removed on the way out."""
    raise SystemExit(128 + number)


def _show(options: argparse.Namespace, screen: Screen) -> int:
    began = time.perf_counter()
    screen.say(_INTRODUCTION)
    with World(is_agency_dead=not options.healthy) as world:
        story = Story(world)
        try:
            for news in story.play(LIMIT_MS):
                screen.follow(story, news)
        finally:
            screen.end(story)
        if not options.stay:
            world.connector.stop()
        checks = story.checks()
        is_true = all(check.is_true for check in checks)
        took = round((time.perf_counter() - began) * 1000)
        if options.json:
            print(json.dumps(_object(story, checks, took, [] if is_true else list(world.connector.lines))))
        elif is_true:
            screen.say(_summary(story, checks))
        else:
            screen.say(_failure(checks, world))
        if options.stay:
            # Ctrl-C is the end that was agreed on, and says nothing about what was shown.
            with contextlib.suppress(KeyboardInterrupt):
                _stay(world, story, screen)
    return 0 if is_true else 1


def _object(story: Story, checks: list[Check], took: int, log: list[str]) -> dict[str, object]:
    return {
        "ok": all(check.is_true for check in checks),
        "checks": [{"name": check.name, "ok": check.is_true, "seen": check.seen} for check in checks],
        "times_ms": {**story.times(), "whole_demo": took},
        "reports": [report.subject for report in story.reports],
        **({"log": log[-20:]} if log else {}),
    }


def _summary(story: Story, checks: list[Check]) -> list[str]:
    """Say in five lines what was shown."""
    times = {name: f"{at:,} ms" for name, at in story.times().items()}
    known = f"{times['domain_does_not_exist']} and {times['refused']}"
    return [
        "",
        "- One message, 4 recipients: 1 accepted, 2 not deliverable, 1 at a dead host.",
        f"- Failures known after {known}; reported to the sender after {times['first_report']}.",
        f"- Dead host: {story.dead_host_calls} attempts, given up after {times['gave_up']}, "
        f"reported after {times['second_report']}.",
        f"- All {len(checks)} checks hold. Mail is tried for {LIFETIME_MS // 1000} s here, by default for "
        "5 days.",
        _TWO_DAYS,
    ]


def _failure(checks: list[Check], world: World) -> list[str]:
    lines = ["", "This did not go as it should. Not so:"]
    lines += [f"- {check.name} (seen: {check.seen})" for check in checks if not check.is_true]
    return [*lines, "", "The last lines of the connector's log:", *world.connector.tail().splitlines()]


def _stay(world: World, story: Story, screen: Screen) -> None:
    """Leave the world running, and tell how to use it."""
    port, file = world.connector.port, shlex.quote(str(world.configuration))
    byreturn = shlex.quote(str(Path(sys.executable).with_name("byreturn")))
    python = shlex.quote(sys.executable)
    script = (
        f"import smtplib; smtplib.SMTP('127.0.0.1', {port}).sendmail('{SENDER}', ['{UNKNOWN}'], "
        "'Subject: By hand\\r\\n\\r\\nHello')"
    )
    print(
        "\nThe world stays until Ctrl-C, and here is what the connector writes. Lines to paste elsewhere:\n\n"
        f"  swaks --server 127.0.0.1:{port} --from {SENDER} --to {UNKNOWN},{DEAD}\n"
        f'  {python} -c "{script}"\n'
        f"  {byreturn} --config {file} send-test --from {SENDER} --server 127.0.0.1:{port} {DEAD}\n"
        f"  {byreturn} --config {file} queue\n"
        f"  {byreturn} --config {file} trace {DEAD}\n"
        f"  {byreturn} --config {file} show {story.queue_id}\n"
        f"  ls {shlex.quote(str(world.mailbox))}/new\n",
        flush=True,
    )
    while world.connector.runs:
        fact = world.connector.next_fact(0.2)
        if fact is not None:
            fields = (f"{name}={value}" for name, value in fact.fields.items() if name not in ("at", "fact"))
            screen.say([f"  {fact.name}: {' '.join(fields)}"])
    screen.say(["The connector has ended.", world.connector.tail()])


if __name__ == "__main__":
    sys.exit(main())
