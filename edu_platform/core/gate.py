"""A gate for writers: when writes come to a standstill, some threads must be left for reading."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import Engine

from edu_platform.core.errors import NotNow

MOST = 12
"""How many may write at a time where nobody said otherwise."""
PATIENCE = 1.0
"""Seconds for which writers may be too many without any of them coming through; who comes then is refused at once."""


class Gate:
    """Lets `most` threads write at a time; more of them wait as long as writes go through, and no longer."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._inside = 0
        self._moved = 0.0
        self._changed = threading.Condition()

    @contextmanager
    def enter(self) -> Iterator[None]:
        """Hold a place; raise `NotNow` when none becomes free."""
        with self._changed:
            while self._inside >= self._most:
                left = PATIENCE - (time.monotonic() - self._moved)
                if left <= 0:
                    raise NotNow
                self._changed.wait(left)
            self._inside += 1
            if self._inside == self._most:
                self._moved = time.monotonic()
        try:
            yield
        finally:
            with self._changed:
                self._inside -= 1
                self._moved = time.monotonic()
                self._changed.notify()


_gates: dict[Engine, Gate] = {}
_making = threading.Lock()


def gate_of(engine: Engine, *, threads: int | None = None) -> Gate:
    """Return this process's gate to a database, made on first use; of `threads` a quarter is left for reading."""
    with _making:
        if engine not in _gates:
            _gates[engine] = Gate(MOST if threads is None else max(1, threads - max(1, threads // 4)))
        return _gates[engine]
