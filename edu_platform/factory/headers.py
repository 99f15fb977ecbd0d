"""What every answer carries: its request's id, and headers that protect whoever reads it."""

from __future__ import annotations

import itertools
import os
import re
import secrets
from http import HTTPStatus

import orjson

from edu_platform.core.problems import document

_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
# these three do not follow from `default-src`
_NEITHER = "frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
_PROTECTIVE = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "X-Frame-Options": "DENY",
    "Content-Security-Policy": f"default-src 'none'; {_NEITHER}",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), display-capture=(), geolocation=(), microphone=(), payment=(), usb=()",
    "X-Permitted-Cross-Domain-Policies": "none",
}
_SECURE = {**_PROTECTIVE, "Strict-Transport-Security": "max-age=63072000"}

# Swagger UI starts itself by an inline script and styles itself inline; everything it loads is our own.
DOCS_POLICY = (
    "default-src 'none'; script-src 'self' 'unsafe-inline'; style-src 'self' 'unsafe-inline'; "
    f"img-src 'self' data:; connect-src 'self'; {_NEITHER}"
)


class _Names:
    """Ids of this process's requests: random for the process, then counted. A fork begins anew."""

    def __init__(self) -> None:
        self.begin()
        os.register_at_fork(after_in_child=self.begin)

    def begin(self) -> None:
        self._process = secrets.token_hex(4)
        self._numbers = itertools.count(1)

    def next(self) -> str:
        return f"{self._process}{next(self._numbers):08x}"


_names = _Names()


def request_id_of(given: str | None) -> str:
    """Return the caller's request id if it is one (letters, digits, `._-`, at most 64), else a new one."""
    return given if given and _REQUEST_ID.fullmatch(given) else _names.next()


def protective(*, secure: bool) -> dict[str, str]:
    """Return the headers of an answer that sets none of its own; `secure` when it goes over TLS."""
    return _SECURE if secure else _PROTECTIVE


def refusal(status: int) -> bytes:
    """Return the whole answer, as bytes, to a request that never became one: problem details, then the end."""
    request_id = request_id_of(None)
    body = orjson.dumps(document(status, request_id=request_id))
    headers = {
        "Content-Type": "application/problem+json",
        "Content-Length": str(len(body)),
        "Cache-Control": "no-store",
        "Connection": "close",
        **protective(secure=False),
        "X-Request-ID": request_id,
    }
    lines = [
        f"HTTP/1.1 {status} {HTTPStatus(status).phrase}",
        *(f"{name}: {value}" for name, value in headers.items()),
    ]
    return "\r\n".join([*lines, "", ""]).encode() + body
