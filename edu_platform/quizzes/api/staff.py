"""What staff do with questions: keep them, upload banks, see how they behave."""

from __future__ import annotations

from typing import Any

from edu_platform.core.db import reading, writing
from edu_platform.core.errors import FieldError, Invalid
from edu_platform.core.paging import Page, decode_cursor, encode_cursor
from edu_platform.core.vocabulary import Role
from edu_platform.core.web import blueprint
from edu_platform.people import guards
from edu_platform.quizzes import operations, queries
from edu_platform.quizzes.content.banks import advice, read_bank_text
from edu_platform.quizzes.rules.questions import parse
from edu_platform.quizzes.schemas import (
    BankGiven,
    BankSaved,
    QuestionFilter,
    QuestionGiven,
    QuestionHistoryView,
    QuestionSaved,
    QuestionStaffList,
    StatisticsView,
    question_view,
)

questions = blueprint("staff-questions", prefix="/staff/questions", description="编辑：题目")
banks = blueprint("staff-banks", prefix="/staff/banks", description="编辑：题库上传")
quizzes = blueprint("staff-quizzes", prefix="/staff/quizzes", description="统计：题目质量")


@questions.get("")
@guards.staff(Role.EDITOR)
@questions.arguments(QuestionFilter, location="query")
@questions.response(200, QuestionStaffList)
def list_questions(wanted: dict[str, Any]) -> Page[Any]:
    """List questions with their answers, by ref; filter by bank, type and difficulty, search ref and stem."""
    session, limit = reading(), wanted["limit"]
    after = decode_cursor(wanted["cursor"], str)[0] if wanted["cursor"] else None
    chosen = queries.filtered_questions(
        bank=wanted["bank"],
        type_=wanted["type"],
        difficulty=wanted["difficulty"],
        text=wanted["q"],
        after=after,
        retired=wanted["retired"],
    )
    rows = session.execute(chosen.limit(limit + 1)).all()
    cursor = encode_cursor(rows[limit - 1][0].ref) if len(rows) > limit else None
    return Page([question_view(whole) for whole in operations.wholes(session, rows[:limit])], cursor)


@questions.post("")
@guards.staff(Role.EDITOR)
@questions.arguments(QuestionGiven)
@questions.response(200, QuestionSaved)
def save_question(given: dict[str, Any]) -> dict[str, Any]:
    """Keep a question: a new one, or a new version of the one with this id; quizzes in print keep the version they pinned."""
    parsed, errors = parse(given["question"])
    if parsed is None:
        dotted = [FieldError(f"question.{e.field}".rstrip("."), e.reason, e.code) for e in errors]
        raise Invalid(dotted)
    with writing() as session:
        bank = operations.ensure_bank(session, given["bank"], None)
        outcome = operations.save_question(session, bank, parsed, by=guards.current_staff().id)
        return question_view(operations.question_of(session, parsed.ref), outcome=outcome)


@questions.get("/<ref>")
@guards.staff(Role.EDITOR)
@questions.response(200, QuestionHistoryView)
def get_question(ref: str) -> dict[str, Any]:
    """Return a question with its answers and the list of its versions."""
    session = reading()
    whole = operations.question_of(session, ref)
    return question_view(whole, versions=operations.versions_of(session, whole.question))


@banks.post("")
@guards.staff(Role.EDITOR)
@banks.arguments(BankGiven)
@banks.response(200, BankSaved)
def upload_bank(given: dict[str, Any]) -> dict[str, Any]:
    """Keep a whole bank, sent as YAML or CSV text; every mistake is named by row, and then nothing is kept."""
    bank = read_bank_text(given["text"], ending=given["format"], name=given["name"])
    with writing() as session:
        saved = operations.save_bank(
            session,
            name=bank.name,
            title=bank.title,
            questions=[source.parsed for source in bank.questions],
            by=guards.current_staff().id,
        )
    return {
        "bank": bank.name,
        "new": saved.new,
        "changed": saved.changed,
        "same": saved.same,
        "advice": advice(bank),
    }


@quizzes.get("/<slug>/statistics")
@guards.staff(Role.ANALYST, Role.EDITOR)
@quizzes.response(200, StatisticsView)
def get_statistics(slug: str) -> Any:
    """Show how hard each question of a quiz is, how well it discriminates, and what was chosen."""
    session = reading()
    piece = operations.quiz_of(session, slug)
    return operations.quiz_statistics(session, piece.id, piece.slug)
