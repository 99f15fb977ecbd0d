"""Saving an answer: the busiest write of a quiz, one by one or many in one commit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy import Connection
from sqlalchemy.orm import Session

from edu_platform.core import shared_commit
from edu_platform.core.driver import Written
from edu_platform.core.errors import Invalid, NotFound
from edu_platform.people.operations import open_text, seal_text, seal_texts
from edu_platform.quizzes import queries
from edu_platform.quizzes.errors import AlreadySubmitted, AnswerFrozen
from edu_platform.quizzes.models import AttemptState
from edu_platform.quizzes.operations import known
from edu_platform.quizzes.operations.answers import Answered
from edu_platform.quizzes.operations.attempts import own_attempt, submit_if_over
from edu_platform.quizzes.operations.mistakes import clear
from edu_platform.quizzes.rules.papers import QuizRules
from edu_platform.quizzes.rules.reveal import Reveal
from edu_platform.quizzes.rules.wire import decode


def save_answer(
    session: Session, learner_id: int, attempt_id: int, number: int, answer: Any, *, at: datetime
) -> Answered | None:
    """Save an answer (None clears it). Where verdicts come at once, a given answer is judged and frozen.

    After the end nothing is saved and the attempt is submitted: None, for the caller to refuse once that is
    committed. Saving a frozen answer again as it was changes nothing. Raise `NotFound`, `Invalid`,
    `AlreadySubmitted` or `AnswerFrozen`.
    """
    connection = session.connection()
    wanted = {"own_id": attempt_id, "own_learner_id": learner_id, "at": at}
    attempt = connection.execute(queries.ATTEMPT_TO_ANSWER, wanted).first()
    if (
        attempt is None
    ):  # not theirs, or over: whoever submits locks the standing first, so it is not locked yet
        over = submit_if_over(session, own_attempt(session, learner_id, attempt_id), at=at)
        if over.state is AttemptState.IN_PROGRESS:
            raise NotFound("没有这次答题。")  # it became theirs only now
        return None
    if attempt.state is AttemptState.SUBMITTED:
        if attempt.timed_out:
            return None
        raise AlreadySubmitted("已经交卷，不能再改答案。")
    place = {"place_attempt_id": attempt_id, "place_number": number}
    row = connection.execute(queries.ANSWER_AT, place).first()
    if row is None:
        raise NotFound("这次答题没有这一题。")
    version = known.versions_by_id(session, [row.version_id])[row.version_id]
    rules = known.rules_by_paper(session, attempt.paper_id)
    key = known.keys_by_id(session, [version.id])[version.id] if rules.reveal is Reveal.AFTER_EACH else None
    answered = _answered(attempt.seed, number, answer, version=version, rules=rules, key=key, at=at)
    if row.points is not None:
        # Only what was typed is ever sealed; anything else comes back as it is.
        if answered.canonical != (row.answer and open_text(session, row.answer)):
            raise AnswerFrozen("这道题已经判过，不能再改。")
        return replace(answered, saved_at=row.saved_at, points=row.points, correct=row.correct)
    typed = answered.typed
    values = {
        "answer": answered.canonical if typed is None else seal_text(session, learner_id, typed),
        "saved_at": answered.saved_at,
        "points": answered.points,
        "correct": answered.correct,
    }
    connection.execute(queries.SAVE_ANSWER, {**place, **values})
    if answered.correct and attempt.piece_id is None:
        clear(session, learner_id, version.question_id)
    return answered


def _answered(
    seed: bytes,
    number: int,
    answer: Any,
    *,
    version: known.Version,
    rules: QuizRules,
    key: Mapping[str, Any] | None,
    at: datetime,
) -> Answered:
    """Return what an answer comes to; with a `key` one that is given is judged at once. Raise `Invalid`."""
    chosen = decode(version.content, seed, number, answer)
    if chosen is None:
        return Answered(seed, number, version, rules)
    answered = Answered(seed, number, version, rules, chosen, at)
    return answered if key is None else answered.judged(key)


@dataclass(frozen=True, slots=True)
class Saving:
    """An answer to be saved for the bearer of a token of this generation, as of `at`."""

    learner_id: int
    generation: int
    attempt_id: int
    number: int
    answer: Any
    at: datetime


@dataclass(frozen=True, slots=True)
class Saved:
    """What became of it; nothing was written where there is no `answered`: it is for `save_answer` to say why."""

    answered: Answered | None = None


class SavedTogether(shared_commit.SharedCommit[Saving, Saved]):
    """Saves answers of many threads in one commit."""

    def write(self, together: Sequence[Saving]) -> list[Saved]:
        """Save those that are in order."""
        with self._engine.connect().execution_options(writing=True) as connection, connection.begin():
            return save_together(connection, together)


_PLACE = (
    "SELECT attempt.paper_id, attempt.seed, attempt_answer.version_id"
    " FROM attempt JOIN learner ON learner.id = attempt.learner_id"
    " JOIN attempt_answer ON attempt_answer.attempt_id = attempt.id"
    " WHERE attempt.id = ? AND attempt.learner_id = ? AND attempt.piece_id IS NOT NULL"
    " AND attempt.state = 'in_progress' AND (attempt.ends_at IS NULL OR attempt.ends_at >= ?)"
    " AND learner.generation = ? AND learner.erased_at IS NULL AND learner.merged_into_id IS NULL"
    " AND attempt_answer.number = ? AND attempt_answer.points IS NULL"
)
_SAVE = (
    "UPDATE attempt_answer SET answer = ?, saved_at = ?, points = ?, correct = ?"
    " WHERE attempt_id = ? AND number = ?"
)


def save_together(connection: Connection, savings: Sequence[Saving]) -> list[Saved]:
    """Save what is in order of several answers, by what this process knows of papers. The caller commits.

    In order is an answer that `save_answer` would save for a learner whose token still holds, to a question of
    theirs that is neither over nor frozen nor practice, and that nobody else here answers too.
    """
    sql = Written(connection)
    if not sql.sqlite:  # in one order, so that two of these never wait for each other; SQLite has one writer
        sql.rows(
            f"SELECT id FROM attempt WHERE {sql.among('id')} ORDER BY id FOR UPDATE",  # noqa: S608 - fixed text
            (sql.listed(sorted({one.attempt_id for one in savings})),),
        )
    here = known.here(connection.engine)
    taken: dict[tuple[int, int], tuple[Saving, Answered]] = {}
    found: list[Saved] = []
    for one in savings:
        place = one.attempt_id, one.number
        answered = None if place in taken else _in_order(sql, here, one)
        if answered is not None:
            taken[place] = one, answered
        found.append(Saved(answered))
    typed = {
        place: (one.learner_id, words)
        for place, (one, answered) in taken.items()
        if (words := answered.typed) is not None
    }
    sealed = dict(zip(typed, seal_texts(connection, list(typed.values())), strict=True))
    rows = [
        (
            sealed.get(place, answered.canonical),
            answered.saved_at and sql.moment(answered.saved_at),
            answered.points,
            answered.correct,
            *place,
        )
        for place, (_, answered) in taken.items()
    ]
    if rows and sql.many(_SAVE, rows) != len(rows):
        raise RuntimeError("an answer that was there is not")
    return found


def _in_order(sql: Written, here: known.Here, one: Saving) -> Answered | None:
    place = (one.attempt_id, one.learner_id, sql.moment(one.at), one.generation, one.number)
    for paper_id, seed, version_id in sql.rows(_PLACE, place):
        version, rules = here.versions.get(version_id), here.rules.get(paper_id)
        if version is None or rules is None:
            return None
        at_once = rules.reveal is Reveal.AFTER_EACH
        key = here.keys.get(version_id) if at_once else None
        if at_once and key is None:
            return None
        try:
            return _answered(seed, one.number, one.answer, version=version, rules=rules, key=key, at=one.at)
        except Invalid:
            return None
    return None
