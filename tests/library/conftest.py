"""A tiny kind of piece, real in all it does, and a desk that brings pieces through the gate."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

import pytest
from flask import Flask
from sqlalchemy.orm import Session

from edu_platform.core.db import writing
from edu_platform.core.errors import FieldError
from edu_platform.library import kinds, operations
from edu_platform.library.kinds import Shown
from edu_platform.library.models import Revision
from edu_platform.review import operations as review
from edu_platform.review.models import ReviewCase
from edu_platform.review.signals import case_decided

AUTHOR, REVIEWER, IMPORTER = 101, 202, 303


class NoteKind:
    """A note of plain text, that may quote another text, and may wait for a drawing."""

    name = "note"
    label = "便条"

    def __init__(self) -> None:
        self.quoted: dict[str, str] = {}
        self.waiting: set[str] = set()
        self.wanted: list[str] = []
        self.drawings: dict[str, str] = {}

    def check(self, session: Session, body: Mapping[str, Any]) -> list[FieldError]:
        if not isinstance(body.get("text"), str):
            return [FieldError("text", "应为一段文字", "not_text")]
        return []

    def depends(self, session: Session, body: Mapping[str, Any]) -> Any:
        return {"quoted": {name: self.quoted.get(name) for name in body.get("quotes", [])}}

    def public_text(self, body: Mapping[str, Any]) -> str:
        return body["text"]

    def review_text(self, session: Session, body: Mapping[str, Any]) -> str:
        return f"{body['text']}\n秘密：{body.get('secret', '')}"

    def freeze(self, session: Session, shown: Shown) -> dict[str, Any]:
        return {"pinned": self.depends(session, shown.body)}

    def is_ready(self, session: Session, shown: Shown) -> bool:
        return shown.slug not in self.waiting

    def prepare(self, session: Session, shown: Shown) -> None:
        if not self.is_ready(session, shown):
            self.wanted.append(shown.slug)

    def card(self, session: Session, shown: Shown) -> dict[str, Any]:
        drawing = self.drawings.get(shown.slug)
        cover = {"url": f"/media/{drawing}.png", "width": 4, "height": 3} if drawing else None
        return {"length": len(shown.body["text"]), "cover": cover, "title": "a kind cannot say this"}

    def page(self, session: Session, shown: Shown) -> dict[str, Any]:
        return {"text": shown.body["text"], "pinned": shown.frozen["pinned"]}


class Desk:
    """What staff do, each step in a transaction of its own."""

    def __init__(self, app: Flask, kind: NoteKind) -> None:
        self.app = app
        self.kind = kind

    def draft(self, slug: str, text: str = "正文", *, by: int | None = AUTHOR, **changes: Any) -> int:
        body = {"text": text, **changes.pop("body", {})}
        meta = {
            "title": changes.pop("title", f"题目 {slug}"[:30]),
            "summary": "一句话",
            "audiences": ["elderly"],
            "rights": ["property_safety"],
            "column": "risk-alerts",
            **changes,
        }
        with writing() as session:
            drafted = operations.draft_piece(session, kind="note", slug=slug, meta=meta, body=body, author=by)
            return drafted.id

    def submit(self, revision_id: int, *, by: int | None = AUTHOR) -> int:
        with writing() as session:
            return operations.submit(session, session.get_one(Revision, revision_id), by).id

    def approve(self, case_id: int, *, by: int = REVIEWER, digest: str | None = None) -> None:
        with writing() as session:
            case = session.get_one(ReviewCase, case_id)
            review.approve(session, case, digest=digest or case.digest, by=by)

    def send_back(self, case_id: int, comment: str = "标题太吓人", *, by: int = REVIEWER) -> None:
        with writing() as session:
            review.return_case(session, session.get_one(ReviewCase, case_id), comment=comment, by=by)

    def publish(self, revision_id: int, *, by: int = AUTHOR, at: datetime | None = None) -> None:
        with writing() as session:
            operations.publish(session, session.get_one(Revision, revision_id), by=by, at=at)

    def approved(self, slug: str, text: str = "正文", **changes: Any) -> int:
        revision_id = self.draft(slug, text, **changes)
        self.approve(self.submit(revision_id))
        return revision_id

    def published(self, slug: str, text: str = "正文", *, at: datetime | None = None, **changes: Any) -> int:
        revision_id = self.approved(slug, text, **changes)
        self.publish(revision_id, at=at)
        return revision_id

    def withdraw(self, slug: str, reason: str = "有误") -> None:
        with writing() as session:
            operations.withdraw(session, operations.piece_of(session, slug), by=REVIEWER, reason=reason)

    def state(self, revision_id: int) -> str:
        with writing() as session:
            return session.get_one(Revision, revision_id, populate_existing=True).state.value


@pytest.fixture
def note(monkeypatch: pytest.MonkeyPatch) -> NoteKind:
    kind = NoteKind()
    monkeypatch.setitem(kinds.registry, "note", kind)
    return kind


@pytest.fixture
def desk(app: Flask, note: NoteKind) -> Iterator[Desk]:
    case_decided.connect(operations.hear_decision)
    with app.app_context():
        with writing() as session:
            for position, (slug, title) in enumerate(
                [("risk-alerts", "风险提示"), ("risk-cases", "以案说险")], start=1
            ):
                operations.keep_column(session, slug=slug, title=title, intro="介绍", position=position)
        yield Desk(app, note)
