"""Many requests, one durable commit: whoever's turn it is commits for all who wait (docs/decisions/003)."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Engine

from edu_platform.core.errors import NotNow
from edu_platform.core.gate import gate_of
from edu_platform.core.troubles import refusal_of
from edu_platform.reach.operations.log import Outcome, Repeated, Submission, append

MOST_IN_A_COMMIT = 64
PAUSE = 0.004
"""Seconds between the end of a commit and the beginning of the next: whoever comes alone does not wait, and in a crowd
those few milliseconds let a commit carry many, which costs a fraction of a commit each."""


@dataclass(eq=False)
class _Ticket:
    submission: Submission
    outcome: Outcome | None = None
    refusal: NotNow | None = None
    alone: bool = False

    @property
    def waits(self) -> bool:
        """Say that nothing has become of it yet."""
        return self.outcome is None and self.refusal is None and not self.alone


class SharedCommit:
    """Appends submissions of many threads; `append` returns only when its submission is durable.

    There is no thread of its own: while one commit is on its way to the disk, and for a moment after it,
    others queue, and the next one takes them all.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._door = threading.Lock()
        self._turn = threading.Lock()
        self._waiting: list[_Ticket] = []
        self._not_before = 0.0

    def append(self, submission: Submission) -> Outcome:
        """Append one submission; raise what its own commit raised, or `NotNow` when a shared one could not be made."""
        with gate_of(self._engine).enter():
            return self._append(_Ticket(submission))

    def _append(self, ticket: _Ticket) -> Outcome:
        with self._door:
            self._waiting.append(ticket)
        while ticket.outcome is None:
            with self._turn:
                if ticket.outcome is not None:
                    break
                if ticket.refusal is not None:
                    raise ticket.refusal
                if ticket.alone:
                    self._commit([ticket])
                    break
                self._commit_together(self._next(), mine=ticket)
        if ticket.outcome is None:  # pragma: no cover - the loop ends with an outcome or an exception
            raise NotNow
        return ticket.outcome

    def _commit_together(self, batch: list[_Ticket], *, mine: _Ticket | None) -> None:
        try:
            self._commit(batch)
        except Exception as wrong:
            refusal = refusal_of(wrong)
            if refusal is None and batch == [mine]:
                raise
            # Busy, full, gone: it would be so for each of them, one after the other, and for those who wait behind
            # them, after as long again. Anything else is the fault of one of them that cannot be stored: each tries
            # alone, so that only that one fails.
            if refusal is not None:
                with self._door:
                    batch = [*batch, *self._waiting]
                    self._waiting.clear()
            for ticket in batch:
                ticket.refusal, ticket.alone = refusal, refusal is None
            if refusal is not None and mine is not None and mine in batch:
                raise
        except BaseException:
            for ticket in batch:
                ticket.refusal = NotNow()
            raise

    def append_all(self, submissions: Sequence[Submission]) -> list[Outcome | None]:
        """Append what was gathered elsewhere along with whoever waits; None for one that is to be tried by itself.

        Raise `NotNow` when it could not be made, which would be so for each of them.
        """
        tickets = [_Ticket(submission) for submission in submissions]
        with gate_of(self._engine).enter():
            with self._door:
                self._waiting += tickets
            with self._turn:
                while any(ticket.waits for ticket in tickets):
                    self._commit_together(self._next(), mine=None)
        refusal = next((ticket.refusal for ticket in tickets if ticket.refusal is not None), None)
        if refusal is not None:
            raise refusal
        return [ticket.outcome for ticket in tickets]

    def _next(self) -> list[_Ticket]:
        time.sleep(max(0.0, self._not_before - time.monotonic()))
        with self._door:
            batch = self._waiting[:MOST_IN_A_COMMIT]
            del self._waiting[:MOST_IN_A_COMMIT]
        return batch

    def append_together(self, submissions: Sequence[Submission]) -> list[Outcome]:
        """Append submissions in one commit of their own, all or none."""
        try:
            return self._write(submissions, hopeful=True)
        except Repeated:
            return self._write(submissions, hopeful=False)
        finally:
            self._not_before = time.monotonic() + PAUSE

    def _commit(self, batch: list[_Ticket]) -> None:
        outcomes = self.append_together([ticket.submission for ticket in batch])
        for ticket, outcome in zip(batch, outcomes, strict=True):
            ticket.outcome = outcome

    def _write(self, submissions: Sequence[Submission], *, hopeful: bool) -> list[Outcome]:
        with self._engine.connect().execution_options(writing=True) as connection, connection.begin():
            return append(connection, submissions, hopeful=hopeful)


_shared: dict[Engine, SharedCommit] = {}
_making = threading.Lock()


def shared_commit_of(engine: Engine) -> SharedCommit:
    """Return this process's shared commit into a database."""
    with _making:
        if engine not in _shared:
            _shared[engine] = SharedCommit(engine)
        return _shared[engine]
