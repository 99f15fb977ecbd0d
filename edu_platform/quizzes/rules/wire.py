"""Answers as they go over the wire: options under names of the attempt's own, never by their place in the file."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from typing import Any

from edu_platform.core.errors import FieldError, Invalid
from edu_platform.quizzes.rules.chance import option_id
from edu_platform.quizzes.rules.questions import MOST_FILLED, QuestionType

FIELD = "answer"


def _refuse(reason: str, code: str = "invalid", field: str = FIELD) -> Invalid:
    return Invalid([FieldError(field, reason, code)])


def decode(content: Mapping[str, Any], seed: bytes, number: int, answer: Any) -> Any:
    """Return an answer as it is kept: option indices in order, a boolean, or texts; None for no answer.

    Raise `Invalid` naming `answer`. What it says depends on the question's type only, never on what is right.
    """
    if answer is None:
        return None
    type_ = QuestionType(content["type"])
    if type_ is QuestionType.TRUE_FALSE:
        if not isinstance(answer, bool):
            raise _refuse("判断题的答案应为 true 或 false。")
        return answer
    if type_ is QuestionType.FILL_IN:
        return _texts(answer, content["blanks"])
    names = {option_id(seed, number, index): index for index in range(len(content["options"]))}
    if type_ is QuestionType.SINGLE:
        if not isinstance(answer, str) or answer not in names:
            raise _refuse("应为本题一个选项的 id。", "unknown_option")
        return [names[answer]]
    if not isinstance(answer, list):
        raise _refuse("应为本题选项 id 的列表。")
    for place, name in enumerate(answer):
        if not isinstance(name, str) or name not in names:
            raise _refuse("不是本题选项的 id。", "unknown_option", f"{FIELD}[{place}]")
        if name in answer[:place]:
            raise _refuse("同一个选项选了两次。", "duplicate", f"{FIELD}[{place}]")
    return sorted(names[name] for name in answer) or None


def _texts(answer: Any, blanks: int) -> list[str] | None:
    if not isinstance(answer, list) or len(answer) != blanks:
        raise _refuse(f"应为 {blanks} 个空的文字列表。")
    found = []
    for place, text in enumerate(answer):
        where = f"{FIELD}[{place}]"
        if not isinstance(text, str):
            raise _refuse("应为文字。", field=where)
        if len(text) > MOST_FILLED:
            raise _refuse(f"至多 {MOST_FILLED} 个字。", "too_long", where)
        if any(unicodedata.category(c) in {"Cc", "Cf", "Cs", "Co", "Cn"} for c in text):
            raise _refuse("含有不允许的字符。", "hostile_character", where)
        found.append(unicodedata.normalize("NFC", text).strip())
    return found if any(found) else None


def encode(content: Mapping[str, Any], seed: bytes, number: int, answer: Any) -> Any:
    """Return a kept answer (or a right one of a choice) as it goes over the wire."""
    if answer is None:
        return None
    type_ = QuestionType(content["type"])
    if type_ is QuestionType.SINGLE:
        return option_id(seed, number, answer[0])
    if type_ is QuestionType.MULTIPLE:
        return [option_id(seed, number, index) for index in answer]
    return answer
