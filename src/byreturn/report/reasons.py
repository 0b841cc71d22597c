"""Why mail does not arrive: a closed list of reasons, as people tell them apart.

A diagnosis says who found what in exact terms; a reason says what that means to the sender, who can mend it,
and how sure we are. `judging` decides it, `wording` says it.
"""

from __future__ import annotations

from enum import StrEnum

from msgspec import Struct


class Reason(StrEnum):
    """The list is closed: each has its words in every language, its place in the gallery and its class."""

    NO_SUCH_MAILBOX = "no-such-mailbox"
    MAILBOX_CLOSED = "mailbox-closed"
    MAILBOX_FULL = "mailbox-full"
    NO_SUCH_DOMAIN = "no-such-domain"
    NO_MAIL_THERE = "no-mail-there"
    BROKEN_DOMAIN = "broken-domain"
    LOOKUP_FAILED = "lookup-failed"
    HOST_DOWN = "host-down"
    HOST_SILENT = "host-silent"
    BROKEN_DIALOGUE = "broken-dialogue"
    TRY_LATER = "try-later"
    TOO_MUCH_MAIL = "too-much-mail"
    POLICY = "policy"
    SPAM = "spam"
    REPUTATION = "reputation"
    SENDER_REFUSED = "sender-refused"
    NOT_AUTHENTICATED = "not-authenticated"
    RELAYING = "relaying"
    TOO_LARGE = "too-large"
    TOO_MANY_RECIPIENTS = "too-many-recipients"
    CONTENT = "content"
    NEEDS_8BIT = "needs-8bit"
    TLS_DEMANDED = "tls-demanded"
    TLS_FAILED = "tls-failed"
    LOOP = "loop"
    STORE_FAILED = "store-failed"
    OUR_FAULT = "our-fault"
    NOT_CLASSIFIED = "not-classified"


class Mender(StrEnum):
    """Who can do something about it."""

    SENDER = "sender"
    RECIPIENT = "recipient"  # or whoever runs the recipient's mail server
    POSTMASTER = "postmaster"  # ours
    NOBODY = "nobody"  # nobody needs to: it may pass


class Judgement(Struct, frozen=True):
    """What a diagnosis means. A guess is worded as one."""

    reason: Reason
    is_guess: bool = False
