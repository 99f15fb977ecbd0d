"""Selects of the library. What learners may see is decided in one place: `visible`."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from functools import lru_cache
from typing import Any, cast

from sqlalchemy import (
    BindParameter,
    ColumnElement,
    Executable,
    Select,
    String,
    and_,
    bindparam,
    exists,
    func,
    or_,
    select,
    tuple_,
    type_coerce,
    union_all,
)
from sqlalchemy.orm import InstrumentedAttribute

from edu_platform.core.vocabulary import Audience, Right
from edu_platform.library.models import (
    CatalogueEntry,
    CatalogueVersion,
    Column,
    EntryAudience,
    EntryRight,
    Piece,
    Placement,
    Popularity,
    Revision,
    RevisionState,
)

LIVE = (RevisionState.SCHEDULED, RevisionState.PUBLISHED)


def is_visible(at: datetime | BindParameter[datetime]) -> ColumnElement[bool]:
    """Return the condition under which a catalogue entry is seen at `at`."""
    return and_(
        CatalogueEntry.ready,
        CatalogueEntry.visible_from <= at,
        or_(CatalogueEntry.visible_until.is_(None), CatalogueEntry.visible_until > at),
    )


def visible(
    at: datetime,
    *,
    kind: str | None = None,
    slugs: Collection[str] | None = None,
    ids: Collection[int] | None = None,
    audience: Audience | None = None,
    column: str | None = None,
    right: Right | None = None,
    campaign: str | None = None,
) -> Select[CatalogueEntry]:
    """Return the entries seen at `at`, at most one a piece; `ids` are ids of pieces.

    `campaign` keeps the pieces that the campaign carries at that moment.
    """
    found = select(CatalogueEntry).where(is_visible(at))
    if kind is not None:
        found = found.where(CatalogueEntry.kind == kind)
    if slugs is not None:
        found = found.where(CatalogueEntry.slug.in_(slugs))
    if ids is not None:
        found = found.where(CatalogueEntry.piece_id.in_(ids))
    if column is not None:
        found = found.where(CatalogueEntry.column_slug == column)
    if audience is not None:
        found = found.where(
            exists().where(EntryAudience.entry_id == CatalogueEntry.id, EntryAudience.audience == audience)
        )
    if right is not None:
        found = found.where(
            exists().where(EntryRight.entry_id == CatalogueEntry.id, EntryRight.right == right)
        )
    if campaign is not None:
        found = found.where(
            exists().where(
                Placement.piece_id == CatalogueEntry.piece_id,
                Placement.campaign_code == campaign,
                Placement.starts_at <= at,
                Placement.ends_at > at,
            )
        )
    return found


def newest(found: Select[CatalogueEntry], after: tuple[datetime, int] | None) -> Select[CatalogueEntry]:
    """Order by first appearance, newest first, beginning after the keys (published_at, piece id) of an item."""
    found = found.order_by(CatalogueEntry.published_at.desc(), CatalogueEntry.piece_id.desc())
    if after is not None:
        found = found.where(_before(after, CatalogueEntry.published_at, CatalogueEntry.piece_id))
    return found


def most_read(
    found: Select[CatalogueEntry], after: tuple[int, int] | None, *, few: bool = False
) -> Select[CatalogueEntry]:
    """Order by reads, most first, beginning after the keys (reads, piece id) of an item.

    Where the rows to choose from are not `few`, the database is to go through them in this order and stop when it has
    enough: SQLite would rather find the reads of each entry and sort them all, which an expression forbids it.
    """
    piece = Popularity.piece_id if few else Popularity.piece_id + 0
    found = found.join(Popularity, piece == CatalogueEntry.piece_id).order_by(
        Popularity.reads.desc(), Popularity.piece_id.desc()
    )
    if after is not None:
        found = found.where(_before(after, Popularity.reads, Popularity.piece_id))
    return found


def _before(keys: Sequence[Any], *columns: InstrumentedAttribute[Any]) -> ColumnElement[bool]:
    """Return the condition under which a row comes after `keys` in a falling order: one that an index can begin at."""
    typed = (type_coerce(key, column.type) for key, column in zip(keys, columns, strict=True))
    return tuple_(*columns) < tuple_(*typed)


@lru_cache
def listed(filters: frozenset[str], sort: str | None, *, after: bool, found: bool = False) -> Executable:
    """Return the statement of a list, made once for each shape: parameters `at`, `most`, the filters by name, `ids`.

    With `after`, it begins after the keys `after_first` (a time, or reads) and `after_id`. `found` keeps the entries
    with `ids` and adds what marking needs.
    """
    chosen = _shape(filters)
    keys: Any = (bindparam("after_first"), bindparam("after_id")) if after else None
    by_reads = sort == "most_read"
    chosen = most_read(chosen, keys, few=found) if by_reads else newest(chosen, keys)
    # as the database has it: only the last row's is looked at, for the cursor
    first: Any = Popularity.reads if by_reads else type_coerce(CatalogueEntry.published_at, String)
    given: list[Any] = [CatalogueEntry.card, CatalogueEntry.piece_id, first.label("first")]
    if found:
        chosen = chosen.where(CatalogueEntry.id.in_(bindparam("ids", expanding=True)))
        given += [CatalogueEntry.title, CatalogueEntry.text]
    return chosen.with_only_columns(*given).limit(bindparam("most"))


@lru_cache
def entries_of(filters: frozenset[str]) -> Executable:
    """Return the statement of the entries `ids` that are visible and pass the filters, with what marking needs."""
    chosen = _shape(filters).where(CatalogueEntry.id.in_(bindparam("ids", expanding=True)))
    return chosen.with_only_columns(
        CatalogueEntry.id, CatalogueEntry.card, CatalogueEntry.title, CatalogueEntry.text
    )


@lru_cache
def first_ones(filters: frozenset[str], sort: str) -> Executable:
    """Return the statement of the ids of the first `most` entries, newest or most read, that pass the filters."""
    chosen = _shape(filters)
    chosen = most_read(chosen, None) if sort == "most_read" else newest(chosen, None)
    return chosen.with_only_columns(CatalogueEntry.id).limit(bindparam("most"))


@lru_cache
def turn_of_kind(filters: frozenset[str]) -> Executable:
    """Return the statement of the id of one entry: the one at place `turn` of those that pass the filters, by piece."""
    chosen = _shape(filters).order_by(CatalogueEntry.piece_id, CatalogueEntry.id)
    return chosen.with_only_columns(CatalogueEntry.id).limit(1).offset(bindparam("turn"))


@lru_cache
def carried(filters: frozenset[str]) -> Executable:
    """Return the statement of slug and id of the entries that a `campaign` carries at `at` and that pass the filters."""
    at = cast("Any", bindparam("at"))
    chosen = _shape(filters).join(Placement, Placement.piece_id == CatalogueEntry.piece_id)
    return chosen.where(
        Placement.campaign_code == bindparam("campaign"), Placement.starts_at <= at, Placement.ends_at > at
    ).with_only_columns(CatalogueEntry.slug, CatalogueEntry.id)


@lru_cache
def counted(*, for_audience: bool) -> Executable:
    """Return the statement of how many entries are seen at `at` in each column and of each kind (for an `audience`)."""
    chosen = visible(cast("Any", bindparam("at")))
    if for_audience:  # joined, so that SQLite begins with the audience's
        chosen = chosen.join(EntryAudience, EntryAudience.entry_id == CatalogueEntry.id).where(
            EntryAudience.audience == bindparam("audience")
        )
    return chosen.with_only_columns(CatalogueEntry.column_slug, CatalogueEntry.kind, func.count()).group_by(
        CatalogueEntry.column_slug, CatalogueEntry.kind
    )


def cards_of(most: int) -> Executable:
    """Return the statement of the cards of those entries that are seen at `at`, among `id_0`, `id_1`, … (None: no entry)."""
    named: list[Any] = [bindparam(f"id_{number}") for number in range(most)]
    chosen = visible(cast("Any", bindparam("at"))).where(CatalogueEntry.id.in_(named))
    return chosen.with_only_columns(CatalogueEntry.id, CatalogueEntry.card)


@lru_cache
def column_texts() -> Executable:
    """Return the statement of all columns in their order."""
    return select(Column.slug, Column.title, Column.intro).order_by(Column.position, Column.slug)


@lru_cache
def page() -> Executable:
    """Return the statement of a page: parameters `at` and `slug`."""
    chosen = visible(cast("Any", bindparam("at"))).where(CatalogueEntry.slug == bindparam("slug"))
    return (
        chosen.order_by(CatalogueEntry.visible_from.desc())
        .limit(1)
        .with_only_columns(
            CatalogueEntry.page, CatalogueEntry.page_gzip, CatalogueEntry.etag, CatalogueEntry.etag_gzip
        )
    )


def _shape(filters: frozenset[str]) -> Select[CatalogueEntry]:
    return visible(
        cast("Any", bindparam("at")), **{name: cast("Any", bindparam(name)) for name in sorted(filters)}
    )


def columns() -> Select[Column]:
    """Return the columns in their order."""
    return select(Column).order_by(Column.position, Column.slug)


def version() -> Select[CatalogueVersion]:
    """Return the one row whose tokens tell that the catalogue has changed."""
    return select(CatalogueVersion).where(CatalogueVersion.id == 1)


def next_boundary(at: datetime) -> Select[datetime | None]:
    """Return the next moment after `at` at which something appears or goes by itself."""
    edges = (
        CatalogueEntry.visible_from,
        CatalogueEntry.visible_until,
        Placement.starts_at,
        Placement.ends_at,
    )
    moments = union_all(*(select(func.min(edge).label("edge")).where(edge > at) for edge in edges)).subquery()
    return select(func.min(moments.c.edge, type_=CatalogueEntry.visible_from.type))


def pieces(
    *, kind: str | None = None, state: RevisionState | None = None, before: int | None = None
) -> Select[Piece]:
    """Return all pieces, newest first (those with a revision in `state`); `before` is the id of the last one seen."""
    found = select(Piece).order_by(Piece.id.desc())
    if kind is not None:
        found = found.where(Piece.kind == kind)
    if state is not None:
        found = found.where(exists().where(Revision.piece_id == Piece.id, Revision.state == state))
    if before is not None:
        found = found.where(Piece.id < before)
    return found


def latest_revisions(piece_ids: Collection[int]) -> Select[Revision]:
    """Return the newest revision of each piece."""
    newest_numbers = (
        select(Revision.piece_id, func.max(Revision.number).label("number"))
        .where(Revision.piece_id.in_(piece_ids))
        .group_by(Revision.piece_id)
        .subquery()
    )
    return select(Revision).join(
        newest_numbers,
        and_(
            Revision.piece_id == newest_numbers.c.piece_id,
            Revision.number == newest_numbers.c.number,
        ),
    )


def revisions(piece_id: int, *states: RevisionState) -> Select[Revision]:
    """Return the revisions of a piece (in these states), newest first."""
    found = select(Revision).where(Revision.piece_id == piece_id).order_by(Revision.number.desc())
    return found.where(Revision.state.in_(states)) if states else found


def live(piece_ids: Collection[int]) -> Select[Revision]:
    """Return the scheduled and published revisions of pieces."""
    return select(Revision).where(Revision.piece_id.in_(piece_ids), Revision.state.in_(LIVE))


def due(at: datetime) -> Select[Revision]:
    """Return the revisions whose hour of appearing or expiring has come."""
    return (
        select(Revision)
        .where(
            or_(
                and_(Revision.state == RevisionState.SCHEDULED, Revision.visible_from <= at),
                and_(Revision.state == RevisionState.PUBLISHED, Revision.visible_until <= at),
            )
        )
        .order_by(Revision.piece_id, Revision.number)
    )


def over(at: datetime) -> Select[CatalogueEntry]:
    """Return the entries whose window has closed."""
    return select(CatalogueEntry).where(CatalogueEntry.visible_until <= at)


def entries(piece_id: int) -> Select[CatalogueEntry]:
    """Return the entries of a piece, in the order of their revisions."""
    return (
        select(CatalogueEntry)
        .where(CatalogueEntry.piece_id == piece_id)
        .order_by(CatalogueEntry.visible_from, CatalogueEntry.revision_id)
    )
