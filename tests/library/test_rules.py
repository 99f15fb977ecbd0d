"""The state table by hand, and the pure decisions."""

from datetime import UTC, datetime, timedelta

import pytest

from edu_platform.library import rules
from edu_platform.library.errors import MoveRefused
from edu_platform.library.models import RevisionState

# written by hand: from, then every state it may become
TABLE = """
draft: submitted superseded
submitted: approved returned superseded
approved: scheduled published expired superseded
returned: superseded
scheduled: published expired withdrawn superseded
published: expired withdrawn superseded
superseded:
withdrawn: submitted superseded
expired: superseded
"""
MOVES = {
    (line.split(":")[0], then) for line in TABLE.strip().splitlines() for then in line.split(":")[1].split()
}
NOON = datetime(2026, 3, 15, 4, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)


@pytest.mark.parametrize("now", RevisionState)
def test_only_the_moves_of_the_table_exist(now):
    for then in RevisionState:
        if (now.value, then.value) in MOVES:
            rules.require_move(now, then)
        else:
            with pytest.raises(MoveRefused):
                rules.require_move(now, then)


@pytest.mark.parametrize(
    ("before", "after", "path"),
    [
        ({"a": 1}, {"a": 1}, None),
        ({"a": 1}, {"a": 2}, "a"),
        ({"a": {"b": [1, 2]}}, {"a": {"b": [1, 3]}}, "a.b[1]"),
        ({"a": [1]}, {"a": [1, 2]}, "a[1]"),
        ({"a": 1}, {}, "a"),
        ({}, {"b": None}, "b"),
        (None, {"b": 1}, "全部"),
        ([1], [True], "[0]"),
    ],
)
def test_the_first_difference_is_named(before, after, path):
    assert rules.first_difference(before, after) == path


@pytest.mark.parametrize(
    ("asked", "publish_at", "expected"),
    [
        (None, None, NOON),
        (None, NOON + HOUR, NOON + HOUR),
        (None, NOON - HOUR, NOON),
        (NOON + 2 * HOUR, NOON + HOUR, NOON + 2 * HOUR),
        (NOON - HOUR, NOON + HOUR, NOON),
    ],
)
def test_nothing_appears_before_it_is_published(asked, publish_at, expected):
    assert rules.shown_from(asked=asked, publish_at=publish_at, at=NOON) == expected


def test_a_digest_takes_no_notice_of_how_json_was_written():
    one = rules.digest(kind="k", slug="s", meta={"a": 1, "b": "字"}, body={}, depends=[])
    two = rules.digest(kind="k", slug="s", meta={"b": "字", "a": 1}, body={}, depends=[])
    assert one == two
    with pytest.raises(ValueError, match="JSON compliant"):
        rules.digest(kind="k", slug="s", meta={}, body={"n": float("nan")}, depends=[])
