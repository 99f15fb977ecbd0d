from __future__ import annotations

from sqlalchemy import func, select

from edu_platform.core.clock import now
from edu_platform.core.db import reading, writing
from edu_platform.core.models import Base
from edu_platform.people.models import Learner, Purpose
from edu_platform.people.operations import erase_learner, merge_visitor
from edu_platform.people.rules import PURPOSES
from edu_platform.quizzes import models, operations, queries
from edu_platform.quizzes.models import Attempt, AttemptAnswer, AttemptSlot, Mistake, Standing
from tests.cast import sign_in_learner, visitor
from tests.quizzes.conftest import CANARY, Taker

TYPED = "张三的身份证号"


def test_every_table_of_the_room_that_names_a_learner_is_claimed():
    named = {
        table.name
        for table in Base.metadata.tables.values()
        if "learner_id" in table.columns
        and table.name in {m.__tablename__ for m in vars(models).values() if hasattr(m, "__tablename__")}
    }
    assert named == operations.HOLDING.tables


def test_erasure_cuts_what_leads_to_the_learner_and_keeps_the_attempt(desk, app):
    desk.publish(shuffle={"questions": False})
    taker = Taker(app, sign_in_learner(app))
    attempt = taker.start(client_id="made-by-client")
    taker.answer(attempt, right=2)
    taker.save(attempt, 5, [TYPED])
    taker.submit(attempt)
    taker.start()
    for _ in range(2):
        with app.app_context(), writing() as session:
            operations.HOLDING.erase(session, taker.id)
    with app.app_context(), writing() as session:
        erase_learner(session, session.get_one(Learner, taker.id))
    with app.app_context():
        session = reading()
        only = session.scalars(select(Attempt)).one()
        assert (only.learner_id, only.score) == (None, 20)
        assert only.client_id != "made-by-client"
        rows = session.scalars(select(AttemptAnswer).order_by(AttemptAnswer.number)).all()
        assert [row.correct for row in rows] == [True, True, False, False, False]
        assert rows[4].answer is None
        for table in (Standing, AttemptSlot, Mistake):
            assert session.scalar(select(func.count()).select_from(table)) == 0


def test_the_copy_holds_attempts_and_no_more_than_may_be_told(desk, app):
    desk.publish(shuffle={"questions": False})
    desk.publish("contest", reveal="after_close", closes_at="2026-03-20T00:00:00+08:00")
    taker = Taker(app, sign_in_learner(app))
    taker.sit(2)
    taker.sit(5, "contest")
    with app.app_context():
        copy = operations.HOLDING.export(reading(), taker.id)
    one, two = copy["attempts"]
    assert (one["quiz"], one["score"], one["passed"]) == ("quiz", 20, False)
    assert one["answers"][0] == {"stem": "下面哪一个是q-1的正确做法？", "answer": "q-1选项乙"}
    assert one["answers"][2]["answer"] == ["q-3选项乙"]
    assert (two["quiz"], two["score"], two["passed"]) == ("contest", None, None)
    assert CANARY not in str(copy)
    assert [m["question"] for m in copy["mistakes"]] and "right_answer" not in copy["mistakes"][0]


def test_a_visitor_who_signs_in_keeps_what_they_did(desk, app, time):
    desk.publish("one", attempts={"total": 3})
    desk.publish("two")
    agreed = [(Purpose.LEADERBOARD, PURPOSES[Purpose.LEADERBOARD].version)]
    guest, taker = Taker(app, visitor(app)), Taker(app, sign_in_learner(app, consents=agreed))
    guest.sit(4, "one", client_id="same")
    time.pass_(seconds=1)
    taker.sit(2, "one", client_id="same")
    guest.sit(1, "two")
    running = guest.start("one")
    with app.app_context(), writing() as session:
        merge_visitor(session, session.get_one(Learner, guest.id), session.get_one(Learner, taker.id))
    assert taker.get(f"/attempts/{running['id']}").json["state"] == "in_progress"
    assert taker.get("/quizzes/one/leaderboard").json["me"]["score"] == 40
    assert taker.get("/quizzes/two/leaderboard").json["me"]["score"] == 10
    assert len(taker.get("/quizzes/one/attempts").json["items"]) == 3
    taker.submit(running)
    assert taker.start("one", status=409)["code"] == "no_attempts_left"
    with app.app_context():
        assert reading().scalar(select(func.count()).where(Standing.learner_id == guest.id)) == 0
        assert len(reading().scalars(queries.visible_mistakes(taker.id, now())).all()) > 0
        assert reading().scalars(queries.visible_mistakes(guest.id, now())).all() == []


def test_of_two_running_attempts_the_learners_own_goes_on(desk, app):
    desk.publish()
    guest, taker = Taker(app, visitor(app)), Taker(app, sign_in_learner(app))
    theirs, own = guest.start(), taker.start()
    with app.app_context(), writing() as session:
        merge_visitor(session, session.get_one(Learner, guest.id), session.get_one(Learner, taker.id))
    assert taker.get(f"/attempts/{theirs['id']}").json["state"] == "submitted"
    assert taker.get(f"/attempts/{own['id']}").json["state"] == "in_progress"
