"""Answering a request from the catalogue: what is kept under its path and query, else what is made now."""

from __future__ import annotations

from flask import Response, request
from flask_limiter.util import get_remote_address

from edu_platform.core.db import db
from edu_platform.core.health import fact
from edu_platform.core.limits import limiter
from edu_platform.library.catalogue import Make, body_of, catalogue_of, form_of, headers_of

MADE_FOR_AN_ADDRESS = "1200 per minute"


def answer(make: Make, *, by_reads: bool = False) -> Response:
    """Answer from what is kept, else with what `make` makes; ETag, 304, gzip and caching are settled here.

    `factory.first` gives the same answers without entering Flask, once they are kept.
    """
    key = f"{request.path}?{request.query_string.decode('latin-1')}"
    catalogue = catalogue_of(db.engine)
    fresh = catalogue.cached(key)
    if fresh is None:
        # what is kept costs next to nothing and is not counted; making answers is
        with limiter.limit(MADE_FOR_AN_ADDRESS, key_func=get_remote_address):
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
