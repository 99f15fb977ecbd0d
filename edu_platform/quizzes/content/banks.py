"""Question banks: YAML, or tables as editors keep them in a spreadsheet."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy.orm import Session

from edu_platform.core.clock import now
from edu_platform.core.errors import FieldError, Invalid
from edu_platform.core.vocabulary import Audience, Right, label
from edu_platform.library.content.language import (
    Passage,
    note_absolute,
    note_addresses,
    note_duplicates,
    note_numbers,
    note_risky,
)
from edu_platform.library.content.reading import note_difficulty
from edu_platform.library.content.sections import QUESTIONS, Counts, Gathered, Importer
from edu_platform.library.meta import slug_reason
from edu_platform.library.source import (
    Document,
    Problems,
    Row,
    SourceFile,
    read_document,
    read_table,
)
from edu_platform.quizzes.operations.questions import save_bank
from edu_platform.quizzes.rules.questions import (
    TYPE_LABELS,
    Parsed,
    QuestionType,
    parse,
)
from edu_platform.quizzes.rules.tells import tell_problems, tells, tells_line

SAME_QUESTION = 0.75
"""How much of their text two questions may share; stems of one subject share much, whole questions do not."""

_OPTIONS = tuple(f"选项{letter}" for letter in "ABCDEF")
_COLUMNS = ("编号", "题型", "题干", *_OPTIONS, "答案", "解析", "难度", "主题", "权利", "受众", "依据")
_NEEDED = ("编号", "题型", "题干", "答案", "解析", "难度")
_TYPES = {
    name: type_.value for type_, full in TYPE_LABELS.items() for name in (full, full.removesuffix("题"))
}
_DIFFICULTIES = {"易": "easy", "简单": "easy", "中": "medium", "中等": "medium", "难": "hard", "困难": "hard"}
_TRUTHS = {
    "对": True,
    "正确": True,
    "是": True,
    "√": True,
    "错": False,
    "错误": False,
    "否": False,
    "×": False,
}
_RIGHTS = {label(right): right.value for right in Right}
_AUDIENCES = {label(audience): audience.value for audience in Audience}
_LIST = re.compile(r"[、，,；;\s]+")
# The column in which a mistake of a parsed question stands.
_COLUMN_OF = {
    "id": "编号", "type": "题型", "stem": "题干", "answer": "答案", "answers": "答案", "explanation": "解析",
    "difficulty": "难度", "topics": "主题", "rights": "权利", "audiences": "受众", "source": "依据",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class QuestionSource:
    """A question, and where it stands."""

    parsed: Parsed
    file: str
    line: int
    path: str


@dataclass(frozen=True, slots=True)
class BankSource:
    """A bank as its file has it; `title` is None for a table."""

    name: str
    title: str | None
    file: str
    questions: list[QuestionSource]


def read_bank(source: SourceFile, problems: Problems) -> BankSource | None:
    """Read one bank, noting every mistake by line; None when nothing of it can be read."""
    if source.ending == "yaml":
        document = read_document(source, problems)
        return None if document is None else _read_yaml(document, problems)
    if source.ending in {"csv", "xlsx"}:
        rows = read_table(source, problems)
        return None if rows is None else _read_rows(source, rows, problems)
    problems.note(source.path, 1, "", "题库应为 .yaml、.csv 或 .xlsx 文件")
    return None


def read_bank_text(text: str, *, ending: str, name: str | None) -> BankSource:
    """Read a bank that was sent as text; raise `Invalid` naming every mistake with its row."""
    problems = Problems()
    if ending == "csv" and name is None:
        raise Invalid([FieldError("name", "表格须写明属于哪个题库。", "required")])
    bank = read_bank(SourceFile(f"{name or 'bank'}.{ending}", text.encode()), problems)
    if bank is not None:
        _note_repeated([bank], problems)
        if name is not None and bank.name != name:
            problems.note(bank.file, 1, "bank", f"文中的题库是“{bank.name}”，与 name 不同")
    if problems or bank is None:
        raise Invalid(
            [
                FieldError(f"text.{p.path}".rstrip("."), f"第 {p.line} 行：{p.reason}", "bad_row")
                for p in problems
            ]
        )
    return bank


def advice(bank: BankSource) -> list[str]:
    """Return what is not wrong with any question but with the bank: answers given away, near repetitions."""
    problems = Problems()
    _note_likeness([bank], problems)
    return [
        *tell_problems(tells([source.parsed for source in bank.questions])),
        *(p.reason for p in problems),
    ]


def _read_yaml(document: Document, problems: Problems) -> BankSource | None:
    value = document.value
    if not isinstance(value, dict):
        document.note(problems, "", "文件须写 bank、title 和 questions")
        return None
    for key in value:
        if key not in {"bank", "title", "questions"}:
            document.note(problems, key, "不认识的字段")
    reason = slug_reason(value.get("bank"))
    if reason:
        document.note(problems, "bank", f"题库名：{reason}")
    title = value.get("title")
    if not isinstance(title, str) or not 1 <= len(title.strip()) <= 60:
        document.note(problems, "title", "题库标题须为 1 到 60 个字")
    questions = value.get("questions")
    if not isinstance(questions, list) or not questions:
        document.note(problems, "questions", "应为题目列表，至少一道")
        return None
    found = []
    for index, raw in enumerate(questions):
        path = f"questions[{index}]"
        parsed, errors = parse(raw)
        for error in errors:
            document.note(problems, f"{path}.{error.field}".rstrip("."), error.reason)
        if parsed is not None:
            found.append(QuestionSource(parsed, document.file, document.line(path), path))
    return BankSource(str(value.get("bank")), str(title).strip(), document.file, found)


def _read_rows(source: SourceFile, rows: Sequence[Row], problems: Problems) -> BankSource:
    reason = slug_reason(source.stem)
    if reason:
        problems.note(source.path, 1, "", f"文件名就是题库名：{reason}")
    head = set(rows[0].cells) if rows else set()
    for name in _NEEDED:
        if rows and name not in head:
            problems.note(source.path, 1, name, "缺少这一列")
    for name in sorted(head - set(_COLUMNS)):
        problems.note(source.path, 1, name, "不认识的列")
    found = []
    for row in rows:
        parsed, errors = parse(raw_of(row.cells))
        for error in errors:
            problems.note(source.path, row.line, _column_of(error.field), error.reason)
        if parsed is not None:
            found.append(QuestionSource(parsed, source.path, row.line, "题干"))
    return BankSource(source.stem, None, source.path, found)


def _column_of(field: str) -> str:
    place = re.match(r"options\[(\d+)\]", field)
    if place and int(place[1]) < len(_OPTIONS):
        return _OPTIONS[int(place[1])]
    return _COLUMN_OF.get(re.split(r"[.\[]", field)[0], field)


def raw_of(cells: Mapping[str, str]) -> dict[str, Any]:
    """Turn a table's row into a question as YAML would have it; words that are not known stay, to be refused by name.

    答案 of a choice is its letters (`B`, `ABD`), of a judgement 对 or 错, of a fill-in one group per blank parted by
    `；`, ways to write it parted by `|`.
    """
    kind = cells.get("题型", "")
    answer = cells.get("答案", "")
    raw: dict[str, Any] = {
        "id": cells.get("编号", ""),
        "type": _TYPES.get(kind, kind),
        "stem": cells.get("题干", ""),
        "explanation": cells.get("解析", ""),
        "difficulty": _DIFFICULTIES.get(cells.get("难度", ""), cells.get("难度", "")),
        "topics": _words(cells.get("主题", ""), {}),
        "rights": _words(cells.get("权利", ""), _RIGHTS),
        "audiences": _words(cells.get("受众", ""), _AUDIENCES),
    }
    if cells.get("依据"):
        raw["source"] = _source(cells["依据"])
    if raw["type"] in {QuestionType.SINGLE, QuestionType.MULTIPLE}:
        letters = {letter for letter in answer.upper() if letter.isalpha()}
        texts = [cells.get(name, "") for name in _OPTIONS]
        while texts and not texts[-1]:
            texts.pop()
        raw["options"] = [{"text": text, "correct": "ABCDEF"[i] in letters} for i, text in enumerate(texts)]
        if letters - set("ABCDEF"[: len(texts)]):
            raw["answer"] = answer  # refused: names an option that is not there
    elif raw["type"] == QuestionType.TRUE_FALSE:
        raw["answer"] = _TRUTHS.get(answer, answer)
    else:
        raw["answers"] = [
            [way.strip() for way in re.split(r"[|｜]", blank) if way.strip()]
            for blank in re.split(r"[；;]", answer)
        ]
    return raw


def _words(cell: str, known: Mapping[str, str]) -> list[str]:
    return [known.get(word, word) for word in _LIST.split(cell) if word]


def _source(cell: str) -> dict[str, str]:
    found = re.fullmatch(r"《?(.+?)》?\s*(第[^》]+条.*)?", cell)
    assert found is not None
    return {"name": found[1], **({"article": found[2]} if found[2] else {})}


def _note_repeated(banks: Sequence[BankSource], problems: Problems) -> None:
    seen: dict[str, QuestionSource] = {}
    for source in _all(banks):
        first = seen.setdefault(source.parsed.ref, source)
        if first is not source:
            where = f"{first.file} 第 {first.line} 行"
            problems.note(source.file, source.line, source.path, f"编号“{source.parsed.ref}”与{where}重复")


def _note_likeness(banks: Sequence[BankSource], problems: Problems) -> None:
    passages = [
        Passage(
            source.file,
            source.line,
            source.path,
            "\n".join([source.parsed.content["stem"], *sorted(source.parsed.content["options"])]),
        )
        for source in _all(banks)
    ]
    note_duplicates(passages, problems, what="题目", threshold=SAME_QUESTION)


def _passages(banks: Sequence[BankSource]) -> Iterator[Passage]:
    """Yield what a learner will read of each question, answers and explanation included."""
    for source in _all(banks):
        content, key = source.parsed.content, source.parsed.key
        for text in (content["stem"], *content["options"], key["explanation"], *filter(None, key["whys"])):
            yield Passage(source.file, source.line, source.path, text)


def _said(source: QuestionSource) -> list[Passage]:
    """Return what a question says in its own voice: stem and explanation."""
    texts = (source.parsed.content["stem"], source.parsed.key["explanation"])
    return [Passage(source.file, source.line, source.path, text) for text in texts]


def _meant(source: QuestionSource) -> list[Passage]:
    """Return all that a question stands by: what it says, its right options, and why the others are wrong."""
    content, key = source.parsed.content, source.parsed.key
    right = [content["options"][index] for index in key["correct"]] if content["options"] else []
    texts = [*right, *filter(None, key["whys"])]
    return [*_said(source), *(Passage(source.file, source.line, source.path, text) for text in texts)]


def _all(banks: Sequence[BankSource]) -> Iterator[QuestionSource]:
    for bank in banks:
        yield from bank.questions


class QuestionsSection:
    """`content/questions/<bank>.{yaml,csv,xlsx}`."""

    name = "questions"
    label = "题库"
    folder = "questions"
    order = 20

    def read(self, files: Sequence[SourceFile], problems: Problems) -> list[BankSource]:
        """Read every bank."""
        read = [read_bank(source, problems) for source in files]
        return [bank for bank in read if bank is not None]

    def check(self, gathered: Gathered, problems: Problems) -> None:
        """Note refs and banks that are there twice, near repetitions, and banks that give their answers away."""
        banks: list[BankSource] = gathered.parsed.get(self.name, [])
        names: dict[str, str] = {}
        for bank in banks:
            if names.setdefault(bank.name, bank.file) != bank.file:
                problems.note(bank.file, 1, "bank", f"题库“{bank.name}”已在 {names[bank.name]} 中")
            measured = tells([source.parsed for source in bank.questions])
            for reason in tell_problems(measured):
                problems.note(bank.file, 1, "", reason)
            gathered.measures.append(f"{bank.file}：{tells_line(measured)}")
        if len(banks) > 1:
            whole = tells([source.parsed for source in _all(banks)])
            for reason in tell_problems(whole):
                problems.note(self.folder, 1, "", f"全部题库合起来：{reason}")
            gathered.measures.append(f"全部题库：{tells_line(whole)}")
        _note_repeated(banks, problems)
        _note_likeness(banks, problems)
        note_numbers(_passages(banks), problems, hotline=gathered.hotline)
        # the lines of a text file are looked at as they are
        books = [bank for bank in banks if bank.file.endswith(".xlsx")]
        note_addresses(_passages(books), problems, own=gathered.host)
        meant = [passage for source in _all(banks) for passage in _meant(source)]
        note_risky(meant, problems)
        note_absolute(meant, problems, gathered.advice)
        for source in _all(banks):
            content = source.parsed.content
            note_difficulty(_said(source), content["audiences"], gathered.advice, problems, file=source.file)
            gathered.count(QUESTIONS, content["rights"], content["audiences"])

    def import_(self, session: Session, parsed: Sequence[BankSource], importer: Importer) -> Counts:
        """Keep every question that differs as a new version; retire what a bank's file no longer has."""
        counts = Counts()
        for bank in parsed:
            saved = save_bank(
                session,
                name=bank.name,
                title=bank.title,
                questions=[source.parsed for source in bank.questions],
                by=importer.account,
                retire_at=now(),
            )
            counts.new += saved.new
            counts.changed += saved.changed
            counts.same += saved.same
            counts.retired += saved.retired
        return counts
