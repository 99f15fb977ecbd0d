"""WeChat's stand-in behind the application, over HTTP."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from edu_platform.config.settings import STANDIN_APPID
from edu_platform.people.wechat import replace_client
from edu_platform.wechat.client import WeChatClient
from edu_platform.wechat.standin.app import StandIn
from edu_platform.wechat.standin.server import serving
from edu_platform.wechat.standin.state import Fault
from edu_platform.wechat.stores import MemoryTokenStore

SECRET = "the-app-secret-of-tests"


class WeChat:
    """The stand-in, and a client of it that hardly pauses between its tries."""

    def __init__(self, url: str, standin: StandIn) -> None:
        self.url = url
        self.state = standin.state

    def code(self, openid: str | None = None, unionid: str | None = None, *, blocked: bool = False) -> str:
        with self.state.lock:
            code, _ = self.state.issue_code(
                appid=STANDIN_APPID, openid=openid, unionid=unionid, blocked=blocked
            )
        return code

    def fail(self, count: int = 9, **how: Any) -> None:
        with self.state.lock:
            self.state.faults.append(Fault(path="*", count=count, **how))

    def calls(self) -> int:
        with self.state.lock:
            return len(self.state.calls)

    def client(self, **changes: Any) -> WeChatClient:
        given: dict[str, Any] = {"tokens": MemoryTokenStore(), "timeout": 5, "pause": 0.01}
        return WeChatClient(self.url, STANDIN_APPID, changes.pop("secret", SECRET), **(given | changes))


@pytest.fixture(scope="session")
def standin() -> Iterator[WeChat]:
    app = StandIn(STANDIN_APPID, SECRET)
    with serving(app) as url:
        yield WeChat(url, app)


@pytest.fixture
def wechat(app: Flask, standin: WeChat) -> Iterator[WeChat]:
    with standin.state.lock:
        standin.state.faults.clear()
    standin.state.clock.go_real()
    replace_client(app, standin.client())
    yield standin
    replace_client(app, None)


@pytest.fixture
def sign_in(client: FlaskClient) -> Callable[..., TestResponse]:
    def post(code: str, **body: Any) -> TestResponse:
        return client.post("/api/v1/sessions", json={"code": code, "age_band": "18_59", **body})

    return post
