"""What a process keeps of published quizzes: a new revision is seen, databases never mix, memory has a bound."""

from collections.abc import Callable
from dataclasses import replace

from edu_platform.core import clock
from edu_platform.core.db import db
from edu_platform.core.migration import upgrade
from edu_platform.factory.app import create_app
from edu_platform.quizzes.operations import known
from tests.cast import visitor
from tests.quizzes.conftest import T0, Desk, Taker, true_false


def sit(app, *, answer):
    """Take the quiz as a new visitor; the stem that was asked, and the score."""
    taker = Taker(app, visitor(app))
    attempt = taker.start()
    taker.save(attempt, 1, answer)
    done = taker.submit(attempt)
    return done["questions"][0]["stem"], done["score"]


def asking(stem, answer):
    return [{**true_false("q-1", answer), "stem": stem}]


def test_a_new_revision_is_seen_at_once_and_an_attempt_keeps_the_one_that_it_began_with(app, desk):
    desk.publish(questions=asking("旧的说法对吗？", True), points=10)
    early = Taker(app, visitor(app))
    begun = early.start()
    assert sit(app, answer=True) == ("旧的说法对吗？", 10)
    desk.publish(questions=asking("新的说法对吗？", False), points=20)
    assert sit(app, answer=False) == ("新的说法对吗？", 20)
    early.save(begun, 1, True)
    done = early.submit(begun)
    assert (done["questions"][0]["stem"], done["score"]) == ("旧的说法对吗？", 10)


def test_another_database_behind_the_same_address_is_another_memory(
    app, desk, database: tuple[str, Callable[[], None]]
):
    desk.publish(questions=asking("甲库里的这一题", True), points=10)
    assert sit(app, answer=True) == ("甲库里的这一题", 10)
    with app.app_context():
        db.session.remove()
        db.engine.dispose()
    database[1]()
    Desk(app).publish(questions=asking("乙库里的这一题", False), points=30)
    assert sit(app, answer=False) == ("乙库里的这一题", 30)


def test_two_installations_in_one_process_do_not_mix(app, desk, settings, tmp_path):
    url = f"sqlite:///{tmp_path / 'other.sqlite3'}"
    upgrade(url)
    other = create_app(replace(settings, database_url=url, data_dir=tmp_path))
    with clock.frozen(T0):
        desk.publish(questions=asking("甲处问的这一题", True), points=10)
        Desk(other).publish(questions=asking("乙处问的这一题", False), points=30)
    for _ in range(2):
        assert sit(app, answer=True) == ("甲处问的这一题", 10)
        assert sit(other, answer=False) == ("乙处问的这一题", 30)
    with other.app_context():
        db.session.remove()
        db.engine.dispose()


def test_memory_has_a_bound_and_what_does_not_fit_is_read_again(app, desk, monkeypatch):
    monkeypatch.setattr(known, "MOST", 3)
    desk.publish("one", questions=[true_false(f"a-{n}") for n in range(3)])
    desk.publish("two", questions=[true_false(f"b-{n}") for n in range(2)])
    for slug, reached in (("one", 30), ("two", 20), ("one", 30)):
        taker = Taker(app, visitor(app))
        attempt = taker.start(slug)
        for question in attempt["questions"]:
            taker.save(attempt, question["number"], answer=True)
        assert taker.submit(attempt)["score"] == reached
        with app.app_context():
            kept = known._kept[db.engine.pool]
            assert max(len(kept.rules), len(kept.versions), len(kept.keys)) <= 3
