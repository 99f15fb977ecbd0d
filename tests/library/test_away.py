"""While the database is away: what is kept is sent, for a bounded time, and says how old it is."""

import threading
import time

import pytest
from sqlalchemy.exc import OperationalError

from edu_platform.core.db import db
from edu_platform.core.errors import NotNow
from edu_platform.library import catalogue
from edu_platform.library.catalogue import AGAIN, HANGING, LONGEST_AWAY, LOOK, Catalogue, Form, headers_of


class Broken(Catalogue):
    """A catalogue whose database a test takes away (`away`), or lets hang (`hang`); it counts its looks."""

    away = False
    looks = 0
    hang = None

    def _look(self, moment):
        self.looks += 1
        if self.hang is not None:
            self.hang.wait(20)
        if self.away:
            raise OperationalError("SELECT", {}, Exception("gone"))
        return super()._look(moment)


class Watch:
    """`time.monotonic`, moved by the test."""

    def __init__(self):
        self.now = time.monotonic()

    def monotonic(self):
        return self.now


@pytest.fixture
def watch(monkeypatch):
    moved = Watch()
    monkeypatch.setattr(catalogue, "time", moved)
    return moved


@pytest.fixture
def kept(context):
    made = Broken(db.engine)
    made.answer("key", lambda *_: b"{}")
    return made


def test_kept_answers_go_on_and_say_their_age(kept, watch):
    assert "Age" not in headers(kept)
    kept.away = True
    watch.now += 37
    assert headers(kept)["Age"] == "37"
    assert kept.away_for() == 37
    kept.away = False
    watch.now += AGAIN
    assert "Age" not in headers(kept), "it recovers by itself"
    assert kept.away_for() == 0


def headers(kept):
    return dict(headers_of(kept.cached("key"), Form.PLAIN))


def test_not_for_longer_than_is_documented(kept, watch):
    kept.away = True
    watch.now += LONGEST_AWAY - 2
    assert kept.cached("key") is not None
    watch.now += 2 + AGAIN
    with pytest.raises(OperationalError):
        kept.cached("key")


def test_a_change_of_our_own_that_was_not_seen_ends_it_at_once(kept, watch):
    kept.away = True
    watch.now += 5
    assert kept.cached("key") is not None
    kept.look_again()  # a piece was withdrawn through this process, and then the database went away
    with pytest.raises(OperationalError):
        kept.cached("key")


def test_nothing_kept_is_nothing_to_send_and_is_said_at_once(kept, watch):
    kept.away = True
    watch.now += 5
    assert kept.cached("key") is not None
    with pytest.raises(NotNow):
        kept.answer("another", lambda *_: pytest.fail("nobody waits for a database that is away"))
    with pytest.raises(OperationalError):
        fresh = Broken(db.engine)
        fresh.away = True
        fresh.cached("key")


def test_a_database_that_is_away_is_looked_at_once_a_second(kept, watch):
    kept.away = True
    watch.now += 5
    before = kept.looks
    for _ in range(50):
        kept.cached("key")
    assert kept.looks == before + 1
    watch.now += AGAIN
    kept.cached("key")
    assert kept.looks == before + 2


def test_a_look_that_hangs_holds_up_one_reader(kept):
    kept.hang = threading.Event()
    time.sleep(LOOK)
    held = threading.Thread(target=kept.cached, args=("key",))
    held.start()
    began = time.monotonic()
    try:
        while time.monotonic() - began < 3 * HANGING:
            asked = time.monotonic()
            assert kept.cached("key") is not None
            assert time.monotonic() - asked < 0.2
            time.sleep(0.05)
        assert kept.away_for() >= 1
        assert held.is_alive()
    finally:
        kept.hang.set()
        held.join()
    assert kept.away_for() == 0


def test_what_this_process_commits_is_seen_though_a_look_was_under_way(kept):
    kept.hang = threading.Event()
    time.sleep(LOOK)
    held = threading.Thread(target=kept.cached, args=("key",))
    held.start()
    while kept._looking is None:
        time.sleep(0.001)
    kept.look_again()
    seen = []
    second = threading.Thread(target=lambda: seen.append(kept.cached("key")))
    second.start()
    time.sleep(0.1)
    assert not seen, "it must look for itself: the look under way began before the commit"
    kept.hang.set()
    second.join()
    held.join()
    assert seen
