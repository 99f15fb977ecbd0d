"""Published pieces, a running campaign, and somebody who sends beacons."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from flask import Flask

from edu_platform.core.clock import frozen, local_day
from edu_platform.core.db import reading
from edu_platform.core.vocabulary import Audience, Channel
from edu_platform.reach.operations.report import Asked, Figures, figures
from edu_platform.reach.rules.choices import By
from tests.campaigns import publishing

NOON = datetime(2026, 3, 15, 4, tzinfo=UTC)
"""Noon in Shanghai, 15 March 2026."""


@dataclass
class Clock:
    """A clock that a test moves."""

    at: datetime = NOON

    def __call__(self) -> datetime:
        return self.at

    def later(self, **by: float) -> None:
        self.at += timedelta(**by)


@pytest.fixture
def clock() -> Iterator[Clock]:
    moved = Clock()
    with frozen(moved):
        yield moved


@dataclass
class House:
    """What there is to be counted: two pieces, a campaign that carries one of them, a channel code."""

    app: Flask
    clock: Clock
    pieces: dict[str, int] = field(default_factory=dict)
    campaign_id: int = 0

    def figures(self, by: By = By.DAY, campaign_id: int | None = None, **more: Any) -> Figures:
        today = local_day(self.clock())
        with self.app.app_context():
            asked = Asked(today - timedelta(days=30), today + timedelta(days=30), campaign_id, by, **more)
            return figures(reading(), asked)


@pytest.fixture
def house(app: Flask, clock: Clock) -> House:
    built = House(app, clock)
    clock.later(days=-20)
    for slug in ("hang-up-first", "plain-words"):
        built.pieces[slug] = publishing.draft(app, slug, Audience.YOUTH)
    publishing.draft(app, "not-yet", publish=False)
    clock.later(days=20)
    built.campaign_id = publishing.campaign(
        app,
        "rights-week",
        date(2026, 3, 10),
        date(2026, 3, 20),
        pieces=["hang-up-first"],
        codes={"HALL22": Channel.HALL_SCREEN},
    )
    publishing.campaign(app, "later", date(2026, 5, 1), date(2026, 5, 9), codes={"LATER1": Channel.OFFLINE})
    publishing.campaign(app, "secret", date(2026, 3, 1), date(2026, 3, 31), opened=False)
    return built


@pytest.fixture
def send(app: Flask, clock: Clock) -> Callable[..., Any]:
    """Send beacons (each a dict; `at` defaults to now) and return the response."""

    def post(headers: dict[str, str], *beacons: Any, sent_at: datetime | None = None, **changes: Any) -> Any:
        filled = [
            {"action": "view", "occurred_at": clock().isoformat(), **one} if isinstance(one, dict) else one
            for one in beacons
        ]
        body = {"sent_at": (sent_at or clock()).isoformat(), "beacons": filled, **changes}
        return app.test_client().post(
            "/api/v1/beacons",
            data=json.dumps(body),  # escapes what UTF-8 cannot hold
            content_type="application/json",
            headers=headers,
        )

    return post
