"""Real threads against the real database: the unique keys and locks decide, not luck."""

from __future__ import annotations

import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

from sqlalchemy import func, select

from edu_platform.core.clock import now
from edu_platform.core.db import reading, writing
from edu_platform.people.models import Learner
from edu_platform.quizzes import operations, signals
from edu_platform.quizzes.errors import NoAttemptsLeft
from edu_platform.quizzes.models import Attempt, AttemptSlot, Standing
from edu_platform.quizzes.operations.claims import take_slot
from tests.cast import sign_in_learner
from tests.quizzes.conftest import Taker, answer_to

THREADS = 10


def race(times, task):
    """Run `task(n)` `times` over, as many at once as there are threads, all let go together."""
    gate = threading.Barrier(THREADS)

    def run(n):
        if n < THREADS:
            gate.wait()
        return task(n)

    with ThreadPoolExecutor(THREADS) as pool:
        return list(pool.map(run, range(times)))


def test_fifty_starts_racing_for_three_attempts_get_exactly_three(desk, app):
    desk.publish(attempts={"total": 3, "per_day": 3})
    _learner_id, headers = sign_in_learner(app)

    def start_and_submit(n):
        client = app.test_client()
        started = client.post("/api/v1/quizzes/quiz/attempts", headers=headers, json={"client_id": f"t-{n}"})
        if started.status_code in {200, 201}:
            done = client.post(f"/api/v1/attempts/{started.json['id']}/submit", headers=headers)
            assert done.status_code == 200, done.json
            return started.status_code, started.json["id"]
        assert started.json["code"].startswith("no_attempts_left"), started.json
        return started.status_code, None

    outcomes = race(50, start_and_submit)
    statuses = Counter(status for status, _ in outcomes)
    assert statuses[201] == 3
    assert set(statuses) <= {200, 201, 409}
    assert len({attempt_id for _, attempt_id in outcomes if attempt_id}) == 3
    with app.app_context():
        assert reading().scalar(select(func.count()).select_from(Attempt)) == 3
        places = reading().execute(select(AttemptSlot.period, AttemptSlot.slot)).all()
        assert sorted(places) == [(period, slot) for period in ("2026-03-15", "total") for slot in (1, 2, 3)]


def test_the_places_hold_by_themselves_without_the_lock(desk, app):
    piece_id = desk.publish()
    learner_id, _ = sign_in_learner(app)

    def take(n):
        with app.app_context(), writing() as session:
            return take_slot(session, learner_id, piece_id, period="total", limit=3)

    assert sorted(race(50, take)) == [False] * 47 + [True] * 3


def test_fifty_starts_at_once_begin_one_attempt(desk, app):
    desk.publish()
    _, headers = sign_in_learner(app)

    def start(n):
        response = app.test_client().post(
            "/api/v1/quizzes/quiz/attempts", headers=headers, json={"client_id": f"t-{n}"}
        )
        return response.status_code, response.json["id"]

    outcomes = race(50, start)
    assert Counter(status for status, _ in outcomes) == {201: 1, 200: 49}
    assert len({attempt_id for _, attempt_id in outcomes}) == 1


def test_submitting_twenty_times_at_once_gives_one_result_and_one_announcement(desk, app):
    desk.publish()
    taker = Taker(app, sign_in_learner(app))
    attempt = taker.start()
    taker.answer(attempt, right=5)
    heard = []

    def hear(session, news):
        heard.append(news.attempt_id)

    signals.attempt_passed.connect(hear)
    try:
        answers = race(
            20,
            lambda n: app.test_client().post(
                f"/api/v1/attempts/{attempt['id']}/submit", headers=taker.headers
            ),
        )
    finally:
        signals.attempt_passed._handlers.remove(hear)
    assert {answer.status_code for answer in answers} == {200}
    assert len({answer.get_data() for answer in answers}) == 1
    assert heard == [int(attempt["id"])]
    with app.app_context():
        assert reading().scalar(select(func.count()).select_from(Standing)) == 1


def test_saving_and_submitting_at_once_leaves_every_answer_judged_as_it_stands(desk, app):
    desk.publish()
    taker = Taker(app, sign_in_learner(app))
    attempt = taker.start()

    def act(n):
        client = app.test_client()
        if n == 10:
            return client.post(f"/api/v1/attempts/{attempt['id']}/submit", headers=taker.headers).status_code
        question = attempt["questions"][n % 5]
        return client.put(
            f"/api/v1/attempts/{attempt['id']}/answers/{question['number']}",
            headers=taker.headers,
            json={"answer": answer_to(question, right=n % 2 == 0)},
        ).status_code

    assert set(race(30, act)) <= {200, 409}
    result = taker.get(f"/attempts/{attempt['id']}/result").json
    assert result["score"] == sum(q["verdict"]["points"] for q in result["questions"])
    for question in result["questions"]:
        # judged by what is kept, whichever save came last
        right = question["verdict"]["right_answer"]
        same = question["answer"] == right
        if question["type"] == "fill_in":
            same = question["answer"] == ["机密答案"]
        if question["type"] == "multiple" and question["answer"]:
            same = sorted(question["answer"]) == sorted(right)
        assert question["verdict"]["correct"] is same


def test_two_quizzes_of_one_learner_with_the_same_questions_do_not_lock_each_other_out(desk, app):
    desk.publish("one")
    desk.publish("two")
    taker = Taker(app, sign_in_learner(app))
    attempts = [taker.start("one"), taker.start("two")]
    for attempt in attempts:
        taker.answer(attempt, right=0)

    def submit(n):
        attempt = attempts[n % 2]
        return (
            app.test_client()
            .post(f"/api/v1/attempts/{attempt['id']}/submit", headers=taker.headers)
            .status_code
        )

    assert set(race(20, submit)) == {200}
    assert len(taker.get("/me/mistakes").json["items"]) == 5


def test_a_refused_start_leaves_nothing_behind(desk, app):
    desk.publish(attempts={"total": 1})
    taker = Taker(app, sign_in_learner(app))
    taker.sit(0)
    with app.app_context():
        try:
            with writing() as session:
                operations.start_attempt(
                    session, session.get_one(Learner, taker.id), "quiz", at=now(), client_id="x"
                )
        except NoAttemptsLeft:
            pass
        assert reading().scalar(select(func.count()).select_from(AttemptSlot)) == 2
