"""What is wrong with a configuration, said to a person: what, what it means, what to do.

    byreturn.toml:14: retry.intervals[1] = "30 min": not a duration.   what, and where
    Nothing was started.                                               what it means
    Write a number and a unit, such as "30m" or "1h".                  what to do

Errors are facts: they are collected, never raised, so that one run tells them all. `Wrong` is a fault of a
value, as the kind of value sees it; `Complaints` knows the file and turns it into a `ConfigError`.
"""

from __future__ import annotations

import re
from datetime import date, datetime, time
from typing import Final

from msgspec import Struct

from byreturn.config.lines import KeyPath, Lines

NOTHING_STARTED: Final = "Nothing was started."
_SHOWN_LIMIT: Final = 60  # letters of a name or value; the rest of the line is needed for the message
_BARE_KEY: Final = re.compile(r"[A-Za-z0-9_-]+", re.ASCII)


class Wrong(Struct, frozen=True):
    """One fault of a value; `at` leads to the part of the value that has it."""

    what: str
    remedy: str
    at: KeyPath = ()
    meaning: str = NOTHING_STARTED


class Bad(Struct, frozen=True):
    """A value that cannot be used, with all its faults."""

    wrongs: tuple[Wrong, ...]


def bad(what: str, remedy: str, meaning: str = NOTHING_STARTED) -> Bad:
    """Make a value's only fault."""
    return Bad((Wrong(what, remedy, (), meaning),))


class ConfigError(Struct, frozen=True):
    """One error: `what` begins in lower case, `meaning` and `remedy` are sentences.

    `line` is None where the file has no line for it; `found` is the value as TOML, empty where there is
    none.
    """

    file: str
    line: int | None
    key: str
    found: str
    what: str
    meaning: str
    remedy: str

    def __str__(self) -> str:
        place = self.file if self.line is None else f"{self.file}:{self.line}"
        subject = f"{self.key} = {self.found}" if self.found else self.key
        return f"{place}: {f'{subject}: ' if subject else ''}{self.what}. {self.meaning} {self.remedy}"


class Complaints:
    """Collects the errors of one file."""

    def __init__(self, file: str, lines: Lines, document: dict[str, object]) -> None:
        self._file = file
        self._lines = lines
        self._document = document
        self._errors: list[ConfigError] = []

    def about(self, path: KeyPath, wrong: Wrong) -> None:
        """Note a fault of a value, showing it as it stands in the file."""
        path = path + wrong.at
        value = _look_up(self._document, path)
        self._note(path, "" if value is None else shown(value), wrong)

    def about_key(self, path: KeyPath, what: str, remedy: str, meaning: str = NOTHING_STARTED) -> None:
        """Note a fault that is not in a value: a key that is missing, unknown or given twice."""
        self._note(path, "", Wrong(what, remedy, (), meaning))

    def all(self) -> list[ConfigError]:
        """Return the errors in the order of their lines."""
        return sorted(self._errors, key=lambda error: error.line or 0)

    def _note(self, path: KeyPath, found: str, wrong: Wrong) -> None:
        line = self._lines.of(path)
        key = path_text(path)
        self._errors.append(
            ConfigError(self._file, line, key, found, wrong.what, wrong.meaning, wrong.remedy)
        )


def _look_up(value: object, path: KeyPath) -> object:
    for part in path:
        if isinstance(value, dict):
            value = value.get(part)
        elif isinstance(value, list) and isinstance(part, int) and part < len(value):
            value = value[part]
        else:
            return None
    return value


def path_text(path: KeyPath) -> str:
    """Write a path for people: `listener[0].bind[1]`."""
    text = ""
    for part in path:
        if isinstance(part, int):
            text += f"[{part}]"
        else:
            name = key_text(part[:_SHOWN_LIMIT])
            text += f".{name}" if text else name
    return text


def key_text(name: str) -> str:
    """Write a name as a TOML key: quoted where it must be."""
    return name if _BARE_KEY.fullmatch(name) else quoted(name)


def quoted(text: str) -> str:
    """Write a text as a TOML string of one line; what cannot be printed is escaped."""
    out = []
    for letter in text:
        if letter in {'"', "\\"}:
            out.append("\\" + letter)
        elif letter.isprintable():
            out.append(letter)
        else:
            number = ord(letter)
            out.append(f"\\u{number:04X}" if number < 1 << 16 else f"\\U{number:08X}")
    return '"' + "".join(out) + '"'


def shown(value: object) -> str:
    """Write a value as it may have stood in the file, cut where it is long."""
    match value:
        case str():
            cut = len(value) > _SHOWN_LIMIT
            return quoted(value[:_SHOWN_LIMIT]) + "..." * cut
        case bool():
            return "true" if value else "false"
        case int() if abs(value) >= 1 << 64:
            # Python refuses to write out numbers of thousands of digits.
            return "(a number beyond 64 bits)"
        case datetime() | date() | time():
            return value.isoformat()
        case list():
            return "[]" if not value else "[...]"
        case dict():
            return "{}" if not value else "{...}"
        case _:
            return str(value)
