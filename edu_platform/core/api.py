"""Alive and ready: for the supervisor and the load balancer."""

from __future__ import annotations

import structlog
from flask import Blueprint, Response, jsonify

from edu_platform.core.db import reading
from edu_platform.core.health import checks, facts

health = Blueprint("health", __name__)


@health.get("/healthz")
def alive() -> Response:
    """Say that the process answers; touches nothing."""
    response = jsonify(status="alive")
    response.headers["Cache-Control"] = "no-store"
    return response


@health.get("/readyz")
def ready() -> tuple[Response, int]:
    """Say whether the database, the storage and the worker are ready: 200, or 503 naming what is not.

    `catalogue_age` is for how many seconds the catalogue is answered from memory because the database is away.
    """
    found: dict[str, str] = {}
    for name, check in checks.items():
        try:
            check(reading())
            found[name] = "ok"
        except Exception as wrong:  # noqa: BLE001 - whatever it is, this is not ready
            structlog.get_logger("health").warning("not_ready", check=name, error=type(wrong).__name__)
            found[name] = "failing"
            reading().rollback()
    ok = all(state == "ok" for state in found.values())
    response = jsonify(
        status="ready" if ok else "not_ready",
        checks=found,
        **{name: number() for name, number in facts.items()},
    )
    response.headers["Cache-Control"] = "no-store"
    if not ok:
        response.headers["Retry-After"] = "5"
    return response, 200 if ok else 503
