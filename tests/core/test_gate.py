"""Gates: everybody comes through while things go on behind them, nobody waits once they stand still."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from edu_platform.core.errors import NotNow
from edu_platform.core.gate import Gate


def new_gate():
    return Gate(2, patience=0.3, trouble=(TimeoutError,), refusal=NotNow("later"))


def test_a_crowd_is_served_while_the_service_is_quick():
    gate, inside, most, lock = new_gate(), 0, 0, threading.Lock()

    def call(_):
        nonlocal inside, most
        with gate.enter():
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
    gate, leave = new_gate(), threading.Event()

    def hang(_):
        with gate.enter():
            leave.wait(10)

    with ThreadPoolExecutor(2) as pool:
        held = [pool.submit(hang, n) for n in range(2)]
        time.sleep(0.35)
        began = time.monotonic()
        for _ in range(5):
            with pytest.raises(NotNow), gate.enter():
                pytest.fail("there is no place")
        assert time.monotonic() - began < 0.1
        leave.set()
        for one in held:
            one.result()
    with gate.enter():
        pass


def test_one_call_at_a_time_finds_out_whether_trouble_has_passed():
    gate = new_gate()
    with pytest.raises(TimeoutError), gate.enter():
        raise TimeoutError
    with gate.enter(), ThreadPoolExecutor(1) as pool:
        assert isinstance(pool.submit(_refused, gate).result(), NotNow)
    with gate.enter(), ThreadPoolExecutor(1) as pool:
        assert pool.submit(_refused, gate).result() is None


def test_a_fault_of_our_own_is_no_trouble_of_the_service():
    gate = new_gate()
    with pytest.raises(KeyError), gate.enter():
        raise KeyError
    assert not gate.is_away


def _refused(gate):
    try:
        with gate.enter():
            return None
    except NotNow as refused:
        return refused
