"""Campaigns, their channel codes, and the token that changes with either."""

from __future__ import annotations

from datetime import date, datetime
from enum import StrEnum

from sqlalchemy import CheckConstraint, Date, ForeignKey, Index, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from edu_platform.core.clock import day_end, day_start
from edu_platform.core.models import Base, BigId, CreatedAt, PrimaryKey, word
from edu_platform.core.vocabulary import Channel, Series


class CampaignState(StrEnum):
    """How far a campaign has come; only an open or closed one counts anything."""

    DRAFT = "draft"
    OPEN = "open"
    CLOSED = "closed"


class Campaign(Base):
    """One campaign (活动计划). `starts_on` and `ends_on` are days of the branch's calendar, both included.

    `imported` is the digest of what an import last wrote: what differs from it was changed by staff.
    """

    __tablename__ = "campaign"
    __table_args__ = (
        CheckConstraint("ends_on >= starts_on", name="window"),
        CheckConstraint("(state = 'closed') = (closed_at IS NOT NULL)", name="closed_at"),
        Index("ix_campaign_window", "state", "starts_on", "ends_on"),
    )

    id: Mapped[PrimaryKey]
    code: Mapped[str] = mapped_column(String(64), unique=True)
    name: Mapped[str] = mapped_column(String(60))
    theme: Mapped[str] = mapped_column(String(120))
    summary: Mapped[str] = mapped_column(Text, default="")
    series: Mapped[Series] = mapped_column(word(Series))
    branch: Mapped[str] = mapped_column(String(60))
    starts_on: Mapped[date] = mapped_column(Date)
    ends_on: Mapped[date] = mapped_column(Date)
    audiences: Mapped[list[str]]
    rights: Mapped[list[str]]
    channels: Mapped[list[str]]
    pieces: Mapped[list[str]]
    state: Mapped[CampaignState] = mapped_column(default=CampaignState.DRAFT)
    closed_at: Mapped[datetime | None]
    imported: Mapped[str | None] = mapped_column(String(64))
    created_by: Mapped[str] = mapped_column(String(128))
    created_at: Mapped[CreatedAt]

    @property
    def starts_at(self) -> datetime:
        """Return the first moment of the campaign."""
        return day_start(self.starts_on)

    @property
    def ends_at(self) -> datetime:
        """Return the first moment after the campaign: the end of its last day, or its early close."""
        end = day_end(self.ends_on)
        return end if self.closed_at is None else max(self.starts_at, min(end, self.closed_at))

    def runs_at(self, moment: datetime) -> bool:
        """Say whether learners see the campaign as running at `moment`."""
        return self.state is not CampaignState.DRAFT and self.starts_at <= moment < self.ends_at


class ChannelCode(Base):
    """A short code for a QR code or link: what is scanned counts for this campaign through this channel."""

    __tablename__ = "channel_code"

    id: Mapped[PrimaryKey]
    code: Mapped[str] = mapped_column(String(12), unique=True)
    campaign_id: Mapped[int] = mapped_column(BigId, ForeignKey("campaign.id"), index=True)
    channel: Mapped[Channel] = mapped_column(word(Channel))
    note: Mapped[str] = mapped_column(String(100), default="")
    landing_piece: Mapped[str | None] = mapped_column(String(64))
    created_by: Mapped[str] = mapped_column(String(128))
    created_at: Mapped[CreatedAt]


class CampaignVersion(Base):
    """One row whose token changes whenever anything that attribution rests on changes."""

    __tablename__ = "campaign_version"

    id: Mapped[PrimaryKey]
    token: Mapped[str] = mapped_column(String(32))
