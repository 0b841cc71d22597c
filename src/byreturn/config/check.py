"""Compare a file with the table of keys, from one end to the other.

What comes out is a list of blocks: one for every table of the file and for every section that the file
leaves out, each with its effective settings and where each comes from. A setting that could not be read is
not in its block, and the complaint about it is noted; so the rules that follow see everything that is good
and nothing that is not, and one run tells all there is to tell.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Sequence
from difflib import get_close_matches
from typing import Any, Final, TypeAlias

from msgspec import Struct

from byreturn.config.errors import Bad, Complaints
from byreturn.config.keys import SECTIONS, Key, Section
from byreturn.config.lines import KeyPath, Lines
from byreturn.config.values import not_a

# Of a table, to be told one by one; with more than that it is another program's file.
_UNKNOWN_LIMIT: Final = 50

# A table of the file and where it is.
Table: TypeAlias = tuple[KeyPath, dict[str, object]]


class Setting(Struct, frozen=True):
    """A key's effective value: from a line of the file, or from where `origin` says."""

    key: Key
    value: Any
    line: int | None
    origin: str = ""


class Block(Struct, frozen=True):
    """One table, with the settings that could be read, in the order of the table of keys."""

    section: Section
    at: KeyPath
    settings: tuple[Setting, ...]

    def find(self, name: str) -> Setting | None:
        """Return the setting of a key; None if it could not be read."""
        return next((setting for setting in self.settings if setting.key.name == name), None)


def blocks_of(blocks: Sequence[Block], section: str) -> list[Block]:
    """Return the blocks of one section."""
    return [block for block in blocks if block.section.path == section]


def check(document: dict[str, object], lines: Lines, complaints: Complaints) -> tuple[Block, ...]:
    """Check a whole document; what is wrong is noted in `complaints`."""
    walk = _Walk(document, lines, complaints)
    return tuple(block for section in SECTIONS for block in walk.blocks(section))


def toml_value(text: str) -> object:
    """Read a TOML value that we wrote ourselves: a default or an example."""
    return tomllib.loads(f"value = {text}")["value"]


def default_of(key: Key, text: str | None) -> Any:
    """Read a default of a key."""
    if text is None:
        return None
    value = key.kind.read(toml_value(text))
    assert not isinstance(value, Bad), f"a bad default: {key.name} = {text}"
    return value


class _Walk:
    def __init__(self, document: dict[str, object], lines: Lines, complaints: Complaints) -> None:
        self._document = document
        self._lines = lines
        self._complaints = complaints

    def blocks(self, section: Section) -> Iterator[Block]:
        """Yield the blocks of one section."""
        for at, table in self._tables(section):
            self._refuse_unknown(section, at, table)
            yield Block(section, at, tuple(self._settings(section, at, table)))

    def _tables(self, section: Section) -> Iterator[Table]:
        """Yield the tables of a section and where they are; an absent single one is an empty table."""
        path: KeyPath = tuple(section.path.split(".")) if section.path else ()
        value: object = self._document
        for part in path:
            # A parent that is no table has had its complaint already.
            value = value.get(str(part), {}) if isinstance(value, dict) else {}
        if section.is_repeated:
            yield from self._repeated_tables(section, path)
        elif isinstance(value, dict):
            yield path, value
        else:
            remedy = f"Write {section.heading} on a line of its own and its keys on the lines below it."
            if isinstance(value, list):
                remedy = f"Write {section.heading} once, with one pair of brackets."
            self._complain(path, not_a("a table", value, remedy))

    def _repeated_tables(self, section: Section, path: KeyPath) -> Iterator[Table]:
        value = self._document.get(section.path, [])
        remedy = f"Write {section.heading}, with two pairs of brackets, before the keys of each of them."
        if isinstance(value, dict):
            # Its keys are still worth checking: the brackets may be the smallest of its faults.
            self._complain(path, not_a("a list of tables", value, remedy))
            yield path, value
        elif not isinstance(value, list):
            self._complain(path, not_a("a list of tables", value, remedy))
        elif len(value) > section.most:
            self._complaints.about_key(path, f"{len(value)} of them", f"Write at most {section.most}.")
        elif not value and section.is_required:
            first = next(key for key in section.keys if key.is_required)
            remedy = f"Add {section.heading} and below it {first.name} = {first.example}."
            self._complaints.about_key(path, "there is none", remedy)
        else:
            for index, table in enumerate(value):
                if isinstance(table, dict):
                    yield (*path, index), table
                else:
                    self._complain((*path, index), not_a("a table", table, remedy))

    def _settings(self, section: Section, at: KeyPath, table: dict[str, object]) -> Iterator[Setting]:
        for key in section.keys:
            path = (*at, key.name)
            if key.name in table:
                value = key.kind.read(table[key.name])
                if isinstance(value, Bad):
                    self._complain(path, value)
                else:
                    yield Setting(key, value, self._lines.of(path))
            elif key.is_required:
                remedy = f"Add a line such as {key.name} = {key.example}."
                self._complaints.about_key(path, "missing", remedy)
            else:
                origin = f"default: {key.otherwise}" if key.otherwise else "default"
                yield Setting(key, default_of(key, key.default), None, origin)

    def _refuse_unknown(self, section: Section, at: KeyPath, table: dict[str, object]) -> None:
        known = _names_in(section)
        unknown = [name for name in table if name not in known]
        for name in unknown[:_UNKNOWN_LIMIT]:
            is_section = not section.path and _is_section(table[name])
            what = "unknown section" if is_section else "unknown key"
            self._complaints.about_key((*at, name), what, _remedy_for_unknown(section, name, known))
        if len(unknown) > _UNKNOWN_LIMIT:
            what = f"{len(unknown)} unknown keys, of which {_UNKNOWN_LIMIT} are told"
            self._complaints.about_key(at, what, "Is this the right file?")

    def _complain(self, path: KeyPath, bad: Bad) -> None:
        for wrong in bad.wrongs:
            self._complaints.about(path, wrong)


def _is_section(value: object) -> bool:
    if isinstance(value, list):
        return bool(value) and all(isinstance(element, dict) for element in value)
    return isinstance(value, dict)


def _names_in(section: Section) -> list[str]:
    """Return the names that may stand in a section: its keys and the sections below it."""
    start = f"{section.path}." if section.path else ""
    below = [other.path for other in SECTIONS if other.path and other.path.startswith(start)]
    names = [path.removeprefix(start) for path in below]
    return [key.name for key in section.keys] + [name for name in names if "." not in name]


_ONE_NAME_LIMIT: Final = 64  # a longer name is no slip of the finger, and comparing it costs time


def _remedy_for_unknown(section: Section, name: str, known: list[str]) -> str:
    renamed = next((key.name for key in section.keys if key.formerly == name), None)
    if renamed is not None:
        return f'It is called "{renamed}" now.'
    plain = name.lower()[:_ONE_NAME_LIMIT]
    close = get_close_matches(plain, known, n=1) or get_close_matches(plain.replace("-", "_"), known, n=1)
    if close and close[0] != name:
        return f'Did you mean "{close[0]}"?'
    homes = [
        other.heading or "the top of the file, before the first section"
        for other in SECTIONS
        if name in _names_in(other)
    ]
    if homes:
        return f"It belongs {'in' if homes[0].startswith('[') else 'at'} {' or '.join(homes)}."
    here = section.heading or "the top of the file"
    return f"Remove it, or choose one of those that {here} has: {', '.join(known)}."
