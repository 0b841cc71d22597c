"""Times as people read them: in their time zone, in their language, and no more exact than they need.

    full         Tue 3 March 2026, 09:41:06 (UTC+01:00)    when the message was taken
    when         at 13:41, on Sun 8 March at 09:41         inside a sentence
    about        09:56, Sun 8 March 09:56                  the next try
    exact        09:41:06.982                              the part for technical staff

A date that is that of the report itself is left out. The patterns and the names of days and months are
sentences of the catalogue like all others, so a translator may put them into any order.

Promises: no instant raises; one that the calendar does not know is said as the nearest one that it knows.
"""

from __future__ import annotations

from datetime import UTC, datetime, timezone, tzinfo
from typing import Final

from byreturn.mail import N_, SECOND, Instant, Language
from byreturn.report.facts import ReportFacts

_DAYS: Final = (N_("Mon"), N_("Tue"), N_("Wed"), N_("Thu"), N_("Fri"), N_("Sat"), N_("Sun"))
_MONTHS: Final = (
    N_("January"), N_("February"), N_("March"), N_("April"), N_("May"), N_("June"), N_("July"), N_("August"),
    N_("September"), N_("October"), N_("November"), N_("December"),
)  # fmt: skip
# A day inside the years 1970 to 9999, whatever the time zone.
_FIRST: Final = 86_400
_LAST: Final = 253_402_214_400


def full(at: Instant, language: Language, zone: tzinfo) -> str:
    """Say date and time in full, with the time zone."""
    then = _date(at, zone)
    return language.say(
        "{weekday} {day} {month} {year}, {time} ({zone})",
        **_day(then, language),
        year=then.year,
        time=then.strftime("%H:%M:%S"),
        zone=zone_name(at, zone),
    )


def when(at: Instant, facts: ReportFacts, *, to_the_second: bool = False) -> str:
    """Say an instant so that it can stand in a sentence: `at 13:41`."""
    then = _date(at, facts.zone)
    time = then.strftime("%H:%M:%S" if to_the_second else "%H:%M")
    if _is_today(then, facts):
        return facts.language.say("at {time}", time=time)
    return facts.language.say("on {weekday} {day} {month} at {time}", **_day(then, facts.language), time=time)


def about(at: Instant, facts: ReportFacts) -> str:
    """Say an instant by itself: `09:56`."""
    then = _date(at, facts.zone)
    time = then.strftime("%H:%M")
    if _is_today(then, facts):
        return time
    return facts.language.say("{weekday} {day} {month}, {time}", **_day(then, facts.language), time=time)


def exact(at: Instant, facts: ReportFacts) -> str:
    """Say an instant to the millisecond, with its date if that is not the report's."""
    # One offset for the whole part, which is named above it: of a zone with summer time the report's.
    then = _date(at, _fixed(facts))
    time = f"{then:%H:%M:%S}.{at % SECOND:03d}"
    return time if _is_today(then, facts) else f"{then:%Y-%m-%d} {time}"


def zone_name(at: Instant, zone: tzinfo) -> str:
    """Name a time zone by its offset at that time: `UTC+01:00`."""
    offset = _date(at, zone).strftime("%z")
    return "UTC" if offset in {"", "+0000"} else f"UTC{offset[:3]}:{offset[3:5]}"


def _is_today(then: datetime, facts: ReportFacts) -> bool:
    return then.date() == _date(facts.composed_at, then.tzinfo or UTC).date()


def _fixed(facts: ReportFacts) -> tzinfo:
    offset = _date(facts.composed_at, facts.zone).utcoffset()
    return timezone(offset) if offset else UTC


def _date(at: Instant, zone: tzinfo) -> datetime:
    return datetime.fromtimestamp(min(max(at // SECOND, _FIRST), _LAST), zone)


def _day(then: datetime, language: Language) -> dict[str, object]:
    return {
        "weekday": language.say(_DAYS[then.weekday()]),
        "day": then.day,
        "month": language.say(_MONTHS[then.month - 1]),
    }
