"""The command line's words: states, spans, times, and what others said, fit to be printed.

People read "waiting" and "accepted by mx1.partner.example"; the words for our own findings are those of the
reports. What strangers wrote (addresses, subjects, replies, names) goes through `clean`, which makes
everything visible that could move the cursor, ring a bell or turn the direction of writing.

Pure: the present instant is given.
"""

from __future__ import annotations

from datetime import UTC, datetime, tzinfo
from typing import Final

from byreturn.mail import (
    DAY,
    HOUR,
    MINUTE,
    SECOND,
    Cause,
    Diagnosis,
    Duration,
    Instant,
    PeerSaid,
    Phase,
    WeFound,
)
from byreturn.policy import (
    FINAL,
    Delivered,
    Discarded,
    Expired,
    Failed,
    Held,
    InFlight,
    Parked,
    Returned,
    Waiting,
)
from byreturn.report.sentences import FOUND
from byreturn.spool import Entry

ADDRESS_LIMIT: Final = 320  # a local part of 64 octets, @, and a domain of 255
WORDS_LIMIT: Final = 600
NOBODY: Final = "<> (nobody)"
POSTMASTER: Final = "the postmaster"


def clean(text: str, limit: int = WORDS_LIMIT) -> str:
    r"""Make a stranger's text printable: what cannot be seen is shown as `\x1b` or `\u202e`."""
    if len(text) > limit:
        text = text[: limit - 3] + "..."
    if text.isprintable():
        return text
    return "".join(letter if letter.isprintable() else ascii(letter)[1:-1] for letter in text)


def address_text(address: object) -> str:
    """Write a mailbox or a reverse path."""
    return clean(str(address), ADDRESS_LIMIT) or NOBODY


# --- Time ---------------------------------------------------------------------------------------------


def span_text(span: Duration) -> str:
    """Say how long: `45 s`, `12 min`, `3 h 20 min`, `2 d 4 h`."""
    if span < SECOND:
        return f"{max(0, span)} ms"
    if span < 10 * SECOND:
        return f"{span / SECOND:.1f} s"
    if span < 100 * SECOND:
        return f"{span // SECOND} s"
    if span < 100 * MINUTE:
        return f"{span // MINUTE} min"
    if span < 2 * DAY:
        return f"{span // HOUR} h {span % HOUR // MINUTE:02d} min"
    return f"{span // DAY} d {span % DAY // HOUR} h"


def size_text(octets: int) -> str:
    """Say how much: `812 octets`, `4.1 kB`, `12 MB`."""
    for unit, size in (("GB", 10**9), ("MB", 10**6), ("kB", 10**3)):
        if octets >= size:
            return f"{octets / size:.0f} {unit}" if octets >= 10 * size else f"{octets / size:.1f} {unit}"
    return f"{octets} octets"


class Times:
    """Instants in a time zone; None is the machine's own."""

    def __init__(self, zone: tzinfo | None) -> None:
        self._zone = zone

    def local(self, at: Instant) -> datetime:
        """Return the date and time of day."""
        return datetime.fromtimestamp(at / SECOND, UTC).astimezone(self._zone)

    def is_same_day(self, one: Instant, other: Instant) -> bool:
        """Whether two instants have the same date."""
        return self.local(one).date() == self.local(other).date()

    def clock(self, at: Instant) -> str:
        """Write the time of day: `12:58:03.120`."""
        return f"{self.local(at):%H:%M:%S}.{at % SECOND:03d}"

    def date(self, at: Instant) -> str:
        """Write the date: `Mon 23 Nov 2026`."""
        then = self.local(at)
        return f"{_DAYS[then.weekday()]} {then.day} {_MONTHS[then.month - 1]} {then.year}"

    def dated(self, at: Instant) -> str:
        """Write the day and the time of day: `23 Nov 12:58:03.120`."""
        then = self.local(at)
        return f"{then.day:2} {_MONTHS[then.month - 1]} {self.clock(at)}"

    def brief(self, at: Instant, now: Instant) -> str:
        """Write the time of day, with the day if it is not today: `13:13:33`, `24 Nov 13:13`."""
        then = self.local(at)
        if self.is_same_day(at, now):
            return f"{then:%H:%M:%S}"
        return f"{then.day:2} {_MONTHS[then.month - 1]} {then:%H:%M}"

    def zone_name(self, now: Instant) -> str:
        """Name the zone: `CET (UTC+01:00)`, `UTC`."""
        then = self.local(now)
        name, offset = then.tzname() or "", then.strftime("%z")
        difference = f"UTC{offset[:3]}:{offset[3:5]}"
        if name == "UTC" or not name[:1].isalpha():
            return name if name == "UTC" else difference
        return f"{name} ({difference})"


# Not from the locale: the rest of the text is English.
_DAYS: Final = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS: Final = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


# --- What was said and found --------------------------------------------------------------------------

_NOT_COMMANDS: Final = {
    Phase.LOOKUP: "on looking it up",
    Phase.CONNECT: "on connecting",
    Phase.GREETING: "at the greeting",
    Phase.CONTENT: "during the content",
    Phase.END_OF_CONTENT: "at the end of content",
}


def host_text(diagnosis: Diagnosis) -> str:
    """Name the host that a diagnosis is about: `mx1.partner.example [192.0.2.1]`; empty where none is."""
    host, address = clean(diagnosis.host, 255), clean(diagnosis.address, 255)
    if not address or address == host:
        return host or address
    return f"{host} [{address}]".lstrip()


def why(diagnosis: Diagnosis) -> str:
    """Say what was found, and by whom: a peer's words word for word, or our own finding, named as ours."""
    if isinstance(diagnosis, PeerSaid):
        return f"{host_text(diagnosis) or 'the other server'} answered {reply_text(diagnosis)}"
    return f"we found: {finding_text(diagnosis)}"


def reply_text(said: PeerSaid) -> str:
    """Write a reply and what it answered."""
    phase = _NOT_COMMANDS.get(said.phase, f"to {said.phase}")
    return f"{phase}: {clean(str(said.reply))}"


def finding_text(found: WeFound) -> str:
    """Write our own finding and its circumstances."""
    finding = FOUND[found.cause].finding
    # Some details only repeat the finding.
    parts = (host_text(found), "" if found.detail == finding else clean(found.detail))
    details = ", ".join(part for part in parts if part)
    return f"{finding}{f' ({details})' if details else ''}"


# --- States -------------------------------------------------------------------------------------------


def fate(entry: Entry) -> str:
    """Say in people's words how it stands with a recipient."""
    match entry.state:
        case Waiting():
            return "waiting: destination not answering" if entry.is_unanswered else "waiting"
        case InFlight():
            return "being tried"
        case Held():
            return "held"
        case Parked():
            return "parked"
        case Delivered():
            return _delivered(entry.finding)
        case Failed():
            return _refused(entry.finding)
        case Expired():
            return f"gave up after {span_text(entry.changed_at - entry.message.accepted_at)}"
        case Returned():
            return f"returned by {POSTMASTER}"
        case Discarded():
            return "discarded (sender not told)"


def _delivered(finding: Diagnosis | None) -> str:
    if isinstance(finding, WeFound) and finding.cause is Cause.STORED:
        return "in the mailbox"
    host = clean(finding.host or finding.address, 255) if finding is not None else ""
    return f"accepted by {host or 'the next server'}"


def _refused(finding: Diagnosis | None) -> str:
    if isinstance(finding, PeerSaid):
        return f"refused by {clean(finding.host or finding.address, 255)}"
    return "not deliverable"


def style(entry: Entry) -> str:
    """Choose the colour of a state on a terminal."""
    match entry.state:
        case Delivered():
            return "green"
        case Failed() | Expired() | Parked():
            return "red"
        case Waiting() if entry.is_unanswered:
            return "yellow"
        case _:
            return ""


def is_final(entry: Entry) -> bool:
    """Whether its life is over."""
    return isinstance(entry.state, FINAL)


def is_delivered(entry: Entry) -> bool:
    """Whether it came to a good end."""
    return isinstance(entry.state, Delivered)


def in_time(at: Instant, now: Instant) -> str:
    """Say when something is due: `in 12 min`, `now`."""
    return f"in {span_text(at - now)}" if at - now >= SECOND else "now"
