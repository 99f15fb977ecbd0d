"""The WSGI application."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit, urlunsplit

from flask import Flask, Response, g, request
from werkzeug.middleware.proxy_fix import ProxyFix

from edu_platform.config.settings import Environment, Settings
from edu_platform.core import db as database
from edu_platform.core import logs, metrics, problems
from edu_platform.core.api import health
from edu_platform.core.limits import limit_settings, limiter
from edu_platform.core.sealing import KeyRing
from edu_platform.factory import rooms
from edu_platform.factory.answers import AnswersFirst
from edu_platform.factory.beacons import BeaconsFirst
from edu_platform.factory.files_first import FilesFirst
from edu_platform.factory.first import AtOnce, CatalogueFirst
from edu_platform.factory.headers import DOCS_POLICY, protective, request_id_of
from edu_platform.factory.side_door import SideDoor
from edu_platform.factory.writes_first import Bearers, Together
from edu_platform.people import keystore


def create_app(settings: Settings) -> Flask:
    """Build the application from `settings`; touches neither database nor network."""
    app = Flask("edu_platform", static_folder=None)
    app.config.update(
        SQLALCHEMY_DATABASE_URI=settings.database_url,
        SQLALCHEMY_ENGINE_OPTIONS=database.engine_options(settings),
        SECRET_KEY=settings.secret_keys[0],
        SECRET_KEY_FALLBACKS=list(settings.secret_keys[1:]),
        MAX_CONTENT_LENGTH=settings.max_body_bytes,
        PROPAGATE_EXCEPTIONS=False,
        EDU=settings,
        **limit_settings(settings),
        **rooms.OPENAPI,
    )
    app.json.sort_keys = False  # type: ignore[attr-defined]  # the default provider has it
    app.json.ensure_ascii = False  # type: ignore[attr-defined]

    if settings.metrics_dir or settings.environment is not Environment.TEST:
        metrics.count_in(settings.metrics_dir or metrics.prepare(settings.data_dir))
    _request_ids(app)
    if settings.environment is not Environment.TEST:
        logs.configure()
    logs.log_requests(app)
    database.db.init_app(app)
    with app.app_context():
        database.prepare(database.db.engine, threads=settings.web_threads)
        vault = keystore.Vault(keystore.KeyStore(settings.keys_url), KeyRing(settings.sealing_keys))
        keystore.attach(database.db.engine, vault)
    limiter.init_app(app)
    problems.handle_errors(app)
    _headers(app)
    app.register_blueprint(health)
    rooms.move_in(app)
    bearers = Bearers(settings)
    answers = AnswersFirst(app.wsgi_app, app, bearers)
    beacons = BeaconsFirst(answers, app, bearers)
    first = CatalogueFirst(FilesFirst(beacons, settings), app)

    def entered(inner: Any) -> Any:
        """Put before `inner` what every request passes, the kept ones too."""
        if count := settings.trusted_proxies:
            inner = ProxyFix(inner, x_for=count, x_proto=count, x_host=0)
        if address := settings.metrics_address:
            inner = SideDoor(inner, app, address.rpartition(":")[2])
        return inner

    app.wsgi_app = entered(first)  # type: ignore[method-assign]
    app.extensions["kept_first"] = AtOnce(first, entered)
    app.extensions["writes_first"] = [Together(beacons, entered), Together(answers, entered)]
    return app


def _request_ids(app: Flask) -> None:
    @app.before_request
    def name_it() -> None:
        g.request_id = request_id_of(request.headers.get("X-Request-ID"))

    @app.after_request
    def echo(response: Response) -> Response:
        response.headers["X-Request-ID"] = g.get("request_id", "")
        return response


def _headers(app: Flask) -> None:
    @app.after_request
    def protect(response: Response) -> Response:
        headers = response.headers
        if request.blueprint == "swagger_ui":
            headers.setdefault("Content-Security-Policy", DOCS_POLICY)
        headers.setdefault("Cache-Control", "no-store")
        if response.location is not None:  # the router spells it out with whatever Host was sent
            place = urlsplit(response.location)
            response.location = urlunsplit(("", "", f"/{place.path.lstrip('/')}", place.query, ""))
            response.set_data(b"")
        for name, value in protective(secure=request.is_secure).items():
            headers.setdefault(name, value)
        return response
