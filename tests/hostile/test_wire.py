"""Requests as no client sends them, on raw sockets: one answer or none, never two, and the connection closed.

The server is the gunicorn that ships, alone and behind the nginx that ships. A second answer would be one to a request
that an attacker hid in the first, and somebody else on the same connection to the application would get it.
"""

from __future__ import annotations

import re
import socket

import pytest

from bench.nginx import nginx, program
from tests.servers import environ_of, installation, web

UNREADABLE = {400, 414, 501, 505}
HIDDEN = b"GET /healthz?hidden HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"
HEAD = b"POST /api/v1/sessions/anonymous HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
GET = b"GET /api/v1/columns HTTP/1.1\r\nHost: 127.0.0.1\r\n"


def chunked(*headers: bytes, body: bytes = b"0\r\n\r\n" + HIDDEN) -> bytes:
    return HEAD + b"".join(header + b"\r\n" for header in headers) + b"\r\n" + body


def length(*headers: bytes, body: bytes = b"{}" + HIDDEN) -> bytes:
    return HEAD + b"".join(header + b"\r\n" for header in headers) + b"\r\n" + body


# must be refused (400, 501 and their like), or answered once; nothing that follows may be answered
SMUGGLED = {
    "length and chunked": chunked(b"Content-Length: 5", b"Transfer-Encoding: chunked"),
    "chunked and length": chunked(b"Transfer-Encoding: chunked", b"Content-Length: 5"),
    "length hides a request behind chunked": chunked(
        b"Content-Length: %d" % (5 + len(HIDDEN)), b"Transfer-Encoding: chunked"
    ),
    "two lengths": length(b"Content-Length: 2", b"Content-Length: %d" % (2 + len(HIDDEN))),
    "the same length twice": length(b"Content-Length: 2", b"Content-Length: 2"),
    "lengths in a list": length(b"Content-Length: 2, 2"),
    "a length with a sign": length(b"Content-Length: +2"),
    "a negative length": length(b"Content-Length: -2"),
    "a length in hexadecimal": length(b"Content-Length: 0x2"),
    "a length with an underscore": length(b"Content-Length: 0_2"),
    "a length with a fraction": length(b"Content-Length: 2.0"),
    "a length of other digits": length("Content-Length: ２".encode()),
    "a length without end": length(b"Content-Length: " + b"9" * 400),
    "a length of nothing": length(b"Content-Length:"),
    "a space before the colon": length(b"Content-Length : 2"),
    "chunked, spelt xchunked": chunked(b"Transfer-Encoding: xchunked"),
    "chunked, then identity": chunked(b"Transfer-Encoding: chunked, identity"),
    "chunked twice": chunked(b"Transfer-Encoding: chunked", b"Transfer-Encoding: chunked"),
    "chunked in one and other in another": chunked(b"Transfer-Encoding: chunked", b"Transfer-Encoding: x"),
    "chunked with a space before the colon": chunked(b"Transfer-Encoding : chunked", b"Content-Length: 5"),
    "chunked with a vertical tab": chunked(b"Transfer-Encoding: \x0bchunked"),
    "chunked in quotes": chunked(b'Transfer-Encoding: "chunked"'),
    "chunked with NUL": chunked(b"Transfer-Encoding: chunked\0"),
    "chunked, folded": chunked(b"Transfer-Encoding:\r\n chunked", b"Content-Length: 5"),
    "a chunk's size with 0x": chunked(b"Transfer-Encoding: chunked", body=b"0x2\r\n{}\r\n0\r\n\r\n" + HIDDEN),
    "a chunk's size with a sign": chunked(b"Transfer-Encoding: chunked", body=b"+2\r\n{}\r\n0\r\n\r\n" + HIDDEN),
    "a negative chunk": chunked(b"Transfer-Encoding: chunked", body=b"-1\r\n{}\r\n0\r\n\r\n" + HIDDEN),
    "a chunk's size of nothing": chunked(b"Transfer-Encoding: chunked", body=b"\r\n{}\r\n0\r\n\r\n" + HIDDEN),
    "a chunk too short": chunked(b"Transfer-Encoding: chunked", body=b"1\r\n{}\r\n0\r\n\r\n" + HIDDEN),
    "chunks ended by LF alone": chunked(b"Transfer-Encoding: chunked", body=b"2\n{}\n0\n\n" + HIDDEN),
    "a chunk's extension with CR": chunked(
        b"Transfer-Encoding: chunked", body=b"2;a=\rb\r\n{}\r\n0\r\n\r\n" + HIDDEN
    ),
    "a trailer that is a length": chunked(
        b"Transfer-Encoding: chunked", body=b"2\r\n{}\r\n0\r\nContent-Length: 9\r\n\r\n"
    ),
    "a request in HTTP/1.0, chunked": chunked(b"Transfer-Encoding: chunked").replace(b"HTTP/1.1", b"HTTP/1.0", 1),
    "two hosts": GET + b"Host: elsewhere\r\n\r\n",
    "no host": b"GET /api/v1/columns HTTP/1.1\r\n\r\n",
    "a host with a path": b"GET /api/v1/columns HTTP/1.1\r\nHost: 127.0.0.1/x\r\n\r\n",
    "a host with a user": b"GET /api/v1/columns HTTP/1.1\r\nHost: a@127.0.0.1\r\n\r\n",
    "a host of blanks": b"GET /api/v1/columns HTTP/1.1\r\nHost: a b\r\n\r\n",
    "a folded header": GET + b"X-A: a\r\n b\r\n\r\n",
    "a first header that is folded": b"GET /api/v1/columns HTTP/1.1\r\n Host: 127.0.0.1\r\n\r\n",
    "NUL in a header": GET + b"X-A: a\0b\r\n\r\n",
    "NUL in a name": GET + b"X\0A: a\r\n\r\n",
    "CR in a header": GET + b"X-A: a\rX-B: b\r\n\r\n",
    "a name with a space": GET + b"X A: a\r\n\r\n",
    "a header without a colon": GET + b"nonsense\r\n\r\n",
    "a name of nothing": GET + b": a\r\n\r\n",
    "a line without end": b"GET /" + b"a" * 20_000 + b" HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n",
    "a header without end": GET + b"X-A: " + b"a" * 70_000 + b"\r\n\r\n",
    "headers without end": GET + b"X-A: a\r\n" * 500 + b"\r\n",
    "no version": b"GET /api/v1/columns\r\n\r\n",
    "a version of the future": GET.replace(b"HTTP/1.1", b"HTTP/9.9") + b"\r\n",
    "a version that is none": GET.replace(b"HTTP/1.1", b"HTTP/1.1x") + b"\r\n",
    "version 2 in clear": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "a method in lower case": GET.replace(b"GET", b"get", 1) + b"\r\n",
    "a method with a bracket": GET.replace(b"GET", b"G(T", 1) + b"\r\n",
    "CONNECT": b"CONNECT 127.0.0.1:22 HTTP/1.1\r\nHost: 127.0.0.1:22\r\n\r\n",
    "an address without a slash": b"GET api/v1/columns HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n",
    "NUL in the address": b"GET /api/v1/col\0umns HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n",
    "a blank in the address": b"GET /api/v1/col umns HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n",
    "TLS in clear": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\0" * 300 + b"\r\n\r\n",
    "nothing that is text": bytes(range(256)) * 4 + b"\r\n\r\n",
    "an upgrade": GET + b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n\r\n",
    "an expectation": HEAD + b"Expect: 200-ok\r\nContent-Length: 2\r\n\r\n{}",
}  # fmt: skip
# one well-defined answer each, the body their own: what is hidden in it is not a request
ONCE = {
    "chunked, underscored": (HEAD + b"Transfer_Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n", {400, 422}),
    "TRACE": (b"TRACE / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n", {404, 405}),
    "a body on GET": (GET + b"Content-Length: %d\r\n\r\n" % len(HIDDEN) + HIDDEN, {200, 400}),
    "a body on HEAD": (GET.replace(b"GET", b"HEAD", 1) + b"Content-Length: %d\r\n\r\n" % len(HIDDEN) + HIDDEN, {200, 400}),
    "a body on an address of nobody's": (
        b"POST /nowhere HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: %d\r\n\r\n" % len(HIDDEN) + HIDDEN, {404, 405}),
    "a body that is refused": (HEAD + b"Content-Length: %d\r\n\r\n" % len(HIDDEN) + HIDDEN, {400}),
    "a chunk that is a request": (
        HEAD + b"Transfer-Encoding: chunked\r\n\r\n%x\r\n" % len(HIDDEN) + HIDDEN + b"\r\n0\r\n\r\n", {400}),
    "the absolute form": (GET.replace(b" /", b" http://127.0.0.1/", 1) + b"\r\n", {200}),
    "the absolute form of another place": (GET.replace(b" /", b" http://169.254.169.254/", 1) + b"\r\n", {200, 400, 421}),
    "another method in a header": (GET + b"X-HTTP-Method-Override: DELETE\r\n\r\n", {200}),
    "another address in a header": (GET + b"X-Original-URL: /api/v1/staff/accounts\r\nX-Rewrite-URL: /x\r\n\r\n", {200}),
    "lines ended by LF alone": (GET.replace(b"\r\n", b"\n") + b"\n", {200, 400}),
}  # fmt: skip


def exchange(
    port: int, raw: bytes, *, patience: float = 10, quiet: float = 0.7
) -> tuple[list[int], bytes, bool]:
    """Send bytes and read until the server closes or has been quiet: (statuses, all that came, whether it closed)."""
    came, closed = b"", False
    with socket.create_connection(("127.0.0.1", port), patience) as line:
        try:
            line.sendall(raw)
            while piece := line.recv(65536):
                came += piece
                line.settimeout(quiet)
            closed = True
        except TimeoutError:
            pass
        except OSError:
            closed = True
    return [int(status) for status in re.findall(rb"HTTP/1\.[01] (\d{3}) ", came)], came, closed


@pytest.fixture(scope="module")
def gunicorn(tmp_path_factory):
    folder = tmp_path_factory.mktemp("wire")
    settings = installation(folder)
    with web(environ_of(settings), folder / "log") as (port, _):
        yield port, settings, folder


@pytest.fixture(scope="module", params=["gunicorn alone", "behind nginx"])
def server(request, gunicorn):
    port, settings, folder = gunicorn
    if request.param == "gunicorn alone":
        yield port
        return
    if program() is None:
        pytest.skip("nginx is not installed")
    before = folder / "nginx"
    before.mkdir()
    for each in (before, *before.parents[:3]):
        each.chmod(0o755)
    with nginx(before, settings, upstreams=[f"127.0.0.1:{port}"]) as (front, _):
        yield front


@pytest.mark.control
def test_two_requests_that_are_two_get_two_answers(server):
    """The control: requests one after another on one connection are counted as what they are."""
    assert exchange(server, GET + b"\r\n" + HIDDEN)[0] == [200, 200]
    assert exchange(server, HEAD + b"Content-Length: 2\r\n\r\n{}" + HIDDEN)[0] == [422, 200]


@pytest.mark.parametrize("name", sorted(SMUGGLED))
def test_what_is_no_request_gets_one_refusal_and_the_connection_closed(server, name):
    statuses, came, closed = exchange(server, SMUGGLED[name])
    # nginx takes these chunks, and frames the body anew: what follows it is a request of its own, for both
    reframed = name == "chunks ended by LF alone" and b"Server: nginx" in came
    assert len(statuses) <= (2 if reframed else 1), came
    if not statuses:
        # an answer of HTTP/0.9, or none
        assert closed and (came == b"" or name == "no version"), came
        return
    if statuses[0] in UNREADABLE:
        assert closed, "the connection stays open, for what was not read to be a request"
    if statuses[0] >= 400:
        assert b"application/problem+json" in came, came
    assert reframed or b'"alive"' not in came, "what was hidden was answered"
    assert not re.search(rb"Traceback|gunicorn/|nginx/", came)


@pytest.mark.parametrize("name", sorted(ONCE))
def test_what_is_one_request_gets_one_answer(server, name):
    raw, fits = ONCE[name]
    statuses, came, _ = exchange(server, raw)
    assert len(statuses) == 1, came
    assert statuses[0] in fits, came
    assert b"169.254" not in came


def test_it_still_serves(server):
    assert exchange(server, HIDDEN)[0] == [200]
