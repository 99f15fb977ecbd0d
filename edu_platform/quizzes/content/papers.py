"""Quizzes as files: the common front of every piece, and the paper."""

from __future__ import annotations

from collections.abc import Sequence

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
        """Note questions that no bank has and draws that the banks cannot fill."""
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
            note_errors(piece.document, papers.resolve(rules, known)[1], problems)

    def import_(self, session: Session, parsed: Sequence[PieceSource], importer: Importer) -> Counts:
        """Bring each quiz through draft, review and publication where it, or a question of its own, differs."""
        counts = Counts()
        for piece in parsed:
            counts.add(importer.bring(session, piece), piece.slug)
        return counts


QUESTIONS = QuestionsSection()
QUIZZES = QuizzesSection()
