"""Jobs: registered by name, wanted through the outbox, run at least once by the worker.

A job is a small function over operations; it takes only JSON values, may run twice, and runs
inside an application context. `factory` imports every room's `tasks`, which registers them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, CursorResult, Select, or_, select, update
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
heavy: set[str] = set()
"""Jobs that take a machine's whole strength, such as rendering a film: one runs at a time, and the others go past it."""
periodic: dict[str, Periodic] = {}


def job(name: str, *, is_heavy: bool = False) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Register a function as the job `name`."""
    if is_heavy:
        heavy.add(name)

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


def may_claim(session: Session, *, at: datetime) -> bool:
    """Say whether `claim_due` would find anything; takes no lock."""
    if session.scalar(_due(OutboxMessage.job.not_in(heavy), at=at).limit(1)) is not None:
        return True
    return (
        not _lifting(session, at)
        and session.scalar(_due(OutboxMessage.job.in_(heavy), at=at).limit(1)) is not None
    )


def claim_due(session: Session, *, at: datetime, limit: int = 20) -> list[OutboxMessage]:
    """Lease up to `limit` due messages, so that nobody else runs them before the lease ends.

    Of the heavy ones at most one is on lease at a time.
    """

    def take(which: ColumnElement[bool], most: int) -> Sequence[OutboxMessage]:
        return session.scalars(_due(which, at=at).limit(most).with_for_update(skip_locked=True)).all()

    claimed = list(take(OutboxMessage.job.not_in(heavy), limit))
    if not _lifting(session, at):
        claimed += take(OutboxMessage.job.in_(heavy), 1)
    for message in claimed:
        message.leased_until = at + LEASE
        message.attempts += 1
    return claimed


def _due(which: ColumnElement[bool], *, at: datetime) -> Select[OutboxMessage]:
    free = or_(OutboxMessage.leased_until.is_(None), OutboxMessage.leased_until < at)
    return (
        select(OutboxMessage)
        .where(which, OutboxMessage.done_at.is_(None), OutboxMessage.due_at <= at, free)
        .order_by(OutboxMessage.id)
    )


def _lifting(session: Session, at: datetime) -> bool:
    """Say whether a heavy job is on lease."""
    on_lease = OutboxMessage.done_at.is_(None) & (OutboxMessage.leased_until >= at)
    return (
        session.scalar(select(OutboxMessage.id).where(OutboxMessage.job.in_(heavy), on_lease).limit(1))
        is not None
    )


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
