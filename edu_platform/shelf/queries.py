"""Selections of what lies on a shelf. Lists show only pieces that learners can see at that moment."""

from __future__ import annotations

from datetime import datetime
from typing import TypeVar

from sqlalchemy import ColumnElement, Select, and_, or_, select
from sqlalchemy.orm import InstrumentedAttribute

from edu_platform.library.models import CatalogueEntry, Piece
from edu_platform.library.queries import is_visible
from edu_platform.shelf.models import Favourite, Progress, Visit

Row = TypeVar("Row", Progress, Favourite, Visit)
After = tuple[datetime, int] | None
"""The sort keys of the last item seen: the moment and the row's id."""


def progress_of(learner_id: int, piece_id: int) -> Select[Progress]:
    """Select where the learner stopped in a piece."""
    return select(Progress).where(Progress.learner_id == learner_id, Progress.piece_id == piece_id)


def favourite_of(learner_id: int, piece_id: int) -> Select[Favourite]:
    """Select the learner's favourite row of a piece, taken off or not."""
    return select(Favourite).where(Favourite.learner_id == learner_id, Favourite.piece_id == piece_id)


def progress(
    learner_id: int, at: datetime, after: After, *, finished: bool | None
) -> Select[Progress, bytes]:
    """Select progress with the pieces' cards, the newest report first."""
    found = select(Progress, CatalogueEntry.card).join(
        CatalogueEntry, and_(CatalogueEntry.piece_id == Progress.piece_id, is_visible(at))
    )
    if finished is not None:
        found = found.where(Progress.finished == finished)
    return _newest_first(
        found.where(Progress.learner_id == learner_id), Progress.updated_at, Progress.id, after
    )


def favourites(learner_id: int, at: datetime, after: After) -> Select[Favourite, bytes]:
    """Select favourites with the pieces' cards, the last one kept first."""
    found = (
        select(Favourite, CatalogueEntry.card)
        .join(CatalogueEntry, and_(CatalogueEntry.piece_id == Favourite.piece_id, is_visible(at)))
        .where(Favourite.learner_id == learner_id, Favourite.removed_at.is_(None))
    )
    return _newest_first(found, Favourite.kept_at, Favourite.id, after)


def visits(learner_id: int, at: datetime, after: After) -> Select[Visit, bytes]:
    """Select pieces opened with their cards, the last one opened first."""
    found = (
        select(Visit, CatalogueEntry.card)
        .join(CatalogueEntry, and_(CatalogueEntry.piece_id == Visit.piece_id, is_visible(at)))
        .where(Visit.learner_id == learner_id)
    )
    return _newest_first(found, Visit.visited_at, Visit.id, after)


def all_progress(learner_id: int) -> Select[Progress, str]:
    """Select all of a learner's progress with the pieces' slugs."""
    return (
        select(Progress, Piece.slug)
        .join(Piece, Piece.id == Progress.piece_id)
        .where(Progress.learner_id == learner_id)
        .order_by(Progress.id)
    )


def all_favourites(learner_id: int) -> Select[Favourite, str]:
    """Select all of a learner's favourites with the pieces' slugs, those taken off too."""
    return (
        select(Favourite, Piece.slug)
        .join(Piece, Piece.id == Favourite.piece_id)
        .where(Favourite.learner_id == learner_id)
        .order_by(Favourite.id)
    )


def all_visits(learner_id: int) -> Select[Visit, str]:
    """Select all pieces that a learner opened, with their slugs."""
    return (
        select(Visit, Piece.slug)
        .join(Piece, Piece.id == Visit.piece_id)
        .where(Visit.learner_id == learner_id)
        .order_by(Visit.id)
    )


def _newest_first(
    found: Select[Row, bytes],
    moment: InstrumentedAttribute[datetime],
    row_id: InstrumentedAttribute[int],
    after: After,
) -> Select[Row, bytes]:
    found = found.order_by(moment.desc(), row_id.desc())
    if after is None:
        return found
    when, last_id = after
    earlier: ColumnElement[bool] = or_(moment < when, and_(moment == when, row_id < last_id))
    return found.where(earlier)
