"""`make bench`: print the table and keep it in `bench/RESULTS.md`."""

from __future__ import annotations

import http.client
import os
import platform
import subprocess
import sys
import tempfile
from importlib.metadata import version
from pathlib import Path
from urllib.parse import quote

from bench.load import ROOT, Cost, Request, drive, server

COUNT = int(os.environ.get("BENCH_COUNT", "4000"))
READS = [
    ("list of 20 cards, cached", "/api/v1/pieces?limit=20"),
    ("detail of an article, cached", "/api/v1/pieces/hang-up-on-refund-experts"),
    ("home of the elderly, cached", "/api/v1/home?audience=elderly"),
    ("search for a two-character word, cached", "/api/v1/pieces?q=" + quote("退保")),
]


def main() -> None:
    """Make an installation with the shipped material, measure, write the table."""
    with tempfile.TemporaryDirectory(prefix="edu-bench-") as folder:
        environ = {
            **{name: value for name, value in os.environ.items() if not name.startswith("EDU_")},
            "EDU_DATA_DIR": f"{folder}/var",
            "EDU_WECHAT_SECRET": "bench-only",
        }
        for command in (["upgrade"], ["content", "import", "content"]):
            subprocess.run(
                [sys.executable, "-m", "edu_platform.cli", *command],
                cwd=ROOT, env=environ, check=True, stdout=subprocess.DEVNULL,
            )  # fmt: skip
        rows = [_row(name, path, environ, Path(folder)) for name, path in READS]
    text = _table(rows)
    print(text)
    (ROOT / "bench" / "RESULTS.md").write_text(text)


def _fetch(port: int, path: str) -> bytes:
    connection = http.client.HTTPConnection("127.0.0.1", port)
    connection.request("GET", path)
    answer = connection.getresponse()
    body = answer.read()
    connection.close()
    if answer.status != 200:
        raise RuntimeError(f"{path}: {answer.status} {body[:200]!r}")
    return body


def _row(name: str, path: str, environ: dict[str, str], folder: Path) -> tuple[str, Cost, Cost]:
    body = folder / "body"
    with server("app:app", {**environ, "EDU_LIMITS": "off"}) as (port, pid):
        body.write_bytes(_fetch(port, path))
        drive(port, pid, COUNT // 10, lambda _: Request("GET", path))
        ours = drive(port, pid, COUNT, lambda _: Request("GET", path))
    with server("bench.ceiling:app", {**environ, "BENCH_BODY": str(body)}) as (port, pid):
        drive(port, pid, COUNT // 10, lambda _: Request("GET", path))
        ceiling = drive(port, pid, COUNT, lambda _: Request("GET", path))
    return name, ours, ceiling


def _table(rows: list[tuple[str, Cost, Cost]]) -> str:
    method = (
        f"`make bench`, {COUNT} requests a row over 16 connections, server on one core, client on another; "
        "CPU seconds per 1,000 requests of the whole server. Ceiling: an empty Flask view returning the same bytes "
        "from memory, on the same gunicorn with the same settings, in the same run. Rate limits off, since one "
        "address sends everything; logs on."
    )
    machine = (
        f"Python {platform.python_version()}, Flask {version('flask')}, gunicorn {version('gunicorn')}, "
        f"{platform.machine()}, {os.cpu_count()} cores."
    )
    lines = [
        *("# What was measured", "", method, "", machine, ""),
        "| what | CPU s / 1,000 | ceiling | ratio | requests / s | p99 ms |",
        "|---|---:|---:|---:|---:|---:|",
    ]
    for name, ours, ceiling in rows:
        ratio = ours.cpu_per_thousand / ceiling.cpu_per_thousand
        lines.append(
            f"| {name} | {ours.cpu_per_thousand:.2f} | {ceiling.cpu_per_thousand:.2f} | {ratio:.1f} "
            f"| {ours.per_second:.0f} | {ours.p99_ms:.0f} |"
        )
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
