"""A language that nobody speaks: every letter has an accent, every sentence stands in brackets.

Whatever comes out of a report or a session in plain English letters was not said in a language, and so could
not be translated. Places keep their names, so values come through unchanged, and can be told apart.

    "Your message to {address} was not delivered."  ->  "⟦Ýöüŕ ḿéššåğé ťö {address} ŵåš ñöť ďéľîṽéŕéď.⟧"

Here too: which words of a text are plain English outside the values that were put into it.
"""

from __future__ import annotations

import re
import string
from collections.abc import Iterable

from byreturn.mail import Language

PLAIN = string.ascii_lowercase + string.ascii_uppercase
ODD = "åƀçďéƒğĥîĵķľḿñöþɋŕšťüṽŵẋýžÅƁÇĎÉƑĞĤÎĴĶĽḾÑÖÞɊŔŠŤÜṼŴẊÝŽ"
_TO_ODD = str.maketrans(PLAIN, ODD)
_PLACE = re.compile(r"({\w*})")
_WORD = re.compile(r"[A-Za-z]{2,}")


def odd(text: str) -> str:
    """Say a sentence oddly; its places stay as they are, and blanks around it too."""
    parts = _PLACE.split(text)
    return "⟦" + "".join(part if _PLACE.fullmatch(part) else part.translate(_TO_ODD) for part in parts) + "⟧"


def _odd_plural(one: str, many: str, n: int) -> str:
    return odd(one if n == 1 else many)


PSEUDO = Language("x-odd", odd, _odd_plural)


def plain_words(text: str, *, but: Iterable[str] = ()) -> list[str]:
    """Return the words of a text that were not said in the language; `but` are values, which are not ours."""
    for value in sorted(but, key=len, reverse=True):
        if value:
            text = text.replace(value, " ")
    return _WORD.findall(text)
