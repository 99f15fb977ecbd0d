"""What every answer carries, whatever it answers: found, refused, broken, a file, a page, an address of nobody's."""

import io
import re

import pytest

from edu_platform.core.vocabulary import Role
from edu_platform.factory.headers import protective
from tests.cast import staff_member
from tests.hostile.world import picture
from tests.laws.access import TABLE
from tests.laws.test_access import ENDS_THE_CALLER, call, caller

ALWAYS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "X-Permitted-Cross-Domain-Policies": "none",
}


def missing(answer, *, secure=False):
    """Name what an answer lacks."""
    headers = answer.headers
    found = [name for name, value in ALWAYS.items() if headers.get(name) != value]
    policy = headers.get("Content-Security-Policy", "")
    directives = ("default-src 'none'", "frame-ancestors 'none'", "base-uri 'none'", "form-action 'none'")
    found += [f"{one} in {policy!r}" for one in directives if one not in policy]
    if "script" in policy and answer.request.path.partition("/docs")[0] != "/api/v1":
        found.append("scripts allowed outside the page of the documentation")
    if headers.get("Cross-Origin-Resource-Policy") not in {"same-origin", "cross-origin"}:
        found.append("Cross-Origin-Resource-Policy")
    if "camera=()" not in headers.get("Permissions-Policy", ""):
        found.append("Permissions-Policy")
    if "Cache-Control" not in headers:
        found.append("Cache-Control")
    if not headers.get("X-Request-ID"):
        found.append("X-Request-ID")
    if secure and "max-age=63072000" not in headers.get("Strict-Transport-Security", ""):
        found.append("Strict-Transport-Security")
    if not secure and "Strict-Transport-Security" in headers:
        found.append("Strict-Transport-Security over plain HTTP")
    found += [f"tells of {name}" for name in ("Server", "X-Powered-By", "Via") if name in headers]
    if "Set-Cookie" in headers:
        found.append("a cookie")
    if answer.status_code == 401 and "WWW-Authenticate" not in headers:
        found.append("WWW-Authenticate")
    if answer.status_code == 405 and "Allow" not in headers:
        found.append("Allow")
    return found


def tell(answers):
    return {name: lacking for name, answer in answers if (lacking := missing(answer))}


def test_every_operation_by_every_kind_of_caller(app, client):
    standing = {letter: caller(app, letter) for letter in "NVLERCAD"}
    wrong = {}
    for row in TABLE:
        for letter, headers in standing.items():
            ends = (row.method, row.path) in ENDS_THE_CALLER and letter in row.who
            answer = call(client, row, caller(app, letter) if ends else headers)
            if lacking := missing(answer):
                wrong[f"{row.method} {row.path} by {letter}: {answer.status_code}"] = lacking
    assert not wrong


def test_what_is_about_somebody_is_nobodys_to_keep(app, client):
    """Whatever needs a token, and every sign-in, is `no-store`."""
    wrong, standing = [], {letter: caller(app, letter) for letter in "LERCADN"}
    for row in TABLE:
        if set("NV") <= set(row.who) and row.method == "GET":
            continue
        letter = next(letter for letter in "LERCADN" if letter in row.who)
        ends = (row.method, row.path) in ENDS_THE_CALLER
        cached = call(client, row, caller(app, letter) if ends else standing[letter]).headers["Cache-Control"]
        if "no-store" not in cached:
            wrong.append(f"{row.method} {row.path}: {cached}")
    assert not wrong


def read(client, path):
    """Get a file and close it."""
    with client.get(path, buffered=True) as answer:
        return answer


def test_errors_of_every_kind(app, client, monkeypatch):
    def broken(**_):
        raise ZeroDivisionError

    monkeypatch.setitem(app.view_functions, "me.show_me", broken)
    json = {"content_type": "application/json"}
    answers = [
        ("nowhere", client.get("/nothing/here")),
        ("nowhere in the API", client.get("/api/v1/nothing")),
        ("nowhere, with NUL", client.get("/api/v1/pieces/%00")),
        ("no such method", client.delete("/healthz")),
        ("no such method at all", client.open("/healthz", method="BREW")),
        ("no such piece", client.get("/api/v1/pieces/none")),
        ("a query refused", client.get("/api/v1/pieces?x=1")),
        ("broken", client.get("/api/v1/me")),
        ("not JSON", client.post("/api/v1/sessions", data="{", **json)),
        ("no type", client.post("/api/v1/sessions", data="x", content_type="text/plain")),
        ("too large", client.post("/api/v1/sessions", data="x" * 2_000_000, **json)),
        ("signed out", client.get("/api/v1/me", headers={"Authorization": "Bearer x"})),
        ("not bearer", client.get("/api/v1/progress", headers={"Authorization": "Basic eDp4"})),
        ("options", client.open("/api/v1/pieces", method="OPTIONS")),
        ("head", client.head("/api/v1/pieces")),
        ("no file", client.get("/media/x.png")),
        ("a redirect", client.get("/api/v1/docs")),
        ("the page", client.get("/api/v1/docs/")),
        ("its script", read(client, "/api/v1/docs/swagger-ui-bundle.js")),
        ("its style", read(client, "/api/v1/docs/swagger-ui.css")),
        ("the description", client.get("/api/v1/openapi.json")),
    ]
    assert {name: answer.status_code for name, answer in answers}["broken"] == 500
    assert {name: answer.status_code for name, answer in answers}["too large"] == 413
    assert tell(answers) == {}


def test_a_file_in_every_form(app, client):
    _, editor = staff_member(app, Role.EDITOR)
    made = client.post(
        "/api/v1/staff/media", data={"file": (io.BytesIO(picture()), "a.png")}, headers=editor
    ).json
    address = f"/api/v1/staff/media/{made['digest']}/content"
    answers = [
        (str(more), client.get(address, headers={**editor, **more}))
        for more in ({}, {"Range": "bytes=0-3"}, {"Range": "bytes=0-1,3-4"}, {"Range": "bytes=999999-"},
                     {"If-Match": '"x"'}, {"If-None-Match": f'"{made["digest"]}"'})
    ]  # fmt: skip
    assert [answer.status_code for _, answer in answers] == [200, 206, 206, 416, 412, 304]
    assert tell(answers) == {}


def test_a_method_that_an_address_lacks_is_refused_with_those_that_it_has(app, client):
    """For every address: 405, `Allow` exactly what there is, and in words."""
    there = {}
    for row in TABLE:
        there.setdefault(row.path, set()).add(row.method)
    everywhere = {"GET", "POST", "PUT", "DELETE", "PATCH", "QUERY"}
    places = {"digest": "0" * 64, "number": "1"} | dict.fromkeys(
        ("attempt_id", "revision_id", "case_id", "staff_id", "id"), "1"
    )
    for path, methods in there.items():
        address = re.sub(r"<([a-z_]+)>", lambda found: places.get(found[1], "a1"), path)
        for method in everywhere - methods:
            answer = client.open(address, method=method)
            assert answer.status_code == 405, (method, path, answer.status_code)
            allowed = set(answer.headers["Allow"].split(", ")) - {"HEAD", "OPTIONS"}
            assert allowed == methods, (method, path)
            assert missing(answer) == []


def test_no_answer_sends_anybody_to_another_place(app, client):
    """What a redirect says is a path of ours, whatever Host and path were sent."""
    for path in (
        "/api/v1/docs",
        "//evil.example/api/v1/docs",
        "/api/v1//docs",
        "/%2f%2fevil.example/api/v1//docs",
    ):
        for host in ("127.0.0.1", "evil.example", "evil.example:80", "user@evil.example"):
            answer = client.get(f"{path}?a=1", headers={"Host": host})
            assert b"evil" not in answer.data or answer.status_code == 404
            if answer.status_code in {301, 302, 303, 307, 308}:
                assert re.fullmatch(r"/[a-z0-9][^/\\]*(/.*)?", answer.headers["Location"]), (path, host)
    assert client.get("/api/v1/docs?a=1").headers["Location"] == "/api/v1/docs/?a=1"


def test_over_tls_they_ask_for_tls_from_now_on(client):
    for path in ("/api/v1/pieces", "/api/v1/pieces", "/api/v1/nothing", "/healthz"):
        assert missing(client.get(path, base_url="https://branch.example"), secure=True) == [], path


def test_a_limit_says_so_with_the_same_headers(settings):
    from dataclasses import replace

    from edu_platform.core.limits import limiter
    from edu_platform.factory.app import create_app

    app = create_app(replace(settings, limits=True))
    client = app.test_client()
    try:
        limiter.reset()
        answers = [client.get("/api/v1/nothing") for _ in range(700)]
    finally:
        limiter.enabled = False
    refused = [answer for answer in answers if answer.status_code == 429]
    assert all("Retry-After" in answer.headers for answer in refused)
    assert tell([("429", refused[0])] if refused else []) == {}


@pytest.mark.control
def test_an_answer_made_outside_is_found(app):
    """The control: something that answers before the house can protect it."""
    inner = app.wsgi_app

    def raw(environ, start_response):
        if environ["PATH_INFO"] == "/raw":
            start_response("404 NOT FOUND", [("Content-Type", "text/plain"), ("Server", "raw/1.0")])
            return [b"no"]
        return inner(environ, start_response)

    app.wsgi_app = raw
    try:
        lacking = missing(app.test_client().get("/raw"))
    finally:
        app.wsgi_app = inner
    assert len(lacking) > 8


@pytest.mark.parametrize("name", sorted(protective(secure=True)))
@pytest.mark.control
def test_each_header_left_out_is_found(app, client, monkeypatch, name):
    """The control: each of them is looked for."""
    from edu_platform.factory import headers

    for kept in (headers._PROTECTIVE, headers._SECURE):
        monkeypatch.delitem(kept, name, raising=False)
    assert missing(client.get("/healthz", base_url="https://branch.example"), secure=True)
