"""Reading figures off pages: for the scope and the suspects that are asked for, group by group."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from edu_platform.reach.models import NUMBERS, Measure
from edu_platform.reach.rules.choices import ScopeChoice, Suspects
from edu_platform.reach.rules.grouping import (
    BOTH,
    MEASURE,
    NO_FIGURES,
    PERSONS,
    SUSPECT,
    TIMES,
    VALUE,
    Integers,
)

_REACH = NUMBERS[Measure][Measure.REACH]


@dataclass(frozen=True)
class Numbers:
    """The four figures, never mixed: 触及人次, 触及人数, 参与人次, 参与人数."""

    person_times: int = 0
    persons: int = 0
    participations: int = 0
    participants: int = 0


@dataclass(frozen=True)
class Sheet:
    """Figures of groups (days, or values of a family); each group's come from one page."""

    groups: Integers
    figures: Integers

    @classmethod
    def by_day(cls, days: Mapping[int, Integers], *, value: int) -> Sheet:
        """Return a sheet of pages by day, of one value of their family."""
        if not days:
            return cls(NO_FIGURES[:, 0], NO_FIGURES)
        lengths = [len(figures) for figures in days.values()]
        groups = np.repeat(np.fromiter(days, np.int64, len(days)), lengths)
        figures = np.concatenate(list(days.values()))
        chosen = figures[:, VALUE] == value
        return cls(groups[chosen], figures[chosen])

    @classmethod
    def by_value(cls, figures: Integers, *, value: int | None = None) -> Sheet:
        """Return a sheet of one page by value, or of one value alone."""
        chosen = figures if value is None else figures[figures[:, VALUE] == value]
        return cls(chosen[:, VALUE], chosen)

    def numbers(self, scope: ScopeChoice, suspects: Suspects) -> dict[int, Numbers]:
        """Return the four figures of each group that has any, in order. To include suspects, forgive the pages first."""
        figures, groups = self.figures, self.groups
        if suspects is not Suspects.INCLUDE:
            chosen = figures[:, SUSPECT] == (suspects is Suspects.ONLY)
            figures, groups = figures[chosen], groups[chosen]
        if scope is ScopeChoice.ALL:
            times = figures[:, TIMES] + figures[:, TIMES + 1]
            persons = figures[:, PERSONS] + figures[:, PERSONS + 1] - figures[:, BOTH]
        else:
            whose = 0 if scope is ScopeChoice.IDENTIFIED else 1
            times, persons = figures[:, TIMES + whose], figures[:, PERSONS + whose]
        keys, place = np.unique(groups, return_inverse=True)
        four = np.zeros((len(keys), 4), np.int64)
        side = np.where(figures[:, MEASURE] == _REACH, 0, 2)
        np.add.at(four, (place, side), times)
        np.add.at(four, (place, side + 1), persons)
        return {
            key: Numbers(*row)
            for key, row in zip(keys.tolist(), four.tolist(), strict=True)
            if row[0] or row[2]
        }
