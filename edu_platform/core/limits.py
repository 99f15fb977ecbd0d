"""Rate limits, counted per token or address; shared by processes through Valkey.

A community hall or a school reaches the platform from one address, so a signed-in caller is counted alone; the
far larger count of an address bounds whoever invents tokens.
"""

from __future__ import annotations

import hashlib

from flask import request
from flask_limiter import ApplicationLimit, Limiter
from flask_limiter.util import get_remote_address

from edu_platform.config.settings import Settings

OF_A_CALLER = "600 per minute"
OF_AN_ADDRESS = "12000 per minute"
VALKEY_PATIENCE = 0.5
"""Seconds that Valkey may take to connect, and to answer."""
_TIMEOUTS = ("socket_timeout", "socket_connect_timeout")


def caller() -> str:
    """Name who is calling: the bearer of a token (never the token itself), else the address."""
    token = request.headers.get("Authorization")
    if token is None:
        return f"ip:{get_remote_address()}"
    return "token:" + hashlib.sha256(token.encode()).hexdigest()[:32]


limiter = Limiter(
    key_func=caller,
    headers_enabled=True,
    default_limits=[OF_A_CALLER],
    application_limits=[ApplicationLimit(OF_AN_ADDRESS, key_function=get_remote_address)],
    strategy="fixed-window",
)


def _storage(valkey_url: str | None) -> str:
    """Return the address as the limits library spells it."""
    if valkey_url is None:
        return "memory://"
    return valkey_url.replace("valkey://", "redis://").replace("unix://", "redis+unix://")


def limit_settings(settings: Settings) -> dict[str, object]:
    """Return the limiter's part of the Flask configuration."""
    # A Valkey that hangs holds a request up once, for this long; then each process counts by itself and
    # asks again now and then, so that being counted never costs an answer.
    options = {} if settings.valkey_url is None else dict.fromkeys(_TIMEOUTS, VALKEY_PATIENCE)
    return {
        "RATELIMIT_ENABLED": settings.limits,
        "RATELIMIT_STORAGE_URI": _storage(settings.valkey_url),
        "RATELIMIT_STORAGE_OPTIONS": options,
        "RATELIMIT_IN_MEMORY_FALLBACK_ENABLED": settings.valkey_url is not None,
    }
