"""Judging beacons one by one: what counts becomes a deed for the log, what does not is refused by name."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta
from typing import Any, NamedTuple, Protocol

import orjson
from sqlalchemy import Engine, select
from sqlalchemy.orm import Session

from edu_platform.campaigns.operations.attribution import snapshot
from edu_platform.campaigns.rules import Rule, Snapshot, attribute, steady
from edu_platform.core.errors import FieldError, Invalid
from edu_platform.core.vocabulary import ACTIONS, Action, Channel, DeclaredAudience
from edu_platform.library.models import Piece
from edu_platform.people.models import Learner
from edu_platform.reach.models import EVERYDAY, NO_PIECE, NUMBERS, Scope, milliseconds
from edu_platform.reach.operations.log import Deed, local_day_number
from edu_platform.reach.operations.participation import scope_of
from edu_platform.reach.rules.intake import (
    LARGEST_DWELL_MS,
    TOLERATED_FUTURE,
    Correction,
    correct,
    is_absurd,
)

_MOST_RULINGS = 4_096
_EARLIEST, _LATEST = -(1 << 62), 1 << 62
_NOT_BY_BEACON = frozenset(action for action, rule in ACTIONS.items() if not rule.by_beacon)


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


Facts = tuple[Action, str | None, str | None, str | None, Channel | None]
"""What a beacon says of itself but for its id and times: action, piece, campaign, channel code and channel."""


class Ruling(NamedTuple):
    """What a beacon's facts come to, from one moment up to another (both in milliseconds, and rather too narrow)."""

    since: int
    until: int
    campaign_id: int
    rule: int
    channel: int | None
    piece_id: int
    action: int


@dataclass(frozen=True)
class Known:
    """What beacons may refer to, at one version: pieces that have been published (id, since when), and campaigns.

    A piece withdrawn or expired since then stays known: what was read before was read.
    """

    campaigns: Snapshot
    pieces: dict[str, tuple[int, datetime]]
    rulings: dict[Facts, Ruling] = field(default_factory=dict, compare=False)
    """What has been judged by it already."""


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


def answer(accepted: int, duplicate: int, refused: list[dict[str, Any]]) -> bytes:
    """Return the body that tells a client what became of a batch."""
    return orjson.dumps({"accepted": accepted, "duplicate": duplicate, "refused": refused})


def known_here(engine: Engine) -> Known | None:
    """Return what this process knew last, without asking the database whether it still holds."""
    return _kept.get(engine)


def read_clock(sent_at: datetime, received_at: datetime) -> Correction:
    """Return how the client's times are to be corrected; refuse a clock that says nothing."""
    skew = received_at - sent_at
    if is_absurd(skew):
        raise Invalid([FieldError("sent_at", "设备时间与服务器相差过大，请校准后重新发送。", "absurd_clock")])
    return correct(sent_at=sent_at, received_at=received_at)


class Judge:
    """Judges the beacons of one batch. Without a sender, what only the sender's row can say is left open in the deeds."""

    def __init__(
        self,
        known: Known,
        sender: Sender | None,
        *,
        received_at: datetime,
        correction: Correction,
        largest_age: timedelta,
    ) -> None:
        self._known = known
        self._audience = None if sender is None else NUMBERS[DeclaredAudience][sender.audience]
        self._channel = None if sender is None else NUMBERS[Channel][sender.channel]
        self._scope = None if sender is None else NUMBERS[Scope][sender.scope]
        self._received_ms = milliseconds(received_at)
        self._latest = received_at + TOLERATED_FUTURE
        self._oldest = received_at - largest_age
        self._largest_age = largest_age
        self._offset = correction.offset if correction.skewed else None
        self._skewed = correction.skewed
        self._skew_ms = correction.skew // timedelta(milliseconds=1)
        # Times are compared as whole milliseconds, rounded so that whoever is within is within in truth, too.
        self._surely_from, self._surely_until = milliseconds(self._oldest) + 1, milliseconds(self._latest)

    def sort(
        self, told: Iterable[Told | tuple[str | None, Refusal]]
    ) -> tuple[list[Deed], list[dict[str, Any]]]:
        """Return the deeds, and the refused ones as they are answered; what could not be read comes as (id, refusal)."""
        deeds: list[Deed] = []
        refused: list[dict[str, Any]] = []
        for index, one in enumerate(told):
            found = one[1] if isinstance(one, tuple) else self.judge(one)
            if isinstance(found, Deed):
                deeds.append(found)
            else:
                name = one[0] if isinstance(one, tuple) else one.id
                refused.append({"index": index, "id": name, **asdict(found)})
        return deeds, refused

    def judge(self, told: Told) -> Deed | Refusal:
        """Return the deed that a beacon is, or why it is none."""
        at = told.occurred_at
        if self._offset is not None:
            try:
                at += self._offset
            except OverflowError:
                return Refusal("occurred_at", "bad_time", "时间超出范围。")
        facts = (told.action, told.piece, told.campaign, told.channel_code, told.channel)
        occurred_at = milliseconds(at)
        ruling = self._known.rulings.get(facts)
        if (
            ruling is None
            or not ruling.since <= occurred_at < ruling.until
            or not self._surely_from <= occurred_at < self._surely_until
        ):
            found = self._rule(facts, at)
            if isinstance(found, Refusal):
                return found
            ruling = found
        dwell_ms = told.dwell_ms
        # what a named tuple does of itself to be made costs three times as much
        return tuple.__new__(
            Deed,
            (
                told.id,
                occurred_at,
                self._received_ms,
                local_day_number(occurred_at),
                ruling.campaign_id,
                ruling.rule,
                self._audience,
                self._channel if ruling.channel is None else ruling.channel,
                ruling.piece_id,
                ruling.action,
                self._scope,
                dwell_ms if dwell_ms is None or dwell_ms < LARGEST_DWELL_MS else LARGEST_DWELL_MS,
                self._skew_ms,
                self._skewed,
            ),
        )

    def _rule(self, facts: Facts, at: datetime) -> Ruling | Refusal:
        """Judge in full; what counts holds for others of these facts, too, and is kept."""
        action, slug, campaign, code, channel = facts
        if action in _NOT_BY_BEACON:
            return Refusal("action", "not_by_beacon", "这种行为由平台自己记录，不能上报。")
        if at > self._latest:
            return Refusal("occurred_at", "in_future", "发生时间在未来。")
        if at < self._oldest:
            return Refusal(
                "occurred_at", "too_old", f"发生时间早于 {self._largest_age.days} 天前，不再计入。"
            )
        piece_id = published = None
        if slug is not None:
            piece = self._known.pieces.get(slug)
            published = None if piece is None else piece[1] - TOLERATED_FUTURE
            if piece is None or published is None or at < published:
                return Refusal("piece", "unknown_piece", "没有这个作品，或当时尚未发布。")
            piece_id = piece[0]
        campaigns = self._known.campaigns
        if campaign is not None and campaign not in campaigns.campaigns:
            return Refusal("campaign", "unknown_campaign", "没有这个活动。")
        entry = None if code is None else campaigns.codes.get(code)
        if code is not None and entry is None:
            return Refusal("channel_code", "unknown_channel_code", "没有这个渠道码。")
        named: Any = {"at": at, "campaign_code": campaign, "channel_code": code, "piece_id": piece_id}
        found = attribute(campaigns, **named)
        since, until = steady(campaigns, **named)
        if published is not None:
            since = published if since is None else max(since, published)
        if channel is None and entry is not None:
            channel = entry.channel
        ruling = Ruling(
            _EARLIEST if since is None else milliseconds(since) + 1,
            _LATEST if until is None else milliseconds(until),
            found.campaign.id if found.campaign is not None else EVERYDAY,
            NUMBERS[Rule][found.rule],
            None if channel is None else NUMBERS[Channel][channel],
            piece_id if piece_id is not None else NO_PIECE,
            NUMBERS[Action][action],
        )
        rulings = self._known.rulings
        if len(rulings) >= _MOST_RULINGS:
            rulings.clear()
        rulings[facts] = ruling
        return ruling
