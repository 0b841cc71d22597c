"""The built-in plain form of a report: what goes out when something is wrong with the good one.

Words, templates, translations and HTML can be wrong, and a report must not be lost for that. So this has
none of them, shares no code with the other form, and takes any fact as it is: what cannot be read is left
out or marked. It says in English who did not get the message, and has the standard's part for programs.

Promises: never raises; printable ASCII in lines of at most 998 octets; no text from outside begins a field
or a part. Of an alias's member it says nothing: where there is one, a peer's words are left out.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Final

from byreturn.mail import Action, Instant, PeerSaid, WeFound, rfc5322_date
from byreturn.report.audience import Audience
from byreturn.report.compose import ComposedReport
from byreturn.report.facts import ReportFacts, ReportLine

_VALUE_LIMIT: Final = 300
_REPLY_LIMIT: Final = 3_000
_NAMED_LIMIT: Final = 1_000
_HEADER_OCTETS: Final = 64 * 1024
_UNFIT: Final = re.compile(r"[^ -~]")
_UNFIT_OCTET: Final = re.compile(rb"[^\t -~]")
_ID: Final = re.compile(r"<[!-;=?-~]{1,900}>")
_TEXT_FIELDS: Final = b"Content-Type: text/plain; charset=us-ascii\r\nContent-Language: en\r\n"
_BOUNDARY: Final = "=_plain_report"

_WHAT: Final = {
    Action.FAILED: "Your message was not delivered to:",
    Action.DELAYED: "Your message is late; we are still trying to deliver it to:",
    Action.RELAYED: "The next mail server accepted your message for:",
    Action.DELIVERED: "Your message is in the mailbox of:",
    Action.EXPANDED: "Your message was passed on to the addresses behind:",
}
_STARTS: Final = {
    Action.FAILED: "Not delivered",
    Action.DELAYED: "Delayed",
    Action.RELAYED: "Accepted",
    Action.DELIVERED: "Delivered",
    Action.EXPANDED: "Passed on",
}
_CLASS: Final = {Action.FAILED: 5, Action.DELAYED: 4}


def compose_plain(facts: ReportFacts) -> ComposedReport:
    """Compose the same report in its simplest form."""
    lines = tuple(facts.lines)
    text = "\r\n".join(_text(facts, lines)).encode("ascii")
    status = "\r\n".join([_message_group(facts), *(_group(line, facts) for line in lines)]).encode("ascii")
    header = _original_header(facts.header_block)
    boundary, number = _BOUNDARY, 0
    while any(f"--{boundary}".encode("ascii") in part for part in (text, status, header)):
        number += 1
        boundary = f"{_BOUNDARY}_{number}_"
    delimiter = f"\r\n--{boundary}".encode("ascii")
    return ComposedReport(
        b"".join(
            [
                _header(facts, lines, boundary).encode("ascii"),
                delimiter, b"\r\n" + _TEXT_FIELDS + b"\r\n", text,
                delimiter, b"\r\nContent-Type: message/delivery-status\r\n\r\n", status,
                delimiter, b"\r\nContent-Type: text/rfc822-headers\r\n\r\n", header,
                delimiter, b"--\r\n",
            ]
        ),
        is_8bit=False,
    )  # fmt: skip


def _header(facts: ReportFacts, lines: tuple[ReportLine, ...], boundary: str) -> str:
    worst = min((line.action for line in lines), key=list(Action).index, default=Action.FAILED)
    start = f"Copy: {_STARTS[worst]}" if facts.audience is Audience.POSTMASTER else _STARTS[worst]
    address = str(facts.reverse_path)
    # An address that is not ASCII has no 7-bit form here; the envelope has it.
    to = f"<{_clean(address)}>" if _is_path(address) else "undisclosed-recipients:;"
    postmaster = str(facts.postmaster)
    sender = postmaster if _is_path(postmaster) else "postmaster@invalid"
    ids = [one for one in (facts.original_id, *facts.thread[-20:]) if _ID.fullmatch(str(one))]
    return (
        f'From: "Mail delivery" <{sender}>\r\nTo: {to}\r\nSubject: {start}\r\n'
        + _date("Date", facts.composed_at)
        + (f"Message-ID: {facts.message_id}\r\n" if _ID.fullmatch(str(facts.message_id)) else "")
        + (f"In-Reply-To:\r\n {ids[0]}\r\nReferences:\r\n " + "\r\n ".join(ids) + "\r\n" if ids else "")
        + "Auto-Submitted: auto-replied\r\nMIME-Version: 1.0\r\n"
        f'Content-Type: multipart/report; report-type=delivery-status;\r\n boundary="{boundary}"\r\n'
    )


def _text(facts: ReportFacts, lines: tuple[ReportLine, ...]) -> Iterator[str]:
    for action in Action:
        about = [line for line in lines if line.action is action]
        if not about:
            continue
        yield _WHAT[action]
        yield ""
        for line in about[:_NAMED_LIMIT]:
            yield f"  {_clean(line.recipient)}"
        if len(about) > _NAMED_LIMIT:
            yield f"  and {len(about) - _NAMED_LIMIT} more"
        yield ""
    yield "The part of this report for mail programs says why."
    yield f"Questions? {_clean(facts.postmaster)}"
    yield f"Please quote {_clean(facts.queue_id)}"
    yield ""


def _message_group(facts: ReportFacts) -> str:
    envid = "" if facts.envid is None else f"Original-Envelope-Id: {_clean(_unxtext(facts.envid))}\r\n"
    name = _clean(facts.reporting_mta)
    kind = "dns" if "." in name else "x-local-hostname"
    return f"{envid}Reporting-MTA: {kind}; {name}\r\n" + _date("Arrival-Date", facts.accepted_at)


def _group(line: ReportLine, facts: ReportFacts) -> str:
    kind, address = "rfc822", str(line.recipient)
    if not address.isascii():
        # RFC 6533 section 3: the 7-bit form of such an address.
        kind, address = "utf-8", re.sub(r"[^!-*,-<>-\[\]-~]", _hex, address)
    out = ""
    if line.orcpt is not None:
        given, _, original = str(line.orcpt).partition(";")
        out = f"Original-Recipient: {_clean(given)}; {_clean(_unxtext(original))}\r\n"
    out += f"Final-Recipient: {kind}; {_clean(address)}\r\nAction: {line.action.value}\r\n"
    out += f"Status: {_status(line)}\r\n"
    if line.member is None or facts.audience is Audience.POSTMASTER:
        out += _diagnostic(line)
    if line.last_attempt_at is not None:
        out += _date("Last-Attempt-Date", line.last_attempt_at)
    if line.will_retry_until is not None and line.action is Action.DELAYED:
        out += _date("Will-Retry-Until", line.will_retry_until)
    return out


def _status(line: ReportLine) -> str:
    klass = _CLASS.get(line.action, 2)
    said = line.diagnosis
    if line.expired and klass == 5:
        return "5.4.7"
    if isinstance(said, WeFound) and not line.returned:
        # Subject and detail depend on the cause alone.
        _, _, rest = str(_tried(lambda: said.status(klass), "")).partition(".")  # type: ignore[arg-type]
        return f"{klass}.{rest}" if re.fullmatch(r"\d{1,3}\.\d{1,3}", rest) else f"{klass}.0.0"
    if isinstance(said, PeerSaid) and not line.returned:
        status = said.reply.enhanced
        if status is not None and status.klass == klass:
            return f"{klass}.{int(status.subject)}.{int(status.detail)}"
    return f"{klass}.0.0"


def _diagnostic(line: ReportLine) -> str:
    said = line.diagnosis
    if isinstance(said, PeerSaid):
        status = f"{said.reply.enhanced} " if said.reply.enhanced else ""
        words = " ".join(map(str, said.reply.lines))[:_REPLY_LIMIT]
        return f"Diagnostic-Code: smtp; {said.reply.code} {status}{_clean(words)}\r\n"
    if isinstance(said, WeFound) and line.action in _CLASS:
        return f"Diagnostic-Code: x-byreturn; {_clean(said.cause)}\r\n"
    return ""


def _original_header(block: bytes) -> bytes:
    """RFC 6522 section 4, as far as 7-bit lines hold it; what they cannot hold is marked."""
    lines = bytes(block)[:_HEADER_OCTETS].split(b"\r\n\r\n")[0].split(b"\r\n")
    return b"".join(_UNFIT_OCTET.sub(b"?", line)[:900] + b"\r\n" for line in lines if line)


# --- Values, whatever they are ------------------------------------------------------------------------


def _clean(value: object) -> str:
    return _UNFIT.sub("?", str(value)[:_VALUE_LIMIT])


def _hex(found: re.Match[str]) -> str:
    return f"\\x{{{ord(found[0]):02X}}}"


def _unxtext(text: object) -> str:
    return re.sub(r"\+([0-9A-F]{2})", lambda found: chr(int(found[1], 16)), str(text))


def _is_path(address: str) -> bool:
    return re.fullmatch(r"[!-;=?-~]{1,64}@[!-;=?-~]{1,255}", address) is not None


def _date(name: str, at: Instant) -> str:
    date = _tried(lambda: rfc5322_date(at), "")
    return f"{name}: {date}\r\n" if date else ""


def _tried(make: Callable[[], object], otherwise: str) -> str:
    try:
        return str(make())
    except Exception:  # noqa: BLE001 - this form goes out whatever is wrong with a fact
        return otherwise
