"""Inside an installation: fill its log, fold it, and read a year's report from it, beside SQLite and DuckDB on the same rows.

`python -m bench.tallies COUNT` prints what it measured as JSON. It runs in a process of its own, as the worker does.
"""

from __future__ import annotations

import contextlib
import json
import os
import sys
import time
from collections.abc import Callable
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import duckdb
import numpy as np

from bench import beacons
from edu_platform.core.clock import frozen
from edu_platform.core.db import db, reading
from edu_platform.factory.entry import application
from edu_platform.reach.operations.report import Asked, figures
from edu_platform.reach.rules.choices import By
from edu_platform.reach.rules.sheets import Numbers
from edu_platform.reach.tasks import fold_all, roll_up_all

TIMES = 5
YEAR = (date(2025, 1, 1), date(2025, 12, 31))
AFTER = datetime(2026, 2, 1, tzinfo=UTC)
# the most that a running year is made of: eleven months, and the days of the twelfth
DURING = datetime(2025, 12, 31, 4, tzinfo=UTC)
_TAKING_PART = "(2, 7, 8, 9, 10, 11, 12, 13, 14)"
_BY = {By.DAY: "day", By.AUDIENCE: "audience"}


def truth(by: str | None, taking_part: str) -> str:
    """The four figures as anybody would ask for them in SQL."""
    part = f"action IN {taking_part}"
    key = by or "0"
    return (
        f"SELECT {key}, sum(CASE WHEN {part} THEN 0 ELSE 1 END), count(DISTINCT CASE WHEN {part} THEN NULL ELSE number END),"
        f" sum(CASE WHEN {part} THEN 1 ELSE 0 END), count(DISTINCT CASE WHEN {part} THEN number END)"
        f" FROM beacon WHERE suspicion IS NULL AND day BETWEEN 20089 AND 20453"
        + (f" GROUP BY {by}" if by else "")
    )


def main(count: int) -> None:
    app = application()
    found: dict[str, Any] = {"count": count}
    with app.app_context():
        driver = _fill(count)
        found["log_bytes"] = _size()
        began, cpu = time.perf_counter(), time.process_time()
        with frozen(lambda: AFTER):
            assert fold_all() == count
            found["fold_cpu"], found["fold_wall"] = time.process_time() - cpu, time.perf_counter() - began
            found["tallies_bytes"] = reading().connection().exec_driver_sql(
                "SELECT sum(length(figures) + length(persons)) FROM tally_page"
            ).scalar()  # fmt: skip
            reading().rollback()
        asked = {by: Asked(*YEAR, None, by) for by in _BY}
        began = time.perf_counter()
        with frozen(lambda: DURING):
            roll_up_all()
            found["roll_up_wall"] = time.perf_counter() - began
            found["running_ms"] = {by: _best(lambda by=by: _report(asked[by])) for by in _BY}
            running = {by: _report(asked[by]) for by in _BY}
        began = time.perf_counter()
        with frozen(lambda: AFTER):
            roll_up_all()
            found["roll_up_wall"] += time.perf_counter() - began
            found["ms"] = {by: _best(lambda by=by: _report(asked[by])) for by in _BY}
            ours = {by: _report(asked[by]) for by in _BY}
            assert running == ours
        driver.execute("CREATE INDEX bench_cover ON beacon (day, audience, action, number, suspicion)")
        found["sqlite_ms"], theirs = _compare(lambda text: driver.execute(text).fetchall(), times=1)
        found["sqlite_equal"] = theirs == ours
        with _columnar(driver) as duck:
            found["duckdb_ms"], theirs = _compare(lambda text: duck.execute(text).fetchall(), times=TIMES)
            found["duckdb_equal"] = theirs == ours
    os.write(1, json.dumps(found).encode() + b"\n")


def _report(asked: Asked) -> tuple[Numbers, dict[int, Numbers]]:
    told = figures(reading(), asked)
    reading().rollback()
    return told.totals, told.rows


def _best(run: Callable[[], Any]) -> float:
    """The middle of several times, in milliseconds; each with all that a first reader pays but the disk."""
    times = []
    for _ in range(TIMES):
        began = time.perf_counter()
        run()
        times.append((time.perf_counter() - began) * 1000)
    return sorted(times)[TIMES // 2]


def _compare(
    ask: Callable[[str], list[tuple[Any, ...]]], *, times: int
) -> tuple[dict[str, float], dict[By, Any]]:
    milliseconds: dict[str, float] = {}
    figures_of: dict[By, Any] = {}
    for by, column in _BY.items():
        took = []
        for _ in range(times):
            began = time.perf_counter()
            [(_, *totals)] = ask(truth(None, _TAKING_PART))
            rows = ask(truth(column, _TAKING_PART))
            took.append((time.perf_counter() - began) * 1000)
        milliseconds[by] = sorted(took)[len(took) // 2]
        figures_of[by] = (
            Numbers(*map(int, totals)), {key: Numbers(*map(int, four)) for key, *four in sorted(rows)}
        )  # fmt: skip
    return milliseconds, figures_of


def _fill(count: int) -> Any:
    driver = db.engine.raw_connection().driver_connection
    assert driver is not None
    for pragma in ("synchronous=OFF", "cache_size=-1000000"):
        driver.execute(f"PRAGMA {pragma}")
    driver.execute("BEGIN")
    driver.executemany(
        "INSERT INTO person_number (number, pace_minute, pace_in_minute, pace_day, pace_in_day) VALUES (?, 0, 0, 0, 0)",
        ((number,) for number in range(1, beacons.PEOPLE + 1)),
    )
    for some in beacons.rows(count):
        driver.executemany(beacons.INSERT, some)
    driver.execute("COMMIT")
    driver.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return driver


def _size() -> int:
    return Path(db.engine.url.database or "").stat().st_size


@contextlib.contextmanager
def _columnar(driver: Any) -> Any:
    """The log's columns that the figures need, in DuckDB's own file."""
    path = Path(db.engine.url.database or "").with_name("bench.duckdb")
    with duckdb.connect(str(path)) as duck:
        duck.execute(
            "CREATE TABLE beacon (day INTEGER, audience TINYINT, action TINYINT, number INTEGER, suspicion TINYINT)"
        )
        cursor = driver.execute(
            "SELECT day, audience, action, number, coalesce(suspicion, 0) FROM beacon ORDER BY id"
        )
        while some := cursor.fetchmany(500_000):
            day, audience, action, number, suspicion = np.array(some, dtype=np.int32).T
            columns = {
                "day": day, "audience": audience, "action": action, "number": number, "suspicion": suspicion
            }  # fmt: skip
            duck.register("stretch", {name: np.ascontiguousarray(column) for name, column in columns.items()})
            duck.execute(
                "INSERT INTO beacon SELECT day, audience, action, number, nullif(suspicion, 0) FROM stretch"
            )
            duck.unregister("stretch")
        duck.execute("CHECKPOINT")
        yield duck


if __name__ == "__main__":
    main(int(sys.argv[1]))
