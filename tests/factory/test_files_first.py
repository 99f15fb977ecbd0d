"""Published files before Flask: the same answers as Flask's, and only where they are the same."""

import pytest

from edu_platform.core.db import writing
from edu_platform.factory.files_first import FilesFirst
from edu_platform.media.models import FileKind
from edu_platform.media.operations import hide_files, keep, show_files, url_of
from edu_platform.media.storage import store_of

DATA = bytes(i * 7 % 256 for i in range(700_000))
FIELDS = [
    {},
    {"Range": "bytes=10-19"},
    {"Range": "bytes=-1"},
    {"Range": "bytes=699999-"},
    {"Range": "bytes=300000-699999"},
    {"Range": "bytes=0-"},
    {"Range": "bytes=0-0,5-6"},
    {"Range": "bytes=700000-"},
    {"Range": "bytes=9-2"},
    {"Range": "lines=1-2"},
    {"Range": "bytes=1-2", "If-Range": "ETAG"},
    {"Range": "bytes=1-2", "If-Range": '"other"'},
    {"If-None-Match": "ETAG", "Range": "bytes=1-2"},
    {"If-None-Match": 'W/"x", W/ETAG'},
    {"If-Match": "ETAG"},
    {"If-Match": '"other"'},
    {"X-Request-ID": "mine"},
    {"X-Forwarded-Proto": "https"},
]
ENTERS_FLASK = ("bytes=0-0,5-6", "bytes=700000-")


@pytest.fixture
def digest(app, settings):
    with app.app_context(), writing() as session:
        file = keep(session, store_of(settings), DATA, kind=FileKind.FILM, media_type="video/mp4")
        show_files(session, store_of(settings), holder="piece:1", digests=[file.digest])
        assert url_of(file) == f"/media/{file.digest}.mp4"
        return file.digest


@pytest.fixture
def entered(app, monkeypatch):
    """The requests that entered Flask."""
    layer = app.wsgi_app._inner
    assert isinstance(layer, FilesFirst)
    seen, flask_app = [], layer._inner

    def counting(environ, start_response):
        seen.append(environ["PATH_INFO"])
        return flask_app(environ, start_response)

    monkeypatch.setattr(layer, "_inner", counting)
    return seen


def told(answer):
    return answer.status, sorted(answer.headers), answer.data


@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize("fields", FIELDS, ids=str)
def test_the_same_answer_with_and_without_flask(app, digest, entered, monkeypatch, method, fields):
    given = {name: value.replace("ETAG", f'"{digest}"') for name, value in fields.items()}
    given.setdefault("X-Request-ID", "abc")
    path = f"/media/{digest}.mp4"
    ours = app.test_client().open(path, method=method, headers=given)
    odd = (method == "GET" and fields.get("Range") in ENTERS_FLASK) or fields.get("If-Match") == '"other"'
    assert bool(entered) == odd
    monkeypatch.setattr(app.wsgi_app._inner, "_store", None)
    theirs = app.test_client().open(path, method=method, headers=given)
    assert told(ours) == told(theirs)


def test_what_is_not_public_is_flasks_to_refuse(app, settings, digest, entered):
    client = app.test_client()
    for path in (f"/media/{digest}.jpg", f"/media/{'a' * 64}.mp4", "/media/..%2ffiles", "/media/x"):
        assert client.get(path).status_code == 404
    assert client.post(f"/media/{digest}.mp4").status_code == 405
    assert len(entered) == 5
    with app.app_context(), writing() as session:
        hide_files(session, store_of(settings), holder="piece:1", digests=[digest])
    assert client.get(f"/media/{digest}.mp4").status_code == 404
