"""Articles: Markdown into blocks that a mini-program may trust, and into sentences for a voice."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
from flask import Flask
from hypothesis import given, settings
from hypothesis import strategies as st

from edu_platform.config.settings import Settings
from edu_platform.core.db import db
from edu_platform.library.articles import ArticleKind, check_body, parse_markdown
from edu_platform.library.kinds import Shown
from edu_platform.library.richtext import TRUSTED, read_markdown

# the whole list of wechat.md §11.2
WECHAT = set(
    re.findall(
        r"\w+",
        "a abbr address article aside b bdi bdo big blockquote br caption center cite code col colgroup dd del div dl "
        "dt em fieldset font footer h1 h2 h3 h4 h5 h6 header hr i img ins label legend li mark nav ol p pre q rt ruby "
        "s section small span strong sub sup table tbody td tfoot th thead tr tt u ul",
    )
)
TYPES = {"heading", "paragraph", "list", "quote", "image", "table", "code", "call", "piece", "rule"}


def blocks(text: str) -> list[dict[str, Any]]:
    return read_markdown(text, hotline="95519").blocks


def nodes_in(value: Any) -> Iterator[dict[str, Any]]:
    if isinstance(value, dict):
        if "name" in value or value.get("type") == "text":
            yield value
        for inner in value.values():
            yield from nodes_in(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from nodes_in(inner)


def test_every_node_name_is_one_that_wechat_trusts() -> None:
    assert TRUSTED <= WECHAT
    assert not TRUSTED & {"a", "img"}, "links cannot be tapped and images are blocks"


def test_each_way_of_writing_is_its_block() -> None:
    text = (
        "## 小标题\n\n一段**要紧的**话。\n\n- 甲\n  1. 乙\n- 丙\n\n> 引一句\n\n![一把锁](illustration:lock-identity)\n\n"
        "| 名 | 值 |\n|-|-|\n| 一 | 二 |\n\n---\n\n[拨打](tel:{hotline})\n\n[接着读](piece:hang-up-first)\n"
    )
    found = blocks(text)
    assert [block["type"] for block in found] == [
        "heading", "paragraph", "list", "quote", "image", "table", "rule", "call", "piece",
    ]  # fmt: skip
    heading, paragraph, items, quote, image, table, _, call, piece = found
    assert (heading["level"], heading["text"]) == (2, "小标题")
    assert paragraph["nodes"][1] == {"name": "strong", "children": [{"type": "text", "text": "要紧的"}]}
    assert [(item["level"], item["marker"], item["text"]) for item in items["items"]] == [
        (0, "•", "甲"), (1, "1.", "乙"), (0, "•", "丙"),
    ]  # fmt: skip
    assert quote["paragraphs"][0]["text"] == "引一句"
    assert image == {"type": "image", "illustration": "lock-identity", "alt": "一把锁"}
    assert table["nodes"][0]["name"] == "table"
    assert table["text"] == "名，值\n一，二"
    assert call == {"type": "call", "number": "95519", "text": "拨打"}
    assert piece == {"type": "piece", "slug": "hang-up-first", "text": "接着读"}


def test_a_link_in_a_sentence_is_marked_and_is_an_action() -> None:
    found = blocks("先看[这一篇](piece:hang-up-first)，再拨 [110](tel:110)。")[0]
    assert found["actions"] == [
        {"type": "piece", "slug": "hang-up-first", "text": "这一篇"},
        {"type": "call", "number": "110", "text": "110"},
    ]
    spans = [node for node in nodes_in(found["nodes"]) if node.get("name") == "span"]
    assert [span["attrs"] for span in spans] == [{"class": "link link-piece"}, {"class": "link link-call"}]


def test_lines_and_bold_marks_leave_no_gaps_in_chinese() -> None:
    assert blocks("第一行\n第二行，\nsee **先。** 后")[0]["text"] == "第一行第二行，see 先。后"


@pytest.mark.parametrize(
    "text",
    [
        "<script>alert(1)</script>", "一段<b>粗</b>字", "[x](javascript:alert(1))", "[x](https://example.com)",
        "![x](https://example.com/a.png)", "![x](data:image/png;base64,AAAA)", "# 大标题", "文字 ![x](illustration:a) 文字",
        "[x](piece:../../etc)", "[x](tel:12;drop)", "- ![x](illustration:a)", "> | a |\n> |---|\n> | b |", "x&#8238;y",
        "![](illustration:a)",
    ],
)  # fmt: skip
def test_what_may_not_be_written_is_a_mistake_and_never_reaches_a_node(text: str) -> None:
    read = read_markdown(text, hotline="95519", first_line=7)
    assert [line for line, _ in read.errors] == [7] * len(read.errors)
    assert read.errors
    for node in nodes_in(read.blocks):
        assert node.get("type") == "text" or node["name"] in TRUSTED
        assert set(node) <= {"type", "text", "name", "attrs", "children", "marker", "number", "slug"}
    assert "javascript" not in json.dumps([b.get("actions") for b in read.blocks])


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("字" * 20_001, 5),
        ("一\n" * 1_600, 1_505),
        ("一\n\n|" + "a|" * 2_000 + "\n|" + "-|" * 2_000 + "\n" + "|a\n" * 900, 7),
    ],
)
def test_text_that_would_take_seconds_is_refused_unread(text: str, line: int) -> None:
    read = read_markdown(text, hotline="95519", first_line=5)
    assert read.blocks == []
    assert [at for at, _ in read.errors] == [line]


PIECES = [
    "<script>x</script>", "<img src=x onerror=y>", "[a](javascript:b)", "![a](http://b)", "**", "*", "~~", "`", "> ", "- ",
    "1. ", "|a|b|\n|-|-|\n|c|d|", "\n\n", "\n", "&lt;b&gt;", "&#60;script&#62;", "[a]: javascript:c", "[a][a]", "<a:b>",
    "## ", "中文", "{hotline}", "[x](tel:{hotline})", "[y](piece:a-b)", "![z](illustration:q)", "\\", "```\nx\n```", "    y",
]  # fmt: skip


@settings(max_examples=150, deadline=None)
@given(st.one_of(st.text(max_size=200), st.lists(st.sampled_from(PIECES), max_size=25).map("".join)))
def test_any_markdown_gives_only_trusted_nodes_and_nothing_that_runs(text: str) -> None:
    for block in blocks(text):
        assert block["type"] in TYPES
        for node in nodes_in(block):
            if node.get("type") == "text":
                assert set(node) == {"type", "text"}
            elif "name" in node:
                assert node["name"] in TRUSTED
                assert set(node) <= {"name", "attrs", "children"}
                attributes = node.get("attrs", {})
                assert set(attributes) <= {"class"}
                assert all(re.fullmatch(r"[a-z -]+", value) for value in attributes.values())
        for part in [block, *block.get("items", []), *block.get("paragraphs", [])]:
            for action in [
                *part.get("actions", []),
                *([block] if block["type"] in {"call", "piece"} else []),
            ]:
                assert action["type"] in {"call", "piece"}
                assert re.fullmatch(r"[0-9-]{3,15}|[a-z0-9-]{1,64}", action.get("number") or action["slug"])


BODY = {
    "markdown": "## 先挂断\n\n陌生人来电，先挂断。2026年3月15日，他说能“全额退保”，要收20%的手续费。\n\n"
    "- 拨打 [{hotline}](tel:{hotline})\n- 问问家里人\n",
    "remember": ["先挂断", "不给验证码", "不交钱"],
    "actions": ["拨打 {hotline} 核实", "已经转账的拨 110", "跟家里人说"],
    "laws": [{"name": "中华人民共和国保险法", "article": "第四十七条"}, {"name": "中华人民共和国刑法"}],
}
META = {"title": "先挂断", "summary": "x", "cover": {"illustration": "phone-hang-up", "ground": "amber"}}


@pytest.fixture
def kind(app: Flask, settings: Settings) -> Iterator[ArticleKind]:
    with app.app_context():
        yield ArticleKind(settings)


def shown(body: dict[str, Any]) -> Shown:
    return Shown(piece_id=1, revision_id=1, slug="a", meta=META, body=body, frozen={})


def test_a_good_body_has_no_mistake(kind: ArticleKind) -> None:
    assert check_body(BODY) == []
    assert kind.check(db.session(), BODY) == []


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"remember": ["一", "二"]}, "remember"), ({"remember": ["一", "二", "三" * 41]}, "remember[2]"),
        ({"actions": []}, "actions"), ({"actions": None}, "actions"), ({"laws": [{"article": "第一条"}]}, "laws[0].name"),
        ({"laws": [{"name": "《保险法》"}]}, "laws[0].name"), ({"laws": [{"name": "保险法", "article": "16"}]}, "laws[0].article"),
        ({"markdown": 5}, "markdown"), ({"markdown": "短"}, "markdown"), ({"html": "x"}, "html"),
        ({"actions": ["打 {number}"]}, "actions[0]"),
        ({"markdown": BODY["markdown"] + "\n![x](illustration:no-such)"}, "markdown"),
    ],
)  # fmt: skip
def test_each_mistake_names_its_field(kind: ArticleKind, changes: dict[str, Any], field: str) -> None:
    errors = kind.check(db.session(), {**BODY, **changes})
    assert [error.field for error in errors] == [field]


def test_the_page_has_all_that_a_client_renders(kind: ArticleKind) -> None:
    page = kind.page(db.session(), shown(BODY))
    assert page["actions"] == [
        {"text": "拨打 95519 核实", "number": "95519"},
        {"text": "已经转账的拨 110", "number": "110"},
        {"text": "跟家里人说", "number": None},
    ]
    assert page["laws"][0] == {
        "name": "中华人民共和国保险法",
        "article": "第四十七条",
        "text": "《中华人民共和国保险法》第四十七条",
    }
    assert page["remember"] == BODY["remember"]
    assert page["reading_minutes"] == 1
    assert "{hotline}" not in json.dumps(page)


def test_each_sentence_to_read_aloud_belongs_to_its_block(kind: ArticleKind) -> None:
    page = kind.page(db.session(), shown(BODY))
    aloud = page["read_aloud"]
    assert [(s["part"], s["block"], s["say"]) for s in aloud[:6]] == [
        ("title", None, "先挂断"),
        ("body", 0, "先挂断"),
        ("body", 1, "陌生人来电，先挂断。"),
        ("body", 1, "二零二六年三月十五日，他说能全额退保，要收百分之二十的手续费。"),
        ("body", 2, "拨打九五五一九"),
        ("body", 2, "问问家里人"),
    ]
    for segment in aloud:
        if segment["block"] is not None:
            assert segment["text"] in json.dumps(page["blocks"][segment["block"]], ensure_ascii=False)


def test_a_changed_illustration_is_another_dependency(kind: ArticleKind, settings: Settings) -> None:
    from edu_platform.library.pictures import SHIPPED, keep_illustration

    body = {**BODY, "markdown": BODY["markdown"] + "\n![图](illustration:scales)\n"}
    before = kind.depends(db.session(), body)
    drawing = (SHIPPED / "scales.svg").read_bytes()
    assert keep_illustration(settings, "scales", drawing) == "same"
    assert keep_illustration(settings, "scales", drawing.replace(b"<svg", b"<svg ", 1)) == "changed"
    assert kind.depends(db.session(), body) != before
    assert (
        kind.check(db.session(), {**body, "markdown": body["markdown"].replace("scales", "stop-hand")}) == []
    )


# ---- uploaded as one text


UPLOAD = """---
slug: hang-up
title: 先挂断
summary: 一句话
audiences: [elderly]
rights: [property_safety]
column: risk-alerts
cover: {illustration: phone-hang-up, ground: amber}
remember: [一, 二, 三]
actions: [拨打热线]
laws: [{name: 中华人民共和国保险法}]
---
陌生人来电，先挂断，再拨打合同上的号码问一问。
"""


def test_an_uploaded_article_is_read_as_a_file_is() -> None:
    slug, meta, body, mistakes = parse_markdown(UPLOAD)
    assert mistakes == []
    assert slug == "hang-up"
    assert meta["audiences"] == ["elderly"]
    assert body["markdown"].startswith("陌生人来电")
    assert body["laws"] == [{"name": "中华人民共和国保险法"}]


def test_all_mistakes_of_an_upload_are_named_by_field_and_line() -> None:
    text = (
        UPLOAD.replace("[elderly]", "[old]").replace("[一, 二, 三]", "[一]") + "\n<b>x</b> [y](https://z)\n"
    )
    _, meta, body, mistakes = parse_markdown(text)
    assert (meta, body) == ({}, {})
    assert [(error.field, error.reason.partition("：")[0]) for error in mistakes] == [
        ("audiences[0]", "第 5 行"), ("remember", "第 9 行"), ("markdown", "第 15 行"), ("markdown", "第 15 行"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    "text", ["", "没有开头", "---\n- x\n---\n", "---\na: &x 1\n---\n", "---\ntitle: \ud800\n---\n"]
)
def test_what_cannot_be_read_is_one_mistake(text: str) -> None:
    slug, _, _, mistakes = parse_markdown(text)
    assert slug is None
    assert len(mistakes) == 1
