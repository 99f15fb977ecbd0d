"""The same application behind granian, for who chooses it: the same answers, and an end when told."""

from __future__ import annotations

import hashlib
import signal
from pathlib import Path

import pytest

from edu_platform.config.settings import Settings, SettingsError
from edu_platform.core.db import db, writing
from edu_platform.core.migration import upgrade
from edu_platform.factory.app import create_app
from edu_platform.media.models import FileKind
from edu_platform.media.operations import keep, show_files
from edu_platform.media.storage import store_of
from tests.campaigns.publishing import draft
from tests.factory.test_serving import exchange, head
from tests.servers import web

FILM = bytes(range(256)) * 4000
FILM_PATH = f"/media/{hashlib.sha256(FILM).hexdigest()}.mp4"
LIST = "/api/v1/pieces"


@pytest.fixture(scope="module")
def environ(tmp_path_factory):
    made = {
        "EDU_ENVIRONMENT": "test",
        "EDU_DATA_DIR": str(tmp_path_factory.mktemp("granian")),
        "EDU_SECRET_KEYS": "test-only-0123456789-abcdefghijklmnop",
        "EDU_SEALING_KEYS": "test-only-sealing-9876543210-zyxwvuts",
        "EDU_WECHAT_SECRET": "test-only-secret",
        "EDU_SERVER": "granian",
        "EDU_TRUSTED_PROXIES": "1",
    }
    settings = Settings.read(made)
    upgrade(settings.database_url)
    app = create_app(settings)
    draft(app, "first-piece")
    with app.app_context():
        with writing() as session:
            store = store_of(settings)
            file = keep(session, store, FILM, kind=FileKind.FILM, media_type="video/mp4")
            show_files(session, store, holder="piece:1", digests=[file.digest])
        db.session.remove()
        db.engine.dispose()
    return made


@pytest.fixture(scope="module")
def served(environ):
    log = Path(environ["EDU_DATA_DIR"]) / "web.log"
    with web(environ, log, command=("-m", "edu_platform.cli", "web")) as (port, process):
        yield port, process


def ask(served, target, *lines, **options):
    raw = exchange(served[0], [head(target, *lines, "Connection: close", **options)])
    first, _, rest = raw.partition(b"\r\n")
    fields, _, body = rest.partition(b"\r\n\r\n")
    headers = dict(line.split(": ", 1) for line in fields.decode("latin-1").lower().split("\r\n"))
    return int(first.split()[1]), headers, body


def test_reading_making_and_refusing(served):
    made, again = ask(served, LIST), ask(served, LIST)
    assert made[0] == again[0] == 200
    assert made[2] == again[2]
    assert again[1]["etag"] == made[1]["etag"]
    assert again[1]["x-frame-options"] == "deny"
    status, _, body = ask(served, LIST, f"If-None-Match: {made[1]['etag']}")
    assert (status, body) == (304, b"")
    status, headers, body = ask(served, f"{LIST}?limit=0")
    assert (status, headers["content-type"]) == (422, "application/problem+json")
    assert b"limit" in body


def test_files_whole_and_in_part(served):
    assert ask(served, FILM_PATH)[2] == FILM
    status, headers, body = ask(served, FILM_PATH, "Range: bytes=1000-600999")
    assert (status, body) == (206, FILM[1000:601000])
    assert headers["content-range"] == f"bytes 1000-600999/{len(FILM)}"


def test_address_and_scheme_are_the_proxys_word(served):
    def left(address):
        return int(
            ask(served, "/api/v1/campaigns", f"X-Forwarded-For: {address}")[1]["x-ratelimit-remaining"]
        )

    assert [left("10.9.9.1"), left("10.9.9.1"), left("10.9.9.2"), left("1.1.1.1, 10.9.9.1")] == [
        599,
        598,
        599,
        597,
    ]
    status, headers, _ = ask(served, LIST, "X-Forwarded-Proto: https")
    assert (status, "strict-transport-security" in headers) == (200, True)


def test_it_listens_at_one_address(environ):
    with pytest.raises(SettingsError, match="EDU_METRICS_ADDRESS"):
        Settings.read({**environ, "EDU_METRICS_ADDRESS": "127.0.0.1:9464"})


def test_it_ends_when_told(served):
    _, process = served
    process.send_signal(signal.SIGTERM)
    assert process.wait(20) == 0
