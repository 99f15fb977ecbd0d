"""Bounds on how many threads wait for one outside service, so that its trouble does not become everybody's."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from edu_platform.core.errors import NotNow


class Bulkhead:
    """So many `places` and no more; whoever finds none is told to come again (`NotNow`).

    One may wait for a place as long as those who hold one are quick: once somebody has held theirs for `wait`
    seconds, the service is slow, and waiting would only take more threads. Once a call ends in one of `trouble`,
    the service is taken to be away: one call at a time tries it, and everybody else is refused at once, until a
    call ends well.
    """

    def __init__(
        self,
        places: int,
        *,
        wait: float,
        trouble: type[Exception] | tuple[type[Exception], ...],
        refusal: NotNow,
    ) -> None:
        self._free = places
        self._wait = wait
        self._trouble = trouble
        self._refusal = refusal
        self._since: dict[int, float] = {}
        self._changed = threading.Condition()
        self.is_away = False

    @contextmanager
    def place(self) -> Iterator[None]:
        """Hold a place within the block, and learn from how it ends."""
        me = threading.get_ident()
        with self._changed:
            self._enter(me)
        away = False
        try:
            yield
        except self._trouble:
            away = True
            raise
        finally:
            with self._changed:
                self._free += 1
                del self._since[me]
                self.is_away = away
                self._changed.notify_all()

    def _enter(self, me: int) -> None:
        while self._free == 0 or (self.is_away and self._since):
            oldest = min(self._since.values())
            patience = 0.0 if self.is_away else oldest + self._wait - time.monotonic()
            if patience <= 0:
                raise self._refusal
            self._changed.wait(patience)
        self._free -= 1
        self._since[me] = time.monotonic()
