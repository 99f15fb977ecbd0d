"""The database is locked, or away: a clear answer, reading goes on, everything recovers by itself."""

from __future__ import annotations

import contextlib
import threading
import time

import psycopg
import pysqlite3
import pytest

from tests.faults.load import Load
from tests.faults.readers import Readers
from tests.faults.truth import compare, tell
from tests.faults.weakened import weakened
from tests.proofs import note

WRITERS = 60


@contextlib.contextmanager
def write_lock(database):
    """Hold what every write needs, from another process's point of view: SQLite's write lock, or the log's table."""
    if database.kind == "sqlite":
        holder = pysqlite3.connect(str(database.path), isolation_level=None, timeout=10)
        holder.execute("BEGIN IMMEDIATE")
    else:
        holder = psycopg.connect(database.url)
        holder.execute("LOCK TABLE beacon IN ACCESS EXCLUSIVE MODE")
    try:
        yield
    finally:
        holder.close()


class Writers:
    """So many clients at once, each with one batch of its own; `answers` holds (seconds, answer) as they come."""

    def __init__(self, house, name):
        self.house, self.name, self.answers = house, name, []
        learners = house.seed.learners[:WRITERS]
        self._threads = [threading.Thread(target=self._send, args=one) for one in enumerate(learners)]
        for thread in self._threads:
            thread.start()

    def _send(self, number, learner):
        at = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        body = {
            "sent_at": at,
            "beacons": [{"id": f"{self.name}-{number}", "action": "view", "occurred_at": at}],
        }
        answer = self.house.ask("/api/v1/beacons", method="POST", body=body, token=learner[1], seconds=60)
        self.answers.append(answer)

    def end(self):
        for thread in self._threads:
            thread.join()
        return self.answers


def refusals_are_clear(answers):
    refused = [one for one in answers if one.status != 200]
    for one in refused:
        assert one.status == 503, one
        assert int(one.headers["retry-after"]) >= 1
        assert one.headers["content-type"] == "application/problem+json"
        assert one.json["code"] == "not_now"
    return refused


@pytest.mark.once
def test_writers_who_wait_for_a_lock_leave_threads_for_reading(house):
    with Readers(house) as readers:
        with write_lock(house.database):
            writers = Writers(house, "held")
            time.sleep(3)
            uncached = house.ask("/api/v1/pieces?limit=7", seconds=5)
        answers = writers.end()
    refused = refusals_are_clear(answers)
    taken = [one for one in answers if one.status == 200]
    print(f"{len(taken)} waited and were taken, {len(refused)} refused; {readers}")
    note("database locked", waited_and_taken=len(taken), refused=len(refused), **readers.figures)
    assert not readers.failures, readers.failures[:5]
    assert readers.slowest_ms < 2_000
    assert uncached.status == 200, "what is not kept is read as well"
    assert len(taken) >= 8, "who waited when the lock went was taken"
    assert refused, "more writers than there are places are told so"
    assert all(one.seconds < 2.5 for one in refused), "at once, not after the database's own time"
    assert house.ask("/readyz").status == 200


@pytest.mark.long
@pytest.mark.control
def test_without_the_gate_nobody_is_left_to_read(build):
    house = build(**weakened("no_gate"))
    house.start()
    with write_lock(house.database):
        writers = Writers(house, "held")
        time.sleep(1)
        with pytest.raises(TimeoutError):
            house.ask("/api/v1/pieces?limit=7", seconds=2)
    writers.end()


@pytest.mark.long
def test_a_lock_longer_than_anybody_waits_is_503_and_passes(house):
    with Readers(house) as readers:
        began = time.monotonic()
        with write_lock(house.database):
            answers = Writers(house, "long").end()
        seconds = time.monotonic() - began
    assert len(refusals_are_clear(answers)) == WRITERS
    print(f"{WRITERS} refused within {seconds:.1f} s; {readers}")
    note("database locked for longer than anybody waits", refused=len(answers), **readers.figures)
    assert 9 < seconds < 14
    assert not readers.failures
    assert all(
        one.json == {"accepted": 1, "duplicate": 0, "refused": []} for one in Writers(house, "long").end()
    )


# ---- PostgreSQL away


def pids(house):
    return house.pids("web worker"), house.pids("job worker")


def away(house, seconds, readers_too=True):
    """Stop the database for a while under load; return the load, what readers saw, and one answer to each question."""
    load = Load(house, pause=0.02)
    asked = {}
    with contextlib.ExitStack() as stack:
        readers = stack.enter_context(Readers(house)) if readers_too else None
        load.start()
        load.wait_for(40)
        before = pids(house)
        house.database.stop()
        time.sleep(seconds)
        asked["ready"] = house.ask("/readyz")
        asked["kept"] = house.ask("/api/v1/pieces?limit=20")
        asked["not kept"] = house.ask("/api/v1/pieces?limit=9")
        asked["me"] = house.ask("/api/v1/me", token=house.seed.learners[0][1])
        house.database.start()
        load.wait_for(40, 15)
    load.stop()
    assert pids(house) == before, "it recovers without a restart"
    return load, readers, asked


@pytest.mark.server
def test_a_restarted_server_is_waited_out(house):
    load, readers, asked = away(house, 2.5)
    found = compare(house.database, load.ledger)
    print(f"{load.ledger}; {found}; {readers}; ready again: {house.wait_ready():.1f} s")
    tell("database restarted", load.ledger, found, **readers.figures)
    assert not found.faults, (found.faults[:10], house.complaints())
    assert load.ledger.refused[503]
    assert not readers.failures, readers.failures[:5]
    assert max(readers.ages) >= 2
    assert asked["kept"].status == 200
    assert int(asked["kept"].headers["age"]) >= 1
    refusals_are_clear([asked["not kept"], asked["me"]])
    assert asked["ready"].status == 503
    assert asked["ready"].json["checks"]["database"] == "failing"
    assert asked["ready"].json["catalogue_age"] >= 1

    def is_seen_again():  # the next look at the database may be a second away
        return house.ask("/api/v1/pieces?limit=20").headers.get("age") is None

    house.wait_until(is_seen_again, 10, "the catalogue as it is")
    assert house.ask("/readyz").json["catalogue_age"] == 0


@pytest.mark.server
@pytest.mark.long
@pytest.mark.control
def test_without_what_is_kept_reading_fails_with_the_database(build):
    house = build(**weakened("no_reading_while_away"))
    house.start()
    _, readers, asked = away(house, 2.5)
    assert readers.failures
    assert asked["kept"].status == 503


@pytest.mark.server
@pytest.mark.long
@pytest.mark.control
def test_without_clear_answers_it_is_500(build):
    house = build(**weakened("no_clear_answer"))
    house.start()
    _, _, asked = away(house, 1, readers_too=False)
    assert asked["me"].status == 500


@pytest.mark.server
@pytest.mark.long
def test_a_catalogue_that_cannot_be_looked_at_holds_up_nobody(house):
    """A migration, say, holds the table of the catalogue's version: every look hangs until it is done."""
    with Readers(house) as readers, psycopg.connect(house.database.url) as holder:
        holder.execute("LOCK TABLE catalogue_version IN ACCESS EXCLUSIVE MODE")
        time.sleep(3)
        holder.rollback()
        time.sleep(0.5)
    print(readers)
    note("catalogue locked by a migration", **readers.figures)
    assert not readers.failures, readers.failures[:5]
    assert sum(seconds > 1 for seconds in readers.seconds) <= 2, "one may be held up by its own look"
    assert max(readers.ages) >= 2
    assert house.ask("/api/v1/pieces?limit=20").headers.get("age") is None
