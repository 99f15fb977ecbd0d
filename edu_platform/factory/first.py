"""A thin WSGI layer before Flask: what the catalogue has kept is sent without routing, context or views.

A law test holds its answers identical to Flask's, headers included; whatever it has not kept goes on to Flask.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from functools import lru_cache, partial
from typing import Any

from flask import Flask
from sqlalchemy.exc import SQLAlchemyError

from edu_platform.config.settings import Settings
from edu_platform.core.db import db
from edu_platform.core.logs import log_request
from edu_platform.core.metrics import count_request
from edu_platform.factory.headers import protective, request_id_of
from edu_platform.library import answering
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

_REASONS = {200: "200 OK", 304: "304 NOT MODIFIED"}


class CatalogueFirst:
    """Answers GET and HEAD from the catalogue's kept answers, and GET by making them; passes all else to `inner`."""

    def __init__(self, inner: Application, app: Flask) -> None:
        self._inner = inner
        self._settings: Settings = app.config["EDU"]
        with app.app_context():
            self._catalogue: Catalogue = catalogue_of(db.engine)

    def __call__(self, environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
        """Answer one request."""
        body = self.kept(environ, start_response)
        if body is None:
            body = self._made(environ, start_response)
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
            fresh = self._catalogue.cached(_key(environ), wait=wait)
        except SQLAlchemyError:
            return None  # Flask meets the same trouble and answers for it
        rule = _rule(path) if fresh is not None else None
        if fresh is None or rule is None:
            return None
        return _send(fresh, rule, started, environ, start_response, kept=True)

    def _made(self, environ: dict[str, Any], start_response: StartResponse) -> list[bytes] | None:
        """Make the answer to one request, None when there is anything out of the ordinary, which Flask then says."""
        started = time.perf_counter()
        path = environ.get("PATH_INFO", "")
        if environ["REQUEST_METHOD"] != "GET" or not path.startswith("/api/v1/"):
            return None
        asked = answering.asked(path, environ.get("QUERY_STRING", ""))
        if asked is None:
            return None
        question, arguments, parts = asked
        try:
            if self._settings.limits:
                answering.made_for(environ.get("REMOTE_ADDR") or "127.0.0.1")
            make = question.make(self._settings, arguments, *parts)
            fresh = self._catalogue.answer(_key(environ), make, by_reads=question.by_reads(arguments))
        except Exception as failed:  # noqa: BLE001 - whatever it is, Flask's handlers turn it into an answer
            environ[answering.FAILED] = failed
            return None
        return _send(fresh, question.rule, started, environ, start_response, kept=False)


def _key(environ: dict[str, Any]) -> str:
    return f"{environ.get('PATH_INFO', '')}?{environ.get('QUERY_STRING', '')}"


def _send(
    fresh: Fresh,
    rule: str,
    started: float,
    environ: dict[str, Any],
    start_response: StartResponse,
    *,
    kept: bool,
) -> list[bytes]:
    form = form_of(
        fresh.answer,
        if_none_match=environ.get("HTTP_IF_NONE_MATCH"),
        accept_encoding=environ.get("HTTP_ACCEPT_ENCODING"),
    )
    request_id = request_id_of(environ.get("HTTP_X_REQUEST_ID"))
    headers = _headers(fresh, form, secure=environ.get("wsgi.url_scheme") == "https")
    start_response(_REASONS[form.status], [*headers, ("X-Request-ID", request_id)])
    method = environ["REQUEST_METHOD"]
    count_request(method, rule, form.status, time.perf_counter() - started, kept=kept)
    log_request(method, rule, form.status, started, request_id)
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
def _rule(path: str) -> str | None:
    return next((known.rule for known in answering.questions if known.pattern.fullmatch(path)), None)
