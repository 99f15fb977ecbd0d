"""Rate limits, counted per token or address; shared by processes through Valkey.

A community hall or a school reaches the platform from one address, so a signed-in caller is counted alone; the
far larger count of an address bounds whoever invents tokens.
"""

from __future__ import annotations

import contextlib
import hashlib
import threading
import time
from array import array
from functools import lru_cache

from flask import request
from flask_limiter import ApplicationLimit, Limiter
from flask_limiter.util import get_remote_address
from limits import RateLimitItem, parse
from limits.storage import MemoryStorage, Storage
from limits.strategies import FixedWindowRateLimiter

from edu_platform.config.settings import Settings
from edu_platform.core.errors import TooMany

OF_A_CALLER = "600 per minute"
OF_AN_ADDRESS = "12000 per minute"
VALKEY_PATIENCE = 0.5
"""Seconds that Valkey may take to connect, and to answer."""
_TIMEOUTS = ("socket_timeout", "socket_connect_timeout")
CLEARED_EVERY = 10.0
TABLES, FEWEST_PLACES = 256, 16


class _Windows:
    """Windows that were opened, by name: 20 bytes a place, where a dictionary of texts takes some 300 bytes a name.

    A name is a hash that only this process can foretell; 0 is nobody's. It stands at the place that it points to or,
    where that is taken, at the next free one; a quarter of all places is always free.
    """

    def __init__(self, places: int = FEWEST_PLACES, cleared: float = 0.0) -> None:
        self._names = array("Q", bytes(8 * places))
        self._ends = array("d", bytes(8 * places))
        self._counts = array("I", bytes(4 * places))
        self._taken = 0
        self._cleared = cleared

    def __len__(self) -> int:
        return len(self._names)

    def get(self, name: int) -> tuple[int, float]:
        """Return the count and the end of a window; both 0 where there is none."""
        place = self._place(name)
        return self._counts[place], self._ends[place]

    def add(self, name: int, amount: int, *, at: float, expiry: float) -> int:
        """Count `amount` more in the window that is open at a time, or in a new one; return the count.

        Less than none is none: what is given back may have been counted in a window that is over.
        """
        place = self._place(name)
        count, ends = self._counts[place], self._ends[place]
        if not at < ends <= at + expiry:  # it is over, or the clock was set back
            count, ends = 0, at + expiry
        count = max(0, count + amount)
        self._write(place, name, count, ends)
        return count

    def close(self, name: int) -> None:
        """Forget a window."""
        self._write(self._place(name), name, 0, 0.0)

    def _write(self, place: int, name: int, count: int, ends: float) -> None:
        if not self._names[place]:
            self._names[place] = name
            self._taken += 1
        self._counts[place], self._ends[place] = count, ends

    def _place(self, name: int) -> int:
        names = self._names
        place = (name >> 8) % len(names)
        while names[place] and names[place] != name:
            place = (place + 1) % len(names)
        return place

    def ready(self, at: float) -> _Windows:
        """Return these windows or, when they have been kept for long or fill the table, a table of those still open."""
        if self._taken < 0.75 * len(self) and 0 <= at - self._cleared < CLEARED_EVERY:
            return self
        kept = _Windows(max(FEWEST_PLACES, 2 * sum(ends > at for ends in self._ends)), at)
        for name, count, ends in zip(self._names, self._counts, self._ends, strict=True):
            if ends > at:
                kept._write(kept._place(name), name, count, ends)
        return kept


class ProcessCounts(Storage):
    """Counts of this process, for fixed windows, in many small tables, so that clearing one holds nobody up.

    The library's own starts a thread for a request and goes through all callers a hundred times a second.
    """

    STORAGE_SCHEME = ["process"]  # noqa: RUF012 - as its base declares it
    base_exceptions = ValueError

    def __init__(self, uri: str | None = None, *, wrap_exceptions: bool = False, **options: str) -> None:
        del options
        super().__init__(uri, wrap_exceptions=wrap_exceptions)
        self._tables = [_Windows() for _ in range(TABLES)]
        self._lock = threading.Lock()

    def incr(self, key: str, expiry: float, amount: int = 1) -> int:
        """Count `amount` more in the window that is open, or in a new one of `expiry` seconds; return the count."""
        at, name = time.time(), _name(key)
        with self._lock:
            table = self._tables[name % TABLES] = self._tables[name % TABLES].ready(at)
            return table.add(name, amount, at=at, expiry=expiry)

    def get(self, key: str) -> int:
        """Return the count of the window that is open."""
        count, ends = self._window(key)
        return count if ends > time.time() else 0

    def get_expiry(self, key: str) -> float:
        """Return when the window ends."""
        return self._window(key)[1] or time.time()

    def _window(self, key: str) -> tuple[int, float]:
        name = _name(key)
        with self._lock:
            return self._tables[name % TABLES].get(name)

    def check(self) -> bool:
        """Say that it is there."""
        return True

    def reset(self) -> None:
        """Forget all counts."""
        with self._lock:
            self._tables = [_Windows() for _ in range(TABLES)]

    def clear(self, key: str) -> None:
        """Forget one count."""
        name = _name(key)
        with self._lock:
            self._tables[name % TABLES].close(name)


def _name(key: str) -> int:
    return hash(key) % 2**64 or 1


def caller() -> str:
    """Name who is calling: the bearer of a token (never the token itself), else the address."""
    header = request.headers.get("Authorization")
    return f"ip:{get_remote_address()}" if header is None else bearer(header)


def bearer(authorization: str) -> str:
    """Name the bearer of a token by the header that carries it; however it is written, it is the same caller."""
    token = authorization.partition(" ")[2].strip()
    return "token:" + hashlib.sha256(token.encode("utf-8", "surrogateescape")).hexdigest()[:32]


limiter = Limiter(
    key_func=caller,
    headers_enabled=True,
    default_limits=[OF_A_CALLER],
    application_limits=[ApplicationLimit(OF_AN_ADDRESS, key_function=get_remote_address)],
    strategy="fixed-window",
)


class Allowance:
    """What the limiter does for one endpoint, for a layer that is asked before Flask is entered; same counts, same headers."""

    def __init__(self, endpoint: str) -> None:
        self._endpoint = endpoint
        self._of_caller = parse(OF_A_CALLER)
        self._of_address = parse(OF_AN_ADDRESS)

    def take(self, authorization: str, address: str) -> list[tuple[str, str]] | None:
        """Count one request of a bearer; return the headers that tell of it, None when there was one too many.

        None as well while Valkey is away: Flask's own limiter counts then, and asks now and then whether it is back.
        """
        if not limiter.enabled:
            return []
        windows, key = limiter.limiter, bearer(authorization)
        if isinstance(windows.storage, MemoryStorage):
            return None
        try:
            if not windows.hit(self._of_caller, key, self._endpoint) or not windows.hit(
                self._of_address, address, "global"
            ):
                return None
            reset_at, left = windows.get_window_stats(self._of_caller, key, self._endpoint)
        except Exception:  # noqa: BLE001 - a store that is away is the limiter's to bear
            return None
        reset = int(1 + reset_at)
        return [
            ("X-RateLimit-Limit", str(self._of_caller.amount)),
            ("X-RateLimit-Remaining", str(left)),
            ("X-RateLimit-Reset", str(reset)),
            ("Retry-After", str(int(reset - time.time()))),
        ]

    def give_back(self, authorization: str, address: str) -> None:
        """Uncount a request that was counted by `take`, and will be by Flask's own limiter."""
        if limiter.enabled:
            with contextlib.suppress(Exception):  # as in `take`
                limiter.limiter.hit(self._of_caller, bearer(authorization), self._endpoint, cost=-1)
                limiter.limiter.hit(self._of_address, address, "global", cost=-1)


def _storage(valkey_url: str | None) -> str:
    """Return the address as the limits library spells it."""
    if valkey_url is None:
        return "process://"
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


# ---- counting without a view


_parse = lru_cache(parse)
_alone = FixedWindowRateLimiter(ProcessCounts())
_alone_until = 0.0
_AGAIN = 10.0


def count(limit: str, what: str, address: str) -> None:
    """Count one more of `what` for an address; raise TooMany beyond `limit` ("3 per minute").

    While Valkey is away each process counts by itself, and asks again every few seconds.
    """
    global _alone_until
    item: RateLimitItem = _parse(limit)
    strategy = limiter.limiter if time.monotonic() >= _alone_until else _alone
    try:
        within = strategy.hit(item, what, address)
    except Exception:  # noqa: BLE001 - whatever its client raises: being counted never costs an answer
        _alone_until, strategy = time.monotonic() + _AGAIN, _alone
        within = strategy.hit(item, what, address)
    if not within:
        left = strategy.get_window_stats(item, what, address).reset_time - time.time()
        raise TooMany("请求过于频繁，请稍后重试。", retry_after=max(1, int(left) + 1))
