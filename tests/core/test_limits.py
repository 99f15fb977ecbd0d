"""Limits hold across processes that share a Valkey."""

import random
import threading
import tracemalloc
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


def test_what_is_given_back_after_its_window_is_nobodys_credit(watch):
    counts = ProcessCounts()
    assert (counts.incr("a", 60), counts.incr("a", 60, -1)) == (1, 0)
    counts.incr("a", 60)
    watch.now += 61
    assert [counts.incr("a", 60, -1), counts.incr("a", 60)] == [0, 1]


def places(counts):
    return sum(len(table) for table in counts._tables)


def test_a_process_forgets_whose_windows_are_over_and_starts_no_thread(watch):
    counts, holding = ProcessCounts(), ProcessCounts()
    threads = threading.active_count()
    for number in range(30_000):
        counts.incr(f"caller {number}", 60)
        holding.incr(f"caller {number}", 86_400)
        if number % 3000 == 0:
            watch.now += 61
    assert places(counts) < 4 * 3000 + limits.TABLES * limits.FEWEST_PLACES
    assert places(holding) > 30_000, "whose window is open is remembered"
    assert {holding.get(f"caller {number}") for number in range(30_000)} == {1}
    assert threading.active_count() <= threads


def test_a_process_counts_each_caller_alone_however_many_they_are(watch):
    counts, plain = ProcessCounts(), {}
    draw = random.Random(7)  # the same each time
    for _ in range(20_000):
        name, amount = f"caller {int(draw.paretovariate(0.4)) % 5000}", draw.choice([1, 1, 2])
        if draw.random() < 0.01:
            counts.clear(name)
            plain.pop(name, None)
        if draw.random() < 0.001:
            watch.now += draw.choice([1, 9, 61])
        count, ends = plain.get(name, (0, 0))
        if ends <= watch.now:
            count, ends = 0, watch.now + 60
        plain[name] = (count + amount, ends)
        assert counts.incr(name, 60, amount) == count + amount
    assert {name: (counts.get(name), counts.get_expiry(name)) for name in plain} == {
        name: (count if ends > watch.now else 0, counts.get_expiry(name) if ends <= watch.now else ends)
        for name, (count, ends) in plain.items()
    }
    counts.reset()
    assert {counts.get(name) for name in plain} == {0}


def test_counting_many_callers_takes_little_memory():
    counts = ProcessCounts()
    tracemalloc.start()
    try:
        for number in range(30_000):
            counts.incr(f"LIMITS:LIMITER/10.0.{number >> 8}.{number & 255}/made/1200/1/minute", 60)
        taken, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert taken < 30_000 * 80, "a dictionary of texts takes 250 bytes and more for each"


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
