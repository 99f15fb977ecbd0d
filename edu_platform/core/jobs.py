"""Jobs: registered by name, wanted through the outbox, run at least once by the worker.

A job is a small function over operations; it takes only JSON values, may run twice, and runs
inside an application context. `factory` imports every room's `tasks`, which registers them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import CursorResult, or_, select, update
from sqlalchemy.orm import Session

from edu_platform.core.clock import now
from edu_platform.core.models import OutboxMessage

LEASE = timedelta(minutes=30)
LARGEST_ATTEMPTS = 8


@dataclass(frozen=True)
class Periodic:
    """A job that the worker runs by itself every `seconds`."""

    name: str
    seconds: float
    run: Callable[[], None]


registry: dict[str, Callable[..., None]] = {}
periodic: dict[str, Periodic] = {}


def job(name: str) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Register a function as the job `name`."""

    def register(function: Callable[..., None]) -> Callable[..., None]:
        if registry.get(name, function).__qualname__ != function.__qualname__:
            raise RuntimeError(f"two jobs are called {name}")
        registry[name] = function
        return function

    return register


def every(seconds: float, name: str) -> Callable[[Callable[[], None]], Callable[[], None]]:
    """Register a function that the worker runs every `seconds`; it must do nothing when there is nothing to do."""

    def register(function: Callable[[], None]) -> Callable[[], None]:
        periodic[name] = Periodic(name, seconds, function)
        return function

    return register


def enqueue(
    session: Session, name: str, *, due_at: datetime | None = None, **arguments: Any
) -> OutboxMessage:
    """Want the job `name` run after this transaction has committed (not before `due_at`)."""
    if name not in registry:
        raise KeyError(f"no job is called {name}")
    message = OutboxMessage(job=name, arguments=arguments, due_at=due_at or now())
    session.add(message)
    return message


def claim_due(session: Session, *, at: datetime, limit: int = 20) -> list[OutboxMessage]:
    """Lease up to `limit` due messages, so that nobody else runs them before the lease ends."""
    free = or_(OutboxMessage.leased_until.is_(None), OutboxMessage.leased_until < at)
    due = session.scalars(
        select(OutboxMessage)
        .where(OutboxMessage.done_at.is_(None), OutboxMessage.due_at <= at, free)
        .order_by(OutboxMessage.id)
        .limit(limit)
        .with_for_update(skip_locked=True)
    ).all()
    for message in due:
        message.leased_until = at + LEASE
        message.attempts += 1
    return list(due)


def finish(session: Session, message_id: int, *, at: datetime) -> bool:
    """Mark a message as done; False when it already was."""
    done: CursorResult[Any] = session.execute(  # type: ignore[assignment]  # an UPDATE yields a cursor result
        update(OutboxMessage)
        .where(OutboxMessage.id == message_id, OutboxMessage.done_at.is_(None))
        .values(done_at=at, leased_until=None, failure=None)
    )
    return done.rowcount == 1


def fail(session: Session, message_id: int, *, at: datetime, reason: str) -> None:
    """Note why a message failed; it is tried again later, longer each time, and given up after the last attempt."""
    message = session.get_one(OutboxMessage, message_id)
    message.failure = reason[:2000]
    message.leased_until = None
    if message.attempts >= LARGEST_ATTEMPTS:
        message.done_at = at
    else:
        message.due_at = at + timedelta(seconds=2**message.attempts)
