"""The kind `quiz`: a piece whose body prescribes a paper; its questions and their keys stay in this room."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from edu_platform.config.settings import Settings
from edu_platform.core.clock import timestamp
from edu_platform.core.errors import FieldError
from edu_platform.library import pictures
from edu_platform.library.kinds import Shown
from edu_platform.quizzes import queries
from edu_platform.quizzes.models import Paper
from edu_platform.quizzes.operations.known import paper_rules
from edu_platform.quizzes.operations.questions import known_questions, wholes
from edu_platform.quizzes.rules import papers
from edu_platform.quizzes.rules.papers import COUNTS_LABELS, QuizRules
from edu_platform.quizzes.rules.questions import TYPE_LABELS, QuestionType
from edu_platform.quizzes.rules.reveal import REVEAL_LABELS

SCORING_LABELS = {
    "none": "全对才得分",
    "proportional": "按答对的比例得分",
    "all_or_half": "少选且无错得一半分",
}


@dataclass(frozen=True)
class QuizKind:
    """The kind `quiz`. Neither card nor page nor searchable text holds a question, let alone an answer."""

    settings: Settings
    name: str = "quiz"
    label: str = "问答"

    def check(self, session: Session, body: Mapping[str, Any]) -> list[FieldError]:
        """Return everything that is wrong with a body: its shape, questions that are not there, draws that cannot be filled."""
        rules, errors = papers.parse(body)
        if rules is None:
            return errors
        return papers.resolve(rules, [known for known, _ in known_questions(session, rules)])[1]

    def depends(self, session: Session, body: Mapping[str, Any]) -> Any:
        """Return the digest of every question that the paper may hold (answers included), by ref."""
        rules, _ = papers.parse(body)
        if rules is None:
            return {}
        known = known_questions(session, rules)
        parts, _ = papers.resolve(rules, [question for question, _ in known])
        pooled = {version_id for part in parts for version_id in part.pool}
        return {"questions": {q.ref: digest for q, digest in known if q.id in pooled}}

    def public_text(self, body: Mapping[str, Any]) -> str:
        """Return nothing: title and summary say what a quiz is about, its questions are not for searching."""
        del body
        return ""

    def review_text(self, session: Session, body: Mapping[str, Any]) -> str:
        """Return every question that the paper may hold with its options, right answer and explanation."""
        rules, _ = papers.parse(body)
        if rules is None:
            return ""
        parts, _ = papers.resolve(rules, [known for known, _ in known_questions(session, rules)])
        pooled = {version_id for part in parts for version_id in part.pool}
        lines = [_rule_text(rules)]
        wanted = (
            queries.latest_versions(refs=rules.fixed)
            if rules.fixed
            else queries.latest_versions(banks={part.bank for part in rules.draw})
        )
        for whole in wholes(session, session.execute(wanted)):
            if whole.version.id in pooled:
                lines += ["", *_question_text(whole.question.ref, whole.version.content, whole.key)]
        return "\n".join(lines)

    def freeze(self, session: Session, shown: Shown) -> dict[str, Any]:
        """Pin the newest version of every question that the paper may hold, as the revision's paper; again gives the same."""
        paper = session.scalar(select(Paper).where(Paper.revision_id == shown.revision_id))
        if paper is None:
            rules, errors = papers.parse(shown.body)
            assert rules is not None, errors  # checked before it could be approved
            known = [question for question, _ in known_questions(session, rules)]
            parts, errors = papers.resolve(rules, known)
            assert parts, errors
            paper = Paper(
                revision_id=shown.revision_id,
                piece_id=shown.piece_id,
                body=dict(shown.body),
                source={"parts": [{"count": part.count, "pool": list(part.pool)} for part in parts]},
                counts=rules.counts,
                reveal=rules.reveal,
                closes_at=rules.closes_at,
            )
            session.add(paper)
            session.flush()
        return {"paper_id": str(paper.id), **paper.source}

    def is_ready(self, session: Session, shown: Shown) -> bool:
        """Say yes: a quiz can be taken before its cover is drawn."""
        del session, shown
        return True

    def prepare(self, session: Session, shown: Shown) -> None:
        """Want the cover drawn."""
        pictures.want_cover(session, self.settings, shown.meta, piece_id=shown.piece_id)

    def card(self, session: Session, shown: Shown) -> dict[str, Any]:
        """Return the cover, how long and how hard to pass the quiz is, and when it is open."""
        page = self.page(session, shown)
        names = ("cover", "question_count", "time_limit_seconds", "pass_mark", "opens_at", "closes_at")
        return {name: page[name] for name in names}

    def page(self, session: Session, shown: Shown) -> dict[str, Any]:
        """Return everything that a learner should know before beginning; the questions come with an attempt."""
        paper = session.scalars(select(Paper).where(Paper.revision_id == shown.revision_id)).one()
        rules = paper_rules(paper)
        pooled = {version_id for part in paper.source["parts"] for version_id in part["pool"]}
        types = {version.content["type"] for version in session.scalars(queries.versions(pooled))}
        return {
            "cover": pictures.show_cover(session, self.settings, shown.meta),
            "question_count": rules.question_count,
            "question_types": [
                {"type": type_.value, "label": TYPE_LABELS[type_]} for type_ in QuestionType if type_ in types
            ],
            "drawn": not rules.fixed,
            "points": rules.points,
            "max_score": rules.points * rules.question_count,
            "pass_mark": rules.pass_mark,
            "partial_credit": {
                "rule": rules.partial_credit.value,
                "label": SCORING_LABELS[rules.partial_credit],
            },
            "attempts": {"total": rules.total, "per_day": rules.per_day},
            "counts": {"rule": rules.counts.value, "label": COUNTS_LABELS[rules.counts]},
            "time_limit_seconds": rules.time_limit_seconds,
            "elder_variant": {"time_limit_seconds": None, "label": "长者版不限时"},
            "opens_at": rules.opens_at and timestamp(rules.opens_at),
            "closes_at": rules.closes_at and timestamp(rules.closes_at),
            "reveal": {"rule": rules.reveal.value, "label": REVEAL_LABELS[rules.reveal]},
        }


def _rule_text(rules: QuizRules) -> str:
    limit = f"{rules.time_limit_seconds} 秒" if rules.time_limit_seconds else "不限时"
    return (
        f"每份 {rules.question_count} 题，每题 {rules.points} 分，{rules.pass_mark}% 及格，{limit}，"
        f"{COUNTS_LABELS[rules.counts]}，{REVEAL_LABELS[rules.reveal]}。"
    )


def _question_text(ref: str, content: Mapping[str, Any], key: Mapping[str, Any]) -> list[str]:
    lines = [f"【{ref}】（{TYPE_LABELS[content['type']]}）{content['stem']}"]
    for index, text in enumerate(content["options"]):
        mark = "√" if index in key["correct"] else "×"
        why = f"（{key['whys'][index]}）" if key["whys"][index] else ""
        lines.append(f"{mark} {text}{why}")
    if content["type"] == QuestionType.TRUE_FALSE:
        lines.append(f"答案：{'正确' if key['correct'] else '错误'}")
    if content["type"] == QuestionType.FILL_IN:
        lines.append("答案：" + "；".join(" / ".join(accepted) for accepted in key["correct"]))
    lines.append(f"解析：{key['explanation']}")
    if key["source"]:
        lines.append(f"依据：{key['source']['name']}{key['source'].get('article', '')}")
    return lines
