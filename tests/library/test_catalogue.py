"""Reading: lists, pages, tags, zipping, and how soon every process sees a change."""

import gzip
import json
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import event

from edu_platform.core.clock import frozen
from edu_platform.core.db import db, writing
from edu_platform.core.direct import Direct
from edu_platform.factory.app import create_app
from edu_platform.library import catalogue, operations
from edu_platform.library.catalogue import Catalogue, Fresh, Wanted
from edu_platform.library.rendering import Answer

NOON = datetime(2026, 3, 15, 4, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)
PUBLIC = [
    "/api/v1/pieces",
    "/api/v1/pieces/one",
    "/api/v1/pieces/one/related",
    "/api/v1/columns",
    "/api/v1/vocabulary",
]


@pytest.fixture
def client(app):
    return app.test_client()


def slugs(answer):
    assert answer.status_code == 200, answer.get_data(as_text=True)
    return [item["slug"] for item in answer.json["items"]]


@pytest.fixture
def shelf(desk):
    """Five pieces, an hour apart, newest first: e d c b a."""
    for number, slug in enumerate("abcde"):
        with frozen(NOON + number * HOUR):
            desk.published(
                slug,
                audiences=["elderly"] if number % 2 else ["youth"],
                rights=["right_to_know"] if number < 3 else ["property_safety", "education"],
                column="risk-cases" if slug == "e" else "risk-alerts",
            )
    return desk


def test_a_card_has_what_a_list_shows(desk, client):
    desk.kind.drawings["one"] = "c" * 64
    with frozen(NOON):
        desk.published("one", "四个汉字", title="接到电话先挂断")
        (item,) = client.get("/api/v1/pieces").json["items"]
    assert item.pop("id").isdigit()
    assert item == {
        "slug": "one",
        "kind": "note",
        "title": "接到电话先挂断",
        "summary": "一句话",
        "audiences": ["elderly"],
        "rights": ["property_safety"],
        "column": "risk-alerts",
        "campaigns": [],
        "cover": {"url": "/media/" + "c" * 64 + ".png", "width": 4, "height": 3},
        "published_at": "2026-03-15T12:00:00.000+08:00",
        "updated_at": "2026-03-15T12:00:00.000+08:00",
        "expires_at": None,
        "length": 4,
    }


def test_a_page_has_the_card_and_the_kinds_own(desk, client):
    desk.published("one", "四个汉字")
    card = client.get("/api/v1/pieces").json["items"][0]
    assert client.get("/api/v1/pieces/one").json == {**card, "text": "四个汉字", "pinned": {"quoted": {}}}
    assert client.get("/api/v1/pieces/two").status_code == 404


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("", "edcba"),
        ("audience=youth", "eca"),
        ("audience=new_customer", ""),
        ("right=education", "ed"),
        ("column=risk-cases", "e"),
        ("kind=note", "edcba"),
        ("audience=youth&right=right_to_know", "ca"),
        ("campaign=nobody", ""),
        ("sort=newest&limit=2", "ed"),
    ],
)
def test_lists_are_filtered(shelf, client, query, expected):
    assert slugs(client.get(f"/api/v1/pieces?{query}")) == list(expected)


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("kind=poem", "kind"),
        ("audience=aliens", "audience"),
        ("right=7", "right"),
        ("column=A", "column"),
        ("sort=random", "sort"),
        ("limit=0", "limit"),
        ("limit=101", "limit"),
        ("cursor=%21%21", "cursor"),
        ("cursor=WzFd", "cursor"),
        ("q=", "q"),
        ("q=" + "字" * 51, "q"),
        ("q=a%00b", "q"),
        ("campaign=%27", "campaign"),
        ("colour=red", "colour"),
    ],
)
def test_a_wrong_filter_is_named(desk, client, query, field):
    answer = client.get(f"/api/v1/pieces?{query}")
    assert answer.status_code == 422
    assert [error["field"] for error in answer.json["errors"]] == [field]


def test_a_page_takes_no_arguments(desk, client):
    desk.published("one")
    assert client.get("/api/v1/pieces/one?x=1").status_code == 422


@pytest.mark.parametrize("sort", ["newest", "most_read"])
def test_paging_shows_each_once_while_new_ones_arrive(shelf, client, sort):
    found, cursor = [], None
    for round_ in range(5):
        query = f"sort={sort}&limit=2" + (f"&cursor={cursor}" if cursor else "")
        answer = client.get(f"/api/v1/pieces?{query}")
        found += slugs(answer)
        cursor = answer.json["next_cursor"]
        if cursor is None:
            break
        shelf.published(f"late-{round_}")
    assert [slug for slug in found if not slug.startswith("late")] == list("edcba")
    assert len(found) == len(set(found))


def test_pieces_of_the_same_moment_are_paged_too(desk, client):
    with frozen(NOON):
        for slug in "abcde":
            desk.published(slug)
    first = client.get("/api/v1/pieces?limit=3").json
    second = client.get(f"/api/v1/pieces?limit=3&cursor={first['next_cursor']}").json
    assert [item["slug"] for item in first["items"] + second["items"]] == list("edcba")
    assert second["next_cursor"] is None


def test_most_read_comes_first_at_once(shelf, client):
    ids = {item["slug"]: int(item["id"]) for item in client.get("/api/v1/pieces").json["items"]}
    assert slugs(client.get("/api/v1/pieces?sort=most_read")) == list("edcba")
    with writing() as session:
        operations.add_reads(session, {ids["b"]: 3, ids["d"]: 1, 999_999: 5})
    assert slugs(client.get("/api/v1/pieces?sort=most_read")) == list("bdeca")
    with writing() as session:
        operations.add_reads(session, {ids["d"]: 3})
    assert slugs(client.get("/api/v1/pieces?sort=most_read&limit=2")) == list("db")


def test_reads_leave_other_answers_in_memory(shelf, client, app):
    kept = catalogue.catalogue_of(db.engine)
    client.get("/api/v1/pieces")
    client.get("/api/v1/pieces?sort=most_read")
    with writing() as session:
        operations.add_reads(session, {1: 1})
    assert kept.cached("/api/v1/pieces?") is not None
    assert kept.cached("/api/v1/pieces?sort=most_read") is None


def test_a_campaign_carries_pieces_in_its_window(shelf, client):
    ids = {item["slug"]: int(item["id"]) for item in client.get("/api/v1/pieces").json["items"]}
    start, end = NOON + 10 * HOUR, NOON + 20 * HOUR
    with writing() as session:
        operations.set_placements(session, "315-2026", [ids["a"], ids["c"]], start, end)
    for moment, expected in [
        (start - timedelta(microseconds=1), []),
        (start, ["c", "a"]),
        (end - timedelta(microseconds=1), ["c", "a"]),
        (end, []),
    ]:
        with frozen(moment):
            assert slugs(client.get("/api/v1/pieces?campaign=315-2026")) == expected
    with writing() as session:
        operations.set_placements(session, "315-2026", [ids["b"]], start, end)
    with frozen(start):
        assert slugs(client.get("/api/v1/pieces?campaign=315-2026")) == ["b"]


def test_two_campaigns_may_take_up_the_same_pieces_at_once(app, shelf, client):
    ids = [int(item["id"]) for item in client.get("/api/v1/pieces").json["items"]]
    gate = threading.Barrier(4)

    def place(number):
        with app.app_context():
            for turn in range(6):
                gate.wait(30)
                with writing() as session:
                    begins = NOON + turn * HOUR
                    operations.set_placements(session, f"campaign-{number}", ids, begins, begins + HOUR)
            db.session.remove()

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(place, range(4)))  # none of them is told to try again
    for number in range(4):
        with frozen(NOON + 5 * HOUR):
            assert len(slugs(client.get(f"/api/v1/pieces?campaign=campaign-{number}"))) == len(ids)


def test_related_pieces_say_why(desk, client):
    desk.published("far", audiences=["youth"], rights=["education"], column="risk-cases")
    desk.published("fellow", audiences=["elderly"], rights=["education"], column="risk-cases")
    desk.published("right", audiences=["youth"], rights=["property_safety"], column="risk-cases")
    desk.published("column", audiences=["youth"], rights=["education"])
    desk.published("named", audiences=["youth"], rights=["education"], column="risk-cases")
    desk.published("me", related=["named", "not-there"])
    items = client.get("/api/v1/pieces/me/related").json["items"]
    assert [(item["slug"], item["reason"]["code"]) for item in items] == [
        ("named", "named"),
        ("column", "same_column"),
        ("right", "same_right"),
        ("fellow", "same_audience"),
    ]
    assert items[1]["reason"]["text"] == "同属栏目“风险提示”"
    assert items[2]["reason"]["text"] == "同讲财产安全权"
    desk.withdraw("named")
    assert slugs(client.get("/api/v1/pieces/me/related"))[0] == "column"
    assert client.get("/api/v1/pieces/named/related").status_code == 404


def test_columns_and_words(shelf, client):
    items = client.get("/api/v1/columns").json["items"]
    assert [(item["slug"], item["pieces"]) for item in items] == [("risk-alerts", 4), ("risk-cases", 1)]
    words = client.get("/api/v1/vocabulary").json
    assert {"value": "note", "label": "便条"} in words["kinds"]
    assert words["hotline"] == "95519"
    assert {"value": "elderly", "label": "老年人"} in words["audiences"]
    assert {
        "value": "share",
        "label": "分享",
        "counts_as": "participation",
        "by_beacon": True,
    } in words["actions"]


# ---- tags, zipping, HEAD


@pytest.mark.parametrize("path", PUBLIC)
def test_every_public_answer_keeps_the_rules_of_http(desk, client, path):
    desk.published("one", "正文" * 600)
    plain = client.get(path)
    assert plain.status_code == 200
    assert plain.mimetype == "application/json"
    assert plain.headers["Vary"] == "Accept-Encoding"
    assert plain.headers["Cache-Control"] == "public, max-age=10"
    assert plain.headers["Content-Length"] == str(len(plain.data))
    tag = plain.headers["ETag"]
    assert tag.startswith('"')

    zipped = client.get(path, headers={"Accept-Encoding": "gzip, identity;q=0"})
    assert zipped.headers["Content-Encoding"] == "gzip"
    assert gzip.decompress(zipped.data) == plain.data
    assert zipped.headers["ETag"] not in (tag, "")
    assert zipped.headers["Vary"] == "Accept-Encoding"

    for encoding, answer in [("identity", plain), ("gzip, identity;q=0", zipped)]:
        own = answer.headers["ETag"]
        for named in (own, f"W/{own}", f'"x", {own}', "*", f' W/"y" ,{own} '):
            again = client.get(path, headers={"If-None-Match": named, "Accept-Encoding": encoding})
            assert again.status_code == 304, named
            assert again.data == b""
            assert again.headers["ETag"] == own
            assert again.headers["Cache-Control"] == answer.headers["Cache-Control"]
            assert again.headers["Vary"] == "Accept-Encoding"
            assert "Content-Length" not in again.headers
        for other in ('"x"', own.strip('"'), "", own[:-1]):
            assert (
                client.get(path, headers={"If-None-Match": other, "Accept-Encoding": encoding}).status_code
                == 200
            )

        head = client.head(path, headers={"Accept-Encoding": encoding})
        assert head.data == b""
        for name in ("ETag", "Content-Length", "Content-Type", "Cache-Control", "Vary", "Content-Encoding"):
            assert head.headers.get(name) == answer.headers.get(name)
        assert (
            client.head(path, headers={"If-None-Match": own, "Accept-Encoding": encoding}).status_code == 304
        )


@pytest.mark.parametrize(
    ("accepted", "zipped"),
    [
        (None, False),
        ("", False),
        ("gzip", True),
        ("GZip", True),
        ("x-gzip", True),
        ("br, gzip;q=0.5", True),
        ("gzip;q=0", False),
        ("gzip;q=0.0", False),
        ("*", True),
        ("*;q=0", False),
        ("gzip;q=0, *;q=1", False),
        ("identity, gzip;q=0.5", False),
        ("identity;q=0.4, gzip;q=0.5", True),
        ("identity;q=0, *;q=0.1", True),
        ("deflate, br", False),
        ("gzip;q=banana", False),
        ("gzip;q=1;level=9", True),
        (";;,,gzip", True),
    ],
)
def test_the_clients_weights_are_honoured(accepted, zipped):
    answer = Answer.of(b"x" * 5000)
    form = catalogue.form_of(answer, if_none_match=None, accept_encoding=accepted)
    headers = dict(catalogue.headers_of(Fresh(answer, 10), form))
    assert ("Content-Encoding" in headers) is zipped
    assert len(catalogue.body_of(answer, form)) == int(headers["Content-Length"])


def test_small_answers_are_zipped_only_on_demand():
    answer = Answer.of(b"x" * 100)
    for accepted, zipped in [("gzip", False), ("gzip, identity;q=0", True)]:
        form = catalogue.form_of(answer, if_none_match=None, accept_encoding=accepted)
        assert ("Content-Encoding" in dict(catalogue.headers_of(Fresh(answer, 10), form))) is zipped


def test_the_same_content_has_the_same_tags(desk, client):
    desk.published("one")
    first = client.get("/api/v1/pieces/one").headers["ETag"]
    desk.published("two")
    assert client.get("/api/v1/pieces/one").headers["ETag"] == first
    desk.published("one", "别的正文")
    assert client.get("/api/v1/pieces/one").headers["ETag"] != first


def test_a_client_does_not_keep_an_answer_past_the_next_change_by_the_clock(desk, client):
    with frozen(NOON):
        desk.published("one", at=NOON + HOUR)
    with frozen(NOON + HOUR - timedelta(seconds=4)):
        assert client.get("/api/v1/pieces").headers["Cache-Control"] == "public, max-age=4"


# ---- staleness


def test_another_process_sees_a_change_within_a_second(desk, settings, app):
    """Two applications on one database, each with its own engine and memory, as two processes have them."""
    other = create_app(settings)
    theirs = other.test_client()
    try:
        desk.published("one")
        assert slugs(theirs.get("/api/v1/pieces")) == ["one"]
        with app.app_context():
            desk.published("two")
            desk.withdraw("one")
        deadline = time.monotonic() + 1
        while slugs(theirs.get("/api/v1/pieces")) != ["two"]:
            assert time.monotonic() < deadline
            time.sleep(0.02)
        assert theirs.get("/api/v1/pieces/one").status_code == 404
    finally:
        with other.app_context():
            db.session.remove()
            db.engine.dispose()


def test_within_its_time_an_answer_costs_no_query(shelf, client, app):
    client.get("/api/v1/pieces")
    with counted(db.engine) as statements:
        for _ in range(5):
            client.get("/api/v1/pieces")
    assert len(statements) <= 2


class counted:  # noqa: N801 - reads as a phrase
    def __init__(self, engine):
        self.engine = engine
        self.statements = []

    def _note(self, connection, cursor, statement, *_):
        if not statement.startswith("BEGIN"):
            self.statements.append(statement)

    def __enter__(self):
        event.listen(self.engine, "before_cursor_execute", self._note)
        self._rows = Direct.rows

        def rows(direct, *given):
            self.statements.append(str(direct._statement))
            return self._rows(direct, *given)

        Direct.rows = rows
        return self.statements

    def __exit__(self, *_):
        event.remove(self.engine, "before_cursor_execute", self._note)
        Direct.rows = self._rows


@pytest.mark.parametrize("wanted", [Wanted(), Wanted(sort="most_read"), Wanted(q="正文"), Wanted(limit=2)])
def test_a_list_takes_the_same_few_queries_however_long(shelf, wanted):
    kept = Catalogue(db.engine)
    with counted(db.engine) as few:
        kept.answer("few", lambda session, at: catalogue.pieces(session, at, wanted))
    for number in range(10):
        shelf.published(f"more-{number}")
    kept.look_again()
    with counted(db.engine) as many:
        body = kept.answer("many", lambda session, at: catalogue.pieces(session, at, wanted)).answer.body
    assert len(json.loads(body)["items"]) == min(15, wanted.limit)
    assert len(many) == len(few) <= 6


def test_looking_without_finding_a_change_keeps_what_is_in_memory(shelf):
    kept = Catalogue(db.engine)
    kept.answer("key", lambda session, at: b"{}")
    kept.look_again()
    with counted(db.engine) as looks:
        assert kept.cached("key") is not None
    assert len(looks) == 2
    with counted(db.engine) as looks:
        assert kept.cached("key") is not None
    assert looks == []


def test_memory_is_bounded(shelf):
    kept = Catalogue(db.engine, most_bytes=20_000)
    for number in range(100):
        kept.answer(f"key {number}", lambda session, at, n=number: str(n).encode() * 500)
    assert kept.cached("key 99") is not None
    assert kept.cached("key 0") is None
    assert kept._size <= 20_000


def test_an_answer_made_before_a_change_is_not_kept_after_it(shelf):
    kept = Catalogue(db.engine)

    def slow(session, at):
        body = catalogue.pieces(session, at, Wanted())
        shelf.published("meanwhile")
        kept.look_again()
        kept.answer("anything", lambda session, at: b"{}")
        return body

    kept.answer("list", slow)
    assert kept.cached("list") is None
