"""The ceiling: an empty Flask view that returns the same bytes from memory, on the same gunicorn."""

from __future__ import annotations

import os
from pathlib import Path

from flask import Flask, Response

app = Flask(__name__)
_BODY = Path(os.environ["BENCH_BODY"]).read_bytes()


@app.get("/<path:path>")
def same(path: str) -> Response:
    """Return the bytes, whatever is asked."""
    del path
    return Response(_BODY, mimetype="application/json")
