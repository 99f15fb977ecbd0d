"""What Prometheus is told: right with many processes, whatever becomes of them, and of nobody in particular."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import socket
import subprocess
import sys
import time
from dataclasses import replace

import httpx2
import pytest
from click.testing import CliRunner
from prometheus_client.parser import text_string_to_metric_families
from sqlalchemy import delete

from bench.load import free_port
from edu_platform.cli import backup
from edu_platform.core import metrics
from edu_platform.core.clock import now
from edu_platform.core.db import db, writing
from edu_platform.core.jobs import enqueue, registry
from edu_platform.core.models import OutboxMessage
from edu_platform.factory.app import create_app
from edu_platform.factory.exposition import exposition
from edu_platform.factory.gauges import GAUGES
from edu_platform.wechat.client import WeChatClient
from edu_platform.wechat.errors import WeChatError
from tests.campaigns.publishing import draft
from tests.cast import sign_in_learner
from tests.servers import children, environ_of, installation, web

COUNTER = """
import sys, threading, time
from pathlib import Path
from edu_platform.cli import backup
from edu_platform.core import metrics
metrics.count_in(Path(sys.argv[1]))
def count():
    for _ in range(int(sys.argv[2])):
        metrics.count_request("GET", "/x", 200, 0.02, kept=True)
threads = [threading.Thread(target=count) for _ in range(4)]
[thread.start() for thread in threads]
[thread.join() for thread in threads]
print("counted", flush=True)
time.sleep(60)
"""
LINE = "edu_http_requests_total\tGET\t/x\t200\tkept"


def counting(folder, times):
    process = subprocess.Popen(
        [sys.executable, "-c", COUNTER, str(folder), str(times)], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout.readline() == "counted\n"
    return process


def end(process):
    process.kill()
    process.wait()
    process.stdout.close()


def test_processes_add_up_and_one_that_is_killed_takes_nothing_with_it(tmp_path):
    folder = tmp_path / "figures"
    first, second = counting(folder, 5000), counting(folder, 500)
    assert metrics.totals(folder)[LINE] == 4 * 5500, "no addition of any thread is lost"
    assert len(list(folder.glob("*.cells"))) == 2
    end(first)
    assert metrics.totals(folder)[LINE] == 4 * 5500, "it does not vanish"
    third = counting(folder, 100)
    assert metrics.totals(folder)[LINE] == 4 * 5600, "nor double"
    assert len(list(folder.glob("*.cells"))) == 2, "the sheet of the dead was taken over"
    for process in (second, third):
        end(process)
    assert metrics.totals(folder)["edu_http_request_seconds\t/x\t0.025"] == 4 * 5600
    assert metrics.totals(folder)["edu_http_request_seconds\t/x\tsum"] == pytest.approx(4 * 5600 * 0.02)


@pytest.mark.control
def test_without_the_lock_the_living_would_be_robbed(tmp_path, monkeypatch):
    """The control: the lock alone keeps a second process out of a sheet whose owner lives."""
    folder = tmp_path / "figures"
    monkeypatch.setitem(
        globals(), "COUNTER", COUNTER.replace("def count", "metrics.fcntl.flock = lambda *_: None\ndef count")
    )
    folder.mkdir()
    processes = [counting(folder, 10) for _ in range(2)]
    assert len(list(folder.glob("*.cells"))) == 1, "both write into one"
    for process in processes:
        end(process)


def test_a_line_half_written_is_none(tmp_path):
    folder = tmp_path / "figures"
    end(counting(folder, 10))
    names = folder / "0.names"
    whole = names.read_text()
    names.write_text(whole + "edu_http_requests_total\tGET\t/ha")
    end(counting(folder, 10))
    assert metrics.totals(folder)[LINE] == 80
    assert names.read_text() == whole


def test_more_series_than_there_is_room_for_are_dropped(monkeypatch):
    monkeypatch.setattr(metrics, "MOST_SERIES", 64)
    sheet = metrics._private()
    slots = {sheet.slot([f"a{number}"]) for number in range(100)}
    assert slots == {*range(32), 32}
    assert len(sheet.slots) == 32


def test_a_folder_that_is_somebody_elses_is_not_counted_in(tmp_path):
    (tmp_path / "link").symlink_to(tmp_path)
    with pytest.raises(OSError):
        metrics._take_over(tmp_path / "link")
    with pytest.raises(OSError):
        metrics._take_over(tmp_path / "link" / "link")


def test_nothing_stays_in_memory_of_installations_that_are_no_more(tmp_path, monkeypatch):
    monkeypatch.setattr(metrics, "folder_for", lambda data_dir: tmp_path / f"edu-0-{data_dir.name}")
    there, gone, busy = (tmp_path / name for name in ("there", "gone", "busy"))
    for one in (there, gone, busy):
        one.mkdir()
    folders = [metrics.prepare(one) for one in (there, gone, busy)]
    (tmp_path / "edu-0-strange").mkdir()
    for folder in folders[:2]:
        end(counting(folder, 1))
    alive = counting(folders[2], 1)
    gone.rmdir()
    busy.rmdir()
    metrics.prepare(tmp_path / "another")
    assert [folder.exists() for folder in folders] == [True, False, True], (
        "the busy one has no data, but somebody"
    )
    assert (tmp_path / "edu-0-strange").exists(), "it does not say whose it is"
    end(alive)
    (tmp_path / "edu-0-another" / "of").write_text(str(tmp_path))
    metrics.prepare(tmp_path / "last")
    assert not folders[2].exists()


@pytest.fixture(scope="module")
def house(tmp_path_factory):
    made = installation(tmp_path_factory.mktemp("installation"))
    app = create_app(made)
    draft(app, "canary-piece")
    _, headers = sign_in_learner(app)
    with app.app_context():
        db.engine.dispose()
    return made, headers


def told(text):
    return {
        (sample.name, *sorted(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def requests(figures, **labels):
    return sum(
        value
        for (name, *rest), value in figures.items()
        if name == "edu_http_requests_total" and labels.items() <= dict(rest).items()
    )


def test_two_web_processes_are_told_of_as_one_at_an_address_of_its_own(house, tmp_path):
    made, headers = house
    side = free_port()
    shared = {"EDU_METRICS_DIR": str(tmp_path / "figures")}
    with (
        web(environ_of(made, **shared, EDU_METRICS_ADDRESS=f"127.0.0.1:{side}"), tmp_path / "1.log") as (
            one,
            master,
        ),
        web(environ_of(made, **shared), tmp_path / "2.log") as (two, _),
    ):

        def scrape():
            answer = httpx2.get(f"http://127.0.0.1:{side}/metrics")
            assert answer.status_code == 200, answer.text
            assert answer.headers["Content-Type"].startswith("text/plain; version=0.0.4")
            return answer.text

        for port in (one, two):
            base = f"http://127.0.0.1:{port}"
            for _ in range(3):
                assert httpx2.get(base + "/api/v1/pieces/canary-piece").status_code == 200
            assert httpx2.get(base + "/api/v1/pieces?q=canarysearch").status_code == 200
            assert httpx2.get(base + "/api/v1/attempts/770077").status_code in {401, 404}
            assert httpx2.get(base + "/canary/path").status_code == 404
            assert httpx2.request("CANARY", base + "/healthz").status_code in {405, 501}
            batch = {
                "sent_at": now().isoformat(),
                "beacons": [
                    {"id": piece, "action": "view", "occurred_at": now().isoformat(), "piece": piece}
                    for piece in ("canary-piece", "canary-none")
                ],
            }
            assert httpx2.post(base + "/api/v1/beacons", json=batch, headers=headers).status_code == 200
            assert httpx2.get(base + "/metrics").status_code == 404, "learners cannot read it"
            assert httpx2.get(f"http://127.0.0.1:{side}/api/v1/pieces").status_code == 404, (
                "and only that is there"
            )

        text = scrape()
        figures = told(text)
        route = "/api/v1/pieces/<slug>"
        assert requests(figures, route=route) == 6
        assert requests(figures, route=route, served="made") == 2, "each process made it once"
        assert requests(figures, route=route, served="kept") == 4
        assert figures["edu_http_request_seconds_count", ("route", route)] == 6
        assert figures["edu_http_request_seconds_bucket", ("le", "+Inf"), ("route", route)] == 6
        beacons = {
            dict(rest)["outcome"]: value
            for (name, *rest), value in figures.items()
            if name == "edu_beacons_total"
        }
        assert beacons == {"accepted": 1, "duplicate": 1, "refused": 2}, (
            "the second process knew it from the first"
        )
        assert figures["edu_beacons_total", ("outcome", "refused"), ("reason", "unknown_piece")] == 2
        assert requests(figures, route="(none)", status="404") >= 4
        assert not re.search("canary|770077", text), "no label holds what somebody sent"

        [worker] = children(master.pid)
        os.kill(worker, signal.SIGKILL)
        deadline = time.monotonic() + 30
        while True:
            try:
                after = told(scrape())
                break
            except httpx2.TransportError:
                assert time.monotonic() < deadline
                time.sleep(0.1)
        assert requests(after, route=route) == 6, "neither lost nor doubled"
        httpx2.get(f"http://127.0.0.1:{one}/api/v1/pieces/canary-piece")
        assert requests(told(scrape()), route=route) == 7


def test_what_the_worker_counts_is_told_by_the_web(app):
    with app.app_context():
        line = told(exposition().decode())
        metrics.JOBS.add("some.job", "failed")
        after = told(exposition().decode())
    key = ("edu_jobs_total", ("job", "some.job"), ("outcome", "failed"))
    assert after[key] == line.get(key, 0) + 1


@pytest.mark.database
def test_what_the_database_knows_is_looked_at(app):
    with app.app_context():
        with writing() as session:
            session.execute(delete(OutboxMessage))
            enqueue(session, next(iter(registry)))
        figures = told(exposition().decode())
    assert figures["edu_queue_waiting",] == 1
    assert figures["edu_gauges_failed",] == 0
    assert figures["edu_fold_lag_beacons",] == 0
    assert figures["edu_ready", ("check", "database")] == 1
    assert figures["edu_ready", ("check", "worker")] == 0
    assert figures["edu_database_bytes",] > 10_000
    assert 0 < figures["edu_disk_free_bytes",] < figures["edu_disk_size_bytes",]


def test_the_age_of_the_newest_backup_is_told(house, tmp_path, monkeypatch):
    made, _ = house
    app = create_app(made)

    def age():
        with app.app_context():
            found = told(exposition().decode()).get(("edu_backup_age_seconds",))
            db.session.remove()
            db.engine.dispose()
        return found

    monkeypatch.setattr("edu_platform.factory.entry.settings_here", lambda: made)
    assert age() is None
    failed = CliRunner().invoke(backup.command, [str(tmp_path / "same"), "--keys", str(tmp_path / "same")])
    assert failed.exit_code != 0
    assert age() is None, "a backup that failed is none"
    done = CliRunner().invoke(backup.command, [str(tmp_path / "backup"), "--keys", str(tmp_path / "keys")])
    assert done.exit_code == 0, done.output
    assert 0 <= age() < 60


def test_one_that_cannot_be_looked_at_does_not_hide_the_others(app, monkeypatch):
    def broken(session):
        raise RuntimeError("no")

    monkeypatch.setattr("edu_platform.factory.exposition.GAUGES", (metrics_gauge(broken), *GAUGES))
    with app.app_context():
        figures = told(exposition().decode())
    assert figures["edu_gauges_failed",] == 1
    assert ("edu_queue_waiting",) in figures


def test_a_database_that_hangs_is_waited_for_once(house, tmp_path):
    made, _ = house
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        away = replace(made, database_url=f"postgresql+psycopg://edu@127.0.0.1:{port}/edu")
        with create_app(away).app_context():
            start = time.monotonic()
            figures = told(exposition().decode())
            took = time.monotonic() - start
            db.session.remove()
    assert figures["edu_ready", ("check", "database")] == figures["edu_ready", ("check", "worker")] == 0
    assert figures["edu_ready", ("check", "storage")] == 1
    assert figures["edu_disk_free_bytes",] > 0
    assert figures["edu_gauges_failed",] == len([gauge for gauge in GAUGES if gauge.asks_database]) - 1
    assert took < 10, "eight that wait one after the other would take forty seconds"


def metrics_gauge(look):
    return GAUGES[0].__class__("edu_broken", "Broken.", look)


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        ({"errcode": 0}, "ok"),
        ({"errcode": 45011, "errmsg": "canary"}, "45011"),
        ({"errcode": 770077, "errmsg": "canary"}, "other"),
        (None, "unreachable"),
    ],
)
def test_calls_of_wechat_are_counted_by_its_own_numbers(answer, code):
    def wechat(request):
        if answer is None:
            raise httpx2.ConnectError("no")
        return httpx2.Response(200, json=answer)

    http = httpx2.Client(transport=httpx2.MockTransport(wechat), base_url="http://wechat.invalid")
    client = WeChatClient("", "wx", "s", tokens=None, http=http, attempts=1)
    line = f"edu_wechat_calls_total\t/path\t{code}"
    before = metrics.totals().get(line, 0)
    with contextlib.suppress(WeChatError):
        client._ask("GET", "/path")
    assert metrics.totals()[line] == before + 1


def test_counting_is_a_few_additions():
    metrics.count_request("GET", "/y", 200, 0.01, kept=True)
    best = min(timed() for _ in range(20))
    assert best < 20e-6


def timed():
    start = time.perf_counter()
    for _ in range(200):
        metrics.count_request("GET", "/y", 200, 0.01, kept=True)
    return (time.perf_counter() - start) / 200
