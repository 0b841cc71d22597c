"""Facts to compose from: a believable message, and the usual things that happen to it."""

from __future__ import annotations

from email.message import EmailMessage
from email.parser import BytesParser
from email.policy import SMTP
from typing import Any

from byreturn.mail import MINUTE, Cause, Mailbox, PeerSaid, Phase, Reply, WeFound, reply
from byreturn.report import Action, ReportFacts, ReportLine, compose

ACCEPTED_AT = 1_772_527_266_000  # Tue, 3 Mar 2026 08:41:06 +0000
HEADER = (
    b"Received: from pc17.example (pc17.example [192.0.2.17])\r\n\tby mx.here.example with ESMTPS;\r\n"
    b"\tTue, 3 Mar 2026 08:41:06 +0000\r\n"
    b"From: Clara Brandt <clara@here.example>\r\n"
    b"To: anna@customer.example, bert@dead.example, carl@partner.example\r\n"
    b"Subject: Offer for the spring fair\r\n"
    b"Message-ID: <offer-17@here.example>\r\n"
    b"Date: Tue, 3 Mar 2026 09:41:02 +0100\r\n"
)
CONTENT = HEADER + b"\r\nDear all,\r\n\r\nplease find our offer below.\r\n"


def said(code: int, status: str, *lines: str, phase: Phase = Phase.RCPT) -> PeerSaid:
    words = reply(code, status, *lines) if status else Reply(code, None, lines or ("",))
    return PeerSaid(words, "mx1.customer.example", "198.51.100.7", phase)


UNKNOWN = said(550, "5.1.1", "The email account that you tried to reach does not exist.", "Please check it.")
SILENT = WeFound(Cause.SILENT, "no greeting within 5 minutes", "mx.dead.example", "192.0.2.9", Phase.GREETING)
QUEUED = said(250, "2.0.0", "Ok: queued as 4XyZ", phase=Phase.END_OF_CONTENT)


def line(recipient: str = "anna@customer.example", action: Action = Action.FAILED, **more: Any) -> ReportLine:
    local, _, domain = recipient.rpartition("@")
    if "diagnosis" not in more:
        usual = {Action.FAILED: UNKNOWN, Action.DELAYED: SILENT, Action.RELAYED: QUEUED}
        more["diagnosis"] = usual.get(action)
    return ReportLine(recipient=Mailbox(local, domain), action=action, **more)


def facts(*lines: ReportLine, **more: Any) -> ReportFacts:
    given: dict[str, Any] = {
        "reporting_mta": "mx.here.example",
        "postmaster": Mailbox("postmaster", "here.example"),
        "message_id": "<0G5XK3Z9T8W2N@mx.here.example>",
        "composed_at": ACCEPTED_AT + 2 * MINUTE,
        "boundary": "=_0G5XK3Z9T8W2N",
        "reverse_path": Mailbox("clara", "here.example"),
        "accepted_at": ACCEPTED_AT,
        "queue_id": "0G5XK3Z9T8W2M",
        "lines": lines or (line(),),
        "header_block": HEADER,
        "content": CONTENT,
        "recipient_count": len(lines) or 1,
        "hello": "pc17.here.example",
        "original_id": "<offer-17@here.example>",
        "subject": "Offer for the spring fair",
    }
    return ReportFacts(**given | more)


def composed(*lines: ReportLine, **more: Any) -> bytes:
    return compose(facts(*lines, **more)).content


def judged(content: bytes) -> EmailMessage:
    """Read by the standard library, which knows nothing of us."""
    message = BytesParser(policy=SMTP).parsebytes(content)
    assert isinstance(message, EmailMessage)
    return message


def forms(content: bytes) -> dict[str, str]:
    """The part for people in its forms, by media type."""
    people = judged(content).get_payload(0)
    parts = people.iter_parts() if people.is_multipart() else [people]  # type: ignore[union-attr]
    return {part.get_content_type(): part.get_content().replace("\r\n", "\n") for part in parts}  # type: ignore[union-attr]


def human(content: bytes) -> str:
    return forms(content)["text/plain"]


def kinds(content: bytes) -> list[str]:
    """The media types of the parts."""
    return [part.get_content_type() for part in judged(content).iter_parts()]


def machine(content: bytes) -> str:
    """The status part as it stands on the wire."""
    start = content.index(b"message/delivery-status\r\n\r\n") + len(b"message/delivery-status\r\n\r\n")
    return content[start : content.index(b"\r\n--", start)].decode("ascii")


def groups(content: bytes) -> list[dict[str, str]]:
    """The fields of the status part, group by group, as the standard library reads them."""
    found = []
    for text in machine(content).split("\r\n\r\n"):
        message = BytesParser(policy=SMTP).parsebytes(text.encode())
        found.append({name.lower(): str(value) for name, value in message.items()})
    return found
