"""The one WeChat client of the application, for this room and the rooms above."""

from __future__ import annotations

import threading
from contextlib import AbstractContextManager

from flask import Flask

from edu_platform.config.settings import Settings
from edu_platform.core.errors import NotNow
from edu_platform.core.gate import Gate
from edu_platform.wechat.client import WeChatClient
from edu_platform.wechat.errors import Unavailable
from edu_platform.wechat.stores import FileTokenStore, ValkeyTokenStore
from edu_platform.wechat.tokens import TokenStore

EXTENSION = "edu_wechat"
GATE = "edu_wechat_gate"
_making = threading.Lock()


def client_of(app: Flask) -> WeChatClient:
    """Return the application's client, made at its first use; it is safe for all threads of the process.

    The access token is shared by every process: through Valkey when there is one, else through a folder
    of the installation.
    """
    with _making:
        if EXTENSION not in app.extensions:
            settings: Settings = app.config["EDU"]
            app.extensions[EXTENSION] = WeChatClient(
                settings.wechat_base_url,
                settings.wechat_appid,
                settings.wechat_secret,
                tokens=_token_store(settings),
                patience=settings.wechat_timeout_ms / 1000,
            )
        client: WeChatClient = app.extensions[EXTENSION]
        return client


def waiting_for_wechat(app: Flask) -> AbstractContextManager[None]:
    """Hold one of the places for threads that wait for WeChat; raise `NotNow` when none becomes free.

    However slow WeChat is, a quarter of the threads go on serving lessons.
    """
    with _making:
        if GATE not in app.extensions:
            settings: Settings = app.config["EDU"]
            app.extensions[GATE] = Gate(
                max(1, settings.web_threads * 3 // 4),
                patience=0.5,
                trouble=(Unavailable,),
                refusal=NotNow(Unavailable.reason + "。", retry_after=5, code=Unavailable.code),
            )
        gate: Gate = app.extensions[GATE]
    return gate.enter()


def replace_client(app: Flask, client: WeChatClient | None) -> None:
    """Put another client in place (a test's stand-in); None has one made anew from the settings."""
    with _making:
        before: WeChatClient | None = app.extensions.pop(EXTENSION, None)
        app.extensions.pop(GATE, None)
        if client is not None:
            app.extensions[EXTENSION] = client
    if before is not None and before is not client:
        before.close()


def _token_store(settings: Settings) -> TokenStore:
    if settings.valkey_url:
        import redis

        url = settings.valkey_url.replace("valkey://", "redis://")
        seconds = settings.wechat_timeout_ms / 1000
        return ValkeyTokenStore(
            redis.Redis.from_url(url, socket_timeout=seconds, socket_connect_timeout=seconds)
        )
    return FileTokenStore(settings.data_dir / "wechat")
