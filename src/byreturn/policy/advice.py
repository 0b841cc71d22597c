"""What a host's reply asks of us beyond its code: fewer connections, a slower pace, another time.

A table of phrases that real hosts use, tried in order on the text of a 4yz (a 5yz is a verdict and no
advice). A guess costs little: each piece of advice makes us more polite for a while, none of them ends
anything. Pure.

    "too many connections"            fewer at once, for an hour
    "too many messages per session"   fewer messages over one connection, for an hour
    "rate limit", "too fast"          half the pace of the last minute, for an hour
    "try again in 5 minutes"          that recipient then, and not before
"""

from __future__ import annotations

import re
from enum import StrEnum
from typing import Final

from msgspec import Struct

from byreturn.mail import HOUR, MINUTE, SECOND, Duration, Reply

LESSON_HOLDS: Final[Duration] = 1 * HOUR
_SOONEST: Final[Duration] = 10 * SECOND
_LATEST: Final[Duration] = 4 * HOUR


class Topic(StrEnum):
    """What a lesson is about."""

    CONNECTIONS = "connections"
    MESSAGES = "messages per connection"
    PACE = "messages a minute"


class Advice(Struct, frozen=True):
    """`topic`: of what less is wanted. `after`: when to come again, from now."""

    topic: Topic | None = None
    after: Duration | None = None


_TOPICS: Final[tuple[tuple[Topic, re.Pattern[str]], ...]] = (
    (
        Topic.MESSAGES,
        re.compile(
            r"too many (?:messages|mails|e-?mails|transactions|commands)"
            r" (?:(?:sent |received )?(?:in|on|over|per|for) (?:this|the|a|one|single|same)\b"
            r"|per (?:session|connection))"
            r"|(?:message|mail|transaction)s? (?:limit )?per (?:session|connection)"
        ),
    ),
    (
        Topic.CONNECTIONS,
        re.compile(
            r"too many (?:\w+ ){0,2}(?:connections|sessions|connects)"
            r"|(?:connection|session)s? (?:count |rate )?limit"
            r"|(?:max\w*|concurrent|simultaneous) (?:number of )?(?:\w+ )?(?:connections|sessions)"
            r"|(?:exceeded|reached)\b.{0,40}\b(?:connections|sessions)\b"
        ),
    ),
    (
        Topic.PACE,
        re.compile(
            r"\brate[- ]?limit|\bthrottl|too (?:fast|quickly)|unusual rate"
            r"|(?:receiving|sending) (?:mail|messages|e-?mail) (?:too|at a rate)"
            r"|(?:sending|message|mail) rate|slow(?:ing)? down|too many (?:messages|mails|e-?mails)"
            r"|too much (?:mail|e-?mail)"
        ),
    ),
)
_UNITS: Final = {"s": SECOND, "m": MINUTE, "h": HOUR}
_AGAIN: Final = re.compile(
    r"(?:again|back|retry|retried|resend|wait|greylist\w*|graylist\w*|defer\w*|delay\w*|expires?)\b"
    r"[^0-9]{0,40}?(?:(\d{1,2}):(\d{2}):(\d{2})"
    r"|(\d{1,6}) ?(s|secs?|seconds?|m|mins?|minutes?|h|hrs?|hours?)\b)"
)


def advice_of(reply: Reply) -> Advice:
    """Read what a 4yz asks of us; nothing, where it asks nothing that we know."""
    if not reply.is_transient:
        return Advice()
    text = " ".join(reply.lines).lower()
    topic = next((topic for topic, phrase in _TOPICS if phrase.search(text)), None)
    return Advice(topic, _after(text))


def _after(text: str) -> Duration | None:
    found = _AGAIN.search(text)
    if found is None:
        return None
    hours, minutes, seconds, number, unit = found.groups()
    if number is None:
        wait = int(hours) * HOUR + int(minutes) * MINUTE + int(seconds) * SECOND
    else:
        wait = int(number) * _UNITS[unit[0]]
    return min(max(wait, _SOONEST), _LATEST) if wait else None
