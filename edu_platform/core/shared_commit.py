"""Many requests, one durable commit: whoever's turn it is commits for all who wait (docs/decisions/003)."""

from __future__ import annotations

import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Generic, Self, TypeVar

from sqlalchemy import Engine

from edu_platform.core.errors import NotNow
from edu_platform.core.gate import gate_of
from edu_platform.core.troubles import refusal_of

Given = TypeVar("Given")
Made = TypeVar("Made")

MOST_IN_A_COMMIT = 64
PAUSE = 0.004
"""Seconds between the end of a commit and the beginning of the next: whoever comes alone does not wait, and in a crowd
those few milliseconds let a commit carry many, which costs a fraction of a commit each."""


@dataclass(eq=False)
class Ticket(Generic[Given, Made]):
    """Something that waits to be written, and what became of it."""

    given: Given
    outcome: Made | None = None
    refusal: NotNow | None = None
    alone: bool = False

    @property
    def waits(self) -> bool:
        """Say that nothing has become of it yet."""
        return self.outcome is None and self.refusal is None and not self.alone


class SharedCommit(ABC, Generic[Given, Made]):
    """Writes what many threads hand in; `append` returns only when what it was given is durable.

    There is no thread of its own: while one commit is on its way to the disk, and for a moment after it,
    others queue, and the next one takes them all. What is written, and how, says `write`.
    """

    _made: ClassVar[dict[tuple[type[Any], Engine], Any]] = {}
    _making: ClassVar[threading.Lock] = threading.Lock()

    @classmethod
    def of(cls, engine: Engine) -> Self:
        """Return this process's shared commit of this kind into a database."""
        with cls._making:
            if (cls, engine) not in cls._made:
                cls._made[cls, engine] = cls(engine)
            found: Self = cls._made[cls, engine]
            return found

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._door = threading.Lock()
        self._turn = threading.Lock()
        self._waiting: list[Ticket[Given, Made]] = []
        self._not_before = 0.0

    def append(self, given: Given) -> Made:
        """Write one; raise what its own commit raised, or `NotNow` when a shared one could not be made."""
        with gate_of(self._engine).enter():
            return self._append(Ticket(given))

    def _append(self, ticket: Ticket[Given, Made]) -> Made:
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

    def _commit_together(self, batch: list[Ticket[Given, Made]], *, mine: Ticket[Given, Made] | None) -> None:
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

    def append_all(self, together: Sequence[Given]) -> list[Made | None]:
        """Write what was gathered elsewhere along with whoever waits; None for one that is to be tried by itself.

        Raise `NotNow` when it could not be made, which would be so for each of them.
        """
        tickets: list[Ticket[Given, Made]] = [Ticket(given) for given in together]
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

    def _next(self) -> list[Ticket[Given, Made]]:
        time.sleep(max(0.0, self._not_before - time.monotonic()))
        with self._door:
            batch = self._waiting[:MOST_IN_A_COMMIT]
            del self._waiting[:MOST_IN_A_COMMIT]
        return batch

    @abstractmethod
    def write(self, together: Sequence[Given]) -> list[Made]:
        """Write all of it in one transaction and commit; return what became of each. All or none."""

    def append_together(self, together: Sequence[Given]) -> list[Made]:
        """Write it in one commit of its own, all or none."""
        try:
            return self.write(together)
        finally:
            self._not_before = time.monotonic() + PAUSE

    def _commit(self, batch: list[Ticket[Given, Made]]) -> None:
        outcomes = self.append_together([ticket.given for ticket in batch])
        for ticket, outcome in zip(batch, outcomes, strict=True):
            ticket.outcome = outcome
