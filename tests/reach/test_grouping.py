"""A page's figures, counted in arrays when it is made and in bitmaps when pages are united, beside a plain count."""

from __future__ import annotations

from collections import Counter

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from edu_platform.reach.rules import grouping
from edu_platform.reach.rules.grouping import Page

# Few persons and neighbouring cells, so that the same person is in many of them; both ends of both ranges.
happened = st.lists(
    st.tuples(
        st.sampled_from([0, 1, 2, 3, 4, 5, 8, 9, 7_999, 8_000, (1 << 30) - 2, (1 << 30) - 1]),
        st.sampled_from([0, 1, 2, 65_535, 65_536, (1 << 32) - 1]),
    ),
    min_size=1,
    max_size=60,
)


def page(pairs: list[tuple[int, int]]) -> Page:
    """Make a page of what happened: (cell, person)."""
    counted = sorted(Counter(cell for cell, _ in pairs).items())
    cells, times = (np.array(column, np.int64) for column in zip(*counted, strict=True))
    return Page.of(cells, times, np.array(sorted({cell << 32 | who for cell, who in pairs}), np.uint64))


def figures(pairs: list[tuple[int, int]]) -> list[list[int]]:
    """Count the same one by one."""
    rows = []
    for head in sorted({cell >> 1 for cell, _ in pairs}):
        whose = [{who for cell, who in pairs if cell == head << 1 | scope} for scope in (0, 1)]
        times = [sum(cell == head << 1 | scope for cell, _ in pairs) for scope in (0, 1)]
        both = len(whose[0] & whose[1])
        rows.append([head >> 2, head >> 1 & 1, head & 1, *times, *map(len, whose), both])
    return rows


@given(pages=st.lists(happened, min_size=1, max_size=4))
def test_figures_are_what_counting_one_by_one_says(pages):
    everything = [pair for pairs in pages for pair in pairs]
    assert page(everything).figures.tolist() == figures(everything)
    united = Page.union([page(pairs) for pairs in pages])
    assert united.figures.tolist() == figures(everything)
    assert united.persons == page(everything).persons


def test_uniting_changes_none_of_the_pages():
    some = [page([(0, 1)] * 3 + [(1, 1)]), page([(0, who) for who in range(9)])]
    before = [each.kept() for each in some]
    Page.union(some)
    assert [each.kept() for each in some] == before


def test_control_figures_that_forget_who_was_both_would_be_found(monkeypatch):
    """The control: uniting is compared with a count that knows who was there signed in and as a visitor."""
    pairs = [(0, 1), (1, 1), (1, 2), (2, 2)]
    united = [page(pairs[:2]), page(pairs[2:])]
    assert Page.union(united).figures.tolist() == figures(pairs)
    monkeypatch.setattr(
        grouping, "_counted_in", lambda cells, persons: (grouping._beneath(cells, persons), 0)
    )
    assert Page.union(united).figures.tolist() != figures(pairs)
