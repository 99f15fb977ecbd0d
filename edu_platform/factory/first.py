"""A thin WSGI layer before Flask: what the catalogue has kept is sent without routing, context or views.

A law test holds its answers identical to Flask's, headers included; whatever it has not kept goes on to Flask.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterable
from functools import lru_cache, partial
from typing import Any

from flask import Flask
from sqlalchemy.exc import SQLAlchemyError

from edu_platform.core.db import db
from edu_platform.core.logs import log_request
from edu_platform.core.metrics import count_request
from edu_platform.factory.headers import protective, request_id_of
from edu_platform.library.catalogue import (
    Catalogue,
    Form,
    Fresh,
    Headers,
    body_of,
    catalogue_of,
    form_of,
    headers_of,
)

StartResponse = Callable[..., Any]
Application = Callable[[dict[str, Any], StartResponse], Iterable[bytes]]

_ROUTES = [
    (re.compile(r"/api/v1/(pieces|columns|vocabulary|home)"), "{0}"),
    (re.compile(r"/api/v1/pieces/[a-z0-9-]{1,64}"), "/api/v1/pieces/<slug>"),
    (re.compile(r"/api/v1/pieces/[a-z0-9-]{1,64}/related"), "/api/v1/pieces/<slug>/related"),
]
_REASONS = {200: "200 OK", 304: "304 NOT MODIFIED"}


class CatalogueFirst:
    """Answers GET and HEAD from the catalogue's kept answers; passes everything else to `inner`."""

    def __init__(self, inner: Application, app: Flask) -> None:
        self._inner = inner
        with app.app_context():
            self._catalogue: Catalogue = catalogue_of(db.engine)

    def __call__(self, environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
        """Answer one request."""
        body = self.kept(environ, start_response)
        return self._inner(environ, start_response) if body is None else body

    def knows(self, target: str) -> bool:
        """Say whether an answer is kept for a path and query as a client sent them; it may no longer hold."""
        return self._catalogue.knows(target if "?" in target else f"{target}?")

    def kept(
        self, environ: dict[str, Any], start_response: StartResponse, *, wait: bool = True
    ) -> list[bytes] | None:
        """Answer one request from what is kept, None when it cannot be; without `wait` the database is left alone."""
        started = time.perf_counter()
        method, path = environ["REQUEST_METHOD"], environ.get("PATH_INFO", "")
        if method not in {"GET", "HEAD"} or not path.startswith("/api/v1/"):
            return None
        try:
            fresh = self._catalogue.cached(f"{path}?{environ.get('QUERY_STRING', '')}", wait=wait)
        except SQLAlchemyError:
            return None  # Flask meets the same trouble and answers for it
        if fresh is None:
            return None
        route = _route(path)
        if route is None:
            return None
        form = form_of(
            fresh.answer,
            if_none_match=environ.get("HTTP_IF_NONE_MATCH"),
            accept_encoding=environ.get("HTTP_ACCEPT_ENCODING"),
        )
        request_id = request_id_of(environ.get("HTTP_X_REQUEST_ID"))
        headers = _headers(fresh, form, secure=environ.get("wsgi.url_scheme") == "https")
        start_response(_REASONS[form.status], [*headers, ("X-Request-ID", request_id)])
        count_request(method, route, form.status, time.perf_counter() - started, kept=True)
        log_request(method, route, form.status, started, request_id)
        return [] if method == "HEAD" or form.again else [body_of(fresh.answer, form)]


class AtOnce:
    """What can be answered without waiting for anything, the database included, for a server that asks."""

    def __init__(self, first: CatalogueFirst, proxied: Callable[[Any], Any]) -> None:
        self.knows = first.knows
        self.kept = proxied(partial(first.kept, wait=False))


def _headers(fresh: Fresh, form: Form, *, secure: bool) -> Headers:
    """Return all headers but the request's id, made once for each form, age and scheme."""

    def made() -> Headers:
        return [*headers_of(fresh, form), *protective(secure=secure).items()]

    if fresh.kept is None or fresh.age:
        return made()
    before, key = fresh.kept.headers, (form, fresh.max_age, secure)
    if key not in before:
        before[key] = made()
    return before[key]


@lru_cache(maxsize=4096)
def _route(path: str) -> str | None:
    for pattern, name in _ROUTES:
        if pattern.fullmatch(path):
            return path if name == "{0}" else name
    return None
