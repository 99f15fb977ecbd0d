"""A thin WSGI layer before Flask for beacons, the busiest write: what is in order is taken without routing or context.

It takes a well-formed batch under a good token, within limits, for which nothing need be read before it is written.
Everything else goes on to Flask, body and all: whatever is wrong is judged, and said in words, in one place. A test
holds both ways identical, headers and counts of limits included.
"""

from __future__ import annotations

import io
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from flask import Flask

from edu_platform.config.settings import Settings
from edu_platform.core.clock import now
from edu_platform.core.db import db
from edu_platform.core.limits import Allowance
from edu_platform.core.logs import log_request
from edu_platform.core.metrics import count_request
from edu_platform.factory.headers import protective, request_id_of
from edu_platform.people.rules import TokenBroken, open_token
from edu_platform.reach.api.learner import TROUBLE, count_beacons
from edu_platform.reach.operations.log import Outcome, Submission
from edu_platform.reach.operations.receive import Judge, answer, known_here
from edu_platform.reach.operations.shared_commit import shared_commit_of
from edu_platform.reach.rules.intake import correct, is_absurd
from edu_platform.reach.schemas import decode

StartResponse = Callable[..., Any]
Application = Callable[[dict[str, Any], StartResponse], Iterable[bytes]]

PATH = "/api/v1/beacons"
_ENDPOINT = "beacons.send_beacons"
_TYPES = {"application/json", "application/json; charset=utf-8", "application/json;charset=utf-8"}
_BEARER = "Bearer "
_MOST_TOKENS = 20_000


Answer = Callable[[dict[str, Any], StartResponse], bytes]


@dataclass(frozen=True)
class Judged:
    """A batch ready to be stored, and what its answer will need."""

    submission: Submission
    refused: list[dict[str, Any]]
    allowed: list[tuple[str, str]]
    started: float


class BeaconsFirst:
    """Takes batches of beacons that are in order; passes everything else to `inner`."""

    def __init__(self, inner: Application, app: Flask) -> None:
        self._inner = inner
        self._settings: Settings = app.config["EDU"]
        self._lasts = timedelta(days=self._settings.session_days)
        self._largest_age = timedelta(days=self._settings.beacon_largest_age_days)
        self._allowance = Allowance(_ENDPOINT)
        self._tokens: dict[str, tuple[int, int, datetime]] = {}
        with app.app_context():
            self._engine = db.engine

    def __call__(self, environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
        """Answer one request."""
        if environ.get("PATH_INFO") != PATH or environ["REQUEST_METHOD"] != "POST":
            return self._inner(environ, start_response)
        body = self._taken(environ, start_response)
        return self._inner(environ, start_response) if body is None else [body]

    def _taken(self, environ: dict[str, Any], start_response: StartResponse) -> bytes | None:
        judged = self.judged(environ, start_response)
        if judged is None:
            return None
        try:
            outcome = shared_commit_of(self._engine).append(judged.submission)
        except Exception as trouble:  # noqa: BLE001 - whatever it is, Flask notes it and answers for it
            self.troubled(environ, trouble)
            return None
        answered = self._answered(judged, outcome)
        return None if answered is None else answered(environ, start_response)

    def judged(self, environ: dict[str, Any], start_response: StartResponse) -> Judged | None:
        """Judge a batch that is in order and within limits; None when that is for Flask to do."""
        del start_response
        started = time.perf_counter()
        if environ.get("PATH_INFO") != PATH or environ["REQUEST_METHOD"] != "POST":
            return None
        if TROUBLE in environ:
            return None  # met already, by all who were gathered
        authorization = environ.get("HTTP_AUTHORIZATION", "")
        bearer = self._bearer(authorization)
        known = known_here(self._engine)
        raw = _body(environ, self._settings.max_body_bytes)
        if bearer is None or known is None or raw is None:
            return None
        batch = decode(raw)
        if batch is None:
            return None
        received_at = now()
        if is_absurd(received_at - batch.sent_at):
            return None
        judge = Judge(
            known,
            None,
            received_at=received_at,
            correction=correct(sent_at=batch.sent_at, received_at=received_at),
            largest_age=self._largest_age,
        )
        deeds, refused = judge.sort(batch.beacons)
        if not deeds:
            return None  # nothing to write, so nobody would look at the learner
        allowed = self._allowance.take(authorization, environ.get("REMOTE_ADDR") or "127.0.0.1")
        if allowed is None:
            return None
        learner_id, generation = bearer
        submission = Submission(learner_id, deeds, generation=generation, version=known.campaigns.version)
        return Judged(submission, refused, allowed, started)

    def stored(self, judged: Sequence[Judged]) -> list[Answer | None]:
        """Store them in one commit; return for each what answers it, None when Flask is to look at it by itself."""
        outcomes = shared_commit_of(self._engine).append_all([one.submission for one in judged])
        return [self._answered(one, outcome) for one, outcome in zip(judged, outcomes, strict=True)]

    @staticmethod
    def troubled(environ: dict[str, Any], trouble: Exception) -> None:
        """Leave a trouble where Flask looks for it, so that it is not met twice."""
        environ[TROUBLE] = trouble

    @staticmethod
    def _answered(judged: Judged, outcome: Outcome | None) -> Answer | None:
        if outcome is None or outcome.gone or outcome.stale:
            return None  # nothing was written
        return partial(_answer, judged, outcome)

    def _bearer(self, authorization: str) -> tuple[int, int] | None:
        """Return (learner id, generation) of a token that is signed by us and not too old, kept once looked at."""
        if not authorization.startswith(_BEARER):
            return None
        token = authorization[len(_BEARER) :]
        found = self._tokens.get(token)
        if found is None:
            try:
                found = open_token(self._settings.secret_keys, token)
            except TokenBroken:
                return None
            if len(self._tokens) >= _MOST_TOKENS:
                self._tokens.clear()
            self._tokens[token] = found
        learner_id, generation, signed_at = found
        return None if now() - signed_at > self._lasts else (learner_id, generation)


def _answer(
    judged: Judged, outcome: Outcome, environ: dict[str, Any], start_response: StartResponse
) -> bytes:
    accepted, duplicate = outcome.accepted, len(outcome.duplicate)
    count_beacons(accepted, duplicate, judged.refused)
    found = answer(accepted, duplicate, judged.refused)
    request_id = request_id_of(environ.get("HTTP_X_REQUEST_ID"))
    secure = environ.get("wsgi.url_scheme") == "https"
    start_response(
        "200 OK",
        [
            ("Content-Type", "application/json"),
            ("Content-Length", str(len(found))),
            ("Cache-Control", "no-store"),
            *protective(secure=secure).items(),
            *judged.allowed,
            ("X-Request-ID", request_id),
        ],
    )
    count_request("POST", PATH, 200, time.perf_counter() - judged.started, kept=False)
    log_request("POST", PATH, 200, judged.started, request_id)
    return found


class Together:
    """What a server asks that gathers beacons of many requests; proxies are seen through as for any request."""

    def __init__(self, first: BeaconsFirst, proxied: Callable[[Any], Any]) -> None:
        self._judged = proxied(first.judged)
        self.stored = first.stored
        self.troubled = first.troubled

    def judged(self, environ: dict[str, Any], start_response: StartResponse) -> Judged | None:
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
