from __future__ import annotations

import pytest

from edu_platform.core.db import writing
from edu_platform.core.vocabulary import Role
from edu_platform.people.models import Learner
from edu_platform.people.operations import erase_learner
from tests.cast import sign_in_learner, staff_member, visitor
from tests.quizzes.conftest import QUESTIONS, Taker, answer_to

# Who (a row) answered which question (a column) rightly, of q-1 … q-5; None left it out.
ANSWERS = [
    [True, True, True, True, True],
    [True, True, False, True, None],
    [True, False, False, False, False],
    [False, False, None, True, False],
]


def sit(taker, row):
    attempt = taker.start()
    for question, right in zip(attempt["questions"], row, strict=True):
        if right is not None:
            taker.save(attempt, question["number"], answer_to(question, right=right))
    taker.submit(attempt)


@pytest.fixture
def sat(desk, app):
    desk.publish(shuffle={"questions": False})
    people = [Taker(app, sign_in_learner(app)) for _ in range(3)] + [Taker(app, visitor(app))]
    for taker, row in zip(people, ANSWERS, strict=True):
        sit(taker, row)
    people[0].start()  # in progress: counts nowhere
    return people


def statistics(desk):
    response = desk.app.test_client().get(
        "/api/v1/staff/quizzes/quiz/statistics", headers=desk.editor_headers
    )
    assert response.status_code == 200, response.json
    return response.json


def test_against_numbers_worked_out_by_hand(desk, sat):
    found = statistics(desk)
    assert (found["attempts"], found["passed"]) == (4, 2)
    assert found["mean_share"] == pytest.approx((50 + 30 + 10 + 10) / 4 / 50)
    items = {item["question"]: item for item in found["items"]}
    assert list(items) == ["q-1", "q-2", "q-3", "q-4", "q-5"]
    q1, q3 = items["q-1"], items["q-3"]
    assert (q1["shown"], q1["answered"], q1["right"], q1["difficulty"], q1["mean_points"]) == (
        4,
        4,
        3,
        0.75,
        7.5,
    )
    assert (q3["shown"], q3["answered"], q3["right"], q3["difficulty"]) == (4, 3, 1, 0.25)
    # q-1: right 1,1,1,0; rest of the score 40,20,0,10 → Pearson 1.875 / sqrt(3/16 * 218.75) = 0.29277
    assert q1["discrimination"] == pytest.approx(0.2927700)
    # q-3: right 1,0,0,0; rest 40,30,10,10 → (40*4-90)/sqrt((4*2700-8100)*1*3) = 70/sqrt(8100) = 0.77778
    assert q3["discrimination"] == pytest.approx(0.7777778)
    assert {o["text"][-1]: (o["chosen"], o["correct"]) for o in q1["options"]} == {
        "甲": (0, False),
        "乙": (3, True),
        "丙": (0, False),
        "丁": (1, False),
    }
    assert {o["text"][-1]: o["chosen"] for o in q3["options"]} == {"甲": 1, "乙": 2, "丙": 1, "丁": 0}
    assert [(o["text"], o["correct"], o["chosen"]) for o in items["q-4"]["options"]] == [
        ("正确", True, 3),
        ("错误", False, 1),
    ]
    assert items["q-5"]["options"] == []


def test_they_stay_right_after_an_erasure(desk, app, sat):
    before = statistics(desk)
    with app.app_context(), writing() as session:
        erase_learner(session, session.get_one(Learner, sat[0].id))
    assert statistics(desk) == before


def test_practice_does_not_change_them(desk, sat):
    before = statistics(desk)
    attempt = sat[2].post("/me/mistakes/practice", {"client_id": "p"}).json
    sat[2].answer(attempt, right=4)
    sat[2].submit(attempt)
    assert statistics(desk) == before


def test_versions_of_a_question_are_kept_apart(desk, app, sat):
    changed = [{**QUESTIONS[0], "stem": "下面哪一个是q-1的正确做法（改）？"}, *QUESTIONS[1:]]
    desk.publish(questions=changed, shuffle={"questions": False})
    Taker(app, sign_in_learner(app)).sit(5)
    items = [(i["question"], i["version"], i["shown"]) for i in statistics(desk)["items"]]
    assert items[:3] == [("q-1", 1, 4), ("q-1", 2, 1), ("q-2", 1, 5)]


def test_a_quiz_that_nobody_took_has_empty_statistics(desk):
    desk.publish()
    assert statistics(desk) == {"quiz": "quiz", "attempts": 0, "passed": 0, "mean_share": None, "items": []}


def test_who_may_see_them(desk, app, sat):
    client = app.test_client()
    path = "/api/v1/staff/quizzes/quiz/statistics"
    for role, status in (
        (Role.ANALYST, 200),
        (Role.EDITOR, 200),
        (Role.REVIEWER, 403),
        (Role.CAMPAIGN_MANAGER, 403),
        (Role.ADMIN, 403),
    ):
        assert client.get(path, headers=staff_member(app, role)[1]).status_code == status
    assert client.get(path, headers=sat[0].headers).status_code == 403
    assert client.get("/api/v1/staff/quizzes/none/statistics", headers=desk.editor_headers).status_code == 404
