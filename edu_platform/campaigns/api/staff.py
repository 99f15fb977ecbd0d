"""Running campaigns."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from flask import current_app

from edu_platform.campaigns import queries
from edu_platform.campaigns.models import Campaign, ChannelCode
from edu_platform.campaigns.operations import running
from edu_platform.campaigns.rules import scene
from edu_platform.campaigns.schemas import (
    CampaignIn,
    ChannelCodeIn,
    ChannelCodeList,
    ChannelCodeOut,
    PiecesIn,
    PlanIn,
    StaffCampaign,
    StaffCampaignList,
    StaffListIn,
    plan_of,
)
from edu_platform.core.clock import day_start, local_day
from edu_platform.core.db import reading, writing
from edu_platform.core.paging import Page, decode_cursor, encode_cursor
from edu_platform.core.vocabulary import Role
from edu_platform.core.web import blueprint, repeatable
from edu_platform.people import guards

campaigns = blueprint("staff-campaigns", prefix="/staff/campaigns", description="活动管理")


def _branch() -> str:
    issuer: str = current_app.config["EDU"].issuer
    return issuer


@campaigns.get("")
@guards.staff(Role.CAMPAIGN_MANAGER, Role.ANALYST, Role.ADMIN)
@campaigns.arguments(StaffListIn, location="query")
@campaigns.response(200, StaffCampaignList)
def list_campaigns(paging: dict[str, Any]) -> Page[Campaign]:
    """List campaigns in every state, the latest to start first."""
    before = None
    if paging["cursor"] is not None:
        moment, number = decode_cursor(paging["cursor"], datetime, int)
        before = (local_day(moment), number)
    limit = paging["limit"]
    found = reading().scalars(queries.campaigns(before=before).limit(limit + 1)).all()
    last = found[limit - 1] if len(found) > limit else None
    cursor = encode_cursor(day_start(last.starts_on), last.id) if last else None
    return Page(found[:limit], cursor)


@campaigns.post("")
@guards.staff(Role.CAMPAIGN_MANAGER)
@repeatable
@campaigns.arguments(CampaignIn)
@campaigns.response(201, StaffCampaign)
def create_campaign(data: dict[str, Any]) -> Campaign:
    """Make a campaign, a draft until it is opened."""
    with writing() as session:
        return running.create_campaign(
            session,
            code=data["code"],
            plan=plan_of(data, branch=_branch()),
            pieces=data["pieces"],
            by=guards.current_staff().actor,
        )


@campaigns.get("/<code>")
@guards.staff(Role.CAMPAIGN_MANAGER, Role.ANALYST, Role.ADMIN)
@campaigns.response(200, StaffCampaign)
def get_campaign(code: str) -> Campaign:
    """Return a campaign in whatever state."""
    return running.campaign_of(reading(), code)


@campaigns.put("/<code>")
@guards.staff(Role.CAMPAIGN_MANAGER)
@campaigns.arguments(PlanIn)
@campaigns.response(200, StaffCampaign)
def change_campaign(data: dict[str, Any], code: str) -> Campaign:
    """Replace what a campaign says of itself; what has been counted stays where it was."""
    with writing() as session:
        campaign = running.campaign_of(session, code, lock=True)
        running.change_campaign(
            session, campaign, plan_of(data, branch=_branch()), by=guards.current_staff().actor
        )
        return campaign


@campaigns.put("/<code>/pieces")
@guards.staff(Role.CAMPAIGN_MANAGER)
@campaigns.arguments(PiecesIn)
@campaigns.response(200, StaffCampaign)
def set_pieces(data: dict[str, Any], code: str) -> Campaign:
    """Say which pieces a campaign carries, in the order in which they are shown."""
    with writing() as session:
        campaign = running.campaign_of(session, code, lock=True)
        running.set_pieces(session, campaign, data["pieces"], by=guards.current_staff().actor)
        return campaign


@campaigns.post("/<code>/open")
@guards.staff(Role.CAMPAIGN_MANAGER)
@repeatable
@campaigns.response(200, StaffCampaign)
def open_campaign(code: str) -> Campaign:
    """Let a draft run: from its first day on it counts."""
    with writing() as session:
        campaign = running.campaign_of(session, code, lock=True)
        running.open_campaign(session, campaign, by=guards.current_staff().actor)
        return campaign


@campaigns.post("/<code>/close")
@guards.staff(Role.CAMPAIGN_MANAGER)
@repeatable
@campaigns.response(200, StaffCampaign)
def close_campaign(code: str) -> Campaign:
    """End a campaign now, for good."""
    with writing() as session:
        campaign = running.campaign_of(session, code, lock=True)
        running.close_campaign(session, campaign, by=guards.current_staff().actor)
        return campaign


@campaigns.get("/<code>/channel-codes")
@guards.staff(Role.CAMPAIGN_MANAGER, Role.ANALYST, Role.ADMIN)
@campaigns.response(200, ChannelCodeList)
def list_channel_codes(code: str) -> dict[str, Any]:
    """List a campaign's channel codes."""
    campaign = running.campaign_of(reading(), code)
    return {"items": [_shown(entry) for entry in reading().scalars(queries.channel_codes(campaign.id))]}


@campaigns.post("/<code>/channel-codes")
@guards.staff(Role.CAMPAIGN_MANAGER)
@repeatable
@campaigns.arguments(ChannelCodeIn)
@campaigns.response(201, ChannelCodeOut)
def add_channel_code(data: dict[str, Any], code: str) -> dict[str, Any]:
    """Add a channel code for a QR code or link."""
    with writing() as session:
        campaign = running.campaign_of(session, code, lock=True)
        entry = running.add_channel_code(session, campaign, **data, by=guards.current_staff().actor)
        return _shown(entry)


def _shown(entry: ChannelCode) -> dict[str, Any]:
    return {
        "code": entry.code,
        "scene": scene(entry.code),
        "channel": entry.channel,
        "note": entry.note,
        "landing_piece": entry.landing_piece,
        "created_by": entry.created_by,
        "created_at": entry.created_at,
    }
