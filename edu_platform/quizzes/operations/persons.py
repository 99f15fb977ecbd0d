"""What this room holds of a person: their copy, forgetting them, and a visitor who turned out to be a learner."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from edu_platform.core.clock import now, timestamp
from edu_platform.people.registry import Holding
from edu_platform.people.signals import Merged
from edu_platform.quizzes import queries
from edu_platform.quizzes.models import (
    Attempt,
    AttemptAnswer,
    AttemptSlot,
    AttemptState,
    Mistake,
    Paper,
    Standing,
)
from edu_platform.quizzes.operations.attempts import count_attempt, submit
from edu_platform.quizzes.operations.claims import lock_standing, take_slot
from edu_platform.quizzes.operations.mistakes import shown_mistakes
from edu_platform.quizzes.operations.results import shown_attempt
from edu_platform.quizzes.rules.questions import QuestionType


def _attempts(session: Session, learner_id: int) -> list[Attempt]:
    return list(session.scalars(select(Attempt).where(Attempt.learner_id == learner_id).order_by(Attempt.id)))


def export(session: Session, learner_id: int) -> dict[str, Any]:
    """Return the learner's attempts and mistakes; what may not be told yet is not told here either."""
    at = now()
    return {
        "attempts": [_exported(session, attempt, at) for attempt in _attempts(session, learner_id)],
        "mistakes": [
            {"question": m.question, "quiz": m.quiz, "answer": m.answer, "wrong_at": timestamp(m.wrong_at)}
            for m in shown_mistakes(session, session.scalars(queries.visible_mistakes(learner_id, at)).all())
        ],
    }


def _exported(session: Session, attempt: Attempt, at: datetime) -> dict[str, Any]:
    shown = shown_attempt(session, attempt, at=at)
    return {
        "id": str(shown.id),
        "quiz": shown.quiz,
        "practice": shown.practice,
        "elder": shown.elder,
        "channel": attempt.channel.value,
        "campaign_code": attempt.campaign_code,
        "channel_code": attempt.channel_code,
        "started_at": timestamp(shown.started_at),
        "submitted_at": shown.submitted_at and timestamp(shown.submitted_at),
        "score": shown.score,
        "max_score": shown.max_score,
        "passed": shown.passed,
        "answers": [
            {
                "stem": question.stem,
                "answer": _in_words(question.answer, {o.id: o.text for o in question.options}),
            }
            for question in shown.questions
        ],
    }


def _in_words(answer: Any, options: dict[str, str]) -> Any:
    if isinstance(answer, list):
        return [options.get(part, part) for part in answer]
    return options.get(answer, answer) if isinstance(answer, str) else answer


def erase(session: Session, learner_id: int) -> None:
    """Cut what ties attempts to the learner, keeping what item statistics count; unfinished attempts go.

    What was typed into blanks goes too: a person may have written anything there.
    """
    for attempt in _attempts(session, learner_id):
        if attempt.state is AttemptState.IN_PROGRESS:
            session.execute(delete(AttemptAnswer).where(AttemptAnswer.attempt_id == attempt.id))
            session.delete(attempt)
            continue
        rows = session.scalars(queries.answers(attempt.id)).all()
        versions = session.scalars(queries.versions({row.version_id for row in rows})).all()
        typed = {v.id for v in versions if v.content["type"] == QuestionType.FILL_IN}
        for row in rows:
            if row.version_id in typed:
                row.answer = None
        attempt.learner_id = None
        attempt.client_id = f"erased-{attempt.id}"
    session.flush()
    for table in (Mistake, Standing, AttemptSlot):
        session.execute(delete(table).where(table.learner_id == learner_id))


HOLDING = Holding("quizzes", frozenset({"attempt", "attempt_slot", "standing", "mistake"}), export, erase)


def absorb_visitor(session: Session, news: Merged) -> None:
    """Give the learner what they did as a visitor: attempts, places taken, standing, mistakes. Hears `learner_merged`."""
    learner_id, visitor_id = news.learner_id, news.visitor_id
    own = _attempts(session, learner_id)
    taken = {attempt.client_id for attempt in own}
    busy = {attempt.piece_id for attempt in own if attempt.state is AttemptState.IN_PROGRESS}
    moved: set[int] = set()
    for attempt in _attempts(session, visitor_id):
        if attempt.piece_id is not None:
            moved.add(attempt.piece_id)
        if attempt.state is AttemptState.IN_PROGRESS and attempt.piece_id in busy:
            submit(session, attempt, at=now())  # only one may be in progress: the learner's own goes on
    session.execute(delete(Standing).where(Standing.learner_id == visitor_id))
    for attempt in _attempts(session, visitor_id):
        if attempt.client_id in taken:
            attempt.client_id = f"merged-{attempt.id}"
        attempt.learner_id = learner_id
    session.flush()
    for slot in session.scalars(
        select(AttemptSlot).where(AttemptSlot.learner_id == visitor_id).order_by(AttemptSlot.id)
    ).all():
        take_slot(session, learner_id, slot.piece_id, period=slot.period, limit=None)
        session.delete(slot)
    for piece_id in sorted(moved):
        _recount(session, learner_id, piece_id)
    known = set(session.scalars(select(Mistake.question_id).where(Mistake.learner_id == learner_id)))
    for mistake in session.scalars(select(Mistake).where(Mistake.learner_id == visitor_id)).all():
        if mistake.question_id in known:
            session.delete(mistake)
        else:
            mistake.learner_id = learner_id
    session.flush()


def _recount(session: Session, learner_id: int, piece_id: int) -> None:
    """Find again which of the learner's attempts counts, in the order in which they were submitted."""
    standing = lock_standing(session, learner_id, piece_id)
    standing.attempt_id = standing.share = standing.score = standing.max_score = None
    standing.submitted_at = standing.passed_at = None
    done = (
        select(Attempt, Paper.counts)
        .join(Paper, Paper.id == Attempt.paper_id)
        .where(
            Attempt.learner_id == learner_id,
            Attempt.piece_id == piece_id,
            Attempt.state == AttemptState.SUBMITTED,
        )
        .order_by(Attempt.submitted_at, Attempt.id)
    )
    for attempt, counts in session.execute(done):
        count_attempt(standing, attempt, counts)
    session.flush()
