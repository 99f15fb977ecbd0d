"""What was answered in an attempt, question by question, in clear."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import orjson
from sqlalchemy.orm import Session

from edu_platform.people.operations import open_texts
from edu_platform.quizzes import queries
from edu_platform.quizzes.models import Attempt
from edu_platform.quizzes.operations import known
from edu_platform.quizzes.rules import questions
from edu_platform.quizzes.rules.papers import QuizRules
from edu_platform.quizzes.rules.questions import QuestionType


@dataclass(frozen=True)
class Answered:
    """One question of an attempt; `chosen` is the answer in clear, `kept` as its row has it, points None while it may change.

    With a `key` it was judged by that just now.
    """

    seed: bytes
    number: int
    version: known.Version
    rules: QuizRules
    chosen: Any = None
    saved_at: datetime | None = None
    points: int | None = None
    correct: bool | None = None
    kept: str | None = None
    key: Mapping[str, Any] | None = None

    @property
    def is_frozen(self) -> bool:
        """Say whether this answer has been judged and can no longer change."""
        return self.points is not None

    @property
    def canonical(self) -> str | None:
        """Return the answer as it is compared and kept; what was typed is sealed first."""
        return None if self.chosen is None else orjson.dumps(self.chosen).decode()

    @property
    def typed(self) -> str | None:
        """Return the same where it is in the learner's own words, which may hold anything, a telephone number for one."""
        return self.canonical if self.version.content["type"] == QuestionType.FILL_IN else None

    def judged(self, key: Mapping[str, Any]) -> Answered:
        """Return it judged and frozen."""
        points, partial = self.rules.points, self.rules.partial_credit
        verdict = questions.score(self.version.content, key, self.chosen, points=points, partial=partial)
        return replace(self, points=verdict.points, correct=verdict.correct, key=key)


def answered_of(session: Session, attempt: Attempt) -> list[Answered]:
    """Return what was answered in an attempt so far, in its order."""
    rules = known.rules_of(session, attempt)
    rows = session.connection().execute(queries.ANSWERS_OF, {"whole_attempt_id": attempt.id}).all()
    versions = known.versions_by_id(session, {row.version_id for row in rows})
    opened = iter(open_texts(session, [row.answer for row in rows if row.answer is not None]))
    return [
        Answered(
            attempt.seed,
            row.number,
            versions[row.version_id],
            rules,
            None if row.answer is None else orjson.loads(next(opened)),
            row.saved_at,
            row.points,
            row.correct,
            row.answer,
        )
        for row in rows
    ]
