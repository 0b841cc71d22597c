"""The gallery: a report of every kind and on every reason, to be looked at before a sender sees one.

    specimens()   the facts of each, in one language and for one reader

Each reason is shown as it really comes: with a reply that a real host gives, or with our own finding. A few
larger ones stand in front: the classic mixture, a thousand recipients, a message in another script. Pure;
whoever shows them composes and writes them.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone
from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from byreturn.mail import (
    DAY,
    ENGLISH,
    HOUR,
    MINUTE,
    SECOND,
    Action,
    Cause,
    Diagnosis,
    Instant,
    Language,
    Mailbox,
    PeerSaid,
    Phase,
    Reply,
    WeFound,
    enhanced_from_text,
)
from byreturn.report.audience import Audience
from byreturn.report.facts import (
    Kin,
    Progress,
    ReportFacts,
    ReportLine,
    Standing,
    Suggestion,
)
from byreturn.report.reasons import Reason


class Specimen(Struct, frozen=True):
    """One report of the gallery. `is_cleared`: not a report, but word that a delay is over."""

    name: str
    facts: ReportFacts
    is_cleared: bool = False


_ACCEPTED_AT: Final[Instant] = int(datetime(2026, 3, 3, 8, 41, 6, 512000, UTC).timestamp() * SECOND)
_FAILED_AT: Final = _ACCEPTED_AT + 522
_ZONE: Final = timezone(timedelta(hours=1))
_HEADER: Final = (
    b"From: Office <office@example.org>\r\nTo: sales@suplier.example, acounts@customer.example,\r\n"
    b" info@agency.example, info@partner.example\r\nSubject: Price list, March\r\n"
    b"Date: Tue, 3 Mar 2026 09:41:05 +0100\r\nMessage-ID: <8f2c@example.org>\r\n"
)
_CONTENT: Final = _HEADER + b"\r\nDear all,\r\n\r\nplease find our price list for March below.\r\n"


def _said(code: int, text: str, phase: Phase = Phase.RCPT, host: str = "mx1.customer.example") -> PeerSaid:
    enhanced, rest = enhanced_from_text(text)
    return PeerSaid(Reply(code, enhanced, (rest,)), host, "198.51.100.7", phase, "TLSv1.3")


def _found(cause: Cause, detail: str, phase: Phase | None = None) -> WeFound:
    host, address = ("mx1.customer.example", "198.51.100.7") if phase is not None else ("", "")
    return WeFound(cause, detail, host, address, phase)


# What a host says of itself in each case, or what we find.
_EXAMPLES: Final[dict[Reason, Diagnosis]] = {
    Reason.NO_SUCH_MAILBOX: _said(550, "5.1.1 <acounts@customer.example>: User unknown"),
    Reason.MAILBOX_CLOSED: _said(550, "5.2.1 The email account that you tried to reach is disabled."),
    Reason.MAILBOX_FULL: _said(552, "5.2.2 The recipient's inbox is out of storage space."),
    Reason.NO_SUCH_DOMAIN: _found(Cause.NO_SUCH_DOMAIN, "NXDOMAIN for customer.example"),
    Reason.NO_MAIL_THERE: _found(Cause.NULL_MX, "a null MX record for customer.example"),
    Reason.BROKEN_DOMAIN: _found(Cause.NO_SUCH_MAIL_HOSTS, "NXDOMAIN for mx1.customer.example"),
    Reason.LOOKUP_FAILED: _found(Cause.LOOKUP_FAILED, "SERVFAIL for customer.example MX"),
    Reason.HOST_DOWN: _found(Cause.REFUSED_CONNECTION, "connection refused", Phase.CONNECT),
    Reason.HOST_SILENT: _found(Cause.SILENT, "no greeting within 5 minutes", Phase.GREETING),
    Reason.BROKEN_DIALOGUE: _found(Cause.BROKEN_DIALOGUE, "no reply: 'HTTP/1.1 400'", Phase.GREETING),
    Reason.TRY_LATER: _said(450, "4.2.0 <acounts@customer.example>: Greylisted, see the postmaster's page"),
    Reason.TOO_MUCH_MAIL: _said(452, "4.2.2 The email account is receiving mail at a rate that is too high."),
    Reason.POLICY: _said(550, "5.7.1 Message refused by the administrator's policy"),
    Reason.SPAM: _said(550, "5.7.1 Message rejected as spam by content filtering", Phase.END_OF_CONTENT),
    Reason.REPUTATION: _said(554, "5.7.1 Client host [192.0.2.1] blocked", Phase.GREETING),
    Reason.SENDER_REFUSED: _said(550, "5.1.8 <office@example.org>: Sender address rejected", Phase.MAIL),
    Reason.NOT_AUTHENTICATED: _said(550, "5.7.26 This mail has been blocked, the sender is unauthenticated.",
                                    Phase.END_OF_CONTENT),
    Reason.RELAYING: _said(554, "5.7.1 <acounts@customer.example>: Relay access denied"),
    Reason.TOO_LARGE: _found(Cause.TOO_LARGE, "31457280 octets, the server takes 20971520", Phase.HELLO),
    Reason.TOO_MANY_RECIPIENTS: _said(550, "5.5.3 Too many recipients for one message"),
    Reason.CONTENT: _said(552, "5.7.0 Attachments of this type are not accepted here.", Phase.END_OF_CONTENT),
    Reason.NEEDS_8BIT: _found(Cause.NEEDS_8BIT, "8-bit octets, the server takes 7-bit", Phase.HELLO),
    Reason.TLS_DEMANDED: _said(530, "5.7.0 Must issue a STARTTLS command first", Phase.MAIL),
    Reason.TLS_FAILED: _found(Cause.TLS_FAILED, "certificate has expired", Phase.TLS),
    Reason.LOOP: _found(Cause.LOOP, "the MX of customer.example is this host"),
    Reason.STORE_FAILED: _found(Cause.STORE_FAILED, "the mail store reports a fault"),
    Reason.OUR_FAULT: _found(Cause.OUR_BUG, "a fault in our own software"),
    Reason.NOT_CLASSIFIED: _said(554, "transaction failed: code 0x80041"),
}  # fmt: skip


def specimens(language: Language = ENGLISH, audience: Audience = Audience.INSIDER) -> Iterator[Specimen]:
    """Show every kind and every reason."""
    base = _facts(language, audience)
    yield Specimen("mixture", base)
    yield Specimen("thousand", _thousand(base))
    yield Specimen("many-beyond-ascii", replace(base, subject="=?utf-8?Q?Preisliste_M=C3=A4rz?="))
    for action in (Action.DELAYED, Action.RELAYED, Action.DELIVERED, Action.EXPANDED):
        yield Specimen(action.value, replace(base, lines=(_done(action),), others=(), recipient_count=1))
    yield Specimen(
        "cleared",
        replace(base, lines=(_done(Action.RELAYED),), others=(), recipient_count=1),
        is_cleared=True,
    )
    for name, changes in _ENDS.items():
        line = replace(
            _line(_EXAMPLES[Reason.HOST_SILENT]),
            attempts=48,
            last_attempt_at=_ACCEPTED_AT + 5 * DAY,
            **changes,
        )
        yield Specimen(
            name,
            replace(base, lines=(line,), others=(), recipient_count=1, composed_at=_ACCEPTED_AT + 5 * DAY),
        )
    for reason, diagnosis in _EXAMPLES.items():
        for action in (Action.FAILED, Action.DELAYED):
            line = replace(_line(diagnosis, action), **(_LATER if action is Action.DELAYED else {}))
            yield Specimen(
                f"{action.value}-{reason.value}",
                replace(base, lines=(line,), others=(), recipient_count=1),
            )


_LATER: Final = {
    "next_try_at": _ACCEPTED_AT + 5 * HOUR,
    "will_retry_until": _ACCEPTED_AT + 5 * DAY,
    "attempts": 9,
}
_ENDS: Final[dict[str, dict[str, object]]] = {
    "expired": {"expired": True},
    "returned": {
        "returned": True,
        "note": "The company has closed this office; please write to the new one.",
    },
}


def _line(diagnosis: Diagnosis, action: Action = Action.FAILED) -> ReportLine:
    return ReportLine(
        recipient=Mailbox("acounts", "customer.example"),
        action=action,
        diagnosis=diagnosis,
        attempts=1,
        found_at=_FAILED_AT,
        last_attempt_at=_FAILED_AT,
    )


def _done(action: Action) -> ReportLine:
    diagnosis: Diagnosis = _said(250, "2.0.0 Ok: queued as 4XyZ12", Phase.END_OF_CONTENT)
    if action is Action.DELAYED:
        return replace(_line(_EXAMPLES[Reason.HOST_SILENT], action), **_LATER)
    if action is Action.DELIVERED:
        diagnosis = WeFound(Cause.STORED, "stored")
    if action is Action.EXPANDED:
        diagnosis = WeFound(Cause.EXPANDED, "expanded")
    return _line(diagnosis, action)


def _facts(language: Language, audience: Audience) -> ReportFacts:
    """The classic message: a misspelt domain, a misspelt name, a host that is down, and one that took it."""
    domain = ReportLine(
        recipient=Mailbox("sales", "suplier.example"),
        action=Action.FAILED,
        diagnosis=WeFound(Cause.NO_SUCH_DOMAIN, "NXDOMAIN for suplier.example"),
        found_at=_ACCEPTED_AT + 470,
        suggestions=(Suggestion(Mailbox("sales", "supplier.example"), Kin.SAME_DOMAIN),),
        is_likely=True,
    )
    waiting = Standing(
        recipient=Mailbox("info", "agency.example"),
        progress=Progress.WAITING,
        at=_FAILED_AT,
        diagnosis=WeFound(Cause.REFUSED_CONNECTION, "connection refused", "mx.agency.example", "203.0.113.9",
                          Phase.CONNECT),
        next_try_at=_ACCEPTED_AT + 15 * MINUTE,
        next_notice_at=_ACCEPTED_AT + 4 * HOUR,
        gives_up_at=_ACCEPTED_AT + 5 * DAY,
        is_told=True,
    )  # fmt: skip
    accepted = Standing(
        recipient=Mailbox("info", "partner.example"),
        progress=Progress.ACCEPTED,
        at=_ACCEPTED_AT + 1 * SECOND,
        diagnosis=_said(250, "2.0.0 Ok: queued as 4XyZ12", Phase.END_OF_CONTENT, "mx1.partner.example"),
    )
    return ReportFacts(
        reporting_mta="mail.example.org",
        postmaster=Mailbox("postmaster", "example.org"),
        contact="help desk, telephone 4711",
        message_id="<report.7k3m92qx@mail.example.org>",
        composed_at=_ACCEPTED_AT + 1100,
        boundary="=_gallery",
        reverse_path=Mailbox("office", "example.org"),
        about_reverse_path=Mailbox("office", "example.org"),
        accepted_at=_ACCEPTED_AT,
        queue_id="7K3M-92QX",
        lines=(domain, _line(_EXAMPLES[Reason.NO_SUCH_MAILBOX])),
        header_block=_HEADER,
        content=_CONTENT,
        recipient_count=4,
        hello="office-pc.example.org",
        original_id="<8f2c@example.org>",
        subject="Price list, March",
        others=(waiting, accepted),
        language=language,
        zone=_ZONE,
        audience=audience,
        resolver="192.0.2.53",
    )


def _thousand(base: ReportFacts) -> ReportFacts:
    """As many as a message may have, each with a long reply of his own."""
    diagnosis = _said(550, "5.1.1 " + "The mailbox that you wrote to does not exist on this system. " * 6)
    lines = tuple(
        replace(_line(diagnosis), recipient=Mailbox(f"member{number}", "customer.example"))
        for number in range(1000)
    )
    return replace(base, lines=lines, others=(), recipient_count=1000)
