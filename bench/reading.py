"""Reading: lists, pages and the home feed beside an empty view that returns the same bytes."""

from __future__ import annotations

import http.client
import os
from urllib.parse import quote

from bench.installation import Installation, installation
from bench.load import Cost, Request, drive, server
from bench.results import beside_ceiling, machine

COUNT = int(os.environ.get("BENCH_COUNT", "4000"))
READS = [
    ("list of 20 cards, cached", "/api/v1/pieces?limit=20", 0.8),
    ("detail of an article, cached", "/api/v1/pieces/hang-up-on-refund-experts", 0.8),
    ("home of the elderly, cached", "/api/v1/home?audience=elderly", 0.8),
    ("search for a two-character word, cached", "/api/v1/pieces?q=" + quote("退保"), 0.8),
]


def measure() -> str:
    """Make an installation with the shipped material, measure, return the section."""
    with installation() as made:
        rows = [(name, *_costs(path, made), reach) for name, path, reach in READS]
    method = (
        f"`python -m bench reading`, {COUNT} requests a row over 16 connections, server on one core, client on "
        "another; CPU seconds per 1,000 requests of the whole server. Ceiling: an empty Flask view returning the same "
        "bytes from memory, on the same gunicorn with the same settings, in the same run. Rate limits off, since one "
        "address sends everything; logs on."
    )
    return "\n\n".join([method, machine(), beside_ceiling(rows)])


def _fetch(port: int, path: str) -> bytes:
    connection = http.client.HTTPConnection("127.0.0.1", port)
    connection.request("GET", path)
    answer = connection.getresponse()
    body = answer.read()
    connection.close()
    if answer.status != 200:
        raise RuntimeError(f"{path}: {answer.status} {body[:200]!r}")
    return body


def _costs(path: str, made: Installation) -> tuple[Cost, Cost]:
    body = made.folder / "body"
    with server("app:app", {**made.environ, "EDU_LIMITS": "off"}) as (port, pid):
        body.write_bytes(_fetch(port, path))
        drive(port, pid, COUNT // 10, lambda _: Request("GET", path))
        ours = drive(port, pid, COUNT, lambda _: Request("GET", path))
    with server("bench.ceiling:app", {**made.environ, "BENCH_BODY": str(body)}) as (port, pid):
        drive(port, pid, COUNT // 10, lambda _: Request("GET", path))
        ceiling = drive(port, pid, COUNT, lambda _: Request("GET", path))
    return ours, ceiling
