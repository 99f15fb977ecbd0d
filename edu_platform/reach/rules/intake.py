"""What arrives: how a client's clock is corrected, what is refused by time, and what nobody can have done."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime, timedelta

from edu_platform.reach.models import Suspicion

MOST_IN_A_BATCH = 100
LARGEST_DWELL_MS = 4 * 60 * 60 * 1000
"""Longer than this a page lay open unread; more is capped, not refused."""
TOLERATED_SKEW = timedelta(seconds=60)
LARGEST_SKEW = timedelta(days=400)
"""A clock further off than this is not a clock: nothing can be corrected by it."""
TOLERATED_FUTURE = timedelta(minutes=2)
FLOOD_IN_A_MINUTE = 300
FLOOD_IN_A_DAY = 3000
"""Beacons of one person received in a minute or a day beyond which nobody reads: the rest is suspect.

A busy reader causes some ten a minute; a day offline, sent in one go, some hundreds.
"""
TOLERATED_STEP_MINUTES = 2
"""A step back of our own clock, up to which a person's present minute goes on."""
BEACON_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")


@dataclass(frozen=True)
class Correction:
    """How far a client's clock is off; `offset` is what must be added to its times (zero when tolerated)."""

    offset: timedelta
    skew: timedelta
    skewed: bool


def correct(*, sent_at: datetime, received_at: datetime) -> Correction:
    """Compare the client's clock with ours at the moment a batch came.

    Up to `TOLERATED_SKEW` either way is the network's delay and changes nothing.
    """
    skew = received_at - sent_at
    if abs(skew) <= TOLERATED_SKEW:
        return Correction(timedelta(), skew, skewed=False)
    return Correction(skew, skew, skewed=True)


def is_absurd(skew: timedelta) -> bool:
    """Say whether a clock is so far off that nothing it says can be used."""
    return abs(skew) > LARGEST_SKEW


@dataclass
class Pace:
    """How many beacons of one person have come in the present minute and day of the server's clock."""

    minute: int = 0
    in_minute: int = 0
    day: int = 0
    in_day: int = 0

    def take(self, *, minute: int, day: int) -> Suspicion | None:
        """Count one more beacon, and say whether it is beyond what a person causes.

        A clock that steps back a little counts into the later minute and day, so that nobody gets an allowance
        twice; one that had run ahead by more is not held against the reader.
        """
        if not 0 <= self.minute - minute <= TOLERATED_STEP_MINUTES:
            self.minute, self.in_minute = minute, 0
        if not 0 <= self.day - day <= 1:
            self.day, self.in_day = day, 0
        self.in_minute += 1
        self.in_day += 1
        return self.verdict()

    def take_together(self, count: int, *, minute: int, day: int) -> bool:
        """Count that many at once when none of them is beyond measure; else count nothing and say so."""
        minutes = self.in_minute if 0 <= self.minute - minute <= TOLERATED_STEP_MINUTES else 0
        days = self.in_day if 0 <= self.day - day <= 1 else 0
        if minutes + count > FLOOD_IN_A_MINUTE or days + count > FLOOD_IN_A_DAY:
            return False
        self.take(minute=minute, day=day)
        self.in_minute += count - 1
        self.in_day += count - 1
        return True

    def verdict(self) -> Suspicion | None:
        """Say what is to be thought of the latest one."""
        if self.in_minute > FLOOD_IN_A_MINUTE:
            return Suspicion.FLOOD_MINUTE
        if self.in_day > FLOOD_IN_A_DAY:
            return Suspicion.FLOOD_DAY
        return None
