"""What a server's session asks its host, and what it tells.

Questions want an answer before the next one comes; facts do not.
"""

from __future__ import annotations

from typing import TypeAlias

from msgspec import Struct

from byreturn.mail import Mailbox, Reply, ReversePath
from byreturn.protocol.content import ContentFault
from byreturn.protocol.parameters import MailParameters, RcptParameters


class Hello(Struct, frozen=True):
    """EHLO (`extended`) or HELO. Answer 250 or a refusal; the extensions are added by the session."""

    name: str
    extended: bool


class Mail(Struct, frozen=True):
    """MAIL FROM. Answer 250, or a refusal."""

    reverse_path: ReversePath
    parameters: MailParameters


class Rcpt(Struct, frozen=True):
    """RCPT TO. Answer 250, or a refusal."""

    forward_path: Mailbox
    parameters: RcptParameters


class Data(Struct, frozen=True):
    """DATA, with at least one recipient. Answer 354, or a refusal."""


class Content(Struct, frozen=True):
    """Some octets of content; needs no answer."""

    octets: bytes


class EndOfContent(Struct, frozen=True):
    """The content is whole. Answer 250, or a refusal. With a `fault` the answer has been given already."""

    fault: ContentFault | None


class Reset(Struct, frozen=True):
    """The transaction is over: RSET, or a new EHLO. Needs no answer."""


class Refused(Struct, frozen=True):
    """The session refused a command itself; a fact for the journal. Needs no answer."""

    command: str
    reply: Reply


class Closing(Struct, frozen=True):
    """The session is over: send the output, then hang up. `violation`: the client broke the law."""

    violation: bool


Question: TypeAlias = Hello | Mail | Rcpt | Data | Content | EndOfContent | Reset | Refused | Closing
Asked: TypeAlias = Hello | Mail | Rcpt | Data | EndOfContent
