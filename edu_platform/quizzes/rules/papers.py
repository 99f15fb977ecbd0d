"""What a quiz prescribes: its body as files and editors write it, with its defaults, and what is wrong with it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from edu_platform.core.errors import FieldError
from edu_platform.core.vocabulary import Right
from edu_platform.quizzes.rules.chance import SEED_BYTES, Part, Unsatisfiable, draw
from edu_platform.quizzes.rules.questions import Difficulty, PartialCredit
from edu_platform.quizzes.rules.reveal import Reveal

MOST_QUESTIONS = 100
FIELDS = {
    "paper", "points", "pass_mark", "partial_credit", "attempts", "opens_at", "closes_at", "time_limit_seconds",
    "grace_seconds", "counts", "shuffle", "reveal",
}  # fmt: skip
"""The keys of a quiz's body."""


class Counts(StrEnum):
    """Which of a learner's attempts counts."""

    BEST = "best"
    LAST = "last"
    FIRST = "first"


COUNTS_LABELS = {Counts.BEST: "取最好一次", Counts.LAST: "取最后一次", Counts.FIRST: "取第一次"}


@dataclass(frozen=True)
class DrawPart:
    """`count` questions of a bank, with any of the topics, any of the rights, and the difficulty, where given."""

    bank: str
    count: int
    topics: tuple[str, ...] = ()
    rights: tuple[str, ...] = ()
    difficulty: str | None = None

    def takes(self, content: Mapping[str, Any]) -> bool:
        """Say whether a question of the bank belongs to this part's pool."""
        return (
            (not self.topics or bool(set(self.topics) & set(content["topics"])))
            and (not self.rights or bool(set(self.rights) & set(content["rights"])))
            and self.difficulty in {None, content["difficulty"]}
        )


@dataclass(frozen=True, kw_only=True)
class QuizRules:
    """A quiz's body, read. Exactly one of `fixed` (question refs in order) and `draw` is filled."""

    fixed: tuple[str, ...] = ()
    draw: tuple[DrawPart, ...] = ()
    points: int = 10
    pass_mark: int = 60
    partial_credit: PartialCredit = PartialCredit.NONE
    total: int | None = None
    per_day: int | None = None
    opens_at: datetime | None = None
    closes_at: datetime | None = None
    time_limit_seconds: int | None = None
    grace_seconds: int = 5
    counts: Counts = Counts.BEST
    shuffle_questions: bool = True
    shuffle_options: bool = True
    reveal: Reveal = Reveal.AFTER_SUBMIT

    @property
    def question_count(self) -> int:
        """Return how many questions one paper has."""
        return len(self.fixed) or sum(part.count for part in self.draw)


class _Reader:
    def __init__(self) -> None:
        self.errors: list[FieldError] = []

    def wrong(self, field: str, reason: str, code: str = "invalid") -> None:
        self.errors.append(FieldError(field, reason, code))

    def fields(self, value: Any, where: str, allowed: set[str]) -> Mapping[str, Any]:
        if not isinstance(value, Mapping):
            self.wrong(where, "应为一组字段。")
            return {}
        for name in value:
            if name not in allowed:
                self.wrong(f"{where}.{name}" if where else str(name), "没有这个字段。", "unknown_field")
        return value

    def number(self, value: Any, where: str, low: int, high: int) -> int:
        if isinstance(value, bool) or not isinstance(value, int):
            self.wrong(where, "应为整数。")
        elif not low <= value <= high:
            self.wrong(where, f"应在 {low} 到 {high} 之间。", "out_of_range")
        else:
            return value
        return low

    def moment(self, value: Any, where: str) -> datetime | None:
        if value is None:
            return None
        moment = value
        if isinstance(value, str):
            try:
                moment = datetime.fromisoformat(value)
            except ValueError:
                moment = None
        if not isinstance(moment, datetime) or moment.tzinfo is None:
            self.wrong(where, "应为带时区的时间，如 2026-03-15T09:00:00+08:00。")
            return None
        if not 2000 <= moment.year < 2100:
            self.wrong(where, "时间超出范围。", "out_of_range")
            return None
        return moment.astimezone(UTC)

    def word(self, value: Any, where: str, kind: type[StrEnum], default: Any) -> Any:
        if not isinstance(value, str) or value not in set(kind):
            self.wrong(where, f"应为下列之一：{'、'.join(kind)}。", "unknown_word")
            return default
        return kind(value)

    def switch(self, value: Any, where: str) -> bool:
        if not isinstance(value, bool):
            self.wrong(where, "应为 true 或 false。")
        return bool(value)

    def texts(self, value: Any, where: str, most: int) -> list[str]:
        if not isinstance(value, list) or not all(
            isinstance(item, str) and 0 < len(item) <= 64 for item in value
        ):
            self.wrong(where, "应为文字的列表。")
            return []
        if len(value) > most:
            self.wrong(where, f"至多 {most} 项。", "too_long")
            return []
        for index, item in enumerate(value):
            if item in value[:index]:
                self.wrong(f"{where}[{index}]", f"“{item}”写了两次。", "duplicate")
        return value


def parse(body: Any) -> tuple[QuizRules | None, list[FieldError]]:
    """Read a quiz's body; return its rules, or everything that is wrong with it by path."""
    read = _Reader()
    raw = read.fields(body, "", FIELDS)
    paper = read.fields(raw.get("paper", {}), "paper", {"fixed", "draw"})
    fixed: list[str] = []
    draw: list[DrawPart] = []
    if ("fixed" in paper) == ("draw" in paper):
        read.wrong("paper", "应写 fixed（固定题目）或 draw（抽题）之一。", "required")
    elif "fixed" in paper:
        fixed = read.texts(paper["fixed"], "paper.fixed", MOST_QUESTIONS)
        if not fixed:
            read.wrong("paper.fixed", "至少 1 道题。", "required")
    else:
        draw = _parts(read, paper["draw"])
    limits = read.fields(raw.get("attempts", {}), "attempts", {"total", "per_day"})
    shuffle = read.fields(raw.get("shuffle", {}), "shuffle", {"questions", "options"})
    total, per_day = limits.get("total"), limits.get("per_day")
    seconds = raw.get("time_limit_seconds")
    opens_at = read.moment(raw.get("opens_at"), "opens_at")
    closes_at = read.moment(raw.get("closes_at"), "closes_at")
    rules = QuizRules(
        fixed=tuple(fixed),
        draw=tuple(draw),
        points=read.number(raw.get("points", 10), "points", 1, 100),
        pass_mark=read.number(raw.get("pass_mark", 60), "pass_mark", 0, 100),
        partial_credit=read.word(
            raw.get("partial_credit", "none"), "partial_credit", PartialCredit, PartialCredit.NONE
        ),
        total=None if total is None else read.number(total, "attempts.total", 1, 1000),
        per_day=None if per_day is None else read.number(per_day, "attempts.per_day", 1, 100),
        opens_at=opens_at,
        closes_at=closes_at,
        time_limit_seconds=None
        if seconds is None
        else read.number(seconds, "time_limit_seconds", 10, 86_400),
        grace_seconds=read.number(raw.get("grace_seconds", 5), "grace_seconds", 0, 300),
        counts=read.word(raw.get("counts", "best"), "counts", Counts, Counts.BEST),
        shuffle_questions=read.switch(shuffle.get("questions", True), "shuffle.questions"),
        shuffle_options=read.switch(shuffle.get("options", True), "shuffle.options"),
        reveal=read.word(raw.get("reveal", "after_submit"), "reveal", Reveal, Reveal.AFTER_SUBMIT),
    )
    if opens_at is not None and closes_at is not None and closes_at <= opens_at:
        read.wrong("closes_at", "截止时间应晚于开放时间。")
    if rules.reveal is Reveal.AFTER_CLOSE and closes_at is None:
        read.wrong("closes_at", "截止后公布答案（after_close）须写截止时间。", "required")
    if rules.question_count > MOST_QUESTIONS:
        read.wrong("paper", f"一份试卷至多 {MOST_QUESTIONS} 道题。", "too_long")
    return (None, read.errors) if read.errors else (rules, [])


def _parts(read: _Reader, value: Any) -> list[DrawPart]:
    if not isinstance(value, list) or not value:
        read.wrong("paper.draw", "应为抽题规则的列表，至少一项。", "required")
        return []
    found = []
    for index, item in enumerate(value):
        where = f"paper.draw[{index}]"
        part = read.fields(item, where, {"bank", "topics", "rights", "difficulty", "count"})
        if not isinstance(part.get("bank"), str) or not part["bank"]:
            read.wrong(f"{where}.bank", "必填：从哪个题库抽。", "required")
        difficulty = part.get("difficulty")
        rights = read.texts(part.get("rights", []), f"{where}.rights", len(Right))
        for number, right in enumerate(rights):
            if right not in set(Right):
                read.wrong(f"{where}.rights[{number}]", f"不认识“{right}”。", "unknown_word")
        found.append(
            DrawPart(
                bank=str(part.get("bank")),
                count=read.number(part.get("count"), f"{where}.count", 1, MOST_QUESTIONS),
                topics=tuple(read.texts(part.get("topics", []), f"{where}.topics", 20)),
                rights=tuple(rights),
                difficulty=None
                if difficulty is None
                else read.word(difficulty, f"{where}.difficulty", Difficulty, None),
            )
        )
    return found


@dataclass(frozen=True)
class Known:
    """A question that papers may be made of: `id` of its newest version, and what it asks."""

    id: int
    ref: str
    bank: str
    content: Mapping[str, Any]


def resolve(rules: QuizRules, known: Sequence[Known]) -> tuple[list[Part], list[FieldError]]:
    """Return the parts of a paper (a fixed question is a part of its own), or what is wrong by path.

    Unknown questions and banks, and draws that their pools cannot fill together, are mistakes.
    """
    errors: list[FieldError] = []
    if rules.fixed:
        by_ref = {question.ref: question for question in known}
        for index, ref in enumerate(rules.fixed):
            if ref not in by_ref:
                errors.append(FieldError(f"paper.fixed[{index}]", f"没有题目“{ref}”。", "unknown_question"))
        return ([] if errors else [Part(1, [by_ref[ref].id]) for ref in rules.fixed]), errors
    parts = []
    for index, part in enumerate(rules.draw):
        bank = [question for question in known if question.bank == part.bank]
        pool = [question.id for question in bank if part.takes(question.content)]
        where = f"paper.draw[{index}]"
        if not bank:
            errors.append(
                FieldError(f"{where}.bank", f"没有题库“{part.bank}”，或其中没有题目。", "unknown_bank")
            )
        elif len(pool) < part.count:
            errors.append(
                FieldError(
                    f"{where}.count",
                    f"要抽 {part.count} 道，符合条件的只有 {len(pool)} 道。",
                    "unsatisfiable",
                )
            )
        parts.append(Part(part.count, sorted(pool)))
    if not errors:
        try:
            draw(parts, bytes(SEED_BYTES))
        except Unsatisfiable as short:
            where = f"paper.draw[{short.part}].count"
            errors.append(FieldError(where, "与前面几项抢同一批题，合起来不够抽。", "unsatisfiable"))
    return ([] if errors else parts), errors
