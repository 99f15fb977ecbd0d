"""Counting the log again in plain SQL, and holding every figure of the tallies against it. Shares no code with the fold."""

from __future__ import annotations

from datetime import date
from typing import Any

from sqlalchemy import case, distinct, func, select
from sqlalchemy.orm import Session

from edu_platform.core.vocabulary import ACTIONS
from edu_platform.reach.models import Beacon, PersonNumber
from edu_platform.reach.operations.report import Asked, figures
from edu_platform.reach.operations.retention import whole_from
from edu_platform.reach.rules.choices import By, Suspects
from edu_platform.reach.rules.sheets import Numbers

_TAKEN_PART = [action for action, rule in ACTIONS.items() if rule.participation]


def differences(session: Session) -> list[str]:
    """Return, in words, where a campaign's figures are not what the log says; nothing when all are."""
    first, last = session.execute(select(func.min(Beacon.day), func.max(Beacon.day))).one()
    begins = whole_from(session)
    if begins is not None and first is not None:
        first = max(first, begins)  # of earlier days the log holds a part at most
    if first is None or first > last:
        return []
    found = []
    campaigns = session.scalars(select(Beacon.campaign_id).distinct().order_by(Beacon.campaign_id)).all()
    for campaign_id in [None, *campaigns]:
        asked = Asked(first, last, campaign_id, By.DAY, suspects=Suspects.INCLUDE)
        told = figures(session, asked)
        name = "全部" if campaign_id is None else f"活动 {campaign_id}"
        counted = _count(session, campaign_id, first, last)
        if told.totals != counted:
            found.append(f"{name}：{_words(told.totals)}，明细为{_words(counted)}")
        by_day = _count_days(session, campaign_id, first, last)
        if told.rows != by_day:
            found.append(f"{name}：逐日数字与明细不一致")
    return found


def _figures() -> list[Any]:
    person = func.coalesce(PersonNumber.same_as, Beacon.number)
    part = Beacon.action.in_(_TAKEN_PART)
    return [
        func.coalesce(func.sum(case((part, 0), else_=1)), 0),
        func.count(distinct(case((part, None), else_=person))),
        func.coalesce(func.sum(case((part, 1), else_=0)), 0),
        func.count(distinct(case((part, person), else_=None))),
    ]


def _count(session: Session, campaign_id: int | None, first: date, last: date) -> Numbers:
    chosen = (
        select(*_figures())
        .select_from(Beacon)
        .outerjoin(PersonNumber, PersonNumber.number == Beacon.number)
        .where(Beacon.day.between(first, last))
    )
    if campaign_id is not None:
        chosen = chosen.where(Beacon.campaign_id == campaign_id)
    return Numbers(*(int(value) for value in session.execute(chosen).one()))


def _count_days(session: Session, campaign_id: int | None, first: date, last: date) -> dict[int, Numbers]:
    chosen = (
        select(Beacon.day, *_figures())
        .select_from(Beacon)
        .outerjoin(PersonNumber, PersonNumber.number == Beacon.number)
        .where(Beacon.day.between(first, last))
        .group_by(Beacon.day)
    )
    if campaign_id is not None:
        chosen = chosen.where(Beacon.campaign_id == campaign_id)
    epoch = date(1970, 1, 1)
    return {
        (day - epoch).days: Numbers(*(int(value) for value in rest)) for day, *rest in session.execute(chosen)
    }


def _words(numbers: Numbers) -> str:
    return (
        f"触及 {numbers.person_times} 人次 {numbers.persons} 人、"
        f"参与 {numbers.participations} 人次 {numbers.participants} 人"
    )
