"""Staff run campaigns over HTTP."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from sqlalchemy import select

from edu_platform.audit.models import AuditEntry
from edu_platform.campaigns.operations.attribution import snapshot
from edu_platform.campaigns.rules import SCENE, attribute
from edu_platform.core.clock import frozen
from edu_platform.core.db import reading
from edu_platform.core.vocabulary import Role
from edu_platform.library.models import Placement
from tests.campaigns import publishing
from tests.cast import staff_member, visitor

NOON = datetime(2026, 3, 12, 4, tzinfo=UTC)
PLAN = {
    "name": "3·15 消费者权益保护教育宣传周",
    "theme": "清朗金融网络 守护安心消费",
    "series": "consumer_rights_week",
    "starts_on": "2026-03-10",
    "ends_on": "2026-03-16",
}


@pytest.fixture(autouse=True)
def noon():
    with frozen(NOON):
        yield


class Manager:
    def __init__(self, app):
        self.app = app
        self.headers = staff_member(app, Role.CAMPAIGN_MANAGER)[1]

    def __call__(self, method: str, path: str = "", **body):
        address = f"/api/v1/staff/campaigns{path}"
        return self.app.test_client().open(
            address, method=method, json=body if method != "GET" else None, headers=self.headers
        )


@pytest.fixture
def manager(app):
    return Manager(app)


def errors(answer) -> list[tuple[str, str]]:
    return [(error["field"], error["code"]) for error in answer.json["errors"]]


def test_a_campaign_from_draft_to_close(app, manager):
    piece_id = publishing.draft(app, "hang-up-first")
    made = manager("POST", code="rights-week", pieces=["hang-up-first"], **PLAN)
    assert made.status_code == 201, made.json
    assert (made.json["state"], made.json["branch"]) == ("draft", "示例市分公司")
    assert app.test_client().get("/api/v1/campaigns/rights-week").status_code == 404
    with app.app_context():
        assert reading().scalars(select(Placement)).all() == []
    opened = manager("POST", "/rights-week/open")
    assert opened.json["state"] == "open"
    with app.app_context():
        found = attribute(snapshot(reading()), at=NOON, piece_id=piece_id)
        assert found.campaign_code == "rights-week"
    assert manager("POST", "/rights-week/open").status_code == 409
    closed = manager("POST", "/rights-week/close")
    assert closed.json["closed_at"] == "2026-03-12T12:00:00.000+08:00"
    with app.app_context():
        present = snapshot(reading())
        assert attribute(present, at=NOON, campaign_code="rights-week").campaign is None
        before = datetime(2026, 3, 11, tzinfo=UTC)
        assert attribute(present, at=before, piece_id=piece_id).campaign_code == "rights-week"
        actions = [
            entry.action for entry in reading().scalars(select(AuditEntry)) if "campaign" in entry.action
        ]
        assert actions == ["campaign.create", "campaign.open", "campaign.close"]
    assert manager("PUT", "/rights-week", **PLAN).status_code == 409


def test_changing_the_window_moves_what_counts(app, manager):
    publishing.draft(app, "hang-up-first")
    publishing.campaign(
        app,
        "rights-week",
        datetime(2026, 3, 10).date(),
        datetime(2026, 3, 16).date(),
        pieces=["hang-up-first"],
    )
    changed = manager("PUT", "/rights-week", **{**PLAN, "starts_on": "2026-03-13"})
    assert changed.status_code == 200, changed.json
    with app.app_context():
        assert attribute(snapshot(reading()), at=NOON, campaign_code="rights-week").campaign is None
        [placement] = reading().scalars(select(Placement)).all()
        assert placement.starts_at == datetime(2026, 3, 12, 16, tzinfo=UTC)


def test_what_is_wrong_is_named(app, manager):
    manager("POST", code="taken", **PLAN)
    for changes, expected in [
        ({"code": "taken"}, [("code", "taken")]),
        ({"ends_on": "2026-03-09"}, [("ends_on", "out_of_order")]),
        ({"ends_on": "2027-03-11"}, [("ends_on", "too_long")]),
        ({"starts_on": "0001-01-01"}, [("starts_on", "invalid")]),
        ({"series": "party"}, [("series", "invalid")]),
        ({"audiences": []}, [("audiences", "invalid")]),
        ({"name": "a\u202eb"}, [("name", "invalid")]),
        ({"code": "Not A Slug"}, [("code", "invalid")]),
        (
            {"pieces": ["no-such", "no-such"]},
            [("pieces[0]", "unknown_piece"), ("pieces[1]", "unknown_piece")],
        ),
        ({"prize": 1}, [("prize", "invalid")]),
    ]:
        answer = manager("POST", **{"code": "new-one", **PLAN, **changes})
        assert answer.status_code == 422, changes
        assert errors(answer) == expected
    assert manager("GET", "/new-one").status_code == 404


def test_channel_codes(app, manager):
    publishing.draft(app, "hang-up-first")
    manager("POST", code="rights-week", **PLAN, channels=["hall_screen", "offline"])
    drawn = manager("POST", "/rights-week/channel-codes", channel="hall_screen", note="一楼大厅")
    assert drawn.status_code == 201, drawn.json
    assert SCENE.fullmatch(drawn.json["scene"])
    assert drawn.json["scene"] == f"c:{drawn.json['code']}"
    named = manager(
        "POST", "/rights-week/channel-codes", channel="offline", code="MALL15", landing_piece="hang-up-first"
    )
    assert named.status_code == 201
    listed = manager("GET", "/rights-week/channel-codes").json["items"]
    assert [entry["code"] for entry in listed] == [drawn.json["code"], "MALL15"]
    for body, expected in [
        ({"channel": "offline", "code": "MALL15"}, [("code", "taken")]),
        ({"channel": "app"}, [("channel", "channel_not_in_campaign")]),
        ({"channel": "offline", "code": "a b c"}, [("code", "invalid")]),
        ({"channel": "offline", "landing_piece": "no-such"}, [("landing_piece", "unknown_piece")]),
    ]:
        answer = manager("POST", "/rights-week/channel-codes", **body)
        assert (answer.status_code, errors(answer)) == (422, expected)


def test_pieces_are_replaced_in_order(app, manager):
    for slug in ("one", "two", "three"):
        publishing.draft(app, slug)
    manager("POST", code="rights-week", pieces=["one"], **PLAN)
    manager("POST", "/rights-week/open")
    answer = manager("PUT", "/rights-week/pieces", pieces=["three", "two"])
    assert answer.json["pieces"] == ["three", "two"]
    page = app.test_client().get("/api/v1/campaigns/rights-week").json
    assert [card["slug"] for card in page["pieces"]] == ["three", "two"]
    assert errors(manager("PUT", "/rights-week/pieces", pieces=["two", "two"])) == [("pieces[1]", "repeated")]


def test_the_list_is_paged(app, manager):
    for number in range(5):
        manager("POST", code=f"c{number}", **{**PLAN, "starts_on": f"2026-03-0{number // 2 + 1}"})
    seen, cursor = [], None
    while True:
        query = f"?limit=2{f'&cursor={cursor}' if cursor else ''}"
        page = manager("GET", query).json
        seen += [item["code"] for item in page["items"]]
        cursor = page["next_cursor"]
        if cursor is None:
            break
    assert seen == ["c4", "c3", "c2", "c1", "c0"]
    assert manager("GET", "?cursor=nonsense").status_code == 422


def test_only_campaign_managers_run_campaigns(app, manager):
    manager("POST", code="rights-week", **PLAN)
    for role in Role:
        headers = staff_member(app, role)[1]
        client = app.test_client()
        may_write, may_read = (
            role is Role.CAMPAIGN_MANAGER,
            role
            in {
                Role.CAMPAIGN_MANAGER,
                Role.ANALYST,
                Role.ADMIN,
            },
        )
        assert (client.get("/api/v1/staff/campaigns", headers=headers).status_code == 200) is may_read
        answer = client.put("/api/v1/staff/campaigns/rights-week", json=PLAN, headers=headers)
        assert (answer.status_code == 200) is may_write
    assert app.test_client().get("/api/v1/staff/campaigns", headers=visitor(app)[1]).status_code == 403


def test_a_repeated_request_makes_one_campaign(app, manager):
    manager.headers = {**manager.headers, "Idempotency-Key": "once"}
    first = manager("POST", code="rights-week", **PLAN)
    again = manager("POST", code="rights-week", **PLAN)
    assert (first.status_code, again.status_code, again.json) == (201, 201, first.json)
