"""The job worker: threads run what the outbox holds, a clock hands it out and runs the periodic jobs."""

from __future__ import annotations

import contextlib
import functools
import signal
import threading
import time
from collections.abc import Callable
from typing import Any

import structlog
from flask import Flask

from edu_platform.core import jobs
from edu_platform.core.clock import now
from edu_platform.core.db import reading, writing
from edu_platform.core.health import WORKER, beat
from edu_platform.core.metrics import JOBS
from edu_platform.core.models import OutboxMessage
from edu_platform.core.troubles import refusal_of

log = structlog.get_logger("worker")
THREADS = 2
TICK = 0.25
RENEW_EVERY = jobs.LEASE.total_seconds() / 4
GRACE = 10.0
"""Seconds that running jobs have to end when the worker is told to stop; then others may take them."""


def run_message(message_id: int, attempt: int) -> bool:
    """Run one outbox message in the present application context, unless it is done or claimed anew by another.

    Return whether it ran to its end. A failure is noted in the message, which is tried again later.
    """
    message = reading().get(OutboxMessage, message_id, populate_existing=True)
    reading().rollback()
    if message is None or message.done_at is not None or message.leased_until is None:
        return False
    if message.attempts != attempt:
        return False
    name, arguments = message.job, dict(message.arguments)
    started = time.perf_counter()
    try:
        jobs.registry[name](**arguments)
    except Exception as wrong:
        log.exception("job_failed", job=name, message=message_id)
        JOBS.add(name, "failed")
        with writing() as session:
            jobs.fail(
                session,
                message_id,
                at=now(),
                reason=f"{type(wrong).__name__}: {wrong}",
                passing=refusal_of(wrong) is not None,
            )
        return False
    with writing() as session:
        jobs.finish(session, message_id, at=now())
    JOBS.add(name, "done")
    log.info("job_done", job=name, message=message_id, seconds=round(time.perf_counter() - started, 2))
    return True


def drain(run: Callable[[int, int], Any], *, limit: int = 20) -> int:
    """Claim up to `limit` due messages and hand each to `run(id, attempt)`; return how many.

    Takes no write lock when nothing is due.
    """
    at = now()
    waiting = jobs.may_claim(reading(), at=at)
    reading().rollback()
    if not waiting:
        return 0
    with writing() as session:
        claimed = [(message.id, message.attempts) for message in jobs.claim_due(session, at=at, limit=limit)]
    for message_id, attempt in claimed:
        run(message_id, attempt)
    return len(claimed)


def run_all_due() -> int:
    """Run every due message here and now, until none is left; return how many. For commands and tests."""
    total = 0
    while count := drain(run_message):
        total += count
    return total


class Worker:
    """Claims no more than its threads can run at once, so that what waits is free for any other worker."""

    def __init__(self, app: Flask, *, threads: int = THREADS) -> None:
        self._app = app
        self._threads = threads
        self._held: dict[int, int] = {}
        self._lock = threading.Lock()
        self.stop = threading.Event()

    def serve(self) -> None:
        """Work until told to stop; then give running jobs a while, and their claims to whoever comes next."""
        keeper = threading.Thread(target=self._keep, name="leases", daemon=True)
        keeper.start()
        due = dict.fromkeys([*jobs.periodic, "beat"], 0.0)
        while not self.stop.wait(TICK):
            with self._app.app_context():
                self._safely("drain", self._take)
                for name, last in due.items():
                    seconds = 5.0 if name == "beat" else jobs.periodic[name].seconds
                    if time.monotonic() - last >= seconds and not self.stop.is_set():
                        due[name] = time.monotonic()
                        self._safely(name, self._beat if name == "beat" else jobs.periodic[name].run)
        give_up = time.monotonic() + GRACE
        while self._claims() and time.monotonic() < give_up:
            time.sleep(TICK)
        with self._app.app_context():
            self._safely("give_back", self._give_back)

    def _take(self) -> None:
        free = self._threads - len(self._claims())
        if free > 0:
            drain(self._start, limit=free)

    def _start(self, message_id: int, attempt: int) -> None:
        with self._lock:
            self._held[message_id] = attempt
        threading.Thread(target=self._run, args=(message_id, attempt), name="job", daemon=True).start()

    def _run(self, message_id: int, attempt: int) -> None:
        try:
            with self._app.app_context():
                self._safely("run", lambda: run_message(message_id, attempt))
        finally:
            with self._lock:
                self._held.pop(message_id, None)

    def _keep(self) -> None:
        """Renew the leases of what runs here; in a thread of its own, since the clock may be at something long."""
        while not self.stop.wait(RENEW_EVERY):
            if claims := self._claims():
                with self._app.app_context():
                    self._safely("renew", functools.partial(self._renew, claims))

    @staticmethod
    def _renew(claims: dict[int, int]) -> None:
        with writing() as session:
            jobs.renew(session, claims, at=now())

    def _give_back(self) -> None:
        if claims := self._claims():
            with writing() as session:
                jobs.give_back(session, claims)

    def _claims(self) -> dict[int, int]:
        with self._lock:
            return dict(self._held)

    @staticmethod
    def _beat() -> None:
        with writing() as session:
            beat(session, WORKER)

    @staticmethod
    def _safely(name: str, step: Callable[[], Any]) -> None:
        try:
            step()
        except Exception as wrong:  # noqa: BLE001 - the worker must go on
            JOBS.add(name, "failed")
            log.warning("step_failed", step=name, error=type(wrong).__name__)
            with contextlib.suppress(Exception):
                reading().rollback()


def serve(app: Flask) -> None:
    """Run the worker until it is told to stop (SIGINT, SIGTERM)."""
    worker = Worker(app)
    for told in (signal.SIGINT, signal.SIGTERM):
        signal.signal(told, lambda *_: worker.stop.set())
    worker.serve()
