"""What the rooms above hear of quizzes. Handlers run in the same transaction; practice is never announced."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from edu_platform.core.signals import Signal
from edu_platform.core.vocabulary import Channel


@dataclass(frozen=True)
class AttemptNews:
    """An attempt of a learner at a quiz.

    `campaign_code` and `channel_code` are what the client gave at the start, unexamined, unless a handler of
    `attempt_started` has settled the campaign (`operations.settle_campaign`). `at` is when it happened (for an attempt whose time ran out, the deadline). `passed` is None until it is submitted.
    """

    attempt_id: int
    learner_id: int
    piece_id: int
    slug: str
    channel: Channel
    campaign_code: str | None
    channel_code: str | None
    started_at: datetime
    at: datetime
    passed: bool | None


attempt_started: Signal[AttemptNews] = Signal("a learner began an attempt")
attempt_submitted: Signal[AttemptNews] = Signal(
    "an attempt was submitted, by the learner or by the clock; once each"
)
attempt_passed: Signal[AttemptNews] = Signal(
    "a submitted attempt reached the pass mark; after attempt_submitted, and not before the learner may know it:"
    " where results wait for the closing, so does this"
)
