"""The HTML of a report, from the same page as its plain text.

It is a document and nothing else: headings, lists and paragraphs with a style of their own inside. No
pictures, no scripts, nothing that would be fetched, and no links but `mailto:`. It takes the reader's own
fonts and sizes, light or dark as the reader has it, and any width.

Promises: every value is escaped; lines may be long, so it has to be sent in quoted-printable.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from html import escape
from typing import Final
from urllib.parse import quote

from byreturn.report.page import Evidence, Group, Item, Page, Row

# Contrast, as axe measures it in Chromium, at least: 5.8:1 in the light, 7.4:1 in the dark; WCAG 2.2 asks for
# 4.5:1. A mail program that drops all of this shows headings, numbered lists and paragraphs, which is enough.
_STYLE: Final = """\
:root{color-scheme:light dark}
body{margin:0;padding:1rem;font:100%/1.5 system-ui,sans-serif;color:#222;background:#fff}
main{max-width:42rem;margin:0 auto;overflow-wrap:anywhere}
h1{font-size:1.4rem;line-height:1.3;margin:0 0 .5rem;text-wrap:balance}
h1+p{font-size:1.1rem}
h2{font-size:1.1rem;line-height:1.3;margin:2rem 0 .5rem;border-bottom:1px solid #767676}
h3{font-size:1rem;margin:1rem 0 0}
p,ul{margin:.25rem 0}
ol{padding-inline-start:1.75rem}
li{margin:.25rem 0}
li li{margin:0}
li ul{margin:.5rem 0;padding-block:.4rem;padding-inline:1.75rem .75rem;list-style:disc;background:#eef3fc;
border-inline-start:3px solid #0b57d0}
dl{display:grid;grid-template-columns:max-content 1fr;gap:0 1rem;margin:1rem 0 0}
dt{color:#555}
dd{margin:0}
hr{margin:2rem 0 1rem;border:0;border-top:1px solid #767676}
section{margin-top:2rem;font-size:.875rem;color:#555}
section h2{font-size:1rem}
.said{white-space:pre-wrap;font-family:ui-monospace,monospace;font-size:.8125rem}
a{color:#0b57d0}
a:focus-visible{outline:3px solid;outline-offset:2px}
@media (max-width:24rem){dl{display:block}dd{margin:0 0 .5rem}}
@media (prefers-color-scheme:dark){
body{color:#eee;background:#121212}
dt,section{color:#bbb}
a{color:#8ab4f8}
li ul{border-color:#8ab4f8;background:#1c2333}
}
"""
# Languages that are written from right to left, so that whoever translates into one needs no code for it.
_RIGHT_TO_LEFT: Final = frozenset({"ar", "ckb", "dv", "fa", "he", "ps", "sd", "ug", "ur", "yi"})


def html_text(page: Page) -> str:
    """Write a page as an HTML document."""
    out = [
        f'<!DOCTYPE html>\n<html lang="{_value(page.tag)}"{_direction(page.tag)}>\n<head>\n'
        '<meta charset="utf-8">\n<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta name="color-scheme" content="light dark">\n'
        f"<title>{_value(page.title)}</title>\n<style>\n{_STYLE}</style>\n</head>\n<body>\n<main>\n"
        f"<h1>{_value(page.headlines[0])}</h1>\n"
    ]
    out.extend(_paragraphs(page.headlines[1:], page))
    out.extend(_rows(page.particulars))
    for group in page.groups:
        out.extend(_group(group, page))
    out.append("<hr>\n")
    out.extend(_paragraphs(page.closing, page))
    out.append(f"<section>\n<h2>{_value(page.evidence_heading)}</h2>\n<p>{_value(page.evidence_note)}</p>\n")
    out.extend(_rows(page.evidence_rows))
    if page.evidence:
        out.append("<ol>\n")
        out.extend(_evidence(evidence) for evidence in page.evidence)
        out.append("</ol>\n")
    out.append("</section>\n</main>\n</body>\n</html>\n")
    return "".join(out)


def _direction(tag: str) -> str:
    return ' dir="rtl"' if tag.partition("-")[0].lower() in _RIGHT_TO_LEFT else ""


def _rows(rows: Iterable[Row]) -> Iterator[str]:
    terms = [f"<dt>{_value(row.term)}</dt><dd><bdi>{_value(row.value)}</bdi></dd>\n" for row in rows]
    if terms:
        yield f"<dl>\n{''.join(terms)}</dl>\n"


def _group(group: Group, page: Page) -> Iterator[str]:
    yield f"<h2>{_value(group.heading)}</h2>\n"
    if group.note:
        yield f"<p>{_value(group.note)}</p>\n"
    if group.items:
        yield "<ol>\n"
        for item in group.items:
            yield from _item(item, page)
        yield "</ol>\n"
    if group.addresses:
        addresses = "".join(f"<li><bdi>{_value(address)}</bdi></li>\n" for address in group.addresses)
        yield f"<ul>\n{addresses}</ul>\n"
    if group.more:
        yield f"<p>{_value(group.more)}</p>\n"


def _item(item: Item, page: Page) -> Iterator[str]:
    # The numbers go on from group to group, and are those of the part for technical staff.
    yield f'<li value="{item.number}">\n<h3><bdi>{_value(item.address)}</bdi></h3>\n'
    yield from _paragraphs(item.told, page)
    if item.steps:
        steps = "".join(f"<li>{_linked(step, page)}</li>\n" for step in item.steps)
        yield f"<ul>\n{steps}</ul>\n"
    yield "</li>\n"


def _evidence(evidence: Evidence) -> str:
    # Not <pre>: its lines are not broken where the style is dropped, and a telephone has to be scrolled.
    words = "<br>".join(_value(line) for line in evidence.verbatim)
    verbatim = f'\n<p class="said">{words}</p>' if words else ""
    return f'<li value="{evidence.number}">{_value(evidence.told)}{verbatim}</li>\n'


def _paragraphs(sentences: Iterable[str], page: Page) -> Iterator[str]:
    for sentence in sentences:
        yield f"<p>{_linked(sentence, page)}</p>\n"


def _linked(text: str, page: Page) -> str:
    """Escape a text; of the addresses that may be written to, make links."""
    wanted = sorted((address for address in page.mailable if address in text), key=len, reverse=True)
    if not wanted:
        return _value(text)
    # In one pass, as an address may be a part of another one.
    pieces = re.split(f"({'|'.join(map(re.escape, wanted))})", text)
    return "".join(_link(piece) if at % 2 else _value(piece) for at, piece in enumerate(pieces))


def _link(address: str) -> str:
    return f'<a href="mailto:{_value(quote(address, safe="@"))}">{_value(address)}</a>'


def _value(text: str) -> str:
    return escape(text, quote=True)
