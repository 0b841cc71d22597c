"""From limits that hosts asked for to the lines of configuration that keep to them for good. Pure.

    one host                    match = "mx:mx1.big.example"
    hosts with a name in common match = "mx:*.big.example"
    others                      the destination: a rule for hosts counts where it is the rule of all of them

Where a rule counts already, a second one for the same would be refused, or would hide the first: the line
goes into the section that is there. What counts for all (`*`) is left alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from byreturn.cli.ways import Way
from byreturn.config import Config
from byreturn.config.check import blocks_of
from byreturn.config.rates import MessageRate
from byreturn.mail import MINUTE, Destination
from byreturn.policy import HOSTS_PREFIX, Rate, Topic
from byreturn.ports import Lesson

_LABELS_IN_COMMON: Final = 2
_LONGEST_REGISTRY: Final = 3


def line_of(config: Config, match: str) -> int | None:
    """Return the line of a rule; None where it has none."""
    for block in blocks_of(config.blocks, "destination"):
        setting = block.find("match")
        if setting is not None and setting.value == match:
            return setting.line
    return None


def suggestion(
    config: Config, lessons: Sequence[Lesson], name: Destination | None, way: Way | None
) -> str | None:
    """Write the lines that make limits of the same hosts permanent; None where it takes the destination.

    `name` and `way`: of the destination that was asked for, if one was.
    """
    is_its_own = way is not None and way.hosts is not None
    rule = way.rule if way is not None and is_its_own and way.rule != "*" else ""
    match = rule or _match(lessons[0].hosts.split()) or (name if is_its_own else None)
    if match is None:
        return None
    line = line_of(config, match)
    head = f'[[destination]]\nmatch = "{match}"'
    if line is not None:
        head = f'# in the section of line {line}, match = "{match}"'
    return "\n".join((head, *map(_key, lessons)))


def _key(lesson: Lesson) -> str:
    match Topic(lesson.kind):
        case Topic.CONNECTIONS:
            return f"connections = {lesson.value}"
        case Topic.MESSAGES:
            return f"messages_per_connection = {lesson.value}"
        case Topic.PACE:
            return f"message_rate = {MessageRate().write(Rate(lesson.value, MINUTE))}"


def _match(hosts: list[str]) -> str:
    """Return a pattern for all hosts; empty where they have no name in common."""
    if any(":" in host or host.rpartition(".")[2].isdigit() for host in hosts):
        return ""  # A rule names hosts, no addresses.
    if len(hosts) == 1:
        return HOSTS_PREFIX + hosts[0]
    common: list[str] = []
    for labels in zip(*(reversed(host.split(".")) for host in hosts), strict=False):
        if len(set(labels)) > 1:
            break
        common.insert(0, labels[0])
    if len(common) < _LABELS_IN_COMMON or any(host == ".".join(common) for host in hosts):
        return ""
    if len(common) == _LABELS_IN_COMMON and len(common[0]) <= _LONGEST_REGISTRY and len(common[1]) == 2:
        return ""  # It may be everybody's in a country: co.uk, com.br.
    return f"{HOSTS_PREFIX}*.{'.'.join(common)}"
