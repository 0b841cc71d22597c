"""Read a configuration file: all of it is good, or every error is told and nothing is used.

    octets -> UTF-8 -> TOML -> table of keys -> rules between keys -> derived values -> files -> Config

The first three steps can only tell their first error, because what follows it has no meaning; the others
tell everything at once. Errors are facts: nothing here raises for what a file may hold.

Bounds: a file of up to FILE_OCTETS_LIMIT.
"""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Final

from byreturn.config.check import check
from byreturn.config.derive import derive
from byreturn.config.errors import NOTHING_STARTED, Complaints, ConfigError, quoted
from byreturn.config.files import check_files
from byreturn.config.lines import Lines
from byreturn.config.model import Config, build
from byreturn.config.rules import check_rules

# A hundred thousand mailboxes with their aliases; who has more keeps them elsewhere.
FILE_OCTETS_LIMIT: Final = 8 << 20

_PYTHON_KEY: Final = re.compile(r"\('(.*?)',?\)")
_TOML_PLACE: Final = re.compile(r" \(at line (\d+), column (\d+)\)$| \(at end of document\)$")


def load(path: Path, *, machine_hostname: str) -> Config | list[ConfigError]:
    """Read a file; the list of errors is never empty."""
    try:
        with path.open("rb") as file:
            data = file.read(FILE_OCTETS_LIMIT + 1)
    except OSError as error:
        return [_unreadable(path, error)]
    if len(data) > FILE_OCTETS_LIMIT:
        remedy = "Is this the right file?"
        return [_whole_file(path, None, f"larger than {FILE_OCTETS_LIMIT >> 20} MiB", remedy)]
    try:
        # Some editors put a mark at the start of every UTF-8 file; it means nothing.
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        what = f"not UTF-8: octet 0x{data[error.start]:02X} at position {error.start}"
        return [_whole_file(path, line, what, "Save the file as UTF-8.")]
    return _read(text, path, machine_hostname, looks_at_files=True)


def load_text(text: str, path: Path, *, machine_hostname: str) -> Config | list[ConfigError]:
    """Read a configuration that would stand in a file at `path`; the files it names may be elsewhere."""
    return _read(text, path, machine_hostname, looks_at_files=False)


def _read(
    text: str, path: Path, machine_hostname: str, *, looks_at_files: bool
) -> Config | list[ConfigError]:
    try:
        document = tomllib.loads(text)
    except RecursionError:
        return [_whole_file(path, None, "nested too deeply", "Remove most of the brackets.")]
    except tomllib.TOMLDecodeError as error:
        return [_not_toml(path, text, str(error))]
    except ValueError:
        # Python will not read a number of thousands of digits, and does not tell where it stands.
        return [_whole_file(path, None, "a number of thousands of digits", "Remove it.")]
    lines = Lines(text)
    complaints = Complaints(str(path), lines, document)
    blocks = check(document, lines, complaints)
    check_rules(blocks, machine_hostname, complaints)
    errors = complaints.all()
    if errors:
        return errors
    blocks = derive(blocks, folder=path.absolute().parent, machine_hostname=machine_hostname)
    if looks_at_files:
        check_files(blocks, complaints)
    return complaints.all() or build(blocks, path)


def _unreadable(path: Path, error: OSError) -> ConfigError:
    match error:
        case FileNotFoundError():
            what, remedy = "no such file", "Name another file, or write one with: byreturn init"
        case IsADirectoryError():
            what, remedy = "a folder, not a file", "Name the file in it."
        case PermissionError():
            what, remedy = "no permission to read it", "Let the user that runs ByReturn read it."
        case _:
            what, remedy = f"cannot be read: {error.strerror}", "Check the path and the disk."
    return _whole_file(path, None, what, remedy)


def _not_toml(path: Path, text: str, message: str) -> ConfigError:
    """Put a complaint of the TOML reader into our form."""
    place = _TOML_PLACE.search(message)
    if place is None:
        line, where = None, ""
    elif place[1] is None:
        line, where = text.rstrip("\n").count("\n") + 1, " at the end of the file"
    else:
        line, where = int(place[1]), f" at column {place[2]}"
    # The reader names a key as Python would: ('retry', 'lifetime').
    said = message[: place.start()] if place else message
    said = _PYTHON_KEY.sub(lambda found: quoted(found[1].replace("', '", ".")), said)
    remedy = "Correct this line or the one before it; texts need quotation marks, sections square brackets."
    if "twice" in said or "overwrite" in said:
        remedy = "Remove it here or above: a name can be given once."
    what = f"not TOML: {said}{where}"
    return _whole_file(path, line, what, remedy)


def _whole_file(path: Path, line: int | None, what: str, remedy: str) -> ConfigError:
    return ConfigError(str(path), line, "", "", what, NOTHING_STARTED, remedy)
