"""Which rooms the house has: their blueprints, their jobs, their kinds, and who hears whose news."""

from __future__ import annotations

import importlib
from typing import Any

from flask import Flask
from flask_smorest import Blueprint
from flask_swagger_ui import get_swaggerui_blueprint

from edu_platform.config.settings import Settings
from edu_platform.core.web import Api

OPENAPI: dict[str, Any] = {
    "API_TITLE": "消保守护",
    "API_VERSION": "v1",
    "OPENAPI_VERSION": "3.1.0",
    "OPENAPI_URL_PREFIX": "/api/v1",
    "OPENAPI_JSON_PATH": "openapi.json",
}
ROOMS = ("people", "media", "review", "library", "quizzes", "shelf", "campaigns", "reach")


def _modules(room: str, name: str) -> list[Any]:
    """Import `edu_platform.<room>.<name>`, a module or a package of modules, where it exists."""
    path = f"edu_platform.{room}.{name}"
    if importlib.util.find_spec(path) is None:
        return []
    module = importlib.import_module(path)
    return [module]


def move_in(app: Flask, settings: Settings) -> None:
    """Mount every room's routes, register its jobs and kinds, connect its signals."""
    api = Api(app)
    for room in ROOMS:
        for name in ("models", "tasks"):
            _modules(room, name)
        for module in _modules(room, "api"):
            for blueprint in module.blueprints:
                if isinstance(blueprint, Blueprint):
                    api.register_blueprint(blueprint)
                else:
                    app.register_blueprint(blueprint)
    app.register_blueprint(get_swaggerui_blueprint("/api/v1/docs", "/api/v1/openapi.json", config={"validatorUrl": None}))
