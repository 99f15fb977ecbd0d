"""New code under load: three reloads, writers and readers, on kept connections and on new ones; nobody notices."""

from __future__ import annotations

import signal
import time

import pytest

from tests.faults.load import Load
from tests.faults.readers import Readers
from tests.faults.truth import compare, tell


@pytest.mark.long
def test_three_reloads_fail_no_request_and_lose_nothing(house):
    load = Load(house)
    with Readers(house) as readers:
        load.start()
        for _ in range(3):
            old = house.pids("web worker")
            load.wait_for(60)
            house.kill("web master", signal.SIGHUP)
            house.wait_until(
                lambda old=old: house.pids("web worker") and not set(old) & set(house.pids("web worker")),
                60,
                "new workers",
            )
        time.sleep(0.5)
        load.stop()
    found = compare(house.database, load.ledger)
    print(f"{load.ledger}; {found}; {readers}")
    tell("reload under load", load.ledger, found, reloads=3, **readers.figures)
    assert not found.faults, found.faults[:5]
    assert not load.ledger.broken
    assert not load.ledger.refused
    assert not readers.failures, readers.failures[:5]
