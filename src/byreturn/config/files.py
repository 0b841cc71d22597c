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
from byreturn.config.errors import Complaints, Wrong

# A system's own collection has some 150 certificates in 250 KiB.
_PEM_OCTETS_LIMIT: Final = 16 << 20


def check_files(blocks: Sequence[Block], complaints: Complaints) -> None:
    """Look at each file that is named; the blocks are derived, so that paths are whole."""
    for block in blocks_of(blocks, "delivery"):
        setting = block.find("tls_roots")
        if setting is None or setting.value is None:
            continue
        wrong = _wrong_with_roots(setting.value)
        if wrong is not None:
            what, remedy = wrong
            complaints.about(block.at, Wrong(what, remedy, ("tls_roots",)))


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
