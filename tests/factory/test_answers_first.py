"""The layer before Flask saves answers exactly as Flask does, and leaves to it whatever is not in order."""

from __future__ import annotations

import json
import threading
from dataclasses import replace
from types import SimpleNamespace

import pytest
from sqlalchemy import event, select, update

from edu_platform.core.db import db, reading, writing
from edu_platform.core.errors import NotNow
from edu_platform.core.limits import limiter
from edu_platform.factory.answers import AnswersFirst
from edu_platform.factory.app import create_app
from edu_platform.people.models import Learner, LearnerKey
from edu_platform.people.operations import open_text
from edu_platform.quizzes.models import Attempt, AttemptAnswer
from edu_platform.quizzes.operations import attempts, known, saving
from tests.cast import sign_in_learner, staff_member, visitor
from tests.quizzes.conftest import Clock, Desk, Taker, answer_to, time

__all__ = ["time"]
pytestmark = pytest.mark.database
PLAIN = "application/json"
ODD = "application/json; x=1"
"""Means the same, but only Flask reads it."""
SECONDS = ("X-RateLimit-Reset", "Retry-After")


@pytest.fixture
def house(app, settings, time: Clock, monkeypatch):
    """The application with limits on, as it ships; every attempt has the same seed, so that two compare."""
    desk = Desk(app)
    desk.publish(reveal="after_submit", time_limit_seconds=600)
    desk.publish("at-once", reveal="after_each")
    built = create_app(replace(settings, limits=True))
    limiter.reset()
    monkeypatch.setattr(attempts, "secrets", SimpleNamespace(token_bytes=lambda count: b"\7" * count))
    for slug in ("quiz", "at-once"):  # from here on this process knows what they are made of
        Taker(built, visitor(built)).sit(3, slug)
    yield built
    with built.app_context():
        db.session.remove()
        db.engine.dispose()


@pytest.fixture
def layer(house):
    found = house.wsgi_app._inner._inner._inner
    assert isinstance(found, AnswersFirst)
    return found


@pytest.fixture
def entered(layer, monkeypatch):
    """Which requests went on to Flask."""
    inner, seen = layer._inner, []

    def counting(environ, start_response):
        seen.append((environ["REQUEST_METHOD"], environ["PATH_INFO"]))
        return inner(environ, start_response)

    monkeypatch.setattr(layer, "_inner", counting)
    return seen


def put(taker, attempt, number, body, kind=PLAIN, **headers):
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return taker.client.put(
        f"/api/v1/attempts/{attempt['id']}/answers/{number}",
        data=raw,
        headers=taker.headers | {"Content-Type": kind} | headers,
    )


def told(answer):
    apart = {"X-Request-ID", *SECONDS}
    return (
        answer.status,
        sorted((name, value) for name, value in answer.headers if name not in apart),
        answer.data,
    )


def assert_same(ours, theirs):
    assert told(ours) == told(theirs)
    for name in SECONDS:
        assert abs(int(ours.headers[name]) - int(theirs.headers[name])) <= 2, name


def rows(house, attempt):
    """What is kept of the answers of an attempt, what was sealed in clear."""
    with house.app_context():
        found = reading().scalars(
            select(AttemptAnswer)
            .where(AttemptAnswer.attempt_id == int(attempt["id"]))
            .order_by(AttemptAnswer.number)
        )
        return [
            (
                row.version_id,
                row.answer and open_text(reading(), row.answer),
                row.answer is not None and row.answer.startswith("sealed:"),
                row.saved_at,
                row.points,
                row.correct,
            )
            for row in found
        ]


@pytest.mark.parametrize("make", [visitor, sign_in_learner])
@pytest.mark.parametrize("slug", ["quiz", "at-once"])
@pytest.mark.parametrize("right", [True, False])
def test_the_same_answer_and_the_same_rows_with_and_without_flask(house, entered, make, slug, right):
    one, other = Taker(house, make(house)), Taker(house, make(house))
    here, there = one.start(slug), other.start(slug)
    assert here["questions"] == there["questions"]
    entered.clear()
    for question in here["questions"]:
        given = {"answer": answer_to(question, right=right)}
        ours = put(one, here, question["number"], given)
        assert entered == []
        theirs = put(other, there, question["number"], given, ODD)
        assert len(entered) == 1
        assert_same(ours, theirs)
        assert ours.status_code == 200
        assert (ours.json["verdict"] is not None) == (slug == "at-once")
        entered.clear()
    assert rows(house, here) == rows(house, there)
    assert all(row[1] is not None for row in rows(house, here))
    assert [row[2] for row in rows(house, here)].count(True) == 1, "what was typed is sealed"
    assert one.submit(here)["score"] == other.submit(there)["score"] == (50 if right else 0)


def test_an_answer_is_changed_and_taken_back(house, entered):
    taker = Taker(house, visitor(house))
    attempt = taker.start()
    entered.clear()
    for question in attempt["questions"]:
        for given in (answer_to(question, right=True), answer_to(question, right=False), None):
            answer = put(taker, attempt, question["number"], {"answer": given})
            assert (answer.status_code, answer.json["answer"]) == (200, given)
    assert entered == []
    assert {row[1:] for row in rows(house, attempt)} == {(None, False, None, None, None)}


@pytest.mark.parametrize(
    "spelt",
    [
        '{"answer":["机密答案"]}',
        '{"answer":["\\u673a\\u5bc6答案"]}',
        ' { "answer" : [ "机密答案" ] } ',
        '{"\\u0061nswer":["机密答案"]}',
    ],
)
def test_however_a_client_spells_it(house, entered, spelt):
    taker = Taker(house, visitor(house))
    attempt = taker.start()
    number = next(q["number"] for q in attempt["questions"] if q["type"] == "fill_in")
    entered.clear()
    answer = put(taker, attempt, number, spelt.encode())
    assert (answer.status_code, answer.json["answer"]) == (200, ["机密答案"])
    assert entered == []


UNREADABLE = {
    "no JSON": (b"{", 400),
    "nothing": (b"", 400),
    "no answer": ({}, 422),
    "more than an answer": ({"answer": None, "more": 1}, 422),
    "twice": (b'{"answer": null, "answer": null}', 400),
    "twice, spelt otherwise": (b'{"answer": null, "\\u0061nswer": null}', 400),
    "a number": ({"answer": 1}, 422),
    "an object": ({"answer": {"a": 1}}, 422),
    "numbers": ({"answer": [1]}, 422),
    "deep": ({"answer": [[["a"]]]}, 422),
    "no number": (b'{"answer": NaN}', 400),
    "a list": ([1], 422),
    "half a character": (b'{"answer": ["\\ud800"]}', 422),
    "no character": (b'{"answer": ["\\u0000"]}', 422),
    "not UTF-8": (b'{"answer": ["\xff"]}', 400),
    "no such option": ({"answer": "aaaaaaaaaaaaaaaa"}, 422),
    "too many blanks": ({"answer": ["a", "b"]}, 422),
    "too long": ({"answer": ["长" * 201]}, 422),
}


@pytest.mark.parametrize("name", UNREADABLE)
def test_what_is_not_in_order_is_flasks_to_refuse(house, entered, name):
    """Whatever refuses, the layer or the rows it looks at, it is said by Flask, and counted once."""
    body, status = UNREADABLE[name]
    taker = Taker(house, visitor(house))
    attempt = taker.start()
    number = next(q["number"] for q in attempt["questions"] if q["type"] == "fill_in")
    before, left = rows(house, attempt), []
    for kind in (PLAIN, ODD):
        entered.clear()
        answer = put(taker, attempt, number, body, kind)
        assert answer.status_code == status, answer.json
        assert len(entered) == 1
        left.append(int(answer.headers["X-RateLimit-Remaining"]))
    assert left == [599, 598]
    assert rows(house, attempt) == before


def test_whose_attempt_it_is_and_whether_it_takes_answers(house, entered, time):
    taker, stranger = Taker(house, visitor(house)), Taker(house, visitor(house))
    attempt, frozen = taker.start(), taker.start("at-once")
    question = frozen["questions"][0]
    right = {"answer": answer_to(question, right=True)}
    entered.clear()
    assert put(taker, frozen, question["number"], right).status_code == 200
    assert entered == []

    def refused(answer, status, code):
        assert (answer.status_code, answer.json.get("code")) == (status, code)
        assert len(entered) == 1
        entered.clear()

    refused(put(stranger, attempt, 1, {"answer": None}), 404, "not_found")
    refused(put(taker, attempt, 6, {"answer": None}), 404, "not_found")
    refused(put(taker, attempt, 0, {"answer": None}), 404, "not_found")
    refused(put(taker, {"id": "999999"}, 1, {"answer": None}), 404, "not_found")
    refused(put(taker, {"id": "9" * 18}, 1, {"answer": None}), 404, "not_found")
    refused(put(taker, frozen, question["number"], {"answer": None}), 409, "answer_frozen")
    again = put(taker, frozen, question["number"], right)
    assert (again.status_code, again.json["verdict"]["correct"]) == (200, True)
    assert len(entered) == 1, "what is frozen is compared by Flask"
    entered.clear()
    time.pass_(seconds=604)
    assert put(taker, attempt, 1, {"answer": None}).status_code == 200
    time.pass_(seconds=2)
    before = rows(house, attempt)
    assert entered == []
    refused(put(taker, attempt, 1, {"answer": None}), 409, "time_over")
    refused(put(taker, attempt, 1, {"answer": None}), 409, "time_over")
    assert [row[:4] for row in rows(house, attempt)] == [row[:4] for row in before]
    taker.submit(frozen)
    entered.clear()
    refused(put(taker, frozen, 2, {"answer": None}), 409, "already_submitted")


def test_practice_is_flasks(house, entered):
    taker = Taker(house, visitor(house))
    taker.sit(0)
    practice = taker.post("/me/mistakes/practice", {"client_id": "p"}).json
    question = practice["questions"][0]
    entered.clear()
    right = put(taker, practice, question["number"], {"answer": answer_to(question, right=True)})
    assert right.json["verdict"]["correct"] is True
    assert len(entered) == 1


def test_a_token_that_is_none_of_ours_or_ended_is_refused(house, entered, time):
    taker = Taker(house, visitor(house))
    attempt = taker.start()
    assert put(taker, attempt, 1, {"answer": None}).status_code == 200  # the token is known from here on
    before = rows(house, attempt)
    with house.app_context(), writing() as session:
        session.execute(update(Learner).where(Learner.id == taker.id).values(generation=2))
    question = attempt["questions"][3]
    given = {"answer": answer_to(question, right=True)}
    refused = put(taker, attempt, question["number"], given)
    assert (refused.status_code, refused.json["code"]) == (401, "token_revoked")
    time.pass_(days=400)
    assert put(taker, attempt, question["number"], given).json["code"] == "token_expired"
    for other in ({}, {"Authorization": "Bearer x"}, {"Authorization": "Basic x"}, staff_member(house)[1]):
        taker.headers = other
        assert put(taker, attempt, question["number"], given).status_code in {401, 403}
    assert rows(house, attempt) == before


def test_both_ways_count_against_the_same_limits(house, entered):
    taker = Taker(house, visitor(house))
    attempt = taker.start()
    entered.clear()
    left = [
        int(put(taker, attempt, 1, {"answer": None}, kind).headers["X-RateLimit-Remaining"])
        for kind in [PLAIN, ODD] * 2
    ]
    assert left == [599, 598, 597, 596]
    assert len(entered) == 2
    statuses = [put(taker, attempt, 1, {"answer": None}).status_code for _ in range(597)]
    assert statuses == [200] * 596 + [429]


def test_what_this_process_does_not_know_yet_is_looked_up_by_flask(house, entered):
    taker = Taker(house, visitor(house))
    attempt = taker.start("at-once")
    with house.app_context():
        known.here(db.engine).keys.clear()
    for expected in (1, 0):
        entered.clear()
        question = attempt["questions"][1]
        given = {"answer": answer_to(question, right=True)}
        assert put(taker, attempt, question["number"], given).json["verdict"]["correct"] is True
        assert len(entered) == expected
        taker = Taker(house, visitor(house))
        attempt = taker.start("at-once")


def test_trouble_with_the_database_is_met_once_and_answered_by_flask(house, entered, monkeypatch):
    taker = Taker(house, visitor(house))
    attempt = taker.start()
    tried = []

    def away(self, given):
        tried.append(given)
        raise NotNow

    monkeypatch.setattr(saving.SavedTogether, "append", away)
    entered.clear()
    answer = put(taker, attempt, 1, {"answer": None})
    assert (answer.status_code, len(tried), len(entered)) == (503, 1, 1)
    assert answer.headers["Retry-After"]
    assert answer.headers["X-RateLimit-Remaining"] == "599"


# ---- many in one commit


@pytest.fixture
def sitting(house):
    """Three who sit the quiz, and what makes a saving of theirs."""
    takers = [Taker(house, visitor(house)) for _ in range(3)]
    sat = [taker.start() for taker in takers]

    def saving_of(who, number, answer=None, **changes):
        facts = {"learner_id": takers[who].id, "generation": 1, "attempt_id": int(sat[who]["id"])}
        return saving.Saving(**{**facts, "number": number, "answer": answer, "at": Clock().now, **changes})

    def number_of(kind):
        return next(q["number"] for q in sat[0]["questions"] if q["type"] == kind)

    return SimpleNamespace(takers=takers, sat=sat, saving=saving_of, number_of=number_of)


def committed(house, savings):
    """Save them in one commit; what became of each."""
    with house.app_context():
        return [one.answered for one in saving.SavedTogether(db.engine).append_together(savings)]


def test_typed_answers_of_many_are_sealed_each_under_its_own_key(house, sitting):
    number = sitting.number_of("fill_in")
    made = [sitting.saving(who, number, [f"答案{who}"]) for who in range(3)]
    assert [one.chosen for one in committed(house, made)] == [["答案0"], ["答案1"], ["答案2"]]
    for who in range(3):
        kept = rows(house, sitting.sat[who])[number - 1]
        assert kept[1:3] == (json.dumps([f"答案{who}"], ensure_ascii=False), True)
    with house.app_context():
        names = reading().scalars(
            select(LearnerKey.name).where(LearnerKey.learner_id.in_([t.id for t in sitting.takers]))
        )
        assert len(set(names)) == 3
    # the second time they have one
    assert all(committed(house, [sitting.saving(who, number, ["又"]) for who in range(3)]))
    # and once one of them is erased, theirs opens no more while the others' does
    assert sitting.takers[1].client.delete("/api/v1/me", headers=sitting.takers[1].headers).status_code in {
        202,
        204,
    }
    assert [one and one.chosen for one in committed(house, made)] == [["答案0"], None, ["答案2"]]


def test_only_what_is_in_order_is_written(house, sitting):
    with house.app_context(), writing() as session:
        session.execute(update(Learner).where(Learner.id == sitting.takers[1].id).values(generation=2))
    number = sitting.number_of("true_false")
    stranger = sitting.saving(0, number, True, attempt_id=int(sitting.sat[2]["id"]))
    found = committed(
        house,
        [
            sitting.saving(0, number, True),
            sitting.saving(1, number, True),  # signed out a moment ago
            stranger,
            sitting.saving(2, number, ["no", "boolean"]),
            sitting.saving(2, 99, True),
            sitting.saving(0, number, False),  # the same place again: whoever comes later is looked at later
        ],
    )
    assert [one is not None for one in found] == [True, False, False, False, False, False]
    assert rows(house, sitting.sat[0])[number - 1][1] == "true"
    assert rows(house, sitting.sat[1])[number - 1][1] is None
    assert rows(house, sitting.sat[2])[number - 1][1] is None


def test_one_that_cannot_be_saved_fails_alone(house, sitting):
    number = sitting.number_of("fill_in")
    assert all(committed(house, [sitting.saving(1, number, ["先"])]))
    with house.app_context(), writing() as session:  # a key that is not there
        session.execute(
            update(LearnerKey).where(LearnerKey.learner_id == sitting.takers[1].id).values(name=b"n" * 16)
        )
    with house.app_context():
        made = saving.SavedTogether(db.engine).append_all(
            [sitting.saving(0, number, ["甲"]), sitting.saving(1, number, ["乙"])]
        )
    assert made == [None, None], "each is to be tried by itself"
    first = put(sitting.takers[0], sitting.sat[0], number, {"answer": ["甲"]})
    second = put(sitting.takers[1], sitting.sat[1], number, {"answer": ["乙"]})
    assert (first.status_code, second.status_code) == (200, 500)


def test_nobody_is_told_before_the_commit(house, sitting, entered, monkeypatch):
    """What was written but not committed is told to nobody, and is not there."""
    whole = saving.save_together

    def written_then_lost(*arguments):
        whole(*arguments)
        raise RuntimeError("the disk is gone")

    number = sitting.number_of("true_false")
    before = rows(house, sitting.sat[0])
    with monkeypatch.context() as patched:
        patched.setattr(saving, "save_together", written_then_lost)
        assert put(sitting.takers[0], sitting.sat[0], number, {"answer": True}).status_code == 500
    assert rows(house, sitting.sat[0]) == before
    assert put(sitting.takers[0], sitting.sat[0], number, {"answer": True}).status_code == 200


def test_many_at_once_share_a_commit(house, sitting, entered):
    """Those who come while the database is busy are saved in one commit, and each is answered."""
    commits, answers = [], []
    with house.app_context():
        engine = db.engine
    number = sitting.number_of("true_false")

    def count(connection):
        commits.append(connection)

    def answer(who):
        answers.append(put(sitting.takers[who], sitting.sat[who], number, {"answer": True}).status_code)

    threads = [threading.Thread(target=answer, args=(who,)) for who in range(3)]
    event.listen(engine, "commit", count)
    shared = saving.SavedTogether.of(engine)
    try:
        with shared._turn:  # as if a commit were on its way
            for thread in threads:
                thread.start()
            while len(shared._waiting) < len(threads):
                threading.Event().wait(0.01)
        for thread in threads:
            thread.join()
    finally:
        event.remove(engine, "commit", count)
    assert answers == [200] * 3
    assert entered == []
    assert len(commits) == 1
    assert [rows(house, sitting.sat[who])[number - 1][1] for who in range(3)] == ["true"] * 3


def test_what_the_rows_must_say_is_asked_of_them(house, sitting):
    """The control: were the learner's row not asked with the write, a revoked token would save."""
    with house.app_context(), writing() as session:
        session.execute(update(Learner).where(Learner.id == sitting.takers[0].id).values(generation=2))
    given = [sitting.saving(0, sitting.number_of("true_false"), True)]
    assert committed(house, given) == [None]
    unasked = saving._PLACE.replace("learner.generation = ?", "? > 0")
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(saving, "_PLACE", unasked)
        assert committed(house, given) != [None]
    with house.app_context():
        assert reading().get_one(Attempt, int(sitting.sat[0]["id"])).learner_id == sitting.takers[0].id
