"""Beacons come in: the busiest write of the platform."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

import msgspec
from flask import Response, current_app, request

from edu_platform.config.settings import Settings
from edu_platform.core.clock import now
from edu_platform.core.db import db, reading
from edu_platform.core.errors import FieldError, Invalid, Unauthenticated
from edu_platform.core.metrics import Counter
from edu_platform.core.web import blueprint, raise_trouble, read_json
from edu_platform.people import guards
from edu_platform.reach.operations.log import Submission
from edu_platform.reach.operations.receive import Judge, Refusal, Sender, answer, known, read_clock
from edu_platform.reach.operations.shared_commit import SharedCommit
from edu_platform.reach.rules.intake import BEACON_ID, MOST_IN_A_BATCH
from edu_platform.reach.schemas import (
    BATCH_DOCUMENT,
    UNREADABLE,
    BatchOut,
    BeaconIn,
    BeaconTold,
    Moment,
    decode,
)

beacons = blueprint("beacons", prefix="/beacons", description="触达上报")

_PATH = re.compile(r"`\$\.(\w+)`")
_NAME = re.compile(r"field `(.{0,80}?)`", re.DOTALL)
_WRONG = {
    "id": ("bad_id", "编号须为 1 到 64 个字母、数字、连字符或下划线。"),
    "action": ("unknown_action", "没有这种行为。"),
    "occurred_at": ("bad_time", "应为带时区的 RFC 3339 时间。"),
    "piece": ("unknown_piece", "没有这个作品，或当时尚未发布。"),
    "campaign": ("unknown_campaign", "没有这个活动。"),
    "channel_code": ("unknown_channel_code", "没有这个渠道码。"),
    "channel": ("unknown_channel", "没有这个渠道。"),
    "dwell_ms": ("bad_dwell", "应为非负整数（毫秒）。"),
}

BEACONS = Counter("edu_beacons_total", "Beacons told, by what became of them and why.", ("outcome", "reason"))


@beacons.post("")
@guards.learner
@beacons.doc(requestBody={"required": True, "content": {"application/json": {"schema": BATCH_DOCUMENT}}})
@beacons.response(200, BatchOut)
def send_beacons() -> Response:
    """Take up to 100 beacons; each refused one is named, the rest count. Repeating a batch is harmless."""
    raise_trouble()
    settings: Settings = current_app.config["EDU"]
    sent_at, told = _read_batch()
    received_at = now()
    correction = read_clock(sent_at, received_at)
    judge = Judge(
        known(reading()),
        Sender.of(guards.current_learner()),
        received_at=received_at,
        correction=correction,
        largest_age=timedelta(days=settings.beacon_largest_age_days),
    )
    deeds, refused = judge.sort(told)
    learner_id = guards.current_learner().id
    reading().rollback()  # gives the connection back before waiting for the shared commit
    accepted, duplicate = 0, 0
    if deeds:
        outcome = SharedCommit.of(db.engine).append(Submission(learner_id, deeds))
        if outcome.gone:
            raise Unauthenticated("登录已失效，请重新登录。", code="token_revoked")
        accepted, duplicate = outcome.accepted, len(outcome.duplicate)
    count_beacons(accepted, duplicate, refused)
    return Response(answer(accepted, duplicate, refused), mimetype="application/json")


def count_beacons(accepted: int, duplicate: int, refused: Sequence[Mapping[str, Any]]) -> None:
    """Count for the metrics what became of a batch."""
    BEACONS.add("accepted", "", by=accepted)
    BEACONS.add("duplicate", "", by=duplicate)
    for one in refused:
        BEACONS.add("refused", one["code"])


def _read_batch() -> tuple[Any, Sequence[BeaconTold | tuple[str | None, Refusal]]]:
    """Return `sent_at` and the beacons, those that cannot be read as (id, refusal); raise when it is no batch at all."""
    raw = request.get_data(cache=True)
    charset = request.mimetype_params.get("charset", "utf-8").lower()
    if request.mimetype == "application/json" and charset == "utf-8":
        batch = decode(raw)
        if batch is not None:
            return batch.sent_at, batch.beacons
    return _read_piecemeal(raw)


class _Skeleton(msgspec.Struct):
    """Enough of a batch to count its beacons without looking at any."""

    beacons: list[msgspec.Raw]


def _read_piecemeal(raw: bytes) -> tuple[Any, list[BeaconTold | tuple[str | None, Refusal]]]:
    too_many = FieldError("beacons", f"一次最多 {MOST_IN_A_BATCH} 条。", "too_many")
    try:
        counted = len(msgspec.json.decode(raw, type=_Skeleton).beacons)
    except UNREADABLE:
        counted = 0
    if counted > MOST_IN_A_BATCH:
        raise Invalid([too_many])
    data = read_json()
    if not isinstance(data, dict):
        raise Invalid([FieldError("body", "应为对象。", "not_an_object")])
    errors = [
        FieldError(str(name)[:80] or "body", "不认识的字段。", "unknown_field")
        for name in data
        if name not in {"sent_at", "beacons"}
    ]
    sent_at = None
    try:
        sent_at = msgspec.convert(data["sent_at"], Moment)
    except KeyError:
        errors.append(FieldError("sent_at", "必填。", "required"))
    except (msgspec.ValidationError, UnicodeEncodeError):
        errors.append(FieldError("sent_at", "应为带时区的 RFC 3339 时间。", "bad_time"))
    items = data.get("beacons")
    if "beacons" not in data:
        errors.append(FieldError("beacons", "必填。", "required"))
    elif not isinstance(items, list):
        errors.append(FieldError("beacons", "应为列表。", "not_a_list"))
    elif not items:
        errors.append(FieldError("beacons", "至少一条。", "too_few"))
    elif len(items) > MOST_IN_A_BATCH:
        errors.append(too_many)
    if errors:
        raise Invalid(errors)
    assert isinstance(items, list)
    return sent_at, [_read_one(item) for item in items]


def _is_text(text: str) -> bool:
    """Say whether it holds whole characters only: JSON's escapes can spell halves, which msgspec cannot read."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _read_one(item: Any) -> BeaconIn | tuple[str | None, Refusal]:
    if not isinstance(item, dict):
        return None, Refusal("beacon", "not_an_object", "应为对象。")
    given = item.get("id")
    name = given if isinstance(given, str) and BEACON_ID.fullmatch(given) else None
    for field, value in item.items():
        if not _is_text(field):
            return name, Refusal("beacon", "unknown_field", "不认识的字段。")
        if field in _WRONG and (value is None or (isinstance(value, str) and not _is_text(value))):
            return name, Refusal(field, *_WRONG[field])
    try:
        return msgspec.convert(item, BeaconIn)
    except msgspec.ValidationError as wrong:
        text = str(wrong)
    path = _PATH.search(text)
    if path is not None and path[1] in _WRONG:
        return name, Refusal(path[1], *_WRONG[path[1]])
    field = next((found[1] for found in [_NAME.search(text)] if found), "beacon")
    if "missing required" in text:
        return name, Refusal(field, "required", "必填。")
    return name, Refusal(field, "unknown_field", "不认识的字段。")
