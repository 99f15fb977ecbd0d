"""The worker is dead: jobs wait, everything else goes on, `/readyz` says so; back again, it does everything once."""

from __future__ import annotations

import shutil
import subprocess
import sys
import time

import pytest

from tests.faults.load import Load
from tests.faults.seed import ROOT
from tests.faults.truth import compare, recount, tell
from tests.faults.weakened import weakened
from tests.proofs import note


def publish(house, folder, *files):
    """Import some of the shipped material, which publishes it, as an operator does; the worker has to draw it."""
    source = folder / "content"
    shutil.copytree(ROOT / "content" / "illustrations", source / "illustrations")
    for name in ("columns.yaml", *files):
        lines = (ROOT / "content" / name).read_text().splitlines(keepends=True)
        target = source / name
        target.parent.mkdir(parents=True, exist_ok=True)
        # what it points to is not there
        target.write_text("".join(line for line in lines if not line.startswith(("related:", "link:"))))
    done = subprocess.run(
        [sys.executable, "-m", "edu_platform.cli", "content", "import", str(source)],
        cwd=ROOT, env=house.environ, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr


def jobs(house, condition="true"):
    return house.database.rows(f"SELECT job, attempts, failure FROM outbox_message WHERE {condition}")


def visible(house, slug):
    return house.ask(f"/api/v1/pieces/{slug}").status == 200


def once(house):
    """Every job was done, and what jobs make was made once."""
    assert jobs(house, "done_at IS NULL") == []
    assert list(jobs(house, "failure IS NOT NULL")) == []
    twice = house.database.rows("SELECT digest FROM media_file GROUP BY digest HAVING count(*) > 1")
    assert twice == []


@pytest.mark.long
def test_without_the_worker_everything_else_goes_on(house, folder):
    load = Load(house, pause=0.05)
    load.start()
    house.leave_dead("worker")
    load.wait_for(100)
    publish(house, folder, "posters/clear-bill.yaml", "articles/pocket-money-lab.md")
    assert jobs(house, "done_at IS NULL"), "jobs wait"
    assert visible(house, "pocket-money-lab"), "what needs no drawing is read at once"
    assert (
        house.database.rows(
            "SELECT count(*) FROM beacon WHERE id > (SELECT coalesce(max(last_id), 0) FROM fold_mark)"
        )[0][0]
        > 50
    )
    silent = house.wait_until(
        lambda: house.ask("/readyz").json["checks"]["worker"] == "failing", 60, "the alarm"
    )
    load.wait_for(100)
    load.stop()
    house.revive("worker")
    back = house.wait_ready()
    done = house.settle(180)
    print(
        f"silent is said after {silent:.0f} s; back in {back:.1f} s, all done in {done:.1f} s; {load.ledger}"
    )
    assert visible(house, "clear-bill")
    once(house)
    found, different = compare(house.database, load.ledger), recount(house.database)
    tell("worker dead", load.ledger, found, tallies_that_differ=len(different))
    assert not found.faults
    assert not different


def kill_in_a_film(house, folder):
    """Kill the worker in the middle of a film; return once nothing is left to do, with the seconds that took."""
    publish(house, folder, "videos/eggs-for-savings.yaml")
    house.wait_until(lambda: jobs(house, "attempts = 1 AND job LIKE '%film%'"), 90, "a film under way")
    time.sleep(1.5)
    assert not visible(house, "eggs-for-savings"), "it was done before it could be killed"
    house.kill("job worker")
    return house.settle(420)


@pytest.mark.long
def test_a_worker_killed_in_the_middle_of_a_heavy_job_does_it_once(house, folder):
    seconds = kill_in_a_film(house, folder)  # what a dead worker held is free when its lease ends
    print(f"all done {seconds:.0f} s after the kill: {jobs(house)}")
    assert jobs(house, "attempts = 2 AND job LIKE '%film%'"), "it was tried again"
    assert visible(house, "eggs-for-savings")
    once(house)
    note("worker killed in a film", kills=1, films_made=1)
    alone = subprocess.run(["ps", "-eo", "pid,args"], capture_output=True, text=True).stdout
    assert str(house.data_dir) not in alone, "a drawing process was left behind"


@pytest.mark.long
@pytest.mark.control
def test_a_job_that_is_done_when_begun_is_lost_with_its_worker(build, folder):
    house = build(**weakened("done_when_begun"))
    house.start()
    kill_in_a_film(house, folder)
    assert not visible(house, "eggs-for-savings"), "nobody knows that it is to be made"
    note("control: done when begun", kills=1, films_lost=1)
