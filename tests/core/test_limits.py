"""Limits hold across processes that share a Valkey."""

import threading
from dataclasses import replace

import pytest
from flask import Flask

from edu_platform.core import limits
from edu_platform.core.errors import TooMany
from edu_platform.core.limits import ProcessCounts, limit_settings, limiter
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


class Watch:
    """`time`, moved by the test."""

    now = 1_000_000.0

    def time(self):
        return self.now

    def monotonic(self):
        return self.now


@pytest.fixture
def watch(monkeypatch):
    moved = Watch()
    monkeypatch.setattr(limits, "time", moved)
    return moved


def test_a_process_counts_in_fixed_windows(watch):
    counts = ProcessCounts()
    assert [counts.incr("a", 60) for _ in range(3)] == [1, 2, 3]
    assert counts.get_expiry("a") == watch.now + 60
    watch.now += 59
    assert (counts.incr("a", 60), counts.incr("b", 60), counts.get("a")) == (4, 1, 4)
    watch.now += 1
    assert (counts.get("a"), counts.incr("a", 60), counts.get("b")) == (0, 1, 1)
    watch.now -= 86_400
    assert counts.incr("a", 60) == 1, "a clock set back locks nobody out for a day"


def test_a_process_forgets_whose_windows_are_over_and_starts_no_thread(watch):
    counts = ProcessCounts()
    threads = threading.active_count()
    for number in range(1000):
        counts.incr(f"caller {number}", 60)
    watch.now += 61
    counts.incr("another", 60)
    assert list(counts._counts) == ["another"]
    assert threading.active_count() == threads


def test_counting_goes_on_without_the_store(settings, monkeypatch):
    house(settings)
    limiter.reset()
    monkeypatch.setattr(limits, "_alone_until", 0.0)
    asked = []

    def gone(*_, **__):
        asked.append(True)
        raise ConnectionError

    monkeypatch.setattr(limiter.limiter, "hit", gone)
    for _ in range(3):
        limits.count("3 per minute", "tried", "10.0.0.1")
    with pytest.raises(TooMany) as refused:
        limits.count("3 per minute", "tried", "10.0.0.1")
    assert 0 < refused.value.retry_after <= 61
    limits.count("3 per minute", "tried", "10.0.0.2")
    assert len(asked) == 1, "it is not asked again at once"
