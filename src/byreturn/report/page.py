"""A report for people as a small tree, before it is written as plain text or as HTML.

Both forms are made from this one tree, so they cannot say different things.

    Page
      headlines     what happened, to how many
      particulars   subject, when we took it
      groups        by who can do something about it
        items       one recipient each, numbered through the page: what we know, what can be done
        addresses   recipients of whom no more is said here
      closing       what is attached, whom to ask
      evidence      for technical staff, by the same numbers

Promises: every text here is in the reader's language, clean (`safe`) and one line; nothing is escaped yet.
"""

from __future__ import annotations

from msgspec import Struct


class Row(Struct, frozen=True):
    """A particular of the message: `Subject`, `Price list, March`."""

    term: str
    value: str


class Item(Struct, frozen=True):
    """One recipient: `told` are sentences, each a line of its own, `steps` what can be done."""

    number: int
    address: str
    told: tuple[str, ...]
    steps: tuple[str, ...] = ()


class Group(Struct, frozen=True):
    """Recipients of whom the same holds: `note` stands before them, `more` counts those not named."""

    heading: str
    items: tuple[Item, ...] = ()
    note: str = ""
    addresses: tuple[str, ...] = ()
    more: str = ""


class Evidence(Struct, frozen=True):
    """What technical staff wants to know of one recipient; `verbatim` is a peer's reply, line by line."""

    number: int
    told: str
    verbatim: tuple[str, ...] = ()


class Page(Struct, frozen=True, kw_only=True):
    """A whole report for people. `tag` is its language; an address in `mailable` may become a link."""

    tag: str
    title: str
    headlines: tuple[str, ...]
    particulars: tuple[Row, ...]
    groups: tuple[Group, ...]
    closing: tuple[str, ...]
    evidence_heading: str
    evidence_note: str
    evidence: tuple[Evidence, ...]
    evidence_rows: tuple[Row, ...] = ()
    mailable: tuple[str, ...] = ()
