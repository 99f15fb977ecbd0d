"""A quiz, published through the real gate: bank, draft, review, publication."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from flask import Flask

from edu_platform.core import clock
from edu_platform.core.db import writing
from edu_platform.core.vocabulary import Role
from edu_platform.library import operations as library
from edu_platform.quizzes import operations
from edu_platform.quizzes.rules.questions import parse
from edu_platform.review import operations as review
from tests.cast import staff_member

T0 = datetime(2026, 3, 15, 1, tzinfo=UTC)  # 09:00 in Shanghai
META = {
    "title": "测验",
    "summary": "几道题，几分钟。",
    "audiences": ["elderly"],
    "rights": ["property_safety"],
    "column": "risk-alerts",
    "cover": {"illustration": "quiz-bulb", "ground": "sky"},
    "related": [],
    "keywords": [],
}
# What must never be seen before its time; option texts themselves are shown.
CANARY = "机密解析"


def single(ref: str, right: int = 1, **changes: Any) -> dict[str, Any]:
    options = [{"text": f"{ref}选项{'甲乙丙丁'[i]}", "correct": i == right} for i in range(4)]
    for option in options:
        if not option["correct"]:
            option["why"] = f"{CANARY}：{ref}这一项错在哪里"
    return {
        "id": ref,
        "type": "single",
        "stem": f"下面哪一个是{ref}的正确做法？",
        "options": options,
        "explanation": f"{CANARY}：{ref}要这样做才稳妥，因为道理在此。",
        "difficulty": "easy",
        "source": {"name": f"{CANARY}法"},
        **changes,
    }


def multiple(ref: str, right: tuple[int, ...] = (0, 2)) -> dict[str, Any]:
    raw = single(ref)
    raw["type"] = "multiple"
    raw["options"] = [{"text": f"{ref}选项{'甲乙丙丁'[i]}", "correct": i in right} for i in range(4)]
    return raw


def true_false(ref: str, answer: bool = True) -> dict[str, Any]:
    raw = single(ref, type="true_false", answer=answer)
    del raw["options"]
    return raw


def fill_in(ref: str, accepted: str = "机密答案") -> dict[str, Any]:
    raw = single(ref, type="fill_in", stem=f"{ref}应当填写____才对。", answers=[[accepted, "备选写法"]])
    del raw["options"]
    return raw


QUESTIONS = [single("q-1", 1), single("q-2", 2), multiple("q-3"), true_false("q-4"), fill_in("q-5")]
FIXED = {"paper": {"fixed": [q["id"] for q in QUESTIONS]}}


class Desk:
    """The staff of these tests: keeps questions, publishes quizzes."""

    def __init__(self, app: Flask) -> None:
        self.app = app
        self.editor, self.editor_headers = staff_member(app, Role.EDITOR)
        self.reviewer, _ = staff_member(app, Role.REVIEWER)
        with app.app_context(), writing() as session:
            library.keep_column(session, slug="risk-alerts", title="风险提示", intro="提醒。", position=1)

    def keep(self, questions: list[dict[str, Any]] = QUESTIONS, bank: str = "bank") -> None:
        parsed = []
        for raw in questions:
            good, errors = parse(raw)
            assert good, errors
            parsed.append(good)
        with self.app.app_context(), writing() as session:
            operations.save_bank(session, name=bank, title="题库", questions=parsed, by=self.editor)

    def publish(self, slug: str = "quiz", questions: list[dict[str, Any]] = QUESTIONS, **body: Any) -> int:
        """Publish a quiz at the present moment; its piece's id."""
        self.keep(questions)
        body = {"paper": {"fixed": [q["id"] for q in questions]}, **body}
        with self.app.app_context(), writing() as session:
            revision = library.draft_piece(
                session, kind="quiz", slug=slug, meta=META, body=body, author=self.editor
            )
            case = library.submit(session, revision, self.editor)
            review.approve(session, case, digest=revision.digest, by=self.reviewer)
            library.publish(session, revision, by=self.editor)
            return revision.piece_id


_CLIENT_IDS = itertools.count(1)


class Taker:
    """A learner with a test client of their own."""

    def __init__(self, app: Flask, who: tuple[int, dict[str, str]]) -> None:
        self.id, self.headers = who
        self.client = app.test_client()

    def get(self, path: str, **options: Any) -> Any:
        return self.client.get(f"/api/v1{path}", headers=self.headers, **options)

    def post(self, path: str, body: Any = None) -> Any:
        return self.client.post(f"/api/v1{path}", headers=self.headers, json=body)

    def start(self, slug: str = "quiz", *, status: int = 201, **body: Any) -> dict[str, Any]:
        body.setdefault("client_id", f"c-{next(_CLIENT_IDS)}")
        response = self.post(f"/quizzes/{slug}/attempts", body)
        assert response.status_code == status, response.json
        return response.json

    def save(self, attempt: dict[str, Any], number: int, answer: Any, *, status: int = 200) -> dict[str, Any]:
        response = self.client.put(
            f"/api/v1/attempts/{attempt['id']}/answers/{number}",
            headers=self.headers,
            json={"answer": answer},
        )
        assert response.status_code == status, response.json
        return response.json

    def submit(self, attempt: dict[str, Any], *, status: int = 200) -> dict[str, Any]:
        response = self.post(f"/attempts/{attempt['id']}/submit")
        assert response.status_code == status, response.json
        return response.json

    def answer(self, attempt: dict[str, Any], right: int) -> None:
        """Answer the first `right` questions rightly and the others wrongly."""
        for question in attempt["questions"]:
            self.save(attempt, question["number"], answer_to(question, right=question["number"] <= right))

    def sit(self, right: int, slug: str = "quiz", **body: Any) -> dict[str, Any]:
        """Start, answer so many rightly, submit."""
        attempt = self.start(slug, **body)
        self.answer(attempt, right)
        return self.submit(attempt)


def answer_to(question: dict[str, Any], *, right: bool) -> Any:
    """The right (or a wrong) answer to a question of QUESTIONS, as a client that knows the bank would send it."""
    by_text = {option["text"][-1]: option["id"] for option in question["options"]}
    if question["type"] == "true_false":
        return right
    if question["type"] == "fill_in":
        return ["机密答案" if right else "不知道"]
    if question["type"] == "multiple":
        return [by_text["甲"], by_text["丙"]] if right else [by_text["乙"]]
    good = "丙" if "q-2" in question["stem"] else "乙"
    return by_text[good] if right else by_text["丁"]


@pytest.fixture
def desk(app: Flask) -> Iterator[Desk]:
    with clock.frozen(T0):
        yield Desk(app)


class Clock:
    """A clock that tests move."""

    def __init__(self) -> None:
        self.now = T0

    def __call__(self) -> datetime:
        return self.now

    def pass_(self, **by: float) -> None:
        self.now += timedelta(**by)


@pytest.fixture
def time() -> Iterator[Clock]:
    moving = Clock()
    with clock.frozen(moving):
        yield moving
