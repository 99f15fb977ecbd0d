from __future__ import annotations

from itertools import product
from math import hypot

from hypothesis import given, settings
from hypothesis import strategies as st

from edu_platform.media.drawing.characters import HANDS, SHOULDER, UPPER_ARM, Act, _elbow, pose_at
from edu_platform.media.drawing.motion import Change, arrive, depart, follow, settle, smooth, window


def test_easings_begin_and_end_where_they_should() -> None:
    for ease in (smooth, settle, arrive, depart):
        assert abs(ease(0.0)) < 1e-9
        assert abs(ease(1.0) - 1) < 1e-9
        assert ease(2.0) == ease(1.0)
    assert settle(0.75) > 1
    assert window(0.5, 0, 1) == 1
    assert window(2, 0, 1) == 0


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(st.floats(0, 5), st.floats(0.2, 2), st.floats(-100, 100)), max_size=4),
    st.floats(0, 6),
)
def test_nothing_jumps(raw: list[tuple[float, float, float]], time: float) -> None:
    changes = [Change(*change) for change in sorted(raw)]
    assert abs(follow(time, 0.0, changes) - follow(time + 0.001, 0.0, changes)) < 8


def test_no_limb_jumps_from_one_pose_to_another() -> None:
    def joints(acts: list[Act], time: float) -> list[tuple[float, float]]:
        pose = pose_at(time, 0.0, acts, facing=1, size=400, seed=1)
        found: list[tuple[float, float]] = []
        for side, hand, bend in ((1, pose.hand, pose.bends[0]), (-1, pose.other, pose.bends[1])):
            found += _elbow((side * SHOULDER[0], SHOULDER[1]), hand, UPPER_ARM, UPPER_ARM, bend)
        return found

    for first, second in product(HANDS, HANDS):
        acts = [Act(first, -1.0), Act(second, 1.0)]
        before = joints(acts, 0.95)
        for frame in range(24, 46):
            now = joints(acts, frame / 24)
            for (x, y), (u, v) in zip(before, now, strict=True):
                # head radii a frame; an elbow that changes sides at once goes 2 and more
                assert hypot(x - u, y - v) < 1.75, (first, second, frame)
            before = now


def test_a_figure_raises_its_phone_blinks_speaks_and_walks() -> None:
    acts = [Act("phone", 1.0), Act("talk", 2.0, 2.0), Act("walk", 4.0, 1.5, 500.0)]

    def pose(time: float):  # type: ignore[no-untyped-def]
        return pose_at(time, 100.0, acts, facing=1, size=400, seed=1)

    assert pose(0.5).hand[1] > pose(2.0).hand[1] + 2
    assert abs(pose(2.0).hand[1] - HANDS["phone"][1]) < 0.2
    assert pose(0.5).holds_phone == 0
    assert pose(2.0).holds_phone == 1
    assert max(pose(2 + i / 24).mouth for i in range(40)) > 0.4
    assert min(pose(i / 24).lids for i in range(96)) < 0.3
    assert pose(4.0).x == 100
    assert pose(6.0).x == 500
    assert pose(4.75).walking > 0.5
    assert pose(6.0).walking == 0
