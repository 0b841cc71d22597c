"""All the words that a configuration brings: its languages, and its templates for causes.

What is wrong in them costs the words that it is about and nothing else: what comes with ByReturn takes their
place. So a start is not refused for it; `check` tells every complaint.
"""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct

from byreturn.config.errors import ConfigError
from byreturn.config.languages import load_languages
from byreturn.config.model import Config
from byreturn.config.templates import read_overrides
from byreturn.mail import Language
from byreturn.report import NO_OVERRIDES, Overrides


class ReportWords(Struct, frozen=True):
    """The languages by tag, the templates, and what was wrong with either."""

    languages: Mapping[str, Language]
    overrides: Overrides = NO_OVERRIDES
    complaints: tuple[ConfigError, ...] = ()


def built_in_words() -> ReportWords:
    """The words that come with ByReturn."""
    languages, complaints = load_languages()
    return ReportWords(languages, complaints=complaints)


def report_words(config: Config) -> ReportWords:
    """Read the words that a configuration brings, besides those that come with ByReturn."""
    report = config.report
    languages, complaints = load_languages(report.catalogues)
    if report.templates is None:
        return ReportWords(languages, complaints=complaints)
    overrides, more = read_overrides(report.templates)
    return ReportWords(languages, overrides, (*complaints, *more))
