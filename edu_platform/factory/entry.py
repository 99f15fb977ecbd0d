"""Entry points that read the environment: the WSGI application, and the settings that commands use."""

from __future__ import annotations

import os

from flask import Flask

from edu_platform.config.installation import environ_with_installation
from edu_platform.config.settings import Settings
from edu_platform.core.db import db, reading, writing
from edu_platform.core.migration import check_schema
from edu_platform.core.sealing import KeyRing
from edu_platform.factory.app import create_app
from edu_platform.people import operations
from edu_platform.people.keystore import vault_of


def settings_here() -> Settings:
    """Read the settings from the environment and, outside production, from the installation's own file."""
    return Settings.read(environ_with_installation(os.environ))


def move_keys_out(settings: Settings) -> None:
    """Ready the key store, and move into it what an earlier release kept in the database; in an application context."""
    vault_of(reading()).store.prepare()
    ring = KeyRing(settings.sealing_keys)
    moved = 1
    while moved:
        with writing() as session:
            moved = operations.move_keys_out(session, ring)
    db.session.remove()


class RestoredBeforeErasures(Exception):
    """The database knows people again who had asked to be forgotten."""


def application() -> Flask:
    """Build the application; refuse a database at another schema, or one older than erasures that were acknowledged."""
    app = create_app(settings_here())
    with app.app_context():
        check_schema(db.engine)
        known_again = len(operations.outstanding_erasures(reading()))
        db.session.remove()
        if known_again:
            raise RestoredBeforeErasures(
                f"数据库恢复到了较早的状态，其中有 {known_again} 名已注销的学习者。请先运行 edu erasures 重做注销，再启动平台。"
            )
        db.engine.dispose()  # a forked worker must not share a connection
    return app


def forget_connections(app: Flask) -> None:
    """Let go of the database's connections without closing them: after a fork they are the parent's."""
    with app.app_context():
        db.engine.dispose(close=False)
