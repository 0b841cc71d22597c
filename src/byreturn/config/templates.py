"""Read the words that a house puts in place of ours in its reports: a folder of small files.

    mailbox-full.toml                     for every language and reader
    mailbox-full.de.toml                  in German
    mailbox-full.external.toml            for readers outside the house
    mailbox-full.de.external.toml         both

Each has a `cause`, one sentence, or `steps`, a list of at most three, or both:

    cause = "The mailbox {address} has no room for this message."
    steps = ["Call the recipient.", "Send it again tomorrow."]

Promises: all that is wrong is told at once, with file, line where it is known, and what to do; a file with a
fault is left out whole, and our own words are said in its place. No folder means no words.
"""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Final

from byreturn.config.errors import Complaints, ConfigError
from byreturn.config.lines import KeyPath, Lines
from byreturn.report import Audience, Reason
from byreturn.report.overrides import (
    CAUSE_LIMIT,
    STEP_LIMIT,
    Override,
    OverrideKey,
    Overrides,
    check_override,
)
from byreturn.report.remedies import STEPS_LIMIT

_MEANING: Final = "Reports are sent with the built-in words."
# A file of a cause and three steps needs two thousand; a file of megabytes is something else.
_FILE_LIMIT: Final = 64 * 1024
_LANGUAGE: Final = re.compile(r"[a-z]{2,3}(?:-[a-z0-9]{2,8}){0,3}")
_KEYS: Final = ("cause", "steps")


def read_overrides(folder: Path) -> tuple[Overrides, tuple[ConfigError, ...]]:
    """Read a folder; return the words that are good and what is wrong with the others."""
    table: dict[OverrideKey, Override] = {}
    complaints: list[ConfigError] = []
    try:
        files = sorted(file for file in folder.iterdir() if not file.name.startswith("."))
    except FileNotFoundError:
        return Overrides(), ()
    except OSError as error:
        what = f"the folder cannot be read: {error.strerror}"
        return Overrides(), (_about(folder, what, "Make it readable for the user that ByReturn runs as."),)
    for file in files:
        key = _key_of(file)
        read = key if isinstance(key, ConfigError) else _read_one(file)
        if isinstance(key, ConfigError):
            complaints.append(key)
        elif isinstance(read, Override):
            # Two names can mean the same: `x.DE.toml` and `x.de.toml`. The later one in the alphabet is used.
            table[key] = read
        elif isinstance(read, tuple):
            complaints.extend(read)
    return Overrides(table), tuple(complaints)


def _about(file: Path, what: str, remedy: str) -> ConfigError:
    return ConfigError(str(file), None, "", "", what, _MEANING, remedy)


def _key_of(file: Path) -> OverrideKey | ConfigError:
    """Read what a file is about off its name."""
    name, *rest = file.name.split(".")
    if not rest or rest.pop() != "toml":
        return _about(file, "not a .toml file", "Move it elsewhere: this folder is for words of reports.")
    if name not in {reason.value for reason in Reason}:
        names = ", ".join(reason.value for reason in Reason)
        return _about(
            file, f'"{name}" is no reason that a report has', f"Name the file after one of: {names}."
        )
    readers = {audience.value: audience for audience in Audience}
    reader = readers[rest.pop()] if rest and rest[-1] in readers else None
    tag = rest.pop().lower() if rest else ""
    if rest or (tag and not _LANGUAGE.fullmatch(tag)):
        return _about(
            file,
            "what follows the reason is neither a language nor a reader",
            f"Name it <reason>.<language>.<reader>.toml, where the reader is one of: {', '.join(readers)}.",
        )
    return Reason(name), tag, reader


def _read_one(file: Path) -> Override | tuple[ConfigError, ...]:
    try:
        with file.open("rb") as stream:
            octets = stream.read(_FILE_LIMIT + 1)
    except OSError as error:
        remedy = "Make it readable for the user that ByReturn runs as."
        return (_about(file, f"cannot be read: {error.strerror}", remedy),)
    if len(octets) > _FILE_LIMIT:
        return (_about(file, f"larger than {_FILE_LIMIT} octets", "Keep only a cause and steps in it."),)
    try:
        text = octets.decode("utf-8").replace("\r\n", "\n")
        document = tomllib.loads(text)
    except UnicodeDecodeError:
        return (_about(file, "not UTF-8 text", "Save it as UTF-8."),)
    except tomllib.TOMLDecodeError as error:
        return (
            _about(
                file,
                f"not TOML: {error}",
                "Write each text in quotation marks, after cause = or in steps = [ ].",
            ),
        )
    return _check(document, _Notes(file, Lines(text), document))


class _Notes:
    """Notes faults of one file."""

    def __init__(self, file: Path, lines: Lines, document: dict[str, object]) -> None:
        self._complaints = Complaints(str(file), lines, document)

    def note(self, path: KeyPath, what: str, remedy: str) -> None:
        self._complaints.about_key(path, what, remedy, _MEANING)

    def all(self) -> tuple[ConfigError, ...]:
        return tuple(self._complaints.all())


def _check(document: dict[str, object], notes: _Notes) -> Override | tuple[ConfigError, ...]:
    for name in document:
        if name not in _KEYS:
            notes.note((name,), "not a key of such a file", "Use only: cause, steps.")
    if not any(name in document for name in _KEYS):
        notes.note((), "neither a cause nor steps", "Write at least one of them.")
    cause = document.get("cause")
    if cause is not None:
        _check_text(("cause",), cause, CAUSE_LIMIT, notes)
    steps = document.get("steps")
    if steps is not None and not isinstance(steps, list):
        notes.note(("steps",), "not a list", "Write the steps in square brackets, each in quotation marks.")
    elif steps is not None:
        if len(steps) > STEPS_LIMIT:
            notes.note(("steps",), f"more than {STEPS_LIMIT} steps", "Keep those that help most.")
        for at, step in enumerate(steps[: 2 * STEPS_LIMIT]):
            _check_text(("steps", at), step, STEP_LIMIT, notes)
    wrong = notes.all()
    if wrong:
        return wrong
    # What is not of these types has been complained of.
    return Override(
        cause=cause if isinstance(cause, str) else None,
        steps=tuple(str(step) for step in steps) if isinstance(steps, list) else None,
    )


def _check_text(path: KeyPath, value: object, limit: int, notes: _Notes) -> None:
    if not isinstance(value, str):
        notes.note(path, "not a text", "Write it in quotation marks.")
        return
    if len(value) > limit:
        notes.note(path, f"longer than {limit} characters", "Say it in fewer words.")
    wrong = check_override(value)
    if wrong is not None:
        what, _, remedy = wrong.partition(": ")
        notes.note(path, what, f"{remedy[:1].upper()}{remedy[1:]}.")
