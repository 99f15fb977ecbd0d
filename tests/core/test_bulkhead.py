"""Places for those who wait: enough while the service is quick, no thread more once it is not."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from edu_platform.core.bulkhead import Bulkhead
from edu_platform.core.errors import NotNow


def bulkhead(places=2, wait=0.3):
    return Bulkhead(places, wait=wait, trouble=TimeoutError, refusal=NotNow("later"))


def test_a_crowd_is_served_while_the_service_is_quick():
    places, inside, most, lock = bulkhead(), 0, 0, threading.Lock()

    def call(_):
        nonlocal inside, most
        with places.place():
            with lock:
                inside += 1
                most = max(most, inside)
            time.sleep(0.01)
            with lock:
                inside -= 1
        return True

    with ThreadPoolExecutor(20) as pool:
        assert all(pool.map(call, range(60)))
    assert most == 2


def test_nobody_waits_once_the_service_is_slow():
    places, leave = bulkhead(), threading.Event()

    def hang(_):
        with places.place():
            leave.wait(10)

    with ThreadPoolExecutor(2) as pool:
        held = [pool.submit(hang, n) for n in range(2)]
        time.sleep(0.35)
        began = time.monotonic()
        for _ in range(5):
            with pytest.raises(NotNow), places.place():
                pytest.fail("there is no place")
        assert time.monotonic() - began < 0.1
        leave.set()
        for one in held:
            one.result()
    with places.place():
        pass


def test_one_call_at_a_time_finds_out_whether_trouble_has_passed():
    places = bulkhead()
    with pytest.raises(TimeoutError), places.place():
        raise TimeoutError
    with places.place(), ThreadPoolExecutor(1) as pool:
        assert isinstance(pool.submit(_refused, places).result(), NotNow)
    with places.place(), ThreadPoolExecutor(1) as pool:
        assert pool.submit(_refused, places).result() is None


def test_a_fault_of_our_own_is_no_trouble_of_the_service():
    places = bulkhead()
    with pytest.raises(KeyError), places.place():
        raise KeyError
    assert not places.is_away


def _refused(places):
    try:
        with places.place():
            return None
    except NotNow as refused:
        return refused
