"""A report as people read it: with names, its definition, and as of when. Screen and command line share it."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import date
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from edu_platform.campaigns.models import Campaign
from edu_platform.core.clock import local_day, now
from edu_platform.core.errors import FieldError, Invalid
from edu_platform.core.vocabulary import Action, Channel, DeclaredAudience, label
from edu_platform.library.models import CatalogueEntry, Piece
from edu_platform.reach.models import EVERYDAY, NO_PIECE, NUMBERS, WORDS, Family, day_of
from edu_platform.reach.operations.report import Asked, figures
from edu_platform.reach.rules.choices import By, ScopeChoice, Suspects
from edu_platform.reach.rules.figures import DEFINITIONS

LONGEST_WINDOW_DAYS = 3700
ALL, EVERYDAY_WORD = "all", "everyday"
_KINDS: dict[By, type[Any]] = {By.AUDIENCE: DeclaredAudience, By.CHANNEL: Channel, By.ACTION: Action}


@dataclass(frozen=True)
class Filters:
    """Restrictions of a report; what is None restricts nothing. `piece` is a slug."""

    audience: DeclaredAudience | None = None
    channel: Channel | None = None
    piece: str | None = None
    action: Action | None = None

    def given(self) -> dict[str, str]:
        """Return the restrictions as they were given."""
        return {name: str(value) for name, value in asdict(self).items() if value is not None}


@dataclass(frozen=True)
class _Subject:
    """What a report is about; `campaign_id` as `Asked` has it."""

    code: str
    name: str
    campaign_id: int | None


def campaign_report(session: Session, campaign: Campaign, **wanted: Any) -> dict[str, Any]:
    """Return the report of one campaign; its days are the window unless others are named."""
    first = wanted.pop("first") or campaign.starts_on
    last = wanted.pop("last") or campaign.ends_on
    subject = _Subject(campaign.code, campaign.name, campaign.id)
    return _report(session, subject, first, last, **wanted)


def whole_report(session: Session, campaign: str, **wanted: Any) -> dict[str, Any]:
    """Return the report over everything (`all`), or over everyday education alone (`everyday`); this year by default."""
    today = local_day(now())
    last = wanted.pop("last") or today
    first = wanted.pop("first") or min(last, today).replace(month=1, day=1)
    subject = (
        _Subject(ALL, "全部活动与常态化教育", None)
        if campaign == ALL
        else _Subject(EVERYDAY_WORD, "常态化教育", EVERYDAY)
    )
    return _report(session, subject, first, last, **wanted)


def _report(
    session: Session,
    subject: _Subject,
    first: date,
    last: date,
    *,
    by: By = By.DAY,
    scope: ScopeChoice = ScopeChoice.ALL,
    suspects: Suspects = Suspects.EXCLUDE,
    filters: Filters | None = None,
) -> dict[str, Any]:
    errors = [
        FieldError(field, "日期须在 2000 年到 2099 年之间。", "out_of_range")
        for field, day in (("from", first), ("to", last))
        if not 2000 <= day.year <= 2099
    ]
    if not errors and first > last:
        errors.append(FieldError("to", "结束日不能早于开始日。", "out_of_order"))
    elif not errors and (last - first).days >= LONGEST_WINDOW_DAYS:
        errors.append(FieldError("to", f"最长 {LONGEST_WINDOW_DAYS} 天。", "too_long"))
    if errors:
        raise Invalid(errors)
    filters = filters or Filters()
    asked = Asked(first, last, subject.campaign_id, by, scope, suspects, _numbers(session, filters))
    found = figures(session, asked)
    names = _names(session, by, list(found.rows))
    rows = [{"key": names[key][0], "label": names[key][1], **asdict(found.rows[key])} for key in found.rows]
    if by is not By.DAY:
        rows.sort(key=lambda row: (-row["person_times"], -row["participations"], row["key"]))
    return {
        "campaign": subject.code,
        "name": subject.name,
        "first": first,
        "last": last,
        "by": by,
        "scope": scope,
        "suspects": suspects,
        "filters": filters.given(),
        "totals": asdict(found.totals),
        "rows": rows,
        "suspects_left_out": asdict(found.left_out),
        "source": found.source,
        "cut_off": found.cut_off,
        "definitions": DEFINITIONS,
    }


def _numbers(session: Session, filters: Filters) -> dict[Family, int]:
    numbers: dict[Family, int] = {}
    if filters.audience is not None:
        numbers[Family.AUDIENCE] = NUMBERS[DeclaredAudience][filters.audience]
    if filters.channel is not None:
        numbers[Family.CHANNEL] = NUMBERS[Channel][filters.channel]
    if filters.action is not None:
        numbers[Family.ACTION] = NUMBERS[Action][filters.action]
    if filters.piece is not None:
        piece_id = session.scalar(select(Piece.id).where(Piece.slug == filters.piece))
        if piece_id is None:
            raise Invalid([FieldError("piece", "没有这个作品。", "unknown_piece")])
        numbers[Family.PIECE] = piece_id
    return numbers


def _names(session: Session, by: By, keys: list[int]) -> dict[int, tuple[str, str]]:
    if by is By.DAY:
        return {key: (day_of(key).isoformat(), day_of(key).isoformat()) for key in keys}
    if by is not By.PIECE:
        words = WORDS[_KINDS[by]]
        return {key: (words[key].value, label(words[key])) for key in keys}
    slugs: dict[int, str] = dict(
        session.execute(select(Piece.id, Piece.slug).where(Piece.id.in_(keys))).all()
    )
    titles: dict[int, str] = dict(
        session.execute(
            select(CatalogueEntry.piece_id, CatalogueEntry.title).where(CatalogueEntry.piece_id.in_(keys))
        ).all()
    )
    names = {key: (slugs.get(key, str(key)), titles.get(key) or slugs.get(key, str(key))) for key in keys}
    if NO_PIECE in names:
        names[NO_PIECE] = ("none", "不涉及作品")
    return names
