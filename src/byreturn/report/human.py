"""The plain text of a report, from its page.

    Your message was not delivered to 2 of its 4 recipients.

       Subject   Price list, March

    NOT DELIVERED: YOU CAN CORRECT THIS

    1. sales@suplier.example
       The domain "suplier.example" does not exist.
       > Check the address, then send again to this recipient.
    ----------------------------------------------------------------
    FOR TECHNICAL STAFF (all times UTC+01:00)

A person reads the first screen. So the gravest news stands first, and what only helps in tracing stands
below the line.

Promises: lines of at most 76 characters, but for a single long word (a link must stay whole), and never
over 998. What a peer said is broken at spaces only.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from byreturn.report.page import Evidence, Group, Item, Page, Row

_WIDTH: Final = 76
_LONG_WORD: Final = 900  # RFC 5322 section 2.1.1: 998 octets, less what may stand around it
_RULE: Final = 64 * "-"


def plain_text(page: Page) -> str:
    """Write a page as plain text, with CRLF."""
    out = [wrap(sentence) for sentence in page.headlines]
    out.append("")
    out.extend(_rows(page.particulars, "   "))
    for group in page.groups:
        out.extend(_group(group))
    out.append("")
    out.extend(wrap(sentence) for sentence in page.closing)
    out.append(_RULE)
    out.append(wrap(f"{page.evidence_heading.upper()} ({page.evidence_note})"))
    out.extend(_rows(page.evidence_rows, "   "))
    for evidence in page.evidence:
        out.extend(_evidence(evidence))
    out.append("")
    return "\r\n".join(out)


def _rows(rows: tuple[Row, ...], indent: str) -> Iterator[str]:
    """The terms in a column, and their values in another."""
    width = max((len(row.term) for row in rows), default=0)
    for row in rows:
        yield wrap(row.value, f"{indent}{row.term.ljust(width)}  ", indent + " " * (width + 2))


def _group(group: Group) -> Iterator[str]:
    yield ""
    yield wrap(group.heading.upper())
    if group.note:
        yield wrap(group.note)
    for item in group.items:
        yield ""
        yield from _item(item)
    if group.addresses:
        yield ""
        for address in group.addresses:
            yield f"   {address}"
    if group.more:
        yield ""
        yield wrap(group.more, "   ")


def _item(item: Item) -> Iterator[str]:
    yield wrap(item.address, f"{item.number}. ", "   ")
    for sentence in item.told:
        yield wrap(sentence, "   ")
    for step in item.steps:
        yield wrap(step, "   > ", "     ")


def _evidence(evidence: Evidence) -> Iterator[str]:
    yield wrap(evidence.told, f"{evidence.number}. ", "   ")
    for text in evidence.verbatim:
        yield wrap(text, "   ", "     ")


def wrap(text: str, start: str = "", later: str | None = None) -> str:
    """Break a text into lines at its spaces; the first begins with `start`, the others with `later`."""
    if len(start) + len(text) <= _WIDTH:
        return start + text
    later = start if later is None else later
    lines, line, is_empty = [], start, True
    for word in _words(text):
        if len(line) + len(word) > _WIDTH and not is_empty:
            lines.append(line.rstrip())
            line, is_empty = later, True
        line += word + " "
        is_empty = is_empty and not word
    return "\r\n".join([*lines, line.rstrip()])


def _words(text: str) -> Iterator[str]:
    for word in text.split(" "):
        if len(word) <= _LONG_WORD:
            yield word
        else:
            yield from (word[at : at + _LONG_WORD] for at in range(0, len(word), _LONG_WORD))
