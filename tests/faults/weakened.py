"""The platform with protections taken out, for negative controls: a test that still passes over it tests nothing.

`House(…, **weakened("no_fsync"))` runs web and worker so. Nothing of this is in the platform: each function below
replaces a piece of it in the process that this module starts.
"""

from __future__ import annotations

import contextlib
import sys
import threading
import time
from typing import Any

from flask import Flask


def weakened(*names: str) -> dict[str, Any]:
    """Return what `House` takes to run with these protections taken out."""
    return {
        "application": f"tests.faults.weakened:application({', '.join(map(repr, names))})",
        "worker": ("-m", "tests.faults.weakened", *names),
    }


def _replace(owner: Any, name: str, by: Any) -> None:
    """Put `by` in the place of a protection; fail when it is no longer there, or the control would control nothing."""
    assert hasattr(owner, name), f"{owner} has no {name} any more"
    setattr(owner, name, by)


def answer_before_commit() -> None:
    """Acknowledge beacons at once, and store them half a second later."""
    from edu_platform.reach.operations.log import Outcome
    from edu_platform.reach.operations.shared_commit import SharedCommit

    real = SharedCommit.append

    def early(self: SharedCommit, submission: Any) -> Outcome:
        def later() -> None:
            time.sleep(0.5)
            real(self, submission)

        threading.Thread(target=later, daemon=True).start()
        return Outcome(accepted=len(submission.deeds))

    real_all = SharedCommit.append_all

    def early_all(self: SharedCommit, submissions: Any) -> list[Outcome | None]:
        def later() -> None:
            time.sleep(0.5)
            real_all(self, submissions)

        threading.Thread(target=later, daemon=True).start()
        return [Outcome(accepted=len(one.deeds)) for one in submissions]

    _replace(SharedCommit, "append", early)
    _replace(SharedCommit, "append_all", early_all)


def answers_before_commit() -> None:
    """Acknowledge answers once it is known that they could be saved, and save them half a second later."""
    from edu_platform.quizzes.operations.saving import SavedTogether, save_together

    real = SavedTogether.write

    def early(self: SavedTogether, together: Any) -> Any:
        with self._engine.connect().execution_options(writing=True) as connection:
            found = save_together(connection, together)
            connection.rollback()

        def later() -> None:
            time.sleep(0.5)
            real(self, together)

        threading.Thread(target=later, daemon=True).start()
        return found

    _replace(SavedTogether, "write", early)


def no_deduplication() -> None:
    """Know no beacon again; the unique key must be dropped by the test."""
    from edu_platform.reach.operations import log

    _replace(log._Sql, "known", lambda *_: set())
    _replace(log, "_INSERT_NEW", log._INSERT)  # what it leaves to the key would fail without one


def no_fsync() -> None:
    """Let SQLite answer without waiting for the disk."""
    from edu_platform.core import db

    _replace(db, "_PRAGMAS", (*db._PRAGMAS, "synchronous=OFF"))


def fold_in_two_steps() -> None:
    """Raise the tallies in one transaction and move the mark in another, a little later."""
    from edu_platform.core.clock import now
    from edu_platform.core.db import reading, writing
    from edu_platform.reach import tasks
    from edu_platform.reach.models import FoldMark, Span
    from edu_platform.reach.operations import fold
    from edu_platform.reach.operations import pages as kept
    from edu_platform.reach.rules.grouping import Page

    def fold_all(*, most: int = fold.MOST_AT_ONCE) -> int:
        gathered = fold.gather(reading(), most=most)
        reading().rollback()
        if gathered is None:
            return 0
        with writing() as session:
            for (family, campaign_id), days in gathered.days.items():
                before = kept.read(session, family, Span.DAY, campaign_id, days)
                merged = {
                    day: Page.union([before[day], page] if day in before else [page])
                    for day, page in days.items()
                }
                kept.write(session, family, Span.DAY, campaign_id, merged)
            tasks.add_reads(session, gathered.views)
        time.sleep(1)
        with writing() as session:
            session.merge(
                FoldMark(name="beacon", last_id=gathered.upto, turn=gathered.turn + 1, folded_at=now())
            )
        return gathered.beacons

    _replace(tasks, "fold_all", fold_all)


def no_clear_answer() -> None:
    """Take every trouble of database and disk for a bug."""
    from edu_platform.core import problems, shared_commit

    _replace(problems, "refusal_of", lambda _: None)
    _replace(shared_commit, "refusal_of", lambda _: None)


def no_reading_while_away() -> None:
    """Let reading fail whenever the catalogue's version cannot be looked at."""
    from edu_platform.library.catalogue import Catalogue

    def fail(self: Catalogue, trouble: Exception) -> Any:
        raise trouble

    _replace(Catalogue, "_known_still", fail)
    _replace(Catalogue, "_is_looked_at", lambda *_, **__: False)


def keep_broken_connections() -> None:
    """Go on using a connection to a file whose disk failed."""
    from edu_platform.core import driver

    _replace(driver, "_FILE_TROUBLES", ("none",))


def done_when_begun() -> None:
    """Take a job off the list when it is begun, not when it is done."""
    from edu_platform.core import jobs
    from edu_platform.core.clock import now
    from edu_platform.core.db import writing
    from edu_platform.core.models import OutboxMessage
    from edu_platform.factory import worker

    def run_message(message_id: int, attempt: int) -> bool:
        del attempt
        with writing() as session:
            message = session.get_one(OutboxMessage, message_id)
            name, arguments = message.job, dict(message.arguments)
            jobs.finish(session, message_id, at=now())
        jobs.registry[name](**arguments)
        return True

    _replace(worker, "run_message", run_message)


def no_gate() -> None:
    """Let every thread wait for the write lock, so that none is left for reading."""
    from edu_platform.core.gate import Gate

    _replace(Gate, "enter", lambda _: contextlib.nullcontext())


def _weaken(names: tuple[str, ...]) -> None:
    for name in names:
        globals()[name]()


def application(*names: str) -> Flask:
    """Return the WSGI application without these protections."""
    from edu_platform.factory.entry import application as real

    _weaken(names)
    return real()


if __name__ == "__main__":
    from edu_platform.cli.worker import command

    _weaken(tuple(sys.argv[1:]))
    command.main([], standalone_mode=True)
