"""The WSGI application."""

from __future__ import annotations

import re
import secrets

from flask import Flask, Response, g, request
from werkzeug.middleware.proxy_fix import ProxyFix

from edu_platform.config.settings import Environment, Settings
from edu_platform.core import db as database
from edu_platform.core import logs, problems
from edu_platform.core.api import health
from edu_platform.core.limits import limit_settings, limiter
from edu_platform.factory import rooms

_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")


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
    if settings.trusted_proxies:
        count = settings.trusted_proxies
        app.wsgi_app = ProxyFix(app.wsgi_app, x_for=count, x_proto=count, x_host=0)  # type: ignore[method-assign]

    _request_ids(app)
    if settings.environment is not Environment.TEST:
        logs.configure()
    logs.log_requests(app)
    database.db.init_app(app)
    with app.app_context():
        database.prepare(database.db.engine)
    limiter.init_app(app)
    problems.handle_errors(app)
    _headers(app)
    app.register_blueprint(health)
    rooms.move_in(app, settings)
    return app


def _request_ids(app: Flask) -> None:
    @app.before_request
    def name_it() -> None:
        given = request.headers.get("X-Request-ID", "")
        g.request_id = given if _REQUEST_ID.fullmatch(given) else secrets.token_hex(8)

    @app.after_request
    def echo(response: Response) -> Response:
        response.headers["X-Request-ID"] = g.get("request_id", "")
        return response


# Swagger UI starts itself by an inline script and styles itself inline; everything it loads is our own.
_DOCS_POLICY = (
    "default-src 'none'; script-src 'self' 'unsafe-inline'; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data:; connect-src 'self'; frame-ancestors 'none'"
)


def _headers(app: Flask) -> None:
    @app.after_request
    def protect(response: Response) -> Response:
        headers = response.headers
        if request.blueprint == "swagger_ui":
            headers.setdefault("Content-Security-Policy", _DOCS_POLICY)
        headers.setdefault("Cache-Control", "no-store")
        headers.setdefault("X-Content-Type-Options", "nosniff")
        headers.setdefault("Referrer-Policy", "no-referrer")
        headers.setdefault("X-Frame-Options", "DENY")
        headers.setdefault("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")
        headers.setdefault("Cross-Origin-Opener-Policy", "same-origin")
        if request.is_secure:
            headers.setdefault("Strict-Transport-Security", "max-age=31536000")
        return response
