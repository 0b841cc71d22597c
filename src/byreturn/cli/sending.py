"""Handing one test message to a server over SMTP, as any mail program would.

    open_server -> hand_over -> Kept (its id, read from the 250) | NotKept (refused, or put off)

Fails: nothing here raises for what a server says or a network does; `Unreachable` says it.
"""

from __future__ import annotations

import re
import smtplib
from typing import Final

from msgspec import Struct

from byreturn.cli.words import clean
from byreturn.mail import Instant, QueueId, id_from_text, rfc5322_date

_TIMEOUT_SECONDS: Final = 60
_KEPT_AS: Final = re.compile(r"\bKept as ([0-9A-Z]{13})\b")


class Server(Struct, frozen=True):
    """Where to hand the message over."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


class Kept(Struct, frozen=True):
    """The server has it. `id` None: it is no ByReturn, or one that says it in other words."""

    id: QueueId | None
    reply: str


class NotKept(Struct, frozen=True):
    """The server did not take it: for good, or not now."""

    reply: str
    is_permanent: bool


class Unreachable(Struct, frozen=True):
    """No server answered, or it went away in the middle."""

    why: str


def open_server(server: Server, hello: str) -> smtplib.SMTP | NotKept | Unreachable:
    """Connect and say hello."""
    connection = smtplib.SMTP(local_hostname=hello, timeout=_TIMEOUT_SECONDS)
    try:
        code, text = connection.connect(server.host, server.port)
        if code == 220:
            code, text = connection.ehlo()
        if code // 100 != 2:
            return _not_kept(code, text)
    except (OSError, smtplib.SMTPException, UnicodeError) as error:
        connection.close()
        return Unreachable(_reason(error))
    return connection


def hand_over(
    connection: smtplib.SMTP, reverse_path: str, recipient: str, content: bytes
) -> Kept | NotKept | Unreachable:
    """Send the message; say QUIT in any case."""
    try:
        for command, argument in (("MAIL", f"FROM:<{reverse_path}>"), ("RCPT", f"TO:<{recipient}>")):
            code, text = connection.docmd(command, argument)
            if code // 100 != 2:
                return _not_kept(code, text)
        code, text = connection.data(content)
        if code // 100 != 2:
            return _not_kept(code, text)
        reply = _reply(code, text)
        found = _KEPT_AS.search(reply)
        return Kept(None if found is None else id_from_text(found[1]), reply)
    except smtplib.SMTPResponseException as error:
        return _not_kept(error.smtp_code, error.smtp_error)
    except (OSError, smtplib.SMTPException) as error:
        return Unreachable(_reason(error))
    finally:
        connection.close()


def _not_kept(code: int, text: bytes | str) -> NotKept | Unreachable:
    if not 200 <= code < 600:
        return Unreachable(f"what answers there does not speak SMTP ({_reply(code, text)})")
    return NotKept(_reply(code, text), is_permanent=code >= 500)


def _reply(code: int, text: bytes | str) -> str:
    words = text.decode("utf-8", "replace") if isinstance(text, bytes) else text
    start = f"{code} " if code > 0 else ""
    return clean(start + words.replace("\n", " / "))


def _reason(error: Exception) -> str:
    return clean(getattr(error, "strerror", None) or str(error) or type(error).__name__)


def content(reverse_path: str, recipient: str, now: Instant, token: str, domain: str) -> bytes:
    """Write the test message."""
    lines = (
        f"From: <{reverse_path}>" if reverse_path else f"From: <postmaster@{domain}>",
        f"To: <{recipient}>",
        "Subject: Test message of ByReturn",
        f"Date: {rfc5322_date(now)}",
        f"Message-ID: <{token}@{domain}>",
        "Auto-Submitted: auto-generated",
        "MIME-Version: 1.0",
        "Content-Type: text/plain; charset=us-ascii",
        "",
        "This message was sent with `byreturn send-test`, to see whether mail arrives.",
        "If it reached you, it does. There is nothing that you need to do.",
        "",
    )
    return "\r\n".join(lines).encode("ascii")
