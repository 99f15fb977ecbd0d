"""Counting: beacons that come in, the fold, and reports."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from datetime import UTC, datetime
from typing import Any

from bench import learners
from bench.installation import Installation, installation
from bench.load import ROOT, Cost, Request, drive, server
from bench.results import beside_ceiling, machine

SIZES = [int(size) for size in os.environ.get("BENCH_BEACONS", "100000,1000000,10000000").split(",")]
COUNT = int(os.environ.get("BENCH_COUNT", "4000"))
SENDERS = 2_000
"""So many that nobody sends more than a person can, and that limits (by token and by address) let them through."""
_ACTIONS = ("expose", "view", "read_finish", "share")


def measure() -> str:
    """Measure all of it; return the section."""
    parts = [
        machine("msgspec", "pyroaring", "numpy", "duckdb"),
        _beacons(),
        _reports([_folded(size) for size in SIZES]),
    ]
    return "\n\n".join(parts)


def _beacons() -> str:
    with installation() as made:
        made.environ["EDU_TRUSTED_PROXIES"] = "1"  # senders come from addresses of their own
        people = learners.make(made, SENDERS)
        rows = []
        for name, size, reach in (("beacons in batches of 50", 50, 1.3), ("single beacons", 1, 1.0)):
            ours = _sent("app:app", made, [token for _, token in people], size)
            bare = {**made.environ, "BENCH_DATABASE": str(made.folder / f"bare-{size}.sqlite3")}
            ceiling = _sent(
                "bench.bare_counting:beacons",
                Installation(made.folder, bare),
                [str(i) for i, _ in people],
                size,
            )
            rows.append((name, ours, ceiling, reach))
    method = (
        f"Beacons: {COUNT} requests a row over 16 connections by {SENDERS} visitors who have sent before, each with an address of their own "
        "(`X-Forwarded-For`, one trusted proxy); the server as it ships, logs and limits on. Ceiling: a bare WSGI "
        "function on the same gunicorn that parses the body with orjson and inserts the rows under the same unique key, "
        "one durable commit (synchronous FULL) a request, under the same pragmas (secure_delete, foreign_keys). "
        "CPU seconds per 1,000 requests of the whole server."
    )
    return f"{method}\n\n{beside_ceiling(rows)}"


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
        "the API calls it. SQLite: the same figures by COUNT(DISTINCT) on the log with an index that covers them, once; "
        "DuckDB: the same over its own file. All three were equal, figure by figure."
    )
    lines = [
        (
            "| beacons | fold, a CPU second | by day, ms | SQLite | DuckDB | by audience, ms | SQLite | DuckDB "
            "| year not rolled up: day, audience, ms | log, MB | tallies, MB | months and years made in, s |"
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
            f"{one['open_ms']['day']:.1f}, {one['open_ms']['audience']:.1f}",
            f"{one['log_bytes'] / 1e6:.0f}",
            f"{one['tallies_bytes'] / 1e6:.0f}",
            f"{one['roll_up_wall']:.0f}",
        ]
        lines.append(f"| {' | '.join(cells)} |")
    return f"{method}\n\n" + "\n".join(lines)


def _sent(application: str, made: Installation, tokens: list[str], size: int) -> Cost:
    bodies = [_body(number, size) for number in range(COUNT)]
    first = [_body(COUNT + number, 1) for number in range(len(tokens))]

    def request(number: int, body: bytes) -> Request:
        sender = number % len(tokens)
        headers = (
            ("Authorization", f"Bearer {tokens[sender]}"),
            ("Content-Type", "application/json"),
            ("X-Forwarded-For", f"10.1.{sender // 250}.{sender % 250}"),
        )
        return Request("POST", "/api/v1/beacons", body, headers)

    with server(application, made.environ) as (port, pid):
        drive(port, pid, len(tokens), lambda number: request(number, first[number]))
        return drive(port, pid, COUNT, lambda number: request(number, bodies[number]))


def _body(number: int, size: int) -> bytes:
    now = datetime.now(UTC).isoformat(timespec="milliseconds")
    beacons = [
        {
            "id": f"{number:024x}-{index:04x}",
            "action": _ACTIONS[index % len(_ACTIONS)],
            "occurred_at": now,
            "piece": "hang-up-on-refund-experts",
            "dwell_ms": 4_000 + index,
        }
        for index in range(size)
    ]
    return json.dumps({"sent_at": now, "beacons": beacons}).encode()
