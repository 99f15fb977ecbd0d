"""The fold, and what follows it, every two seconds."""

from __future__ import annotations

from edu_platform.core.db import reading, writing
from edu_platform.core.jobs import every
from edu_platform.library.operations import add_reads
from edu_platform.reach.operations.fold import MOST_AT_ONCE, gather, settle
from edu_platform.reach.operations.views import note_views, unnoted

FOLD_EVERY_SECONDS = 2.0


@every(FOLD_EVERY_SECONDS, "fold_beacons")
def fold_beacons() -> None:
    """Move what is new in the log into the tallies, and what was viewed into the pieces' popularity."""
    fold_all()


@every(FOLD_EVERY_SECONDS, "note_views")
def put_views_into_histories() -> None:
    """Let learners find again what they have viewed."""
    while unnoted(reading()):
        reading().rollback()
        with writing() as session:
            note_views(session)
    reading().rollback()


def fold_all(*, most: int = MOST_AT_ONCE) -> int:
    """Fold until nothing is left; return how many beacons were folded here."""
    folded = 0
    while True:
        gathered = gather(reading(), most=most)
        reading().rollback()  # the write below begins where the log is now
        if gathered is None:
            return folded
        with writing() as session:
            if settle(session, gathered):
                add_reads(session, gathered.views)
                folded += gathered.beacons
