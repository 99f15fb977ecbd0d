"""Two web processes over one PostgreSQL, one Valkey and one file store are one platform."""

from __future__ import annotations

import io
import itertools
import time
import uuid

import httpx2
import pytest
from PIL import Image
from sqlalchemy import create_engine, text

from bench.nginx import nginx, program
from edu_platform.core.clock import now
from edu_platform.core.db import db, writing
from edu_platform.core.vocabulary import Role
from edu_platform.factory.app import create_app
from edu_platform.media.models import FileKind
from edu_platform.media.operations import hide_files, keep, show_files, url_of
from edu_platform.media.storage import store_of
from tests import services
from tests.campaigns.publishing import BODY
from tests.cast import sign_in_learner, staff_member
from tests.quizzes.conftest import META, Desk
from tests.servers import environ_of, installation, web

FILM = bytes(i * 7 % 256 for i in range(300_000))


class House:
    """Settings, the application in this process, and the addresses of the two processes."""

    def __init__(self, settings, app, one, two):
        self.settings, self.app, self.addresses = settings, app, (one, two)
        self.desk = Desk(app)
        with app.app_context():
            self.editor = self.desk.editor_headers
            self.reviewer = staff_member(app, Role.REVIEWER)[1]
            self.learner = sign_in_learner(app)[1]
        self.turn = itertools.cycle(self.addresses)

    def ask(self, number, method, path, **options):
        """One request to one of the two."""
        with httpx2.Client(base_url=self.addresses[number], timeout=20) as client:
            return client.request(method, path, **options)


@pytest.fixture(scope="module")
def house(postgresql, tmp_path_factory):
    folder = tmp_path_factory.mktemp("as-one")
    name = f"as_one_{uuid.uuid4().hex[:8]}"
    admin = create_engine(
        postgresql.replace("postgresql://", "postgresql+psycopg://"), isolation_level="AUTOCOMMIT"
    )
    with admin.connect() as connection:
        connection.execute(text(f"CREATE DATABASE {name}"))
    url = admin.url.set(database=name, drivername="postgresql").render_as_string(hide_password=False)
    admin.dispose()
    with services.valkey(folder) as valkey, services.s3(folder) as s3:
        beyond = {"EDU_VALKEY_URL": valkey.url, **services.s3_settings(s3), "EDU_LIMITS": "on"}
        settings = installation(folder, EDU_DATABASE_URL=url, **beyond)
        app = create_app(settings)
        environ = environ_of(settings, **beyond)
        with web(environ, folder / "1.log") as (one, _), web(environ, folder / "2.log") as (two, _):
            yield House(settings, app, f"http://127.0.0.1:{one}", f"http://127.0.0.1:{two}")
        with app.app_context():
            db.engine.dispose()


def test_what_one_publishes_the_other_shows_within_a_second_and_hides_as_fast(house):
    pieces = "/api/v1/staff/pieces"
    made = house.ask(
        0, "POST", pieces, headers=house.editor,
        json={"kind": "article", "slug": "as-one", "meta": {**META, "cover": None} | {"title": "合二为一"}, "body": BODY},
    )  # fmt: skip
    assert made.status_code == 201, made.text
    revision = made.json()
    path = f"{pieces}/as-one/revisions/{revision['id']}"
    case = house.ask(1, "POST", f"{path}/submit", headers=house.editor).json()
    approved = house.ask(
        0, "POST", f"/api/v1/staff/review-cases/{case['id']}/approve",
        headers=house.reviewer, json={"digest": revision["digest"]},
    )  # fmt: skip
    assert approved.status_code == 200, approved.text

    def listed(number):
        return [card["slug"] for card in house.ask(number, "GET", "/api/v1/pieces").json()["items"]]

    assert listed(1) == listed(1) == [], "the other keeps the empty list in memory"
    published = house.ask(0, "POST", f"{path}/publish", headers=house.editor, json={})
    assert published.status_code == 200, published.text
    assert seconds_until(lambda: listed(1) == ["as-one"]) < 1
    assert house.ask(1, "GET", "/api/v1/pieces/as-one").json()["title"] == "合二为一"
    assert (
        house.ask(0, "GET", "/api/v1/pieces/as-one").headers["ETag"]
        == house.ask(1, "GET", "/api/v1/pieces/as-one").headers["ETag"]
    )
    gone = house.ask(
        1, "POST", f"{pieces}/as-one/withdraw", headers=house.reviewer, json={"reason": "试一试"}
    )
    assert gone.status_code == 200, gone.text
    assert seconds_until(lambda: house.ask(0, "GET", "/api/v1/pieces/as-one").status_code == 404) < 1


def seconds_until(true):
    start = time.monotonic()
    while not true():
        assert time.monotonic() - start < 10
        time.sleep(0.02)
    return time.monotonic() - start


def test_an_attempt_goes_on_wherever_its_requests_arrive(house):
    house.desk.publish("quiz")
    start = {"headers": house.learner, "json": {"client_id": "as-one"}}
    attempt = house.ask(0, "POST", "/api/v1/quizzes/quiz/attempts", **start)
    assert attempt.status_code in {200, 201}, attempt.text
    attempt = attempt.json()
    again = house.ask(1, "POST", "/api/v1/quizzes/quiz/attempts", **start).json()
    assert again["id"] == attempt["id"], "the same start, told twice"
    assert again["questions"] == attempt["questions"]
    own = f"/api/v1/attempts/{attempt['id']}"
    for number, question in enumerate(attempt["questions"]):
        saved = house.ask(
            number % 2,
            "PUT",
            f"{own}/answers/{question['number']}",
            headers=house.learner,
            json={"answer": None},
        )
        assert saved.status_code == 200, saved.text
        seen = house.ask((number + 1) % 2, "GET", own, headers=house.learner).json()
        assert seen["questions"][number]["number"] == question["number"]
    results = [house.ask(n, "POST", f"{own}/submit", headers=house.learner, json={}).json() for n in (1, 0)]
    assert results[0]["score"] == results[1]["score"]
    late = house.ask(0, "PUT", f"{own}/answers/1", headers=house.learner, json={"answer": None})
    assert late.status_code == 409, "both know that it is over"


def test_a_beacon_told_to_both_counts_once(house):
    batch = {
        "sent_at": now().isoformat(),
        "beacons": [{"id": "one", "action": "view", "occurred_at": now().isoformat()}],
    }
    told = [house.ask(n, "POST", "/api/v1/beacons", headers=house.learner, json=batch).json() for n in (0, 1)]
    assert [(one["accepted"], one["duplicate"]) for one in told] == [(1, 0), (0, 1)]


def test_a_limit_is_used_up_by_both_together(house):
    def sign_in(number):
        return house.ask(number, "POST", "/api/v1/staff/sessions", json={})

    first = sign_in(0)
    assert first.status_code == 422
    left = int(first.headers["X-RateLimit-Remaining"])
    assert left == int(first.headers["X-RateLimit-Limit"]) - 1
    statuses = [sign_in(number % 2).status_code for number in range(1, left + 1)]
    assert statuses == [422] * left
    refused = [sign_in(number) for number in (0, 1)]
    assert [answer.status_code for answer in refused] == [429, 429]
    assert all(0 < int(answer.headers["Retry-After"]) <= 60 for answer in refused)


def test_who_signs_out_at_one_is_out_at_the_other(house):
    with house.app.app_context():
        headers = sign_in_learner(house.app)[1]
    assert house.ask(1, "GET", "/api/v1/me", headers=headers).status_code == 200
    assert house.ask(0, "DELETE", "/api/v1/sessions/current", headers=headers).status_code == 204
    assert house.ask(1, "GET", "/api/v1/me", headers=headers).status_code == 401


def test_what_is_uploaded_to_one_is_read_from_the_other(house):
    picture = io.BytesIO()
    Image.new("RGB", (540, 960), (11, 110, 79)).save(picture, "PNG")
    upload = {"file": ("poster.png", picture.getvalue(), "image/png")}
    made = house.ask(0, "POST", "/api/v1/staff/media", headers=house.editor, files=upload)
    assert made.status_code == 201, made.text
    content = house.ask(
        1, "GET", f"/api/v1/staff/media/{made.json()['digest']}/content", headers=house.editor
    )
    assert content.status_code == 200
    assert Image.open(io.BytesIO(content.content)).size == (540, 960)


@pytest.fixture
def film(house):
    """A published film in the store: its address."""
    with house.app.app_context(), writing() as session:
        store = store_of(house.settings)
        file = keep(session, store, FILM, kind=FileKind.FILM, media_type="video/mp4")
        show_files(session, store, holder="piece:1", digests=[file.digest])
        address, digest = url_of(file), file.digest
    yield address
    with house.app.app_context(), writing() as session:
        hide_files(session, store, holder="piece:1", digests=[digest])


@pytest.mark.skipif(program() is None, reason="nginx is not installed")
def test_nginx_before_both_sends_films_straight_from_the_store(house, film, tmp_path_factory):
    folder = tmp_path_factory.mktemp("nginx")
    for each in (folder, *folder.parents[:2]):
        each.chmod(0o755)
    upstreams = [address.removeprefix("http://") for address in house.addresses]
    part = {"Range": "bytes=1000-1999"}
    with nginx(folder, house.settings, upstreams=upstreams) as (port, _):
        base = f"http://127.0.0.1:{port}"
        assert httpx2.get(base + "/api/v1/pieces").status_code == 200
        answer = httpx2.get(base + film, headers=part)
        assert (answer.status_code, answer.content) == (206, FILM[1000:2000])
        ours, theirs = answer.headers, house.ask(0, "GET", film, headers=part).headers
        for name in (
            "Content-Type",
            "Content-Range",
            "Cache-Control",
            "X-Content-Type-Options",
            "Cross-Origin-Resource-Policy",
        ):
            assert ours[name] == theirs[name], name
        assert not [name for name in ours if "amz" in name.lower()]
        assert httpx2.get(base + film, headers={"If-None-Match": ours["ETag"]}).status_code == 304
        for wrong, status in (
            (film + "x", 404),
            ("/media/", 404),
            ("/media/?list-type=2", 404),
            ("/media/../files/x", 404),
        ):
            refused = httpx2.get(base + wrong)
            assert (refused.status_code, refused.headers["Content-Type"]) == (
                status,
                "application/problem+json",
            ), wrong
        assert httpx2.put(base + film, content=b"x").status_code == 405
        beyond = httpx2.get(base + film, headers={"Range": "bytes=300000-"})
        assert (beyond.status_code, beyond.json()["code"]) == (416, "range_not_satisfiable")
