"""Leaving: withdrawing a consent, the copy of what is held of a learner, forgetting them."""

from __future__ import annotations

from typing import Any

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from edu_platform.core.clock import now, timestamp
from edu_platform.core.models import IdempotentAnswer
from edu_platform.core.sealing import KeyRing
from edu_platform.core.vocabulary import AgeBand
from edu_platform.people import queries, registry, signals
from edu_platform.people.models import Consent, Learner, Purpose
from edu_platform.people.operations.learners import open_identity
from edu_platform.people.rules import PURPOSES, pseudonym

OWN_TABLES = frozenset({"consent"})
"""The room's own tables that name a learner; no holding claims them, this module empties them itself."""


def withdraw(session: Session, learner: Learner, purpose: Purpose) -> bool:
    """End the learner's consent at once; False when there was none.

    Without a guardian's consent nothing personal of a child under 14 may stay: withdrawing that one
    erases the learner.
    """
    standing = session.scalar(queries.standing_consents(learner.id).where(Consent.purpose == purpose))
    if standing is None:
        return False
    standing.withdrawn_at = now()
    session.flush()
    if purpose is Purpose.GUARDIAN:
        if learner.age_band is AgeBand.UNDER_14:
            erase_learner(session, learner)
        else:
            learner.guardian_consent_at = None
            session.flush()
    return True


def export_learner(session: Session, ring: KeyRing, learner: Learner) -> dict[str, Any]:
    """Return everything that every room holds of the learner, as plain JSON values, under the rooms' names."""
    openid, unionid = open_identity(ring, learner)
    found: dict[str, Any] = {
        "exported_at": timestamp(now()),
        "people": {
            "id": str(learner.id),
            "kind": learner.kind,
            "age_band": learner.age_band,
            "audience": learner.audience,
            "elder_mode": learner.elder_mode,
            "channel": learner.channel,
            "pseudonym": pseudonym(learner.id),
            "openid": openid,
            "unionid": unionid,
            "guardian_consent_at": learner.guardian_consent_at and timestamp(learner.guardian_consent_at),
            "created_at": timestamp(learner.created_at),
            "last_seen_on": learner.last_seen_on and learner.last_seen_on.isoformat(),
            "visitor_ids": [str(alias) for alias in session.scalars(queries.alias_ids(learner.id))],
            "consents": [
                {
                    "purpose": consent.purpose,
                    "title": PURPOSES[consent.purpose].title,
                    "version": consent.version,
                    "granted_at": timestamp(consent.granted_at),
                    "withdrawn_at": consent.withdrawn_at and timestamp(consent.withdrawn_at),
                }
                for consent in session.scalars(queries.consents(learner.id))
            ],
        },
    }
    for holding in registry.holdings():
        found[holding.name] = holding.export(session, learner.id)
    return found


def erase_learner(session: Session, learner: Learner) -> None:
    """Forget the learner: key and identity destroyed, tokens dead, every room's holding erased, news sent.

    The row stays with what a statistic counts (kind, audience, channel); so do the rows of the
    visitors that merged into it. A second call changes nothing.
    """
    if learner.erased_at is not None:
        return
    moment = now()
    aliases = session.scalars(select(Learner).where(Learner.merged_into_id == learner.id)).all()
    for holding in registry.holdings():
        for row in (learner, *aliases):
            holding.erase(session, row.id)
    for row in (learner, *aliases):
        row.person_key = None
        row.openid_hash = row.openid_sealed = None
        row.unionid_hash = row.unionid_sealed = None
        row.age_band = None
        row.guardian_consent_at = None
        row.last_seen_on = None
        row.elder_mode = False
        row.generation += 1
        row.erased_at = moment
        session.execute(delete(Consent).where(Consent.learner_id == row.id))
        session.execute(delete(IdempotentAnswer).where(IdempotentAnswer.actor == f"learner:{row.id}"))
    session.flush()
    signals.learner_erased.send(session, signals.Erased(learner.id))
