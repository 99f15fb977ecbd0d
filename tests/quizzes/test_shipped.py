"""The banks and quizzes that the platform ships with: even, deep enough, and drawn from wherever they fit."""

from __future__ import annotations

from collections import Counter

import pytest

from edu_platform.cli.content import ROOT
from edu_platform.library.content.sections import Gathered
from edu_platform.library.source import Problems, files_under
from edu_platform.quizzes.content.banks import QuestionsSection
from edu_platform.quizzes.content.papers import QuizzesSection
from edu_platform.quizzes.rules.tells import LEAST_TO_MEASURE, tells


@pytest.fixture(scope="module")
def shipped():
    """What was read, and what the check found of it."""
    gathered, problems = Gathered(ROOT, "95519", frozenset()), Problems()
    for section in (QuestionsSection(), QuizzesSection()):
        gathered.parsed[section.name] = section.read(list(files_under(ROOT, section.folder)), problems)
    for section in (QuestionsSection(), QuizzesSection()):
        section.check(gathered, problems)
    return gathered, problems


def test_nothing_is_wrong_and_nothing_is_advised(shipped):
    gathered, problems = shipped
    assert [str(problem) for problem in problems] == []
    assert [str(advice) for advice in gathered.advice] == []


def test_there_are_as_many_as_promised(shipped):
    gathered, _ = shipped
    questions = [source.parsed for bank in gathered.parsed["questions"] for source in bank.questions]
    assert len(questions) >= 400
    assert len(gathered.parsed["quizzes"]) >= 24
    kinds = Counter(question.content["type"] for question in questions)
    assert min(kinds.values()) >= 40
    assert len(kinds) == 4


def test_length_and_place_lead_nowhere(shipped):
    gathered, _ = shipped
    banks = {bank.name: [source.parsed for source in bank.questions] for bank in gathered.parsed["questions"]}
    whole = [question for questions in banks.values() for question in questions]
    measured = {name: tells(questions) for name, questions in {**banks, "whole": whole}.items()}
    enough = {name: seen for name, seen in measured.items() if seen.singles >= LEAST_TO_MEASURE}
    assert len(enough) >= 14
    for name, seen in enough.items():
        assert 0.2 <= seen.single.longest <= 0.3, name
        assert 0.2 <= seen.single.shortest <= 0.3, name
        assert 0.4 <= seen.rank <= 0.6, name
        assert max(seen.places) <= 0.35, name
    assert 0.45 <= measured["whole"].true <= 0.55
    ticked = measured["whole"].multiple
    assert abs(ticked.longest - ticked.chance) < 0.05
    assert abs(ticked.shortest - ticked.chance) < 0.05


def test_every_drawn_quiz_has_twice_its_length_to_draw_from(shipped):
    gathered, _ = shipped
    gathered.advice.clear()
    bank = next(bank for bank in gathered.parsed["questions"] if bank.name == "right-respect")
    questions, bank.questions[:] = list(bank.questions), bank.questions[:19]
    QuizzesSection().check(gathered, Problems())
    said = [(advice.file, advice.reason) for advice in gathered.advice]
    bank.questions[:] = questions
    gathered.advice.clear()
    assert [file for file, _ in said] == ["quizzes/right-respect-quiz.yaml"]
    assert "抽 10 道，可抽的只有" in said[0][1]


def test_the_grand_quiz_draws_from_every_bank(shipped):
    gathered, _ = shipped
    grand = next(quiz for quiz in gathered.parsed["quizzes"] if quiz.slug == "consumer-day-grand-quiz")
    drawn = {part["bank"] for part in grand.body["paper"]["draw"]}
    assert drawn == {bank.name for bank in gathered.parsed["questions"]}


def test_every_quiz_names_what_to_read_next(shipped):
    gathered, _ = shipped
    assert [quiz.slug for quiz in gathered.parsed["quizzes"] if len(quiz.meta["related"]) < 2] == []
