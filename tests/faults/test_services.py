"""Valkey gone or hanging, the file store gone, slow or cut off, WeChat slow, wrong or down: one process, as it ships.

Reading goes on at its usual pace, what needs the service is told to come again (503 with `Retry-After`) within
seconds, nothing is left half done, and everything is well again by itself once the service is.
"""

from __future__ import annotations

import base64
import hashlib
import http.client
import io
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from flask import Flask
from PIL import Image

from edu_platform.config.settings import Settings
from edu_platform.core import limits
from edu_platform.core.problems import handle_errors
from edu_platform.media import storage
from edu_platform.media.errors import StoreAway
from edu_platform.wechat.standin.app import StandIn
from edu_platform.wechat.standin.server import serving
from tests.faults.proxy import FaultProxy
from tests.faults.seed import KEYS
from tests.services import ACCESS_KEY, BUCKET, SECRET_KEY, s3, s3_settings, valkey

SOON = 4.0
"""Seconds within which everything is answered, whatever is away."""
LIST = "/api/v1/pieces?limit=5"


@pytest.fixture
def shared(folder):
    """Settings of one process by itself, for the controls."""
    return Settings.read({**KEYS, "EDU_ENVIRONMENT": "test", "EDU_DATA_DIR": str(folder)})


def beacons(house, name, learner=0):
    at = datetime.now(UTC).isoformat()
    body = {"sent_at": at, "beacons": [{"id": name, "action": "view", "occurred_at": at}]}
    return house.ask("/api/v1/beacons", method="POST", body=body, token=house.seed.learners[learner][1])


def read_meanwhile(house, count=20):
    """Read lists that nothing has kept yet; return the slowest's seconds."""
    answers = [house.ask(f"{LIST}&sort=newest&q=%E7%94%B5%E8%AF%9D{n % 3}") for n in range(count)]
    assert {answer.status for answer in answers} == {200}
    return max(answer.seconds for answer in answers)


def assert_not_now(answer, code):
    assert answer.status == 503, answer.body
    assert answer.json["code"] == code
    assert int(answer.headers["retry-after"]) >= 1
    assert answer.seconds < SOON


# ---- Valkey


@pytest.fixture
def valkey_proxy(folder):
    with valkey(folder) as server, FaultProxy(server.socket) as proxy:
        yield proxy


@pytest.mark.once
def test_without_valkey_every_process_counts_by_itself_and_nobody_waits(build, valkey_proxy):
    house = build(settings={"EDU_VALKEY_URL": f"redis://127.0.0.1:{valkey_proxy.port}", "EDU_LIMITS": "on"})
    house.start()
    assert beacons(house, "before").status == 200
    for fault in ("hang", "refuse"):
        valkey_proxy.mode = fault
        first = beacons(house, f"{fault}-0")
        assert (first.status, first.seconds < SOON) == (200, True)
        times = [beacons(house, f"{fault}-{n}").seconds for n in range(1, 16)]
        assert sorted(times)[len(times) // 2] < 0.3, times
        assert read_meanwhile(house, 6) < SOON
        assert house.ask("/readyz").status == 200
        valkey_proxy.mode = "pass"
        seen = valkey_proxy.connections

        def is_asked_again(seen=seen):
            time.sleep(0.5)  # somebody else's requests, and few of them: they are counted meanwhile
            return beacons(house, "again", learner=1).status == 200 and valkey_proxy.connections > seen

        house.wait_until(is_asked_again, 60, "Valkey again")


@pytest.mark.once
@pytest.mark.control
def test_without_patience_a_hanging_valkey_holds_everybody_up(shared, valkey_proxy, monkeypatch):
    """The control: the patience that is set is the time that a request loses."""
    monkeypatch.setattr(limits, "VALKEY_PATIENCE", 3)
    app = Flask("control", static_folder=None)
    url = f"redis://127.0.0.1:{valkey_proxy.port}"
    app.config.update(limits.limit_settings(replace(shared, limits=True, valkey_url=url)))
    handle_errors(app)
    app.add_url_rule("/", view_func=lambda: "ok")
    limits.limiter.init_app(app)
    valkey_proxy.mode = "hang"
    began = time.monotonic()
    assert app.test_client().get("/").status_code == 200
    assert time.monotonic() - began >= 3


# ---- the file store


@pytest.fixture
def store_proxy(folder):
    with s3(folder) as port, FaultProxy(("127.0.0.1", port)) as proxy:
        yield proxy


def picture(seed):
    buffer = io.BytesIO()
    Image.effect_noise((900, 600), 60 + seed).convert("RGB").save(buffer, "JPEG", quality=95)
    return buffer.getvalue()


def upload(house, token, data):
    body = (
        b'--b\r\nContent-Disposition: form-data; name="file"; filename="a.jpg"\r\n'
        b"Content-Type: image/jpeg\r\n\r\n" + data + b"\r\n--b--\r\n"
    )
    headers = {"Content-Type": "multipart/form-data; boundary=b"}
    return house.ask("/api/v1/staff/media", method="POST", body=body, token=token, headers=headers)


def content(house, digest, **options):
    return house.ask(f"/api/v1/staff/media/{digest}/content", token=house.seed.editor, **options)


@pytest.mark.once
def test_a_store_that_is_gone_hangs_or_breaks_off_is_said_and_hinders_nobody(build, store_proxy):
    house = build(settings=s3_settings(store_proxy.port))
    house.start()
    kept = upload(house, house.seed.editor, picture(1))
    assert kept.status == 201, kept.body
    digest = kept.json["digest"]
    whole = content(house, digest)
    assert hashlib.sha256(whole.body).hexdigest() == digest
    rows = house.database.rows("SELECT count(*) FROM media_file")

    def is_back():
        return content(house, digest).body == whole.body

    for fault in ("refuse", "hang"):
        store_proxy.mode = fault
        assert_not_now(content(house, digest), "store_away")
        assert_not_now(upload(house, house.seed.editor, picture(2)), "store_away")
        assert house.database.rows("SELECT count(*) FROM media_file") == rows, "nothing half done"
        assert house.ask("/readyz").json["checks"]["storage"] == "failing"
        assert beacons(house, f"while-{fault}").status == 200, "no lock is held while the store is waited for"
        store_proxy.mode = "pass"
        house.wait_until(is_back, 10, "the file again")
    assert upload(house, house.seed.editor, picture(2)).status == 201

    store_proxy.after = 30_000
    store_proxy.mode = "cut"
    with pytest.raises(http.client.IncompleteRead):
        content(house, digest)  # never taken for whole
    store_proxy.mode = "pass"
    house.wait_until(is_back, 10, "the file again")

    store_proxy.mode = "hang"
    with ThreadPoolExecutor(30) as pool:
        waiting = [pool.submit(content, house, digest) for _ in range(30)]
        time.sleep(0.2)
        slowest = read_meanwhile(house)
        found = [one.result() for one in waiting]
    print(f"slowest list {slowest:.2f} s, slowest refusal {max(one.seconds for one in found):.2f} s")
    assert {one.status for one in found} == {503}
    assert slowest < 2


@pytest.mark.once
@pytest.mark.control
def test_without_a_gate_a_hanging_store_takes_every_thread(store_proxy, shared):
    """The control: as many threads hang as ask; with the gate, all but half are refused at once."""
    store_proxy.mode = "hang"

    def most_at_once(threads):
        store = storage.S3Store(
            replace(
                shared,
                s3_endpoint=f"http://127.0.0.1:{store_proxy.port}",
                s3_bucket=BUCKET,
                s3_access_key=ACCESS_KEY,
                s3_secret_key=SECRET_KEY,
                web_threads=threads,
            )
        )
        inside, most, lock = 0, 0, threading.Lock()
        asked = store._reader.get_object

        def counted(**arguments):
            nonlocal inside, most
            with lock:
                inside += 1
                most = max(most, inside)
            try:
                return asked(**arguments)
            finally:
                with lock:
                    inside -= 1

        store._reader.get_object = counted

        def ask(_):
            with pytest.raises(StoreAway):
                store.read("ab.jpg", 0, 10)

        with ThreadPoolExecutor(12) as pool:
            list(pool.map(ask, range(12)))
        return most

    assert most_at_once(4) == 2
    assert most_at_once(24) == 12


# ---- WeChat


@pytest.fixture
def wechat(folder):
    app = StandIn("wx0000000000000000", "faults-only-secret")
    with serving(app) as url, FaultProxy(("127.0.0.1", int(url.rsplit(":", 1)[1]))) as proxy:
        proxy.state = app.state
        yield proxy


def sign_in(house, wechat, openid=None):
    with wechat.state.lock:
        code, _ = wechat.state.issue_code(
            appid="wx0000000000000000", openid=openid, unionid=None, blocked=False
        )
    return house.ask("/api/v1/sessions", method="POST", body={"code": code, "age_band": "18_59"})


@pytest.mark.once
def test_wechat_down_slow_or_wrong_is_said_passes_and_hinders_nobody(build, wechat):
    house = build(settings={"EDU_WECHAT_BASE_URL": f"http://127.0.0.1:{wechat.port}"})
    house.start()

    def is_back():
        return sign_in(house, wechat).status == 201

    canary = "oCANARY" + base64.b32encode(b"0123456789").decode()[:20]
    assert sign_in(house, wechat, canary).status == 201
    learners = house.database.rows("SELECT count(*) FROM learner")
    for fault in ("refuse", "hang", "trickle", "garble"):
        wechat.mode = fault
        assert_not_now(sign_in(house, wechat, canary), "wechat_unavailable")
        assert beacons(house, f"while-{fault}").status == 200
        wechat.mode = "pass"
        house.wait_until(lambda: sign_in(house, wechat, canary).status == 201, 10, "WeChat again")
    assert house.database.rows("SELECT count(*) FROM learner") == learners

    read_meanwhile(house, 3)
    wechat.mode = "hang"
    with ThreadPoolExecutor(40) as pool:
        waiting = [pool.submit(sign_in, house, wechat) for _ in range(40)]
        time.sleep(0.2)
        slowest = read_meanwhile(house)
        found = [one.result() for one in waiting]
    print(f"slowest list {slowest:.2f} s, slowest refusal {max(one.seconds for one in found):.2f} s")
    assert {one.status for one in found} == {503}
    assert slowest < 2
    wechat.mode = "pass"
    house.wait_until(is_back, 10, "WeChat again")
    with ThreadPoolExecutor(40) as pool:
        assert {one.status for one in pool.map(lambda _: sign_in(house, wechat), range(40))} == {201}

    logs = b"".join(path.read_bytes() for path in house.folder.glob("*.log"))
    assert b"request" in logs
    for secret in (canary, "faults-only-secret"):
        assert secret.encode() not in logs
