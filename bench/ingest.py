"""Ingest: beacons that come in, beside a bare function that parses the same and inserts the same rows."""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime, timedelta

from bench import learners
from bench.installation import Installation, installation
from bench.load import Cost, Request, drive, middle, server
from bench.results import beside_ceiling, machine

COUNT = int(os.environ.get("BENCH_COUNT", "4000"))
TIMES = 3
SENDERS = 2_000
"""So many that nobody sends more than a person can, and that limits (by token and by address) let them through."""
_ACTIONS = ("expose", "view", "read_finish", "share")


def measure() -> str:
    """Measure all of it; return the section."""
    rows = []
    for name, size, reach in (("beacons in batches of 50", 50, 1.3), ("single beacons", 1, 1.0)):
        # in turns, so that whatever else the machine does meets both
        pairs = [_pair(size) for _ in range(TIMES)]
        ours, ceiling = (middle(costs) for costs in zip(*pairs, strict=True))
        rows.append((name, ours, ceiling, reach))
    method = (
        f"`python -m bench ingest`: the middle of {TIMES} runs, ours and the ceiling's in turns. "
        f"{COUNT:,} requests a run over 16 connections by {SENDERS:,} visitors who have sent before, each with an address of their own "
        "(`X-Forwarded-For`, one trusted proxy); the server as it ships, logs and limits on. Ceiling: a bare WSGI "
        "function on the same gunicorn that parses the body with orjson and inserts the rows under the same unique key, "
        "one durable commit (synchronous FULL) a request, under the same pragmas (secure_delete, foreign_keys). "
        "CPU seconds per 1,000 requests of the whole server."
    )
    return f"{machine('msgspec')}\n\n{method}\n\n{beside_ceiling(rows)}"


def _pair(size: int) -> tuple[Cost, Cost]:
    """Return what so many beacons a request cost, and what they cost the ceiling; each into a database of its own."""
    with installation() as made:
        made.environ["EDU_TRUSTED_PROXIES"] = "1"  # senders come from addresses of their own
        people = learners.make(made, SENDERS)
        bare = {**made.environ, "BENCH_DATABASE": str(made.folder / "bare.sqlite3")}
        return (
            _sent("app:app", made, [token for _, token in people], size),
            _sent(
                "bench.bare_counting:beacons",
                Installation(made.folder, bare),
                [str(number) for number, _ in people],
                size,
            ),
        )


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
    now = datetime.now(UTC)
    beacons = [
        {
            "id": f"{number:024x}-{index:04x}",
            "action": _ACTIONS[index % len(_ACTIONS)],
            "occurred_at": (now - timedelta(seconds=size - index)).isoformat(timespec="milliseconds"),
            "piece": "hang-up-on-refund-experts",
            "dwell_ms": 4_000 + index,
        }
        for index in range(size)
    ]
    return json.dumps({"sent_at": now.isoformat(timespec="milliseconds"), "beacons": beacons}).encode()
