"""Replies on the wire: ours written, a peer's read.

A peer's reply is hostile text. It is read into a bounded value with control characters replaced, and what
is not a reply at all (`25 ok`, `999`, a line without end) is a broken dialogue, never a guess.

Ours are said in the language of the listener, and written in ASCII whatever it is: a client that has not
offered UTF-8 need not understand it, and most show what we say in a dialogue box of their own.

Bounds: 2,048 octets a line are looked at and 512 kept; 256 lines are read and 32 kept.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable
from typing import Final, TypeAlias

from byreturn.mail import Reply, Worded, enhanced_from_text

_OUR_LINE: Final = 510
_LINE_OCTETS: Final = 2048  # RFC 5321 section 4.5.3.1.5 asks for 512
_TEXT_KEPT: Final = 512
_LINES_READ: Final = 256
_LINES_KEPT: Final = 32

_REPLY_LINE: Final = re.compile(rb"([2-5]\d\d)(?:([ -])(.*))?\Z", re.DOTALL)
# How a sentence of ours is said; None is English, which costs nothing.
Say: TypeAlias = Callable[[str], str]

# What is more than a letter with a mark; the rest follows from Unicode.
_IN_ASCII: Final = str.maketrans({
    "ä": "ae", "ö": "oe", "ü": "ue", "Ä": "Ae", "Ö": "Oe", "Ü": "Ue", "ß": "ss", "ẞ": "SS",
    "æ": "ae", "Æ": "Ae", "ø": "oe", "Ø": "Oe", "å": "aa", "Å": "Aa", "œ": "oe", "Œ": "Oe",
    "ł": "l", "Ł": "L", "đ": "d", "Đ": "D", "ð": "d", "Ð": "D", "þ": "th", "Þ": "Th", "ı": "i",
    "„": '"', "“": '"', "”": '"', "«": '"', "»": '"', "‚": "'", "‘": "'", "’": "'", "–": "-", "—": "-",
    "\N{NON-BREAKING HYPHEN}": "-", "\N{SOFT HYPHEN}": "",
})  # fmt: skip
_CONTROLS: Final = dict.fromkeys((*range(32), *range(127, 160)), "?") | {9: " "}


def encode(reply: Reply) -> bytes:
    """Write a reply; every line carries the enhanced status (RFC 2034 section 4).

    A line that would be longer than RFC 5321 section 4.5.3.1.5 allows is cut.
    """
    start = f"{reply.code} {reply.enhanced} " if reply.enhanced else f"{reply.code} "
    room = _OUR_LINE - len(start)
    if len(reply.lines) == 1:
        return f"{start}{reply.lines[0][:room]}\r\n".encode("ascii", "replace")
    middle = start[:3] + "-" + start[4:]
    last = len(reply.lines) - 1
    return "".join(
        f"{start if number == last else middle}{line[:room]}\r\n" for number, line in enumerate(reply.lines)
    ).encode("ascii", "replace")


def said(reply: Reply, say: Say) -> Reply:
    """Put a reply of ours into a language, in ASCII; its code and status stay."""
    if isinstance(reply, Worded):
        values = {name: say(str(value)) if name == "why" else value for name, value in reply.values.items()}
        return Reply(reply.code, reply.enhanced, (in_ascii(say(reply.sentence).format_map(values)),))
    return Reply(reply.code, reply.enhanced, tuple(in_ascii(say(line)) for line in reply.lines))


def in_ascii(text: str) -> str:
    """Write a text with ASCII letters: `ä` as `ae`, `é` as `e`, what has no such form as `?`."""
    if text.isascii():
        return text
    # A mark may stand behind its letter.
    text = unicodedata.normalize("NFC", text).translate(_IN_ASCII)
    plain = "".join(c for c in unicodedata.normalize("NFKD", text) if not unicodedata.combining(c))
    return plain.encode("ascii", "replace").decode("ascii")


class BrokenReply(Exception):
    """The peer sent something that is no SMTP reply."""


class ReplyReader:
    """Turns octets into replies; after something broken it is of no more use.

    Replies before the broken one are returned first: they were said, however the octets were cut.
    """

    __slots__ = ("_broken", "_buffer", "_lines")

    def __init__(self) -> None:
        self._buffer = b""
        self._lines: list[tuple[int, str]] = []
        self._broken: BrokenReply | None = None

    @property
    def is_clean(self) -> bool:
        """Whether nothing is left over of a reply that has not ended."""
        return not (self._buffer or self._lines or self._broken)

    def raise_if_broken(self) -> None:
        """Raise what was broken behind the replies that `receive` returned last."""
        if self._broken is not None:
            raise self._broken

    def receive(self, data: bytes) -> list[Reply]:
        """Return the replies that are whole now; raise BrokenReply where there is none before it."""
        self.raise_if_broken()
        replies: list[Reply] = []
        try:
            self._read(data, replies)
        except BrokenReply as broken:
            self._broken = broken
            if not replies:
                raise
        return replies

    def _read(self, data: bytes, replies: list[Reply]) -> None:
        buffer = self._buffer + data if self._buffer else data
        self._buffer = b""
        at = 0
        while (end := buffer.find(b"\n", at)) >= 0:
            line = buffer[at:end]
            at = end + 1
            _check_length(line)
            self._read_line(line.removesuffix(b"\r"), replies)
        self._buffer = buffer[at:]
        _check_length(self._buffer)

    def _read_line(self, line: bytes, replies: list[Reply]) -> None:
        found = _REPLY_LINE.match(line)
        if found is None:
            shown = printable(line[:40])
            raise BrokenReply(f"this is no reply: {shown!r}")
        code = int(found.group(1))
        lines = self._lines
        if lines and lines[0][0] != code:
            raise BrokenReply(f"a reply that begins with {lines[0][0]} and goes on with {code}")
        lines.append((code, printable((found.group(3) or b"")[:_TEXT_KEPT])))
        if len(lines) > _LINES_READ:
            raise BrokenReply(f"a reply of more than {_LINES_READ} lines")
        if found.group(2) != b"-":
            replies.append(_reply(code, [text for _, text in lines]))
            lines.clear()


def _check_length(line: bytes) -> None:
    if len(line) > _LINE_OCTETS:
        raise BrokenReply(f"a reply line of more than {_LINE_OCTETS} octets")


def _reply(code: int, texts: list[str]) -> Reply:
    enhanced, first = enhanced_from_text(texts[0])
    if enhanced is None:
        return Reply(code, None, tuple(texts[:_LINES_KEPT]))
    mark = f"{enhanced} "
    rest = [text.removeprefix(mark) for text in texts[1:_LINES_KEPT]]
    return Reply(code, enhanced, (first, *rest))


def printable(text: bytes) -> str:
    """Turn a stranger's octets into text without control characters; what is not UTF-8 is replaced."""
    return text.decode("utf-8", "replace").translate(_CONTROLS)
