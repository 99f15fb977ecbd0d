"""Ceilings: the least that could be done for the same answers, on the same gunicorn."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from flask import Flask, Response

RANKED = """
SELECT rowid, rowid IN (SELECT rowid FROM search_index WHERE search_index MATCH :title) AS in_title,
  CAST(round(bm25(search_index, 10.0, 1.0) * 1e9) AS INTEGER) AS score
FROM search_index WHERE search_index MATCH :whole ORDER BY in_title DESC, score, rowid DESC LIMIT 20
"""


def same_bytes() -> Flask:
    """Return an empty Flask application whose only view returns the same bytes from memory: one answer a path."""
    app = Flask(__name__)
    bodies = {path.name: path.read_bytes() for path in Path(os.environ["BENCH_BODIES"]).iterdir()}

    @app.get("/<path:path>")
    def same(path: str) -> Response:
        return Response(bodies[path], mimetype="application/json")

    return app


def bare_search() -> Flask:
    """Return an empty Flask application whose only view asks the index for the 20 best, and says their ids."""
    import pysqlite3

    app = Flask(__name__)
    threads = threading.local()
    word = f'"{os.environ["BENCH_WORD"]}"'

    @app.get("/<path:path>")
    def find(path: str) -> dict[str, Any]:
        del path
        if not hasattr(threads, "database"):
            threads.database = pysqlite3.connect(os.environ["BENCH_DATABASE"])
        rows = threads.database.execute(RANKED, {"title": f"title : {word}", "whole": word}).fetchall()
        return {"items": [row[0] for row in rows]}

    return app


def file_wrapper(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    """Send the file, or the range of it that is asked for, and do nothing else."""
    name = environ["PATH_INFO"].rpartition("/")[2]
    file = Path(os.environ["BENCH_FILES"], name).open("rb")  # noqa: SIM115 - gunicorn closes it
    size = os.fstat(file.fileno()).st_size
    status, first, last = "200 OK", 0, size - 1
    if asked := environ.get("HTTP_RANGE"):
        first, last = (int(edge) for edge in asked.removeprefix("bytes=").split("-"))
        status = "206 PARTIAL CONTENT"
        file.seek(first)
    start_response(
        status,
        [
            ("Content-Type", "application/octet-stream"),
            ("Content-Length", str(last - first + 1)),
            ("Content-Range", f"bytes {first}-{last}/{size}"),
        ],
    )
    wrapped: Iterable[bytes] = environ["wsgi.file_wrapper"](file)
    return wrapped
