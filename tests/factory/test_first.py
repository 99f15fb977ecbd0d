"""The layer before Flask answers as Flask does, to the byte, and not at all where it has nothing."""

from dataclasses import replace
from datetime import date

import pytest
from flask import Flask

from edu_platform.core.db import db
from edu_platform.core.limits import limiter
from edu_platform.factory.app import create_app
from edu_platform.factory.first import CatalogueFirst
from edu_platform.library import answering
from edu_platform.library.catalogue import catalogue_of
from tests.campaigns.publishing import campaign, draft

pytestmark = pytest.mark.database
PATHS = [
    "/api/v1/pieces",
    "/api/v1/pieces?limit=1&kind=article",
    "/api/v1/pieces?q=%E6%A0%B8%E5%AE%9E",
    "/api/v1/pieces?q=%E6%A0%B8%E5%AE%9E&sort=newest&audience=elderly",
    "/api/v1/pieces?q=%E6%A0%B8%E5%AE%9E&limit=1&campaign=now",
    "/api/v1/pieces?sort=most_read&kind=article&right=property_safety&column=risk-alerts",
    "/api/v1/pieces/first-piece",
    "/api/v1/pieces/first-piece/related",
    "/api/v1/columns",
    "/api/v1/vocabulary",
    "/api/v1/home?audience=elderly",
]


def varied(etag):
    """Requests as clients send them: plain, zipped, again, with an id, as HEAD."""
    yield "GET", {}
    yield "GET", {"Accept-Encoding": "gzip"}
    yield "GET", {"Accept-Encoding": "identity;q=0, gzip;q=0.5"}
    yield "GET", {"If-None-Match": etag}
    yield "GET", {"If-None-Match": f'W/{etag}, "x"'}
    yield "GET", {"If-None-Match": '"x"'}
    yield "GET", {"If-None-Match": "*", "Accept-Encoding": "gzip"}
    yield "HEAD", {}
    yield "HEAD", {"Accept-Encoding": "gzip"}
    yield "GET", {"X-Request-ID": "abc"}
    yield "GET", {"X-Request-ID": "not an id"}


@pytest.fixture
def house(app, settings):
    """The application with limits on, as it ships."""
    draft(app, "first-piece")
    draft(app, "second-piece")
    campaign(app, "now", date(2026, 1, 1), date(2026, 12, 31), pieces=["first-piece"])
    built = create_app(replace(settings, limits=True))
    limiter.reset()
    yield built
    with built.app_context():
        db.session.remove()
        db.engine.dispose()


def inner(app: Flask):
    layer = app.wsgi_app
    assert isinstance(layer, CatalogueFirst)
    return layer._inner


def told(answer):
    headers = sorted((name, value) for name, value in answer.headers if name != "X-Request-ID")
    return answer.status, headers, answer.data


@pytest.mark.parametrize("path", PATHS)
def test_the_same_answer_with_and_without_flask(house, path, monkeypatch):
    client = house.test_client()
    assert client.get(path).status_code == 200
    kept = client.get(path)
    entered = []
    flask_app = inner(house)

    def counting(environ, start_response):
        entered.append(environ["PATH_INFO"])
        return flask_app(environ, start_response)

    for method, headers in varied(kept.headers["ETag"]):
        monkeypatch.setattr(house.wsgi_app, "_inner", counting)
        ours = client.open(path, method=method, headers=headers)
        assert entered == [], "Flask was not entered"
        with monkeypatch.context() as without:
            without.setattr(house, "wsgi_app", flask_app)
            theirs = client.open(path, method=method, headers=headers)
        assert told(ours) == told(theirs), (method, headers)
        assert (ours.headers["X-Request-ID"] == "abc") == (headers.get("X-Request-ID") == "abc")


ODD = [
    "/api/v1/pieces?limit=0",
    "/api/v1/pieces?limit",
    "/api/v1/pieces?limit=1&limit=2",
    "/api/v1/pieces?colour=red",
    "/api/v1/pieces?q=a%00b",
    "/api/v1/pieces?q=%ff",
    "/api/v1/pieces?cursor=WzFd",
    "/api/v1/pieces/first-piece?x=1",
    "/api/v1/pieces/nothing",
    "/api/v1/pieces/nothing/related",
    "/api/v1/pieces/FIRST-PIECE",
    "/api/v1/home?audience=everybody",
]


@pytest.mark.parametrize("path", [*PATHS, *ODD])
def test_the_same_answer_is_made_with_and_without_flask(house, path, monkeypatch):
    with house.app_context():
        monkeypatch.setattr(catalogue_of(db.engine), "_most", 0)  # nothing is kept
    client, flask_app, entered = house.test_client(), inner(house), []

    def counting(environ, start_response):
        entered.append(environ["PATH_INFO"])
        return flask_app(environ, start_response)

    monkeypatch.setattr(house.wsgi_app, "_inner", counting)
    for headers in ({}, {"Accept-Encoding": "gzip, identity;q=0"}, {"If-None-Match": "*"}):
        headers["X-Request-ID"] = "abc"
        ours = client.get(path, headers=headers)
        with monkeypatch.context() as without:
            without.setattr(house, "wsgi_app", flask_app)
            theirs = client.get(path, headers=headers)
        assert told(ours) == told(theirs), headers
    assert bool(entered) == (path in ODD), "only what is out of the ordinary enters Flask"


def test_what_was_made_for_nothing_is_counted_once(house, monkeypatch):
    monkeypatch.setattr(answering, "MADE_FOR_AN_ADDRESS", "3 per minute")
    client = house.test_client()
    statuses = [client.get("/api/v1/pieces/nothing").status_code for _ in range(5)]
    assert statuses == [404, 404, 404, 429, 429]
    refused = client.get("/api/v1/pieces/nothing")
    assert 0 < int(refused.headers["Retry-After"]) <= 61
    assert client.get("/api/v1/pieces/nothing", environ_base={"REMOTE_ADDR": "10.1.1.1"}).status_code == 404


def test_what_was_never_asked_goes_to_flask(house):
    client = house.test_client()
    for path in ("/api/v1/pieces/nothing", "/api/v1/pieces?colour=red", "/api/v1/piecesx"):
        assert client.get(path).status_code in {404, 422}
        assert client.get(path).status_code in {404, 422}, "a refusal is never kept"


def test_making_answers_is_limited_and_what_is_kept_is_not(house, monkeypatch):
    monkeypatch.setattr(answering, "MADE_FOR_AN_ADDRESS", "3 per minute")
    client = house.test_client()
    statuses = [client.get(f"/api/v1/pieces?limit={limit}").status_code for limit in range(1, 6)]
    assert statuses == [200, 200, 200, 429, 429]
    assert [client.get("/api/v1/pieces?limit=1").status_code for _ in range(5)] == [200] * 5


def test_a_card_names_its_campaigns(house):
    client = house.test_client()
    piece = client.get("/api/v1/pieces/first-piece").json
    assert [one["code"] for one in piece["campaigns"]] == ["now"]
    assert piece["campaigns"][0]["starts_at"] == "2026-01-01T00:00:00.000+08:00"
    assert client.get("/api/v1/pieces/second-piece").json["campaigns"] == []
