"""What learners read: lists, pages, columns, words. Everything is answered from the catalogue."""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum
from typing import Any

import orjson
from flask import Response, current_app, request

from edu_platform.config.settings import Settings
from edu_platform.core.db import db
from edu_platform.core.vocabulary import (
    ACTIONS,
    AgeBand,
    Audience,
    Channel,
    DeclaredAudience,
    Right,
    Role,
    Series,
    label,
)
from edu_platform.core.web import blueprint
from edu_platform.library import catalogue, rules
from edu_platform.library.catalogue import Make, Wanted
from edu_platform.library.schemas import (
    CardList,
    ColumnList,
    Nothing,
    PieceFilter,
    PiecePage,
    RelatedList,
    Vocabulary,
)
from edu_platform.people import guards

pieces = blueprint("pieces", prefix="/pieces", description="内容：列表、搜索、详情")
columns = blueprint("columns", prefix="/columns", description="栏目")
vocabulary = blueprint("vocabulary", prefix="/vocabulary", description="用语表")


def _answer(make: Make, *, by_reads: bool = False) -> Response:
    """Answer from what is kept under this path and query, else with what `make` makes."""
    key = f"{request.path}?{request.query_string.decode('latin-1')}"
    fresh = catalogue.catalogue_of(db.engine).answer(key, make, by_reads=by_reads)
    status, headers, body = catalogue.choose(
        fresh,
        if_none_match=request.headers.get("If-None-Match"),
        accept_encoding=request.headers.get("Accept-Encoding"),
    )
    return Response(body, status=status, headers=headers)


@pieces.get("")
@guards.public
@pieces.arguments(PieceFilter, location="query")
@pieces.response(200, CardList)
def list_pieces(wanted: dict[str, Any]) -> Response:
    """List pieces by kind, audience, column, right, campaign or words; newest or most read first, best match with words."""
    asked = Wanted(**wanted)
    return _answer(
        lambda session, at: catalogue.pieces(session, at, asked), by_reads=asked.sort == "most_read"
    )


@pieces.get("/<slug>")
@guards.public
@pieces.arguments(Nothing, location="query")
@pieces.response(200, PiecePage)
def get_piece(arguments: dict[str, Any], slug: str) -> Response:
    """Return a piece in full."""
    del arguments
    return _answer(lambda session, at: catalogue.page(session, at, slug))


@pieces.get("/<slug>/related")
@guards.public
@pieces.arguments(Nothing, location="query")
@pieces.response(200, RelatedList)
def list_related(arguments: dict[str, Any], slug: str) -> Response:
    """List what goes with a piece, each with the reason."""
    del arguments
    return _answer(lambda session, at: catalogue.related(session, at, slug))


@columns.get("")
@guards.public
@columns.arguments(Nothing, location="query")
@columns.response(200, ColumnList)
def list_columns(arguments: dict[str, Any]) -> Response:
    """List the columns."""
    del arguments
    return _answer(catalogue.columns)


@vocabulary.get("")
@guards.public
@vocabulary.arguments(Nothing, location="query")
@vocabulary.response(200, Vocabulary)
def get_vocabulary(arguments: dict[str, Any]) -> Response:
    """Return every word of the API with its Chinese name."""
    del arguments
    return _answer(lambda *_: orjson.dumps(_words()))


def _labelled(words: Iterable[StrEnum]) -> list[dict[str, str]]:
    return [{"value": word.value, "label": label(word)} for word in words]


def _words() -> dict[str, Any]:
    settings: Settings = current_app.config["EDU"]
    return {
        "programme": settings.programme,
        "issuer": settings.issuer,
        "hotline": settings.hotline,
        "kinds": catalogue.kind_labels(),
        "audiences": _labelled(Audience),
        "declared_audiences": _labelled(DeclaredAudience),
        "rights": _labelled(Right),
        "channels": _labelled(Channel),
        "series": _labelled(Series),
        "roles": _labelled(Role),
        "age_bands": _labelled(AgeBand),
        "states": [{"value": state.value, "label": name} for state, name in rules.STATES.items()],
        "actions": [
            {
                "value": action.value,
                "label": rule.label,
                "counts_as": "participation" if rule.participation else "reach",
                "by_beacon": rule.by_beacon,
            }
            for action, rule in ACTIONS.items()
        ],
    }
