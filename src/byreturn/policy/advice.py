"""What a host's reply asks of us beyond its code: fewer connections, a slower pace, another time.

A table of phrases that real hosts use, tried in order on the text of a 4yz (a 5yz is a verdict and no
advice). A guess costs little: each piece of advice makes us more polite for a while, none of them ends
anything. Pure.

    "too many connections"            fewer at once, for an hour
    "too many messages per session"   fewer messages over one connection, for an hour
    "rate limit", "too fast"          half the pace of the last minute, for an hour
    "try again in 5 minutes"          that recipient then, and not before

A mailbox that gets too much mail from all the world is that mailbox's trouble, and no advice for the rest of
the mail to its host.
"""

from __future__ import annotations

import re
from enum import StrEnum
from typing import Final

from msgspec import Struct

from byreturn.mail import DAY, HOUR, MINUTE, SECOND, Duration, Reply

LESSON_HOLDS: Final[Duration] = 1 * HOUR
_SOONEST: Final[Duration] = 10 * SECOND
_LATEST: Final[Duration] = 4 * HOUR
# Letters that are read. The longest reply that we know of, with its links, has some 500.
_TEXT_LIMIT: Final = 2_000


class Topic(StrEnum):
    """What a lesson is about."""

    CONNECTIONS = "connections"
    MESSAGES = "messages per connection"
    PACE = "messages a minute"


class Advice(Struct, frozen=True):
    """`topic`: of what less is wanted. `after`: when to come again, from now."""

    topic: Topic | None = None
    after: Duration | None = None


_MAILBOX: Final = re.compile(
    r"\buser (?:you are trying to contact )?is receiving|\brecipient has exceeded|\bmailbox (?:has )?received"
    r"|\b(?:to|for) this (?:user|recipient|mailbox)\b"
)
_TOPICS: Final[tuple[tuple[Topic, re.Pattern[str]], ...]] = (
    (
        Topic.MESSAGES,
        re.compile(
            r"too many (?:messages|mails|e-?mails|transactions)"
            r" (?:(?:sent |received )?(?:in|on|over|per|for) (?:this|the|a|one|single|same)"
            r" (?:smtp )?(?:connection|session)|per (?:connection|session))"
            r"|(?:message|mail|transaction)s? (?:count |limit )?per (?:smtp )?(?:connection|session)"
            r"|\bmi:dmc\b"  # NetEase
        ),
    ),
    (
        Topic.CONNECTIONS,
        re.compile(
            r"too many (?:\w+ ){0,2}(?:connections|sessions|connects)"
            r"|(?:connection|session)s? (?:count |rate |frequency )?limit|concurrency limit"
            r"|(?:\bmax\w{0,10}|concurrent|simultaneous) (?:number of )?(?:\w+ )?(?:connections|sessions)"
            r"|(?:exceeded|reached)\b.{0,40}\b(?:connections|sessions)\b"
            r"|trop de connexions|out of connection slots|(?:server|screening) ports are busy"
            r"|\bhl:icc\b|\bcxcnct\b"  # NetEase, Cox
        ),
    ),
    (
        Topic.PACE,
        re.compile(
            r"\brate[- ]?limit|\bfrequency limit|\bthrottl|too (?:fast|quickly)|slow(?:ing)? down"
            r"|again slower|(?:sending|message|mail) rate\b|unusual (?:rate|amount)|unexpected volume"
            r"|user complaints|(?:receiving|sending) (?:mail|messages|e-?mail) at a rate|message threshold"
            r"|too? many (?:messages|mails|e-?mails)|too much (?:mail|e-?mail)"
            r"|(?:messages|mails|recipients) per (?:\d+ )?(?:second|minute|hour|day)"
            r"|too many recipients (?:from|(?:received |sent )?this (?:minute|hour|day))\b"
            r"|messages? from \S+ temporarily deferred"
            # Exchange Online, which says so of the reputation of an address.
            r"|server busy\. please try again later from|access denied, please try again later"
            r"|\bdyn:t\d|\bhl:ifc\b|\bmi:sfq\b"  # AOL, NetEase
        ),
    ),
)
_UNITS: Final = {"s": SECOND, "m": MINUTE, "h": HOUR, "d": DAY}
_UNIT: Final = r"(secs?|seconds?|mins?|minutes?|hrs?|hours?|days?|[smhd])(?![a-z])"
# A time of day is none of them: "again after 14:30:00". Nor is what lies behind: "5 minutes ago".
_AGAIN: Final = re.compile(
    r"(?:\b(?:again|back|retry|retried|resend|wait|gr[ae]y-?list\w*)\b[^0-9/@<]{0,40}?"
    r"|\b(?:deferred|delayed|blocked|rejected|refused) for (?:the next |at least |another )?"
    r"|\baccepted (?:in|after) )"
    r"(?:(?<=\bin )(\d{1,2}):(\d{2}):(\d{2})(?!\d)"
    rf"|(?<![\d.])(\d{{1,6}}) ?{_UNIT}(?:,? ?(?:and )?(\d{{1,6}}) ?{_UNIT})?(?! ago))"
)


def advice_of(reply: Reply) -> Advice:
    """Read what a 4yz asks of us; nothing, where it asks nothing that we know."""
    if not reply.is_transient:
        return Advice()
    text = " ".join(reply.lines)[:_TEXT_LIMIT].lower()
    return Advice(_topic(text), _after(text))


def _topic(text: str) -> Topic | None:
    if _MAILBOX.search(text):
        return None
    return next((topic for topic, phrase in _TOPICS if phrase.search(text)), None)


def _after(text: str) -> Duration | None:
    found = _AGAIN.search(text)
    if found is None:
        return None
    hours, minutes, seconds, number, unit, more, more_unit = found.groups()
    if number is None:
        wait = int(hours) * HOUR + int(minutes) * MINUTE + int(seconds) * SECOND
    else:
        wait = int(number) * _UNITS[unit[0]]
        if more is not None:
            wait += int(more) * _UNITS[more_unit[0]]
    return min(max(wait, _SOONEST), _LATEST) if wait else None
