from __future__ import annotations

import pytest
from sqlalchemy import func, select

from edu_platform.core.db import reading
from edu_platform.quizzes import signals
from edu_platform.quizzes.models import AttemptSlot, Standing
from tests.cast import sign_in_learner, visitor
from tests.quizzes.conftest import Taker, answer_to, single


@pytest.fixture
def taker(app):
    return Taker(app, sign_in_learner(app))


def mistakes(taker, query=""):
    response = taker.get(f"/me/mistakes{query}")
    assert response.status_code == 200, response.json
    return response.json


def test_a_mistake_comes_with_the_right_answer_and_why(desk, time, taker):
    desk.publish()
    taker.sit(3)
    shown = {m["question"]: m for m in mistakes(taker)["items"]}
    # the paper was shuffled: whichever two were last were answered wrongly
    assert len(shown) == 2
    for ref, mistake in shown.items():
        assert ref in mistake["explanation"]
        assert mistake["quiz"] == "quiz"
        assert mistake["answer"] != mistake["right_answer"]


def test_choices_are_told_in_words(desk, taker):
    desk.publish(questions=[single("q-1", 1)])
    taker.sit(0)
    only = mistakes(taker)["items"][0]
    assert (only["answer"], only["right_answer"]) == (["q-1选项丁"], ["q-1选项乙"])


def test_an_unanswered_question_is_no_mistake(desk, taker):
    desk.publish()
    taker.submit(taker.start())
    assert mistakes(taker)["items"] == []


def test_mistakes_are_listed_latest_first_by_pages(desk, time, taker):
    for n in range(3):
        desk.publish(f"quiz-{n}", questions=[single(f"m-{n}")])
        taker.sit(0, f"quiz-{n}")
        time.pass_(minutes=1)
    page = mistakes(taker, "?limit=2")
    assert [m["question"] for m in page["items"]] == ["m-2", "m-1"]
    rest = mistakes(taker, f"?limit=2&cursor={page['next_cursor']}")
    assert [m["question"] for m in rest["items"]] == ["m-0"]
    assert rest["next_cursor"] is None


def test_practice_gives_every_verdict_at_once_and_a_right_answer_clears(desk, time, taker):
    desk.publish()
    taker.sit(0)
    practice = taker.post("/me/mistakes/practice", {"client_id": "p-1", "count": 3})
    assert practice.status_code == 201
    attempt = practice.json
    assert (attempt["practice"], attempt["quiz"], len(attempt["questions"])) == (True, None, 3)
    first, second, _ = attempt["questions"]
    assert taker.save(attempt, 1, answer_to(first, right=True))["verdict"]["correct"] is True
    assert len(mistakes(taker)["items"]) == 4  # at once: the app may be killed
    assert taker.save(attempt, 2, answer_to(second, right=False))["verdict"]["correct"] is False
    taker.submit(attempt)
    assert len(mistakes(taker)["items"]) == 4


def test_practice_counts_nowhere(desk, app, time, taker):
    desk.publish(attempts={"total": 1})
    taker.sit(0)
    heard = []

    def hear(session, news):
        heard.append(news)

    for signal in (signals.attempt_started, signals.attempt_submitted, signals.attempt_passed):
        signal.connect(hear)
    try:
        attempt = taker.post("/me/mistakes/practice", {"client_id": "p-1"}).json
        taker.answer(attempt, right=5)
        result = taker.submit(attempt)
    finally:
        for signal in (signals.attempt_started, signals.attempt_submitted, signals.attempt_passed):
            signal._handlers.remove(hear)
    assert (result["score"], heard) == (50, [])
    with app.app_context():
        assert reading().scalar(select(Standing.score)) == 0
        assert reading().scalar(select(func.count()).select_from(AttemptSlot)) == 2
    assert len(taker.get("/quizzes/quiz/attempts").json["items"]) == 1


def test_practice_may_be_repeated_and_resumed(desk, taker):
    desk.publish()
    taker.sit(0)
    first = taker.post("/me/mistakes/practice", {"client_id": "p-1"})
    for client_id in ("p-1", "p-2"):
        again = taker.post("/me/mistakes/practice", {"client_id": client_id})
        assert (again.status_code, again.json["id"]) == (200, first.json["id"])
    assert taker.post("/quizzes/quiz/attempts", {"client_id": "p-1"}).json["code"] == "client_id_taken"


def test_there_is_nothing_to_practise_without_mistakes(desk, app, taker):
    response = taker.post("/me/mistakes/practice", {"client_id": "p-1"})
    assert (response.status_code, response.json["code"]) == (409, "nothing_to_practise")
    desk.publish()
    taker.sit(0)
    assert mistakes(Taker(app, visitor(app)))["items"] == []
    assert taker.post("/me/mistakes/practice", {"client_id": "x", "count": 0}).status_code == 422


def test_a_right_answer_in_another_quiz_clears_it_too(desk, taker):
    desk.publish("one")
    desk.publish("two")
    taker.sit(0, "one")
    taker.sit(5, "two")
    assert mistakes(taker)["items"] == []


def test_the_mistake_shows_the_version_that_was_answered(desk, taker):
    desk.publish(questions=[single("q-1")])
    taker.sit(0)
    desk.keep([single("q-1", stem="完全改写过的题干，意思也变了？")])
    assert mistakes(taker)["items"][0]["stem"] == "下面哪一个是q-1的正确做法？"
