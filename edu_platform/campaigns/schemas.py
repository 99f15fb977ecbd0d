"""Campaigns on the wire."""

from __future__ import annotations

from typing import Any

import marshmallow as ma
from marshmallow import fields, validate

from edu_platform.campaigns.operations.running import MOST_PIECES, Plan
from edu_platform.campaigns.rules import CODE
from edu_platform.core.schemas import Id, PageArguments, PlainText, Shape, Slug, When
from edu_platform.core.vocabulary import Audience, Channel, Right, Series

_STATES = ("draft", "open", "closed")
_WHEN = ("running", "upcoming", "ended")


def _words(kind: Any, *, least: int = 0, **options: Any) -> fields.Field[Any]:
    return fields.List(
        fields.Enum(kind, by_value=True), validate=validate.Length(min=least, max=len(kind)), **options
    )


class PlanIn(Shape):
    """What a campaign says of itself. Days are of the branch's calendar, both included."""

    name = PlainText(required=True, least=1, most=60)
    theme = PlainText(required=True, least=1, most=120)
    summary = PlainText(load_default="", most=1000, lines=True)
    series = fields.Enum(Series, by_value=True, required=True)
    branch = PlainText(load_default=None, allow_none=True, least=1, most=60)
    starts_on = fields.Date(required=True)
    ends_on = fields.Date(required=True)
    audiences = _words(Audience, least=1, load_default=tuple(Audience))
    rights = _words(Right, load_default=())
    channels = _words(Channel, least=1, load_default=tuple(Channel))

    @ma.validates("starts_on")
    def _sensible_start(self, value: Any, **_: Any) -> None:
        _sensible(value)

    @ma.validates("ends_on")
    def _sensible_end(self, value: Any, **_: Any) -> None:
        _sensible(value)


def _sensible(value: Any) -> None:
    if not 2000 <= value.year <= 2099:
        raise ma.ValidationError("日期须在 2000 年到 2099 年之间。")


class CampaignIn(PlanIn):
    """A new campaign, a draft until it is opened."""

    code = Slug(required=True)
    pieces = fields.List(Slug(), load_default=(), validate=validate.Length(max=MOST_PIECES))


def plan_of(data: dict[str, Any], *, branch: str) -> Plan:
    """Return the plan that was sent; `branch` where none was named."""
    values = {name: data[name] for name in PlanIn().fields}
    values["branch"] = values["branch"] or branch
    return Plan(**values)


class PiecesIn(Shape):
    """The pieces that a campaign carries, by slug, in the order in which they are shown."""

    pieces = fields.List(Slug(), required=True, validate=validate.Length(max=MOST_PIECES))


class ChannelCodeIn(Shape):
    """A new channel code; drawn at random unless `code` is given."""

    channel = fields.Enum(Channel, by_value=True, required=True)
    note = PlainText(load_default="", most=100)
    landing_piece = Slug(load_default=None, allow_none=True)
    code = fields.String(
        load_default=None,
        allow_none=True,
        validate=validate.Regexp(CODE.pattern + r"\Z", error="须为 4 到 12 个字母或数字。"),
    )


class Nothing(Shape):
    """No arguments at all."""


class CampaignListIn(Shape):
    """Which campaigns to list."""

    when = fields.String(load_default="running", validate=validate.OneOf(_WHEN))


class StaffListIn(PageArguments):
    """How the staff's list is paged."""


class HomeIn(Shape):
    """For whom the home feed is."""

    audience = fields.Enum(Audience, by_value=True, load_default=None)


class PublicCampaign(Shape):
    """A campaign as everybody may see it."""

    code = fields.String(required=True)
    name = fields.String(required=True)
    theme = fields.String(required=True)
    summary = fields.String(required=True)
    series = fields.Enum(Series, by_value=True, required=True)
    series_label = fields.String(required=True)
    branch = fields.String(required=True)
    starts_on = fields.Date(required=True)
    ends_on = fields.Date(required=True)
    when = fields.String(required=True, validate=validate.OneOf(_WHEN))
    audiences = fields.List(fields.String(), required=True)
    rights = fields.List(fields.String(), required=True)
    channels = fields.List(fields.String(), required=True)


class PublicCampaignList(Shape):
    """Campaigns, the latest to start first."""

    items = fields.List(fields.Nested(PublicCampaign), required=True)


class CampaignPage(PublicCampaign):
    """A campaign with the cards of its pieces."""

    pieces = fields.List(
        fields.Dict(), required=True, metadata={"description": "作品卡片，同 /pieces 的 items"}
    )


class Scanned(Shape):
    """What a scanned code stands for; `campaign.when` says whether it still counts."""

    code = fields.String(required=True)
    scene = fields.String(required=True)
    channel = fields.Enum(Channel, by_value=True, required=True)
    landing_piece = fields.String(required=True, allow_none=True)
    campaign = fields.Nested(PublicCampaign, required=True)


class ElderMode(Shape):
    """What a client should turn on for elderly readers."""

    suggested = fields.Boolean(required=True)
    font_scale = fields.Float(required=True)
    read_aloud = fields.Boolean(required=True)
    untimed_quizzes = fields.Boolean(required=True)
    large_print_posters = fields.Boolean(required=True)


class Help(Shape):
    """Help at one tap."""

    hotline = fields.String(required=True)
    label = fields.String(required=True)
    one_tap = fields.String(required=True)


class HomeSection(Shape):
    """One row of cards."""

    key = fields.String(required=True)
    title = fields.String(required=True)
    items = fields.List(fields.Dict(), required=True)


class HomeColumn(Shape):
    """A column, with how many pieces of the audience are in it."""

    slug = fields.String(required=True)
    title = fields.String(required=True)
    intro = fields.String(required=True)
    pieces = fields.Integer(required=True)


class HomeFeed(Shape):
    """The home feed."""

    audience = fields.Enum(Audience, by_value=True, required=True, allow_none=True)
    date = fields.Date(required=True)
    elder_mode = fields.Nested(ElderMode, required=True)
    help = fields.Nested(Help, required=True)
    campaigns = fields.List(fields.Nested(PublicCampaign), required=True)
    columns = fields.List(fields.Nested(HomeColumn), required=True)
    sections = fields.List(fields.Nested(HomeSection), required=True)


class StaffCampaign(Shape):
    """A campaign as staff see it."""

    id = Id(required=True)
    code = fields.String(required=True)
    name = fields.String(required=True)
    theme = fields.String(required=True)
    summary = fields.String(required=True)
    series = fields.Enum(Series, by_value=True, required=True)
    branch = fields.String(required=True)
    starts_on = fields.Date(required=True)
    ends_on = fields.Date(required=True)
    state = fields.String(required=True, validate=validate.OneOf(_STATES))
    closed_at = When(required=True, allow_none=True)
    audiences = fields.List(fields.String(), required=True)
    rights = fields.List(fields.String(), required=True)
    channels = fields.List(fields.String(), required=True)
    pieces = fields.List(fields.String(), required=True)
    created_by = fields.String(required=True)
    created_at = When(required=True)


class StaffCampaignList(Shape):
    """Campaigns in every state, the latest to start first."""

    items = fields.List(fields.Nested(StaffCampaign), required=True)
    next_cursor = fields.String(required=True, allow_none=True)


class ChannelCodeOut(Shape):
    """A channel code, with the scene text for a mini-program code."""

    code = fields.String(required=True)
    scene = fields.String(required=True)
    channel = fields.Enum(Channel, by_value=True, required=True)
    note = fields.String(required=True)
    landing_piece = fields.String(required=True, allow_none=True)
    created_by = fields.String(required=True)
    created_at = When(required=True)


class ChannelCodeList(Shape):
    """A campaign's channel codes."""

    items = fields.List(fields.Nested(ChannelCodeOut), required=True)


class PlaceOut(Shape):
    """One place on a campaign's board."""

    rank = fields.Integer(required=True)
    name = fields.String(required=True)
    score = fields.Integer(required=True)
    max_score = fields.Integer(required=True)
    score_share = fields.Integer(required=True, metadata={"description": "各测验得分占比之和，万分之一"})
    quizzes = fields.Integer(required=True)
    submitted_at = When(required=True)
    me = fields.Boolean(required=True)


class BoardOut(Shape):
    """A page of a campaign's leaderboard."""

    items = fields.List(fields.Nested(PlaceOut), required=True)
    next_cursor = fields.String(required=True, allow_none=True)
    rule = fields.String(required=True)
    total = fields.Integer(required=True)
    me = fields.Nested(PlaceOut, required=True, allow_none=True)
