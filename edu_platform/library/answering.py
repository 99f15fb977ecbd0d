"""Answering from the catalogue: what is kept under a request's path and query, else what is made now.

A `Question` says once what may be asked at an address and how the answer is made. Its view answers it through Flask;
`factory.first` answers it without entering Flask, whether kept or not.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl

import marshmallow as ma
from flask import Response, current_app, request
from flask_limiter.util import get_remote_address

from edu_platform.config.settings import Settings
from edu_platform.core.db import db
from edu_platform.core.health import fact
from edu_platform.core.limits import count
from edu_platform.library.catalogue import Make, body_of, catalogue_of, form_of, headers_of

MADE_FOR_AN_ADDRESS = "1200 per minute"
FAILED = "edu.failed"
"""Where the layer before Flask leaves what it met when it made an answer, for Flask to say."""


@dataclass(frozen=True, kw_only=True)
class Question:
    """What may be asked at the addresses of a rule, and how it is answered."""

    rule: str
    pattern: re.Pattern[str]
    arguments: ma.Schema
    make: Callable[..., Make]
    by_reads: Callable[[dict[str, Any]], bool]


questions: list[Question] = []


def question(
    rule: str,
    arguments: ma.Schema,
    make: Callable[..., Make],
    *,
    by_reads: Callable[[dict[str, Any]], bool] = lambda _: False,
) -> Question:
    """Register the question of a rule; `make(settings, arguments, *parts of the path)` returns what makes its answer."""
    pattern = re.compile(re.sub("<[a-z]+>", "([a-z0-9-]{1,64})", rule))
    made = Question(rule=rule, pattern=pattern, arguments=arguments, make=make, by_reads=by_reads)
    questions.append(made)
    return made


def asked(path: str, query: str) -> tuple[Question, dict[str, Any], tuple[str, ...]] | None:
    """Return which question a path and query ask, with its arguments; None where anything is out of the ordinary."""
    for known in questions:
        found = known.pattern.fullmatch(path)
        if found is not None:
            break
    else:
        return None
    try:
        pairs = parse_qsl(query, keep_blank_values=True, strict_parsing=query != "", errors="strict")
        given = dict(pairs)
        if len(given) != len(pairs) or "\0" in "".join(given.values()):
            return None
        return known, loaded(known.arguments, given), found.groups()
    except (ValueError, ma.ValidationError):
        return None


def loaded(schema: ma.Schema, given: dict[str, str]) -> dict[str, Any]:
    """Return what `schema.load(given)` does, without what it does besides: each field's own verdict, and its default.

    For schemas all of whose fields have one and which look at one field at a time.
    """
    known = schema.load_fields
    found = {name: field.load_default for name, field in known.items()}
    for name, text in given.items():
        if name not in known:
            raise ma.ValidationError("不认识的字段。", name)
        found[name] = known[name].deserialize(text, name, given)
    return found


def made_for(address: str) -> None:
    """Count an answer that is made; what is kept costs next to nothing and is not counted."""
    count(MADE_FOR_AN_ADDRESS, "made", address)


def answer_question(asked_one: Question, arguments: dict[str, Any], *parts: str) -> Response:
    """Answer a question through Flask."""
    make = asked_one.make(current_app.config["EDU"], arguments, *parts)
    return answer(make, by_reads=asked_one.by_reads(arguments))


def answer(make: Make, *, by_reads: bool = False) -> Response:
    """Answer from what is kept, else with what `make` makes; ETag, 304, gzip and caching are settled here."""
    failed: Exception | None = request.environ.get(FAILED)
    if failed is not None:
        raise failed
    key = f"{request.path}?{request.query_string.decode('latin-1')}"
    catalogue = catalogue_of(db.engine)
    fresh = catalogue.cached(key)
    if fresh is None:
        settings: Settings = current_app.config["EDU"]
        if settings.limits:
            made_for(get_remote_address())
        fresh = catalogue.answer(key, make, by_reads=by_reads)
    form = form_of(
        fresh.answer,
        if_none_match=request.headers.get("If-None-Match"),
        accept_encoding=request.headers.get("Accept-Encoding"),
    )
    return Response(body_of(fresh.answer, form), status=form.status, headers=headers_of(fresh, form))


@fact("catalogue_age")
def _catalogue_age() -> int:
    return catalogue_of(db.engine).away_for()
