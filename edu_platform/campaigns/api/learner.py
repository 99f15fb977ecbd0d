"""What learners see of campaigns; all but the leaderboard is kept with the catalogue."""

from __future__ import annotations

from typing import Any

from flask import Response, current_app, request

from edu_platform.campaigns.operations import public
from edu_platform.campaigns.schemas import (
    BoardOut,
    CampaignListIn,
    CampaignPage,
    HomeFeed,
    HomeIn,
    Nothing,
    PublicCampaignList,
    Scanned,
)
from edu_platform.config.settings import Settings
from edu_platform.core.clock import local_day, now
from edu_platform.core.db import db, reading
from edu_platform.core.schemas import PageArguments
from edu_platform.core.web import blueprint
from edu_platform.library import catalogue
from edu_platform.library.catalogue import Make
from edu_platform.people import guards

campaigns = blueprint("campaigns", prefix="/campaigns", description="活动")
codes = blueprint("channel-codes", prefix="/channel-codes", description="渠道码")
home = blueprint("home", prefix="/home", description="首页")


def _answer(make: Make, *, by_reads: bool = False) -> Response:
    """Answer from what is kept for today under this path and query: campaigns begin and end at midnight."""
    key = f"{request.path}?{request.query_string.decode('latin-1')}#{local_day(now())}"
    fresh = catalogue.catalogue_of(db.engine).answer(key, make, by_reads=by_reads)
    status, headers, body = catalogue.choose(
        fresh,
        if_none_match=request.headers.get("If-None-Match"),
        accept_encoding=request.headers.get("Accept-Encoding"),
    )
    return Response(body, status=status, headers=headers)


@campaigns.get("")
@guards.public
@campaigns.arguments(CampaignListIn, location="query")
@campaigns.response(200, PublicCampaignList)
def list_campaigns(wanted: dict[str, Any]) -> Response:
    """List the campaigns that are running (or upcoming, or ended)."""
    return _answer(lambda session, at: public.listing(session, at, wanted["when"]))


@campaigns.get("/<code>")
@guards.public
@campaigns.arguments(Nothing, location="query")
@campaigns.response(200, CampaignPage)
def get_campaign(arguments: dict[str, Any], code: str) -> Response:
    """Return a campaign with the cards of its pieces."""
    del arguments
    return _answer(lambda session, at: public.page(session, at, code))


@campaigns.get("/<code>/leaderboard")
@guards.learner
@campaigns.arguments(PageArguments, location="query")
@campaigns.response(200, BoardOut)
def get_leaderboard(paging: dict[str, Any], code: str) -> public.Board:
    """Return a page of a campaign's leaderboard, and one's own place."""
    return public.leaderboard(reading(), code, guards.current_learner(), at=now(), **paging)


@codes.get("/<code>")
@guards.public
@codes.arguments(Nothing, location="query")
@codes.response(200, Scanned)
def get_channel_code(arguments: dict[str, Any], code: str) -> Response:
    """Say what a scanned scene (`c:7Gk2Qz`, or the bare code) stands for."""
    del arguments
    return _answer(lambda session, at: public.scanned(session, at, code))


@home.get("")
@guards.public
@home.arguments(HomeIn, location="query")
@home.response(200, HomeFeed)
def get_home(wanted: dict[str, Any]) -> Response:
    """Return the home feed of an audience."""
    settings: Settings = current_app.config["EDU"]
    return _answer(
        lambda session, at: public.home(session, at, wanted["audience"], hotline=settings.hotline),
        by_reads=True,
    )
