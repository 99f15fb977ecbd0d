"""Which rooms the house has: their blueprints, their jobs, their kinds, and who hears whose news."""

from __future__ import annotations

import importlib
import importlib.util
from types import ModuleType
from typing import Any

from flask import Flask, current_app
from flask_smorest import Blueprint
from flask_swagger_ui import get_swaggerui_blueprint
from sqlalchemy.orm import Session

from edu_platform.campaigns import operations as campaigns
from edu_platform.campaigns.content import CAMPAIGNS
from edu_platform.config.settings import Settings
from edu_platform.core.web import Api
from edu_platform.library import operations as library
from edu_platform.library.articles import ArticleKind
from edu_platform.library.content import sections
from edu_platform.library.content.pieces import register_sections
from edu_platform.library.films import VideoKind
from edu_platform.library.kinds import register as register_kind
from edu_platform.library.posters import PosterKind
from edu_platform.library.signals import FileNews, files_hidden, files_shown
from edu_platform.library.uploads import follow_upload
from edu_platform.media.operations import hide_files, show_files
from edu_platform.media.signals import file_finished
from edu_platform.media.storage import store_of
from edu_platform.people import registry
from edu_platform.people.guards import SECURITY_SCHEMES
from edu_platform.people.signals import learner_erased, learner_merged
from edu_platform.quizzes import operations as quizzes
from edu_platform.quizzes import signals as attempts
from edu_platform.quizzes.content.papers import QUESTIONS, QUIZZES
from edu_platform.quizzes.kind import QuizKind
from edu_platform.reach import operations as reach
from edu_platform.review.signals import case_decided
from edu_platform.shelf import operations as shelf
from edu_platform.shelf.signals import favourited

OPENAPI: dict[str, Any] = {
    "API_TITLE": "消保守护",
    "API_VERSION": "v1",
    "OPENAPI_VERSION": "3.1.0",
    "OPENAPI_URL_PREFIX": "/api/v1",
    "OPENAPI_JSON_PATH": "openapi.json",
}
ROOMS = ("core", "people", "media", "review", "library", "quizzes", "shelf", "campaigns", "reach")


def _module(room: str, name: str) -> ModuleType | None:
    """Import `edu_platform.<room>.<name>`, a module or a package, where it exists."""
    path = f"edu_platform.{room}.{name}"
    return importlib.import_module(path) if importlib.util.find_spec(path) else None


def move_in(app: Flask) -> None:
    """Mount every room's routes, register its jobs and kinds, connect its signals."""
    _register_kinds(app.config["EDU"])
    _connect()
    api = Api(app)
    for name, scheme in SECURITY_SCHEMES.items():
        api.spec.components.security_scheme(name, scheme)
    for room in ROOMS:
        _module(room, "tasks")
        routes = _module(room, "api") if room != "core" else None
        for blueprint in routes.blueprints if routes else ():
            if isinstance(blueprint, Blueprint):
                api.register_blueprint(blueprint)
            else:
                app.register_blueprint(blueprint)
    app.register_blueprint(
        get_swaggerui_blueprint("/api/v1/docs", "/api/v1/openapi.json", config={"validatorUrl": None})
    )


def _register_kinds(settings: Settings) -> None:
    """Register every kind of piece and every section of `content/`."""
    for kind in (ArticleKind(settings), PosterKind(settings), VideoKind(settings), QuizKind(settings)):
        register_kind(kind)
    register_sections()
    for section in (QUESTIONS, QUIZZES, CAMPAIGNS):
        sections.register(section)


def _connect() -> None:
    """Let the rooms hear each other's news; in each list the order is the order of handling."""
    for holding in (shelf.HOLDING, quizzes.HOLDING, reach.HOLDING):
        registry.register(holding)
    case_decided.connect(library.hear_decision)
    file_finished.connect(follow_upload)
    files_shown.connect(_show)
    files_hidden.connect(_hide)
    for follow in (shelf.follow_merge, quizzes.absorb_visitor, reach.on_learner_merged):
        learner_merged.connect(follow)
    learner_erased.connect(reach.on_learner_erased)
    favourited.connect(reach.on_favourited)
    attempts.attempt_started.connect(_visit)
    attempts.attempt_started.connect(
        campaigns.on_attempt_started
    )  # settles the campaign that reach counts for
    attempts.attempt_started.connect(reach.on_attempt_started)
    attempts.attempt_submitted.connect(reach.on_attempt_submitted)
    attempts.attempt_passed.connect(reach.on_attempt_passed)


def _visit(session: Session, news: attempts.AttemptNews) -> None:
    shelf.note_visit(session, news.learner_id, news.piece_id, news.at)


def _show(session: Session, news: FileNews) -> None:
    store = store_of(current_app.config["EDU"])
    show_files(session, store, holder=f"piece:{news.piece_id}", digests=news.digests)


def _hide(session: Session, news: FileNews) -> None:
    store = store_of(current_app.config["EDU"])
    hide_files(session, store, holder=f"piece:{news.piece_id}", digests=news.digests)
