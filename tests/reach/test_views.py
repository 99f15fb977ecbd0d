"""What was viewed stands in the learner's history."""

from datetime import timedelta

import pytest

from edu_platform.core.clock import frozen, now, timestamp
from edu_platform.reach.tasks import fold_all, put_views_into_histories
from tests.campaigns.publishing import draft
from tests.cast import sign_in_learner, visitor

pytestmark = pytest.mark.database


def send(client, headers, *beacons):
    at = timestamp(now())
    body = {"sent_at": at, "beacons": [{"occurred_at": at, **beacon} for beacon in beacons]}
    answer = client.post("/api/v1/beacons", json=body, headers=headers)
    assert answer.status_code == 200, answer.json
    assert answer.json["refused"] == []
    return answer.json


def settle(app):
    with app.app_context():
        fold_all()
        put_views_into_histories()


def history(client, headers):
    return [item["piece"]["slug"] for item in client.get("/api/v1/history", headers=headers).json["items"]]


def test_the_last_piece_viewed_comes_first_and_each_once(app, client):
    with frozen(now() - timedelta(hours=2)):
        for slug in ("one", "two"):
            draft(app, slug)
    _, me = sign_in_learner(app)
    _, other = visitor(app)
    earlier = timestamp(now() - timedelta(hours=1))
    send(
        client, me,
        {"id": "a", "action": "view", "piece": "two", "occurred_at": earlier},
        {"id": "b", "action": "view", "piece": "one"},
        {"id": "c", "action": "share", "piece": "two"},
    )  # fmt: skip
    settle(app)
    settle(app)
    assert history(client, me) == ["one", "two"]
    assert history(client, other) == []
    send(client, me, {"id": "a", "action": "view", "piece": "two", "occurred_at": earlier})
    settle(app)
    assert history(client, me) == ["one", "two"], "a repeated beacon is no second visit"


def test_an_erased_learner_gets_no_history(app, client):
    draft(app, "one")
    _, me = sign_in_learner(app)
    send(client, me, {"id": "a", "action": "view", "piece": "one"})
    assert client.delete("/api/v1/me", headers=me).status_code == 204
    settle(app)
    from sqlalchemy import func, select

    from edu_platform.core.db import reading
    from edu_platform.shelf.models import Visit

    with app.app_context():
        assert reading().scalar(select(func.count()).select_from(Visit)) == 0
