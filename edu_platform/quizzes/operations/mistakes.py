"""A learner's own mistakes: noted at submission, shown when their time has come, cleared by a right answer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import orjson
from sqlalchemy import select, update
from sqlalchemy.orm import Session

from edu_platform.library.models import Piece
from edu_platform.people.operations import open_text
from edu_platform.quizzes import queries
from edu_platform.quizzes.models import Attempt, AttemptAnswer, Mistake, Question, Standing
from edu_platform.quizzes.operations.claims import claim
from edu_platform.quizzes.operations.known import Version
from edu_platform.quizzes.operations.questions import keys_of
from edu_platform.quizzes.rules.papers import QuizRules
from edu_platform.quizzes.rules.questions import QuestionType
from edu_platform.quizzes.rules.reveal import Reveal, may_see_answers


def note_outcomes(
    session: Session,
    attempt: Attempt,
    rows: Sequence[AttemptAnswer],
    *,
    versions: Mapping[int, Version],
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
    # one order for everybody, so that two submissions of one learner never wait for each other
    for row in sorted(rows, key=lambda row: versions[row.version_id].question_id):
        question_id = versions[row.version_id].question_id
        if row.answer is None:
            continue
        if row.correct and told:
            clear(session, learner_id, question_id)
        elif not row.correct and piece_id is not None and rules.reveal is not Reveal.NEVER:
            visible_from = at if told else (None if rules.reveal is Reveal.AFTER_PASS else rules.closes_at)
            _note(session, learner_id, piece_id, question_id, row, visible_from=visible_from, at=at)
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


def clear(session: Session, learner_id: int, question_id: int) -> None:
    """Take a question off the learner's mistakes."""
    session.connection().execute(queries.CLEAR_MISTAKE, {"whose_id": learner_id, "which_id": question_id})


def _note(
    session: Session,
    learner_id: int,
    piece_id: int,
    question_id: int,
    row: AttemptAnswer,
    *,
    visible_from: datetime | None,
    at: datetime,
) -> None:
    values = {
        "version_id": row.version_id,
        "piece_id": piece_id,
        "answer": row.answer,
        "wrong_at": at,
        "visible_from": visible_from,
    }
    if claim(session, Mistake, learner_id=learner_id, question_id=question_id, **values):
        return
    known = session.scalars(
        select(Mistake)
        .where(Mistake.learner_id == learner_id, Mistake.question_id == question_id)
        .with_for_update()
        .execution_options(populate_existing=True)
    ).one()
    shown = known.visible_from is not None and known.visible_from <= at
    if shown and visible_from != at:
        return  # what may be seen already stays as it was: replacing it would tell how the new answer went
    for name, value in values.items():
        setattr(known, name, value)


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
