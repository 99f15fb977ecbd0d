"""How the house answers: errors, bodies, repeats."""

import threading
import time

import marshmallow as ma
import pytest
from flask import Flask
from sqlalchemy import func, select

from edu_platform.core import db as database
from edu_platform.core import problems
from edu_platform.core.db import db, reading, writing
from edu_platform.core.errors import FieldError, Invalid, NotNow
from edu_platform.core.models import Heartbeat, IdempotentAnswer
from edu_platform.core.schemas import Id, PlainText, Shape, When
from edu_platform.core.web import Api, blueprint, repeatable


class Thing(Shape):
    name = PlainText(most=20, least=1, required=True)
    secret = ma.fields.String()
    count = ma.fields.Integer(strict=True, validate=ma.validate.Range(min=1, max=9))
    when = When()
    parent = Id()
    parts = ma.fields.List(ma.fields.Nested(lambda: Part()))


class Part(Shape):
    size = ma.fields.Integer(required=True)
    note = ma.fields.Raw()


@pytest.fixture
def house(app, settings):
    """A house of one room, on the database under test."""
    small = Flask("small", static_folder=None)
    small.config.update(
        SQLALCHEMY_DATABASE_URI=settings.database_url,
        SQLALCHEMY_ENGINE_OPTIONS=database.engine_options(settings),
        MAX_CONTENT_LENGTH=100_000,
        PROPAGATE_EXCEPTIONS=False,
        API_TITLE="t", API_VERSION="v", OPENAPI_VERSION="3.1.0",
    )  # fmt: skip
    db.init_app(small)
    with small.app_context():
        database.prepare(db.engine, threads=16)
    problems.handle_errors(small)
    room = blueprint("things", prefix="/things", description="")

    @room.post("")
    @repeatable
    @room.arguments(Thing)
    @room.response(201)
    def make(thing):
        with writing() as session:
            session.add(Heartbeat(name=thing["name"], seen_at=thing.get("when") or database_now()))
        return {"name": thing["name"]}

    @room.post("/broken")
    @repeatable
    def broken():
        with writing() as session:
            session.add(Heartbeat(name="half", seen_at=database_now()))
            session.flush()
            raise ZeroDivisionError("secret words")

    @room.get("/later")
    def later():
        raise NotNow(retry_after=7)

    @room.get("/many")
    def many():
        raise Invalid([FieldError(f"items[{n}]", "错") for n in range(500)])

    Api(small).register_blueprint(room)
    yield small
    with small.app_context():
        db.session.remove()
        db.engine.dispose()


def database_now():
    from edu_platform.core.clock import now

    return now()


@pytest.fixture
def call(house):
    return house.test_client()


def post(call, body, **options):
    return call.post(
        "/api/v1/things",
        data=body if isinstance(body, bytes) else body.encode(),
        **{"content_type": "application/json", **options},
    )


def errors(answer):
    return {error["field"]: error["reason"] for error in answer.json["errors"]}


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ('{"name": "x"', 400, "bad_json"),
        ('{"name": NaN}', 400, "bad_json"),
        ('{"name": "a", "name": "b"}', 400, "bad_json"),
        (b'{"name": "\xff"}', 400, "bad_encoding"),
        ("[" * 50_000, 400, "too_deep"),
        ('{"name":' + '{"a":' * 40 + "1" + "}" * 41, 400, "too_deep"),
        ('{"name": "' + "x" * 200_000 + '"}', 413, "too_large"),
        ("[1]", 422, "invalid_input"),
        ("null", 422, "invalid_input"),
        ("", 422, "invalid_input"),
    ],
)
def test_bodies_that_cannot_be_read(call, body, status, code):
    answer = post(call, body)
    if body == "":
        answer = call.post("/api/v1/things")
    assert (answer.status_code, answer.json["code"]) == (status, code)
    assert answer.mimetype == "application/problem+json"
    assert answer.headers["Cache-Control"] == "no-store"


def test_a_string_that_never_ends_is_read_once(call):
    """Looking for its end from every quote would hold the whole process for minutes."""
    begun = time.thread_time()
    assert post(call, '"\\' * 45_000).status_code == 400
    assert time.thread_time() - begun < 0.5


@pytest.mark.parametrize(
    "kind", ["text/plain", "application/x-www-form-urlencoded", "application/json; charset=gbk"]
)
def test_other_types_are_415(call, kind):
    assert post(call, '{"name": "x"}', content_type=kind).status_code == 415


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ("{}", "name"),
        ('{"name": null}', "name"),
        ('{"name": 5}', "name"),
        ('{"name": ""}', "name"),
        ('{"name": "' + "x" * 21 + '"}', "name"),
        ('{"name": "a\\u0000b"}', "name"),
        ('{"name": "a\\u202eb"}', "name"),
        ('{"name": "a\\ud800b"}', "name"),
        ('{"name": "a\\u200bb"}', "name"),
        ('{"name": "x", "count": 10}', "count"),
        ('{"name": "x", "count": 1.5}', "count"),
        ('{"name": "x", "count": 99999999999999999999999999}', "count"),
        ('{"name": "x", "when": "2026-01-01"}', "when"),
        ('{"name": "x", "when": "2026-01-01T00:00:00"}', "when"),
        ('{"name": "x", "when": "9999-12-31T23:59:59-23:59"}', "when"),
        ('{"name": "x", "parent": 5}', "parent"),
        ('{"name": "x", "parent": "9223372036854775808"}', "parent"),
        ('{"name": "x", "nmae": "y"}', "nmae"),
        ('{"name": "x", "parts": [{"size": 1}, {}]}', "parts[1].size"),
        ('{"name": "x", "parts": {}}', "parts"),
    ],
)
def test_a_wrong_field_is_named_in_chinese(call, body, field):
    answer = post(call, body)
    assert answer.status_code == 422, answer.json
    assert set(errors(answer)) == {field}
    assert any("\u4e00" <= character <= "\u9fff" for character in errors(answer)[field])


@pytest.mark.parametrize("half", ["\\u0000", "\\ud800", "\\uDFFF", "x\\udbff"])
def test_halves_of_characters_are_refused_wherever_they_stand(call, half):
    """A field that is not text for people (a password, a code) takes whatever JSON spells, and so do names of fields."""
    for body in (
        f'{{"name": "x", "secret": "{half}"}}',
        f'{{"name": "x", "parts": [{{"size": 1, "note": ["{half}"]}}]}}',
        f'{{"name": "x", "{half}": 1}}',
        f'"{half}"',
    ):
        answer = post(call, body)
        assert answer.status_code == 422, body
        assert all(reason.startswith(("含有", "字段名含有")) for reason in errors(answer).values()), body


def test_a_pair_of_halves_is_a_character(call):
    assert post(call, '{"name": "\\ud83d\\ude00"}').json == {"name": "😀"}


def test_a_name_without_end_is_not_sent_back_whole(call):
    answer = post(call, '{"name": "x", "' + "k" * 50_000 + '": 1}')
    assert answer.status_code == 422
    assert len(answer.data) < 2_000


def test_nul_in_an_address_reaches_no_database(client):
    assert client.get("/api/v1/pieces/a%00b").status_code == 404
    assert client.get("/api/v1/attempts/%00").status_code in {401, 404}
    answer = client.get("/api/v1/pieces?q=a%00b")
    assert (answer.status_code, set(errors(answer))) == (422, {"q"})


def test_every_reason_of_every_shape_is_chinese(app):
    """Whatever field or check a room uses, what it says was translated."""
    english = set()
    kinds = [Shape]
    while kinds:
        kind = kinds.pop()
        kinds += kind.__subclasses__()
        for field in kind().fields.values():
            every = [field, field.inner] if isinstance(field, ma.fields.List) else [field]
            for one in every:
                said = [*one.error_messages.values()]
                for check in one.validators:
                    said += [
                        text
                        for name, text in vars(check).items()
                        if name in {"error", "message_min", "message_max", "message_all"} and text
                    ]
                english |= {
                    f"{type(one).__name__}: {text}"
                    for text in said
                    if isinstance(text, str) and not any("\u4e00" <= each <= "\u9fff" for each in text)
                }
    assert not english


def test_an_unknown_query_parameter_is_refused(client):
    answer = client.get("/api/v1/pieces?no_such_thing=1")
    assert answer.status_code == 422
    assert set(errors(answer)) == {"no_such_thing"}


def test_many_errors_are_cut(call):
    answer = call.get("/api/v1/things/many")
    assert len(answer.json["errors"]) == 20
    assert answer.json["errors_left_out"] == 480


def test_waiting_helps(call):
    answer = call.get("/api/v1/things/later")
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "7")


def test_an_unexpected_error_tells_nothing_and_leaves_nothing(call, house):
    answer = call.post("/api/v1/things/broken", headers={"Idempotency-Key": "k"})
    assert answer.status_code == 500
    assert b"secret words" not in answer.data
    with house.app_context():
        assert reading().scalar(select(func.count()).select_from(Heartbeat)) == 0
        assert reading().scalar(select(func.count()).select_from(IdempotentAnswer)) == 0


def test_the_same_key_gives_the_same_answer_once(call, house):
    first = post(call, '{"name": "once"}', headers={"Idempotency-Key": "k1"})
    second = post(call, '{"name": "once"}', headers={"Idempotency-Key": "k1"})
    assert (first.status_code, first.data) == (second.status_code, second.data) == (201, first.data)
    assert second.headers["Idempotent-Replayed"] == "true"
    assert post(call, '{"name": "once"}').status_code == 409, "without a key it runs again, and clashes"
    other = post(call, '{"name": "twice"}', headers={"Idempotency-Key": "k1"})
    assert (other.status_code, set(errors(other))) == (422, {"Idempotency-Key"})


def test_a_refused_request_is_not_kept(call):
    assert post(call, '{"name": ""}', headers={"Idempotency-Key": "k2"}).status_code == 422
    assert post(call, '{"name": "x"}', headers={"Idempotency-Key": "k2"}).status_code == 201


def test_one_key_at_once_has_one_effect(house):
    answers = []

    def go():
        answers.append(
            post(house.test_client(), '{"name": "race"}', headers={"Idempotency-Key": "k3"}).status_code
        )

    threads = [threading.Thread(target=go) for _ in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert set(answers) <= {201, 409}
    assert 201 in answers
    with house.app_context():
        assert reading().scalar(select(func.count()).select_from(Heartbeat)) == 1


def test_what_is_not_there_and_what_is_not_done(client):
    missing = client.get("/api/v1/nothing")
    assert (missing.status_code, missing.json["code"]) == (404, "not_found")
    wrong = client.delete("/healthz")
    assert wrong.status_code == 405
    assert {"GET", "HEAD"} <= set(wrong.headers["Allow"].split(", "))


def test_the_request_id_is_echoed_when_it_is_one(client):
    assert client.get("/healthz", headers={"X-Request-ID": "abc-1"}).headers["X-Request-ID"] == "abc-1"
    bad = client.get("/healthz", headers={"X-Request-ID": "a b<script>"}).headers["X-Request-ID"]
    assert "script" not in bad
    assert bad
    assert client.get("/nope").json["request_id"]
