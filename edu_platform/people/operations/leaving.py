"""Leaving: withdrawing a consent, the copy of what is held of a learner, forgetting them."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any

from sqlalchemy import Engine, delete, select
from sqlalchemy.orm import Session

from edu_platform.core.clock import now, timestamp
from edu_platform.core.commits import afterwards, scrub
from edu_platform.core.jobs import enqueue
from edu_platform.core.models import IdempotentAnswer
from edu_platform.core.sealing import KeyRing
from edu_platform.core.vocabulary import AgeBand
from edu_platform.people import queries, registry, signals
from edu_platform.people.keystore import Erased, KeyStore, vault_of
from edu_platform.people.models import Consent, Learner, LearnerKey, Purpose
from edu_platform.people.operations.secrecy import identity_of
from edu_platform.people.rules import PURPOSES, pseudonym

OWN_TABLES = frozenset({"consent", "learner_key"})
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
    openid, unionid = identity_of(ring, learner)
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
    """Forget the learner: identity and every room's holding erased, tokens dead, news sent; then the key destroyed.

    The row stays with what a statistic counts (kind, audience, channel); so do the rows of the
    visitors that merged into it. A second call changes nothing. The key goes once this is committed:
    at once, and by a job of the same transaction if that failed or a crash came first.
    """
    if learner.erased_at is not None:
        return
    moment = now()
    aliases = session.scalars(select(Learner).where(Learner.merged_into_id == learner.id)).all()
    for holding in registry.holdings():
        for row in (learner, *aliases):
            holding.erase(session, row.id)
    gone: list[Erased] = []
    names: list[bytes] = []
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
        gone.append(Erased(row.id, digest_of(row)))
        if (key := session.get(LearnerKey, row.id)) is not None:
            names.append(key.name)
            session.delete(key)
        session.execute(delete(Consent).where(Consent.learner_id == row.id))
        session.execute(delete(IdempotentAnswer).where(IdempotentAnswer.actor == f"learner:{row.id}"))
    session.flush()
    signals.learner_erased.send(session, signals.Erased(learner.id))
    enqueue(
        session,
        "people.complete_erasure",
        names=[name.hex() for name in names],
        erased=[[one.learner_id, one.digest.hex()] for one in gone],
    )
    store, bind = vault_of(session).store, session.get_bind()
    afterwards(session, lambda: complete_erasure(store, bind.engine, names, gone))


def complete_erasure(
    store: KeyStore, database: Engine, names: Sequence[bytes], erased: Sequence[Erased]
) -> bool:
    """Destroy an erased person's keys, put the erasure on the list, clean the files; False when files still wait for readers.

    May run again: it then changes nothing.
    """
    store.destroy(names, erased)
    return scrub(database)


def digest_of(learner: Learner) -> bytes:
    """Return what tells a learner apart from another who has the same id after a restore; it says nothing about them."""
    return hashlib.sha256(f"{learner.id}|{learner.created_at.isoformat()}".encode()).digest()


def outstanding_erasures(session: Session) -> list[Learner]:
    """Return the learners who are on the list of erasures and yet here: the database is older than their erasure."""
    found: list[Learner] = []
    for some in vault_of(session).store.erasures():
        digests = {(one.learner_id, one.digest) for one in some}
        here = select(Learner).where(
            Learner.id.in_({one.learner_id for one in some}), Learner.erased_at.is_(None)
        )
        found += [row for row in session.scalars(here) if (row.id, digest_of(row)) in digests]
    return found


def replay_erasures(session: Session) -> int:
    """Erase again whom a restore has brought back; return how many."""
    found = outstanding_erasures(session)
    for learner in found:
        erase_learner(session, learner)
    return len(found)
