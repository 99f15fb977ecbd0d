"""Selects of campaigns and channel codes."""

from __future__ import annotations

from datetime import date
from functools import lru_cache

from sqlalchemy import Date, Executable, Select, bindparam, select

from edu_platform.campaigns.models import Campaign, CampaignState, CampaignVersion, ChannelCode
from edu_platform.library.models import CatalogueVersion


def campaigns(*, before: tuple[date, int] | None = None) -> Select[Campaign]:
    """Select all campaigns, the latest to start first; `before` are the keys (starts_on, id) of the last one seen."""
    found = select(Campaign).order_by(Campaign.starts_on.desc(), Campaign.id.desc())
    if before is not None:
        day, number = before
        found = found.where(
            (Campaign.starts_on < day) | ((Campaign.starts_on == day) & (Campaign.id < number))
        )
    return found


def campaign(code: str) -> Select[Campaign]:
    """Select a campaign by its code."""
    return select(Campaign).where(Campaign.code == code)


def opened() -> Select[Campaign]:
    """Select every campaign that is or was open, the latest to start first."""
    return (
        select(Campaign)
        .where(Campaign.state != CampaignState.DRAFT)
        .order_by(Campaign.starts_on.desc(), Campaign.id.desc())
    )


@lru_cache
def open_on() -> Executable:
    """Select the rows of campaigns whose window holds `day` (a parameter) and which have not been closed, the latest to start first."""
    day = bindparam("day", type_=Date)
    chosen = opened().where(
        Campaign.state == CampaignState.OPEN, Campaign.starts_on <= day, Campaign.ends_on >= day
    )
    return chosen.with_only_columns(*Campaign.__table__.columns)


def channel_codes(campaign_id: int) -> Select[ChannelCode]:
    """Select a campaign's channel codes in the order in which they were made."""
    return select(ChannelCode).where(ChannelCode.campaign_id == campaign_id).order_by(ChannelCode.id)


def channel_code(code: str) -> Select[ChannelCode, Campaign]:
    """Select a channel code with its campaign."""
    return (
        select(ChannelCode, Campaign)
        .join(Campaign, Campaign.id == ChannelCode.campaign_id)
        .where(ChannelCode.code == code)
    )


def versions() -> Select[str | None, str | None]:
    """Select the tokens that change with the campaigns and with the catalogue (None: never changed)."""
    return select(
        select(CampaignVersion.token).where(CampaignVersion.id == 1).scalar_subquery(),
        select(CatalogueVersion.token).where(CatalogueVersion.id == 1).scalar_subquery(),
    )
