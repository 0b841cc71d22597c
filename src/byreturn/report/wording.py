"""Plain sentences for people: what happened, in words that need no knowledge of mail.

A sender reads three things about a recipient: one sentence on the cause, what can be done, and the
evidence - the peer's own words, or what we found, named as ours. The first two are made here, from two
tables:

    FOUND      by our own cause; closed, every Cause has its words
    _SAID      by the status in a peer's reply; short, because a peer's own words stand right below

The sentences state and do not judge: nobody is at fault, and nothing is promised that we do not know.
Where an alias passed the mail on, the address that failed is not the one the sender knows; then the same
sentences speak of "the address behind this one".

Pure. A later catalogue of languages replaces these tables and nothing else.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from msgspec import Struct

from byreturn.mail import (
    DAY,
    HOUR,
    MINUTE,
    SECOND,
    Action,
    Cause,
    Duration,
    PeerSaid,
    Phase,
    Reply,
    WeFound,
    in_words,
)
from byreturn.report.facts import ReportLine
from byreturn.report.safe import CUT, readable

# RFC 1035 section 2.3.4: a name has 255 octets.
NAME_LIMIT: Final = 255
# Replies of more lines are advertisement; the limit keeps a recipient on one screen.
REPLY_LINES: Final = 50

_SPELLING: Final = "Please check the spelling of the address."
_SMALLER: Final = "Please send it in smaller parts, or send a link to the large part."
_OTHERWISE: Final = "Please reach the recipient in another way, or try again later."
_THEIR_WORDS: Final = "Its own words below may say why."
# The reply to the end of content never came: the other side may have taken the message before.
_PERHAPS: Final = " It may have taken the message all the same."
_BEHIND: Final = (
    "This address passes mail on to another one, and the difficulty is there. Please tell the recipient in "
    "another way."
)


class Words(Struct, frozen=True):
    """One sentence on a cause, what the sender can do (may be empty), and our finding in exact terms."""

    cause: str
    finding: str
    advice: str = ""


# {place} is "domain customer.example", {address} is "this address".
FOUND: Final[Mapping[Cause, Words]] = {
    Cause.NO_SUCH_DOMAIN: Words("The {place} does not exist.", "the DNS knows no such name", _SPELLING),
    Cause.NULL_MX: Words(
        "The {place} says of itself that it takes no mail.", "a null MX record in the DNS", _SPELLING
    ),
    Cause.NO_MAIL_HOST: Words(
        "The {place} has no mail server.", "neither an MX nor an address record in the DNS", _SPELLING
    ),
    Cause.NO_SUCH_MAIL_HOSTS: Words(
        "The mail servers that the {place} names do not exist.",
        "the DNS knows none of the names in its MX records",
        _OTHERWISE,
    ),
    Cause.LOOKUP_FAILED: Words(
        "The mail server of the {place} could not be looked up.", "no usable answer from the DNS", _OTHERWISE
    ),
    Cause.FORBIDDEN_ADDRESS: Words(
        "The mail server of the {place} is not on the public internet.",
        "its address is not one that we connect to",
        _OTHERWISE,
    ),
    Cause.LOOP: Words("The way to the {place} leads back to our own mail server.", "a mail loop", _OTHERWISE),
    Cause.HOP_LIMIT: Words(
        "The message has gone through too many mail servers, most likely in a circle.",
        "too many Received lines in its header",
        _OTHERWISE,
    ),
    Cause.REFUSED_CONNECTION: Words(
        "The mail server of the {place} took no connection.", "connection refused", _OTHERWISE
    ),
    Cause.UNREACHABLE: Words(
        "The mail server of the {place} could not be reached.", "no way to it on the network", _OTHERWISE
    ),
    Cause.SILENT: Words("The mail server of the {place} did not answer.", "no answer in time", _OTHERWISE),
    Cause.LOST_CONNECTION: Words(
        "The connection to the mail server of the {place} broke off.", "connection lost", _OTHERWISE
    ),
    Cause.BROKEN_DIALOGUE: Words(
        "The answers of the mail server of the {place} made no sense to ours.",
        "an answer that is no valid SMTP",
        _OTHERWISE,
    ),
    Cause.TLS_NOT_OFFERED: Words(
        "The mail server of the {place} offers no encryption, and mail may go there only encrypted.",
        "TLS is required, and not offered",
        _OTHERWISE,
    ),
    Cause.TLS_FAILED: Words(
        "An encrypted connection, without which mail may not go there, could not be made to the mail server "
        "of the {place}.",
        "TLS failed",
        _OTHERWISE,
    ),
    Cause.TOO_LARGE: Words(
        "The message is larger than the mail server of the {place} takes.",
        "over the size that it announces",
        _SMALLER,
    ),
    Cause.NEEDS_8BIT: Words(
        "The mail server of the {place} takes plain letters only, and the message has others in it.",
        "8-bit content, and no 8BITMIME there",
        'Most mail programs can send it again in a plain form ("quoted-printable").',
    ),
    Cause.NO_SUCH_MAILBOX: Words("There is no mailbox for {address}.", "no such mailbox", _SPELLING),
    Cause.STORE_FAILED: Words(
        "The mailbox could not take the message.", "the mail store reports a fault", _OTHERWISE
    ),
    Cause.STORED: Words("The message is in the mailbox.", "stored"),
    Cause.INTERRUPTED: Words(
        "An attempt was cut short on our side.", "our server stopped during the attempt", _OTHERWISE
    ),
    Cause.OUR_BUG: Words("A fault in our own software got in the way.", "a fault of ours", _OTHERWISE),
    Cause.EXPANDED: Words("The message was passed on to the addresses that this one stands for.", "expanded"),
}

# By subject and detail of the enhanced status (RFC 3463, and the IANA registry): {host} is who said it.
_SAID: Final[Mapping[tuple[int, int], tuple[str, str]]] = {
    (1, 1): ("{host} does not know {address}.", _SPELLING),
    (1, 10): ("{host} says that the {place} takes no mail.", _SPELLING),
    (2, 1): ("{host} says that this mailbox is closed.", _OTHERWISE),
    (2, 2): ("{host} says that the mailbox is full.", _OTHERWISE),
    (2, 3): ("{host} says that the message is too large for this mailbox.", _SMALLER),
    (3, 4): ("{host} says that the message is too large.", _SMALLER),
}
_POLICY: Final = ("{host} does not take this message, by its own rules.", _THEIR_WORDS)
_POLICY_LATER: Final = ("{host}, by its own rules, does not take this message yet.", _OTHERWISE)
_REFUSED: Final = ("{host} refused the message.", _THEIR_WORDS)
_LATER: Final = ("{host} asked us to come back later.", _OTHERWISE)
# RFC 5321 section 4.2.3: a bare 550 is "no such mailbox" or "for policy reasons"; it cannot be told which.
_BARE_550: Final = (
    "{host} takes no mail for {address}; most often, this means that there is no such mailbox.",
    _SPELLING,
)


def _words_for(said: PeerSaid) -> tuple[str, str]:
    reply = said.reply
    subject, detail = (reply.enhanced.subject, reply.enhanced.detail) if reply.enhanced else (0, 0)
    if (subject, detail) == (0, 0) and reply.is_permanent:
        match reply.code, said.phase:
            case 550, Phase.RCPT:
                return _BARE_550
            case 552, Phase.RCPT:
                subject, detail = 2, 2
            case 552, _:
                subject, detail = 3, 4
            case _:
                return _REFUSED
    if subject == 7:
        return _POLICY if reply.is_permanent else _POLICY_LATER
    return _SAID.get((subject, detail), _REFUSED if reply.is_permanent else _LATER)


def cause_and_advice(line: ReportLine) -> tuple[str, str]:
    """Say in one sentence why, and in another what can be done; both may be empty."""
    place = f"domain {readable(line.recipient.domain, NAME_LIMIT)}"
    address = "this address"
    if line.is_alias:
        place, address = "domain of the address behind this one", "the address behind this one"
    said = line.diagnosis
    if said is None:
        return "", ""
    if isinstance(said, PeerSaid):
        cause, advice = _words_for(said)
        host = f"The mail server {readable(said.host, NAME_LIMIT)}"
    else:
        words, host = FOUND[said.cause], ""
        cause, advice = words.cause, words.advice
        if said.phase is Phase.END_OF_CONTENT:
            cause += _PERHAPS
    if line.is_alias and advice == _SPELLING:
        advice = _BEHIND
    return cause.format(place=place, address=address, host=host), advice


def finding(found: WeFound, limit: int) -> str:
    """Say what we ourselves found, where, and in which detail."""
    words = FOUND[found.cause].finding
    where = _host_and_address(found.host, found.address)
    # What only says the same once more is no detail.
    detail = "" if found.detail == words else readable(found.detail, limit)
    details = ", ".join(part for part in (where, detail) if part)
    return f"We found: {words}{f' ({details})' if details else ''}"


def who_answered(said: PeerSaid) -> str:
    """Introduce a peer's words: who said them, and in answer to what."""
    what = f"at the {said.phase}" if said.phase in _NO_COMMANDS else f"to {said.phase}"
    return f"{_host_and_address(said.host, said.address) or 'The other server'} answered {what}:"


# The other phases are named by the command that was answered.
_NO_COMMANDS: Final = frozenset(
    {Phase.LOOKUP, Phase.CONNECT, Phase.GREETING, Phase.CONTENT, Phase.END_OF_CONTENT}
)


def _host_and_address(host: str, address: str) -> str:
    name = readable(host, NAME_LIMIT)
    if not address or address == host:
        return f"[{name}]" if name and address else name
    return f"{name} [{readable(address, NAME_LIMIT)}]".lstrip()


def reply_lines(reply: Reply, limit: int, clean: Callable[[str, int], str]) -> list[str]:
    """Give a reply line by line as it came over the wire, cleaned, within a limit in characters and lines."""
    status = f"{reply.enhanced} " if reply.enhanced else ""
    lines: list[str] = []
    for text in reply.lines or ("",):
        if limit <= 0 or len(lines) == REPLY_LINES:
            lines.append(f"{reply.code} {CUT}")
            return lines
        cleaned = clean(text, limit)
        limit -= len(cleaned) + 1
        lines.append(f"{reply.code}-{status}{cleaned}".rstrip())
    lines[-1] = f"{reply.code} {lines[-1][4:]}".rstrip()
    return lines


# --- What a report says at its head -------------------------------------------------------------------

SUBJECTS: Final[Mapping[Action, str]] = {
    Action.FAILED: "Not delivered",
    Action.DELAYED: "Delayed",
    # Not "Accepted": before the subject of an offer or an invitation that would be an answer to it.
    Action.RELAYED: "Passed on",
    Action.DELIVERED: "Delivered",
    Action.EXPANDED: "Passed on",
}


def headline(action: Action, count: int, total: int) -> str:
    """Say what happened to `count` of the `total` recipients that the sender named (0: not known)."""
    to = f" to {_so_many(count, total)}" if _so_many(count, total) else ""
    match action:
        case Action.FAILED:
            whom = " for them" if count > 1 else " for this recipient" if to else ""
            return f"Your message could not be delivered{to}. It will not be tried again{whom}."
        case Action.DELAYED:
            return (
                f"Your message has not been delivered{to} yet. We are still trying: there is nothing that "
                "you need to do."
            )
        case Action.RELAYED:
            whom = f" for {_so_many(count, total)}" if to else ""
            return f"Your message was accepted by the next mail server{whom}."
        case Action.DELIVERED:
            return f"Your message was delivered{to}."
    assert action is Action.EXPANDED
    reached = "an address that stands" if count == 1 else f"{count} addresses that stand"
    return f"Your message reached {reached} for others, and was passed on to them."


def _so_many(count: int, total: int) -> str:
    """`2 of its 4 recipients`; empty where the message had but one."""
    if count == total:
        return "" if total == 1 else f"its {total} recipients"
    if count < total:
        return f"{count} of its {total} recipients"
    return "one recipient" if count == 1 else f"{count} recipients"


def gave_up(attempts: int, span: Duration) -> str:
    """Say how long and how often we tried before we gave up."""
    tries = f"{attempts} attempts in " if attempts > 1 else "one attempt in " if attempts else ""
    return f"We gave up after {tries}{roughly(span)}."


def roughly(span: Duration) -> str:
    """Say a duration as people do: `5 days`, `26 hours`, `90 minutes`, `9 seconds`."""
    unit = next((unit for unit in (DAY, HOUR, MINUTE) if span >= 2 * unit), SECOND)
    return in_words(max(1, round(span / unit)) * unit)
