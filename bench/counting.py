"""Counting: the fold, and reports."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import Any

from bench.installation import installation
from bench.load import ROOT
from bench.results import machine

SIZES = [int(size) for size in os.environ.get("BENCH_BEACONS", "100000,1000000,10000000").split(",")]


def measure() -> str:
    """Measure all of it; return the section."""
    parts = [
        machine("pyroaring", "numpy", "duckdb"),
        _reports([_folded(size) for size in SIZES]),
    ]
    return "\n\n".join(parts)


def _folded(size: int) -> dict[str, Any]:
    with installation(content=False) as made:
        done = subprocess.run(
            [sys.executable, "-m", "bench.tallies", str(size)],
            cwd=ROOT, env={**made.environ, "PYTHONPATH": str(ROOT)}, check=True, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    if not found["sqlite_equal"] or not found["duckdb_equal"]:
        raise RuntimeError(f"the report is not what SQL counts: {found}")
    return found


def _reports(found: list[dict[str, Any]]) -> str:
    method = (
        "Fold: from the log to all tallies (a year in order, 29 campaigns, 1,000 pieces of which few are read most, "
        "370,000 people), 200,000 beacons at a time, reading and durable commit included; beacons per CPU second of the "
        "one process. Report: all four figures of the year and of each day, or audience; the middle of five, called as "
        "the API calls it. A year that is over is a row of its own; one still running is measured on its last day, eleven "
        "months and the days since. SQLite: the same figures by COUNT(DISTINCT) on the log with an index that covers them, once; "
        "DuckDB: the same over its own file. All three were equal, figure by figure."
    )
    lines = [
        (
            "| beacons | fold, a CPU second | by day, ms | SQLite | DuckDB | by audience, ms | SQLite | DuckDB "
            "| year still running: day, audience, ms | log, MB | tallies, MB | months and years made in, s |"
        ),
        "|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|",
    ]
    for one in found:
        cells = [
            f"{one['count']:,}",
            f"{one['count'] / one['fold_cpu']:,.0f}",
            *(
                f"{one[who][by]:.1f}"
                for by in ("day", "audience")
                for who in ("ms", "sqlite_ms", "duckdb_ms")
            ),
            f"{one['running_ms']['day']:.1f}, {one['running_ms']['audience']:.1f}",
            f"{one['log_bytes'] / 1e6:.0f}",
            f"{one['tallies_bytes'] / 1e6:.0f}",
            f"{one['roll_up_wall']:.0f}",
        ]
        lines.append(f"| {' | '.join(cells)} |")
    return f"{method}\n\n" + "\n".join(lines)
