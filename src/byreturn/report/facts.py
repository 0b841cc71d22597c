"""What a report is made from: everything it says, and nothing it would have to find out.

The reporting desk gathers these from the spool and hands them over; with them, composing is a pure
function. Nothing here is trusted: texts that came from outside (addresses, ENVID, ORCPT, subject, a
peer's words, its EHLO name) are cleaned where they are written, not here.

    ReportFacts   one report: the message it is about, and how to send it
    ReportLine    one recipient in it
"""

from __future__ import annotations

from msgspec import Struct

from byreturn.mail import Action, Diagnosis, Instant, Mailbox, Ret


class ReportLine(Struct, frozen=True, kw_only=True):
    """One recipient.

    `recipient` is the address to show: of an alias the one that RCPT gave, so that what stands behind it
    stays private; `is_alias` then keeps the words from judging the wrong address. `orcpt` is in its xtext
    form. `expired`: its lifetime ended, and the diagnosis is the last finding. `returned`: an operator
    sent it back, likewise. `attempts` counts those made, `will_retry_until` matters to a delay only.
    """

    recipient: Mailbox
    action: Action
    diagnosis: Diagnosis | None = None
    orcpt: str | None = None
    is_alias: bool = False
    expired: bool = False
    returned: bool = False
    attempts: int = 0
    last_attempt_at: Instant | None = None
    will_retry_until: Instant | None = None


class ReportFacts(Struct, frozen=True, kw_only=True):
    """One report on one message.

    Ours: `reporting_mta` (our host name), `postmaster` (a person reads it), `message_id` and
    `composed_at` of the report, and `boundary`, which need only be likely not to occur in the original.

    Of the original: where reports go (never the null path: then there is no report), what MAIL asked,
    `hello` (what its client called itself), `original_id` and `subject` as its header has them, `queue_id`
    as people read it, and how many recipients the sender named (0: not known). `header_block` is always
    there, `content` only where it may be returned whole. `thread` holds the Message-IDs of the automatic
    reports that went before, oldest first.
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
