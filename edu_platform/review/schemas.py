"""Review cases on the wire."""

from __future__ import annotations

from marshmallow import fields, validate

from edu_platform.core.schemas import Id, PageArguments, PlainText, Shape, When
from edu_platform.review.models import CaseState
from edu_platform.review.operations import LONGEST_COMMENT


class CaseFilter(PageArguments):
    """Which cases are wanted."""

    state = fields.Enum(CaseState, by_value=True, load_default=None)


class CaseView(Shape):
    """One submission and how it was decided; `location` is where the content can be read."""

    id = Id(required=True)
    subject = fields.String(required=True)
    digest = fields.String(required=True)
    title = fields.String(required=True)
    location = fields.String(required=True)
    state = fields.Enum(CaseState, by_value=True, required=True)
    author_id = Id(required=True, allow_none=True)
    opened_by = Id(required=True, allow_none=True)
    opened_at = When(required=True)
    decided_by = Id(required=True, allow_none=True)
    decided_at = When(required=True, allow_none=True)
    comment = fields.String(required=True)


class CaseList(Shape):
    """One page of cases."""

    items = fields.List(fields.Nested(CaseView), required=True)
    next_cursor = fields.String(required=True, allow_none=True)


class Approval(Shape):
    """Approval of exactly one digest."""

    digest = fields.String(
        required=True, validate=validate.Regexp(r"[0-9a-f]{64}\Z", error="应为 64 位十六进制摘要。")
    )
    comment = PlainText(most=LONGEST_COMMENT, lines=True, load_default="")


class Return(Shape):
    """What must change before it can be approved."""

    comment = PlainText(most=LONGEST_COMMENT, lines=True, required=True)
