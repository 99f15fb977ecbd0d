"""Consent per purpose and version."""

from __future__ import annotations

from sqlalchemy import select
from sqlalchemy.orm import Session

from edu_platform.core.clock import now
from edu_platform.core.errors import Conflict, FieldError, Invalid
from edu_platform.people import queries
from edu_platform.people.models import Consent, Learner, Purpose
from edu_platform.people.rules import PURPOSES, outdated


def has_consent(session: Session, learner_id: int, purpose: Purpose) -> bool:
    """Say whether the learner consents to `purpose` in the version of the text that holds today."""
    wanted = queries.with_consent(purpose, PURPOSES[purpose].version).where(Consent.learner_id == learner_id)
    return session.scalar(wanted) is not None


def grant(
    session: Session, learner: Learner, purpose: Purpose, version: str, *, field: str = "version"
) -> Consent:
    """Record the learner's consent; the same one again changes nothing, a newer version replaces the older.

    Raise `Invalid` naming `field` unless `version` is the text's current one: nobody can agree to
    words that are no longer shown.
    """
    reason = outdated(purpose, version)
    if reason is not None:
        raise Invalid([FieldError(field, reason, "outdated_version")])
    if purpose is Purpose.GUARDIAN and not learner.is_identified:
        raise Conflict(
            "访客不保存个人记录，无需监护人同意；请带监护人同意重新登录。", code="not_for_visitors"
        )
    standing = session.scalar(queries.standing_consents(learner.id).where(Consent.purpose == purpose))
    if standing is not None and standing.version == version:
        return standing
    moment = now()
    if purpose is Purpose.GUARDIAN:
        learner.guardian_consent_at = moment
    if standing is not None:
        standing.withdrawn_at = moment
        session.flush()  # the standing one is unique
    consent = Consent(learner_id=learner.id, purpose=purpose, version=version, granted_at=moment)
    session.add(consent)
    session.flush()
    return consent


def move_consents(session: Session, visitor_id: int, learner_id: int) -> None:
    """Give the learner what they consented to as a visitor, where they have not said anything since."""
    said = set(session.scalars(select(Consent.purpose).where(Consent.learner_id == learner_id)))
    for consent in session.scalars(queries.consents(visitor_id)):
        if consent.purpose not in said:
            consent.learner_id = learner_id
    session.flush()
