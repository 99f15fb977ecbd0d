"""What every piece says about itself, whatever its kind: the rules, without files and without a database."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from datetime import UTC, datetime
from typing import Any, Final

from edu_platform.core.clock import timestamp
from edu_platform.core.errors import FieldError
from edu_platform.core.vocabulary import Audience, Right, label

KEYS: Final = (
    "title",
    "summary",
    "audiences",
    "rights",
    "column",
    "cover",
    "related",
    "keywords",
    "publish_at",
    "expire_at",
)
"""The keys of a revision's `meta`, in the order in which it is stored."""
LONGEST_TITLE: Final = 30
LONGEST_SUMMARY: Final = 100
MOST_RELATED: Final = 6
MOST_KEYWORDS: Final = 12
LONGEST_KEYWORD: Final = 20
GROUNDS: Final = ("green", "amber", "sky", "plum", "vermilion", "sand")
SLUG: Final = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
LONGEST_SLUG: Final = 64
PLACEHOLDER: Final = re.compile(r"\{[^{}\s]*\}")
_EARLIEST, _LATEST = datetime(2000, 1, 1, tzinfo=UTC), datetime(2100, 1, 1, tzinfo=UTC)


def slug_reason(slug: object) -> str | None:
    """Return why this is no slug, or None."""
    if not isinstance(slug, str) or not SLUG.fullmatch(slug):
        return "只能用小写字母、数字和单个连字符，如 hang-up-first"
    if len(slug) > LONGEST_SLUG:
        return f"最多 {LONGEST_SLUG} 个字符"
    return None


def text_errors(
    value: object, field: str, *, most: int, least: int = 1, hotline: bool = False, lines: bool = False
) -> list[FieldError]:
    """Return what is wrong with a text of `least` to `most` characters.

    `{hotline}` may stand in it only where `hotline` is true, and counts as five characters; no other placeholder
    may. Markdown and HTML do not belong in such a text.
    """
    if not isinstance(value, str):
        hint = "，数字请加引号" if isinstance(value, int | float) else ""
        return [FieldError(field, f"应为一段文字{hint}", "not_text")]
    errors = []
    text = value.strip()
    size = len(text.replace("{hotline}", "95519"))
    if size < least:
        errors.append(FieldError(field, "不能为空" if least == 1 else f"至少 {least} 字", "too_short"))
    if size > most:
        errors.append(FieldError(field, f"最多 {most} 字，现有 {size} 字", "too_long"))
    if "\n" in text and not lines:
        errors.append(FieldError(field, "不能换行", "line_break"))
    if re.search(r"</?[A-Za-z!]", text):
        errors.append(FieldError(field, "不能含有 HTML 标签", "html"))
    for found in PLACEHOLDER.findall(text):
        if found != "{hotline}":
            errors.append(FieldError(field, f"不认识的占位符 {found}", "placeholder"))
        elif not hotline:
            errors.append(FieldError(field, "这里不能用 {hotline}", "placeholder"))
    return errors


def list_errors(
    value: object, field: str, *, least: int, most: int, unit: str = "项"
) -> tuple[list[Any], list[FieldError]]:
    """Return the items of a list, and what is wrong with the list as such."""
    if not isinstance(value, list):
        return [], [FieldError(field, "应为列表", "not_a_list")]
    if not least <= len(value) <= most:
        wanted = f"须正好 {least} {unit}" if least == most else f"须有 {least} 到 {most} {unit}"
        return value, [FieldError(field, f"{wanted}，现有 {len(value)} {unit}", "wrong_count")]
    return value, []


def unknown_keys(value: Mapping[str, Any], allowed: Collection[str], prefix: str = "") -> list[FieldError]:
    """Return a mistake for every key that has no meaning here."""
    dot = f"{prefix}." if prefix else ""
    return [FieldError(f"{dot}{key}", "不认识的字段", "unknown_field") for key in value if key not in allowed]


def read_moment(value: object, field: str) -> tuple[datetime | None, list[FieldError]]:
    """Read an RFC 3339 time with an offset; None stays None."""
    if value is None:
        return None, []
    wrong = [FieldError(field, "应为带时区的时间，如 2026-03-01T00:00:00+08:00", "not_a_time")]
    if not isinstance(value, str) or not re.match(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d", value):
        return None, wrong
    try:
        moment = datetime.fromisoformat(value)
        if moment.tzinfo is None:
            return None, wrong
        moment = moment.astimezone(UTC)
    except (ValueError, OverflowError):
        return None, wrong
    if not _EARLIEST <= moment < _LATEST:
        return None, [FieldError(field, "时间超出范围", "out_of_range")]
    return moment, []


def _words(
    value: object, field: str, kind: type[Audience | Right], least: int, name: str
) -> list[FieldError]:
    items, errors = list_errors(value, field, least=least, most=len(kind))
    known = [member.value for member in kind]
    for number, item in enumerate(items):
        where = f"{field}[{number}]"
        if item not in known:
            said = "、".join(f"{member.value}（{label(member)}）" for member in kind)
            errors.append(FieldError(where, f"没有这个{name}“{item}”，可用：{said}", "unknown_word"))
        elif item in items[:number]:
            errors.append(FieldError(where, f"“{item}”重复", "repeated"))
    return errors


def _slugs(value: object) -> list[FieldError]:
    items, errors = list_errors(value, "related", least=0, most=MOST_RELATED)
    for number, item in enumerate(items):
        reason = slug_reason(item)
        if reason:
            errors.append(FieldError(f"related[{number}]", reason, "not_a_slug"))
        elif item in items[:number]:
            errors.append(FieldError(f"related[{number}]", f"“{item}”重复", "repeated"))
    return errors


def _keywords(value: object) -> list[FieldError]:
    items, errors = list_errors(value, "keywords", least=0, most=MOST_KEYWORDS)
    for number, item in enumerate(items):
        errors += text_errors(item, f"keywords[{number}]", most=LONGEST_KEYWORD)
        if item in items[:number]:
            errors.append(FieldError(f"keywords[{number}]", f"“{item}”重复", "repeated"))
    return errors


def _cover(value: object, *, required: bool) -> list[FieldError]:
    if value is None:
        return [FieldError("cover", "缺少这一项", "required")] if required else []
    if not isinstance(value, dict):
        return [FieldError("cover", "应写成 {illustration: 图名, ground: 底色}", "not_a_mapping")]
    errors = unknown_keys(value, ("illustration", "ground"), "cover")
    reason = slug_reason(value.get("illustration"))
    if reason:
        errors.append(FieldError("cover.illustration", reason, "not_a_name"))
    if value.get("ground") not in GROUNDS:
        said = "、".join(GROUNDS)
        errors.append(
            FieldError("cover.ground", f"没有这个底色“{value.get('ground')}”，可用：{said}", "unknown_word")
        )
    return errors


def check_meta(value: Mapping[str, Any], *, cover: bool) -> list[FieldError]:
    """Return everything that is wrong with what a piece says about itself, by path.

    `cover` says whether the kind must name a cover. That the column, the illustration and the related pieces
    exist is for whoever knows them. Keys that are not of `KEYS` are not looked at.
    """
    errors: list[FieldError] = []
    for key, most in (("title", LONGEST_TITLE), ("summary", LONGEST_SUMMARY)):
        if value.get(key) is None:
            errors.append(FieldError(key, "缺少这一项", "required"))
        else:
            errors += text_errors(value[key], key, most=most)
    for key, kind, name in (("audiences", Audience, "受众"), ("rights", Right, "权利")):
        if value.get(key) is None:
            errors.append(FieldError(key, "缺少这一项", "required"))
        else:
            errors += _words(value[key], key, kind, 1, name)
    if value.get("column") is None:
        errors.append(FieldError("column", "缺少这一项", "required"))
    elif slug_reason(value["column"]):
        errors.append(FieldError("column", "应为栏目的 slug", "not_a_slug"))
    errors += _cover(value.get("cover"), required=cover)
    if value.get("related") is not None:
        errors += _slugs(value["related"])
    if value.get("keywords") is not None:
        errors += _keywords(value["keywords"])
    opens, wrong = read_moment(value.get("publish_at"), "publish_at")
    closes, worse = read_moment(value.get("expire_at"), "expire_at")
    errors += wrong + worse
    if opens and closes and closes <= opens:
        errors.append(FieldError("expire_at", "须晚于 publish_at", "out_of_order"))
    return errors


def normal_meta(value: Mapping[str, Any]) -> dict[str, Any]:
    """Return a checked meta as it is stored: every key, trimmed texts, lists in the author's order (the first right leads)."""

    def moment(key: str) -> str | None:
        read, _ = read_moment(value.get(key), key)
        return timestamp(read) if read else None

    cover = value.get("cover")
    return {
        "title": value["title"].strip(),
        "summary": value["summary"].strip(),
        "audiences": list(value["audiences"]),
        "rights": list(value["rights"]),
        "column": value["column"],
        "cover": {"illustration": cover["illustration"], "ground": cover["ground"]} if cover else None,
        "related": list(value.get("related") or []),
        "keywords": [word.strip() for word in value.get("keywords") or []],
        "publish_at": moment("publish_at"),
        "expire_at": moment("expire_at"),
    }


def size_errors(value: object, *, longest: int, most: int, field: str = "") -> list[FieldError]:
    """Return what is larger than anything sensible: texts, lists, mappings; asked before text is set, which costs time.

    `longest` is characters of one text, `most` the items of one list or mapping.
    """
    if isinstance(value, str):
        return [FieldError(field, f"最多 {longest} 字", "too_long")] if len(value) > longest else []
    if not isinstance(value, list | dict):
        return []
    if len(value) > most:
        return [FieldError(field, f"最多 {most} 项", "too_many")]
    errors: list[FieldError] = []
    if isinstance(value, dict):
        for key, item in value.items():
            where = f"{field}.{key}" if field else str(key)
            errors += size_errors(item, longest=longest, most=most, field=where)
    else:
        for number, item in enumerate(value):
            errors += size_errors(item, longest=longest, most=most, field=f"{field}[{number}]")
    return errors
