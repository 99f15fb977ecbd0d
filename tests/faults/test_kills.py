"""`kill -9` of any process at any moment under load: nothing acknowledged is lost, nothing is counted twice."""

from __future__ import annotations

import itertools
import re
import time

import pytest

from edu_platform.reach.models import EVERYWHERE
from tests.faults.load import Load
from tests.faults.truth import compare, recount, tell, told
from tests.faults.weakened import weakened
from tests.proofs import note

PARTS = {
    "sqlite": ("web worker", "job worker", "web master"),
    "postgresql": ("backend", "web worker", "postmaster"),
}
EVERY_PART = {
    "sqlite": ("web worker", "job worker", "web worker", "web master"),
    "postgresql": ("web worker", "backend", "job worker", "postmaster", "web master", "backend"),
}


def run(house, parts, *, acks, **options):
    """Load with a kill of each part in turn, `acks` acknowledgements apart; return load and what was found."""
    load = Load(house, **options)
    load.start()
    flying = [load.kill(part, acks=acks, seconds=40) for part in parts]
    load.wait_for(acks)
    load.stop()
    found = compare(house.database, load.ledger)
    print(f"{len(flying)} kills with {flying} requests in flight; {load.ledger}; {found}")
    assert all(flying), "nothing was in flight"
    return load, found


def hold(house, load, found, kills):
    """Assert that everything holds, also what is folded from it."""
    assert not found.faults, (found.faults[:10], house.complaints())
    assert sum(load.ledger.broken.values()) > 0, "no kill was felt"
    house.settle(120)
    different = recount(house.database)
    tell("kill -9 under load", load.ledger, found, kills=kills, tallies_that_differ=len(different))
    assert not different
    assert not house.database.damage()


def test_hundreds_of_acknowledgements_survive_a_kill_of_each_process(house):
    load, found = run(house, PARTS[house.database.kind], acks=70)
    hold(house, load, found, len(PARTS[house.database.kind]))
    assert load.ledger.acks >= 280


@pytest.mark.long
def test_thousands_of_acknowledgements_survive_twenty_kills(house):
    parts = itertools.islice(itertools.cycle(EVERY_PART[house.database.kind]), 20)
    load, found = run(house, parts, acks=250)
    hold(house, load, found, 20)
    assert load.ledger.acks >= 5_000


@pytest.mark.once
@pytest.mark.control
def test_answered_before_the_commit_a_kill_loses(build):
    house = build(**weakened("answer_before_commit"))
    house.start()
    load, _ = run(house, ["web worker"], acks=60, quizzes=0.0)
    time.sleep(2)
    found = compare(house.database, load.ledger)
    print(f"a while later: {found}")
    note("control: answered before the commit", kills=1, acknowledged=load.ledger.acks, lost=len(found.lost))
    assert 0 < len(found.lost) < len(load.ledger.acknowledged), "what was not killed was stored in the end"


@pytest.mark.long
@pytest.mark.control
def test_answers_told_before_they_are_saved_are_lost_by_a_kill(build):
    house = build(**weakened("answers_before_commit"))
    house.start()
    load, _ = run(house, ["web worker"], acks=60, quizzes=1.0)
    time.sleep(2)
    lost = [one for one in compare(house.database, load.ledger).lost if one.startswith("answer")]
    note(
        "control: answers told before they are saved", kills=1, acknowledged=load.ledger.acks, lost=len(lost)
    )
    assert 0 < len(lost) < load.ledger.answers


@pytest.mark.long
@pytest.mark.control
def test_known_by_nothing_repeats_are_counted_twice(build):
    house = build(**weakened("no_deduplication"))
    house.database.start()
    drop_unique_key(house.database)
    house.start()
    load = Load(house, quizzes=0.0, repeats=0.5)
    load.start()
    load.wait_for(200)
    load.stop()
    found = compare(house.database, load.ledger)
    print(f"{load.ledger}; {found}")
    note("control: nothing known again", acknowledged=load.ledger.acks, counted_twice=len(found.doubled))
    assert found.doubled


def drop_unique_key(database):
    if database.kind == "postgresql":
        database.rows("ALTER TABLE beacon DROP CONSTRAINT uq_beacon_number_beacon_id")
        return
    ((made,),) = database.rows("SELECT sql FROM sqlite_master WHERE name = 'beacon'")
    without, times = re.subn(r",\s*CONSTRAINT \w+ UNIQUE \([^)]*\)", "", made)
    assert times == 1
    database.rows("DROP TABLE beacon")
    database.rows(without)


@pytest.mark.long
@pytest.mark.control
def test_a_fold_in_two_steps_counts_twice_when_it_is_killed_between_them(build):
    house = build(**weakened("fold_in_two_steps"))
    house.start()
    load = Load(house, quizzes=0.0)
    load.start()
    load.wait_for(20)
    # between its two steps the tallies are ahead of the mark
    house.wait_until(lambda: tallied(house.database) > marked(house.database), what="a fold half done")
    house.kill("job worker")
    load.stop()
    assert not compare(house.database, load.ledger).faults
    house.settle()
    different = recount(house.database)
    note("control: a fold in two steps", kills=1, tallies_that_differ=len(different))
    assert different


def tallied(database):
    """How many beacons the tallies hold: each is once in the whole of its day, over all campaigns."""
    times, _ = told(database)
    return sum(count for cell, count in times.items() if (cell[0], cell[2]) == (0, EVERYWHERE))


def marked(database):
    """How many beacons the mark says are folded."""
    return database.rows(
        "SELECT count(*) FROM beacon WHERE id <= (SELECT coalesce(max(last_id), 0) FROM fold_mark)"
    )[0][0]


@pytest.mark.long
def test_a_fold_killed_again_and_again_counts_once(house):
    load = Load(house, quizzes=0.1)
    load.start()
    kills = 0
    for _ in range(12):
        load.wait_for(40)
        before = marked(house.database)
        house.wait_until(
            lambda before=before: marked(house.database) > before, 60, "a fold"
        )  # it folds every 2 s
        house.kill("job worker")
        kills += 1
    load.stop()
    found = compare(house.database, load.ledger)
    print(f"{kills} kills of the folding worker; {load.ledger}; {found}")
    assert not found.faults, found.faults[:10]
    house.settle()
    different = recount(house.database)
    tell("kill -9 of the fold", load.ledger, found, kills=kills, tallies_that_differ=len(different))
    assert not different
