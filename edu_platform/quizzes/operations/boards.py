"""Leaderboards: pseudonyms of those who consent, one total order, stated."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from edu_platform.core.paging import decode_cursor, encode_cursor
from edu_platform.people.models import Learner, Purpose
from edu_platform.people.operations import has_consent
from edu_platform.people.rules import pseudonym
from edu_platform.quizzes import queries
from edu_platform.quizzes.models import Paper, Standing
from edu_platform.quizzes.operations.known import paper_rules
from edu_platform.quizzes.rules.papers import COUNTS_LABELS
from edu_platform.quizzes.rules.reveal import may_see_score

RULE = (
    "按得分占满分的比例从高到低；得分相同的，先交卷者在前。不比用时，长者不限时版与普通版同榜、同样计算。"
    "只列出已登录且同意上榜的人，昵称由系统生成。"
)


@dataclass(frozen=True)
class Place:
    """One place on a board."""

    rank: int
    name: str
    score: int
    max_score: int
    submitted_at: datetime
    me: bool


@dataclass(frozen=True)
class Board:
    """A page of a leaderboard and the reader's own place; `hidden_until` while scores may not be told."""

    items: Sequence[Place]
    next_cursor: str | None
    rule: str
    counts: str
    total: int
    me: Place | None
    why_not_me: str | None
    hidden_until: datetime | None


def leaderboard(
    session: Session, paper: Paper, learner: Learner, *, at: datetime, cursor: str | None, limit: int
) -> Board:
    """Return a page of a quiz's leaderboard at `at`, and where `learner` stands."""
    rules = paper_rules(paper)
    counts = COUNTS_LABELS[rules.counts]
    if not may_see_score(rules.reveal, submitted=True, closes_at=rules.closes_at, at=at):
        return Board([], None, RULE, counts, 0, None, "榜单在答题截止后公布。", rules.closes_at)
    ranked = queries.ranked(paper.piece_id, at)
    page = ranked
    if cursor is not None:
        page = page.where(queries.behind(*decode_cursor(cursor, int, datetime, int)))
    found = session.scalars(page.limit(limit + 1)).all()
    shown = found[:limit]
    first = _rank(session, paper, shown[0], at) if shown else 1
    items = [_place(standing, first + n, learner) for n, standing in enumerate(shown)]
    more = len(found) > limit
    own = session.scalar(ranked.where(Standing.learner_id == learner.id))
    return Board(
        items=items,
        next_cursor=_cursor(shown[-1]) if more else None,
        rule=RULE,
        counts=counts,
        total=session.scalars(select(func.count()).select_from(ranked.order_by(None).subquery())).one(),
        me=None if own is None else _place(own, _rank(session, paper, own, at), learner),
        why_not_me=None if own is not None else _why_not(session, learner),
        hidden_until=None,
    )


def _cursor(standing: Standing) -> str:
    assert standing.share is not None
    assert standing.submitted_at is not None
    return encode_cursor(standing.share, standing.submitted_at, standing.id)


def _rank(session: Session, paper: Paper, standing: Standing, at: datetime) -> int:
    assert standing.share is not None
    assert standing.submitted_at is not None
    before = queries.ranked(paper.piece_id, at).where(
        queries.ahead(standing.share, standing.submitted_at, standing.id)
    )
    return 1 + session.scalars(select(func.count()).select_from(before.order_by(None).subquery())).one()


def _place(standing: Standing, rank: int, learner: Learner) -> Place:
    assert standing.score is not None
    assert standing.max_score is not None
    assert standing.submitted_at is not None
    return Place(
        rank=rank,
        name=pseudonym(standing.learner_id),
        score=standing.score,
        max_score=standing.max_score,
        submitted_at=standing.submitted_at,
        me=standing.learner_id == learner.id,
    )


def _why_not(session: Session, learner: Learner) -> str:
    if not learner.is_identified:
        return "访客不参加排名，登录后即可上榜。"
    if not has_consent(session, learner.id, Purpose.LEADERBOARD):
        return "您还没有同意上榜，可在“我的授权”中开启。"
    return "您还没有完成这份问答。"
