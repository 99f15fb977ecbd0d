"""Adding up beacons: from columns of numbers to pages of tallies. Pure; sorts instead of looping.

A page holds what is counted of one family within one window and campaign, for all values at once. Within it a cell
is `value << 3 | measure << 2 | suspect << 1 | scope`; persons are numbers beneath their cell, `cell << 32 | number`,
in one 64-bit Roaring bitmap. `figures` says how many, so that nobody need unpack the bitmap to know.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from pyroaring import BitMap64

from edu_platform.core.vocabulary import Action
from edu_platform.reach.models import EVERYWHERE, NUMBERS, Family, Measure
from edu_platform.reach.rules.figures import measure_of

Integers = npt.NDArray[np.int64]
Numbered = npt.NDArray[np.uint64]
Counts = Integers | Sequence[int] | int

# A packed beacon: suspect 1 bit, scope 1, action 5, channel 3, audience 3, day 16, campaign id the rest.
SCOPE, ACTION, CHANNEL, AUDIENCE, DAY, CAMPAIGN = 1, 2, 7, 10, 13, 29
PACKED = (
    f"campaign_id * {1 << CAMPAIGN} + day * {1 << DAY} + audience * {1 << AUDIENCE} + channel * {1 << CHANNEL}"
    f" + action * {1 << ACTION} + scope * {1 << SCOPE} + (CASE WHEN suspicion IS NULL THEN 0 ELSE 1 END)"
)
"""The SQL expression that packs everything but piece and number of a beacon into one 64-bit number."""

_MEASURES = np.zeros(32, dtype=np.int64)
for _action, _number in NUMBERS[Action].items():
    _MEASURES[_number] = NUMBERS[Measure][measure_of(_action)]

VALUE, MEASURE, SUSPECT, TIMES, PERSONS, BOTH = 0, 1, 2, 3, 5, 7
"""Columns of `figures`. Times and persons have two columns each, identified and anonymous; who was both is in `BOTH`."""
_WIDTH = 8
_CELL = np.uint64(32)
_CELL_WIDTH = 1 << 32
_ANONYMOUS = np.uint64(1 << 32)
_SUSPECT = np.uint64(1 << 33)
_NUMBER = np.uint64((1 << 32) - 1)
_LARGEST = 1 << 32
_SPARSE = 64
"""Up to so many times as large as they are many, values are ranked by a table."""
NO_FIGURES: Integers = np.zeros((0, _WIDTH), dtype=np.int64)


class Columns(NamedTuple):
    """Beacons as columns of equal length: packed as `PACKED` says, the piece (0: none), the person's number."""

    packed: Integers
    piece: Integers
    number: Integers

    @classmethod
    def of(cls, rows: Sequence[tuple[int, int, int]]) -> Columns:
        """Turn rows of (packed, piece, number) into columns."""
        flat = np.fromiter(chain.from_iterable(rows), np.int64, 3 * len(rows)).reshape(-1, 3)
        return cls(flat[:, 0].copy(), flat[:, 1].copy(), flat[:, 2].copy())

    def value(self, family: Family) -> Integers:
        """Return each beacon's value within a family, as tallies store it."""
        if family is Family.PIECE:
            return self.piece
        if family is Family.AUDIENCE:
            return (self.packed >> AUDIENCE) & 7
        if family is Family.CHANNEL:
            return (self.packed >> CHANNEL) & 7
        if family is Family.ACTION:
            return (self.packed >> ACTION) & 31
        return np.zeros(len(self.packed), dtype=np.int64)

    def where(self, family: Family, value: int) -> Columns:
        """Return only the beacons that have this value of the family."""
        chosen = self.value(family) == value
        return Columns(self.packed[chosen], self.piece[chosen], self.number[chosen])

    def resolved(self, same_as: Mapping[int, int]) -> Columns:
        """Return the same beacons with every alias replaced by the number it is the same as."""
        if not same_as or not len(self.number):
            return self
        return self._replace(number=_replaced(self.number.astype(np.uint64), same_as).astype(np.int64))


@dataclass(frozen=True)
class Page:
    """What is counted of one family within a window: how many (`figures`, in order of value), and of whom."""

    figures: Integers
    persons: BitMap64

    @classmethod
    def of(cls, cells: Integers, times: Integers, persons: Numbered) -> Page:
        """Make a page of distinct cells, how often each occurred, and the sorted persons beneath their cells."""
        bitmap = BitMap64(array("Q", persons.tobytes()))
        return cls(_tabulate(cells, times, *_counted(cells, persons)), bitmap)

    @classmethod
    def read(cls, figures: bytes, persons: bytes) -> Page:
        """Return the page that was kept as these bytes."""
        return cls(figures_of(figures), BitMap64.deserialize(persons))

    def kept(self) -> tuple[bytes, bytes]:
        """Return the bytes to keep: figures, persons."""
        if self.figures.size and int(self.figures.max()) >= _LARGEST:
            raise OverflowError("a figure beyond 32 bits")
        return self.figures.astype("<u4").tobytes(), self.persons.serialize()

    @classmethod
    def union(cls, pages: Sequence[Page]) -> Page:
        """Return everything that is on these pages: times as sums, persons as a union."""
        if len(pages) < 2:
            return pages[0] if pages else cls(NO_FIGURES, BitMap64())
        # the largest first, or every one of them is copied over and over while it grows
        first, *others = sorted((page.persons for page in pages), key=len, reverse=True)
        persons = first.union(*others)
        cells, times = _times(np.concatenate([page.figures for page in pages]))
        return cls(_tabulate(cells, times, *_counted_in(cells, persons)), persons)

    def only(self, value: int) -> Page:
        """Return what is on the page for one value."""
        cells = np.arange(value << 3, (value + 1) << 3, dtype=np.uint64) << _CELL
        both = _unpacked(self.persons)
        first, last = np.searchsorted(both, [cells[0], cells[-1] + _ANONYMOUS])
        chosen = both[first:last]
        return Page(self.figures[self.figures[:, VALUE] == value], BitMap64(array("Q", chosen.tobytes())))

    def holds_any(self, numbers: Sequence[int]) -> bool:
        """Say whether any of these persons is on the page."""
        return bool(np.isin(_unpacked(self.persons) & _NUMBER, np.array(numbers, np.uint64)).any())

    def resolved(self, same_as: Mapping[int, int]) -> Page:
        """Return the page with every alias replaced by the number it is the same as."""
        old = _unpacked(self.persons)
        number = old & _NUMBER
        new = np.unique((old - number) | _replaced(number, same_as))
        return Page.of(*_times(self.figures), new)

    def forgiven(self) -> Page:
        """Return the page with suspects counted like everybody."""
        cells, times = _times(self.figures)
        cells, place = np.unique(cells & ~np.int64(2), return_inverse=True)
        summed = np.bincount(place, times, len(cells)).astype(np.int64)
        return Page.of(cells, summed, np.unique(_unpacked(self.persons) & ~_SUSPECT))


def figures_of(kept: bytes) -> Integers:
    """Return a page's figures from the bytes that they were kept as."""
    return np.frombuffer(kept, "<u4").reshape(-1, _WIDTH).astype(np.int64)


def pages(columns: Columns, families: Iterable[Family]) -> dict[Family, dict[tuple[int, int], Page]]:
    """Count every beacon in each family, for its day and campaign and for its day over all campaigns (`EVERYWHERE`)."""
    if not len(columns.packed):
        return {family: {} for family in families}
    packed = columns.packed
    outers, outer = _ranked(packed >> DAY)
    days, day = _ranked(outers & 0xFFFF)
    heads = [(int(head) & 0xFFFF, int(head) >> 16) for head in outers]
    all_heads = [(int(number), EVERYWHERE) for number in days]
    numbers, number = _ranked(columns.number)
    kind = _MEASURES[(packed >> ACTION) & 31] << 2 | (packed & 1) << 1 | (packed >> SCOPE) & 1
    found: dict[Family, dict[tuple[int, int], Page]] = {}
    for family in families:
        cells, cell = _ranked(columns.value(family) << 3 | kind)
        inner = cell * len(numbers) + number
        found[family] = dict(zip(heads, _paged(outer, cells, numbers, inner), strict=True))
        found[family] |= zip(all_heads, _paged(day[outer], cells, numbers, inner), strict=True)
    return found


def _paged(outer: Integers, cells: Integers, numbers: Integers, inner: Integers) -> Iterable[Page]:
    """Yield the page of each outer group in order. Everything is sorted once, as ranks packed into one number."""
    key = outer * (len(cells) * len(numbers)) + inner
    key.sort()
    upper = key // len(numbers)
    starts = _starts(upper)
    times = np.diff(starts, append=len(key))
    groups, group_cells = np.divmod(upper[starts], len(cells))
    distinct = key[_starts(key)]
    upper, ranks = np.divmod(distinct, len(numbers))
    owners, owned = np.divmod(upper, len(cells))
    persons = (cells[owned].astype(np.uint64) << _CELL) | numbers[ranks].astype(np.uint64)
    count = int(groups[-1]) + 1
    cuts = np.searchsorted(groups, np.arange(count + 1))
    person_cuts = np.searchsorted(owners, np.arange(count + 1))
    for group in range(count):
        inside = slice(cuts[group], cuts[group + 1])
        whose = persons[person_cuts[group] : person_cuts[group + 1]]
        yield Page.of(cells[group_cells[inside]], times[inside], whose)


def _ranked(values: Integers) -> tuple[Integers, Integers]:
    """Return the distinct values in order, and each value's place among them."""
    largest = int(values.max())
    if largest > _SPARSE * len(values) + _SPARSE:
        return np.unique(values, return_inverse=True)
    there = np.zeros(largest + 1, dtype=bool)
    there[values] = True
    return np.flatnonzero(there), (np.cumsum(there) - 1)[values]


def _starts(ordered: Integers) -> Integers:
    """Return where in an ordered array each run of equal values begins."""
    is_first = np.empty(len(ordered), dtype=bool)
    is_first[:1] = True
    np.not_equal(ordered[1:], ordered[:-1], out=is_first[1:])
    return np.flatnonzero(is_first)


def _unpacked(persons: BitMap64) -> Numbered:
    return np.frombuffer(persons.to_array(), np.uint64)


def _times(figures: Integers) -> tuple[Integers, Integers]:
    """Return the distinct cells of figures, in order, and how often each occurred."""
    cell = figures[:, VALUE] << 3 | figures[:, MEASURE] << 2 | figures[:, SUSPECT] << 1
    cells = np.concatenate([cell, cell | 1])
    times = np.concatenate([figures[:, TIMES], figures[:, TIMES + 1]])
    found, place = np.unique(cells[times > 0], return_inverse=True)
    return found, np.bincount(place, times[times > 0], len(found)).astype(np.int64)


def _tabulate(cells: Integers, times: Integers, persons: Counts, both: Counts) -> Integers:
    """Return the figures of distinct cells, in order: how often each occurred, how many persons are beneath it.

    `both` says of each head (a cell whatever its scope, see `_heads`) how many are there under either scope.
    """
    heads = _heads(cells)
    figures = np.zeros((len(heads), _WIDTH), dtype=np.int64)
    figures[:, VALUE], figures[:, MEASURE], figures[:, SUSPECT] = heads >> 2, (heads >> 1) & 1, heads & 1
    place, scope = np.searchsorted(heads, cells >> 1), cells & 1
    figures[place, TIMES + scope] = times
    figures[place, PERSONS + scope] = persons
    figures[:, BOTH] = both
    return figures


def _heads(cells: Integers) -> Integers:
    return (cells >> 1)[_starts(cells >> 1)]


def _are_mixed(cells: Integers) -> bool:
    scope = (cells & 1).astype(bool)
    return bool(scope.any() and not scope.all())


def _counted(cells: Integers, persons: Numbered) -> tuple[Counts, Counts]:
    """Count sorted persons for `_tabulate`."""
    upper = (persons >> _CELL).astype(np.int64)
    beneath = np.diff(_starts(upper), append=len(upper))
    if not _are_mixed(cells):
        return beneath, 0
    is_anonymous = (upper & 1).astype(bool)
    twice = np.concatenate([persons[~is_anonymous], persons[is_anonymous] - _ANONYMOUS])
    twice.sort(kind="stable")  # two runs in order, which only this kind merges instead of sorting
    both = (twice[1:][twice[1:] == twice[:-1]] >> np.uint64(33)).astype(np.int64)
    heads = _heads(cells)
    return beneath, np.bincount(np.searchsorted(heads, both), minlength=len(heads))


def _counted_in(cells: Integers, persons: BitMap64) -> tuple[Counts, Counts]:
    """Count persons for `_tabulate` without unpacking them: where they are many, in a fiftieth of the time."""
    beneath = _beneath(cells, persons)
    if not _are_mixed(cells):
        return beneath, 0
    # moved down by a cell, the anonymous lie upon the identified
    return beneath, _beneath(_heads(cells) << 1, persons.intersection(persons.shift(-_CELL_WIDTH)))


def _beneath(cells: Integers, persons: BitMap64) -> list[int]:
    return [
        persons.range_cardinality(cell * _CELL_WIDTH, (cell + 1) * _CELL_WIDTH) for cell in cells.tolist()
    ]


def _replaced(numbers: Numbered, same_as: Mapping[int, int]) -> Numbered:
    old = np.fromiter(same_as, np.uint64, len(same_as))
    new = np.fromiter(same_as.values(), np.uint64, len(same_as))
    order = np.argsort(old)
    old, new = old[order], new[order]
    place = np.minimum(np.searchsorted(old, numbers), len(old) - 1)
    return np.where(old[place] == numbers, new[place], numbers)


def views(columns: Columns) -> dict[int, int]:
    """Return how often each piece was viewed, suspects left out."""
    chosen = (
        (((columns.packed >> ACTION) & 31) == NUMBERS[Action][Action.VIEW])
        & ((columns.packed & 1) == 0)
        & (columns.piece > 0)
    )
    pieces, times = np.unique(columns.piece[chosen], return_counts=True)
    return dict(zip(pieces.tolist(), times.tolist(), strict=True))
