"""Troubles of database and disk: which pass, and what is said of them."""

import errno
import threading
import time

import pysqlite3
import pytest
from sqlalchemy import create_engine, text
from sqlalchemy.exc import DBAPIError, IntegrityError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolExhausted

from edu_platform.core import gate as gates
from edu_platform.core.driver import Driver
from edu_platform.core.errors import NoSpace, NotNow
from edu_platform.core.gate import Gate
from edu_platform.core.troubles import refusal_of


@pytest.fixture
def file(tmp_path):
    engine = create_engine(f"sqlite:///{tmp_path / 'x.sqlite3'}", module=pysqlite3)
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE t (x)"))
    yield engine
    engine.dispose()


def trouble(engine, *statements):
    with pytest.raises(DBAPIError) as raised, engine.begin() as connection:
        for statement in statements:
            connection.exec_driver_sql(statement)
    return raised.value


def test_the_drivers_own_statements_fail_as_sqlalchemys_do_and_quote_nothing(file):
    with file.begin() as connection:
        connection.exec_driver_sql("CREATE UNIQUE INDEX once ON t (x)")
        assert Driver(connection).many("INSERT INTO t VALUES (?)", [("secret",), ("other",)]) == 2
        assert Driver(connection).rows("SELECT x FROM t ORDER BY x DESC LIMIT ?", (1,)) == [("secret",)]
    with pytest.raises(IntegrityError) as clash, file.begin() as connection:
        Driver(connection).many("INSERT INTO t VALUES (?)", [("new",), ("secret",)])
    assert "'secret'" not in str(clash.value)
    with pytest.raises(DBAPIError) as full, file.begin() as connection:
        connection.exec_driver_sql("PRAGMA max_page_count = 3")
        Driver(connection).rows("INSERT INTO t VALUES (zeroblob(?)) RETURNING 1", (1_000_000,))
    assert type(refusal_of(full.value)) is NoSpace
    with file.connect() as connection:
        assert connection.exec_driver_sql("SELECT count(*) FROM t").scalar_one() == 2, "rolled back"


def test_a_connection_that_met_a_read_only_file_is_given_up(file):
    with pytest.raises(DBAPIError) as met, file.connect() as connection, connection.begin():
        connection.exec_driver_sql("PRAGMA query_only = 1")
        Driver(connection).many("INSERT INTO t VALUES (?)", [(1,)])
    assert type(refusal_of(met.value)) is NotNow
    assert met.value.connection_invalidated
    with file.begin() as connection:
        connection.exec_driver_sql("INSERT INTO t VALUES (1)")  # a new one, without the pragma


def test_a_real_full_database_is_no_space(file):
    error = trouble(file, "PRAGMA max_page_count = 3", "INSERT INTO t VALUES (zeroblob(1000000))")
    refusal = refusal_of(error)
    assert (type(refusal), refusal.status, refusal.retry_after) == (NoSpace, 507, 60)


def test_a_real_lock_is_not_now(file, tmp_path):
    holder = pysqlite3.connect(str(tmp_path / "x.sqlite3"), isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")
    refusal = refusal_of(trouble(file, "PRAGMA busy_timeout = 1", "INSERT INTO t VALUES (1)"))
    holder.close()
    assert (type(refusal), refusal.status) == (NotNow, 503)


@pytest.mark.parametrize(
    "statement", ["INSERT INTO nothing VALUES (1)", "SELECT", "INSERT INTO t VALUES (1, 2, 3)"]
)
def test_a_mistake_of_ours_is_none_of_them(file, statement):
    assert refusal_of(trouble(file, statement)) is None


class Said(Exception):
    def __init__(self, sqlstate):
        super().__init__(sqlstate)
        self.sqlstate = sqlstate


@pytest.mark.parametrize(
    ("sqlstate", "status"),
    [
        ("53100", 507),
        ("53300", 503),
        ("55P03", 503),
        ("57P01", 503),
        ("57P03", 503),
        ("40001", 503),
        ("40P01", 503),
        ("08006", 503),
        ("58030", 503),
        ("42501", 503),
        (None, 503),
        ("42P01", None),
        ("23505", None),
        ("22001", None),
    ],
)
def test_what_postgresql_says(sqlstate, status):
    refusal = refusal_of(OperationalError("SELECT", {}, Said(sqlstate)))
    assert (refusal and refusal.status) == status


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (OSError(errno.ENOSPC, "full"), 507),
        (OSError(errno.EDQUOT, "quota"), 507),
        (OSError(errno.EROFS, "read-only"), 503),
        (OSError(errno.EACCES, "denied"), None),
        (FileNotFoundError(errno.ENOENT, "none"), None),
        (PoolExhausted("pool"), 503),
        (NotNow(retry_after=9), 503),
        (ValueError("no"), None),
    ],
)
def test_what_the_machine_says(error, status):
    refusal = refusal_of(error)
    assert (refusal and refusal.status) == status


# ---- the gate


def hold(gate, until):
    held = threading.Event()

    def inside():
        with gate.enter():
            held.set()
            until.wait(10)

    threading.Thread(target=inside).start()
    assert held.wait(5)


def test_when_writes_stand_still_those_who_come_are_refused_at_once(monkeypatch):
    monkeypatch.setattr(gates, "PATIENCE", 0.2)
    gate, until = Gate(2), threading.Event()
    try:
        hold(gate, until)
        hold(gate, until)
        with pytest.raises(NotNow), gate.enter():
            pass
        began = time.monotonic()
        with pytest.raises(NotNow), gate.enter():
            pass
        assert time.monotonic() - began < 0.1
    finally:
        until.set()


def test_as_long_as_writes_go_through_everybody_gets_their_turn(monkeypatch):
    monkeypatch.setattr(gates, "PATIENCE", 0.5)
    gate, most, inside, refused = Gate(2), [], [], []

    def write():
        try:
            with gate.enter():
                inside.append(1)
                most.append(len(inside))
                time.sleep(0.05)
                inside.pop()
        except NotNow as wrong:
            refused.append(wrong)

    threads = [threading.Thread(target=write) for _ in range(40)]  # a second's work
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(most) == 40
    assert not refused
    assert max(most) == 2


def test_an_idle_gate_that_fills_at_once_is_not_standing_still(monkeypatch):
    monkeypatch.setattr(gates, "PATIENCE", 0.3)
    gate, until = Gate(1), threading.Event()
    time.sleep(0.4)
    hold(gate, until)
    threading.Timer(0.1, until.set).start()
    with gate.enter():
        pass
