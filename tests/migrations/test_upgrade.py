"""From the first schema to this release's, with data in every table: nothing lost, nobody who reads held up."""

from __future__ import annotations

import base64
import json
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from datetime import date, datetime
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

from edu_platform.core import migration
from edu_platform.core.migration import configuration, plain_engine, upgrade
from edu_platform.core.models import Base
from edu_platform.reach.rules.grouping import Page

pytestmark = pytest.mark.database
ROWS: dict[str, list[dict[str, Any]]] = json.loads(Path(__file__).with_name("at_0001.json").read_text())
REPLACED = {"tally"}
"""Tables of 0001 whose rows are kept in another form by now; each has a test of its own."""
BOUND = 2.0
"""Seconds that a reader may wait while a migration wants a lock that it is not given (`lock_timeout`, and some air)."""


@pytest.fixture
def make_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Callable[[], str]]:
    """Make empty databases of the kind under test."""
    if request.config.getoption("--database") == "sqlite":
        yield lambda: f"sqlite:///{tmp_path / (uuid.uuid4().hex + '.sqlite3')}"
        return
    uri = request.getfixturevalue("postgresql").replace("postgresql://", "postgresql+psycopg://")
    admin = sa.create_engine(uri, isolation_level="AUTOCOMMIT")
    made = []

    def make() -> str:
        made.append(f"edu_upgrade_{uuid.uuid4().hex[:8]}")
        with admin.connect() as connection:
            connection.execute(sa.text(f"CREATE DATABASE {made[-1]}"))
        return admin.url.set(database=made[-1]).render_as_string(hide_password=False)

    yield make
    with admin.connect() as connection:
        for name in made:
            connection.execute(sa.text(f"DROP DATABASE {name} WITH (FORCE)"))
    admin.dispose()


def value(raw: Any, column: sa.Column[Any]) -> Any:
    if isinstance(raw, dict) and "base64" in raw:
        return base64.b64decode(raw["base64"])
    if isinstance(column.type, sa.DateTime) and raw:
        return datetime.fromisoformat(raw)
    if isinstance(column.type, sa.Date) and raw:
        return date.fromisoformat(raw)
    return raw


def at_first(url: str) -> None:
    """Make the database as release 0001 made it, with rows in every table."""
    upgrade(url, "0001")
    engine = plain_engine(url)
    tables = sa.MetaData()
    tables.reflect(engine)
    with engine.begin() as connection:
        if engine.dialect.name == "postgresql":  # the rows know each other in circles
            connection.execute(sa.text("SET LOCAL session_replication_role = replica"))
        for name, rows in ROWS.items():
            table = tables.tables[name]
            connection.execute(
                table.insert(), [{k: value(v, table.c[k]) for k, v in row.items()} for row in rows]
            )
    engine.dispose()


def everything(url: str) -> dict[str, list[dict[str, Any]]]:
    """All rows of the tables and columns that 0001 had, as they are now; those of a table that was replaced are not there."""
    engine = plain_engine(url)
    tables = sa.MetaData()
    tables.reflect(engine)
    found = {}
    with engine.connect() as connection:
        for name, rows in ROWS.items():
            if name not in tables.tables:
                assert name in REPLACED
                continue
            table = tables.tables[name]
            columns = [table.c[column] for column in rows[0]]
            found[name] = sorted(
                (dict(row._mapping) for row in connection.execute(sa.select(*columns))), key=repr
            )
    engine.dispose()
    return found


def test_the_rows_of_0001_fill_every_table_it_had(make_url):
    url = make_url()
    upgrade(url, "0001")
    engine = plain_engine(url)
    tables = {t for t in sa.inspect(engine).get_table_names() if not t.startswith("search_index")}
    engine.dispose()
    assert tables == set(ROWS) | {"alembic_version"}


def test_every_row_is_there_afterwards_with_the_same_values(make_url):
    url = make_url()
    at_first(url)
    before = everything(url)
    assert all(before.values())
    upgrade(url)
    assert everything(url) == {name: rows for name, rows in before.items() if name not in REPLACED}


def test_what_was_counted_in_cells_is_on_pages(make_url):
    url = make_url()
    at_first(url)
    upgrade(url)
    engine = plain_engine(url)
    with engine.connect() as connection:
        rows = connection.execute(
            sa.text(
                "SELECT family, span, campaign_id, starts, figures, persons FROM tally_page ORDER BY campaign_id"
            )
        ).all()
    engine.dispose()
    # family 1, its day, for everything and for the campaign; value 1, participation, suspects, three times, two visitors
    assert [tuple(row)[:4] for row in rows] == [(1, 0, -1, 1), (1, 0, 1, 1)]
    for row in rows:
        page = Page.read(row.figures, row.persons)
        assert page.figures.tolist() == [[1, 1, 1, 0, 3, 0, 2, 0]]
        assert [(person >> 32, person & 0xFFFFFFFF) for person in page.persons] == [(15, 1), (15, 3)]


def test_what_was_upgraded_is_what_the_models_say(make_url):
    url = make_url()
    at_first(url)
    upgrade(url)
    engine = plain_engine(url)
    with engine.connect() as connection:
        context = MigrationContext.configure(
            connection,
            opts={
                "compare_type": True,
                "include_name": lambda name, kind, _: (
                    not (kind == "table" and (name or "").startswith("search_index"))
                ),
            },
        )
        assert compare_metadata(context, Base.metadata) == []
        if engine.dialect.name == "sqlite":
            assert connection.exec_driver_sql("PRAGMA foreign_key_check").all() == []
            assert connection.exec_driver_sql("PRAGMA integrity_check").scalar() == "ok"
    engine.dispose()


def test_down_to_the_first_schema_and_up_again_loses_nothing(make_url):
    url = make_url()
    at_first(url)
    before = everything(url)
    upgrade(url)
    after = everything(url)
    command.downgrade(configuration(url), "0001")
    assert everything(url) == before
    upgrade(url)
    assert everything(url) == after


def test_a_migration_that_fails_leaves_the_database_as_it_was(make_url, monkeypatch):
    """On SQLite as well, whose driver by itself would keep every statement that came before the failure."""
    url = make_url()
    at_first(url)
    before = everything(url)
    engine = plain_engine(url)
    tables = set(sa.inspect(engine).get_table_names())
    with engine.begin() as connection:  # whatever comes last in the next migration cannot be made
        if engine.dialect.name == "sqlite":
            connection.exec_driver_sql(
                "CREATE TRIGGER beacon_no_update BEFORE UPDATE ON beacon BEGIN SELECT 1; END"
            )
        else:
            connection.exec_driver_sql(
                "CREATE FUNCTION nothing() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'"
            )
            connection.exec_driver_sql(
                "CREATE TRIGGER beacon_no_truncate BEFORE TRUNCATE ON beacon EXECUTE FUNCTION nothing()"
            )
    with pytest.raises(sa.exc.DBAPIError):
        upgrade(url)
    with engine.connect() as connection:
        assert MigrationContext.configure(connection).get_current_revision() == "0001"
        if engine.dialect.name == "sqlite":
            made = "SELECT count(*) FROM sqlite_master WHERE type = 'trigger' AND tbl_name = 'audit_entry'"
        else:
            made = (
                "SELECT count(*) FROM pg_trigger WHERE tgrelid = 'audit_entry'::regclass AND NOT tgisinternal"
            )
        assert connection.exec_driver_sql(made).scalar() == 0
    assert set(sa.inspect(engine).get_table_names()) == tables
    engine.dispose()
    assert everything(url) == before


def test_two_processes_at_once_upgrade_once(make_url):
    url = make_url()
    at_first(url)
    code = f"from edu_platform.core.migration import upgrade; upgrade({url!r})"
    processes = [
        subprocess.Popen([sys.executable, "-c", code], stderr=subprocess.PIPE, text=True) for _ in range(3)
    ]
    ends = [process.communicate()[1] for process in processes]
    assert [process.returncode for process in processes] == [0, 0, 0], ends
    engine = plain_engine(url)
    migration.check_schema(engine)
    engine.dispose()


class Reader(threading.Thread):
    """Reads every table over and over, and notes how long the slowest read took."""

    def __init__(self, url: str) -> None:
        super().__init__(daemon=True)
        self._engine = sa.create_engine(url, **({"module": sqlite()} if url.startswith("sqlite") else {}))
        self.done, self.reads, self.slowest = threading.Event(), 0, 0.0
        self.failure: Exception | None = None

    def run(self) -> None:
        try:
            while not self.done.is_set() or self.reads < 2 * len(ROWS):
                for table in set(ROWS) - REPLACED:
                    began = time.monotonic()
                    with self._engine.connect() as connection:
                        connection.execute(sa.text(f"SELECT count(*) FROM {table}")).scalar_one()
                    self.slowest = max(self.slowest, time.monotonic() - began)
                    self.reads += 1
        except Exception as wrong:
            self.failure = wrong
        self._engine.dispose()

    def end(self) -> None:
        self.done.set()
        self.join()


def sqlite() -> Any:
    import pysqlite3

    return pysqlite3


def test_readers_go_on_while_the_schema_changes(make_url):
    url = make_url()
    at_first(url)
    reader = Reader(url)
    reader.start()
    upgrade(url)
    reader.end()
    assert reader.failure is None
    assert reader.reads > len(ROWS)
    assert reader.slowest < BOUND


def held_up_by(url: str, seconds: float) -> tuple[threading.Thread, threading.Event]:
    """Hold a lock that the next migration needs, as a long report or a forgotten psql does."""
    holding = threading.Event()

    def hold() -> None:
        engine = sa.create_engine(url)
        with engine.begin() as connection:
            connection.execute(sa.text("LOCK TABLE audit_entry IN ROW EXCLUSIVE MODE"))
            holding.set()
            time.sleep(seconds)
        engine.dispose()

    thread = threading.Thread(target=hold)
    thread.start()
    return thread, holding


def test_a_migration_that_must_wait_lets_readers_go_on_and_tries_again(make_url):
    url = make_url()
    if url.startswith("sqlite"):
        return  # its readers never wait for a writer
    at_first(url)
    holder, holding = held_up_by(url, 2.5)
    holding.wait()
    reader = Reader(url)
    reader.start()
    upgrade(url)  # its first try gives up after a second; a later one is let in
    reader.end()
    holder.join()
    assert reader.failure is None
    assert reader.slowest < BOUND
    engine = plain_engine(url)
    migration.check_schema(engine)
    engine.dispose()


@pytest.mark.control
def test_without_a_time_out_readers_would_queue_behind_a_waiting_migration(make_url):
    """The control: a statement that asks for a table whole and waits as long as it takes stops every reader."""
    url = make_url()
    if url.startswith("sqlite"):
        return  # its readers never wait for a writer
    at_first(url)
    holder, holding = held_up_by(url, BOUND + 1)
    holding.wait()

    def alter() -> None:
        engine = sa.create_engine(url)
        with engine.begin() as connection:
            connection.execute(sa.text("ALTER TABLE audit_entry ADD COLUMN slow integer"))
        engine.dispose()

    waiting = threading.Thread(target=alter)
    waiting.start()
    time.sleep(0.3)
    reader = Reader(url)
    reader.start()
    waiting.join()
    reader.end()
    holder.join()
    assert reader.slowest > BOUND
