"""The words: non-delivery reports, delay notices and success reports as bytes, and reading them. Pure."""

from byreturn.mail import Action
from byreturn.report.audience import Audience
from byreturn.report.compose import ComposedReport, compose, compose_cleared
from byreturn.report.downgrade import without_8bit
from byreturn.report.facts import (
    OTHERS_LISTED,
    Kin,
    Progress,
    ReportFacts,
    ReportLine,
    Standing,
    Suggestion,
)
from byreturn.report.judging import judge
from byreturn.report.lint import cleared_complaints, complaints
from byreturn.report.overrides import NO_OVERRIDES, Override, Overrides
from byreturn.report.parse import ParsedLine, ParsedReport, Typed, parse_report
from byreturn.report.plain import compose_plain
from byreturn.report.reading import Reading, ReadLine, reading_of
from byreturn.report.reasons import Judgement, Mender, Reason
from byreturn.report.returned import RETURN_OCTETS
from byreturn.report.suggesting import Suggestions, suggest

__all__ = [
    "NO_OVERRIDES",
    "OTHERS_LISTED",
    "RETURN_OCTETS",
    "Action",
    "Audience",
    "ComposedReport",
    "Judgement",
    "Kin",
    "Mender",
    "Override",
    "Overrides",
    "ParsedLine",
    "ParsedReport",
    "Progress",
    "ReadLine",
    "Reading",
    "Reason",
    "ReportFacts",
    "ReportLine",
    "Standing",
    "Suggestion",
    "Suggestions",
    "Typed",
    "cleared_complaints",
    "complaints",
    "compose",
    "compose_cleared",
    "compose_plain",
    "judge",
    "parse_report",
    "reading_of",
    "suggest",
    "without_8bit",
]
