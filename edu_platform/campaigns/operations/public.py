"""What learners see of campaigns: lists, pages, scanned codes, the leaderboard (the home feed: `home`)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import orjson
from sqlalchemy import func, or_, select
from sqlalchemy.orm import Session

from edu_platform.campaigns import queries
from edu_platform.campaigns.errors import NoCampaign, NoChannelCode
from edu_platform.campaigns.models import Campaign, CampaignState
from edu_platform.campaigns.rules import code_of_scene, scene
from edu_platform.core.clock import ZONE
from edu_platform.core.paging import decode_cursor, encode_cursor
from edu_platform.core.vocabulary import label
from edu_platform.library.models import Piece
from edu_platform.library.operations import cards
from edu_platform.people.models import Learner
from edu_platform.people.rules import pseudonym
from edu_platform.quizzes import queries as quizzes

BOARD_RULE = (
    "活动内各测验按各自的计分办法取一次成绩，得分占比相加，从高到低；相同的，最后一次计分的交卷较早者在前。"
    "不比用时，长者不限时版与普通版同榜。只列出已登录且同意上榜的人，昵称由系统生成。"
)


# ---- campaigns


def listing(session: Session, at: datetime, when: str) -> bytes:
    """Return the campaigns that are `running`, `upcoming` or `ended` at `at`, the latest to start first, as JSON."""
    found = [row for row in session.scalars(queries.opened()) if _when(row, at) == when]
    return orjson.dumps({"items": [shown(row, at) for row in found]})


def page(session: Session, at: datetime, code: str) -> bytes:
    """Return a campaign with the cards of its pieces, as JSON; NoCampaign for a draft."""
    campaign = _opened(session, code)
    body = orjson.dumps(shown(campaign, at))
    return body[:-1] + b',"pieces":[' + b",".join(_cards_of(session, campaign, at)) + b"]}"


def scanned(session: Session, at: datetime, text: str) -> bytes:
    """Return what a scanned scene (`c:7Gk2Qz`, or the bare code) stands for, as JSON; NoChannelCode otherwise."""
    code = code_of_scene(text)
    row = session.execute(queries.channel_code(code)).first() if code is not None else None
    if row is None or row[1].state is CampaignState.DRAFT:
        raise NoChannelCode
    entry, campaign = row
    return orjson.dumps(
        {
            "code": entry.code,
            "scene": scene(entry.code),
            "channel": entry.channel.value,
            "landing_piece": entry.landing_piece,
            "campaign": shown(campaign, at),
        }
    )


def shown(campaign: Campaign, at: datetime) -> dict[str, Any]:
    """Return a campaign as everybody may see it."""
    return {
        "code": campaign.code,
        "name": campaign.name,
        "theme": campaign.theme,
        "summary": campaign.summary,
        "series": campaign.series.value,
        "series_label": label(campaign.series),
        "branch": campaign.branch,
        "starts_on": campaign.starts_on.isoformat(),
        "ends_on": campaign.ends_on.isoformat(),
        "when": _when(campaign, at),
        "audiences": campaign.audiences,
        "rights": campaign.rights,
        "channels": campaign.channels,
    }


def _when(campaign: Campaign, at: datetime) -> str:
    if campaign.runs_at(at):
        return "running"
    return "upcoming" if at < campaign.starts_at and campaign.state is CampaignState.OPEN else "ended"


def _opened(session: Session, code: str) -> Campaign:
    campaign = session.scalar(queries.campaign(code))
    if campaign is None or campaign.state is CampaignState.DRAFT:
        raise NoCampaign
    return campaign


def _cards_of(session: Session, campaign: Campaign, at: datetime) -> list[bytes]:
    ids: dict[str, int] = dict(
        session.execute(select(Piece.slug, Piece.id).where(Piece.slug.in_(campaign.pieces))).all()
    )
    return cards(session, [ids[slug] for slug in campaign.pieces if slug in ids], at)


# ---- the leaderboard


@dataclass(frozen=True)
class Place:
    """One place on a campaign's board; `score_share` is the sum of shares in ten-thousandths a quiz."""

    rank: int
    name: str
    score: int
    max_score: int
    score_share: int
    quizzes: int
    submitted_at: datetime
    me: bool


@dataclass(frozen=True)
class Board:
    """A page of a campaign's leaderboard and the reader's own place."""

    items: Sequence[Place]
    next_cursor: str | None
    rule: str
    total: int
    me: Place | None


def leaderboard(
    session: Session, code: str, learner: Learner, *, at: datetime, cursor: str | None, limit: int
) -> Board:
    """Return a page of a campaign's leaderboard at `at`, and where `learner` stands on it."""
    campaign = _opened(session, code)
    best = quizzes.best(at, campaign_code=campaign.code).subquery()
    order = (best.c.share.desc(), best.c.submitted_at, best.c.learner_id)
    chosen = select(best).order_by(*order)
    before = 0
    if cursor is not None:
        share, submitted_at, learner_id = decode_cursor(cursor, int, datetime, int)
        after = _after(best, share, submitted_at, learner_id)
        chosen = chosen.where(after)
        before = _count(session, select(best).where(~after))
    rows = session.execute(chosen.limit(limit + 1)).all()
    items = [_place(row, before + n, learner) for n, row in enumerate(rows[:limit], 1)]
    own = session.execute(select(best).where(best.c.learner_id == learner.id)).first()
    me = None
    if own is not None:
        not_ahead = _after(best, own.share, own.submitted_at, own.learner_id)
        me = _place(own, _count(session, select(best).where(~not_ahead)), learner)
    last = rows[limit - 1] if len(rows) > limit else None
    return Board(
        items=items,
        next_cursor=encode_cursor(last.share, last.submitted_at, last.learner_id) if last else None,
        rule=BOARD_RULE,
        total=_count(session, select(best)),
        me=me,
    )


def _after(best: Any, share: int, submitted_at: datetime, learner_id: int) -> Any:
    """Return the condition of standing further down than these keys."""
    same = best.c.share == share
    return or_(
        best.c.share < share,
        same & (best.c.submitted_at > submitted_at),
        same & (best.c.submitted_at == submitted_at) & (best.c.learner_id > learner_id),
    )


def _count(session: Session, chosen: Any) -> int:
    return session.scalar(select(func.count()).select_from(chosen.subquery())) or 0


def _place(row: Any, rank: int, learner: Learner) -> Place:
    return Place(
        rank=rank,
        name=pseudonym(row.learner_id),
        score=row.score,
        max_score=row.max_score,
        score_share=row.share,
        quizzes=row.quizzes,
        submitted_at=row.submitted_at.astimezone(ZONE),
        me=row.learner_id == learner.id,
    )
