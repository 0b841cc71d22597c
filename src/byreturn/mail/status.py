"""Replies and enhanced status codes: what a server says, as values.

The class of a status (success, transient, permanent) is never stored beside a code; it is read off the
code, so the two cannot disagree.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from enum import IntEnum
from typing import Final

from msgspec import Struct


class StatusClass(IntEnum):
    """The first digit of a reply (RFC 5321 section 4.2.1)."""

    POSITIVE = 2
    INTERMEDIATE = 3
    TRANSIENT = 4
    PERMANENT = 5


class EnhancedStatus(Struct, frozen=True):
    """An enhanced mail system status code, RFC 3463: class.subject.detail."""

    klass: int
    subject: int
    detail: int

    def __str__(self) -> str:
        return f"{self.klass}.{self.subject}.{self.detail}"

    def as_class(self, klass: StatusClass) -> EnhancedStatus:
        """Return the same subject and detail in another class."""
        return self if klass == self.klass else EnhancedStatus(klass, self.subject, self.detail)


_ENHANCED: Final = re.compile(r"([245])\.(0|[1-9][0-9]{0,2})\.(0|[1-9][0-9]{0,2})(?=[ \t]|$)")


def enhanced_from_text(text: str) -> tuple[EnhancedStatus | None, str]:
    """Split a leading enhanced status off a reply's text; the text may be empty after it."""
    found = _ENHANCED.match(text)
    if found is None:
        return None, text
    klass, subject, detail = found.groups()
    return EnhancedStatus(int(klass), int(subject), int(detail)), text[found.end() :].lstrip(" \t")


class Reply(Struct, frozen=True):
    """A reply: its code, its enhanced status if it has one, and the text of its lines.

    `lines` hold the text after the code and after the enhanced status; control characters in a peer's
    text were replaced when it was read.
    """

    code: int
    enhanced: EnhancedStatus | None
    lines: tuple[str, ...]

    @property
    def klass(self) -> StatusClass:
        """What the reply means for the command."""
        return StatusClass(self.code // 100)

    @property
    def is_positive(self) -> bool:
        """Whether the command was done."""
        return 200 <= self.code < 300

    @property
    def is_intermediate(self) -> bool:
        """Whether the command wants more: 354."""
        return 300 <= self.code < 400

    @property
    def is_transient(self) -> bool:
        """Whether the same command may succeed later."""
        return 400 <= self.code < 500

    @property
    def is_permanent(self) -> bool:
        """Whether the same command must not be repeated."""
        return self.code >= 500

    @property
    def status(self) -> EnhancedStatus:
        """The enhanced status; `x.0.0` where the reply gave none or one of another class."""
        klass = self.klass
        if self.enhanced is not None and self.enhanced.klass == klass:
            return self.enhanced
        return EnhancedStatus(klass, 0, 0)

    def __str__(self) -> str:
        start = f"{self.code} {self.enhanced} " if self.enhanced else f"{self.code} "
        return (start + " / ".join(self.lines)).rstrip()


class Worded(Reply, frozen=True):
    """A reply of our own that has values in its sentence; that is kept, so that it can be said in a language.

    A value called `why` is a sentence of ours itself.
    """

    sentence: str
    values: Mapping[str, object]


def reply(code: int, status: str, *lines: str, **values: object) -> Reply:
    """Make a reply of our own: `reply(550, "5.1.1", "<{address}> No such mailbox here", address=...)`.

    With values it has one line.
    """
    enhanced, rest = enhanced_from_text(status)
    assert not rest, f"not an enhanced status: {status!r}"
    if not values:
        return Reply(code, enhanced, lines or ("",))
    (sentence,) = lines
    return Worded(code, enhanced, (sentence.format_map(values),), sentence, values)
