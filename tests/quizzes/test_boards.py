from __future__ import annotations

from datetime import date

from edu_platform.core.clock import now
from edu_platform.core.db import reading, writing
from edu_platform.people import operations as people
from edu_platform.people.models import Learner, Purpose
from edu_platform.people.rules import PURPOSES, pseudonym
from edu_platform.quizzes import operations, queries
from tests.campaigns.publishing import campaign
from tests.cast import elder, sign_in_learner, visitor
from tests.quizzes.conftest import Taker

AGREED = [(Purpose.LEADERBOARD, PURPOSES[Purpose.LEADERBOARD].version)]


def agreeing(app):
    return Taker(app, sign_in_learner(app, consents=AGREED))


def board(taker, query="", slug="quiz"):
    response = taker.get(f"/quizzes/{slug}/leaderboard{query}")
    assert response.status_code == 200, response.json
    return response.json


def test_the_higher_score_then_the_earlier_submission_whatever_the_duration(desk, app, time):
    desk.publish(time_limit_seconds=600)
    slow, quick, best, old = agreeing(app), agreeing(app), agreeing(app), Taker(app, elder(app))
    with app.app_context(), writing() as session:
        people.grant(session, session.get_one(Learner, old.id), *AGREED[0])
    attempt = old.start()  # no time limit: takes longest of all, submits first
    time.pass_(minutes=20)
    slow_attempt = slow.start()
    old.answer(attempt, right=4)
    old.submit(attempt)
    time.pass_(minutes=5)
    slow.answer(slow_attempt, right=4)
    slow.submit(slow_attempt)
    time.pass_(minutes=1)
    quick.sit(4)
    best.sit(5)
    shown = board(quick)
    assert [p["name"] for p in shown["items"]] == [pseudonym(t.id) for t in (best, old, slow, quick)]
    assert [p["rank"] for p in shown["items"]] == [1, 2, 3, 4]
    assert [p["me"] for p in shown["items"]] == [False, False, False, True]
    assert (shown["me"]["rank"], shown["total"]) == (4, 4)
    assert "先交卷者在前" in shown["rule"]
    assert "不比用时" in shown["rule"]


def test_an_equal_later_attempt_does_not_lose_the_place(desk, app, time):
    desk.publish()
    first, second = agreeing(app), agreeing(app)
    first.sit(3)
    time.pass_(seconds=1)
    second.sit(3)
    time.pass_(seconds=1)
    first.sit(3)
    assert board(first)["me"]["rank"] == 1


def test_ties_to_the_moment_still_have_one_order(desk, app):
    desk.publish()
    takers = [agreeing(app) for _ in range(5)]
    for taker in takers:
        taker.sit(2)  # the clock stands still
    names = [p["name"] for p in board(takers[0])["items"]]
    assert names == [pseudonym(t.id) for t in takers]
    assert [board(t)["me"]["rank"] for t in takers] == [1, 2, 3, 4, 5]


def test_a_board_is_paged_with_ranks_going_on(desk, app):
    desk.publish()
    takers = [agreeing(app) for _ in range(5)]
    for n, taker in enumerate(takers):
        taker.sit(5 - n)
    found, query = [], "?limit=2"
    while query:
        page = board(takers[4], query)
        found += [(p["rank"], p["score"]) for p in page["items"]]
        assert page["me"]["rank"] == 5
        query = page["next_cursor"] and f"?limit=2&cursor={page['next_cursor']}"
    assert found == [(1, 50), (2, 40), (3, 30), (4, 20), (5, 10)]
    assert takers[0].get("/quizzes/quiz/leaderboard?cursor=nonsense").status_code == 422


def test_only_signed_in_learners_who_agree_are_shown(desk, app):
    desk.publish()
    guest, silent, seen = Taker(app, visitor(app)), Taker(app, sign_in_learner(app)), agreeing(app)
    for taker in (guest, silent, seen):
        taker.sit(5)
    assert [p["name"] for p in board(guest)["items"]] == [pseudonym(seen.id)]
    assert "访客" in board(guest)["why_not_me"]
    assert "同意" in board(silent)["why_not_me"]
    assert board(seen)["why_not_me"] is None
    with app.app_context(), writing() as session:
        people.withdraw(session, session.get_one(Learner, seen.id), Purpose.LEADERBOARD)
    assert board(guest)["items"] == []
    fresh = agreeing(app)
    assert "还没有完成" in board(fresh)["why_not_me"]


def test_the_quizs_own_rule_says_which_attempt_ranks(desk, app, time):
    desk.publish(counts="last")
    one, two = agreeing(app), agreeing(app)
    one.sit(5)
    two.sit(3)
    time.pass_(seconds=1)
    one.sit(1)
    assert [(p["name"], p["score"]) for p in board(one)["items"]] == [
        (pseudonym(two.id), 30),
        (pseudonym(one.id), 10),
    ]


def test_what_counts_for_a_campaign(desk, app, time):
    desk.publish("one")
    desk.publish("two", counts="last")
    desk.publish("contest", reveal="after_close", closes_at="2026-03-20T00:00:00+08:00")
    campaign(app, "week", date(2026, 3, 9), date(2026, 3, 22))
    a, b, guest = agreeing(app), agreeing(app), Taker(app, visitor(app))
    a.sit(2, "one", campaign_code="week")
    a.sit(4, "one", campaign_code="week")
    a.sit(5, "one")  # outside of the campaign
    a.sit(5, "two", campaign_code="week")
    a.sit(1, "two", campaign_code="week")
    a.sit(5, "contest", campaign_code="week")
    time.pass_(hours=1)
    b.sit(3, "one", campaign_code="week")
    guest.sit(5, "one", campaign_code="week")
    with app.app_context():
        rows = {row.learner_id: row for row in reading().execute(queries.best(now(), campaign_code="week"))}
        assert set(rows) == {a.id, b.id}
        assert (rows[a.id].share, rows[a.id].score, rows[a.id].max_score, rows[a.id].quizzes) == (
            10_000,
            50,
            100,
            2,
        )
        assert (rows[b.id].share, rows[b.id].quizzes) == (6_000, 1)
        assert rows[b.id].submitted_at == time.now
        time.pass_(days=10)
        later = {row.learner_id: row for row in reading().execute(queries.best(now(), campaign_code="week"))}
        assert later[a.id].quizzes == 3
        since = {
            row.learner_id for row in reading().execute(queries.best(now(), since=rows[b.id].submitted_at))
        }
        assert since == {b.id}


def test_the_room_that_knows_campaigns_may_settle_which_it_was(desk, app):
    from edu_platform.quizzes import signals

    desk.publish()
    heard = []

    def settle(session, news):
        operations.settle_campaign(session, news.attempt_id, "settled")

    def hear(session, news):
        heard.append(news.campaign_code)

    signals.attempt_started.connect(settle)
    signals.attempt_submitted.connect(hear)
    try:
        Taker(app, sign_in_learner(app)).sit(1, campaign_code="claimed")
    finally:
        signals.attempt_started._handlers.remove(settle)
        signals.attempt_submitted._handlers.remove(hear)
    assert heard == ["settled"]
