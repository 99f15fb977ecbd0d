"""The shipped nginx configuration, read by a real nginx and standing before real web processes."""

from __future__ import annotations

import json
import re
import shutil
import socket
import subprocess
import tempfile
import time
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import httpx2
import pytest
from click.testing import CliRunner
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from bench.load import free_port
from bench.nginx import SHIPPED, arguments, lay_out, nginx, program
from edu_platform.cli.nginx import command
from edu_platform.config.settings import Storage
from edu_platform.core import problems
from edu_platform.core.clock import now
from edu_platform.core.db import db, writing
from edu_platform.factory.app import create_app
from edu_platform.media.models import FileKind
from edu_platform.media.operations import hide_files, keep, show_files, url_of
from edu_platform.media.storage import store_of
from tests.campaigns.publishing import draft
from tests.servers import environ_of, installation, web

pytestmark = pytest.mark.skipif(program() is None, reason="nginx is not installed")
FILM = bytes(i * 7 % 256 for i in range(300_000))
POSTER = b"\x89PNG\r\n" + bytes(range(256)) * 40


@pytest.fixture(scope="module")
def place():
    """A folder that www-data may enter, which pytest's own is not."""
    made = Path(tempfile.mkdtemp(prefix="edu-nginx-"))
    made.chmod(0o755)
    yield made
    shutil.rmtree(made)


@pytest.fixture(scope="module")
def house(place):
    """An installation of its own: settings, and the application in this process."""
    settings = installation(place)
    app = create_app(settings)
    draft(app, "first-piece")
    yield settings, app
    with app.app_context():
        db.engine.dispose()


@pytest.fixture(scope="module")
def settings(house):
    return house[0]


@pytest.fixture(scope="module")
def files(house):
    """A published film and poster: their addresses."""
    settings, app = house
    found = []
    with app.app_context(), writing() as session:
        store = store_of(settings)
        for data, kind, media_type in (
            (FILM, FileKind.FILM, "video/mp4"),
            (POSTER, FileKind.PICTURE, "image/png"),
        ):
            file = keep(session, store, data, kind=kind, media_type=media_type)
            show_files(session, store, holder="piece:1", digests=[file.digest])
            found.append(url_of(file))
    return found


@pytest.fixture(scope="module")
def site(settings, files, place):
    """nginx before a web process: a client of it, and the web process's own port."""
    environ = environ_of(settings, EDU_TRUSTED_PROXIES="1")
    with (
        web(environ, place / "web.log") as (inner, _),
        nginx(place / "nginx", settings, upstreams=[f"127.0.0.1:{inner}"]) as (port, _),
        httpx2.Client(base_url=f"http://127.0.0.1:{port}", timeout=5) as client,
    ):
        yield client, inner


@pytest.fixture
def folder(place):
    """An empty one, inside `place`."""
    made = Path(tempfile.mkdtemp(dir=place))
    made.chmod(0o755)
    return made


def test_what_ships_is_valid_with_tls_in_clear_and_with_a_store(settings, folder):
    certificate(folder)
    behind_s3 = replace(settings, storage=Storage.S3, s3_endpoint="https://127.0.0.1:9000", s3_bucket="edu")
    tls = {"certificate": str(folder / "edu.crt"), "key": str(folder / "edu.key")}
    for number, (chosen, options) in enumerate(
        [
            (settings, {"listen_tls": None}),
            (
                settings,
                {"listen": "80", "listen_tls": "443", **tls, "upstreams": ["127.0.0.1:1", "127.0.0.1:2"]},
            ),
            (behind_s3, {**tls}),
        ]
    ):
        place = folder / str(number)
        lay_out(place, chosen, **options)
        checked = subprocess.run([*arguments(place), "-t"], capture_output=True, text=True)
        assert checked.returncode == 0, checked.stderr
        assert "[warn]" not in checked.stderr
    (place / "site.conf").write_text("upstream { nonsense")
    assert subprocess.run([*arguments(place), "-t"], capture_output=True).returncode != 0


def test_the_command_prints_a_site_and_refuses_what_would_break_one(settings, monkeypatch):
    monkeypatch.setattr("edu_platform.factory.entry.settings_here", lambda: settings)
    done = CliRunner().invoke(
        command, ["--upstream", "127.0.0.1:8000", "--upstream", "10.0.0.2:8000", "--key", "/etc/x.key"]
    )
    assert done.exit_code == 0, done.output
    assert done.stdout.count("server 10.0.0.2:8000;") == 2
    assert "client_max_body_size 209780736;" in done.stdout
    assert "EDU_TRUSTED_PROXIES=1" in done.stderr
    assert "@" not in done.stdout
    for wrong in (["--upstream", "8000"], ["--upstream", "a:1; deny all"], ["--key", 'x";']):
        refused = CliRunner().invoke(command, wrong)
        assert refused.exit_code == 2
        assert "须" in refused.output


def test_a_list_a_poster_and_a_range_of_a_film_are_served(site, files):
    client, inner = site
    film, poster = files
    listed = client.get("/api/v1/pieces")
    assert [card["slug"] for card in listed.json()["items"]] == ["first-piece"]
    assert listed.content == httpx2.get(f"http://127.0.0.1:{inner}/api/v1/pieces").content
    zipped = client.get("/api/v1/pieces/first-piece", headers={"Accept-Encoding": "gzip"})
    assert zipped.headers["Content-Encoding"] == "gzip"
    assert client.get("/api/v1/pieces", headers={"If-None-Match": listed.headers["ETag"]}).status_code == 304

    whole = client.get(poster)
    assert (whole.status_code, whole.content) == (200, POSTER)
    part = client.get(film, headers={"Range": "bytes=1000-1999"})
    assert (part.status_code, part.content) == (206, FILM[1000:2000])
    assert part.headers["Content-Range"] == "bytes 1000-1999/300000"
    assert client.get(film, headers={"If-None-Match": part.headers["ETag"]}).status_code == 304
    ours = client.head(film).headers
    theirs = httpx2.head(f"http://127.0.0.1:{inner}{film}").headers
    for name in (
        "Content-Type", "Content-Length", "Cache-Control", "Accept-Ranges", "X-Content-Type-Options",
        "Content-Security-Policy", "Cross-Origin-Resource-Policy", "X-Frame-Options", "Referrer-Policy",
    ):  # fmt: skip
        assert ours[name] == theirs[name], name


def test_withdrawn_is_withdrawn_at_once(site, files, house):
    client, _ = site
    settings, app = house
    assert client.get(files[0]).status_code == 200
    with app.app_context(), writing() as session:
        digest = files[0].removeprefix("/media/").split(".")[0]
        hide_files(session, store_of(settings), holder="piece:1", digests=[digest])
    assert client.get(files[0]).status_code == 404
    with app.app_context(), writing() as session:
        show_files(session, store_of(settings), holder="piece:1", digests=[digest])
    assert client.get(files[0]).status_code == 200


def test_published_files_do_not_need_the_application(settings, files, folder):
    with nginx(folder, settings, upstreams=[f"127.0.0.1:{free_port()}"]) as (port, _):
        base = f"http://127.0.0.1:{port}"
        assert httpx2.get(base + files[1]).content == POSTER
        gone = httpx2.get(base + "/api/v1/pieces")
        assert refusal(gone) == (503, "not_now")
        assert gone.headers["Retry-After"] == "5"


def test_nginx_refuses_in_the_words_of_the_application(site, files):
    client, _ = site
    film, _ = files
    large = client.post("/api/v1/beacons", content=b"x" * 2_000_000, headers={"X-Request-ID": "my-own.id"})
    assert refusal(large) == (413, "too_large")
    assert large.json()["request_id"] == large.headers["X-Request-ID"] == "my-own.id"
    assert refusal(client.get(film + "x")) == (404, "not_found")
    assert refusal(client.get("/media/../../installation.env")) == (404, "not_found")
    assert refusal(client.get("/media/")) == (403, "not_allowed")
    assert refusal(client.get("/.problem")) == (404, "not_found")
    posted = client.post(film)
    assert refusal(posted) == (405, "method_not_allowed")
    assert posted.headers["Allow"] == "GET, HEAD"
    beyond = client.get(film, headers={"Range": "bytes=300000-"})
    assert refusal(beyond) == (416, "range_not_satisfiable")
    assert beyond.headers["Content-Range"] == "bytes */300000"
    assert refusal(client.get("/x?" + "y" * 9000)) == (414, "uri_too_long")
    assert refusal(client.get("/", headers={"X-Long": "y" * 9000}))[0] == 431
    assert refusal(client.get("/", headers={"Host": "elsewhere.example"}))[0] == 421
    for raw in (
        b"GET / HTTP/1.1\r\n\r\n",
        b"nonsense\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
    ):
        status, head, body = spoken(client.base_url.port, raw)
        assert status == 400
        assert b"application/problem+json" in head
        assert json.loads(body)["code"] == "bad_request"
    for answer in (large, posted, beyond):
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert answer.headers["Cache-Control"].endswith("no-store")
        assert "Strict-Transport-Security" not in answer.headers
        assert answer.json()["title"] == problems._TITLES[answer.status_code]


def test_the_words_are_the_same():
    text = (SHIPPED / "edu" / "http.conf").read_text()
    for name, known in (("code", problems._CODES), ("title", problems._TITLES)):
        block = re.search(rf"\$edu_problem_{name} \{{(.*?)\}}", text, re.DOTALL)[1]
        ours = {int(status): word.strip('"') for status, word in re.findall(r"(\d{3}) (\S+);", block)}
        shared = ours.keys() & known.keys()
        assert len(shared) > 8
        assert {status: ours[status] for status in shared} == {status: known[status] for status in shared}


def test_what_a_client_says_of_itself_is_not_believed(site, place):
    client, _ = site
    answer = client.get(
        "/api/v1/pieces?q=secretword",
        headers={"X-Forwarded-For": "203.0.113.7", "X-Forwarded-Proto": "https", "X-Request-ID": "two words"},
    )
    assert "Strict-Transport-Security" not in answer.headers, "the scheme is what nginx saw"
    assert re.fullmatch("[0-9a-f]{32}", answer.headers["X-Request-ID"])
    log = place / "nginx" / "access.log"
    wait_until(lambda: answer.headers["X-Request-ID"] in log.read_text())  # it is written after the answer
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    [line] = [line for line in lines if line["request_id"] == answer.headers["X-Request-ID"]]
    assert (line["address"], line["path"]) == ("127.0.0.1", "/api/v1/pieces")
    assert "secretword" not in log.read_text()


def test_uploads_are_spooled_up_to_their_own_size(site):
    client, _ = site
    for _ in range(3):
        answer = client.post("/api/v1/staff/media", content=b"x" * 20_000_000)
        assert refusal(answer) == (401, "unauthenticated"), (
            "the refusal of an unread body is not lost in a reset"
        )


def test_tls_is_current_and_clear_text_is_sent_there(settings, folder):
    port, tls = free_port(), free_port()
    certificate(folder)
    named = replace(settings, public_url="https://edu.example.cn")
    lay_out(
        folder, named, listen=f"127.0.0.1:{port}", listen_tls=f"127.0.0.1:{tls}",
        certificate=str(folder / "edu.crt"), key=str(folder / "edu.key"),
    )  # fmt: skip
    process = subprocess.Popen(arguments(folder))
    try:
        wait_until(lambda: listens(tls))
        name = {"Host": "edu.example.cn"}
        clear = httpx2.get(f"http://127.0.0.1:{port}/api/v1/pieces?limit=1", headers=name)
        assert clear.status_code == 301
        assert clear.headers["Location"] == f"https://edu.example.cn:{tls}/api/v1/pieces?limit=1"
        secure = httpx2.get(f"https://127.0.0.1:{tls}/media/none", headers=name, verify=False)
        assert refusal(secure) == (404, "not_found")
        assert secure.headers["Strict-Transport-Security"].startswith("max-age=63072000")
        assert httpx2.get(f"http://127.0.0.1:{tls}/x", headers=name).status_code == 301
        for version, taken in (("-tls1_1", False), ("-tls1_2", True), ("-tls1_3", True)):
            assert handshake(tls, version) is taken, version
        assert not handshake(tls, "-tls1_2", "-cipher", "AES128-SHA:AES256-SHA256:@SECLEVEL=0")
    finally:
        process.terminate()
        process.wait()


def handshake(port, *options):
    done = subprocess.run(
        ["openssl", "s_client", "-connect", f"127.0.0.1:{port}", *options], input=b"", capture_output=True
    )
    return done.returncode == 0


def listens(port):
    try:
        socket.create_connection(("127.0.0.1", port), 0.1).close()
    except OSError:
        return False
    return True


def wait_until(true):
    deadline = time.monotonic() + 10
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def refusal(answer):
    """The status and code of a problem; anything else fails."""
    assert answer.headers["Content-Type"] == "application/problem+json", answer.text
    body = answer.json()
    assert body["status"] == answer.status_code
    assert body["type"] == f"urn:problem:{body['code']}"
    assert body["title"]
    return answer.status_code, body["code"]


def spoken(port, raw):
    """What is answered to bytes that no client library would send."""
    with socket.create_connection(("127.0.0.1", port), 5) as line:
        line.sendall(raw)
        line.settimeout(5)
        answer = b""
        while piece := line.recv(65536):
            answer += piece
    head, _, body = answer.partition(b"\r\n\r\n")
    return int(head.split()[1]), head, body


def certificate(folder):
    """A certificate that the machine signs itself."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "edu.example.cn")])
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now() - timedelta(days=1))
        .not_valid_after(now() + timedelta(days=1))
        .sign(key, hashes.SHA256())
    )
    (folder / "edu.crt").write_bytes(made.public_bytes(serialization.Encoding.PEM))
    (folder / "edu.key").write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )
