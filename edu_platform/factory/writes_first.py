"""A thin WSGI layer before Flask for the busiest writes: what is in order is taken without routing or context.

It takes a well-formed request under a good token, within limits, for which nothing need be read before it is written.
Everything else goes on to Flask, body and all: whatever is wrong is judged, and said in words, in one place. Tests
hold both ways identical, headers and counts of limits included.
"""

from __future__ import annotations

import io
import re
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Any, ClassVar, Generic, TypeVar

from flask import Flask
from sqlalchemy import Engine

from edu_platform.config.settings import Settings
from edu_platform.core.clock import now
from edu_platform.core.db import db
from edu_platform.core.limits import Allowance
from edu_platform.core.logs import log_request
from edu_platform.core.metrics import count_request
from edu_platform.core.shared_commit import SharedCommit
from edu_platform.core.web import TROUBLE
from edu_platform.factory.headers import protective, request_id_of
from edu_platform.people.rules import TokenBroken, open_token

StartResponse = Callable[..., Any]
Application = Callable[[dict[str, Any], StartResponse], Iterable[bytes]]
Answer = Callable[[dict[str, Any], StartResponse], bytes]
Given = TypeVar("Given")
Made = TypeVar("Made")

_TYPES = {"application/json", "application/json; charset=utf-8", "application/json;charset=utf-8"}
_BEARER = "Bearer "
_MOST_TOKENS = 20_000


@dataclass(frozen=True)
class Bearer:
    """Whom a token was signed for."""

    learner_id: int
    generation: int


class Bearers:
    """The learners' tokens that are signed by us, kept once looked at."""

    def __init__(self, settings: Settings) -> None:
        self._keys = settings.secret_keys
        self._lasts = timedelta(days=settings.session_days)
        self._kept: dict[str, tuple[Bearer, datetime]] = {}

    def find(self, authorization: str) -> Bearer | None:
        """Return the bearer of a good token that is not too old; whether it was revoked is for the row to say."""
        if not authorization.startswith(_BEARER):
            return None
        token = authorization[len(_BEARER) :]
        found = self._kept.get(token)
        if found is None:
            try:
                learner_id, generation, signed_at = open_token(self._keys, token)
            except TokenBroken:
                return None
            if len(self._kept) >= _MOST_TOKENS:
                self._kept.clear()
            found = self._kept[token] = Bearer(learner_id, generation), signed_at
        bearer, signed_at = found
        return None if now() - signed_at > self._lasts else bearer


@dataclass(frozen=True)
class Judged(Generic[Given, Made]):
    """A request ready to be stored, and what its answer will need; `body` is None for what Flask is to look at."""

    given: Given
    body: Callable[[Made], bytes | None]
    allowed: list[tuple[str, str]]
    started: float
    uncount: Callable[[], None]


class WritesFirst(ABC, Generic[Given, Made]):
    """Takes the requests to one endpoint that are in order; passes everything else to `inner`."""

    endpoint: ClassVar[str]
    method: ClassVar[str]
    path: ClassVar[re.Pattern[str]]
    """What an address must be to be looked at; its groups are handed to `read`."""

    def __init__(self, inner: Application, app: Flask, bearers: Bearers) -> None:
        self._inner = inner
        self._settings: Settings = app.config["EDU"]
        self._bearers = bearers
        self._allowance = Allowance(self.endpoint)
        self._rule = next(app.url_map.iter_rules(self.endpoint)).rule
        with app.app_context():
            self._engine: Engine = db.engine

    @property
    @abstractmethod
    def shared_commit(self) -> SharedCommit[Given, Made]:
        """Return what writes it."""

    @abstractmethod
    def read(
        self, bearer: Bearer, raw: bytes, *place: str
    ) -> tuple[Given, Callable[[Made], bytes | None]] | None:
        """Return what is to be written, and what makes the answer's body of what became of it; None for Flask."""

    def __call__(self, environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
        """Answer one request."""
        body = self._taken(environ, start_response)
        return self._inner(environ, start_response) if body is None else [body]

    def _taken(self, environ: dict[str, Any], start_response: StartResponse) -> bytes | None:
        judged = self.judged(environ, start_response)
        if judged is None:
            return None
        try:
            made = self.shared_commit.append(judged.given)
        except Exception as trouble:  # noqa: BLE001 - whatever it is, Flask notes it and answers for it
            self.troubled(environ, judged, trouble)
            return None
        answered = self._answered(judged, made)
        return None if answered is None else answered(environ, start_response)

    def judged(self, environ: dict[str, Any], start_response: StartResponse) -> Judged[Given, Made] | None:
        """Judge a request that is in order and within limits; None when that is for Flask to do."""
        del start_response
        started = time.perf_counter()
        if environ["REQUEST_METHOD"] != self.method:
            return None
        place = self.path.fullmatch(environ.get("PATH_INFO", ""))
        if place is None or TROUBLE in environ:  # met already, by all who were gathered
            return None
        authorization = environ.get("HTTP_AUTHORIZATION", "")
        bearer = self._bearers.find(authorization)
        raw = None if bearer is None else _body(environ, self._settings.max_body_bytes)
        if bearer is None or raw is None:
            return None
        found = self.read(bearer, raw, *place.groups())
        if found is None:
            return None
        address = environ.get("REMOTE_ADDR") or "127.0.0.1"
        allowed = self._allowance.take(authorization, address)
        if allowed is None:
            return None
        uncount = partial(self._allowance.give_back, authorization, address)
        return Judged(*found, allowed, started, uncount)

    def stored(self, judged: Sequence[Judged[Given, Made]]) -> list[Answer | None]:
        """Store them in one commit; return for each what answers it, None when Flask is to look at it by itself."""
        made = self.shared_commit.append_all([one.given for one in judged])
        return [self._answered(one, its) for one, its in zip(judged, made, strict=True)]

    @staticmethod
    def troubled(environ: dict[str, Any], judged: Judged[Given, Made], trouble: Exception) -> None:
        """Leave a trouble where Flask looks for it, so that it is not met twice."""
        judged.uncount()
        environ[TROUBLE] = trouble

    def _answered(self, judged: Judged[Given, Made], made: Made | None) -> Answer | None:
        body = None if made is None else judged.body(made)
        if body is None:
            judged.uncount()  # nothing was written
            return None
        return partial(self._answer, judged, body)

    def _answer(
        self,
        judged: Judged[Given, Made],
        body: bytes,
        environ: dict[str, Any],
        start_response: StartResponse,
    ) -> bytes:
        request_id = request_id_of(environ.get("HTTP_X_REQUEST_ID"))
        secure = environ.get("wsgi.url_scheme") == "https"
        start_response(
            "200 OK",
            [
                ("Content-Type", "application/json"),
                ("Content-Length", str(len(body))),
                ("Cache-Control", "no-store"),
                *protective(secure=secure).items(),
                *judged.allowed,
                ("X-Request-ID", request_id),
            ],
        )
        count_request(self.method, self._rule, 200, time.perf_counter() - judged.started, kept=False)
        log_request(self.method, self._rule, 200, judged.started, request_id)
        return body


class Together(Generic[Given, Made]):
    """What a server asks that gathers such requests; proxies are seen through as for any request."""

    def __init__(self, first: WritesFirst[Given, Made], proxied: Callable[[Any], Any]) -> None:
        self.begins = re.compile(
            f"{first.method} {first.path.pattern} HTTP/1[.]1\r\n".encode()
        )  # only what is looked at in any case
        self._judged = proxied(first.judged)
        self.stored = first.stored
        self.troubled = first.troubled

    def judged(self, environ: dict[str, Any], start_response: StartResponse) -> Judged[Given, Made] | None:
        """Judge one request; None when it is to be served by itself."""
        found = self._judged(environ, start_response)
        return found if isinstance(found, Judged) else None


def _body(environ: dict[str, Any], most: int) -> bytes | None:
    """Return the body of a plain JSON request, and leave it there to be read again; None for any other request."""
    length = environ.get("CONTENT_LENGTH", "")
    if (
        environ.get("CONTENT_TYPE", "").lower() not in _TYPES
        or not (length.isascii() and length.isdecimal())
        or not 0 < int(length) <= most
        or "HTTP_TRANSFER_ENCODING" in environ
        or "HTTP_CONTENT_ENCODING" in environ
    ):
        return None
    raw: bytes = environ["wsgi.input"].read(int(length))
    environ["wsgi.input"] = io.BytesIO(raw)
    return raw if len(raw) == int(length) else None
