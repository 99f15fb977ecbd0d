"""Reports over HTTP and on the command line."""

from __future__ import annotations

import io
from datetime import datetime

import pytest
from rich.console import Console

from edu_platform.cli.report import find, show
from edu_platform.core.clock import ZONE
from edu_platform.core.db import db, reading
from edu_platform.core.vocabulary import Channel, DeclaredAudience, Role
from edu_platform.library.models import Popularity
from edu_platform.reach.tasks import fold_all
from tests.cast import elder, sign_in_learner, staff_member, visitor


@pytest.fixture
def analyst(app, clock):
    return staff_member(app, Role.ANALYST)[1]


@pytest.fixture
def busy(app, house, send, clock):
    """Two days of the campaign: two signed-in learners and a visitor, on two pieces and two channels."""
    clock.at = datetime(2026, 3, 11, 9, tzinfo=ZONE)
    _, old = elder(app)
    _, young = sign_in_learner(app, audience=DeclaredAudience.YOUTH)
    _, someone = visitor(app, Channel.WEBSITE)
    send(
        old,
        {"id": "1", "piece": "hang-up-first"},
        {"id": "2", "piece": "hang-up-first", "action": "read_finish"},
    )
    send(young, {"id": "1", "piece": "hang-up-first", "channel": "app"}, {"id": "2", "piece": "plain-words"})
    clock.at = datetime(2026, 3, 12, 9, tzinfo=ZONE)
    send(
        old, {"id": "3", "piece": "hang-up-first"}, {"id": "4", "campaign": "rights-week", "action": "share"}
    )
    send(someone, {"id": "1", "piece": "hang-up-first"})
    return house


def get(app, headers, address: str, **query: str):
    return app.test_client().get(f"/api/v1/staff/{address}", query_string=query, headers=headers)


def numbers(row) -> tuple[int, int, int, int]:
    return tuple(row[name] for name in ("person_times", "persons", "participations", "participants"))


EXPECTED = {
    "day": [("2026-03-11", 2, 2, 1, 1), ("2026-03-12", 2, 2, 1, 1)],
    "audience": [("elderly", 2, 1, 2, 1), ("unknown", 1, 1, 0, 0), ("youth", 1, 1, 0, 0)],
    "channel": [("mini_program", 2, 1, 2, 1), ("app", 1, 1, 0, 0), ("website", 1, 1, 0, 0)],
    "piece": [("hang-up-first", 4, 3, 1, 1), ("none", 0, 0, 1, 1)],
    "action": [("view", 4, 3, 0, 0), ("read_finish", 0, 0, 1, 1), ("share", 0, 0, 1, 1)],
}


@pytest.mark.parametrize("folded", [False, True])
def test_a_campaigns_report_by_every_dimension(app, busy, analyst, folded):
    if folded:
        with app.app_context():
            assert fold_all(most=3) == 7
    for by, expected in EXPECTED.items():
        answer = get(app, analyst, "campaigns/rights-week/report", by=by)
        assert answer.status_code == 200, answer.json
        report = answer.json
        assert numbers(report["totals"]) == (4, 3, 2, 1)
        assert [(row["key"], *numbers(row)) for row in report["rows"]] == expected
        assert all(row["label"] for row in report["rows"])
        assert sum(row["person_times"] for row in report["rows"]) == report["totals"]["person_times"]
        assert (report["from"], report["to"]) == ("2026-03-10", "2026-03-20")
        assert report["source"] == "tallies"
        assert report["cut_off"] == "2026-03-12T09:00:00.000+08:00"
        assert "触及人次" in report["definitions"]["person_times"]


def test_everything_is_the_campaigns_and_everyday_education(app, busy, analyst):
    whole = get(app, analyst, "report").json
    everyday = get(app, analyst, "report", campaign="everyday").json
    assert numbers(whole["totals"]) == (5, 3, 2, 1)
    assert numbers(everyday["totals"]) == (1, 1, 0, 0)
    assert (whole["from"], whole["to"]) == ("2026-01-01", "2026-03-12")


def test_a_window_within_the_campaign(app, busy, analyst):
    report = get(
        app, analyst, "campaigns/rights-week/report", **{"from": "2026-03-12", "to": "2026-03-12"}
    ).json
    assert numbers(report["totals"]) == (2, 2, 1, 1)


def test_several_dimensions_at_once_come_from_the_log_and_say_so(app, busy, analyst):
    with app.app_context():
        fold_all()
    report = get(
        app, analyst, "campaigns/rights-week/report", by="day", audience="elderly", piece="hang-up-first"
    ).json
    assert report["source"] == "log"
    assert report["filters"] == {"audience": "elderly", "piece": "hang-up-first"}
    assert [(row["key"], *numbers(row)) for row in report["rows"]] == [
        ("2026-03-11", 1, 1, 1, 1),
        ("2026-03-12", 1, 1, 0, 0),
    ]
    single = get(app, analyst, "campaigns/rights-week/report", by="day", audience="elderly").json
    assert (single["source"], numbers(single["totals"])) == ("tallies", (2, 1, 2, 1))


def test_scopes_are_apart(app, busy, analyst):
    found = {
        scope: numbers(get(app, analyst, "campaigns/rights-week/report", scope=scope).json["totals"])
        for scope in ("all", "identified", "anonymous")
    }
    assert found == {"all": (4, 3, 2, 1), "identified": (3, 2, 2, 1), "anonymous": (1, 1, 0, 0)}


def test_a_report_is_for_those_who_account_for_it(app, house):
    for role in Role:
        wanted = 200 if role in {Role.ANALYST, Role.CAMPAIGN_MANAGER, Role.ADMIN} else 403
        headers = staff_member(app, role)[1]
        assert get(app, headers, "report").status_code == wanted
        assert get(app, headers, "campaigns/rights-week/report").status_code == wanted
    assert get(app, visitor(app)[1], "report").status_code == 403
    assert get(app, {}, "report").status_code == 401


def test_questions_without_sense_are_named(app, house, analyst):
    for query, field in [
        ({"from": "2026-03-12", "to": "2026-03-11"}, "to"),
        ({"from": "1026-03-12"}, "from"),
        ({"from": "yesterday"}, "from"),
        ({"from": "2001-01-01", "to": "2099-01-01"}, "to"),
        ({"by": "weather"}, "by"),
        ({"piece": "no-such"}, "piece"),
        ({"audience": "cats"}, "audience"),
        ({"colour": "red"}, "colour"),
    ]:
        answer = get(app, analyst, "campaigns/rights-week/report", **query)
        assert answer.status_code == 422, query
        assert [error["field"] for error in answer.json["errors"]] == [field]
    assert get(app, analyst, "campaigns/no-such/report").status_code == 404


def test_the_command_prints_the_same_table(app, busy):
    with app.app_context():
        report = find("rights-week", by="audience", scope="all", suspects="exclude", first=None, last=None)
        db.session.remove()
    out = io.StringIO()
    show(report, Console(file=out, width=100))
    text = out.getvalue()
    for words in (
        "活动rights-week",
        "2026-03-10 至 2026-03-20",
        "触及人次",
        "参与人数",
        "老年人",
        "未声明",
        "合计",
    ):
        assert words in text
    [elderly] = [line for line in text.splitlines() if "老年人" in line and "│" in line]
    assert [cell.strip() for cell in elderly.strip("│ ").split("│")] == ["老年人", "2", "1", "2", "1"]


def test_what_was_viewed_makes_pieces_popular_once(app, busy):
    with app.app_context():
        fold_all()
        fold_all()
        reads = {row.piece_id: row.reads for row in reading().query(Popularity)}
    assert reads[busy.pieces["hang-up-first"]] == 4
    assert reads[busy.pieces["plain-words"]] == 1
