"""What learners see of campaigns; all but the leaderboard is kept with the catalogue."""

from __future__ import annotations

from functools import partial
from typing import Any

from flask import Response

from edu_platform.campaigns.operations import public
from edu_platform.campaigns.operations.home import chosen_for
from edu_platform.campaigns.operations.home import home as feed
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
from edu_platform.core.clock import now
from edu_platform.core.db import reading
from edu_platform.core.limits import limiter
from edu_platform.core.schemas import PageArguments
from edu_platform.core.web import blueprint
from edu_platform.library.answering import answer, answer_question, question
from edu_platform.library.catalogue import OfPart, with_session
from edu_platform.people import guards

campaigns = blueprint("campaigns", prefix="/campaigns", description="活动")
codes = blueprint("channel-codes", prefix="/channel-codes", description="渠道码")
home = blueprint("home", prefix="/home", description="首页")
limiter.exempt(home)  # `library.answering` counts what is made


@campaigns.get("")
@guards.public
@campaigns.arguments(CampaignListIn, location="query")
@campaigns.response(200, PublicCampaignList)
def list_campaigns(wanted: dict[str, Any]) -> Response:
    """List the campaigns that are running (or upcoming, or ended)."""
    return answer(with_session(lambda session, at: public.listing(session, at, wanted["when"])))


@campaigns.get("/<code>")
@guards.public
@campaigns.arguments(Nothing, location="query")
@campaigns.response(200, CampaignPage)
def get_campaign(arguments: dict[str, Any], code: str) -> Response:
    """Return a campaign with the cards of its pieces."""
    del arguments
    return answer(with_session(lambda session, at: public.page(session, at, code)))


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
    return answer(with_session(lambda session, at: public.scanned(session, at, code)))


_HOME = question(
    "/api/v1/home",
    HomeIn(),
    lambda settings, wanted: OfPart(
        chosen_for(wanted["audience"]),
        partial(feed, audience=wanted["audience"], hotline=settings.hotline),
    ),
    by_reads=lambda _: True,
)


@home.get("")
@guards.public
@home.arguments(HomeIn, location="query")
@home.response(200, HomeFeed)
def get_home(wanted: dict[str, Any]) -> Response:
    """Return the home feed of an audience."""
    return answer_question(_HOME, wanted)
