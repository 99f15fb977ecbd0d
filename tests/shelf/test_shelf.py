"""Progress, favourites, history: over HTTP, for learners and visitors."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from sqlalchemy import func, select

from edu_platform.core.clock import frozen, now, timestamp
from edu_platform.core.db import db, reading, writing
from edu_platform.people import operations as people
from edu_platform.people.models import Learner
from edu_platform.shelf import operations, signals
from edu_platform.shelf.models import Favourite, Progress, Visit
from tests import cast

P, F, H = "/api/v1/progress", "/api/v1/favourites", "/api/v1/history"


@pytest.fixture
def headers(app):
    return cast.sign_in_learner(app)[1]


@pytest.fixture
def heard():
    found = []
    signals.favourited.connect(handler := lambda session, news: found.append(news))
    yield found
    signals.favourited._handlers.remove(handler)


def report(client, headers, slug, position, **more):
    return client.put(f"{P}/{slug}", json={"position": position, **more}, headers=headers)


def count(app, table) -> int:
    with app.app_context():
        return reading().scalar(select(func.count()).select_from(table))


def slugs(answer) -> list[str]:
    assert answer.status_code == 200, answer.text
    return [item["piece"]["slug"] for item in answer.json["items"]]


# --- progress ----------------------------------------------------------------------------------


def test_one_resumes_where_one_stopped(client, headers, publish):
    publish("hang-up")
    nothing = client.get(f"{P}/hang-up", headers=headers)
    assert nothing.json == {
        "slug": "hang-up", "position": None, "finished": False, "finished_at": None, "updated_at": None,
    }  # fmt: skip
    told = report(client, headers, "hang-up", {"ms": 61_500})
    assert told.status_code == 200
    assert told.json["taken"] is True
    kept = client.get(f"{P}/hang-up", headers=headers).json
    assert kept["position"] == {"ms": 61_500}
    assert kept["updated_at"].endswith("+08:00")
    assert client.get(P, headers=headers).headers["Cache-Control"] == "no-store"


def test_an_older_report_never_replaces_a_newer_one(client, headers, publish):
    publish("hang-up")
    early, late = now() - timedelta(minutes=9), now() - timedelta(minutes=3)
    assert report(client, headers, "hang-up", {"block": 7}, updated_at=timestamp(late)).json["taken"]
    old = report(client, headers, "hang-up", {"block": 2}, updated_at=timestamp(early), finished=True)
    assert old.status_code == 200
    assert (old.json["taken"], old.json["position"], old.json["finished"]) == (False, {"block": 7}, False)
    assert report(client, headers, "hang-up", {"block": 9}).json["position"] == {"block": 9}


def test_a_report_from_the_future_keeps_no_other_out(client, headers, publish):
    publish("hang-up")
    report(client, headers, "hang-up", {"percent": 10}, updated_at=timestamp(now() + timedelta(days=3)))
    with frozen(now() + timedelta(seconds=1)):
        assert report(client, headers, "hang-up", {"percent": 20}).json["position"] == {"percent": 20}


def test_the_first_time_it_was_finished_is_kept(client, headers, publish):
    publish("hang-up")
    first = report(client, headers, "hang-up", {"percent": 100}, finished=True).json
    with frozen(now() + timedelta(hours=1)):
        again = report(client, headers, "hang-up", {"percent": 5}).json
        assert again["finished"] is False
        assert again["finished_at"] == first["finished_at"]
        third = report(client, headers, "hang-up", {"percent": 100}, finished=True).json
    assert third["finished_at"] == first["finished_at"]


def test_reports_at_the_same_time_make_one_row_and_the_newest_wins(app, client, headers, publish):
    publish("hang-up")
    start = now() - timedelta(hours=1)

    def tell(number: int) -> int:
        moment = (start + timedelta(seconds=number)).isoformat()
        return report(app.test_client(), headers, "hang-up", {"block": number}, updated_at=moment).status_code

    with ThreadPoolExecutor(8) as pool:
        assert set(pool.map(tell, [5, 19, 3, 11, 0, 17, 8, 14, 2, 18, 9, 1])) == {200}
    assert count(app, Progress) == 1
    assert client.get(f"{P}/hang-up", headers=headers).json["position"] == {"block": 19}


def test_progress_is_listed_newest_first_with_cards(client, headers, publish):
    for number, slug in enumerate(["one", "two", "three"]):
        publish(slug)
        with frozen(now() + timedelta(seconds=number)):
            report(client, headers, slug, {"percent": 100 if slug == "two" else 30}, finished=slug == "two")
    assert slugs(client.get(P, headers=headers)) == ["three", "two", "one"]
    assert slugs(client.get(P, query_string={"finished": "true"}, headers=headers)) == ["two"]
    assert slugs(client.get(P, query_string={"finished": "false"}, headers=headers)) == ["three", "one"]
    card = client.get(P, headers=headers).json["items"][1]
    assert card["piece"]["title"] == "题目two"
    assert card["position"] == {"percent": 100}


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "position"),
        ({"position": {}}, "position"),
        ({"position": {"ms": 1, "block": 1}}, "position"),
        ({"position": {"page": 1}}, "position.page"),
        ({"position": {"percent": 101}}, "position.percent"),
        ({"position": {"ms": -1}}, "position.ms"),
        ({"position": {"ms": 2**70}}, "position.ms"),
        ({"position": {"ms": 1.5}}, "position.ms"),
        ({"position": {"ms": True}}, "position.ms"),
        ({"position": {"ms": 1}, "finished": "yes"}, "finished"),
        ({"position": {"ms": 1}, "updated_at": "yesterday"}, "updated_at"),
        ({"position": {"ms": 1}, "updated_at": "2026-03-15T08:00:00"}, "updated_at"),
        ({"position": {"ms": 1}, "updated_at": "1999-03-15T08:00:00Z"}, "updated_at"),
    ],
)
def test_a_bad_report_is_named(app, client, headers, publish, body, field):
    publish("hang-up")
    answer = client.put(f"{P}/hang-up", json=body, headers=headers)
    assert answer.status_code == 422
    assert {e["field"] for e in answer.json["errors"]} == {field}
    assert count(app, Progress) == 0


# --- favourites --------------------------------------------------------------------------------


def test_favourites_are_kept_listed_and_dropped(client, headers, publish):
    for number, slug in enumerate(["one", "two"]):
        publish(slug)
        with frozen(now() + timedelta(seconds=number)):
            assert client.put(f"{F}/{slug}", headers=headers).json["favourite"] is True
    listed = client.get(F, headers=headers)
    assert slugs(listed) == ["two", "one"]
    assert listed.json["items"][0]["piece"]["kind"] == "article"
    for _ in range(2):
        assert client.delete(f"{F}/two", headers=headers).status_code == 204
    assert slugs(client.get(F, headers=headers)) == ["one"]
    assert client.get(f"{F}/two", headers=headers).json == {
        "slug": "two",
        "favourite": False,
        "kept_at": None,
    }
    assert client.get(f"{F}/one", headers=headers).json["favourite"] is True


def test_a_favourite_is_news_once(app, client, headers, publish, heard):
    piece_id = publish("one")
    for _ in range(3):
        client.put(f"{F}/one", headers=headers)
    client.delete(f"{F}/one", headers=headers)
    client.put(f"{F}/one", headers=headers)
    assert [(news.piece_id, news.channel) for news in heard] == [(piece_id, "mini_program")]
    assert slugs(client.get(F, headers=headers)) == ["one"]
    assert count(app, Favourite) == 1


def test_a_favourite_put_many_times_at_once_is_news_once(app, headers, publish, heard):
    publish("one")

    def put(_: int) -> int:
        return app.test_client().put(f"{F}/one", headers=headers).status_code

    with ThreadPoolExecutor(8) as pool:
        assert set(pool.map(put, range(16))) == {200}
    assert len(heard) == 1
    assert count(app, Favourite) == 1


def test_news_that_cannot_be_heard_undoes_the_favourite(app, client, headers, publish):
    publish("one")
    signals.favourited.connect(handler := lambda session, news: 1 / 0)
    try:
        assert client.put(f"{F}/one", headers=headers).status_code == 500
    finally:
        signals.favourited._handlers.remove(handler)
    assert count(app, Favourite) == 0


# --- history -----------------------------------------------------------------------------------


def test_history_shows_what_was_opened_last_and_can_be_cleared(app, client, publish):
    learner_id, headers = cast.sign_in_learner(app)
    one, two, three = (publish(slug) for slug in ("one", "two", "three"))
    start = now() - timedelta(hours=1)
    minutes = timedelta(minutes=1)
    with app.app_context(), writing() as session:
        operations.note_visits(
            session,
            [
                (learner_id, one, start + 5 * minutes),
                (learner_id, two, start + 2 * minutes),
                (learner_id, three, start + 3 * minutes),
                (learner_id, one, start),
            ],
        )
        operations.note_visit(session, learner_id, three, start)
    assert slugs(client.get(H, headers=headers)) == ["one", "three", "two"]
    report(client, headers, "two", {"percent": 1})
    assert slugs(client.get(H, headers=headers)) == ["two", "one", "three"]
    for _ in range(2):
        assert client.delete(H, headers=headers).status_code == 204
    assert slugs(client.get(H, headers=headers)) == []
    assert slugs(client.get(P, headers=headers)) == ["two"]


def test_lists_are_paged_without_gap_or_repeat(app, client, publish):
    learner_id, headers = cast.sign_in_learner(app)
    pieces = [publish(f"piece-{number}") for number in range(5)]
    same = now() - timedelta(minutes=1)
    with app.app_context(), writing() as session:
        operations.note_visits(session, [(learner_id, piece, same) for piece in pieces])
    seen, cursor = [], None
    while True:
        page = client.get(
            H, query_string={"limit": 2, **({"cursor": cursor} if cursor else {})}, headers=headers
        )
        seen += slugs(page)
        cursor = page.json["next_cursor"]
        if cursor is None:
            break
        assert len(page.json["items"]) == 2
    assert sorted(seen) == [f"piece-{number}" for number in range(5)]


@pytest.mark.parametrize(
    "query", [{"cursor": "!"}, {"cursor": "WzFd"}, {"limit": "0"}, {"limit": "x"}, {"page": "1"}]
)
@pytest.mark.parametrize("url", [P, F, H])
def test_bad_paging_is_named(client, headers, url, query):
    answer = client.get(url, query_string=query, headers=headers)
    assert answer.status_code == 422
    assert {e["field"] for e in answer.json["errors"]} == set(query)


# --- whose shelf, which pieces -----------------------------------------------------------------


def test_nobody_sees_anothers_shelf(app, client, headers, publish):
    publish("one")
    report(client, headers, "one", {"percent": 50})
    client.put(f"{F}/one", headers=headers)
    _, other = cast.sign_in_learner(app)
    assert slugs(client.get(P, headers=other)) == slugs(client.get(F, headers=other)) == []
    assert client.get(f"{P}/one", headers=other).json["position"] is None
    client.delete(f"{F}/one", headers=other)
    client.delete(H, headers=other)
    assert slugs(client.get(F, headers=headers)) == slugs(client.get(H, headers=headers)) == ["one"]


@pytest.mark.parametrize("url", [f"{P}/nowhere", f"{F}/nowhere"])
def test_a_piece_that_is_not_there(client, headers, url):
    assert client.get(url, headers=headers).status_code == 404
    body = {"json": {"position": {"ms": 1}}} if url.startswith(P) else {}
    assert client.put(url, headers=headers, **body).status_code == 404


def test_a_withdrawn_piece_leaves_the_lists_and_may_be_dropped(app, client, headers, publish, withdraw):
    publish("one")
    report(client, headers, "one", {"percent": 50})
    client.put(f"{F}/one", headers=headers)
    withdraw("one")
    for url in (P, F, H):
        assert slugs(client.get(url, headers=headers)) == []
    assert report(client, headers, "one", {"percent": 60}).status_code == 404
    assert client.put(f"{F}/one", headers=headers).status_code == 404
    assert client.delete(f"{F}/one", headers=headers).status_code == 204
    with app.app_context():
        assert reading().scalar(select(Favourite)).removed_at is not None


def test_a_visitors_shelf_becomes_the_learners(app, client, publish):
    for slug in ("one", "two", "three"):
        publish(slug)
    learner_id, headers = cast.sign_in_learner(app)
    visitor_id, as_visitor = cast.visitor(app)
    start = now() - timedelta(hours=1)

    def at(minute: int) -> str:
        return timestamp(start + timedelta(minutes=minute))

    report(client, headers, "one", {"percent": 10}, updated_at=at(1))
    report(client, as_visitor, "one", {"percent": 90}, updated_at=at(2))
    report(client, headers, "two", {"percent": 80}, updated_at=at(4))
    report(client, as_visitor, "two", {"percent": 20}, updated_at=at(3))
    report(client, as_visitor, "three", {"percent": 30}, updated_at=at(5))
    client.put(f"{F}/one", headers=headers)
    client.put(f"{F}/one", headers=as_visitor)
    client.put(f"{F}/three", headers=as_visitor)
    with app.app_context(), writing() as session:
        assert people.merge_visitor(
            session, session.get_one(Learner, visitor_id), session.get_one(Learner, learner_id)
        )
    kept = {
        item["piece"]["slug"]: item["position"]["percent"]
        for item in client.get(P, headers=headers).json["items"]
    }
    assert kept == {"one": 90, "two": 80, "three": 30}
    assert set(slugs(client.get(F, headers=headers))) == {"one", "three"}
    assert slugs(client.get(H, headers=headers)) == ["three", "two", "one"]
    with app.app_context():
        for table in (Progress, Favourite, Visit):
            assert set(reading().scalars(select(table.learner_id))) == {learner_id}


def test_export_and_erasure_hold_the_shelf(app, client, headers, publish):
    publish("one")
    report(client, headers, "one", {"ms": 1_000}, finished=True)
    client.put(f"{F}/one", headers=headers)
    client.delete(f"{F}/one", headers=headers)
    shelf = client.get("/api/v1/me/export", headers=headers).json["shelf"]
    assert shelf["progress"][0]["piece"] == "one"
    assert shelf["progress"][0]["position"] == {"ms": 1_000}
    assert shelf["favourites"][0]["removed_at"] is not None
    assert shelf["history"][0]["piece"] == "one"
    assert client.delete("/api/v1/me", headers=headers).status_code == 204
    assert [count(app, table) for table in (Progress, Favourite, Visit)] == [0, 0, 0]


def test_the_holding_claims_every_table_of_the_room(app):
    named = {
        mapper.local_table.name
        for mapper in db.Model.registry.mappers
        if mapper.class_.__module__.startswith("edu_platform.shelf")
        and "learner_id" in mapper.local_table.columns
    }
    assert named == operations.HOLDING.tables


def test_nobody_without_a_session_has_a_shelf(client):
    for url in (P, F, H, f"{P}/one", f"{F}/one"):
        assert client.get(url).status_code == 401
