"""One schema reads beacons and is what the OpenAPI document says: both accept the same, and refuse the same."""

from __future__ import annotations

import json

import jsonschema_rs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edu_platform.reach.schemas import decode

GOOD = {
    "id": "b-1_A",
    "action": "view",
    "occurred_at": "2026-03-15T12:00:00+08:00",
    "piece": "plain-words",
    "campaign": "rights-week",
    "channel_code": "HALL22",
    "channel": "website",
    "dwell_ms": 1,
}
REQUIRED = {"id", "action", "occurred_at"}
ODD = [
    None,
    0,
    -1,
    1,
    2**31 - 1,
    2**31,
    1.5,
    True,
    "",
    "a",
    "-",
    "A" * 64,
    "A" * 65,
    "a" * 64,
    "a" * 65,
    "a--b",
    "a-b",
    "a\nb",
    "ab-c\n",
    "\n",
    'a"b',
    "中",
    [],
    {},
    "app",
    "share",
]


@pytest.fixture(scope="module")
def document():
    from pathlib import Path

    whole = json.loads((Path(__file__).parents[2] / "docs" / "openapi.json").read_text())
    body = whole["paths"]["/api/v1/beacons"]["post"]["requestBody"]
    return jsonschema_rs.Draft202012Validator(body["content"]["application/json"]["schema"])


beacons = st.fixed_dictionaries(
    {},
    optional={
        name: st.one_of(st.just(good), st.sampled_from(ODD)) if name != "occurred_at" else st.just(good)
        for name, good in GOOD.items()
    }
    | {"more": st.just(1)},
)


@given(one=beacons, count=st.sampled_from([1, 1, 1, 2, 100, 101]))
def test_the_decoder_and_the_document_agree(document, one, count):
    body = {"sent_at": "2026-03-15T12:00:00Z", "beacons": [one] * count}
    if one.get("action") in ["quiz_start", "quiz_submit", "quiz_pass", "favourite"]:
        return  # readable, and then refused by name: the document is the stricter one
    assert document.is_valid(body) == (decode(json.dumps(body).encode()) is not None)


@pytest.mark.parametrize("name", [name for name in GOOD if name != "occurred_at"])
def test_whatever_stands_in_a_field_they_agree(document, name):
    for odd in ODD:
        body = {"sent_at": "2026-03-15T12:00:00Z", "beacons": [GOOD, GOOD | {name: odd}]}
        assert document.is_valid(body) == (decode(json.dumps(body).encode()) is not None), odd


@pytest.mark.parametrize("name", GOOD)
def test_what_may_be_left_out_is_the_same(document, name):
    one = {key: value for key, value in GOOD.items() if key != name}
    body = {"sent_at": "2026-03-15T12:00:00Z", "beacons": [one]}
    assert (
        document.is_valid(body) == (decode(json.dumps(body).encode()) is not None) == (name not in REQUIRED)
    )


@pytest.mark.parametrize(
    "more",
    [
        '"id": "c"', '"id" :"c"', '"id"\n: "c"', '"i\\u0064": "c"', '"dwell_ms": 2', '"piece": "a", "piece": "b"',
        '"channel": "app", "channel": "app"', '"piece": null', '"occurred_at": "2026-03-15T12:00:00Z"',
    ],
)  # fmt: skip
def test_a_key_that_stands_there_twice_is_not_read(more):
    one = '{"id": "a", "action": "view", "occurred_at": "2026-03-15T12:00:00Z", "dwell_ms": 1'
    whole = '{"sent_at": "2026-03-15T12:00:00Z", "beacons": [%s}]}'
    assert decode((whole % one).encode()) is not None
    assert decode((whole % f"{one}, {more}").encode()) is None
    sent = '"sent_at": "2026-03-15T12:00:00Z", '
    assert decode((whole % one).replace(sent, sent + sent).encode()) is None


def test_keys_may_be_spelled_and_spaced_as_json_allows():
    """The control: the count of quotes does not depend on how a text is spelled."""
    one = '{ "i\\u0064" :\t"\\u0061" , "action":"vi\\u0065w","occurred_at" : "2026-03-15T12:00:00Z"\n}'
    batch = decode(f'{{"beacons" : [{one}, {one}] , "sent_at":"2026-03-15T12:00:00Z"}}'.encode())
    assert batch is not None
    assert [told.id for told in batch.beacons] == ["a", "a"]
