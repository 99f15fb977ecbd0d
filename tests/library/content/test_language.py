"""Near-duplicates, telephone numbers, risky expressions: found where they are, honest text left alone."""

from __future__ import annotations

import random
import time

import pytest

from edu_platform.library.content.language import (
    Passage,
    near_duplicates,
    note_absolute,
    note_addresses,
    note_duplicates,
    note_numbers,
    note_risky,
)
from edu_platform.library.source import Problems

SAME = (
    "接到自称退保专家的电话，先挂断，再拨打合同上的客服电话核实，不要交任何手续费。",
    "接到自称“退保专家”的电话时，先挂断，再拨打合同上的客服电话核实，不要交任何手续费！",
)
HONEST = (
    (
        "买保险之前，先看清楚保障什么、不保障什么，再看看每年要交多少钱。",
        "签字之前，先看清楚每一页写的是什么，空白的地方不要签。",
    ),
    (
        "个人信息处理者处理敏感个人信息，应当取得个人的单独同意。",
        "个人发现其个人信息不准确的，有权请求更正、补充。",
    ),
    ("老人接到孙子急着要钱的电话，应当怎么做？", "老人在银行门口遇到送鸡蛋的人，应当怎么做？"),
)


def test_two_wordings_of_one_thing_are_found() -> None:
    found = near_duplicates(["完全无关的一句话，讲的是怎样看懂合同里的犹豫期。", *SAME])
    assert [(first, second) for first, second, _ in found] == [(1, 2)]
    assert found[0][2] > 0.7


@pytest.mark.parametrize("pair", HONEST)
def test_honest_pairs_are_left_alone(pair: tuple[str, str]) -> None:
    assert near_duplicates(pair) == []


def test_it_finds_exactly_what_comparing_all_pairs_finds() -> None:
    chance = random.Random(7)
    words = ["保单", "电话", "挂断", "核实", "验证码", "银行", "家人", "合同", "签字", "手续费"]
    texts = ["".join(chance.choices(words, k=chance.randint(3, 8))) for _ in range(120)]

    def overlap(one: str, other: str) -> float:
        first, second = ({t[n : n + 3] for n in range(len(t) - 2)} for t in (one, other))
        return len(first & second) / len(first | second)

    expected = [
        (i, j)
        for i in range(len(texts))
        for j in range(i + 1, len(texts))
        if overlap(texts[i], texts[j]) >= 0.5
    ]
    assert len(expected) > 5
    assert [(i, j) for i, j, _ in near_duplicates(texts, 0.5)] == expected


def test_thousands_of_paragraphs_are_compared_in_no_time() -> None:
    chance = random.Random(11)
    signs = [chr(0x4E00 + n) for n in range(1500)]
    texts = ["".join(chance.choices(signs, k=90)) for _ in range(4_000)]
    texts.append(texts[17][:80] + "另外十个字在这里结束了")
    started = time.process_time()
    assert [(i, j) for i, j, _ in near_duplicates(texts)] == [(17, 4_000)]
    assert time.process_time() - started < 5


def test_a_repeat_is_noted_at_the_later_place_and_names_the_earlier() -> None:
    problems = Problems()
    note_duplicates(
        [Passage("a.md", 3, "", SAME[0]), Passage("b.md", 9, "", SAME[1]), Passage("c.md", 1, "", "短句")],
        problems,
        what="段落",
    )
    assert [(p.file, p.line) for p in problems] == [("b.md", 9)]
    assert "a.md 第 3 行" in problems[0].reason


@pytest.mark.parametrize(
    "text",
    [
        "拨打 {hotline} 核实", "拨 110 报警", "反诈专线 96110", "投诉热线 12378，或 12345", "交了 12345 元",
        "存了 95000元", "第 95 页", "2026年3月15日", "共 13800000 元", "编号 20260315001", "120 天", "等 119 个人",
        "95519 是客服电话",
    ],
)  # fmt: skip
def test_numbers_that_may_stand(text: str) -> None:
    problems = Problems()
    note_numbers([Passage("a.md", 1, "", text)], problems, hotline="95519")
    assert problems == []


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("加微信 13812345678 领取", "13812345678"), ("打 021-12345678", "021-12345678"),
        ("拨打 400-880-1234", "400-880-1234"), ("请拨 95588 咨询", "95588"), ("拨打 120 求助", "120"),
        ("热线 12315", "12315"), ("请拨 138 1234 5678", "138 1234 5678"), ("请拨 139-1234-5678", "139-1234-5678"),
        ("拨打 400 880 1234", "400 880 1234"), ("（021）1234 5678", "（021）1234 5678"), ("打１３８１２３４５６７８", "13812345678"),
    ],
)  # fmt: skip
def test_other_numbers_are_refused(text: str, number: str) -> None:
    problems = Problems()
    note_numbers([Passage("a.md", 4, "", f"第一行\n{text}")], problems, hotline="95519")
    assert [p.line for p in problems] == [5]
    assert number in problems[0].reason


@pytest.mark.parametrize(
    "text",
    [
        "他说“保本保息，稳赚不赔”，老人信了。", "承诺保本又高息的，要警惕。", "代理退保是骗局。", "没有哪种投资稳赚不赔。",
        "“全额退保”的广告，多半要收高额手续费。", "《零风险理财指南》是假书。",
    ],
)  # fmt: skip
def test_quoting_and_warning_is_what_articles_are_for(text: str) -> None:
    problems = Problems()
    note_risky([Passage("a.md", 1, "", text)], problems)
    assert problems == []


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("这款产品保本保息，欢迎咨询。", "保证收益"), ("本计划１００％安全。", "否认风险"), ("监管认可的好项目。", "冒用权威"),
        ("我们办理全额退保。", "退保黑产"), ("要警惕骗子。这款产品稳赚不赔。", "保证收益"),
        ("别错过，这款产品保本保息。", "保证收益"), ("暑假特惠，零风险。", "否认风险"), ("不会亏，稳赚。", "保证收益"),
        ("特别推荐，监管认可。", "冒用权威"),
    ],
)  # fmt: skip
def test_an_offer_is_noted_with_line_and_category(text: str, part: str) -> None:
    problems = Problems()
    note_risky([Passage("a.md", 7, "", f"开头\n{text}")], problems)
    assert [p.line for p in problems] == [8]
    assert part in problems[0].reason


@pytest.mark.parametrize(
    "text",
    [
        "买全国第一的保险。", "这是最好的产品。", "我们是业内唯一。", "国家级项目，永久有效。", "公司服务排名第一。", "全网最低价。",
        "唯一官方渠道在这里。", "行业最佳选择。",
    ],
)  # fmt: skip
def test_an_absolute_claim_is_refused(text: str) -> None:
    problems, advice = Problems(), Problems()
    assert note_absolute([Passage("a.md", 2, "", f"开头。\n{text}")], problems, advice) == 0
    assert {p.line for p in problems} == {3}
    assert advice == []


@pytest.mark.parametrize(
    "text",
    [
        "最好先问家人。",
        "第一步，先挂断。",
        "这是她第一份保单。",
        "生病了第一时间报案。",
        "他排在第一位。",
        "最优惠的时候也别急。",
    ],
)
def test_ordinals_and_counsel_are_no_claims(text: str) -> None:
    problems = Problems()
    note_absolute([Passage("a.md", 1, "", text)], problems, Problems())
    assert problems == []


def test_quoted_claims_are_counted_and_doubtful_words_are_advice() -> None:
    problems, advice = Problems(), Problems()
    text = "传单上写着“国家级珍藏”。谁说是全国第一，都要警惕。这是唯一的办法。“首选”两个字，看看就好。"
    assert note_absolute([Passage("a.md", 1, "", text)], problems, advice) == 2
    assert problems == []
    assert [a.reason for a in advice] == ["“唯一”容易成为绝对化的说法：若是在夸谁，请改写"]


def test_risky_words_that_are_quoted_are_counted() -> None:
    problems = Problems()
    passages = [Passage("a.md", 1, "", "“保本保息”的话别信。他说“稳赚不赔”。这款零风险。")]
    assert note_risky(passages, problems) == 2
    assert len(problems) == 1


@pytest.mark.parametrize(
    ("text", "host"),
    [
        ("登录 www.example-loan.com 办理", "www.example-loan.com"), ("打开https://a.b.cn/x?y=1看", "a.b.cn"),
        ("他发来“tuibao.top”", "tuibao.top"), ("ＷＷＷ．ＥＸＡＭＰＬＥ．ＣＯＭ", ""), ("见 Bank.Example.ORG", "bank.example.org"),
        ("登录 http://192.168.1.9:8080/x", "192.168.1.9"), ("打开 https://银行.公司/a", "银行.公司"),
        ("写信到 xiaowang@example.com", "xiaowang@example.com"), ("加微信 tuibao_888 办理", "tuibao_888"),
        ("微信号：xiaowang", "xiaowang"), ("QQ 群 12345678", "12345678"),
    ],
)  # fmt: skip
def test_addresses_of_others_are_refused_even_in_quotes(text: str, host: str) -> None:
    problems = Problems()
    note_addresses([Passage("a.md", 4, "", f"第一行\n{text}")], problems, own="edu.example.cn")
    assert [(p.line, host in p.reason) for p in problems] == ([(5, True)] if host else [])


@pytest.mark.parametrize(
    "text",
    [
        "https://edu.example.cn/p/1",
        "m.edu.example.cn",
        "cover: a.svg",
        "3.5 万元",
        "v1.2",
        "示例.公司",
        "article.md",
        "APP 里",
        "在微信里看，用 QQ browser 也行",
        "https://edu.example.cn:8443/p/1",
        "加微信好友之前先想一想",
        "加微信 13812345678",  # a telephone number, which is said once
    ],
)
def test_our_own_address_and_what_is_none_may_stand(text: str) -> None:
    problems = Problems()
    note_addresses([Passage("a.md", 1, "", text)], problems, own="edu.example.cn")
    assert problems == []
