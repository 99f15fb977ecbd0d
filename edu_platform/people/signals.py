"""What the rooms above hear of people. Handlers run in the same transaction."""

from __future__ import annotations

from dataclasses import dataclass

from edu_platform.core.signals import Signal


@dataclass(frozen=True)
class Merged:
    """The visitor `visitor_id` turned out to be the learner `learner_id`; what they did is now the learner's."""

    visitor_id: int
    learner_id: int


@dataclass(frozen=True)
class Erased:
    """The learner asked to be forgotten; every holding's `erase` has already run."""

    learner_id: int


learner_merged: Signal[Merged] = Signal("a visitor signed in and became a learner")
learner_erased: Signal[Erased] = Signal("a learner was erased")
