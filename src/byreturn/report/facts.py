"""What a report is made from: everything it says, and nothing it would have to find out.

The reporting desk gathers these from the spool and hands them over; with them, composing is a pure
function. Nothing here is trusted: texts that came from outside (addresses, ENVID, ORCPT, subject, a
peer's words, its EHLO name) are cleaned where they are written, not here.

    ReportFacts   one report: the message it is about, and how to send it
    ReportLine    one recipient that it is about
    Standing      one of the other recipients, for the part for people only
"""

from __future__ import annotations

from datetime import UTC, tzinfo
from enum import Enum
from typing import Final

from msgspec import Struct

from byreturn.mail import ENGLISH, Action, Diagnosis, Instant, Language, Mailbox, Ret
from byreturn.report.audience import Audience
from byreturn.report.overrides import NO_OVERRIDES, Overrides

# Whoever wrote to more people than this wants numbers, not names.
OTHERS_LISTED: Final = 20


class Kin(Enum):
    """Where a suggested address comes from."""

    CORRESPONDENT = "correspondent"  # the sender has sent mail there before, and it was taken
    SAME_DOMAIN = "same domain"  # the sender has sent mail to this domain before
    COLLEAGUE = "colleague"  # a mailbox of ours
    COMMON = "common"  # a domain that very many people use


class Suggestion(Struct, frozen=True):
    """An address that the sender may have meant, and why we think so. It takes mail, as far as we know."""

    address: Mailbox
    kin: Kin


class ReportLine(Struct, frozen=True, kw_only=True):
    """One recipient that the report is about.

    `recipient` is the address to show: of an alias the one that RCPT gave. `member` is the address behind it
    that this is really about, None without an alias; it is never shown, and is here to be struck out of a
    peer's words. `orcpt` is in its xtext form. `expired`: its lifetime ended, and the diagnosis is the last
    finding. `returned`: an operator sent it back, likewise, with `note` as the operator's words. `attempts`
    counts those made; `next_try_at`, `next_notice_at` (None: there will be none) and `will_retry_until`
    matter to a delay only, and so does `is_told`: whether the sender is to hear of its end. `found_at`: when
    it came to be so. `suggestions`: at most two; if it is a single one and `is_likely`, it may be put as a
    question that expects yes.
    """

    recipient: Mailbox
    action: Action
    diagnosis: Diagnosis | None = None
    orcpt: str | None = None
    member: Mailbox | None = None
    expired: bool = False
    returned: bool = False
    note: str = ""
    attempts: int = 0
    found_at: Instant = 0
    last_attempt_at: Instant | None = None
    next_try_at: Instant | None = None
    next_notice_at: Instant | None = None
    will_retry_until: Instant | None = None
    is_told: bool = False
    suggestions: tuple[Suggestion, ...] = ()
    is_likely: bool = False

    @property
    def is_alias(self) -> bool:
        """Whether the address that this is about is not the one that the sender knows."""
        return self.member is not None


class Progress(Enum):
    """How it stands with a recipient that the report is not about."""

    WAITING = "waiting"
    HELD = "held"
    ACCEPTED = "accepted"  # by the next host, or by our mailbox for somebody who need not know more
    STORED = "stored"  # in the mailbox
    TOLD = "told"  # it failed or was returned, and an earlier report or somebody else says so
    ENDED = "ended"  # discarded, or failed without anybody being told


class Standing(Struct, frozen=True, kw_only=True):
    """How it stands with one of the other recipients.

    `diagnosis`: the last finding; of one that was accepted the reply of who accepted it. `at`: since when.
    `next_notice_at`: when we shall tell of the delay; None: we shall not. `gives_up_at`: when we stop
    trying, `is_told` whether the sender is to hear of it. `expired`: the time to deliver it ran out.
    """

    recipient: Mailbox
    progress: Progress
    at: Instant
    diagnosis: Diagnosis | None = None
    next_try_at: Instant | None = None
    next_notice_at: Instant | None = None
    gives_up_at: Instant | None = None
    expired: bool = False
    is_told: bool = False


class ReportFacts(Struct, frozen=True, kw_only=True):
    """One report on one message.

    Ours: `reporting_mta` (our host name), `postmaster` (a person reads it), `contact` (how else to reach
    somebody; may be empty), `message_id` and `composed_at` of the report, `boundary`, which need only be
    likely not to occur in the original, and `resolver`, the name server that was asked (may be empty).
    `is_shrunk`: in a flood a report is text alone and brings back the header only. `is_html`: the text comes
    as HTML too.

    For whom: `language`, `zone` (in which times are told to people; a fixed one says its offset),
    `audience`, `overrides` (words of the house in place of ours); `takes_utf8`: the return path can take what
    is not ASCII in header fields (RFC 6533).

    Of the original: where reports go (never the null path: then there is no report; of a postmaster's copy it
    is the postmaster's address, and `about_reverse_path` the sender's, None for the null path), what MAIL
    asked, `hello` (what its client called itself), `original_id` and `subject` as its header has them,
    `queue_id` as people read it, and how many recipients the sender named (0: not known). `header_block` is
    always there, `content` only where it may be returned whole. `thread` holds the Message-IDs of the
    automatic reports that went before, oldest first.

    `others` are recipients that the report is not about, at most OTHERS_LISTED of those that may be named
    to this reader; `more` counts the rest by how it stands with them.
    """

    reporting_mta: str
    postmaster: Mailbox
    message_id: str
    composed_at: Instant
    boundary: str

    reverse_path: Mailbox
    accepted_at: Instant
    queue_id: str
    lines: tuple[ReportLine, ...]
    header_block: bytes
    content: bytes | None = None
    recipient_count: int = 0
    envid: str | None = None
    ret: Ret | None = None
    hello: str = ""
    original_id: str = ""
    subject: str = ""
    thread: tuple[str, ...] = ()

    others: tuple[Standing, ...] = ()
    more: tuple[tuple[Progress, int], ...] = ()
    language: Language = ENGLISH
    zone: tzinfo = UTC
    audience: Audience = Audience.INSIDER
    takes_utf8: bool = False
    contact: str = ""
    resolver: str = ""
    is_shrunk: bool = False
    is_html: bool = True
    about_reverse_path: Mailbox | None = None
    overrides: Overrides = NO_OVERRIDES
