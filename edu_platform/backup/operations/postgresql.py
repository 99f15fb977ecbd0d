"""Copying a PostgreSQL database by its own tools: a dump of one snapshot, or the whole server for any point in time."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import tempfile
import time
import uuid
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import psycopg
from sqlalchemy import URL, make_url

from edu_platform.backup.errors import BackupFailed
from edu_platform.backup.operations.files import FILES, entries
from edu_platform.backup.operations.fingerprints import (
    Progress,
    beginnings,
    differences,
    table_print,
    take,
)
from edu_platform.backup.rules import FileEntry, Print

DUMP = "database.dump"
BASE = "base"
STARTS_WITHIN = 600
_LEAVING = 2.0
"""Seconds that a server process may take to end after its client has gone."""
ERRORS = (psycopg.Error,)


def tool(name: str) -> str:
    """Return the path of one of PostgreSQL's tools."""
    found = shutil.which(name)
    if found is None:
        raise BackupFailed(f"找不到 {name}：请安装与数据库同版本的 PostgreSQL 工具，并让它在 PATH 里。")
    return found


def environment(url: URL) -> dict[str, str]:
    """Return what tells PostgreSQL's tools where the database is, so that no password stands on a command line."""
    given = {
        "PGHOST": url.host or _query(url, "host"),
        "PGPORT": str(url.port or _query(url, "port") or ""),
        "PGUSER": url.username,
        "PGPASSWORD": url.password,
        "PGDATABASE": url.database,
        "PGSSLMODE": _query(url, "sslmode"),
    }
    return os.environ | {name: str(value) for name, value in given.items() if value}


def _query(url: URL, name: str) -> str | None:
    value = url.query.get(name)
    return value if isinstance(value, str) or value is None else value[0]


def connect(url: URL) -> psycopg.Connection[Any]:
    """Open a plain connection."""
    return psycopg.connect(
        url.set(drivername="postgresql").render_as_string(hide_password=False), autocommit=True
    )


def run(arguments: Sequence[str], url: URL | None = None, *, user: int | None = None) -> str:
    """Run a tool; raise `BackupFailed` with its own last words."""
    done = subprocess.run(
        list(arguments),
        env=environment(url) if url is not None else None,
        capture_output=True,
        text=True,
        check=False,
        user=user,
        cwd="/",
    )
    if done.returncode:
        words = (done.stderr.strip() or done.stdout.strip()).splitlines()
        raise BackupFailed(f"{Path(arguments[0]).name} 失败：{' '.join(words[-3:])[:500]}")
    return done.stdout


def dump(address: str, target: Path, progress: Progress) -> tuple[dict[str, Print], list[FileEntry], str]:
    """Dump the database with what its tables held in the very snapshot that was dumped. Writers go on meanwhile."""
    url = make_url(address)
    program = tool("pg_dump")
    with connect(url) as connection:
        connection.execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
        snapshot = _first(connection, "SELECT pg_export_snapshot()")
        progress("复制数据库", 0, 1)
        run(
            [program, "--format=custom", "--no-owner", "--no-privileges",
             f"--snapshot={snapshot}", f"--file={target}"],
            url,
        )  # fmt: skip
        progress("复制数据库", 1, 1)
        with connection.cursor() as cursor:
            prints = take(cursor, sqlite=False, progress=progress)
            files = entries(cursor.execute(FILES).fetchall())
        revision = _first(connection, "SELECT version_num FROM alembic_version")
        connection.execute("ROLLBACK")
    return prints, files, revision


def rehearse(address: str, target: Path, wanted: dict[str, Print], progress: Progress) -> bool:
    """Restore a dump beside the database and compare; False when the account may make no database there."""
    url = make_url(address)
    name = f"edu_rehearsal_{uuid.uuid4().hex[:12]}"
    with connect(url) as connection:
        may = "SELECT rolcreatedb OR rolsuper FROM pg_roles WHERE rolname = current_user"
        if not _first(connection, may):
            return False
        connection.execute(f"CREATE DATABASE {name}")
    try:
        beside = url.set(database=name).render_as_string(hide_password=False)
        load(beside, target)
        compare(beside, wanted, progress)
    finally:
        with connect(url) as connection:
            connection.execute(f"DROP DATABASE {name} WITH (FORCE)")
    return True


def load(address: str, source: Path) -> None:
    """Load a dump into an empty database, all or nothing."""
    run(
        [tool("pg_restore"), "--no-owner", "--no-privileges", "--single-transaction", "--exit-on-error",
         f"--dbname={make_url(address).database}", str(source)],
        make_url(address),
    )  # fmt: skip


def compare(address: str, wanted: dict[str, Print], progress: Progress) -> None:
    """Raise `BackupFailed` unless the tables are what the backup recorded."""
    with connect(make_url(address)) as connection, connection.cursor() as cursor:
        wrong = differences(wanted, take(cursor, sqlite=False, progress=progress))
    if wrong:
        raise BackupFailed(f"恢复出的数据与备份时不一致：{'、'.join(wrong)}")


def users_of(address: str) -> int:
    """Return how many other connections the database has; one whose client has just gone is given a moment to end."""
    give_up = time.monotonic() + _LEAVING
    with connect(make_url(address)) as connection:
        while True:
            count = int(
                _first(
                    connection,
                    "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
                    " AND pid <> pg_backend_pid() AND backend_type = 'client backend'",
                )
            )
            if not count or time.monotonic() > give_up:
                return count
            time.sleep(0.1)


def is_empty(address: str) -> bool:
    """Say whether the database has no table at all."""
    with connect(make_url(address)) as connection:
        return not _first(connection, "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'")


def clear(address: str) -> None:
    """Drop everything in the database."""
    with connect(make_url(address)) as connection, connection.transaction():
        connection.execute("DROP SCHEMA public CASCADE")
        connection.execute("CREATE SCHEMA public")


def base(address: str, target: Path, progress: Progress) -> tuple[dict[str, Print], list[FileEntry], str]:
    """Copy the whole server with the log that the copy needs; return what it certainly holds."""
    url = make_url(address)
    program, verifier = tool("pg_basebackup"), tool("pg_verifybackup")
    with connect(url) as connection, connection.cursor() as cursor:
        # What was added before the copy began is in it, and stays as it is at every later point in time.
        prints = beginnings(cursor, sqlite=False)
        revision = _first(connection, "SELECT version_num FROM alembic_version")
        if _first(connection, "SHOW archive_mode") == "off":
            raise BackupFailed("数据库没有开启 archive_mode：请先按运维手册设置 WAL 归档，时间点恢复要靠它。")
    progress("复制数据库", 0, 1)
    run(
        [program, f"--pgdata={target}", "--format=plain", "--wal-method=stream", "--checkpoint=fast",
         "--manifest-checksums=SHA256", "--no-password"],
        url,
    )  # fmt: skip
    run([verifier, "--quiet", str(target)])
    progress("复制数据库", 1, 1)
    with connect(url) as connection, connection.cursor() as cursor:
        files = entries(cursor.execute(FILES).fetchall())
    return prints, files, revision


def check_base(path: Path) -> None:
    """Raise `BackupFailed` unless the copy of the server is what its own manifest says."""
    run([tool("pg_verifybackup"), "--quiet", str(path)])


def lay_out(source: Path, pgdata: Path, *, wal: Path, until: str | None) -> None:
    """Copy a base backup to `pgdata` (empty or absent) and let it recover from the archive, up to a moment.

    Run as root, the folder is given to the owner of its parent: PostgreSQL itself refuses to run as root.
    """
    if pgdata.exists() and any(pgdata.iterdir()):
        raise BackupFailed(f"{pgdata} 不是空文件夹：时间点恢复只写入新的文件夹。")
    owner = server_user(pgdata)
    shutil.copytree(source, pgdata, dirs_exist_ok=True)
    quoted = str(wal).replace("'", "''")
    lines = [f'restore_command = \'cp "{quoted}/%f" "%p"\'', "recovery_target_action = 'promote'"]
    lines.append(f"recovery_target_time = '{until}'" if until else "recovery_target_timeline = 'latest'")
    with (pgdata / "postgresql.auto.conf").open("a") as settings:
        settings.write(
            "\n".join(["", "# set by edu restore; of no effect once recovery has ended", *lines, ""])
        )
    (pgdata / "recovery.signal").touch()
    if not (pgdata / "postgresql.conf").exists():
        (pgdata / "postgresql.conf").touch()  # Debian keeps it elsewhere
    pgdata.chmod(0o700)
    if owner is not None:
        for path in [pgdata, *pgdata.rglob("*")]:
            os.chown(path, owner, -1, follow_symlinks=False)


def server_user(pgdata: Path) -> int | None:
    """Return as whom the server has to run; None for whoever runs this."""
    if os.geteuid() != 0:
        return None
    owner = pgdata.parent.stat().st_uid
    if owner == 0:
        raise BackupFailed(f"PostgreSQL 不能以 root 运行：请让 {pgdata.parent} 属于 postgres 用户。")
    return owner


@contextlib.contextmanager
def started(pgdata: Path, address: str) -> Iterator[str]:
    """Run the server of `pgdata` by itself, reachable by nobody else, until the block ends; yield the database's address.

    It has recovered when the block begins.
    """
    owner = server_user(pgdata)
    program = tool("pg_ctl")
    sockets = Path(tempfile.mkdtemp(prefix="edu-pg-", dir="/tmp"))
    try:
        (sockets / "hba").write_text("local all all trust\n")
        if owner is not None:
            for path in (sockets, sockets / "hba"):
                os.chown(path, owner, -1)
        options = (
            f"-c listen_addresses='' -c unix_socket_directories={sockets} -c port=5432 -c hba_file={sockets}/hba"
            " -c archive_mode=off -c ssl=off"
        )
        log = sockets / "log"
        base_command = [program, "--pgdata", str(pgdata)]
        try:
            run(
                [
                    *base_command,
                    "--wait",
                    f"--timeout={STARTS_WITHIN}",
                    "--log",
                    str(log),
                    "-o",
                    options,
                    "start",
                ],
                user=owner,
            )
        except BackupFailed as failed:
            raise _why(log, failed) from failed
        try:
            url = make_url(address).set(host=None, port=None, password=None, query={"host": str(sockets)})
            _wait_until_promoted(url, pgdata, log)
            yield url.render_as_string(hide_password=False)
        finally:
            if _lives(pgdata):
                run([*base_command, "--wait", "--mode=fast", "stop"], user=owner)
    finally:
        shutil.rmtree(sockets, ignore_errors=True)


def _lives(pgdata: Path) -> bool:
    """Say whether the server of this folder runs."""
    try:
        os.kill(int((pgdata / "postmaster.pid").read_text().split()[0]), 0)
    except (OSError, ValueError, IndexError):
        return False
    return True


def _why(log: Path, failed: BackupFailed) -> BackupFailed:
    """Say why a recovering server ended, from what it wrote."""
    words = log.read_text(errors="replace") if log.exists() else ""
    if "before configured recovery target" in words:
        return BackupFailed("WAL 归档里没有到那一刻为止的记录：请选更早的时刻，或不填 --until。")
    return BackupFailed(f"{failed} {words[-400:]}")


def _wait_until_promoted(url: URL, pgdata: Path, log: Path) -> None:
    deadline = time.monotonic() + STARTS_WITHIN
    while time.monotonic() < deadline:
        try:
            with connect(url) as connection:
                if not _first(connection, "SELECT pg_is_in_recovery()"):
                    return
        except psycopg.OperationalError:
            if not _lives(pgdata):
                raise _why(log, BackupFailed("数据库没能完成恢复。")) from None
        time.sleep(0.1)
    raise BackupFailed("数据库没有在限定时间内完成恢复。")


def check_beginnings(address: str, wanted: dict[str, Print]) -> None:
    """Raise `BackupFailed` unless the recovered tables begin as they were when the copy was made."""
    with connect(make_url(address)) as connection, connection.cursor() as cursor:
        wrong = [
            name
            for name, one in wanted.items()
            if table_print(cursor, name, ["id"], upto=one.upto) != one
            and not (name == "beacon" and _gone_to_archives(connection, one))
        ]
    if wrong:
        raise BackupFailed(f"恢复出的数据与备份时不一致：{'、'.join(wrong)}")


def _gone_to_archives(connection: psycopg.Connection[Any], wanted: Print) -> bool:
    """Say whether what the log lacks of its beginning is what archives have taken over since."""
    held = "(SELECT coalesce(max(last_id), 0) FROM beacon_archive)"
    there = f"SELECT count(*) FROM beacon WHERE id > {held} AND id <= {wanted.upto or 0:d}"  # noqa: S608 - fixed text
    archived = f"SELECT coalesce(sum(beacons), 0) FROM beacon_archive WHERE first_id <= {wanted.upto or 0:d}"  # noqa: S608
    taken = int(_first(connection, archived))
    return taken > 0 and int(_first(connection, there)) + taken >= wanted.rows


def _first(connection: psycopg.Connection[Any], statement: str) -> Any:
    row = connection.execute(statement).fetchone()
    assert row is not None
    return row[0]
