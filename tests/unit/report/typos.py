"""Typing errors by rule: the same thousand on every run, as fingers make them.

For each text every letter may be dropped, doubled, swapped with the next one, hit beside (a neighbour on the
keyboard), or joined by a neighbour. Of all of these an even sample is taken.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TypeVar

T = TypeVar("T")

_ROWS = ("1234567890-", "qwertyuiop", "asdfghjkl", "zxcvbnm,.")


def neighbours(letter: str) -> str:
    """The keys around a key: those beside it and those above and below it, on the American keyboard."""
    for number, row in enumerate(_ROWS):
        at = row.find(letter)
        if at < 0:
            continue
        near = [row[beside] for beside in (at - 1, at + 1) if 0 <= beside < len(row)]
        for other in (number - 1, number + 1):
            if 0 <= other < len(_ROWS) and at < len(_ROWS[other]):
                near.append(_ROWS[other][at])
        return "".join(key for key in near if key.isalnum())
    return ""


def typos_of(text: str, *, frozen: str = "") -> list[str]:
    """All typing errors in a text, each once; letters in `frozen` are left alone."""
    return [typo for typo in dict.fromkeys(_typos(text, frozen)) if typo != text]


def _typos(text: str, frozen: str) -> Iterator[str]:
    for at, letter in enumerate(text):
        if letter in frozen:
            continue
        before, after = text[:at], text[at + 1 :]
        yield before + after
        yield before + letter + letter + after
        if after and after[0] not in frozen:
            yield before + after[0] + letter + after[1:]
        for key in neighbours(letter):
            yield before + key + after
            yield before + letter + key + after


def sample(texts: Sequence[T], count: int) -> list[T]:
    """An even sample: every n-th of them, wherever that ends."""
    return [texts[(at * len(texts)) // count] for at in range(min(count, len(texts)))]
