"""What learners read: lists, pages, columns, words. Everything is answered from the catalogue."""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum
from typing import Any

import orjson
from flask import Response

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
from edu_platform.library.answering import answer_question, question
from edu_platform.library.catalogue import Make, Wanted, with_session
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


def _list(_: Settings, wanted: dict[str, Any]) -> Make:
    asked = Wanted(**wanted)
    return lambda connection, at: catalogue.pieces(connection, at, asked)


def _page(_: Settings, __: dict[str, Any], slug: str) -> Make:
    return lambda connection, at: catalogue.page(connection, at, slug)


def _related(_: Settings, __: dict[str, Any], slug: str) -> Make:
    return with_session(lambda session, at: catalogue.related(session, at, slug))


_LIST = question(
    "/api/v1/pieces", PieceFilter(), _list, by_reads=lambda wanted: wanted["sort"] == "most_read"
)
_PAGE = question("/api/v1/pieces/<slug>", Nothing(), _page)
_RELATED = question("/api/v1/pieces/<slug>/related", Nothing(), _related)
_COLUMNS = question("/api/v1/columns", Nothing(), lambda *_: with_session(catalogue.columns))
_VOCABULARY = question(
    "/api/v1/vocabulary", Nothing(), lambda settings, _: lambda *__: orjson.dumps(_words(settings))
)


@pieces.get("")
@guards.public
@pieces.arguments(PieceFilter, location="query")
@pieces.response(200, CardList)
def list_pieces(wanted: dict[str, Any]) -> Response:
    """List pieces by kind, audience, column, right, campaign or words; newest or most read first, best match with words."""
    return answer_question(_LIST, wanted)


@pieces.get("/<slug>")
@guards.public
@pieces.arguments(Nothing, location="query")
@pieces.response(200, PiecePage)
def get_piece(arguments: dict[str, Any], slug: str) -> Response:
    """Return a piece in full."""
    return answer_question(_PAGE, arguments, slug)


@pieces.get("/<slug>/related")
@guards.public
@pieces.arguments(Nothing, location="query")
@pieces.response(200, RelatedList)
def list_related(arguments: dict[str, Any], slug: str) -> Response:
    """List what goes with a piece, each with the reason."""
    return answer_question(_RELATED, arguments, slug)


@columns.get("")
@guards.public
@columns.arguments(Nothing, location="query")
@columns.response(200, ColumnList)
def list_columns(arguments: dict[str, Any]) -> Response:
    """List the columns."""
    return answer_question(_COLUMNS, arguments)


@vocabulary.get("")
@guards.public
@vocabulary.arguments(Nothing, location="query")
@vocabulary.response(200, Vocabulary)
def get_vocabulary(arguments: dict[str, Any]) -> Response:
    """Return every word of the API with its Chinese name."""
    return answer_question(_VOCABULARY, arguments)


def _labelled(words: Iterable[StrEnum]) -> list[dict[str, str]]:
    return [{"value": word.value, "label": label(word)} for word in words]


def _words(settings: Settings) -> dict[str, Any]:
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
