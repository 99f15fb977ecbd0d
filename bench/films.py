"""Films: how much faster a shipped film is rendered at 720p than it plays, frames and encoding on two cores."""

from __future__ import annotations

import os
import resource
import tempfile
import time
from pathlib import Path

from bench.load import ROOT
from bench.results import machine
from edu_platform.config.settings import Settings
from edu_platform.factory.app import create_app
from edu_platform.library.content.run import read_for
from edu_platform.library.films import film_of
from edu_platform.media.drawing.films import render_film

COUNT = int(os.environ.get("BENCH_FILMS", "3"))


def measure() -> str:
    """Render some films, one after the other, as the worker does; return the section."""
    rows = [
        "| film | plays, s | rendered in, s | faster | CPU s | reach |",
        "|---|---:|---:|---:|---:|---:|",
    ]
    with tempfile.TemporaryDirectory(prefix="edu-bench-") as folder:
        settings = Settings.read({"EDU_ENVIRONMENT": "test", "EDU_DATA_DIR": folder, **_KEYS})
        create_app(settings)  # makes the kinds known
        tree = read_for(ROOT / "content", settings)
        pieces = sorted(
            (piece for piece in tree.gathered.pieces if piece.kind == "video"), key=lambda p: p.slug
        )
        for piece in pieces[:COUNT]:
            script, house = film_of(piece.body, settings)
            before, began = _cpu_seconds(), time.perf_counter()
            target = Path(folder) / "film.mp4"
            facts = render_film(script, target, house=house, illustrations=ROOT / "content" / "illustrations")
            wall, plays = time.perf_counter() - began, facts.duration_ms / 1000
            rows.append(
                f"| {piece.slug} | {plays:.1f} | {wall:.1f} | {plays / wall:.1f} × "
                f"| {_cpu_seconds() - before:.1f} | ≥ 3 × |"
            )
    method = "`python -m bench films`: 1280 × 720, 24 frames a second, as the worker renders them: one process draws, one encodes."
    return "\n\n".join([method, machine("skia-python", "av"), "\n".join(rows)])


_KEYS = {
    "EDU_SECRET_KEYS": "bench-only-0123456789-abcdefghijklmnop",
    "EDU_SEALING_KEYS": "bench-only-sealing-9876543210-zyxwvuts",
    "EDU_WECHAT_SECRET": "bench-only",
}


def _cpu_seconds() -> float:
    """Return what this process and its children that have ended have used."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(one.ru_utime + one.ru_stime for one in used)
