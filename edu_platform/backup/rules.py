"""What a backup says of itself, what it is called, and when it has had its time."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any

MANIFEST = "manifest.json"
UNFINISHED = ".unfinished-"
_NAME = re.compile(r"(\d{8}T\d{6}Z)(-base)?")
_STAMP = "%Y%m%dT%H%M%SZ"


class Kind(StrEnum):
    """How the database was copied."""

    SQLITE = "sqlite"
    DUMP = "postgresql_dump"
    BASE = "postgresql_base"


@dataclass(frozen=True)
class Print:
    """The fingerprint of a table: how many rows, and the SHA-256 over all of them in the order of their key.

    `upto`: only rows whose id is no larger, of a table that is only added to.
    """

    rows: int
    sha256: str
    upto: int | None = None


@dataclass(frozen=True)
class FileEntry:
    """One stored file; its key begins with the SHA-256 of its bytes."""

    key: str
    size: int
    public: bool
    media_type: str


@dataclass(frozen=True)
class Manifest:
    """What a backup holds. It is written last: a folder without it is no backup."""

    kind: Kind
    made_at: str
    revision: str
    parts: dict[str, str]
    """SHA-256 of each file of the database's copy (empty for a base backup, which has a manifest of its own)."""
    tables: dict[str, Print]
    files: list[FileEntry] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)
    """Files that the database names and the store did not have."""

    def dump(self) -> str:
        """Return the manifest as JSON."""
        return json.dumps(asdict(self), ensure_ascii=False, indent=1)


def read(text: str) -> Manifest:
    """Read a manifest; raise `ValueError` when it is none."""
    try:
        raw: dict[str, Any] = json.loads(text)
        return Manifest(
            kind=Kind(raw["kind"]),
            made_at=raw["made_at"],
            revision=raw["revision"],
            parts=dict(raw["parts"]),
            tables={name: Print(**one) for name, one in raw["tables"].items()},
            files=[FileEntry(**one) for one in raw["files"]],
            missing=list(raw["missing"]),
        )
    except (KeyError, TypeError) as wrong:
        raise ValueError(f"no manifest: {wrong}") from wrong


def name_of(moment: datetime, kind: Kind) -> str:
    """Return the folder name of a backup begun at `moment`."""
    return moment.astimezone(UTC).strftime(_STAMP) + ("-base" if kind is Kind.BASE else "")


def begun_at(name: str) -> datetime | None:
    """Return when the backup of that name was begun; None when it is no name of a backup."""
    found = _NAME.fullmatch(name)
    return datetime.strptime(found[1], _STAMP).replace(tzinfo=UTC) if found else None


def overdue(names: Iterable[str], *, at: datetime, keep: timedelta) -> set[str]:
    """Return which backups are older than `keep`; the newest of each way of copying always stays."""
    known = {name: moment for name in names if (moment := begun_at(name)) is not None}
    newest = {
        max((n for n in known if n.endswith("-base") is base), key=lambda n: known[n], default=None)
        for base in (True, False)
    }
    return {name for name, moment in known.items() if at - moment > keep and name not in newest}
