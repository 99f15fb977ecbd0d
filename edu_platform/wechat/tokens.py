"""One access token for all workers: when to use it, when to replace it, how often to insist.

Follows the refresh protocol for `stable_token`: keep until 300 s before expiry, fetch behind a
single-flight lock, `force_refresh` only when a freshly fetched token is refused too.
"""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Protocol

from edu_platform.wechat.errors import RateLimited, Unavailable

RENEW_BEFORE = 300.0
"""Seconds before expiry at which WeChat itself renews, and we do."""

FORCE_APART = 30.0
FORCES_A_DAY = 20
DAY = 86_400.0


@dataclass(frozen=True, slots=True)
class Token:
    """An access token; times are seconds since the epoch."""

    value: str = field(repr=False)
    refresh_at: float
    expires_at: float

    @classmethod
    def granted(cls, value: str, expires_in: float, now: float) -> "Token":
        """Build from WeChat's answer, which tells the seconds that remain.

        One granted just before WeChat renews it has hardly more than 300 s left; it is then kept
        for a short while all the same, for the old one stays valid beside the new.
        """
        keep = max(expires_in - RENEW_BEFORE, min(30.0, expires_in / 2))
        return cls(value, refresh_at=now + keep, expires_at=now + expires_in)


class TokenStore(Protocol):
    """Where the token lives between calls and between workers."""

    def get(self, appid: str) -> Token | None:
        """Return the token kept, expired or not, or None."""
        ...

    def put(self, appid: str, token: Token) -> None:
        """Keep this token instead of any other."""
        ...

    def drop(self, appid: str, value: str) -> None:
        """Forget the token if it is still the one with this value; another stays."""
        ...

    def lock(self, appid: str) -> AbstractContextManager[None]:
        """Hold off every other worker; raise Unavailable if that takes too long."""
        ...

    def forces(self, appid: str) -> Sequence[float]:
        """Return the times of forced refreshes within the last day or longer."""
        ...

    def note_force(self, appid: str, at: float) -> None:
        """Remember a forced refresh; those older than a day may be forgotten."""
        ...


class AccessTokens:
    """Hands out the access token of one app.

    `fetch(force)` asks WeChat and returns the token's value and the seconds it has left.
    """

    def __init__(
        self,
        appid: str,
        store: TokenStore,
        fetch: Callable[[bool], tuple[str, float]],
        clock: Callable[[], float],
    ) -> None:
        self._appid = appid
        self._store = store
        self._fetch = fetch
        self._clock = clock

    def current(self) -> str:
        """Return a token to use now, fetching one if none is kept or it is due for renewal."""
        held = self._usable()
        if held is not None:
            return held.value
        with self._store.lock(self._appid):
            held = self._usable()
            if held is not None:
                return held.value
            try:
                return self._renew(force=False)
            except (Unavailable, RateLimited):
                # Due for renewal is not expired: through a short outage the old one still serves.
                kept = self._store.get(self._appid)
                if kept is not None and kept.expires_at > self._clock():
                    return kept.value
                raise

    def replace(self, refused: str) -> str:
        """Return a token instead of one that WeChat has refused, fetching at most once."""
        self._store.drop(self._appid, refused)
        with self._store.lock(self._appid):
            held = self._usable()
            if held is not None and held.value != refused:
                return held.value
            return self._renew(force=False)

    def insist(self, refused: str) -> str | None:
        """Force a new token because a freshly fetched one was refused as well.

        Return None when that was done less than 30 s ago or 20 times within a day: WeChat would
        not do it, and a worker gone wild must not use up what the others may need.
        """
        with self._store.lock(self._appid):
            held = self._usable()
            if held is not None and held.value != refused:
                return held.value
            now = self._clock()
            recent = [at for at in self._store.forces(self._appid) if now - at < DAY]
            if len(recent) >= FORCES_A_DAY or any(now - at < FORCE_APART for at in recent):
                return None
            # Noted before asking: an unanswered request may have counted on WeChat's side.
            self._store.note_force(self._appid, now)
            return self._renew(force=True)

    def _usable(self) -> Token | None:
        held = self._store.get(self._appid)
        return held if held is not None and held.refresh_at > self._clock() else None

    def _renew(self, *, force: bool) -> str:
        value, expires_in = self._fetch(force)
        self._store.put(self._appid, Token.granted(value, expires_in, self._clock()))
        return value
