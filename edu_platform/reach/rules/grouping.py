"""Adding up beacons: from columns of numbers to cells of tallies. Pure; sorts instead of looping."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from pyroaring import BitMap

from edu_platform.core.vocabulary import Action
from edu_platform.reach.models import NUMBERS, Family, Measure
from edu_platform.reach.rules.figures import measure_of

Integers = npt.NDArray[np.int64]

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
_LARGEST_KEY = 1 << 31


class Cell(NamedTuple):
    """Where a beacon is counted within one family: days since 1970, campaign id, and numbers of the words."""

    day: int
    campaign_id: int
    value: int
    measure: int
    scope: int
    suspect: int


@dataclass
class Counted:
    """What a cell holds: how many beacons, of which persons."""

    times: int
    persons: BitMap


class Columns(NamedTuple):
    """Beacons as columns of equal length: packed as `PACKED` says, the piece (0: none), the person's number."""

    packed: Integers
    piece: Integers
    number: Integers

    @classmethod
    def of(cls, rows: Sequence[tuple[int, int, int]]) -> Columns:
        """Turn rows of (packed, piece, number) into columns."""
        flat = np.fromiter(chain.from_iterable(rows), np.int64, 3 * len(rows)).reshape(-1, 3)
        return cls(flat[:, 0], flat[:, 1], flat[:, 2])

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


def count(columns: Columns, families: Iterable[Family]) -> dict[Family, dict[Cell, Counted]]:
    """Count every beacon once in each family: per day, campaign, value, measure, scope and suspicion."""
    wanted = list(families)
    if not len(columns.packed):
        return {family: {} for family in wanted}
    packed = columns.packed
    outer = ((packed >> DAY) << 3) | (_MEASURES[(packed >> ACTION) & 31] << 2) | (packed & 3)
    outers, outer_rank = np.unique(outer, return_inverse=True)
    number = columns.number.astype(np.uint64)
    found: dict[Family, dict[Cell, Counted]] = {}
    for family in wanted:
        value = columns.value(family)
        if family is Family.PIECE:
            values, value = np.unique(value, return_inverse=True)
        else:
            values = np.arange(int(value.max()) + 1)
        key = outer_rank * len(values) + value
        found[family] = {
            _cell(int(outers[k // len(values)]), int(values[k % len(values)])): counted
            for k, counted in _split(key, number)
        }
    return found


def _split(key: Integers, number: npt.NDArray[np.uint64]) -> Iterable[tuple[int, Counted]]:
    """Yield each distinct key with how often it occurs and the set of numbers it occurs with."""
    keys: Integers | None = None
    if int(key.max()) >= _LARGEST_KEY:
        keys, key = np.unique(key, return_inverse=True)
    both = (key.astype(np.uint64) << np.uint64(32)) | number
    both.sort()
    upper = (both >> np.uint64(32)).astype(np.int64)
    edges = np.flatnonzero(np.diff(upper)) + 1
    starts = [0, *edges.tolist()]
    ends = [*edges.tolist(), len(both)]
    lower = both.astype(np.uint32)
    at_start = upper[starts].tolist()
    for start, end, k in zip(starts, ends, at_start, strict=True):
        persons = BitMap(array("I", lower[start:end].tobytes()))
        yield (k if keys is None else int(keys[k])), Counted(end - start, persons)


def _cell(outer: int, value: int) -> Cell:
    above = outer >> 3
    return Cell(
        day=above & 0xFFFF,
        campaign_id=above >> (CAMPAIGN - DAY),
        value=value,
        measure=(outer >> 2) & 1,
        scope=(outer >> 1) & 1,
        suspect=outer & 1,
    )


def views(columns: Columns) -> dict[int, int]:
    """Return how often each piece was viewed, suspects left out."""
    chosen = (
        (((columns.packed >> ACTION) & 31) == NUMBERS[Action][Action.VIEW])
        & ((columns.packed & 1) == 0)
        & (columns.piece > 0)
    )
    pieces, times = np.unique(columns.piece[chosen], return_counts=True)
    return dict(zip(pieces.tolist(), times.tolist(), strict=True))


class Aliases:
    """Numbers that turned out to be another number's person."""

    def __init__(self, same_as: dict[int, int]) -> None:
        self._same_as = same_as
        self._all = BitMap(same_as)

    def resolve(self, persons: BitMap) -> BitMap:
        """Return the set with every alias replaced by the number it is the same as."""
        hit: Any = persons & self._all
        if not hit:
            return persons
        resolved: BitMap = (persons - hit) | BitMap([self._same_as[number] for number in hit])
        return resolved
