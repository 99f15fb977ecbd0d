from __future__ import annotations

from datetime import date

import pytest
from sqlalchemy import select

from edu_platform.core.db import reading
from edu_platform.quizzes import signals
from edu_platform.quizzes.models import Attempt
from edu_platform.quizzes.tasks import submit_overdue
from tests.campaigns.publishing import campaign
from tests.cast import elder, sign_in_learner, visitor
from tests.quizzes.conftest import QUESTIONS, Taker, answer_to, single


@pytest.fixture
def heard():
    found = []

    def hear(name):
        def handler(session, news):
            found.append((name, news))

        return handler

    handlers = [
        (getattr(signals, n), hear(n)) for n in ("attempt_started", "attempt_submitted", "attempt_passed")
    ]
    for signal, handler in handlers:
        signal.connect(handler)
    yield found
    for signal, handler in handlers:
        signal._handlers.remove(handler)


@pytest.fixture
def taker(app):
    return Taker(app, sign_in_learner(app))


def test_a_learner_passes_a_quiz(desk, app, time, taker, heard):
    desk.publish()
    campaign(app, "cr-2026", date(2026, 3, 9), date(2026, 3, 22))
    attempt = taker.start(campaign_code="cr-2026", channel_code="lobby")
    assert attempt["state"] == "in_progress"
    assert len(attempt["questions"]) == 5
    assert all(q["verdict"] is None and q["answer"] is None for q in attempt["questions"])
    time.pass_(seconds=40)
    taker.answer(attempt, right=4)
    result = taker.submit(attempt)
    assert (result["score"], result["max_score"], result["passed"]) == (40, 50, True)
    assert result["duration_ms"] == 40_000
    assert [q["verdict"]["correct"] for q in result["questions"]] == [True] * 4 + [False]
    assert [name for name, _ in heard] == ["attempt_started", "attempt_submitted", "attempt_passed"]
    news = heard[-1][1]
    assert (news.learner_id, news.campaign_code, news.channel_code) == (taker.id, "cr-2026", "lobby")
    assert (news.slug, news.passed, str(news.attempt_id)) == ("quiz", True, attempt["id"])


def test_a_visitor_takes_part_too(desk, app, heard):
    desk.publish()
    guest = Taker(app, visitor(app))
    assert guest.sit(1)["passed"] is False
    assert [name for name, _ in heard] == ["attempt_started", "attempt_submitted"]


def test_the_verdict_says_what_was_right_and_why(desk, taker):
    desk.publish()
    result = taker.sit(0)
    by_type = {q["type"]: q for q in result["questions"]}
    chosen = by_type["multiple"]
    ids = {o["id"]: o["text"][-1] for o in chosen["options"]}
    assert sorted(ids[i] for i in chosen["verdict"]["right_answer"]) == ["丙", "甲"]
    assert by_type["true_false"]["verdict"]["right_answer"] is True
    assert by_type["fill_in"]["verdict"]["right_answer"] == [["机密答案", "备选写法"]]
    one = by_type["single"]["verdict"]
    assert len(one["notes"]) == 3
    assert one["right_answer"] not in {n["id"] for n in one["notes"]}
    assert one["source"] == {"name": "机密解析法"}


def test_a_killed_app_resumes_where_it_was(desk, app, time, taker):
    desk.publish(time_limit_seconds=600)
    attempt = taker.start()
    taker.save(attempt, 2, answer_to(attempt["questions"][1], right=True))
    time.pass_(seconds=100)
    again = Taker(app, (taker.id, taker.headers)).get(f"/attempts/{attempt['id']}").json
    assert again["remaining_ms"] == 500_000
    assert again["questions"][1].pop("answer") == answer_to(attempt["questions"][1], right=True)
    assert again["questions"][1].pop("saved_at").startswith("2026-03-15T09:00:00")
    for shown in (attempt, again):
        for question in shown["questions"]:
            question.pop("answer", None)
            question.pop("saved_at", None)
    assert again["questions"] == attempt["questions"]


def test_two_attempts_show_questions_and_options_in_orders_of_their_own(desk, app):
    desk.publish(questions=[single(f"s-{n}") for n in range(8)])
    orders, names = set(), set()
    for _ in range(2):
        attempt = Taker(app, sign_in_learner(app)).start()
        orders.add(tuple(q["stem"] for q in attempt["questions"]))
        names |= {o["id"] for q in attempt["questions"] for o in q["options"]}
    assert len(orders) == 2
    assert len(names) == 2 * 8 * 4


def test_without_shuffling_the_order_is_the_papers(desk, taker):
    desk.publish(shuffle={"questions": False, "options": False})
    attempt = taker.start()
    assert [q["type"] for q in attempt["questions"]] == [q["type"] for q in QUESTIONS]
    assert [o["text"] for o in attempt["questions"][0]["options"]] == [
        o["text"] for o in QUESTIONS[0]["options"]
    ]


def test_a_drawn_paper_holds_to_its_parts(desk, app):
    desk.keep([single(f"e-{n}") for n in range(6)] + [single(f"h-{n}", difficulty="hard") for n in range(6)])
    draw = [
        {"bank": "bank", "difficulty": "easy", "count": 3},
        {"bank": "bank", "difficulty": "hard", "count": 2},
    ]
    desk.publish(questions=[], paper={"draw": draw})
    seen = set()
    for _ in range(6):
        stems = [q["stem"][6] for q in Taker(app, sign_in_learner(app)).start()["questions"]]
        assert sorted(stems) == ["e", "e", "e", "h", "h"]
        seen.add(tuple(stems))
    assert len(seen) > 1


def test_a_drawn_paper_is_pinned_to_what_was_published(desk, app):
    desk.publish(questions=[single("p-1")], paper={"draw": [{"bank": "bank", "count": 1}]})
    desk.keep([single("p-1", stem="改过的题干，问的是另一件事？"), single("p-2")])
    for _ in range(5):
        assert (
            Taker(app, sign_in_learner(app)).start()["questions"][0]["stem"] == "下面哪一个是p-1的正确做法？"
        )


def test_a_repeat_of_the_start_is_harmless(desk, taker, heard):
    desk.publish()
    first = taker.start(client_id="one")
    assert taker.start(client_id="one", status=200)["id"] == first["id"]
    assert taker.start(client_id="two", status=200)["id"] == first["id"]
    taker.submit(first)
    assert taker.start(client_id="one", status=200)["state"] == "submitted"
    assert taker.start(client_id="two")["id"] != first["id"]
    assert [name for name, _ in heard].count("attempt_started") == 2


def test_submitting_twice_gives_the_same_result_once(desk, time, taker, heard):
    desk.publish()
    attempt = taker.start()
    taker.answer(attempt, right=5)
    first = taker.submit(attempt)
    time.pass_(minutes=5)
    assert taker.submit(attempt) == first
    assert taker.get(f"/attempts/{attempt['id']}/result").json == first
    assert [name for name, _ in heard].count("attempt_submitted") == 1
    refused = taker.save(attempt, 1, None, status=409)
    assert refused["code"] == "already_submitted"


def test_there_is_no_result_before_submission(desk, taker):
    desk.publish()
    attempt = taker.start()
    response = taker.get(f"/attempts/{attempt['id']}/result")
    assert (response.status_code, response.json["code"]) == (409, "not_submitted")


def test_somebody_elses_attempt_does_not_exist(desk, app, taker):
    desk.publish()
    attempt = taker.start()
    taker.submit(attempt)
    stranger = Taker(app, sign_in_learner(app))
    nobody = stranger.get("/attempts/987654").json["code"]
    for response in (
        stranger.get(f"/attempts/{attempt['id']}"),
        stranger.get(f"/attempts/{attempt['id']}/result"),
        stranger.post(f"/attempts/{attempt['id']}/submit"),
        stranger.client.put(
            f"/api/v1/attempts/{attempt['id']}/answers/1", headers=stranger.headers, json={"answer": None}
        ),
    ):
        assert (response.status_code, response.json["code"]) == (404, nobody)
    assert stranger.get("/quizzes/quiz/attempts").json["items"] == []
    assert stranger.get("/attempts/99999999999999999999999").status_code == 404


def test_ones_own_attempts_are_listed_newest_first(desk, taker):
    desk.publish()
    ids = [taker.sit(n)["id"] for n in (1, 5, 3)]
    page = taker.get("/quizzes/quiz/attempts?limit=2").json
    assert [a["id"] for a in page["items"]] == ids[:0:-1]
    rest = taker.get(f"/quizzes/quiz/attempts?limit=2&cursor={page['next_cursor']}").json
    assert [(a["id"], a["score"]) for a in rest["items"]] == [(ids[0], 10)]
    assert rest["next_cursor"] is None
    assert "questions" not in page["items"][0]


# Time


def test_what_was_saved_in_time_counts_and_nothing_after(desk, time, taker, heard):
    desk.publish(time_limit_seconds=60, grace_seconds=5)
    attempt = taker.start()
    assert attempt["remaining_ms"] == 60_000
    question = attempt["questions"][0]
    time.pass_(seconds=65)  # the last moment of grace
    taker.save(attempt, 1, answer_to(question, right=True))
    assert taker.get(f"/attempts/{attempt['id']}").json["remaining_ms"] == 0
    time.pass_(milliseconds=1)
    refused = taker.save(attempt, 2, answer_to(attempt["questions"][1], right=True), status=409)
    assert refused["code"] == "time_over"
    result = taker.get(f"/attempts/{attempt['id']}/result").json
    assert (result["score"], result["timed_out"], result["duration_ms"]) == (10, True, 60_000)
    assert taker.submit(attempt) == result
    assert taker.save(attempt, 2, None, status=409)["code"] == "time_over"
    assert [name for name, _ in heard] == ["attempt_started", "attempt_submitted"]


def test_submitting_within_grace_counts(desk, time, taker):
    desk.publish(time_limit_seconds=60, grace_seconds=5)
    attempt = taker.start()
    taker.answer(attempt, right=5)
    time.pass_(seconds=64)
    assert taker.submit(attempt)["duration_ms"] == 64_000


@pytest.mark.parametrize("touch", ["job", "resume", "list", "start"])
def test_an_overdue_attempt_is_submitted_by_the_worker_or_at_the_next_touch(
    desk, app, time, taker, heard, touch
):
    desk.publish(time_limit_seconds=60)
    attempt = taker.start()
    taker.save(attempt, 1, answer_to(attempt["questions"][0], right=True))
    time.pass_(seconds=66)
    if touch == "job":
        with app.app_context():
            submit_overdue()
            submit_overdue()
            assert reading().scalar(select(Attempt.score)) == 10
    elif touch == "resume":
        assert taker.get(f"/attempts/{attempt['id']}").json["state"] == "submitted"
    elif touch == "list":
        assert taker.get("/quizzes/quiz/attempts").json["items"][0]["score"] == 10
    else:
        assert taker.start()["id"] != attempt["id"]
    assert [name for name, _ in heard].count("attempt_submitted") == 1
    assert (
        taker.get(f"/attempts/{attempt['id']}/result").json["submitted_at"].startswith("2026-03-15T09:01:00")
    )


def test_the_worker_leaves_running_attempts_alone(desk, app, time, taker):
    desk.publish(time_limit_seconds=60, grace_seconds=5)
    attempt = taker.start()
    time.pass_(seconds=65)
    with app.app_context():
        submit_overdue()
    assert taker.get(f"/attempts/{attempt['id']}").json["state"] == "in_progress"


def test_the_elder_variant_has_no_time_limit_and_is_fixed_at_the_start(desk, app, time):
    desk.publish(time_limit_seconds=60)
    old = Taker(app, elder(app))
    attempt = old.start()
    assert (attempt["elder"], attempt["deadline_at"], attempt["remaining_ms"]) == (True, None, None)
    assert old.start(elder=False, status=200)["elder"] is True
    time.pass_(hours=30)
    old.answer(attempt, right=5)
    assert old.submit(attempt)["score"] == 50
    assert old.start(elder=False)["deadline_at"] is not None
    young = Taker(app, sign_in_learner(app))
    assert young.start()["deadline_at"] is not None


def test_the_opening_window_holds_at_the_start_and_at_submission(desk, time, taker):
    desk.publish(opens_at="2026-03-15T10:00:00+08:00", closes_at="2026-03-15T11:00:00+08:00")
    assert taker.start(status=409)["code"] == "quiz_not_open_yet"
    time.pass_(hours=1, minutes=30)
    attempt = taker.start(elder=True)
    assert attempt["remaining_ms"] == 30 * 60 * 1000  # the closing ends the elder variant too
    taker.save(attempt, 1, answer_to(attempt["questions"][0], right=True))
    time.pass_(minutes=30, seconds=6)
    assert taker.save(attempt, 2, None, status=409)["code"] == "time_over"
    assert taker.submit(attempt)["score"] == 10
    assert taker.start(status=409)["code"] == "quiz_closed"


# Limits


def test_attempts_in_total_are_limited(desk, taker):
    desk.publish(attempts={"total": 2})
    taker.sit(0)
    taker.sit(0)
    assert taker.start(status=409)["code"] == "no_attempts_left"


def test_attempts_a_day_are_counted_by_the_branchs_midnight(desk, time, taker):
    desk.publish(attempts={"per_day": 1, "total": 2})
    taker.sit(0)
    time.pass_(hours=14, minutes=59)  # 23:59 in Shanghai, the same day; in UTC 15:59
    assert taker.start(status=409)["code"] == "no_attempts_left_today"
    time.pass_(minutes=1)  # midnight in Shanghai; in UTC still the 15th
    taker.sit(0)
    time.pass_(days=1)
    assert taker.start(status=409)["code"] == "no_attempts_left"


def test_a_refused_start_takes_no_place(desk, time, taker):
    desk.publish(attempts={"per_day": 3, "total": 1})
    taker.sit(0)
    for _ in range(4):
        assert taker.start(status=409)["code"] == "no_attempts_left"


# Input


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "client_id"),
        ({"client_id": ""}, "client_id"),
        ({"client_id": "x" * 65}, "client_id"),
        ({"client_id": "中"}, "client_id"),
        ({"client_id": 1}, "client_id"),
        ({"client_id": "a", "elder": "yes"}, "elder"),
        ({"client_id": "a", "campaign_code": "a b"}, "campaign_code"),
        ({"client_id": "a", "score": 100}, "score"),
    ],
)
def test_a_bad_start_names_the_field(desk, taker, body, field):
    desk.publish()
    response = taker.post("/quizzes/quiz/attempts", body)
    assert response.status_code == 422
    assert field in {e["field"] for e in response.json["errors"]}


def test_a_bad_answer_is_refused_in_words_that_do_not_depend_on_what_is_right(desk, taker):
    desk.publish(shuffle={"questions": False})
    attempt = taker.start()
    one, _, many, _truth, _blank = attempt["questions"]
    good = one["options"][0]["id"]
    for number, answer, field in (
        (1, "nonsense", "answer"),
        (1, 0, "answer"),
        (1, [good], "answer"),
        (1, many["options"][0]["id"], "answer"),
        (3, [many["options"][0]["id"]] * 2, "answer[1]"),
        (3, [good], "answer[0]"),
        (3, {}, "answer"),
        (4, "true", "answer"),
        (4, 1, "answer"),
        (5, [], "answer"),
        (5, ["a", "b"], "answer"),
        (5, ["x" * 101], "answer[0]"),
        (5, ["\u202e机密"], "answer[0]"),
        (5, "机密答案", "answer"),
    ):
        refused = taker.save(attempt, number, answer, status=422)
        assert [e["field"] for e in refused["errors"]] == [field], answer
    assert taker.save(attempt, 6, None, status=404)["code"] == "not_found"
    response = taker.client.put(f"/api/v1/attempts/{attempt['id']}/answers/1", headers=taker.headers, json={})
    assert response.json["errors"][0]["field"] == "answer"


def test_an_answer_may_be_changed_and_cleared_until_submission(desk, taker):
    desk.publish()
    attempt = taker.start()
    question = attempt["questions"][0]
    taker.save(attempt, 1, answer_to(question, right=True))
    taker.save(attempt, 1, answer_to(question, right=False))
    assert taker.save(attempt, 1, None)["answer"] is None
    assert taker.submit(attempt)["score"] == 0


def test_there_is_no_attempt_at_what_is_not_published(desk, taker):
    assert taker.start("nothing", status=404)["code"] == "not_found"
    assert taker.start("NO%00", status=404)["code"] == "not_found"
    assert taker.get("/quizzes/nothing/attempts").status_code == 404
    assert taker.get("/quizzes/nothing/leaderboard").status_code == 404


def test_nobody_takes_part_without_a_session(desk, app):
    desk.publish()
    client = app.test_client()
    assert client.post("/api/v1/quizzes/quiz/attempts", json={"client_id": "a"}).status_code == 401
    assert client.get("/api/v1/attempts/1").status_code == 401
    assert client.get("/api/v1/me/mistakes", headers=desk.editor_headers).status_code == 403


@pytest.mark.parametrize(("counts", "expected"), [("best", 40), ("last", 10), ("first", 20)])
def test_best_last_or_first_counts(desk, app, counts, expected):
    from edu_platform.quizzes.models import Standing

    desk.publish(counts=counts)
    taker = Taker(app, sign_in_learner(app))
    for right in (2, 4, 1):
        taker.sit(right)
    with app.app_context():
        assert reading().scalar(select(Standing.score)) == expected
