"""A small year replayed: every figure equals a count that shares no code; and a count that were off would show."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from bench.year import Replay, Size, Truth
from edu_platform.core.clock import frozen
from tests.campaigns.publishing import draft

SMALL = Size(learners=200, over_http_learners=5, beacons=2_000, over_http=100, becoming=0.01, fold_every=90)


@pytest.mark.control("one person or one beacon less in the truth")
def test_every_figure_of_a_year_is_what_happened(app, tmp_path):
    with frozen(lambda: datetime(2026, 12, 1, tzinfo=UTC)):
        pieces = ["first-piece", "second-piece", "third-piece"]
        for slug in pieces:
            draft(app, slug)
    truth = Truth(tmp_path / "truth.sqlite3")
    replay = Replay(app, SMALL, pieces, truth)
    told = replay.run()
    assert told.accepted > 1_500
    assert told.duplicate > 50
    assert told.refused > 5
    assert told.became > 10
    assert replay.differences() == []
    # the control: one person less in the truth, or one beacon, and it is seen
    truth.database.execute(
        "DELETE FROM person WHERE learner = (SELECT min(learner) FROM person JOIN beacon USING (learner))"
    )
    assert replay.differences() != []
