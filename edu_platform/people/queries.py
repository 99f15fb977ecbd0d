"""Selections of learners and staff."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Select, bindparam, func, select

from edu_platform.core.vocabulary import Role
from edu_platform.people.models import (
    Consent,
    KnownAddress,
    Learner,
    LearnerKey,
    Purpose,
    Staff,
    StaffRole,
    StaffToken,
)

_LEARNER = Learner.__table__.c
PRESENT_GENERATION = select(_LEARNER.generation).where(
    _LEARNER.id == bindparam("present_id"), _LEARNER.erased_at.is_(None), _LEARNER.merged_into_id.is_(None)
)
"""The generation of the tokens of a learner who is not gone."""


def by_openid(hashes: Sequence[bytes]) -> Select[Learner]:
    """Select the learner with one of these keyed hashes of an openid."""
    return select(Learner).where(Learner.openid_hash.in_(hashes))


def standing_consents(learner_id: int) -> Select[Consent]:
    """Select the consents that have not been withdrawn."""
    return select(Consent).where(Consent.learner_id == learner_id, Consent.withdrawn_at.is_(None))


def consents(learner_id: int) -> Select[Consent]:
    """Select every consent of a learner, oldest first."""
    return select(Consent).where(Consent.learner_id == learner_id).order_by(Consent.id)


def with_consent(purpose: Purpose, version: str) -> Select[int]:
    """Select the ids of the learners who consent to a purpose in this version of its text."""
    return select(Consent.learner_id).where(
        Consent.purpose == purpose, Consent.version == version, Consent.withdrawn_at.is_(None)
    )


def after_learner(learner_id: int, limit: int) -> Select[Learner, LearnerKey]:
    """Select learners that have a key of their own, with its name, in the order of their ids, after `learner_id`."""
    return (
        select(Learner, LearnerKey)
        .join(LearnerKey, LearnerKey.learner_id == Learner.id)
        .where(Learner.id > learner_id)
        .order_by(Learner.id)
        .limit(limit)
    )


def with_key_in_row(limit: int) -> Select[Learner]:
    """Select learners whose key still lies in their row, as releases before the key store kept it."""
    return select(Learner).where(Learner.person_key.is_not(None)).order_by(Learner.id).limit(limit)


def staff_by_email(email: str) -> Select[Staff]:
    """Select the account with this e-mail, in lower case."""
    return select(Staff).where(Staff.email == email.strip().lower())


def known_address(staff_id: int, hashes: Sequence[bytes], since: datetime) -> Select[KnownAddress]:
    """Select the address (by any of its hashes) from which the account has signed in since a moment."""
    return select(KnownAddress).where(
        KnownAddress.staff_id == staff_id,
        KnownAddress.address_hash.in_(hashes),
        KnownAddress.last_signed_in_at >= since,
    )


def staff_accounts(after: int = 0) -> Select[Staff]:
    """Select the accounts whose id is above `after`, in the order of their making."""
    return select(Staff).where(Staff.id > after).order_by(Staff.id)


def staff_token(digest: bytes) -> Select[StaffToken, Staff]:
    """Select a token and its owner by the token's hash."""
    return (
        select(StaffToken, Staff)
        .join(Staff, Staff.id == StaffToken.staff_id)
        .where(StaffToken.token_hash == digest)
    )


def active_admins() -> Select[int]:
    """Count the accounts that can manage accounts."""
    return (
        select(func.count())
        .select_from(Staff)
        .join(StaffRole, StaffRole.staff_id == Staff.id)
        .where(Staff.active, Staff.password_hash.is_not(None), StaffRole.role == Role.ADMIN)
    )


def alias_ids(learner_id: int) -> Select[int]:
    """Select the ids of the visitors who turned out to be this learner."""
    return select(Learner.id).where(Learner.merged_into_id == learner_id).order_by(Learner.id)
