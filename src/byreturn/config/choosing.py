"""The manners of a configuration: its languages, read, and its wishes, ready to be asked.

What a catalogue has wrong is told, and costs its sentence alone; so this cannot fail, and a server starts
whatever a translator has written.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import tzinfo
from zoneinfo import ZoneInfo

from byreturn.config.manners import SENDERS_CLOCK
from byreturn.config.model import Config
from byreturn.mail import Language
from byreturn.policy import Manners, Wishes


def manners_of(config: Config, languages: Mapping[str, Language]) -> Manners:
    """Tell how a house speaks to whom."""
    return Manners(
        languages,
        language=config.report.language,
        zone=_zone(config.report.time_zone),
        wishes={
            sender.match: Wishes(sender.language or "", _zone(sender.time_zone)) for sender in config.senders
        },
        domains={domain.name: domain.language for domain in config.domains},
    )


def _zone(name: str) -> tzinfo | None:
    return None if name == SENDERS_CLOCK else ZoneInfo(name)
