"""Checking and importing a whole tree: every mistake at once, all or nothing, only what changed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from flask import Flask
from sqlalchemy import func, select

from edu_platform.config.settings import Settings
from edu_platform.core.db import db, writing
from edu_platform.core.models import Base
from edu_platform.library import kinds, operations, queries
from edu_platform.library.articles import ArticleKind
from edu_platform.library.content import run
from edu_platform.library.content.run import Refused, Report
from edu_platform.library.models import CatalogueEntry, Piece, Revision
from edu_platform.library.tasks.drawing import remaining
from edu_platform.review.models import CaseState, ReviewCase

SLUGS = ["hang-up-first", "hang-up-poster", "keep-your-code"]


def change(path: Path, before: str, after: str) -> None:
    text = path.read_text()
    assert before in text
    path.write_text(text.replace(before, after, 1))


def found(root: Path) -> list[tuple[str, int, str]]:
    return [(p.file, p.line, f"{p.path}: {p.reason}") for p in run.check(root).problems]


def bring(root: Path, settings: Settings) -> Report:
    with writing() as session:
        return run.import_(session, root, settings=settings)


def rows() -> dict[str, int]:
    """Count the rows of every table."""
    with db.engine.connect() as connection:
        return {
            table.name: connection.scalar(select(func.count()).select_from(table)) or 0
            for table in Base.metadata.sorted_tables
        }


def test_good_material_has_no_problem(tree: Path) -> None:
    report = run.check(tree)
    assert [str(p) for p in report.problems] == []
    assert report.read == {"illustrations": 0, "columns": 1, "articles": 2, "posters": 1, "videos": 0}


FIRST, SECOND, POSTER = (
    "articles/hang-up-first.md",
    "articles/keep-your-code.md",
    "posters/hang-up-poster.yaml",
)
MISTAKES = [
    (FIRST, "audiences: [elderly]", "audiences: [grandparents]", 4, "没有这个受众“grandparents”"),
    (FIRST, "rights: [property_safety,", "rights: [property,", 5, "没有这个权利“property”"),
    (FIRST, "column: risk-alerts", "column: gossip", 6, "没有“gossip”这个栏目"),
    (FIRST, "illustration: phone-hang-up", "illustration: no-such-thing", 7, "没有名为“no-such-thing”的插图"),
    (FIRST, "ground: amber", "ground: pink", 7, "没有这个底色“pink”"),
    (FIRST, "  - 不给验证码\n", "", 8, "须正好 3 条，现有 2 条"),
    (FIRST, "不交手续费", "不交手续费" * 9, 10, "最多 40 字，现有 45 字"),
    (
        FIRST,
        "laws:\n  - {name: 中华人民共和国个人信息保护法, article: 第二十八条}",
        "laws: []",
        14,
        "须有 1 到 8 条",
    ),
    (FIRST, "article: 第二十八条", "article: 28", 15, "第几条"),
    (FIRST, "related: [keep-your-code,", "related: [not-written-yet,", 16, "没有“not-written-yet”这个内容"),
    (FIRST, "related: [keep-your-code,", "related: [hang-up-first,", 16, "不能与自己相关"),
    (FIRST, "title: 先挂断再核实", "title: " + "长" * 31, 2, "最多 30 字，现有 31 字"),
    (FIRST, "title: 先挂断再核实\n", "", 2, "title: 缺少这一项"),
    (FIRST, "column: risk-alerts", "column: risk-alerts\nauthor: 老王", 7, "author: 不认识的字段"),
    (FIRST, "related:", "publish_at: 2026-03-01\nrelated:", 16, "应为带时区的时间"),
    (
        FIRST,
        "related:",
        "publish_at: 2026-03-02T00:00:00+08:00\nexpire_at: 2026-03-01T00:00:00+08:00\nrelated:",
        17,
        "须晚于 publish_at",
    ),
    (FIRST, "title: 先挂断再核实", "title: {hotline} 是骗子", 2, "YAML 写法有误"),
    (FIRST, "拨打 {hotline} 核实", "拨打 {phone} 核实", 13, "不认识的占位符 {phone}"),
    (FIRST, "## 事情是这样的", "## 事情是<b>这样</b>的", 18, "不能写 HTML"),
    (FIRST, "## 事情是这样的", "## 看[这里](https://example.com)", 18, "链接只能写"),
    (
        FIRST,
        "## 事情是这样的",
        "## 看[这里](piece:not-written-yet)",
        18,
        "链接到的内容“not-written-yet”不存在",
    ),
    (FIRST, "## 事情是这样的", "![图](illustration:no-such-thing)", 18, "没有名为“no-such-thing”的插图"),
    (FIRST, "## 事情是这样的", "![](illustration:phone-hang-up)", 18, "缺少替代文字"),
    (FIRST, "## 事情是这样的", "## 加微信13812345678", 18, "不能出现电话号码 13812345678"),
    (FIRST, "## 事情是这样的", "## 本产品保本保息", 18, "保证收益"),
    (FIRST, "## 事情是这样的", "# 事情是这样的", 18, "从 ## 开始"),
    (POSTER, "audiences: [elderly]", "audiences: [grandparents]", 3, "没有这个受众“grandparents”"),
    (POSTER, "template: warning", "template: wanted", 6, "没有“wanted”这种模板"),
    (POSTER, "claim: 先挂断，再核实", "claim: 先挂断再核实然后告诉家里人", 7, "不超过 12 个字"),
    (
        POSTER,
        "illustration: phone-hang-up",
        "illustration: no-such-thing",
        10,
        "没有名为“no-such-thing”的插图",
    ),
    (POSTER, "alt: 一根手指按下红色的挂断键。写着先挂断再核实。\n", "", 1, "alt: 缺少这一项"),
    (POSTER, "title: 陌生来电，先挂断", "title: [陌生来电", 2, "YAML 写法有误"),
    ("columns.yaml", "order: 1", "order: 一", 4, "应为 0 到 999 的整数"),
]


@pytest.mark.parametrize(("file", "before", "after", "line", "part"), MISTAKES)
def test_a_mistake_is_named_by_file_line_and_reason(
    tree: Path, file: str, before: str, after: str, line: int, part: str
) -> None:
    change(tree / file, before, after)
    problems = found(tree)
    mine = [(at, reason) for name, at, reason in problems if name == file]
    assert len(mine) == 1, problems
    assert mine[0][0] == line
    assert part in mine[0][1]


def test_all_mistakes_of_all_files_are_listed_at_once_and_none_follows_from_another(tree: Path) -> None:
    change(tree / FIRST, "audiences: [elderly]", "audiences: [grandparents]")
    change(tree / FIRST, "ground: amber", "ground: pink")
    change(tree / SECOND, "laws:", "laws: []\nnotes:")
    change(tree / POSTER, "template: warning", "template: wanted")
    assert [(file, line) for file, line, _ in found(tree)] == [
        (FIRST, 4), (FIRST, 7), (SECOND, 14), (SECOND, 15), (POSTER, 6),
    ]  # fmt: skip


def test_two_slugs_alike_are_refused_over_all_sections(tree: Path) -> None:
    (tree / "posters/hang-up-first.yaml").write_text((tree / POSTER).read_text())
    problems = found(tree)
    # posters are read first: the one that comes second is told, and of whom it took the name
    assert [(file, line) for file, line, _ in problems] == [("articles/hang-up-first.md", 1)]
    assert "posters/hang-up-first.yaml" in problems[0][2]


def test_a_paragraph_that_repeats_another_articles_is_found(
    tree: Path, write_article: Callable[..., str]
) -> None:
    stolen = write_article("hang-up-first", "x").split("\n\n")[5].replace("民警", "警察")
    with (tree / SECOND).open("a") as file:
        file.write("\n" + stolen + "\n")
    problems = found(tree)
    assert [(file, "几乎相同" in reason and FIRST in reason) for file, _, reason in problems] == [
        (SECOND, True)
    ]
    assert (tree / SECOND).read_text().splitlines()[problems[0][1] - 1] == stolen


def test_a_file_name_that_is_no_slug_and_a_stray_file_are_refused(tree: Path) -> None:
    (tree / POSTER).rename(tree / "posters/Hang_Up.yaml")
    (tree / "articles/notes.txt").write_text("x")
    change(tree / FIRST, "keep-your-code, hang-up-poster", "keep-your-code")
    assert [(file, line) for file, line, _ in found(tree)] == [
        ("articles/notes.txt", 1), ("posters/Hang_Up.yaml", 1),
    ]  # fmt: skip


def test_a_folder_that_is_not_there_is_a_problem(tmp_path: Path) -> None:
    assert not run.check(tmp_path / "nothing").ok


# ---- importing


def test_everything_goes_through_review_to_publication(
    library: Flask, tree: Path, settings: Settings
) -> None:
    report = bring(tree, settings)
    assert {name: counts.new for name, counts in report.counts.items()} == {
        "illustrations": 0, "columns": 1, "articles": 2, "posters": 1, "videos": 0,
    }  # fmt: skip
    session = db.session()
    assert sorted(session.scalars(select(Piece.slug))) == SLUGS
    cases = session.scalars(select(ReviewCase)).all()
    assert len(cases) == 3
    assert {case.state for case in cases} == {CaseState.APPROVED}
    assert all(case.author_id is None and case.decided_by for case in cases)
    assert all("articles/" in case.comment or "posters/" in case.comment for case in cases)
    assert {revision.state.value for revision in session.scalars(select(Revision))} == {"published"}


def test_a_second_import_changes_nothing(library: Flask, tree: Path, settings: Settings) -> None:
    bring(tree, settings)
    before = rows()
    token = db.session().scalar(queries.version().with_only_columns(queries.CatalogueVersion.token))
    report = bring(tree, settings)
    assert all(not (c.new or c.changed or c.kept) for c in report.counts.values())
    assert sum(c.same for c in report.counts.values()) == 4
    assert rows() == before
    assert db.session().scalar(queries.version().with_only_columns(queries.CatalogueVersion.token)) == token


def test_one_changed_file_is_one_new_revision(library: Flask, tree: Path, settings: Settings) -> None:
    bring(tree, settings)
    change(tree / SECOND, "不交手续费", "不先交钱")
    report = bring(tree, settings)
    assert (report.counts["articles"].changed, report.counts["articles"].same) == (1, 1)
    newest = (
        select(Piece.slug, func.max(Revision.number).label("number"))
        .join(Revision.piece)
        .group_by(Piece.slug)
    )
    numbers = {row.slug: row.number for row in db.session().execute(newest)}
    assert numbers == {"hang-up-first": 1, "hang-up-poster": 1, "keep-your-code": 2}
    live = db.session().scalars(select(Revision).where(Revision.state == "published")).all()
    assert sorted(revision.number for revision in live) == [1, 1, 2]


def test_nothing_is_half_imported_when_a_file_is_wrong(
    library: Flask, tree: Path, settings: Settings
) -> None:
    bring(tree, settings)
    before = rows()
    change(tree / SECOND, "不交手续费", "不先交钱")
    change(tree / POSTER, "template: warning", "template: wanted")
    with pytest.raises(Refused) as refused:
        bring(tree, settings)
    assert [p.file for p in refused.value.report.problems] == [POSTER]
    assert rows() == before


def test_nothing_is_half_imported_when_the_database_refuses_late(
    library: Flask, tree: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = rows()
    # the check passes for a sample house; this one's name is too long for any poster
    monkeypatch.setattr(
        "edu_platform.library.posters.house_of",
        lambda *_, **__: __import__("edu_platform.media.drawing.posters", fromlist=["House"]).House(
            issuer="很长的名字" * 60, programme="消保守护" * 40, hotline="95519" * 20
        ),
    )
    with pytest.raises(Refused) as refused:
        bring(tree, settings)
    assert {p.file for p in refused.value.report.problems} == {POSTER}
    assert rows() == before


def test_what_staff_have_edited_is_kept(library: Flask, tree: Path, settings: Settings) -> None:
    bring(tree, settings)
    with writing() as session:
        piece = operations.piece_of(session, "keep-your-code")
        latest = session.scalars(queries.revisions(piece.id)).first()
        assert latest is not None
        operations.draft_piece(
            session,
            kind="article",
            slug=piece.slug,
            meta={**latest.meta, "title": "编辑改过的题目"},
            body=latest.body,
            author=7,
        )
    change(tree / SECOND, "不交手续费", "不先交钱")
    report = bring(tree, settings)
    assert report.counts["articles"].kept == ["keep-your-code"]
    titles = [r.meta["title"] for r in db.session().scalars(queries.revisions(piece.id))]
    assert titles == ["编辑改过的题目", "六个数字值多少钱"]


def test_what_staff_have_withdrawn_stays_withdrawn(library: Flask, tree: Path, settings: Settings) -> None:
    bring(tree, settings)
    with writing() as session:
        operations.withdraw(session, operations.piece_of(session, "keep-your-code"), by=7, reason="有误")
    assert bring(tree, settings).counts["articles"].same == 2
    change(tree / SECOND, "不交手续费", "不先交钱")
    assert bring(tree, settings).counts["articles"].kept == ["keep-your-code"]
    entries = select(CatalogueEntry.slug)
    assert "keep-your-code" not in db.session().scalars(entries).all()


def test_drawings_are_wanted_and_counted(library: Flask, tree: Path, settings: Settings) -> None:
    bring(tree, settings)
    assert remaining(db.session()) == {"picture": 2, "poster": 1, "paper": 1}


def test_progress_is_told(library: Flask, tree: Path, settings: Settings) -> None:
    told: list[tuple[str, int, int]] = []
    with writing() as session:
        run.import_(session, tree, settings=settings, progress=lambda *step: told.append(step))
    assert ("图文", 1, 2) in told
    assert ("图文", 2, 2) in told
    assert ("海报", 1, 1) in told


def test_another_hotline_reaches_pages_that_are_published_already(
    library: Flask, tree: Path, settings: Settings
) -> None:
    bring(tree, settings)
    with library.test_client() as client:
        assert "拨打 95519" in client.get("/api/v1/pieces/hang-up-first").text
        changed = replace(settings, hotline="4008001234")
        kinds.register(ArticleKind(changed))
        try:
            report = bring(tree, changed)
        finally:
            kinds.register(ArticleKind(settings))
        assert report.counts["articles"].same == 2, "no new revision: what was approved stands"
        page = client.get("/api/v1/pieces/hang-up-first").text
        assert "拨打 4008001234" in page
        assert "95519" not in page
