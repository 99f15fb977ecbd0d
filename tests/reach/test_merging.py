"""A visitor signs in while what they did before is being written: it is the learner's, and nothing is lost."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import select, text, update

from edu_platform.core.clock import now
from edu_platform.core.db import db, reading, writing
from edu_platform.core.vocabulary import Action, Channel, DeclaredAudience
from edu_platform.people.models import Learner
from edu_platform.people.signals import Merged
from edu_platform.reach.models import Beacon, LearnerNumber, PersonNumber, Scope
from edu_platform.reach.operations import log, numbers
from tests.cast import sign_in_learner, visitor
from tests.reach.test_counting import Row, deed_of


def written(app, learner_id, name):
    """Append one beacon of a learner, as the shared commit does; return what became of it."""
    row = Row(
        learner_id,
        name,
        now(),
        0,
        DeclaredAudience.YOUTH,
        Channel.MINI_PROGRAM,
        0,
        Action.VIEW,
        Scope.ANONYMOUS,
    )
    with app.app_context(), writing() as session:
        (outcome,) = log.append(session.connection(), [log.Submission(learner_id, [deed_of(row)])])
    return outcome


def somebody_waits_for_a_row():
    if db.engine.dialect.name == "sqlite":
        time.sleep(0.3)  # one writer at a time: whoever comes waits at the door
        return True
    waiting = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
    with db.engine.connect() as connection:
        return connection.scalar(text(waiting)) > 0


@pytest.fixture
def race(app):
    """A function that lets a visitor's beacon be written while the visitor becomes a learner; returns both ids and it."""
    learner_id, visitor_id = sign_in_learner(app)[0], visitor(app)[0]
    assert (written(app, learner_id, "hers").accepted, written(app, visitor_id, "before").accepted) == (1, 1)
    merged_not_committed = threading.Event()

    def write():
        merged_not_committed.wait()
        return written(app, visitor_id, "meanwhile")

    def run():
        with ThreadPoolExecutor(1) as pool:
            writer = pool.submit(write)
            with app.app_context(), writing() as session:
                session.execute(
                    update(Learner).where(Learner.id == visitor_id).values(merged_into_id=learner_id)
                )
                numbers.on_learner_merged(session, Merged(visitor_id, learner_id))
                merged_not_committed.set()
                deadline = time.monotonic() + 5
                while not somebody_waits_for_a_row():
                    assert time.monotonic() < deadline, "nobody raced"
                    time.sleep(0.01)
            return learner_id, writer.result(20)

    return run


@pytest.mark.database
def test_a_beacon_written_while_its_visitor_signs_in_is_the_learners(app, race):
    learner_id, outcome = race()
    assert outcome.accepted == 1
    with app.app_context():
        number = reading().get_one(LearnerNumber, learner_id).number
        same = reading().scalars(select(PersonNumber.number).where(PersonNumber.same_as == number)).all()
        names = reading().scalars(select(Beacon.beacon_id).where(Beacon.number.in_([number, *same]))).all()
        meanwhile = reading().scalars(select(Beacon.number).where(Beacon.beacon_id == "meanwhile")).all()
        db.session.remove()
    assert sorted(names) == ["before", "hers", "meanwhile"]
    assert meanwhile == [number], "not under the number that was given up"


@pytest.mark.database
@pytest.mark.server
@pytest.mark.control
def test_who_looks_once_finds_nobody(race, monkeypatch):
    """The control, where two may write at once."""
    monkeypatch.setattr(log, "_LOOKS", 1)
    with pytest.raises(KeyError):
        race()
