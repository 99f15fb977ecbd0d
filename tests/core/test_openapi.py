"""The description tells the truth about refusals."""

import pytest

from edu_platform.core.schemas import Problem
from tests.cast import sign_in_learner


@pytest.fixture
def document(client):
    return client.get("/api/v1/openapi.json").get_json()


def described(document, method, path, status):
    """The description of an answer, references followed; None where the status is not named."""
    responses = document["paths"][path][method]["responses"]
    found = responses.get(str(status))
    if found and "$ref" in found:
        found = document["components"]["responses"][found["$ref"].rsplit("/", 1)[-1]]
    return found


def test_every_refusal_is_described_as_problem_details(document):
    wrong = []
    for path, operations in document["paths"].items():
        for method in operations.keys() - {"parameters"}:
            for status in operations[method]["responses"]:
                if status == "default" or int(status) >= 400:
                    content = described(document, method, path, status).get("content", {})
                    if list(content) != ["application/problem+json"]:
                        wrong.append(f"{method} {path} {status}")
    assert not wrong


@pytest.mark.parametrize(
    ("method", "path", "wanted"),
    [
        ("get", "/api/v1/pieces", {"422", "429", "503"}),
        ("get", "/api/v1/me", {"401", "403", "429", "503"}),
        ("get", "/api/v1/attempts/{attempt_id}", {"401", "403", "404", "429", "503"}),
        ("delete", "/api/v1/me", {"401", "403", "409", "429", "503", "507"}),
        ("post", "/api/v1/sessions", {"400", "401", "409", "413", "415", "422", "429", "503", "507"}),
        ("post", "/api/v1/beacons", {"400", "401", "403", "409", "413", "415", "422", "429", "503", "507"}),
    ],
)
def test_an_operation_names_what_it_can_be_refused_with(document, method, path, wanted):
    named = set(document["paths"][path][method]["responses"])
    assert {status for status in named if status[0] in "45"} == wanted


def test_refusals_are_what_is_described(app, client, document):
    _, learner = sign_in_learner(app)
    asked = [
        ("get", "/api/v1/me", "/api/v1/me", {}, 401),
        ("get", "/api/v1/staff/me", "/api/v1/staff/me", {"headers": learner}, 403),
        ("get", "/api/v1/pieces/{slug}", "/api/v1/pieces/none", {}, 404),
        ("get", "/api/v1/pieces", "/api/v1/pieces?limit=0", {}, 422),
        ("put", "/api/v1/me", "/api/v1/me", {"headers": learner, "data": "[", "content_type": "application/json"}, 400),
        ("put", "/api/v1/me", "/api/v1/me", {"headers": learner, "data": "x", "content_type": "text/plain"}, 415),
        ("put", "/api/v1/me", "/api/v1/me", {"headers": learner, "json": {str(n): 1 for n in range(30)}}, 422),
    ]  # fmt: skip
    for method, path, address, options, status in asked:
        answer = client.open(address, method=method.upper(), **options)
        assert answer.status_code == status, (path, answer.json)
        told = described(document, method, path, status)
        assert answer.mimetype in told["content"]
        assert Problem().validate(answer.json) == {}
        for name in told.get("headers", {}):
            assert name in answer.headers, (path, name)


def test_ids_are_described_as_the_strings_they_are(app, client, document):
    told = document["components"]["schemas"]["LearnerView"]["properties"]["id"]
    answer = client.post("/api/v1/sessions/anonymous", json={"channel": "website"})
    assert isinstance(answer.json["learner"]["id"], str)
    assert told["type"] == "string"
