"""To which campaign something counts."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edu_platform.campaigns.rules import (
    CODE,
    EVERYDAY,
    SCENE,
    Attribution,
    Carrying,
    CodeEntry,
    Rule,
    Snapshot,
    Window,
    attribute,
    code_of_scene,
    scene,
)
from edu_platform.core.vocabulary import Channel

DAY0 = datetime(2026, 3, 1, tzinfo=UTC)


def at(day: float) -> datetime:
    return DAY0 + timedelta(days=day)


@st.composite
def snapshots(draw: st.DrawFn) -> Snapshot:
    windows = []
    for number in range(1, draw(st.integers(0, 5)) + 1):
        start = draw(st.integers(0, 10))
        windows.append(Window(number, f"c{number}", at(start), at(start + draw(st.integers(0, 10)))))
    codes = {f"CODE{w.id}": CodeEntry(f"CODE{w.id}", w, Channel.OFFLINE) for w in windows}
    carriers: dict[int, tuple[Carrying, ...]] = {}
    for window in windows:
        for piece in draw(st.sets(st.integers(1, 3))):
            shift = draw(st.integers(-2, 2))
            carrying = Carrying(window, window.starts_at + timedelta(days=shift), window.ends_at)
            carriers[piece] = (*carriers.get(piece, ()), carrying)
    return Snapshot("v", {w.code: w for w in windows}, codes, carriers)


moments = st.floats(-1, 25).map(at)
codes = st.one_of(st.none(), st.integers(1, 7))


@given(snapshots(), moments, codes, codes, st.one_of(st.none(), st.integers(1, 4)))
def test_the_rules_apply_in_their_order(snapshot, moment, named, channel, piece):
    campaign_code = None if named is None else f"c{named}"
    channel_code = None if channel is None else f"CODE{channel}"
    found = attribute(
        snapshot, at=moment, campaign_code=campaign_code, channel_code=channel_code, piece_id=piece
    )

    def is_open(window: Window | None) -> bool:
        return window is not None and window.starts_at <= moment < window.ends_at

    by_name = snapshot.campaigns.get(campaign_code)
    entry = snapshot.codes.get(channel_code)
    by_code = entry.campaign if entry else None
    carrying = [
        c.campaign
        for c in snapshot.carriers.get(piece, ())
        if is_open(c.campaign) and c.starts_at <= moment < c.ends_at
    ]
    if is_open(by_name):
        assert found == Attribution(by_name, Rule.NAMED)
    elif is_open(by_code):
        assert found == Attribution(by_code, Rule.CHANNEL_CODE)
    elif carrying:
        assert found.rule is Rule.CARRIES_PIECE
        assert found.campaign in carrying
        assert all(other.starts_at <= found.campaign.starts_at for other in carrying)
    else:
        assert found == EVERYDAY
    if found.campaign is not None:
        assert is_open(found.campaign)


def test_of_two_that_started_together_the_one_made_later_counts():
    old, new = Window(1, "a", at(0), at(9)), Window(2, "b", at(0), at(9))
    snapshot = Snapshot("v", {}, {}, {7: (Carrying(new, at(0), at(9)), Carrying(old, at(0), at(9)))})
    assert attribute(snapshot, at=at(1), piece_id=7).campaign is new


def test_the_last_moment_belongs_to_the_campaign_and_the_next_does_not():
    window = Window(1, "a", at(0), at(1))
    snapshot = Snapshot("v", {"a": window})
    assert attribute(snapshot, at=at(1) - timedelta(microseconds=1), campaign_code="a").campaign is window
    assert attribute(snapshot, at=at(1), campaign_code="a") == EVERYDAY


@given(st.from_regex(CODE, fullmatch=True))
def test_every_code_makes_a_scene_that_wechat_takes(code):
    assert len(scene(code)) <= 32
    assert SCENE.fullmatch(scene(code))
    assert code_of_scene(scene(code)) == code == code_of_scene(code)


@pytest.mark.parametrize(
    "text", ["", "c:", "c:abc", "c:abcdefghijklm", "x:abcd", "c:ab%d", "c:中文中文", "c:c:abcd"]
)
def test_what_is_no_scene_of_ours_carries_no_code(text):
    assert code_of_scene(text) is None
