"""The application's one client of WeChat."""

from __future__ import annotations

import dataclasses
from concurrent.futures import ThreadPoolExecutor

from edu_platform.people.wechat import _token_store, client_of, replace_client
from edu_platform.wechat.stores import FileTokenStore, ValkeyTokenStore


def test_an_application_has_one_client(app):
    with ThreadPoolExecutor(8) as pool:
        found = {id(client) for client in pool.map(lambda _: client_of(app), range(16))}
    assert len(found) == 1
    first = client_of(app)
    replace_client(app, None)
    assert client_of(app) is not first
    replace_client(app, None)


def test_nothing_secret_shows_in_its_name(app, settings):
    assert settings.wechat_secret not in repr(client_of(app))
    replace_client(app, None)


def test_processes_share_the_token_through_a_folder_or_valkey(settings):
    assert isinstance(_token_store(settings), FileTokenStore)
    assert (settings.data_dir / "wechat").stat().st_mode & 0o077 == 0
    shared = dataclasses.replace(settings, valkey_url="redis://127.0.0.1:9/0")
    assert isinstance(_token_store(shared), ValkeyTokenStore)


def test_unreachable_wechat_is_not_now(app, client):
    replace_client(app, None)  # the settings of the tests name a port where nobody listens
    answer = client.post("/api/v1/sessions", json={"code": "c0de", "age_band": "18_59"})
    assert (answer.status_code, answer.json["code"]) == (503, "wechat_unavailable")
    assert int(answer.headers["Retry-After"]) > 0
    replace_client(app, None)
