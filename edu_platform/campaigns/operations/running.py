"""Making, changing, opening and closing campaigns; their pieces and channel codes."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from edu_platform.audit.operations import record
from edu_platform.campaigns import queries
from edu_platform.campaigns.errors import NoCampaign, WrongState
from edu_platform.campaigns.models import Campaign, CampaignState, ChannelCode
from edu_platform.campaigns.operations.attribution import changed
from edu_platform.campaigns.rules import CODE_ALPHABET, CODE_LENGTH
from edu_platform.core.clock import now
from edu_platform.core.errors import FieldError, Invalid
from edu_platform.core.vocabulary import Audience, Channel, Right, Series
from edu_platform.library.models import Piece
from edu_platform.library.operations import set_placements

LONGEST_CAMPAIGN_DAYS = 366
MOST_PIECES = 500


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What a campaign says of itself; days are of the branch's calendar, both included."""

    name: str
    theme: str
    series: Series
    branch: str
    starts_on: date
    ends_on: date
    summary: str = ""
    audiences: Sequence[Audience] = tuple(Audience)
    rights: Sequence[Right] = ()
    channels: Sequence[Channel] = tuple(Channel)

    def values(self) -> dict[str, Any]:
        """Return the columns of the plan, words in the order of the vocabulary."""
        return {
            "name": self.name,
            "theme": self.theme,
            "series": self.series,
            "branch": self.branch,
            "starts_on": self.starts_on,
            "ends_on": self.ends_on,
            "summary": self.summary,
            "audiences": [word.value for word in Audience if word in self.audiences],
            "rights": [word.value for word in Right if word in self.rights],
            "channels": [word.value for word in Channel if word in self.channels],
        }


def campaign_of(session: Session, code: str, *, lock: bool = False) -> Campaign:
    """Return a campaign in whatever state, for staff; NoCampaign when there is none."""
    chosen = queries.campaign(code)
    found = session.scalar(chosen.with_for_update() if lock else chosen)
    if found is None:
        raise NoCampaign
    return found


def create_campaign(
    session: Session, *, code: str, plan: Plan, pieces: Sequence[str] = (), by: str
) -> Campaign:
    """Make a draft; raise `Invalid` for a code that is taken, a window out of order, pieces that do not exist."""
    errors = plan_errors(plan)
    if session.scalar(queries.campaign(code).with_only_columns(Campaign.id)) is not None:
        errors.append(FieldError("code", "这个活动代码已被使用。", "taken"))
    piece_ids, missing = _pieces(session, pieces)
    errors += missing
    if errors:
        raise Invalid(errors)
    campaign = Campaign(code=code, pieces=list(piece_ids), created_by=by, **plan.values())
    session.add(campaign)
    session.flush()  # its id goes into the trail
    _record(session, by, "campaign.create", campaign, window=_window(campaign))
    changed(session)
    return campaign


def change_campaign(session: Session, campaign: Campaign, plan: Plan, *, by: str) -> bool:
    """Replace the plan of a campaign that is not closed; say whether anything is different now.

    What has been counted stays where it was counted.
    """
    if campaign.state is CampaignState.CLOSED:
        raise WrongState("活动已关闭，不能再修改。")
    errors = plan_errors(plan)
    if errors:
        raise Invalid(errors)
    different = {name: value for name, value in plan.values().items() if getattr(campaign, name) != value}
    if not different:
        return False
    for name, value in different.items():
        setattr(campaign, name, value)
    _place(session, campaign)
    _record(session, by, "campaign.change", campaign, changed=sorted(different), window=_window(campaign))
    changed(session)
    return True


def set_pieces(session: Session, campaign: Campaign, pieces: Sequence[str], *, by: str) -> bool:
    """Say which pieces (slugs, in the order in which they are shown) the campaign carries; False when it already does."""
    if campaign.state is CampaignState.CLOSED:
        raise WrongState("活动已关闭，不能再修改。")
    found, missing = _pieces(session, pieces)
    if missing:
        raise Invalid(missing)
    if campaign.pieces == list(found):
        return False
    campaign.pieces = list(found)
    _place(session, campaign)
    _record(session, by, "campaign.pieces", campaign, pieces=campaign.pieces)
    changed(session)
    return True


def open_campaign(session: Session, campaign: Campaign, *, by: str) -> None:
    """Let a draft run: from its first day on it counts, and learners see it."""
    if campaign.state is not CampaignState.DRAFT:
        raise WrongState("只有草稿可以启动。")
    campaign.state = CampaignState.OPEN
    _place(session, campaign)
    _record(session, by, "campaign.open", campaign, window=_window(campaign))
    changed(session)


def close_campaign(session: Session, campaign: Campaign, *, by: str, at: datetime | None = None) -> None:
    """End an open campaign now, or where its window has passed, for good; what was done before still counts for it."""
    if campaign.state is not CampaignState.OPEN:
        raise WrongState("只有进行中的活动可以关闭。")
    campaign.state = CampaignState.CLOSED
    campaign.closed_at = at or now()
    _place(session, campaign)
    _record(session, by, "campaign.close", campaign, closed_at=campaign.closed_at.isoformat())
    changed(session)


def add_channel_code(
    session: Session,
    campaign: Campaign,
    *,
    channel: Channel,
    note: str = "",
    landing_piece: str | None = None,
    code: str | None = None,
    by: str,
) -> ChannelCode:
    """Add a channel code, drawn at random unless `code` is given; it lives as long as the campaign's figures."""
    if campaign.state is CampaignState.CLOSED:
        raise WrongState("活动已关闭，不能再添加渠道码。")
    errors: list[FieldError] = []
    if channel.value not in campaign.channels:
        errors.append(FieldError("channel", "活动不包含这个渠道。", "channel_not_in_campaign"))
    if landing_piece is not None:
        errors += [
            FieldError("landing_piece", error.reason, error.code)
            for error in _pieces(session, [landing_piece])[1]
        ]
    if code is not None and _taken(session, code):
        errors.append(FieldError("code", "这个渠道码已被使用。", "taken"))
    if errors:
        raise Invalid(errors)
    chosen = code or _draw(session)
    entry = ChannelCode(
        code=chosen,
        campaign_id=campaign.id,
        channel=channel,
        note=note,
        landing_piece=landing_piece,
        created_by=by,
    )
    session.add(entry)
    session.flush()  # a code that is taken shows here
    _record(session, by, "campaign.channel_code", campaign, code=chosen, channel=channel.value)
    changed(session)
    return entry


def plan_errors(plan: Plan) -> list[FieldError]:
    """Return what is wrong with a plan as a whole."""
    errors = []
    if plan.ends_on < plan.starts_on:
        errors.append(FieldError("ends_on", "结束日不能早于开始日。", "out_of_order"))
    elif (plan.ends_on - plan.starts_on).days >= LONGEST_CAMPAIGN_DAYS:
        errors.append(FieldError("ends_on", f"活动最长 {LONGEST_CAMPAIGN_DAYS} 天。", "too_long"))
    if not plan.audiences:
        errors.append(FieldError("audiences", "至少一类受众。", "required"))
    if not plan.channels:
        errors.append(FieldError("channels", "至少一个渠道。", "required"))
    return errors


def _pieces(session: Session, slugs: Sequence[str]) -> tuple[dict[str, int], list[FieldError]]:
    """Return the ids of pieces in the order given, and what is wrong with the list."""
    if len(slugs) > MOST_PIECES:
        return {}, [FieldError("pieces", f"最多 {MOST_PIECES} 个作品。", "too_many")]
    known: dict[str, int] = dict(
        session.execute(select(Piece.slug, Piece.id).where(Piece.slug.in_(slugs))).all()
    )
    errors = []
    for number, slug in enumerate(slugs):
        if slug not in known:
            errors.append(FieldError(f"pieces[{number}]", f"没有“{slug}”这个作品。", "unknown_piece"))
        elif slug in slugs[:number]:
            errors.append(FieldError(f"pieces[{number}]", f"“{slug}”重复。", "repeated"))
    return {slug: known[slug] for slug in slugs if slug in known}, errors


def _place(session: Session, campaign: Campaign) -> None:
    """Write which pieces the campaign carries and when: nothing for a draft or an empty window."""
    session.flush()  # the window is read from the row
    carried = {}
    if campaign.state is not CampaignState.DRAFT and campaign.ends_at > campaign.starts_at:
        carried = _pieces(session, campaign.pieces)[0]
    set_placements(session, campaign.code, list(carried.values()), campaign.starts_at, campaign.ends_at)


def _taken(session: Session, code: str) -> bool:
    return session.scalar(select(ChannelCode.id).where(ChannelCode.code == code)) is not None


def _draw(session: Session) -> str:
    while True:
        code = "".join(secrets.choice(CODE_ALPHABET) for _ in range(CODE_LENGTH))
        if not _taken(session, code):
            return code


def _window(campaign: Campaign) -> list[str]:
    return [campaign.starts_on.isoformat(), campaign.ends_on.isoformat()]


def _record(session: Session, by: str, action: str, campaign: Campaign, **facts: Any) -> None:
    record(
        session,
        actor=by,
        action=action,
        subject=f"campaign:{campaign.id}",
        facts={"code": campaign.code, **facts},
    )
