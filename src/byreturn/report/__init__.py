"""The words: non-delivery reports, delay notices and success reports as bytes, and reading them. Pure."""

from byreturn.mail import Action
from byreturn.report.compose import RETURN_OCTETS, ComposedReport, compose
from byreturn.report.facts import (
    OTHERS_LISTED,
    Audience,
    Kin,
    Progress,
    ReportFacts,
    ReportLine,
    Standing,
    Suggestion,
)
from byreturn.report.parse import ParsedLine, ParsedReport, Typed, parse_report
from byreturn.report.reading import Reading, ReadLine, reading_of
from byreturn.report.reasons import Judgement, Mender, Reason
from byreturn.report.suggesting import Suggestions, suggest

__all__ = [
    "OTHERS_LISTED",
    "RETURN_OCTETS",
    "Action",
    "Audience",
    "ComposedReport",
    "Judgement",
    "Kin",
    "Mender",
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
    "compose",
    "parse_report",
    "reading_of",
    "suggest",
]
