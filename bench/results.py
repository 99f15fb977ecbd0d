"""What was measured, kept in `bench/RESULTS.md`: one section a part, each with the machine that it was measured on."""

from __future__ import annotations

import os
import platform
import re
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path

from bench.load import Cost

KEPT = Path(__file__).with_name("RESULTS.md")
_HEAD = """# What was measured

`make bench` measures everything, `python -m bench PART` one part; each replaces its own section below.
"""


def machine(*packages: str) -> str:
    """Return a line that says on what, and with which versions of what, a section was measured."""
    models = re.findall(r"^model name\s*:\s*(.+)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    versions = [f"{name} {version(name)}" for name in ("flask", "gunicorn", "sqlalchemy", *packages)]
    cores = len(os.sched_getaffinity(0))
    return (
        f"{models[0] if models else platform.machine()}, {cores} cores, Linux {platform.release()}; "
        f"Python {platform.python_version()}, {', '.join(versions)}."
    )


def beside_ceiling(rows: Sequence[tuple[str, Cost, Cost, float]]) -> str:
    """Return a table of (what, its cost, the ceiling's cost, the ratio to reach)."""
    lines = [
        "| what | CPU s / 1,000 | ceiling | ratio | reach | requests / s | p99 ms | ceiling: requests / s | p99 ms |",
        "|---|---:|---:|---:|---:|---:|---:|---:|---:|",
    ]
    for name, ours, ceiling, reach in rows:
        ratio = ours.cpu_per_thousand / ceiling.cpu_per_thousand
        lines.append(
            f"| {name} | {ours.cpu_per_thousand:.2f} | {ceiling.cpu_per_thousand:.2f} | {ratio:.2f} | ≤ {reach:g} "
            f"| {ours.per_second:.0f} | {ours.p99_ms:.0f} | {ceiling.per_second:.0f} | {ceiling.p99_ms:.0f} |"
        )
    return "\n".join(lines)


def keep(part: str, text: str, *, order: Sequence[str]) -> None:
    """Put a part's text into its section, and leave every other section as it is."""
    sections = {part: text}
    if KEPT.exists():
        found = re.split(r"^## (\w+)$", KEPT.read_text(), flags=re.MULTILINE)
        sections = {**dict(zip(found[1::2], found[2::2], strict=True)), part: text}
    names = [*(name for name in order if name in sections), *(name for name in sections if name not in order)]
    KEPT.write_text(_HEAD + "".join(f"\n## {name}\n\n{sections[name].strip()}\n" for name in names))
