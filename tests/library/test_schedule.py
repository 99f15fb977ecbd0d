"""Appearing and expiring hold by the clock, to the moment, whether or not the worker runs."""

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import func, select, text

from edu_platform.core import jobs
from edu_platform.core.clock import frozen, timestamp
from edu_platform.core.db import reading, writing
from edu_platform.core.errors import NotFound
from edu_platform.library import operations, queries
from edu_platform.library.models import CatalogueEntry
from edu_platform.library.signals import files_hidden, files_shown

NOON = datetime(2026, 3, 15, 4, 0, tzinfo=UTC)
TICK = timedelta(microseconds=1)
HOUR = timedelta(hours=1)


@pytest.fixture
def client(app):
    return app.test_client()


def is_served(client, slug, at):
    with frozen(at):
        page = client.get(f"/api/v1/pieces/{slug}").status_code
        listed = [item["slug"] for item in client.get("/api/v1/pieces").json["items"]]
        found = [item["slug"] for item in client.get("/api/v1/pieces?q=正文").json["items"]]
    assert (page == 200) == (slug in listed) == (slug in found)
    return page == 200


def due(at):
    with frozen(at), writing() as session:
        return operations.due_transitions(session)


@pytest.mark.parametrize("asked", ["by meta", "by hand"])
def test_a_scheduled_piece_appears_at_its_hour_while_the_worker_sleeps(desk, client, asked):
    with frozen(NOON):
        if asked == "by meta":
            revision = desk.published("one", publish_at=timestamp(NOON + HOUR))
        else:
            revision = desk.published("one", at=NOON + HOUR)
    assert desk.state(revision) == "scheduled"
    assert not is_served(client, "one", NOON + HOUR - TICK)
    assert is_served(client, "one", NOON + HOUR)
    assert desk.state(revision) == "scheduled"
    assert due(NOON + HOUR - TICK) == 0
    assert due(NOON + HOUR) == 1
    assert desk.state(revision) == "published"
    with frozen(NOON + 2 * HOUR):
        assert client.get("/api/v1/pieces/one").json["published_at"] == "2026-03-15T13:00:00.000+08:00"


def test_a_piece_expires_at_its_end_while_the_worker_sleeps(desk, client):
    with frozen(NOON):
        revision = desk.published("one", expire_at=timestamp(NOON + HOUR))
    assert is_served(client, "one", NOON + HOUR - TICK)
    with frozen(NOON):
        assert client.get("/api/v1/pieces/one").json["expires_at"] == "2026-03-15T13:00:00.000+08:00"
    assert not is_served(client, "one", NOON + HOUR)
    assert desk.state(revision) == "published"
    assert due(NOON + HOUR) == 1
    assert desk.state(revision) == "expired"
    assert reading().scalar(select(func.count()).select_from(CatalogueEntry)) == 0
    # seen from before its end it is still gone: the row has left
    assert not is_served(client, "one", NOON + 2 * HOUR)


def test_what_ended_before_it_would_appear_is_expired_at_once(desk, client):
    with frozen(NOON):
        revision = desk.published("one", expire_at=timestamp(NOON - HOUR))
        assert desk.state(revision) == "expired"
    assert not is_served(client, "one", NOON)


def test_the_older_revision_stands_until_the_newer_ones_hour(desk, client):
    def text_at(moment):
        with frozen(moment):
            return client.get("/api/v1/pieces/one").json["text"]

    with frozen(NOON):
        first = desk.published("one", "正文一")
        second = desk.published("one", "正文二", at=NOON + HOUR)
    assert text_at(NOON + HOUR - TICK) == "正文一"
    assert text_at(NOON + HOUR) == "正文二"
    assert (desk.state(first), desk.state(second)) == ("published", "scheduled")
    due(NOON + HOUR)
    assert (desk.state(first), desk.state(second)) == ("superseded", "published")
    assert reading().scalar(select(func.count()).select_from(CatalogueEntry)) == 1
    with frozen(NOON + 2 * HOUR):
        page = client.get("/api/v1/pieces/one").json
        assert page["published_at"] < page["updated_at"]


def test_a_replaced_schedule_gives_the_older_revision_its_time_back(desk, client):
    with frozen(NOON):
        desk.published("one", "正文一")
        second = desk.published("one", "正文二", at=NOON + HOUR)
        third = desk.published("one", "正文三", at=NOON + 3 * HOUR)
        assert (desk.state(second), desk.state(third)) == ("superseded", "scheduled")
    with frozen(NOON + 2 * HOUR):
        assert client.get("/api/v1/pieces/one").json["text"] == "正文一"
    with frozen(NOON + 3 * HOUR):
        assert client.get("/api/v1/pieces/one").json["text"] == "正文三"


def test_a_schedule_can_be_moved_and_ended(desk, client):
    with frozen(NOON):
        revision = desk.published("one", at=NOON + HOUR)
        desk.publish(revision, at=NOON + 2 * HOUR)
    assert not is_served(client, "one", NOON + HOUR)
    with frozen(NOON + HOUR):
        desk.publish(revision)
    assert desk.state(revision) == "published"
    assert is_served(client, "one", NOON + HOUR)


def test_withdrawing_takes_the_schedule_too(desk, client):
    with frozen(NOON):
        desk.published("one", "正文一")
        second = desk.published("one", "正文二", at=NOON + HOUR)
        desk.withdraw("one")
    assert desk.state(second) == "withdrawn"
    assert not is_served(client, "one", NOON + 2 * HOUR)


def test_a_schedule_that_was_slept_through_ends_expired(desk, client):
    with frozen(NOON):
        revision = desk.published("one", at=NOON + HOUR, expire_at=timestamp(NOON + 2 * HOUR))
    assert due(NOON + 3 * HOUR) == 2
    assert desk.state(revision) == "expired"


def test_a_piece_that_waits_for_files_is_not_listed(desk, client):
    desk.kind.waiting.add("film")
    with frozen(NOON):
        revision = desk.published("film")
    assert desk.state(revision) == "published"
    assert desk.kind.wanted == ["film"]
    assert not is_served(client, "film", NOON + HOUR)
    desk.kind.waiting.clear()
    with frozen(NOON + HOUR), writing() as session:
        piece = operations.piece_of(session, "film")
        assert operations.refresh(session, piece.id) is True
        assert operations.refresh(session, piece.id) is False
    assert not is_served(client, "film", NOON + HOUR - TICK)
    assert is_served(client, "film", NOON + HOUR)
    with frozen(NOON + 2 * HOUR):
        assert client.get("/api/v1/pieces/film").json["published_at"] == "2026-03-15T13:00:00.000+08:00"


def test_what_is_public_stays_while_its_files_are_made_anew(desk, client):
    with frozen(NOON):
        desk.published("film")
        desk.kind.waiting.add("film")
        with writing() as session:
            operations.refresh(session, operations.piece_of(session, "film").id)
    assert desk.kind.wanted == ["film"]
    assert is_served(client, "film", NOON)


def test_the_older_revision_stands_until_the_newer_has_its_files(desk, client):
    with frozen(NOON):
        desk.published("film", "正文一")
        desk.kind.waiting.add("film")
        desk.published("film", "正文二")
    due(NOON + HOUR)
    with frozen(NOON + HOUR):
        assert client.get("/api/v1/pieces/film").json["text"] == "正文一"
        desk.kind.waiting.clear()
        with writing() as session:
            operations.refresh(session, operations.piece_of(session, "film").id)
        assert client.get("/api/v1/pieces/film").json["text"] == "正文二"
    due(NOON + HOUR)
    assert reading().scalar(select(func.count()).select_from(CatalogueEntry)) == 1


def test_public_files_are_announced_as_they_come_and_go(desk, monkeypatch):
    news = []
    monkeypatch.setattr(files_shown, "_handlers", [lambda s, n: news.append(("shown", *sorted(n.digests)))])
    monkeypatch.setattr(files_hidden, "_handlers", [lambda s, n: news.append(("hidden", *sorted(n.digests)))])
    one, two = "a" * 64, "b" * 64
    desk.kind.drawings["film"] = one
    with frozen(NOON):
        desk.published("film", expire_at=timestamp(NOON + HOUR))
    desk.kind.drawings["film"] = two
    with frozen(NOON), writing() as session:
        operations.refresh(session, operations.piece_of(session, "film").id)
    due(NOON + HOUR)
    assert news == [("shown", one), ("shown", two), ("hidden", one), ("hidden", two)]


def test_a_file_that_the_next_revision_names_too_stays_public(desk, monkeypatch):
    public = set()
    monkeypatch.setattr(files_shown, "_handlers", [lambda s, n: public.update(n.digests)])
    monkeypatch.setattr(files_hidden, "_handlers", [lambda s, n: public.difference_update(n.digests)])
    desk.kind.drawings["film"] = "a" * 64
    with frozen(NOON):
        desk.published("film", "正文一")
        desk.published("film", "正文二")
        assert public == {"a" * 64}
        desk.published("film", "正文三", at=NOON + HOUR)
    due(NOON + HOUR)
    assert public == {"a" * 64}
    with frozen(NOON + HOUR):
        desk.withdraw("film")
    assert public == set()


def test_the_worker_moves_states_every_few_seconds(desk):
    task = jobs.periodic["library.due"]
    assert task.seconds <= 5
    with frozen(NOON):
        revision = desk.published("one", at=NOON + HOUR)
        task.run()
        assert desk.state(revision) == "scheduled"
    with frozen(NOON + HOUR):
        task.run()
        assert desk.state(revision) == "published"


def test_what_upper_rooms_read_follows_the_clock(desk):
    with frozen(NOON):
        desk.published("one", "正文一")
        second = desk.published("one", "正文二", at=NOON + HOUR)
    session = reading()
    piece = operations.published_piece(session, "one", NOON)
    assert operations.visible_revision(session, "one", NOON).id != second
    assert operations.visible_revision(session, "one", NOON + HOUR).id == second
    assert len(operations.cards(session, [piece.id, 999], NOON)) == 1
    with pytest.raises(NotFound):
        operations.published_piece(session, "one", NOON - TICK)
    assert session.scalars(queries.visible(NOON, kind="quiz")).all() == []


def test_nothing_is_left_in_the_index(desk):
    with frozen(NOON):
        desk.published("one", "正文一")
        desk.published("one", "正文二", at=NOON + HOUR)
        desk.published("two", expire_at=timestamp(NOON + HOUR))
        desk.withdraw("one")
    due(NOON + HOUR)
    assert reading().scalar(text("SELECT count(*) FROM search_index")) == 0
