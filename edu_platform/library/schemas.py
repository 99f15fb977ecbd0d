"""Pieces, revisions and lists on the wire."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import marshmallow as ma
from marshmallow import fields, validate

from edu_platform.core.schemas import Id, PageArguments, PlainText, Shape, Slug, When, hostile_character
from edu_platform.core.vocabulary import Audience, Right
from edu_platform.library import kinds
from edu_platform.library.models import RevisionState
from edu_platform.review.schemas import CaseView

LARGEST_NUMBER = 2**53


class Tree(fields.Dict):
    """A JSON object whose texts hold no hostile character and whose numbers every client can hold."""

    def _deserialize(
        self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any
    ) -> Any:
        found = super()._deserialize(value, attr, data, **kwargs)  # type: ignore[no-untyped-call]
        errors: dict[str, list[str]] = {}
        _walk(found, "", errors)
        if errors:
            raise ma.ValidationError(errors)  # by path, as nested fields have them
        return found


def _walk(value: Any, path: str, errors: dict[str, list[str]]) -> None:
    if isinstance(value, str):
        found = hostile_character(value, lines=True)
        if found:
            errors.setdefault(path, []).append(f"含有不允许的字符 {found}。")
    elif isinstance(value, dict):
        for key, inner in value.items():
            where = f"{path}.{key}" if path else key
            if hostile_character(key):
                errors.setdefault(path or "_schema", []).append("含有不允许的字段名。")
            else:
                _walk(inner, where, errors)
    elif isinstance(value, list):
        for number, inner in enumerate(value):
            _walk(inner, f"{path}[{number}]", errors)
    elif isinstance(value, (int, float)) and abs(value) > LARGEST_NUMBER:
        errors.setdefault(path, []).append("数字过大。")


def _known_kind(value: str) -> None:
    if value not in kinds.registry:
        raise ma.ValidationError(f"应为下列之一：{', '.join(sorted(kinds.registry))}。")


class PieceFilter(PageArguments):
    """Which pieces a list shows."""

    kind = fields.String(load_default=None, validate=_known_kind)
    audience = fields.Enum(Audience, by_value=True, load_default=None)
    column = Slug(load_default=None)
    right = fields.Enum(Right, by_value=True, load_default=None)
    campaign = fields.String(
        load_default=None,
        validate=validate.Regexp(r"[A-Za-z0-9_-]{1,64}\Z", error="应为活动代码。"),
    )
    q = PlainText(least=1, most=50, load_default=None, metadata={"description": "搜索词"})
    sort = fields.String(load_default=None, validate=validate.OneOf(["newest", "most_read"]))


class Nothing(Shape):
    """No arguments."""


class Picture(ma.Schema):
    """A picture and its size."""

    url = fields.String(required=True)
    width = fields.Integer(required=True)
    height = fields.Integer(required=True)
    bytes = fields.Integer()
    media_type = fields.String()


class Part(Shape):
    """A part of a text; `hit` where it is what was searched for."""

    text = fields.String(required=True)
    hit = fields.Boolean(required=True)


class Highlight(Shape):
    """Where a search hit: put together, the parts are the title and an excerpt."""

    title = fields.List(fields.Nested(Part), required=True)
    excerpt = fields.List(fields.Nested(Part), required=True)


class Carried(Shape):
    """A campaign that carries the piece, and when."""

    code = fields.String(required=True)
    starts_at = When(required=True)
    ends_at = When(required=True)


class Card(ma.Schema):
    """A piece in a list; each kind adds fields of its own."""

    class Meta:
        """Kinds add fields."""

        unknown = ma.INCLUDE

    id = Id(required=True)
    slug = fields.String(required=True)
    kind = fields.String(required=True)
    title = fields.String(required=True)
    summary = fields.String(required=True)
    audiences = fields.List(fields.Enum(Audience, by_value=True), required=True)
    rights = fields.List(fields.Enum(Right, by_value=True), required=True)
    column = fields.String(required=True)
    campaigns = fields.List(fields.Nested(Carried), required=True)
    cover = fields.Nested(Picture, required=True, allow_none=True)
    published_at = When(required=True)
    updated_at = When(required=True)
    expires_at = When(required=True, allow_none=True)
    highlight = fields.Nested(Highlight)


class CardList(Shape):
    """One page of pieces; `highlight` only with `q`."""

    items = fields.List(fields.Nested(Card), required=True)
    next_cursor = fields.String(required=True, allow_none=True)


class PiecePage(Card):
    """A piece in full; each kind adds what its page shows."""


class Reason(Shape):
    """Why a piece is related."""

    code = fields.String(
        required=True, validate=validate.OneOf(["named", "same_column", "same_right", "same_audience"])
    )
    text = fields.String(required=True)


class RelatedCard(Card):
    """A related piece with the reason."""

    reason = fields.Nested(Reason, required=True)


class RelatedList(Shape):
    """Pieces that go with a piece, strongest reason first."""

    items = fields.List(fields.Nested(RelatedCard), required=True)


class ColumnView(Shape):
    """A column and how many pieces are to be seen in it."""

    slug = fields.String(required=True)
    title = fields.String(required=True)
    intro = fields.String(required=True)
    pieces = fields.Integer(required=True)


class ColumnList(Shape):
    """All columns in their order."""

    items = fields.List(fields.Nested(ColumnView), required=True)


class Word(Shape):
    """A word of the API and its Chinese name."""

    value = fields.String(required=True)
    label = fields.String(required=True)


class ActionWord(Word):
    """An action: `counts_as` reach or participation; `by_beacon` when clients report it."""

    counts_as = fields.String(required=True, validate=validate.OneOf(["reach", "participation"]))
    by_beacon = fields.Boolean(required=True)


class Vocabulary(Shape):
    """Every word that has a Chinese name, and the house's own facts."""

    programme = fields.String(required=True)
    issuer = fields.String(required=True)
    hotline = fields.String(required=True)
    kinds = fields.List(fields.Nested(Word), required=True)
    audiences = fields.List(fields.Nested(Word), required=True)
    declared_audiences = fields.List(fields.Nested(Word), required=True)
    rights = fields.List(fields.Nested(Word), required=True)
    channels = fields.List(fields.Nested(Word), required=True)
    series = fields.List(fields.Nested(Word), required=True)
    roles = fields.List(fields.Nested(Word), required=True)
    age_bands = fields.List(fields.Nested(Word), required=True)
    states = fields.List(fields.Nested(Word), required=True)
    actions = fields.List(fields.Nested(ActionWord), required=True)


class DraftChange(Shape):
    """What a new revision says: `meta` and `body`, or an article as Markdown with front matter."""

    meta = Tree(metadata={"description": "标题、摘要、受众、权利、栏目等"})
    body = Tree(metadata={"description": "正文，由内容类型规定"})
    markdown = fields.String(
        validate=validate.Length(min=1, max=100_000), metadata={"description": "带 front matter 的 Markdown"}
    )
    based_on = fields.String(
        load_default=None,
        validate=validate.Regexp(r"[0-9a-f]{64}\Z", error="应为 64 位十六进制摘要。"),
        metadata={"description": "所依据版本的摘要；他人已有更新时拒绝"},
    )

    @ma.validates_schema
    def one_form(self, data: dict[str, Any], **kwargs: Any) -> None:
        """Demand exactly one of the two forms."""
        del kwargs
        if "markdown" in data:
            both = [name for name in ("kind", "meta", "body") if name in data]
            if both:
                raise ma.ValidationError("已有 markdown，不能再填此项。", both[0])
            return
        missing = [name for name in self._needed if name not in data]
        if missing:
            raise ma.ValidationError({name: ["必填。"] for name in missing})

    _needed: tuple[str, ...] = ("meta", "body")


class Draft(DraftChange):
    """A new piece."""

    kind = fields.String(validate=validate.Length(min=1, max=32))
    slug = Slug()
    _needed = ("kind", "slug", "meta", "body")


class StaffFilter(PageArguments):
    """Which pieces staff want to see."""

    kind = fields.String(load_default=None, validate=_known_kind)
    state = fields.Enum(RevisionState, by_value=True, load_default=None)


class RevisionSummary(Shape):
    """A revision without what it says."""

    id = Id(required=True)
    number = fields.Integer(required=True)
    digest = fields.String(required=True)
    title = fields.Function(lambda revision: revision.meta["title"], required=True)
    state = fields.Enum(RevisionState, by_value=True, required=True)
    author_id = Id(required=True, allow_none=True)
    created_at = When(required=True)
    visible_from = When(required=True, allow_none=True)
    visible_until = When(required=True, allow_none=True)


class RevisionView(RevisionSummary):
    """A revision with what it says."""

    piece_id = Id(required=True)
    slug = fields.String(attribute="piece.slug", required=True)
    kind = fields.String(attribute="piece.kind", required=True)
    meta = fields.Dict(required=True)
    body = fields.Dict(required=True)


class StaffPiece(Shape):
    """A piece as staff see it: its newest revision, and those that are public or will be."""

    id = Id(attribute="piece.id", required=True)
    slug = fields.String(attribute="piece.slug", required=True)
    kind = fields.String(attribute="piece.kind", required=True)
    first_published_at = When(attribute="piece.first_published_at", required=True, allow_none=True)
    latest = fields.Nested(RevisionSummary, required=True)
    live = fields.List(fields.Nested(RevisionSummary), required=True)


class StaffPieceList(Shape):
    """One page of pieces for staff."""

    items = fields.List(fields.Nested(StaffPiece), required=True)
    next_cursor = fields.String(required=True, allow_none=True)


class StaffPieceView(StaffPiece):
    """A piece with all its revisions and what the review said of them."""

    revisions = fields.List(fields.Nested(RevisionSummary), required=True)
    cases = fields.List(fields.Nested(CaseView), required=True)


class CheckProblem(Shape):
    """One thing that is wrong."""

    field = fields.String(required=True)
    reason = fields.String(required=True)
    code = fields.String(required=True)


class CheckResult(Shape):
    """What is wrong with a stored revision as the house is now; empty when nothing is."""

    errors = fields.List(fields.Nested(CheckProblem), required=True)


class ReviewText(Shape):
    """Everything that a reviewer must read, answers included, and the digest that it belongs to."""

    digest = fields.String(required=True)
    text = fields.String(required=True)


class Publication(Shape):
    """When to publish; left out: when the piece says, else now."""

    at = When(load_default=None)


class Withdrawal(Shape):
    """Why a piece is taken down."""

    reason = PlainText(least=1, most=400, required=True)
