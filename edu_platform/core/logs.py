"""Structured logs: one JSON line an event, with the request's id; never a body, a query or a token."""

from __future__ import annotations

import contextlib
import logging
import os
import select
import sys
import time
from datetime import UTC, datetime

import orjson
import structlog
from flask import Flask, Response, g, request

from edu_platform.core.metrics import count_request

_descriptor: int | None = None
"""Where lines of requests go; nowhere until `configure` was called."""


def configure(*, level: int = logging.INFO) -> None:
    """Send structlog's and the standard library's records, and requests, to standard error as JSON lines."""
    global _descriptor  # noqa: PLW0603 - a process has one standard error
    shared: list[structlog.types.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
    ]
    structlog.configure(
        processors=[*shared, structlog.processors.JSONRenderer(ensure_ascii=False)],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.WriteLoggerFactory(file=sys.stderr),
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            processor=structlog.processors.JSONRenderer(ensure_ascii=False), foreign_pre_chain=shared
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(max(level, logging.WARNING))
    _descriptor = sys.stderr.fileno() if level <= logging.INFO else None


def log_request(method: str, route: str | None, status: int, started: float, request_id: str) -> None:
    """Write the line of one request, begun at `started` (`time.perf_counter`). The route is the rule, so no id or token shows.

    Written straight to the descriptor, a line a call: structlog costs ten times as much, and nothing is lost
    when the process ends. Whoever reads the log may have gone, or its disk be full: answers go out all the same.
    """
    if _descriptor is None:
        return
    line = orjson.dumps(
        {
            "method": method,
            "route": route,
            "status": status,
            "ms": round((time.perf_counter() - started) * 1000, 1),
            "request_id": request_id,
            "event": "request",
            "level": "info",
            "timestamp": datetime.now(UTC),
        },
        option=orjson.OPT_APPEND_NEWLINE | orjson.OPT_UTC_Z,
    )
    with contextlib.suppress(OSError):
        _write(_descriptor, line)


def _write(descriptor: int, line: bytes) -> None:
    while line:
        try:
            line = line[os.write(descriptor, line) :]
        except BlockingIOError:  # a pipe that somebody set so, and that is full
            select.select([], [descriptor], [])


def log_requests(app: Flask) -> None:
    """Write one line a request."""

    @app.before_request
    def start() -> None:
        g.started = time.perf_counter()
        structlog.contextvars.clear_contextvars()
        structlog.contextvars.bind_contextvars(request_id=g.request_id)

    @app.after_request
    def finish(response: Response) -> Response:
        rule = request.url_rule.rule if request.url_rule else None
        started = g.get("started", time.perf_counter())
        count_request(request.method, rule, response.status_code, time.perf_counter() - started, kept=False)
        log_request(request.method, rule, response.status_code, started, g.get("request_id", ""))
        return response
