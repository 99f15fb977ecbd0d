"""Real articles, published through the gate."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from flask import Flask

from edu_platform.config.settings import Settings
from edu_platform.core.db import db, writing
from edu_platform.library import kinds, operations
from edu_platform.library.articles import ArticleKind
from edu_platform.people import registry
from edu_platform.people.signals import learner_merged
from edu_platform.review import operations as review
from edu_platform.review.signals import case_decided
from edu_platform.shelf.operations import HOLDING, follow_merge

AUTHOR, REVIEWER = 101, 202
BODY = {
    "markdown": "接到陌生电话先不要着急，挂断以后自己拨打保险公司的官方热线核实，不向任何人提供验证码。",
    "remember": ["先挂断再核实", "不说验证码", "不转账"],
    "actions": ["拨打官方热线核实"],
    "laws": [{"name": "中华人民共和国消费者权益保护法", "article": "第七条"}],
}


@pytest.fixture(autouse=True)
def wired(app: Flask, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """Connect what the factory connects; connecting twice changes nothing."""
    monkeypatch.setitem(kinds.registry, "article", ArticleKind(settings))
    case_decided.connect(operations.hear_decision)
    learner_merged.connect(follow_merge)
    registry.register(HOLDING)


@pytest.fixture
def publish(app: Flask) -> Callable[..., int]:
    """Publish an article under a slug and return the piece's id."""

    def bring_out(slug: str) -> int:
        meta = {
            "title": f"题目{slug}",
            "summary": "一句话说清楚这件事该怎么办。",
            "audiences": ["elderly"],
            "rights": ["property_safety"],
            "column": "risk-alerts",
        }
        with app.app_context():
            with writing() as session:
                operations.keep_column(
                    session, slug="risk-alerts", title="风险提示", intro="介绍", position=1
                )
                revision = operations.draft_piece(
                    session, kind="article", slug=slug, meta=meta, body=BODY, author=AUTHOR
                )
                case = operations.submit(session, revision, AUTHOR)
                review.approve(session, case, digest=case.digest, by=REVIEWER)
                operations.publish(session, revision, by=AUTHOR)
                piece_id = revision.piece_id
            db.session.remove()
        return piece_id

    return bring_out


@pytest.fixture
def withdraw(app: Flask) -> Callable[[str], None]:
    """Withdraw a piece."""

    def take_back(slug: str) -> None:
        with app.app_context():
            with writing() as session:
                operations.withdraw(session, operations.piece_of(session, slug), by=REVIEWER, reason="有误")
            db.session.remove()

    return take_back
