"""The words: non-delivery reports, delay notices and success reports as bytes, and reading them. Pure."""

from byreturn.mail import Action
from byreturn.report.compose import RETURN_OCTETS, ComposedReport, compose
from byreturn.report.facts import ReportFacts, ReportLine
from byreturn.report.parse import ParsedLine, ParsedReport, Typed, parse_report

__all__ = [
    "RETURN_OCTETS",
    "Action",
    "ComposedReport",
    "ParsedLine",
    "ParsedReport",
    "ReportFacts",
    "ReportLine",
    "Typed",
    "compose",
    "parse_report",
]
