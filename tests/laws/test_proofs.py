"""The sums of a long run add up, and nothing that was not seen is said to have been."""

from __future__ import annotations

from tests.proofs import summary


def line(test, outcome="passed", *, database="sqlite", control=None, noted=()):
    return {
        "database": database,
        "test": f"tests/{test}",
        "outcome": outcome,
        "why": "" if outcome == "passed" else "no disk",
        "control": control,
        "noted": [list(one) for one in noted],
    }


def test_figures_are_added_up_and_extremes_kept():
    lines = [
        line("a.py::one", noted=[("kills", {"kills": 20, "lost": 0, "slowest_read_ms": 70})]),
        line("a.py::two", noted=[("kills", {"kills": 1_300, "lost": 1, "slowest_read_ms": 60})]),
        line("a.py::one", database="postgresql", noted=[("kills", {"kills": 3, "lost": 0})]),
    ]
    told = summary(lines)
    assert "| kills | sqlite | 2 | kills 1,320, lost 1, slowest read ms 70 |" in told
    assert "| kills | postgresql | 1 | kills 3, lost 0 |" in told
    assert "Not passed" not in told


def test_a_control_that_did_not_show_its_fault_everywhere_was_not_seen():
    told = summary(
        [
            line("a.py::seen[1]", control="a fork"),
            line("a.py::half[1]", control=""),
            line("a.py::half[2]", "failed", control=""),
            line("a.py::half[3]", control=""),
            line("a.py::half[3]", "passed", database="postgresql", control=""),
            line("a.py::left out", "skipped"),
        ]
    )
    assert "1 of 2 negative controls were seen to fail" in told
    assert "- `a.py::seen` (a fork): sqlite failed" in told
    assert "- `a.py::half`: postgresql failed, sqlite NOT SEEN (failed)" in told
    assert "- failed: `tests/a.py::half[2]` (sqlite): no disk" in told
    assert "- skipped: `tests/a.py::left out` (sqlite): no disk" in told
