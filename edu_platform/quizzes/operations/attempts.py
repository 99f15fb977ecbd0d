"""Beginning and submitting attempts. The server's clock, key and slots decide."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NamedTuple

from sqlalchemy import select
from sqlalchemy.orm import Session

from edu_platform.core.clock import local_day
from edu_platform.core.driver import Written
from edu_platform.core.errors import Conflict, NotFound
from edu_platform.library.meta import slug_reason
from edu_platform.library.models import CatalogueEntry
from edu_platform.library.queries import visible
from edu_platform.people.models import Learner
from edu_platform.quizzes import queries, signals
from edu_platform.quizzes.errors import NoAttemptsLeft, NotOpen
from edu_platform.quizzes.models import (
    Attempt,
    AttemptState,
    Paper,
    Standing,
)
from edu_platform.quizzes.operations import known
from edu_platform.quizzes.operations.answers import Answered, answered_of
from edu_platform.quizzes.operations.claims import TOTAL, hold_standing, lock_standing, take_slot
from edu_platform.quizzes.operations.mistakes import note_outcomes
from edu_platform.quizzes.rules import chance, questions, times
from edu_platform.quizzes.rules.papers import Counts, QuizRules
from edu_platform.quizzes.rules.reveal import may_see_score


@dataclass(frozen=True)
class Started:
    """An attempt, and whether it was begun just now, then with its questions."""

    attempt: Attempt
    is_new: bool
    answered: Sequence[Answered] | None = None


class _Shown(NamedTuple):
    """The paper that learners see of a quiz."""

    id: int
    piece_id: int


def _shown_paper(session: Session, slug: str, at: datetime) -> _Shown:
    """Return the paper that `open_paper` does, without what is in it."""
    wanted = {"which_slug": slug, "at": at}
    found = None if slug_reason(slug) else session.connection().execute(queries.SHOWN_PAPER, wanted).first()
    if found is None:
        raise NotFound("没有这份问答。")
    return _Shown(*found)


def open_paper(session: Session, slug: str, at: datetime) -> Paper:
    """Return the paper of the quiz that learners see at `at`; NotFound otherwise."""
    shown = visible(at, kind="quiz", slugs=[slug]).with_only_columns(CatalogueEntry.revision_id)
    paper = None if slug_reason(slug) else session.scalar(select(Paper).where(Paper.revision_id.in_(shown)))
    if paper is None:
        raise NotFound("没有这份问答。")
    return paper


def start_attempt(
    session: Session,
    learner: Learner,
    slug: str,
    *,
    at: datetime,
    client_id: str,
    elder: bool | None = None,
    campaign_code: str | None = None,
    channel_code: str | None = None,
) -> Started:
    """Begin an attempt, or return the one that this `client_id` began, or the one in progress.

    `elder` (None: as the learner's elder mode) chooses the variant without a time limit, for good. Raise
    `NotFound`, `NotOpen` or `NoAttemptsLeft`.
    """
    paper = _shown_paper(session, slug, at)
    hold_standing(session, learner.id, paper.piece_id)
    wanted = {"whose_id": learner.id, "which_client_id": client_id, "which_piece_id": paper.piece_id}
    found = session.scalars(queries.BEGUN, wanted).all()
    repeated = next((one for one in found if one.client_id == client_id), None)
    if repeated is not None:
        if repeated.piece_id != paper.piece_id:
            raise Conflict("这个 client_id 已用于另一份问答，请换一个。", code="client_id_taken")
        return Started(submit_if_over(session, repeated, at=at), is_new=False)
    for current in found:
        if submit_if_over(session, current, at=at).state is AttemptState.IN_PROGRESS:
            return Started(current, is_new=False)
    rules = known.rules_by_paper(session, paper.id)
    _require_open(rules, at)
    _take_slots(session, learner.id, paper.piece_id, rules, at)
    started = _make(
        session,
        learner,
        rules=rules,
        paper=paper,
        client_id=client_id,
        elder=learner.elder_mode if elder is None else elder,
        at=at,
        campaign_code=campaign_code,
        channel_code=channel_code,
        parts=known.parts_by_paper(session, paper.id),
    )
    signals.attempt_started.send(session, _news(session, started.attempt, at))
    return started


def start_practice(
    session: Session, learner: Learner, version_ids: Sequence[int], *, client_id: str, at: datetime
) -> Started:
    """Begin practice on these versions; it counts nowhere and every verdict comes at once."""
    return _make(
        session,
        learner,
        rules=known.PRACTICE,
        paper=None,
        client_id=client_id,
        elder=True,
        at=at,
        campaign_code=None,
        channel_code=None,
        parts=[chance.Part(1, [version_id]) for version_id in version_ids],
    )


def _require_open(rules: QuizRules, at: datetime) -> None:
    state = times.window(rules.opens_at, rules.closes_at, at)
    if state is times.Window.NOT_YET:
        raise NotOpen("答题尚未开始。", code="quiz_not_open_yet")
    if state is times.Window.CLOSED:
        raise NotOpen("答题已经截止。", code="quiz_closed")


def _take_slots(session: Session, learner_id: int, piece_id: int, rules: QuizRules, at: datetime) -> None:
    day = local_day(at).isoformat()
    if not take_slot(session, learner_id, piece_id, period=day, limit=rules.per_day):
        raise NoAttemptsLeft(
            f"今天的 {rules.per_day} 次机会已用完，请明天再来。", code="no_attempts_left_today"
        )
    if not take_slot(session, learner_id, piece_id, period=TOTAL, limit=rules.total):
        raise NoAttemptsLeft(f"{rules.total} 次机会已全部用完。")


def _make(
    session: Session,
    learner: Learner,
    *,
    rules: QuizRules,
    paper: _Shown | None,
    client_id: str,
    elder: bool,
    at: datetime,
    campaign_code: str | None,
    channel_code: str | None,
    parts: Sequence[chance.Part],
) -> Started:
    seed = secrets.token_bytes(chance.SEED_BYTES)
    drawn = chance.draw(parts, seed)
    if rules.shuffle_questions:
        drawn = chance.shuffled(seed, "questions", drawn)
    deadline_at = times.deadline(
        at, time_limit_seconds=rules.time_limit_seconds, elder=elder, closes_at=rules.closes_at
    )
    attempt = Attempt(
        learner_id=learner.id,
        paper_id=paper.id if paper else None,
        piece_id=paper.piece_id if paper else None,
        client_id=client_id,
        elder=elder,
        seed=seed,
        channel=learner.channel,
        campaign_code=campaign_code,
        channel_code=channel_code,
        started_at=at,
        deadline_at=deadline_at,
        ends_at=times.end(deadline_at, rules.grace_seconds),
        max_score=rules.points * len(drawn),
    )
    session.add(attempt)
    session.flush()  # its questions name it by id
    Written(session.connection()).many(
        "INSERT INTO attempt_answer (attempt_id, number, version_id) VALUES (?, ?, ?)",
        [(attempt.id, number, version_id) for number, version_id in enumerate(drawn, 1)],
    )
    versions = known.versions_by_id(session, drawn)
    answered = [
        Answered(seed, number, versions[version_id], rules) for number, version_id in enumerate(drawn, 1)
    ]
    return Started(attempt, is_new=True, answered=answered)


def own_attempt(session: Session, learner_id: int, attempt_id: int) -> Attempt:
    """Return an attempt of this learner; another learner's does not exist (NotFound)."""
    attempt = session.scalar(queries.own_attempt(learner_id, attempt_id))
    if attempt is None:
        raise NotFound("没有这次答题。")
    return attempt


def is_over(attempt: Attempt, at: datetime) -> bool:
    """Say whether an attempt in progress ran out of time and waits to be submitted."""
    return attempt.state is AttemptState.IN_PROGRESS and times.is_over(attempt.ends_at, at)


def submit_if_over(session: Session, attempt: Attempt, *, at: datetime) -> Attempt:
    """Submit an attempt whose time is over with what was saved; leave any other as it is."""
    return submit(session, attempt, at=at) if is_over(attempt, at) else attempt


def submit(session: Session, attempt: Attempt, *, at: datetime) -> Attempt:
    """Submit an attempt once: judge, score, update the standing, note mistakes, announce. Again changes nothing.

    After its end it is submitted as of its deadline, with what was saved by then.
    """
    return _submit(session, attempt.id, attempt.learner_id, attempt.piece_id, at=at)[0]


def submit_own(
    session: Session, learner_id: int, attempt_id: int, *, at: datetime
) -> tuple[Attempt, Sequence[Answered] | None]:
    """Submit an attempt of this learner; return it, and what was answered if that had to be read. Raise `NotFound`."""
    own = Written(session.connection()).rows(
        "SELECT piece_id FROM attempt WHERE id = ? AND learner_id = ?", (attempt_id, learner_id)
    )
    if not own:
        raise NotFound("没有这次答题。")
    return _submit(session, attempt_id, learner_id, own[0][0], at=at)


def _submit(
    session: Session, attempt_id: int, learner_id: int | None, piece_id: int | None, *, at: datetime
) -> tuple[Attempt, Sequence[Answered] | None]:
    standing = None
    if piece_id is not None and learner_id is not None:
        standing = lock_standing(session, learner_id, piece_id)
    attempt = _locked(session, attempt_id)
    if attempt.state is AttemptState.SUBMITTED:
        return attempt, None
    rules = known.rules_of(session, attempt)
    answered = answered_of(session, attempt)
    keys = known.keys_by_id(session, {one.version.id for one in answered if not one.is_frozen})
    answered = [one if one.is_frozen else one.judged(keys[one.version.id]) for one in answered]
    Written(session.connection()).many(
        "UPDATE attempt_answer SET points = ?, correct = ? WHERE attempt_id = ? AND number = ?",
        [(one.points, one.correct, attempt_id, one.number) for one in answered],
    )
    attempt.timed_out = times.is_over(attempt.ends_at, at)
    finished = attempt.deadline_at if attempt.timed_out and attempt.deadline_at else at
    finished = max(finished, attempt.started_at)  # the clock may have been set back meanwhile
    attempt.state = AttemptState.SUBMITTED
    attempt.submitted_at = finished
    attempt.duration_ms = (finished - attempt.started_at) // timedelta(milliseconds=1)
    attempt.score = sum(one.points or 0 for one in answered)
    attempt.share = attempt.score * 10_000 // attempt.max_score
    attempt.passed = questions.has_passed(attempt.score, attempt.max_score, rules.pass_mark)
    if standing is not None:
        count_attempt(standing, attempt, rules.counts)
    session.flush()
    note_outcomes(session, attempt, answered, rules=rules, standing=standing, at=at)
    if standing is not None:
        news = _news(session, attempt, finished)
        signals.attempt_submitted.send(session, news)
        if attempt.passed:
            told = may_see_score(rules.reveal, submitted=True, closes_at=rules.closes_at, at=at)
            attempt.pass_due_at = None if told else rules.closes_at
            if told:
                signals.attempt_passed.send(session, news)
    session.flush()
    return attempt, answered


def announce_pass(session: Session, attempt_id: int, *, at: datetime) -> None:
    """Announce a pass that had to wait for the closing, once; a learner erased since is not spoken of."""
    attempt = _locked(session, attempt_id)
    if attempt.pass_due_at is None or attempt.pass_due_at > at:
        return
    attempt.pass_due_at = None
    if attempt.learner_id is not None and attempt.submitted_at is not None:
        signals.attempt_passed.send(session, _news(session, attempt, attempt.submitted_at))
    session.flush()


def count_attempt(standing: Standing, attempt: Attempt, counts: Counts) -> None:
    """Let a submitted attempt count by the quiz's rule; of equal scores the earlier one counts."""
    assert attempt.share is not None
    assert attempt.submitted_at is not None
    better = (
        standing.share is None
        or counts is Counts.LAST
        or (counts is Counts.BEST and attempt.share > standing.share)
    )
    if better:
        standing.attempt_id, standing.share = attempt.id, attempt.share
        standing.score, standing.max_score = attempt.score, attempt.max_score
        standing.submitted_at = attempt.submitted_at
    if attempt.passed and standing.passed_at is None:
        standing.passed_at = attempt.submitted_at


def settle_campaign(session: Session, attempt_id: int, campaign_code: str | None) -> None:
    """Write down for which campaign an attempt counts; for the room that knows campaigns, when it has begun."""
    attempt = session.get_one(Attempt, attempt_id)
    if attempt.campaign_code != campaign_code:
        attempt.campaign_code = campaign_code
        session.flush()


def _locked(session: Session, attempt_id: int) -> Attempt:
    return session.get_one(Attempt, attempt_id, with_for_update=True, populate_existing=True)


def _news(session: Session, attempt: Attempt, at: datetime) -> signals.AttemptNews:
    assert attempt.learner_id is not None
    assert attempt.piece_id is not None
    return signals.AttemptNews(
        attempt_id=attempt.id,
        learner_id=attempt.learner_id,
        piece_id=attempt.piece_id,
        slug=known.slug_of(session, attempt.piece_id),
        channel=attempt.channel,
        campaign_code=attempt.campaign_code,
        channel_code=attempt.channel_code,
        started_at=attempt.started_at,
        at=at,
        passed=attempt.passed,
    )
