"""A thin WSGI layer before Flask: what the catalogue has kept is sent without routing, context or views.

A law test holds its answers identical to Flask's, headers included; whatever it has not kept goes on to Flask.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterable
from typing import Any

import structlog
from flask import Flask
from sqlalchemy.exc import SQLAlchemyError

from edu_platform.core.db import db
from edu_platform.core.logs import log_request
from edu_platform.factory.headers import protective, request_id_of
from edu_platform.library.catalogue import Catalogue, catalogue_of, choose

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
        method, path = environ["REQUEST_METHOD"], environ.get("PATH_INFO", "")
        if method not in {"GET", "HEAD"} or not path.startswith("/api/v1/"):
            return self._inner(environ, start_response)
        route = _route(path)
        if route is None:
            return self._inner(environ, start_response)
        started = time.perf_counter()
        try:
            fresh = self._catalogue.cached(f"{path}?{environ.get('QUERY_STRING', '')}")
        except SQLAlchemyError:
            fresh = None  # Flask meets the same trouble and answers for it
        if fresh is None:
            return self._inner(environ, start_response)
        status, headers, body = choose(
            fresh,
            if_none_match=environ.get("HTTP_IF_NONE_MATCH"),
            accept_encoding=environ.get("HTTP_ACCEPT_ENCODING"),
        )
        request_id = request_id_of(environ.get("HTTP_X_REQUEST_ID"))
        secure = environ.get("wsgi.url_scheme") == "https"
        start_response(
            _REASONS[status],
            [*headers.items(), *protective(secure=secure).items(), ("X-Request-ID", request_id)],
        )
        structlog.contextvars.clear_contextvars()
        log_request(method, route, status, started, request_id=request_id)
        return [] if method == "HEAD" else [body]


def _route(path: str) -> str | None:
    for pattern, name in _ROUTES:
        if pattern.fullmatch(path):
            return path if name == "{0}" else name
    return None
