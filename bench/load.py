"""Servers under load: start them on one core, drive them from another, read what they cost from the kernel."""

from __future__ import annotations

import contextlib
import http.client
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]
CONNECTIONS = 16
TICK = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Request:
    """One request to send."""

    method: str
    path: str
    body: bytes | None = None
    headers: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class Cost:
    """What a run of requests cost the whole server."""

    requests: int
    cpu_per_thousand: float
    per_second: float
    p99_ms: float


def middle(costs: Sequence[Cost]) -> Cost:
    """Return the one in the middle of an odd number of runs."""
    return sorted(costs, key=lambda cost: cost.cpu_per_thousand)[len(costs) // 2]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextlib.contextmanager
def server(application: str, environ: dict[str, str]) -> Iterator[tuple[int, int]]:
    """Run `application` under the gunicorn settings that ship, on the first core; yield (port, pid)."""
    port = free_port()
    cores = sorted(os.sched_getaffinity(0))
    process = subprocess.Popen(
        [sys.executable, "-m", "gunicorn", "-c", "deploy/gunicorn.conf.py", application],
        cwd=ROOT,
        env={**environ, "PORT": str(port)},
        preexec_fn=lambda: os.sched_setaffinity(0, cores[:1]),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        _wait(port, process)
        os.sched_setaffinity(0, cores[1:] or cores)
        yield port, process.pid
    finally:
        os.sched_setaffinity(0, cores)
        process.terminate()
        process.wait(30)


def _wait(port: int, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline and process.poll() is None:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 0.2):
            return
        time.sleep(0.05)
    raise RuntimeError("the server did not start")


def _family(pid: int) -> list[int]:
    found = [pid]
    for path in Path(f"/proc/{pid}/task").glob("*/children"):
        for child in path.read_text().split():
            found += _family(int(child))
    return found


def cpu_seconds(pid: int) -> float:
    """Return the CPU time that a process and its descendants have used."""
    total = 0
    for member in _family(pid):
        fields = Path(f"/proc/{member}/stat").read_text().rsplit(")", 1)[1].split()
        total += int(fields[11]) + int(fields[12])
    return total / TICK


def drive(port: int, pid: int, count: int, make: Callable[[int], Request], *, expect: int = 200) -> Cost:
    """Send `count` requests over 16 connections; raise when an answer is not `expect`."""
    times: list[float] = []
    wrong: list[str] = []
    numbers = iter(range(count))
    lock = threading.Lock()

    def work() -> None:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
        mine: list[float] = []
        while True:
            with lock:
                number = next(numbers, None)
            if number is None:
                break
            request = make(number)
            start = time.perf_counter()
            connection.request(request.method, request.path, request.body, dict(request.headers))
            answer = connection.getresponse()
            body = answer.read()
            mine.append(time.perf_counter() - start)
            if answer.status != expect:
                wrong.append(f"{answer.status} {body[:200]!r}")
                break
        connection.close()
        with lock:
            times.extend(mine)

    before, start = cpu_seconds(pid), time.perf_counter()
    threads = [threading.Thread(target=work) for _ in range(CONNECTIONS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    wall = time.perf_counter() - start
    if wrong:
        raise RuntimeError(wrong[0])
    cpu = cpu_seconds(pid) - before
    times.sort()
    return Cost(count, cpu / count * 1000, count / wall, times[int(len(times) * 0.99) - 1] * 1000)
