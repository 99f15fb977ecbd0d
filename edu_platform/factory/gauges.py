"""What is looked at when Prometheus asks: figures that no process counts, because the database or the disk knows them."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog
from flask import current_app
from sqlalchemy import func, select, text
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from edu_platform.config.settings import Settings
from edu_platform.core import health
from edu_platform.core.clock import now
from edu_platform.core.models import Heartbeat, OutboxMessage
from edu_platform.reach import queries as reach
from edu_platform.reach.models import Beacon

DATABASE = "database"
Seen = float | Mapping[str, float] | None


@dataclass(frozen=True)
class Gauge:
    """A number, or one for each value of `label`; `look` returns None when there is nothing to be seen."""

    name: str
    help: str
    look: Callable[[Session], Seen]
    label: str | None = None
    asks_database: bool = True


def _settings() -> Settings:
    found: Settings = current_app.config["EDU"]
    return found


def _seconds_since(moment: datetime | None) -> float:
    return 0.0 if moment is None else max(0.0, (now() - moment) / timedelta(seconds=1))


def _waiting(session: Session) -> float:
    due = OutboxMessage.due_at <= now()
    return session.scalar(select(func.count()).where(OutboxMessage.done_at.is_(None), due)) or 0


def _oldest(session: Session) -> float:
    """Return how long the oldest job that nobody has begun yet has been due."""
    unbegun = OutboxMessage.done_at.is_(None) & OutboxMessage.leased_until.is_(None)
    return _seconds_since(
        session.scalar(select(func.min(OutboxMessage.due_at)).where(unbegun, OutboxMessage.due_at <= now()))
    )


def _given_up(session: Session) -> float:
    return (
        session.scalar(
            select(func.count()).where(
                OutboxMessage.done_at > now() - timedelta(days=1), OutboxMessage.failure.is_not(None)
            )
        )
        or 0
    )


def _worker(session: Session) -> float | None:
    seen = session.get(Heartbeat, health.WORKER)
    return None if seen is None else _seconds_since(seen.seen_at)


def _backup(session: Session) -> float | None:
    made = session.get(Heartbeat, health.BACKUP)
    return None if made is None else _seconds_since(made.seen_at)


def _unfolded(session: Session) -> float:
    mark = session.scalar(reach.mark()) or 0
    return max(0, (session.scalar(select(func.max(Beacon.id))) or 0) - mark)


def _fold_lag(session: Session) -> float:
    mark = session.scalar(reach.mark()) or 0
    return _seconds_since(
        session.scalar(select(Beacon.received_at).where(Beacon.id > mark).order_by(Beacon.id).limit(1))
    )


def _disk_free(session: Session) -> float:
    del session
    return shutil.disk_usage(_settings().data_dir).free


def _disk_size(session: Session) -> float:
    del session
    return shutil.disk_usage(_settings().data_dir).total


def _database_size(session: Session) -> float | None:
    if _settings().on_sqlite:
        pages = session.scalar(text("SELECT page_count * page_size FROM pragma_page_count, pragma_page_size"))
    else:
        pages = session.scalar(text("SELECT pg_database_size(current_database())"))
    return None if pages is None else float(pages)


def _ready(session: Session) -> dict[str, float]:
    """Look at each check; without a database nobody can see whether the worker lives, and nobody asks a second time."""
    found: dict[str, float] = {}
    for name, check in health.checks.items():
        if name == health.WORKER and found.get(DATABASE) == 0:
            found[name] = 0
            continue
        try:
            check(session)
            found[name] = 1
        except Exception:  # noqa: BLE001 - whatever it is, this is not ready
            found[name] = 0
            session.rollback()
    return found


READY = Gauge("edu_ready", "Whether what the platform stands on answers: 1 or 0.", _ready, "check")
GAUGES = (
    READY,
    Gauge("edu_queue_waiting", "Jobs that are due and not done.", _waiting),
    Gauge("edu_queue_oldest_seconds", "How long the oldest job that is due has waited to be begun.", _oldest),
    Gauge("edu_queue_given_up", "Jobs given up within a day, after the last try.", _given_up),
    Gauge("edu_worker_silent_seconds", "How long ago the worker last showed that it lives.", _worker),
    Gauge("edu_backup_age_seconds", "How long ago a backup was last proved whole.", _backup),
    Gauge("edu_fold_lag_beacons", "Beacons in the log that no tally has yet.", _unfolded),
    Gauge("edu_fold_lag_seconds", "How long the oldest of those has been in the log.", _fold_lag),
    Gauge(
        "edu_disk_free_bytes", "What is left on the disk of the data folder.", _disk_free, asks_database=False
    ),
    Gauge(
        "edu_disk_size_bytes", "How large the disk of the data folder is.", _disk_size, asks_database=False
    ),
    Gauge("edu_database_bytes", "How large the database is.", _database_size),
)


def look_at_all(gauges: Iterable[Gauge], session: Session) -> Iterator[tuple[Gauge, Seen, bool]]:
    """Look at each, `READY` first; yield it with what was seen, and whether it could be looked at.

    A database that does not answer is waited for once, not once a gauge: whoever asks waits too.
    """
    away = False
    for gauge in gauges:
        if away and gauge.asks_database:
            yield gauge, None, False
            continue
        try:
            seen = gauge.look(session)
        except Exception as wrong:  # noqa: BLE001 - one that cannot be looked at must not hide the others
            structlog.get_logger("metrics").warning("not_seen", gauge=gauge.name, error=type(wrong).__name__)
            away = away or isinstance(wrong, SQLAlchemyError)
            yield gauge, None, False
        else:
            if gauge is READY and isinstance(seen, Mapping):
                away = seen.get(DATABASE) == 0
            yield gauge, seen, True
        session.rollback()
