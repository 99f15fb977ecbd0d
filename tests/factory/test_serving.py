"""The worker's short way, on the wire: byte for byte what gthread sends, and never behind whoever waits."""

from __future__ import annotations

import contextlib
import hashlib
import json
import re
import select
import selectors
import signal
import socket
import time
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace

import pysqlite3
import pytest
from gunicorn.config import Config
from gunicorn.workers.gthread import PollableMethodQueue, TConn

from edu_platform.config.settings import Settings
from edu_platform.core.db import db, writing
from edu_platform.core.migration import upgrade
from edu_platform.factory.app import create_app
from edu_platform.factory.serving import Worker
from edu_platform.media.models import FileKind
from edu_platform.media.operations import keep, show_files
from edu_platform.media.storage import store_of
from edu_platform.people.models import Learner
from edu_platform.quizzes.operations import attempts
from tests.campaigns.publishing import draft
from tests.cast import visitor
from tests.quizzes.conftest import Desk, Taker, answer_to
from tests.servers import web

LIST, PAGE = "/api/v1/pieces", "/api/v1/pieces/first-piece"
FILM = bytes(range(256)) * 4000
FILM_PATH = f"/media/{hashlib.sha256(FILM).hexdigest()}.mp4"
OURS = "deploy/gunicorn.conf.py"
PLAIN = """
from pathlib import Path
from gunicorn.workers.gthread import ThreadWorker
exec(Path("deploy/gunicorn.conf.py").read_text())
shipped = worker_class
class Plain(ThreadWorker):
    handle_error = shipped.handle_error
worker_class = Plain
"""
"""The same configuration with gunicorn's own way of working."""


@pytest.fixture(scope="module")
def environ(tmp_path_factory):
    """An installation with two published pieces."""
    folder = tmp_path_factory.mktemp("served")
    made = {
        "EDU_ENVIRONMENT": "test",
        "EDU_DATA_DIR": str(folder),
        "EDU_SECRET_KEYS": "test-only-0123456789-abcdefghijklmnop",
        "EDU_SEALING_KEYS": "test-only-sealing-9876543210-zyxwvuts",
        "EDU_WECHAT_SECRET": "test-only-secret",
        "EDU_WEB_THREADS": "2",
        "EDU_TRUSTED_PROXIES": "1",
        "EDU_LIMITS": "off",  # what is left of a limit differs between the two
    }
    settings = Settings.read(made)
    upgrade(settings.database_url)
    app = create_app(settings)
    for slug in ("first-piece", "second-piece"):
        draft(app, slug)
    Desk(app).publish("quiz")
    with app.app_context():
        with writing() as session:
            store = store_of(settings)
            file = keep(session, store, FILM, kind=FileKind.FILM, media_type="video/mp4")
            show_files(session, store, holder="piece:1", digests=[file.digest])
        db.session.remove()
        db.engine.dispose()
    return made


@contextlib.contextmanager
def served(environ, configuration):
    command = ("-m", "gunicorn", "-c", str(configuration), "app:app")
    with web(environ, Path(environ["EDU_DATA_DIR"]) / "web.log", command=command) as (port, process):
        for target in (LIST, LIST, PAGE, PAGE):  # so that they are kept
            assert get(port, target).startswith(b"HTTP/1.1 200")
        yield port, process


@pytest.fixture(scope="module")
def running(environ):
    with served(environ, OURS) as found:
        yield found


@pytest.fixture(scope="module")
def ours(running):
    return running[0]


@pytest.fixture(scope="module")
def theirs(environ, tmp_path_factory):
    plain = tmp_path_factory.mktemp("plain") / "gunicorn.conf.py"
    plain.write_text(PLAIN)
    with served(environ, plain) as (port, _):
        yield port


def head(target, *lines, method="GET", version="1.1"):
    return "\r\n".join([f"{method} {target} HTTP/{version}", "Host: edu.example", *lines, "", ""]).encode()


def get(port, target):
    return exchange(port, [head(target, "Connection: close")])


def exchange(port, pieces, *, wait=0.0):
    """Send the pieces, a moment apart, and return everything up to the end of the connection."""
    with socket.create_connection(("127.0.0.1", port), 5) as client:
        for piece in pieces:
            client.sendall(piece)
            time.sleep(wait)
        found = b""
        while some := client.recv(65536):
            found += some
    return found


def same(raw):
    """Leave out what differs from one answer to the next: the date, and ids that the server made."""
    raw = re.sub(rb"\r\nDate: [^\r]+", b"", raw)
    return re.sub(rb'(X-Request-ID: |"request_id":")[0-9a-f]{16}\b', rb"\1made", raw)


LAST = head("/api/v1/pieces/nothing-here", "Connection: close")
ODD = {
    "plain": [head(LIST), LAST],
    "zipped": [head(LIST, "Accept-Encoding: gzip;q=1, identity;q=0"), LAST],
    "not again": [head(LIST, "If-None-Match: *"), LAST],
    "an id of its own": [head(LIST, "X-Request-ID: mine"), LAST],
    "behind tls": [head(LIST, "X-Forwarded-Proto: https"), LAST],
    "twice on one connection": [head(LIST), head(PAGE), LAST],
    "both ways in turn": [
        head(LIST),
        head("/api/v1/columns"),
        head(PAGE),
        head("/healthz"),
        head(LIST),
        LAST,
    ],
    "only the head": [head(LIST, method="HEAD"), LAST],
    "closing": [head(LIST, "Connection: close")],
    "an old client": [head(LIST, version="1.0")],
    "an old client that stays": [head(LIST, "Connection: keep-alive", version="1.0"), LAST],
    "a body on a GET": [head(LIST, "Content-Length: 5") + b"hello", LAST],
    "a body that comes later": [head(LIST, "Content-Length: 5"), b"hello", LAST],
    "a chunked body": [head(LIST, "Transfer-Encoding: chunked") + b"0\r\n\r\n", LAST],
    "waiting for leave": [head(LIST, "Expect: 100-continue"), LAST],
    "two hosts": [head(LIST, "Host: other.example")],
    "a header without a name": [head(LIST, ": x")],
    "a folded header": [head(LIST, "X-A: b", " c")],
    "a name with an underscore": [head(LIST, "X_Forwarded_Proto: https"), LAST],
    "a bare line feed": [head(LIST).replace(b"\r\nHost", b"\nHost"), LAST],
    "a control character": [head(LIST, "X-A: \x01")],
    "in two pieces": [head(LIST)[:20], head(LIST)[20:], LAST],
    "two at once": [head(LIST) + head(PAGE), LAST],
    "a question mark alone": [head(f"{LIST}?"), LAST],
    "written otherwise": [head("/api/v1/%70ieces"), LAST],
    "with the host in it": [head(f"http://edu.example{LIST}"), LAST],
    "with a fragment": [head(f"{LIST}#x"), LAST],
    "too many headers": [head(LIST, *(f"X-{n}: n" for n in range(80)))],
}


@pytest.mark.parametrize("name", ODD)
def test_the_wire_carries_what_gthread_sends(ours, theirs, name):
    wait = 0.05
    mine, other = exchange(ours, ODD[name], wait=wait), exchange(theirs, ODD[name], wait=wait)
    assert same(mine) == same(other)
    assert mine.startswith(b"HTTP/1.")


@pytest.fixture(scope="module")
def senders(environ):
    """Headers of a visitor, and of one whose token holds no more."""
    app = create_app(Settings.read(environ))
    (_, good), (gone, revoked) = visitor(app), visitor(app)
    with app.app_context():
        with writing() as session:
            session.get(Learner, gone).generation += 1
        db.session.remove()
        db.engine.dispose()
    return good["Authorization"], revoked["Authorization"]


def told(authorization, *names, action="view", lines=(), at=None, **facts):
    """A request with beacons."""
    at = at or datetime.now(UTC).isoformat()
    beacons = [{"id": name, "action": action, "occurred_at": at, **facts} for name in names]
    body = json.dumps({"sent_at": at, "beacons": beacons}).encode()
    length = f"Content-Length: {len(body)}"
    typed = "Content-Type: application/json"
    auth = f"Authorization: {authorization}"
    return head("/api/v1/beacons", auth, typed, length, *lines, method="POST") + body


BEACONS = {
    "one": lambda good, _, who: [told(good, f"{who}a"), LAST],
    "fifty": lambda good, _, who: [told(good, *(f"{who}b{n}" for n in range(50))), LAST],
    "repeated": lambda good, _, who: [told(good, f"{who}a"), told(good, f"{who}a"), LAST],
    "one refused": lambda good, _, who: [told(good, f"{who}c", piece="no-such-piece"), LAST],
    "behind tls": lambda good, _, who: [told(good, f"{who}d", lines=("X-Forwarded-Proto: https",)), LAST],
    "an id of its own": lambda good, _, who: [told(good, f"{who}e", lines=("X-Request-ID: mine",)), LAST],
    "a broken token": lambda _, __, who: [told("Bearer nonsense", f"{who}f"), LAST],
    "a revoked token": lambda _, revoked, who: [told(revoked, f"{who}g"), LAST],
    "after a read": lambda good, _, who: [head(LIST), told(good, f"{who}h"), head(PAGE), LAST],
    "before leave is given": lambda good, _, who: [
        told(good, f"{who}i", lines=("Expect: 100-continue",)),
        LAST,
    ],
    "closing": lambda good, _, who: [told(good, f"{who}j", lines=("Connection: close",))],
    "in two pieces": lambda good, _, who: [told(good, f"{who}k")[:-30], told(good, f"{who}k")[-30:], LAST],
    "two at once": lambda good, _, who: [told(good, f"{who}l") + told(good, f"{who}m"), LAST],
    "a body too short": lambda good, _, who: [told(good, f"{who}n").replace(b'"sent_at"', b"sent_at"), LAST],
    "two lengths": lambda good, _, who: [told(good, f"{who}o", lines=("Content-Length: 5",))],
}


@pytest.mark.parametrize("name", BEACONS)
def test_beacons_gathered_are_answered_as_gthread_answers_them(ours, theirs, senders, name):
    mine = exchange(ours, BEACONS[name](*senders, f"ours-{name[:2].strip()}"), wait=0.05)
    other = exchange(theirs, BEACONS[name](*senders, f"them-{name[:2].strip()}"), wait=0.05)
    assert same(mine).replace(b"ours-", b"them-") == same(other)
    assert mine.startswith(b"HTTP/1.")


@contextlib.contextmanager
def all_wait_for_the_lock(port, environ, requests):
    """Send requests while SQLite's write lock is held: reading goes on, and all are answered once it is free."""
    database = pysqlite3.connect(f"{environ['EDU_DATA_DIR']}/edu.sqlite3", isolation_level=None)
    with contextlib.ExitStack() as stack:
        stack.callback(database.close)
        clients = [stack.enter_context(socket.create_connection(("127.0.0.1", port), 15)) for _ in requests]
        database.execute("BEGIN IMMEDIATE")
        for client, request in zip(clients, requests, strict=True):
            client.sendall(request)
        time.sleep(0.5)
        assert get(port, "/api/v1/columns").startswith(b"HTTP/1.1 200"), "a thread is left"
        assert not select.select(clients, [], [], 0)[0], "nobody is answered before the commit"
        database.execute("COMMIT")
        for client in clients:
            assert client.recv(65536).startswith(b"HTTP/1.1 200")
        yield database


def test_many_beacons_are_taken_while_their_commit_waits(ours, environ, senders):
    """More than there are threads wait; none of them holds a thread, and all are stored."""
    many = [told(senders[0], f"many-{number}") for number in range(12)]
    with all_wait_for_the_lock(ours, environ, many) as database:
        kept = "SELECT count(*) FROM beacon WHERE beacon_id LIKE 'many-%'"
        assert database.execute(kept).fetchone()[0] == 12


@pytest.fixture(scope="module")
def sitters(environ, ours, theirs):
    """Two who sit the same quiz with the same seed, as (authorization, attempt): one for each server."""
    app = create_app(Settings.read(environ))
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(attempts, "secrets", SimpleNamespace(token_bytes=lambda count: b"\7" * count))
        found = []
        for port in (ours, theirs):
            taker = Taker(app, visitor(app))
            found.append((taker.headers["Authorization"], taker.start()))
            authorization, attempt = found[-1]
            for number in range(1, 6):  # both know the questions from here on
                exchange(port, [answered(authorization, attempt, number), LAST])
    with app.app_context():
        db.session.remove()
        db.engine.dispose()
    return found


def answered(authorization, attempt, number, answer=None, *lines):
    """A request that saves an answer."""
    body = json.dumps({"answer": answer}).encode()
    length, typed = f"Content-Length: {len(body)}", "Content-Type: application/json"
    auth = f"Authorization: {authorization}"
    target = f"/api/v1/attempts/{attempt['id']}/answers/{number}"
    return head(target, auth, typed, length, *lines, method="PUT") + body


def _chosen(attempt, number):
    return answer_to(attempt["questions"][number - 1], right=True)


ANSWERS = {
    "taken back": lambda good, sat: [answered(good, sat, 1), LAST],
    "each": lambda good, sat: [*(answered(good, sat, n, _chosen(sat, n)) for n in range(1, 6)), LAST],
    "two at once": lambda good, sat: [answered(good, sat, 1) + answered(good, sat, 2), LAST],
    "in two pieces": lambda good, sat: [answered(good, sat, 1)[:-5], answered(good, sat, 1)[-5:], LAST],
    "no such option": lambda good, sat: [answered(good, sat, 1, "nothing"), LAST],
    "no such question": lambda good, sat: [answered(good, sat, 6), LAST],
    "a broken token": lambda _, sat: [answered("Bearer nonsense", sat, 1), LAST],
    "behind tls": lambda good, sat: [answered(good, sat, 1, None, "X-Forwarded-Proto: https"), LAST],
    "closing": lambda good, sat: [answered(good, sat, 1, None, "Connection: close")],
}


@pytest.mark.parametrize("name", ANSWERS)
def test_answers_gathered_are_answered_as_gthread_answers_them(ours, theirs, sitters, name):
    mine, other = (
        exchange(port, ANSWERS[name](*sitter), wait=0.05)
        for port, sitter in zip((ours, theirs), sitters, strict=True)
    )
    moment = re.compile(rb'"saved_at":"[^"]+"')
    assert moment.sub(b"", same(mine)) == moment.sub(b"", same(other))
    assert mine.startswith(b"HTTP/1.")


def test_many_answers_are_taken_while_their_commit_waits(ours, environ, sitters):
    """Five wait and hold one thread of the two; all are stored."""
    authorization, attempt = sitters[0]
    five = [answered(authorization, attempt, number, _chosen(attempt, number)) for number in range(1, 6)]
    with all_wait_for_the_lock(ours, environ, five) as database:
        kept = "SELECT count(answer) FROM attempt_answer WHERE attempt_id = ?"
        assert database.execute(kept, (int(attempt["id"]),)).fetchone()[0] == 5


def test_a_film_is_sent_by_the_kernel_whole_and_in_part(ours):
    whole = get(ours, FILM_PATH)
    assert whole.partition(b"\r\n\r\n")[2] == FILM
    found, asked = (
        exchange(ours, [head(FILM_PATH, "Range: bytes=1000-600999"), LAST], wait=0.1),
        FILM[1000:601000],
    )
    _, _, rest = found.partition(b"\r\n\r\n")
    assert rest.startswith(asked + b"HTTP/1.1 404"), "the connection goes on after the part"


@contextlib.contextmanager
def every_thread_held(port):
    """Two clients, as many as there are threads, send bodies that do not come to an end."""
    with contextlib.ExitStack() as stack:
        for _ in range(2):
            client = stack.enter_context(socket.create_connection(("127.0.0.1", port), 5))
            lines = ("Content-Length: 1000", "Content-Type: application/json")
            client.sendall(head("/api/v1/staff/sessions", *lines, method="POST") + b"{")
        time.sleep(0.3)
        yield


def reads(port):
    with socket.create_connection(("127.0.0.1", port), 1) as client:
        client.sendall(head(LIST))
        try:
            return client.recv(100).startswith(b"HTTP/1.1 200")
        except TimeoutError:
            return False


@pytest.mark.control("gthread's readers wait")
def test_reading_goes_on_while_every_thread_waits(ours, theirs):
    get(ours, LIST)
    assert reads(ours)
    with every_thread_held(ours):
        answered = []
        for _ in range(8):  # for longer than a version is believed without looking
            answered.append(reads(ours))
            time.sleep(0.15)
    assert all(answered)
    with every_thread_held(theirs):
        assert not reads(theirs), "the control: gthread's readers wait behind the others"


def test_a_silent_connection_holds_no_thread(ours):
    with contextlib.ExitStack() as stack:
        for _ in range(8):
            stack.enter_context(socket.create_connection(("127.0.0.1", ours), 5))
        time.sleep(0.2)
        began = time.monotonic()
        assert get(ours, "/api/v1/columns?x=1").startswith(b"HTTP/1.1 422")
        assert time.monotonic() - began < 2


def test_what_a_slow_client_does_not_take_at_once_is_sent_by_the_pool():
    worker = Worker.__new__(Worker)  # its parts, without a process of its own
    worker.cfg, worker.alive, worker.nr_conns = Config(), True, 1
    worker.keepalived_conns, worker.pending_conns = deque(), deque()
    worker.poller, worker.method_queue = selectors.DefaultSelector(), PollableMethodQueue()
    worker.method_queue.init()
    answer = bytes(range(256)) * 20_000
    near, far = socket.socketpair()
    far.settimeout(5)
    with far, worker.poller, ThreadPoolExecutor(1) as worker.tpool:
        conn = TConn(worker.cfg, near, ("127.0.0.1", 1), ("127.0.0.1", 2))
        worker.pending_conns.append(conn)
        worker.poller.register(near, selectors.EVENT_READ)
        began = time.monotonic()
        worker._send(conn, near, answer)
        assert time.monotonic() - began < 1, "the waiting thread does not wait for the client"
        assert (len(worker.pending_conns), len(worker.keepalived_conns)) == (0, 0)
        found = b""
        while len(found) < len(answer):
            found += far.recv(1 << 20)
        assert found == answer
        assert select.select([worker.method_queue], [], [], 5)[0]
        worker.method_queue.run_callbacks(None)
        assert list(worker.keepalived_conns) == [conn], "the connection goes on"
        worker.method_queue.close()
        near.close()


def test_stopping_takes_leave_of_waiting_connections(running):
    port, process = running
    with (
        socket.create_connection(("127.0.0.1", port), 5) as kept,
        socket.create_connection(("127.0.0.1", port), 5),  # says nothing
    ):
        kept.sendall(head(LIST))
        assert kept.recv(65536).startswith(b"HTTP/1.1 200")
        began = time.monotonic()
        process.send_signal(signal.SIGTERM)
        time.sleep(0.3)
        kept.sendall(head(LIST))
        assert b"Connection: close" in kept.recv(65536)
        process.wait(10)
        assert time.monotonic() - began < 8
