"""Stands in for the words until they are there."""

from __future__ import annotations

import re

from msgspec import Struct

from byreturn.mail import Cause, Language, WeFound
from byreturn.report import wording
from byreturn.report.facts import ReportFacts, ReportLine
from byreturn.report.reasons import Mender, Reason
from byreturn.report.wording import reply_lines  # noqa: F401


class Entry(Struct, frozen=True):
    reason: Reason
    cause: str
    mender: Mender
    steps: tuple[str, ...] = ()
    is_guess: bool = False


def entry(line: ReportLine, facts: ReportFacts) -> Entry:
    cause, advice = wording.cause_and_advice(line)
    reason, mender = Reason.NOT_CLASSIFIED, Mender.RECIPIENT
    if isinstance(line.diagnosis, WeFound) and line.diagnosis.cause in {
        Cause.REFUSED_CONNECTION,
        Cause.SILENT,
    }:
        reason = Reason.HOST_DOWN
    if "spelling" in advice:
        mender = Mender.SENDER
    return Entry(reason, facts.language.say(cause), mender, (facts.language.say(advice),) if advice else ())


def finding(found: WeFound, limit: int, language: Language) -> str:
    return wording.finding(found, limit).removeprefix("We found: ")


def struck(text: str, line: ReportLine) -> str:
    if line.member is None:
        return text
    return re.sub(re.escape(str(line.member)), "(...)", text, flags=re.IGNORECASE)
