"""The stand-in, served once over HTTP, and clients of it. No test here needs the application."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import httpx2
import pytest

from edu_platform.wechat.client import WeChatClient
from edu_platform.wechat.standin.app import StandIn
from edu_platform.wechat.standin.server import serving
from edu_platform.wechat.stores import MemoryTokenStore

APPID, SECRET = "wx1234567890abcdef", "the-app-secret-of-tests"


class Stub:
    """The stand-in's control routes, spoken to over HTTP."""

    appid, secret = APPID, SECRET

    def __init__(self, url: str, app: StandIn) -> None:
        self.url = url
        self.app = app
        self.http = httpx2.Client(base_url=url, trust_env=False, timeout=5)

    def set(self, what: str, **wish: Any) -> dict[str, Any]:
        answer = self.http.post(f"/__stub/{what}", json=wish)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def get(self, what: str, **query: str) -> dict[str, Any]:
        answer = self.http.get(f"/__stub/{what}", params=query)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def code(self, **wish: Any) -> str:
        return self.set("codes", **wish)["code"]

    def visitor(self, openid: str = "oVisitor") -> str:
        self.set("visits", openid=openid, ago=60)
        return openid

    def calls(self, path: str) -> list[dict[str, Any]]:
        return self.get("calls", path=path)["calls"]

    def token(self) -> str:
        body = {"grant_type": "client_credential", "appid": APPID, "secret": SECRET}
        return self.http.post("/cgi-bin/stable_token", json=body).json()["access_token"]

    def post(self, path: str, body: Any = None, **more: Any) -> httpx2.Response:
        """Call an endpoint by hand, with a good token."""
        content = {"content": body} if isinstance(body, bytes) else {"json": body}
        params = {"access_token": self.token(), **more.pop("params", {})}
        return self.http.post(path, params=params, **content, **more)

    def ask(self, path: str, **params: str) -> dict[str, Any]:
        return self.http.get(path, params={"access_token": self.token(), **params}).json()


@pytest.fixture(scope="session")
def running() -> Iterator[Stub]:
    app = StandIn(APPID, SECRET)
    with serving(app) as url:
        stub = Stub(url, app)
        yield stub
        stub.http.close()


@pytest.fixture
def stub(running: Stub) -> Iterator[Stub]:
    running.set("reset")
    yield running
    assert running.get("violations")["violations"] == []


@pytest.fixture
def pauses() -> list[float]:
    """How long the client would have waited between its tries."""
    return []


@pytest.fixture(scope="session")
def pool(running: Stub) -> Iterator[httpx2.Client]:
    """One pool for all clients that need nothing special: building one reads every root certificate."""
    with httpx2.Client(base_url=running.url, trust_env=False, timeout=5) as http:
        yield http


@pytest.fixture
def make_client(
    stub: Stub, pauses: list[float], pool: httpx2.Client
) -> Iterator[Callable[..., WeChatClient]]:
    made = []

    def make(**changes: Any) -> WeChatClient:
        given = {
            "base_url": stub.url,
            "appid": APPID,
            "secret": SECRET,
            "tokens": MemoryTokenStore(),
            "http": None if {"base_url", "timeout"} & set(changes) else pool,
            "sleep": pauses.append,
            "clock": stub.app.state.clock.now,
        } | changes
        client = WeChatClient(**given)
        if given["http"] is None:
            made.append(client)
        return client

    yield make
    for client in made:
        client.close()


@pytest.fixture
def client(make_client: Callable[..., WeChatClient]) -> WeChatClient:
    return make_client()
