"""`kill -9` of any process at any moment under load: nothing acknowledged is lost, nothing is counted twice."""

from __future__ import annotations

from tests.faults.load import Load
from tests.faults.truth import compare, recount

PARTS = {
    "sqlite": ("web worker", "job worker", "web master", "web worker"),
    "postgresql": ("backend", "web worker", "postmaster", "job worker"),
}


def test_hundreds_of_acknowledgements_survive_a_kill_of_each_process(house):
    load = Load(house)
    load.start()
    flying = [load.kill(part, acks=60, seconds=25) for part in PARTS[house.database.kind]]
    load.wait_for(60)
    load.stop()
    house.settle()
    found = compare(house.database, load.ledger)
    print(f"{load.ledger}; killed with {flying} requests in flight; {found}")
    assert not found.faults, (found.faults[:10], house.complaints())
    assert not recount(house.database)
    assert load.ledger.acks >= 300
    assert all(flying)
    assert sum(load.ledger.broken.values()) > 0, "no kill was felt"
    assert not house.database.damage()
