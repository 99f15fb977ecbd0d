"""Paging by cursor: a list returns `items` and `next_cursor`; the cursor names the last item seen."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import MAXYEAR, MINYEAR, datetime
from typing import Any, Generic, TypeVar

import orjson

from edu_platform.core.errors import FieldError, Invalid

LARGEST_PAGE = 100

T = TypeVar("T")


@dataclass(frozen=True)
class Page(Generic[T]):
    """One page of a list; `next_cursor` is None on the last."""

    items: Sequence[T]
    next_cursor: str | None


def encode_cursor(*keys: int | str | datetime) -> str:
    """Pack the sort keys of the last item into an opaque text."""
    raw = orjson.dumps([key.isoformat() if isinstance(key, datetime) else key for key in keys])
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def decode_cursor(cursor: str, *kinds: type) -> list[Any]:
    """Unpack a cursor into keys of the given types (int, str, datetime); raise `Invalid` naming `cursor`."""
    wrong = Invalid([FieldError("cursor", "翻页标记无效，请从第一页重新获取。", "bad_cursor")])
    try:
        raw = orjson.loads(base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True))
    except (binascii.Error, ValueError) as bad:
        raise wrong from bad
    if not isinstance(raw, list) or len(raw) != len(kinds):
        raise wrong
    keys: list[Any] = []
    for value, kind in zip(raw, kinds, strict=True):
        if kind is datetime and isinstance(value, str):
            try:
                moment = datetime.fromisoformat(value)
            except ValueError as bad:
                raise wrong from bad
            # at the very ends of the calendar another zone has no such time
            if moment.tzinfo is None or not MINYEAR < moment.year < MAXYEAR:
                raise wrong
            keys.append(moment)
        elif type(value) is kind and not (
            (isinstance(value, int) and abs(value) >= 2**63) or (isinstance(value, str) and "\0" in value)
        ):
            keys.append(value)
        else:
            raise wrong
    return keys
