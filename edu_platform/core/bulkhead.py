"""Bounds on how many threads wait for one outside service, so that its trouble does not become everybody's."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from edu_platform.core.errors import NotNow


class Bulkhead:
    """So many `places` and no more; whoever finds none within `wait` seconds is told to come again (`NotNow`).

    Once a call ends in one of `trouble`, the service is taken to be away: one call at a time tries it, and
    everybody else is refused at once, until a call ends well.
    """

    def __init__(
        self,
        places: int,
        *,
        wait: float,
        trouble: type[Exception] | tuple[type[Exception], ...],
        refusal: NotNow,
    ) -> None:
        self._places = threading.BoundedSemaphore(places)
        self._trial = threading.Lock()
        self._wait = wait
        self._trouble = trouble
        self._refusal = refusal
        self.is_away = False

    @contextmanager
    def place(self) -> Iterator[None]:
        """Hold a place within the block, and learn from how it ends."""
        holder: threading.Lock | threading.BoundedSemaphore
        if self.is_away:
            holder, taken = self._trial, self._trial.acquire(blocking=False)
        else:
            holder, taken = self._places, self._places.acquire(timeout=self._wait)
        if not taken:
            raise self._refusal
        try:
            yield
        except self._trouble:
            self.is_away = True
            raise
        else:
            self.is_away = False
        finally:
            holder.release()
