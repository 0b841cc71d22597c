"""Replies on the wire: ours written, a peer's read.

A peer's reply is hostile text. It is read into a bounded value with control characters replaced, and what
is not a reply at all (`25 ok`, `999`, a line without end) is a broken dialogue, never a guess.

Bounds: 2,048 octets a line are looked at and 512 kept; 256 lines are read and 32 kept.
"""

from __future__ import annotations

import re
from typing import Final

from byreturn.mail import Reply, enhanced_from_text

_LINE_OCTETS: Final = 2048  # RFC 5321 section 4.5.3.1.5 asks for 512
_TEXT_KEPT: Final = 512
_LINES_READ: Final = 256
_LINES_KEPT: Final = 32

_REPLY_LINE: Final = re.compile(rb"([2-5]\d\d)(?:([ -])(.*))?\Z", re.DOTALL)
_CONTROLS: Final = dict.fromkeys((*range(32), *range(127, 160)), "?") | {9: " "}


def encode(reply: Reply) -> bytes:
    """Write a reply; every line carries the enhanced status (RFC 2034 section 4)."""
    start = f"{reply.code} {reply.enhanced} " if reply.enhanced else f"{reply.code} "
    if len(reply.lines) == 1:
        return f"{start}{reply.lines[0]}\r\n".encode("ascii", "replace")
    middle = start[:3] + "-" + start[4:]
    last = len(reply.lines) - 1
    return "".join(
        f"{start if number == last else middle}{line}\r\n" for number, line in enumerate(reply.lines)
    ).encode("ascii", "replace")


class BrokenReply(Exception):
    """The peer sent something that is no SMTP reply."""


class ReplyReader:
    """Turns octets into replies; raises BrokenReply and is then of no more use."""

    __slots__ = ("_buffer", "_lines")

    def __init__(self) -> None:
        self._buffer = b""
        self._lines: list[tuple[int, str]] = []

    @property
    def is_clean(self) -> bool:
        """Whether nothing is left over of a reply that has not ended."""
        return not self._buffer and not self._lines

    def receive(self, data: bytes) -> list[Reply]:
        """Return the replies that are whole now."""
        buffer = self._buffer + data if self._buffer else data
        replies: list[Reply] = []
        at = 0
        while True:
            end = buffer.find(b"\n", at)
            if end < 0:
                break
            line = buffer[at : end - 1] if end > at and buffer[end - 1] == 13 else buffer[at:end]
            at = end + 1
            self._read_line(line, replies)
        self._buffer = buffer[at:]
        if len(self._buffer) > _LINE_OCTETS:
            raise BrokenReply(f"a reply line of more than {_LINE_OCTETS} octets")
        return replies

    def _read_line(self, line: bytes, replies: list[Reply]) -> None:
        found = _REPLY_LINE.match(line[:_LINE_OCTETS])
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
