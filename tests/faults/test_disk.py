"""The disk is full, or becomes read-only: a clear answer, reading goes on, nothing is damaged, it recovers by itself."""

from __future__ import annotations

import time

import pytest

from tests.faults.load import Load
from tests.faults.readers import LIST, Readers
from tests.faults.truth import compare, recount, tell
from tests.faults.weakened import weakened


def send(house):
    """One beacon, as a client sends it."""
    at = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    one = {"id": f"probe-{time.monotonic_ns()}", "action": "view", "occurred_at": at}
    return house.ask(
        "/api/v1/beacons",
        method="POST",
        body={"sent_at": at, "beacons": [one]},
        token=house.seed.learners[0][1],
    )


def refused(house):
    answer = send(house)
    return answer if answer.status != 200 else None


def all_is_well(house, load, readers, fault):
    # what `send` got acknowledged is nobody's in the ledger
    found = compare(house.database, load.ledger)
    found.wrong = [one for one in found.wrong if "probe-" not in one]
    print(f"{load.ledger}; {found}")
    print(*house.complaints(), sep="\n")
    assert not found.faults, found.faults[:10]
    house.settle(90)
    different = recount(house.database)
    tell(fault, load.ledger, found, tallies_that_differ=len(different), **readers.figures)
    assert not different
    assert not house.database.damage()


def filled(house, disk):
    """Fill the disk under load, and make room; return what happened."""
    load, answers = Load(house, pause=0.01), []
    with Readers(house) as readers:
        load.start()
        load.wait_for(60)
        before = house.pids("web worker"), house.pids("job worker")
        disk.fill()
        house.wait_until(lambda: answers.append(refused(house)) or answers[-1], what="a refusal")
        time.sleep(1.5)
        disk.fill()
        answers.append(refused(house))
        uncached = house.ask("/api/v1/pieces?limit=11")
        disk.make_room()
        load.wait_for(60, 60)
    load.stop()
    assert before == (house.pids("web worker"), house.pids("job worker")), "nobody was restarted"
    told = [one for one in answers if one is not None]
    print(f"refused with {[one.status for one in told]}; {readers}")
    return load, readers, told, uncached


@pytest.mark.once
def test_a_full_disk_is_507_and_passes(on_disk, disk):
    house = on_disk()
    load, readers, told, uncached = filled(house, disk)
    # PostgreSQL whose own log finds no room stops; then it is away, and waiting helps
    assert {one.status for one in told} <= ({507} if house.database.kind == "sqlite" else {503, 507})
    for one in told:
        assert one.json["code"] == ("no_space" if one.status == 507 else "not_now")
        assert int(one.headers["retry-after"]) >= 1
    assert load.ledger.refused[507], "clients were told"
    assert not readers.failures, readers.failures[:5]
    if house.database.kind == "sqlite":
        assert uncached.status == 200, "reading needs no room"
    all_is_well(house, load, readers, "disk full")


@pytest.mark.long
@pytest.mark.control
def test_without_clear_answers_a_full_disk_is_500(on_disk, disk):
    house = on_disk(**weakened("no_clear_answer"))
    disk.fill()
    answers = []
    house.wait_until(lambda: answers.append(refused(house)) or answers[-1], what="a refusal")
    disk.make_room()
    assert answers[-1].status == 500
    assert "retry-after" not in answers[-1].headers


def turned_read_only(house, disk, *, seconds=60):
    """Let the disk turn read-only under load, and mend it; return what happened."""
    load = Load(house, pause=0.02)
    with Readers(house) as readers:
        load.start()
        load.wait_for(40)
        before = house.pids("web worker"), house.pids("job worker")
        disk.read_only()
        answer = None
        while answer is None:
            answer = refused(house)
        time.sleep(2)
        kept, ready = house.ask(LIST), house.ask("/readyz")
        house.database.kill()  # a server's files lie on a disk that is no more: the operator restarts it
        disk.mend()
        house.database.start()
        load.wait_for(40, seconds)
    assert before == (house.pids("web worker"), house.pids("job worker")), "nobody was restarted"
    load.stop()
    print(f"{answer.status}; kept {kept.status}, age {kept.headers.get('age')}; {ready.json}; {readers}")
    return load, readers, answer, kept, ready


@pytest.mark.long
def test_a_disk_that_turns_read_only_is_waited_out(on_disk, disk):
    house = on_disk()
    load, readers, answer, kept, ready = turned_read_only(house, disk)
    assert answer.status == 503
    assert int(answer.headers["retry-after"]) >= 1
    assert (kept.status, ready.status) == (200, 503)
    assert not readers.failures, readers.failures[:5]
    all_is_well(house, load, readers, "disk turned read-only")


@pytest.mark.only_sqlite
@pytest.mark.long
@pytest.mark.control
def test_who_keeps_a_connection_to_a_broken_file_never_recovers(on_disk, disk):
    house = on_disk(**weakened("keep_broken_connections"))
    with pytest.raises(TimeoutError):
        turned_read_only(house, disk, seconds=20)
