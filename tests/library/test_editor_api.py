"""The desk over HTTP: who may do what, what is wrong field by field, and one way through it all."""

import pytest

from edu_platform.core.vocabulary import Role
from edu_platform.factory.worker import run_all_due
from tests.cast import sign_in_learner, staff_member

META = {
    "title": "接到电话先挂断",
    "summary": "一句话",
    "audiences": ["elderly"],
    "rights": ["property_safety"],
    "column": "risk-alerts",
}
STAFF = "/api/v1/staff/pieces"
CASES = "/api/v1/staff/review-cases"


@pytest.fixture
def client(app):
    return app.test_client()


@pytest.fixture
def editor(app, desk):
    return staff_member(app, Role.EDITOR)[1]


@pytest.fixture
def reviewer(app, desk):
    return staff_member(app, Role.REVIEWER)[1]


def draft(**changes):
    return {"kind": "note", "slug": "one", "meta": META, "body": {"text": "正文"}, **changes}


def wrong(answer):
    assert answer.status_code == 422, answer.get_data(as_text=True)
    return [error["field"] for error in answer.json["errors"]]


def test_from_a_draft_to_the_public_and_back(client, editor, reviewer):
    made = client.post(STAFF, json=draft(), headers=editor)
    assert made.status_code == 201
    revision = made.json
    assert revision["state"] == "draft"
    assert len(revision["digest"]) == 64
    one = f"{STAFF}/one/revisions/{revision['id']}"
    assert client.post(f"{one}/check", headers=editor).json == {"errors": []}
    assert client.post(f"{one}/publish", json={}, headers=editor).json["code"] == "not_approved"

    case = client.post(f"{one}/submit", headers=editor).json
    assert (case["subject"], case["digest"], case["state"]) == (
        f"piece:{revision['piece_id']}",
        revision["digest"],
        "open",
    )
    assert case["location"] == one
    (waiting,) = client.get(f"{CASES}?state=open", headers=reviewer).json["items"]
    assert waiting == case
    text = client.get(f"{waiting['location']}/review-text", headers=reviewer).json
    assert text["digest"] == revision["digest"]
    assert "秘密" in text["text"]
    assert META["title"] in text["text"]

    refused = client.post(f"{CASES}/{case['id']}/approve", json={"digest": "0" * 64}, headers=reviewer)
    assert (refused.status_code, refused.json["code"]) == (409, "wrong_digest")
    approved = client.post(
        f"{CASES}/{case['id']}/approve", json={"digest": revision["digest"]}, headers=reviewer
    )
    assert approved.json["state"] == "approved"
    assert client.get(one, headers=editor).json["state"] == "approved"
    assert client.get("/api/v1/pieces/one").status_code == 404

    published = client.post(f"{one}/publish", json={}, headers=editor).json
    assert published["state"] == "published"
    assert client.get("/api/v1/pieces/one").json["text"] == "正文"
    assert "秘密" not in client.get("/api/v1/pieces/one").get_data(as_text=True)

    whole = client.get(f"{STAFF}/one", headers=reviewer).json
    assert [row["state"] for row in whole["revisions"]] == ["published"]
    assert [row["comment"] for row in whole["cases"]] == [""]
    assert [row["id"] for row in whole["live"]] == [revision["id"]]

    assert wrong(client.post(f"{STAFF}/one/withdraw", json={"reason": " "}, headers=reviewer)) == ["reason"]
    gone = client.post(f"{STAFF}/one/withdraw", json={"reason": "数字有误"}, headers=reviewer).json
    assert gone["live"] == []
    assert client.get("/api/v1/pieces/one").status_code == 404


def test_a_return_comes_with_its_comment(client, editor, reviewer):
    revision = client.post(STAFF, json=draft(), headers=editor).json
    case = client.post(f"{STAFF}/one/revisions/{revision['id']}/submit", headers=editor).json
    assert wrong(client.post(f"{CASES}/{case['id']}/return", json={}, headers=reviewer)) == ["comment"]
    client.post(f"{CASES}/{case['id']}/return", json={"comment": "标题太吓人"}, headers=reviewer)
    whole = client.get(f"{STAFF}/one", headers=editor).json
    assert whole["latest"]["state"] == "returned"
    assert whole["cases"][0]["comment"] == "标题太吓人"


def test_nobody_approves_their_own_over_http_either(client, app, desk):
    both = staff_member(app, Role.EDITOR, Role.REVIEWER)[1]
    revision = client.post(STAFF, json=draft(), headers=both).json
    case = client.post(f"{STAFF}/one/revisions/{revision['id']}/submit", headers=both).json
    for step, body in [("approve", {"digest": revision["digest"]}), ("return", {"comment": "不行"})]:
        answer = client.post(f"{CASES}/{case['id']}/{step}", json=body, headers=both)
        assert (answer.status_code, answer.json["code"]) == (403, "own_work")


def test_a_new_revision_of_a_piece(client, editor):
    first = client.post(STAFF, json=draft(), headers=editor).json
    again = client.post(STAFF, json=draft(), headers=editor)
    assert (again.status_code, again.json["code"]) == (409, "slug_taken")
    change = {"meta": META, "body": {"text": "改过"}}
    second = client.put(f"{STAFF}/one", json=change, headers=editor).json
    assert (second["number"], second["body"]) == (2, {"text": "改过"})
    assert client.put(f"{STAFF}/one", json=change, headers=editor).json["id"] == second["id"]
    stale = client.put(
        f"{STAFF}/one", json={**change, "body": {"text": "又改"}, "based_on": first["digest"]}, headers=editor
    )
    assert (stale.status_code, stale.json["code"]) == (409, "stale")
    assert client.put(f"{STAFF}/two", json=change, headers=editor).status_code == 404


def test_the_same_request_twice_makes_one_piece(client, editor):
    headers = {**editor, "Idempotency-Key": "abc"}
    first = client.post(STAFF, json=draft(), headers=headers)
    second = client.post(STAFF, json=draft(), headers=headers)
    assert (first.status_code, second.status_code) == (201, 201)
    assert first.data == second.data


@pytest.mark.parametrize(
    ("change", "fields"),
    [
        ({"kind": "poem"}, ["kind"]),
        ({"slug": "A"}, ["slug"]),
        ({"slug": None}, ["slug"]),
        ({"meta": []}, ["meta"]),
        ({"meta": {**META, "title": "长" * 31}}, ["meta.title"]),
        ({"meta": {**META, "column": "nowhere"}}, ["meta.column"]),
        ({"meta": {**META, "related": 5}}, ["meta.related"]),
        ({"meta": {**META, "related": ["one"]}}, ["meta.related"]),
        ({"meta": {**META, "audiences": [["elderly"]]}}, ["meta.audiences[0]"]),
        ({"meta": {**META, "publish_at": "tomorrow"}}, ["meta.publish_at"]),
        ({"meta": {**META, "colour": "red"}}, ["meta.colour"]),
        ({"meta": {**META, "title": "退\u202e保"}}, ["meta.title"]),
        ({"body": {"text": 1}}, ["body.text"]),
        ({"body": {"text": "a", "deep": [{"x": "\u200b"}]}}, ["body.deep[0].x"]),
        ({"body": {"text": "a", "n": 10**30}}, ["body.n"]),
        ({"colour": "red"}, ["colour"]),
        ({"markdown": "x"}, ["kind"]),
    ],
)
def test_what_is_wrong_is_named(client, editor, change, fields):
    assert wrong(client.post(STAFF, json=draft(**change), headers=editor)) == fields
    assert client.get(STAFF, headers=editor).json["items"] == []


def test_what_is_missing_is_named(client, editor):
    assert set(wrong(client.post(STAFF, json={}, headers=editor))) == {"kind", "slug", "meta", "body"}


def test_lists_for_staff(client, editor, desk):
    for slug in "abc":
        desk.draft(slug)
    desk.published("d")
    first = client.get(f"{STAFF}?limit=3", headers=editor).json
    assert [item["slug"] for item in first["items"]] == ["d", "c", "b"]
    assert first["items"][0]["live"][0]["state"] == "published"
    rest = client.get(f"{STAFF}?limit=3&cursor={first['next_cursor']}", headers=editor).json
    assert [item["slug"] for item in rest["items"]] == ["a"]
    drafts = client.get(f"{STAFF}?state=draft", headers=editor).json["items"]
    assert [item["slug"] for item in drafts] == ["c", "b", "a"]
    assert client.get(f"{STAFF}?state=lost", headers=editor).status_code == 422


def test_a_check_says_what_has_changed_since(client, editor, desk):
    desk.kind.quoted["law"] = "v1"
    revision = desk.draft("one", body={"quotes": ["law"]}, related=["not-there"])
    desk.kind.quoted["law"] = "v2"
    errors = client.post(f"{STAFF}/one/revisions/{revision}/check", headers=editor).json["errors"]
    assert [(error["field"], error["code"]) for error in errors] == [
        ("depends", "dependency_changed"),
        ("meta.related[0]", "unknown_piece"),
    ]


def test_a_revision_belongs_to_its_piece(client, editor, desk):
    revision = desk.draft("one")
    desk.draft("two")
    for path in (f"two/revisions/{revision}", "one/revisions/99", f"one/revisions/{10**25}", "none"):
        assert client.get(f"{STAFF}/{path}", headers=editor).status_code == 404
    assert client.get(f"{CASES}/{10**25}", headers=editor).status_code == 404


ROUTES = [
    ("GET", STAFF, {Role.EDITOR, Role.REVIEWER}),
    ("POST", STAFF, {Role.EDITOR}),
    ("GET", f"{STAFF}/one", {Role.EDITOR, Role.REVIEWER}),
    ("PUT", f"{STAFF}/one", {Role.EDITOR}),
    ("GET", f"{STAFF}/one/revisions/1", {Role.EDITOR, Role.REVIEWER}),
    ("GET", f"{STAFF}/one/revisions/1/review-text", {Role.EDITOR, Role.REVIEWER}),
    ("POST", f"{STAFF}/one/revisions/1/check", {Role.EDITOR, Role.REVIEWER}),
    ("POST", f"{STAFF}/one/revisions/1/submit", {Role.EDITOR}),
    ("POST", f"{STAFF}/one/revisions/1/publish", {Role.EDITOR, Role.REVIEWER}),
    ("POST", f"{STAFF}/one/withdraw", {Role.EDITOR, Role.REVIEWER}),
    ("GET", CASES, {Role.EDITOR, Role.REVIEWER}),
    ("GET", f"{CASES}/1", {Role.EDITOR, Role.REVIEWER}),
    ("POST", f"{CASES}/1/approve", {Role.REVIEWER}),
    ("POST", f"{CASES}/1/return", {Role.REVIEWER}),
]


def test_every_route_lets_in_exactly_its_roles(client, app, desk):
    people = {role: staff_member(app, role)[1] for role in Role}
    learner = sign_in_learner(app)[1]
    for method, path, allowed in ROUTES:
        body = {"json": {}} if method in {"POST", "PUT"} else {}
        for role, headers in people.items():
            status = client.open(path, method=method, headers=headers, **body).status_code
            assert (status == 403) == (role not in allowed), (method, path, role, status)
        assert client.open(path, method=method, **body).status_code == 401
        assert client.open(path, method=method, headers=learner, **body).status_code in {401, 403}


def test_what_staff_see_is_nobodys_to_keep(client, editor, desk):
    desk.draft("one")
    for path in (STAFF, f"{STAFF}/one", CASES):
        assert client.get(path, headers=editor).headers["Cache-Control"] == "no-store"


ARTICLE = """---
slug: hang-up-first
title: 接到“退保专家”的电话，先挂断
summary: 来电自称能全额退保，多半是套路。
audiences: [elderly]
rights: [property_safety, lawful_redress]
column: risk-alerts
cover: {illustration: phone-hang-up, ground: amber}
remember: [先挂断, 再核实, 不转账]
actions:
  - 拨打 {hotline} 向公司核实
laws:
  - {name: 中华人民共和国个人信息保护法, article: 第二十八条}
---
## 电话里说了什么

对方说自己是“退保专家”，能帮您把保费全数要回来，只要先交一笔手续费，再把身份证和银行卡拍照发过去。
"""


def test_an_article_may_come_as_it_is_written(client, editor):
    made = client.post(
        STAFF, data=ARTICLE.encode(), content_type="text/markdown; charset=utf-8", headers=editor
    )
    assert made.status_code == 201, made.get_data(as_text=True)
    assert (made.json["kind"], made.json["slug"]) == ("article", "hang-up-first")
    assert made.json["meta"]["rights"] == ["property_safety", "lawful_redress"]
    same = client.put(f"{STAFF}/hang-up-first", json={"markdown": ARTICLE}, headers=editor).json
    assert same["id"] == made.json["id"]


def test_mistakes_in_markdown_are_named(client, editor):
    broken = ARTICLE.replace("audiences: [elderly]", "audiences: [aliens]").replace(
        "remember: [先挂断, 再核实, 不转账]", ""
    )
    fields = wrong(client.post(STAFF, data=broken.encode(), content_type="text/markdown", headers=editor))
    assert {"audiences[0]", "remember"} <= set(fields)
    nameless = ARTICLE.replace("slug: hang-up-first\n", "")
    assert wrong(client.post(STAFF, json={"markdown": nameless}, headers=editor)) == ["slug"]
    other = {"markdown": ARTICLE, "slug": "another"}
    assert wrong(client.post(STAFF, json=other, headers=editor)) == ["slug"]
    latin = client.post(STAFF, data="题".encode("gb18030"), content_type="text/markdown", headers=editor)
    assert (latin.status_code, latin.json["code"]) == (400, "bad_encoding")


def test_an_article_only_replaces_an_article(client, editor, desk):
    desk.draft("hang-up-first")
    answer = client.put(f"{STAFF}/hang-up-first", json={"markdown": ARTICLE}, headers=editor)
    assert (answer.status_code, answer.json["code"]) == (409, "slug_taken")


def test_an_article_goes_the_whole_way(client, app, editor, reviewer):
    """Written, checked, approved by another, drawn by the worker, read with its cover, taken down with it."""
    revision = client.post(STAFF, data=ARTICLE.encode(), content_type="text/markdown", headers=editor).json
    one = f"{STAFF}/hang-up-first/revisions/{revision['id']}"
    case = client.post(f"{one}/submit", headers=editor).json
    approval = {"digest": revision["digest"]}
    assert client.post(f"{CASES}/{case['id']}/approve", json=approval, headers=reviewer).status_code == 200
    assert client.post(f"{one}/publish", json={}, headers=editor).json["state"] == "published"
    (card,) = client.get("/api/v1/pieces?kind=article").json["items"]
    assert card["cover"] is None  # it can be read before its cover is drawn
    with app.app_context():
        assert run_all_due() >= 1
    (card,) = client.get("/api/v1/pieces?kind=article").json["items"]
    assert (card["cover"]["width"], card["cover"]["height"]) > (0, 0)
    page = client.get("/api/v1/pieces/hang-up-first").json
    assert page["cover"] == card["cover"]
    assert page["blocks"][0]["type"] == "heading"
    assert "95519" in page["actions"][0]["text"]
    assert client.get("/api/v1/pieces?q=退保").json["items"][0]["slug"] == "hang-up-first"
    picture = client.get(card["cover"]["url"])
    assert (picture.status_code, picture.mimetype) == (200, card["cover"]["media_type"])
    client.post(f"{STAFF}/hang-up-first/withdraw", json={"reason": "有误"}, headers=reviewer)
    assert client.get("/api/v1/pieces/hang-up-first").status_code == 404
    assert client.get(card["cover"]["url"]).status_code == 404
