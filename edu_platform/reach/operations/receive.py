"""Judging beacons one by one: what counts becomes a deed for the log, what does not is refused by name."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from sqlalchemy import Engine, select
from sqlalchemy.orm import Session

from edu_platform.campaigns.operations.attribution import snapshot
from edu_platform.campaigns.rules import Rule, Snapshot, attribute
from edu_platform.core.errors import FieldError, Invalid
from edu_platform.core.vocabulary import ACTIONS, Action, Channel, DeclaredAudience
from edu_platform.library.models import Piece
from edu_platform.people.models import Learner
from edu_platform.reach.models import EVERYDAY, NO_PIECE, NUMBERS, Scope, milliseconds
from edu_platform.reach.operations.log import Deed, deed
from edu_platform.reach.operations.participation import scope_of
from edu_platform.reach.rules.intake import (
    LARGEST_DWELL_MS,
    TOLERATED_FUTURE,
    Correction,
    correct,
    is_absurd,
)


class Told(Protocol):
    """A beacon as a client tells it; what is left out is None."""

    @property
    def id(self) -> str:
        """Return the client's id."""

    @property
    def action(self) -> Action:
        """Return what happened."""

    @property
    def occurred_at(self) -> datetime:
        """Return when, by the client's clock."""

    @property
    def piece(self) -> str | None:
        """Return the slug of the piece."""

    @property
    def campaign(self) -> str | None:
        """Return the code of the campaign named."""

    @property
    def channel_code(self) -> str | None:
        """Return the channel code that was scanned."""

    @property
    def channel(self) -> Channel | None:
        """Return the channel named."""

    @property
    def dwell_ms(self) -> int | None:
        """Return how long it lasted."""


@dataclass(frozen=True)
class Refusal:
    """Why one beacon does not count."""

    field: str
    code: str
    reason: str


@dataclass(frozen=True)
class Sender:
    """Who sends, as of the moment of receipt: what is declared then is what is counted."""

    learner_id: int
    audience: DeclaredAudience
    channel: Channel
    scope: Scope

    @classmethod
    def of(cls, learner: Learner) -> Sender:
        """Return the sender that a learner is at this moment."""
        return cls(learner.id, learner.audience, learner.channel, scope_of(learner))


@dataclass(frozen=True)
class Known:
    """What beacons may refer to, at one version: pieces that have been published (id, since when), and campaigns.

    A piece withdrawn or expired since then stays known: what was read before was read.
    """

    campaigns: Snapshot
    pieces: dict[str, tuple[int, datetime]]


_kept: dict[Engine, Known] = {}
_lock = threading.Lock()


def known(session: Session) -> Known:
    """Return what is known at present, kept per process until campaigns or catalogue change."""
    engine = session.connection().engine
    campaigns = snapshot(session)
    found = _kept.get(engine)
    if found is not None and found.campaigns.version == campaigns.version:
        return found
    rows = session.execute(
        select(Piece.slug, Piece.id, Piece.first_published_at).where(Piece.first_published_at.is_not(None))
    )
    found = Known(campaigns, {slug: (piece_id, since) for slug, piece_id, since in rows if since is not None})
    with _lock:
        _kept[engine] = found
    return found


def read_clock(sent_at: datetime, received_at: datetime) -> Correction:
    """Return how the client's times are to be corrected; refuse a clock that says nothing."""
    skew = received_at - sent_at
    if is_absurd(skew):
        raise Invalid([FieldError("sent_at", "设备时间与服务器相差过大，请校准后重新发送。", "absurd_clock")])
    return correct(sent_at=sent_at, received_at=received_at)


class Judge:
    """Judges the beacons of one batch."""

    def __init__(
        self,
        known: Known,
        sender: Sender,
        *,
        received_at: datetime,
        correction: Correction,
        largest_age: timedelta,
    ) -> None:
        self._known = known
        self._sender = sender
        self._received_ms = milliseconds(received_at)
        self._latest = received_at + TOLERATED_FUTURE
        self._oldest = received_at - largest_age
        self._largest_age = largest_age
        self._correction = correction
        self._skew_ms = correction.skew // timedelta(milliseconds=1)

    def judge(self, told: Told) -> Deed | Refusal:
        """Return the deed that a beacon is, or why it is none."""
        if not ACTIONS[told.action].by_beacon:
            return Refusal("action", "not_by_beacon", "这种行为由平台自己记录，不能上报。")
        try:
            at = told.occurred_at + self._correction.offset
        except OverflowError:
            return Refusal("occurred_at", "bad_time", "时间超出范围。")
        if at > self._latest:
            return Refusal("occurred_at", "in_future", "发生时间在未来。")
        if at < self._oldest:
            return Refusal(
                "occurred_at", "too_old", f"发生时间早于 {self._largest_age.days} 天前，不再计入。"
            )
        piece_id = None
        if told.piece is not None:
            piece = self._known.pieces.get(told.piece)
            if piece is None or at < piece[1] - TOLERATED_FUTURE:
                return Refusal("piece", "unknown_piece", "没有这个作品，或当时尚未发布。")
            piece_id = piece[0]
        campaigns = self._known.campaigns
        if told.campaign is not None and told.campaign not in campaigns.campaigns:
            return Refusal("campaign", "unknown_campaign", "没有这个活动。")
        code = None
        if told.channel_code is not None:
            code = campaigns.codes.get(told.channel_code)
            if code is None:
                return Refusal("channel_code", "unknown_channel_code", "没有这个渠道码。")
        found = attribute(
            campaigns, at=at, campaign_code=told.campaign, channel_code=told.channel_code, piece_id=piece_id
        )
        channel = told.channel or (code.channel if code is not None else self._sender.channel)
        return deed(
            beacon_id=told.id,
            occurred_at=milliseconds(at),
            received_at=self._received_ms,
            campaign_id=found.campaign.id if found.campaign is not None else EVERYDAY,
            rule=NUMBERS[Rule][found.rule],
            audience=self._sender.audience,
            channel=channel,
            piece_id=piece_id if piece_id is not None else NO_PIECE,
            action=told.action,
            scope=self._sender.scope,
            dwell_ms=None if told.dwell_ms is None else min(told.dwell_ms, LARGEST_DWELL_MS),
            skew_ms=self._skew_ms,
            skewed=self._correction.skewed,
        )
