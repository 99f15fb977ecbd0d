"""Quizzes as files: the common front of every piece, and the paper."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from sqlalchemy.orm import Session

from edu_platform.library.content.sections import (
    Counts,
    Gathered,
    Importer,
    PieceSource,
    note_errors,
    read_meta,
)
from edu_platform.library.meta import KEYS
from edu_platform.library.source import Problems, SourceFile, read_document
from edu_platform.quizzes.content.banks import BankSource, QuestionsSection
from edu_platform.quizzes.rules import papers

POOL_TIMES: Final = 2
"""How many times its length a drawn quiz should have to draw from, so that a second sitting is another one."""


class QuizzesSection:
    """`content/quizzes/<slug>.yaml`."""

    name = "quizzes"
    label = "问答"
    folder = "quizzes"
    order = 35

    def read(self, files: Sequence[SourceFile], problems: Problems) -> list[PieceSource]:
        """Read every quiz."""
        found = []
        for source in files:
            if source.ending != "yaml":
                problems.note(source.path, 1, "", "这里只放 .yaml 文件")
                continue
            document = read_document(source, problems)
            if document is None:
                continue
            read = read_meta(document, problems, own=papers.FIELDS, cover=True)
            if not isinstance(document.value, dict):
                continue
            body = {key: value for key, value in document.value.items() if key not in KEYS}
            errors = papers.parse({key: value for key, value in body.items() if key in papers.FIELDS})[1]
            note_errors(document, errors, problems)
            if read is not None and not errors:
                found.append(PieceSource("quiz", *read, body, document))
        return found

    def check(self, gathered: Gathered, problems: Problems) -> None:
        """Note questions that no bank has and draws that the banks cannot fill; advise on draws that nearly empty them."""
        banks: list[BankSource] = gathered.parsed.get(QuestionsSection.name, [])
        known = [
            papers.Known(number, source.parsed.ref, bank.name, source.parsed.content)
            for number, (bank, source) in enumerate(
                ((bank, source) for bank in banks for source in bank.questions), 1
            )
        ]
        for piece in gathered.parsed.get(self.name, []):
            rules, _ = papers.parse(piece.body)
            assert rules is not None  # it was read without a mistake
            parts, errors = papers.resolve(rules, known)
            note_errors(piece.document, errors, problems)
            pool = {question for part in parts for question in part.pool}
            if rules.draw and parts and len(pool) < POOL_TIMES * rules.question_count:
                reason = (
                    f"抽 {rules.question_count} 道，可抽的只有 {len(pool)} 道，做两回就见全了："
                    f"宜有 {POOL_TIMES} 倍以上"
                )
                piece.document.note(gathered.advice, "paper.draw", reason)

    def import_(self, session: Session, parsed: Sequence[PieceSource], importer: Importer) -> Counts:
        """Bring each quiz through draft, review and publication where it, or a question of its own, differs."""
        counts = Counts()
        for piece in parsed:
            counts.add(importer.bring(session, piece), piece.slug)
        return counts


QUESTIONS = QuestionsSection()
QUIZZES = QuizzesSection()
