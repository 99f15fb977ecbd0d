"""Questions: what a well-made one is, what it asks (content), what answers it (key), and what an answer is worth."""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import orjson

from edu_platform.core.errors import FieldError
from edu_platform.core.vocabulary import Audience, Right

MOST_STEM, MOST_OPTION, MOST_WHY, MOST_EXPLANATION, MOST_FILLED = 400, 120, 200, 800, 100
LEAST_EXPLANATION = 15
LEAST_OPTIONS, MOST_OPTIONS = 3, 6
MOST_BLANKS = 8
BLANK = re.compile(r"_{4,}")
_PLACEHOLDER = re.compile(r"\{[^{}\s]*\}")
_REF = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
_COMMON = {"id", "type", "stem", "explanation", "difficulty", "topics", "rights", "audiences", "source"}


class QuestionType(StrEnum):
    """How a question is answered."""

    SINGLE = "single"
    MULTIPLE = "multiple"
    TRUE_FALSE = "true_false"
    FILL_IN = "fill_in"


TYPE_LABELS = {
    QuestionType.SINGLE: "单选题",
    QuestionType.MULTIPLE: "多选题",
    QuestionType.TRUE_FALSE: "判断题",
    QuestionType.FILL_IN: "填空题",
}


class Difficulty(StrEnum):
    """How hard the author thinks a question is."""

    EASY = "easy"
    MEDIUM = "medium"
    HARD = "hard"


class PartialCredit(StrEnum):
    """What a partly right answer is worth: nothing, its share, or half if nothing in it is wrong."""

    NONE = "none"
    PROPORTIONAL = "proportional"
    ALL_OR_HALF = "all_or_half"


@dataclass(frozen=True)
class Parsed:
    """A question in the two parts in which it is kept: `content` may be shown, `key` answers it.

    content: {type, stem, options: [text], blanks, difficulty, topics, rights, audiences}
    key: {correct: [option index] | bool | [[accepted text]], explanation, whys: [text | None], source}
    """

    ref: str
    content: dict[str, Any]
    key: dict[str, Any]

    @property
    def digest(self) -> str:
        """Return the SHA-256 (hex) of everything that the question says, answers included."""
        return digest_of(self.content, self.key)


def digest_of(content: Mapping[str, Any], key: Mapping[str, Any]) -> str:
    """Return the SHA-256 (hex) over content and key."""
    return hashlib.sha256(orjson.dumps([content, key], option=orjson.OPT_SORT_KEYS)).hexdigest()


class _Reader:
    """Collects what is wrong with a raw question while it is read."""

    def __init__(self, raw: Mapping[str, Any]) -> None:
        self.raw = raw
        self.errors: list[FieldError] = []

    def wrong(self, field: str, reason: str, code: str = "invalid") -> None:
        self.errors.append(FieldError(field, reason, code))

    def clean(self, value: Any, field: str, *, most: int, least: int = 1) -> str:
        """Return `value` as tidy text; note what is wrong with it."""
        if isinstance(value, bool) or not isinstance(value, str | int | float):
            self.wrong(
                field,
                "必填，应为文字。" if value is None else "应为文字。",
                "required" if value is None else "invalid",
            )
            return ""
        text = unicodedata.normalize("NFC", str(value)).strip()
        hidden = next(
            (c for c in text if c != "\n" and unicodedata.category(c) in {"Cc", "Cf", "Cs", "Co", "Cn"}), None
        )
        if hidden is not None:
            self.wrong(field, f"含有不允许的字符 U+{ord(hidden):04X}。", "hostile_character")
        elif found := _PLACEHOLDER.search(text):
            self.wrong(field, f"题目里不能用占位符 {found[0]}，请直接写明。", "placeholder")
        elif len(text) < least:
            self.wrong(
                field,
                "必填。" if not text else f"至少 {least} 个字，现有 {len(text)} 个。",
                "too_short" if text else "required",
            )
        elif len(text) > most:
            self.wrong(field, f"至多 {most} 个字，现有 {len(text)} 个。", "too_long")
        return text

    def text(self, name: str, *, most: int, least: int = 1) -> str:
        return self.clean(self.raw.get(name), name, most=most, least=least)

    def words(self, name: str, allowed: type[StrEnum] | None, *, most: int = 8) -> list[str]:
        """Return a list of vocabulary words or short texts, none twice."""
        value = self.raw.get(name, [])
        if not isinstance(value, list):
            self.wrong(name, "应为列表。")
            return []
        if len(value) > most:
            self.wrong(name, f"至多 {most} 项。", "too_long")
            return []
        found: list[str] = []
        for index, item in enumerate(value):
            where = f"{name}[{index}]"
            if allowed is not None and item not in list(allowed):
                self.wrong(where, f"不认识“{item}”，应为下列之一：{'、'.join(allowed)}。", "unknown_word")
                continue
            text = self.clean(item, where, most=30)
            if text and text in found:
                self.wrong(where, f"“{text}”写了两次。", "duplicate")
            elif text:
                found.append(text)
        return found


def parse(raw: Any) -> tuple[Parsed | None, list[FieldError]]:
    """Read a question as files and editors write it; return it, or everything that is wrong with it by path."""
    if not isinstance(raw, Mapping):
        return None, [FieldError("", "每道题应为一组字段。")]
    reader = _Reader(raw)
    ref = reader.text("id", most=64)
    if ref and not _REF.fullmatch(ref):
        reader.wrong("id", "编号只能用小写字母、数字和连字符。")
    kind = raw.get("type")
    if kind not in list(QuestionType):
        reader.wrong("type", f"题型应为下列之一：{'、'.join(QuestionType)}。", "unknown_word")
        return None, reader.errors
    type_ = QuestionType(kind)
    own = {
        QuestionType.SINGLE: "options",
        QuestionType.MULTIPLE: "options",
        QuestionType.TRUE_FALSE: "answer",
        QuestionType.FILL_IN: "answers",
    }[type_]
    for name in raw:
        if name not in _COMMON | {own}:
            reader.wrong(str(name), f"{TYPE_LABELS[type_]}没有这个字段。", "unknown_field")
    stem = reader.text("stem", most=MOST_STEM, least=6)
    difficulty = raw.get("difficulty")
    if difficulty not in list(Difficulty):
        reader.wrong("difficulty", f"难度应为下列之一：{'、'.join(Difficulty)}。", "unknown_word")
    content: dict[str, Any] = {
        "type": type_.value,
        "stem": stem,
        "options": [],
        "blanks": 0,
        "difficulty": difficulty,
        "topics": reader.words("topics", None),
        "rights": reader.words("rights", Right),
        "audiences": reader.words("audiences", Audience) or [a.value for a in Audience],
    }
    key: dict[str, Any] = {
        "correct": None,
        "explanation": reader.text("explanation", most=MOST_EXPLANATION, least=LEAST_EXPLANATION),
        "whys": [],
        "source": _source(reader),
    }
    if type_ in {QuestionType.SINGLE, QuestionType.MULTIPLE}:
        _options(reader, type_, content, key)
    elif type_ is QuestionType.TRUE_FALSE:
        if not isinstance(raw.get("answer"), bool):
            reader.wrong("answer", "判断题的答案应为 true 或 false。", "required")
        key["correct"] = raw.get("answer")
    else:
        _blanks(reader, stem, content, key)
    if type_ is not QuestionType.FILL_IN and BLANK.search(stem):
        reader.wrong("stem", f"{TYPE_LABELS[type_]}的题干不应有填空横线 ____。", "stray_blank")
    if reader.errors:
        return None, reader.errors
    return Parsed(ref, content, key), []


def _source(reader: _Reader) -> dict[str, str] | None:
    value = reader.raw.get("source")
    if value is None:
        return None
    if not isinstance(value, Mapping) or set(value) - {"name", "article"}:
        reader.wrong("source", "依据应写法律名称 name 和条款 article。")
        return None
    found = {"name": reader.clean(value.get("name"), "source.name", most=80)}
    if value.get("article") is not None:
        found["article"] = reader.clean(value["article"], "source.article", most=40)
    return found


def _options(reader: _Reader, type_: QuestionType, content: dict[str, Any], key: dict[str, Any]) -> None:
    options = reader.raw.get("options")
    if not isinstance(options, list):
        reader.wrong("options", "必填，应为选项列表。", "required")
        return
    if not LEAST_OPTIONS <= len(options) <= MOST_OPTIONS:
        reader.wrong(
            "options",
            f"应有 {LEAST_OPTIONS} 到 {MOST_OPTIONS} 个选项，现有 {len(options)} 个。",
            "wrong_count",
        )
    correct: list[int] = []
    seen: dict[str, int] = {}
    for index, option in enumerate(options):
        where = f"options[{index}]"
        if not isinstance(option, Mapping):
            reader.wrong(where, "选项应写 text，以及 correct 或 why。")
            continue
        for name in option:
            if name not in {"text", "correct", "why"}:
                reader.wrong(f"{where}.{name}", "选项没有这个字段。", "unknown_field")
        text = reader.clean(option.get("text"), f"{where}.text", most=MOST_OPTION)
        same = normalise(text)
        if text and same in seen:
            reader.wrong(f"{where}.text", f"与第 {seen[same] + 1} 个选项相同。", "duplicate")
        seen.setdefault(same, index)
        if not isinstance(option.get("correct", False), bool):
            reader.wrong(f"{where}.correct", "应为 true 或 false。")
        if option.get("correct") is True:
            correct.append(index)
        why = option.get("why")
        key["whys"].append(None if why is None else reader.clean(why, f"{where}.why", most=MOST_WHY))
        content["options"].append(text)
    if type_ is QuestionType.SINGLE and len(correct) != 1:
        reader.wrong(
            "options", f"单选题应有且只有 1 个正确选项，现有 {len(correct)} 个。", "wrong_correct_count"
        )
    if type_ is QuestionType.MULTIPLE and len(correct) < 2:
        reader.wrong(
            "options", f"多选题应有至少 2 个正确选项，现有 {len(correct)} 个。", "wrong_correct_count"
        )
    key["correct"] = correct


def _blanks(reader: _Reader, stem: str, content: dict[str, Any], key: dict[str, Any]) -> None:
    answers = reader.raw.get("answers")
    blanks = len(BLANK.findall(stem))
    if not blanks:
        reader.wrong("stem", "填空题的题干应有填空横线 ____。", "no_blank")
    if not isinstance(answers, list) or not answers:
        reader.wrong("answers", "必填：每个空一组可接受的写法。", "required")
        return
    if len(answers) != blanks or blanks > MOST_BLANKS:
        reader.wrong(
            "answers",
            f"题干有 {blanks} 个空，答案有 {len(answers)} 组（至多 {MOST_BLANKS} 组）。",
            "wrong_count",
        )
    for index, accepted in enumerate(answers):
        where = f"answers[{index}]"
        if not isinstance(accepted, list) or not accepted:
            reader.wrong(where, "应为可接受写法的列表，至少一种。", "required")
            continue
        texts = [reader.clean(v, f"{where}[{n}]", most=MOST_FILLED) for n, v in enumerate(accepted)]
        answers_so_far = key["correct"] = key["correct"] or []
        answers_so_far.append(texts)
        if any(normalise(t) and normalise(t) in normalise(BLANK.sub(" ", stem)) for t in texts if len(t) > 1):
            reader.wrong(where, "答案原样出现在题干里。", "given_away")
    content["blanks"] = blanks


def normalise(text: str) -> str:
    """Return a filled-in text as it is compared: NFKC (full-width becomes half-width), no spaces, no case."""
    return "".join(unicodedata.normalize("NFKC", text).casefold().split())


# What an answer is worth


@dataclass(frozen=True)
class Verdict:
    """What an answer is worth: `points` (integer) and whether it is wholly right."""

    points: int
    correct: bool


def score(
    content: Mapping[str, Any], key: Mapping[str, Any], answer: Any, *, points: int, partial: PartialCredit
) -> Verdict:
    """Judge a saved answer (option indices, bool, texts; None when nothing was answered) out of `points`.

    Proportional credit is (right - wrong) / all right ones, rounded down, never below 0; half credit is
    half the points, rounded down, for a part of the right ones and nothing wrong.
    """
    if answer is None:
        return Verdict(0, correct=False)
    type_ = QuestionType(content["type"])
    right, wrong, of = 0, 0, 1
    if type_ is QuestionType.TRUE_FALSE:
        right = int(answer is key["correct"])
    elif type_ is QuestionType.SINGLE:
        right = int(list(answer) == list(key["correct"]))
    elif type_ is QuestionType.MULTIPLE:
        chosen, due = set(answer), set(key["correct"])
        right, wrong, of = len(chosen & due), len(chosen - due), len(due)
    else:
        of = len(key["correct"])
        for text, accepted in zip(answer, key["correct"], strict=True):
            if not normalise(text):
                continue
            if normalise(text) in {normalise(a) for a in accepted}:
                right += 1
            else:
                wrong += 1
    if right == of and not wrong:
        return Verdict(points, correct=True)
    if partial is PartialCredit.PROPORTIONAL:
        return Verdict(points * max(0, right - wrong) // of, correct=False)
    if partial is PartialCredit.ALL_OR_HALF and right and not wrong:
        return Verdict(points // 2, correct=False)
    return Verdict(0, correct=False)


def has_passed(points: int, most: int, pass_mark: int) -> bool:
    """Say whether `points` of `most` reach the pass mark (percent), without rounding."""
    return points * 100 >= pass_mark * most
