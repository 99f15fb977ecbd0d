"""Wire shapes that every room builds on: strict about unknown fields, hostile text and numbers out of range."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import marshmallow as ma
from marshmallow import fields, validate

from edu_platform.core.clock import ZONE

# What marshmallow says in English, said to people in Chinese.
fields.Field.default_error_messages.update(
    required="必填。", null="不能为空。", validator_failed="取值不正确。"
)
_WORDS: dict[type[Any], dict[str, str]] = {
    fields.String: {"invalid": "应为文字。", "invalid_utf8": "应为 UTF-8 文字。"},
    fields.Integer: {"invalid": "应为整数。"},
    fields.Number: {"invalid": "应为数字。", "too_large": "数字过大。"},
    fields.Float: {"special": "不能是特殊数值。"},
    fields.Boolean: {"invalid": "应为 true 或 false。"},
    fields.DateTime: {"invalid": "应为 RFC 3339 时间。", "format": "无法表示为时间。"},
    fields.AwareDateTime: {"invalid": "应为 RFC 3339 时间。", "invalid_awareness": "时间须带时区。"},
    fields.Date: {
        "invalid": "应为日期，如 2026-03-15。",
        "invalid_awareness": "应为日期，如 2026-03-15。",
        "format": "无法表示为日期。",
    },
    fields.Email: {"invalid": "应为电子邮箱地址。"},
    fields.List: {"invalid": "应为列表。"},
    fields.Dict: {"invalid": "应为对象。"},
    fields.Nested: {"type": "应为对象。"},
    fields.Enum: {"must_be_one_of": "应为下列之一：{choices}。", "unknown": "应为下列之一：{choices}。"},
    fields.UUID: {"invalid_uuid": "应为 UUID。"},
    fields.Url: {"invalid": "应为网址。"},
}
for _kind, _messages in _WORDS.items():
    _kind.default_error_messages = {**_kind.default_error_messages, **_messages}
ma.Schema._default_error_messages.update(unknown="不认识的字段。", type="应为对象。")  # noqa: SLF001 - no public place
validate.Length.message_min = "至少 {min} 个字符或项。"
validate.Length.message_max = "至多 {max} 个字符或项。"
validate.Length.message_all = "应为 {min} 到 {max} 个字符或项。"
validate.Length.message_equal = "应为 {equal} 个字符或项。"
validate.Range.message_min = "应{min_op} {{min}}。"
validate.Range.message_max = "应{max_op} {{max}}。"
validate.Range.message_all = "应{min_op} {{min}} 且{max_op} {{max}}。"
validate.Range.message_gte, validate.Range.message_gt = "不小于", "大于"
validate.Range.message_lte, validate.Range.message_lt = "不大于", "小于"
validate.OneOf.default_message = "应为下列之一：{choices}。"
validate.Regexp.default_message = "格式不正确。"
validate.Email.default_message = "应为电子邮箱地址。"
validate.URL.default_message = "应为网址。"

LARGEST_ID = 2**63 - 1
_EARLIEST, _LATEST = datetime(2000, 1, 1, tzinfo=UTC), datetime(2100, 1, 1, tzinfo=UTC)
# Bidirectional overrides and isolates make text read other than it is; zero-width ones hide words from a check.
_HIDDEN = {*range(0x202A, 0x202F), *range(0x2066, 0x206A), 0x200B, 0x2060, 0xFEFF, 0x00AD}


def hostile_character(text: str, *, lines: bool = False) -> str | None:
    """Return the name of the first character that must not stand in people's text, or None."""
    for character in text:
        point = ord(character)
        if character in "\n\t" and lines:
            continue
        kind = unicodedata.category(character)
        if kind in {"Cc", "Cs", "Co", "Cn"} or point in _HIDDEN:
            return f"U+{point:04X}"
    return None


class Shape(ma.Schema):
    """Ancestor of every wire shape; what it does not know it refuses."""

    class Meta:
        """Refuse unknown fields."""

        unknown = ma.RAISE


class PlainText(fields.String):
    """Text for people: NFC, trimmed, without control, bidirectional-override or zero-width characters."""

    def __init__(self, *, most: int, least: int = 0, lines: bool = False, **options: Any) -> None:
        self.lines = lines
        options.setdefault("validate", validate.Length(min=least, max=most))
        super().__init__(**options)

    def _deserialize(
        self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any
    ) -> str:
        text = super()._deserialize(value, attr, data, **kwargs)
        if self.lines:
            text = text.replace("\r\n", "\n").replace("\r", "\n")
        found = hostile_character(text, lines=self.lines)
        if found:
            raise ma.ValidationError(f"含有不允许的字符 {found}。")
        return unicodedata.normalize("NFC", text).strip()


class Id(fields.Integer):
    """A row's id: a string of digits on the wire, a positive 64-bit number inside."""

    def _deserialize(
        self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any
    ) -> int:
        del attr, data, kwargs
        if not (isinstance(value, str) and value.isascii() and value.isdigit() and len(value) <= 19):
            raise ma.ValidationError("应为数字编号。")
        number = int(value)
        if not 0 < number <= LARGEST_ID:
            raise ma.ValidationError("编号超出范围。")
        return number

    def _serialize(self, value: Any, attr: str | None, obj: Any, **kwargs: Any) -> str | None:
        del attr, obj, kwargs
        return None if value is None else str(value)


class When(fields.AwareDateTime):
    """A moment: RFC 3339 with an offset on the wire (the branch's on the way out), between 2000 and 2100."""

    def _deserialize(
        self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any
    ) -> datetime:
        moment = super()._deserialize(value, attr, data, **kwargs)
        try:
            moment = moment.astimezone(UTC)
        except OverflowError as far:
            raise ma.ValidationError("时间超出范围。") from far
        if not _EARLIEST <= moment < _LATEST:
            raise ma.ValidationError("时间超出范围。")
        return moment

    def _serialize(self, value: datetime | None, attr: str | None, obj: Any, **kwargs: Any) -> str | None:
        del attr, obj, kwargs
        return None if value is None else when(value)


def when(moment: datetime) -> str:
    """Return a moment as it goes over the wire."""
    return moment.astimezone(ZONE).isoformat(timespec="milliseconds")


class Slug(fields.String):
    """A slug: lower-case letters, digits and single hyphens, at most 64."""

    def __init__(self, **options: Any) -> None:
        options.setdefault(
            "validate",
            [
                validate.Length(min=1, max=64),
                validate.Regexp(r"[a-z0-9]+(-[a-z0-9]+)*\Z", error="只能用小写字母、数字和连字符。"),
            ],
        )
        super().__init__(**options)


class PageArguments(Shape):
    """How a list is paged."""

    cursor = fields.String(load_default=None, validate=validate.Length(min=1, max=512))
    limit = fields.Integer(load_default=20, validate=validate.Range(min=1, max=100))


class ProblemField(Shape):
    """One field that is wrong."""

    field = fields.String(required=True)
    reason = fields.String(required=True)
    code = fields.String(required=True)


class Problem(Shape):
    """Problem details (RFC 9457)."""

    type = fields.String(required=True)
    title = fields.String(required=True)
    status = fields.Integer(required=True)
    code = fields.String(required=True)
    detail = fields.String(required=True)
    request_id = fields.String(required=True)
    errors = fields.List(fields.Nested(ProblemField), metadata={"description": "有误的字段，至多 20 个"})
    errors_left_out = fields.Integer(metadata={"description": "没有列出的还有几个"})
