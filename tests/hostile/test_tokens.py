"""Tokens that are no good, and limits that cannot be got round, at two web processes that are one platform."""

from __future__ import annotations

import base64
import collections
import random
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta

import httpx2
import pytest
from itsdangerous import URLSafeTimedSerializer
from sqlalchemy import select

from edu_platform.config.settings import STANDIN_APPID
from edu_platform.core.clock import frozen, now
from edu_platform.core.db import db, reading, writing
from edu_platform.core.limits import caller, limiter
from edu_platform.core.vocabulary import Role
from edu_platform.factory.app import create_app
from edu_platform.people import guards, rules
from edu_platform.people.api.staff import SIGN_INS_BY_ADDRESS
from edu_platform.people.models import Learner, StaffToken
from edu_platform.people.wechat import replace_client
from edu_platform.wechat.client import WeChatClient
from edu_platform.wechat.standin.app import StandIn
from edu_platform.wechat.standin.server import serving
from edu_platform.wechat.stores import MemoryTokenStore
from tests import services
from tests.cast import bearer, sign_in_learner, staff_member, visitor
from tests.servers import ROOT, environ_of, installation, web

SECRET = "the-app-secret-of-tests"
MOST = int(SIGN_INS_BY_ADDRESS.split(" ", 1)[0])
HIDING = [
    {"X-Forwarded-For": "198.51.100.{}"}, {"X-Real-IP": "198.51.100.{}"}, {"Forwarded": "for=198.51.100.{}"},
    {"CF-Connecting-IP": "198.51.100.{}"}, {"True-Client-IP": "198.51.100.{}"}, {"X-Client-IP": "198.51.100.{}"},
    {"X-Forwarded-For": "198.51.100.{}, 127.0.0.1", "Via": "1.1 a"}, {"Client-IP": "198.51.100.{}"},
    {"X-Forwarded-Host": "h{}"}, {"X-Forwarded-For": "::{}"}, {"X-Cluster-Client-IP": "198.51.100.{}"},
]  # fmt: skip


class House:
    """The settings, an application in this process, and the port of two others."""

    def __init__(self, settings, app, port):
        self.settings, self.app, self.port = settings, app, port

    def ask(self, method, path, **options):
        """One request on a connection of its own, so that either process may get it."""
        with httpx2.Client(base_url=f"http://127.0.0.1:{self.port}", timeout=30) as client:
            return client.request(method, path, **options)

    def everywhere(self, path, headers, times=8):
        """The status and code of many requests, spread over both processes."""
        with ThreadPoolExecutor(4) as pool:
            answers = list(pool.map(lambda _: self.ask("GET", path, headers=headers), range(times)))
        return {(answer.status_code, answer.json().get("code")) for answer in answers}


@pytest.fixture(scope="module")
def valkey(tmp_path_factory):
    with services.valkey(tmp_path_factory.mktemp("valkey")) as running:
        yield running.url


@pytest.fixture(scope="module")
def house(valkey, tmp_path_factory):
    folder = tmp_path_factory.mktemp("tokens")
    more = {"EDU_VALKEY_URL": valkey, "EDU_WEB_PROCESSES": "2", "EDU_LIMITS": "on"}
    settings = installation(folder, **more)
    app = create_app(replace(settings, limits=False))
    with web(environ_of(settings, **more), folder / "log") as (port, _):
        yield House(settings, app, port)
    with app.app_context():
        db.engine.dispose()
    limiter.enabled = False


ME, DESK = "/api/v1/me", "/api/v1/staff/me"


def changed(token, draw):
    """A token in which one character is another one, and means other bits."""
    letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    at = draw.randrange(len(token) - 1)  # the very last one has bits that mean nothing
    return token[:at] + draw.choice([c for c in letters if c != token[at]]) + token[at + 1 :]


def test_guessed_changed_and_foreign_tokens_are_refused_by_both(house):
    learner_id, good = sign_in_learner(house.app)
    token = good["Authorization"].removeprefix("Bearer ")
    payload, stamp, signature = token.split(".")
    _, other = sign_in_learner(house.app)
    other_payload = other["Authorization"].removeprefix("Bearer ").split(".")[0]
    elsewhere = URLSafeTimedSerializer("another-key-0123456789-abcdefghijkl", salt="learner")
    salted = URLSafeTimedSerializer(house.settings.secret_keys[0], salt="staff")
    draw = random.Random(1)
    bad = [
        *(changed(token, draw) for _ in range(40)),
        f"{other_payload}.{stamp}.{signature}", f"{payload}.{stamp}.", f"{payload}.{signature}", f"{payload}..{signature}",
        f".{stamp}.{signature}", payload, f"{token}.{signature}", token[:-3], token + "A", token.upper(), token * 2,
        elsewhere.dumps([learner_id, 1]), salted.dumps([learner_id, 1]), "eyJhbGciOiJub25lIn0.eyJzdWIiOjF9.",
        base64.b64encode(f"[{learner_id},1]".encode()).decode(), f"[{learner_id},1]", str(learner_id), "null", "undefined",
        "staff_", "staff_" + "A" * 43, "A" * 512,
    ]  # fmt: skip
    assert house.everywhere(ME, good) == {(200, None)}
    refused = collections.Counter()
    with httpx2.Client(base_url=f"http://127.0.0.1:{house.port}") as client:
        for one in bad:
            answer = client.get(ME, headers=bearer(one))
            assert answer.status_code == 401, one
            assert answer.headers["WWW-Authenticate"] == "Bearer"
            refused[answer.json()["code"]] += 1
        for header in ("", "Bearer", f"Basic {token}", f"Token {token}", token, f"Bearer {token} {token}",
                       f"Bearer,{token}", "Bearer " + "A" * 4000):  # fmt: skip
            assert client.get(ME, headers={"Authorization": header}).status_code == 401, header
        for name in ("Cookie", "X-Auth-Token", "X-Access-Token", "Proxy-Authorization"):
            assert client.get(ME, headers={name: f"Bearer {token}"}).status_code == 401, name
        assert client.get(f"{ME}?access_token={token}").status_code in {401, 422}
    assert set(refused) <= {"token_invalid", "token_expired"}
    assert house.everywhere(ME, bearer(changed(token, draw))) <= {
        (401, "token_invalid"),
        (401, "token_expired"),
    }


def test_a_token_of_another_kind_opens_nothing(house):
    _, learner = sign_in_learner(house.app)
    _, staff = staff_member(house.app, Role.ADMIN)
    assert house.everywhere("/api/v1/staff/accounts", learner) == {(403, "wrong_account_kind")}
    assert house.everywhere(ME, staff) == {(403, "wrong_account_kind")}


def test_an_old_token_is_refused_by_both(house):
    long_ago = now() - timedelta(days=house.settings.session_days, seconds=1)
    learner_id, _ = sign_in_learner(house.app)
    with frozen(long_ago):
        old = rules.issue_token(house.settings.secret_keys, learner_id, 1)
    assert house.everywhere(ME, bearer(old)) == {(401, "token_expired")}
    _, staff = staff_member(house.app, Role.EDITOR)
    with house.app.app_context(), writing() as session:
        kept = session.scalars(select(StaffToken).order_by(StaffToken.id.desc()).limit(1)).one()
        kept.expires_at = now() - timedelta(seconds=1)
    assert house.everywhere(DESK, staff) == {(401, "token_expired")}


def ended(house, what):
    """End a token in one of the ways there are; return (path, its headers)."""
    learner_id, learner = sign_in_learner(house.app)
    staff_id, staff = staff_member(house.app, Role.EDITOR)
    admin = staff_member(house.app, Role.ADMIN)[1]
    account = f"/api/v1/staff/accounts/{staff_id}"
    steps = {
        "learner signs out": (ME, learner, "DELETE", "/api/v1/sessions/current", learner, None),
        "learner is erased": (ME, learner, "DELETE", ME, learner, None),
        "staff signs out": (DESK, staff, "DELETE", "/api/v1/staff/sessions/current", staff, None),
        "password is reset": (DESK, staff, "PUT", account, admin, {"reset_password": True}),
        "roles change": (DESK, staff, "PUT", account, admin, {"roles": ["analyst"]}),
        "account is closed": (DESK, staff, "PUT", account, admin, {"active": False}),
    }
    del learner_id
    path, headers, method, address, by, body = steps[what]
    assert house.everywhere(path, headers, 4) == {(200, None)}
    options = {} if body is None else {"json": body}
    assert house.ask(method, address, headers=by, **options).status_code in {200, 204}
    return path, headers


@pytest.mark.parametrize(
    "what",
    ["learner signs out", "learner is erased", "staff signs out", "password is reset", "roles change", "account is closed"],
)  # fmt: skip
def test_a_token_that_was_ended_is_dead_at_both_at_once(house, what):
    path, headers = ended(house, what)
    assert house.everywhere(path, headers) == {(401, "token_revoked")}


@pytest.mark.control
def test_a_token_whose_end_is_not_looked_up_lives_on(house, monkeypatch):
    """The control: a signature alone cannot be taken back."""
    _, headers = ended(house, "learner signs out")
    client = house.app.test_client()
    assert client.get(ME, headers=headers).status_code == 401

    def signed(token):
        lasts = timedelta(days=house.settings.session_days)
        return rules.read_token(house.settings.secret_keys, token, lasts=lasts)[0]

    monkeypatch.setattr(guards, "learner_of", lambda token: reading().get(Learner, signed(token)))
    monkeypatch.setattr(guards, "current_learner_id", lambda: signed(guards.bearer_token()))
    assert client.get(ME, headers=headers).status_code == 200


# -- limits ------------------------------------------------------------------------------------------------


def guesses(house, count):
    """Sign-ins with a wrong password, each pretending to come from elsewhere."""
    answers = []
    for number in range(count):
        hiding = {name: value.format(number) for name, value in HIDING[number % len(HIDING)].items()}
        body = {"email": f"a{number}@branch.example", "password": "wrong"}
        answers.append(house.ask("POST", "/api/v1/staff/sessions", json=body, headers=hiding))
    return answers


def test_the_next_sign_in_after_the_last_is_refused_by_both_whatever_it_says_of_itself(house):
    answers = guesses(house, MOST + 8)
    statuses = [answer.status_code for answer in answers]
    assert statuses == [401] * MOST + [429] * 8
    for refused in answers[MOST:]:
        assert 0 < int(refused.headers["Retry-After"]) <= 3600
        assert refused.json()["code"] == "too_many_requests"


def test_the_same_token_written_otherwise_is_the_same_caller(house):
    _, headers = visitor(house.app)
    token = headers["Authorization"].removeprefix("Bearer ")
    written = [
        f"Bearer {token}",
        f"bearer {token}",
        f"BEARER   {token}",
        f"Bearer {token} ",
        f"bEaReR \t{token}",
    ]
    names = set()
    for one in written:
        with house.app.test_request_context(headers={"Authorization": one}):
            names.add(caller())
    assert len(names) == 1
    assert token not in names.pop()


EVADED = """
from dataclasses import replace
from edu_platform.factory.app import create_app
from edu_platform.factory.entry import settings_here

app = create_app(replace(settings_here(), valkey_url=None))
"""


@pytest.mark.long
@pytest.mark.control
def test_counts_of_each_process_alone_are_got_round(valkey, tmp_path):
    """The control: two processes, each counting by itself."""
    more = {"EDU_VALKEY_URL": valkey, "EDU_WEB_PROCESSES": "2", "EDU_LIMITS": "on"}
    settings = installation(tmp_path, **more)
    code = tmp_path / "code"
    code.mkdir()
    (code / "app.py").write_text(EVADED)
    (code / "deploy").symlink_to(ROOT / "deploy")
    with web(environ_of(settings, **more), tmp_path / "log", cwd=code) as (port, _):
        evaded = House(settings, None, port)
        with ThreadPoolExecutor(4) as pool:
            answers = list(
                pool.map(
                    lambda n: (
                        evaded.ask(
                            "POST",
                            "/api/v1/staff/sessions",
                            json={"email": f"a{n}@b.example", "password": "x"},
                        ).status_code
                    ),
                    range(MOST * 3),
                )
            )
    assert answers.count(401) > MOST


# -- codes of WeChat ----------------------------------------------------------------------------------------


@pytest.fixture
def wechat(app):
    standin = StandIn(STANDIN_APPID, SECRET)
    with serving(standin) as url:
        replace_client(app, WeChatClient(url, STANDIN_APPID, SECRET, tokens=MemoryTokenStore()))
        yield standin
        replace_client(app, None)


def with_one_code(app, code, times):
    body = {"code": code, "age_band": "18_59"}

    def post(_):
        answer = app.test_client().post("/api/v1/sessions", json=body)
        return answer.status_code, answer.json.get("code")

    with ThreadPoolExecutor(8) as pool:
        return collections.Counter(pool.map(post, range(times)))


def issue(standin):
    with standin.state.lock:
        return standin.state.issue_code(appid=STANDIN_APPID, openid=None, unionid=None)[0]


def test_a_code_opens_one_session_however_often_it_is_sent(app, wechat):
    came = with_one_code(app, issue(wechat), 64)
    assert came[201, None] == 1
    assert set(came) <= {(201, None), (401, "code_used"), (401, "code_spent"), (503, "wechat_busy")}, came


@pytest.mark.control
def test_codes_that_can_be_used_again_open_many(app, wechat):
    """The control: a WeChat that forgets what it has seen."""
    code, seen = issue(wechat), []
    for _ in range(3):
        with wechat.state.lock:
            wechat.state.login_codes[code].used = False
        seen += with_one_code(app, code, 1)
    assert seen == [(201, None)] * 3
