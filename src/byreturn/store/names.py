r"""Names: how a local part is spelled, and what folders and files are called after it.

A stranger writes the address and we make a path of it. So there is one way from text to path, it keeps
different names different, and its result can only be a name, never a way:

    "In\fo"  --plain-->  info      --folder-->  info
    a/../b   --plain-->  a/../b    --folder-->  a%2F..%2Fb
    "a b"    --plain-->  a b       --folder-->  a%20b
             <--stored- "a b"

Promises: `plain_local(stored_local(plain)) == plain`; `folder_name` is injective, at most 255 octets, never
empty for a text that is not, without "/" and NUL, and begins with neither "." nor "-". Pure.
"""

from __future__ import annotations

import re
from hashlib import sha256
from typing import Final

from byreturn.mail import SECOND, Instant, id_from_text, id_instant

# RFC 5321 section 4.1.2: Dot-string; RFC 6531 section 3.3 adds everything beyond ASCII.
_ATOM: Final = r"[a-zA-Z0-9!#$%&'*+/=?^_`{|}~\-\u0080-\U0010ffff]+"
_DOT_STRING: Final = re.compile(rf"{_ATOM}(?:\.{_ATOM})*")
_QUOTED_PAIR: Final = re.compile(r"\\(.)", re.DOTALL)
_NEEDS_PAIR: Final = re.compile(r'(["\\])')
_ASCII_LOWER: Final = {upper: upper + 32 for upper in range(ord("A"), ord("Z") + 1)}

_NAME_LIMIT: Final = 255  # Octets in the name of a file, on every Unix file system of today.
_HOST_LIMIT: Final = 128  # Leaves room for the flags that readers append.
_SAFE: Final = frozenset(b"abcdefghijklmnopqrstuvwxyz0123456789_-.")
_UNIQUE: Final = re.compile(r"[0-9A-Za-z]+-[0-9]+")


def plain_local(local: str) -> str:
    """Undo the spelling of a local part: quotes, quoted pairs and the case of letters.

    RFC 5321 section 2.4 forbids everybody on the way to change the case, and leaves its meaning to the host
    that receives: that is us, and we fold it. ASCII only: a KELVIN SIGN is no k, and nobody is reached by a
    homograph. RFC 5321 section 4.1.2: all quoted forms are equivalent.
    """
    if len(local) > 1 and local[0] == local[-1] == '"':
        local = _QUOTED_PAIR.sub(r"\1", local[1:-1])
    return local.lower() if local.isascii() else local.translate(_ASCII_LOWER)


def stored_local(plain: str) -> str:
    """Spell a plain local part as it is stored: quoted only where it must be."""
    return plain if _DOT_STRING.fullmatch(plain) else '"' + _NEEDS_PAIR.sub(r"\\\1", plain) + '"'


def folder_name(text: str) -> str:
    """Name a folder for a plain local part or a domain.

    A leading "." is "." or "..", or a subfolder to Maildir++ readers; a leading "-" is an option to a shell.
    """
    octets = text.encode("utf-8", "surrogatepass")
    name = "".join(
        chr(octet) if octet in _SAFE and (at > 0 or octet not in b".-") else f"%{octet:02X}"
        for at, octet in enumerate(octets)
    )
    if len(name) <= _NAME_LIMIT:
        return name
    # "%h" begins no escape, so that no short name can look like this one.
    tail = "%h" + sha256(octets).hexdigest()
    return name[: _NAME_LIMIT - len(tail)] + tail


def file_name(unique: str, host: str) -> tuple[str, Instant]:
    """Name the file of a delivery, the same for ever, and tell when its message was accepted.

    `unique` is a message's id and a recipient's ordinal: `01HG5Z2K7M0Q4-0`.
    """
    assert _UNIQUE.fullmatch(unique), f"not the name of a delivery: {unique!r}"
    number = id_from_text(unique.partition("-")[0])
    assert number is not None, f"not the name of a delivery: {unique!r}"
    accepted_at = id_instant(number)
    return f"{accepted_at // SECOND}.{unique}.{host}", accepted_at


def host_name(host: str) -> str:
    """Write a host's name as it may stand in the name of a file (Maildir: no "/" and no ":")."""
    assert re.fullmatch(r"[!-~]+", host), f"not the name of a host: {host!r}"
    return host.replace("/", "\\057").replace(":", "\\072")[:_HOST_LIMIT]
