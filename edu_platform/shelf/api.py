"""The learner's shelf: progress, favourites, history."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

import orjson
from flask import Response
from sqlalchemy import Select

from edu_platform.core.clock import ZONE, now
from edu_platform.core.db import reading, writing
from edu_platform.core.paging import decode_cursor, encode_cursor
from edu_platform.core.schemas import PageArguments
from edu_platform.core.web import blueprint
from edu_platform.library.operations import published_piece
from edu_platform.people import guards
from edu_platform.shelf import operations, queries
from edu_platform.shelf.models import Favourite, PositionUnit, Progress
from edu_platform.shelf.schemas import (
    FavouriteList,
    FavouriteView,
    ProgressFilter,
    ProgressList,
    ProgressView,
    Report,
    ReportAnswer,
    VisitList,
)

progress = blueprint("progress", prefix="/progress", description="学习进度")
favourites = blueprint("favourites", prefix="/favourites", description="收藏")
history = blueprint("history", prefix="/history", description="浏览历史")
blueprints = [progress, favourites, history]


@progress.get("")
@guards.learner
@progress.arguments(ProgressFilter, location="query")
@progress.response(200, ProgressList)
def list_progress(wanted: dict[str, Any]) -> Response:
    """List the pieces begun (or finished, or not), the newest report first."""
    learner = guards.current_learner()
    found = queries.progress(learner.id, now(), _after(wanted), finished=wanted["finished"])
    return _page(found, wanted["limit"], lambda row: (row.updated_at, row.id), _progress_item)


@progress.get("/<slug>")
@guards.learner
@progress.response(200, ProgressView)
def get_progress(slug: str) -> dict[str, Any]:
    """Return where the learner stopped in a piece."""
    piece = published_piece(reading(), slug)
    row = reading().scalar(queries.progress_of(guards.current_learner_id(), piece.id))
    return _progress(slug, row)


@progress.put("/<slug>")
@guards.learner
@progress.arguments(Report)
@progress.response(200, ReportAnswer)
def report_progress(body: dict[str, Any], slug: str) -> dict[str, Any]:
    """Report where one stopped; an older report than the one kept changes nothing."""
    learner = guards.current_learner()
    [(unit, position)] = body["position"].items()
    with writing() as session:
        row, taken = operations.report_progress(
            session,
            learner,
            published_piece(session, slug),
            unit=PositionUnit(unit),
            position=position,
            finished=body["finished"],
            client_time=body["updated_at"],
        )
    return {**_progress(slug, row), "taken": taken}


@favourites.get("")
@guards.learner
@favourites.arguments(PageArguments, location="query")
@favourites.response(200, FavouriteList)
def list_favourites(wanted: dict[str, Any]) -> Response:
    """List the favourites as cards, the last one kept first."""
    found = queries.favourites(guards.current_learner_id(), now(), _after(wanted))
    return _page(
        found,
        wanted["limit"],
        lambda row: (row.kept_at, row.id),
        lambda row: {"kept_at": _when(row.kept_at)},
    )


@favourites.get("/<slug>")
@guards.learner
@favourites.response(200, FavouriteView)
def get_favourite(slug: str) -> dict[str, Any]:
    """Say whether a piece is among the favourites."""
    piece = published_piece(reading(), slug)
    row = reading().scalar(queries.favourite_of(guards.current_learner_id(), piece.id))
    return _favourite(slug, row)


@favourites.put("/<slug>")
@guards.learner
@favourites.response(200, FavouriteView)
def keep_favourite(slug: str) -> dict[str, Any]:
    """Put a piece among the favourites; a repeat changes nothing."""
    learner = guards.current_learner()
    with writing() as session:
        row = operations.keep_favourite(session, learner, published_piece(session, slug))
    return _favourite(slug, row)


@favourites.delete("/<slug>")
@guards.learner
@favourites.response(204)
def drop_favourite(slug: str) -> None:
    """Take a piece off the favourites; a repeat changes nothing."""
    learner = guards.current_learner()
    with writing() as session:
        operations.drop_favourite(session, learner, slug)


@history.get("")
@guards.learner
@history.arguments(PageArguments, location="query")
@history.response(200, VisitList)
def list_history(wanted: dict[str, Any]) -> Response:
    """List the pieces opened, the last one first."""
    found = queries.visits(guards.current_learner_id(), now(), _after(wanted))
    return _page(
        found,
        wanted["limit"],
        lambda row: (row.visited_at, row.id),
        lambda row: {"visited_at": _when(row.visited_at)},
    )


@history.delete("")
@guards.learner
@history.response(204)
def clear_history() -> None:
    """Forget which pieces were opened; progress and favourites stay."""
    learner = guards.current_learner()
    with writing() as session:
        operations.clear_history(session, learner)


def _after(wanted: dict[str, Any]) -> queries.After:
    if wanted["cursor"] is None:
        return None
    moment, row_id = decode_cursor(wanted["cursor"], datetime, int)
    return moment, row_id


def _page(
    found: Select[Any, bytes],
    limit: int,
    keys: Callable[[Any], tuple[datetime, int]],
    facts: Callable[[Any], dict[str, Any]],
) -> Response:
    """Answer one page; the cards go out as the catalogue keeps them, unread."""
    rows = reading().execute(found.limit(limit + 1)).all()
    items = [{"piece": orjson.Fragment(card), **facts(row)} for row, card in rows[:limit]]
    cursor = encode_cursor(*keys(rows[limit - 1][0])) if len(rows) > limit else None
    return Response(orjson.dumps({"items": items, "next_cursor": cursor}), mimetype="application/json")


def _when(moment: datetime | None) -> str | None:
    return None if moment is None else moment.astimezone(ZONE).isoformat(timespec="milliseconds")


def _progress(slug: str, row: Progress | None) -> dict[str, Any]:
    if row is None:
        return {
            "slug": slug, "position": None, "finished": False, "finished_at": None, "updated_at": None,
        }  # fmt: skip
    return {
        "slug": slug,
        "position": {row.unit.value: row.position},
        "finished": row.finished,
        "finished_at": row.finished_at,
        "updated_at": row.updated_at,
    }


def _progress_item(row: Progress) -> dict[str, Any]:
    return {
        "position": {row.unit.value: row.position},
        "finished": row.finished,
        "finished_at": _when(row.finished_at),
        "updated_at": _when(row.updated_at),
    }


def _favourite(slug: str, row: Favourite | None) -> dict[str, Any]:
    kept = row is not None and row.removed_at is None
    return {"slug": slug, "favourite": kept, "kept_at": row.kept_at if row is not None and kept else None}
