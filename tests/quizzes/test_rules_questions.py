from __future__ import annotations

import copy

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edu_platform.quizzes.rules import questions
from edu_platform.quizzes.rules.questions import PartialCredit, normalise, parse, score

SINGLE = {
    "id": "pi-001",
    "type": "single",
    "stem": "陌生人来电说您的保单要过期，最稳妥的做法是？",
    "options": [
        {"text": "挂断后拨打官方客服", "correct": True},
        {"text": "按他说的转账", "why": "钱一转走就很难追回"},
        {"text": "把验证码告诉他"},
    ],
    "explanation": "自称客服的人不一定是客服，挂断后自己拨官方电话核实最稳妥。",
    "difficulty": "easy",
    "topics": ["代理退保"],
    "rights": ["property_safety"],
}
FILL = {
    "id": "pi-002",
    "type": "fill_in",
    "stem": "公司的客服电话是____，犹豫期至少____天。",
    "answers": [["95519", "九五五一九"], ["15", "十五"]],
    "explanation": "记住客服电话，遇到说不清的事先打一个电话问问。",
    "difficulty": "medium",
}


def change(raw, **changes):
    changed = {**copy.deepcopy(raw), **changes}
    return {k: v for k, v in changed.items() if v is not ...}


def faults(raw):
    parsed, errors = parse(raw)
    assert (parsed is None) == bool(errors)
    return {(e.field, e.code) for e in errors}


def test_a_question_is_kept_apart_from_what_answers_it():
    parsed, errors = parse(SINGLE)
    assert not errors
    assert parsed.content["options"] == ["挂断后拨打官方客服", "按他说的转账", "把验证码告诉他"]
    assert parsed.content["audiences"] == ["elderly", "youth", "new_customer"]
    assert parsed.key["correct"] == [0]
    assert parsed.key["whys"] == [None, "钱一转走就很难追回", None]
    assert "correct" not in str(parsed.content)
    assert "稳妥。" not in str(parsed.content)


def test_the_digest_covers_the_key():
    other = copy.deepcopy(SINGLE)
    other["options"][0].pop("correct")
    other["options"][1]["correct"] = True
    assert parse(other)[0].content == parse(SINGLE)[0].content
    assert parse(other)[0].digest != parse(SINGLE)[0].digest


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        (change(SINGLE, type="essay"), ("type", "unknown_word")),
        (change(SINGLE, id="PI 1"), ("id", "invalid")),
        (change(SINGLE, id=...), ("id", "required")),
        (
            change(SINGLE, explanation="遇到这种事就打 {hotline} 问一问，不要自己转账。"),
            ("explanation", "placeholder"),
        ),
        (change(SINGLE, stem="短"), ("stem", "too_short")),
        (change(SINGLE, explanation="太短了"), ("explanation", "too_short")),
        (change(SINGLE, explanation=...), ("explanation", "required")),
        (change(SINGLE, difficulty="brutal"), ("difficulty", "unknown_word")),
        (change(SINGLE, rights=["freedom"]), ("rights[0]", "unknown_word")),
        (change(SINGLE, audiences=["elderly", "elderly"]), ("audiences[1]", "duplicate")),
        (change(SINGLE, answer=True), ("answer", "unknown_field")),
        (change(SINGLE, options=SINGLE["options"][:2]), ("options", "wrong_count")),
        (change(SINGLE, options=[{"text": t} for t in "甲乙丙"]), ("options", "wrong_correct_count")),
        (
            change(SINGLE, options=[{"text": t, "correct": True} for t in "甲乙丙"]),
            ("options", "wrong_correct_count"),
        ),
        (
            change(SINGLE, options=[{"text": "甲Ａ", "correct": True}, {"text": "甲 a"}, {"text": "丙"}]),
            ("options[1].text", "duplicate"),
        ),
        (change(SINGLE, type="multiple"), ("options", "wrong_correct_count")),
        (change(SINGLE, stem="陌生人来电要____怎么办才好"), ("stem", "stray_blank")),
        (change(SINGLE, stem="陌生人来电\u202e怎么办才好"), ("stem", "hostile_character")),
        (change(SINGLE, source={"name": ""}), ("source.name", "required")),
        (change(SINGLE, options="甲乙"), ("options", "required")),
        (change(FILL, stem="这里一个空都没有写出来"), ("stem", "no_blank")),
        (change(FILL, answers=[["95519"]]), ("answers", "wrong_count")),
        (change(FILL, answers=[["95519"], []]), ("answers[1]", "required")),
        (change(FILL, answers=[["客服电话"], ["15"]]), ("answers[0]", "given_away")),
        (change(SINGLE, type="true_false", options=..., answer="yes"), ("answer", "required")),
        (change(SINGLE, topics="代理退保"), ("topics", "invalid")),
    ],
)
def test_a_mistake_is_named_by_path(raw, expected):
    assert expected in faults(raw)


def test_every_mistake_is_named_at_once():
    assert {f for f, _ in faults(change(SINGLE, stem="", explanation="短", difficulty=None))} >= {
        "stem",
        "explanation",
        "difficulty",
    }


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(),
        lambda s: (
            st.lists(s)
            | st.dictionaries(
                st.sampled_from(["id", "type", "stem", "options", "text", "answers", "answer", "correct"]), s
            )
        ),
    )
)
def test_nonsense_is_refused_not_crashed_on(raw):
    parsed, errors = parse(raw)
    assert parsed is None
    assert errors


@given(
    st.sampled_from(["single", "multiple", "true_false", "fill_in"]),
    st.recursive(st.none() | st.booleans() | st.integers() | st.text(), st.lists, max_leaves=6),
    st.sampled_from(["options", "answer", "answers", "topics", "rights", "source", "stem"]),
)
def test_a_nonsense_field_is_refused_not_crashed_on(kind, value, field):
    parse({**SINGLE, "type": kind, field: value})


MULTIPLE = parse(
    change(
        SINGLE,
        type="multiple",
        options=[
            {"text": "甲", "correct": True},
            {"text": "乙", "correct": True},
            {"text": "丙", "correct": True},
            {"text": "丁"},
            {"text": "戊"},
        ],
    )
)[0]


def worth(parsed, answer, points=10, partial=PartialCredit.NONE):
    return score(parsed.content, parsed.key, answer, points=points, partial=partial).points


def test_partial_credit_by_hand():
    assert worth(MULTIPLE, [0, 1, 2]) == 10
    assert worth(MULTIPLE, [0, 1]) == 0
    assert worth(MULTIPLE, [0, 1], partial=PartialCredit.PROPORTIONAL) == 6
    assert worth(MULTIPLE, [0, 1, 3], partial=PartialCredit.PROPORTIONAL) == 3
    assert worth(MULTIPLE, [0, 1, 2, 3, 4], partial=PartialCredit.PROPORTIONAL) == 3
    assert worth(MULTIPLE, [3, 4], partial=PartialCredit.PROPORTIONAL) == 0
    assert worth(MULTIPLE, [0], partial=PartialCredit.ALL_OR_HALF, points=5) == 2
    assert worth(MULTIPLE, [0, 3], partial=PartialCredit.ALL_OR_HALF) == 0
    assert worth(MULTIPLE, [0, 1, 2], partial=PartialCredit.ALL_OR_HALF) == 10
    fill = parse(FILL)[0]
    assert worth(fill, ["９５５１９", " 十 五 "]) == 10
    assert worth(fill, ["95519", ""], partial=PartialCredit.PROPORTIONAL) == 5
    assert worth(fill, ["95519", ""], partial=PartialCredit.ALL_OR_HALF) == 5
    assert worth(fill, ["95519", "14"], partial=PartialCredit.ALL_OR_HALF) == 0
    assert worth(fill, ["95519", "14"]) == 0


@given(
    st.sets(st.integers(0, 4)),
    st.integers(1, 100),
    st.sampled_from(PartialCredit),
)
def test_points_are_whole_within_bounds_and_full_only_for_the_right_answer(chosen, points, partial):
    verdict = score(MULTIPLE.content, MULTIPLE.key, sorted(chosen), points=points, partial=partial)
    assert 0 <= verdict.points <= points
    assert isinstance(verdict.points, int)
    assert verdict.correct == (chosen == {0, 1, 2})
    assert (verdict.points == points) == verdict.correct


@given(st.sets(st.integers(0, 4)), st.sampled_from(PartialCredit))
def test_choosing_everything_never_beats_choosing_what_is_right(chosen, partial):
    everything = worth(MULTIPLE, [0, 1, 2, 3, 4], partial=partial)
    right = worth(MULTIPLE, sorted(chosen & {0, 1, 2}), partial=partial)
    assert right >= worth(MULTIPLE, sorted(chosen), partial=partial)
    assert everything < 10


@given(st.sampled_from(PartialCredit))
def test_no_answer_is_worth_nothing(partial):
    for parsed in (MULTIPLE, parse(SINGLE)[0], parse(FILL)[0]):
        assert worth(parsed, None, partial=partial) == 0


@pytest.mark.parametrize("typed", ["95519", "９５５１９", " 955 19", "九五五一九"])
def test_ways_to_write_the_same_answer(typed):
    assert worth(parse(FILL)[0], [typed, "15"]) == 10


@given(st.text())
def test_normalising_twice_changes_nothing_more_for_plain_text(text):
    once = normalise(text)
    assert not any(c.isspace() for c in once)
    assert normalise(f" {text}\u3000") == once


def test_pass_mark_is_not_rounded():
    assert questions.has_passed(60, 100, 60)
    assert not questions.has_passed(59, 100, 60)
    assert not questions.has_passed(19, 30, 64)  # 63.3 %
    assert questions.has_passed(20, 30, 66)
    assert questions.has_passed(0, 30, 0)
