"""What is decided about campaigns, without a database: to which one a deed counts, and what a code may be."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from edu_platform.core.vocabulary import Channel

CODE = re.compile(r"[0-9A-Za-z]{4,12}")
CODE_ALPHABET = "23456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnpqrstuvwxyz"
CODE_LENGTH = 6
# What WeChat takes as `scene` of a mini-program code: 1 to 32 of these (no `%`, no `&` in practice).
SCENE = re.compile(r"[0-9A-Za-z!#$'()*+,/:;=?@\-._~]{1,32}")
SCENE_PREFIX = "c:"


class Rule(StrEnum):
    """Why something counts for the campaign that it counts for."""

    NAMED = "named"
    CHANNEL_CODE = "channel_code"
    CARRIES_PIECE = "carries_piece"
    EVERYDAY = "everyday"


@dataclass(frozen=True)
class Window:
    """A campaign as attribution sees it: open from `starts_at` up to, not including, `ends_at`."""

    id: int
    code: str
    starts_at: datetime
    ends_at: datetime

    def holds(self, moment: datetime) -> bool:
        """Say whether the campaign is open at `moment`."""
        return self.starts_at <= moment < self.ends_at


@dataclass(frozen=True)
class CodeEntry:
    """A channel code as attribution sees it."""

    code: str
    campaign: Window
    channel: Channel
    landing_piece: str | None = None


@dataclass(frozen=True)
class Carrying:
    """That a campaign carries a piece, from `starts_at` up to, not including, `ends_at`."""

    campaign: Window
    starts_at: datetime
    ends_at: datetime

    def holds(self, moment: datetime) -> bool:
        """Say whether the campaign is open and carries the piece at `moment`."""
        return self.starts_at <= moment < self.ends_at and self.campaign.holds(moment)


@dataclass(frozen=True)
class Snapshot:
    """Everything attribution rests on, at one version. Drafts are not in it: to it they do not exist."""

    version: str
    campaigns: Mapping[str, Window] = field(default_factory=dict)
    codes: Mapping[str, CodeEntry] = field(default_factory=dict)
    carriers: Mapping[int, tuple[Carrying, ...]] = field(default_factory=dict)


@dataclass(frozen=True)
class Attribution:
    """The campaign something counts for (None: everyday education), and why."""

    campaign: Window | None
    rule: Rule

    @property
    def campaign_code(self) -> str | None:
        """Return the campaign's code, None for everyday education."""
        return None if self.campaign is None else self.campaign.code


EVERYDAY = Attribution(None, Rule.EVERYDAY)


def attribute(
    snapshot: Snapshot,
    *,
    at: datetime,
    campaign_code: str | None = None,
    channel_code: str | None = None,
    piece_id: int | None = None,
) -> Attribution:
    """Return the campaign that something done at `at` counts for.

    The campaign named, if open at that time; else the one whose channel code it carries, if open; else
    the open campaign that carries the piece, the latest started (of two that started together, the one
    made later); else everyday education. A code that the snapshot does not know counts as not given:
    whoever must refuse it does so before.
    """
    named = snapshot.campaigns.get(campaign_code) if campaign_code is not None else None
    if named is not None and named.holds(at):
        return Attribution(named, Rule.NAMED)
    entry = snapshot.codes.get(channel_code) if channel_code is not None else None
    if entry is not None and entry.campaign.holds(at):
        return Attribution(entry.campaign, Rule.CHANNEL_CODE)
    if piece_id is not None:
        carrying = [c.campaign for c in snapshot.carriers.get(piece_id, ()) if c.holds(at)]
        if carrying:
            return Attribution(
                max(carrying, key=lambda campaign: (campaign.starts_at, campaign.id)), Rule.CARRIES_PIECE
            )
    return EVERYDAY


def steady(
    snapshot: Snapshot,
    *,
    at: datetime,
    campaign_code: str | None = None,
    channel_code: str | None = None,
    piece_id: int | None = None,
) -> tuple[datetime | None, datetime | None]:
    """Return since when and until when (not included) `attribute` says the same as at `at`; None is without end."""
    edges: list[datetime] = []
    named = snapshot.campaigns.get(campaign_code) if campaign_code is not None else None
    entry = snapshot.codes.get(channel_code) if channel_code is not None else None
    for window in (named, entry.campaign if entry is not None else None):
        if window is not None:
            edges += (window.starts_at, window.ends_at)
    for carrying in snapshot.carriers.get(piece_id, ()) if piece_id is not None else ():
        edges += (
            carrying.starts_at,
            carrying.ends_at,
            carrying.campaign.starts_at,
            carrying.campaign.ends_at,
        )
    return (
        max((edge for edge in edges if edge <= at), default=None),
        min((edge for edge in edges if edge > at), default=None),
    )


def scene(code: str) -> str:
    """Return the text that goes into a mini-program code for a channel code: `c:7Gk2Qz`, at most 14 characters."""
    return SCENE_PREFIX + code


def code_of_scene(text: str) -> str | None:
    """Return the channel code that a scanned scene (or a bare code) carries, None when it is neither."""
    bare = text.removeprefix(SCENE_PREFIX)
    return bare if CODE.fullmatch(bare) else None
