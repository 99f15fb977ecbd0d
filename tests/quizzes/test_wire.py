"""What is sent of attempts is what the documented shapes say, byte for byte."""

from __future__ import annotations

import pytest

from edu_platform.core.clock import now
from edu_platform.core.db import reading
from edu_platform.quizzes import operations
from edu_platform.quizzes.schemas import AttemptView, on_wire
from tests.cast import sign_in_learner
from tests.quizzes.conftest import Taker


@pytest.mark.parametrize("reveal", ["after_each", "after_submit", "never"])
@pytest.mark.parametrize("right", [0, 3, 5])
def test_an_attempt_is_sent_as_its_shape_dumps_it(desk, app, reveal, right):
    desk.publish(reveal=reveal, time_limit_seconds=90)
    taker = Taker(app, sign_in_learner(app))
    attempt = taker.start()
    for submitted in (False, True):
        if submitted:
            taker.answer(attempt, right)
            taker.submit(attempt)
        with app.app_context():
            own = operations.own_attempt(reading(), taker.id, int(attempt["id"]))
            shown = operations.shown_attempt(reading(), own, at=now())
            assert (
                on_wire(shown)
                == app.json.dumps(AttemptView().dump(shown), separators=(",", ":")).encode() + b"\n"
            )
        assert taker.get(f"/attempts/{attempt['id']}").data == on_wire(shown)
