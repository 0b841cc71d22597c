"""Reports in no standard form, read by a library that knows many forms.

qmail, old Exchange, many gateways and some of the largest providers tell of failures in a form of their own.
`flufl.bounce` has collected how each of them does it; here its finds get the words that stand with them, and
the Message-ID of the original, as far as it is quoted.

Promises: never raises and never logs, whatever the octets; looks at no more than FOREIGN_OCTETS of them, in
lines that are cut and counted, as parts are, because the library was written for reports and not for
whoever wants to keep us busy. It blocks for some milliseconds: run it in a thread.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator
from email.message import Message
from email.parser import BytesParser
from typing import Final

from flufl.bounce import all_failures

from byreturn.mail import Action
from byreturn.report import Reading, ReadLine
from byreturn.report.reading import TEXT_LIMIT
from byreturn.report.safe import one_line

FOREIGN_OCTETS: Final = 256 * 1024
RECIPIENTS: Final = 100
_HEAD_OCTETS: Final = 32 * 1024
_BOUNDARIES: Final = 20
_WORDS_OCTETS: Final = 64 * 1024
_LINES: Final = 5000
_LONG_LINE: Final = re.compile(rb"([^\n]{1000})[^\n]+")
_EMPTY_LINE: Final = re.compile(rb"\r?\n\r?\n")
_PARAGRAPH_END: Final = re.compile(r"\r?\n[ \t]*\r?\n")
_QUOTED_ID: Final = re.compile(
    r"^[>| \t]{0,9}message-id:[ \t]*(?:\r?\n[ \t]+)?(<[^<>\s]{1,990}>)", re.I | re.M
)
_WHOLE: Final = frozenset({"message/rfc822", "message/global"})
_ADDRESS: Final = re.compile(r"[^\s<>]{1,255}@[^\s<>]{1,255}")

# It writes a line and a trace of the stack for each text that it cannot read.
logging.getLogger("flufl.bounce").disabled = True


def read_foreign(content: bytes) -> Reading | None:
    """Read a report of whatever form; None if it seems to be none, or cannot be read."""
    content = b"\n".join(content[:FOREIGN_OCTETS].split(b"\n", _LINES)[:_LINES])
    content = _LONG_LINE.sub(rb"\1", content)
    end = _EMPTY_LINE.search(content)
    if end is None or end.start() > _HEAD_OCTETS or content.lower().count(b"boundary=") > _BOUNDARIES:
        return None
    try:
        return _read(BytesParser().parsebytes(content))
    except Exception:  # noqa: BLE001 - a stranger's text and another's code: whatever it is, nothing was read
        return None


def _read(message: Message) -> Reading | None:
    texts = list(_texts(message))
    message_id = _original_id(message, texts)
    _forget_returned(message)
    delayed, failed = all_failures(message)
    lines = [
        ReadLine(address, action, one_line(_words_about(address, texts), TEXT_LIMIT))
        for action, found in ((Action.FAILED, failed), (Action.DELAYED, delayed))
        for address in sorted({each.decode("ascii", "replace").strip() for each in found})
        if _ADDRESS.fullmatch(address)
    ]
    return Reading(tuple(lines[:RECIPIENTS]), message_id=message_id) if lines else None


def _forget_returned(message: Message) -> None:
    """Empty the messages in the message: who forwards a report does not report."""
    for part in _own_parts(message):
        if part.get_content_type() in _WHOLE:
            part.set_payload([])


def _texts(message: Message) -> Iterator[str]:
    """The texts for people, decoded; not those of a message that was returned."""
    for part in _own_parts(message):
        if part.get_content_maintype() == "text":
            octets = part.get_payload(decode=True)
            if isinstance(octets, bytes):
                yield octets[:_WORDS_OCTETS].decode("utf-8", "replace")


def _own_parts(message: Message) -> Iterator[Message]:
    """The message and its parts, without what is in a message in it."""
    yield message
    inner = message.get_payload()
    if message.get_content_maintype() == "multipart" and isinstance(inner, list):
        for part in inner:
            if isinstance(part, Message):
                yield from _own_parts(part)


def _words_about(address: str, texts: list[str]) -> str:
    """Find the paragraph that names the address; if it says no more than that, the one after it too."""
    # Where a line begins with it, more is said of it than where it is only mentioned.
    begins = re.compile(rf'^[ \t<"]*{re.escape(address)}', re.I | re.M)
    anywhere = re.compile(re.escape(address), re.I)
    found = (
        (text, each) for find in (begins, anywhere) for text in texts for each in [find.search(text)] if each
    )
    text, at = next(found, ("", None))
    if at is None:
        return ""
    start = text.rfind("\n", 0, at.end()) + 1
    first = _PARAGRAPH_END.split(text[start : start + 4 * TEXT_LIMIT], maxsplit=2)
    words = first[0].strip()
    is_bare = len(words) <= len(address) + 4
    return f"{words} {first[1].strip()}" if is_bare and len(first) > 1 else words


def _original_id(message: Message, texts: list[str]) -> str:
    """Find the Message-ID of the original, in the part that returns it or quoted in a text."""
    for part in _own_parts(message):
        inner = part.get_payload()
        if part.get_content_type() in _WHOLE and isinstance(inner, list) and isinstance(inner[0], Message):
            found = _QUOTED_ID.match(f"message-id: {str(inner[0].get('message-id', '')).strip()}")
            if found:
                return found[1]
    quoted = (_QUOTED_ID.search(text) for text in texts)
    return next((found[1] for found in quoted if found), "")
