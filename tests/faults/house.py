"""The platform as it runs in production: gunicorn with its shipped settings, the worker, a real database, as processes.

    with House(folder, database, seed) as house:     # starts everything and waits until it is ready
        load = Load(house); load.start()
        house.kill("web worker")                     # SIGKILL; whatever died is started again by a supervisor
        load.stop()
        house.settle()                               # until the fold and the outbox have nothing left
        assert not compare(house, load.ledger).faults

A test that needs more processes (Valkey, an S3 store, a second web, nginx) adds them with `house.run(name, argv)`
before `start()`, and settings with `House(…, settings={"EDU_VALKEY_URL": …})`.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

from tests.faults.databases import Database, children, free_port
from tests.faults.seed import ROOT, Seed, environ_of

WEB, WORKER = "web", "worker"


@dataclass
class _Process:
    argv: list[str]
    environ: dict[str, str]
    running: subprocess.Popen[bytes] | None = None
    kept: bool = False
    deaths: int = 0


@dataclass
class Answer:
    """An HTTP answer: status, headers in lower case, body."""

    status: int
    headers: dict[str, str]
    body: bytes
    seconds: float = field(default=0.0, compare=False)

    @property
    def json(self) -> Any:
        """Return the body, read as JSON."""
        return json.loads(self.body)


class House:
    """A running platform in a folder of its own.

    `application` and `worker` name what runs: the real ones by default; a negative control passes an entry point of
    `tests.faults.weakened`. `settings` are added to the environment of every process; `data_dir` is `<folder>/var` by
    default. The supervisor starts again whatever dies, `after` seconds later, until `leave_dead` or `stop`.
    """

    def __init__(
        self,
        folder: Path,
        database: Database,
        seed: Seed,
        *,
        application: str = "app:app",
        worker: tuple[str, ...] = ("-m", "edu_platform.cli", "worker"),
        settings: dict[str, str] | None = None,
        data_dir: Path | None = None,
        after: float = 0.2,
    ) -> None:
        self.folder, self.database, self.seed = folder, database, seed
        self.data_dir = data_dir or folder / "var"
        shutil.copytree(Path(seed.folder) / "var", self.data_dir)  # the persons' keys, above all
        self.port = free_port()
        self.environ = environ_of(database, self.data_dir, **(settings or {}))
        self.restarts: dict[str, int] = {}
        self._after = after
        self._processes: dict[str, _Process] = {}
        self._ended = threading.Event()
        self._supervisor: threading.Thread | None = None
        self._lock = threading.RLock()
        folder.mkdir(parents=True, exist_ok=True)
        self.run(
            WEB,
            [sys.executable, "-m", "gunicorn", "-c", "deploy/gunicorn.conf.py", application],
            PORT=str(self.port),
        )
        self.run(WORKER, [sys.executable, *worker])

    def run(self, name: str, argv: list[str], **environ: str) -> None:
        """Add a process, started by `start`; its output goes to `<folder>/<name>.log`."""
        self._processes[name] = _Process(argv, {**self.environ, **environ})

    # ---- life

    def __enter__(self) -> Self:
        """Start everything."""
        try:
            self.start()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, *wrong: object) -> None:
        """Stop everything."""
        self.stop()

    def start(self, *, seconds: float = 120) -> None:
        """Start the database and every process, and wait until `/readyz` says ready."""
        self._supervisor = threading.Thread(target=self._supervise, daemon=True)
        self._supervisor.start()
        self.power_on(seconds=seconds)

    def stop(self) -> None:
        """Kill every process of the platform and stop the database."""
        self._ended.set()
        if self._supervisor is not None:
            self._supervisor.join()
        self.power_off()

    def power_off(self) -> None:
        """Kill everything at once, the database too, and leave it dead until `power_on`."""
        with self._lock:
            for process in self._processes.values():
                process.kept = False
                if process.running is not None:
                    with contextlib.suppress(ProcessLookupError):
                        os.killpg(
                            process.running.pid, signal.SIGKILL
                        )  # orphaned workers of a killed master too
                    process.running.wait(10)
            self.database.kill()

    def power_on(self, *, seconds: float = 120) -> float:
        """Start everything again; return how long it took to be ready."""
        began = time.monotonic()
        with self._lock:
            self.database.start()
            for name in self._processes:
                self.revive(name)
        self.wait_ready(seconds)
        return time.monotonic() - began

    def revive(self, name: str) -> None:
        """Start a process and keep it alive from now on."""
        with self._lock:
            process = self._processes[name]
            process.kept = True
            self._launch(name, process)

    def leave_dead(self, name: str, number: int = signal.SIGKILL) -> None:
        """Kill a process and let it stay dead until `revive`."""
        with self._lock:
            process = self._processes[name]
            process.kept = False
            assert process.running is not None
            process.running.send_signal(number)
            process.running.wait(30)

    def _launch(self, name: str, process: _Process) -> None:
        with (self.folder / f"{name}.log").open("ab") as log:
            process.running = subprocess.Popen(
                process.argv, cwd=ROOT, env=process.environ, stdout=log, stderr=log, start_new_session=True
            )

    def _supervise(self) -> None:
        while not self._ended.wait(self._after):
            with self._lock:
                with contextlib.suppress(OSError):  # its log lies on its disk, which a test may have broken
                    self.database.look_after()
                for name, process in self._processes.items():
                    if process.kept and process.running is not None and process.running.poll() is not None:
                        self.restarts[name] = self.restarts.get(name, 0) + 1
                        self._launch(name, process)

    # ---- faults

    def pids(self, part: str) -> list[int]:
        """Return the processes of a part: "web master", "web worker", "job worker", a part of the database, or any name."""
        if part in self.database.parts:
            return self.database.pids(part)
        name = {"web master": WEB, "web worker": WEB, "job worker": WORKER}.get(part, part)
        running = self._processes[name].running
        if running is None or running.poll() is not None:
            return []
        return children(running.pid) if part == "web worker" else [running.pid]

    def kill(self, part: str, number: int = signal.SIGKILL) -> int:
        """Send a signal (SIGKILL) to one process of a part; return its pid. Raise LookupError when none lives."""
        pids = self.pids(part)
        if not pids:
            raise LookupError(f"no {part} lives")
        os.kill(pids[-1], number)
        return pids[-1]

    # ---- talking to it

    def ask(
        self, path: str, *, method: str = "GET", body: Any = None, token: str | None = None, seconds: float = 30,
        headers: dict[str, str] | None = None, port: int | None = None,
    ) -> Answer:  # fmt: skip
        """Send one request on a connection of its own; raise OSError or http.client.HTTPException when it breaks."""
        sent = dict(headers or {})
        if token is not None:
            sent["Authorization"] = f"Bearer {token}"
        raw = None
        if body is not None:
            raw = body if isinstance(body, bytes) else json.dumps(body).encode()
            sent.setdefault("Content-Type", "application/json")
        connection = http.client.HTTPConnection("127.0.0.1", port or self.port, timeout=seconds)
        began = time.monotonic()
        try:
            connection.request(method, path, raw, sent)
            answer = connection.getresponse()
            found = answer.read()
        finally:
            connection.close()
        named = {name.lower(): value for name, value in answer.getheaders()}
        return Answer(answer.status, named, found, time.monotonic() - began)

    def is_up(self, path: str = "/healthz") -> bool:
        """Say whether it answers 200 now."""
        try:
            return self.ask(path, seconds=5).status == 200
        except (OSError, http.client.HTTPException):
            return False

    def wait_ready(self, seconds: float = 120) -> float:
        """Wait until `/readyz` is 200; return how long that took."""
        began = time.monotonic()
        while not self.is_up("/readyz"):
            if time.monotonic() - began > seconds:
                raise TimeoutError(f"not ready within {seconds} s:\n{self.log_tail()}")
            time.sleep(0.05)
        return time.monotonic() - began

    def wait_until(self, true: Any, seconds: float = 30, what: str = "it") -> float:
        """Wait until `true()` is; return how long that took. What it raises counts as not yet."""
        began = time.monotonic()
        while True:
            with contextlib.suppress(Exception):
                if true():
                    return time.monotonic() - began
            if time.monotonic() - began > seconds:
                raise TimeoutError(f"{what} did not come within {seconds} s:\n{self.log_tail()}")
            time.sleep(0.05)

    def settle(self, seconds: float = 180) -> float:
        """Wait until the fold has reached the end of the log and no job is due; return how long that took."""
        lag = (
            "SELECT (SELECT coalesce(max(id), 0) FROM beacon)"
            " - coalesce((SELECT last_id FROM fold_mark WHERE name = 'beacon'), 0),"
            " (SELECT count(*) FROM outbox_message WHERE done_at IS NULL)"
        )
        return self.wait_until(lambda: self.database.rows(lag) == [(0, 0)], seconds, "the end of the fold")

    def complaints(self) -> list[str]:
        """Return what the processes logged as unexpected."""
        return [
            line
            for path in sorted(self.folder.glob("*.log"))
            for line in path.read_text(errors="replace").splitlines()
            if '"event": "unexpected"' in line
        ]

    def log_tail(self) -> str:
        """Return the last lines of every log, for a failing test."""
        return "\n".join(
            f"--- {path.name}\n" + "\n".join(path.read_text(errors="replace").splitlines()[-8:])
            for path in sorted(self.folder.glob("*.log"))
        )
