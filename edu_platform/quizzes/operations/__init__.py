"""Verbs about quizzes: keeping questions, sitting attempts, showing results, ranking, practising, counting.

Use it as `operations.start_attempt(…)`: the families below are one vocabulary.
"""

from edu_platform.quizzes.operations.attempts import (
    announce_pass,
    is_over,
    open_paper,
    own_attempt,
    settle_campaign,
    start_attempt,
    submit,
    submit_if_over,
    submit_own,
)
from edu_platform.quizzes.operations.boards import leaderboard
from edu_platform.quizzes.operations.mistakes import shown_mistakes
from edu_platform.quizzes.operations.persons import HOLDING, absorb_visitor
from edu_platform.quizzes.operations.practice import practise
from edu_platform.quizzes.operations.questions import (
    ensure_bank,
    question_of,
    save_bank,
    save_question,
    versions_of,
    wholes,
)
from edu_platform.quizzes.operations.results import quiz_of, shown_answer, shown_attempt, shown_result
from edu_platform.quizzes.operations.saving import save_answer
from edu_platform.quizzes.operations.statistics import quiz_statistics

__all__ = [
    "HOLDING",
    "absorb_visitor",
    "announce_pass",
    "ensure_bank",
    "is_over",
    "leaderboard",
    "open_paper",
    "own_attempt",
    "practise",
    "question_of",
    "quiz_of",
    "quiz_statistics",
    "save_answer",
    "save_bank",
    "save_question",
    "settle_campaign",
    "shown_answer",
    "shown_attempt",
    "shown_mistakes",
    "shown_result",
    "start_attempt",
    "submit",
    "submit_if_over",
    "submit_own",
    "versions_of",
    "wholes",
]
