"""Three hundred slow clients before the shipped nginx configuration hinder nobody; without it they do."""

from __future__ import annotations

import time

import pytest

from bench.nginx import nginx, program
from edu_platform.config.settings import Settings
from tests.faults.readers import Readers
from tests.faults.slow import WAYS, SlowClients
from tests.proofs import note

pytestmark = [pytest.mark.once, pytest.mark.skipif(program() is None, reason="nginx is not installed")]


@pytest.fixture
def behind(house, folder):
    """The port of nginx before the house."""
    folder.chmod(0o755)
    settings = Settings.read(
        {name: value for name, value in house.environ.items() if name.startswith("EDU_")}
    )
    with nginx(folder / "nginx", settings, upstreams=[f"127.0.0.1:{house.port}"]) as (port, _):
        yield port


def watched(house, port, seconds, **slow):
    with Readers(house, port=port) as readers:
        readers.seconds.clear()
        with SlowClients(port, **slow) as clients:
            time.sleep(seconds)
            print(f"{clients.connected} slow clients at the end, hung up on {clients.hung_up_on}; {readers}")
            note("slow clients before nginx", slow_clients=clients.connected, **readers.figures)
            assert clients.connected > 250
    return readers


def test_slow_clients_before_nginx_hinder_nobody(house, behind):
    readers = watched(house, behind, 4)
    assert not readers.failures, readers.failures[:5]
    assert readers.slowest_ms < 2_000


@pytest.mark.long
@pytest.mark.parametrize("way", WAYS)
def test_each_way_of_being_slow_hinders_nobody(house, behind, way):
    readers = watched(house, behind, 15, ways=(way,))
    assert not readers.failures, readers.failures[:5]
    assert readers.slowest_ms < 2_000


@pytest.mark.long
@pytest.mark.control
def test_without_nginx_slow_bodies_take_every_thread(house):
    with SlowClients(house.port, count=40, ways=("bodies",)):
        time.sleep(1)
        with pytest.raises(TimeoutError):
            house.ask("/api/v1/pieces?limit=13", seconds=2)
