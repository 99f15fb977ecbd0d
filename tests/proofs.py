"""What a long run proves, in figures that can be copied.

A test says with `note` what it did and what it found. One that is (or contains) a negative control is marked so: it
passes when its fault is found with the protection taken out. `pytest --proofs=FILE` adds every result to the file and
says the figures as they come; `python -m tests.proofs FILE` sums a file up, as Markdown.

    note("kill -9 under load", kills=20, acknowledged=5_213, lost=0)

Figures of one name are added up over the tests; those that begin with "fewest", "slowest" or "largest" are the extreme one.
"""

from __future__ import annotations

import json
import sys
from collections import Counter, defaultdict
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

_CONTROL = "control"
_course: list[tuple[str, Any]] = []  # what belongs to the test that runs


def begin(item: pytest.Item) -> None:
    """Let what is noted from now on belong to this test."""
    global _course  # noqa: PLW0603
    _course = item.user_properties
    if marker := item.get_closest_marker(_CONTROL):
        _course.append((_CONTROL, marker.args[0] if marker.args else ""))


def note(what: str, **figures: float) -> None:
    """Note what the running test did, and what it found; figures noted twice are added up."""
    before = next((noted for name, noted in _course if name == what), None)
    if before is None:
        _course.append((what, figures))
    else:
        _add(before, figures)


class Recorder:
    """Writes down what every test came to, also from the processes of xdist."""

    def __init__(self, file: Path, database: str, reporter: pytest.TerminalReporter) -> None:
        self._file, self._database, self._reporter = file, database, reporter

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.when != "call" and not (report.failed or report.skipped):
            return
        if report.failed:  # now, not after an hour
            self._reporter.write_line(f"\n{report.nodeid} failed: {_why(report)}", red=True)
        noted = [[what, found] for what, found in report.user_properties if what != _CONTROL]
        if noted:
            told = "; ".join(f"{what}: {_line(figures)}" for what, figures in noted)
            self._reporter.write_line(f"\n{report.nodeid} {report.outcome}, {report.duration:.0f} s: {told}")
        line = {
            "database": self._database,
            "test": report.nodeid,
            "outcome": report.outcome,
            "why": _why(report),
            "seconds": round(report.duration, 1),
            "control": dict(report.user_properties).get(_CONTROL),
            "noted": noted,
        }
        with self._file.open("a") as out:
            out.write(json.dumps(line, ensure_ascii=False) + "\n")


def _why(report: pytest.TestReport) -> str:
    """Return what a test that did not pass ended with."""
    crash, skipped = getattr(report.longrepr, "reprcrash", None), report.skipped and report.longrepr
    told = crash.message if crash else skipped[-1] if isinstance(skipped, tuple) else report.longrepr
    return "" if report.passed else str(told)[:2_000]


def summary(lines: Iterable[dict[str, Any]]) -> str:
    """Return the sums of what was recorded."""
    outcomes: dict[str, Counter[str]] = defaultdict(Counter)
    figures: dict[tuple[str, str], dict[str, float]] = defaultdict(dict)
    tests: Counter[tuple[str, str]] = Counter()
    controls: dict[tuple[str, str], dict[str, str]] = defaultdict(dict)
    wrong = []
    for line in lines:
        database, name, outcome = line["database"], line["test"], line["outcome"]
        outcomes[database][outcome] += 1
        if outcome != "passed":
            why, _, _ = line["why"].partition("\n")
            wrong.append(f"- {outcome}: `{name}` ({database}): {why}")
        if line["control"] is not None:
            own = name.removeprefix("tests/").split("[")[0]
            seen = controls[own, line["control"]]
            if seen.get(database, "passed") == "passed":
                seen[database] = outcome
        for what in {what for what, _ in line["noted"]}:
            tests[what, database] += 1
        for what, found in line["noted"]:
            _add(figures[what, database], found)
    seen_to_fail = sum(set(seen.values()) == {"passed"} for seen in controls.values())
    return "\n".join(
        [
            "| database | tests passed | failed | skipped |",
            "|---|---|---|---|",
            *(
                f"| {database} | {found['passed']:,} | {found['failed']:,} | {found['skipped']:,} |"
                for database, found in sorted(outcomes.items())
            ),
            "",
            "| tried | on | tests | found |",
            "|---|---|---|---|",
            *(
                f"| {what} | {database} | {tests[what, database]} | {_line(found)} |"
                for (what, database), found in sorted(figures.items())
            ),
            "",
            f"{seen_to_fail} of {len(controls)} negative controls were seen to fail:",
            "",
            *(
                f"- `{name}`{f' ({about})' if about else ''}: {', '.join(map(_seen, sorted(seen.items())))}"
                for (name, about), seen in sorted(controls.items())
            ),
            *(["", "Not passed:", "", *wrong] if wrong else []),
        ]
    )


def _add(sums: dict[str, float], found: dict[str, float]) -> None:
    for name, figure in found.items():
        if name.startswith(("fewest", "slowest", "largest")):
            sums[name] = (min if name.startswith("fewest") else max)(figure, sums.get(name, figure))
        else:
            sums[name] = sums.get(name, 0) + figure


def _seen(where_and_how: tuple[str, str]) -> str:
    where, how = where_and_how
    return f"{where} {'failed' if how == 'passed' else f'NOT SEEN ({how})'}"


def _line(figures: dict[str, float]) -> str:
    return ", ".join(f"{name.replace('_', ' ')} {figure:,}" for name, figure in figures.items())


if __name__ == "__main__":
    print(summary(json.loads(line) for line in Path(sys.argv[1]).read_text().splitlines()))
