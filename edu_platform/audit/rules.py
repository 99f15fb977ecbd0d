"""How entries are chained."""

from __future__ import annotations

import hashlib
import json
from datetime import UTC, datetime
from typing import Any

FIRST = b"\0" * 32
"""What the first entry follows."""


def chain_hash(
    *, at: datetime, actor: str, action: str, subject: str, facts: dict[str, Any], previous: bytes
) -> bytes:
    """Return the SHA-256 of an entry in canonical JSON (sorted keys, UTC to the microsecond) after `previous`."""
    entry = [at.astimezone(UTC).isoformat(timespec="microseconds"), actor, action, subject, facts]
    text = json.dumps(entry, ensure_ascii=False, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(previous + text.encode()).digest()
