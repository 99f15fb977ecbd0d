"""Search: two-character words, titles first, hits marked, nothing typed is an operator."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from edu_platform.core.db import reading
from edu_platform.library import search

ARTICLE = (
    "最近不少老人接到自称“退保专家”的电话，说可以代理全额退保。代理退保往往要您交出身份证、银行卡，"
    "信息一旦泄露，就可能被用于非法集资或电信诈骗。先挂断，再拨打95519核实。"
)


@pytest.fixture
def client(app):
    return app.test_client()


@pytest.fixture
def shelf(desk):
    desk.published("call", ARTICLE, title="接到电话先挂断", keywords=["黑产"])
    desk.published("title", "别的内容，不说那个词。", title="电信诈骗三种新花样")
    desk.published(
        "fund", "高额回报多半是骗局。APP 与 Wi-Fi 也要当心，ＡＴＭ旁有人搭话要警惕。", title="认清非法集资"
    )
    return desk


def found(client, q, **more):
    answer = client.get("/api/v1/pieces", query_string={"q": q, **more})
    assert answer.status_code == 200, answer.get_data(as_text=True)
    return [item["slug"] for item in answer.json["items"]]


@pytest.mark.parametrize(
    "word", ["退保", "专家", "电话", "老人", "代理", "诈骗", "集资", "挂断", "泄露", "交出", "自称", "保专"]
)
def test_words_of_two_characters_are_found(shelf, client, word):
    assert "call" in found(client, word)


@pytest.mark.parametrize(
    ("q", "slugs"),
    [
        ("代理退保", {"call"}),
        ("非法集资", {"fund", "call"}),
        ("骗局", {"fund"}),
        ("退保 电话", {"call"}),
        ("电话退保专家", {"call"}),
        ("骗", {"call", "title", "fund"}),
        ("95519", {"call"}),
        ("app", {"fund"}),
        ("ＡＰＰ", {"fund"}),
        ("atm", {"fund"}),
        ("wi-fi", {"fund"}),
        ("黑产", {"call"}),
        ("退保 骗局", set()),
        ("彩票", set()),
        ("ap", set()),
    ],
)
def test_all_the_words_must_be_there(shelf, client, q, slugs):
    assert set(found(client, q)) == slugs


def test_a_title_outranks_a_text(shelf, client):
    assert found(client, "诈骗") == ["title", "call"]
    assert found(client, "非法集资") == ["fund", "call"]
    shelf.published("dense", "诈骗" * 60)
    assert found(client, "诈骗")[0] == "title"


def test_an_order_may_be_asked_for(shelf, client):
    assert found(client, "诈骗", sort="newest") == ["title", "call"]
    assert found(client, "非法集资", sort="newest") == ["fund", "call"]
    shelf.published("late", "又见诈骗")
    assert found(client, "诈骗", sort="newest") == ["late", "title", "call"]
    assert found(client, "诈骗", sort="most_read", limit=2) == ["late", "title"]


def test_filters_hold_in_a_search_too(shelf, client):
    shelf.published("young", "诈骗", audiences=["youth"])
    assert found(client, "诈骗", audience="youth") == ["young"]


def test_hits_are_marked(shelf, client):
    (title, call) = client.get("/api/v1/pieces?q=诈骗").json["items"]
    assert title["highlight"]["title"] == [
        {"text": "电信", "hit": False},
        {"text": "诈骗", "hit": True},
        {"text": "三种新花样", "hit": False},
    ]
    assert call["highlight"]["title"] == [{"text": "接到电话先挂断", "hit": False}]
    excerpt = call["highlight"]["excerpt"]
    assert {"text": "诈骗", "hit": True} in excerpt
    assert excerpt[0]["text"].startswith("…")
    assert len("".join(part["text"] for part in excerpt)) <= search.EXCERPT + 2


def test_without_words_nothing_is_marked(shelf, client):
    assert "highlight" not in client.get("/api/v1/pieces").json["items"][0]


def test_results_are_paged_by_rank(shelf, client):
    for number in range(7):
        shelf.published(f"more-{number}", "诈骗" * (number + 1), title="防骗" if number % 2 else "防诈骗")
    whole = found(client, "诈骗", limit=100)
    pages, cursor = [], None
    while True:
        query = {"q": "诈骗", "limit": 2, **({"cursor": cursor} if cursor else {})}
        answer = client.get("/api/v1/pieces", query_string=query).json
        pages += [item["slug"] for item in answer["items"]]
        cursor = answer["next_cursor"]
        if cursor is None:
            break
    assert pages == whole
    assert len(set(whole)) == 9


@pytest.mark.parametrize("q", ["。", "，、！", "☎", '"', "*", "()", " - ", "'", "　·　", "&|!"])
def test_no_words_is_no_result(shelf, client, q):
    assert found(client, q) == []


@pytest.mark.parametrize(
    "q",
    [
        '" OR 1=1 --',
        "title:电话 OR body:x",
        "电话*",
        "NEAR(电话 退保)",
        "^电话",
        "-电话",
        "电话 AND",
        "NOT 电话",
        "{title}: 电话",
        "'; DROP TABLE search_index; --",
        "电话 & | ! <-> :*A",
        "\\电话\\",
        "%电话%",
        "电话':*",
        "𠮷野家",
        "İstanbul ﬁ ß",
    ],
)
def test_what_is_typed_is_only_words(shelf, client, q):
    found(client, q)
    assert found(client, "退保") == ["call"]


def test_operators_are_not_obeyed(shelf, client):
    assert found(client, "电话 OR 骗局") == []
    assert found(client, "NOT 电话") == []
    assert found(client, "电话*") == ["call"]


@pytest.mark.usefixtures("shelf")
def test_any_text_is_a_harmless_query(client):
    @given(st.text(min_size=1, max_size=50))
    @settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
    def harmless(text):
        session = reading()
        search.find(session, search.words(text))
        session.rollback()

    harmless()


def test_what_is_withdrawn_or_superseded_is_not_found(shelf, client):
    shelf.published("call", "换了说法，只讲保单。", title="接到电话先挂断")
    assert found(client, "退保") == []
    assert found(client, "保单") == ["call"]
    shelf.withdraw("call")
    assert found(client, "保单") == []


@given(
    st.text(alphabet="电信诈骗退保abcß ﬁＡ１。·\n", max_size=60),
    st.text(alphabet="电信诈骗退保abcﬁＡ", max_size=6),
)
def test_marked_parts_put_together_are_the_text(text, q):
    words = search.words(q)
    parts = search.mark(text, words)
    assert "".join(part["text"] for part in parts) == text
    assert all(part["text"] for part in parts)
    cut = search.excerpt(text, words)
    assert len("".join(part["text"] for part in cut)) <= search.EXCERPT + 2


@given(st.text(alphabet="防范非法集资电信网络诈骗风险提示", min_size=2, max_size=30), st.data())
def test_every_pair_of_neighbours_is_stored(text, data):
    start = data.draw(st.integers(0, len(text) - 2))
    assert text[start : start + 2] in search.tokens(text)


def test_chinese_words_are_looked_for_as_they_are_where_nothing_becomes_one():
    """Every character that folding turns into Chinese ones is known, so the short way misses none."""
    for number in range(0x110000):
        if not 0xD800 <= number < 0xE000:
            character = chr(number)
            folded = search._normal(character)
            if folded != character and search._HAN.search(folded):
                assert search._BECOMES_HAN.match(character), hex(number)
    for text in ("签退保单", "退㈱保", "…退保，ＡＢＣ退保", "\uf9d7退保", "㍿与退保"):
        slow = [
            search._spans(text, ["退保", "zzz"]),  # a word of Latin letters takes the long way
            search._spans(text, ["退保"]),
        ]
        assert slow[0] == slow[1]
