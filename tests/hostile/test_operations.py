"""Every described operation, tried by schemathesis in an installation that is alive.

Each example is one of four: the request that ought to succeed; the same with one place in it spoilt; what
schemathesis makes of the description, fitting or not, sent to things that exist; and the same sent anywhere. At
least a fifth of the calls to each operation must succeed, or it is the door that was tried and not the operation.
"""

from __future__ import annotations

import collections
import copy
import itertools
import json
import math
import random
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from hypothesis.errors import Unsatisfiable
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.core import NotSet
from schemathesis.core.failures import Failure, FailureGroup
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from edu_platform.config.settings import STANDIN_APPID
from edu_platform.people.wechat import replace_client
from edu_platform.wechat.client import WeChatClient
from edu_platform.wechat.standin.app import StandIn
from edu_platform.wechat.standin.server import serving
from edu_platform.wechat.stores import MemoryTokenStore
from tests.conftest import nothing_is_left_open
from tests.hostile.world import Request, World
from tests.proofs import note

DOCUMENT = json.loads((Path(__file__).parents[2] / "docs" / "openapi.json").read_text())
OPERATIONS = [
    f"{method.upper()} {path}"
    for path, found in DOCUMENT["paths"].items()
    for method in found
    if method != "parameters"
]
CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]
# a password is hashed, or a process started, for each
SLOW = {
    "POST /api/v1/staff/sessions",
    "PUT /api/v1/staff/me/password",
    "POST /api/v1/staff/media",
    "POST /api/v1/staff/accounts",
    "PUT /api/v1/staff/accounts/{staff_id}",
}
SHORT, SHORT_SLOW, LONG, LONG_SLOW, LEAST_LONG = 10, 6, 325, 310, 300
# r: what ought to succeed, s: the same spoilt, g: generated and sent to what exists, a: generated and sent anywhere
WAYS = {GenerationMode.POSITIVE: "rsrgrsra", GenerationMode.NEGATIVE: "gga"}
NASTY = [
    None, True, False, 0, -1, 1.5, 1e308, 2**31, 2**63, 2**64, -(2**63) - 1, "", " ", "\0", "\ud800", "\u202e",
    "a" * 5000, "𠮷" * 70, "<script>alert(1)</script>", "' OR 1=1 --", "../../etc/passwd", "%00", "{hotline}",
    "9999-12-31T23:59:59-23:59", "2026-02-30", "0001-01-01", "١٢٣", "nan", [], {}, [[]], [None], {"": ""},
    {"a": {"b": {"c": {}}}}, ["x"] * 300, [{"id": 1}] * 3,
]  # fmt: skip


@pytest.fixture(scope="module")
def house(whole_app, request, settings):
    """The application on a database of its own state, restored once for the whole file."""
    request.getfixturevalue("database")[1]()
    settings.data_dir.mkdir(parents=True, exist_ok=True)
    yield whole_app
    nothing_is_left_open(whole_app)


@pytest.fixture(scope="module")
def world(house):
    standin = StandIn(STANDIN_APPID, "the-app-secret-of-tests")
    with serving(standin) as url:
        replace_client(
            house, WeChatClient(url, STANDIN_APPID, "the-app-secret-of-tests", tokens=MemoryTokenStore())
        )
        yield World(house, standin)
        replace_client(house, None)


@pytest.fixture(scope="module")
def schema(house):
    document = house.test_client().get("/api/v1/openapi.json").get_json()
    for operations in document["paths"].values():  # who calls is the world's to say
        for operation in operations.values():
            if isinstance(operation, dict):
                operation.pop("security", None)
    found = schemathesis.openapi.from_dict(document)
    found.app = house
    return {operation.label: operation for operation in (one.ok() for one in found.get_all_operations())}


def places(value: Any, here: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Every place within a JSON value, itself included."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [here] + [place for key, one in inner for place in places(one, (*here, key))]


def spoilt(value: Any, place: tuple[Any, ...], nasty: Any) -> Any:
    if not place:
        return nasty
    changed = copy.deepcopy(value)
    inner = changed
    for key in place[:-1]:
        inner = inner[key]
    if nasty is ...:
        del inner[place[-1]]
    else:
        inner[place[-1]] = nasty
    return changed


class Trial:
    """The calls to one operation: what came of them."""

    def __init__(self, operation: Any, world: World) -> None:
        self.operation, self.world = operation, world
        self.statuses: collections.Counter[int] = collections.Counter()
        self.faults: dict[str, str] = {}

    def run(self, examples: int, *, derandomize: bool) -> None:
        """Seven of ten calls begin with what fits the description, three with what does not."""
        self._run(GenerationMode.POSITIVE, math.ceil(examples * 0.7), derandomize=derandomize)
        self._run(GenerationMode.NEGATIVE, math.ceil(examples * 0.3), derandomize=derandomize)

    def _run(self, mode: GenerationMode, examples: int, *, derandomize: bool) -> None:
        ways = itertools.cycle(WAYS[mode])

        # What is drawn must not depend on whose turn it is: hypothesis repeats its draws to check them.
        @given(case=self.operation.as_strategy(generation_mode=mode), seed=st.integers(0, 2**32))
        @settings(
            max_examples=examples, deadline=None, database=None, derandomize=derandomize,
            suppress_health_check=list(HealthCheck), phases=[Phase.generate],
        )  # fmt: skip
        def attempt(case: Any, seed: int) -> None:
            self.one(case, random.Random(seed), next(ways))

        try:
            attempt()
        except Unsatisfiable:  # nothing that can be sent contradicts the description
            assert mode is GenerationMode.NEGATIVE
            self._run(GenerationMode.POSITIVE, examples, derandomize=derandomize)

    def one(self, case: Any, draw: random.Random, way: str) -> None:
        real = self.world.real(self.operation.label)
        headers = {**real.headers, "Accept-Encoding": "identity"}
        if way in "rs":
            fill(case, real, self.operation)
        if way == "s":
            spoil(case, draw)
        if way == "g":
            case.path_parameters = real.path
        case.headers, case.cookies = headers, {}
        self.send(case)

    def send(self, case: Any) -> None:
        try:
            response = case.call()
        except UnicodeEncodeError:
            return  # a client cannot even send it
        self.statuses[response.status_code] += 1
        documented = self.operation.definition.raw["responses"]
        told = f"{case.method} {case.formatted_path}?{case.query} {case.headers} {str(case.body)[:600]} → {response.status_code} {response.content[:400]!r}"
        if str(response.status_code) not in documented and response.status_code < 600:
            self.faults.setdefault(f"undocumented status {response.status_code}", told)
        try:
            case.validate_response(response, checks=CHECKS)
        except (Failure, FailureGroup) as found:
            self.faults.setdefault(str(getattr(found, "exceptions", [found])[0])[:200], told)
        if response.status_code == 200 and "json" in response.headers.get("content-type", [""])[0]:
            self.world.remember(self.operation.label, response.json())

    def note(self, what: str) -> None:
        by_class = collections.Counter(f"answered_{status // 100}xx" for status in self.statuses.elements())
        calls = sum(self.statuses.values())
        note(
            what,
            operations=1,
            calls=calls,
            fewest_calls_to_one=calls,
            fewest_percent_that_succeed=round(self.share * 100),
            **{"answered_2xx": 0, "answered_4xx": 0, "answered_5xx": 0, **by_class},
            faults=len(self.faults),
        )

    @property
    def share(self) -> float:
        good = sum(count for status, count in self.statuses.items() if 200 <= status < 300)
        return good / max(1, sum(self.statuses.values()))


def spoil(case: Any, draw: random.Random) -> None:
    """Put something nasty into one place of the request."""
    nasty = draw.choice([*NASTY, ...])
    text = str(nasty).encode("utf-8", "replace").decode()[:300]
    where = draw.choice("bbqp")
    if where == "b" and isinstance(case.body, dict) and case.media_type == "application/json":
        place = draw.choice(places(case.body))
        if nasty is not ... or place:
            case.body = spoilt(case.body, place, nasty)
    elif where in "bq" and case.query:
        case.query = {**case.query, draw.choice(sorted(case.query)): text}
    elif case.path_parameters:
        name = draw.choice(sorted(case.path_parameters))
        case.path_parameters = {**case.path_parameters, name: quote(text, safe="") or "%20"}


def fill(case: Any, real: Request, operation: Any) -> None:
    """Make the case the request that ought to succeed."""
    case.path_parameters, case.query = real.path, real.query
    if "requestBody" in operation.definition.raw:
        case.body = real.body if real.body is not None else {}
        case.media_type = real.media_type
    else:
        case.body, case.media_type = NotSet(), None


def tried(label, schema, world, examples, *, derandomize, proof=""):
    trial = Trial(schema[label], world)
    trial.run(examples, derandomize=derandomize)
    counts = " ".join(f"{status}×{count}" for status, count in sorted(trial.statuses.items()))
    print(f"\n{label}: {sum(trial.statuses.values())} calls, {trial.share:.0%} succeed ({counts})")
    if proof:
        trial.note(proof)
    assert not trial.faults, "\n".join(f"{what}: {told}" for what, told in trial.faults.items())
    assert trial.share >= 0.2, (
        "the door was tried, not the operation: give it a recipe in tests/hostile/world.py"
    )
    return sum(trial.statuses.values())


@pytest.mark.parametrize("label", OPERATIONS)
def test_an_operation_keeps_its_word(label, schema, world):
    examples = SHORT_SLOW if label in SLOW else SHORT
    tried(label, schema, world, examples, derandomize=True, proof="operations in short")


@pytest.mark.long
@pytest.mark.database
@pytest.mark.parametrize("label", OPERATIONS)
def test_an_operation_keeps_its_word_at_length(label, schema, world):
    """At least 300 calls an operation on each database, and 50,000 in all."""
    assert 2 * sum(LONG_SLOW if one in SLOW else LONG for one in OPERATIONS) >= 50_000
    examples = LONG_SLOW if label in SLOW else LONG
    assert (
        tried(label, schema, world, examples, derandomize=False, proof="operations at length") >= LEAST_LONG
    )


@pytest.mark.parametrize(
    ("answer", "fault"),
    [
        (({"oops": True}, 500), "undocumented status 500"),
        (({"oops": True}, 418), "undocumented status 418"),
        (({"oops": True}, 200), "violates schema"),
        (("<p>oops", 200, {"Content-Type": "text/html"}), "Undocumented Content-Type"),
    ],
)
@pytest.mark.control
def test_an_operation_that_breaks_its_word_is_found(schema, world, monkeypatch, answer, fault):
    """The control: a view that answers what was not promised."""
    monkeypatch.setitem(world.app.view_functions, "me.show_me", lambda: answer)
    with pytest.raises(AssertionError, match=f"(?i){fault}"):
        tried("GET /api/v1/me", schema, world, 4, derandomize=True)


@pytest.mark.control
def test_the_door_alone_is_not_enough(schema, world, monkeypatch):
    """The control: callers whose tokens are no good."""
    monkeypatch.setattr(world, "headers", lambda who: {"Authorization": "Bearer nobody"})
    with pytest.raises(AssertionError, match="the door was tried"):
        tried("GET /api/v1/me", schema, world, 4, derandomize=True)
