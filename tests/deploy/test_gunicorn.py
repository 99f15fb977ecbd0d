"""The web process as it ships: new code without a failed request, refusals as problem details, forks that share nothing."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import shutil
import signal
import socket
import threading
import time
from pathlib import Path

import pytest

from edu_platform.core import problems
from edu_platform.core.db import db
from edu_platform.factory.app import create_app
from tests.campaigns.publishing import draft
from tests.servers import ROOT, children, environ_of, installation, web


@pytest.fixture(scope="module")
def settings(tmp_path_factory):
    """An installation with one piece."""
    made = installation(tmp_path_factory.mktemp("installation"))
    app = create_app(made)
    draft(app, "first-piece")
    with app.app_context():
        db.engine.dispose()
    return made


@pytest.fixture
def code(tmp_path):
    """A copy of the code, to be changed while it runs."""
    left_out = shutil.ignore_patterns("__pycache__", "*.pyc")
    for folder in ("edu_platform", "deploy"):
        shutil.copytree(ROOT / folder, tmp_path / "code" / folder, ignore=left_out)
    shutil.copy(ROOT / "app.py", tmp_path / "code")
    return tmp_path / "code"


class Load:
    """Readers that ask without pause, some on kept connections, and note what fails."""

    def __init__(self, port: int) -> None:
        self.port, self.failures, self.count, self._stop = port, [], 0, False
        self._threads = [
            threading.Thread(target=self._ask, args=(kept,)) for kept in (True, True, False, False)
        ]

    def __enter__(self):
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self._stop = True
        for thread in self._threads:
            thread.join()

    def _ask(self, kept: bool) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        while not self._stop:
            try:
                connection.request("GET", "/api/v1/pieces" if self.count % 2 else "/healthz")
                answer = connection.getresponse()
                answer.read()
                if answer.status != 200:
                    self.failures.append(answer.status)
            except (OSError, http.client.HTTPException) as error:
                self.failures.append(repr(error))
                connection.close()
            self.count += 1
            if not kept:
                connection.close()
            time.sleep(0.002)
        connection.close()


def asked(port, path, **headers):
    """One answer on a connection of its own: its body, and its headers."""
    with contextlib.closing(http.client.HTTPConnection("127.0.0.1", port, timeout=10)) as connection:
        connection.request("GET", path, headers=headers)
        answer = connection.getresponse()
        return json.loads(answer.read()), answer.headers


def word(port):
    """What the process says of itself, or None while nobody answers."""
    with contextlib.suppress(OSError, http.client.HTTPException, KeyError, ValueError):
        return asked(port, "/healthz")[0]["status"]
    return None


def put_word(code: Path, old: str, new: str) -> None:
    path = code / "edu_platform" / "core" / "api.py"
    text = path.read_text()
    assert text.count(f'status="{old}"') == 1
    path.write_text(text.replace(f'status="{old}"', f'status="{new}"'))


def waited(port, expected, seconds=30):
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if word(port) == expected:
            return True
        time.sleep(0.05)
    return False


@pytest.mark.control("a worker that is killed")
def test_reloads_under_load_bring_new_code_and_fail_no_request(settings, code, tmp_path):
    with web(environ_of(settings), tmp_path / "log", cwd=code) as (port, master), Load(port) as load:
        before = "alive"
        for number in range(2):
            new = f"alive-{number:03}"
            put_word(code, before, new)
            master.send_signal(signal.SIGHUP)
            assert waited(port, new), (tmp_path / "log").read_text()[-2000:]
            before = new
        time.sleep(0.5)
        assert load.failures == []
        assert load.count > 20
        # the control: the same readers see a worker that is killed
        for _ in range(20):
            for worker in children(master.pid):
                os.kill(worker, signal.SIGKILL)
            time.sleep(0.1)
            if load.failures:
                break
        assert load.failures


@pytest.mark.long
@pytest.mark.control
def test_a_master_that_imports_the_application_would_keep_the_old_code(settings, code, tmp_path):
    """The control: what the shipped settings avoid."""
    conf = code / "deploy" / "gunicorn.conf.py"
    text = conf.read_text()
    assert "del sys.modules[name]" in text
    conf.write_text(text.replace("del sys.modules[name]", "pass") + "\nimport edu_platform.core.api\n")
    with web(environ_of(settings), tmp_path / "log", cwd=code) as (port, master):
        first = children(master.pid)
        put_word(code, "alive", "alive-000")
        master.send_signal(signal.SIGHUP)
        deadline = time.monotonic() + 20
        while set(first) & set(children(master.pid)) and time.monotonic() < deadline:
            time.sleep(0.05)
        assert not set(first) & set(children(master.pid))
        assert waited(port, "alive"), "still the old word"


@pytest.fixture(scope="module")
def running(settings, tmp_path_factory):
    log = tmp_path_factory.mktemp("running") / "log"
    with web(environ_of(settings), log) as (port, master):
        yield port, master, log


@pytest.mark.parametrize(
    ("status", "raw"),
    [
        (400, b"nonsense\r\n\r\n"),
        (400, b"GET / HTTP/1.1\r\nsecret canary\r\n\r\n"),
        (
            400,
            b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        ),
        (400, b"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: canary\r\n\r\n"),
        (414, b"GET /" + b"canary" * 2000 + b" HTTP/1.1\r\nHost: a\r\n\r\n"),
        (431, b"GET / HTTP/1.1\r\nHost: a\r\nX: " + b"canary" * 2000 + b"\r\n\r\n"),
        (431, b"GET / HTTP/1.1\r\nHost: a\r\n" + b"X: canary\r\n" * 70 + b"\r\n"),
        (501, b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: canary\r\n\r\n"),
    ],
)
def test_what_never_reaches_the_application_is_refused_in_its_words(running, status, raw):
    port, _, log = running
    with socket.create_connection(("127.0.0.1", port), 5) as line:
        line.sendall(raw)
        answer = b""
        with contextlib.suppress(ConnectionResetError):
            while piece := line.recv(65536):
                answer += piece
    head, _, body = answer.partition(b"\r\n\r\n")
    assert int(head.split()[1]) == status
    headers = dict(line.split(": ", 1) for line in head.decode().split("\r\n")[1:])
    told = json.loads(body)
    assert headers["Content-Type"] == "application/problem+json"
    assert int(headers["Content-Length"]) == len(body)
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert (told["status"], told["title"]) == (status, problems._TITLES[status])
    assert told["request_id"] == headers["X-Request-ID"]
    assert "canary" not in answer.decode()
    assert "canary" not in log.read_text()


def test_a_refusal_reaches_whoever_is_still_sending(running):
    """A body that the application did not read is read all the same: closing over it would reset the connection."""
    port, _, _ = running
    with socket.create_connection(("127.0.0.1", port), 10) as line:
        head = f"POST /api/v1/staff/media HTTP/1.1\r\nHost: a\r\nContent-Length: {4 << 20}\r\n\r\n"
        line.sendall(head.encode() + bytes(2 << 20))
        time.sleep(0.3)
        line.sendall(bytes(2 << 20))
        assert line.recv(65536).startswith(b"HTTP/1.1 401 ")


def test_nobody_but_a_trusted_proxy_says_what_the_scheme_is(running):
    port, _, _ = running
    _, headers = asked(port, "/healthz", **{"X-Forwarded-Proto": "https"})
    assert headers["Strict-Transport-Security"] is None


PRELOADED = """
import os
from flask import jsonify
from sqlalchemy import text
from edu_platform.core.db import db
from edu_platform.factory.app import create_app
from edu_platform.factory.entry import settings_here

app = create_app(settings_here())

@app.get("/who")
def who():
    with db.engine.connect() as connection:
        return jsonify([os.getpid(), connection.scalar(text("SELECT pg_backend_pid()"))])

with app.app_context(), db.engine.connect() as connection:
    connection.execute(text("SELECT 1"))  # back in the pool afterwards, for every worker to inherit
"""


@pytest.mark.parametrize("forgets", [True, pytest.param(False, marks=pytest.mark.long)])
@pytest.mark.control("a fork that does not forget")
def test_workers_share_no_connection_that_their_master_made(settings, postgresql, code, tmp_path, forgets):
    (code / "app.py").write_text(PRELOADED)
    conf = code / "deploy" / "gunicorn.conf.py"
    text = conf.read_text().replace("workers = _chosen.web_processes", "workers = 3\npreload_app = True")
    assert "preload_app = True" in text
    conf.write_text(text if forgets else text.replace("forget_connections(server.app.wsgi())", "pass"))
    environ = environ_of(settings, EDU_DATABASE_URL=postgresql)
    seen: dict[int, set[int]] = {}
    with web(environ, tmp_path / "log", cwd=code) as (port, _):
        deadline = time.monotonic() + 20
        while len(seen) < 2 and time.monotonic() < deadline:
            (worker, backend), _ = asked(port, "/who")
            seen.setdefault(worker, set()).add(backend)
    shared = len(seen) > len(set().union(*seen.values()))
    assert shared is not forgets, "the second run is the control"
