"""How the questions of a quiz behave, for staff."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import orjson
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from edu_platform.quizzes import queries
from edu_platform.quizzes.models import Attempt, AttemptState, Question, QuestionVersion
from edu_platform.quizzes.operations.questions import keys_of
from edu_platform.quizzes.rules import items
from edu_platform.quizzes.rules.questions import QuestionType


@dataclass(frozen=True)
class OptionCount:
    """How often one option (or true, or false) was chosen; a multiple answer counts for each of its options."""

    text: str
    correct: bool
    chosen: int


@dataclass(frozen=True)
class Item:
    """One version of a question in one quiz, over every submitted attempt, practice left out.

    `shown` attempts had it, `answered` of them gave an answer, `right` were wholly right. `difficulty` is
    right / shown; `discrimination` the point-biserial correlation with the rest of the score; `mean_points` is
    per attempt that had it.
    """

    question: str
    version: int
    type: str
    stem: str
    shown: int
    answered: int
    right: int
    difficulty: float | None
    discrimination: float | None
    mean_points: float
    options: Sequence[OptionCount]


@dataclass(frozen=True)
class Statistics:
    """A quiz as a whole, and its questions in the order of their refs."""

    quiz: str
    attempts: int
    passed: int
    mean_share: float | None
    items: Sequence[Item]


def quiz_statistics(session: Session, piece_id: int, slug: str) -> Statistics:
    """Return the item statistics of a quiz over all of its revisions; erased learners' attempts count on."""
    done = (Attempt.piece_id == piece_id, Attempt.state == AttemptState.SUBMITTED)
    attempts, mean_share = session.execute(select(func.count(), func.avg(Attempt.share)).where(*done)).one()
    passed = session.scalars(select(func.count()).where(*done, Attempt.passed.is_(True))).one()
    sums = session.execute(queries.item_sums(piece_id)).all()
    ids = [row[0] for row in sums]
    named = {
        version.id: (ref, version)
        for version, ref in session.execute(
            select(QuestionVersion, Question.ref)
            .join(Question, Question.id == QuestionVersion.question_id)
            .where(QuestionVersion.id.in_(ids))
        )
    }
    keys = keys_of(session, ids)
    choices = [i for i in ids if named[i][1].content["type"] != QuestionType.FILL_IN]
    counts: dict[int, Counter[Any]] = defaultdict(Counter)
    for version_id, answer, often in session.execute(queries.answer_counts(piece_id, choices)):
        kept = orjson.loads(answer or "null")
        for part in kept if isinstance(kept, list) else [kept]:
            counts[version_id][part] += often
    found = []
    for version_id, shown, answered, right, rest, squared, both, points in sums:
        ref, version = named[version_id]
        found.append(
            Item(
                question=ref,
                version=version.number,
                type=version.content["type"],
                stem=version.content["stem"],
                shown=shown,
                answered=answered,
                right=right,
                difficulty=items.difficulty(shown, right),
                discrimination=items.discrimination(
                    shown, right, int(rest or 0), int(squared or 0), int(both)
                ),
                mean_points=int(points or 0) / shown,
                options=_options(version.content, keys[version_id]["correct"], counts[version_id]),
            )
        )
    found.sort(key=lambda item: (item.question, item.version))
    share = None if mean_share is None else float(mean_share) / 10_000
    return Statistics(slug, attempts, passed, share, found)


def _options(content: dict[str, Any], correct: Any, counts: Counter[Any]) -> list[OptionCount]:
    if content["type"] == QuestionType.TRUE_FALSE:
        return [
            OptionCount("正确", correct is True, counts[True]),
            OptionCount("错误", correct is False, counts[False]),
        ]
    return [
        OptionCount(text, index in correct, counts[index]) for index, text in enumerate(content["options"])
    ]
