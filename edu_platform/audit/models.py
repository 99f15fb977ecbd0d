"""The trail of what staff did."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import LargeBinary, String
from sqlalchemy.orm import Mapped, mapped_column

from edu_platform.core.models import Base, PrimaryKey


class AuditEntry(Base):
    """One act. Rows are only ever added; `hash` covers the row and the hash of the one before.

    The actor is text by value (`staff:3 张三`): a trail must not change when an account does.
    `previous_hash` is unique, so that two writers can never both follow the same entry.
    """

    __tablename__ = "audit_entry"

    id: Mapped[PrimaryKey]
    at: Mapped[datetime]
    actor: Mapped[str] = mapped_column(String(128))
    action: Mapped[str] = mapped_column(String(64))
    subject: Mapped[str] = mapped_column(String(128), index=True)
    facts: Mapped[dict[str, Any]]
    previous_hash: Mapped[bytes] = mapped_column(LargeBinary(32), unique=True)
    hash: Mapped[bytes] = mapped_column(LargeBinary(32))
