"""What learners see of campaigns, and the home feed."""

from __future__ import annotations

import json
import random
from collections import Counter
from datetime import UTC, date, datetime, timedelta

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from edu_platform.campaigns import queries
from edu_platform.core.clock import frozen, local_day
from edu_platform.core.db import db, writing
from edu_platform.core.vocabulary import Audience, Channel
from edu_platform.library import catalogue
from edu_platform.library import queries as library
from edu_platform.library.models import CatalogueEntry, CatalogueVersion, Piece, Popularity
from edu_platform.library.operations import add_reads, touch
from tests.campaigns import publishing
from tests.cast import sign_in_learner, visitor

NOON = datetime(2026, 3, 12, 4, tzinfo=UTC)


@pytest.fixture
def clock():
    moved = [NOON]
    with frozen(lambda: moved[0]):
        yield moved


@pytest.fixture
def shelf(app, clock):
    """Three pieces for the elderly, one for the young, a running campaign, one to come, one that has ended."""
    ids = {slug: publishing.draft(app, slug) for slug in ("one", "two", "three")}
    ids["school"] = publishing.draft(app, "school", Audience.YOUTH)
    publishing.campaign(
        app,
        "rights-week",
        date(2026, 3, 10),
        date(2026, 3, 16),
        pieces=["two"],
        codes={"HALL22": Channel.HALL_SCREEN},
    )
    publishing.campaign(
        app, "for-the-young", date(2026, 3, 1), date(2026, 3, 31), audiences=(Audience.YOUTH,)
    )
    publishing.campaign(app, "september", date(2026, 9, 1), date(2026, 9, 30))
    publishing.campaign(app, "last-year", date(2025, 3, 10), date(2025, 3, 16))
    publishing.campaign(
        app, "secret", date(2026, 3, 1), date(2026, 3, 31), opened=False, codes={"SECRET": Channel.APP}
    )
    return ids


def get(app, path: str, **options):
    # the catalogue believes a version for a moment; a test does not wait for it
    with app.app_context():
        catalogue.catalogue_of(db.engine).look_again()
    return app.test_client().get(f"/api/v1{path}", **options)


def codes(answer) -> list[str]:
    return [item["code"] for item in answer.json["items"]]


def test_campaigns_are_listed_by_when_they_run(app, shelf):
    assert codes(get(app, "/campaigns")) == ["rights-week", "for-the-young"]
    assert codes(get(app, "/campaigns?when=upcoming")) == ["september"]
    assert codes(get(app, "/campaigns?when=ended")) == ["last-year"]
    assert get(app, "/campaigns?when=never").status_code == 422


def test_a_campaigns_page_has_the_cards_of_its_pieces(app, shelf):
    page = get(app, "/campaigns/rights-week").json
    assert (page["series_label"], page["when"]) == ("3·15宣传周", "running")
    [card] = page["pieces"]
    assert card == next(item for item in get(app, "/pieces").json["items"] if item["slug"] == "two")
    assert get(app, "/campaigns/secret").status_code == 404
    assert get(app, "/campaigns/no-such").status_code == 404


def test_a_scanned_scene_leads_to_its_campaign(app, shelf, clock):
    for text in ("c:HALL22", "HALL22", "c%3AHALL22"):
        found = get(app, f"/channel-codes/{text}").json
        assert (found["scene"], found["channel"], found["campaign"]["code"]) == (
            "c:HALL22", "hall_screen", "rights-week",
        )  # fmt: skip
    for text in ("c:NOPE22", "c:SECRET", "x", "c:" + "a" * 40):
        assert get(app, f"/channel-codes/{text}").status_code == 404
    clock[0] += timedelta(days=30)
    assert get(app, "/channel-codes/HALL22").json["campaign"]["when"] == "ended"


def sections(answer) -> dict[str, list[str]]:
    return {part["key"]: [card["slug"] for card in part["items"]] for part in answer.json["sections"]}


def test_the_home_feed_is_for_an_audience(app, shelf):
    with app.app_context(), writing() as session:
        add_reads(session, {shelf["three"]: 5, shelf["one"]: 2})
    home = get(app, "/home?audience=elderly")
    assert sections(home) == {
        "picks": ["two", "three", "one"], "daily_quiz": [], "newest": ["three", "two", "one"],
    }  # fmt: skip
    assert [campaign["code"] for campaign in home.json["campaigns"]] == ["rights-week"]
    assert home.json["help"] == {"hotline": "95519", "label": "一键求助：拨打 95519", "one_tap": "tel:95519"}
    assert home.json["elder_mode"]["suggested"]
    assert [(column["slug"], column["pieces"]) for column in home.json["columns"]] == [("risk-alerts", 3)]
    young = get(app, "/home?audience=youth")
    assert sections(young)["newest"] == ["school"]
    assert not young.json["elder_mode"]["suggested"]
    assert sorted(sections(get(app, "/home"))["newest"]) == ["one", "school", "three", "two"]
    assert get(app, "/home?audience=cats").status_code == 422


def test_the_home_feed_has_an_etag_and_may_be_kept(app, shelf):
    first = get(app, "/home")
    assert first.headers["Cache-Control"].startswith("public, max-age=")
    again = get(app, "/home", headers={"If-None-Match": first.headers["ETag"]})
    assert (again.status_code, again.data) == (304, b"")


def test_a_campaign_begins_and_ends_with_the_day(app, shelf, clock):
    clock[0] = datetime(2026, 3, 16, 15, 59, 59, tzinfo=UTC)
    assert codes(get(app, "/campaigns")) == ["rights-week", "for-the-young"]
    clock[0] = datetime(2026, 3, 16, 16, tzinfo=UTC)
    assert codes(get(app, "/campaigns")) == ["for-the-young"]
    assert codes(get(app, "/campaigns?when=ended")) == ["rights-week", "last-year"]


def test_the_leaderboard_is_for_learners_of_an_open_campaign(app, shelf):
    assert get(app, "/campaigns/rights-week/leaderboard").status_code == 401
    for _, headers in (visitor(app), sign_in_learner(app)):
        board = get(app, "/campaigns/rights-week/leaderboard", headers=headers)
        assert board.status_code == 200
        assert (board.json["items"], board.json["total"], board.json["me"]) == ([], 0, None)
        assert get(app, "/campaigns/secret/leaderboard", headers=headers).status_code == 404


def in_the_plain_way(connection, at, audience):
    """Return the ids of the sections and the columns' counts, each by a statement of its own."""
    chosen = {} if audience is None else {"audience": audience}
    filters, given = frozenset(chosen), {"at": at, **chosen}

    def slugs(cards):
        return [json.loads(card)["slug"] for card in cards]

    def listed(sort):
        found = library.listed(filters, sort, after=False)
        return slugs(row.card for row in connection.execute(found, {**given, "most": 100}))

    with Session(connection) as session:
        running = [
            row
            for row in session.scalars(queries.opened())
            if row.runs_at(at) and (audience is None or audience.value in row.audiences)
        ]
        newest, visible = listed("newest"), library.visible(at, **chosen)
        carried = []
        for campaign in running:
            here = set(session.scalars(visible_slugs(library.visible(at, campaign=campaign.code, **chosen))))
            carried += [slug for slug in campaign.pieces if slug in here]
        quizzes = list(
            session.scalars(
                visible_slugs(visible.where(CatalogueEntry.kind == "quiz")).order_by(CatalogueEntry.piece_id)
            )
        )
        counted = Counter(session.scalars(visible.with_only_columns(CatalogueEntry.column_slug)))
    return {
        "picks": list(dict.fromkeys(carried + listed("most_read")))[:6],
        "daily_quiz": [quizzes[local_day(at).toordinal() % len(quizzes)]] if quizzes else [],
        "newest": newest[:6],
        "columns": dict(counted),
        "campaigns": [row.code for row in running],
    }


def visible_slugs(chosen):
    return chosen.with_only_columns(CatalogueEntry.slug)


@pytest.mark.database
def test_the_home_feed_is_what_single_statements_say_at_any_moment(app, shelf, clock):
    """Scheduled and expiring pieces, campaigns by the day, reads, and changes under way."""
    generator = random.Random(11)
    for number in range(9):
        publishing.draft(app, f"more-{number}", generator.choice(list(Audience)))
    with app.app_context():
        with writing() as session:
            pieces = list(session.scalars(select(Piece).order_by(Piece.id)))
            entries = list(session.scalars(select(CatalogueEntry)))
            for entry in generator.sample(entries, 5):
                entry.kind = "quiz"
            day = timedelta(days=1)
            for entry in generator.sample(entries, len(entries) // 2):
                entry.visible_from = clock[0] + generator.randint(-3, 3) * day / 2
                entry.visible_until = entry.visible_from + generator.randint(1, 6) * day / 2
            touch(session)
        for step in range(12):
            if step % 3 == 1:
                with writing() as session:
                    for piece in pieces:
                        session.get(Popularity, piece.id).reads = generator.randint(0, 4)
                    session.get(CatalogueVersion, 1).popularity = f"step-{step}"
            if step % 4 == 2:
                with writing() as session:
                    entry = session.get(CatalogueEntry, generator.choice(entries).id)
                    entry.ready = not entry.ready
                    touch(session)
            for audience in (None, *Audience):
                home = get(app, f"/home?audience={audience.value}" if audience else "/home")
                with db.engine.connect() as connection:
                    expected = in_the_plain_way(connection, clock[0], audience)
                assert home.status_code == 200
                told = {**sections(home), "campaigns": [row["code"] for row in home.json["campaigns"]]}
                told["columns"] = {
                    row["slug"]: row["pieces"] for row in home.json["columns"] if row["pieces"]
                }
                assert told == expected, (step, audience)
            clock[0] += timedelta(hours=7)
