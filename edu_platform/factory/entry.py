"""Entry points that read the environment: the WSGI application, and the settings that commands use."""

from __future__ import annotations

import os

from flask import Flask

from edu_platform.config.installation import environ_with_installation
from edu_platform.config.settings import Settings
from edu_platform.core.db import db
from edu_platform.core.migration import check_schema
from edu_platform.factory.app import create_app


def settings_here() -> Settings:
    """Read the settings from the environment and, outside production, from the installation's own file."""
    return Settings.read(environ_with_installation(os.environ))


def application() -> Flask:
    """Build the application; refuse a database that is not at this release's schema."""
    app = create_app(settings_here())
    with app.app_context():
        check_schema(db.engine)
        db.engine.dispose()  # a forked worker must not share a connection
    return app


def forget_connections(app: Flask) -> None:
    """Let go of the database's connections without closing them: after a fork they are the parent's."""
    with app.app_context():
        db.engine.dispose(close=False)
