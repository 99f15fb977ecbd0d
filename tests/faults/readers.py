"""Readers who ask for kept pages without pause while something else goes wrong, and note what they got."""

from __future__ import annotations

import http.client
import threading
import time
from collections import Counter
from typing import Self

from tests.faults.house import House

LIST = "/api/v1/pieces?limit=20"


class Readers:
    """Threads that read a list, a piece and `/healthz` in turn, half of them on kept connections.

    with Readers(house) as readers: …
    assert not readers.failures
    """

    def __init__(
        self, house: House, *, port: int | None = None, threads: int = 4, pause: float = 0.01
    ) -> None:
        self._port, self._pause = port or house.port, pause
        self._paths = (LIST, f"/api/v1/pieces/{house.seed.pieces[0]}", "/healthz")
        self._ended = threading.Event()
        self._threads = [threading.Thread(target=self._read, args=(n,)) for n in range(threads)]
        self.failures: list[str] = []
        self.statuses: Counter[int] = Counter()
        self.seconds: list[float] = []
        self.ages: list[int] = []

    def __enter__(self) -> Self:
        """Ask for everything once, so that it is kept, and begin."""
        for path in self._paths:
            self._ask(http.client.HTTPConnection("127.0.0.1", self._port, timeout=30), path).close()
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *wrong: object) -> None:
        """End."""
        self._ended.set()
        for thread in self._threads:
            thread.join()

    @property
    def p99_ms(self) -> float:
        """Return how long the slowest of a hundred waited."""
        found = sorted(self.seconds)
        return found[max(0, int(len(found) * 0.99) - 1)] * 1000

    @property
    def slowest_ms(self) -> float:
        """Return how long the slowest waited."""
        return max(self.seconds) * 1000

    @property
    def figures(self) -> dict[str, float]:
        """Return what a note of a proof tells of them."""
        return {
            "reads": len(self.seconds),
            "reads_failed": len(self.failures),
            "slowest_read_ms": round(self.slowest_ms),
        }

    def __str__(self) -> str:
        """Say it in one line."""
        return (
            f"{len(self.seconds)} reads, {len(self.failures)} failed, p99 {self.p99_ms:.0f} ms, "
            f"slowest {self.slowest_ms:.0f} ms, oldest {max(self.ages, default=0)} s"
        )

    def _ask(self, connection: http.client.HTTPConnection, path: str) -> http.client.HTTPConnection:
        began = time.monotonic()
        connection.request("GET", path)
        answer = connection.getresponse()
        body = answer.read()
        self.seconds.append(time.monotonic() - began)
        self.statuses[answer.status] += 1
        if answer.status != 200:
            self.failures.append(f"{path}: {answer.status} {body[:200]!r}")
        if age := answer.headers.get("Age"):
            self.ages.append(int(age))
        return connection

    def _read(self, number: int) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=30)
        turn = number
        while not self._ended.is_set():
            path = self._paths[turn % len(self._paths)]
            turn += 1
            try:
                self._ask(connection, path)
            except (OSError, http.client.HTTPException) as wrong:
                self.failures.append(f"{path}: {wrong!r}")
                connection.close()
            if number % 2:
                connection.close()
            time.sleep(self._pause)
        connection.close()
