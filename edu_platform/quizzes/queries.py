"""Selections of questions, attempts, standings and mistakes."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Integer,
    Select,
    and_,
    bindparam,
    case,
    cast,
    delete,
    func,
    or_,
    select,
    update,
)

from edu_platform.core.models import UTCDateTime
from edu_platform.library.models import CatalogueEntry
from edu_platform.library.queries import is_visible
from edu_platform.people.models import Learner, LearnerKind, Purpose
from edu_platform.people.queries import with_consent
from edu_platform.people.rules import PURPOSES
from edu_platform.quizzes.models import (
    Attempt,
    AttemptAnswer,
    AttemptState,
    Mistake,
    Paper,
    Question,
    QuestionBank,
    QuestionKey,
    QuestionVersion,
    Standing,
)
from edu_platform.quizzes.rules.papers import Counts
from edu_platform.quizzes.rules.reveal import Reveal


def latest_versions(
    *,
    refs: Collection[str] | None = None,
    banks: Collection[str] | None = None,
    retired: bool | None = False,
) -> Select[Question, QuestionVersion, str]:
    """Select questions with their newest version and the name of their bank, in the order of their refs.

    Those in use by default; with `retired` those that are not, with None both.
    """
    found = (
        select(Question, QuestionVersion, QuestionBank.name)
        .join(
            QuestionVersion,
            and_(QuestionVersion.question_id == Question.id, QuestionVersion.number == Question.latest),
        )
        .join(QuestionBank, QuestionBank.id == Question.bank_id)
        .order_by(Question.ref)
    )
    if retired is not None:
        found = found.where(Question.retired_at.is_not(None) if retired else Question.retired_at.is_(None))
    if refs is not None:
        found = found.where(Question.ref.in_(refs))
    if banks is not None:
        found = found.where(QuestionBank.name.in_(banks))
    return found


def filtered_questions(
    *,
    bank: str | None,
    type_: str | None,
    difficulty: str | None,
    text: str | None,
    after: str | None,
    retired: bool = False,
) -> Select[Question, QuestionVersion, str]:
    """Select newest versions for the staff's list; `text` is looked for in ref and stem, `after` is the last ref seen."""
    found = latest_versions(banks=None if bank is None else [bank], retired=retired)
    if type_ is not None:
        found = found.where(QuestionVersion.content["type"].as_string() == type_)
    if difficulty is not None:
        found = found.where(QuestionVersion.content["difficulty"].as_string() == difficulty)
    if text:
        found = found.where(
            or_(
                QuestionVersion.content["stem"].as_string().contains(text, autoescape=True),
                Question.ref.contains(text, autoescape=True),
            )
        )
    if after is not None:
        found = found.where(Question.ref > after)
    return found


def versions(ids: Collection[int]) -> Select[QuestionVersion]:
    """Select versions by id; they hold nothing that answers them."""
    return select(QuestionVersion).where(QuestionVersion.id.in_(ids))


def keys(ids: Collection[int]) -> Select[QuestionKey]:
    """Select what answers these versions: to judge, for staff, or after `rules.reveal` was asked."""
    return select(QuestionKey).where(QuestionKey.version_id.in_(ids))


def own_attempt(learner_id: int, attempt_id: int) -> Select[Attempt]:
    """Select an attempt of this learner; somebody else's does not exist."""
    return select(Attempt).where(Attempt.id == attempt_id, Attempt.learner_id == learner_id)


_MISTAKES = Mistake.metadata.tables["mistake"]
CLEAR_MISTAKE = delete(_MISTAKES).where(
    _MISTAKES.c.learner_id == bindparam("whose_id"), _MISTAKES.c.question_id == bindparam("which_id")
)
"""Takes a question off a learner's mistakes."""
_OWN = Attempt.__table__.c
ATTEMPT_TO_ANSWER = (
    select(_OWN.paper_id, _OWN.piece_id, _OWN.state, _OWN.seed, _OWN.timed_out)
    .where(
        _OWN.id == bindparam("own_id"),
        _OWN.learner_id == bindparam("own_learner_id"),
        or_(_OWN.state == AttemptState.SUBMITTED, _OWN.ends_at.is_(None), _OWN.ends_at >= bindparam("at")),
    )
    .with_for_update()
)
"""A learner's own attempt, locked, unless its time is over at `at` and it waits to be submitted."""
BEGUN = (
    select(Attempt)
    .where(
        Attempt.learner_id == bindparam("whose_id"),
        or_(
            Attempt.client_id == bindparam("which_client_id"),
            and_(Attempt.piece_id == bindparam("which_piece_id"), Attempt.state == AttemptState.IN_PROGRESS),
        ),
    )
    .order_by(Attempt.id)
)
"""A learner's attempt that a client's id began, and the one at a quiz that is in progress."""
SHOWN_PAPER = (
    select(Paper.id, Paper.piece_id)
    .join(CatalogueEntry, CatalogueEntry.revision_id == Paper.revision_id)
    .where(
        is_visible(bindparam("at", type_=UTCDateTime)),
        CatalogueEntry.kind == "quiz",
        CatalogueEntry.slug == bindparam("which_slug"),
    )
)
"""The paper of the quiz that learners see."""
_ANSWERS = AttemptAnswer.metadata.tables["attempt_answer"]
_PLACE = _ANSWERS.c
_IS_AT = and_(_PLACE.attempt_id == bindparam("place_attempt_id"), _PLACE.number == bindparam("place_number"))
ANSWER_AT = select(_PLACE.version_id, _PLACE.answer, _PLACE.saved_at, _PLACE.points, _PLACE.correct).where(
    _IS_AT
)
"""One question of an attempt, and what was answered."""
ANSWERS_OF = (
    select(_PLACE.number, _PLACE.version_id, _PLACE.answer, _PLACE.saved_at, _PLACE.points, _PLACE.correct)
    .where(_PLACE.attempt_id == bindparam("whole_attempt_id"))
    .order_by(_PLACE.number)
)
"""All questions of an attempt in their order, and what was answered."""
SAVE_ANSWER = (
    update(_ANSWERS)
    .where(_IS_AT)
    .values({name: bindparam(name) for name in ("answer", "saved_at", "points", "correct")})
)
"""Writes what was answered there."""


def own_attempts(learner_id: int, piece_id: int) -> Select[Attempt]:
    """Select a learner's attempts at a quiz, newest first."""
    return (
        select(Attempt)
        .where(Attempt.learner_id == learner_id, Attempt.piece_id == piece_id)
        .order_by(Attempt.id.desc())
    )


def running(learner_id: int, piece_id: int | None) -> Select[Attempt]:
    """Select a learner's attempt in progress at a quiz (None: their practice)."""
    where = Attempt.piece_id.is_(None) if piece_id is None else Attempt.piece_id == piece_id
    return (
        select(Attempt)
        .where(Attempt.learner_id == learner_id, where, Attempt.state == AttemptState.IN_PROGRESS)
        .order_by(Attempt.id)
    )


def overdue(at: datetime, limit: int) -> Select[int]:
    """Select the ids of attempts whose time is over, those that waited longest first."""
    return (
        select(Attempt.id)
        .where(Attempt.state == AttemptState.IN_PROGRESS, Attempt.ends_at < at)
        .order_by(Attempt.ends_at)
        .limit(limit)
    )


def passes_due(at: datetime, limit: int) -> Select[int]:
    """Select the ids of attempts whose pass may be announced by now."""
    return select(Attempt.id).where(Attempt.pass_due_at <= at).order_by(Attempt.pass_due_at).limit(limit)


def answers(attempt_id: int) -> Select[AttemptAnswer]:
    """Select the questions of an attempt in their order."""
    return select(AttemptAnswer).where(AttemptAnswer.attempt_id == attempt_id).order_by(AttemptAnswer.number)


# Rankings


def _may_rank() -> ColumnElement[bool]:
    """Signed-in learners who consent today to be shown; visitors do not rank."""
    consenting = with_consent(Purpose.LEADERBOARD, PURPOSES[Purpose.LEADERBOARD].version)
    return and_(
        Learner.kind == LearnerKind.IDENTIFIED, Learner.erased_at.is_(None), Learner.id.in_(consenting)
    )


def _told(at: datetime) -> ColumnElement[bool]:
    """Only scores whose time has come: a rank would tell them too."""
    return or_(Paper.reveal != Reveal.AFTER_CLOSE, Paper.closes_at <= at)


def ranked(piece_id: int, at: datetime) -> Select[Standing]:
    """Select the standings that a quiz's leaderboard shows, best first.

    One total order: the higher share of the points, then the earlier submission, then the earlier standing.
    Nobody's duration counts, so that the variant without a time limit ranks as any other.
    """
    return (
        select(Standing)
        .join(Learner, Learner.id == Standing.learner_id)
        .join(Attempt, Attempt.id == Standing.attempt_id)
        .join(Paper, Paper.id == Attempt.paper_id)
        .where(Standing.piece_id == piece_id, _may_rank(), _told(at))
        .order_by(Standing.share.desc(), Standing.submitted_at, Standing.id)
    )


def behind(share: int, submitted_at: datetime, standing_id: int) -> ColumnElement[bool]:
    """Return the condition of standing further down than these keys."""
    return or_(
        Standing.share < share,
        and_(Standing.share == share, Standing.submitted_at > submitted_at),
        and_(Standing.share == share, Standing.submitted_at == submitted_at, Standing.id > standing_id),
    )


def ahead(share: int, submitted_at: datetime, standing_id: int) -> ColumnElement[bool]:
    """Return the condition of standing further up than these keys."""
    return or_(
        Standing.share > share,
        and_(Standing.share == share, Standing.submitted_at < submitted_at),
        and_(Standing.share == share, Standing.submitted_at == submitted_at, Standing.id < standing_id),
    )


def best(
    at: datetime,
    *,
    campaign_code: str | None = None,
    piece_ids: Sequence[int] | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
) -> Select[int, int, int, int, int, datetime]:
    """Select (learner_id, share, score, max_score, quizzes, submitted_at) per learner, unordered.

    Of each quiz the attempt that counts by its own rule (best, last or first) among those of the campaign and of
    pieces begun in [since, until); summed over the quizzes. `share` is in ten-thousandths a quiz, `submitted_at`
    the last of those counted. Only learners who may be ranked, and only scores that may be told at `at`. Order by
    share descending, submitted_at, learner_id to rank as a quiz's own leaderboard does.
    """
    wanted = [Attempt.state == AttemptState.SUBMITTED, Attempt.piece_id.is_not(None), _may_rank(), _told(at)]
    if campaign_code is not None:
        wanted.append(Attempt.campaign_code == campaign_code)
    if piece_ids is not None:
        wanted.append(Attempt.piece_id.in_(piece_ids))
    if since is not None:
        wanted.append(Attempt.started_at >= since)
    if until is not None:
        wanted.append(Attempt.started_at < until)
    place = func.row_number().over(
        partition_by=(Attempt.learner_id, Attempt.piece_id),
        order_by=(
            case((Paper.counts == Counts.BEST, Attempt.share), else_=0).desc(),
            case((Paper.counts == Counts.LAST, Attempt.id), else_=0).desc(),
            Attempt.id,
        ),
    )
    counted = (
        select(
            Attempt.learner_id,
            Attempt.share,
            Attempt.score,
            Attempt.max_score,
            Attempt.submitted_at,
            place.label("place"),
        )
        .join(Paper, Paper.id == Attempt.paper_id)
        .join(Learner, Learner.id == Attempt.learner_id)
        .where(*wanted)
        .subquery()
    )
    return (
        select(
            counted.c.learner_id,
            cast(func.sum(counted.c.share), Integer).label("share"),
            cast(func.sum(counted.c.score), Integer).label("score"),
            cast(func.sum(counted.c.max_score), Integer).label("max_score"),
            func.count().label("quizzes"),
            func.max(counted.c.submitted_at).label("submitted_at"),
        )
        .where(counted.c.place == 1)
        .group_by(counted.c.learner_id)
    )


# Mistakes


def visible_mistakes(learner_id: int, at: datetime) -> Select[Mistake]:
    """Select the mistakes whose answers may be told, latest first."""
    return (
        select(Mistake)
        .where(Mistake.learner_id == learner_id, Mistake.visible_from <= at)
        .order_by(Mistake.wrong_at.desc(), Mistake.id.desc())
    )


def practisable(learner_id: int, at: datetime) -> Select[Mistake]:
    """Select the visible mistakes whose question is still in use."""
    return (
        visible_mistakes(learner_id, at)
        .join(Question, Question.id == Mistake.question_id)
        .where(Question.retired_at.is_(None))
    )


def to_retire(bank_id: int, kept: Collection[str], author_id: int | None) -> Select[Question]:
    """Select the questions in use of a bank that are not among the refs `kept` and whose newest version this author wrote."""
    return (
        select(Question)
        .join(
            QuestionVersion,
            and_(QuestionVersion.question_id == Question.id, QuestionVersion.number == Question.latest),
        )
        .where(
            Question.bank_id == bank_id,
            Question.retired_at.is_(None),
            Question.ref.not_in(kept),
            QuestionVersion.author_id == author_id,
        )
        .order_by(Question.ref)
        .with_for_update(of=Question)
    )


def older_mistakes(wrong_at: datetime, mistake_id: int) -> ColumnElement[bool]:
    """Return the condition of coming after these keys in that list."""
    return or_(Mistake.wrong_at < wrong_at, and_(Mistake.wrong_at == wrong_at, Mistake.id < mistake_id))


# Item statistics


def item_sums(piece_id: int) -> Select[int, int, int, Any, int | None, int | None, Any, int | None]:
    """Select, per question version, sums over every submitted attempt at a quiz.

    (version_id, shown, answered, right, rest, rest squared, rest of those right, points); rest is an attempt's
    score without this question.
    """
    rest = Attempt.score - AttemptAnswer.points
    right = case((AttemptAnswer.correct.is_(True), 1), else_=0)
    return (
        select(
            AttemptAnswer.version_id,
            func.count(),
            func.count(AttemptAnswer.saved_at),
            func.sum(right),
            func.sum(rest),
            func.sum(rest * rest),
            func.sum(right * rest),
            func.sum(AttemptAnswer.points),
        )
        .join(Attempt, Attempt.id == AttemptAnswer.attempt_id)
        .where(Attempt.piece_id == piece_id, Attempt.state == AttemptState.SUBMITTED)
        .group_by(AttemptAnswer.version_id)
    )


def answer_counts(piece_id: int, version_ids: Collection[int]) -> Select[int, str | None, int]:
    """Select (version_id, answer as canonical JSON, how often) over every submitted attempt at a quiz."""
    return (
        select(AttemptAnswer.version_id, AttemptAnswer.answer, func.count())
        .join(Attempt, Attempt.id == AttemptAnswer.attempt_id)
        .where(
            Attempt.piece_id == piece_id,
            Attempt.state == AttemptState.SUBMITTED,
            AttemptAnswer.answer.is_not(None),
            AttemptAnswer.version_id.in_(version_ids),
        )
        .group_by(AttemptAnswer.version_id, AttemptAnswer.answer)
    )
