"""Who reads a report: it decides what is told, and which steps can be taken. Pure."""

from __future__ import annotations

from enum import Enum


class Audience(Enum):
    """Who reads a report.

    An outsider is not told of our own hosts, clients or people; the postmaster is told everything.
    """

    INSIDER = "internal"
    OUTSIDER = "external"
    POSTMASTER = "postmaster"
