"""Banks and the versions of their questions."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from edu_platform.core.errors import Conflict, NotFound
from edu_platform.library.meta import slug_reason
from edu_platform.quizzes import queries
from edu_platform.quizzes.models import Question, QuestionBank, QuestionKey, QuestionVersion
from edu_platform.quizzes.rules.papers import Known, QuizRules
from edu_platform.quizzes.rules.questions import Parsed


@dataclass(frozen=True)
class Whole:
    """A question with everything that answers it: for staff, reviewers and judging."""

    question: Question
    version: QuestionVersion
    bank: str
    key: Mapping[str, Any]


@dataclass
class Saved:
    """What saving a bank did, in questions."""

    new: int = 0
    changed: int = 0
    same: int = 0
    retired: int = 0


def ensure_bank(session: Session, name: str, title: str | None) -> QuestionBank:
    """Return the bank, made or renamed where need be; without a title a known one keeps its own."""
    bank = session.scalar(select(QuestionBank).where(QuestionBank.name == name))
    if bank is None:
        bank = QuestionBank(name=name, title=title or name)
        session.add(bank)
        session.flush()  # questions name it by id
    elif title and bank.title != title:
        bank.title = title
    return bank


def save_question(session: Session, bank: QuestionBank, parsed: Parsed, *, by: int | None) -> str:
    """Keep a question as a new version where it differs from the newest; say `new`, `changed` or `same`.

    A retired one comes back into use, which is a change. Raise `Conflict` when the ref belongs to another bank. Papers
    that were published keep the version they pinned.
    """
    question = session.scalar(select(Question).where(Question.ref == parsed.ref).with_for_update())
    if question is None:
        question = Question(ref=parsed.ref, bank_id=bank.id, latest=0)
        session.add(question)
        session.flush()  # the version names it by id
        outcome = "new"
    else:
        if question.bank_id != bank.id:
            raise Conflict(f"题目编号 {parsed.ref} 已属于另一个题库，请换一个编号。", code="ref_taken")
        newest = session.scalars(
            select(QuestionVersion).where(
                QuestionVersion.question_id == question.id, QuestionVersion.number == question.latest
            )
        ).one()
        outcome = "same" if question.retired_at is None else "changed"
        question.retired_at = None
        if newest.digest == parsed.digest:
            return outcome
        outcome = "changed"
    question.latest += 1
    version = QuestionVersion(
        question_id=question.id,
        number=question.latest,
        content=parsed.content,
        digest=parsed.digest,
        author_id=by,
    )
    session.add(version)
    session.flush()  # the key names it by id
    session.add(QuestionKey(version_id=version.id, key=parsed.key))
    session.flush()
    return outcome


def save_bank(
    session: Session,
    *,
    name: str,
    title: str | None,
    questions: Sequence[Parsed],
    by: int | None,
    retire_at: datetime | None = None,
) -> Saved:
    """Keep every question of a bank; those that are not named stay as they are.

    With `retire_at` these are the whole bank as `by` keeps it: what else `by` had written in it is retired. What
    others have written, or changed since, is not touched.
    """
    bank = ensure_bank(session, name, title)
    saved = Saved()
    if retire_at is not None:
        for gone in session.scalars(queries.to_retire(bank.id, [parsed.ref for parsed in questions], by)):
            gone.retired_at = retire_at
            saved.retired += 1
    for parsed in sorted(questions, key=lambda q: q.ref):
        outcome = save_question(session, bank, parsed, by=by)
        setattr(saved, outcome, getattr(saved, outcome) + 1)
    return saved


def question_of(session: Session, ref: str) -> Whole:
    """Return the newest version of a question with its key, retired or not; NotFound otherwise."""
    wanted = queries.latest_versions(refs=[ref], retired=None)
    found = [] if slug_reason(ref) else wholes(session, session.execute(wanted))
    if not found:
        raise NotFound("没有这道题。")
    return found[0]


def versions_of(session: Session, question: Question) -> list[QuestionVersion]:
    """Return every version of a question, newest first."""
    return list(
        session.scalars(
            select(QuestionVersion)
            .where(QuestionVersion.question_id == question.id)
            .order_by(QuestionVersion.number.desc())
        )
    )


def wholes(session: Session, rows: Iterable[tuple[Question, QuestionVersion, str]]) -> list[Whole]:
    """Add the keys to selected versions."""
    listed = list(rows)
    keys = keys_of(session, [version.id for _, version, _ in listed])
    return [Whole(question, version, bank, keys[version.id]) for question, version, bank in listed]


def keys_of(session: Session, version_ids: Collection[int]) -> dict[int, Mapping[str, Any]]:
    """Return what answers each version: only for judging, for staff, or after `rules.reveal` was asked."""
    return {row.version_id: row.key for row in session.scalars(queries.keys(version_ids))}


def known_questions(session: Session, rules: QuizRules) -> list[tuple[Known, str]]:
    """Return the newest versions that a quiz may be made of, each with its digest: of questions in use."""
    wanted = (
        queries.latest_versions(refs=rules.fixed)
        if rules.fixed
        else queries.latest_versions(banks={part.bank for part in rules.draw})
    )
    return [
        (Known(version.id, question.ref, bank, version.content), version.digest)
        for question, version, bank in session.execute(wanted)
    ]
