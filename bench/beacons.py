"""A year of beacons made up: 29 campaigns, 370,000 people, 1,000 pieces, most of what happens around a few of them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date

import numpy as np

FIRST = date(2025, 1, 1)
DAYS = 365
CAMPAIGNS = 29
PIECES = 1_000
PEOPLE = 370_000
_FIRST_NUMBER = (FIRST - date(1970, 1, 1)).days
_SHANGHAI_MS = 8 * 3_600_000
_ACTIONS = np.array([0, 1, 2, 3, 7, 9, 11, 12, 13, 14])  # as the log numbers them: expose, view … favourite
_SHARES = np.array([0.25, 0.35, 0.12, 0.06, 0.04, 0.03, 0.06, 0.05, 0.03, 0.01])
INSERT = (
    "INSERT INTO beacon (number, beacon_id, occurred_at, received_at, day, campaign_id, rule, audience, channel,"
    " piece_id, action, scope, dwell_ms, skew_ms, skewed, suspicion)"
    " VALUES (?, ?, ?, ?, ?, ?, 2, ?, ?, ?, ?, ?, 3000, 0, 0, ?)"
)


@dataclass(frozen=True)
class Window:
    """When a campaign runs, by day of the year."""

    campaign_id: int
    first: int
    last: int


def campaigns() -> list[Window]:
    """Twenty-nine campaigns of one to four weeks, two or three of them at any time."""
    return [
        Window(number + 1, start := number * (DAYS - 28) // CAMPAIGNS, start + 7 + 7 * (number % 4))
        for number in range(CAMPAIGNS)
    ]


def rows(count: int, *, seed: int = 1, at_once: int = 100_000) -> Iterator[list[tuple[object, ...]]]:
    """Yield `count` rows of the log in the order in which they would have come."""
    random = np.random.default_rng(seed)
    windows = campaigns()
    open_on = [[w.campaign_id for w in windows if w.first <= day <= w.last] or [0] for day in range(DAYS)]
    weights = 1 / np.arange(1, PIECES + 1)
    audience_of = random.integers(0, 4, PEOPLE + 1)
    visitor = random.random(PEOPLE + 1) < 0.3
    made = 0
    while made < count:
        size = min(at_once, count - made)
        # spread evenly over the year, in order
        moments = np.sort(
            random.integers(made * DAYS * 86_400 // count, (made + size) * DAYS * 86_400 // count, size)
        )
        day = moments // 86_400
        who = random.integers(1, PEOPLE + 1, size)
        everyday = random.random(size) < 0.4
        pick = random.integers(0, 1 << 30, size)
        campaign = [
            0 if plain else open_on[d][p % len(open_on[d])]
            for plain, d, p in zip(everyday.tolist(), day.tolist(), pick.tolist(), strict=True)
        ]
        piece = random.choice(PIECES, size, p=weights / weights.sum()) + 1
        action = random.choice(_ACTIONS, size, p=_SHARES)
        channel = random.choice(6, size, p=[0.7, 0.06, 0.1, 0.08, 0.03, 0.03])
        suspect = np.where(random.random(size) < 0.002, 1, 0)
        stamp = _FIRST_NUMBER * 86_400_000 - _SHANGHAI_MS + moments * 1000
        yield list(
            zip(
                who.tolist(),
                (f"{made + n:036x}" for n in range(size)),
                stamp.tolist(),
                stamp.tolist(),
                (day + _FIRST_NUMBER).tolist(),
                campaign,
                audience_of[who].tolist(),
                channel.tolist(),
                piece.tolist(),
                action.tolist(),
                visitor[who].astype(int).tolist(),
                [1 if s else None for s in suspect.tolist()],
                strict=True,
            )
        )
        made += size
