"""What a report may be asked for, by name; apart from what reads it, which loads numpy."""

from __future__ import annotations

from enum import StrEnum


class By(StrEnum):
    """By what a report is divided into rows."""

    DAY = "day"
    AUDIENCE = "audience"
    CHANNEL = "channel"
    PIECE = "piece"
    ACTION = "action"


class Source(StrEnum):
    """What a report was read from."""

    TALLIES = "tallies"
    LOG = "log"


class ScopeChoice(StrEnum):
    """Whose beacons a report counts."""

    ALL = "all"
    IDENTIFIED = "identified"
    ANONYMOUS = "anonymous"


class Suspects(StrEnum):
    """Whether a report counts suspect beacons."""

    EXCLUDE = "exclude"
    INCLUDE = "include"
    ONLY = "only"
