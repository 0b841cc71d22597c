"""What a peer's reply means for a recipient: the one table of special cases.

The rule is RFC 5321 section 4.2.1: 2yz done, 4yz later, 5yz never. Everything that is not clearly "never"
means *later*, because "never" cannot be taken back: a code outside the law, and a 5yz whose enhanced
status says 4.y.z, are a confused peer and no verdict.
"""

from __future__ import annotations

from enum import Enum

from byreturn.mail import EnhancedStatus, Reply


class Fate(Enum):
    """What becomes of the recipient that a reply is about."""

    ACCEPTED = "accepted"
    LATER = "later"
    NEVER = "never"
    NEXT_TRANSACTION = "next transaction"
    HANGING_UP = "hanging up"


def fate_of(reply: Reply) -> Fate:
    """Judge a reply to MAIL, DATA or the end of content."""
    if reply.is_positive:
        return Fate.ACCEPTED
    if reply.code == 421:
        # RFC 5321 section 3.8: 421 may answer any command, and the connection closes after it.
        return Fate.HANGING_UP
    if not 500 <= reply.code < 600:
        return Fate.LATER
    if reply.enhanced is not None and reply.enhanced.klass == 4:
        return Fate.LATER
    return Fate.NEVER


def fate_of_recipient(reply: Reply, *, accepted_before: int) -> Fate:
    """Judge a reply to RCPT, when `accepted_before` recipients of the transaction were accepted."""
    if accepted_before and _says_too_many(reply):
        return Fate.NEXT_TRANSACTION
    return fate_of(reply)


def _says_too_many(reply: Reply) -> bool:
    """Whether the peer has taken as many recipients as it can take in one transaction.

    RFC 5321 section 4.5.3.1.10: 452 says so, and 552 did in RFC 821; but a 552 with another enhanced
    status is about this one mailbox (5.2.2: it is full).
    """
    if reply.code == 452:
        return True
    return reply.code == 552 and reply.enhanced in (None, EnhancedStatus(5, 5, 3))
