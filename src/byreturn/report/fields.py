"""The header of a report: fields that hold strangers' text and still are fields.

Everything is printable ASCII. What is not goes into encoded-words (RFC 2047), which are short, so that
they also serve to fold what has no space to be folded at. Encoded-words that came with the original's
subject are read first: otherwise the part for people would show `=?utf-8?B?...?=`.

Promises: no line is longer than 78 octets, but for a single Message-ID or address that is; none is longer
than 998. No text can begin another field.
"""

from __future__ import annotations

import re
from binascii import Error as NotBase64
from binascii import a2b_base64, a2b_qp, b2a_base64
from typing import Final

from byreturn.mail import Mailbox
from byreturn.report.safe import in_ascii, one_line, shortened

# RFC 5321 section 4.5.3.1.3: a path has 256 octets with its brackets; some room is for quoting.
ADDRESS_LIMIT: Final = 320
# A subject in a list of mails is read to the 80th letter; 250 is generous, and folds into few lines.
SUBJECT_LIMIT: Final = 250
# The original and the latest reports before this one keep a thread together; RFC 5322 section 3.6.4 lets
# References be shortened.
_REFERENCE_LIMIT: Final = 20

_LINE: Final = 76
_WORD_OCTETS: Final = 42  # 56 letters of base64 and 12 around them: below the 75 of RFC 2047 section 2
_NOT_IN_A_PATH: Final = re.compile(r"[<>\s]")
_MESSAGE_ID: Final = re.compile(r"<[!-;=?-~]{1,990}>")

_ENCODED_WORD: Final = re.compile(
    r"=\?([A-Za-z0-9_-]{1,40})(?:\*[A-Za-z0-9-]{0,40})?\?([BbQq])\?([!->@-~]*)\?="
)
_BETWEEN_WORDS: Final = re.compile(r"(?<=\?=)[ \t\r\n]+(?==\?)")
# A closed list: Python looks a codec up by its name among its modules and remembers every name that it
# was ever asked for, and this name is a stranger's.
_CHARSETS: Final = frozenset(
    ["utf-8", "us-ascii", "koi8-r", "koi8-u", "gb2312", "gbk", "gb18030", "big5"]
    + ["euc-jp", "euc-kr", "iso-2022-jp", "shift_jis"]
    + [f"iso-8859-{part}" for part in (*range(1, 12), 13, 14, 15, 16)]
    + [f"windows-{page}" for page in range(1250, 1259)]
)


def decode_words(text: str) -> str:
    """Read the encoded-words in a header field's text; leave those that cannot be read."""
    if "=?" not in text:
        return text
    return _ENCODED_WORD.sub(_decode_word, _BETWEEN_WORDS.sub("", text))


def _decode_word(found: re.Match[str]) -> str:
    charset, encoding, text = found.groups()
    charset = charset.lower()
    if charset not in _CHARSETS:
        return found[0]
    try:
        octets = a2b_base64(text) if encoding in "Bb" else a2b_qp(text, header=True)
    except NotBase64:
        return found[0]
    return octets.decode(charset, "replace")


def subject_text(raw: str) -> str:
    """Tell the original's subject as people read it, on one line; it may be empty."""
    return one_line(decode_words(raw), SUBJECT_LIMIT)


def subject_field(start: str, subject: str) -> str:
    """Write `Subject: start: subject` and its CRLF; `subject` comes from `subject_text`."""
    if not start.isascii():
        return _folded(f"Subject: {' '.join(_encode_words(f'{start}: {subject}' if subject else start))}")
    if not subject:
        return _folded(f"Subject: {start}")
    if not subject.isascii() or "=?" in subject or max(map(len, subject.split(" "))) >= _LINE:
        subject = " ".join(_encode_words(subject))
    return _folded(f"Subject: {start}: {subject}")


def _folded(field: str) -> str:
    """Fold at spaces; unfolding gives back the same text."""
    if len(field) <= _LINE:
        return field + "\r\n"
    lines, line = [], ""
    for word in field.split(" "):
        if line and len(line) + 1 + len(word) > _LINE:
            lines.append(line)
            line = ""
        line = f"{line} {word}" if line or lines else word
    return "\r\n".join([*lines, line]) + "\r\n"


def _encode_words(text: str) -> list[str]:
    """Write a text as encoded-words, none of which cuts a character in two (RFC 2047 section 5)."""
    words, octets = [], b""
    for letter in text:
        more = letter.encode()
        if len(octets) + len(more) > _WORD_OCTETS:
            words.append(octets)
            octets = b""
        octets += more
    return [f"=?utf-8?B?{b2a_base64(word, newline=False).decode('ascii')}?=" for word in (*words, octets)]


def from_field(host: str, postmaster: Mailbox) -> str:
    """Write From: a person's address under the name of the machine (RFC 3464 section 2)."""
    name = in_ascii(host, 255).replace("\\", "").replace('"', "")
    return _folded(f'From: "Mail delivery at {name}" <{in_ascii(str(postmaster), ADDRESS_LIMIT)}>')


def to_field(reverse_path: Mailbox, *, takes_utf8: bool = False) -> str:
    """Write To: the original's reverse path, RFC 3464 section 2; as it is where the way back takes UTF-8."""
    address = str(reverse_path)
    if takes_utf8 and address == one_line(address, ADDRESS_LIMIT) and not _NOT_IN_A_PATH.search(address):
        return f"To: <{address}>\r\n"
    if address.isascii() and address.isprintable():
        return f"To: <{shortened(address, ADDRESS_LIMIT)}>\r\n"
    # There is no 7-bit form of an address that is not ASCII. As in a message that was downgraded, it
    # becomes the name of a group without members; the envelope holds the address itself.
    return _folded(f"To: {' '.join(_encode_words(one_line(address, ADDRESS_LIMIT)))} :;")


def thread_fields(original_id: str, thread: tuple[str, ...]) -> str:
    """Write In-Reply-To and References, so that all reports on a message stand beside it."""
    references = [ident for ident in (original_id, *thread[-_REFERENCE_LIMIT:]) if is_message_id(ident)]
    if not references:
        return ""
    return _ids_field("In-Reply-To", references[:1]) + _ids_field("References", references)


def _ids_field(name: str, idents: list[str]) -> str:
    text = "\r\n ".join(idents)
    # RFC 5322 section 2.1.1: the longest Message-ID needs a line for itself.
    between = " " if len(name) + 2 + len(idents[0]) <= 998 else "\r\n "
    return f"{name}:{between}{text}\r\n"


def is_message_id(text: str) -> bool:
    """Whether a text may stand in a field of Message-IDs."""
    return _MESSAGE_ID.fullmatch(text) is not None
