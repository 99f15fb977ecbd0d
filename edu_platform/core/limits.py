"""Rate limits, counted per learner, member of staff or address; shared by processes through Valkey."""

from __future__ import annotations

from flask import g
from flask_limiter import Limiter
from flask_limiter.util import get_remote_address

from edu_platform.config.settings import Settings


def caller() -> str:
    """Name who is calling: the signed-in actor, else the address."""
    actor: str | None = g.get("actor_key")
    return actor or f"ip:{get_remote_address()}"


limiter = Limiter(
    key_func=caller,
    headers_enabled=True,
    default_limits=["1200 per minute"],
    strategy="fixed-window",
)


def limit_settings(settings: Settings) -> dict[str, object]:
    """Return the limiter's part of the Flask configuration."""
    return {
        "RATELIMIT_ENABLED": settings.limits,
        "RATELIMIT_STORAGE_URI": (settings.valkey_url or "memory://").replace("valkey://", "redis://"),
        "RATELIMIT_IN_MEMORY_FALLBACK_ENABLED": settings.valkey_url is not None,
    }
