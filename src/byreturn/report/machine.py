"""The second part of a report: message/delivery-status, for programs (RFC 3464).

Where the way back takes UTF-8 and something in it is not ASCII, it is message/global-delivery-status, and
says each cause in the reader's language too (RFC 6533 section 4.1). In all other cases it is 7-bit.

    Reporting-MTA ...          one group about the message
                               an empty line
    Final-Recipient ...        one group for each recipient, in the order of the facts
    Action, Status ...

Promises: printable, and ASCII in the 7-bit form; lines of at most 998 octets; a peer's reply stands as it
came, line by line; a field stands exactly where the standard wants it, and nowhere else. The size is
bounded: see the limits.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from byreturn.mail import (
    Action,
    Diagnosis,
    EnhancedStatus,
    Instant,
    Mailbox,
    PeerSaid,
    Phase,
    StatusClass,
    WeFound,
    rfc5322_date,
)
from byreturn.mail.xtext import xtext_decode
from byreturn.report.audience import Audience
from byreturn.report.discretion import seen
from byreturn.report.facts import ReportFacts, ReportLine
from byreturn.report.safe import in_ascii, in_qchars, in_quchars, in_utf8, language_tag, one_line
from byreturn.report.wording import NAME_LIMIT, entry, reply_lines

# RFC 5322 section 2.1.1 allows 998 octets a line; the name of the field and its type stand before.
FIELD_LIMIT: Final = 900
# What a peer said to one recipient: eight lines of RFC 5321's longest reply.
_WORDS_LIMIT: Final = 4 * 1024
# All peers' words together, shared equally: 32 recipients have as much room as they want, 1,000 have a
# line each. So 1,000 recipients take 0.3 MiB, or 1.1 MiB where every address, ORCPT and host name is as long
# as the standards let it be; each further one takes no more than its share of that.
_ALL_WORDS_LIMIT: Final = 128 * 1024
_LEAST_WORDS: Final = 100
# From so many recipients on, addresses are held to what RFC 5321 section 4.5.3.1.3 allows them.
_MANY: Final = 100
_MANY_ADDRESS_LIMIT: Final = 320

_CAUSE_LIMIT: Final = 240  # characters, of up to four octets each
_DOMAIN_NAME: Final = re.compile(
    r"(?=.{3,255}\Z)(?:[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?\.)+"
    r"[A-Za-z](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?\.?"
)

_CLASS: Final = {
    Action.FAILED: StatusClass.PERMANENT,
    Action.DELAYED: StatusClass.TRANSIENT,
    Action.RELAYED: StatusClass.POSITIVE,
    Action.DELIVERED: StatusClass.POSITIVE,
    Action.EXPANDED: StatusClass.POSITIVE,
}
# RFC 3463 section 3.5 has 4.4.7 for "delivery time expired"; RFC 3464 section 2.3.4 wants the class to
# agree with the action, and the action is "failed".
_EXPIRED: Final = EnhancedStatus(StatusClass.PERMANENT, 4, 7)
_UNCONNECTED: Final = frozenset({None, Phase.LOOKUP, Phase.CONNECT})


class MachinePart(Struct, frozen=True):
    """The part for programs, and whether it is in UTF-8."""

    text: str
    is_global: bool = False


class _Form(Struct, frozen=True):
    """How values are written: in 7 bits or in UTF-8, and how long they may be."""

    facts: ReportFacts
    clean: Callable[[str, int], str]
    words_limit: int
    address_limit: int
    is_global: bool = False


def machine_part(facts: ReportFacts) -> MachinePart:
    """Write the part for programs."""
    count = len(facts.lines)
    words_limit = min(_WORDS_LIMIT, max(_LEAST_WORDS, _ALL_WORDS_LIMIT // count))
    address_limit = FIELD_LIMIT if count < _MANY else _MANY_ADDRESS_LIMIT
    # RFC 6533 section 4.5: a way back that takes ASCII only gets the 7-bit form.
    is_global = facts.takes_utf8 and any(_is_beyond_ascii(line) for line in facts.lines)
    if is_global:
        # A character has up to four octets, and a line is measured in these.
        form = _Form(facts, in_utf8, words_limit, min(address_limit, FIELD_LIMIT // 4), is_global=True)
    else:
        form = _Form(facts, in_ascii, words_limit, address_limit)
    groups = [_message_group(facts), *(_recipient_group(line, form) for line in facts.lines)]
    return MachinePart("\r\n".join(groups), is_global)


def _is_beyond_ascii(line: ReportLine) -> bool:
    said = line.diagnosis
    words = said.reply.lines if isinstance(said, PeerSaid) else ()
    return not (str(line.recipient).isascii() and all(map(str.isascii, words)))


def _message_group(facts: ReportFacts) -> str:
    out = ""
    if facts.envid is not None:
        # RFC 3464 section 2.2.1: only if the envelope had one, and never the Message-ID in its place.
        out = f"Original-Envelope-Id: {_from_xtext(facts.envid, FIELD_LIMIT)}\r\n"
    # RFC 3464 section 2.2.2: "dns" is for names that are in the DNS.
    name_type = "dns" if _is_domain_name(facts.reporting_mta) else "x-local-hostname"
    out += f"Reporting-MTA: {name_type}; {in_ascii(facts.reporting_mta, NAME_LIMIT)}\r\n"
    if facts.audience is not Audience.OUTSIDER and _is_domain_name(facts.hello):
        # RFC 3464 section 2.2.4. NOT DONE: no client address beside it. It is nobody's business outside,
        # and outside nor is its name.
        out += f"Received-From-MTA: dns; {facts.hello}\r\n"
    return out + f"Arrival-Date: {rfc5322_date(facts.accepted_at)}\r\n"


def _recipient_group(line: ReportLine, form: _Form) -> str:
    shown = seen(line, form.facts).diagnosis
    out = ""
    if line.orcpt is not None:
        out = _original_recipient(line.orcpt, form.address_limit)
    out += (
        f"Final-Recipient: {_typed_address(line.recipient, form)}\r\n"
        f"Action: {line.action.value}\r\n"
        f"Status: {status_of(line)}\r\n"
    )
    remote = _remote_host(shown)
    if remote:
        out += f"Remote-MTA: dns; {_mta_name(remote)}\r\n"
    out += _diagnostic_code(shown, line.action, form)
    if line.last_attempt_at is not None:
        # RFC 3464 section 2.3.7: only where it is known.
        out += _date_field("Last-Attempt-Date", line.last_attempt_at)
    if line.will_retry_until is not None and line.action is Action.DELAYED:
        # RFC 3464 section 2.3.9: only in a delay.
        out += _date_field("Will-Retry-Until", line.will_retry_until)
    return out + (_localized(line, shown, form) if form.is_global else "")


def _localized(line: ReportLine, shown: Diagnosis | None, form: _Form) -> str:
    """RFC 6533 section 4.1: the cause, as the part for people says it."""
    if line.action not in (Action.FAILED, Action.DELAYED):
        return ""
    facts = form.facts
    cause = entry(replace(line, diagnosis=shown), facts).cause
    return (
        f"Localized-Diagnostic: {language_tag(facts.language.tag)}; {one_line(cause, _CAUSE_LIMIT)}\r\n"
        if cause
        else ""
    )


def status_of(line: ReportLine) -> EnhancedStatus:
    """The status of a recipient; its class agrees with the action (RFC 3464 section 2.3.4)."""
    if line.expired and line.action is Action.FAILED:
        return _EXPIRED
    klass = _CLASS[line.action]
    # RFC 3461 section 6.3: what is not known is x.0.0. A person's act is no finding of a server.
    if line.diagnosis is None or line.returned:
        return EnhancedStatus(klass, 0, 0)
    return line.diagnosis.status(klass)


def _original_recipient(orcpt: str, limit: int) -> str:
    """RFC 3464 section 2.3.1: as the sender gave it, decoded, its case kept."""
    address_type, semicolon, address = orcpt.partition(";")
    if not semicolon:
        address_type, address = "rfc822", orcpt
    return f"Original-Recipient: {in_ascii(address_type, 40)}; {_from_xtext(address, limit)}\r\n"


def _from_xtext(text: str, limit: int) -> str:
    # What is no xtext was let in by somebody more lenient than we are: it is shown as it stands.
    decoded = xtext_decode(text)
    return in_ascii(text if decoded is None else decoded, limit)


def _typed_address(recipient: Mailbox, form: _Form) -> str:
    address = str(recipient)
    if address.isascii():
        return f"rfc822; {in_ascii(address, form.address_limit)}"
    # RFC 6533 section 3: an address that is not ASCII has a type of its own, and a 7-bit form.
    write = in_quchars if form.is_global else in_qchars
    return f"utf-8; {write(address, form.address_limit)}"


def _remote_host(shown: Diagnosis | None) -> str:
    """The server that took part; empty where none did (RFC 3464 section 2.3.5).

    One that was never connected did not: it stands in the diagnostic text only.
    """
    match shown:
        case PeerSaid(host=host):
            return host
        case WeFound(host=host, phase=phase) if phase not in _UNCONNECTED:
            return host
        case _:
            return ""


def _mta_name(host: str) -> str:
    if ":" in host:
        return f"[IPv6:{in_ascii(host, NAME_LIMIT)}]"
    name = in_ascii(host, NAME_LIMIT)
    return f"[{name}]" if name.replace(".", "").isdigit() else name


def _diagnostic_code(shown: Diagnosis | None, action: Action, form: _Form) -> str:
    """RFC 3464 section 2.3.6: the reply as it came, or our own finding under a type of our own."""
    limit = form.words_limit
    match shown:
        case PeerSaid(reply=reply):
            # RFC 3461 section 9.2: each line of the reply is a line of the field.
            text = "\r\n ".join(_short_line(said) for said in reply_lines(reply, limit, form.clean))
            return f"Diagnostic-Code: smtp; {text}\r\n"
        case WeFound() as found if action in (Action.FAILED, Action.DELAYED):
            return f"Diagnostic-Code: x-byreturn; {_short_line(form.clean(str(found), limit))}\r\n"
        case _:
            return ""


def _short_line(text: str) -> str:
    """Fold a line that is longer than a line may be: at spaces where there are any."""
    folded = ""
    limit = FIELD_LIMIT if text.isascii() else FIELD_LIMIT // 4
    while len(text) > limit:
        at = text.rfind(" ", 1, limit)
        # The character after a fold must not be lost, so a text without spaces gets one.
        cut = at if at > 0 else limit
        folded += f"{text[:cut]}\r\n "
        text = text[cut:].removeprefix(" ")
    return folded + text


def _date_field(name: str, at: Instant) -> str:
    return f"{name}: {rfc5322_date(at)}\r\n"


def _is_domain_name(text: str) -> bool:
    return _DOMAIN_NAME.fullmatch(text) is not None
