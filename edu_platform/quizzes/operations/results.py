"""What a learner may see of an attempt at a given moment. Every answer to a learner is built here.

Keys are read only for the questions whose time has come by `rules.reveal`, scores are copied only then:
what is not in these values cannot slip out through a schema.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from edu_platform.core.clock import now
from edu_platform.core.errors import NotFound
from edu_platform.library.meta import slug_reason
from edu_platform.library.models import Piece
from edu_platform.quizzes.errors import NotSubmitted
from edu_platform.quizzes.models import Attempt, AttemptState, Standing
from edu_platform.quizzes.operations import known
from edu_platform.quizzes.operations.answers import Answered, answered_of
from edu_platform.quizzes.rules import chance, times
from edu_platform.quizzes.rules.questions import QuestionType
from edu_platform.quizzes.rules.reveal import Reveal, may_see_answer, may_see_answers, may_see_score
from edu_platform.quizzes.rules.wire import encode


@dataclass(frozen=True)
class ShownOption:
    """An option under the name that this attempt gives it."""

    id: str
    text: str


@dataclass(frozen=True)
class ShownVerdict:
    """How one answer was judged, and why; exists only when its time has come.

    `right_answer` is shaped like an answer; for a fill-in, a list of accepted texts per blank.
    `notes` say of an option (by id) why it is wrong.
    """

    correct: bool
    points: int
    max_points: int
    right_answer: Any
    explanation: str
    notes: Sequence[Mapping[str, str]]
    source: Mapping[str, str] | None


@dataclass(frozen=True)
class ShownQuestion:
    """One question of an attempt, as the learner sees it now."""

    number: int
    type: QuestionType
    stem: str
    options: Sequence[ShownOption]
    blanks: int
    points: int
    answer: Any
    saved_at: datetime | None
    verdict: ShownVerdict | None


@dataclass(frozen=True)
class ShownAttempt:
    """An attempt, as its learner sees it now; score and passed are None until their time has come."""

    id: str
    quiz: str | None
    practice: bool
    state: str
    elder: bool
    started_at: datetime
    deadline_at: datetime | None
    remaining_ms: int | None
    submitted_at: datetime | None
    timed_out: bool
    duration_ms: int | None
    max_score: int
    pass_mark: int
    score: int | None
    passed: bool | None
    reveal: str
    answers_shown: bool
    results_at: datetime | None
    questions: Sequence[ShownQuestion]


def shown_attempt(
    session: Session,
    attempt: Attempt,
    *,
    at: datetime,
    whole: bool = True,
    answered: Sequence[Answered] | None = None,
) -> ShownAttempt:
    """Return what the attempt's learner may see of it at `at`; without its questions where not `whole`.

    Whoever has just written what was `answered` hands it over, so that it is not read again.
    """
    rules = known.rules_of(session, attempt)
    submitted = attempt.state is AttemptState.SUBMITTED
    scored = may_see_score(rules.reveal, submitted=submitted, closes_at=rules.closes_at, at=at)
    told = may_see_answers(
        rules.reveal,
        submitted=submitted,
        passed=rules.reveal is Reveal.AFTER_PASS and _has_passed(session, attempt),
        closes_at=rules.closes_at,
        at=at,
    )
    return ShownAttempt(
        id=str(attempt.id),
        quiz=None if attempt.piece_id is None else known.slug_of(session, attempt.piece_id),
        practice=attempt.is_practice,
        state=attempt.state.value,
        elder=attempt.elder,
        started_at=attempt.started_at,
        deadline_at=attempt.deadline_at,
        remaining_ms=None if submitted else times.remaining_ms(attempt.deadline_at, at),
        submitted_at=attempt.submitted_at,
        timed_out=attempt.timed_out,
        duration_ms=attempt.duration_ms,
        max_score=attempt.max_score,
        pass_mark=rules.pass_mark,
        score=attempt.score if scored else None,
        passed=attempt.passed if scored else None,
        reveal=rules.reveal.value,
        answers_shown=told,
        results_at=rules.closes_at if submitted and not scored else None,
        questions=_questions(session, answered or answered_of(session, attempt), told=told) if whole else (),
    )


def shown_result(
    session: Session, attempt: Attempt, *, at: datetime, answered: Sequence[Answered] | None = None
) -> ShownAttempt:
    """Return the same once it is submitted; raise `NotSubmitted` before."""
    if attempt.state is not AttemptState.SUBMITTED:
        raise NotSubmitted("还没有交卷，交卷后才有成绩。")
    return shown_attempt(session, attempt, at=at, answered=answered)


def shown_answer(answered: Answered) -> ShownQuestion:
    """Return the question whose answer has been saved, with its verdict where that comes at once."""
    told = may_see_answer(answered.rules.reveal, frozen=answered.is_frozen)
    return _question(answered, key=answered.key if told else None)


def quiz_of(session: Session, slug: str) -> Piece:
    """Return a quiz that learners have ever seen, withdrawn ones too; NotFound otherwise."""
    if slug_reason(slug):
        raise NotFound("没有这份问答。")
    piece = session.scalar(
        select(Piece).where(Piece.slug == slug, Piece.kind == "quiz", Piece.first_published_at <= now())
    )
    if piece is None:
        raise NotFound("没有这份问答。")
    return piece


def _has_passed(session: Session, attempt: Attempt) -> bool:
    if attempt.learner_id is None or attempt.piece_id is None:
        return False
    passed_at = session.scalar(
        select(Standing.passed_at).where(
            Standing.learner_id == attempt.learner_id, Standing.piece_id == attempt.piece_id
        )
    )
    return passed_at is not None


def _questions(session: Session, answered: Sequence[Answered], *, told: bool) -> list[ShownQuestion]:
    visible = {
        one.version.id for one in answered if told or may_see_answer(one.rules.reveal, frozen=one.is_frozen)
    }
    keys = known.keys_by_id(session, visible) if visible else {}
    return [_question(one, key=keys.get(one.version.id)) for one in answered]


def _question(shown: Answered, *, key: Mapping[str, Any] | None) -> ShownQuestion:
    content, rules, texts = shown.version.content, shown.rules, shown.version.content["options"]
    order = chance.option_order(shown.seed, shown.number, len(texts), shuffle=rules.shuffle_options)
    return ShownQuestion(
        number=shown.number,
        type=QuestionType(content["type"]),
        stem=content["stem"],
        options=[ShownOption(chance.option_id(shown.seed, shown.number, i), texts[i]) for i in order],
        blanks=content["blanks"],
        points=rules.points,
        answer=encode(content, shown.seed, shown.number, shown.chosen),
        saved_at=shown.saved_at,
        verdict=None if key is None else _verdict(shown, key),
    )


def _verdict(shown: Answered, key: Mapping[str, Any]) -> ShownVerdict:
    content = shown.version.content
    fill_in = content["type"] == QuestionType.FILL_IN
    return ShownVerdict(
        correct=bool(shown.correct),
        points=shown.points or 0,
        max_points=shown.rules.points,
        right_answer=key["correct"] if fill_in else encode(content, shown.seed, shown.number, key["correct"]),
        explanation=key["explanation"],
        notes=[
            {"id": chance.option_id(shown.seed, shown.number, index), "text": why}
            for index, why in enumerate(key["whys"])
            if why
        ],
        source=key["source"],
    )
