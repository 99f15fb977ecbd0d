"""Verbs of reach: `numbers` (who is who), `log` and `shared_commit` (appending), `receive` (judging beacons),
`participation` (what other rooms announce), `fold` (log to tallies), `report` and `present` (figures).

What `factory` connects to other rooms' news stands here by name.
"""

from edu_platform.reach.operations.numbers import HOLDING, on_learner_erased, on_learner_merged
from edu_platform.reach.operations.participation import (
    note_participation,
    on_attempt_passed,
    on_attempt_started,
    on_attempt_submitted,
    on_favourited,
)

__all__ = [
    "HOLDING",
    "note_participation",
    "on_attempt_passed",
    "on_attempt_started",
    "on_attempt_submitted",
    "on_favourited",
    "on_learner_erased",
    "on_learner_merged",
]
