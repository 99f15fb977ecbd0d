"""Judging beacons one by one: what counts becomes a deed for the log, what does not is refused by name."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from dataclasses import asdict, dataclass
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


class _Ruling(NamedTuple):
    """What the facts of a beacon other than its own time come to, from one moment up to another."""

    since: datetime | None
    until: datetime | None
    refusal: Refusal | None
    campaign_id: int
    rule: int
    channel: int | None
    piece_id: int
    action: int


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
        self._correction = correction
        self._skew_ms = correction.skew // timedelta(milliseconds=1)
        self._rulings: dict[tuple[object, ...], _Ruling] = {}

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
        if told.action in _NOT_BY_BEACON:
            return Refusal("action", "not_by_beacon", "这种行为由平台自己记录，不能上报。")
        at = told.occurred_at
        if self._correction.skewed:
            try:
                at += self._correction.offset
            except OverflowError:
                return Refusal("occurred_at", "bad_time", "时间超出范围。")
        if at > self._latest:
            return Refusal("occurred_at", "in_future", "发生时间在未来。")
        if at < self._oldest:
            return Refusal(
                "occurred_at", "too_old", f"发生时间早于 {self._largest_age.days} 天前，不再计入。"
            )
        facts = (told.action, told.piece, told.campaign, told.channel_code, told.channel)
        ruling = self._rulings.get(facts)
        if (
            ruling is None
            or (ruling.since is not None and at < ruling.since)
            or (ruling.until is not None and at >= ruling.until)
        ):
            ruling = self._rulings[facts] = self._rule(told, at)
        if ruling.refusal is not None:
            return ruling.refusal
        occurred_at = milliseconds(at)
        dwell_ms = told.dwell_ms
        return Deed(
            told.id,
            occurred_at,
            self._received_ms,
            local_day_number(occurred_at),
            ruling.campaign_id,
            ruling.rule,
            self._audience,
            ruling.channel,
            ruling.piece_id,
            ruling.action,
            self._scope,
            dwell_ms if dwell_ms is None or dwell_ms < LARGEST_DWELL_MS else LARGEST_DWELL_MS,
            self._skew_ms,
            self._correction.skewed,
        )

    def _rule(self, told: Told, at: datetime) -> _Ruling:
        """Judge everything but whether it is in time, and say from when to when that holds."""
        piece_id = published = None
        if told.piece is not None:
            piece = self._known.pieces.get(told.piece)
            published = None if piece is None else piece[1] - TOLERATED_FUTURE
            if piece is None or published is None or at < published:
                return _refused("piece", "unknown_piece", "没有这个作品，或当时尚未发布。", until=published)
            piece_id = piece[0]
        campaigns = self._known.campaigns
        if told.campaign is not None and told.campaign not in campaigns.campaigns:
            return _refused("campaign", "unknown_campaign", "没有这个活动。", since=published)
        code = None
        if told.channel_code is not None:
            code = campaigns.codes.get(told.channel_code)
            if code is None:
                return _refused("channel_code", "unknown_channel_code", "没有这个渠道码。", since=published)
        named: Any = {"at": at, "campaign_code": told.campaign, "channel_code": told.channel_code}
        found = attribute(campaigns, **named, piece_id=piece_id)
        since, until = steady(campaigns, **named, piece_id=piece_id)
        if published is not None:
            since = published if since is None else max(since, published)
        channel = told.channel or (code.channel if code is not None else None)
        return _Ruling(
            since,
            until,
            None,
            found.campaign.id if found.campaign is not None else EVERYDAY,
            NUMBERS[Rule][found.rule],
            self._channel if channel is None else NUMBERS[Channel][channel],
            piece_id if piece_id is not None else NO_PIECE,
            NUMBERS[Action][told.action],
        )


def _refused(
    field: str, code: str, reason: str, *, since: datetime | None = None, until: datetime | None = None
) -> _Ruling:
    return _Ruling(since, until, Refusal(field, code, reason), 0, 0, None, 0, 0)
