"""Learners, what they consented to, staff, and the tokens of staff."""

from __future__ import annotations

from datetime import date, datetime
from enum import StrEnum

from sqlalchemy import (
    CheckConstraint,
    Date,
    ForeignKey,
    Index,
    LargeBinary,
    String,
    UniqueConstraint,
    false,
    text,
)
from sqlalchemy.orm import Mapped, mapped_column, relationship

from edu_platform.core.models import Base, BigId, CreatedAt, PrimaryKey, word
from edu_platform.core.vocabulary import AgeBand, Channel, DeclaredAudience, Role


class LearnerKind(StrEnum):
    """Whether somebody has signed in, or is a visitor of whom nothing is known."""

    IDENTIFIED = "identified"
    ANONYMOUS = "anonymous"


class Purpose(StrEnum):
    """What personal data may be used for, each consented to by itself."""

    GUARDIAN = "guardian"
    STATISTICS = "statistics"
    LEADERBOARD = "leaderboard"
    PRIZE_DELIVERY = "prize_delivery"


_NO_IDENTITY = (
    "openid_hash IS NULL AND openid_sealed IS NULL AND unionid_hash IS NULL"
    " AND unionid_sealed IS NULL AND person_key IS NULL"
)


class Learner(Base):
    """Somebody who learns here. The row outlives an erasure, without anything that leads to the person.

    `generation` is part of every token: raising it ends them all. The identity columns are sealed under
    the person's own key (`LearnerKey`); `person_key` holds what releases before the key store kept here,
    until `operations.move_keys_out` has moved it. A visitor who signed in is an alias: `merged_into_id`
    names the learner that their history moved to.
    """

    __tablename__ = "learner"
    __table_args__ = (
        CheckConstraint(f"kind = 'identified' OR ({_NO_IDENTITY})", name="anonymous_has_no_identity"),
        CheckConstraint("openid_hash IS NULL OR age_band IS NOT NULL", name="identity_needs_age_band"),
        CheckConstraint(
            "age_band IS NULL OR age_band <> 'under_14' OR guardian_consent_at IS NOT NULL"
            f" OR (kind = 'anonymous' AND {_NO_IDENTITY})",
            name="under_14_needs_guardian",
        ),
        CheckConstraint(f"erased_at IS NULL OR ({_NO_IDENTITY})", name="erased_has_no_identity"),
        Index("uq_learner_openid_hash", "openid_hash", unique=True),
        Index("ix_learner_unionid_hash", "unionid_hash"),
        Index("ix_learner_merged_into_id", "merged_into_id"),
    )

    id: Mapped[PrimaryKey]
    kind: Mapped[LearnerKind]
    age_band: Mapped[AgeBand | None]
    audience: Mapped[DeclaredAudience] = mapped_column(default=DeclaredAudience.UNKNOWN)
    elder_mode: Mapped[bool] = mapped_column(default=False)
    generation: Mapped[int] = mapped_column(default=1)
    channel: Mapped[Channel]
    guardian_consent_at: Mapped[datetime | None]
    person_key: Mapped[bytes | None]
    openid_hash: Mapped[bytes | None] = mapped_column(LargeBinary(32))
    openid_sealed: Mapped[bytes | None]
    unionid_hash: Mapped[bytes | None] = mapped_column(LargeBinary(32))
    unionid_sealed: Mapped[bytes | None]
    merged_into_id: Mapped[int | None] = mapped_column(BigId, ForeignKey("learner.id"))
    created_at: Mapped[CreatedAt]
    last_seen_on: Mapped[date | None] = mapped_column(Date)
    erased_at: Mapped[datetime | None]

    @property
    def is_identified(self) -> bool:
        """Say whether this is a signed-in person rather than a visitor."""
        return self.kind is LearnerKind.IDENTIFIED

    @property
    def is_gone(self) -> bool:
        """Say whether nobody can act as this learner any more: erased, or an alias of another."""
        return self.erased_at is not None or self.merged_into_id is not None


class LearnerKey(Base):
    """Which key of the key store is a learner's own: its name alone, so that this database opens nothing by itself.

    Visitors get one when they first leave something that is sealed.
    """

    __tablename__ = "learner_key"

    learner_id: Mapped[int] = mapped_column(
        BigId, ForeignKey("learner.id"), primary_key=True, autoincrement=False
    )
    name: Mapped[bytes] = mapped_column(LargeBinary(16), unique=True)


class Consent(Base):
    """One consent: to one purpose, in the version of the text that was shown. Kept after it is withdrawn."""

    __tablename__ = "consent"
    __table_args__ = (
        Index(
            "uq_consent_standing",
            "learner_id",
            "purpose",
            unique=True,
            sqlite_where=text("withdrawn_at IS NULL"),
            postgresql_where=text("withdrawn_at IS NULL"),
        ),
    )

    id: Mapped[PrimaryKey]
    learner_id: Mapped[int] = mapped_column(BigId, ForeignKey("learner.id"), index=True)
    purpose: Mapped[Purpose]
    version: Mapped[str] = mapped_column(String(32))
    granted_at: Mapped[datetime]
    withdrawn_at: Mapped[datetime | None]


class Staff(Base):
    """A member of staff. Without a password hash the account cannot sign in (the named import account).

    `failed_attempts` and `locked_until` hold for addresses from which the owner has not signed in lately;
    the others have a count of their own (`KnownAddress`).
    """

    __tablename__ = "staff"

    id: Mapped[PrimaryKey]
    email: Mapped[str] = mapped_column(String(254), unique=True)
    display_name: Mapped[str] = mapped_column(String(64))
    password_hash: Mapped[str | None] = mapped_column(String(255))
    active: Mapped[bool] = mapped_column(default=True)
    must_change_password: Mapped[bool] = mapped_column(default=False, server_default=false())
    failed_attempts: Mapped[int] = mapped_column(default=0)
    locked_until: Mapped[datetime | None]
    last_signed_in_at: Mapped[datetime | None]
    created_at: Mapped[CreatedAt]
    role_rows: Mapped[list[StaffRole]] = relationship(cascade="all, delete-orphan", lazy="selectin")

    @property
    def roles(self) -> frozenset[Role]:
        """Return what this member of staff may do."""
        return frozenset(row.role for row in self.role_rows)

    @property
    def actor(self) -> str:
        """Return the member of staff by value, as trails keep it: `staff:3 张三`."""
        return f"staff:{self.id} {self.display_name}"


class StaffRole(Base):
    """One role of one member of staff."""

    __tablename__ = "staff_role"
    __table_args__ = (UniqueConstraint("staff_id", "role"),)

    id: Mapped[PrimaryKey]
    staff_id: Mapped[int] = mapped_column(BigId, ForeignKey("staff.id"))
    role: Mapped[Role] = mapped_column(word(Role))


class KnownAddress(Base):
    """An address from which a member of staff has signed in, by keyed hash, with a count of wrong passwords of its own."""

    __tablename__ = "staff_known_address"
    __table_args__ = (UniqueConstraint("staff_id", "address_hash"),)

    id: Mapped[PrimaryKey]
    staff_id: Mapped[int] = mapped_column(BigId, ForeignKey("staff.id"))
    address_hash: Mapped[bytes] = mapped_column(LargeBinary(32))
    failed_attempts: Mapped[int] = mapped_column(default=0)
    locked_until: Mapped[datetime | None]
    last_signed_in_at: Mapped[datetime]


class StaffToken(Base):
    """One sign-in of a member of staff; only the SHA-256 of the token is kept."""

    __tablename__ = "staff_token"

    id: Mapped[PrimaryKey]
    staff_id: Mapped[int] = mapped_column(BigId, ForeignKey("staff.id"), index=True)
    token_hash: Mapped[bytes] = mapped_column(LargeBinary(32), unique=True)
    created_at: Mapped[CreatedAt]
    expires_at: Mapped[datetime]
    revoked_at: Mapped[datetime | None]
