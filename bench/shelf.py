"""A shelf of a given size, published through the real gate: `python -m bench.shelf 1000`; `0 10` makes them ten
times as many.

Articles of some 2 KB in Chinese, spread over audiences, rights and columns; every seventh names 退保 in its text and
every fiftieth in its title, so that searching for it has something to rank.
"""

from __future__ import annotations

import sys
from datetime import date
from functools import lru_cache
from itertools import islice
from typing import Any

from sqlalchemy import inspect, select
from sqlalchemy.orm import Session, undefer

from edu_platform.campaigns.operations import running
from edu_platform.campaigns.operations.running import Plan
from edu_platform.core.db import db, reading, writing
from edu_platform.core.models import Base
from edu_platform.core.vocabulary import Audience, Right, Series
from edu_platform.factory.app import create_app
from edu_platform.factory.entry import settings_here
from edu_platform.library import operations, search
from edu_platform.library.models import (
    CatalogueEntry,
    EntryAudience,
    EntryRight,
    Piece,
    Popularity,
    Revision,
)
from edu_platform.review import operations as review

COLUMNS = ("risk-alerts", "risk-cases", "know-your-rights", "plain-finance")
AUTHOR, REVIEWER = 101, 202
A_TIME = 250
SENTENCES = (
    "接到陌生电话先不要着急，挂断以后自己拨打保险公司的官方热线核实，不向任何人提供验证码。",
    "凡是要求先交手续费、保证金的代办业务都要多问一句，正规机构办理业务不会让您把钱转到个人账户。",
    "签字之前把合同从头到尾读一遍，看不懂的地方请工作人员逐条解释，并把解释录在回执里。",
    "个人信息只在官方渠道填写，身份证照片、银行卡号和人脸视频不交给自称能帮忙的人。",
    "理财产品的过往业绩不代表将来，收益越高风险越大，养老的钱不放进看不懂的产品。",
)
SURRENDER = "有人劝您退保再买所谓高收益产品时，请先算清退保会损失多少，再向公司核实。"


def markdown(number: int) -> str:
    """Return some 2 KB of text, different for each piece."""
    told = [SENTENCES[(number + turn * 3) % len(SENTENCES)] for turn in range(14)]
    if number % 7 == 0:
        told[number % 14] = SURRENDER
    return f"第{number}篇。" + "\n\n".join("".join(told[start : start + 3]) for start in range(0, 14, 3))


def fill(count: int) -> None:
    """Publish `count` articles, and open a campaign that carries the first six."""
    app = create_app(settings_here())
    numbers = iter(range(count))
    with app.app_context():
        with writing() as session:
            for place, slug in enumerate(COLUMNS):
                operations.keep_column(session, slug=slug, title=f"栏目{place}", intro="介绍", position=place)
        while some := list(islice(numbers, A_TIME)):
            with writing() as session:
                for number in some:
                    _publish(session, number)
            db.session.expunge_all()
        today = date.today()  # noqa: DTZ011 - a campaign of the whole year, whatever the zone
        plan = Plan(
            name="全年宣传", theme="学会保护自己", series=Series.CONSUMER_RIGHTS_WEEK, branch="示例市分公司",
            starts_on=date(today.year, 1, 1), ends_on=date(today.year, 12, 31),
        )  # fmt: skip
        with writing() as session:
            pieces = [f"piece-{number}" for number in range(min(6, count))]
            made = running.create_campaign(
                session, code="bench", plan=plan, pieces=pieces, by="staff:1 bench"
            )
            running.open_campaign(session, made, by="staff:1 bench")


def _publish(session: Session, number: int) -> None:
    audiences, rights = list(Audience), list(Right)
    meta = {
        "title": f"第{number}课：{'退保之前先算账' if number % 50 == 0 else '先挂断再核实'}",
        "summary": "一句话说清楚这件事该怎么办。",
        "audiences": [audiences[number % len(audiences)].value],
        "rights": [rights[number % len(rights)].value],
        "column": COLUMNS[number % len(COLUMNS)],
    }
    body = {
        "markdown": markdown(number),
        "remember": ["先挂断再核实", "不说验证码", "不转账"],
        "actions": ["拨打官方热线核实"],
        "laws": [{"name": "中华人民共和国消费者权益保护法", "article": "第七条"}],
    }
    revision = operations.draft_piece(
        session, kind="article", slug=f"piece-{number}", meta=meta, body=body, author=AUTHOR
    )
    case = operations.submit(session, revision, AUTHOR)
    review.approve(session, case, digest=case.digest, by=REVIEWER)
    operations.publish(session, revision, by=AUTHOR)


def multiply(times: int) -> None:
    """Put every piece on the shelf `times` times in all: copies of what was rendered, each to be found by searching."""
    tokens = lru_cache(maxsize=None)(search.tokens)
    search.tokens = tokens
    app = create_app(settings_here())
    with app.app_context():
        entries = reading().scalars(select(CatalogueEntry).options(undefer("*"))).all()
        revisions = {row.id: row for row in reading().scalars(select(Revision))}
        reading().rollback()
        for time in range(1, times):
            with writing() as session:
                for entry in entries:
                    _copy(session, entry, revisions[entry.revision_id], f"{entry.slug}-{time}")
                operations.touch(session)
            db.session.expunge_all()


def _columns_of(row: Base) -> dict[str, Any]:
    names = [attribute.key for attribute in inspect(type(row)).column_attrs]
    return {name: getattr(row, name) for name in names if name != "id"}


def _copy(session: Session, entry: CatalogueEntry, revision: Revision, slug: str) -> None:
    piece = Piece(slug=slug, kind=entry.kind, first_published_at=entry.published_at)
    session.add(piece)
    session.flush()
    same = Revision(**{**_columns_of(revision), "piece_id": piece.id})
    session.add_all([same, Popularity(piece_id=piece.id)])
    session.flush()
    before = f'"id":"{entry.piece_id}","slug":"{entry.slug}"'.encode()
    named = f'"id":"{piece.id}","slug":"{slug}"'.encode()
    copied = CatalogueEntry(
        **{
            **_columns_of(entry),
            "piece_id": piece.id,
            "revision_id": same.id,
            "slug": slug,
            "card": entry.card.replace(before, named),
            "page": entry.page.replace(before, named),
        }
    )
    session.add(copied)
    session.flush()
    session.add_all(
        EntryAudience(entry_id=copied.id, audience=Audience(word)) for word in revision.meta["audiences"]
    )
    session.add_all(EntryRight(entry_id=copied.id, right=Right(word)) for word in revision.meta["rights"])
    search.put(session, copied.id, title=copied.title, body=copied.text)


if __name__ == "__main__":
    if int(sys.argv[1]):
        fill(int(sys.argv[1]))
    if len(sys.argv) > 2:
        multiply(int(sys.argv[2]))
