"""Structured logs: one JSON line an event, with the request's id; never a body, a query or a token."""

from __future__ import annotations

import logging
import sys
import time

import structlog
from flask import Flask, Response, g, request


def configure(*, level: int = logging.INFO) -> None:
    """Send structlog's and the standard library's records to standard error as JSON lines."""
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


def log_request(
    method: str, route: str | None, status: int, started: float, *, request_id: str | None = None
) -> None:
    """Write the line of one request, begun at `started` (`time.perf_counter`). The route is the rule, so no id or token shows."""
    facts = {} if request_id is None else {"request_id": request_id}
    structlog.get_logger("http").info(
        "request",
        method=method,
        route=route,
        status=status,
        ms=round((time.perf_counter() - started) * 1000, 1),
        **facts,
    )


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
        log_request(request.method, rule, response.status_code, g.get("started", time.perf_counter()))
        return response
