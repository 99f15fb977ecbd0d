"""A second address of the web process, for the operator's Prometheus alone: docs/decisions/015."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from flask import Flask

from edu_platform.core.db import db
from edu_platform.factory.headers import protective, request_id_of

StartResponse = Callable[..., Any]
Application = Callable[[dict[str, Any], StartResponse], Iterable[bytes]]


class SideDoor:
    """Answers `/metrics`, and nothing else, to whoever came in by `port`; everybody else goes on to `inner`.

    The port is that of the socket, which no header can pretend.
    """

    def __init__(self, inner: Application, app: Flask, port: str) -> None:
        self._inner = inner
        self._app = app
        self._port = port

    def __call__(self, environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
        """Answer one request."""
        if environ["SERVER_PORT"] != self._port:
            return self._inner(environ, start_response)
        if environ.get("PATH_INFO") != "/metrics" or environ["REQUEST_METHOD"] != "GET":
            start_response("404 NOT FOUND", _headers("text/plain", 0))
            return []
        from edu_platform.factory.exposition import MEDIA_TYPE, exposition

        with self._app.app_context():
            try:
                body = exposition()
            finally:
                db.session.remove()
        start_response("200 OK", _headers(MEDIA_TYPE, len(body)))
        return [body]


def _headers(media_type: str, length: int) -> list[tuple[str, str]]:
    """Return the headers of an answer: what protects every answer of the house protects this one."""
    return [
        ("Content-Type", media_type),
        ("Content-Length", str(length)),
        ("Cache-Control", "no-store"),
        ("X-Request-ID", request_id_of(None)),
        *protective(secure=False).items(),
    ]
