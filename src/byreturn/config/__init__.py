"""The configuration: a file in, one immutable tree out, or every error in it at once."""

from byreturn.config.choosing import manners_of
from byreturn.config.errors import ConfigError
from byreturn.config.keys import COPY_CLASSES
from byreturn.config.languages import language_tags, load_languages
from byreturn.config.load import load, load_text
from byreturn.config.model import (
    Alias,
    BrakeConfig,
    Config,
    DeliveryConfig,
    DnsConfig,
    DomainConfig,
    HistoryConfig,
    LimitsConfig,
    ListenerConfig,
    LogConfig,
    RelayConfig,
    ReportConfig,
    SenderConfig,
    TimeoutsConfig,
)
from byreturn.config.render import default_configuration, effective_text, reference_page
from byreturn.config.speech import ReportWords, built_in_words, report_words

__all__ = [
    "COPY_CLASSES",
    "Alias",
    "BrakeConfig",
    "Config",
    "ConfigError",
    "DeliveryConfig",
    "DnsConfig",
    "DomainConfig",
    "HistoryConfig",
    "LimitsConfig",
    "ListenerConfig",
    "LogConfig",
    "RelayConfig",
    "ReportConfig",
    "ReportWords",
    "SenderConfig",
    "TimeoutsConfig",
    "built_in_words",
    "default_configuration",
    "effective_text",
    "language_tags",
    "load",
    "load_languages",
    "load_text",
    "manners_of",
    "reference_page",
    "report_words",
]
