"""Jobs: moving identities under the newest key, ending erasures, dropping dead staff tokens."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import structlog
from flask import current_app
from sqlalchemy import delete, or_, select
from sqlalchemy.exc import SQLAlchemyError

from edu_platform.core.clock import now
from edu_platform.core.db import db, reading, writing
from edu_platform.core.jobs import enqueue, every, job
from edu_platform.core.sealing import KeyRing
from edu_platform.people import operations
from edu_platform.people.keystore import Erased, vault_of
from edu_platform.people.models import KnownAddress, StaffToken
from edu_platform.people.rules import ADDRESS_KNOWN_FOR

BATCH = 200
ERASURE_TRIED_AGAIN = timedelta(minutes=1)
KEPT_AFTER_EXPIRY = timedelta(days=7)


@job("people.rotate_keys")
def rotate_keys(after: int = 0) -> None:
    """Reseal one batch of learners under the newest key and want the next batch; running it twice is harmless."""
    ring = KeyRing(current_app.config["EDU"].sealing_keys)
    with writing() as session:
        _, go_on = operations.rotate(session, ring, BATCH, after=after)
        if go_on is not None:
            enqueue(session, "people.rotate_keys", after=go_on)


@job("people.complete_erasure")
def complete_erasure(names: list[str], erased: list[list[Any]]) -> None:
    """Destroy an erased person's keys; while the key store cannot be reached, or readers hold the log, try again for ever."""
    store = vault_of(reading()).store
    reading().rollback()  # a snapshot held here would keep the database's own log from being cut
    try:
        done = operations.complete_erasure(
            store,
            db.engine,
            [bytes.fromhex(name) for name in names],
            [Erased(learner_id, bytes.fromhex(digest)) for learner_id, digest in erased],
        )
        store.scrub()
    except (SQLAlchemyError, OSError) as wrong:
        structlog.get_logger("people").warning("erasure_waits", error=type(wrong).__name__)
        done = False
    if not done:
        with writing() as session:
            enqueue(
                session,
                "people.complete_erasure",
                due_at=now() + ERASURE_TRIED_AGAIN,
                names=names,
                erased=erased,
            )


@every(3600, "people.drop_dead_tokens")
def drop_dead_tokens() -> None:
    """Delete staff tokens that expired a week ago, and addresses that are no longer known."""
    dead = StaffToken.expires_at < now() - KEPT_AFTER_EXPIRY
    old = KnownAddress.last_signed_in_at < now() - ADDRESS_KNOWN_FOR
    if not reading().scalar(
        select(or_(select(StaffToken.id).where(dead).exists(), select(KnownAddress.id).where(old).exists()))
    ):
        return
    with writing() as session:
        session.execute(delete(StaffToken).where(dead))
        session.execute(delete(KnownAddress).where(old))
