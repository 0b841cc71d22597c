"""The configuration: a file in, one immutable tree out, or every error in it at once."""

from byreturn.config.errors import ConfigError
from byreturn.config.load import load, load_text
from byreturn.config.manners import SENDERS_CLOCK
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
    "SENDERS_CLOCK",
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
    "load",
    "load_text",
    "reference_page",
    "report_words",
]
