"""Pure decisions of the library: which moves a revision has, what its digest is, when it is visible."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from edu_platform.core.vocabulary import Audience, Right, label
from edu_platform.library.errors import MoveRefused
from edu_platform.library.models import RevisionState

_S = RevisionState
MOVES: dict[RevisionState, frozenset[RevisionState]] = {
    _S.DRAFT: frozenset({_S.SUBMITTED, _S.SUPERSEDED}),
    _S.SUBMITTED: frozenset({_S.APPROVED, _S.RETURNED, _S.SUPERSEDED}),
    _S.APPROVED: frozenset({_S.SCHEDULED, _S.PUBLISHED, _S.EXPIRED, _S.SUPERSEDED}),
    _S.RETURNED: frozenset({_S.SUPERSEDED}),
    _S.SCHEDULED: frozenset({_S.PUBLISHED, _S.EXPIRED, _S.WITHDRAWN, _S.SUPERSEDED}),
    _S.PUBLISHED: frozenset({_S.EXPIRED, _S.WITHDRAWN, _S.SUPERSEDED}),
    _S.SUPERSEDED: frozenset(),
    # what was taken down comes back only through the review
    _S.WITHDRAWN: frozenset({_S.SUBMITTED, _S.SUPERSEDED}),
    _S.EXPIRED: frozenset({_S.SUPERSEDED}),
}
STATES: dict[RevisionState, str] = {
    _S.DRAFT: "草稿",
    _S.SUBMITTED: "审查中",
    _S.APPROVED: "已通过",
    _S.RETURNED: "已退回",
    _S.SCHEDULED: "待发布",
    _S.PUBLISHED: "已发布",
    _S.SUPERSEDED: "已被取代",
    _S.WITHDRAWN: "已下架",
    _S.EXPIRED: "已过期",
}


def require_move(now: RevisionState, then: RevisionState) -> None:
    """Refuse a move that the table does not have."""
    if then not in MOVES[now]:
        raise MoveRefused(f"此版本{STATES[now]}，不能转为{STATES[then]}。")


def canonical(value: Any) -> bytes:
    """Return JSON in the one form that digests are taken over: sorted keys, no spaces, UTF-8."""
    return json.dumps(
        value, ensure_ascii=False, sort_keys=True, separators=(",", ":"), allow_nan=False
    ).encode()


def digest(*, kind: str, slug: str, meta: Mapping[str, Any], body: Mapping[str, Any], depends: Any) -> str:
    """Return the SHA-256, in hex, of all that an approval covers."""
    whole = {"kind": kind, "slug": slug, "meta": meta, "body": body, "depends": depends}
    return hashlib.sha256(canonical(whole)).hexdigest()


def first_difference(before: Any, after: Any, path: str = "") -> str | None:
    """Return where two JSON values differ first, as a path; None when they are the same."""
    if isinstance(before, dict) and isinstance(after, dict):
        for key in sorted({*before, *after}):
            where = f"{path}.{key}" if path else str(key)
            if (key in before) != (key in after):
                return where
            found = first_difference(before[key], after[key], where)
            if found:
                return found
        return None
    if isinstance(before, list) and isinstance(after, list):
        for number, (old, new) in enumerate(zip(before, after, strict=False)):
            found = first_difference(old, new, f"{path}[{number}]")
            if found:
                return found
        return None if len(before) == len(after) else f"{path}[{min(len(before), len(after))}]"
    return None if canonical(before) == canonical(after) else path or "全部"


def shown_from(*, asked: datetime | None, publish_at: datetime | None, at: datetime) -> datetime:
    """Return when a revision published at `at` appears: when asked for, else as its meta says; never earlier."""
    wanted = asked or publish_at or at
    return max(wanted, at)


def is_visible(visible_from: datetime, visible_until: datetime | None, at: datetime) -> bool:
    """Say whether `at` lies in the half-open window."""
    return visible_from <= at and (visible_until is None or at < visible_until)


RELATED_REASONS = ("named", "same_column", "same_right", "same_audience")


def related_reason(
    *,
    named: bool,
    same_column: str | None,
    shared_rights: list[str],
    shared_audiences: list[str],
) -> tuple[str, str] | None:
    """Return why a piece is related (a stable word and the Chinese text), the strongest reason; None when it is not.

    `same_column` is the column's title where both stand in the same one.
    """
    if named:
        return "named", "编辑推荐"
    if same_column is not None:
        return "same_column", f"同属栏目“{same_column}”"
    if shared_rights:
        return "same_right", f"同讲{'、'.join(label(Right(word)) for word in shared_rights)}"
    if shared_audiences:
        return "same_audience", f"同为{'、'.join(label(Audience(word)) for word in shared_audiences)}准备"
    return None
