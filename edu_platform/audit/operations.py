"""Adding to the trail, and checking it."""

from __future__ import annotations

import json
from typing import Any

from sqlalchemy import select, text
from sqlalchemy.orm import Session

from edu_platform.audit.models import AuditEntry
from edu_platform.audit.rules import FIRST, chain_hash
from edu_platform.core.clock import now

_LOCK = 7307002


def record(
    session: Session, *, actor: str, action: str, subject: str, facts: dict[str, Any] | None = None
) -> AuditEntry:
    """Add what `actor` (by value, `staff:3 张三`) did to `subject` (`piece:12`); `facts` are plain JSON values.

    It is part of the caller's transaction: an act that is rolled back leaves no entry, and an entry
    that cannot be written undoes the act.
    """
    if session.get_bind().dialect.name == "postgresql":
        # One writer at a time from here to the commit: the chain has one end.
        session.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})
    session.flush()
    previous = session.scalar(select(AuditEntry.hash).order_by(AuditEntry.id.desc()).limit(1)) or FIRST
    # As the database will give them back: tuples become lists, word members become text.
    plain: dict[str, Any] = json.loads(json.dumps(facts or {}, ensure_ascii=False, allow_nan=False))
    moment = now()
    entry = AuditEntry(
        at=moment,
        actor=actor,
        action=action,
        subject=subject,
        facts=plain,
        previous_hash=previous,
        hash=chain_hash(
            at=moment, actor=actor, action=action, subject=subject, facts=plain, previous=previous
        ),
    )
    session.add(entry)
    session.flush()
    return entry


def verify(session: Session) -> int | None:
    """Walk the chain from its beginning; return the id of the first entry that does not fit, None if all do."""
    previous = FIRST
    entries = select(AuditEntry.__table__).order_by(AuditEntry.id).execution_options(yield_per=500)
    with session.execute(entries) as rows:
        for row in rows:
            wanted = chain_hash(
                at=row.at,
                actor=row.actor,
                action=row.action,
                subject=row.subject,
                facts=row.facts,
                previous=previous,
            )
            if row.previous_hash != previous or row.hash != wanted:
                return int(row.id)
            previous = row.hash
    return None
