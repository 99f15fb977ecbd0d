from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edu_platform.quizzes.rules import chance, items, times
from edu_platform.quizzes.rules.chance import Part, Unsatisfiable
from edu_platform.quizzes.rules.papers import Counts, DrawPart, parse
from edu_platform.quizzes.rules.reveal import Reveal, may_see_answer, may_see_answers, may_see_score

T0 = datetime(2026, 3, 15, 1, tzinfo=UTC)
SEEDS = st.binary(min_size=32, max_size=32)


def faults(body):
    rules, errors = parse(body)
    assert (rules is None) == bool(errors)
    return {(e.field, e.code) for e in errors}


def test_what_a_quiz_leaves_out_has_a_default():
    rules, errors = parse({"paper": {"fixed": ["a", "b"]}})
    assert not errors
    assert (rules.points, rules.pass_mark, rules.counts, rules.reveal) == (
        10,
        60,
        Counts.BEST,
        Reveal.AFTER_SUBMIT,
    )
    assert rules.question_count == 2
    assert rules.total is rules.per_day is rules.time_limit_seconds is None


FIXED = {"paper": {"fixed": ["a"]}}


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({}, ("paper", "required")),
        ({"paper": {"fixed": ["a"], "draw": []}}, ("paper", "required")),
        ({"paper": {"fixed": ["a", "a"]}}, ("paper.fixed[1]", "duplicate")),
        ({"paper": {"fixed": []}}, ("paper.fixed", "required")),
        ({"paper": {"draw": [{"bank": "x"}]}}, ("paper.draw[0].count", "invalid")),
        ({"paper": {"draw": [{"count": 1}]}}, ("paper.draw[0].bank", "required")),
        (
            {"paper": {"draw": [{"bank": "x", "count": 1, "rights": ["y"]}]}},
            ("paper.draw[0].rights[0]", "unknown_word"),
        ),
        ({"paper": {"draw": [{"bank": "x", "count": 60}] * 2}}, ("paper", "too_long")),
        ({**FIXED, "points": 0}, ("points", "out_of_range")),
        ({**FIXED, "points": 2.5}, ("points", "invalid")),
        ({**FIXED, "points": True}, ("points", "invalid")),
        ({**FIXED, "pass_mark": 101}, ("pass_mark", "out_of_range")),
        ({**FIXED, "attempts": {"per_day": 0}}, ("attempts.per_day", "out_of_range")),
        ({**FIXED, "attempts": {"per_hour": 1}}, ("attempts.per_hour", "unknown_field")),
        ({**FIXED, "opens_at": "2026-03-01T00:00:00"}, ("opens_at", "invalid")),
        (
            {**FIXED, "opens_at": "2026-03-02T00:00:00+08:00", "closes_at": "2026-03-01T00:00:00+08:00"},
            ("closes_at", "invalid"),
        ),
        ({**FIXED, "reveal": "after_close"}, ("closes_at", "required")),
        ({**FIXED, "reveal": "always"}, ("reveal", "unknown_word")),
        ({**FIXED, "time_limit_seconds": 5}, ("time_limit_seconds", "out_of_range")),
        ({**FIXED, "shuffle": {"options": "no"}}, ("shuffle.options", "invalid")),
        ({**FIXED, "colour": 1}, ("colour", "unknown_field")),
        ("quiz", ("", "invalid")),
    ],
)
def test_a_mistake_in_a_quiz_is_named_by_path(body, expected):
    assert expected in faults(body)


def test_a_part_takes_what_it_asks_for():
    content = {"topics": ["退保"], "rights": ["respect"], "difficulty": "easy"}
    assert DrawPart("b", 1).takes(content)
    assert DrawPart("b", 1, topics=("退保", "理赔")).takes(content)
    assert not DrawPart("b", 1, topics=("理赔",)).takes(content)
    assert not DrawPart("b", 1, rights=("education",)).takes(content)
    assert not DrawPart("b", 1, difficulty="hard").takes(content)
    assert DrawPart("b", 1, ("退保",), ("respect",), "easy").takes(content)


# Chance


@given(SEEDS, st.integers(1, 6), st.integers(1, 100))
def test_option_names_are_different_and_tell_nothing_of_the_file(seed, count, number):
    names = [chance.option_id(seed, number, i) for i in range(count)]
    assert len(set(names)) == count
    assert all(len(n) == 16 and n.isalnum() for n in names)
    assert chance.option_id(bytes(32), number, 0) != names[0] or seed == bytes(32)


@given(SEEDS, st.lists(st.integers(), unique=True, max_size=30))
def test_shuffling_keeps_everything_and_repeats_itself(seed, values):
    once = chance.shuffled(seed, "x", values)
    assert sorted(once) == sorted(values)
    assert once == chance.shuffled(seed, "x", values[::-1])


def test_every_order_of_options_is_about_equally_likely():
    seen = Counter(tuple(chance.option_order(n.to_bytes(32), 1, 3, shuffle=True)) for n in range(3000))
    assert len(seen) == 6
    assert all(400 < count < 600 for count in seen.values())  # 500 expected, sd 20
    assert chance.option_order(bytes(32), 1, 3, shuffle=False) == [0, 1, 2]


@given(SEEDS, st.lists(st.tuples(st.integers(1, 4), st.sets(st.integers(1, 12))), min_size=1, max_size=4))
@settings(max_examples=300)
def test_a_drawn_paper_holds_to_its_parts_or_cannot_exist(seed, raw):
    parts = [Part(count, sorted(pool)) for count, pool in raw]
    try:
        drawn = chance.draw(parts, seed)
    except Unsatisfiable:
        # Hall: some set of parts together asks for more than its pools hold
        chosen = [[p for i, p in enumerate(parts) if mask >> i & 1] for mask in range(1, 2 ** len(parts))]
        assert any(sum(p.count for p in some) > len({q for p in some for q in p.pool}) for some in chosen)
        return
    assert len(drawn) == len(set(drawn)) == sum(p.count for p in parts)
    place = 0
    for part in parts:
        assert set(drawn[place : place + part.count]) <= set(part.pool)
        place += part.count
    assert drawn == chance.draw(parts, seed)


def test_overlapping_parts_are_filled_when_they_can_be():
    for n in range(50):
        drawn = chance.draw([Part(2, [1, 2, 3]), Part(1, [1]), Part(1, [2, 4])], n.to_bytes(32))
        assert drawn[2] == 1
        assert len(set(drawn)) == 4


def test_every_question_of_a_pool_is_drawn_about_equally_often():
    seen = Counter(q for n in range(2000) for q in chance.draw([Part(3, range(10))], n.to_bytes(32)))
    assert all(500 < seen[q] < 700 for q in range(10))  # 600 expected, sd 20.5


# Times


def test_a_deadline_is_the_limit_or_the_closing_and_the_elder_have_no_limit():
    close = T0 + timedelta(minutes=5)
    limit = {"time_limit_seconds": 600}
    assert times.deadline(T0, **limit, elder=False, closes_at=None) == T0 + timedelta(minutes=10)
    assert times.deadline(T0, **limit, elder=False, closes_at=close) == close
    assert times.deadline(T0, **limit, elder=True, closes_at=None) is None
    assert times.deadline(T0, **limit, elder=True, closes_at=close) == close
    assert times.deadline(T0, time_limit_seconds=None, elder=False, closes_at=None) is None


@given(st.integers(0, 300), st.integers(-400_000, 400_000))
def test_grace_is_counted_but_not_shown(grace, ms):
    at = T0 + timedelta(milliseconds=ms)
    assert times.is_over(times.end(T0, grace), at) == (ms > grace * 1000)
    assert times.remaining_ms(T0, at) == max(0, -ms)


def test_without_a_deadline_time_is_never_over():
    assert times.end(None, 5) is None
    assert not times.is_over(None, T0)
    assert times.remaining_ms(None, T0) is None


def test_a_window_opens_at_its_first_moment_and_is_closed_at_its_last():
    opens, closes = T0, T0 + timedelta(hours=1)
    tick = timedelta(microseconds=1)
    assert times.window(opens, closes, T0 - tick) is times.Window.NOT_YET
    assert times.window(opens, closes, T0) is times.Window.OPEN
    assert times.window(opens, closes, closes - tick) is times.Window.OPEN
    assert times.window(opens, closes, closes) is times.Window.CLOSED
    assert times.window(None, None, T0) is times.Window.OPEN


# Reveal: the table written out by hand

_CLOSE = T0 + timedelta(days=1)
_BEFORE, _AFTER = T0, _CLOSE


@pytest.mark.parametrize(
    ("reveal", "submitted", "passed", "at", "score", "answers"),
    [
        (Reveal.AFTER_EACH, False, False, _AFTER, False, False),
        (Reveal.AFTER_EACH, True, False, _BEFORE, True, True),
        (Reveal.AFTER_SUBMIT, False, True, _AFTER, False, False),
        (Reveal.AFTER_SUBMIT, True, False, _BEFORE, True, True),
        (Reveal.AFTER_PASS, False, True, _BEFORE, False, False),
        (Reveal.AFTER_PASS, True, False, _AFTER, True, False),
        (Reveal.AFTER_PASS, True, True, _BEFORE, True, True),
        (Reveal.AFTER_CLOSE, True, True, _BEFORE, False, False),
        (Reveal.AFTER_CLOSE, False, True, _AFTER, False, False),
        (Reveal.AFTER_CLOSE, True, False, _AFTER, True, True),
        (Reveal.NEVER, False, True, _AFTER, False, False),
        (Reveal.NEVER, True, True, _AFTER, True, False),
    ],
)
def test_who_may_see_what_when(reveal, submitted, passed, at, score, answers):
    assert may_see_score(reveal, submitted=submitted, closes_at=_CLOSE, at=at) is score
    assert may_see_answers(reveal, submitted=submitted, passed=passed, closes_at=_CLOSE, at=at) is answers


def test_a_running_attempt_shows_only_frozen_answers_and_only_after_each():
    assert [r for r in Reveal if may_see_answer(r, frozen=True)] == [Reveal.AFTER_EACH]
    assert not any(may_see_answer(r, frozen=False) for r in Reveal)


# Items


def test_discrimination_by_hand():
    # right: rest scores 30, 20; wrong: 10, 0. Pearson r of (1,1,0,0) with (30,20,10,0) is 0.894427
    assert items.discrimination(4, 2, 60, 900 + 400 + 100, 50) == pytest.approx(0.8944272)
    assert items.discrimination(4, 2, 60, 1400, 10) == pytest.approx(-0.8944272)
    assert items.discrimination(4, 4, 60, 1400, 60) is None
    assert items.discrimination(4, 0, 60, 1400, 0) is None
    assert items.discrimination(4, 2, 40, 400, 20) is None
    assert items.difficulty(4, 3) == 0.75
    assert items.difficulty(0, 0) is None


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 100)), min_size=2, max_size=40))
def test_discrimination_is_pearson(rows):
    import statistics

    right = [int(r) for r, _ in rows]
    rest = [s for _, s in rows]
    found = items.discrimination(
        len(rows), sum(right), sum(rest), sum(s * s for s in rest), sum(s for r, s in rows if r)
    )
    if found is None:
        assert len(set(right)) == 1 or len(set(rest)) == 1
    else:
        assert found == pytest.approx(statistics.correlation(right, rest))
