"""The log is kept for so many days; what is older goes to archives, checked, and only then out of the database.

The tallies are the record: no figure that they hold changes. An archive is a stretch of the log in the order of
its ids, as a compressed table whose name is the digest of its bytes, in the store of files. Each step may be cut
off and repeated: rows never change, so the same stretch gives the same bytes, and the database lets a row go
only when an archive on its list holds it.
"""

from __future__ import annotations

import csv
import gzip
import hashlib
import io
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session

from edu_platform.core.clock import day_start, local_day, now
from edu_platform.media.storage import NoSuchFile, Store, whole
from edu_platform.reach import queries
from edu_platform.reach.models import Beacon, BeaconArchive, FoldMark, day_of, milliseconds
from edu_platform.reach.operations.views import VIEWS

ENDING = "beacons.csv.gz"
MEDIA_TYPE = "application/gzip"
MOST_IN_AN_ARCHIVE = 100_000
DROPPED_AT_ONCE = 5_000
COLUMNS = (
    "id", "number", "beacon_id", "occurred_at", "received_at", "day", "campaign_id", "rule", "audience", "channel",
    "piece_id", "action", "scope", "dwell_ms", "skew_ms", "skewed", "suspicion",
)  # fmt: skip
"""What an archive's columns are: those of the log, words as their numbers (`reach.models.NUMBERS`)."""


class ArchiveDamaged(Exception):
    """An archive is not in the store as it was written; nothing is dropped that only it would hold."""


@dataclass(frozen=True)
class Stretch:
    """A stretch of the log that is due, and its bytes."""

    first_id: int
    last_id: int
    first_day: int
    last_day: int
    beacons: int
    content: bytes

    @property
    def digest(self) -> str:
        """Return the SHA-256 of the bytes, in hex."""
        return hashlib.sha256(self.content).hexdigest()


def cutoff(kept_days: int, at: datetime) -> datetime:
    """Return the moment before which a row is due: whole days of the branch's calendar are kept."""
    return day_start(local_day(at) - timedelta(days=kept_days))


def key_of(digest: str) -> str:
    """Return an archive's name in the store."""
    return f"{digest}.{ENDING}"


def next_stretch(session: Session, *, kept_days: int, most: int = MOST_IN_AN_ARCHIVE) -> Stretch | None:
    """Return the next stretch that is due and folded but in no archive; None when there is none. Reads only."""
    after = session.scalar(select(func.max(BeaconArchive.last_id))) or 0
    marks = (
        session.scalar(queries.mark()) or 0,
        session.scalar(select(FoldMark.last_id).where(FoldMark.name == VIEWS)) or 0,
    )
    before = milliseconds(cutoff(kept_days, now()))
    bind = session.connection()
    statement = f"SELECT {', '.join(COLUMNS)} FROM beacon WHERE id > ? AND id <= ? ORDER BY id LIMIT {most:d}"  # noqa: S608 - fixed text
    if bind.dialect.name != "sqlite":
        statement = statement.replace("?", "%s")
    rows: list[tuple[Any, ...]] = []
    for row in bind.exec_driver_sql(statement, (after, min(marks))):
        if row.received_at >= before:
            break  # ids grow with time: what follows is younger
        rows.append(tuple(row))
    if not rows:
        return None
    days = [row[COLUMNS.index("day")] for row in rows]
    return Stretch(rows[0][0], rows[-1][0], min(days), max(days), len(rows), _pack(rows))


def put_on_list(session: Session, stretch: Stretch) -> None:
    """Note that the store holds a stretch."""
    session.add(
        BeaconArchive(
            first_id=stretch.first_id,
            last_id=stretch.last_id,
            first_day=day_of(stretch.first_day),
            last_day=day_of(stretch.last_day),
            beacons=stretch.beacons,
            digest=stretch.digest,
            size=len(stretch.content),
            archived_at=now(),
        )
    )
    session.flush()


def archives(session: Session) -> list[BeaconArchive]:
    """Return every archive, oldest first."""
    return list(session.scalars(select(BeaconArchive).order_by(BeaconArchive.first_id)))


def undropped(session: Session) -> BeaconArchive | None:
    """Return the oldest archive whose rows are not all out of the log yet."""
    return session.scalar(
        select(BeaconArchive)
        .where(BeaconArchive.dropped_at.is_(None))
        .order_by(BeaconArchive.first_id)
        .limit(1)
    )


def check(store: Store, archive: BeaconArchive) -> None:
    """Raise `ArchiveDamaged` unless the store gives back every byte of the archive."""
    try:
        content = whole(store, key_of(archive.digest))
    except NoSuchFile as gone:
        raise ArchiveDamaged(f"归档 {archive.digest[:12]}… 不在存储里。") from gone
    if hashlib.sha256(content).hexdigest() != archive.digest:
        raise ArchiveDamaged(f"归档 {archive.digest[:12]}… 的内容已改变。")


def drop_some(session: Session, archive_id: int, *, most: int = DROPPED_AT_ONCE) -> bool:
    """Let the next rows of an archive go out of the log; False when none was left, and the archive says so."""
    archive = session.get_one(BeaconArchive, archive_id, with_for_update=True)
    ids = session.scalars(
        select(Beacon.id)
        .where(Beacon.id.between(archive.first_id, archive.last_id))
        .order_by(Beacon.id)
        .limit(most)
    ).all()
    if not ids:
        archive.dropped_at = now()
        session.flush()
        return False
    session.execute(
        delete(Beacon).where(Beacon.id.between(ids[0], ids[-1])).execution_options(synchronize_session=False)
    )
    return True


def whole_from(session: Session) -> date | None:
    """Return the first day of which no row was ever archived; None while the log is whole."""
    last = session.scalar(select(func.max(BeaconArchive.last_day)))
    return None if last is None else last + timedelta(days=1)


def read_archive(store: Store, digest: str) -> Iterator[dict[str, str]]:
    """Yield the rows of an archive, column by name."""
    content = gzip.decompress(whole(store, key_of(digest))).decode()
    yield from csv.DictReader(io.StringIO(content))


def _pack(rows: list[tuple[Any, ...]]) -> bytes:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    writer.writerows(
        ["" if value is None else int(value) if isinstance(value, bool) else value for value in row]
        for row in rows
    )
    return gzip.compress(text.getvalue().encode(), mtime=0)  # the same rows, the same bytes
