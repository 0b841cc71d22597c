"""Fill in the values that follow from others: a preset's, the machine's name, a default port, everybody's.

It runs when everything is known to be good, and changes settings in place of the model, so that what
`byreturn check` shows is what is in effect, whichever way it came about.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

from msgspec import Struct
from msgspec.structs import replace

from byreturn.config.check import Block, Setting, blocks_of, default_of
from byreturn.mail import Mailbox, normal_domain
from byreturn.policy import NextHop


class _Facts(Struct, frozen=True):
    """What the values that follow are made from."""

    folder: Path
    hostname: str
    first_domain: str
    port: int
    preset: str
    language: str
    time_zone: str


def derive(blocks: Sequence[Block], *, folder: Path, machine_hostname: str) -> tuple[Block, ...]:
    """Return the blocks with nothing left open; `folder` is the one of the configuration file."""
    domains, report = blocks_of(blocks, "domain"), blocks_of(blocks, "report")[0]
    hostname = _value(blocks[0], "hostname") or normal_domain(machine_hostname)
    facts = _Facts(
        folder=folder,
        hostname=hostname,
        first_domain=_value(domains[0], "name") if domains else hostname,
        port=_value(blocks_of(blocks, "delivery")[0], "port"),
        preset=_value(blocks_of(blocks, "retry")[0], "preset"),
        language=_value(report, "language"),
        time_zone=_value(report, "time_zone"),
    )
    derived = [
        replace(block, settings=tuple(_derive_one(block, setting, facts) for setting in block.settings))
        for block in blocks
    ]
    # What a rule leaves out is as for everybody, and that has to be known first.
    everybodys = {
        name: _value(blocks_of(derived, section)[0], general)
        for name, (section, general) in _AS_FOR_EVERYBODY.items()
    }
    return tuple(
        _complete(block, everybodys) if block.section.path == "destination" else block for block in derived
    )


def _complete(block: Block, everybodys: dict[str, Any]) -> Block:
    return replace(
        block,
        settings=tuple(
            replace(setting, value=everybodys.get(setting.key.name)) if setting.value is None else setting
            for setting in block.settings
        ),
    )


def _value(block: Block, name: str) -> Any:
    setting = block.find(name)
    assert setting is not None, f"{name} was checked and is not there"
    return setting.value


def _derive_one(block: Block, setting: Setting, facts: _Facts) -> Setting:
    if setting.line is None and setting.key.imc and facts.preset == "imc":
        value = default_of(setting.key, setting.key.imc)
        return replace(setting, value=value, origin='preset "imc"')
    follow = _FOLLOWING.get((block.section.path, setting.key.name))
    return setting if follow is None else replace(setting, value=follow(setting.value, facts))


def _with_ports(hops: tuple[NextHop, ...], facts: _Facts) -> tuple[NextHop, ...]:
    return tuple(hop if hop.port else NextHop(hop.host, facts.port) for hop in hops)


# By the key in a rule: the section and the key that hold for everybody.
_AS_FOR_EVERYBODY: Final = {
    "connections": ("delivery", "connections_per_destination"),
    "messages_per_connection": ("delivery", "messages_per_connection"),
    "recipients_per_transaction": ("delivery", "recipients_per_transaction"),
    "source_address": ("delivery", "source_address"),
    "hello": ("delivery", "hello"),
    "tls": ("delivery", "tls"),
    "after_4yz": ("retry", "after_4yz"),
    "intervals": ("retry", "intervals"),
    "probe_limit": ("retry", "probe_limit"),
}

_FOLLOWING: Final[dict[tuple[str, str], Callable[[Any, _Facts], object]]] = {
    ("", "hostname"): lambda value, facts: value or facts.hostname,
    ("", "data"): lambda value, facts: facts.folder / value,
    ("delivery", "hello"): lambda value, facts: value or facts.hostname,
    ("delivery", "tls_roots"): lambda value, facts: facts.folder / value if value else None,
    ("listener", "language"): lambda value, facts: value or facts.language,
    ("domain", "language"): lambda value, facts: value or facts.language,
    ("sender", "time_zone"): lambda value, facts: value or facts.time_zone,
    ("route", "hosts"): _with_ports,
    ("report", "catalogues"): lambda value, facts: facts.folder / value if value else None,
    ("report", "templates"): lambda value, facts: facts.folder / value if value else None,
    ("report", "postmaster"): lambda value, facts: value or Mailbox("postmaster", facts.first_domain),
}
