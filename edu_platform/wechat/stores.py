"""Where the access token is kept: in the process, in a folder of this machine, in Valkey.

All three keep the `TokenStore` contract of `tokens`. A token is a secret: the folder is readable by
its owner only, and so should the Valkey be.
"""

from __future__ import annotations

import fcntl
import json
import os
import re
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from edu_platform.wechat.errors import Unavailable
from edu_platform.wechat.tokens import DAY, FORCES_A_DAY, Token

if TYPE_CHECKING:  # its client takes memory and time to load, and most installations have no Valkey
    import redis

LOCK_WAIT = 30.0
"""Seconds to wait for another worker's fetch; longer than a fetch with all its retries."""

POLL = 0.02


class MemoryTokenStore:
    """For a single process: its threads share one token."""

    def __init__(self, *, wait: float = LOCK_WAIT) -> None:
        self._wait = wait
        self._guard = threading.Lock()
        self._tokens: dict[str, Token] = {}
        self._forces: dict[str, list[float]] = {}
        self._locks: dict[str, threading.Lock] = {}

    def get(self, appid: str) -> Token | None:
        """Return the token kept in this process."""
        with self._guard:
            return self._tokens.get(appid)

    def put(self, appid: str, token: Token) -> None:
        """Keep the token in this process."""
        with self._guard:
            self._tokens[appid] = token

    def drop(self, appid: str, value: str) -> None:
        """Forget the token if it is still this one."""
        with self._guard:
            held = self._tokens.get(appid)
            if held is not None and held.value == value:
                del self._tokens[appid]

    @contextmanager
    def lock(self, appid: str) -> Iterator[None]:
        """Hold off the other threads."""
        with self._guard:
            mine = self._locks.setdefault(appid, threading.Lock())
        if not mine.acquire(timeout=self._wait):
            raise Unavailable("waited too long for another thread's token")
        try:
            yield
        finally:
            mine.release()

    def forces(self, appid: str) -> Sequence[float]:
        """Return the times noted."""
        with self._guard:
            return tuple(self._forces.get(appid, ()))

    def note_force(self, appid: str, at: float) -> None:
        """Note a forced refresh."""
        with self._guard:
            self._forces[appid] = _recent([*self._forces.get(appid, ()), at], at)


class FileTokenStore:
    """For several processes on one machine: a file per app in a folder of its own.

    Files are replaced whole, so that a reader sees the old one or the new one; locks are `flock`
    on files beside them, which the system lets go when a process dies.
    """

    def __init__(self, folder: Path, *, wait: float = LOCK_WAIT) -> None:
        self._folder = folder
        self._wait = wait
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        folder.chmod(0o700)

    def get(self, appid: str) -> Token | None:
        """Return the token in the app's file; none if the file is missing or damaged."""
        return _token(self._read(appid).get("token"))

    def put(self, appid: str, token: Token) -> None:
        """Write the token into the app's file."""
        with self._changing(appid) as kept:
            kept["token"] = {
                "value": token.value,
                "refresh_at": token.refresh_at,
                "expires_at": token.expires_at,
            }

    def drop(self, appid: str, value: str) -> None:
        """Remove the token from the file if it is still this one."""
        with self._changing(appid) as kept:
            held = _token(kept.get("token"))
            if held is not None and held.value == value:
                del kept["token"]

    @contextmanager
    def lock(self, appid: str) -> Iterator[None]:
        """Hold off other processes and threads."""
        with self._locked(self._path(appid, "fetching")):
            yield

    def forces(self, appid: str) -> Sequence[float]:
        """Return the times in the file."""
        return _times(self._read(appid))

    def note_force(self, appid: str, at: float) -> None:
        """Write down a forced refresh."""
        with self._changing(appid) as kept:
            kept["forces"] = _recent([*_times(kept), at], at)

    def _path(self, appid: str, suffix: str) -> Path:
        if not re.fullmatch(r"[0-9A-Za-z_-]{1,64}", appid):
            raise ValueError("appid is not a file name")
        return self._folder / f"{appid}.{suffix}"

    def _read(self, appid: str) -> dict[str, Any]:
        try:
            kept = json.loads(self._path(appid, "json").read_bytes())
        except (FileNotFoundError, ValueError):
            # A damaged file is only a cache lost: the next fetch writes it anew.
            return {}
        return cast("dict[str, Any]", kept) if isinstance(kept, dict) else {}

    @contextmanager
    def _changing(self, appid: str) -> Iterator[dict[str, Any]]:
        path = self._path(appid, "json")
        with self._locked(self._path(appid, "writing")):
            kept = self._read(appid)
            before = json.dumps(kept)
            yield kept
            after = json.dumps(kept)
            if after == before:
                return
            # mkstemp makes it 0600 from the start: no moment at which others could read it.
            handle, name = tempfile.mkstemp(dir=self._folder, prefix=".new-")
            try:
                with os.fdopen(handle, "w") as file:
                    file.write(after)
                Path(name).replace(path)
            except BaseException:
                Path(name).unlink(missing_ok=True)
                raise

    @contextmanager
    def _locked(self, path: Path) -> Iterator[None]:
        # Opened anew each time: flock belongs to the open file, so threads exclude each other too.
        handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            give_up = time.monotonic() + self._wait
            while True:
                try:
                    fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    break
                except BlockingIOError:
                    if time.monotonic() >= give_up:
                        raise Unavailable("waited too long for another worker's token") from None
                    time.sleep(POLL)
            yield
        finally:
            os.close(handle)


class ValkeyTokenStore:
    """For workers on several machines: keys of one Valkey or Redis, which all workers reach."""

    _DROP = """
        if redis.call('hget', KEYS[1], 'value') == ARGV[1] then
            return redis.call('del', KEYS[1])
        end
        return 0
    """

    def __init__(self, server: redis.Redis, *, prefix: str = "edu:wechat:", wait: float = LOCK_WAIT) -> None:
        self._server = server
        self._prefix = prefix
        self._wait = wait

    def get(self, appid: str) -> Token | None:
        """Return the token under the app's key."""
        with _answering():
            kept = cast("dict[Any, Any]", self._server.hgetall(self._key(appid, "token")))
        return _token({_text(name): _text(value) for name, value in kept.items()})

    def put(self, appid: str, token: Token) -> None:
        """Keep the token for at most a day."""
        key = self._key(appid, "token")
        with _answering(), self._server.pipeline(transaction=True) as both:
            both.hset(
                key,
                mapping={
                    "value": token.value,
                    "refresh_at": repr(token.refresh_at),
                    "expires_at": repr(token.expires_at),
                },
            )
            both.expire(key, int(DAY))
            both.execute()

    def drop(self, appid: str, value: str) -> None:
        """Remove the token, in one step, if it is still this one."""
        with _answering():
            self._server.eval(self._DROP, 1, self._key(appid, "token"), value)

    @contextmanager
    def lock(self, appid: str) -> Iterator[None]:
        """Hold off workers everywhere; the lock ends by itself when its holder dies."""
        # The lock's own time-out frees it when its holder dies; releasing checks the owner.
        held = self._server.lock(
            self._key(appid, "fetching"),
            timeout=self._wait,
            blocking_timeout=self._wait,
            sleep=POLL,
            raise_on_release_error=False,
        )
        with _answering():
            if not held.acquire():
                raise Unavailable("waited too long for another worker's token")
        try:
            yield
        finally:
            # Should it fail, the lock ends by its time-out; the token in hand is good all the same.
            with suppress(Unavailable), _answering():
                held.release()

    def forces(self, appid: str) -> Sequence[float]:
        """Return the times noted."""
        with _answering():
            kept = cast("list[Any]", self._server.lrange(self._key(appid, "forces"), 0, -1))
        return tuple(float(_text(at)) for at in kept)

    def note_force(self, appid: str, at: float) -> None:
        """Note a forced refresh; the list ends a day after the last one."""
        key = self._key(appid, "forces")
        with _answering(), self._server.pipeline(transaction=True) as all_three:
            all_three.lpush(key, repr(at))
            all_three.ltrim(key, 0, FORCES_A_DAY)
            all_three.expire(key, int(DAY))
            all_three.execute()

    def _key(self, appid: str, what: str) -> str:
        # The braces keep the keys of one app on one node of a cluster.
        return f"{self._prefix}{{{appid}}}:{what}"


@contextmanager
def _answering() -> Iterator[None]:
    import redis

    try:
        yield
    except redis.RedisError as error:
        raise Unavailable(f"token store: {type(error).__name__}") from error


def _token(kept: object) -> Token | None:
    """Return the token that was written down, or None if that is not what it looks like."""
    if not isinstance(kept, dict):
        return None
    try:
        return Token(str(kept["value"]), float(kept["refresh_at"]), float(kept["expires_at"]))
    except (KeyError, TypeError, ValueError):
        return None


def _text(value: bytes | str) -> str:
    return value.decode() if isinstance(value, bytes) else value


def _times(kept: dict[str, Any]) -> tuple[float, ...]:
    times = kept.get("forces")
    return tuple(at for at in times if isinstance(at, int | float)) if isinstance(times, list) else ()


def _recent(times: Sequence[float], now: float) -> list[float]:
    return [at for at in times if now - at < DAY]
