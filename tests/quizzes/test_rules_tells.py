from __future__ import annotations

import pytest

from edu_platform.quizzes.rules.questions import parse
from edu_platform.quizzes.rules.tells import Lead, tell_problems, tells, tells_line
from tests.quizzes.conftest import fill_in, multiple, single, true_false

EVEN = [0, 1, 2, 3] * 5


def bank(places, longest=0, shortest=0):
    """Single choices with the right option at these places: the first `longest` ones stand out, so do the last `shortest`."""
    raws = []
    for number, place in enumerate(places):
        raw = single(f"q-{number}", place)
        for index, option in enumerate(raw["options"]):
            if number < longest and index == place:
                option["text"] += "，写得长"
            if number >= len(places) - shortest and index != place:
                option["text"] += "，写得长"
        raws.append(raw)
    return measured(raws)


def measured(raws):
    found = []
    for raw in raws:
        parsed, errors = parse(raw)
        assert not errors
        found.append(parsed)
    return tells(found)


def test_options_of_one_length_give_nothing_away():
    even = bank(EVEN)
    assert (even.single, even.rank) == (Lead(0.25, 0.25, 0.25), 0.5)
    assert tell_problems(even) == []


def test_a_few_that_stand_out_give_nothing_away():
    few = bank(EVEN, longest=1, shortest=1)
    assert few.single.longest == few.single.shortest == 1 / 20 + 18 / 20 / 4
    assert few.rank == 0.5
    assert tell_problems(few) == []


@pytest.mark.parametrize(
    ("many", "problems"),
    [
        ({"longest": 10}, ["总挑最长的选项，62% 能对", "总挑最短的选项，12% 能对"]),
        ({"shortest": 10}, ["总挑最长的选项，12% 能对", "总挑最短的选项，62% 能对"]),
        ({"longest": 20}, ["总挑最长的选项，100% 能对", "总挑最短的选项，0% 能对"]),
    ],
)
def test_leading_by_length_is_found_in_either_direction(many, problems):
    found = tell_problems(bank(EVEN, **many))
    assert len(found) == len(problems)
    for reason, part in zip(found, problems, strict=True):
        assert part in reason


def lengths(count, *sizes):
    """Single choices whose options have these sizes, the right one first in each of `sizes`; places go round."""
    raws = []
    for number in range(count):
        own = sizes[number % len(sizes)]
        place = number % len(own)
        raw = single(f"q-{number}")
        texts = [f"{index}{'甲' * size}" for index, size in enumerate(own[1:], 1)]
        texts.insert(place, f"0{'甲' * own[0]}")
        raw["options"] = [{"text": text, "correct": index == place} for index, text in enumerate(texts)]
        raws.append(raw)
    return measured(raws)


def test_never_the_longest_is_a_tell_too():
    shortest, middle = (1, 2, 3, 4), (2, 1, 3, 4)
    found = tell_problems(lengths(20, shortest, middle, middle, middle))
    assert len(found) == 1
    assert "总挑最长的选项，0% 能对" in found[0]
    assert "见到就能排除" in found[0]
    longest = (4, 1, 2, 3)
    assert tell_problems(lengths(20, shortest, middle, longest, middle)) == []


def test_second_longest_most_of_the_time_is_found_by_its_rank():
    shortest, longest = (1, 2, 3, 4, 5, 6), (6, 1, 2, 3, 4, 5)
    second = (5, 1, 2, 3, 4, 6)
    seen = lengths(24, longest, second, second, shortest, second, second)
    assert seen.single.longest == seen.single.shortest == pytest.approx(1 / 6)
    assert seen.rank == pytest.approx(1 / 6 + 4 / 6 * 4 / 5)
    assert [reason[:14] for reason in tell_problems(seen)] == ["单选题的正确选项总是偏长（按"]
    third = (4, 1, 2, 3, 5, 6)
    assert tell_problems(lengths(24, longest, third, second, shortest, (2, 1, 3, 4, 5, 6), third)) == []


def test_places_judgements_and_multiples_have_habits_too():
    assert "第 1 位" in tell_problems(bank([0] * 10 + [1, 2] * 5))[0]
    judged = [true_false(f"t-{number}", answer=number < 10) for number in range(12)]
    assert tell_problems(measured(judged)) == ["判断题有 83% 答案是“对”，宜对错各半。"]
    assert tell_problems(measured([true_false(f"t-{n}", answer=n < 7) for n in range(12)])) == []
    same = [multiple(f"m-{number}") for number in range(12)]
    assert tell_problems(measured(same)) == ["100% 的多选题都有 2 个正确选项，一数便知，请有多有少。"]
    varied = [multiple(f"m-{number}", (0, 2) if number % 2 else (0, 1, 3)) for number in range(12)]
    assert tell_problems(measured(varied)) == []


def test_ticking_the_longest_of_multiple_choices_is_measured_too():
    raws = [multiple(f"m-{number}", (0, 2) if number % 2 else (0, 1, 3)) for number in range(12)]
    for raw in raws:
        raw["options"][0]["text"] += "，写得长"  # always right
    seen = measured(raws)
    assert seen.multiple.longest == 1
    assert seen.multiple.chance == pytest.approx(5 / 8)
    found = tell_problems(seen)
    assert len(found) == 1
    assert "多选题总挑最长的选项，100% 能对，随便挑是 62%" in found[0]


def test_a_few_questions_say_nothing_about_a_habit():
    assert tell_problems(bank([0] * 11, longest=11)) == []
    assert tell_problems(bank([0] * 12, longest=12))
    assert tell_problems(measured([true_false(f"t-{n}") for n in range(11)])) == []


def test_what_was_measured_is_said_in_a_line():
    raws = [single("q-1", 0), single("q-2", 1), true_false("q-3"), multiple("q-4"), fill_in("q-5")]
    assert tells_line(measured(raws)) == (
        "单选 2 道，总挑最长的能对 25%、最短的 25%（随便挑 25%），长短排在 50% 处，位置 A 50%、B 50%；"
        "判断 1 道，100% 为对；多选 1 道，总挑最长的能对 50%、最短的 50%（随便挑 50%），正确 2 项的 1 道"
    )
    assert tells_line(measured([fill_in("q-1")])) == "只有填空题"
