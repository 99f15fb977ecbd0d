"""Verbs of the shelf. Every one may be repeated without harm."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from functools import lru_cache
from typing import Any, TypeVar

from sqlalchemy import ColumnElement, Executable, delete, func, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from edu_platform.core.clock import now, timestamp
from edu_platform.core.models import Base
from edu_platform.library.models import Piece
from edu_platform.people.models import Learner
from edu_platform.people.registry import Holding
from edu_platform.people.signals import Merged
from edu_platform.shelf import queries, rules, signals
from edu_platform.shelf.models import Favourite, PositionUnit, Progress, Visit

Row = TypeVar("Row", Progress, Favourite, Visit)


def report_progress(
    session: Session,
    learner: Learner,
    piece: Piece,
    *,
    unit: PositionUnit,
    position: int,
    finished: bool,
    client_time: datetime | None = None,
) -> tuple[Progress, bool]:
    """Keep where the learner stopped and return (what is kept now, whether this report was taken).

    A report older than the one kept is not taken; one dated in the future counts as of now.
    """
    moment = now()
    told = rules.reported_at(client_time, moment)
    taken = _upsert(
        session,
        Progress,
        {
            "learner_id": learner.id,
            "piece_id": piece.id,
            "unit": unit,
            "position": position,
            "finished": finished,
            "finished_at": told if finished else None,
            "updated_at": told,
        },
        change=("unit", "position", "finished", "updated_at"),
        coalesce=("finished_at",),
        newer="updated_at",
    )
    note_visit(session, learner.id, piece.id, told)
    kept = session.scalar(queries.progress_of(learner.id, piece.id).execution_options(populate_existing=True))
    assert kept is not None  # the row just written
    return kept, taken


def note_visit(session: Session, learner_id: int, piece_id: int, at: datetime) -> None:
    """Note that a learner opened a piece; earlier moments than the one noted change nothing."""
    _upsert(
        session,
        Visit,
        {"learner_id": learner_id, "piece_id": piece_id, "visited_at": at},
        change=("visited_at",),
        newer="visited_at",
    )


def note_visits(session: Session, visits: Iterable[tuple[int, int, datetime]]) -> None:
    """Note many at once: (learner id, piece id, moment), in any order; for beacons."""
    latest: dict[tuple[int, int], datetime] = {}
    for learner_id, piece_id, at in visits:
        known = latest.get((learner_id, piece_id))
        latest[learner_id, piece_id] = at if known is None else max(known, at)
    for (learner_id, piece_id), at in sorted(latest.items()):
        note_visit(session, learner_id, piece_id, at)


def keep_favourite(session: Session, learner: Learner, piece: Piece) -> Favourite:
    """Put a piece among the learner's favourites; announced the first time only, however often it is repeated."""
    moment = now()
    new = _upsert(
        session,
        Favourite,
        {
            "learner_id": learner.id,
            "piece_id": piece.id,
            "created_at": moment,
            "kept_at": moment,
            "removed_at": None,
        },
    )
    favourite = session.scalar(
        queries.favourite_of(learner.id, piece.id).execution_options(populate_existing=True)
    )
    assert favourite is not None  # the row just written or found
    if new:
        signals.favourited.send(
            session, signals.Favourited(favourite.id, learner.id, piece.id, learner.channel, moment)
        )
    elif favourite.removed_at is not None:
        favourite.removed_at = None
        favourite.kept_at = moment
        session.flush()
    return favourite


def drop_favourite(session: Session, learner: Learner, slug: str) -> None:
    """Take a piece off the favourites, whether or not it can still be seen; nothing happens when it is not there."""
    session.execute(
        update(Favourite)
        .where(
            Favourite.learner_id == learner.id,
            Favourite.piece_id.in_(select(Piece.id).where(Piece.slug == slug)),
            Favourite.removed_at.is_(None),
        )
        .values(removed_at=now())
    )


def clear_history(session: Session, learner: Learner) -> None:
    """Forget which pieces the learner opened; progress and favourites stay."""
    session.execute(delete(Visit).where(Visit.learner_id == learner.id))


def follow_merge(session: Session, news: Merged) -> None:
    """Move a visitor's shelf to the learner they turned out to be; of two rows about a piece the newer stays."""
    _move(session, news, Progress, lambda row: row.updated_at)
    _move(session, news, Favourite, lambda row: row.kept_at)
    _move(session, news, Visit, lambda row: row.visited_at)
    session.flush()


def export(session: Session, learner_id: int) -> dict[str, Any]:
    """Return the learner's shelf as plain JSON values."""
    return {
        "progress": [
            {
                "piece": slug,
                "position": {row.unit: row.position},
                "finished": row.finished,
                "finished_at": row.finished_at and timestamp(row.finished_at),
                "updated_at": timestamp(row.updated_at),
            }
            for row, slug in session.execute(queries.all_progress(learner_id))
        ],
        "favourites": [
            {
                "piece": slug,
                "created_at": timestamp(row.created_at),
                "kept_at": timestamp(row.kept_at),
                "removed_at": row.removed_at and timestamp(row.removed_at),
            }
            for row, slug in session.execute(queries.all_favourites(learner_id))
        ],
        "history": [
            {"piece": slug, "visited_at": timestamp(row.visited_at)}
            for row, slug in session.execute(queries.all_visits(learner_id))
        ],
    }


def erase(session: Session, learner_id: int) -> None:
    """Empty the learner's shelf."""
    for table in (Progress, Favourite, Visit):
        session.execute(delete(table).where(table.learner_id == learner_id))


HOLDING = Holding("shelf", frozenset({"progress", "favourite", "visit"}), export, erase)
"""What the shelf holds of learners, for `people.registry`."""


def _move(session: Session, news: Merged, table: type[Row], moment: Callable[[Row], datetime]) -> None:
    standing = {
        row.piece_id: row for row in session.scalars(select(table).where(table.learner_id == news.learner_id))
    }
    for row in session.scalars(select(table).where(table.learner_id == news.visitor_id)).all():
        known = standing.get(row.piece_id)
        if known is None:
            row.learner_id = news.learner_id
            continue
        if moment(row) > moment(known):
            for column in table.__table__.columns:
                if column.name not in {"id", "learner_id", "piece_id", "created_at"}:
                    setattr(known, column.name, getattr(row, column.name))
        session.delete(row)


def _upsert(
    session: Session,
    table: type[Base],
    values: Mapping[str, Any],
    *,
    change: Sequence[str] = (),
    coalesce: Sequence[str] = (),
    newer: str | None = None,
) -> bool:
    """Insert the learner's row about a piece, or change the one there is; say whether anything was written.

    `change` are set to the new values, `coalesce` only where they were empty, and all that only when
    the new row's column `newer` is not older than the kept one. The one place that says ON CONFLICT.
    """
    connection = session.connection()
    statement = _upserting(table, change, coalesce, newer, connection.dialect.name == "sqlite")
    # A row comes back only when one was written: row counts of inserts are not told by every driver.
    return connection.execute(statement, values).first() is not None


@lru_cache
def _upserting(
    table: type[Base], change: Sequence[str], coalesce: Sequence[str], newer: str | None, on_sqlite: bool
) -> Executable:
    insert = (sqlite if on_sqlite else postgresql).insert
    rows = Base.metadata.tables[table.__tablename__]
    statement, columns = insert(rows), rows.columns
    written: dict[str, ColumnElement[Any]] = {name: statement.excluded[name] for name in change}
    written |= {name: func.coalesce(columns[name], statement.excluded[name]) for name in coalesce}
    keys = ["learner_id", "piece_id"]
    if written and newer:
        done = statement.on_conflict_do_update(
            index_elements=keys, set_=written, where=statement.excluded[newer] >= columns[newer]
        )
    else:
        done = statement.on_conflict_do_nothing(index_elements=keys)
    told: Executable = done.returning(columns["id"])
    return told
