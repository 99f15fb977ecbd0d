"""Walk every answer that a learner can get, before and after the reveal, and look for what was planted."""

from __future__ import annotations

import json
import re
from datetime import timedelta

import pytest

from edu_platform.core.db import reading, writing
from edu_platform.core.sealing import KeyRing
from edu_platform.people.models import Learner
from edu_platform.people.operations import erase_learner, export_learner
from edu_platform.quizzes import signals
from edu_platform.quizzes.tasks import announce_passes
from tests.cast import sign_in_learner, visitor
from tests.quizzes.conftest import CANARY, Taker, answer_to

CLOSES = "2026-03-15T12:00:00+08:00"  # three hours after the start
# Names of fields whose value would tell how an answer went.
TELLING = re.compile(
    r'"(correct|points|score|passed|right_answer|explanation|share)": ?(true|false|\d+|"[^"]|\[)'
)


class Crawler:
    """Asks for everything that a learner can ask for about a quiz and keeps the bytes."""

    def __init__(self, app, taker, attempt):
        self.app, self.taker, self.attempt = app, taker, attempt
        self.strangers = [Taker(app, visitor(app)), Taker(app, sign_in_learner(app))]

    def walk(self):
        a = f"/attempts/{self.attempt['id']}"
        answers = {}
        people = [("own", self.taker), *((f"stranger {n}", s) for n, s in enumerate(self.strangers))]
        for name, who in people:
            for path in (
                "/pieces",
                "/pieces/quiz",
                "/pieces?q=正确做法",
                "/pieces/quiz/related",
                a,
                f"{a}/result",
                f"{a}/answers/1",
                f"{a}/submit",
                "/quizzes/quiz",
                "/quizzes/quiz/attempts",
                "/quizzes/quiz/leaderboard",
                "/me/mistakes",
                "/me/export",
                "/staff/quizzes/quiz/statistics",
                "/staff/questions",
                "/staff/questions/q-1",
                "/staff/pieces/quiz",
            ):
                answers[f"{name} GET {path}"] = who.get(path)
            answers[f"{name} POST practice"] = who.post("/me/mistakes/practice", {"client_id": "crawl"})
            answers[f"{name} POST questions"] = who.post("/staff/questions", {"bank": "bank", "question": {}})
            wrong = (
                {"answer": "机密"},
                {"answer": ["不存在", "也没有"]},  # no option is called so, and no question has two blanks
                {"answer": {}},
                {},
                {"answer": 7, "x": 1},
                [],
            )
            for number, body in enumerate(wrong, 1):
                answers[f"{name} PUT {number}"] = who.client.put(
                    f"/api/v1{a}/answers/{number}", headers=who.headers, json=body
                )
        for name, answer in answers.items():
            assert answer.status_code < 500, name
        assert answers[f"own GET {a}"].status_code == 200
        with self.app.app_context():
            ring = KeyRing(self.app.config["EDU"].sealing_keys)
            copy = export_learner(reading(), ring, reading().get_one(Learner, self.taker.id))
        seen = {name: answer.get_data(as_text=True) + str(answer.headers) for name, answer in answers.items()}
        return Walk({**seen, "own copy": json.dumps(copy, ensure_ascii=False)})


class Walk:
    """What a crawl has brought back."""

    def __init__(self, answers):
        self.answers = answers

    def found(self, needle):
        return [name for name, text in self.answers.items() if needle in text]

    def telling(self):
        """Which answers tell anything of how it went; a page tells of every quiz what it is worth."""
        return [
            name
            for name, text in self.answers.items()
            if "/pieces" not in name and TELLING.search(_without_settings(text))
        ]


def _without_settings(text):
    # a question says how many points it is worth; that is no score
    return re.sub(r'"points": ?10,', "", text)


@pytest.fixture
def taker(app):
    return Taker(app, sign_in_learner(app))


def begin(desk, app, taker, **body):
    desk.publish(**body)
    attempt = taker.start()
    return attempt, Crawler(app, taker, attempt)


@pytest.mark.parametrize("reveal", ["after_each", "after_submit", "after_pass", "after_close", "never"])
def test_nothing_is_told_while_nothing_is_answered(desk, app, time, taker, reveal):
    _, crawler = begin(desk, app, taker, reveal=reveal, closes_at=CLOSES)
    walk = crawler.walk()
    assert walk.found(CANARY) == []
    assert walk.found("机密答案") == []
    assert walk.telling() == []


@pytest.mark.parametrize("reveal", ["after_submit", "after_pass", "after_close", "never"])
def test_nothing_is_told_while_answers_are_saved(desk, app, time, taker, reveal):
    attempt, crawler = begin(desk, app, taker, reveal=reveal, closes_at=CLOSES)
    for question in attempt["questions"]:
        saved = taker.save(attempt, question["number"], answer_to(question, right=False))
        assert saved["verdict"] is None
    walk = crawler.walk()
    assert walk.found(CANARY) == []
    assert walk.telling() == []


def test_after_submit_all_is_told_to_its_learner_and_nobody_else(desk, app, time, taker):
    attempt, crawler = begin(desk, app, taker)
    taker.answer(attempt, right=2)
    taker.submit(attempt)
    walk = crawler.walk()
    found = walk.found(CANARY)
    assert f"own GET /attempts/{attempt['id']}" in found  # the crawler does find what is there
    assert f"own GET /attempts/{attempt['id']}/result" in found
    assert "own GET /me/mistakes" in found
    assert not [name for name in found if name.startswith("stranger")]
    assert "own GET /quizzes/quiz/attempts" in walk.telling()


def test_after_each_tells_a_frozen_answer_and_no_other(desk, app, time, taker):
    attempt, crawler = begin(desk, app, taker, reveal="after_each", shuffle={"questions": False})
    first, second = attempt["questions"][:2]
    saved = taker.save(attempt, 1, answer_to(first, right=True))
    assert saved["verdict"]["correct"] is True
    assert "q-1" in saved["verdict"]["explanation"]
    assert taker.save(attempt, 1, answer_to(first, right=True)) == saved
    assert taker.save(attempt, 1, answer_to(first, right=False), status=409)["code"] == "answer_frozen"
    assert taker.save(attempt, 2, None)["verdict"] is None
    shown = taker.get(f"/attempts/{attempt['id']}").json
    assert [q["verdict"] is not None for q in shown["questions"]] == [True, False, False, False, False]
    assert (shown["score"], shown["passed"]) == (None, None)
    walk = crawler.walk()
    assert walk.found(f"{CANARY}：q-1")
    for other in ("q-2", "q-3", "q-4", "q-5"):
        assert walk.found(f"{CANARY}：{other}") == []
    taker.save(attempt, 2, answer_to(second, right=False))
    assert crawler.walk().found(f"{CANARY}：q-2")


def test_after_pass_tells_the_score_but_no_answer_until_the_learner_has_passed(desk, app, time, taker):
    attempt, crawler = begin(desk, app, taker, reveal="after_pass", pass_mark=80)
    taker.answer(attempt, right=3)
    result = taker.submit(attempt)
    assert (result["score"], result["passed"], result["answers_shown"]) == (30, False, False)
    assert all(q["verdict"] is None for q in result["questions"])
    assert crawler.walk().found(CANARY) == []
    assert taker.get("/me/mistakes").json["items"] == []
    assert taker.sit(4)["passed"] is True
    assert crawler.walk().found(CANARY)
    assert taker.get(f"/attempts/{attempt['id']}/result").json["answers_shown"] is True
    assert len(taker.get("/me/mistakes").json["items"]) == 1  # the fourth was put right since


def test_after_close_tells_nothing_at_all_before_the_closing(desk, app, time, taker):
    attempt, crawler = begin(desk, app, taker, reveal="after_close", closes_at=CLOSES)
    taker.answer(attempt, right=5)
    result = taker.submit(attempt)
    assert (result["score"], result["passed"], result["results_at"]) == (
        None,
        None,
        "2026-03-15T12:00:00.000+08:00",
    )
    board = taker.get("/quizzes/quiz/leaderboard").json
    assert (board["items"], board["me"], board["hidden_until"]) == ([], None, "2026-03-15T12:00:00.000+08:00")
    with app.app_context():
        announce_passes()
    walk = crawler.walk()
    assert walk.found(CANARY) == []
    assert walk.telling() == []
    assert walk.found("quiz_submit")  # the copy of one's own data says what was counted
    assert walk.found("quiz_pass") == []
    time.pass_(hours=3)
    with app.app_context():
        announce_passes()
        announce_passes()
    assert "own copy" in crawler.walk().found("quiz_pass")
    assert taker.get(f"/attempts/{attempt['id']}/result").json["score"] == 50
    walk = crawler.walk()
    assert walk.found(CANARY)
    assert walk.telling()


def test_after_close_does_not_clear_a_mistake_before_the_closing(desk, app, time, taker):
    desk.publish("open")
    taker.sit(0, "open")
    assert len(taker.get("/me/mistakes").json["items"]) == 5
    desk.publish("contest", reveal="after_close", closes_at=CLOSES)
    taker.sit(5, "contest")
    assert len(taker.get("/me/mistakes").json["items"]) == 5
    before = taker.get("/me/mistakes").json
    taker.sit(0, "contest")
    assert taker.get("/me/mistakes").json == before


def test_never_tells_the_score_and_nothing_else(desk, app, time, taker):
    attempt, crawler = begin(desk, app, taker, reveal="never")
    taker.answer(attempt, right=5)
    result = taker.submit(attempt)
    assert (result["score"], result["passed"]) == (50, True)
    time.pass_(days=20)
    assert crawler.walk().found(CANARY) == []
    assert all(q["verdict"] is None for q in taker.get(f"/attempts/{attempt['id']}/result").json["questions"])
    assert taker.get("/me/mistakes").json["items"] == []


def test_option_names_do_not_tell_the_place_in_the_file(desk, app, time):
    desk.publish(shuffle={"questions": False, "options": True})
    places = set()
    for _ in range(12):
        question = Taker(app, visitor(app)).start()["questions"][0]
        places.add([o["text"] for o in question["options"]].index("q-1选项乙"))
        places.add(sorted(o["id"] for o in question["options"]).index(answer_to(question, right=True)) + 10)
    assert len([p for p in places if p < 10]) > 1
    assert len([p for p in places if p >= 10]) > 1


def test_answers_are_never_stored_by_caches(desk, app, time, taker):
    attempt, _ = begin(desk, app, taker)
    taker.submit(attempt)
    for path in (f"/attempts/{attempt['id']}", f"/attempts/{attempt['id']}/result", "/me/mistakes"):
        assert taker.get(path).headers["Cache-Control"] == "no-store"


def test_a_pass_is_announced_once_and_not_before_the_closing(desk, app, time, taker):
    desk.publish(reveal="after_close", closes_at=CLOSES)
    heard = []

    def hear(session, news):
        heard.append((news.learner_id, news.at))

    signals.attempt_passed.connect(hear)
    try:
        taker.sit(5)
        gone = Taker(app, visitor(app))
        gone.sit(5)
        submitted = time.now
        with app.app_context(), writing() as session:
            erase_learner(session, session.get_one(Learner, gone.id))
        for hours in (0, 2.999, 0.001, 1):
            time.pass_(hours=hours)
            with app.app_context():
                announce_passes()
            assert len(heard) == int(time.now >= submitted + timedelta(hours=3))
    finally:
        signals.attempt_passed._handlers.remove(hear)
    assert heard == [(taker.id, submitted)]
