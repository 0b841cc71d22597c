"""Why something happened, and who says so: the peer, or we.

A report that dresses up our own finding as a peer's words is a lie, and one that hides a peer's words is
useless. So there are two types, and everything that explains a failure carries one of them:

    PeerSaid   a reply, word for word, and what it answered
    WeFound    a cause out of a closed list, with our own detail

Pure. The wording for people is made from these in `report`, and nowhere else.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Final, TypeAlias

from msgspec import Struct

from byreturn.mail.status import EnhancedStatus, Reply, StatusClass


class Phase(StrEnum):
    """Where in a dialogue with a next hop something happened."""

    LOOKUP = "lookup"
    CONNECT = "connect"
    GREETING = "greeting"
    HELLO = "EHLO"
    TLS = "STARTTLS"
    MAIL = "MAIL FROM"
    RCPT = "RCPT TO"
    DATA = "DATA"
    CONTENT = "content"
    END_OF_CONTENT = "end of content"


class Action(StrEnum):
    """What became of a recipient: the five words of RFC 3464 section 2.3.3, gravest first."""

    FAILED = "failed"
    DELAYED = "delayed"
    RELAYED = "relayed"
    DELIVERED = "delivered"
    EXPANDED = "expanded"


class Cause(StrEnum):
    """What we ourselves can find out. The list is closed: a new cause needs its words in `report`."""

    NO_SUCH_DOMAIN = "no-such-domain"
    NULL_MX = "null-mx"
    NO_MAIL_HOST = "no-mail-host"
    NO_SUCH_MAIL_HOSTS = "no-such-mail-hosts"
    LOOKUP_FAILED = "lookup-failed"
    FORBIDDEN_ADDRESS = "forbidden-address"
    LOOP = "loop"
    HOP_LIMIT = "hop-limit"
    REFUSED_CONNECTION = "refused-connection"
    UNREACHABLE = "unreachable"
    SILENT = "silent"
    LOST_CONNECTION = "lost-connection"
    BROKEN_DIALOGUE = "broken-dialogue"
    TLS_NOT_OFFERED = "tls-not-offered"
    TLS_FAILED = "tls-failed"
    TOO_LARGE = "too-large"
    NEEDS_8BIT = "needs-8bit"
    NO_SUCH_MAILBOX = "no-such-mailbox"
    STORE_FAILED = "store-failed"
    STORED = "stored"
    INTERRUPTED = "interrupted"
    OUR_BUG = "our-bug"
    EXPANDED = "expanded"


# Subject and detail of RFC 3463 (and of the IANA registry that RFC 5248 began) for each cause; the class
# follows from the outcome. RFC 7505 section 4.1: 5.1.10 for a null MX.
_SUBJECT_AND_DETAIL: Final = {
    Cause.NO_SUCH_DOMAIN: (1, 2),
    Cause.NULL_MX: (1, 10),
    Cause.NO_MAIL_HOST: (1, 2),
    Cause.NO_SUCH_MAIL_HOSTS: (4, 4),
    Cause.LOOKUP_FAILED: (4, 3),
    Cause.FORBIDDEN_ADDRESS: (4, 4),
    Cause.LOOP: (4, 6),
    Cause.HOP_LIMIT: (4, 6),
    Cause.REFUSED_CONNECTION: (4, 1),
    Cause.UNREACHABLE: (4, 1),
    Cause.SILENT: (4, 1),
    Cause.LOST_CONNECTION: (4, 2),
    Cause.BROKEN_DIALOGUE: (5, 0),
    Cause.TLS_NOT_OFFERED: (7, 4),
    Cause.TLS_FAILED: (7, 5),
    Cause.TOO_LARGE: (3, 4),
    Cause.NEEDS_8BIT: (6, 3),
    Cause.NO_SUCH_MAILBOX: (1, 1),
    Cause.STORE_FAILED: (2, 0),
    Cause.STORED: (0, 0),
    Cause.INTERRUPTED: (3, 0),
    Cause.OUR_BUG: (3, 0),
    Cause.EXPANDED: (0, 0),
}


class PeerSaid(Struct, frozen=True, tag="peer", omit_defaults=True):
    """A peer's reply, verbatim, from `host` at `address`, in answer to `phase`.

    `tls`: version and cipher of the session it came over; empty in clear text.
    """

    reply: Reply
    host: str
    address: str
    phase: Phase
    tls: str = ""

    def status(self, klass: StatusClass) -> EnhancedStatus:
        """The peer's own status if it is of the class asked for, else `klass.0.0`."""
        status = self.reply.status
        return status if status.klass == klass else EnhancedStatus(klass, 0, 0)

    def __str__(self) -> str:
        over = f" over {self.tls}" if self.tls else ""
        return f"{self.host} [{self.address}]{over} in answer to {self.phase}: {self.reply}"


class WeFound(Struct, frozen=True, tag="we"):
    """Our own finding. `host` and `address` are empty where no next hop took part."""

    cause: Cause
    detail: str = ""
    host: str = ""
    address: str = ""
    phase: Phase | None = None

    def status(self, klass: StatusClass) -> EnhancedStatus:
        """The status that stands for the cause, in the class asked for."""
        return EnhancedStatus(klass, *_SUBJECT_AND_DETAIL[self.cause])

    def __str__(self) -> str:
        where = f"{self.host} [{self.address}]: " if self.address else f"{self.host}: " if self.host else ""
        return f"{where}{self.cause}{': ' + self.detail if self.detail else ''}"


Diagnosis: TypeAlias = PeerSaid | WeFound
