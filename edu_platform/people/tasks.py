"""Jobs: moving identities under the newest key, dropping dead staff tokens."""

from __future__ import annotations

from datetime import timedelta

from flask import current_app
from sqlalchemy import delete, select

from edu_platform.core.clock import now
from edu_platform.core.db import reading, writing
from edu_platform.core.jobs import enqueue, every, job
from edu_platform.core.sealing import KeyRing
from edu_platform.people import operations
from edu_platform.people.models import StaffToken

BATCH = 200
KEPT_AFTER_EXPIRY = timedelta(days=7)


@job("people.rotate_keys")
def rotate_keys(after: int = 0) -> None:
    """Reseal one batch of learners under the newest key and want the next batch; running it twice is harmless."""
    ring = KeyRing(current_app.config["EDU"].sealing_keys)
    with writing() as session:
        _, go_on = operations.rotate(session, ring, BATCH, after=after)
        if go_on is not None:
            enqueue(session, "people.rotate_keys", after=go_on)


@every(3600, "people.drop_dead_tokens")
def drop_dead_tokens() -> None:
    """Delete staff tokens that expired a week ago."""
    dead = StaffToken.expires_at < now() - KEPT_AFTER_EXPIRY
    if reading().scalar(select(StaffToken.id).where(dead).limit(1)) is None:
        return
    with writing() as session:
        session.execute(delete(StaffToken).where(dead))
