"""Every name that is one slip of the fingers away from another one.

To find the near ones among a million mailboxes nobody compares a million names: the near names are made,
and each is looked up. There are about eighty for each letter of the name, whatever the number of mailboxes.

    ana --a letter more, less, other, or two swapped--> aana ... anna ... na --in the dictionary?--> anna

Pure. Letters beyond ASCII, and signs that stand in few names, are taken away and swapped, and never put in.
"""

from __future__ import annotations

from collections.abc import Iterator
from string import ascii_lowercase, digits
from typing import Final

_LETTERS: Final = ascii_lowercase + digits + ".-_"
# A mailbox has no longer name (a local part has at most 64 octets), so none near a longer one is here.
LONGEST: Final = 65


def one_slip_away(name: str) -> Iterator[str]:
    """Make the names that one insertion, deletion, replacement or swap of neighbours leads to; some twice."""
    if len(name) > LONGEST:
        return
    for at, letter in enumerate(name):
        before, after = name[:at], name[at + 1 :]
        yield before + after
        yield before + after[:1] + letter + after[1:]
        for other in _LETTERS:
            yield before + other + after
            yield before + other + letter + after
    for last in _LETTERS:
        yield name + last
