"""A learner's own mistakes: noted at submission, shown when their time has come, cleared by a right answer."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

import orjson
from sqlalchemy import select, update
from sqlalchemy.orm import Session

from edu_platform.core.driver import Written
from edu_platform.library.models import Piece
from edu_platform.people.operations import open_text
from edu_platform.quizzes import queries
from edu_platform.quizzes.models import Attempt, Mistake, Question, Standing
from edu_platform.quizzes.operations.answers import Answered
from edu_platform.quizzes.operations.questions import keys_of
from edu_platform.quizzes.rules.papers import QuizRules
from edu_platform.quizzes.rules.questions import QuestionType
from edu_platform.quizzes.rules.reveal import Reveal, may_see_answers


def note_outcomes(
    session: Session,
    attempt: Attempt,
    answered: Sequence[Answered],
    *,
    rules: QuizRules,
    standing: Standing | None,
    at: datetime,
) -> None:
    """Note what a submitted attempt answered wrongly; clear what it answered rightly, where that may be told.

    A mistake that vanished before its time would tell that the answer was right. Questions left unanswered are
    no mistakes.
    """
    learner_id, piece_id = attempt.learner_id, attempt.piece_id
    if learner_id is None:
        return
    passed = standing is not None and standing.passed_at is not None
    told = may_see_answers(rules.reveal, submitted=True, passed=passed, closes_at=rules.closes_at, at=at)
    given = [one for one in answered if one.chosen is not None]
    wrong: dict[int, _Wrong] = {}
    if piece_id is not None and rules.reveal is not Reveal.NEVER:
        visible_from = at if told else (None if rules.reveal is Reveal.AFTER_PASS else rules.closes_at)
        wrong = {
            one.version.question_id: _Wrong(one.version.id, piece_id, one.kept, at, visible_from)
            for one in given
            if not one.correct
        }
    right = {one.version.question_id for one in given if one.correct} if told else set()
    _note(Written(session.connection()), learner_id, wrong, right)
    if passed and rules.reveal is Reveal.AFTER_PASS:
        session.execute(
            update(Mistake)
            .where(
                Mistake.learner_id == learner_id,
                Mistake.piece_id == piece_id,
                Mistake.visible_from.is_(None),
            )
            .values(visible_from=at)
        )
    session.flush()


class _Wrong(NamedTuple):
    """What is noted of a question answered wrongly."""

    version_id: int
    piece_id: int
    answer: str | None
    wrong_at: datetime
    visible_from: datetime | None


def _note(sql: Written, learner_id: int, wrong: Mapping[int, _Wrong], right: Collection[int]) -> None:
    """Note and clear. What is there is locked first, in one order for everybody, and so is what is new: two submissions
    of one learner never wait for each other.
    """
    concerned = sorted({*wrong, *right})
    if not concerned:
        return
    there = dict(
        sql.rows(
            f"SELECT question_id, visible_from FROM mistake WHERE learner_id = ? AND {sql.among('question_id')}"  # noqa: S608 - fixed text
            f" ORDER BY question_id{'' if sql.sqlite else ' FOR UPDATE'}",
            (learner_id, sql.listed(concerned)),
        )
    )
    if gone := [(learner_id, question_id) for question_id in there if question_id in right]:
        sql.many("DELETE FROM mistake WHERE learner_id = ? AND question_id = ?", gone)
    noted = {
        question_id: (
            one.version_id, one.piece_id, one.answer, sql.moment(one.wrong_at),
            one.visible_from and sql.moment(one.visible_from), learner_id, question_id,
        )
        for question_id, one in sorted(wrong.items())
    }  # fmt: skip
    again = []
    for question_id, seen_from in there.items():
        one = wrong.get(question_id)
        # What may be seen already stays as it was: replacing it would tell how the new answer went.
        if one is not None and (
            seen_from is None or seen_from > sql.moment(one.wrong_at) or one.visible_from == one.wrong_at
        ):
            again.append(noted[question_id])
    if again:
        sql.many(
            "UPDATE mistake SET version_id = ?, piece_id = ?, answer = ?, wrong_at = ?, visible_from = ?"
            " WHERE learner_id = ? AND question_id = ?",
            again,
        )
    fresh = [row for question_id, row in noted.items() if question_id not in there]
    if fresh and sql.many(
        "INSERT INTO mistake (version_id, piece_id, answer, wrong_at, visible_from, learner_id, question_id)"
        " VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (learner_id, question_id) DO NOTHING",
        fresh,
    ) != len(fresh):
        # Somebody else noted one of them since (PostgreSQL): it is there now.
        _note(sql, learner_id, {question_id: wrong[question_id] for *_, question_id in fresh}, ())


def clear(session: Session, learner_id: int, question_id: int) -> None:
    """Take a question off the learner's mistakes."""
    session.connection().execute(queries.CLEAR_MISTAKE, {"whose_id": learner_id, "which_id": question_id})


@dataclass(frozen=True)
class ShownMistake:
    """A mistake with its right answer and explanation, in texts: it has no attempt whose names it could use."""

    question: str
    quiz: str
    type: QuestionType
    stem: str
    options: Sequence[str]
    answer: Any
    right_answer: Any
    explanation: str
    source: Mapping[str, str] | None
    wrong_at: datetime


def shown_mistakes(session: Session, mistakes: Sequence[Mistake]) -> list[ShownMistake]:
    """Show mistakes that `queries.visible_mistakes` selected: their time has come."""
    version_ids = {mistake.version_id for mistake in mistakes}
    versions = {version.id: version for version in session.scalars(queries.versions(version_ids))}
    keys = keys_of(session, version_ids)
    asked = select(Question.id, Question.ref).where(Question.id.in_({m.question_id for m in mistakes}))
    refs = dict(session.execute(asked).all())
    quizzes = select(Piece.id, Piece.slug).where(Piece.id.in_({m.piece_id for m in mistakes}))
    slugs = dict(session.execute(quizzes).all())
    return [
        ShownMistake(
            question=refs[mistake.question_id],
            quiz=slugs[mistake.piece_id],
            type=QuestionType(versions[mistake.version_id].content["type"]),
            stem=versions[mistake.version_id].content["stem"],
            options=versions[mistake.version_id].content["options"],
            answer=_in_words(
                versions[mistake.version_id].content, orjson.loads(open_text(session, mistake.answer))
            ),
            right_answer=_in_words(versions[mistake.version_id].content, keys[mistake.version_id]["correct"]),
            explanation=keys[mistake.version_id]["explanation"],
            source=keys[mistake.version_id]["source"],
            wrong_at=mistake.wrong_at,
        )
        for mistake in mistakes
    ]


def _in_words(content: Mapping[str, Any], answer: Any) -> Any:
    """Return option indices as the options' texts; anything else as it is."""
    if content["type"] in {QuestionType.SINGLE, QuestionType.MULTIPLE}:
        return [content["options"][index] for index in answer]
    return answer
