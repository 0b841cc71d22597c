"""The desks: accepting, dispatching, attempting, settling, reporting. On ports alone."""

from byreturn.service.admission import DispatchSettings, claim_quota
from byreturn.service.connection import Timeouts
from byreturn.service.copies import CLASSES, EXPIRED, UNDELIVERABLE_REPORT, Copies
from byreturn.service.drafting import ReportSettings
from byreturn.service.hearing import HearingSettings
from byreturn.service.house import House, HouseSettings
from byreturn.service.inbound import ListenerSettings
from byreturn.service.reception import Door, ReceptionSettings
from byreturn.service.relay import RelaySettings
from byreturn.service.routes import RouteSettings
from byreturn.service.settlement import DelayRule
from byreturn.service.suggestions import SuggestionSettings

__all__ = [
    "CLASSES",
    "EXPIRED",
    "UNDELIVERABLE_REPORT",
    "Copies",
    "DelayRule",
    "DispatchSettings",
    "Door",
    "HearingSettings",
    "House",
    "HouseSettings",
    "ListenerSettings",
    "ReceptionSettings",
    "RelaySettings",
    "ReportSettings",
    "RouteSettings",
    "SuggestionSettings",
    "Timeouts",
    "claim_quota",
]
