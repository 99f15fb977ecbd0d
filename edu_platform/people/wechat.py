"""The one WeChat client of the application, for this room and the rooms above."""

from __future__ import annotations

import threading

import redis
from flask import Flask

from edu_platform.config.settings import Settings
from edu_platform.wechat.client import WeChatClient
from edu_platform.wechat.stores import FileTokenStore, ValkeyTokenStore
from edu_platform.wechat.tokens import TokenStore

EXTENSION = "edu_wechat"
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
                timeout=settings.wechat_timeout_ms / 1000,
            )
        client: WeChatClient = app.extensions[EXTENSION]
        return client


def replace_client(app: Flask, client: WeChatClient | None) -> None:
    """Put another client in place (a test's stand-in); None has one made anew from the settings."""
    with _making:
        before: WeChatClient | None = app.extensions.pop(EXTENSION, None)
        if client is not None:
            app.extensions[EXTENSION] = client
    if before is not None and before is not client:
        before.close()


def _token_store(settings: Settings) -> TokenStore:
    if settings.valkey_url:
        url = settings.valkey_url.replace("valkey://", "redis://")
        return ValkeyTokenStore(redis.Redis.from_url(url))
    return FileTokenStore(settings.data_dir / "wechat")
