"""What the rooms above hear of shelves. Handlers run in the same transaction."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from edu_platform.core.signals import Signal
from edu_platform.core.vocabulary import Channel


@dataclass(frozen=True)
class Favourited:
    """A learner put a piece among their favourites for the first time; `favourite_id` is told once, ever."""

    favourite_id: int
    learner_id: int
    piece_id: int
    channel: Channel
    at: datetime


favourited: Signal[Favourited] = Signal("a piece became somebody's favourite")
