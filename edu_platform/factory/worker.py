"""The job worker: huey runs what the outbox holds; a clock runs the periodic jobs and gives signs of life."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

import structlog
from flask import Flask
from huey import Huey, RedisHuey, SqliteHuey
from huey.consumer import Consumer
from sqlalchemy import update

from edu_platform.config.settings import Settings
from edu_platform.core import jobs
from edu_platform.core.clock import now
from edu_platform.core.db import reading, writing
from edu_platform.core.health import WORKER, beat
from edu_platform.core.models import OutboxMessage

log = structlog.get_logger("worker")
THREADS = 2


def queue_of(settings: Settings) -> Huey:
    """Return the queue: on Valkey when there is one, else in a file of its own."""
    if settings.valkey_url:
        return RedisHuey("edu", url=settings.valkey_url.replace("valkey://", "redis://"), results=False)
    settings.data_dir.mkdir(parents=True, exist_ok=True)
    # huey uses Python's own SQLite, which may have the WAL-reset bug: no WAL there.
    return SqliteHuey(
        "edu",
        filename=str(settings.data_dir / "jobs.sqlite3"),
        fsync=True,
        journal_mode="delete",
        results=False,
    )


def run_message(message_id: int, lease: str) -> bool:
    """Run one outbox message in the present application context, unless it is done or its lease is another's.

    Return whether it ran to its end. A failure is noted in the message, which is tried again later.
    """
    with writing() as session:
        message = session.get(OutboxMessage, message_id)
        if message is None or message.done_at is not None or message.leased_until is None:
            return False
        if message.leased_until.isoformat() != lease:
            return False
        name, arguments = message.job, dict(message.arguments)
    started = time.perf_counter()
    try:
        jobs.registry[name](**arguments)
    except Exception as wrong:
        log.exception("job_failed", job=name, message=message_id)
        with writing() as session:
            jobs.fail(session, message_id, at=now(), reason=f"{type(wrong).__name__}: {wrong}")
        return False
    with writing() as session:
        jobs.finish(session, message_id, at=now())
    log.info("job_done", job=name, message=message_id, seconds=round(time.perf_counter() - started, 2))
    return True


def drain(run: Callable[[int, str], Any]) -> int:
    """Hand every due message to `run(id, lease)`; return how many. Takes no write lock when nothing is due."""
    at = now()
    waiting = jobs.may_claim(reading(), at=at)
    reading().rollback()
    if not waiting:
        return 0
    with writing() as session:
        leased = [
            (m.id, m.leased_until.isoformat()) for m in jobs.claim_due(session, at=at) if m.leased_until
        ]
    for message_id, lease in leased:
        run(message_id, lease)
    return len(leased)


def run_all_due() -> int:
    """Run every due message here and now, until none is left; return how many. For commands and tests."""
    total = 0
    while count := drain(run_message):
        total += count
    return total


class _Clock(threading.Thread):
    """Drains the outbox, runs the periodic jobs, beats."""

    def __init__(self, app: Flask, run: Callable[[int, str], Any]) -> None:
        super().__init__(name="clock", daemon=True)
        self._app, self._run, self.stop = app, run, threading.Event()

    def run(self) -> None:
        due = dict.fromkeys([*jobs.periodic, "beat"], 0.0)
        while not self.stop.wait(0.25):
            with self._app.app_context():
                self._safely("drain", lambda: drain(self._run))
                for name, last in due.items():
                    seconds = 5.0 if name == "beat" else jobs.periodic[name].seconds
                    if time.monotonic() - last >= seconds:
                        due[name] = time.monotonic()
                        self._safely(name, self._beat if name == "beat" else jobs.periodic[name].run)

    @staticmethod
    def _beat() -> None:
        with writing() as session:
            beat(session, WORKER)

    @staticmethod
    def _safely(name: str, step: Callable[[], Any]) -> None:
        try:
            step()
        except Exception as wrong:  # noqa: BLE001 - the clock must go on
            log.warning("periodic_failed", job=name, error=type(wrong).__name__, detail=str(wrong)[:200])


def serve(app: Flask, settings: Settings) -> None:
    """Run the worker until it is told to stop (SIGINT, SIGTERM)."""
    queue = queue_of(settings)

    @queue.task()  # type: ignore[untyped-decorator]  # huey is untyped
    def outbox(message_id: int, lease: str) -> None:
        with app.app_context():
            run_message(message_id, lease)

    with app.app_context(), writing() as session:
        # What another life of this worker left unfinished is free again; what it left in the queue is stale.
        session.execute(
            update(OutboxMessage).where(OutboxMessage.done_at.is_(None)).values(leased_until=None)
        )
    queue.storage.flush_queue()
    clock = _Clock(app, outbox)
    consumer = Consumer(queue, workers=THREADS, periodic=False, initial_delay=0.1, max_delay=1.0)
    clock.start()
    try:
        consumer.run()
    finally:
        clock.stop.set()
