"""Wire shapes of the shelf."""

from __future__ import annotations

from typing import Any

import marshmallow as ma
from marshmallow import fields, validate

from edu_platform.core.schemas import PageArguments, Shape, When
from edu_platform.library.schemas import Card
from edu_platform.shelf.models import PositionUnit
from edu_platform.shelf.rules import LARGEST


def _position(unit: PositionUnit, meaning: str) -> fields.Integer:
    return fields.Integer(
        strict=True,
        validate=validate.Range(min=0, max=LARGEST[unit]),
        metadata={"description": meaning},
    )


class Position(Shape):
    """Where in a piece: exactly one of the three."""

    block = _position(PositionUnit.BLOCK, "文章读到第几段（从 0 起）")
    ms = _position(PositionUnit.MS, "视频播放到第几毫秒")
    percent = _position(PositionUnit.PERCENT, "读到百分之几")

    @ma.validates_schema
    def _one(self, data: dict[str, Any], **_: Any) -> None:
        if len(data) != 1:
            raise ma.ValidationError("请在 block、ms、percent 中恰好填写一项。")


class Report(Shape):
    """A report of progress; `updated_at` is when it happened, by the client's clock."""

    position = fields.Nested(Position, required=True)
    finished = fields.Boolean(load_default=False, truthy={True}, falsy={False})
    updated_at = When(load_default=None)


class ProgressView(Shape):
    """Where the learner stopped in a piece; `position` is null when they have not begun."""

    slug = fields.String(required=True)
    position = fields.Nested(Position, required=True, allow_none=True)
    finished = fields.Boolean(required=True)
    finished_at = When(required=True, allow_none=True)
    updated_at = When(required=True, allow_none=True)


class ReportAnswer(ProgressView):
    """What is kept now; `taken` is false when something newer had been reported before."""

    taken = fields.Boolean(required=True)


class ProgressFilter(PageArguments):
    """Which progress to list."""

    finished = fields.Boolean(load_default=None)


class ProgressItem(Shape):
    """Progress, with the piece's card."""

    piece = fields.Nested(Card, required=True)
    position = fields.Nested(Position, required=True)
    finished = fields.Boolean(required=True)
    finished_at = When(required=True, allow_none=True)
    updated_at = When(required=True)


class FavouriteItem(Shape):
    """A favourite: the piece's card."""

    piece = fields.Nested(Card, required=True)
    kept_at = When(required=True)


class VisitItem(Shape):
    """A piece opened: its card."""

    piece = fields.Nested(Card, required=True)
    visited_at = When(required=True)


class ProgressList(Shape):
    """One page of progress, the newest report first."""

    items = fields.List(fields.Nested(ProgressItem), required=True)
    next_cursor = fields.String(required=True, allow_none=True)


class FavouriteList(Shape):
    """One page of favourites, the last one kept first."""

    items = fields.List(fields.Nested(FavouriteItem), required=True)
    next_cursor = fields.String(required=True, allow_none=True)


class VisitList(Shape):
    """One page of history, the last piece opened first."""

    items = fields.List(fields.Nested(VisitItem), required=True)
    next_cursor = fields.String(required=True, allow_none=True)


class FavouriteView(Shape):
    """Whether a piece is among the favourites."""

    slug = fields.String(required=True)
    favourite = fields.Boolean(required=True)
    kept_at = When(required=True, allow_none=True)
