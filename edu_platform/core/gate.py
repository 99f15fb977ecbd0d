"""Gates: how many threads may wait for the database's write lock or an outside service, so that some are left for reading."""

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
    """Lets `most` threads in at a time; more of them wait as long as others come out, and no longer.

    When nobody has come out for `patience` seconds, whoever finds no place is refused at once. Where an error in
    `trouble` ends a visit, what lies behind the gate is taken to be away: one thread at a time tries it, and
    everybody else is refused at once, until a visit ends well.
    """

    def __init__(
        self,
        most: int,
        *,
        patience: float = PATIENCE,
        trouble: tuple[type[Exception], ...] = (),
        refusal: NotNow | None = None,
    ) -> None:
        self._most = most
        self._patience = patience
        self._trouble = trouble
        self._refusal = refusal or NotNow()
        self._inside = 0
        self._moved = 0.0
        self._changed = threading.Condition()
        self.is_away = False

    @contextmanager
    def enter(self) -> Iterator[None]:
        """Hold a place; raise the refusal (`NotNow`) when none becomes free."""
        with self._changed:
            while self._inside >= (1 if self.is_away else self._most):
                left = 0.0 if self.is_away else self._patience - (time.monotonic() - self._moved)
                if left <= 0:
                    raise self._refusal
                self._changed.wait(left)
            self._inside += 1
            if self._inside == self._most:
                self._moved = time.monotonic()
        away = False
        try:
            yield
        except self._trouble:
            away = True
            raise
        finally:
            with self._changed:
                self._inside -= 1
                self._moved = time.monotonic()
                self.is_away = away
                self._changed.notify_all()


_gates: dict[Engine, Gate] = {}
_making = threading.Lock()


def gate_of(engine: Engine, *, threads: int | None = None) -> Gate:
    """Return this process's gate to a database, made on first use; of `threads` a quarter is left for reading."""
    with _making:
        if engine not in _gates:
            _gates[engine] = Gate(MOST if threads is None else max(1, threads - max(1, threads // 4)))
        return _gates[engine]
