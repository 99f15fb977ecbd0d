"""Published articles and open campaigns, made through the real gate and the real operations."""

from __future__ import annotations

from datetime import date
from typing import Any

from flask import Flask

from edu_platform.campaigns.operations import running
from edu_platform.campaigns.operations.running import Plan
from edu_platform.core.db import db, writing
from edu_platform.core.vocabulary import Audience, Channel, Series
from edu_platform.library import operations
from edu_platform.review import operations as review

BODY = {
    "markdown": "接到陌生电话先不要着急，挂断以后自己拨打保险公司的官方热线核实，不向任何人提供验证码。",
    "remember": ["先挂断再核实", "不说验证码", "不转账"],
    "actions": ["拨打官方热线核实"],
    "laws": [{"name": "中华人民共和国消费者权益保护法", "article": "第七条"}],
}


def draft(app: Flask, slug: str, *audiences: Audience, publish: bool = True) -> int:
    """Bring an article as far as a draft, or out; return the piece's id."""
    meta = {
        "title": f"题目{slug}",
        "summary": "一句话说清楚这件事该怎么办。",
        "audiences": [word.value for word in audiences or (Audience.ELDERLY,)],
        "rights": ["property_safety"],
        "column": "risk-alerts",
    }
    with app.app_context():
        with writing() as session:
            operations.keep_column(session, slug="risk-alerts", title="风险提示", intro="介绍", position=1)
            revision = operations.draft_piece(
                session, kind="article", slug=slug, meta=meta, body=BODY, author=101
            )
            if publish:
                case = operations.submit(session, revision, 101)
                review.approve(session, case, digest=case.digest, by=202)
                operations.publish(session, revision, by=101)
            piece_id = revision.piece_id
        db.session.remove()
    return piece_id


def campaign(
    app: Flask,
    code: str,
    starts_on: date,
    ends_on: date,
    *,
    pieces: list[str] | None = None,
    opened: bool = True,
    codes: dict[str, Channel] | None = None,
    **changes: Any,
) -> int:
    """Make a campaign and open it; return its id."""
    plan = Plan(
        **{
            "name": f"活动{code}",
            "theme": "学会保护自己",
            "series": Series.CONSUMER_RIGHTS_WEEK,
            "branch": "示例市分公司",
            "starts_on": starts_on,
            "ends_on": ends_on,
            **changes,
        }
    )
    with app.app_context():
        with writing() as session:
            made = running.create_campaign(
                session, code=code, plan=plan, pieces=pieces or [], by="staff:1 测试"
            )
            for text, channel in (codes or {}).items():
                running.add_channel_code(session, made, channel=channel, code=text, by="staff:1 测试")
            if opened:
                running.open_campaign(session, made, by="staff:1 测试")
            campaign_id = made.id
        db.session.remove()
    return campaign_id
