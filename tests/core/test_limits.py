"""Limits hold across processes that share a Valkey."""

from dataclasses import replace

import pytest
from flask import Flask

from edu_platform.core.limits import limit_settings, limiter
from edu_platform.core.problems import handle_errors
from tests.services import valkey


@pytest.fixture(scope="module")
def valkey_url(tmp_path_factory):
    with valkey(tmp_path_factory.mktemp("valkey")) as server:
        yield server.url


def house(settings):
    app = Flask("house", static_folder=None)
    app.config.update(limit_settings(replace(settings, limits=True)))
    handle_errors(app)
    app.add_url_rule("/scarce", "scarce", limiter.limit("3 per minute")(lambda: "ok"))
    limiter.init_app(app)
    return app


def test_two_processes_count_together(settings, valkey_url):
    shared = replace(settings, valkey_url=valkey_url)
    one, two = house(shared).test_client(), house(shared).test_client()
    limiter.reset()
    assert [
        one.get("/scarce").status_code,
        two.get("/scarce").status_code,
        one.get("/scarce").status_code,
    ] == [200] * 3
    answer = two.get("/scarce")
    assert (answer.status_code, answer.json["code"]) == (429, "too_many_requests")
    assert 0 < int(answer.headers["Retry-After"]) <= 60


def test_another_address_has_a_count_of_its_own_and_a_header_is_no_address(settings):
    app = house(settings)
    limiter.reset()
    client = app.test_client()
    for _ in range(3):
        client.get("/scarce", headers={"X-Forwarded-For": "1.2.3.4"})
    assert client.get("/scarce", headers={"X-Forwarded-For": "9.9.9.9"}).status_code == 429
    assert client.get("/scarce", environ_base={"REMOTE_ADDR": "127.0.0.2"}).status_code == 200
