"""The base of every table, and the tables that belong to no room in particular."""

from __future__ import annotations

from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated, Any

from sqlalchemy import (
    JSON,
    BigInteger,
    DateTime,
    Dialect,
    Enum,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Text,
)
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, registry
from sqlalchemy.types import TypeDecorator

from edu_platform.core.clock import now


class UTCDateTime(TypeDecorator[datetime]):
    """A moment, stored in UTC without offset: refuses naive values, returns aware ones."""

    impl = DateTime
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Turn an aware moment into UTC; raise ValueError for a naive one."""
        del dialect
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("naive datetime")
        return value.astimezone(UTC).replace(tzinfo=None)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Return the moment, aware, in UTC."""
        del dialect
        return None if value is None else value.replace(tzinfo=UTC)


# SQLite gives out row numbers only for INTEGER PRIMARY KEY.
BigId = BigInteger().with_variant(Integer, "sqlite")

PrimaryKey = Annotated[int, mapped_column(BigId, primary_key=True, sort_order=-1)]
ForeignId = Annotated[int, mapped_column(BigId)]
CreatedAt = Annotated[datetime, mapped_column(default=now)]

NAMES = {
    "pk": "pk_%(table_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
}


def word(kind: type[StrEnum], *, name: str | None = None) -> Enum:
    """Return the column type of a vocabulary word: stored by value, checked by the table.

    A second column of the same kind in one table needs a `name` of its own.
    """
    return Enum(
        kind,
        native_enum=False,
        length=32,
        create_constraint=True,
        values_callable=lambda k: [member.value for member in k],
        **({"name": name} if name else {}),
    )


class Base(DeclarativeBase):
    """Ancestor of every table: names its constraints, stores enum values, keeps UTC, has a numeric `id`."""

    registry = registry(
        metadata=MetaData(naming_convention=NAMES),
        type_annotation_map={
            datetime: UTCDateTime,
            StrEnum: Enum(
                StrEnum,
                native_enum=False,
                length=32,
                create_constraint=True,
                values_callable=lambda kind: [member.value for member in kind],
            ),
            dict[str, Any]: JSON,
            list[str]: JSON,
            list[Any]: JSON,
            bytes: LargeBinary,
        },
    )


class OutboxMessage(Base):
    """A job that must run: written in the transaction that wants it, run at least once after it."""

    __tablename__ = "outbox_message"
    __table_args__ = (Index("ix_outbox_message_due", "done_at", "due_at"),)

    id: Mapped[PrimaryKey]
    job: Mapped[str] = mapped_column(String(64))
    arguments: Mapped[dict[str, Any]]
    created_at: Mapped[CreatedAt]
    due_at: Mapped[datetime]
    leased_until: Mapped[datetime | None]
    attempts: Mapped[int] = mapped_column(default=0)
    done_at: Mapped[datetime | None]
    failure: Mapped[str | None] = mapped_column(Text)


class IdempotentAnswer(Base):
    """The answer given to a request that carried an Idempotency-Key, kept at least 24 hours."""

    __tablename__ = "idempotent_answer"
    __table_args__ = (Index("uq_idempotent_answer_key", "actor", "route", "key", unique=True),)

    id: Mapped[PrimaryKey]
    actor: Mapped[str] = mapped_column(String(64))
    route: Mapped[str] = mapped_column(String(128))
    key: Mapped[str] = mapped_column(String(255))
    fingerprint: Mapped[bytes] = mapped_column(LargeBinary(32))
    status: Mapped[int]
    body: Mapped[bytes]
    created_at: Mapped[CreatedAt]


class Heartbeat(Base):
    """The last sign of life of each long-running process, by name."""

    __tablename__ = "heartbeat"

    name: Mapped[str] = mapped_column(String(64), primary_key=True)
    seen_at: Mapped[datetime]
