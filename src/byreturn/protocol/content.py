r"""The content after DATA: where it ends, and its dots.

Only CRLF ends a line, and only CRLF . CRLF ends the content (RFC 5321 section 4.1.1.4). A bare CR or LF is
a violation as soon as it is seen: what one server takes for the end of a message and the next does not is
how a second message is smuggled inside the first.

Decoding works on the session's buffer and on whole lines: `at` always stands at the beginning of a line,
what is not a whole line yet is left there. So how the octets were cut on their way changes nothing, and
the usual message, which comes in one or two pieces, is searched by C code alone.
"""

from __future__ import annotations

from enum import Enum
from typing import Final

_END: Final = b"\r\n.\r\n"


class ContentFault(Enum):
    """Why a content cannot be accepted; of several the first here is told, however the octets were cut."""

    BARE_LINE_END = "a bare CR or LF"
    NUL = "a NUL octet"
    LONG_LINE = "a line that is too long"
    TOO_LARGE = "too many octets"


_RANKS: Final = {fault: rank for rank, fault in enumerate(ContentFault)}


class ContentDecoder:
    """Takes lines of content off a buffer, without the dots that SMTP added.

    `octets` counts what is left of them. After `fault` is set (other than BARE_LINE_END, which ends the
    session) the rest is read to its end and thrown away, so that the client hears the answer where it
    expects one.
    """

    __slots__ = ("_is_mid_line", "_line_limit", "_octets_limit", "fault", "is_done", "octets")

    def __init__(self, octets_limit: int, line_limit: int) -> None:
        self._octets_limit = octets_limit
        self._line_limit = line_limit
        self._is_mid_line = False
        self.octets = 0
        self.fault: ContentFault | None = None
        self.is_done = False

    def take(self, buffer: bytes, at: int) -> tuple[bytes, int]:
        """Return the octets of content found from `at` on, and where to go on."""
        assert not self.is_done
        if self._is_mid_line:
            at = self._skip_line(buffer, at)
            if self._is_mid_line:
                return b"", at
        if buffer.startswith(b".\r\n", at):
            self.is_done = True
            return b"", at + 3
        end = buffer.find(_END, at)
        if end >= 0:
            self.is_done = True
            block, after = buffer[at : end + 2], end + 5
        else:
            after = buffer.rfind(b"\r\n", at) + 2
            if after < at + 2:
                return b"", self._check_tail(buffer, at)
            block = buffer[at:after]
            after = self._check_tail(buffer, after)
        return self._checked(block), after

    def _checked(self, block: bytes) -> bytes:
        """Return the content of whole lines, or nothing once there is a fault."""
        lines = block.count(b"\r\n")
        if block.count(b"\n") != lines or block.count(b"\r") != lines:
            self._blame(ContentFault.BARE_LINE_END)
        if b"\0" in block:
            self._blame(ContentFault.NUL)
        content = _unstuffed(block)
        if _has_long_line(content, self._line_limit):
            self._blame(ContentFault.LONG_LINE)
        self._count(len(content))
        return content if self.fault is None else b""

    def _blame(self, fault: ContentFault) -> None:
        if self.fault is None or _RANKS[fault] < _RANKS[self.fault]:
            self.fault = fault

    def _count(self, octets: int) -> None:
        self.octets += octets
        if self.octets > self._octets_limit:
            self._blame(ContentFault.TOO_LARGE)

    def _check_tail(self, buffer: bytes, at: int) -> int:
        """Look at the unfinished line; return from where on it must be kept.

        It is looked at now, because a client that ends lines with LF alone is waiting for us already. Of
        a line that is too long nothing is kept but the knowledge that we are inside it, so that a dot
        somewhere in it is not mistaken for one at its beginning.
        """
        size = len(buffer) - at
        if not size:
            return at
        if buffer.find(b"\n", at) >= 0 or 0 <= buffer.find(b"\r", at) < len(buffer) - 1:
            self._blame(ContentFault.BARE_LINE_END)
            return at
        # The dot that was doubled does not count, nor a CR that may belong to the line's end.
        size -= (1 if buffer.startswith(b".", at) else 0) + (1 if buffer.endswith(b"\r") else 0)
        if size > self._line_limit:
            self._blame(ContentFault.LONG_LINE)
            self._is_mid_line = True
            return self._skip_line(buffer, at, stuffing=1 if buffer.startswith(b".", at) else 0)
        return at

    def _skip_line(self, buffer: bytes, at: int, stuffing: int = 0) -> int:
        """Throw a part of a long line away, but not without looking at it."""
        end = buffer.find(b"\r\n", at)
        # A CR at the end stays: its LF may be the next octet.
        stop = end if end >= 0 else len(buffer) - (1 if buffer.endswith(b"\r") else 0)
        if buffer.find(b"\n", at, stop) >= 0 or buffer.find(b"\r", at, stop) >= 0:
            self._blame(ContentFault.BARE_LINE_END)
        if buffer.find(b"\0", at, stop) >= 0:
            self._blame(ContentFault.NUL)
        if end >= 0:
            self._is_mid_line = False
            stop = end + 2
        self._count(stop - at - stuffing)
        return stop


def _has_long_line(block: bytes, limit: int) -> bool:
    """Whether a line has more than `limit` octets before its CRLF; hops from line end to line end."""
    at, size = 0, len(block)
    while size - at > limit + 2:
        end = block.rfind(b"\n", at, at + limit + 2)
        if end < 0:
            return True
        at = end + 1
    return False


def _unstuffed(block: bytes) -> bytes:
    # RFC 5321 section 4.5.2: the first dot of a line was added by the client.
    if block[:1] == b".":
        block = block[1:]
    return block.replace(b"\r\n.", b"\r\n") if b"\r\n." in block else block


class ContentEncoder:
    """Adds the dots, over pieces cut anywhere, and ends the content."""

    __slots__ = ("_tail",)

    def __init__(self) -> None:
        self._tail = b"\r\n"

    def encode(self, piece: bytes) -> bytes:
        """Return the piece as it goes on the wire."""
        if not piece:
            return b""
        seam = self._tail + piece
        self._tail = seam[-2:]
        if b"\r\n." not in seam:
            return piece
        return seam.replace(b"\r\n.", b"\r\n..")[len(seam) - len(piece) :]

    def end(self) -> bytes:
        """Return what ends the content; a last line without CRLF gets one."""
        return b".\r\n" if self._tail == b"\r\n" else b"\r\n.\r\n"
