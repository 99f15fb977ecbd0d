"""What a voice should say."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edu_platform.library.speech import cardinal, sentences, spoken

VECTORS = {
    "3·15": "三一五",
    "2026年3月15日": "二零二六年三月十五日",
    "2026-03-15": "二零二六年三月十五日",
    "20%": "百分之二十",
    "0.5%": "百分之零点五",
    "3%～5%": "百分之三到百分之五",
    "95519": "九五五一九",
    "拨打 95519，再拨 12378": "拨打九五五一九，再拨一二三七八",
    "拨打110报警": "拨打一一零报警",
    "110元": "一百一十元",
    "12345元": "一万二千三百四十五元",
    "400-880-9999": "四零零八八零九九九九",
    "13812345678": "一三八一二三四五六七八",
    "1,000元": "一千元",
    "3.5万元": "三点五万元",
    "￥100": "一百元",
    "第十六条": "第十六条",
    "第16条": "第十六条",
    "《保险法》第四十七条": "保险法第四十七条",
    "APP": "A P P",
    "手机App": "手机A P P",
    "ATM机": "A T M机",
    "2个": "两个",
    "2000元": "两千元",
    "20,000 减 6,200": "两万减六千二百",
    "1. 这是保险吗？": "第一，这是保险吗？",
    "12、看清楚": "第十二，看清楚",
    "3.5 万元": "三点五万元",
    "A. 挂断。　B. 照做。": "A，挂断。B，照做。",
    "选 A 的多": "选A的多",
    "第 2 天　租房": "第二天，租房",
    "　　先挂断": "先挂断",
    "12天": "十二天",
    "22个": "二十二个",
    "2月": "二月",
    "第2步": "第二步",
    "1998年": "一九九八年",
    "20年": "二十年",
    "1980-1990年": "一九八零到一九九零年",
    "1-2天": "一到两天",
    "9:05": "九点零五分",
    "10:30": "十点三十分",
    "1/3": "三分之一",
    "10050": "一万零五十",
    "“退保专家”来电——先挂断！": "退保专家来电，先挂断！",
    "（本文案例为虚构。）": "本文案例为虚构。",
    "银行/保险": "银行或保险",
    "25 元/月，自动续费": "二十五元每月，自动续费",
    "5元/次": "五元每次",
    "元/角分": "元或角分",
    "①先挂断②再核实；③报警": "第一，先挂断，第二，再核实；第三，报警",
    "第①步": "第一步",
    "⑫看清楚": "第十二，看清楚",
    "❶问家人": "第一，问家人",
    "挂断→核实→报警": "挂断，核实，报警",
    "利率从3%→5%": "利率从百分之三到百分之五",
    "100 → 200元": "一百到二百元",
    "12×300=3600元": "十二乘以三百等于三千六百元",
    "每期本金 × 期数": "每期本金乘以期数",
    "3600÷12": "三千六百除以十二",
    "利息 + 手续费 = 真实成本": "利息加手续费等于真实成本",
    "60岁+": "六十岁以上",
    "2+3": "二加三",
    "王×拨打了××公司的电话": "王某拨打了某某公司的电话",
    "×不要念验证码": "不要念验证码",
    "本金×期数=总数": "本金乘以期数等于总数",
    "× 念出验证码": "念出验证码",
    "√ 先核实": "先核实",
    "≈300元": "约等于三百元",
    "-5℃": "零下五摄氏度",
    "（人物虚构。情节虚构。）": "人物虚构。情节虚构。",
    "他问（小声（很小声）地）：谁？": "他问，小声，很小声，地：谁？",
    "（这一句": "这一句",
}


@pytest.mark.parametrize(("written", "said"), VECTORS.items())
def test_it_is_said_as_people_say_it(written: str, said: str) -> None:
    assert spoken(written) == said


@pytest.mark.parametrize(
    ("number", "said"),
    [
        (0, "零"), (10, "十"), (11, "十一"), (20, "二十"), (101, "一百零一"), (110, "一百一十"), (1001, "一千零一"),
        (1010, "一千零一十"), (10001, "一万零一"), (100000, "十万"), (1020304, "一百零二万零三百零四"),
        (100000000, "一亿"), (100010000, "一亿零一万"),
    ],
)  # fmt: skip
def test_amounts(number: int, said: str) -> None:
    assert cardinal(number) == said


def test_sentences_keep_their_marks_and_quotes() -> None:
    assert sentences("请说：“我不要。”然后挂断。再见！还有") == [
        "请说：“我不要。”",
        "然后挂断。",
        "再见！",
        "还有",
    ]


def test_a_bracket_of_several_sentences_stays_in_one_piece() -> None:
    assert sentences("先看这里。（人物虚构。情节虚构！）再看那里（第一步；第二步）就好。完") == [
        "先看这里。",
        "（人物虚构。情节虚构！）",
        "再看那里（第一步；第二步）就好。",
        "完",
    ]


def test_a_bracket_too_long_for_a_breath_is_parted_and_said_without_brackets() -> None:
    parts = sentences(f"（{'这一句话说的是同一件事情。' * 12}）")
    assert len(parts) == 12
    assert not any(sign in spoken(part) for part in parts for sign in "（）")


def test_a_sentence_too_long_for_a_breath_is_parted_at_commas() -> None:
    long = "，".join(["这一句话说得实在是太长了"] * 20) + "。"
    parts = sentences(long)
    assert len(parts) > 1
    assert "".join(parts) == long
    assert max(map(len, parts)) <= 120


@given(st.text(alphabet="零一0123456789.%·-:/～年月日元第条，。“” APPapp拨打", max_size=40))
def test_no_figure_is_left_unsaid(text: str) -> None:
    assert not any(sign in "0123456789" for sign in spoken(text))


@given(st.text(alphabet="①②⑩⑳❶➓㊀÷×→+=≈≥−√（）()12元，。步第", max_size=40))
def test_no_sign_is_left_for_the_voice_to_guess(text: str) -> None:
    assert not set(spoken(text)) & set("①②⑩⑳❶➓㊀÷×→+=≈≥−√（）()12")


@given(st.text(max_size=200))
def test_sentences_lose_nothing_that_can_be_said(text: str) -> None:
    def letters(parts: list[str]) -> str:
        return "".join(c for part in parts for c in part if c.isalnum())

    assert letters(sentences(text)) == letters([text])


@given(st.text(max_size=80))
def test_any_text_can_be_said(text: str) -> None:
    assert "\n" not in spoken(text)
