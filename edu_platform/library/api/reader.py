"""What learners read: lists, pages, columns, words. Everything is answered from the catalogue."""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum
from typing import Any

import orjson
from flask import Response, current_app

from edu_platform.config.settings import Settings
from edu_platform.core.limits import limiter
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
from edu_platform.library.answering import answer
from edu_platform.library.catalogue import Wanted
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
for _room in (pieces, columns, vocabulary):
    limiter.exempt(_room)  # `library.answering` counts what is made


@pieces.get("")
@guards.public
@pieces.arguments(PieceFilter, location="query")
@pieces.response(200, CardList)
def list_pieces(wanted: dict[str, Any]) -> Response:
    """List pieces by kind, audience, column, right, campaign or words; newest or most read first, best match with words."""
    asked = Wanted(**wanted)
    return answer(
        lambda session, at: catalogue.pieces(session, at, asked), by_reads=asked.sort == "most_read"
    )


@pieces.get("/<slug>")
@guards.public
@pieces.arguments(Nothing, location="query")
@pieces.response(200, PiecePage)
def get_piece(arguments: dict[str, Any], slug: str) -> Response:
    """Return a piece in full."""
    del arguments
    return answer(lambda session, at: catalogue.page(session, at, slug))


@pieces.get("/<slug>/related")
@guards.public
@pieces.arguments(Nothing, location="query")
@pieces.response(200, RelatedList)
def list_related(arguments: dict[str, Any], slug: str) -> Response:
    """List what goes with a piece, each with the reason."""
    del arguments
    return answer(lambda session, at: catalogue.related(session, at, slug))


@columns.get("")
@guards.public
@columns.arguments(Nothing, location="query")
@columns.response(200, ColumnList)
def list_columns(arguments: dict[str, Any]) -> Response:
    """List the columns."""
    del arguments
    return answer(catalogue.columns)


@vocabulary.get("")
@guards.public
@vocabulary.arguments(Nothing, location="query")
@vocabulary.response(200, Vocabulary)
def get_vocabulary(arguments: dict[str, Any]) -> Response:
    """Return every word of the API with its Chinese name."""
    del arguments
    return answer(lambda *_: orjson.dumps(_words()))


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
