"""The fold, and what follows it, every two seconds; months and years when they are over; retention, four times a day."""

from __future__ import annotations

import io

from flask import current_app

from edu_platform.config.settings import Settings
from edu_platform.core.clock import local_day, now
from edu_platform.core.db import reading, writing
from edu_platform.core.jobs import every
from edu_platform.library.operations import add_reads
from edu_platform.media.storage import Store, store_of
from edu_platform.reach.operations import retention
from edu_platform.reach.operations.views import note_views, unnoted

FOLD_EVERY_SECONDS = 2.0
RETENTION_EVERY_SECONDS = 6 * 3600.0
ROLL_UP_EVERY_SECONDS = 600.0


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


@every(ROLL_UP_EVERY_SECONDS, "roll_up_tallies")
def roll_up_tallies() -> None:
    """Make the months and years that are over."""
    roll_up_all()


@every(RETENTION_EVERY_SECONDS, "reach.retention")
def keep_the_log_short() -> None:
    """Archive what is older than the log is kept, and drop it."""
    settings: Settings = current_app.config["EDU"]
    retain(store_of(settings), kept_days=settings.beacon_kept_days)


def retain(store: Store, *, kept_days: int) -> tuple[int, int]:
    """Archive what is due, then drop what is archived; return (rows archived, archives dropped). May be cut off anywhere.

    Raise `ArchiveDamaged` rather than drop what the store would not give back.
    """
    archived, dropped = 0, 0
    while True:
        stretch = retention.next_stretch(reading(), kept_days=kept_days)
        reading().rollback()
        if stretch is None:
            break
        # the file is durable before the list names it
        store.put(
            retention.key_of(stretch.digest), io.BytesIO(stretch.content), media_type=retention.MEDIA_TYPE
        )
        with writing() as session:
            retention.put_on_list(session, stretch)
        archived += stretch.beacons
    while (archive := retention.undropped(reading())) is not None:
        reading().rollback()
        retention.check(store, archive)
        more = True
        while more:
            with writing() as session:
                more = retention.drop_some(session, archive.id)
        dropped += 1
    reading().rollback()
    return archived, dropped


def fold_all(*, most: int | None = None) -> int:
    """Fold until nothing is left, and replace what became another's; return how many beacons were folded here."""
    from edu_platform.reach.operations import aliases  # with numpy, which no web process needs for this
    from edu_platform.reach.operations.fold import MOST_AT_ONCE, gather, settle

    folded = 0
    while True:
        gathered = gather(reading(), most=most or MOST_AT_ONCE)
        reading().rollback()  # the write below begins where the log is now
        if gathered is None:
            break
        with writing() as session:
            if settle(session, gathered):
                add_reads(session, gathered.views)
                folded += gathered.beacons
    if aliases.unsettled(reading()):
        with writing() as session:
            aliases.settle_aliases(session)
    reading().rollback()
    return folded


def roll_up_all() -> int:
    """Make every month and year that is over and not there yet; return how many were made here."""
    from edu_platform.reach.operations.roll_up import due, gather_span, settle_span  # with numpy

    made = 0
    while True:
        next_one = due(reading(), today=local_day(now()))
        rolled = None if next_one is None else gather_span(reading(), *next_one)
        reading().rollback()
        if rolled is None:
            return made
        with writing() as session:
            made += settle_span(session, rolled)
