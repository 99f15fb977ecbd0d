"""Jobs: registered by name, wanted through the outbox, run at least once by a worker.

A job is a small function over operations; it takes only JSON values, may run twice, and runs
inside an application context. `factory` imports every room's `tasks`, which registers them.

A worker leases what is due, renews the lease for as long as the job runs, and marks it done. A claim is
known by the count of `attempts` that it made: whoever holds an older one has lost the message. Clocks may
step back: what waits longer than any lease or pause lasts has been written by a clock that ran ahead.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, CursorResult, Select, Update, and_, or_, select, update
from sqlalchemy.orm import Session

from edu_platform.core.clock import now
from edu_platform.core.models import OutboxMessage

LEASE = timedelta(seconds=60)
"""How long a claim holds unless it is renewed: after a worker's sudden death its jobs wait this long."""
LARGEST_ATTEMPTS = 8
LONGEST_PAUSE = timedelta(minutes=5)
"""Between two tries of a job."""


@dataclass(frozen=True)
class Periodic:
    """A job that the worker runs by itself every `seconds`."""

    name: str
    seconds: float
    run: Callable[[], None]


registry: dict[str, Callable[..., None]] = {}
heavy: set[str] = set()
"""Jobs that take a machine's whole strength, such as rendering a film: one runs at a time, and the others go past it."""
patient: set[str] = set()
"""Heavy jobs that nobody waits for: one runs when nothing else is due."""
periodic: dict[str, Periodic] = {}


def job(
    name: str, *, is_heavy: bool = False, is_patient: bool = False
) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Register a function as the job `name`; a patient one is heavy."""
    if is_heavy or is_patient:
        heavy.add(name)
    if is_patient:
        patient.add(name)

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

    Of the heavy ones at most one is on lease at a time, a patient one only when nothing else is due.
    """

    def take(which: ColumnElement[bool], most: int) -> Sequence[OutboxMessage]:
        return session.scalars(_due(which, at=at).limit(most).with_for_update(skip_locked=True)).all()

    # The heavy one first: it needs long, and of two threads the other is still there for the light ones.
    lifting = _lifting(session, at)
    lifted = [] if lifting else take(OutboxMessage.job.in_(heavy - patient), 1)
    claimed = [*take(OutboxMessage.job.not_in(heavy), limit - len(lifted)), *lifted]
    if not claimed and not lifting:
        claimed = [*take(OutboxMessage.job.in_(patient), 1)]
    for message in claimed:
        message.leased_until = at + LEASE
        message.attempts += 1
    return claimed


def renew(session: Session, claims: Mapping[int, int], *, at: datetime) -> None:
    """Lengthen the leases of these claims (message id to attempt); one that is another's by now stays so."""
    for message_id, attempt in sorted(claims.items()):
        session.execute(_claimed(message_id, attempt).values(leased_until=at + LEASE))


def give_back(session: Session, claims: Mapping[int, int]) -> None:
    """Let go of these claims, so that any worker may take the messages at once; not counted as tries."""
    for message_id, attempt in sorted(claims.items()):
        session.execute(
            _claimed(message_id, attempt).values(leased_until=None, attempts=OutboxMessage.attempts - 1)
        )


def _claimed(message_id: int, attempt: int) -> Update:
    return update(OutboxMessage).where(
        OutboxMessage.id == message_id, OutboxMessage.attempts == attempt, OutboxMessage.done_at.is_(None)
    )


def _due(which: ColumnElement[bool], *, at: datetime) -> Select[OutboxMessage]:
    free = or_(
        OutboxMessage.leased_until.is_(None),
        OutboxMessage.leased_until < at,
        OutboxMessage.leased_until > at + 2 * LEASE,
    )
    come = or_(
        OutboxMessage.due_at <= at,
        OutboxMessage.due_at <= OutboxMessage.created_at,
        and_(OutboxMessage.attempts > 0, OutboxMessage.due_at > at + 2 * LONGEST_PAUSE),
    )
    return (
        select(OutboxMessage)
        .where(which, OutboxMessage.done_at.is_(None), come, free)
        .order_by(OutboxMessage.id)
    )


def _lifting(session: Session, at: datetime) -> bool:
    """Say whether a heavy job is on lease."""
    on_lease = OutboxMessage.done_at.is_(None) & OutboxMessage.leased_until.between(at, at + 2 * LEASE)
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


def fail(session: Session, message_id: int, *, at: datetime, reason: str, passing: bool = False) -> None:
    """Note why a message failed; it is tried again later, longer each time.

    It is given up after the last attempt, unless the trouble is `passing` (a database or a store that is
    away): that is no fault of the job's, which then waits for as long as it takes.
    """
    message = session.get_one(OutboxMessage, message_id)
    message.failure = reason[:2000]
    message.leased_until = None
    if message.attempts >= LARGEST_ATTEMPTS and not passing:
        message.done_at = at
    else:
        message.due_at = at + min(timedelta(seconds=2 ** min(message.attempts, 16)), LONGEST_PAUSE)
