"""HTTP as every room speaks it: strict bodies, flask-smorest with its headers kept, repeatable writes.

A room's `api.py` makes its blueprint with `blueprint(…)`; decorators, outermost first, are the route,
the guard of `people.guards`, `arguments`, `response`.
"""

from __future__ import annotations

import functools
import hmac
import json
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any, ParamSpec, TypeVar

import flask_smorest
import marshmallow as ma
from flask import Flask, Response, current_app, g, make_response, request
from sqlalchemy import select
from webargs.flaskparser import FlaskParser
from werkzeug.routing import UnicodeConverter

from edu_platform.core.db import writing
from edu_platform.core.errors import BadRequest, FieldError, InProgress, Invalid, UnsupportedMedia
from edu_platform.core.models import IdempotentAnswer
from edu_platform.core.openapi import Refusals, register_refusals
from edu_platform.core.schemas import Id
from edu_platform.core.sealing import open_with, seal_with

DEEPEST = 24
TROUBLE = "edu.trouble"
"""Where a layer before Flask leaves, in the request's environ, the error that kept it from writing."""
P = ParamSpec("P")
R = TypeVar("R")
_UNSTORABLE = re.compile("[\0\ud800-\udfff]")
_KEY = re.compile(r"[\x21-\x7e]{1,255}")


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")


def _pairs(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("the same key twice")
    return found


def _depth(text: str) -> int:
    """Return how deeply brackets nest, without parsing: a deep body must not reach the recursive parser."""
    deepest = depth = 0
    # Possessive, and content with a string that never ends: nothing is looked at twice, so time is linear.
    for token in re.finditer(r'"(?:[^"\\]++|\\.)*+"?|[\[{]|[\]}]', text, re.DOTALL):
        if token[0] in "[{":
            depth += 1
            deepest = max(deepest, depth)
        elif token[0] in "]}":
            depth -= 1
    return deepest


def read_json() -> Any:
    """Return the request's JSON body; refuse wrong types, encodings, depth, duplicate keys and numbers that JSON lacks."""
    if request.mimetype != "application/json" and not request.mimetype.endswith("+json"):
        raise UnsupportedMedia("请求体须为 application/json。")
    charset = request.mimetype_params.get("charset", "utf-8").lower()
    if charset not in {"utf-8", "utf8"}:
        raise UnsupportedMedia("请求体须为 UTF-8 编码。")
    raw = request.get_data(cache=True)
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError as bad:
        raise BadRequest(f"请求体不是 UTF-8 文字（第 {bad.start + 1} 字节）。", code="bad_encoding") from bad
    if _depth(text) > DEEPEST:
        raise BadRequest(f"请求体嵌套过深，最多 {DEEPEST} 层。", code="too_deep")
    try:
        return json.loads(text, parse_constant=_no_constant, object_pairs_hook=_pairs)
    except json.JSONDecodeError as bad:
        raise BadRequest(
            f"请求体不是有效的 JSON（第 {bad.lineno} 行第 {bad.colno} 列）。", code="bad_json"
        ) from bad
    except (ValueError, RecursionError) as bad:
        raise BadRequest("请求体不是有效的 JSON。", code="bad_json") from bad


def _unstorable(value: Any, where: str = "") -> Iterator[FieldError]:
    """Name every text in a body that is none: NUL, which PostgreSQL refuses, and halves of characters, which UTF-8 lacks."""
    if isinstance(value, str):
        if found := _UNSTORABLE.search(value):
            yield FieldError(where or "body", f"含有不允许的字符 U+{ord(found[0]):04X}。")
    elif isinstance(value, dict):
        for key, inner in value.items():
            name = f"{where}.{key}" if where else key
            if found := _UNSTORABLE.search(key):
                yield FieldError(name, f"字段名含有不允许的字符 U+{ord(found[0]):04X}。")
            yield from _unstorable(inner, name)
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from _unstorable(inner, f"{where}[{index}]")


def _refuse_unstorable(value: Any) -> None:
    if errors := list(_unstorable(value)):
        raise Invalid(errors)


class Parser(FlaskParser):
    """Reads arguments strictly: unknown query parameters are refused, bodies go through `read_json`."""

    DEFAULT_UNKNOWN_BY_LOCATION: dict[str, str | None] = {  # noqa: RUF012 - as its base declares it
        "files": ma.EXCLUDE,
        "headers": ma.EXCLUDE,
    }

    def load_json(self, req: Any, schema: ma.Schema) -> Any:
        """Return the body; an absent one counts as an empty object, so that missing fields are named."""
        del schema
        if not req.get_data(cache=True) and not req.mimetype:
            return {}
        body = read_json()
        if b"\\u" in req.get_data(cache=True):  # only an escape can bring them in
            _refuse_unstorable(body)
        return body

    def load_querystring(self, req: Any, schema: ma.Schema) -> Any:
        """Return the query's parameters."""
        _refuse_unstorable({name: "".join(values) for name, values in req.args.lists()})
        return super().load_querystring(req, schema)


class PathText(UnicodeConverter):
    """A part of a path: whatever a database can be asked for; anything else is no address of ours."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.regex = self.regex.replace("[^/]", r"[^/\x00]")


class Blueprint(flask_smorest.Blueprint):  # type: ignore[misc]  # flask-smorest is untyped
    """A room's routes."""

    ARGUMENTS_PARSER = Parser()


def blueprint(name: str, *, prefix: str, description: str) -> Blueprint:
    """Return a blueprint under `/api/v1`."""
    return Blueprint(name, name, url_prefix=f"/api/v1{prefix}", description=description)


class Api(flask_smorest.Api):  # type: ignore[misc]  # flask-smorest is untyped
    """The OpenAPI layer; errors are left to `core.problems`, which keeps their headers, and described by `core.openapi`."""

    def __init__(self, app: Flask) -> None:
        app.url_map.converters["default"] = app.url_map.converters["string"] = PathText
        super().__init__(app, spec_kwargs={"extra_plugins": [Refusals()]})
        self.register_field(Id, "string", None)  # a number inside, digits on the wire

    def _register_responses(self) -> None:
        """Describe every refusal as problem details."""
        register_refusals(self.spec, self.DEFAULT_ERROR_RESPONSE_NAME)

    def _register_error_handlers(self) -> None:
        """Register none: one table of the house turns every error into problem details."""


def field_errors(messages: Any, prefix: str = "") -> list[FieldError]:
    """Flatten marshmallow's nested messages to `a.b[3].c`, in order."""
    if isinstance(messages, Mapping):
        found: list[FieldError] = []
        for key, inner in messages.items():
            if key == "_schema":
                where = prefix
            elif isinstance(key, int):
                where = f"{prefix}[{key}]"
            else:
                where = f"{prefix}.{key}" if prefix else str(key)
            found += field_errors(inner, where)
        return found
    reasons = messages if isinstance(messages, list) else [messages]
    return [FieldError(prefix or "body", str(reason)) for reason in reasons]


def raise_trouble() -> None:
    """Raise what was met before Flask was entered: to meet it again would take as long again."""
    if TROUBLE in request.environ:
        raise request.environ[TROUBLE]


def no_store(response: Response) -> Response:
    """Mark an answer as nobody's to keep."""
    response.headers["Cache-Control"] = "no-store"
    return response


def _secrets_of(actor: str, route: str, key: str) -> tuple[str, bytes]:
    """Return the name under which an answer is kept and the key that seals it, both made from the client's own key.

    Only who sent the request can open its answer: no copy of the database can, nor the platform itself.
    """
    message = f"{actor}\0{route}\0{key}".encode()
    return (
        hmac.new(b"edu:repeat:name", message, "sha256").hexdigest(),
        hmac.digest(b"edu:repeat:answer", message, "sha256"),
    )


def repeatable(view: Callable[P, R]) -> Callable[P, Response | R]:
    """Give the same answer, with one effect, to requests that carry the same `Idempotency-Key`.

    The answer is stored in the transaction of the effect: a failure leaves neither, so a repeat runs.
    The same key with another body is refused with 422. Place it beneath the guard.
    """

    @functools.wraps(view)
    def wrapper(*args: P.args, **kwargs: P.kwargs) -> Response | R:
        key = request.headers.get("Idempotency-Key")
        if key is None:
            return view(*args, **kwargs)
        if not _KEY.fullmatch(key):
            raise Invalid([FieldError("Idempotency-Key", "须为 1 到 255 个可见 ASCII 字符。")])
        actor = g.get("actor_key") or "nobody"
        route = f"{request.method} {request.path}"[:128]
        name, sealing = _secrets_of(actor, route, key)
        fingerprint = hmac.digest(sealing, request.get_data(cache=True), "sha256")
        with writing() as session:
            stored = session.scalar(
                select(IdempotentAnswer).where(
                    IdempotentAnswer.actor == actor,
                    IdempotentAnswer.route == route,
                    IdempotentAnswer.key == name,
                )
            )
            if stored is not None:
                if stored.fingerprint != fingerprint:
                    raise Invalid(
                        [FieldError("Idempotency-Key", "同一个键已用于内容不同的请求。", "key_reused")]
                    )
                body = open_with(sealing, stored.body, context=b"answer")
                answer = current_app.response_class(body, stored.status, mimetype="application/json")
                answer.headers["Idempotent-Replayed"] = "true"
                return answer
            response = make_response(view(*args, **kwargs))
            if response.status_code < 500:
                session.add(
                    IdempotentAnswer(
                        actor=actor,
                        route=route,
                        key=name,
                        fingerprint=fingerprint,
                        status=response.status_code,
                        body=seal_with(sealing, response.get_data(), context=b"answer"),
                    )
                )
                try:
                    session.flush()  # a twin that ran at the same time shows here, before anything is acknowledged
                except Exception as clash:
                    raise InProgress("同一请求正在处理，请稍后重试。", retry_after=1) from clash
            return response

    return wrapper
