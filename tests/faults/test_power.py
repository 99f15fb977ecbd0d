"""The power is cut under load: the file system forgets what was not made durable. Nothing acknowledged was."""

from __future__ import annotations

import random
import subprocess
import time
from pathlib import Path

import pytest

from tests.faults.load import Load
from tests.faults.truth import compare, recount, tell
from tests.faults.weakened import weakened
from tests.proofs import note


def cut(house, disk, load):
    """Cut the power while requests are in flight; bring everything back; return how many there were."""
    load.wait_for(30)
    time.sleep(random.Random(load.ledger.requests).random() / 4)
    while not (flying := load.in_flight):
        time.sleep(0.001)
    with load.blackout():
        disk.cut_power()
        house.power_off()
    disk.power_on()
    house.power_on()
    return flying


def run(house, disk, cuts):
    # between the cut and the end of its processes a database may read anything from a disk that is not there
    load = Load(house, through=frozenset({500, 503, 507}))
    load.start()
    flying = [cut(house, disk, load) for _ in range(cuts)]
    load.wait_for(30)
    load.stop()
    found = compare(house.database, load.ledger)
    print(f"{cuts} cuts with {flying} requests in flight; {load.ledger}; {found}")
    assert all(flying)
    return load.ledger, found


def hold(house, ledger, found, cuts):
    assert not found.faults, (found.faults[:10], house.complaints())
    house.settle()
    different = recount(house.database)
    tell("power cut", ledger, found, cuts=cuts, tallies_that_differ=len(different))
    assert not different
    assert not house.database.damage()


def test_the_power_comes_back_whoever_holds_what_was_cut_off(disk):
    """Without a copy it would not: a mount namespace made meanwhile keeps the dead file system, and the kernel uses it again."""
    (disk.path / "a").write_text("kept")
    disk.make_durable()
    with subprocess.Popen(["unshare", "--mount", "sleep", "60"]) as holder:
        while Path(f"/proc/{holder.pid}/ns/mnt").readlink() == Path("/proc/self/ns/mnt").readlink():
            time.sleep(0.01)
        disk.cut_power()
        disk.power_on()
        assert (disk.path / "a").read_text() == "kept"
        holder.kill()


def test_a_cut_loses_nothing_acknowledged(on_disk, disk):
    house = on_disk()
    hold(house, *run(house, disk, 1), 1)


@pytest.mark.long
def test_twenty_cuts_lose_nothing_acknowledged(on_disk, disk):
    house = on_disk()
    hold(house, *run(house, disk, 20), 20)


@pytest.mark.long
@pytest.mark.control
def test_without_waiting_for_the_disk_a_cut_loses(on_disk, disk, kind):
    weak = weakened("no_fsync") if kind == "sqlite" else {"options": {"synchronous_commit": "off"}}
    house = on_disk(**weak)
    load = Load(house, through=frozenset({500, 503, 507}))
    load.start()
    assert cut(house, disk, load)
    load.stop()  # so much may be lost that nobody is known any more: nothing further can be waited for
    found = compare(house.database, load.ledger)
    note("control: no waiting for the disk", cuts=1, acknowledged=load.ledger.acks, lost=len(found.lost))
    assert found.lost
