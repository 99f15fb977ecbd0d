"""A small tree of real material, and the library's own sections and kinds alone."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from flask import Flask

from edu_platform.config.settings import Settings
from edu_platform.library import kinds, operations
from edu_platform.library.articles import ArticleKind
from edu_platform.library.content import pieces, sections
from edu_platform.library.films import VideoKind
from edu_platform.library.posters import PosterKind
from edu_platform.review.signals import case_decided

COLUMNS = """\
- slug: risk-alerts
  title: 风险提示
  intro: 眼下有人正在用的骗人办法。
  order: 1
"""

FRONT = """\
---
title: {title}
summary: 自称专家的人来电话，先挂断，再用合同上的号码打回去问。
audiences: [elderly]
rights: [property_safety, information_security]
column: risk-alerts
cover: {{illustration: phone-hang-up, ground: amber}}
remember:
  - 先挂断，再核实
  - 不交手续费
  - 不给验证码
actions:
  - 拨打 {{hotline}} 核实
laws:
  - {{name: 中华人民共和国个人信息保护法, article: 第二十八条}}
related: [{related}]
---
"""

POSTER = """\
title: 陌生来电，先挂断
summary: 先挂断，再打公司客服热线核实。
audiences: [elderly]
rights: [property_safety]
column: risk-alerts
template: warning
claim: 先挂断，再核实
points: [自称专家的先别信, 不交手续费, 想退保自己办]
call: "拨打 {hotline} 核实"
illustration: phone-hang-up
alt: 一根手指按下红色的挂断键。写着先挂断再核实。
"""

# every paragraph says something else, as real articles do
PARAGRAPHS = {
    "hang-up-first": [
        "早上八点，陈阿姨正在厨房里煮粥，电话响了。对方一开口就叫出她的名字，连她三年前买的那份保单都说得清清楚楚。",
        "那人说自己是专门帮人办手续的，只要交两千块钱，就能把这些年的钱一分不少要回来，还劝她今天就去银行排队。",
        "陈阿姨没有应声。她记得社区里讲过，凡是催着您马上交钱的，都要先停一停，问问家里人，再找合同上的号码打过去。",
        "客服在电话里告诉她，公司从来没有委托过外面的人办这件事，需要办的话，带身份证到柜面就行，不收一分钱。",
        "后来那个号码又打来三次，她都没有接。她把合同放回抽屉，在封面上贴了一张纸条，写着家里商量好的那句暗号。",
        "邻居老李就没有这么走运。他把证件照片发了过去，又念了短信里的六个数字，第二天卡里的钱少了一大半，追了很久。",
        "民警说，这类案子里最要紧的是头一个小时。早一点报案，钱还在路上，拦下来的机会就大；拖到第二天，多半就难了。",
        "所以请把这几件事写在日历上：不认识的来电先挂断，要交的钱先不交，要给的号码先不给，问过家里人再作决定。",
        "女儿周末回来，帮她把常用的几个电话号码写成大字贴在墙上，又教她怎样在手机里把陌生来电拦下来，一共花了十分钟。",
        "如今她成了楼道里的小老师。谁家接到这样的电话，都会先敲她的门。她总是那句话：慢一点不吃亏，问一句不丢人。",
    ],
    "keep-your-code": [
        "大学城外的快递站门口支着一张桌子，扫码就送一把雨伞。小周排了五分钟队，轮到他时，对方要他把收到的数字念一遍。",
        "他愣了一下。短信里写着“请勿告诉他人”，可桌子后面的年轻人笑着说，这只是登记，大家都是这样做的，很快就好。",
        "小周把手机收了起来。他在课上听过，那六个数字等于一把钥匙，谁拿到了，谁就能替你点下同意，签下你没看过的字。",
        "他退到一边，看着前面的同学一个接一个念完，领走雨伞。有人晚上收到了陌生的扣款提醒，一个月十九块九，连扣三个月。",
        "第二天，辅导员在群里发了通知，请被扣款的同学保存截图，先联系支付平台关闭自动续费，再向学校保卫处说明经过。",
        "平台查了三天，退回了大部分钱。客服解释说，授权是本人点的，所以要本人来撤；撤得越早，后面的账就越干净。",
        "保卫处后来找到了那张桌子的主人。他交代，每骗到一个号码，上家给他四块钱，雨伞是从批发市场成箱买来的旧货。",
        "一把伞不到十块，一个号码却能换来几十次骚扰。小周把这笔账算给室友听，室友默默打开手机，删掉了三个不用的应用。",
        "他们还约好，每个月的第一天一起看看自动扣费的清单，像交水电费一样平常。谁查出一笔糊涂账，晚饭就由大家请客。",
        "毕业那年，小周在求职时又遇到了类似的要求：先交培训费，再给账号。他笑着摇摇头，起身离开，去了下一家面试的公司。",
    ],
}


def article(slug: str, title: str, related: str = "") -> str:
    """Write an article of one of the sets of paragraphs."""
    text = "\n\n".join(PARAGRAPHS[slug])
    return FRONT.format(title=title, related=related) + f"## 事情是这样的\n\n{text}\n"


@pytest.fixture(autouse=True)
def own_sections(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sections, "registry", {})
    pieces.register_sections()


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    root = tmp_path / "content"
    (root / "articles").mkdir(parents=True)
    (root / "posters").mkdir()
    (root / "columns.yaml").write_text(COLUMNS)
    (root / "articles/hang-up-first.md").write_text(
        article("hang-up-first", "先挂断再核实", "keep-your-code, hang-up-poster")
    )
    (root / "articles/keep-your-code.md").write_text(article("keep-your-code", "六个数字值多少钱"))
    (root / "posters/hang-up-poster.yaml").write_text(POSTER)
    return root


@pytest.fixture
def library(app: Flask, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[Flask]:
    """The application with the library's own kinds."""
    for kind in (ArticleKind(settings), PosterKind(settings), VideoKind(settings)):
        monkeypatch.setitem(kinds.registry, kind.name, kind)
    case_decided.connect(operations.hear_decision)
    with app.app_context():
        yield app


@pytest.fixture
def write_article() -> Callable[..., str]:
    return article
