"""Look at the files that a configuration names: what cannot be used then is told before anything starts.

Everything else about a configuration is known from its text; this is asked of the disk, last, and only about
files that are named. Nothing is kept of them: whoever needs a file reads it again.
"""

from __future__ import annotations

import ssl
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from byreturn.config.check import Block, blocks_of
from byreturn.config.errors import Complaints, Wrong, quoted
from byreturn.config.languages import language_tags

# A system's own collection has some 150 certificates in 250 KiB.
_PEM_OCTETS_LIMIT: Final = 16 << 20


def check_files(blocks: Sequence[Block], complaints: Complaints) -> None:
    """Look at each file that is named; the blocks are derived, so that paths are whole."""
    for block in blocks_of(blocks, "report"):
        for name in ("catalogues", "templates"):
            _check_folder(block, name, complaints)
    _check_languages(blocks, complaints)
    for block in blocks_of(blocks, "delivery"):
        setting = block.find("tls_roots")
        if setting is None or setting.value is None:
            continue
        wrong = _wrong_with_roots(setting.value)
        if wrong is not None:
            what, remedy = wrong
            complaints.about(block.at, Wrong(what, remedy, ("tls_roots",)))


def _check_folder(block: Block, name: str, complaints: Complaints) -> None:
    setting = block.find(name)
    if setting is None or setting.value is None:
        return
    path: Path = setting.value
    try:
        next(path.iterdir(), None)
    except FileNotFoundError:
        what, remedy = f"no such folder ({path})", "Correct the path, make the folder, or remove the line."
    except NotADirectoryError:
        what, remedy = "a file, not a folder", "Name the folder that it is in."
    except OSError as error:
        what, remedy = f"cannot be read: {error.strerror}", "Let the user that runs ByReturn read it."
    else:
        return
    complaints.about(block.at, Wrong(what, remedy, (name,)))


def _check_languages(blocks: Sequence[Block], complaints: Complaints) -> None:
    """Every language that is named has a catalogue."""
    (report,) = blocks_of(blocks, "report")
    catalogues = report.find("catalogues")
    there = language_tags(None if catalogues is None else catalogues.value)
    for block in blocks:
        setting = block.find("language")
        if setting is None or setting.line is None or setting.value in there:
            continue
        remedy = (
            f"There are {', '.join(map(quoted, there))}; another needs {setting.value}.po in the folder of "
            "report.catalogues."
        )
        complaints.about(block.at, Wrong("no catalogue of that language", remedy, ("language",)))


def _wrong_with_roots(path: Path) -> tuple[str, str] | None:
    """Say what is wrong with a file of certificates, and what to do."""
    try:
        with path.open("rb") as file:
            data = file.read(_PEM_OCTETS_LIMIT + 1)
    except FileNotFoundError:
        return f"no such file ({path})", "Correct the path, or remove the line to believe the system's alone."
    except IsADirectoryError:
        return "a folder, not a file", "Name the file in it, with all certificates one after the other."
    except PermissionError:
        return "no permission to read it", "Let the user that runs ByReturn read it."
    except OSError as error:
        return f"cannot be read: {error.strerror}", "Check the path and the disk."
    remedy = 'Give it certificates in PEM, which begin with "-----BEGIN CERTIFICATE-----".'
    if len(data) > _PEM_OCTETS_LIMIT:
        return f"larger than {_PEM_OCTETS_LIMIT >> 20} MiB", remedy
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    try:
        # What is not ASCII can only be a remark between the certificates.
        context.load_verify_locations(cadata=data.decode("ascii", "ignore"))
    except (ssl.SSLError, ValueError):
        return "no certificates in PEM, or a damaged one", remedy
    return None
