"""What learners do with quizzes: begin, answer, submit, see how it went, rank, practise their mistakes.

Everything here is for signed-in learners and visitors alike; only ranking needs a signed-in one. Another
learner's attempt does not exist.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from flask import Response

from edu_platform.core.clock import now
from edu_platform.core.db import reading, writing
from edu_platform.core.paging import Page, decode_cursor, encode_cursor
from edu_platform.core.schemas import PageArguments
from edu_platform.core.web import blueprint, raise_trouble
from edu_platform.people import guards
from edu_platform.quizzes import operations, queries
from edu_platform.quizzes.errors import TimeOver
from edu_platform.quizzes.models import Attempt, Mistake
from edu_platform.quizzes.schemas import (
    AnswerGiven,
    AttemptList,
    AttemptStart,
    AttemptView,
    BoardView,
    MistakeList,
    PracticeStart,
    QuestionView,
    on_wire,
)

quizzes = blueprint("quizzes", prefix="/quizzes", description="问答：开始答题、我的记录、排行榜")
attempts = blueprint("attempts", prefix="/attempts", description="答题：续答、保存、交卷、成绩")
mistakes = blueprint("mistakes", prefix="/me/mistakes", description="我的错题与重练")

_ATTEMPT = "/<int(max=9223372036854775807):attempt_id>"


def _sent(shown: Any, status: int = 200) -> Response:
    return Response(on_wire(shown), status, mimetype="application/json")


def _touched(attempt_id: int, at: datetime) -> Attempt:
    """Return the learner's own attempt; one whose time is over is submitted first."""
    learner_id = guards.current_learner_id()
    attempt = operations.own_attempt(reading(), learner_id, attempt_id)
    if operations.is_over(attempt, at):
        with writing() as session:
            attempt = operations.submit_if_over(
                session, operations.own_attempt(session, learner_id, attempt_id), at=at
            )
    return attempt


@quizzes.post("/<slug>/attempts")
@guards.learner
@quizzes.arguments(AttemptStart)
@quizzes.response(201, AttemptView)
@quizzes.alt_response(200, schema=AttemptView, description="此前已开始的同一次答题")
def start_attempt(wanted: dict[str, Any], slug: str) -> Response:
    """Begin an attempt, or get back the one that is in progress; for signed-in learners and visitors."""
    at = now()
    with writing() as session:
        started = operations.start_attempt(session, guards.current_learner(), slug, at=at, **wanted)
        shown = operations.shown_attempt(session, started.attempt, at=at, answered=started.answered)
    return _sent(shown, 201 if started.is_new else 200)


@quizzes.get("/<slug>/attempts")
@guards.learner
@quizzes.arguments(PageArguments, location="query")
@quizzes.response(200, AttemptList)
def list_attempts(wanted: dict[str, Any], slug: str) -> Page[Any]:
    """List one's own attempts at a quiz, newest first."""
    session, at = reading(), now()
    piece = operations.quiz_of(session, slug)
    own = queries.own_attempts(guards.current_learner_id(), piece.id)
    if wanted["cursor"]:
        own = own.where(Attempt.id < decode_cursor(wanted["cursor"], int)[0])
    limit = wanted["limit"]
    found = session.scalars(own.limit(limit + 1)).all()
    over = [attempt.id for attempt in found[:limit] if operations.is_over(attempt, at)]
    items = [_touched(a.id, at) if a.id in over else a for a in found[:limit]]
    cursor = encode_cursor(found[limit - 1].id) if len(found) > limit else None
    return Page([operations.shown_attempt(reading(), a, at=at, whole=False) for a in items], cursor)


@quizzes.get("/<slug>/leaderboard")
@guards.learner
@quizzes.arguments(PageArguments, location="query")
@quizzes.response(200, BoardView)
def get_leaderboard(wanted: dict[str, Any], slug: str) -> Any:
    """Show a quiz's leaderboard: made-up names of those who agreed, the rule of its order, one's own place."""
    session, at = reading(), now()
    paper = operations.open_paper(session, slug, at)
    return operations.leaderboard(
        session, paper, guards.current_learner(), at=at, cursor=wanted["cursor"], limit=wanted["limit"]
    )


@attempts.get(_ATTEMPT)
@guards.learner
@attempts.response(200, AttemptView)
def get_attempt(attempt_id: int) -> Response:
    """Resume an attempt: the same questions in the same order, what was saved, and the time left."""
    at = now()
    return _sent(operations.shown_attempt(reading(), _touched(attempt_id, at), at=at))


@attempts.put(f"{_ATTEMPT}/answers/<int(min=1,max=100):number>")
@guards.learner
@attempts.arguments(AnswerGiven)
@attempts.response(200, QuestionView)
def save_answer(given: dict[str, Any], attempt_id: int, number: int) -> Response:
    """Save an answer; where the quiz says so, it is judged at once and cannot change."""
    raise_trouble()
    at, learner_id = now(), guards.current_learner_id()
    with writing() as session:
        saved = operations.save_answer(session, learner_id, attempt_id, number, given["answer"], at=at)
    if saved is None:
        # refused only now, so that the submission of what was saved in time stands
        raise TimeOver("答题时间已到，已按之前保存的答案交卷。")
    return _sent(operations.shown_answer(saved))


@attempts.post(f"{_ATTEMPT}/submit")
@guards.learner
@attempts.response(200, AttemptView)
def submit_attempt(attempt_id: int) -> Response:
    """Submit an attempt; doing it again gives the same result."""
    at, learner_id = now(), guards.current_learner_id()
    with writing() as session:
        attempt, answered = operations.submit_own(session, learner_id, attempt_id, at=at)
        shown = operations.shown_result(session, attempt, at=at, answered=answered)
    return _sent(shown)


@attempts.get(f"{_ATTEMPT}/result")
@guards.learner
@attempts.response(200, AttemptView)
def get_result(attempt_id: int) -> Response:
    """Show how a submitted attempt went, as far as it may be told by now."""
    at = now()
    return _sent(operations.shown_result(reading(), _touched(attempt_id, at), at=at))


@mistakes.get("")
@guards.learner
@mistakes.arguments(PageArguments, location="query")
@mistakes.response(200, MistakeList)
def list_mistakes(wanted: dict[str, Any]) -> Page[Any]:
    """List the questions that one answered wrongly, with right answer and explanation, latest first."""
    session, limit = reading(), wanted["limit"]
    own = queries.visible_mistakes(guards.current_learner_id(), now())
    if wanted["cursor"]:
        own = own.where(queries.older_mistakes(*decode_cursor(wanted["cursor"], datetime, int)))
    found: list[Mistake] = list(session.scalars(own.limit(limit + 1)).all())
    more = len(found) > limit
    cursor = encode_cursor(found[limit - 1].wrong_at, found[limit - 1].id) if more else None
    return Page(operations.shown_mistakes(session, found[:limit]), cursor)


@mistakes.post("/practice")
@guards.learner
@mistakes.arguments(PracticeStart)
@mistakes.response(201, AttemptView)
@mistakes.alt_response(200, schema=AttemptView, description="此前已开始的同一次重练")
def practise(wanted: dict[str, Any]) -> Response:
    """Practise one's own mistakes: every verdict comes at once, a right answer clears the mistake, nothing counts."""
    at = now()
    with writing() as session:
        started = operations.practise(session, guards.current_learner(), at=at, **wanted)
        shown = operations.shown_attempt(session, started.attempt, at=at, answered=started.answered)
    return _sent(shown, 201 if started.is_new else 200)
