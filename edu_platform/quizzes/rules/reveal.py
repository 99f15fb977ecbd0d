"""When a learner may know what.

| reveal       | score and passed | right answers, explanations, verdicts      |
|--------------|------------------|--------------------------------------------|
| after_each   | on submission    | each once saved (frozen), all on submission |
| after_submit | on submission    | on submission                              |
| after_pass   | on submission    | once the learner has passed this quiz      |
| after_close  | at the closing   | at the closing                             |
| never        | on submission    | never                                      |
"""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum


class Reveal(StrEnum):
    """When answers and explanations are shown."""

    AFTER_EACH = "after_each"
    AFTER_SUBMIT = "after_submit"
    AFTER_PASS = "after_pass"  # noqa: S105 - a word, not a password
    AFTER_CLOSE = "after_close"
    NEVER = "never"


REVEAL_LABELS = {
    Reveal.AFTER_EACH: "每题作答后立即显示答案和解析",
    Reveal.AFTER_SUBMIT: "交卷后显示答案和解析",
    Reveal.AFTER_PASS: "通过后显示答案和解析",
    Reveal.AFTER_CLOSE: "答题截止后公布成绩、答案和解析",
    Reveal.NEVER: "不公布答案和解析",
}


def may_see_score(reveal: Reveal, *, submitted: bool, closes_at: datetime | None, at: datetime) -> bool:
    """Say whether the score of an attempt, and whether it passed, may be told."""
    if not submitted:
        return False
    return reveal is not Reveal.AFTER_CLOSE or (closes_at is not None and at >= closes_at)


def may_see_answers(
    reveal: Reveal, *, submitted: bool, passed: bool, closes_at: datetime | None, at: datetime
) -> bool:
    """Say whether all answers of an attempt may be told; `passed`: the learner has passed this quiz by now."""
    if not submitted or reveal is Reveal.NEVER:
        return False
    if reveal is Reveal.AFTER_PASS:
        return passed
    return may_see_score(reveal, submitted=submitted, closes_at=closes_at, at=at)


def may_see_answer(reveal: Reveal, *, frozen: bool) -> bool:
    """Say whether one answer may be told while the attempt runs: only where it can no longer change."""
    return reveal is Reveal.AFTER_EACH and frozen
