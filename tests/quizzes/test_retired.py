"""A question that leaves its bank's file: asked no more, and nothing that was begun or published changes."""

from __future__ import annotations

import copy

import pytest
from sqlalchemy import select

from edu_platform.core.db import reading, writing
from edu_platform.library.content import run
from edu_platform.people.operations import import_account
from edu_platform.quizzes import operations, queries
from edu_platform.quizzes.kind import QuizKind
from edu_platform.quizzes.models import Paper
from edu_platform.quizzes.operations import questions as kept
from edu_platform.quizzes.rules.questions import parse
from tests.cast import sign_in_learner
from tests.quizzes.conftest import QUESTIONS, Taker, single
from tests.quizzes.test_banks import COLUMNS, DRAWN, QUIZ, get, import_tree, post, write_bank

pytestmark = pytest.mark.database


@pytest.fixture
def root(app, tmp_path):
    (tmp_path / "columns.yaml").write_text(COLUMNS)
    for folder in ("questions", "quizzes"):
        (tmp_path / folder).mkdir()
    write_bank(tmp_path, QUESTIONS)
    (tmp_path / "quizzes" / "small-quiz.yaml").write_text(QUIZ)
    (tmp_path / "quizzes" / "drawn-quiz.yaml").write_text(DRAWN.replace("小测验", "随机测验") % 2)
    return tmp_path


def without_second(root):
    """Take q-2 out of the bank and out of the quiz that names it."""
    write_bank(root, [q for q in QUESTIONS if q["id"] != "q-2"])
    (root / "quizzes" / "small-quiz.yaml").write_text(QUIZ.replace("q-1, q-2", "q-1"))


def in_use(app):
    with app.app_context():
        return {question.ref for question, _, _ in reading().execute(queries.latest_versions())}


def refs_of_newest_paper(app, slug):
    with app.app_context():
        session = reading()
        piece = operations.quiz_of(session, slug)
        newest = select(Paper.source).where(Paper.piece_id == piece.id).order_by(Paper.id.desc()).limit(1)
        paper = session.scalars(newest).one()
        pooled = {version for part in paper["parts"] for version in part["pool"]}
        versions = session.scalars(queries.versions(pooled)).all()
        stems = {version.content["stem"] for version in versions}
        return {q["id"] for q in QUESTIONS if q["stem"] in stems}


def test_what_left_the_file_is_retired_and_drawn_no_more(app, root):
    import_tree(app, root)
    assert refs_of_newest_paper(app, "drawn-quiz") == {q["id"] for q in QUESTIONS}
    without_second(root)
    counts = import_tree(app, root)
    assert (counts["questions"].retired, counts["questions"].same) == (1, 4)
    assert counts["quizzes"].changed == 2  # the one that named it and the one that may have drawn it
    assert in_use(app) == {"q-1", "q-3", "q-4", "q-5"}
    assert refs_of_newest_paper(app, "drawn-quiz") == {"q-1", "q-3", "q-4", "q-5"}
    again = import_tree(app, root)
    assert (again["questions"].retired, again["quizzes"].changed) == (0, 0)


def test_an_attempt_that_was_begun_goes_on_with_it(app, root):
    import_tree(app, root)
    taker = Taker(app, sign_in_learner(app))
    begun = taker.start("small-quiz")
    without_second(root)
    import_tree(app, root)
    taker.answer(begun, right=2)
    done = taker.submit(begun)
    assert (done["score"], done["max_score"]) == (20, 20)
    assert taker.start("small-quiz")["max_score"] == 10


def test_a_quiz_that_staff_published_keeps_what_it_pinned_and_no_new_one_may_name_it(app, root, desk):
    import_tree(app, root)
    body = {"paper": {"fixed": ["q-1", "q-2"]}}
    desk.keep = lambda *_: None  # the questions are there already
    desk.publish("staff-quiz", **body)
    without_second(root)
    import_tree(app, root)
    taker = Taker(app, sign_in_learner(app))
    assert taker.start("staff-quiz")["max_score"] == 20
    with app.app_context():
        errors = QuizKind(app.config["EDU"]).check(reading(), body)
        assert [(e.field, e.reason) for e in errors] == [("paper.fixed[1]", "没有题目“q-2”。")]


def test_it_comes_back_with_the_file(app, root):
    import_tree(app, root)
    without_second(root)
    import_tree(app, root)
    write_bank(root, QUESTIONS)
    counts = import_tree(app, root)
    assert (counts["questions"].changed, counts["questions"].same, counts["questions"].new) == (1, 4, 0)
    assert in_use(app) == {q["id"] for q in QUESTIONS}
    with app.app_context():
        whole = operations.question_of(reading(), "q-2")
        assert (whole.question.retired_at, whole.version.number) == (None, 1)


def test_what_staff_wrote_or_changed_is_not_retired(app, root, desk):
    import_tree(app, root)
    changed = {**copy.deepcopy(QUESTIONS[1]), "difficulty": "hard"}
    assert post(desk, "/questions", {"bank": "bank", "question": changed}).json["outcome"] == "changed"
    assert post(desk, "/questions", {"bank": "bank", "question": single("own-1")}).json["outcome"] == "new"
    without_second(root)
    assert import_tree(app, root)["questions"].retired == 0
    assert in_use(app) == {"own-1", *(q["id"] for q in QUESTIONS)}


def test_a_bank_that_is_uploaded_in_part_retires_nothing(app, desk, tmp_path):
    (tmp_path / "questions").mkdir()
    for questions in (QUESTIONS, QUESTIONS[:1]):
        text = write_bank(tmp_path, questions, "uploaded")
        assert post(desk, "/banks", {"format": "yaml", "text": text}).status_code == 200
    assert in_use(app) == {q["id"] for q in QUESTIONS}


def test_staff_see_it_where_they_ask_for_it(app, root, desk):
    import_tree(app, root)
    without_second(root)
    import_tree(app, root)
    listed = {q["ref"]: q["retired_at"] for q in get(desk, "/questions").json["items"]}
    assert listed == dict.fromkeys(["q-1", "q-3", "q-4", "q-5"])
    gone = get(desk, "/questions?retired=true").json["items"]
    assert [q["ref"] for q in gone] == ["q-2"]
    assert gone[0]["retired_at"]
    assert get(desk, "/questions/q-2").json["retired_at"] == gone[0]["retired_at"]


def test_a_mistake_stays_to_be_read_and_is_practised_no_more(app, root):
    import_tree(app, root)
    taker = Taker(app, sign_in_learner(app))
    taker.sit(0, "small-quiz")
    without_second(root)
    import_tree(app, root)
    assert {m["question"] for m in taker.get("/me/mistakes").json["items"]} == {"q-1", "q-2"}
    practice = taker.post("/me/mistakes/practice", {"client_id": "p-1", "count": 5}).json
    assert [q["stem"] for q in practice["questions"]] == [QUESTIONS[0]["stem"]]


@pytest.mark.control
def test_without_a_time_nothing_is_retired(app, root):
    """The control: what the tests above see is done by `retire_at` alone."""
    import_tree(app, root)
    with app.app_context(), writing() as session:
        first = parse(QUESTIONS[0])[0]
        by = import_account(session).id
        saved = kept.save_bank(session, name="bank", title=None, questions=[first], by=by)
        assert (saved.same, saved.retired) == (1, 0)
    assert in_use(app) == {q["id"] for q in QUESTIONS}


def test_a_quiz_whose_file_still_names_it_stops_the_import(app, root):
    import_tree(app, root)
    write_bank(root, [q for q in QUESTIONS if q["id"] != "q-2"])
    with pytest.raises(run.Refused) as refused:
        import_tree(app, root)
    assert [p.reason for p in refused.value.report.problems] == ["没有题目“q-2”。"]
    assert in_use(app) == {q["id"] for q in QUESTIONS}
